/* One text per value, and nothing else. */
#include "tls/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void test_rows(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t len;
		const char *bytes; /* NULL: refused */
	} rows[] = {
		/* RFC 4648 10 */
		{ "", 0, "" },
		{ "Zg==", 1, "f" },
		{ "Zm8=", 2, "fo" },
		{ "Zm9v", 3, "foo" },
		{ "Zm9vYg==", 4, "foob" },
		{ "Zm9vYmE=", 5, "fooba" },
		{ "Zm9vYmFy", 6, "foobar" },
		{ "+/+/", 3, "\xfb\xff\xbf" },
		/* another length */
		{ "", 1, NULL },
		{ "Zg==", 0, NULL },
		{ "Zg==", 2, NULL },
		{ "Zm9v", 1, NULL },
		{ "Zm8=", 1, NULL },
		{ "Zm9vYmFy", 3, NULL },
		/* padding that lacks or is too much */
		{ "Zg", 1, NULL },
		{ "Zg=", 1, NULL },
		{ "Zg=a", 1, NULL },
		{ "Z===", 1, NULL },
		{ "Zm9v=", 3, NULL },
		/* bits too many that are not zero */
		{ "Zh==", 1, NULL },
		{ "Zm9=", 2, NULL },
		/* no digits */
		{ "Zm 9", 3, NULL },
		{ "Zm9\n", 3, NULL },
		{ "Zm-_", 3, NULL },
		{ "Zm9\x80", 3, NULL },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint8_t bytes[8] = { 0 };
		bool fine = base64_read(slice_of_text(rows[i].text), bytes, rows[i].len);
		assert_int_equal(fine, rows[i].bytes != NULL);
		if (fine)
			assert_memory_equal(bytes, rows[i].bytes, rows[i].len);
	}
	uint8_t bytes[3];
	assert_false(base64_read(slice_of("Zm\0v", 4), bytes, 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
