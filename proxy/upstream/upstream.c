/* Who is asked when. An ask begins with the first healthy upstream in configured order; silence
 * brings in the next one, a failure does so at once; whoever answers well first wins, early or
 * late. One tick drives all times. */
#include "proxy/upstream/upstream.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/list.h"
#include "proxy/upstream/cares.h"
#include "proxy/upstream/exchange.h"
#include "proxy/upstream/udp_pool.h"

enum {
	TICK_MS = 25,
	IDLE_TICK_MS = 1000, /* while only sockets wait for their end */
	TRIES_MAX = 16,      /* per ask, whatever the number of upstreams (RFC 9520 2.2) */
	SLOT_BITS = 16,
};

/* Silence until the next server is asked as well, by the number asked already: five in a row can be
 * dead and the sixth is still asked within one second. */
static const uint16_t hedge_after_ms[] = { UPSTREAM_HEDGE_MS, 200, 100, 100, 100 };

struct ask {
	struct list link; /* set->open or set->free */
	upstream_ask_id id;
	uint32_t generation; /* makes old handles to this slot invalid */
	uint16_t slot;
	uint8_t started; /* tries in all */
	uint8_t waiting; /* tries that have not been reported */
	const struct upstream_group_config *group;
	struct dns_request request;
	uint64_t started_ns;
	uint64_t next_ms; /* then the next try */
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

struct upstream_set {
	struct exchange_host host;
	uv_timer_t timer;
	uv_idle_t soon;
	unsigned tick_ms; /* 0: the timer rests */
	unsigned handles; /* of the two above */
	bool closing;
	upstream_done_fn on_done;
	void *context;
	size_t count;
	struct exchange *exchanges[UPSTREAM_MAX];
	const struct upstream_group_config *groups; /* of the configuration, or `all` */
	size_t group_count;
	struct upstream_group_config all; /* when there are no groups: one of all, in order */
	uint16_t everybody[UPSTREAM_MAX];
	struct list open;
	struct list free;
	unsigned touched;
	size_t in_flight;
	struct ask *asks; /* UPSTREAM_ASKS_MAX */
};

static uint64_t now_ms(const struct upstream_set *set)
{
	return uv_now(set->host.loop);
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
	set->in_flight++;
	return ask;
}

static void ask_free(struct upstream_set *set, struct ask *ask)
{
	list_remove(&ask->link);
	free(ask->kept);
	ask->kept = NULL;
	ask->generation++;
	list_append(set->free.next, &ask->link); /* to the front: warm memory */
	set->in_flight--;
}

static uint64_t ask_handle(const struct ask *ask)
{
	return (uint64_t)ask->generation << SLOT_BITS | ask->slot;
}

/* NULL when that ask is over. */
static struct ask *ask_find(struct upstream_set *set, uint64_t handle)
{
	struct ask *ask = &set->asks[handle & ((1u << SLOT_BITS) - 1)];
	return ask_handle(ask) == handle ? ask : NULL;
}

static void start_tick(struct upstream_set *set, unsigned tick_ms);

/* --- the end of an ask --- */

static void ask_finish(struct upstream_set *set, struct ask *ask, struct upstream_result result)
{
	upstream_ask_id id = ask->id;
	result.duration_us = (uint32_t)((uv_hrtime() - ask->started_ns) / 1000);
	ask_free(set, ask);
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

/* Fewest tries first, then who is up, then configured order. SIZE_MAX when nobody may be asked. */
static size_t choose(const struct upstream_set *set, const struct ask *ask, uint32_t passed_over)
{
	size_t best = SIZE_MAX;
	unsigned best_rank = UINT32_MAX;
	for (size_t at = 0; at < ask->group->member_count; at++) {
		size_t i = ask->group->members[at];
		if ((ask->failed | passed_over) >> i & 1)
			continue;
		bool up = health_is_up(&set->exchanges[i]->health, now_ms(set));
		unsigned rank = ask->tries[i] * 2u + (up ? 0 : 1);
		if (rank < best_rank) {
			best_rank = rank;
			best = i;
		}
	}
	return best;
}

static uint64_t next_try_ms(const struct upstream_set *set, const struct ask *ask)
{
	const unsigned steps = sizeof hedge_after_ms / sizeof *hedge_after_ms;
	unsigned rounds = ask->started / (unsigned)ask->group->member_count;
	/* Everybody was asked: wait longer each time (with one server at 0.4, 1.2 and 2.8 s). */
	if (rounds > 0)
		return now_ms(set) + ((uint64_t)UPSTREAM_HEDGE_MS << (rounds - 1));
	unsigned step = ask->started ? ask->started - 1u : 0;
	return now_ms(set) + hedge_after_ms[step < steps ? step : steps - 1];
}

static bool try_one(
	struct upstream_set *set, struct ask *ask, size_t index, enum upstream_reason reason)
{
	struct exchange *exchange = set->exchanges[index];
	if (exchange->type->ask(exchange, &ask->request, ask_handle(ask)) != 0)
		return false;
	if (ask->tries[index] > 0 && reason == UPSTREAM_REASON_HEDGE)
		reason = UPSTREAM_REASON_RETRY;
	upstream_count(&exchange->counters.asked[reason]);
	ask->tries[index]++;
	ask->started++;
	ask->waiting++;
	return true;
}

/* Asks the best one left; false when nobody can be asked. */
static bool try_next(struct upstream_set *set, struct ask *ask, enum upstream_reason reason)
{
	uint32_t passed_over = 0;
	size_t index;
	while (ask->started < TRIES_MAX && (index = choose(set, ask, passed_over)) != SIZE_MAX) {
		if (try_one(set, ask, index, reason)) {
			ask->next_ms = next_try_ms(set, ask);
			return true;
		}
		passed_over |= 1u << index;
	}
	/* Not now, then; but keep the pace. */
	ask->next_ms = next_try_ms(set, ask);
	return false;
}

/* Somebody who is down gets this query too, once a second, so that it is seen to be back. */
static void probe(struct upstream_set *set, struct ask *ask)
{
	for (size_t at = 0; at < ask->group->member_count; at++) {
		size_t i = ask->group->members[at];
		struct health *health = &set->exchanges[i]->health;
		if (ask->tries[i] == 0 && health_take_probe(health, now_ms(set))) {
			try_one(set, ask, i, UPSTREAM_REASON_PROBE);
			return;
		}
	}
}

/* Is there somebody who has not been asked at all? */
static bool has_untried(const struct ask *ask)
{
	for (size_t at = 0; at < ask->group->member_count; at++) {
		size_t i = ask->group->members[at];
		if (ask->tries[i] == 0 && !(ask->failed >> i & 1))
			return true;
	}
	return false;
}

int upstream_ask(struct upstream_set *set, uint16_t group, upstream_ask_id id,
	const struct dns_request *request)
{
	if (request->name.len == 0 || request->name.len > DNS_NAME_MAX || group >= set->group_count)
		return ERR_INVALID;
	struct ask *ask = set->closing ? NULL : ask_take(set);
	if (!ask)
		return ERR_BUSY;
	ask->id = id;
	ask->group = &set->groups[group];
	ask->request = *request;
	memcpy(ask->name, request->name.at, request->name.len);
	ask->request.name.at = ask->name;
	ask->started_ns = uv_hrtime();
	ask->deadline_ms = now_ms(set) + UPSTREAM_DEADLINE_MS;
	ask->error = ERR_UNREACHABLE;
	if (!try_next(set, ask, UPSTREAM_REASON_FIRST)) {
		ask_free(set, ask);
		return ERR_BUSY;
	}
	probe(set, ask);
	start_tick(set, TICK_MS);
	return 0;
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
	uint64_t patience_ms = now_ms(set) + UPSTREAM_PATIENCE_MS;
	if (patience_ms < ask->deadline_ms)
		ask->deadline_ms = patience_ms;
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
	if (has_untried(ask) && try_next(set, ask, UPSTREAM_REASON_FAILOVER))
		return;
	/* Those that are still silent may answer yet. */
	if (ask->waiting == 0)
		ask_give_up(set, ask, ask->error);
}

static void on_report(struct exchange_host *host, const struct exchange_report *report)
{
	struct upstream_set *set = container_of(host, struct upstream_set, host);
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
		ask_finish_answer(set, ask, report->answer, (uint16_t)report->index);
		return;
	}
	keep(set, ask, report);
	ask_on_failure(set, ask, report);
}

/* --- time --- */

static void ask_tick(struct upstream_set *set, struct ask *ask)
{
	if (now_ms(set) >= ask->deadline_ms)
		ask_give_up(set, ask, ERR_TIMEOUT);
	else if (now_ms(set) >= ask->next_ms)
		try_next(set, ask, UPSTREAM_REASON_HEDGE);
}

static void tick_asks(struct upstream_set *set)
{
	/* New asks may be appended meanwhile; nothing but the one in hand is taken out. */
	struct list *next;
	for (struct list *node = set->open.next; node != &set->open; node = next) {
		next = node->next;
		ask_tick(set, container_of(node, struct ask, link));
	}
}

static unsigned wanted_tick_ms(const struct upstream_set *set)
{
	unsigned tick_ms = set->in_flight > 0 ? TICK_MS : 0;
	for (size_t i = 0; i < set->count; i++) {
		const struct exchange *exchange = set->exchanges[i];
		if (exchange->type->is_busy(exchange))
			return TICK_MS;
		if (tick_ms == 0 && exchange->type->has_sockets(exchange))
			tick_ms = IDLE_TICK_MS;
	}
	return tick_ms;
}

static void exchange_tick(struct upstream_set *set, struct exchange *exchange)
{
	exchange->type->tick(exchange, now_ms(set));
	upstream_gauge_set(&exchange->counters.up, health_is_up(&exchange->health, now_ms(set)));
}

static void on_timer(uv_timer_t *timer)
{
	struct upstream_set *set = container_of(timer, struct upstream_set, timer);
	/* An ask's deadline comes before that of its last try, so that it is the ask which times
	 * out. */
	if (!set->closing)
		tick_asks(set);
	for (size_t i = 0; i < set->count && !set->closing; i++)
		exchange_tick(set, set->exchanges[i]);
	if (set->closing)
		return;
	set->tick_ms = 0;
	start_tick(set, wanted_tick_ms(set));
}

static void start_tick(struct upstream_set *set, unsigned tick_ms)
{
	if (tick_ms == 0 || (set->tick_ms != 0 && set->tick_ms <= tick_ms) || set->closing)
		return;
	set->tick_ms = tick_ms;
	uv_timer_start(&set->timer, on_timer, tick_ms, 0);
}

/* --- the next turn --- */

static void set_free(struct upstream_set *set)
{
	for (size_t i = 0; i < set->count; i++)
		set->exchanges[i]->type->free(set->exchanges[i]);
	udp_batch_free(set->host.batch);
	free(set->host.plain_buffer);
	free(set->host.cipher_buffer);
	free(set->asks);
	free(set);
}

static void set_free_when_closed(struct upstream_set *set)
{
	if (!set->closing || set->handles > 0)
		return;
	for (size_t i = 0; i < set->count; i++) {
		if (!set->exchanges[i]->type->is_closed(set->exchanges[i]))
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
		set->exchanges[i]->type->close(set->exchanges[i]);
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
		set->exchanges[i]->type->work(set->exchanges[i]);
}

static void on_work(struct exchange_host *host)
{
	struct upstream_set *set = container_of(host, struct upstream_set, host);
	uv_idle_start(&set->soon, on_soon);
}

/* --- life --- */

static const struct exchange_type *const types[] = {
	[UPSTREAM_DNS] = &exchange_plain,
};

static const struct exchange_type *type_of(const struct upstream_config *upstream)
{
	size_t row = upstream->protocol;
	return row < sizeof types / sizeof *types ? types[row] : NULL;
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
		set->exchanges[i] = exchange;
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
		.on_closed = on_exchange_closed };
	random_pool_init(&set->host.random);
	return set->host.batch &&
		(!is_secure || (set->host.plain_buffer && set->host.cipher_buffer));
}

static void take_groups(struct upstream_set *set, const struct upstream_parts *parts)
{
	for (size_t i = 0; i < parts->count; i++)
		set->everybody[i] = (uint16_t)i;
	set->all = (struct upstream_group_config){ .name = "all",
		.policy = UPSTREAM_ORDERED,
		.members = set->everybody,
		.member_count = parts->count };
	set->groups = parts->group_count ? parts->groups : &set->all;
	set->group_count = parts->group_count ? parts->group_count : 1;
}

/* Nobody to ask, or somebody whom we do not know how to ask. */
static bool parts_are_valid(const struct upstream_parts *parts)
{
	if (parts->count == 0 || parts->count > UPSTREAM_MAX)
		return false;
	for (size_t i = 0; i < parts->count; i++) {
		if (!type_of(&parts->upstreams[i]))
			return false;
	}
	for (size_t i = 0; i < parts->group_count; i++) {
		const struct upstream_group_config *group = &parts->groups[i];
		if (group->member_count == 0 || group->member_count > parts->count)
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
	take_groups(set, parts);
	if (!set->asks || !open_host(set, parts) || !open_exchanges(set, parts)) {
		set_free(set);
		return NULL;
	}
	uv_timer_init(parts->loop, &set->timer);
	uv_idle_init(parts->loop, &set->soon);
	set->timer.data = set;
	set->soon.data = set;
	set->handles = 2;
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

void upstream_distrust(struct upstream_set *set)
{
	for (size_t i = 0; i < set->count && !set->closing; i++) {
		struct exchange *exchange = set->exchanges[i];
		exchange->health = (struct health){ 0 };
		latency_forget(&exchange->latency);
		if (exchange->type->distrust)
			exchange->type->distrust(exchange);
	}
}

size_t upstream_in_flight(const struct upstream_set *set)
{
	return set->in_flight;
}

const struct upstream_counters *upstream_counters(const struct upstream_set *set, size_t index)
{
	return &set->exchanges[index]->counters;
}
