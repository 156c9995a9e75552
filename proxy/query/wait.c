/* The wait: a slot for what has to wait, one ask for all who want the same, and the way back.
 * Steps 7 to 10. */
#include <stdlib.h>

#include "base/error.h"
#include "dns/answer.h"
#include "proxy/cache/cache.h"
#include "proxy/front/conn.h"
#include "proxy/query/parts.h"

enum {
	/* How long a failure is kept at most (RFC 9520 3.2). One that we met ourselves ends soon
	 * after the network is back; what an upstream says has less to do with us. */
	OWN_FAILURE_MOST_S = 5,
	UPSTREAM_FAILURE_MOST_S = 30,
};

struct query_table *query_table_new(size_t capacity)
{
	struct query_table *table = calloc(1, sizeof *table);
	if (!table)
		return NULL;
	list_init(&table->impatient);
	table->capacity = capacity;
	table->queries = calloc(capacity, sizeof *table->queries);
	table->asks = join_table_new(capacity);
	table->holders = holders_new(capacity);
	if (table->queries && table->asks && table->holders)
		return table;
	query_table_free(table);
	return NULL;
}

void query_table_free(struct query_table *table)
{
	if (!table)
		return;
	join_table_free(table->asks);
	holders_free(table->holders);
	free(table->queries);
	free(table);
}

size_t query_table_waiting(const struct query_table *table)
{
	return table->waiting;
}

/* ---- slots ---- */

static struct query *slot_take(struct query_table *table)
{
	struct query *slot = table->free;
	if (slot)
		table->free = slot->next_free;
	else if (table->untouched < table->capacity)
		slot = &table->queries[table->untouched++];
	if (slot)
		table->waiting++;
	return slot;
}

static void slot_give_back(struct query_table *table, struct query *slot)
{
	table->waiting--;
	slot->next_free = table->free;
	table->free = slot;
}

static void copy_to_slot(struct query *slot, const struct query *q)
{
	*slot = *q;
	slot->asked.name.at = slot->name_asked;
	slot->facts.name.at = slot->name_lower;
	/* What pointed into the client's message is not needed any more, and must not be. */
	slot->asked.opt.options = slice_of(NULL, 0);
	slot->asked.opt.ede = slice_of(NULL, 0);
	slot->asked.opt.cookie = slice_of(NULL, 0);
	/* Nor is the connection as it was. */
	slot->client_id.at = slot->client_id_text;
	slot->client_id.len = q->client_id.len < CLIENT_ID_MAX ? q->client_id.len : CLIENT_ID_MAX;
	if (slot->client_id.len)
		memcpy(slot->client_id_text, q->client_id.at, slot->client_id.len);
	slot->upstream = NULL;
	slot->epoch = epoch_pin(q->epoch);
	list_init(&slot->waiting);
	list_init(&slot->impatient);
}

/* ---- asking: steps 7 and 8 ---- */

static struct dns_request request_of(const struct query *q)
{
	return (struct dns_request){
		.name = query_sought(q),
		.type = q->asked.type,
		.class = q->asked.class,
		.recursion_desired = q->asked.flags & DNS_FLAG_RD,
		.checking_disabled = q->asked.flags & DNS_FLAG_CD,
		.dnssec_ok = q->asked.opt.dnssec_ok,
		/* One answer serves all: who did not ask for AD does not get it (RFC 6840 5.8). */
		.authentic_wanted = true,
	};
}

/* The index of the query's group among the upstreams that are open; false when it is not there:
 * they may be of another configuration than the query's, and nobody else is to be told its name. */
static bool find_group(const struct query *q, uint16_t *index)
{
	const struct worker_upstreams *upstreams = q->worker->upstreams;
	const struct config *config = upstreams ? upstreams->plan->config : NULL;
	for (size_t i = 0; config && i < config->upstream_group_count; i++) {
		*index = (uint16_t)i;
		if (config->upstream_groups[i].identity == q->group)
			return true;
	}
	return false;
}

