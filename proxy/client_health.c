#include "proxy/client_health.h"

#include <stdio.h>

#include "base/log.h"
#include "dns/types.h"

static bool is_blocked(const struct policy *policy, uint16_t view, const struct builtin_name *name,
	struct verdict *verdict)
{
	struct dns_name wire;
	if (!dns_name_from_text(&wire, slice_of_text(name->example)))
		return false;
	const struct facts facts = {
		.view = view,
		.query_type = DNS_TYPE_A,
		.name = dns_name_slice(&wire),
	};
	policy_judge_query(policy, &facts, verdict, NULL);
	return verdict->action == ACTION_BLOCK;
}

bool client_health_find(
	const struct policy *policy, uint16_t view, struct client_health_finding *finding)
{
	*finding = (struct client_health_finding){ .view = view };
	for (size_t i = 0; i < builtin_client_health_count; i++) {
		struct verdict verdict;
		if (!is_blocked(policy, view, &builtin_client_health_names[i], &verdict))
			continue;
		if (finding->count++ > 0)
			continue;
		finding->name = &builtin_client_health_names[i];
		finding->verdict = verdict;
	}
	return finding->count > 0;
}

static void warn(const struct policy *policy, const struct client_health_finding *finding)
{
	char more[32] = "", rule[160] = "default_action";
	const struct verdict *verdict = &finding->verdict;
	if (finding->count > 1)
		snprintf(more, sizeof more, " and %zu more", finding->count - 1);
	if (verdict->reason == REASON_RULE)
		snprintf(rule, sizeof rule, "rule %s/%s",
			policy_group_name(policy, verdict->match.group),
			policy_rule(policy, verdict->match.rule)->name);
	log_warning("policy: view \"%s\" blocks %s (%s)%s, by which clients test their resolver or "
		    "network, by %s: they may believe to be offline; associate rule_group \"%s\" "
		    "with a smaller priority",
		policy_view(policy, finding->view)->name, finding->name->example,
		finding->name->user, more, rule, builtin_client_health);
}

void client_health_warn(const struct policy *policy)
{
	for (size_t i = 0; i < policy_view_count(policy); i++) {
		struct client_health_finding finding;
		if (client_health_find(policy, (uint16_t)i, &finding))
			warn(policy, &finding);
	}
}
