/* conn_pressure.c - see conn_parts.h.
 *
 * From limits.pressure on (of connections, or of descriptors) idle connections live for a tenth of
 * their time and are told so (RFC 7766 6.2.3, RFC 7828 3.2.2), and the oldest ones of the clients
 * that have most of them are ended. When there is no room at all, a new connection takes the place
 * of one that has said all, that is idle, or that has long not said what it began to say; where
 * there is none of these it is refused. Whoever has a question under way stays. */
#include <sys/resource.h>

#include "proxy/front/conn_parts.h"

enum {
	LOOKED_AT = 32,     /* idle connections, of which the one of the greediest client goes */
	ASIDE = 64,         /* places all over the table that are looked at, too */
	PASSED_MAX = 1024,  /* on the way to them: those that wait for an upstream stay */
	AT_WORK_MS = 1000,  /* since the last question or answer */
	PATIENCE_MS = 1000, /* with who has just come in, or has begun to say something */
	ROOM_MS = 5 * WORKER_TICK_MS, /* in which the other workers end what is idle with them */
	GIVEN_MAX = 64,               /* connections that one of them ends for it in a tick */
	SHORT_MS = 1000,     /* after the last connection that met one of the last descriptors */
	IDLE_SHARE = 10,     /* of the idle timeout */
	IDLE_LEAST_MS = 100, /* as keepalive has it: 0 would mean never */
};

static bool is_pressed(const struct conn_table *table)
{
	return worker_now_ms(table->worker) < table->short_until_ms ||
		crowd_excess(table->worker->crowd, conn_table_limits(table)->pressure) > 0;
}

uint64_t conn_table_idle_timeout_ms(const struct conn_table *table)
{
	uint64_t timeout_ms = conn_table_limits(table)->idle_timeout_ms;
	if (!is_pressed(table))
		return timeout_ms;
	timeout_ms /= IDLE_SHARE;
	return timeout_ms > IDLE_LEAST_MS ? timeout_ms : IDLE_LEAST_MS;
}

uint64_t conn_idle_timeout_ms(const struct worker *worker)
{
	return conn_table_idle_timeout_ms(worker->conns);
}

/* ---- who goes ---- */

/* Nothing is under way on it, and nothing was a moment ago. */
static bool can_go(const struct conn *conn, uint64_t now_ms)
{
	bool asks = conn->asked_ms && now_ms - conn->asked_ms < AT_WORK_MS;
	return conn->held == 0 && !conn_has_input(conn) && !conn->ended && !conn->broken && !asks;
}

struct choice {
	struct conn *conn; /* NULL: none so far */
	size_t greed;
};

/* Of one client's, one that never asked anything goes first. */
static void weigh(struct choice *choice, struct conn *conn)
{
	size_t greed = 2 * crowd_count_at(conn->table->worker->crowd, &conn->place) +
		(conn->asked_ms == 0);
	if (greed > choice->greed)
		*choice = (struct choice){ conn, greed };
}

static void weigh_oldest(struct choice *choice, struct conn_table *table, uint64_t age_ms)
{
	struct list *head = &table->phases[PHASE_IDLE];
	uint64_t now_ms = worker_now_ms(table->worker);
	unsigned seen = 0, passed = 0;
	for (struct list *node = head->next; node != head; node = node->next) {
		struct conn *conn = container_of(node, struct conn, in_phase);
		if (seen >= LOOKED_AT || passed++ >= PASSED_MAX ||
			now_ms - conn->entered_ms < age_ms)
			return;
		if (!can_go(conn, now_ms))
			continue;
		seen++;
		weigh(choice, conn);
	}
}

/* Evenly spread over the table, wherever it goes on from: steps of the golden ratio. */
static struct conn *next_aside(struct conn_table *table)
{
	table->aside += 0x9e3779b9u;
	return table->slots[(uint64_t)table->aside * table->untouched >> 32].conn;
}

static void weigh_aside(struct choice *choice, struct conn_table *table, uint64_t age_ms)
{
	uint64_t now_ms = worker_now_ms(table->worker);
	for (unsigned i = 0; i < ASIDE; i++) {
		struct conn *conn = next_aside(table);
		if (conn && conn->phase == PHASE_IDLE && can_go(conn, now_ms) &&
			now_ms - conn->entered_ms >= age_ms)
			weigh(choice, conn);
	}
}

/* One of the client that has most connections, of those that have been idle for longest and of some
 * others: whoever has very many and now and then asks something on each is never among the first,
 * but has most of the table. */
static struct conn *idlest(struct conn_table *table, uint64_t age_ms)
{
	struct choice choice = { .conn = NULL };
	weigh_oldest(&choice, table, age_ms);
	if (choice.conn)
		weigh_aside(&choice, table, age_ms);
	return choice.conn;
}

/* The first of a phase, when it has been in it for so long. */
static struct conn *oldest(struct conn_table *table, enum conn_phase phase, uint64_t age_ms)
{
	struct list *head = &table->phases[phase];
	struct conn *conn = container_of(head->next, struct conn, in_phase);
	if (list_is_empty(head) || conn->held > 0 || conn_has_input(conn) ||
		worker_now_ms(table->worker) - conn->entered_ms < age_ms)
		return NULL;
	return conn;
}

/* Its last words, and it is gone; nothing of it is on the stack where connections are accepted. */
static void end_now(struct conn *conn)
{
	conn->hurries = true;
	if (conn->established && !conn->lingers && !conn->broken) {
		conn_end(conn);
		conn_flush(conn);
	}
	conn_close(conn);
}