/* The ask that answers this query, already in flight or begun now; NULL: full, or nobody there. */
static struct join_ask *find_or_begin_ask(const struct query *q)
{
	struct query_table *table = q->worker->queries;
	struct dns_request request = request_of(q);
	struct join_key key = join_key_of(&request, q->group);
	uint16_t group;
	bool fresh;
	struct join_ask *ask = join_find_or_add(table->asks, &key, &fresh);
	if (ask && !fresh)
		metrics_add(q->worker->metrics, METRIC_COALESCED, 1);
	if (!ask || !fresh)
		return ask;
	uint64_t number = join_ask_number(table->asks, ask);
	if (find_group(q, &group) &&
		upstream_ask(q->worker->upstreams->set, group, number, &request) == 0)
		return ask;
	join_end(table->asks, ask);
	return NULL;
}

void query_refresh(const struct query *q)
{
	if (find_or_begin_ask(q))
		metrics_add(q->worker->metrics, METRIC_CACHE_PREFETCHES, 1);
}

/* ---- waiting ---- */

/* There will be no answer: what was kept, however old, if the view wants that then, or the
 * override, which needs nobody. */
static bool end_with_less(struct query *q, enum failure failure)
{
	if (!query_fails_closed(q, failure) && query_answer_stale(q)) {
		query_count_failure(q, failure, METRICS_FAILURE_STALE);
		return true;
	}
	if (q->verdict.action == ACTION_BLOCK) {
		query_end_blocked(q);
		return true;
	}
	query_count_failure(q, failure, METRICS_FAILURE_CLOSED);
	return false;
}

static void end_unasked(struct query *q, enum failure failure, const char *why)
{
	if (!end_with_less(q, failure))
		query_end_with_rcode(
			q, METRICS_SOURCE_ERROR, DNS_RCODE_SERVFAIL, DNS_EDE_OTHER, why);
}

static void end_busy(struct query *q, enum metrics_drop_reason reason)
{
	metrics_drop(q->worker->metrics, reason);
	end_unasked(q, FAILURE_OVER_CAPACITY, "too many queries in flight");
}

static void end_without_ask(struct query *q)
{
	uint16_t group;
	if (find_group(q, &group))
		end_busy(q, METRICS_DROP_QUERIES_FULL);
	else
		end_unasked(
			q, FAILURE_UPSTREAMS_DOWN, "a reload took the upstreams of this name away");
}

static uint32_t *view_count(const struct query *q)
{
	uint16_t label = query_snapshot(q)->view_labels[q->facts.view];
	return &q->worker->queries->view_counts[label];
}

/* Each counts a query once, however often it waits. UDP has no connection. */
static bool hold_by_connection(struct query *q)
{
	if (!q->held && q->to.protocol != PROTOCOL_UDP)
		q->held = conn_hold(q->worker, &q->to);
	return q->held || q->to.protocol == PROTOCOL_UDP;
}

static bool hold_by_view(struct query *q)
{
	uint32_t *count = view_count(q);
	unsigned most = query_conduct(q)->max_queries;
	bool has_place =
		most == 0 || (*count < most && holders_left(most, *count, query_is_proven(q)) > 0);
	if (!q->held_by_view && has_place) {
		q->held_by_view = true;
		(*count)++;
	}
	return q->held_by_view;
}

static bool hold_by_client(struct query *q, size_t left)
{
	struct query_table *table = q->worker->queries;
	size_t most = holders_share(query_snapshot(q)->config->limits.queries_per_client, left);
	if (q->holder == HOLDERS_NONE)
		q->holder = holders_take(table->holders, &q->to.client, query_is_proven(q), most);
	return q->holder != HOLDERS_NONE;
}

