/* conn_header.c - see conn_parts.h. Until the header is whole it is not known whose connection this
 * is. */
#include "base/error.h"
#include "proxy/framing/proxy_header.h"
#include "proxy/front/conn_parts.h"

void conn_refuse_header(struct conn *conn, const char *reason)
{
	struct conn_table *table = conn->table;
	char peer[ADDRESS_TEXT_MAX];
	metrics_drop(table->worker->metrics, METRICS_DROP_PROXY_HEADER);
	unsigned counted = log_rate_ok(&table->header_failures, worker_now_ms(table->worker));
	if (!counted)
		return;
	address_text(&conn->client, peer);
	log_info("%s: no PROXY header peer=%s count=%u: %s",
		protocol_name(conn->protocol->protocol), peer, counted, reason);
}

/* Now it is known whose connection this is. */
static void take_client(struct conn *conn, const struct proxy_header *header)
{
	conn->owes_header = false;
	conn->established = !conn->protocol->encrypted;
	if (header->has_client) {
		conn->client = header->client;
		conn->client_port = header->client_port;
	}
	if (!conn_table_claim(conn->table, conn))
		conn_mark_broken(conn);
}

void conn_feed_header(struct conn *conn, struct slice *bytes)
{
	struct proxy_header header;
	size_t before = bytes_len(&conn->header), room = PROXY_HEADER_MAX - before;
	size_t taken = bytes->len < room ? bytes->len : room;
	if (bytes_append(&conn->header, bytes->at, taken)) {
		metrics_drop(conn->table->worker->metrics, METRICS_DROP_NO_MEMORY);
		conn_mark_broken(conn);
		return;
	}
	ssize_t len = proxy_header_read(bytes_peek(&conn->header), &header);
	if (len < 0) {
		conn_refuse_header(conn, error_text((int)len));
		conn_mark_broken(conn);
		return;
	}
	if (len > 0) {
		bytes_consume(&conn->header, bytes_len(&conn->header));
		taken = (size_t)len - before;
		take_client(conn, &header);
	}
	*bytes = slice_of(bytes->at + taken, bytes->len - taken);
}