/* Ends this one for somebody else; false when there is none. */
static bool end_for_room(struct conn_table *table, struct conn *conn)
{
	if (!conn)
		return false;
	if (conn->phase != PHASE_LINGER)
		metrics_drop(table->worker->metrics, METRICS_DROP_PRESSURE);
	end_now(conn);
	return true;
}

/* Of those that have had their time. */
static struct conn *dispensable(struct conn_table *table)
{
	struct conn *conn = oldest(table, PHASE_LINGER, 0);
	if (!conn)
		conn = idlest(table, PATIENCE_MS);
	if (!conn)
		conn = oldest(table, PHASE_HANDSHAKE, PATIENCE_MS);
	if (!conn)
		conn = oldest(table, PHASE_REQUEST, PATIENCE_MS);
	return conn;
}

/* Who has just come in goes only when the other workers, too, have had the time to find somebody:
 * he may be the only one here who is not part of the crowd, and they may have all of it. */
static struct conn *latecomer(struct conn_table *table, enum conn_room *room)
{
	uint64_t now_ms = worker_now_ms(table->worker);
	if (!table->full_since_ms)
		table->full_since_ms = now_ms;
	*room = now_ms - table->full_since_ms < ROOM_MS ? CONN_ROOM_MAY_COME : CONN_ROOM_NONE;
	if (*room == CONN_ROOM_NONE)
		return idlest(table, 0);
	crowd_call(table->worker->crowd);
	return NULL;
}

enum conn_room conn_take_room(struct conn_table *table)
{
	enum conn_room none = CONN_ROOM_NONE;
	if (crowd_enter(table->worker->crowd)) {
		table->full_since_ms = 0;
		return CONN_ROOM_TAKEN;
	}
	struct conn *conn = dispensable(table);
	if (conn)
		table->full_since_ms = 0;
	else
		conn = latecomer(table, &none);
	if (!end_for_room(table, conn))
		return none;
	/* Another worker may have been quicker. */
	return crowd_enter(table->worker->crowd) ? CONN_ROOM_TAKEN : CONN_ROOM_MAY_COME;
}

bool conn_free_descriptor(struct conn_table *table)
{
	struct conn *conn = dispensable(table);
	return end_for_room(table, conn ? conn : idlest(table, 0));
}

bool conn_may_have_descriptor(struct conn_table *table, int fd)
{
	uint64_t now_ms = worker_now_ms(table->worker);
	bool is_last = fd >= 0 && (size_t)fd >= table->descriptors;
	if (is_last)
		table->short_until_ms = now_ms + SHORT_MS;
	/* The next one gets the number that the end of another has freed, which says nothing: so
	 * for a while each one is to take a place that it has made. */
	if (now_ms >= table->short_until_ms)
		return true;
	return conn_free_descriptor(table) || !is_last;
}

/* ---- as time passes ---- */

/* The limit may have been changed from outside (prlimit). */
static void note_descriptors(struct conn_table *table)
{
	struct rlimit limit;
	unsigned percent = conn_table_limits(table)->pressure;
	table->descriptors = SIZE_MAX;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		table->descriptors = (size_t)(limit.rlim_cur / 100 * percent) +
			(size_t)(limit.rlim_cur % 100 * percent / 100);
}

/* Its share of what is too much: other workers do the same. */
static size_t share_of(const struct conn_table *table, size_t excess)
{
	size_t count = crowd_count(table->worker->crowd);
	return excess && count ? excess * table->count / count + 1 : 0;
}

/* In good order. */
static void shed(struct conn_table *table, size_t count, uint64_t age_ms)
{
	for (; count > 0; count--) {
		struct conn *conn = idlest(table, age_ms);
		if (!conn)
			return;
		metrics_drop(table->worker->metrics, METRICS_DROP_PRESSURE);
		list_remove(&conn->in_phase);
		conn->hurries = true;
		conn_end(conn);
	}
}

/* Who has more than his part of all connections gives of it to the one that called. */
static void answer_call(struct conn_table *table)
{
	struct crowd *crowd = table->worker->crowd;
	unsigned workers = table->worker->worker_count ? table->worker->worker_count : 1;
	size_t part = crowd_capacity(crowd) / workers;
	if (table->count <= part)
		crowd_call(crowd); /* for somebody else to hear */
	else
		shed(table, table->count - part < GIVEN_MAX ? table->count - part : GIVEN_MAX, 0);
}

void conn_table_shed(struct conn_table *table)
{
	struct crowd *crowd = table->worker->crowd;
	size_t excess = crowd_excess(crowd, conn_table_limits(table)->pressure);
	note_descriptors(table);
	shed(table, share_of(table, excess), PATIENCE_MS);
	if (crowd_hear(crowd) && excess)
		answer_call(table);
}

/* ---- replies that are not taken ---- */

void conn_note_owed(struct conn *conn)
{
	size_t owed = conn->protocol->framer->queued(conn->framer) + conn->pending_len;
	conn->table->owed += owed - conn->owed;
	conn->owed = owed;
}

static struct conn *greediest(struct conn_table *table)
{
	struct list *head = &table->phases[PHASE_WRITE];
	struct conn *best = NULL;
	for (struct list *node = head->next; node != head; node = node->next) {
		struct conn *conn = container_of(node, struct conn, in_phase);
		if (conn->owed > 0 && (!best || conn->owed > best->owed))
			best = conn;
	}
	return best;
}

void conn_table_shed_owed(struct conn_table *table)
{
	unsigned workers = table->worker->worker_count ? table->worker->worker_count : 1;
	size_t most = conn_table_limits(table)->queued_bytes / workers;
	while (table->owed > most) {
		struct conn *conn = greediest(table);
		if (!conn)
			return;
		metrics_drop(table->worker->metrics, METRICS_DROP_QUEUED_FULL);
		conn_close(conn);
	}
}