/* False, and why, when one of them has as many under way as it may. */
static bool hold(struct query *q, enum metrics_drop_reason *reason)
{
	const struct query_table *table = q->worker->queries;
	*reason = METRICS_DROP_PER_CONNECTION;
	if (!hold_by_connection(q))
		return false;
	*reason = METRICS_DROP_PER_VIEW;
	if (!hold_by_view(q))
		return false;
	size_t left = holders_left(table->capacity, table->waiting, query_is_proven(q));
	*reason = left == 0 ? METRICS_DROP_QUERIES_FULL : METRICS_DROP_PER_CLIENT;
	return hold_by_client(q, left);
}

void query_release(struct query *q)
{
	if (q->held)
		conn_release(q->worker, &q->to);
	if (q->holder != HOLDERS_NONE)
		holders_give(q->worker->queries->holders, q->holder);
	if (q->held_by_view)
		(*view_count(q))--;
}

/* By time. They come in order, but for those around a reload that made the time shorter. */
static void add_impatient(struct query_table *table, struct query *slot)
{
	struct list *after = table->impatient.prev;
	while (after != &table->impatient &&
		container_of(after, struct query, impatient)->stale_at_ms > slot->stale_at_ms)
		after = after->prev;
	list_append(after->next, &slot->impatient);
}

void query_wait(struct query *q)
{
	struct query_table *table = q->worker->queries;
	enum metrics_drop_reason reason;
	if (!hold(q, &reason)) {
		end_busy(q, reason);
		return;
	}
	struct query *slot = slot_take(table);
	struct join_ask *ask = slot ? find_or_begin_ask(q) : NULL;
	if (slot && !ask)
		slot_give_back(table, slot);
	if (!ask) {
		end_without_ask(q);
		return;
	}
	copy_to_slot(slot, q);
	list_append(&ask->waiting, &slot->waiting);
	if (slot->stale_at_ms)
		add_impatient(table, slot);
}

static void leave(struct query_table *table, struct query *slot)
{
	list_remove(&slot->waiting);
	list_remove(&slot->impatient);
	epoch_unpin(slot->epoch);
	slot_give_back(table, slot);
}

/* RFC 8767 5: a client response timer. The ask goes on, for those who come later. */
void query_table_tick(struct worker *worker)
{
	struct query_table *table = worker->queries;
	while (!list_is_empty(&table->impatient)) {
		struct query *q = container_of(table->impatient.next, struct query, impatient);
		if (q->stale_at_ms > worker_now_ms(worker))
			return;
		list_remove(&q->impatient);
		q->stale_at_ms = 0;
		if (query_answer_stale(q))
			leave(table, q);
	}
}

/* ---- what an upstream said: steps 9 and 10 ---- */

struct failure_row {
	int error;
	int ede;
	const char *text;
};

static const struct failure_row failures[] = {
	{ ERR_TIMEOUT, DNS_EDE_NO_REACHABLE_AUTHORITY, "no upstream answered in time" },
	{ ERR_UNREACHABLE, DNS_EDE_NETWORK_ERROR, "no upstream could be reached" },
	{ ERR_MALFORMED, DNS_EDE_INVALID_DATA, "the upstream's answer is malformed" },
	{ ERR_TOO_LONG, DNS_EDE_INVALID_DATA,
		"the upstream's answer is too long, or leads on too often" },
	{ 0, DNS_EDE_OTHER, "the upstream could not be asked" },
};

static struct slice pack_failure(struct worker *worker, const struct join_key *key, int error)
{
	const struct failure_row *row = failures;
	while (row->error && row->error != error)
		row++;
	return dns_packed_failure(dns_name_slice(&key->name), key->type, key->class, row->ede,
		row->text, worker->packed_buffer, DNS_PACKED_MAX);
}

static struct slice pack(
	struct worker *worker, const struct join_key *key, const struct upstream_result *result)
{
	const struct cache_config *config = &worker->epoch->snapshot->config->cache;
	const struct dns_packed_ttls ttls = { config->min_ttl_s, config->max_ttl_s,
		config->negative_max_ttl_s };
	struct slice value;
	if (result->error)
		return pack_failure(worker, key, result->error);
	value = dns_packed_write(result->opened, &ttls, worker->packed_buffer, DNS_PACKED_MAX);
	return value.len ? value : pack_failure(worker, key, ERR_TOO_LONG);
}

