#include "proxy/framing/h2_heads.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

enum { PREFACE = 24 };

/* Type and stream of every head, and how many bytes were taken at a time; `step` is how many bytes
 * there are at once. */
static const char *heads_of(const uint8_t *at, size_t len, uint32_t preface, size_t step)
{
	static char text[200];
	struct h2_heads heads;
	size_t used = 0;
	h2_heads_init(&heads, preface);
	text[0] = '\0';
	for (size_t done = 0; done < len;) {
		bool is_head = false;
		size_t there = len - done < step ? len - done : step;
		size_t taken = h2_heads_take(&heads, slice_of(at + done, there), &is_head);
		assert_in_range(taken, 1, there);
		done += taken;
		if (is_head)
			used += (size_t)snprintf(text + used, sizeof text - used, "%u:%d ",
				h2_heads_type(&heads), h2_heads_stream(&heads));
	}
	return text;
}

/* What stands in payloads are no heads, however it comes. */
static void finds_heads(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		uint32_t preface;
		const char *heads;
	} rows[] = {
		{ "\0\0\0\x4\0\0\0\0\0", 9, 0, "4:0 " },
		{ "\0\0\0\x4\0\0\0\0", 8, 0, "" },
		{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x4\0\0\0\0\0", 33, PREFACE, "4:0 " },
		{ "\0\0\3\0\1\0\0\0\1abc\0\0\0\1\5\0\0\0\3", 21, 0, "0:1 1:3 " },
		{ "\0\0\x9\0\1\0\0\0\1\0\0\0\1\5\0\0\0\3\0\0\0\6\0\0\0\0\0", 27, 0, "0:1 6:0 " },
		{ "\0\0\0\xfe\0\xff\xff\xff\xff", 9, 0, "254:2147483647 " },
		{ "\xff\xff\xff\0\0\0\0\0\5\0\0\0\1\5\0\0\0\3", 18, 0, "0:5 " },
	};
	static const size_t steps[] = { 1, 2, 8, 9, 10, 1000 };
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t j = 0; j < sizeof steps / sizeof *steps; j++)
			assert_string_equal(heads_of((const uint8_t *)rows[i].bytes, rows[i].len,
						    rows[i].preface, steps[j]),
				rows[i].heads);
}

/* A frame's bytes are taken without a byte of the next one. */
static void keeps_frames_apart(void **state)
{
	static const uint8_t bytes[] = { 0, 0, 2, 0, 0, 0, 0, 0, 1, 'a', 'b', 0, 0, 0, 1 };
	struct h2_heads heads;
	bool is_head;
	(void)state;
	h2_heads_init(&heads, 0);
	assert_int_equal(h2_heads_take(&heads, slice_of(bytes, sizeof bytes), &is_head), 11);
	assert_true(is_head);
	assert_int_equal(h2_heads_take(&heads, slice_of(bytes + 11, 4), &is_head), 4);
	assert_false(is_head);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_heads),
		cmocka_unit_test(keeps_frames_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
