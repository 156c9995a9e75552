/* Sockets of a pool and a resolver that is a socket of our own: what leaves, from where, and what
 * comes back. */
#include "proxy/upstream/udp_pool.h"

#include <arpa/inet.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { QUERIES = 256, WINDOW = 64, SPREAD = 16 };

static struct {
	uv_loop_t loop;
	struct random_pool random;
	struct udp_pool pool;
	struct udp_query queries[QUERIES];
	int resolver;
	struct sockaddr_in last_from;
	unsigned datagrams, unsent, lost;
	struct udp_socket *answered;
} t;

static void on_datagram(void *context, struct udp_socket *sock, struct slice bytes, bool cut)
{
	(void)context;
	assert_false(cut);
	assert_int_equal(bytes.len, 6);
	t.answered = sock;
	t.datagrams++;
}

static void on_unsent(void *context, struct udp_query *query)
{
	(void)context;
	assert_null(query->socket);
	udp_query_forget(query);
	t.unsent++;
}

/* What left from there is lost. */
static void on_error(void *context, struct udp_socket *sock)
{
	(void)context;
	for (unsigned i = 0; i < QUERIES; i++) {
		if (t.queries[i].socket != sock)
			continue;
		udp_query_forget(&t.queries[i]);
		t.lost++;
	}
}

static void on_nothing(void *context)
{
	(void)context;
}

static void open_pool(uint32_t address)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(address) };
	socklen_t len = sizeof to;
	memset(&t, 0, sizeof t);
	uv_loop_init(&t.loop);
	random_pool_init(&t.random);
	t.resolver = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	struct sockaddr_in here = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	assert_int_equal(bind(t.resolver, (struct sockaddr *)&here, sizeof here), 0);
	getsockname(t.resolver, (struct sockaddr *)&here, &len);
	to.sin_port = here.sin_port;
	t.pool.loop = &t.loop;
	t.pool.random = &t.random;
	t.pool.batch = udp_batch_new();
	memcpy(&t.pool.to, &to, sizeof to);
	t.pool.to_len = sizeof to;
	t.pool.events = (struct udp_pool_events){ .on_datagram = on_datagram,
		.on_unsent = on_unsent,
		.on_batch = on_nothing,
		.on_error = on_error,
		.on_closed = on_nothing };
	udp_pool_init(&t.pool);
	for (unsigned i = 0; i < QUERIES; i++)
		udp_query_init(&t.queries[i]);
}

static void close_pool(void)
{
	udp_pool_close(&t.pool);
	uv_run(&t.loop, UV_RUN_DEFAULT);
	assert_int_equal(t.pool.handles, 0);
	assert_int_equal(uv_loop_close(&t.loop), 0);
	udp_batch_free(t.pool.batch);
	close(t.resolver);
}

static void send_query(unsigned i)
{
	udp_pool_send(&t.pool, &t.queries[i], slice_of("query", 6));
}

static void turn(void)
{
	uv_run(&t.loop, UV_RUN_NOWAIT);
}

/* The port that the next datagram came from; 0: there is none. */
static uint16_t receive(void)
{
	char bytes[64];
	socklen_t len = sizeof t.last_from;
	ssize_t got =
		recvfrom(t.resolver, bytes, sizeof bytes, 0, (struct sockaddr *)&t.last_from, &len);
	if (got < 0)
		return 0;
	assert_int_equal(got, 6);
	assert_memory_equal(bytes, "query", 6);
	return ntohs(t.last_from.sin_port);
}

static unsigned distinct(const uint16_t *ports, unsigned count)
{
	unsigned found = 0;
	for (unsigned i = 0; i < count; i++) {
		unsigned k = 0;
		while (ports[k] != ports[i])
			k++;
		found += k == i;
	}
	return found;
}

/* Whatever is asked in one turn: any 64 in a row leave from 16 ports or more, and no more than
 * UDP_POOL_TOGETHER in a row from the same one. */
