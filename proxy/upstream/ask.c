/* ask.c - one ask. It begins with the member of its group that choice.c names; silence brings in
 * the next one, a failure does so at once; whoever answers well first wins, early or late. */
#include <stdlib.h>

#include "base/error.h"
#include "proxy/upstream/set.h"

enum {
	TRIES_MAX = 16, /* per ask, whatever the number of upstreams (RFC 9520 2.2) */
	BROKE_MS = 10,  /* then it is seen again whether there is budget for a hedge */
	SLOT_BITS = 16,
};

_Static_assert(UPSTREAM_ASKS_MAX <= 1 << SLOT_BITS, "a slot fits into a handle");
_Static_assert(UPSTREAM_MAX <= 32, "an upstream is a bit in ask.failed");
_Static_assert((int)UPSTREAM_HEDGE_MS == (int)HEDGE_MAX_MS, "what is not learned is the longest");

/* --- the table --- */

static struct ask *ask_take(struct upstream_set *set)
{
	struct list *node = list_take_first(&set->free);
	if (!node && set->touched == UPSTREAM_ASKS_MAX)
		return NULL;
	uint16_t slot =
		node ? container_of(node, struct ask, link)->slot : (uint16_t)set->touched++;
	struct ask *ask = &set->asks[slot];
	uint32_t generation = ask->generation;
	memset(ask, 0, offsetof(struct ask, name));
	ask->generation = generation;
	ask->slot = slot;
	list_append(&set->open, &ask->link);
	return ask;
}

static void ask_free(struct upstream_set *set, struct ask *ask)
{
	list_remove(&ask->link);
	free(ask->kept);
	ask->kept = NULL;
	ask->generation++;
	list_append(set->free.next, &ask->link); /* to the front: warm memory */
}

static uint64_t ask_handle(const struct ask *ask)
{
	return (uint64_t)ask->generation << SLOT_BITS | ask->slot;
}

/* NULL when that ask is over. */
static struct ask *ask_find(struct upstream_set *set, uint64_t handle)
{
	size_t slot = handle & ((1u << SLOT_BITS) - 1);
	if (slot >= UPSTREAM_ASKS_MAX || ask_handle(&set->asks[slot]) != handle)
		return NULL;
	return &set->asks[slot];
}

/* --- the end of an ask --- */

static void ask_finish(struct upstream_set *set, struct ask *ask, struct upstream_result result)
{
	upstream_ask_id id = ask->id;
	bool is_ours = ask->is_ours;
	result.duration_us = (uint32_t)((uv_hrtime() - ask->started_ns) / 1000);
	ask_free(set, ask);
	if (is_ours) {
		addresses_on_result(set, id, result.opened);
		return;
	}
	set->in_flight--;
	set->on_done(set->context, id, &result);
}

static void ask_finish_error(struct upstream_set *set, struct ask *ask, int error)
{
	ask_finish(set, ask,
		(struct upstream_result){ .error = error, .upstream = UPSTREAM_NO_INDEX });
}

static void ask_finish_answer(struct upstream_set *set, struct ask *ask,
	const struct dns_answer *answer, uint16_t upstream)
{
	ask_finish(set, ask,
		(struct upstream_result){
			.answer = answer->message, .opened = answer, .upstream = upstream });
}

/* Nobody gave a good answer: the bad one, if there is one. */
static void ask_give_up(struct upstream_set *set, struct ask *ask, int error)
{
	struct dns_answer opened;
	uint8_t *kept = ask->kept;
	if (!kept || dns_answer_open(&opened, slice_of(kept, ask->kept_len)) != 0) {
		ask_finish_error(set, ask, error);
		return;
	}
	ask->kept = NULL; /* it must outlive the slot */
	ask_finish_answer(set, ask, &opened, ask->kept_by);
	free(kept);
}

/* --- trying --- */

static void describe(const struct upstream_set *set, const struct ask *ask, uint32_t passed_over,
	struct choice_member *to)
{
	for (size_t at = 0; at < ask->group->count; at++) {
		size_t i = ask->group->members[at];
		const struct exchange *exchange = set->members[i].exchange;
		to[at] = (struct choice_member){ .health = member_state(set, i),
			.smooth_us = exchange->latency.smooth_us,
			.weight = exchange->upstream->weight,
			.tries = ask->tries[i],
			.is_out = (ask->failed | passed_over) >> i & 1,
			.is_lame = member_is_lame(set, i) };
	}
}

/* Is there somebody who has not been asked at all? */
static bool has_untried(const struct ask *ask)
{
	for (size_t at = 0; at < ask->group->count; at++) {
		size_t i = ask->group->members[at];
		if (ask->tries[i] == 0 && !(ask->failed >> i & 1))
			return true;
	}
	return false;
}

