/* Questions and answers with two bytes of length in front, as the side that asks; the other side is
 * our own framer, or bytes that no honest server sends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "base/error.h"
#include "base/writer.h"
#include "proxy/framing/asker.h"
#include "proxy/framing/framer.h"

enum { BUFFER = 512 * 1024, NUMBERS = 65536 };

struct host {
	struct asker *asker;
	struct framer *server;
	unsigned answered[NUMBERS];
	size_t len_of[NUMBERS];
	unsigned answers;
	uint32_t ask_again;  /* asked from within on_answer; 0: nothing */
	uint32_t cancel_too; /* cancelled from within on_answer */
};

static uint8_t buffer[BUFFER];

static struct slice message_of(uint8_t *to, uint32_t number, size_t len)
{
	memset(to, 'q', len);
	to[0] = (uint8_t)(number >> 8);
	to[1] = (uint8_t)number;
	return slice_of(to, len);
}

static int ask(struct host *host, uint32_t number, size_t len)
{
	static uint8_t message[65535];
	return asker_dot.ask(host->asker, number, message_of(message, number, len));
}

static void on_answer(void *context, uint32_t number, struct slice message)
{
	struct host *host = context;
	assert_in_range(number, 0, NUMBERS - 1);
	assert_int_equal(message.at[0] << 8 | message.at[1], number);
	host->answers++;
	host->answered[number]++;
	host->len_of[number] = message.len;
	assert_int_equal(asker_dot.http(host->asker).status, 0);
	if (host->ask_again)
		assert_int_equal(ask(host, host->ask_again, 100), 0);
	host->ask_again = 0;
	if (host->cancel_too)
		asker_dot.cancel(host->asker, host->cancel_too);
}

static void on_failed(void *context, uint32_t number, int error)
{
	(void)context;
	(void)number;
	(void)error;
	fail(); /* over DoT nothing fails alone */
}

static const struct asker_events events = { on_answer, on_failed };

static struct host *host_new(void)
{
	struct host *host = calloc(1, sizeof *host);
	const struct asker_settings settings = { .events = &events, .host = host };
	host->asker = asker_dot.open(&settings);
	assert_non_null(host->asker);
	return host;
}

static void host_free(struct host *host)
{
	asker_dot.free(host->asker);
	free(host);
}

static int feed(struct host *host, const void *bytes, size_t len, size_t step)
{
	int error = 0;
	for (size_t done = 0; done < len && !error;) {
		size_t take = len - done < step ? len - done : step;
		uint8_t *copy = malloc(take); /* what is read later than allowed is found */
		memcpy(copy, (const uint8_t *)bytes + done, take);
		error = asker_dot.feed(host->asker, slice_of(copy, take));
		free(copy);
		done += take;
	}
	return error;
}

static void put_answer(struct writer *to, uint32_t number, size_t len)
{
	writer_u16(to, (uint16_t)len);
	assert_true(writer_has(to, len));
	message_of(to->at + to->len, number, len);
	to->len += len;
}

static int answer(struct host *host, uint32_t number, size_t len)
{
	struct writer to = writer_of(buffer, sizeof buffer);
	put_answer(&to, number, len);
	return feed(host, buffer, to.len, to.len);
}

static size_t drain(struct host *host, size_t step)
{
	size_t total = 0, len;
	while ((len = asker_dot.drain(host->asker, buffer + total, step)) > 0) {
		assert_true(len <= step);
		total += len;
		assert_true(total + step <= sizeof buffer);
	}
	return total;
}

static void a_question_is_one_piece(void **state)
{
	(void)state;
	struct host *host = host_new();
	assert_int_equal(ask(host, 0x1234, 12), 0);
	assert_int_equal(ask(host, 0xffff, 300), 0);
	assert_int_equal(drain(host, 1000), 14 + 302);
	assert_memory_equal(buffer, "\0\x0c\x12\x34qqqqqqqqqq\x01\x2c\xff\xff", 18);
	assert_int_equal(drain(host, 1000), 0);
	host_free(host);
}

/* --- with our own framer --- */

static void on_message(
	void *context, int32_t stream, const struct framer_claims *claims, struct slice message)
{
	(void)claims;
	struct host *host = context;
	assert_int_equal(framer_dot.reply(host->server, stream, message, 0), 0);
}

