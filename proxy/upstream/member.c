/* member.c - what is known of an upstream beside its exchange's health and latency: is it down, and
 * is it any good? */
#include "proxy/upstream/outage.h"
#include "proxy/upstream/set.h"

enum { LAME_MS = 5000 };

enum health_state member_state(const struct upstream_set *set, size_t index)
{
	return health_state(&set->members[index].exchange->health, set_now_ms(set));
}

/* That some time has passed is no news: without an answer nobody knows that it is back. */
static bool is_back(const struct member *member)
{
	return member->answered_ms != 0 && member->exchange->health.silences == 0;
}

static void member_set_down(struct member *member, bool is_down)
{
	struct upstream_counters *counters = &member->exchange->counters;
	if (is_down)
		upstream_count(&counters->outages);
	upstream_gauge_set(&counters->up, !is_down);
	member->is_down = is_down;
	member->is_told = false;
}

void member_note(struct upstream_set *set, size_t index)
{
	struct member *member = &set->members[index];
	bool is_down = member_state(set, index) == HEALTH_DOWN;
	if (is_down != member->is_down && (is_down || is_back(member)))
		member_set_down(member, is_down);
	if (!member->is_told)
		member->is_told = outage_tell(
			member->exchange->upstream->name, member->is_down, set_now_ms(set));
}

/* An answer, or a resolver's nonsense. That of a web server without a resolver behind it was noted
 * as silence (health.h), and is none. */
static bool is_sign_of_life(const struct member *member, enum exchange_outcome outcome)
{
	return outcome == EXCHANGE_ANSWER ||
		(outcome == EXCHANGE_MALFORMED && member->exchange->health.silences == 0);
}

void member_on_answer(struct upstream_set *set, const struct exchange_report *report)
{
	struct member *member = &set->members[report->index];
	if (!is_sign_of_life(member, report->outcome))
		return;
	member->answered_ms = set_now_ms(set);
	if (member->is_down)
		member_note(set, report->index);
}

bool member_is_lame(const struct upstream_set *set, size_t index)
{
	const struct member *member = &set->members[index];
	return member->lame == SET_LAME && set_now_ms(set) - member->lame_ms < LAME_MS;
}

void member_note_who_knew(struct upstream_set *set, const struct ask *ask, size_t by)
{
	set->members[by].lame = 0;
	for (size_t i = 0; ask->failed != 0 && i < set->count; i++) {
		struct member *member = &set->members[i];
		if (!(ask->failed >> i & 1))
			continue;
		member->lame += member->lame < SET_LAME;
		member->lame_ms = set_now_ms(set);
	}
}

int member_ask(struct upstream_set *set, size_t index, const struct dns_request *request,
	uint64_t owner, enum upstream_reason reason)
{
	struct exchange *exchange = set->members[index].exchange;
	int error = exchange->type->ask(exchange, request, owner);
	if (error)
		return error;
	upstream_count(&exchange->counters.asked[reason]);
	set->exchanges_ms = earlier_ms(set->exchanges_ms, set_now_ms(set) + SET_TICK_MS);
	addresses_renew(set, index);
	return 0;
}
