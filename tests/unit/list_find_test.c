#include "tests/unit/rules_fixture.h"

#include "rules/list.h"

static const struct facet plain = { .rank = FACET_RANK_PLAIN };

struct row {
	enum list_format format;
	const char *text;
	const char *name;
	enum pattern_kind kind;
	uint32_t line; /* 0: none */
	const char *raw;
};

static void test_lines(void **state)
{
	(void)state;
	static const char domains[] = "# first\r\na.test\r\n*.a.test # why\r\nA.Test\n\nb..test\n"
				      "*\nc.test";
	static const char hosts[] = "0.0.0.0 x.test y.test\n:: Y.test z.test\n";
	static const struct row rows[] = {
		{ LIST_DOMAINS, domains, "a.test", PATTERN_EXACT, 2, "a.test" },
		{ LIST_DOMAINS, domains, "a.test", PATTERN_BELOW, 3, "*.a.test # why" },
		/* Two lines that became one entry: the first of them. */
		{ LIST_DOMAINS, domains, "a.test", PATTERN_BOTH, 2, "a.test" },
		{ LIST_DOMAINS, domains, ".", PATTERN_BOTH, 7, "*" },
		{ LIST_DOMAINS, domains, "c.test", PATTERN_EXACT, 8, "c.test" },
		{ LIST_DOMAINS, domains, "c.test", PATTERN_BELOW, 0, NULL },
		{ LIST_DOMAINS, domains, "test", PATTERN_EXACT, 0, NULL },
		{ LIST_DOMAINS, "", "a.test", PATTERN_EXACT, 0, NULL },
		{ LIST_HOSTS, hosts, "y.test", PATTERN_EXACT, 1, "0.0.0.0 x.test y.test" },
		{ LIST_HOSTS, hosts, "z.test", PATTERN_EXACT, 2, ":: Y.test z.test" },
		{ LIST_WILDCARD, "*.a.test\n", "a.test", PATTERN_BOTH, 1, "*.a.test" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct dns_name name = fixture_name(rows[i].name);
		struct list_line line = { .number = 77 };
		bool found = list_find_entry(rows[i].format, slice_of_text(rows[i].text),
			dns_name_slice(&name), rows[i].kind, &plain, &line);
		if (found != (rows[i].line > 0) || (found && line.number != rows[i].line))
			fail_msg("row %zu: %u", i, line.number);
		if (found)
			assert_true(slice_equals_text(line.text, rows[i].raw));
	}
}

/* A facet that no line has (any more): the line with the name is what people want to see. */
static void test_another_facet(void **state)
{
	(void)state;
	static const struct facet other = { .effect = FACET_EXCEPT, .rank = 2 };
	struct dns_name name = fixture_name("a.test");
	struct list_line line;
	assert_true(list_find_entry(LIST_DOMAINS, slice_of_text("b.test\na.test\n"),
		dns_name_slice(&name), PATTERN_EXACT, &other, &line));
	assert_int_equal(line.number, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_another_facet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
