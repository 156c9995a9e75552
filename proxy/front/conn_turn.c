/* conn_turn.c - see conn_parts.h.
 *
 * A handshake is a thousand times the work of a question, and whoever wants can have a thousand of
 * them ready at the same moment. So a turn of the loop does a few of them, and then what there is
 * of questions again: who is established waits for HANDSHAKES_PER_TURN at most, however many others
 * want to come in. Those take their turns in the order in which they came. What a client has sent
 * stays with the kernel until then, and its deadline does not move. */
#include "proxy/front/conn_parts.h"

bool conn_may_shake_hands(struct conn *conn)
{
	struct conn_table *table = conn->table;
	if (conn->established || conn->owes_header || conn->called)
		return true;
	if (!list_is_empty(&table->waiting) || table->handshakes >= HANDSHAKES_PER_TURN)
		return false;
	table->handshakes++;
	return true;
}

void conn_wait_for_turn(struct conn *conn)
{
	conn_stop_reading(conn);
	if (list_is_empty(&conn->in_waiting))
		list_append(&conn->table->waiting, &conn->in_waiting);
}

static void call_next(struct conn_table *table)
{
	struct conn *conn = container_of(table->waiting.next, struct conn, in_waiting);
	list_remove(&conn->in_waiting);
	table->handshakes++;
	conn->called = true;
	if (!conn->reading && !conn->writing && !conn->ended)
		conn_start_reading(conn);
}

void conn_table_turn(struct conn_table *table)
{
	table->accepts = 0;
	table->handshakes = 0;
	while (!list_is_empty(&table->waiting) && table->handshakes < HANDSHAKES_PER_TURN)
		call_next(table);
}