static const struct framer_events server_events = { .on_message = on_message };

static void our_framer_answers(void **state)
{
	(void)state;
	static const size_t steps[] = { 1, 2, 3, 7, 100, 4096, 65536 };
	for (unsigned s = 0; s < sizeof steps / sizeof *steps; s++) {
		struct host *host = host_new();
		const struct framer_settings settings = { .events = &server_events, .host = host };
		host->server = framer_dot.open(&settings);
		size_t sum = 0;
		for (uint32_t i = 0; i < ASKER_QUESTIONS_MAX; i++) {
			size_t len = 12 + i * i % 500;
			sum += 2 + len;
			assert_int_equal(ask(host, i * 251 % NUMBERS, len), 0);
		}
		assert_int_equal(asker_dot.room(host->asker), 0);
		assert_int_equal(ask(host, 60001, 12), ERR_BUSY);
		assert_int_equal(drain(host, steps[s]), sum);
		assert_int_equal(framer_dot.feed(host->server, slice_of(buffer, sum)), 0);
		size_t len = framer_dot.drain(host->server, buffer, sizeof buffer);
		assert_int_equal(len, sum);
		assert_int_equal(feed(host, buffer, len, steps[s]), 0);
		for (uint32_t i = 0; i < ASKER_QUESTIONS_MAX; i++) {
			assert_int_equal(host->answered[i * 251 % NUMBERS], 1);
			assert_int_equal(host->len_of[i * 251 % NUMBERS], 12 + i * i % 500);
		}
		assert_int_equal(host->answers, ASKER_QUESTIONS_MAX);
		assert_int_equal(asker_dot.room(host->asker), ASKER_QUESTIONS_MAX);
		framer_dot.free(host->server);
		host_free(host);
	}
}

/* --- by hand --- */

static void answers_come_in_any_order_and_size(void **state)
{
	(void)state;
	struct host *host = host_new();
	struct writer to = writer_of(buffer, sizeof buffer);
	assert_int_equal(ask(host, 1, 12), 0);
	assert_int_equal(ask(host, 2, 12), 0);
	assert_int_equal(ask(host, 3, 12), 0);
	put_answer(&to, 3, 65535);
	put_answer(&to, 1, 12);
	put_answer(&to, 2, 300);
	assert_int_equal(feed(host, buffer, to.len, 1000), 0);
	assert_int_equal(host->answers, 3);
	assert_int_equal(host->len_of[3], 65535);
	assert_int_equal(host->len_of[1], 12);
	assert_int_equal(host->len_of[2], 300);
	assert_int_equal(asker_dot.strays(host->asker), 0);
	host_free(host);
}

static void a_stray_is_counted_and_dropped(void **state)
{
	(void)state;
	struct host *host = host_new();
	assert_int_equal(answer(host, 7, 12), 0);
	assert_int_equal(asker_dot.strays(host->asker), 1);
	assert_int_equal(ask(host, 7, 12), 0);
	assert_int_equal(answer(host, 8, 12), 0);
	assert_int_equal(answer(host, 7, 12), 0);
	assert_int_equal(answer(host, 7, 12), 0); /* twice */
	assert_int_equal(host->answers, 1);
	assert_int_equal(asker_dot.strays(host->asker), 3);
	host_free(host);
}

static void nothing_but_strays_is_the_end(void **state)
{
	(void)state;
	struct host *host = host_new();
	for (unsigned i = 0; i < 256; i++)
		assert_int_equal(answer(host, i, 12), 0);
	assert_int_equal(ask(host, 500, 12), 0);
	assert_int_equal(answer(host, 500, 12), 0); /* one of ours: the count begins anew */
	for (unsigned i = 0; i < 256; i++)
		assert_int_equal(answer(host, i, 12), 0);
	assert_int_equal(answer(host, 1, 12), ERR_TOO_LONG);
	host_free(host);
}

