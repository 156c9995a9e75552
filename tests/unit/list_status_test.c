#include "proxy/lists/list_status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/unit/strict_json.h"

enum { NOW = 1800000000 };

static const struct list_status fetched = {
	.name = "malware",
	.origin = "url",
	.source = "https://lists.example/malware.txt",
	.format = "adblock",
	.etag = "\"5f-6a\"",
	.entry_count = 123456,
	.covered_count = 12,
	.reject_counts = { [LIST_REJECT_NOT_DNS] = 7, [LIST_REJECT_DUPLICATE] = 3 },
	.byte_count = 2000000,
	.hash = { 0xab, 0xcd, [15] = 0x01 },
	.last_attempt_s = NOW - 300,
	.last_success_s = NOW - 300,
	.last_change_s = NOW - 3 * 86400,
	.next_attempt_s = NOW + 3300,
};

static const struct list_status written = {
	.name = "ours", .origin = "inline", .format = "domains", .entry_count = 2
};

static struct list_status quarantined(void)
{
	struct list_status status = fetched;
	status.name = "ads and trackers";
	status.standing = LIST_STANDING_QUARANTINED;
	status.fault = LIST_FAULT_SHRUNK;
	status.why = "12 entries, 123456 are in force";
	return status;
}

static const char *json_of(const struct list_status *status)
{
	static char text[32768];
	struct writer to = writer_of(text, sizeof text - 1);
	list_status_write_json(&to, status);
	assert_false(to.failed);
	assert_true(json_is_strict(writer_slice(&to)));
	text[to.len] = '\0';
	return text;
}

static void programs_read_an_object(void **state)
{
	(void)state;
	struct list_status bad = quarantined();
	assert_string_equal(json_of(&fetched),
		"{\"name\":\"malware\",\"state\":\"good\",\"origin\":\"url\","
		"\"source\":\"https://lists.example/malware.txt\",\"format\":\"adblock\","
		"\"entries\":123456,\"covered\":12,\"rejected\":{\"not_dns\":7,\"duplicate\":3},"
		"\"bytes\":2000000,\"hash\":\"abcd0000000000000000000000000001\","
		"\"etag\":\"\\\"5f-6a\\\"\",\"last_attempt\":1799999700,"
		"\"last_success\":1799999700,\"last_change\":1799740800,"
		"\"next_attempt\":1800003300}");
	/* What is not known is not there. */
	assert_string_equal(json_of(&written),
		"{\"name\":\"ours\",\"state\":\"good\",\"origin\":\"inline\","
		"\"format\":\"domains\",\"entries\":2,\"covered\":0,\"rejected\":{},\"bytes\":0}");
	struct slice object = slice_of_text(json_of(&bad));
	assert_true(slice_equals_text(json_member(object, "state"), "\"quarantined\""));
	assert_true(slice_equals_text(json_member(object, "fault"), "\"shrunk\""));
	assert_true(slice_equals_text(
		json_member(object, "why"), "\"12 entries, 123456 are in force\""));
}

/* A server chose the ETag and the words of an error. */
static void foreign_bytes_stay_within_their_strings(void **state)
{
	(void)state;
	struct list_status status = quarantined();
	status.etag = "\"\\\n\x1b[31m\xff\",\"state\":\"good";
	status.why = "\x01\x7f\xc2\x9b\"}";
	struct slice object = slice_of_text(json_of(&status));
	assert_true(slice_equals_text(json_member(object, "state"), "\"quarantined\""));
	assert_true(json_member(object, "etag").len > 0);
}

/* Every member at its longest fits in what a page of an answer has. */
static void its_size_is_bounded(void **state)
{
	(void)state;
	static char text[8000];
	memset(text, 0x01, sizeof text - 1);
	struct list_status status = fetched;
	status.name = status.source = status.etag = status.format = status.why = text;
	status.fault = LIST_FAULT_SHRUNK;
	for (unsigned i = 0; i < LIST_REJECT_COUNT; i++)
		status.reject_counts[i] = UINT64_MAX;
	status.entry_count = status.covered_count = status.byte_count = UINT64_MAX;
	assert_true(strlen(json_of(&status)) < 24000);
}

