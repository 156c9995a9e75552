#include "proxy/lists/list_lint.h"

#include "tests/unit/rules_fixture.h"

/* Everything that is told, "LINE: KIND: TEXT", a line each. */
struct told {
	struct writer to;
	uint32_t last_line;
	size_t count;
};

static struct suffixes *suffixes;

static void on_finding(void *context, const struct lint_finding *finding)
{
	struct told *told = context;
	assert_true(finding->line >= told->last_line);
	told->last_line = finding->line;
	told->count++;
	writer_decimal(&told->to, finding->line);
	writer_text(&told->to, ": ");
	writer_text(&told->to, lint_kind_name(finding->kind));
	writer_text(&told->to, ": ");
	lint_finding_write_text(&told->to, finding);
	writer_u8(&told->to, '\n');
}

static const char *lint(enum list_format format, const char *text, struct lint_summary *summary)
{
	static char bytes[1 << 16];
	struct told told = { .to = writer_of(bytes, sizeof bytes - 1) };
	assert_int_equal(
		list_lint(format, slice_of_text(text), suffixes, on_finding, &told, summary), 0);
	assert_false(told.to.failed);
	bytes[told.to.len] = '\0';
	size_t count = 0;
	for (unsigned i = 0; i < LINT_KINDS; i++)
		count += summary->counts[i];
	assert_int_equal(count, told.count);
	return bytes;
}

static void findings_by_line(void **state)
{
	(void)state;
	static const struct {
		enum list_format format;
		const char *text;
		const char *findings;
		uint64_t entry_count;
	} rows[] = {
		{ LIST_DOMAINS, "", "", 0 },
		{ LIST_DOMAINS, "# nothing\n\n", "", 0 },
		{ LIST_DOMAINS, "a.example\nb.example\n", "", 2 },
		{ LIST_DOMAINS, "a..b\na.example\n192.0.2.1\n",
			"1: rejected: not a domain name: a..b\n"
			"3: rejected: an IP address where a name belongs: 192.0.2.1\n",
			1 },
		/* a duplicate tells its first line, also the third one */
		{ LIST_DOMAINS, "a.example\nb.example\nA.example.\na.example\n",
			"3: duplicate: a.example. stood before, in line 1\n"
			"4: duplicate: a.example. stood before, in line 1\n",
			2 },
		/* what covers may stand behind; a name is not covered by what is below it alone */
		{ LIST_DOMAINS, "x.a.example\n*.a.example\na.example\nb.x.a.example\n",
			"1: covered: x.a.example. is covered by *.a.example. in line 2\n"
			"4: covered: b.x.a.example. is covered by *.a.example. in line 2\n",
			2 },
		{ LIST_WILDCARD, "a.example\nb.a.example\na.example\n",
			"2: covered: b.a.example. is covered by a.example. in line 1\n"
			"3: duplicate: a.example. stood before, in line 1\n",
			1 },
		/* suffixes: all below, itself only, and the names nobody registers under */
		{ LIST_DOMAINS, "*.co.uk\ngithub.io\n*\n*.lan\nprinter\n*.example.com\nwww.ck\n",
			"1: suffix: *.co.uk. covers all names below a public suffix (ICANN "
			"section)\n"
			"1: covered: *.co.uk. is covered by *. in line 3\n"
			"2: suffix: github.io. is a public suffix (private section); names below "
			"it are not meant\n"
			"2: covered: github.io. is covered by *. in line 3\n"
			"3: suffix: *. covers all names below the root\n"
			"3: health: *. covers www.gstatic.com (Chrome: test of a DoH server) and "
			"13 more, by which clients test their resolver or network\n"
			"4: suffix: *.lan. covers all names below a top-level domain\n"
			"4: covered: *.lan. is covered by *. in line 3\n"
			"5: covered: printer. is covered by *. in line 3\n"
			"6: covered: *.example.com. is covered by *. in line 3\n"
			"7: covered: www.ck. is covered by *. in line 3\n",
			1 },
		/* clients' health checks: by the name itself, or by what is above */
		{ LIST_HOSTS, "0.0.0.0 captive.apple.com\n0.0.0.0 apple.com\n",
			"1: health: captive.apple.com. covers captive.apple.com (iOS, macOS), by "
			"which clients test their resolver or network\n",
			2 },
		{ LIST_WILDCARD, "x.example\nandroid.com\n",
			"2: health: android.com. covers connectivitycheck.android.com (Android), "
			"by which clients test their resolver or network\n",
			2 },
		{ LIST_DOMAINS, "gstatic.com\n*.metric.gstatic.com\n",
			"2: health: *.metric.gstatic.com. covers "
			"a-dnsotls-ds.metric.gstatic.com (Android: test of Private DNS, under a "
			"random name), by which clients test their resolver or network\n",
			2 },
		/* several on one line of a hosts file */
		{ LIST_HOSTS, "0.0.0.0 a.example b.example a.example 1.2.3.4 c..d\n",
			"1: rejected: an IP address where a name belongs: 1.2.3.4\n"
			"1: rejected: not a domain name: c..d\n"
			"1: duplicate: a.example. stood before, in line 1\n",
			2 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct lint_summary summary;
		const char *findings = lint(rows[i].format, rows[i].text, &summary);
		if (strcmp(findings, rows[i].findings) != 0)
			fail_msg("row %zu says:\n%sand not:\n%s", i, findings, rows[i].findings);
		assert_int_equal(summary.entry_count, rows[i].entry_count);
	}
}

static void lines_are_counted(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t count;
	} rows[] = { { "", 0 }, { "a", 1 }, { "a\n", 1 }, { "\n\n", 2 }, { "a\nb", 2 } };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct lint_summary summary;
		lint(LIST_DOMAINS, rows[i].text, &summary);
		assert_int_equal(summary.line_count, rows[i].count);
	}
}

