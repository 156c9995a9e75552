/* conn_phase.c - see conn_parts.h.
 *
 * Deadlines are absolute per phase and are not restarted by bytes: the oldest incomplete request
 * must become whole, whatever else is complete meanwhile; replies must be taken at more than a
 * trickle; and only questions and answers keep a connection from being idle. Each phase has one
 * timeout, so the list of a phase is in order of its deadlines and only its head is ever looked at.
 * A busy connection moves to the end of the idle list once a second at most. */
#include "proxy/front/conn_parts.h"

enum { IDLE_GRAIN_MS = 1000, LINGER_MS = 1000 };

static uint64_t phase_timeout_ms(const struct conn_table *table, enum conn_phase phase)
{
	const struct limits_config *limits = conn_table_limits(table);
	switch (phase) {
	case PHASE_HANDSHAKE: return limits->handshake_timeout_ms;
	case PHASE_REQUEST: return limits->request_timeout_ms;
	case PHASE_WRITE: return WRITE_TIMEOUT_MS;
	case PHASE_LINGER: return LINGER_MS;
	default: return conn_table_idle_timeout_ms(table);
	}
}

void conn_phase_enter(struct conn *conn, enum conn_phase phase, uint64_t now_ms)
{
	struct conn_table *table = conn->table;
	conn->phase = phase;
	conn->entered_ms = now_ms;
	conn->drained = 0;
	conn->active = false;
	list_remove(&conn->in_phase);
	list_append(&table->phases[phase], &conn->in_phase);
}

enum conn_phase conn_phase_now(const struct conn *conn)
{
	if (!conn->established)
		return PHASE_HANDSHAKE;
	if (conn->writing || conn->protocol->framer->queued(conn->framer) > 0)
		return PHASE_WRITE;
	if (conn->protocol->framer->late_request(conn->framer))
		return PHASE_REQUEST;
	return PHASE_IDLE;
}

/* Is the incomplete request that we wait for another one than before? */
static bool late_changed(struct conn *conn, uint64_t now_ms)
{
	uint64_t late = conn->protocol->framer->late_request(conn->framer);
	if (late == conn->late)
		return false;
	conn->late = late;
	conn->late_since_ms = now_ms;
	return true;
}

/* Has what the phase waits for happened, so that it begins anew? */
static bool phase_is_renewed(const struct conn *conn, bool other_late, uint64_t now_ms)
{
	switch (conn->phase) {
	case PHASE_REQUEST: return other_late;
	case PHASE_WRITE: return conn->drained >= WRITE_PROGRESS;
	case PHASE_IDLE: return conn->active && now_ms - conn->entered_ms >= IDLE_GRAIN_MS;
	default: return false;
	}
}

static void give_up(struct conn *conn, enum metrics_drop_reason reason)
{
	list_remove(&conn->in_phase); /* it is judged; the flush closes it */
	if (conn->broken)
		return;
	metrics_drop(conn->table->worker->metrics, reason);
	conn_mark_broken(conn);
}

void conn_note_active(struct conn *conn)
{
	conn->active = true;
	conn->asked_ms = worker_now_ms(conn->table->worker);
}

void conn_phase_update(struct conn *conn)
{
	uint64_t now_ms = worker_now_ms(conn->table->worker);
	enum conn_phase phase = conn_phase_now(conn);
	bool other_late = late_changed(conn, now_ms);
	if (phase != conn->phase || phase_is_renewed(conn, other_late, now_ms))
		conn_phase_enter(conn, phase, now_ms);
	/* Other phases in between do not give a request more time, but we must have read it. */
	if (conn->late && !conn->writing &&
		now_ms - conn->late_since_ms >= phase_timeout_ms(conn->table, PHASE_REQUEST))
		give_up(conn, METRICS_DROP_DEADLINE);
}

static void end_idle(struct conn *conn, uint64_t now_ms)
{
	if (conn->held > 0) {
		conn_phase_enter(conn, PHASE_IDLE, now_ms); /* it is we who are slow */
		return;
	}
	list_remove(&conn->in_phase);
	metrics_drop(conn->table->worker->metrics, METRICS_DROP_IDLE);
	conn_end(conn);
}

static void end_handshake(struct conn *conn)
{
	if (conn->owes_header) {
		list_remove(&conn->in_phase);
		if (!conn->broken)
			conn_refuse_header(conn, "it did not come in time");
		conn_mark_broken(conn);
		return;
	}
	metrics_tls(conn->table->worker->metrics, "", "timeout", false);
	give_up(conn, METRICS_DROP_HANDSHAKE_TIMEOUT);
}

static void on_deadline(struct conn *conn, uint64_t now_ms)
{
	switch (conn->phase) {
	case PHASE_HANDSHAKE: end_handshake(conn); return;
	case PHASE_REQUEST: give_up(conn, METRICS_DROP_DEADLINE); return;
	case PHASE_WRITE: give_up(conn, METRICS_DROP_SLOW_READER); return;
	case PHASE_LINGER:
		list_remove(&conn->in_phase);
		conn_mark_broken(conn);
		return;
	default: end_idle(conn, now_ms); return;
	}
}

void conn_table_tick(struct conn_table *table)
{
	uint64_t now_ms = worker_now_ms(table->worker);
	conn_table_drain_on(table);
	conn_table_shed(table);
	for (unsigned phase = 0; phase < PHASE_COUNT; phase++) {
		struct list *head = &table->phases[phase];
		uint64_t timeout_ms = phase_timeout_ms(table, (enum conn_phase)phase);
		while (!list_is_empty(head)) {
			struct conn *conn = container_of(head->next, struct conn, in_phase);
			if (conn->entered_ms + timeout_ms > now_ms)
				break;
			on_deadline(conn, now_ms);
		}
	}
}
