#include "tests/unit/list_fixture.h"

static void test_domains_file(void **state)
{
	(void)state;
	check_file(LIST_DOMAINS, "sample.domains",
		"3 exact example.com.\n"
		"4 below example.com.\n"
		"5 exact blanks.example.net.\n"
		"6 exact under_score.com.\n"
		"7 exact single.\n"
		"8 exact trailing.dot.\n"
		"9 exact xn--bcher-kva.example.\n"
		"10 exact *.literal.example.\n"
		"11 exact with\\046dot.example.\n"
		"12 exact nul\\000.example.\n"
		"13 exact high\\255.example.\n"
		"14 exact example.com.\n"
		"15 exact comment.example.\n"
		"16 not-a-name <.leading.example>\n"
		"17 asterisk <ex*ample.com>\n"
		"18 asterisk <*name.example>\n"
		"19 asterisk <*.*.example>\n"
		"20 not-a-name <two words.example>\n"
		"21 address <192.0.2.1>\n"
		"22 address <2001:db8::1>\n"
		"23 exact xn--bcher-kva.example.\n"
		"24 not-a-name <!adblock>\n"
		"25 not-a-name <||example.com^>\n"
		"26 both .\n");
}

static void test_hosts_file(void **state)
{
	(void)state;
	check_file(LIST_HOSTS, "sample.hosts",
		"10 exact one.example.\n"
		"11 exact two.example.\n"
		"11 exact three.example.\n"
		"12 exact four.example.\n"
		"13 not-a-name <bad..example>\n"
		"13 exact five.example.\n"
		"14 no-name <0.0.0.0>\n"
		"15 no-name <six.example>\n"
		"16 not-a-name <not-an-address seven.example>\n"
		"17 address <198.51.100.7>\n"
		"18 asterisk <*.eight.example>\n"
		"19 exact one.example.\n"
		"20 exact nine.example.\n");
}

static void test_wildcard_file(void **state)
{
	(void)state;
	check_file(LIST_WILDCARD, "sample.wildcard",
		"2 both example.com.\n"
		"3 both example.org.\n"
		"4 both example.com.\n"
		"5 both 0.0.0.0.example.net.\n"
		"6 address <*.1.2.3.4>\n"
		"7 address <10.0.0.1>\n"
		"8 address <10.0.0.0/8>\n"
		"9 both .\n"
		"10 not-a-name <.>\n"
		"11 not-a-name <*..>\n"
		"12 asterisk <ex.*.ample>\n");
}