static void a_cancelled_number_stays_taken(void **state)
{
	(void)state;
	struct host *host = host_new();
	assert_int_equal(ask(host, 7, 12), 0);
	assert_int_equal(ask(host, 7, 12), ERR_BUSY);
	asker_dot.cancel(host->asker, 7);
	asker_dot.cancel(host->asker, 7);
	asker_dot.cancel(host->asker, 8); /* of nobody */
	assert_int_equal(ask(host, 7, 12), ERR_BUSY);
	assert_int_equal(asker_dot.room(host->asker), ASKER_QUESTIONS_MAX - 1);
	assert_int_equal(answer(host, 7, 12), 0);
	assert_int_equal(host->answers, 0);
	assert_int_equal(asker_dot.strays(host->asker), 0);
	assert_int_equal(asker_dot.room(host->asker), ASKER_QUESTIONS_MAX);
	assert_int_equal(ask(host, 7, 12), 0);
	assert_int_equal(answer(host, 7, 12), 0);
	assert_int_equal(host->answered[7], 1);
	host_free(host);
}

/* A server that never answers wears the connection out instead of blocking it for ever. */
static void too_many_cancelled_wear_it_out(void **state)
{
	(void)state;
	struct host *host = host_new();
	assert_int_equal(ask(host, 9999, 12), 0);
	for (uint32_t i = 0; i < ASKER_QUESTIONS_MAX / 2; i++) {
		assert_false(asker_dot.is_leaving(host->asker));
		assert_int_equal(ask(host, i, 12), 0);
		asker_dot.cancel(host->asker, i);
	}
	assert_true(asker_dot.is_leaving(host->asker));
	assert_int_equal(asker_dot.room(host->asker), 0);
	assert_int_equal(ask(host, 5000, 12), ERR_CLOSED);
	for (uint32_t i = 0; i < ASKER_QUESTIONS_MAX / 2; i++)
		assert_int_equal(answer(host, i, 12), 0);
	assert_int_equal(answer(host, 9999, 12), 0); /* what was begun may end well */
	assert_int_equal(host->answers, 1);
	assert_int_equal(ask(host, 5000, 12), ERR_CLOSED);
	host_free(host);
}

static void asks_and_cancels_from_within(void **state)
{
	(void)state;
	struct host *host = host_new();
	struct writer to = writer_of(buffer, sizeof buffer);
	assert_int_equal(ask(host, 1, 12), 0);
	assert_int_equal(ask(host, 2, 12), 0);
	host->ask_again = 3;
	host->cancel_too = 2;
	put_answer(&to, 1, 40);
	put_answer(&to, 2, 40);
	put_answer(&to, 3, 40);
	assert_int_equal(feed(host, buffer, to.len, 11), 0);
	assert_int_equal(host->answered[1], 1);
	assert_int_equal(host->answered[2], 0);
	assert_int_equal(host->answered[3], 1);
	host_free(host);
}

static void what_is_too_short_is_the_end(void **state)
{
	(void)state;
	for (uint8_t len = 0; len < 12; len++) {
		for (size_t step = 1; step <= 2; step++) {
			struct host *host = host_new();
			const uint8_t bytes[2] = { 0, len };
			assert_int_equal(ask(host, 1, 12), 0);
			/* At once, not when the rest has come. */
			assert_int_equal(feed(host, bytes, 2, step), ERR_MALFORMED);
			host_free(host);
		}
	}
}

static void what_is_out_is_bounded(void **state)
{
	(void)state;
	struct host *host = host_new();
	uint32_t number = 0;
	while (number < ASKER_QUESTIONS_MAX && ask(host, number, 65535) == 0)
		number++;
	assert_in_range(number, 8, 16); /* a mebibyte */
	assert_int_equal(ask(host, number, 65535), ERR_BUSY);
	assert_int_equal(asker_dot.room(host->asker), ASKER_QUESTIONS_MAX - number);
	assert_true(asker_dot.drain(host->asker, buffer, sizeof buffer) > 0);
	assert_int_equal(ask(host, number, 65535), 0);
	host_free(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_question_is_one_piece),
		cmocka_unit_test(our_framer_answers),
		cmocka_unit_test(answers_come_in_any_order_and_size),
		cmocka_unit_test(a_stray_is_counted_and_dropped),
		cmocka_unit_test(nothing_but_strays_is_the_end),
		cmocka_unit_test(a_cancelled_number_stays_taken),
		cmocka_unit_test(too_many_cancelled_wear_it_out),
		cmocka_unit_test(asks_and_cancels_from_within),
		cmocka_unit_test(what_is_too_short_is_the_end),
		cmocka_unit_test(what_is_out_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