static const char *table_of(const struct list_status *lists, size_t count)
{
	static char text[8192];
	struct writer to = writer_of(text, sizeof text - 1);
	struct list_table table = list_table_of(NOW);
	for (size_t i = 0; i < count; i++)
		list_table_measure(&table, &lists[i]);
	list_table_write_head(&to, &table);
	for (size_t i = 0; i < count; i++)
		list_table_write_row(&to, &table, &lists[i]);
	assert_false(to.failed);
	text[to.len] = '\0';
	return text;
}

static void people_read_a_table(void **state)
{
	(void)state;
	struct list_status lists[] = { fetched, quarantined(), written,
		{ .name = "new",
			.origin = "url",
			.source = "https://x.example/",
			.standing = LIST_STANDING_NOT_LOADED,
			.fault = LIST_FAULT_TIMEOUT,
			.why = "no answer within 60 s",
			.last_attempt_s = NOW - 59,
			.next_attempt_s = NOW - 1 } };
	/* clang-format off */
	assert_string_equal(table_of(lists, 4),
"LIST              STATE        ENTRIES  REJECTED  CHANGED  CHECKED  NEXT    FORMAT   SOURCE\n"
"malware           good          123456         7  3d ago   5m ago   in 55m  adblock  https://lists.example/malware.txt\n"
"ads and trackers  quarantined   123456         7  3d ago   5m ago   in 55m  adblock  https://lists.example/malware.txt\n"
"  shrunk: 12 entries, 123456 are in force, 5m ago\n"
"ours              good               2         0  never    never    -       domains  inline\n"
"new               not_loaded         0         0  never    never    now     -        https://x.example/\n"
"  timeout: no answer within 60 s, 59s ago\n");
	/* clang-format on */
}

static void columns_count_characters_not_bytes(void **state)
{
	(void)state;
	struct list_status lists[] = {
		{ .name = "\xc3\xa4\xc3\xb6\xc3\xbc", .origin = "file", .source = "a\x1b[2Jb" },
		{ .name = "abcde", .origin = "file", .source = "x" },
	};
	const char *text = table_of(lists, 2);
	assert_non_null(strstr(text, "\n\xc3\xa4\xc3\xb6\xc3\xbc    good"));
	assert_non_null(strstr(text, "\nabcde  good"));
	assert_null(strchr(text, '\x1b'));
}

static void ages_have_one_unit(void **state)
{
	(void)state;
	static const struct {
		int64_t at_s;
		const char *text;
	} rows[] = {
		{ 0, "never" },
		{ -5, "never" },
		{ NOW, "now" },
		{ NOW - 1, "1s ago" },
		{ NOW - 119, "119s ago" },
		{ NOW - 120, "2m ago" },
		{ NOW - 7199, "119m ago" },
		{ NOW - 7200, "2h ago" },
		{ NOW - 2 * 86400 + 1, "47h ago" },
		{ NOW - 2 * 86400, "2d ago" },
		{ 1, "20833d ago" },
		{ NOW + 1, "in 1s" },
		{ NOW + 3600, "in 60m" },
		{ NOW + 86400, "in 24h" },
		{ INT64_MAX, "in 106751991146467d" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[25];
		struct writer to = writer_of(text, sizeof text - 1);
		list_status_write_age(&to, rows[i].at_s, NOW);
		text[to.len] = '\0';
		assert_string_equal(text, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(programs_read_an_object),
		cmocka_unit_test(foreign_bytes_stay_within_their_strings),
		cmocka_unit_test(its_size_is_bounded),
		cmocka_unit_test(people_read_a_table),
		cmocka_unit_test(columns_count_characters_not_bytes),
		cmocka_unit_test(ages_have_one_unit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
