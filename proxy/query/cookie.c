/* Step 3, the DNS cookie of a message. Every cookie is answered; what a good one is good for is
 * decided in datagram.c. */
#include "proxy/query/parts.h"

void query_take_cookie(struct query *q)
{
	const struct snapshot *snapshot = query_snapshot(q);
	const struct dns_cookie_secrets *secrets = &snapshot->cookie_secrets;
	struct slice asked = q->asked.opt.cookie;
	if (!q->asked.opt.has_cookie || !snapshot->config->dns_cookies.enabled) {
		q->asked.opt.has_cookie = false;
		return;
	}
	uint32_t now_s = (uint32_t)worker_wall_now_s(q->worker);
	q->cookie_state = dns_cookie_check(secrets, asked, &q->to.client, now_s);
	metrics_cookie(q->worker->metrics, q->cookie_state);
	if (q->cookie_state == DNS_COOKIE_MALFORMED)
		q->asked.opt.has_cookie = false; /* there is nothing that could be answered */
	else if (q->cookie_state == DNS_COOKIE_FRESH)
		memcpy(q->cookie, asked.at, sizeof q->cookie);
	else
		dns_cookie_make(q->cookie, secrets, asked, &q->to.client, now_s);
}
