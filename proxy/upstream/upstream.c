/* Who is asked when. An ask begins with the member of its group that choice.c names; silence brings
 * in the next one, a failure does so at once; whoever answers well first wins, early or late. What
 * only teaches (copies, probes) has no ask behind it. One timer drives all times. */
#include "proxy/upstream/upstream.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/list.h"
#include "proxy/upstream/bootstrap.h"
#include "proxy/upstream/cares.h"
#include "proxy/upstream/choice.h"
#include "proxy/upstream/exchange.h"
#include "proxy/upstream/hedge.h"
#include "proxy/upstream/outage.h"
#include "proxy/upstream/udp_pool.h"

enum {
	FINE_MS = 5,         /* between two looks at the asks, at least */
	LATE_MS = 10,        /* after its time: we were not at work */
	TICK_MS = 25,        /* of the exchanges that are busy */
	IDLE_TICK_MS = 1000, /* while only sockets wait for their end */
	PROBE_TICK_MS = 100,
	IN_USE_MS = 60000, /* so long after the last ask a group's members are probed */
	TRIES_MAX = 16,    /* per ask, whatever the number of upstreams (RFC 9520 2.2) */
	BROKE_MS = 10,     /* then it is seen again whether there is budget for a hedge */
	LAME = 8,          /* bad answers in a row, where another one knew better */
	LAME_MS = 5000,
	SLOT_BITS = 16,
};
static const uint64_t never_ms = UINT64_MAX;

/* An owner of no ask: the answer only shows that somebody is there, and how fast. */
static const uint64_t nobody = UINT64_MAX;

/* Whom a request may be sent to. */
struct group {
	enum upstream_policy policy;
	const uint16_t *members;
	size_t count;
	uint64_t used_ms;
};

/* What is known of an upstream beside its exchange's health and latency. */
struct member {
	struct exchange *exchange;
	uint64_t answered_ms; /* the last time that it said anything */
	unsigned after_ms;    /* hedge_after_ms(), looked up once a tick */
	unsigned lame;
	uint64_t lame_ms;
	bool is_down;         /* as counted, and ... */
	bool is_told;         /* ... as the log says it */
	struct dns_name host; /* of no length when its addresses are configured */
	struct bootstrap bootstrap;
};

struct ask {
	struct list link; /* set->open or set->free */
	upstream_ask_id id;
	uint32_t generation; /* makes old handles to this slot invalid */
	uint16_t slot;
	uint8_t started; /* tries in all */
	uint8_t waiting; /* tries that have not been reported */
	uint8_t last;    /* whom the last try went to */
	bool is_overdue; /* and that this one is late has been noted */
	bool is_ours;    /* the addresses of upstream `id` are sought */
	struct group *group;
	struct dns_request request;
	uint64_t started_ns;
	uint64_t tried_ms; /* the last try */
	uint64_t next_ms;  /* then the next try */
	uint64_t deadline_ms;
	uint32_t failed; /* upstreams that gave a bad answer or none at all */
	int error;       /* the most telling of those failures */
	uint8_t *kept;   /* the first bad answer; malloc */
	size_t kept_len;
	uint16_t kept_by;
	uint8_t tries[UPSTREAM_MAX]; /* per upstream */
	uint8_t name[DNS_NAME_MAX];
};

_Static_assert(UPSTREAM_ASKS_MAX <= 1 << SLOT_BITS, "a slot fits into a handle");
_Static_assert(UPSTREAM_MAX <= 32, "an upstream is a bit in ask.failed");
_Static_assert((int)UPSTREAM_HEDGE_MS == (int)HEDGE_MAX_MS, "what is not learned is the longest");

struct upstream_set {
	struct exchange_host host;
	uv_timer_t timer;
	uv_idle_t soon;
	unsigned handles; /* of the two above */
	bool closing;
	uint64_t armed_ms; /* the timer; the earliest of the next three */
	bool is_put_off;
	uint64_t asks_ms;
	uint64_t exchanges_ms;
	uint64_t probes_ms;
	upstream_done_fn on_done;
	void *context;
	size_t count;
	struct member members[UPSTREAM_MAX];
	uint16_t everybody[UPSTREAM_MAX];
	struct group *groups; /* those of the configuration, then one for each upstream alone */
	size_t group_count;   /* of the former */
	struct hedge_budget budget;
	struct list open;
	struct list free;
	unsigned touched;
	size_t in_flight; /* without our own */
	struct ask *asks; /* UPSTREAM_ASKS_MAX */
};

