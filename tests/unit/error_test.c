#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <limits.h>
#include <string.h>

static void every_error_has_a_text(void **state)
{
	(void)state;
	const struct {
		int error;
		const char *text;
	} rows[] = {
		{ ERR_NONE, "no error" },
		{ ERR_NO_MEMORY, "Cannot allocate memory" },
		{ -ECONNREFUSED, "Connection refused" },
		{ ERR_MALFORMED, "malformed" },
		{ ERR_TOO_LONG, "too long" },
		{ ERR_UNREACHABLE, "unreachable" },
		{ ERR_BUSY, "busy" },
		{ ERR_TLS, "TLS error" },
		{ ERR_CLOSED, "closed" },
		{ -20999, "unknown error" },
		{ 5, "unknown error" }, /* a positive errno was forgotten to be negated */
		{ INT_MIN, "unknown error" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(error_text(rows[i].error), rows[i].text);
}

/* A file that its mode lets us read was put out of reach by ourselves. */
static void a_file_out_of_reach(void **state)
{
	(void)state;
	const char *own = error_text_of_file(-EACCES, "/proc/self/exe");
	assert_non_null(strstr(own, "restart to read it"));
	const struct {
		int error;
		const char *path;
	} rows[] = { { -ENOENT, "/proc/self/exe" }, { -EACCES, "/no/such/file" } };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(
			error_text_of_file(rows[i].error, rows[i].path), error_text(rows[i].error));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_error_has_a_text),
		cmocka_unit_test(a_file_out_of_reach) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