/* One line each, in the domains format. */
static void test_odd_lines(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		size_t len; /* 0: up to the NUL */
		const char *expected;
	} rows[] = {
		{ "", 0, "" },
		{ "\n", 0, "" },
		{ " \t \r\n", 0, "" },
		{ "#", 0, "" },
		{ "\xef\xbb\xbf", 0, "" },
		{ "\xef\xbb\xbf"
		  "bom.example",
			0, "1 exact bom.example.\n" },
		{ "\xef\xbb", 0, "1 not-ascii <\xef\xbb>\n" },
		{ "a\xef\xbb\xbf", 0, "1 exact a.\n" }, /* mapped to nothing: UTS 46 */
		{ "no.newline", 0, "1 exact no.newline.\n" },
		{ "cr.example\r\nlf.example\n\r\n\n", 0,
			"1 exact cr.example.\n2 exact lf.example.\n" },
		{ "a.example\0b\nc.example", 21, "1 not-a-name <a.example" },
		{ "a#b.example", 0, "1 not-a-name <a#b.example>\n" },
		{ "a.example\t# why", 0, "1 exact a.example.\n" },
		{ "a.example#why # why", 0, "1 not-a-name <a.example#why>\n" },
		{ "a..b", 0, "1 not-a-name <a..b>\n" },
		{ "a.b..", 0, "1 not-a-name <a.b..>\n" },
		{ ".", 0, "1 not-a-name <.>\n" },
		{ "*.", 0, "1 both .\n" },
		{ "**", 0, "1 asterisk <**>\n" },
		{ "*.a*", 0, "1 asterisk <*.a*>\n" },
		{ "a\\", 0, "1 not-a-name <a\\>\n" },
		{ "a\\25", 0, "1 not-a-name <a\\25>\n" },
		{ "a\\256", 0, "1 not-a-name <a\\256>\n" },
		{ "a\\065\\b", 0, "1 exact aab.\n" },
		{ "\\.", 0, "1 exact \\046.\n" },
		{ "\\000", 0, "1 exact \\000.\n" },
		{ "http://a.example/", 0, "1 not-a-name <http://a.example/>\n" },
		{ "1.2.3.4.", 0, "1 address <1.2.3.4.>\n" },
		{ "1.2.3.4.5", 0, "1 address <1.2.3.4.5>\n" },
		{ "1.2.3.999", 0, "1 address <1.2.3.999>\n" },
		{ "0000153.0000255.0000011.0000125", 0,
			"1 address <0000153.0000255.0000011.0000125>\n" },
		{ "a.ipv6.1433", 0, "1 not-a-name <a.ipv6.1433>\n" },
		{ "a.1433.", 0, "1 not-a-name <a.1433.>\n" },
		{ "a.\\0491", 0, "1 not-a-name <a.\\0491>\n" },
		{ "a.14a3", 0, "1 exact a.14a3.\n" },
		{ "1.2.3.x4", 0, "1 exact 1.2.3.x4.\n" },
		{ "4.3.2.1.in-addr.arpa", 0, "1 exact 4.3.2.1.in-addr.arpa.\n" },
		{ "::", 0, "1 address <::>\n" },
		{ "-_-", 0, "1 exact -_-.\n" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t len = rows[i].len ? rows[i].len : strlen(rows[i].line);
		static struct heard heard;
		if (rows[i].len == 0) {
			check(LIST_DOMAINS, slice_of(rows[i].line, len), rows[i].expected);
			continue;
		}
		/* With a NUL in the told text, only the front can be compared as text. */
		hear(LIST_DOMAINS, slice_of(rows[i].line, len), &heard);
		assert_string_equal(heard.text, rows[i].expected);
		assert_int_equal(heard.rejects[LIST_REJECT_NOT_A_NAME], 1);
	}
}

/* The edges of RFC 1035 2.3.4, with and without escapes, with and without the last dot. */
static void test_lengths(void **state)
{
	(void)state;
	static struct heard heard;
	for (unsigned escaped = 0; escaped < 2; escaped++) {
		for (size_t wire_len = 250; wire_len < 262; wire_len++) {
			char text[1200];
			size_t len = 0;
			/* Labels of 62 and one that fills up: wire_len with the root. */
			for (size_t at = 1; at < wire_len;) {
				size_t label = wire_len - at - 1 > 62 ? 62 : wire_len - at - 1;
				if (wire_len - at - 1 - label == 1)
					label--; /* leaves room for one more label */
				for (size_t i = 0; i < label; i++)
					len += (size_t)sprintf(
						text + len, "%s", escaped ? "\\097" : "a");
				at += label + 1;
				text[len++] = '.';
			}
			for (size_t cut = 0; cut < 2; cut++) {
				hear(LIST_DOMAINS, slice_of(text, len - cut), &heard);
				size_t rejected = heard.rejects[LIST_REJECT_TOO_LONG];
				assert_int_equal(rejected, wire_len > DNS_NAME_MAX);
				assert_int_equal(heard.text[0], '1');
			}
		}
	}
	char label[66];
	memset(label, 'x', sizeof label);
	hear(LIST_DOMAINS, slice_of(label, 63), &heard);
	assert_int_equal(heard.rejects[LIST_REJECT_TOO_LONG], 0);
	hear(LIST_DOMAINS, slice_of(label, 64), &heard);
	assert_int_equal(heard.rejects[LIST_REJECT_TOO_LONG], 1);
	label[64] = '.';
	hear(LIST_DOMAINS, slice_of(label, 65), &heard);
	assert_int_equal(heard.rejects[LIST_REJECT_TOO_LONG], 1);
}