static uint64_t next_try_ms(const struct upstream_set *set, const struct ask *ask)
{
	unsigned after_ms = set->members[ask->last].after_ms;
	unsigned rounds = ask->started / (unsigned)ask->group->count;
	if (rounds == 0)
		return set_now_ms(set) + hedge_step_ms(after_ms, ask->started);
	/* Everybody was asked: wait longer each time (one that is alone, at 0.4, 1.2 and 2.8 s).
	 * What was learned is of no use here: one that is at work is not quicker for being asked
	 * again. */
	return set_now_ms(set) + ((uint64_t)UPSTREAM_HEDGE_MS << (rounds - 1));
}

static bool try_one(
	struct upstream_set *set, struct ask *ask, size_t index, enum upstream_reason reason)
{
	if (ask->tries[index] > 0 && reason == UPSTREAM_REASON_HEDGE)
		reason = UPSTREAM_REASON_RETRY;
	if (member_ask(set, index, &ask->request, ask_handle(ask), reason) != 0)
		return false;
	ask->tries[index]++;
	ask->started++;
	ask->waiting++;
	ask->last = (uint8_t)index;
	ask->is_overdue = false;
	ask->tried_ms = set_now_ms(set);
	return true;
}

/* What comes of it is of no interest to the ask. */
static void copy_to(struct upstream_set *set, const struct ask *ask, size_t index)
{
	member_ask(set, index, &ask->request, set_nobody, UPSTREAM_REASON_LEARN);
}

void ask_sleep(struct upstream_set *set, struct ask *ask, uint64_t until_ms)
{
	ask->next_ms = until_ms;
	set->asks_ms = earlier_ms(set->asks_ms, earlier_ms(until_ms, ask->deadline_ms));
}

/* Asks the best one left; false when nobody can be asked. */
static bool try_next(struct upstream_set *set, struct ask *ask, enum upstream_reason reason)
{
	struct choice_member members[UPSTREAM_MAX];
	const struct group *group = ask->group;
	bool done = false;
	describe(set, ask, 0, members);
	while (!done && ask->started < TRIES_MAX) {
		size_t at = choice_next(group->policy, members, group->count, &set->host.random);
		if (at == CHOICE_NONE)
			break;
		done = try_one(set, ask, group->members[at], reason);
		members[at].is_out = true;
	}
	/* If nobody can be asked now: not now, then; but keep the pace. */
	ask_sleep(set, ask, next_try_ms(set, ask));
	return done;
}

/* The first try, with what belongs to it. */
static bool try_first(struct upstream_set *set, struct ask *ask)
{
	struct choice_member members[UPSTREAM_MAX];
	const struct group *group = ask->group;
	if (!try_next(set, ask, UPSTREAM_REASON_FIRST))
		return false;
	if (group->count == 1)
		return true;
	struct choice_member first = { .health = member_state(set, ask->last) };
	unsigned width = choice_width(group->policy, &first);
	while (ask->started < width && has_untried(ask)) {
		if (!try_next(set, ask, UPSTREAM_REASON_PARALLEL))
			break;
	}
	describe(set, ask, 0, members);
	size_t at = choice_learn(group->policy, members, group->count, &set->host.random);
	if (at != CHOICE_NONE)
		copy_to(set, ask, group->members[at]);
	return true;
}

int ask_begin(struct upstream_set *set, struct group *group, upstream_ask_id id, bool is_ours,
	const struct dns_request *request)
{
	struct ask *ask = set->closing ? NULL : ask_take(set);
	if (!ask)
		return ERR_BUSY;
	ask->id = id;
	ask->is_ours = is_ours;
	ask->group = group;
	ask->request = *request;
	memcpy(ask->name, request->name.at, request->name.len);
	ask->request.name.at = ask->name;
	ask->started_ns = uv_hrtime();
	ask->deadline_ms = set_now_ms(set) + UPSTREAM_DEADLINE_MS;
	ask->error = ERR_UNREACHABLE;
	bool is_asked = try_first(set, ask);
	if (!is_asked)
		ask_free(set, ask);
	pace_arm(set);
	return is_asked ? 0 : ERR_BUSY;
}

/* --- what comes back --- */

/* Answers that another server may know better. */
static bool rcode_is_good(uint16_t rcode)
{
	return rcode == DNS_RCODE_NOERROR || rcode == DNS_RCODE_NXDOMAIN ||
		rcode == DNS_RCODE_YXDOMAIN;
}

