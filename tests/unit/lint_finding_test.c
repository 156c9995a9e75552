#include "proxy/lists/lint_finding.h"

#include "tests/unit/rules_fixture.h"
#include "tests/unit/strict_json.h"

static const struct builtin_name android = { "*.check.test", "connectivity.check.test", "Android" };

/* What each kind says, in both ways. */
static void findings_are_said(void **state)
{
	(void)state;
	struct dns_name a = fixture_name("a.example."), any = fixture_name("example.");
	struct dns_name root = { .len = 1 };
	const struct slice name = dns_name_slice(&a), by = dns_name_slice(&any);
	const struct {
		struct lint_finding finding;
		const char *text;
		const char *json;
	} rows[] = {
		{ { .kind = LINT_REJECTED,
			  .line = 2,
			  .reject = LIST_REJECT_ADDRESS,
			  .text = slice_of("192.0.2.1\x1b", 10) },
			"an IP address where a name belongs: 192.0.2.1\xef\xbf\xbd",
			"{\"kind\":\"rejected\",\"line\":2,\"reason\":\"address\","
			"\"text\":\"192.0.2.1\\u001b\"}" },
		{ { .kind = LINT_DUPLICATE,
			  .line = 7,
			  .name = name,
			  .pattern = PATTERN_EXACT,
			  .by_line = 3 },
			"a.example. stood before, in line 3",
			"{\"kind\":\"duplicate\",\"line\":7,\"entry\":\"a.example.\","
			"\"first_line\":3}" },
		{ { .kind = LINT_DUPLICATE, .line = 7, .name = name, .pattern = PATTERN_BELOW },
			"*.a.example. stood before",
			"{\"kind\":\"duplicate\",\"line\":7,\"entry\":\"*.a.example.\"}" },
		{ { .kind = LINT_COVERED,
			  .line = 9,
			  .name = name,
			  .pattern = PATTERN_EXACT,
			  .by = by,
			  .by_pattern = PATTERN_BELOW,
			  .by_line = 12 },
			"a.example. is covered by *.example. in line 12",
			"{\"kind\":\"covered\",\"line\":9,\"entry\":\"a.example.\","
			"\"by\":\"*.example.\",\"by_line\":12}" },
		{ { .kind = LINT_SUFFIX,
			  .line = 1,
			  .name = by,
			  .pattern = PATTERN_BELOW,
			  .suffix = SUFFIX_ICANN },
			"*.example. covers all names below a public suffix (ICANN section)",
			"{\"kind\":\"suffix\",\"line\":1,\"entry\":\"*.example.\","
			"\"suffix\":\"icann\",\"below\":true}" },
		{ { .kind = LINT_SUFFIX,
			  .line = 1,
			  .name = by,
			  .pattern = PATTERN_EXACT,
			  .suffix = SUFFIX_PRIVATE },
			"example. is a public suffix (private section); names below it are not "
			"meant",
			"{\"kind\":\"suffix\",\"line\":1,\"entry\":\"example.\","
			"\"suffix\":\"private\"}" },
		{ { .kind = LINT_SUFFIX,
			  .line = 1,
			  .name = dns_name_slice(&root),
			  .pattern = PATTERN_BOTH,
			  .suffix = SUFFIX_ROOT,
			  .is_exception = true },
			"*. lets through all names below the root",
			"{\"kind\":\"suffix\",\"line\":1,\"entry\":\"*.\",\"suffix\":\"root\","
			"\"below\":true,\"exception\":true}" },
		{ { .kind = LINT_HEALTH,
			  .line = 4,
			  .name = by,
			  .pattern = PATTERN_BELOW,
			  .health = &android,
			  .health_count = 1 },
			"*.example. covers connectivity.check.test (Android), by which clients "
			"test their resolver or network",
			"{\"kind\":\"health\",\"line\":4,\"entry\":\"*.example.\","
			"\"name\":\"connectivity.check.test\",\"user\":\"Android\",\"names\":1}" },
		{ { .kind = LINT_HEALTH,
			  .line = 4,
			  .name = by,
			  .pattern = PATTERN_BELOW,
			  .health = &android,
			  .health_count = 14 },
			"*.example. covers connectivity.check.test (Android) and 13 more, by which "
			"clients test their resolver or network",
			"{\"kind\":\"health\",\"line\":4,\"entry\":\"*.example.\","
			"\"name\":\"connectivity.check.test\",\"user\":\"Android\",\"names\":14}" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[LINT_FINDING_MAX], json[LINT_FINDING_MAX];
		struct writer to_text = writer_of(text, sizeof text - 1);
		struct writer to_json = writer_of(json, sizeof json - 1);
		lint_finding_write_text(&to_text, &rows[i].finding);
		lint_finding_write_json(&to_json, &rows[i].finding);
		text[to_text.len] = json[to_json.len] = '\0';
		assert_string_equal(text, rows[i].text);
		assert_string_equal(json, rows[i].json);
		assert_true(json_is_strict(writer_slice(&to_json)));
	}
}

/* The longest names and the worst bytes. */
static void what_is_written_is_bounded(void **state)
{
	(void)state;
	uint8_t worst[LIST_REJECT_TEXT_MAX];
	struct dns_name name = { .len = DNS_NAME_MAX };
	memset(worst, 0xff, sizeof worst);
	memset(name.wire, 0x01, sizeof name.wire - 1); /* 127 labels of one byte */
	for (unsigned kind = 0; kind < LINT_KINDS; kind++) {
		static char text[LINT_FINDING_MAX], json[LINT_FINDING_MAX];
		const struct lint_finding finding = {
			.kind = (enum lint_kind)kind,
			.line = UINT32_MAX,
			.reject = LIST_REJECT_TOO_MANY,
			.text = slice_of(worst, sizeof worst),
			.name = dns_name_slice(&name),
			.pattern = PATTERN_BELOW,
			.suffix = SUFFIX_PRIVATE,
			.is_exception = true,
			.health = &android,
			.health_count = SIZE_MAX,
			.by = dns_name_slice(&name),
			.by_pattern = PATTERN_BELOW,
			.by_line = UINT32_MAX,
		};
		struct writer to_text = writer_of(text, sizeof text);
		struct writer to_json = writer_of(json, sizeof json);
		lint_finding_write_text(&to_text, &finding);
		lint_finding_write_json(&to_json, &finding);
		assert_false(to_text.failed || to_json.failed);
		assert_true(json_is_strict(writer_slice(&to_json)));
		for (size_t i = 0; i < to_text.len; i++)
			assert_true((uint8_t)text[i] >= ' ' && text[i] != 0x7f);
	}
}

static void only_what_changes_a_list_matters(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < LINT_KINDS; kind++) {
		bool is_note = kind == LINT_DUPLICATE || kind == LINT_COVERED;
		assert_int_equal(lint_kind_is_note((enum lint_kind)kind), is_note);
		assert_true(lint_kind_name((enum lint_kind)kind)[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(findings_are_said),
		cmocka_unit_test(what_is_written_is_bounded),
		cmocka_unit_test(only_what_changes_a_list_matters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
