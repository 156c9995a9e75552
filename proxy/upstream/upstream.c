/* The life of a set, and its turns. set.h says where the rest is. */
#include "proxy/upstream/upstream.h"

#include <stdlib.h>

#include "base/error.h"
#include "proxy/upstream/cares.h"
#include "proxy/upstream/set.h"
#include "proxy/upstream/udp_pool.h"

int upstream_ask(struct upstream_set *set, uint16_t group, upstream_ask_id id,
	const struct dns_request *request)
{
	if (request->name.len == 0 || request->name.len > DNS_NAME_MAX || group >= set->group_count)
		return ERR_INVALID;
	set->groups[group].used_ms = set_now_ms(set);
	hedge_on_ask(&set->budget);
	int error = ask_begin(set, &set->groups[group], id, false, request);
	set->in_flight += error == 0;
	return error;
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
	asks_end(set, ERR_UNREACHABLE);
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
		addresses_work(set, i);
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
		.on_report = ask_on_report,
		.on_work = on_work,
		.on_closed = on_exchange_closed,
		.on_bootstrap = addresses_on_want };
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
	set->armed_ms = set->asks_ms = set->exchanges_ms = set->probes_ms = set_never_ms;
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
		ask_sleep(set, container_of(node, struct ask, link), set_now_ms(set));
	pace_arm(set);
}

size_t upstream_in_flight(const struct upstream_set *set)
{
	return set->in_flight;
}

const struct upstream_counters *upstream_counters(const struct upstream_set *set, size_t index)
{
	return &set->members[index].exchange->counters;
}
