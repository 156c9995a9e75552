#include "tests/unit/list_fixture.h"

#define NULLS " A/60/00000000 AAAA/60/00000000000000000000000000000000"

static void test_zones(void **state)
{
	(void)state;
	static const struct line_row rows[] = {
		{ "local-zone: \"a.example.\" always_nxdomain", "both a.example. nxdomain" },
		{ "local-zone: a.example static", "both a.example. nxdomain" },
		{ "local-zone: 'a.example' \"refuse\"", "both a.example. refused" },
		{ "local-zone: \"a.example\" always_refuse", "both a.example. refused" },
		{ "local-zone: \"a.example\" deny", "both a.example. drop" },
		{ "local-zone: \"a.example\" always_deny", "both a.example. drop" },
		{ "local-zone: \"a.example\" inform_deny", "both a.example. drop" },
		{ "local-zone: \"a.example\" always_nodata", "both a.example. nodata" },
		{ "local-zone: \"a.example\" always_null", "both a.example." NULLS },
		{ "local-zone: \"a.example\" redirect", "both a.example. nodata" },
		{ "local-zone: \"a.example\" transparent", "both a.example. except" },
		{ "local-zone: \"a.example\" typetransparent", "both a.example. except" },
		{ "local-zone: \"a.example\" always_transparent", "both a.example. except" },
		{ "local-zone: \"a.example\" inform", "both a.example. except" },
		{ "local-zone: \"a.example\" nodefault", "" },
		{ "local-zone: \".\" refuse", "both . refused" },
		{ "server: local-zone: \"a.example\" static # why", "both a.example. nxdomain" },
		{ "\t local-zone:\t\"A.example\"\tstatic", "both a.example. nxdomain" },
		{ "local-zone: \"b\xc3\xbc"
		  "cher.example\" static",
			"both xn--bcher-kva.example. nxdomain" },
		{ "server:", "" },
		{ "# local-zone: \"a.example\" static", "" },
	};
	CHECK_ROWS(LIST_UNBOUND, rows);
}

static void test_rejects(void **state)
{
	(void)state;
	static const struct line_row rows[] = {
		{ "local-zone: \"a.example\" noview",
			"not-dns <local-zone: \"a.example\" noview>" },
		{ "local-zone: \"a.example\" blocked",
			"not-dns <local-zone: \"a.example\" blocked>" },
		{ "local-zone: \"a.example\"", "syntax <local-zone: \"a.example\">" },
		{ "local-zone: \"a.example static", "syntax <local-zone: \"a.example static>" },
		{ "local-zone: \"a.example\" static x",
			"syntax <local-zone: \"a.example\" static x>" },
		{ "local-zone:", "syntax <local-zone:>" },
		{ "local-zone: \"\" static", "not-a-name <local-zone: \"\" static>" },
		{ "local-zone: \"a..b\" static", "not-a-name <local-zone: \"a..b\" static>" },
		{ "local-zone: \"*.a\" static", "asterisk <local-zone: \"*.a\" static>" },
		{ "local-zone: 192.0.2.1 static", "address <local-zone: 192.0.2.1 static>" },
		{ "local-zone \"a.example\" static", "syntax <local-zone \"a.example\" static>" },
		{ "a.example", "syntax <a.example>" },
		{ "verbosity: 1", "not-dns <verbosity: 1>" },
		{ "forward-zone:", "not-dns <forward-zone:>" },
		{ "server: interface: ::1", "not-dns <server: interface: ::1>" },
		{ "local-data-ptr: \"192.0.2.1 a.example\"",
			"not-dns <local-data-ptr: \"192.0.2.1 a.example\">" },
		{ "local-data: \"a.example\"", "answer <local-data: \"a.example\">" },
		{ "local-data: \"\"", "not-a-name <local-data: \"\">" },
		{ "local-data: \"a.example A\"", "answer <local-data: \"a.example A\">" },
		{ "local-data: \"a.example A ::1\"", "answer <local-data: \"a.example A ::1\">" },
		{ "local-data: \"a.example AAAA 192.0.2.1\"",
			"answer <local-data: \"a.example AAAA 192.0.2.1\">" },
		{ "local-data: \"a.example A 192.0.2.1 x\"",
			"answer <local-data: \"a.example A 192.0.2.1 x\">" },
		{ "local-data: \"a.example MX 1 b.example\"",
			"answer <local-data: \"a.example MX 1 b.example\">" },
		{ "local-data: \"a.example CH A 192.0.2.1\"",
			"answer <local-data: \"a.example CH A 192.0.2.1\">" },
		{ "local-data: a.example A 192.0.2.1",
			"syntax <local-data: a.example A 192.0.2.1>" },
	};
	CHECK_ROWS(LIST_UNBOUND, rows);
}

