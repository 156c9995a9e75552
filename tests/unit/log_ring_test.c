/* Lines come out as they went in, round the end of the ring too; each half keeps to its kind; and
 * what waits is told truly enough to wake a sleeper by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "proxy/watch/log_ring.h"

static struct log_ring ring;

static int begin(void **state)
{
	(void)state;
	return log_ring_init(&ring, 1);
}

static int end(void **state)
{
	(void)state;
	log_ring_deinit(&ring);
	return 0;
}

static bool put(bool important, uint8_t byte, size_t len, uint64_t *waiting)
{
	struct writer line;
	if (!log_ring_reserve(&ring, important, &line))
		return false;
	memset(line.at, byte, len);
	line.len = len;
	*waiting = log_ring_commit(&ring, &line);
	return true;
}

/* Takes `len` bytes, all of which must be `byte`. */
static void take(uint8_t byte, size_t len)
{
	struct slice pieces[2];
	log_ring_peek(&ring, pieces);
	assert_true(pieces[0].len + pieces[1].len >= len);
	for (size_t i = 0; i < len; i++) {
		bool first = i < pieces[0].len;
		assert_int_equal(first ? pieces[0].at[i] : pieces[1].at[i - pieces[0].len], byte);
	}
	log_ring_release(&ring, len);
}

static void test_round_the_end(void **state)
{
	(void)state;
	uint64_t waiting;
	for (unsigned i = 0; i < 1000; i++) {
		size_t len = 1 + i * 37 % LOG_LINE_MAX;
		assert_true(put(true, (uint8_t)i, len, &waiting));
		take((uint8_t)i, len);
		assert_int_equal(log_ring_waiting(&ring), 0);
	}
}

static void test_half_is_kept(void **state)
{
	(void)state;
	uint64_t waiting;
	while (put(false, 'a', 1000, &waiting))
		assert_true(waiting <= ring.size / 2);
	assert_true(put(true, 'b', 1000, &waiting));
	while (put(true, 'b', 1000, &waiting))
		assert_true(waiting <= ring.size);
	assert_false(put(false, 'a', 1, &waiting));
}

/* The reader keeps up: the writer must see that, however long ago it looked. */
static void test_waiting_is_true_when_it_matters(void **state)
{
	(void)state;
	uint64_t waiting;
	for (unsigned i = 0; i < 5000; i++) {
		assert_true(put(false, 'a', 1000, &waiting));
		assert_true(waiting < ring.size / 4);
		take('a', 1000);
	}
	size_t len = 0;
	do {
		assert_true(put(false, 'a', 1000, &waiting));
		len += 1000;
	} while (len < ring.size / 4);
	assert_int_equal(waiting, len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_the_end, begin, end),
		cmocka_unit_test_setup_teardown(test_half_is_kept, begin, end),
		cmocka_unit_test_setup_teardown(test_waiting_is_true_when_it_matters, begin, end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
