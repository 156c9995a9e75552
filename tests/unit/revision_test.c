/* What is written down of a policy is what is read again; what is damaged is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "proxy/revisions/revision.h"

static struct revision_list lists[] = {
	{ "malware", "00112233445566778899aabbccddeeff", 700000 },
	{ "a b", "", 0 },
	{ "third", "ffffffffffffffffffffffffffffffff", 1 },
};

static const struct revision whole = {
	.number = 14,
	.time_s = 1795322040,
	.policy_hash = "0123456789abcdef0123456789abcdef",
	.config_hash = "fedcba9876543210fedcba9876543210",
	.file = "etc/name gate.conf",
	.directory = "/srv/x",
	.version = "0.1.0",
	.why = "rollback to 7: the new list broke mail",
	.lists = lists,
	.list_count = sizeof lists / sizeof *lists,
};

static struct slice written(struct bytes *text, const struct revision *revision)
{
	bytes_init(text, REVISION_TEXT_MAX);
	assert_true(revision_write(text, revision));
	return bytes_peek(text);
}

static void test_round_trip(void **state)
{
	struct bytes text;
	struct revision read;
	(void)state;
	assert_true(revision_read(&read, written(&text, &whole)));
	assert_int_equal(read.number, whole.number);
	assert_int_equal(read.time_s, whole.time_s);
	assert_string_equal(read.policy_hash, whole.policy_hash);
	assert_string_equal(read.config_hash, whole.config_hash);
	assert_string_equal(read.file, whole.file);
	assert_string_equal(read.directory, whole.directory);
	assert_string_equal(read.version, whole.version);
	assert_string_equal(read.why, whole.why);
	assert_int_equal(read.list_count, whole.list_count);
	for (size_t i = 0; i < whole.list_count; i++) {
		assert_string_equal(read.lists[i].name, lists[i].name);
		assert_string_equal(read.lists[i].hash, lists[i].hash);
		assert_int_equal(read.lists[i].entries, lists[i].entries);
	}
	revision_deinit(&read);
	bytes_deinit(&text);
}

static void test_every_truncation_is_refused(void **state)
{
	struct bytes text;
	struct revision read;
	struct slice bytes = written(&text, &whole);
	(void)state;
	for (size_t len = 0; len + 1 < bytes.len; len++) /* the last newline may be missing */
		assert_false(revision_read(&read, slice_of(bytes.at, len)));
	bytes_deinit(&text);
}

static void test_what_is_wrong_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"namegate-revision 1",
		"namegate-revision 2\nnumber 1\nend\n",
		"namegate-revision 1\nend\n",
		"namegate-revision 1\nnumber 0\nend\n",
		"namegate-revision 1\nnumber -1\nend\n",
		"namegate-revision 1\nnumber 4294967296\nend\n",
		"namegate-revision 1\nnumber 12x\nend\n",
		"namegate-revision 1\nnumber 1\npolicy 0123456789abcdef0123456789abcdef0\nend\n",
		"namegate-revision 1\nnumber 1\nlist a\nentries many\nend\n",
		"namegate-pin 1\nnumber 1\nend\n",
	};
	struct revision read;
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_false(revision_read(&read, slice_of_text(texts[i])));
}

static void test_what_is_new_is_passed_over(void **state)
{
	struct revision read;
	(void)state;
	assert_true(revision_read(&read,
		slice_of_text("namegate-revision 1\nnumber 3\ncolour blue\nlist a\nsmell none\n"
			      "hash 00\nend\nrest")));
	assert_int_equal(read.number, 3);
	assert_int_equal(read.list_count, 1);
	assert_string_equal(read.lists[0].hash, "00");
	revision_deinit(&read);
}

static void test_too_many_lists(void **state)
{
	struct bytes text;
	struct revision read;
	static const char head[] = "namegate-revision 1\nnumber 1\n";
	(void)state;
	bytes_init(&text, REVISION_TEXT_MAX);
	assert_int_equal(bytes_append(&text, head, sizeof head - 1), 0);
	for (int i = 0; i <= IMAGE_LISTS_MAX; i++)
		assert_int_equal(bytes_append(&text, "list a\n", 7), 0);
	assert_int_equal(bytes_append(&text, "end\n", 4), 0);
	assert_false(revision_read(&read, bytes_peek(&text)));
	bytes_deinit(&text);
}

static void test_a_line_break_is_no_other_line(void **state)
{
	struct bytes text;
	struct revision read;
	struct revision odd = { .number = 1, .why = "because\nnumber 2\nend" };
	(void)state;
	assert_true(revision_read(&read, written(&text, &odd)));
	assert_int_equal(read.number, 1);
	assert_string_equal(read.why, "because number 2 end");
	revision_deinit(&read);
	bytes_deinit(&text);
}

static void test_pin(void **state)
{
	struct bytes text;
	const struct revision_pin pin = { .number = 14,
		.time_s = 1795322040,
		.config_hash = "fedcba9876543210fedcba9876543210",
		.why = "rollback to 7: mail" };
	struct revision_pin read;
	(void)state;
	bytes_init(&text, REVISION_TEXT_MAX);
	assert_true(revision_pin_write(&text, &pin));
	struct slice bytes = bytes_peek(&text);
	assert_true(revision_pin_read(&read, bytes));
	assert_int_equal(read.number, pin.number);
	assert_int_equal(read.time_s, pin.time_s);
	assert_string_equal(read.config_hash, pin.config_hash);
	assert_string_equal(read.why, pin.why);
	for (size_t len = 0; len + 1 < bytes.len; len++)
		assert_false(revision_pin_read(&read, slice_of(bytes.at, len)));
	bytes_deinit(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_every_truncation_is_refused),
		cmocka_unit_test(test_what_is_wrong_is_refused),
		cmocka_unit_test(test_what_is_new_is_passed_over),
		cmocka_unit_test(test_too_many_lists),
		cmocka_unit_test(test_a_line_break_is_no_other_line),
		cmocka_unit_test(test_pin),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