static void without_a_suffix_list_none_are_found(void **state)
{
	(void)state;
	static char bytes[1024];
	struct lint_summary summary;
	struct told told = { .to = writer_of(bytes, sizeof bytes) };
	assert_int_equal(list_lint(LIST_DOMAINS, slice_of_text("*.co.uk\n"), NULL, on_finding,
				 &told, &summary),
		0);
	assert_int_equal(told.count, 0);
}

/* More findings than the first memory has room for, each in its line, whatever order they were
 * found in. */
static void many_findings_keep_their_order(void **state)
{
	(void)state;
	enum { LINES = 60000 };
	static char text[LINES * 24], bytes[LINES * 96];
	struct lint_summary summary;
	struct told told = { .to = writer_of(bytes, sizeof bytes) };
	size_t len = 0;
	for (int i = 0; i < LINES; i++)
		len += (size_t)snprintf(text + len, sizeof text - len,
			i % 3 == 0           ? "bad..%d\n"
				: i % 3 == 1 ? "x%d.example\n"
					     : "twice.test\n",
			i);
	len += (size_t)snprintf(text + len, sizeof text - len, "*.example\n");
	assert_int_equal(
		list_lint(LIST_DOMAINS, slice_of(text, len), suffixes, on_finding, &told, &summary),
		0);
	assert_false(told.to.failed);
	assert_int_equal(summary.counts[LINT_REJECTED], LINES / 3);
	assert_int_equal(summary.reject_counts[LIST_REJECT_NOT_A_NAME], LINES / 3);
	assert_int_equal(summary.counts[LINT_COVERED], LINES / 3);
	assert_int_equal(summary.counts[LINT_DUPLICATE], LINES / 3 - 1);
	assert_int_equal(summary.counts[LINT_SUFFIX], 1); /* *.example */
	assert_int_equal(summary.entry_count, 2);
}

static int open_suffixes(void **state)
{
	(void)state;
	suffixes = suffixes_open();
	return suffixes ? 0 : -1;
}

static int close_suffixes(void **state)
{
	(void)state;
	suffixes_close(suffixes);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(findings_by_line),
		cmocka_unit_test(lines_are_counted),
		cmocka_unit_test(without_a_suffix_list_none_are_found),
		cmocka_unit_test(many_findings_keep_their_order),
	};
	return cmocka_run_group_tests(tests, open_suffixes, close_suffixes);
}
