#include "proxy/framing/percent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants the above first */
#include <cmocka.h>

static void texts(void **state)
{
	static const struct {
		const char *text;
		const char *bytes; /* NULL: there are none */
	} rows[] = {
		{ "", "" },
		{ "abc", "abc" },
		{ "%41", "A" },
		{ "a%2Eb%2e", "a.b." },
		{ "%25%34%31", "%41" },
		{ "+", "+" },
		{ "%", NULL },
		{ "%4", NULL },
		{ "a%4", NULL },
		{ "%4g", NULL },
		{ "%g4", NULL },
		{ "%%41", NULL },
		{ "% 41", NULL },
		{ "12345678", "12345678" },
		{ "123456789", NULL }, /* no room */
		{ "%31%32%33%34%35%36%37%38%39", NULL },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char buffer[8];
		struct writer to = writer_of(buffer, sizeof buffer);
		assert_int_equal(
			percent_decode(&to, slice_of_text(rows[i].text)), rows[i].bytes != NULL);
		if (rows[i].bytes)
			assert_true(slice_equals_text(writer_slice(&to), rows[i].bytes));
	}
	char buffer[2];
	struct writer to = writer_of(buffer, sizeof buffer);
	assert_true(percent_decode(&to, slice_of_text("%00%ff")));
	assert_memory_equal(buffer, "\0\xff", 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(texts) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
