/* conn_table.c - see conn_parts.h. Ids outside, pointers inside. */
#include <stdlib.h>
#include <xxhash.h>

#include "base/random.h"
#include "proxy/front/conn_parts.h"

struct conn_table *conn_table_new(struct worker *worker, size_t capacity)
{
	struct conn_table *table = calloc(1, sizeof *table);
	if (!table)
		return NULL;
	table->worker = worker;
	table->capacity = (uint32_t)capacity;
	table->first_free = table->capacity;
	random_fill(&table->salt, sizeof table->salt);
	list_init(&table->dirty);
	for (unsigned i = 0; i < PHASE_COUNT; i++)
		list_init(&table->phases[i]);
	for (unsigned i = 0; i < ADDRESS_BUCKETS; i++)
		list_init(&table->by_address[i]);
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
}

struct conn *conn_table_find(const struct conn_table *table, struct conn_id id)
{
	if (id.slot >= table->capacity || table->slots[id.slot].generation != id.generation)
		return NULL;
	return table->slots[id.slot].conn;
}

/* How many bytes of an address tell one client from another: with IPv6 everybody has a whole /64.
 */
static size_t client_len(const struct address *address)
{
	return address_is_v4(address) ? sizeof address->bytes : sizeof address->bytes / 2;
}

static bool same_client(const struct address *a, const struct address *b)
{
	size_t len = client_len(a);
	return len == client_len(b) && memcmp(a->bytes, b->bytes, len) == 0;
}

struct list *conn_table_bucket(struct conn_table *table, const struct address *address)
{
	uint64_t hash = XXH3_64bits_withSeed(address->bytes, client_len(address), table->salt);
	return &table->by_address[hash & (ADDRESS_BUCKETS - 1)];
}

bool conn_table_is_full_for(struct conn_table *table, const struct address *address)
{
	struct list *bucket = conn_table_bucket(table, address);
	unsigned count = 0;
	for (struct list *node = bucket->next; node != bucket; node = node->next) {
		struct conn *conn = container_of(node, struct conn, in_address);
		count += same_client(&conn->client, address);
	}
	return count >= conn_table_limits(table)->connections_per_address;
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

void conn_table_drain(struct conn_table *table)
{
	table->draining = true;
	for (uint32_t i = 0; i < table->untouched; i++) {
		struct conn *conn = table->slots[i].conn;
		if (!conn)
			continue;
		conn->protocol->framer->finish(conn->framer);
		conn->broken |= !conn->established;
		conn_mark_dirty(conn);
	}
}

void conn_table_close_all(struct conn_table *table)
{
	for (uint32_t i = 0; i < table->untouched; i++) {
		struct conn *conn = table->slots[i].conn;
		if (conn)
			conn_close(conn);
	}
}