static void test_data(void **state)
{
	(void)state;
	static const struct line_row rows[] = {
		{ "local-data: \"a.example. A 192.0.2.1\"", "exact a.example. A/60/c0000201" },
		{ "local-data: 'a.example. 3600 IN A 192.0.2.1'",
			"exact a.example. A/3600/c0000201" },
		{ "local-data: \"a.example. in cname b.example.\"",
			"exact a.example. CNAME/60/0162076578616d706c6500" },
		/* records of one name belong together, in their own order */
		{ "local-data: \"a.example AAAA ::1\"\nlocal-data: \"A.example A 192.0.2.2\"\n"
		  "local-data: \"a.example A 192.0.2.1\"\nlocal-data: \"a.example A 192.0.2.2\"",
			"exact a.example. A/60/c0000201 A/60/c0000202 "
			"AAAA/60/00000000000000000000000000000001" },
		/* those of a redirect zone answer for all of it */
		{ "local-zone: \"a.example\" redirect\nlocal-data: \"a.example A 192.0.2.1\"",
			"both a.example. A/60/c0000201" },
		{ "local-zone: \"a.example\" redirect\nlocal-data: \"b.example A 192.0.2.1\"",
			"both a.example. nodata; exact b.example. A/60/c0000201" },
		/* those of other zones for its name */
		{ "local-zone: \"a.example\" static\nlocal-data: \"a.example A 192.0.2.1\"",
			"exact a.example. A/60/c0000201; below a.example. nxdomain" },
		{ "local-zone: \"a.example\" transparent\nlocal-data: \"a.example A 192.0.2.1\"",
			"exact a.example. A/60/c0000201; below a.example. except" },
		{ "local-zone: \"a.example\" always_nxdomain\n"
		  "local-data: \"a.example A 192.0.2.1\"",
			"both a.example. nxdomain" },
		{ "local-zone: \"a.example\" redirect\nlocal-data: \"a.example A x\"\n"
		  "local-zone: \"b.example\" redirect",
			"both a.example. nodata; answer <local-data: \"a.example A x\">; "
			"both b.example. nodata" },
		{ "local-data: \"a.example A x\"\nlocal-data: \"a.example A 192.0.2.1\"",
			"answer <local-data: \"a.example A x\">; exact a.example. A/60/c0000201" },
	};
	CHECK_ROWS(LIST_UNBOUND, rows);
	/* A zone is told with its own line, and in order. */
	check(LIST_UNBOUND,
		slice_of_text("server:\n\nlocal-zone: \"a\" redirect\n# why\n"
			      "local-data: \"a A 192.0.2.1\"\nverbosity: 1\n"
			      "local-zone: \"b\" static\n"),
		"3 both a. A/60/c0000201\n6 not-dns <verbosity: 1>\n7 both b. nxdomain\n");
}

/* More records than an entry can have. */
static void test_many_records(void **state)
{
	(void)state;
	static char text[65536];
	static struct heard heard;
	size_t len = 0;
	for (unsigned i = 0; i < 1000; i++)
		len += (size_t)sprintf(
			text + len, "local-data: \"a.example A 10.0.%u.%u\"\n", i / 256, i % 256);
	assert_int_equal(hear(LIST_UNBOUND, slice_of(text, len), &heard), 0);
	assert_true(heard.patterns > 0);
	assert_true(heard.rejects[LIST_REJECT_ANSWER] > 0);
}

static void test_sink_can_stop(void **state)
{
	(void)state;
	static struct heard heard = { .stop_after = 1 };
	static const char text[] = "local-zone: \"a\" static\nlocal-zone: \"b\" static\n"
				   "local-zone: \"c\" static\n";
	assert_int_equal(hear(LIST_UNBOUND, slice_of_text(text), &heard), ERR_NO_MEMORY);
	assert_string_equal(heard.text, "1 both a. nxdomain\n");
}

static void test_long_line(void **state)
{
	(void)state;
	static struct heard heard;
	size_t len = LIST_LINE_MAX + 1;
	char *line = malloc(len);
	assert_non_null(line);
	memset(line, 'x', len);
	hear(LIST_UNBOUND, slice_of(line, len), &heard);
	assert_int_equal(heard.rejects[LIST_REJECT_TOO_LONG], 1);
	free(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zones),
		cmocka_unit_test(test_rejects),
		cmocka_unit_test(test_data),
		cmocka_unit_test(test_many_records),
		cmocka_unit_test(test_sink_can_stop),
		cmocka_unit_test(test_long_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
