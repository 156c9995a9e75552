/* conn_table.c - see conn_parts.h. Ids outside, pointers inside. */
#include <stdlib.h>

#include "proxy/front/conn_parts.h"

/* How long a client may take to hear that we go: a round trip, which most answer much sooner. */
enum { ANNOUNCED_MS = 500 };

struct conn_table *conn_table_new(struct worker *worker, size_t capacity)
{
	struct conn_table *table = calloc(1, sizeof *table);
	if (!table)
		return NULL;
	table->worker = worker;
	table->capacity = (uint32_t)capacity;
	table->first_free = table->capacity;
	list_init(&table->dirty);
	list_init(&table->inputs);
	list_init(&table->waiting);
	table->descriptors = SIZE_MAX;
	for (unsigned i = 0; i < PHASE_COUNT; i++)
		list_init(&table->phases[i]);
	table->slots = calloc(capacity, sizeof *table->slots);
	if (!table->slots) {
		free(table);
		return NULL;
	}
	return table;
}

void conn_table_free(struct conn_table *table)
{
	if (!table)
		return;
	free(table->slots);
	free(table);
}

size_t conn_table_count(const struct conn_table *table)
{
	return table->count;
}

size_t conn_table_owed(const struct conn_table *table)
{
	return table->owed;
}

const struct limits_config *conn_table_limits(const struct conn_table *table)
{
	return &table->worker->epoch->snapshot->config->limits;
}

const struct listener_config *conn_listener(const struct conn *conn)
{
	return &conn->table->worker->epoch->snapshot->config->listeners[conn->listener];
}

bool conn_table_take(struct conn_table *table, struct conn *conn)
{
	uint32_t slot = table->first_free;
	if (slot < table->capacity)
		table->first_free = table->slots[slot].next_free;
	else if (table->untouched < table->capacity)
		slot = table->untouched++;
	else
		return false;
	table->slots[slot].conn = conn;
	conn->slot = slot;
	conn->generation = table->slots[slot].generation;
	table->count++;
	return true;
}

void conn_table_give_back(struct conn_table *table, struct conn *conn)
{
	struct slot *slot = &table->slots[conn->slot];
	slot->conn = NULL;
	slot->generation++;
	slot->next_free = table->first_free;
	table->first_free = conn->slot;
	table->count--;
	crowd_leave(table->worker->crowd, &conn->place);
}

struct conn *conn_table_find(const struct conn_table *table, struct conn_id id)
{
	if (id.slot >= table->capacity || table->slots[id.slot].generation != id.generation)
		return NULL;
	return table->slots[id.slot].conn;
}

static struct crowd_limits crowd_limits_of(const struct limits_config *limits)
{
	return (struct crowd_limits){
		.per_address = limits->connections_per_address,
		.handshakes_per_address = limits->handshakes_per_address,
		.per_prefix = limits->connections_per_prefix,
		.prefix_v4 = (uint8_t)limits->prefix_v4,
		.prefix_v6 = (uint8_t)limits->prefix_v6,
	};
}

bool conn_table_claim(struct conn_table *table, struct conn *conn)
{
	static const enum metrics_drop_reason reasons[] = {
		[CROWD_ADDRESS_FULL] = METRICS_DROP_PER_ADDRESS,
		[CROWD_HANDSHAKES_FULL] = METRICS_DROP_HANDSHAKES,
		[CROWD_PREFIX_FULL] = METRICS_DROP_PER_PREFIX,
	};
	struct crowd_limits limits = crowd_limits_of(conn_table_limits(table));
	enum crowd_word word = crowd_claim(table->worker->crowd, &limits, &conn->client,
		conn->protocol->encrypted, &conn->place);
	if (word != CROWD_WELCOME)
		metrics_drop(table->worker->metrics, reasons[word]);
	return word == CROWD_WELCOME;
}

void conn_table_recheck(struct conn_table *table)
{
	const struct tls_context *tls = table->worker->epoch->snapshot->tls;
	for (uint32_t i = 0; tls && i < table->untouched; i++) {
		struct conn *conn = table->slots[i].conn;
		if (conn && conn->tls && !conn->ended && !tls_stream_may_stay(conn->tls, tls))
			conn_come_again(conn);
	}
}

static void finish(struct conn *conn)
{
	conn->protocol->framer->finish(conn->framer);
	conn->broken |= !conn->established;
	conn_mark_dirty(conn);
}

void conn_table_drain(struct conn_table *table)
{
	table->draining = true;
	table->finish_at_ms = worker_now_ms(table->worker) + ANNOUNCED_MS;
	for (uint32_t i = 0; i < table->untouched; i++) {
		struct conn *conn = table->slots[i].conn;
		if (!conn)
			continue;
		const struct framer_type *framer = conn->protocol->framer;
		if (framer->announce && conn->established && framer->announce(conn->framer))
			conn_mark_dirty(conn);
		else
			finish(conn);
	}
}

void conn_table_drain_on(struct conn_table *table)
{
	if (!table->finish_at_ms || worker_now_ms(table->worker) < table->finish_at_ms)
		return;
	table->finish_at_ms = 0;
	for (uint32_t i = 0; i < table->untouched; i++)
		if (table->slots[i].conn)
			finish(table->slots[i].conn);
}

void conn_table_close_all(struct conn_table *table)
{
	for (uint32_t i = 0; i < table->untouched; i++) {
		struct conn *conn = table->slots[i].conn;
		if (conn)
			conn_close(conn);
	}
}
