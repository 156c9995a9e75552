#include "proxy/upstream/counters.h"

#include <string.h>

#include "dns/types.h"

const uint32_t upstream_latency_bounds_us[UPSTREAM_LATENCY_BUCKETS] = { 50, 100, 250, 500, 1000,
	2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000 };

const char *const upstream_answer_class_names[UPSTREAM_ANSWER_CLASSES] = {
	[UPSTREAM_NOERROR] = "noerror",
	[UPSTREAM_NXDOMAIN] = "nxdomain",
	[UPSTREAM_SERVFAIL] = "servfail",
	[UPSTREAM_REFUSED] = "refused",
	[UPSTREAM_OTHER_RCODE] = "other",
};

const char *const upstream_error_names[UPSTREAM_ERRORS] = {
	[UPSTREAM_ERROR_TIMEOUT] = "timeout",
	[UPSTREAM_ERROR_NETWORK] = "network",
	[UPSTREAM_ERROR_MISMATCH] = "mismatch",
	[UPSTREAM_ERROR_MALFORMED] = "malformed",
	[UPSTREAM_ERROR_FORMERR] = "formerr",
	[UPSTREAM_ERROR_TCP_FAILED] = "tcp_failed",
	[UPSTREAM_ERROR_BUSY] = "busy",
};

const char *const upstream_reason_names[UPSTREAM_REASONS] = {
	[UPSTREAM_REASON_FIRST] = "first",
	[UPSTREAM_REASON_HEDGE] = "hedge",
	[UPSTREAM_REASON_FAILOVER] = "failover",
	[UPSTREAM_REASON_RETRY] = "retry",
	[UPSTREAM_REASON_PARALLEL] = "parallel",
	[UPSTREAM_REASON_PROBE] = "probe",
	[UPSTREAM_REASON_LEARN] = "learn",
};

const char *const upstream_tls_failure_names[UPSTREAM_TLS_FAILURES] = {
	[UPSTREAM_TLS_CERTIFICATE_UNTRUSTED] = "certificate_untrusted",
	[UPSTREAM_TLS_CERTIFICATE_NAME] = "certificate_name",
	[UPSTREAM_TLS_CERTIFICATE_PIN] = "certificate_pin",
	[UPSTREAM_TLS_NO_SHARED_PROTOCOL] = "no_shared_protocol",
	[UPSTREAM_TLS_NO_SHARED_CIPHER] = "no_shared_cipher",
	[UPSTREAM_TLS_NO_APPLICATION_PROTOCOL] = "no_application_protocol",
	[UPSTREAM_TLS_PEER_ALERT] = "peer_alert",
	[UPSTREAM_TLS_NOT_TLS] = "not_tls",
	[UPSTREAM_TLS_BAD_RECORD] = "bad_record",
	[UPSTREAM_TLS_TIMEOUT] = "timeout",
	[UPSTREAM_TLS_CLOSED] = "closed",
	[UPSTREAM_TLS_OTHER] = "other",
};

enum upstream_tls_failure upstream_tls_failure_of(const char *word)
{
	unsigned failure = 0;
	while (failure < UPSTREAM_TLS_OTHER &&
		strcmp(word, upstream_tls_failure_names[failure]) != 0)
		failure++;
	return (enum upstream_tls_failure)failure;
}

static enum upstream_answer_class class_of(uint16_t rcode)
{
	switch (rcode) {
	case DNS_RCODE_NOERROR: return UPSTREAM_NOERROR;
	case DNS_RCODE_NXDOMAIN: return UPSTREAM_NXDOMAIN;
	case DNS_RCODE_SERVFAIL: return UPSTREAM_SERVFAIL;
	case DNS_RCODE_REFUSED: return UPSTREAM_REFUSED;
	default: return UPSTREAM_OTHER_RCODE;
	}
}

void upstream_count_answer(struct upstream_counters *counters, uint16_t rcode, uint64_t took_us)
{
	unsigned bucket = 0;
	while (bucket < UPSTREAM_LATENCY_BUCKETS && took_us > upstream_latency_bounds_us[bucket])
		bucket++;
	upstream_count(&counters->answers[class_of(rcode)]);
	upstream_count(&counters->latency[bucket]);
	upstream_count_add(&counters->latency_sum_us, took_us);
}
