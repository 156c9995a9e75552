/* pace.c - the one timer of a set: asks that wait too long, exchanges, and probes for those who are
 * not well. With nothing in flight and no sockets open it does not run. */
#include "proxy/upstream/set.h"

enum {
	FINE_MS = 5,         /* between two looks at the asks, at least */
	LATE_MS = 10,        /* after its time: we were not at work */
	IDLE_TICK_MS = 1000, /* while only sockets wait for their end */
	PROBE_TICK_MS = 100,
	IN_USE_MS = 60000, /* so long after the last ask a group's members are probed */
};

/* --- probes --- */

static void probe(struct upstream_set *set, size_t index)
{
	static const struct dns_request question = { .name = { (const uint8_t *)"", 1 },
		.type = DNS_TYPE_NS,
		.class = DNS_CLASS_IN,
		.recursion_desired = true };
	if (health_take_probe(&set->members[index].exchange->health, set_now_ms(set)))
		member_ask(set, index, &question, set_nobody, UPSTREAM_REASON_PROBE);
}

static bool is_in_use(const struct upstream_set *set, const struct group *group)
{
	return group->used_ms != 0 && set_now_ms(set) - group->used_ms < IN_USE_MS;
}

/* Whoever is not well in a group that is used gets a question of our own, so that it is known when
 * it is back: no query of a client has to find out. */
static void tick_probes(struct upstream_set *set)
{
	set->probes_ms = set_never_ms;
	for (size_t k = 0; k < set->group_count; k++) {
		const struct group *group = &set->groups[k];
		for (size_t at = 0; is_in_use(set, group) && at < group->count; at++) {
			if (member_state(set, group->members[at]) == HEALTH_UP)
				continue;
			probe(set, group->members[at]);
			set->probes_ms = set_now_ms(set) + PROBE_TICK_MS;
		}
	}
}

/* --- time --- */

static void exchange_tick(struct upstream_set *set, size_t index)
{
	struct member *member = &set->members[index];
	struct exchange *exchange = member->exchange;
	exchange->type->tick(exchange, set_now_ms(set));
	if (set->closing)
		return;
	member->after_ms = hedge_after_ms(&exchange->latency);
	if (set_now_ms(set) - member->answered_ms < UPSTREAM_HEDGE_MS)
		health_on_loss(&exchange->health);
	member_note(set, index);
	uint64_t next_ms = set_never_ms;
	if (exchange->type->is_busy(exchange))
		next_ms = set_now_ms(set) + SET_TICK_MS;
	else if (exchange->type->has_sockets(exchange))
		next_ms = set_now_ms(set) + IDLE_TICK_MS;
	set->exchanges_ms = earlier_ms(set->exchanges_ms, next_ms);
	if (member_state(set, index) != HEALTH_UP)
		set->probes_ms = earlier_ms(set->probes_ms, set_now_ms(set) + PROBE_TICK_MS);
}

static void on_timer(uv_timer_t *timer);

static void tick_exchanges(struct upstream_set *set)
{
	set->exchanges_ms = set_never_ms;
	for (size_t i = 0; i < set->count && !set->closing; i++)
		exchange_tick(set, i);
}

/* Timers run before what has arrived is read. When it was us who slept, answers may be waiting that
 * nobody can be blamed for: they come first, once. */
static bool put_off(struct upstream_set *set)
{
	set->is_put_off = !set->is_put_off && set_now_ms(set) - set->armed_ms >= LATE_MS;
	if (set->is_put_off) {
		set->armed_ms = set_now_ms(set) + 1;
		uv_timer_start(&set->timer, on_timer, 1, 0);
	}
	return set->is_put_off;
}

static void on_timer(uv_timer_t *timer)
{
	struct upstream_set *set = container_of(timer, struct upstream_set, timer);
	if (put_off(set))
		return;
	set->armed_ms = set_never_ms;
	/* An ask's deadline comes before that of its last try, so that it is the ask which times
	 * out. */
	if (set_now_ms(set) >= set->asks_ms)
		asks_tick(set);
	if (!set->closing && set_now_ms(set) >= set->exchanges_ms)
		tick_exchanges(set);
	if (!set->closing && set_now_ms(set) >= set->probes_ms)
		tick_probes(set);
	pace_arm(set);
}

void pace_arm(struct upstream_set *set)
{
	uint64_t due_ms = earlier_ms(set->asks_ms, earlier_ms(set->exchanges_ms, set->probes_ms));
	if (due_ms >= set->armed_ms || set->closing)
		return;
	uint64_t now = set_now_ms(set);
	uint64_t wait_ms = due_ms > now + FINE_MS ? due_ms - now : FINE_MS;
	if (now + wait_ms >= set->armed_ms)
		return;
	set->armed_ms = now + wait_ms;
	uv_timer_start(&set->timer, on_timer, wait_ms, 0);
}
