/* conn_parts.h - what the files of a connection share; for them alone.
 *
 *   conn.c         birth, replies, death
 *   conn_table.c   all of a worker's connections: slots, and who has how many
 *   conn_header.c  a PROXY header in front of everything
 *   conn_read.c    from the socket through TLS and framer to questions
 *   conn_write.c   the dirty list: from framer through TLS to the socket, and the end in good order
 *   conn_phase.c   deadlines
 *   conn_stages.c  what was read, and what is to be written, of many connections stage by stage
 *   conn_turn.c    what one turn of the loop may take: connections, handshakes
 *   conn_pressure.c  too many connections, descriptors or replies: who goes first */
#ifndef PROXY_FRONT_CONN_PARTS_H
#define PROXY_FRONT_CONN_PARTS_H

#include "base/bytes.h"
#include "base/list.h"
#include "base/log.h"
#include "proxy/front/conn.h"
#include "proxy/front/crowd.h"
#include "proxy/worker.h"

enum conn_phase {
	PHASE_HANDSHAKE, /* the PROXY header is not whole, or TLS is not up yet */
	PHASE_REQUEST,   /* a request has begun and is not complete */
	PHASE_WRITE,     /* the client does not take what we have for it */
	PHASE_IDLE,
	PHASE_LINGER, /* all is said; what the client still sends is thrown away until it closes */
	PHASE_COUNT,
};

enum {
	QUEUED_MAX = 256 * 1024, /* bytes of replies above which we read no more in this turn */
	WRITE_TIMEOUT_MS = 10000,
	WRITE_PROGRESS = 16 * 1024, /* bytes that a slow client must take in that time */
	ACCEPTS_PER_TURN = 32,      /* new connections of one turn of the loop */
	HANDSHAKES_PER_TURN = 8,    /* of these, those whose handshake may go a step on */
};

struct conn {
	uv_tcp_t tcp;
	struct conn_table *table;
	const struct stream_protocol *protocol;
	struct tls_stream *tls; /* NULL: plain TCP */
	struct framer *framer;
	struct address client; /* as the PROXY header says, else the peer */
	uint16_t client_port;
	struct bytes header; /* of a PROXY header, so far */
	uint16_t listener;
	uint32_t slot;
	uint32_t generation;
	unsigned held; /* queries that wait for an upstream */
	enum conn_phase phase;
	uint64_t entered_ms; /* the phase */
	size_t drained;      /* in this phase: plain bytes handed to the socket, or thrown away */
	uint64_t late;       /* the oldest incomplete request, see framer.h */
	uint64_t late_since_ms;
	struct list in_input;
	struct list in_dirty;
	struct list in_phase;
	struct list in_waiting;
	struct crowd_place place;
	struct slice cipher; /* while it is in the list of inputs: what was read */
	struct slice
		staged;     /* between two stages: plain or encrypted bytes, of a worker's buffer */
	size_t owed;        /* replies that the client did not take, as of the last flush */
	size_t pending_len; /* of these, what a uv_write has */
	bool owes_header;   /* the peer's PROXY header is not whole */
	bool established;
	uint64_t asked_ms; /* when there last was a question or an answer; 0: never */
	bool active;       /* there was a question or an answer in this phase */
	bool writing;      /* the socket was full: a uv_write has the rest */
	bool reading;
	bool is_drained; /* its framer has nothing more for this flush */
	bool held_back;  /* its framer was full, and may have unread what came beyond */
	bool ended;      /* nothing that the client sends is of interest any more */
	bool at_end;     /* it has closed its side, or said goodbye */
	bool lingers;    /* see PHASE_LINGER */
	bool hurries;    /* it is in nobody's way: without PHASE_LINGER */
	bool called;     /* it has waited for its turn to shake hands; it is now */
	bool broken;     /* to be closed without further words */
	bool closing;
};

struct slot {
	struct conn *conn;
	uint32_t generation;
	uint32_t next_free;
};

struct conn_table {
	struct worker *worker;
	struct slot *slots;
	uint32_t capacity;
	uint32_t untouched;  /* first slot that was never used */
	uint32_t first_free; /* capacity: none */
	uint32_t aside;      /* where conn_pressure.c looks next, as a fraction of 2^32 */
	size_t count;
	bool draining;
	struct list inputs; /* read, and not yet worked on */
	unsigned input_count;
	size_t input_len;      /* of the worker's buffer for reading */
	uint64_t finish_at_ms; /* who was told that we go is not waited for; 0: no more */
	struct list dirty;
	struct list phases[PHASE_COUNT];
	struct list waiting;     /* those that may not shake hands in this turn, oldest first */
	unsigned accepts;        /* of this turn */
	unsigned handshakes;     /* the same */
	size_t owed;             /* of all connections */
	size_t descriptors;      /* from this one on they are short */
	uint64_t full_since_ms;  /* no room without ending who has just come in; 0: there was */
	uint64_t short_until_ms; /* of descriptors */
	struct log_rate handshake_failures;
	struct log_rate header_failures;
};

