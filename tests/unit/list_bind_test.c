#include "tests/unit/list_fixture.h"

static void test_zones(void **state)
{
	(void)state;
	static const struct line_row rows[] = {
		{ "zone \"a.example\" { type master; notify no; file \"null.zone.file\"; };",
			"both a.example." },
		{ "zone \"A.example.\" IN { type primary; file \"x\"; };", "both a.example." },
		{ "zone a.example{type master;file \"x\";};", "both a.example." },
		{ "ZONE \"a.example\" in { file \"x\"; TYPE Master };",
			"syntax <ZONE \"a.example\" in "
			"{ file \"x\"; TYPE Master };>" },
		{ "zone \"a.example\"\n{\n\ttype master; // comment\n\tfile \"}\"; # };\n"
		  "\t/* type\n slave; */ };",
			"both a.example." },
		{ "zone \"a\" { type master; allow-query { any; { x; }; }; file \"x\"; };",
			"both a." },
		{ "zone \"a\" { type master; }; zone \"b\" { type master; };", "both a.; both b." },
		{ "zone \"b\xc3\xbc"
		  "cher.example\" { type master; };",
			"both xn--bcher-kva.example." },
		{ "// zone \"a\" { type master; };", "" },
		{ "# x\n/* y */\n", "" },
		{ "", "" },
		{ "/*", "" },
		{ "/", "syntax </>" },
	};
	CHECK_ROWS(LIST_BIND, rows);
}

static void test_rejects(void **state)
{
	(void)state;
	static const struct line_row rows[] = {
		{ "zone \"a\" { type forward; forwarders { 192.0.2.1; }; };",
			"not-dns <zone \"a\" { type forward; forwarders { 192.0.2.1; }; };>" },
		{ "zone \"a\" { type slave; };", "not-dns <zone \"a\" { type slave; };>" },
		{ "zone \".\" { type hint; file \"x\"; };",
			"not-dns <zone \".\" { type hint; file \"x\"; };>" },
		{ "zone \"a\" CH { type master; };", "not-dns <zone \"a\" CH { type master; };>" },
		{ "zone \"a\" { file \"type master;\"; };",
			"syntax <zone \"a\" { file \"type master;\"; };>" },
		{ "zone \"a\" { type \"master\"; };",
			"not-dns <zone \"a\" { type \"master\"; };>" },
		{ "zone \"192.0.2.1\" { type master; };",
			"address <zone \"192.0.2.1\" { type master; };>" },
		{ "zone \"a..b\" { type master; };",
			"not-a-name <zone \"a..b\" { type master; };>" },
		{ "zone \"*.a\" { type master; };", "asterisk <zone \"*.a\" { type master; };>" },
		{ "zone \"\" { type master; };", "not-a-name <zone \"\" { type master; };>" },
		{ "zone;", "syntax <zone;>" },
		{ "zone", "syntax <zone>" },
		{ "zone \"a\"", "syntax <zone \"a\">" },
		{ "zone \"a\" {", "syntax <zone \"a\" {>" },
		{ "zone \"a\" { type", "syntax <zone \"a\" { type>" },
		{ "zone \"a\" { type master;", "syntax <zone \"a\" { type master;>" },
		{ "zone \"a { type master; };", "syntax <zone \"a { type master; };>" },
		{ "options { directory \"/\"; };", "not-dns <options { directory \"/\"; };>" },
		{ "include \"x\";", "not-dns <include \"x\";>" },
		{ "a.example", "syntax <a.example>" },
		{ "}", "syntax <}>" },
		{ "\"x\" y;", "syntax <\"x\" y;>" },
	};
	CHECK_ROWS(LIST_BIND, rows);
}

/* What is broken costs one zone; lines are those where a statement begins. */
static void test_recovery(void **state)
{
	(void)state;
	check(LIST_BIND,
		slice_of_text("nonsense here\n"
			      "zone \"a\" { type master; };\n"
			      "zone \"b\" { type master; file \"x\"\n"
			      "zone \"c\"\n  { type master;\n  };\n"
			      "zone\n"
			      "zone \"d\" { type master; };\n"
			      "zone \"e\"\nzone \"f\" { type master; }\n"
			      "};\n"
			      "  zone \"g\" { type master; };"),
		"1 syntax <nonsense here>\n"
		"2 both a.\n"
		"3 syntax <zone \"b\" { type master; file \"x\">\n"
		"4 both c.\n"
		"7 syntax <zone>\n"
		"8 both d.\n"
		"9 syntax <zone \"e\">\n"
		"10 both f.\n"
		"11 syntax <};>\n"
		"12 both g.\n");
}

static void test_deep(void **state)
{
	(void)state;
	enum { DEPTH = 100000 };
	static struct heard heard;
	char *text = malloc(2 * DEPTH);
	assert_non_null(text);
	memset(text, '{', DEPTH);
	memset(text + DEPTH, '}', DEPTH);
	hear(LIST_BIND, slice_of(text, 2 * DEPTH), &heard);
	assert_int_equal(heard.rejects[LIST_REJECT_SYNTAX], 1);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zones),
		cmocka_unit_test(test_rejects),
		cmocka_unit_test(test_recovery),
		cmocka_unit_test(test_deep),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
