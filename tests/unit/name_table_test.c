#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls/private.h"

static int find(const struct tls_name_table *table, const char *name)
{
	return tls_name_table_find(table, slice_of_text(name));
}

static void test_exact_names_and_wildcards(void **state)
{
	(void)state;
	static const char *const names[] = { "a.example", "*.example", "*.b.example", "x.b.example",
		"single" };
	static const struct {
		const char *name;
		int number;
	} rows[] = {
		{ "a.example", 0 },
		{ "c.example", 1 },
		{ "b.example", 1 },
		{ "y.b.example", 2 },
		{ "x.b.example", 3 },
		{ "x.y.b.example", -1 }, /* an asterisk is one label (RFC 9525 6.3) */
		{ "example", -1 },
		{ "single", 4 },
		{ "a.single", -1 },
		{ "*.example", 1 },
		{ ".example", 1 },
		{ "A.example", 1 }, /* lower case is the caller's business */
		{ "a.example.", -1 },
		{ ".", -1 },
		{ "", -1 },
	};
	struct tls_name_table table;
	assert_true(tls_name_table_init(&table, 5));
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(tls_name_table_add(&table, names[i], (uint16_t)i), -1);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (find(&table, rows[i].name) != rows[i].number)
			fail_msg("%s: %d", rows[i].name, find(&table, rows[i].name));
	tls_name_table_deinit(&table);
}

static void test_the_first_keeps_a_name(void **state)
{
	(void)state;
	struct tls_name_table table;
	assert_true(tls_name_table_init(&table, 2));
	assert_int_equal(tls_name_table_add(&table, "a.example", 7), -1);
	assert_int_equal(tls_name_table_add(&table, "a.example", 8), 7);
	assert_int_equal(find(&table, "a.example"), 7);
	tls_name_table_deinit(&table);
}

static void test_long_names(void **state)
{
	(void)state;
	char name[400];
	struct tls_name_table table;
	assert_true(tls_name_table_init(&table, 1));
	assert_int_equal(tls_name_table_add(&table, "*.example", 1), -1);
	for (size_t len = 8; len < sizeof name; len++) {
		memset(name, 'a', len);
		memcpy(name + len - 8, ".example", 8);
		int number = tls_name_table_find(&table, slice_of(name, len));
		assert_int_equal(number, len <= 253 ? 1 : -1);
	}
	tls_name_table_deinit(&table);
}

enum { MANY = 20000 };

static void test_very_many(void **state)
{
	(void)state;
	char(*names)[32] = calloc(MANY, sizeof *names);
	struct tls_name_table table;
	assert_true(tls_name_table_init(&table, MANY));
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof names[i], "%sn%u.example", i & 1 ? "*." : "", i);
		assert_int_equal(tls_name_table_add(&table, names[i], (uint16_t)i), -1);
	}
	assert_true(table.slot_count >= 2 * MANY && table.slot_count <= 4 * MANY);
	for (unsigned i = 0; i < MANY; i++) {
		char asked[32];
		snprintf(asked, sizeof asked, "%sn%u.example", i & 1 ? "www." : "", i);
		assert_int_equal(find(&table, asked), i);
		snprintf(asked, sizeof asked, "m%u.example", i);
		assert_int_equal(find(&table, asked), -1);
	}
	tls_name_table_deinit(&table);
	free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact_names_and_wildcards),
		cmocka_unit_test(test_the_first_keeps_a_name),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_very_many),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
