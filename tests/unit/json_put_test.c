#include "proxy/watch/json_put.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/strict_json.h"

static void members_stand_in_a_row(void **state)
{
	(void)state;
	char bytes[512];
	struct writer to = writer_of(bytes, sizeof bytes);
	writer_u8(&to, '{');
	json_put_text(&to, "none", NULL);
	json_put_text(&to, "empty", "");
	json_put_text(&to, "text", "a\"b\n{");
	json_put_number(&to, "number", UINT64_MAX);
	json_put_slice(&to, "slice", slice_of("\0\xff", 2));
	json_put_key(&to, "inner");
	writer_u8(&to, '{');
	json_put_number(&to, "one", 1);
	json_put_number(&to, "two", 2);
	writer_text(&to, "}}");
	assert_true(json_is_strict(writer_slice(&to)));
	assert_true(slice_equals_text(writer_slice(&to),
		"{\"text\":\"a\\\"b\\u000a{\",\"number\":18446744073709551615,"
		"\"slice\":\"\\u0000\xef\xbf\xbd\",\"inner\":{\"one\":1,\"two\":2}}"));
}

static void long_texts_are_cut(void **state)
{
	(void)state;
	static char text[3 * JSON_PUT_TEXT_MAX], bytes[3 * JSON_PUT_TEXT_MAX];
	struct writer to = writer_of(bytes, sizeof bytes);
	memset(text, 1, sizeof text - 1);
	writer_u8(&to, '{');
	json_put_text(&to, "k", text);
	writer_u8(&to, '}');
	assert_true(json_is_strict(writer_slice(&to)));
	assert_true(to.len <= JSON_PUT_TEXT_MAX + 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_stand_in_a_row),
		cmocka_unit_test(long_texts_are_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