static void keep(struct upstream_set *set, struct ask *ask, const struct exchange_report *report)
{
	struct slice message = report->answer->message;
	if (ask->kept || !(ask->kept = malloc(message.len)))
		return;
	memcpy(ask->kept, message.at, message.len);
	ask->kept_len = message.len;
	ask->kept_by = (uint16_t)report->index;
	ask->deadline_ms = earlier_ms(ask->deadline_ms, set_now_ms(set) + UPSTREAM_PATIENCE_MS);
	set->asks_ms = earlier_ms(set->asks_ms, ask->deadline_ms);
	pace_arm(set);
}

static int error_of(enum exchange_outcome outcome, int before)
{
	if (outcome == EXCHANGE_MALFORMED)
		return ERR_MALFORMED;
	if (outcome == EXCHANGE_NO_MEMORY && before == ERR_UNREACHABLE)
		return ERR_NO_MEMORY;
	return before;
}

/* This upstream has said all that it will: the next one at once, or the end. */
static void ask_on_failure(
	struct upstream_set *set, struct ask *ask, const struct exchange_report *report)
{
	ask->failed |= 1u << report->index;
	ask->error = error_of(report->outcome, ask->error);
	if (has_untried(ask) && try_next(set, ask, UPSTREAM_REASON_FAILOVER)) {
		pace_arm(set);
		return;
	}
	/* Those that are still silent may answer yet. */
	if (ask->waiting == 0)
		ask_give_up(set, ask, ask->error);
}

void ask_on_report(struct exchange_host *host, const struct exchange_report *report)
{
	struct upstream_set *set = container_of(host, struct upstream_set, host);
	member_on_answer(set, report);
	struct ask *ask = ask_find(set, report->owner);
	if (!ask)
		return; /* somebody else was faster */
	ask->waiting--;
	if (report->outcome == EXCHANGE_SILENT)
		return; /* its deadline is that of the ask, or later */
	if (report->outcome != EXCHANGE_ANSWER) {
		ask_on_failure(set, ask, report);
		return;
	}
	if (rcode_is_good(report->answer->rcode)) {
		member_note_who_knew(set, ask, report->index);
		ask_finish_answer(set, ask, report->answer, (uint16_t)report->index);
		return;
	}
	keep(set, ask, report);
	ask_on_failure(set, ask, report);
}

/* --- silence --- */

/* Has the one asked last told nobody anything since, or for as long as an answer usually takes? */
static bool is_quiet(const struct upstream_set *set, const struct ask *ask)
{
	const struct member *member = &set->members[ask->last];
	return member->answered_ms <= ask->tried_ms ||
		set_now_ms(set) - member->answered_ms >= member->after_ms;
}

static bool may_hedge(struct upstream_set *set, struct ask *ask)
{
	return is_quiet(set, ask) || member_state(set, ask->last) != HEALTH_UP ||
		set_now_ms(set) - ask->tried_ms >= UPSTREAM_HEDGE_MS || hedge_take(&set->budget);
}

static void note_overdue(struct upstream_set *set, struct ask *ask)
{
	if (ask->is_overdue || ask->failed >> ask->last & 1 || !is_quiet(set, ask))
		return;
	ask->is_overdue = true;
	health_on_overdue(&set->members[ask->last].exchange->health, set_now_ms(set));
}

/* Whoever was asked last is known not to answer, and there is somebody better. */
static bool is_forlorn(const struct upstream_set *set, const struct ask *ask)
{
	if (member_state(set, ask->last) == HEALTH_UP)
		return false;
	for (size_t at = 0; at < ask->group->count; at++) {
		size_t i = ask->group->members[at];
		if (ask->tries[i] == 0 && !(ask->failed >> i & 1) &&
			member_state(set, i) == HEALTH_UP)
			return true;
	}
	return false;
}

static void ask_tick(struct upstream_set *set, struct ask *ask)
{
	if (set_now_ms(set) >= ask->deadline_ms) {
		ask_give_up(set, ask, ERR_TIMEOUT);
		return;
	}
	bool is_late = set_now_ms(set) >= ask->next_ms;
	if (is_late)
		note_overdue(set, ask);
	if (!is_late && !is_forlorn(set, ask))
		ask_sleep(set, ask, ask->next_ms);
	else if (may_hedge(set, ask))
		try_next(set, ask, UPSTREAM_REASON_HEDGE);
	else
		ask_sleep(set, ask, set_now_ms(set) + BROKE_MS);
}

void asks_tick(struct upstream_set *set)
{
	set->asks_ms = set_never_ms;
	/* New asks may be appended meanwhile; nothing but the one in hand is taken out. */
	struct list *next;
	for (struct list *node = set->open.next; node != &set->open; node = next) {
		next = node->next;
		ask_tick(set, container_of(node, struct ask, link));
	}
}

void asks_end(struct upstream_set *set, int error)
{
	while (!list_is_empty(&set->open))
		ask_finish_error(set, container_of(set->open.next, struct ask, link), error);
}
