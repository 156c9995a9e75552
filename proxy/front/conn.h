/* conn.h - one client over TCP: socket, TLS, framer, deadlines. Steps 1, 2 and 13 of a query's
 * journey. A connection is named by a conn_id outside of this file; one that went away simply does
 * not resolve any more. */
#ifndef PROXY_FRONT_CONN_H
#define PROXY_FRONT_CONN_H

#include "proxy/front/listener.h"
#include "proxy/query/query.h"

struct conn_table;

struct conn_table *conn_table_new(struct worker *worker, size_t capacity);
void conn_table_free(struct conn_table *table); /* when empty */
size_t conn_table_count(const struct conn_table *table);

/* Takes in one client that waits at the socket, or closes its connection when it may not enter. */
enum conn_accepted {
	CONN_ACCEPTED, /* or refused: others may wait */
	CONN_NOBODY_WAITS,
	CONN_NOT_NOW, /* this turn has no place for more, or there is no descriptor or memory */
};
enum conn_accepted conn_accept(struct worker *worker, struct listener_socket *socket);

/* The reply of one stream. `max_age_s` is for HTTP caches. */
void conn_reply(
	struct worker *worker, const struct reply_to *to, struct slice message, uint32_t max_age_s);

/* The stream gets no DNS message: this status over HTTP; silence elsewhere. */
void conn_reject(struct worker *worker, const struct reply_to *to, unsigned status);

/* A query of this connection waits for an upstream (+1) or does not any more (-1). Gives false
 * when +1 would be over the limit; then nothing was counted. */
bool conn_hold(struct worker *worker, const struct reply_to *to);
void conn_release(struct worker *worker, const struct reply_to *to);

/* End of turn: what connections have read is worked on, everything that they have to send goes out,
 * and what is to close is closed. */
void conn_table_work(struct conn_table *table);

/* A turn begins: who had to wait for it goes on, but for listeners (listener.h). */
void conn_table_turn(struct conn_table *table);

/* For how long a connection may be idle: less than limits.idle_timeout when there are too many. */
uint64_t conn_idle_timeout_ms(const struct worker *worker);

/* Bytes of replies that clients have not taken. */
size_t conn_table_owed(const struct conn_table *table);

/* Deadlines that have passed; called every WORKER_TICK_MS. */
void conn_table_tick(struct conn_table *table);

/* A new snapshot is in force. Who was let in by a certificate under other authorities, and who has
 * none where one must be shown now, has to come in again. */
void conn_table_recheck(struct conn_table *table);

/* Tells every client that we go (GOAWAY), closes connections as they become idle. */
void conn_table_drain(struct conn_table *table);
void conn_table_close_all(struct conn_table *table);

#endif
