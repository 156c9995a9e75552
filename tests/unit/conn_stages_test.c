/* What a turn of the loop brings, of many connections at once: the worker stands still while they
 * send, so that all of it is there when it goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "worker_fixture.h"

static const char loopback[] = "127.0.0.1";
static uint8_t answer[65535];
static int gate[2]; /* a pipe: the worker goes on when there is a byte */
static atomic_bool stands;

enum { CLIENTS = 100 }; /* three groups and a bit */

static void on_stand(int number)
{
	(void)number;
	char byte;
	atomic_store(&stands, true);
	while (read(gate[0], &byte, 1) != 1)
		;
}

static struct worker_fixture *start(void)
{
	const struct sigaction action = { .sa_handler = on_stand, .sa_flags = SA_RESTART };
	assert_int_equal(pipe(gate), 0);
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	return fixture_start(loopback,
		"queries_per_connection = 2000; "
		"queries_per_client = 50000; queries = 50000;");
}

static void stop(struct worker_fixture *f)
{
	fixture_stop(f);
	close(gate[0]);
	close(gate[1]);
}

static void stand_still(struct worker_fixture *f)
{
	atomic_store(&stands, false);
	assert_int_equal(pthread_kill(f->worker->thread, SIGUSR1), 0);
	while (!atomic_load(&stands))
		usleep(100);
}

static void go_on(void)
{
	assert_int_equal(write(gate[1], "", 1), 1);
}

static unsigned id_of(const uint8_t *message)
{
	return (unsigned)(message[0] << 8 | message[1]);
}

static void open_all(const struct worker_fixture *f, int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		fds[i] = fixture_connect(loopback, f->dns_port, SOCK_STREAM);
}

static void close_all(const int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		close(fds[i]);
}

static void ask(int fd, uint16_t id, const char *name)
{
	uint8_t query[514];
	size_t len = fixture_framed(query, id, name);
	assert_int_equal(send(fd, query, len, 0), len);
}

/* Ids are those of one client alone. */
static void expect(int fd, unsigned id)
{
	assert_true(fixture_answer(fd, answer) > 12);
	assert_int_equal(id_of(answer), id);
	assert_int_equal(answer[3] & 15u, 0);
}

/* Each gets its own answers and nobody else's. */
static void test_everybody_at_once(void **state)
{
	(void)state;
	struct worker_fixture *f = start();
	int fds[CLIENTS];
	open_all(f, fds, CLIENTS);
	for (unsigned round = 0; round < 5; round++) {
		stand_still(f);
		for (unsigned i = 0; i < CLIENTS; i++)
			ask(fds[i], (uint16_t)(round * CLIENTS + i), "now.test");
		go_on();
		for (unsigned i = 0; i < CLIENTS; i++)
			expect(fds[i], round * CLIENTS + i);
	}
	close_all(fds, CLIENTS);
	stop(f);
}

/* More than the buffer for reading holds: 40 clients with 10 kB each, and one with 200 kB. */
static void test_more_than_there_is_room_for(void **state)
{
	(void)state;
	enum { SOME = 40, EACH = 300, MANY = 1500 };
	struct worker_fixture *f = start();
	int fds[SOME + 1];
	open_all(f, fds, SOME + 1);
	stand_still(f);
	for (unsigned i = 0; i <= SOME; i++)
		for (unsigned k = 0; k < (i == SOME / 2 ? MANY : EACH); k++)
			ask(fds[i], (uint16_t)k, i % 2 ? "now.drop.example.test" : "now.test");
	go_on();
	for (unsigned i = 0; i <= SOME; i++) {
		unsigned count = i == SOME / 2 ? MANY : EACH, sum = 0;
		for (unsigned k = 0; k < count; k++) {
			assert_true(fixture_answer(fds[i], answer) > 12);
			assert_int_equal(answer[3] & 15u, 0);
			sum += id_of(answer);
		}
		assert_int_equal(sum, count * (count - 1) / 2);
	}
	close_all(fds, SOME + 1);
	stop(f);
}

static SSL *open_tls(SSL_CTX *context, const struct worker_fixture *f)
{
	SSL *tls = SSL_new(context);
	assert_true(SSL_set_fd(tls, fixture_connect(loopback, f->dot_port, SOCK_STREAM)));
	assert_int_equal(SSL_connect(tls), 1);
	return tls;
}

