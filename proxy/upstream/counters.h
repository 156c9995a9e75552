/* counters.h - what is counted about one upstream. Written by the worker's thread alone with
 * relaxed stores, read by any other: a sum over workers may be a query behind, never torn. */
#ifndef PROXY_UPSTREAM_COUNTERS_H
#define PROXY_UPSTREAM_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

/* Answers by class of rcode. */
enum upstream_answer_class {
	UPSTREAM_NOERROR,
	UPSTREAM_NXDOMAIN,
	UPSTREAM_SERVFAIL,
	UPSTREAM_REFUSED,
	UPSTREAM_OTHER_RCODE,
	UPSTREAM_ANSWER_CLASSES
};

/* Why something came to nothing. A query may count in more than one row: a FORMERR and then the
 * silence behind it. */
enum upstream_error {
	UPSTREAM_ERROR_TIMEOUT,    /* no answer within UPSTREAM_DEADLINE_MS */
	UPSTREAM_ERROR_NETWORK,    /* could not be sent, or ICMP said that nobody is there */
	UPSTREAM_ERROR_MISMATCH,   /* datagrams and messages thrown away: not what was asked */
	UPSTREAM_ERROR_MALFORMED,  /* answers to the question that could not be read */
	UPSTREAM_ERROR_FORMERR,    /* the upstream did not understand our OPT */
	UPSTREAM_ERROR_TCP_FAILED, /* connection refused or lost with questions on it */
	UPSTREAM_ERROR_BUSY,       /* passed over: UPSTREAM_IN_FLIGHT queries are out there */
	UPSTREAM_ERRORS
};

/* Why it was asked. */
enum upstream_reason {
	UPSTREAM_REASON_FIRST,    /* first choice */
	UPSTREAM_REASON_HEDGE,    /* another one is silent */
	UPSTREAM_REASON_FAILOVER, /* another one failed */
	UPSTREAM_REASON_RETRY,    /* it was silent itself, and there is nobody else */
	UPSTREAM_REASON_PARALLEL, /* together with another one, from the start */
	UPSTREAM_REASON_PROBE,    /* it is down: is it still? */
	UPSTREAM_REASON_LEARN,    /* a copy: how fast is it? */
	UPSTREAM_REASONS
};

/* Why a TLS handshake failed: the words of tls/client.h, and two of ours. */
enum upstream_tls_failure {
	UPSTREAM_TLS_CERTIFICATE_UNTRUSTED,
	UPSTREAM_TLS_CERTIFICATE_NAME,
	UPSTREAM_TLS_CERTIFICATE_PIN,
	UPSTREAM_TLS_NO_SHARED_PROTOCOL,
	UPSTREAM_TLS_NO_SHARED_CIPHER,
	UPSTREAM_TLS_NO_APPLICATION_PROTOCOL,
	UPSTREAM_TLS_PEER_ALERT,
	UPSTREAM_TLS_NOT_TLS,
	UPSTREAM_TLS_BAD_RECORD,
	UPSTREAM_TLS_TIMEOUT,
	UPSTREAM_TLS_CLOSED, /* by the upstream, without a word */
	UPSTREAM_TLS_OTHER,
	UPSTREAM_TLS_FAILURES
};

enum { UPSTREAM_LATENCY_BUCKETS = 16 };

/* Upper bounds of the buckets in microseconds: 50 us ... 5 s. */
extern const uint32_t upstream_latency_bounds_us[UPSTREAM_LATENCY_BUCKETS];

/* "noerror", "timeout", "hedge" ...: the label values, a closed set. */
extern const char *const upstream_answer_class_names[UPSTREAM_ANSWER_CLASSES];
extern const char *const upstream_error_names[UPSTREAM_ERRORS];
extern const char *const upstream_reason_names[UPSTREAM_REASONS];
extern const char *const upstream_tls_failure_names[UPSTREAM_TLS_FAILURES];

/* UPSTREAM_TLS_OTHER for a word that is none of them. */
enum upstream_tls_failure upstream_tls_failure_of(const char *word);

typedef _Atomic uint64_t upstream_counter;

struct upstream_counters {
	upstream_counter asked[UPSTREAM_REASONS];
	upstream_counter queries_udp; /* messages sent, the repeated ones too */
	upstream_counter queries_tcp;
	upstream_counter answers[UPSTREAM_ANSWER_CLASSES];
	upstream_counter errors[UPSTREAM_ERRORS];
	upstream_counter truncated;   /* TC, so asked again over TCP */
	upstream_counter case_folded; /* question came back in another case: over TCP */
	upstream_counter case_off;    /* times that 0x20 was switched off */
	upstream_counter edns_off;    /* times that EDNS was switched off */
	upstream_counter in_flight;   /* gauge */
	upstream_counter up;          /* gauge: 1 or 0 */
	upstream_counter outages;     /* times that it went down */
	/* Histogram: answers not slower than the bound and slower than the one before; the last is
	 * beyond all bounds. */
	upstream_counter latency[UPSTREAM_LATENCY_BUCKETS + 1];
	upstream_counter latency_sum_us;
	/* DoT and DoH: */
	upstream_counter connections;         /* gauge: those that are up */
	upstream_counter connections_opened;  /* up to the end of the handshake */
	upstream_counter connections_resumed; /* of those */
	upstream_counter connect_failures;    /* TCP: refused, unreachable, nothing in time */
	upstream_counter tls_failures[UPSTREAM_TLS_FAILURES];
	upstream_counter replays;     /* asked again, as the connection ended before the answer */
	upstream_counter idle_closes; /* by the upstream: it was quicker than we */
};

static inline void upstream_count_add(upstream_counter *counter, uint64_t value)
{
	/* One writer: a load and a store, no locked instruction. */
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + value,
		memory_order_relaxed);
}

static inline void upstream_count(upstream_counter *counter)
{
	upstream_count_add(counter, 1);
}

static inline void upstream_gauge_set(upstream_counter *counter, uint64_t value)
{
	atomic_store_explicit(counter, value, memory_order_relaxed);
}

static inline uint64_t upstream_count_read(const upstream_counter *counter)
{
	return atomic_load_explicit((upstream_counter *)(uintptr_t)counter, memory_order_relaxed);
}

void upstream_count_answer(struct upstream_counters *counters, uint16_t rcode, uint64_t took_us);

#endif
