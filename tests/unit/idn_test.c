#include "tests/unit/list_fixture.h"

#include "rules/idn.h"

static void test_names(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *ascii; /* NULL: none */
	} rows[] = {
		{ "b\xc3\xbc"
		  "cher.example",
			"xn--bcher-kva.example" },
		{ "B\xc3\x9c"
		  "CHER.example",
			"xn--bcher-kva.example" },
		{ "bu\xcc\x88"
		  "cher.example",
			"xn--bcher-kva.example" }, /* not composed */
		{ "stra\xc3\x9f"
		  "e.example",
			"xn--strae-oqa.example" }, /* non-transitional */
		{ "\xe4\xbe\x8b\xe3\x81\x88.\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88",
			"xn--r8jz45g.xn--zckzah" },
		{ "\xe4\xbe\x8b\xe3\x80\x82"
		  "example",
			"xn--fsq.example" }, /* the ideographic full stop */
		{ "_dmarc.b\xc3\xbc"
		  "cher.example.",
			"_dmarc.xn--bcher-kva.example." },
		{ "\xff.example", NULL },
		{ "\xc3", NULL },
		{ "\xe2\x80\x8d.example", NULL }, /* a joiner that joins nothing */
		{ "\xcc\x88"
		  "a.example",
			NULL }, /* begins with a combining mark */
		{ "", NULL },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[256];
		struct writer to = writer_of(text, sizeof text - 1);
		bool is_name = idn_to_ascii(&to, slice_of_text(rows[i].text));
		text[to.len] = '\0';
		assert_int_equal(is_name, rows[i].ascii != NULL);
		assert_string_equal(text, rows[i].ascii ? rows[i].ascii : "");
	}
}

static void test_too_long(void **state)
{
	(void)state;
	char text[2000];
	char ascii[256];
	for (size_t len = 2; len < sizeof text; len += 98) {
		for (size_t i = 0; i < len; i += 2)
			memcpy(text + i, i % 20 ? "\xc3\xbc" : "\xc3.", 2);
		struct writer to = writer_of(ascii, sizeof ascii);
		assert_false(idn_to_ascii(&to, slice_of(text, len)));
		assert_int_equal(to.len, 0);
	}
	struct writer small = writer_of(ascii, 5);
	assert_false(idn_to_ascii(&small, slice_of_text("\xc3\xbc.example")));
	assert_false(idn_to_ascii(&small, slice_of("\xc3\xbc\0.example", 11)));
}

/* What the mapping makes of wide forms is read as what it then is. */
static void test_as_lines(void **state)
{
	(void)state;
	static const struct line_row rows[] = {
		{ "*.b\xc3\xbc"
		  "cher.example",
			"below xn--bcher-kva.example." },
		{ "\xef\xbc\x91.\xef\xbc\x92.\xef\xbc\x93.\xef\xbc\x94",
			"address <\xef\xbc\x91.\xef\xbc\x92.\xef\xbc\x93.\xef\xbc\x94>" },
		{ "\xef\xbc\x8a.example", "not-ascii <\xef\xbc\x8a.example>" },
		{ "a\xef\xbc\x8f"
		  "b.example",
			"not-ascii <a\xef\xbc\x8f"
			"b.example>" },
		{ "\\065\xc3\xbc.example", "not-ascii <\\065\xc3\xbc.example>" },
		{ "\xc3\xbc..example", "not-ascii <\xc3\xbc..example>" },
	};
	CHECK_ROWS(LIST_DOMAINS, rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_as_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
