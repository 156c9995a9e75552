/* worker.h - one thread, one loop, one set of everything: sockets, connections, waiting queries,
 * upstream sockets, counters, log ring. Nothing of it is touched by another thread, but for the
 * doors at the end of this file.
 *
 * A turn of the loop is a batch: all that can be read is read, all that can be answered is
 * answered, and connections that have something to send stand on the dirty list, which is flushed
 * at the end of the turn, and when a group of connections has been worked on. Nothing that a
 * callback works on is freed before that. */
#ifndef PROXY_WORKER_H
#define PROXY_WORKER_H

#include <uv.h>

#include "base/list.h"
#include "base/random.h"
#include "proxy/snapshot.h"
#include "proxy/upstream/upstream.h"
#include "proxy/watch/query_log.h"

enum {
	WORKER_READ_LEN = 64 * 1024,   /* one read of a stream socket */
	WORKER_PLAIN_LEN = 64 * 1024,  /* plain bytes of one flush */
	WORKER_CIPHER_LEN = 96 * 1024, /* the same, encrypted */
	WORKER_TICK_MS = 100,
	DRAIN_MS = 5000,
};

/* A snapshot as one worker knows it. Queries that wait keep the epoch that they began with; users
 * are counted without atomics, because only this worker counts. */
struct epoch {
	struct snapshot *snapshot;
	unsigned users;
};

/* Upstreams, and the plan that they were opened with: an upstream's index means something there
 * only, as questions of a later epoch may wait for the same answer. When a reload replaces them,
 * they finish what they were asked, then they go. */
struct worker_upstreams {
	struct worker *worker;
	struct upstream_set *set; /* NULL: closed */
	struct upstream_plan *plan;
	struct list in_retired;
};

struct conn_table;
struct crowd;
struct query_table;
struct rate_limits;
struct rights;
struct token_memo;
struct udp_front;
struct listener_socket;

struct worker {
	uv_loop_t loop;
	uv_thread_t thread;
	unsigned index;
	unsigned worker_count; /* of the program; 0: it is alone */
	uv_async_t wake;
	uv_prepare_t before_wait;
	uv_check_t after_wait;
	uv_timer_t tick;
	uint64_t turn_us; /* monotonic time of this turn; 0: not yet read */
	int64_t wall_offset_us;
	int64_t boot_offset_us;    /* CLOCK_BOOTTIME, which counts suspend, less CLOCK_MONOTONIC */
	struct epoch *epoch;       /* the current one */
	uint64_t schedules;        /* of its policy: which are on, as of the last tick */
	uint64_t shadow_schedules; /* the same of the candidate beside it */
	struct exceptions *exceptions; /* published last; NULL: none, which is as empty */
	uv_mutex_t upstreams_lock; /* held when the set is replaced or closed, and by a scrape */
	struct worker_upstreams *upstreams; /* NULL when all is over */
	struct list retired;                /* of worker_upstreams */
	struct crowd *crowd;                /* the connections of all workers; shared */
	struct crowd *own_crowd;            /* the same, of a worker that shares it with nobody */
	struct conn_table *conns;
	struct query_table *queries;
	struct token_memo *tokens;
	struct cache *cache;             /* shared by all workers; NULL: none */
	struct rate_limits *rate_limits; /* the same */
	const struct rights *rights;     /* NULL: it keeps what it has */
	unsigned limited;                /* questions over UDP beyond a view's limit */
	unsigned datagrams_limited;      /* the same beyond that of a network */
	struct udp_front *udp;
	struct listener_socket *listeners;
	size_t listener_count;
	struct metrics *metrics;
	struct query_log_ring *log;
	void (*on_end)(void *context);
	void *context;
	bool draining;
	uint64_t drain_until_ms;
	uint8_t *read_buffer;   /* WORKER_READ_LEN */
	uint8_t *plain_buffer;  /* WORKER_PLAIN_LEN */
	uint8_t *cipher_buffer; /* WORKER_CIPHER_LEN */
	uint8_t *reply_buffer;  /* DNS_MESSAGE_MAX */
	uint8_t *cache_buffer;  /* DNS_PACKED_MAX: what the cache gave */
	uint8_t *packed_buffer; /* DNS_PACKED_MAX: what an upstream said */
	_Atomic(struct snapshot *) inbox;
	_Atomic(struct exceptions *) exceptions_inbox;
	_Atomic uint32_t exceptions_used[EXCEPTIONS_MAX]; /* ids, each in its place; 0: none */
	_Atomic bool drain_wanted;
	_Atomic size_t queries_waiting; /* as of the last tick */
	_Atomic size_t queued_bytes;    /* the same */
};

