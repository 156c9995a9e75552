/* conn_stages.c - see conn_parts.h.
 *
 * To answer a question over TLS runs through 120 kB of instructions, and the processor's nearest
 * cache has room for 32. So what a turn of the loop brings is not taken connection by connection:
 * all are read, then all decrypted, then all questions answered; all answers are framed, then all
 * encrypted, then all written. Each stage finds its instructions where the connection before has
 * left them. Groups are small, so that what the connections consist of stays near as well. */
#include "proxy/front/conn_parts.h"

enum {
	GROUP = 32,
	ROOM_MIN = 16 * 1024,   /* for one connection, in a buffer of a group */
	OVERHEAD_MAX = 64 + 32, /* of tls_stream_room(), beyond what is in proportion */
};

_Static_assert(
	WORKER_CIPHER_LEN - WORKER_PLAIN_LEN >= GROUP * OVERHEAD_MAX + WORKER_PLAIN_LEN / 512 * 32,
	"a group's answers have room when they are encrypted");

/* ---- in ---- */

struct slice conn_table_read_room(struct conn_table *table)
{
	return slice_of(
		table->worker->read_buffer + table->input_len, WORKER_READ_LEN - table->input_len);
}

void conn_take_input(struct conn *conn, struct slice cipher)
{
	struct conn_table *table = conn->table;
	conn->cipher = cipher;
	list_append(&table->inputs, &conn->in_input);
	table->input_count++;
	table->input_len = (size_t)(cipher.at + cipher.len - table->worker->read_buffer);
	if (table->input_count == GROUP || WORKER_READ_LEN - table->input_len < ROOM_MIN)
		conn_table_work(table);
}

/* As much as there is room for; conn_feed_tls() takes the rest, and learns of an end. */
static size_t decrypt(struct conn *conn, uint8_t *plain, size_t capacity)
{
	struct worker *worker = conn->table->worker;
	struct writer out = writer_of(worker->cipher_buffer, WORKER_CIPHER_LEN);
	ssize_t len = tls_stream_read(conn->tls, &conn->cipher, plain, capacity, &out);
	conn->staged = slice_of(plain, len > 0 ? (size_t)len : 0);
	if (out.len > 0)
		conn_write(conn, writer_slice(&out));
	return conn->staged.len;
}

static void decrypt_all(struct conn_table *table)
{
	struct worker *worker = table->worker;
	size_t len = 0;
	for (struct list *node = table->inputs.next; node != &table->inputs; node = node->next) {
		struct conn *conn = container_of(node, struct conn, in_input);
		if (conn->tls) {
			len += decrypt(conn, worker->plain_buffer + len, WORKER_PLAIN_LEN - len);
			continue;
		}
		conn->staged = conn->cipher;
		conn->cipher.len = 0;
	}
}

static void feed_all(struct conn_table *table)
{
	for (struct list *node = table->inputs.next; node != &table->inputs; node = node->next) {
		struct conn *conn = container_of(node, struct conn, in_input);
		if (conn->staged.len > 0 && !conn->ended)
			conn_feed_framer(conn, conn->staged);
	}
}

static void end_inputs(struct conn_table *table)
{
	for (struct list *node; (node = list_take_first(&table->inputs));) {
		struct conn *conn = container_of(node, struct conn, in_input);
		if (conn->tls && !conn->ended)
			conn_feed_tls(conn, conn->cipher);
		conn_note_fed(conn);
	}
	table->input_count = 0;
	table->input_len = 0;
}

/* ---- out ---- */

static bool may_write(const struct conn *conn)
{
	return conn->established && !conn->broken && !conn->writing && !conn->lingers;
}

/* Takes the first ones out of the dirty list, and what they have to say. */
static void drain_group(struct conn_table *table, struct list *dirty, struct list *group)
{
	uint8_t *plain = table->worker->plain_buffer;
	size_t left = WORKER_PLAIN_LEN;
	struct list *node;
	for (unsigned i = 0; i < GROUP && left >= ROOM_MIN && (node = list_take_first(dirty));
		i++) {
		struct conn *conn = container_of(node, struct conn, in_dirty);
		list_append(group, node);
		size_t len = may_write(conn)
			? conn->protocol->framer->drain(conn->framer, plain, left)
			: 0;
		conn->is_drained = len < left;
		conn->drained += len;
		conn->staged = slice_of(plain, len);
		plain += len;
		left -= len;
	}
}

static void encrypt_group(struct conn_table *table, struct list *group)
{
	struct writer cipher = writer_of(table->worker->cipher_buffer, WORKER_CIPHER_LEN);
	for (struct list *node = group->next; node != group; node = node->next) {
		struct conn *conn = container_of(node, struct conn, in_dirty);
		size_t before = cipher.len;
		if (!conn->tls || conn->staged.len == 0)
			continue;
		conn->broken = tls_stream_write(conn->tls, conn->staged, &cipher) != 0;
		conn->staged = slice_of(table->worker->cipher_buffer + before,
			conn->broken ? 0 : cipher.len - before);
	}
}

static void write_group(struct list *group)
{
	for (struct list *node = group->next; node != group; node = node->next) {
		struct conn *conn = container_of(node, struct conn, in_dirty);
		if (conn->staged.len > 0)
			conn_write(conn, conn->staged);
	}
}

static void flush_group(struct conn_table *table, struct list *dirty)
{
	struct list group, *node;
	list_init(&group);
	drain_group(table, dirty, &group);
	encrypt_group(table, &group);
	write_group(&group);
	while ((node = list_take_first(&group)))
		conn_flush(container_of(node, struct conn, in_dirty));
}

/* Only those that are dirty now: a flush may make one dirty again. */
static void flush_dirty(struct conn_table *table)
{
	struct list dirty = table->dirty;
	if (list_is_empty(&table->dirty))
		return;
	dirty.next->prev = &dirty;
	dirty.prev->next = &dirty;
	list_init(&table->dirty);
	while (!list_is_empty(&dirty))
		flush_group(table, &dirty);
	conn_table_shed_owed(table);
}

void conn_table_work(struct conn_table *table)
{
	decrypt_all(table);
	feed_all(table);
	end_inputs(table);
	flush_dirty(table);
}
