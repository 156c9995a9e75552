/* Step 4, the one admission of all protocols: who is it, and which view is that? What a transport
 * knows comes with the message; a token may be in the message. Here it becomes a digest, and
 * nothing behind this knows its text. */
#include "proxy/front/conn.h"
#include "proxy/query/parts.h"
#include "proxy/query/token_memo.h"

/* As Amazon Route 53 Global Resolver takes tokens over DoT: the option's data is the text. */
enum { OPTION_ACCESS_TOKEN = 0xffa0 };

struct fault_row {
	enum metrics_drop_reason reason;
	unsigned status; /* what HTTP says instead; 0: it carries the DNS message */
	const char *text;
};

static const struct fault_row faults[] = {
	[ADMISSION_NO_VIEW] = { METRICS_DROP_NO_VIEW, 0, "no view claims this client" },
	[ADMISSION_TOKEN_UNKNOWN] = { METRICS_DROP_TOKEN_UNKNOWN, 0, "this token is not known" },
	[ADMISSION_TOKEN_EXPIRED] = { METRICS_DROP_TOKEN_EXPIRED, 0, "this token has expired" },
	[ADMISSION_PATH_UNKNOWN] = { METRICS_DROP_PATH_UNKNOWN, 404, "there is no such path" },
};

/* Without encryption a token is nobody's secret, and is not looked at. One that stands beside the
 * message goes before one inside. */
static bool find_token(const struct query *q, struct slice beside, struct slice *token)
{
	*token = beside;
	if (q->to.protocol != PROTOCOL_DOT && q->to.protocol != PROTOCOL_DOH)
		return false;
	return beside.len > 0 || dns_opt_find(&q->asked.opt, OPTION_ACCESS_TOKEN, token);
}

static void refuse(struct query *q, enum admission_fault fault)
{
	const struct fault_row *row = &faults[fault];
	metrics_drop(q->worker->metrics, row->reason);
	if (row->status && q->to.protocol == PROTOCOL_DOH)
		query_end_rejected(q, row->status);
	else
		query_end_with_rcode(
			q, METRICS_SOURCE_ERROR, DNS_RCODE_REFUSED, DNS_EDE_PROHIBITED, row->text);
}

bool query_admit(struct query *q, const struct claims *transport, struct slice beside)
{
	struct claims claims = *transport;
	struct slice token;
	struct admission admission = { .fault = ADMISSION_TOKEN_UNKNOWN };
	bool has_token = find_token(q, beside, &token);
	claims.now_s = q->facts.now_s;
	claims.token = has_token ? token_memo_digest(q->worker->tokens, token) : NULL;
	if (claims.token || !has_token) {
		admission = policy_find_view(query_policy(q), &claims);
		q->facts.view = admission.view;
		query_shadow_admit(q, &claims);
	}
	if (admission.fault) {
		query_shadow_question(q);
		refuse(q, admission.fault);
		return false;
	}
	q->client_by = admission.by;
	q->client_id = admission.client_id;
	return true;
}