static uint64_t now_ms(const struct upstream_set *set)
{
	return uv_now(set->host.loop);
}

static uint64_t earlier(uint64_t a_ms, uint64_t b_ms)
{
	return a_ms < b_ms ? a_ms : b_ms;
}

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

static void arm(struct upstream_set *set);
static void bootstrap_on_result(
	struct upstream_set *set, size_t index, const struct dns_answer *answer);

/* --- the end of an ask --- */

static void ask_finish(struct upstream_set *set, struct ask *ask, struct upstream_result result)
{
	upstream_ask_id id = ask->id;
	bool is_ours = ask->is_ours;
	result.duration_us = (uint32_t)((uv_hrtime() - ask->started_ns) / 1000);
	ask_free(set, ask);
	if (is_ours) {
		bootstrap_on_result(set, id, result.opened);
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

/* --- what is known of the upstreams --- */

static enum health_state state_of(const struct upstream_set *set, size_t index)
{
	return health_state(&set->members[index].exchange->health, now_ms(set));
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

/* Down, or back? */
static void member_note(struct upstream_set *set, size_t index)
{
	struct member *member = &set->members[index];
	bool is_down = state_of(set, index) == HEALTH_DOWN;
	if (is_down != member->is_down && (is_down || is_back(member)))
		member_set_down(member, is_down);
	if (!member->is_told)
		member->is_told =
			outage_tell(member->exchange->upstream->name, member->is_down, now_ms(set));
}

static void member_on_answer(struct upstream_set *set, const struct exchange_report *report)
{
	struct member *member = &set->members[report->index];
	if (report->outcome != EXCHANGE_ANSWER && report->outcome != EXCHANGE_MALFORMED)
		return;
	member->answered_ms = now_ms(set);
	if (member->is_down)
		member_note(set, report->index);
}

static bool is_lame(const struct upstream_set *set, size_t index)
{
	const struct member *member = &set->members[index];
	return member->lame == LAME && now_ms(set) - member->lame_ms < LAME_MS;
}

/* Somebody gave a good answer; those who failed before it should have. */
static void note_who_knew(struct upstream_set *set, const struct ask *ask, size_t by)
{
	set->members[by].lame = 0;
	for (size_t i = 0; ask->failed != 0 && i < set->count; i++) {
		struct member *member = &set->members[i];
		if (!(ask->failed >> i & 1))
			continue;
		member->lame += member->lame < LAME;
		member->lame_ms = now_ms(set);
	}
}

/* --- trying --- */

static void describe(const struct upstream_set *set, const struct ask *ask, uint32_t passed_over,
	struct choice_member *to)
{
	for (size_t at = 0; at < ask->group->count; at++) {
		size_t i = ask->group->members[at];
		const struct exchange *exchange = set->members[i].exchange;
		to[at] = (struct choice_member){ .health = state_of(set, i),
			.smooth_us = exchange->latency.smooth_us,
			.weight = exchange->upstream->weight,
			.tries = ask->tries[i],
			.is_out = (ask->failed | passed_over) >> i & 1,
			.is_lame = is_lame(set, i) };
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
		return now_ms(set) + hedge_step_ms(after_ms, ask->started);
	/* Everybody was asked: wait longer each time (one that is alone, at 0.4, 1.2 and 2.8 s).
	 * What was learned is of no use here: one that is at work is not quicker for being asked
	 * again. */
	return now_ms(set) + ((uint64_t)UPSTREAM_HEDGE_MS << (rounds - 1));
}

static void bootstrap_renew(struct upstream_set *set, size_t index);

static int exchange_ask(struct upstream_set *set, size_t index, const struct dns_request *request,
	uint64_t owner, enum upstream_reason reason)
{
	struct exchange *exchange = set->members[index].exchange;
	int error = exchange->type->ask(exchange, request, owner);
	if (error)
		return error;
	upstream_count(&exchange->counters.asked[reason]);
	set->exchanges_ms = earlier(set->exchanges_ms, now_ms(set) + TICK_MS);
	bootstrap_renew(set, index);
	return 0;
}

static bool try_one(
	struct upstream_set *set, struct ask *ask, size_t index, enum upstream_reason reason)
{
	if (ask->tries[index] > 0 && reason == UPSTREAM_REASON_HEDGE)
		reason = UPSTREAM_REASON_RETRY;
	if (exchange_ask(set, index, &ask->request, ask_handle(ask), reason) != 0)
		return false;
	ask->tries[index]++;
	ask->started++;
	ask->waiting++;
	ask->last = (uint8_t)index;
	ask->is_overdue = false;
	ask->tried_ms = now_ms(set);
	return true;
}

/* What comes of it is of no interest to the ask. */
static void copy_to(struct upstream_set *set, const struct ask *ask, size_t index)
{
	exchange_ask(set, index, &ask->request, nobody, UPSTREAM_REASON_LEARN);
}

static void ask_sleep(struct upstream_set *set, struct ask *ask, uint64_t until_ms)
{
	ask->next_ms = until_ms;
	set->asks_ms = earlier(set->asks_ms, earlier(until_ms, ask->deadline_ms));
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
	struct choice_member first = { .health = state_of(set, ask->last) };
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

static int ask_begin(struct upstream_set *set, struct group *group, upstream_ask_id id,
	bool is_ours, const struct dns_request *request)
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
	ask->deadline_ms = now_ms(set) + UPSTREAM_DEADLINE_MS;
	ask->error = ERR_UNREACHABLE;
	bool is_asked = try_first(set, ask);
	if (!is_asked)
		ask_free(set, ask);
	arm(set);
	return is_asked ? 0 : ERR_BUSY;
}

int upstream_ask(struct upstream_set *set, uint16_t group, upstream_ask_id id,
	const struct dns_request *request)
{
	if (request->name.len == 0 || request->name.len > DNS_NAME_MAX || group >= set->group_count)
		return ERR_INVALID;
	set->groups[group].used_ms = now_ms(set);
	hedge_on_ask(&set->budget);
	int error = ask_begin(set, &set->groups[group], id, false, request);
	set->in_flight += error == 0;
	return error;
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
	ask->deadline_ms = earlier(ask->deadline_ms, now_ms(set) + UPSTREAM_PATIENCE_MS);
	set->asks_ms = earlier(set->asks_ms, ask->deadline_ms);
	arm(set);
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
		arm(set);
		return;
	}
	/* Those that are still silent may answer yet. */
	if (ask->waiting == 0)
		ask_give_up(set, ask, ask->error);
}

static void on_report(struct exchange_host *host, const struct exchange_report *report)
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
		note_who_knew(set, ask, report->index);
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
		now_ms(set) - member->answered_ms >= member->after_ms;
}

static bool may_hedge(struct upstream_set *set, struct ask *ask)
{
	return is_quiet(set, ask) || state_of(set, ask->last) != HEALTH_UP ||
		now_ms(set) - ask->tried_ms >= UPSTREAM_HEDGE_MS || hedge_take(&set->budget);
}

static void note_overdue(struct upstream_set *set, struct ask *ask)
{
	if (ask->is_overdue || ask->failed >> ask->last & 1 || !is_quiet(set, ask))
		return;
	ask->is_overdue = true;
	health_on_overdue(&set->members[ask->last].exchange->health, now_ms(set));
}

/* Whoever was asked last is known not to answer, and there is somebody better. */
static bool is_forlorn(const struct upstream_set *set, const struct ask *ask)
{
	if (state_of(set, ask->last) == HEALTH_UP)
		return false;
	for (size_t at = 0; at < ask->group->count; at++) {
		size_t i = ask->group->members[at];
		if (ask->tries[i] == 0 && !(ask->failed >> i & 1) && state_of(set, i) == HEALTH_UP)
			return true;
	}
	return false;
}

static void ask_tick(struct upstream_set *set, struct ask *ask)
{
	if (now_ms(set) >= ask->deadline_ms) {
		ask_give_up(set, ask, ERR_TIMEOUT);
		return;
	}
	bool is_late = now_ms(set) >= ask->next_ms;
	if (is_late)
		note_overdue(set, ask);
	if (!is_late && !is_forlorn(set, ask))
		ask_sleep(set, ask, ask->next_ms);
	else if (may_hedge(set, ask))
		try_next(set, ask, UPSTREAM_REASON_HEDGE);
	else
		ask_sleep(set, ask, now_ms(set) + BROKE_MS);
}

static void tick_asks(struct upstream_set *set)
{
	set->asks_ms = never_ms;
	/* New asks may be appended meanwhile; nothing but the one in hand is taken out. */
	struct list *next;
	for (struct list *node = set->open.next; node != &set->open; node = next) {
		next = node->next;
		ask_tick(set, container_of(node, struct ask, link));
	}
}

/* --- probes --- */

static void probe(struct upstream_set *set, size_t index)
{
	static const struct dns_request question = { .name = { (const uint8_t *)"", 1 },
		.type = DNS_TYPE_NS,
		.class = DNS_CLASS_IN,
		.recursion_desired = true };
	if (health_take_probe(&set->members[index].exchange->health, now_ms(set)))
		exchange_ask(set, index, &question, nobody, UPSTREAM_REASON_PROBE);
}

static bool is_in_use(const struct upstream_set *set, const struct group *group)
{
	return group->used_ms != 0 && now_ms(set) - group->used_ms < IN_USE_MS;
}

/* Whoever is not well in a group that is used gets a question of our own, so that it is known when
 * it is back: no query of a client has to find out. */
static void tick_probes(struct upstream_set *set)
{
	set->probes_ms = never_ms;
	for (size_t k = 0; k < set->group_count; k++) {
		const struct group *group = &set->groups[k];
		for (size_t at = 0; is_in_use(set, group) && at < group->count; at++) {
			if (state_of(set, group->members[at]) == HEALTH_UP)
				continue;
			probe(set, group->members[at]);
			set->probes_ms = now_ms(set) + PROBE_TICK_MS;
		}
	}
}

/* --- time --- */

static void exchange_tick(struct upstream_set *set, size_t index)
{
	struct member *member = &set->members[index];
	struct exchange *exchange = member->exchange;
	exchange->type->tick(exchange, now_ms(set));
	if (set->closing)
		return;
	member->after_ms = hedge_after_ms(&exchange->latency);
	if (now_ms(set) - member->answered_ms < UPSTREAM_HEDGE_MS)
		health_on_loss(&exchange->health);
	member_note(set, index);
	uint64_t next_ms = never_ms;
	if (exchange->type->is_busy(exchange))
		next_ms = now_ms(set) + TICK_MS;
	else if (exchange->type->has_sockets(exchange))
		next_ms = now_ms(set) + IDLE_TICK_MS;
	set->exchanges_ms = earlier(set->exchanges_ms, next_ms);
	if (state_of(set, index) != HEALTH_UP)
		set->probes_ms = earlier(set->probes_ms, now_ms(set) + PROBE_TICK_MS);
}

static void on_timer(uv_timer_t *timer);

static void tick_exchanges(struct upstream_set *set)
{
	set->exchanges_ms = never_ms;
	for (size_t i = 0; i < set->count && !set->closing; i++)
		exchange_tick(set, i);
}

/* Timers run before what has arrived is read. When it was us who slept, answers may be waiting that
 * nobody can be blamed for: they come first, once. */
static bool put_off(struct upstream_set *set)
{
	set->is_put_off = !set->is_put_off && now_ms(set) - set->armed_ms >= LATE_MS;
	if (set->is_put_off) {
		set->armed_ms = now_ms(set) + 1;
		uv_timer_start(&set->timer, on_timer, 1, 0);
	}
	return set->is_put_off;
}

static void on_timer(uv_timer_t *timer)
{
	struct upstream_set *set = container_of(timer, struct upstream_set, timer);
	if (put_off(set))
		return;
	set->armed_ms = never_ms;
	/* An ask's deadline comes before that of its last try, so that it is the ask which times
	 * out. */
	if (now_ms(set) >= set->asks_ms)
		tick_asks(set);
	if (!set->closing && now_ms(set) >= set->exchanges_ms)
		tick_exchanges(set);
	if (!set->closing && now_ms(set) >= set->probes_ms)
		tick_probes(set);
	arm(set);
}

/* Sees to it that the timer runs in time. Cheap when it does. */
static void arm(struct upstream_set *set)
{
	uint64_t due_ms = earlier(set->asks_ms, earlier(set->exchanges_ms, set->probes_ms));
	if (due_ms >= set->armed_ms || set->closing)
		return;
	uint64_t now = now_ms(set);
	uint64_t wait_ms = due_ms > now + FINE_MS ? due_ms - now : FINE_MS;
	if (now + wait_ms >= set->armed_ms)
		return;
	set->armed_ms = now + wait_ms;
	uv_timer_start(&set->timer, on_timer, wait_ms, 0);
}

/* --- addresses of upstreams that are named by host --- */

static bool bootstrap_ask(struct upstream_set *set, size_t index, uint16_t type)
{
	const struct member *member = &set->members[index];
	size_t by = member->exchange->upstream->bootstrap;
	struct dns_request request = { .name = dns_name_slice(&member->host),
		.type = type,
		.class = DNS_CLASS_IN,
		.recursion_desired = true };
	return ask_begin(set, &set->groups[set->group_count + by], index, true, &request) == 0;
}

static void bootstrap_tell(struct upstream_set *set, size_t index)
{
	struct exchange *exchange = set->members[index].exchange;
	struct bootstrap *bootstrap = &set->members[index].bootstrap;
	bootstrap->is_wanted = false;
	if (exchange->type->take_addresses)
		exchange->type->take_addresses(exchange, bootstrap->known, bootstrap->known_count);
}

static void bootstrap_start(struct upstream_set *set, size_t index)
{
	static const uint16_t types[] = { DNS_TYPE_A, DNS_TYPE_AAAA };
	struct bootstrap *bootstrap = &set->members[index].bootstrap;
	bootstrap_begin(bootstrap, 2, now_ms(set));
	for (unsigned i = 0; i < 2; i++) {
		if (!bootstrap_ask(set, index, types[i]))
			bootstrap->pending--;
	}
	if (bootstrap->pending == 0)
		bootstrap_end(bootstrap, now_ms(set));
}

/* It is being used: time to look whether its addresses still hold? */
static void bootstrap_renew(struct upstream_set *set, size_t index)
{
	const struct member *member = &set->members[index];
	if (member->host.len > 0 && bootstrap_is_due(&member->bootstrap, now_ms(set)))
		bootstrap_start(set, index);
}

static void bootstrap_on_result(
	struct upstream_set *set, size_t index, const struct dns_answer *answer)
{
	struct member *member = &set->members[index];
	struct bootstrap *bootstrap = &member->bootstrap;
	if (set->closing)
		return;
	bool is_over = bootstrap_take(bootstrap, answer, dns_name_slice(&member->host));
	bool is_new = is_over ? bootstrap_end(bootstrap, now_ms(set))
			      : bootstrap->is_wanted && bootstrap_take_half(bootstrap);
	if (is_new || (is_over && bootstrap->is_wanted))
		bootstrap_tell(set, index);
}

static void on_bootstrap(struct exchange_host *host, struct exchange *exchange)
{
	struct upstream_set *set = container_of(host, struct upstream_set, host);
	set->members[exchange->index].bootstrap.is_wanted = true;
	if (set->handles > 0) /* else upstream_set_new() is still at work */
		host->on_work(host);
}

/* Those who want addresses and are not being looked after get them, or the look-up begins. */
static void bootstrap_work(struct upstream_set *set, size_t index)
{
	struct bootstrap *bootstrap = &set->members[index].bootstrap;
	if (!bootstrap->is_wanted || bootstrap->pending > 0)
		return;
	if (bootstrap_want(bootstrap, now_ms(set)))
		bootstrap_start(set, index);
	if (bootstrap->pending == 0)
		bootstrap_tell(set, index);
}

/* --- the next turn --- */

static void set_free(struct upstream_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		set->members[i].exchange->type->free(set->members[i].exchange);
	udp_batch_free(set->host.batch);
	free(set->host.plain_buffer);
	free(set->host.cipher_buffer);
	free(set->groups);
	free(set->asks);
	free(set);
}

static void set_free_when_closed(struct upstream_set *set)
{
	if (!set->closing || set->handles > 0)
		return;
	for (size_t i = 0; i < set->count; i++) {
		if (!set->members[i].exchange->type->is_closed(set->members[i].exchange))
			return;
	}
	set_free(set);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct upstream_set *set = handle->data;
	set->handles--;
	set_free_when_closed(set);
}

static void on_exchange_closed(struct exchange_host *host)
{
	set_free_when_closed(container_of(host, struct upstream_set, host));
}

static void set_end(struct upstream_set *set)
{
	while (!list_is_empty(&set->open))
		ask_finish_error(
			set, container_of(set->open.next, struct ask, link), ERR_UNREACHABLE);
	for (size_t i = 0; i < set->count; i++)
		set->members[i].exchange->type->close(set->members[i].exchange);
	uv_close((uv_handle_t *)&set->timer, on_handle_closed);
	uv_close((uv_handle_t *)&set->soon, on_handle_closed);
}

static void on_soon(uv_idle_t *idle)
{
	struct upstream_set *set = container_of(idle, struct upstream_set, soon);
	uv_idle_stop(&set->soon);
	if (set->closing) {
		set_end(set);
		return;
	}
	for (size_t i = 0; i < set->count && !set->closing; i++)
		set->members[i].exchange->type->work(set->members[i].exchange);
	for (size_t i = 0; i < set->count && !set->closing; i++)
		bootstrap_work(set, i);
}

static void on_work(struct exchange_host *host)
{
	struct upstream_set *set = container_of(host, struct upstream_set, host);
	uv_idle_start(&set->soon, on_soon);
}

/* --- life --- */

static const struct exchange_type *const types[] = {
	[UPSTREAM_DNS] = &exchange_plain,
	[UPSTREAM_DOT] = &exchange_secure,
	[UPSTREAM_DOH] = &exchange_secure,
};

static const struct exchange_type *type_of(const struct upstream_config *upstream)
{
	size_t row = upstream->protocol;
	return row < sizeof types / sizeof *types ? types[row] : NULL;
}

static void member_init(struct member *member, struct exchange *exchange)
{
	const struct upstream_config *upstream = exchange->upstream;
	member->exchange = exchange;
	member->after_ms = UPSTREAM_HEDGE_MS;
	member->is_told = true;
	if (upstream->host && exchange->type->take_addresses &&
		!dns_name_from_text(&member->host, slice_of_text(upstream->host)))
		member->host.len = 0;
}

static bool open_exchanges(struct upstream_set *set, const struct upstream_parts *parts)
{
	for (; set->count < parts->count; set->count++) {
		size_t i = set->count;
		struct exchange *exchange =
			type_of(&parts->upstreams[i])
				->open(&set->host, &parts->upstreams[i],
					parts->tls ? parts->tls[i] : NULL, (unsigned)i);
		if (!exchange)
			return false;
		upstream_gauge_set(&exchange->counters.up, 1);
		member_init(&set->members[i], exchange);
	}
	return true;
}

/* Buffers of exchange.h; those of TLS only where there is TLS. */
static bool open_host(struct upstream_set *set, const struct upstream_parts *parts)
{
	bool is_secure = false;
	for (size_t i = 0; i < parts->count; i++)
		is_secure |= parts->upstreams[i].protocol != UPSTREAM_DNS;
	set->host = (struct exchange_host){ .loop = parts->loop,
		.batch = udp_batch_new(),
		.plain_buffer = is_secure ? malloc(EXCHANGE_BUFFER_LEN) : NULL,
		.cipher_buffer = is_secure ? malloc(EXCHANGE_BUFFER_LEN) : NULL,
		.on_report = on_report,
		.on_work = on_work,
		.on_closed = on_exchange_closed,
		.on_bootstrap = on_bootstrap };
	random_pool_init(&set->host.random);
	return set->host.batch &&
		(!is_secure || (set->host.plain_buffer && set->host.cipher_buffer));
}

/* Without groups there is one of all, in order. Behind them stands each upstream alone, for
 * questions of our own. */
static bool open_groups(struct upstream_set *set, const struct upstream_parts *parts)
{
	set->group_count = parts->group_count ? parts->group_count : 1;
	set->groups = calloc(set->group_count + parts->count, sizeof *set->groups);
	if (!set->groups)
		return false;
	struct group *group = set->groups;
	for (size_t i = 0; i < parts->count; i++)
		set->everybody[i] = (uint16_t)i;
	if (parts->group_count == 0)
		*group++ = (struct group){ .members = set->everybody, .count = parts->count };
	for (size_t i = 0; i < parts->group_count; i++)
		*group++ = (struct group){ .policy = parts->groups[i].policy,
			.members = parts->groups[i].members,
			.count = parts->groups[i].member_count };
	for (size_t i = 0; i < parts->count; i++)
		*group++ = (struct group){ .members = &set->everybody[i], .count = 1 };
	return true;
}

/* Nobody to ask, or somebody whom we do not know how to ask. */
static bool parts_are_valid(const struct upstream_parts *parts)
{
	if (parts->count == 0 || parts->count > UPSTREAM_MAX)
		return false;
	for (size_t i = 0; i < parts->count; i++) {
		const struct upstream_config *upstream = &parts->upstreams[i];
		if (!type_of(upstream) || (upstream->host && upstream->bootstrap >= parts->count))
			return false;
	}
	for (size_t i = 0; i < parts->group_count; i++) {
		const struct upstream_group_config *group = &parts->groups[i];
		if (group->member_count == 0 || group->member_count > UPSTREAM_MAX)
			return false;
		for (size_t k = 0; k < group->member_count; k++) {
			if (group->members[k] >= parts->count)
				return false;
		}
	}
	return true;
}

void upstream_start(void)
{
	cares_start();
}

struct upstream_set *upstream_set_new(const struct upstream_parts *parts, int *error)
{
	*error = ERR_INVALID;
	if (!parts_are_valid(parts))
		return NULL;
	*error = ERR_NO_MEMORY;
	upstream_start();
	struct upstream_set *set = calloc(1, sizeof *set);
	if (!set)
		return NULL;
	set->asks = calloc(UPSTREAM_ASKS_MAX, sizeof *set->asks);
	set->on_done = parts->on_done;
	set->context = parts->context;
	list_init(&set->open);
	list_init(&set->free);
	set->armed_ms = set->asks_ms = set->exchanges_ms = set->probes_ms = never_ms;
	set->budget.asks = HEDGE_BURST * HEDGE_ASKS;
	if (!set->asks || !open_groups(set, parts) || !open_host(set, parts) ||
		!open_exchanges(set, parts)) {
		set_free(set);
		return NULL;
	}
	uv_timer_init(parts->loop, &set->timer);
	uv_idle_init(parts->loop, &set->soon);
	set->timer.data = set;
	set->soon.data = set;
	set->handles = 2;
	uv_idle_start(&set->soon, on_soon); /* addresses may be wanted already */
	*error = 0;
	return set;
}

void upstream_set_close(struct upstream_set *set)
{
	if (!set || set->closing)
		return;
	set->closing = true;
	uv_timer_stop(&set->timer);
	uv_idle_start(&set->soon, on_soon);
}

/* What is in flight is asked again at once, by its own next tick. */
void upstream_distrust(struct upstream_set *set)
{
	for (size_t i = 0; i < set->count && !set->closing; i++) {
		struct member *member = &set->members[i];
		struct exchange *exchange = member->exchange;
		exchange->health = (struct health){ 0 };
		latency_forget(&exchange->latency);
		member->after_ms = UPSTREAM_HEDGE_MS;
		member->answered_ms = 0;
		member->lame = 0;
		member->bootstrap.renew_ms = 0;
		if (exchange->type->distrust)
			exchange->type->distrust(exchange);
	}
	for (struct list *node = set->open.next; node != &set->open; node = node->next)
		ask_sleep(set, container_of(node, struct ask, link), now_ms(set));
	arm(set);
}

size_t upstream_in_flight(const struct upstream_set *set)
{
	return set->in_flight;
}

const struct upstream_counters *upstream_counters(const struct upstream_set *set, size_t index)
{
	return &set->members[index].exchange->counters;
}
