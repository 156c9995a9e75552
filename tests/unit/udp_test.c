/* Datagrams to and from a real worker on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "worker_fixture.h"

static uint8_t answer[65535];

static void ask(int fd, uint16_t id, const char *name)
{
	uint8_t query[512];
	size_t len = fixture_query(query, id, name);
	assert_int_equal(send(fd, query, len, 0), len);
}

/* The length of what came, 0 when nothing did. */
static size_t receive(int fd, int timeout_ms)
{
	if (!fixture_readable(fd, timeout_ms))
		return 0;
	ssize_t got = TEMP_FAILURE_RETRY(recv(fd, answer, sizeof answer, 0));
	return got > 0 ? (size_t)got : 0;
}

static unsigned answered_id(int fd)
{
	assert_true(receive(fd, PATIENCE_MS) >= 12);
	return (unsigned)(answer[0] << 8 | answer[1]);
}

static void test_many_at_once(void **state)
{
	(void)state;
	struct worker_fixture *f = fixture_start("127.0.0.1", "");
	int fd = fixture_connect("127.0.0.1", f->dns_port, SOCK_DGRAM);
	bool seen[150] = { false };
	for (uint16_t id = 0; id < 150; id++)
		ask(fd, id, id % 5 ? "now.test" : "slow.test");
	for (unsigned i = 0; i < 150; i++) {
		unsigned id = answered_id(fd);
		assert_true(id < 150 && !seen[id]);
		seen[id] = true;
		assert_int_equal(answer[3] & 15, 0);
	}
	close(fd);
	fixture_stop(f);
}

/* A connected socket takes replies only from the address that it asked. */
static void test_reply_from_the_address_that_was_asked(void **state)
{
	(void)state;
	static const char *const asked[] = { "127.0.0.1", "127.0.0.2", "127.9.9.9" };
	struct worker_fixture *f = fixture_start("0.0.0.0", "");
	for (size_t i = 0; i < 3; i++) {
		int fd = fixture_connect(asked[i], f->dns_port, SOCK_DGRAM);
		ask(fd, 7, "now.test");
		ask(fd, 8, "slow.test"); /* also after a wait */
		assert_int_equal(answered_id(fd), 7);
		assert_int_equal(answered_id(fd), 8);
		close(fd);
	}
	fixture_stop(f);
}

static void test_ipv6(void **state)
{
	(void)state;
	static const char *const listening[] = { "::", "::1" };
	for (size_t i = 0; i < 2; i++) {
		struct worker_fixture *f = fixture_start(listening[i], "");
		int fd = fixture_connect("::1", f->dns_port, SOCK_DGRAM);
		ask(fd, 7, "now.test");
		ask(fd, 8, "slow.test");
		assert_int_equal(answered_id(fd), 7);
		assert_int_equal(answered_id(fd), 8);
		close(fd);
		/* IPV6_V6ONLY: an IPv4 client is another listener's. */
		fd = fixture_connect("127.0.0.1", f->dns_port, SOCK_DGRAM);
		ask(fd, 9, "now.test");
		assert_int_equal(receive(fd, 200), 0);
		close(fd);
		fixture_stop(f);
	}
}

static void test_what_is_no_question(void **state)
{
	(void)state;
	static const uint8_t is_answer[12] = { 0, 1, 0x80 };
	static const uint8_t half[14] = { 0, 5, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 'w' };
	static uint8_t large[9000] = { 0, 6, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 'n', 'o', 'w' };
	struct worker_fixture *f = fixture_start("127.0.0.1", "");
	int fd = fixture_connect("127.0.0.1", f->dns_port, SOCK_DGRAM);
	assert_int_equal(send(fd, "", 0, 0), 0);
	assert_int_equal(send(fd, "x", 1, 0), 1);
	assert_int_equal(send(fd, is_answer, 11, 0), 11);
	assert_int_equal(send(fd, is_answer, 12, 0), 12);
	assert_int_equal(receive(fd, 200), 0);
	assert_int_equal(send(fd, half, sizeof half, 0), sizeof half);
	assert_int_equal(answered_id(fd), 5);
	assert_int_equal(answer[3] & 15, 1);
	assert_int_equal(send(fd, large, sizeof large, 0), sizeof large);
	assert_int_equal(answered_id(fd), 6);
	assert_int_equal(answer[3] & 15, 1);
	ask(fd, 7, "drop.test");
	assert_int_equal(receive(fd, 200), 0);
	ask(fd, 8, "now.test");
	assert_int_equal(answered_id(fd), 8);
	close(fd);
	fixture_stop(f);
}

/* More than fits is not sent: TC, and TCP has all of it (RFC 2181 9). */
static void test_truncated(void **state)
{
	(void)state;
	struct worker_fixture *f = fixture_start("127.0.0.1", "");
	int fd = fixture_connect("127.0.0.1", f->dns_port, SOCK_DGRAM);
	ask(fd, 1, "huge.test");
	size_t len = receive(fd, PATIENCE_MS);
	assert_in_range(len, 12, 512);
	assert_true(answer[2] & 2);
	close(fd);
	fixture_stop(f);
}

/* What was asked before the end is answered; what comes later is not read. */
static void test_drain(void **state)
{
	(void)state;
	struct worker_fixture *f = fixture_start("127.0.0.1", "");
	int fd = fixture_connect("127.0.0.1", f->dns_port, SOCK_DGRAM);
	ask(fd, 1, "slow.test");
	usleep(50000);
	worker_drain(f->worker);
	usleep(50000);
	ask(fd, 2, "now.test");
	assert_int_equal(answered_id(fd), 1);
	assert_int_equal(receive(fd, 200), 0);
	close(fd);
	fixture_stop(f);
}

/* Nobody is there any more for the replies: the next client does not notice. */
static void test_clients_that_are_gone(void **state)
{
	(void)state;
	struct worker_fixture *f = fixture_start("127.0.0.1", "");
	for (unsigned i = 0; i < 40; i++) {
		int fd = fixture_connect("127.0.0.1", f->dns_port, SOCK_DGRAM);
		ask(fd, 1, "slow.test");
		close(fd);
	}
	int fd = fixture_connect("127.0.0.1", f->dns_port, SOCK_DGRAM);
	ask(fd, 2, "slow.test");
	assert_int_equal(answered_id(fd), 2);
	usleep(50000);
	ask(fd, 3, "now.test");
	assert_int_equal(answered_id(fd), 3);
	close(fd);
	fixture_stop(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_reply_from_the_address_that_was_asked),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_what_is_no_question),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_drain),
		cmocka_unit_test(test_clients_that_are_gone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