/* ---- conn.c ---- */

void conn_close(struct conn *conn);

/* ---- conn_table.c ---- */

const struct limits_config *conn_table_limits(const struct conn_table *table);
const struct listener_config *conn_listener(const struct conn *conn);

/* A slot for a new connection; false when all are taken. */
bool conn_table_take(struct conn_table *table, struct conn *conn);
void conn_table_give_back(struct conn_table *table, struct conn *conn);
/* NULL: it is gone. */
struct conn *conn_table_find(const struct conn_table *table, struct conn_id id);

/* It is known whose connection this is. False when this client has as many as one may; that is
 * counted. */
bool conn_table_claim(struct conn_table *table, struct conn *conn);

/* The second step of conn_table_drain(): who has not heard in time is told that it is now. */
void conn_table_drain_on(struct conn_table *table);

/* ---- conn_header.c ---- */

/* Takes the header, or what there is of it, from the front of `bytes`. */
void conn_feed_header(struct conn *conn, struct slice *bytes);
void conn_refuse_header(struct conn *conn, const char *reason);

/* ---- conn_read.c ---- */

void conn_start_reading(struct conn *conn);
void conn_stop_reading(struct conn *conn);
/* The framer was full, and answers may have made room: takes what waits in it. False when nothing
 * was done. */
bool conn_go_on(struct conn *conn);
/* In good order: what was begun is finished, nothing more is read. */
void conn_come_again(struct conn *conn);

/* Takes what was read up to the end of `cipher`, or what there is in TLS. */
void conn_feed_tls(struct conn *conn, struct slice cipher);
void conn_feed_framer(struct conn *conn, struct slice plain);
/* After conn_feed_framer(): stops reading when there is enough to do. */
void conn_note_fed(struct conn *conn);

/* What a protocol tells of its connection. */
extern const struct framer_events conn_framer_events;

/* ---- conn_write.c ---- */

/* It has something to send, or to end: the next flush looks at it. */
void conn_mark_dirty(struct conn *conn);
void conn_mark_broken(struct conn *conn);
/* To the socket as they are. */
void conn_write(struct conn *conn, struct slice bytes);
/* What TLS has to say for itself (its buffer is the worker's), with the answers that there are. */
void conn_write_tls(struct conn *conn, struct writer *cipher);
void conn_flush(struct conn *conn);
/* In good order: nothing more is read, what is owed goes out. */
void conn_end(struct conn *conn);

/* ---- conn_stages.c ---- */

/* The part of the worker's buffer that is not taken. */
struct slice conn_table_read_room(struct conn_table *table);
/* Keeps what was read there until it is worked on, at the end of the turn or, with a whole group,
 * at once: then the connection may be closed when this returns. */
void conn_take_input(struct conn *conn, struct slice cipher);
/* Is there something that was read, and not yet worked on? */
static inline bool conn_has_input(const struct conn *conn)
{
	return !list_is_empty(&conn->in_input);
}

/* ---- conn_phase.c ---- */

enum conn_phase conn_phase_now(const struct conn *conn);
void conn_phase_enter(struct conn *conn, enum conn_phase phase, uint64_t now_ms);
/* There is a question or an answer. */
void conn_note_active(struct conn *conn);
/* Something has happened: is it another phase now? */
void conn_phase_update(struct conn *conn);

/* ---- conn_turn.c ---- */

/* May this connection, which is about to be read, shake hands in this turn? Else it waits. */
bool conn_may_shake_hands(struct conn *conn);
void conn_wait_for_turn(struct conn *conn);

/* ---- conn_pressure.c ---- */

/* Takes room for a new connection (crowd_enter()), for which another may have to end. */
enum conn_room { CONN_ROOM_TAKEN, CONN_ROOM_MAY_COME, CONN_ROOM_NONE };
enum conn_room conn_take_room(struct conn_table *table);
/* A connection has been accepted with this descriptor. False when it is one of the last, and none
 * could be ended for it. */
bool conn_may_have_descriptor(struct conn_table *table, int fd);
/* There is no descriptor: ends a connection that can go. False: there is none. */
bool conn_free_descriptor(struct conn_table *table);
uint64_t conn_table_idle_timeout_ms(const struct conn_table *table);
/* As time passes: ends idle connections while there are too many. */
void conn_table_shed(struct conn_table *table);
/* After a flush. */
void conn_note_owed(struct conn *conn);
/* Ends those that owe most while there is too much of it. */
void conn_table_shed_owed(struct conn_table *table);

#endif