/* Facts only: verdicts are made on the way out. */
static void keep(struct worker *worker, const struct join_key *asked, struct slice value,
	const struct dns_packed *packed, int error)
{
	struct cache_key key = {
		.name = dns_name_slice(&asked->name),
		.type = packed->kind == DNS_PACKED_NXDOMAIN ? CACHE_ANY_TYPE : asked->type,
		.class = asked->class,
		.flags = (uint8_t)((asked->flags & JOIN_DO ? CACHE_KEY_DO : 0) |
			(asked->flags & JOIN_CD ? CACHE_KEY_CD : 0)),
		.group = asked->group,
	};
	uint32_t now_s = worker_cache_now_s(worker);
	bool is_ours = error == ERR_TIMEOUT || error == ERR_UNREACHABLE || error == ERR_MALFORMED;
	if (!worker->cache || !(asked->flags & JOIN_RD) || asked->type == CACHE_ANY_TYPE)
		return;
	if (packed->kind == DNS_PACKED_FAILURE && (!error || is_ours))
		cache_fail(worker->cache, &key, value,
			error ? OWN_FAILURE_MOST_S : UPSTREAM_FAILURE_MOST_S, now_s);
	else if (packed->kind != DNS_PACKED_FAILURE && packed->kind != DNS_PACKED_FLEETING)
		cache_put(worker->cache, &key, value, packed->ttl_s, now_s);
}

/* ---- the way back ---- */

/* Nobody answered; or somebody did, and has failed itself, which is not our network's fault and not
 * counted as that. */
static bool end_failed(struct query *q, int error)
{
	if (error)
		return end_with_less(q, FAILURE_UPSTREAMS_DOWN);
	if (!query_fails_closed(q, FAILURE_UPSTREAMS_DOWN) && query_answer_stale(q))
		return true;
	if (q->verdict.action == ACTION_BLOCK)
		query_end_blocked(q);
	return q->verdict.action == ACTION_BLOCK;
}

static void resume(struct query *q, const struct upstream_result *result,
	const struct dns_packed *packed, const char *upstream)
{
	struct found found = { .packed = *packed, .ede = DNS_EDE_NONE };
	found.source = result->error ? METRICS_SOURCE_ERROR : METRICS_SOURCE_UPSTREAM;
	q->upstream = upstream;
	q->upstream_us = result->duration_us;
	if (packed->kind != DNS_PACKED_FAILURE || !end_failed(q, result->error))
		query_answer(q, &found);
}

/* Emptied first: whoever asks again from now on is a new question. */
static void take_waiting(struct join_ask *ask, struct list *waiting)
{
	list_init(waiting);
	if (!list_is_empty(&ask->waiting)) {
		*waiting = ask->waiting;
		waiting->next->prev = waiting;
		waiting->prev->next = waiting;
	}
	list_init(&ask->waiting);
}

void query_on_upstream(void *context, upstream_ask_id id, const struct upstream_result *result)
{
	const struct worker_upstreams *from = context;
	struct worker *worker = from->worker;
	struct query_table *table = worker->queries;
	struct join_ask *ask = join_find_number(table->asks, id);
	struct dns_packed packed;
	struct list waiting;
	if (!ask)
		return;
	struct slice value = pack(worker, &ask->key, result);
	dns_packed_open(&packed, value);
	keep(worker, &ask->key, value, &packed, result->error);
	/* Not by the configuration of the query: it may have joined this ask after a reload. */
	const char *upstream = result->upstream == UPSTREAM_NO_INDEX
		? NULL
		: from->plan->config->upstreams[result->upstream].name;
	take_waiting(ask, &waiting);
	join_end(table->asks, ask);
	while (!list_is_empty(&waiting)) {
		struct query *q = container_of(waiting.next, struct query, waiting);
		list_remove(&q->waiting);
		list_remove(&q->impatient);
		resume(q, result, &packed, upstream);
		leave(table, q);
	}
}
