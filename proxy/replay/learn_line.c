#include "proxy/replay/learn_line.h"

#include "dns/answer.h"
#include "dns/types.h"

static bool leads_somewhere(uint16_t type)
{
	return type == DNS_TYPE_CNAME || type == DNS_TYPE_DNAME || type == DNS_TYPE_SVCB ||
		type == DNS_TYPE_HTTPS;
}

static void learn_answer(struct learn *learn, const struct dns_answer *answer, struct slice asked)
{
	struct dns_record_walk walk;
	struct dns_record record;
	struct dns_name target;
	dns_record_walk_begin(&walk, answer);
	while (dns_record_next(&walk, &record)) {
		if (!leads_somewhere(record.type) || !dns_record_target(answer, &record, &target))
			continue;
		dns_name_lower(target.wire, target.wire, target.len);
		/* "." is the owner itself (RFC 9460 2.5.2), or no service at all. */
		if (target.len > 1 && !slice_equals(dns_name_slice(&target), asked))
			learn_led_to(learn, dns_name_slice(&target));
	}
}

bool learn_line(struct learn *learn, const struct log_line *line, void *buffer)
{
	struct slice asked = dns_name_slice(&line->lower);
	struct dns_answer answer;
	unsigned left_out;
	if (line->action == ACTION_BLOCK)
		return false;
	learn_asked(learn, asked);
	struct slice message = log_line_answer(line, buffer, &left_out);
	if (message.len > 0 && dns_answer_open(&answer, message) == 0)
		learn_answer(learn, &answer, asked);
	return true;
}