static void test_long_lines(void **state)
{
	(void)state;
	static struct heard heard;
	size_t len = LIST_LINE_MAX + 100;
	char *line = malloc(len);
	assert_non_null(line);
	memset(line, ' ', len);
	memcpy(line, "0.0.0.0 a.example", 17);
	line[len - 1] = 'b';
	hear(LIST_HOSTS, slice_of(line, len), &heard);
	assert_int_equal(heard.rejects[LIST_REJECT_TOO_LONG], 1);
	/* Blanks at the end and comments do not count. */
	line[len - 1] = ' ';
	hear(LIST_HOSTS, slice_of(line, len), &heard);
	assert_string_equal(heard.text, "1 exact a.example.\n");
	memset(line + 17, '#', len - 17);
	hear(LIST_HOSTS, slice_of(line, len), &heard);
	assert_string_equal(heard.text, "1 exact a.example.\n");
	free(line);
}

static void test_sink_can_stop(void **state)
{
	(void)state;
	static struct heard heard;
	heard.stop_after = 2;
	assert_int_equal(
		hear(LIST_HOSTS, slice_of_text("::1 a b c d\n::1 e"), &heard), ERR_NO_MEMORY);
	assert_string_equal(heard.text, "1 exact a.\n1 exact b.\n");
	struct list_sink deaf = { .on_pattern = heard_on_pattern, .context = &heard };
	heard.stop_after = 0;
	heard.line = 0;
	assert_int_equal(list_read(LIST_DOMAINS, slice_of_text("..\na"), &deaf), 0);
}

static void test_names_of_formats(void **state)
{
	(void)state;
	enum list_format format;
	for (unsigned i = 0; i < LIST_FORMAT_COUNT; i++) {
		assert_true(list_format_parse(list_format_name((enum list_format)i), &format));
		assert_int_equal(format, i);
	}
	assert_false(list_format_parse("rpz2", &format));
	assert_false(list_format_parse("", &format));
	for (unsigned i = 0; i < LIST_REJECT_COUNT; i++) {
		assert_non_null(list_reject_text((enum list_reject)i));
		assert_non_null(list_reject_name((enum list_reject)i));
	}
}

static void test_pattern_text(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		enum pattern_kind kind;
		const char *text;
	} rows[] = {
		{ "example.com", PATTERN_EXACT, "example.com." },
		{ "example.com", PATTERN_BELOW, "*.example.com." },
		{ "example.com", PATTERN_BOTH, "example.com." },
		{ ".", PATTERN_BOTH, "*." },
		{ ".", PATTERN_BELOW, "*." },
		{ ".", PATTERN_EXACT, "." },
		{ "*.example.com", PATTERN_EXACT, "\\042.example.com." },
		{ "*.example.com", PATTERN_BELOW, "*.\\042.example.com." },
		{ "*", PATTERN_EXACT, "\\042." },
		{ "**.example", PATTERN_EXACT, "\\042\\042.example." },
		{ "a.*b", PATTERN_BOTH, "a.\\042b." },
		{ "a\\.b", PATTERN_EXACT, "a\\046b." },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[DNS_NAME_TEXT_MAX + 2];
		struct writer to = writer_of(text, sizeof text);
		struct dns_name name = fixture_name(rows[i].name);
		list_pattern_write_text(&to, dns_name_slice(&name), rows[i].kind);
		writer_u8(&to, 0);
		assert_string_equal(text, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_domains_file),
		cmocka_unit_test(test_hosts_file),
		cmocka_unit_test(test_wildcard_file),
		cmocka_unit_test(test_odd_lines),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_sink_can_stop),
		cmocka_unit_test(test_names_of_formats),
		cmocka_unit_test(test_pattern_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