static void close_tls(SSL *tls)
{
	close(SSL_get_fd(tls));
	SSL_free(tls);
}

static void receive_tls(SSL *tls, uint8_t *to, size_t len)
{
	for (size_t done = 0, count; done < len; done += count)
		assert_int_equal(SSL_read_ex(tls, to + done, len - done, &count), 1);
}

static void ask_tls(SSL *tls, unsigned count)
{
	static uint8_t questions[64 * 1024];
	size_t len = 0, written;
	for (unsigned k = 0; k < count; k++)
		len += fixture_framed(questions + len, (uint16_t)k, "now.test");
	assert_int_equal(SSL_write_ex(tls, questions, len, &written), 1);
}

static void expect_tls(SSL *tls, unsigned count)
{
	unsigned sum = 0;
	for (unsigned k = 0; k < count; k++) {
		receive_tls(tls, answer, 2);
		receive_tls(tls, answer, id_of(answer)); /* its length */
		assert_int_equal(answer[3] & 15u, 0);
		sum += id_of(answer);
	}
	assert_int_equal(sum, count * (count - 1) / 2);
}

/* Over TLS: all of them one question, every twentieth 20 kB of them, in more than one record. */
static void test_everybody_at_once_over_tls(void **state)
{
	(void)state;
	enum { MANY = 750 };
	struct worker_fixture *f = start();
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *clients[CLIENTS];
	for (unsigned i = 0; i < CLIENTS; i++)
		clients[i] = open_tls(context, f);
	for (unsigned round = 0; round < 3; round++) {
		stand_still(f);
		for (unsigned i = 0; i < CLIENTS; i++)
			ask_tls(clients[i], i % 20 ? 1 : MANY);
		go_on();
		for (unsigned i = 0; i < CLIENTS; i++)
			expect_tls(clients[i], i % 20 ? 1 : MANY);
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		close_tls(clients[i]);
	SSL_CTX_free(context);
	stop(f);
}

/* Some have asked and gone, some have said that they have nothing more to ask, some talk nonsense:
 * the others get what is theirs. */
static void test_some_of_them_end(void **state)
{
	(void)state;
	struct linger reset = { 1, 0 };
	struct worker_fixture *f = start();
	int fds[CLIENTS];
	for (unsigned round = 0; round < 5; round++) {
		open_all(f, fds, CLIENTS);
		usleep(20000);
		stand_still(f);
		for (unsigned i = 0; i < CLIENTS; i++) {
			ask(fds[i], (uint16_t)i, "now.test");
			if (i % 5 == 1) {
				setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
				close(fds[i]);
			} else if (i % 5 == 2) {
				shutdown(fds[i], SHUT_WR);
			} else if (i % 5 == 3) {
				assert_int_equal(send(fds[i], "\0\3abc\0", 6, 0), 6);
			}
		}
		go_on();
		for (unsigned i = 0; i < CLIENTS; i++) {
			if (i % 5 == 1)
				continue;
			expect(fds[i], i);
			if (i % 5 == 2)
				assert_int_equal(fixture_answer(fds[i], answer), 0);
			close(fds[i]);
		}
	}
	stop(f);
}

/* Who has asked by then is answered, and then all is over. */
static void test_drain_comes_with_questions(void **state)
{
	(void)state;
	struct worker_fixture *f = start();
	int fds[CLIENTS];
	open_all(f, fds, CLIENTS);
	for (unsigned i = 0; i < CLIENTS; i++) {
		ask(fds[i], 1, "now.test");
		expect(fds[i], 1);
	}
	stand_still(f);
	for (unsigned i = 0; i < CLIENTS; i++)
		ask(fds[i], 2, "now.test");
	worker_drain(f->worker);
	go_on();
	unsigned answered = 0;
	for (unsigned i = 0; i < CLIENTS; i++)
		answered += fixture_answer(fds[i], answer) > 12;
	assert_int_equal(answered, CLIENTS);
	for (unsigned i = 0; i < CLIENTS; i++)
		close(fds[i]);
	stop(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everybody_at_once),
		cmocka_unit_test(test_more_than_there_is_room_for),
		cmocka_unit_test(test_everybody_at_once_over_tls),
		cmocka_unit_test(test_some_of_them_end),
		cmocka_unit_test(test_drain_comes_with_questions),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