static void test_ports_take_turns(void **state)
{
	static const unsigned widths[] = { 1, 2, 3, 4, 5, 7, 32, 64, 255 };
	(void)state;
	for (unsigned row = 0; row < sizeof widths / sizeof *widths; row++) {
		uint16_t ports[QUERIES];
		unsigned seen = 0;
		open_pool(INADDR_LOOPBACK);
		for (unsigned i = 0; i < QUERIES; i++) {
			send_query(i);
			if ((i + 1) % widths[row] == 0 || i + 1 == QUERIES)
				turn();
			for (uint16_t port; (port = receive());)
				ports[seen++] = port;
		}
		assert_int_equal(seen, QUERIES);
		for (unsigned i = 0; i + WINDOW <= QUERIES; i++)
			assert_true(distinct(ports + i, WINDOW) >= SPREAD);
		for (unsigned i = 0; i + UDP_POOL_TOGETHER < QUERIES; i++)
			assert_true(distinct(ports + i, UDP_POOL_TOGETHER + 1) > 1);
		close_pool();
	}
}

/* A call that is full does not wait for the end of a turn, which may be long. */
static void test_a_full_call_leaves_at_once(void **state)
{
	(void)state;
	open_pool(INADDR_LOOPBACK);
	for (unsigned i = 0; i < UDP_POOL_TOGETHER; i++) {
		assert_int_equal(receive(), 0);
		send_query(i);
	}
	for (unsigned i = 0; i < UDP_POOL_TOGETHER; i++)
		assert_true(receive() > 0);
	send_query(UDP_POOL_TOGETHER);
	assert_int_equal(receive(), 0);
	turn();
	assert_true(receive() > 0);
	close_pool();
}

static void test_an_answer_finds_its_socket(void **state)
{
	(void)state;
	open_pool(INADDR_LOOPBACK);
	send_query(0);
	assert_null(t.queries[0].socket);
	turn();
	assert_non_null(t.queries[0].socket);
	assert_int_equal(t.queries[0].socket->in_flight, 1);
	assert_true(receive() > 0);
	sendto(t.resolver, "answer", 6, 0, (struct sockaddr *)&t.last_from, sizeof t.last_from);
	turn();
	assert_int_equal(t.datagrams, 1);
	assert_ptr_equal(t.answered, t.queries[0].socket);
	udp_query_forget(&t.queries[0]);
	assert_int_equal(t.answered->in_flight, 0);
	udp_query_forget(&t.queries[0]);
	assert_int_equal(t.answered->in_flight, 0);
	close_pool();
}

/* Its memory is somebody else's by the end of the turn. */
static void test_what_is_forgotten_does_not_leave(void **state)
{
	(void)state;
	open_pool(INADDR_LOOPBACK);
	for (unsigned i = 0; i < 3; i++)
		send_query(i);
	udp_query_forget(&t.queries[1]);
	t.queries[1].message = slice_of(NULL, 0);
	turn();
	assert_true(receive() > 0);
	assert_true(receive() > 0);
	assert_int_equal(receive(), 0);
	assert_non_null(t.queries[0].socket);
	assert_null(t.queries[1].socket);
	assert_non_null(t.queries[2].socket);
	close_pool();
}

/* Nobody may send to this address without asking for it. */
static void test_each_that_is_refused_is_told(void **state)
{
	(void)state;
	open_pool(INADDR_BROADCAST);
	for (unsigned i = 0; i < 9; i++)
		send_query(i);
	turn();
	assert_int_equal(t.unsent, 9);
	close_pool();
}

/* Nobody listens: however many left together, all of them are known to be lost. */
static void test_all_that_are_lost_are_told(void **state)
{
	(void)state;
	for (unsigned count = 1; count <= 3 * UDP_POOL_TOGETHER; count++) {
		open_pool(INADDR_LOOPBACK);
		close(t.resolver);
		t.resolver = -1;
		for (unsigned i = 0; i < count; i++)
			send_query(i);
		for (unsigned turns = 0; turns < 10; turns++)
			turn();
		assert_int_equal(t.lost + t.unsent, count);
		close_pool();
	}
}

static void test_close_with_queries_unsent(void **state)
{
	(void)state;
	open_pool(INADDR_LOOPBACK);
	send_query(0);
	close_pool();
	assert_int_equal(t.unsent, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports_take_turns),
		cmocka_unit_test(test_a_full_call_leaves_at_once),
		cmocka_unit_test(test_an_answer_finds_its_socket),
		cmocka_unit_test(test_what_is_forgotten_does_not_leave),
		cmocka_unit_test(test_each_that_is_refused_is_told),
		cmocka_unit_test(test_all_that_are_lost_are_told),
		cmocka_unit_test(test_close_with_queries_unsent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
