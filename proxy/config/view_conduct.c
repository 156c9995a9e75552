/* view_conduct.c - how a view treats its clients beyond the rules: how much they may ask, what the
 * log tells of them, and what they get when something fails. */
#include "proxy/config/resolve.h"

static void resolve_rate_limit(
	struct resolve *resolve, const struct draft_view *from, struct rate_limit_config *to)
{
	const struct rate_limit_draft *draft = &from->rate_limit;
	*to = (struct rate_limit_config){
		.per_second = draft->queries_per_second,
		.burst = draft->burst ? draft->burst : draft->queries_per_second,
		.prefix_v4 = (uint8_t)draft->prefix_v4,
		.prefix_v6 = (uint8_t)draft->prefix_v6,
		.dry_run = draft->dry_run,
	};
	const struct setting *limit = setting_child(from->element.at, "rate_limit");
	if (limit && !from->element.broken && to->burst < to->per_second)
		problem_in(resolve->errors, setting_child_or_self(limit, "burst"),
			"burst is below queries_per_second (%u): that many could never be asked",
			to->per_second);
}

/* `lists_not_ready` is a newer word for `fail_mode`; who says both must mean the same. */
static void resolve_fail_mode(
	struct resolve *resolve, const struct draft_view *from, struct view_spec *to)
{
	int word = from->on_failure[FAILURE_LISTS_NOT_READY];
	if (word != ON_FAILURE_CLOSED && word != ON_FAILURE_OPEN)
		return;
	enum fail_mode wanted = word == ON_FAILURE_OPEN ? FAIL_OPEN : FAIL_CLOSED;
	if (is_given(from, "fail_mode") && to->fail_mode != wanted)
		problem_in(resolve->errors,
			setting_child_or_self(
				setting_child(from->element.at, "on_failure"), "lists_not_ready"),
			"fail_mode says \"%s\": leave one of the two out",
			to->fail_mode == FAIL_OPEN ? "open" : "closed");
	to->fail_mode = wanted;
}

void resolve_view_conduct(struct resolve *resolve, const struct draft_view *from,
	struct view_spec *to, struct view_config *conduct)
{
	resolve_rate_limit(resolve, from, &conduct->rate_limit);
	resolve_fail_mode(resolve, from, to);
	conduct->max_queries = from->max_queries;
	to->svcb = (enum svcb_handling)from->https_records;
	conduct->log_clients = (enum log_clients)from->log_clients;
	for (int i = 0; i < FAILURE_COUNT; i++)
		conduct->on_failure[i] = (enum failure_word)from->on_failure[i];
}
