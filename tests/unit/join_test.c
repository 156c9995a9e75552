/* Identical questions share an ask, others do not, and numbers find only their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "proxy/query/join.h"

static struct join_key key_of(const char *text, uint16_t type, uint8_t flags)
{
	static struct dns_name name;
	assert_true(dns_name_from_text(&name, slice_of_text(text)));
	const struct dns_request request = { .name = dns_name_slice(&name),
		.type = type,
		.class = 1,
		.recursion_desired = flags & 1,
		.checking_disabled = flags & 2,
		.dnssec_ok = flags & 4,
		.authentic_wanted = flags & 8 };
	return join_key_of(&request, 7);
}

static struct join_ask *ask(struct join_table *table, struct join_key key, bool expect_fresh)
{
	bool fresh;
	struct join_ask *found = join_find_or_add(table, &key, &fresh);
	assert_non_null(found);
	assert_int_equal(fresh, expect_fresh);
	assert_true(list_is_empty(&found->waiting) || !expect_fresh);
	return found;
}

static void test_what_is_the_same(void **state)
{
	(void)state;
	struct join_table *table = join_table_new(64);
	struct join_ask *first = ask(table, key_of("www.example.com", 1, 1), true);
	assert_ptr_equal(first, ask(table, key_of("www.example.com", 1, 1), false));
	assert_ptr_equal(first, ask(table, key_of("WWW.Example.COM", 1, 1), false));
	for (uint8_t flags = 0; flags < 16; flags++)
		if (flags != 1)
			ask(table, key_of("www.example.com", 1, flags), true);
	ask(table, key_of("www.example.com", 28, 1), true);
	ask(table, key_of("example.com", 1, 1), true);
	ask(table, key_of("www.example.com.www", 1, 1), true);
	ask(table, key_of(".", 1, 1), true);
	struct join_key other_class = key_of("www.example.com", 1, 1);
	other_class.class = 3;
	ask(table, other_class, true);
	struct join_key other_group = key_of("www.example.com", 1, 1);
	other_group.group = 8;
	ask(table, other_group, true);
	join_table_free(table);
}

static void test_full_and_again(void **state)
{
	(void)state;
	enum { CAPACITY = 100 };
	struct join_table *table = join_table_new(CAPACITY);
	struct join_ask *asks[CAPACITY];
	char name[32];
	bool fresh;
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < CAPACITY; i++) {
			snprintf(name, sizeof name, "n%u.r%u.test", i, round);
			asks[i] = ask(table, key_of(name, 1, 1), true);
		}
		struct join_key one_more = key_of("one.more.test", 1, 1);
		assert_null(join_find_or_add(table, &one_more, &fresh));
		assert_ptr_equal(asks[99], ask(table, key_of(name, 1, 1), false));
		for (unsigned i = 0; i < CAPACITY; i++)
			join_end(table, asks[(i * 37 + round) % CAPACITY]);
	}
	join_table_free(table);
}

static void test_numbers(void **state)
{
	(void)state;
	struct join_table *table = join_table_new(2);
	struct join_ask *a = ask(table, key_of("a.test", 1, 1), true);
	struct join_ask *b = ask(table, key_of("b.test", 1, 1), true);
	uint64_t a_number = join_ask_number(table, a), b_number = join_ask_number(table, b);
	assert_ptr_equal(join_find_number(table, a_number), a);
	assert_ptr_equal(join_find_number(table, b_number), b);
	join_end(table, a);
	assert_null(join_find_number(table, a_number));
	struct join_ask *again = ask(table, key_of("a.test", 1, 1), true);
	assert_null(join_find_number(table, a_number));
	assert_ptr_equal(join_find_number(table, join_ask_number(table, again)), again);
	assert_ptr_equal(join_find_number(table, b_number), b);
	/* Numbers that nobody gave. */
	assert_null(join_find_number(table, 2));
	assert_null(join_find_number(table, UINT64_MAX));
	assert_null(join_find_number(table, b_number + ((uint64_t)1 << 32)));
	join_table_free(table);
}

static void test_not_yet_used(void **state)
{
	(void)state;
	struct join_table *table = join_table_new(4);
	for (uint64_t number = 0; number < 4; number++)
		assert_null(join_find_number(table, number));
	join_table_free(table);
	join_table_free(NULL);
}

/* Names that fall into one bucket are told apart and taken out in any order. */
static void test_one_bucket(void **state)
{
	(void)state;
	enum { COUNT = 500 };
	struct join_table *table = join_table_new(COUNT);
	struct join_ask *asks[COUNT];
	char name[32];
	for (unsigned i = 0; i < COUNT; i++) {
		snprintf(name, sizeof name, "%u.test", i);
		asks[i] = ask(table, key_of(name, 1, 1), true);
	}
	for (unsigned i = 0; i < COUNT; i += 2)
		join_end(table, asks[i]);
	for (unsigned i = 0; i < COUNT; i++) {
		snprintf(name, sizeof name, "%u.test", i);
		struct join_ask *found = ask(table, key_of(name, 1, 1), i % 2 == 0);
		if (i % 2)
			assert_ptr_equal(found, asks[i]);
	}
	join_table_free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_the_same),
		cmocka_unit_test(test_full_and_again),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_not_yet_used),
		cmocka_unit_test(test_one_bucket),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
