/* Messages with two bytes of length in front, however they arrive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "base/error.h"
#include "base/writer.h"
#include "proxy/framing/framer.h"

enum { MESSAGES = 64, STREAM_MAX = 256 * 1024 };

struct host {
	struct framer *framer;
	unsigned count;
	size_t lens[MESSAGES];
	uint8_t first[MESSAGES];
	bool echoes; /* replies with what was asked */
};

static void on_message(
	void *context, int32_t stream, const struct framer_claims *claims, struct slice message)
{
	(void)claims;
	struct host *host = context;
	assert_true(host->count < MESSAGES);
	host->lens[host->count] = message.len;
	host->first[host->count++] = message.len ? message.at[0] : 0;
	if (host->echoes)
		assert_int_equal(0, framer_dot.reply(host->framer, stream, message, 0));
}

static const struct framer_events events = { .on_message = on_message };

static void host_begin(struct host *host)
{
	const struct framer_settings settings = { .events = &events, .host = host };
	*host = (struct host){ 0 };
	host->framer = framer_dot.open(&settings);
	assert_non_null(host->framer);
}

static void feed(struct host *host, const uint8_t *at, size_t len, size_t step)
{
	for (size_t done = 0; done < len;) {
		size_t take = len - done < step ? len - done : step;
		uint8_t *copy = malloc(take);
		memcpy(copy, at + done, take);
		assert_int_equal(0, framer_dot.feed(host->framer, slice_of(copy, take)));
		free(copy);
		done += take;
	}
}

/* A message of `len` bytes, each of them `byte`. */
static void put(struct writer *to, size_t len, uint8_t byte)
{
	writer_u16(to, (uint16_t)len);
	for (size_t i = 0; i < len; i++)
		writer_u8(to, byte);
	assert_false(to->failed);
}

static uint8_t stream[STREAM_MAX];

static void test_any_pieces(void **state)
{
	(void)state;
	static const size_t lens[] = { 12, 0, 1, 0, 0, 300, 2, 65535, 17, 1000, 0 };
	static const size_t steps[] = { 1, 2, 3, 5, 7, 64, 1000, 65535, STREAM_MAX };
	enum { COUNT = sizeof lens / sizeof *lens };
	struct writer to = writer_of(stream, sizeof stream);
	for (unsigned i = 0; i < COUNT; i++)
		put(&to, lens[i], (uint8_t)(i + 1));
	for (unsigned s = 0; s < sizeof steps / sizeof *steps; s++) {
		struct host host;
		host_begin(&host);
		feed(&host, stream, to.len, steps[s]);
		assert_int_equal(host.count, COUNT);
		for (unsigned i = 0; i < COUNT; i++) {
			assert_int_equal(host.lens[i], lens[i]);
			assert_int_equal(host.first[i], lens[i] ? i + 1 : 0);
		}
		assert_int_equal(framer_dot.late_request(host.framer), 0);
		framer_dot.free(host.framer);
	}
}

static void test_echo(void **state)
{
	(void)state;
	static uint8_t back[STREAM_MAX];
	struct writer to = writer_of(stream, sizeof stream);
	for (unsigned i = 0; i < 20; i++)
		put(&to, i * i * 30, (uint8_t)i);
	for (size_t step = 1; step < STREAM_MAX; step = step * 3 + 1) {
		struct host host;
		host_begin(&host);
		host.echoes = true;
		feed(&host, stream, to.len, step);
		assert_int_equal(framer_dot.queued(host.framer), to.len);
		size_t got = 0, len;
		while ((len = framer_dot.drain(host.framer, back + got, step)) > 0)
			got += len;
		assert_int_equal(got, to.len);
		assert_memory_equal(back, stream, got);
		assert_int_equal(framer_dot.queued(host.framer), 0);
		framer_dot.free(host.framer);
	}
}

/* Which message is late: one that began after another was whole is not the same one. */
static void test_late_request(void **state)
{
	(void)state;
	struct host host;
	host_begin(&host);
	assert_int_equal(framer_dot.late_request(host.framer), 0);
	feed(&host, (const uint8_t *)"\0", 1, 1);
	uint64_t first = framer_dot.late_request(host.framer);
	assert_int_not_equal(first, 0);
	feed(&host, (const uint8_t *)"\5ab", 3, 1);
	assert_int_equal(framer_dot.late_request(host.framer), first);
	feed(&host, (const uint8_t *)"cde\0", 4, 4);
	assert_int_equal(host.count, 1);
	uint64_t second = framer_dot.late_request(host.framer);
	assert_int_not_equal(second, 0);
	assert_int_not_equal(second, first);
	feed(&host, (const uint8_t *)"\1x", 2, 2);
	assert_int_equal(framer_dot.late_request(host.framer), 0);
	framer_dot.free(host.framer);
}

static void test_finish(void **state)
{
	(void)state;
	struct host host;
	uint8_t out[16];
	host_begin(&host);
	assert_false(framer_dot.is_finished(host.framer));
	assert_int_equal(0, framer_dot.reply(host.framer, 0, slice_of("abc", 3), 0));
	framer_dot.finish(host.framer);
	assert_false(framer_dot.is_finished(host.framer));
	/* What the client had sent before it could know is answered all the same. */
	feed(&host, (const uint8_t *)"\0\1x", 3, 3);
	assert_int_equal(host.count, 1);
	assert_int_equal(0, framer_dot.reply(host.framer, 0, slice_of("de", 2), 0));
	assert_int_equal(framer_dot.drain(host.framer, out, sizeof out), 9);
	assert_memory_equal(out, "\0\3abc\0\2de", 9);
	assert_true(framer_dot.is_finished(host.framer));
	framer_dot.free(host.framer);
}

/* Replies that nobody takes are not kept without end. */
static void test_ceiling(void **state)
{
	(void)state;
	static uint8_t large[65535];
	struct host host;
	host_begin(&host);
	int error = 0;
	unsigned count = 0;
	for (; error == 0 && count < 1000; count++)
		error = framer_dot.reply(host.framer, 0, slice_of(large, sizeof large), 0);
	assert_int_equal(error, ERR_TOO_LONG);
	assert_in_range(count, 100, 200);
	assert_true(framer_dot.queued(host.framer) <= 8 * 1024 * 1024);
	framer_dot.free(host.framer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_pieces),
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_late_request),
		cmocka_unit_test(test_finish),
		cmocka_unit_test(test_ceiling),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