struct worker_parts {
	unsigned index;
	unsigned worker_count;
	struct snapshot *snapshot; /* a reference is taken */
	struct metrics *metrics;
	struct query_log_ring *log;      /* may be NULL */
	struct cache *cache;             /* may be NULL */
	struct crowd *crowd;             /* may be NULL: it counts its connections alone */
	struct rate_limits *rate_limits; /* may be NULL: no view has a limit */
	const struct rights *rights;     /* may be NULL; outlives the worker */
	void (*on_end)(void *context);   /* from the worker's thread, when its loop is empty */
	void *context;
};

/* Opens everything but the sockets of listeners (listener_open() in front/listener.h), in the
 * calling thread; nothing runs yet. NULL and *error on failure. */
struct worker *worker_new(const struct worker_parts *parts, int *error);
int worker_start(struct worker *worker);
/* Waits for the end of the thread (see worker_drain) and frees all. */
void worker_join(struct worker *worker);

/* Reads the clock for this turn: worker_now_us() does, the first time that it is asked. */
uint64_t worker_read_clock(struct worker *worker);
/* Microseconds, monotonic; read from the clock at most once a turn. */
static inline uint64_t worker_now_us(struct worker *worker)
{
	return worker->turn_us ? worker->turn_us : worker_read_clock(worker);
}
static inline uint64_t worker_now_ms(struct worker *worker)
{
	return worker_now_us(worker) / 1000;
}

/* Seconds since 1970. */
static inline int64_t worker_wall_now_s(struct worker *worker)
{
	return ((int64_t)worker_now_us(worker) + worker->wall_offset_us) / 1000000;
}

/* Seconds of the cache's clock, which goes on while the machine sleeps. */
static inline uint32_t worker_cache_now_s(struct worker *worker)
{
	return (uint32_t)(((int64_t)worker_now_us(worker) + worker->boot_offset_us) / 1000000);
}

/* Those that were published last, for a query that begins or goes on now; NULL: none. They stay
 * until the next call: nobody keeps them over a wait. */
struct exceptions *worker_exceptions(struct worker *worker);
/* Notes that an exception decided a query. */
void worker_note_exception(struct worker *worker, uint32_t id);

/* Queries pin the epoch that they began with while they wait. */
static inline struct epoch *epoch_pin(struct epoch *epoch)
{
	epoch->users++;
	return epoch;
}
void epoch_unpin(struct epoch *epoch);

/* The doors, safe from any thread: a new snapshot from the next turn on (takes over the
 * reference), and the order to finish and end. */
void worker_publish(struct worker *worker, struct snapshot *snapshot);
/* The same for exceptions (not NULL; none are an empty set), but from the next query on, so that
 * who was told that they are in force can rely on it. */
void worker_publish_exceptions(struct worker *worker, struct exceptions *exceptions);
void worker_drain(struct worker *worker);

/* Tells which exceptions were used since the last call; safe from one other thread. */
void worker_tell_exceptions(
	struct worker *worker, void (*on_use)(void *context, uint32_t id), void *context);

/* Tells the counters of this worker's upstreams, one by one; safe from any thread. */
void worker_tell_upstreams(struct worker *worker,
	void (*on_upstream)(
		void *context, const char *name, const struct upstream_counters *counters),
	void *context);

#endif
