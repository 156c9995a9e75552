/* What came of a shadow: numbers that are exact, tables that are bounded, and somebody who looks on
 * while others count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "dns/types.h"
#include "proxy/shadow/shadow_tally.h"

static struct shadow_difference difference(uint16_t view, uint16_t rule)
{
	return (struct shadow_difference){ .view = view,
		.from_by = rule,
		.to_by = SHADOW_NO_NAME,
		.from = METRICS_OUTCOME_BLOCK,
		.to = METRICS_OUTCOME_NONE };
}

static void add(struct shadow_table *table, uint16_t view, uint16_t rule, const char *text)
{
	struct dns_name name;
	const struct shadow_difference what = difference(view, rule);
	assert_true(dns_name_from_text(&name, slice_of_text(text)));
	shadow_table_add(table, &what, dns_name_slice(&name), DNS_TYPE_A);
}

static void nothing_was_counted(void **state)
{
	(void)state;
	struct shadow_tally *tally = shadow_tally_new(2, 7);
	struct shadow_sum *sum = shadow_tally_sum(tally);
	assert_int_equal(tally->since_s, 7);
	assert_int_equal(sum->judged + sum->differing + sum->others + sum->row_count, 0);
	free(sum);
	shadow_tally_unref(shadow_tally_ref(tally));
	shadow_tally_unref(tally);
	shadow_tally_unref(NULL);
}

static void workers_are_added_up(void **state)
{
	(void)state;
	struct shadow_tally *tally = shadow_tally_new(2, 0);
	for (unsigned i = 0; i < 5; i++)
		shadow_table_count(tally->tables[i % 2], SHADOW_JUDGED);
	shadow_table_count(tally->tables[1], SHADOW_ELSEWHERE);
	shadow_table_count(tally->tables[0], SHADOW_UNKNOWN);
	add(tally->tables[0], 1, 7, "a.test");
	add(tally->tables[1], 1, 7, "b.test");
	add(tally->tables[1], 1, 7, "a.test");
	add(tally->tables[1], 2, 7, "c.test");
	struct shadow_sum *sum = shadow_tally_sum(tally);
	assert_int_equal(sum->judged, 5);
	assert_int_equal(sum->differing, 4);
	assert_int_equal(sum->elsewhere, 1);
	assert_int_equal(sum->unknown, 1);
	assert_int_equal(sum->others, 0);
	assert_int_equal(sum->row_count, 2); /* the larger one first */
	assert_int_equal(sum->rows[0].count, 3);
	assert_int_equal(sum->rows[0].what.view, 1);
	assert_int_equal(sum->rows[0].example_count, 2); /* each name once */
	assert_int_equal(sum->rows[1].count, 1);
	free(sum);
	shadow_tally_unref(tally);
}

static void a_few_examples(void **state)
{
	(void)state;
	struct shadow_tally *tally = shadow_tally_new(1, 0);
	for (unsigned i = 0; i < 100; i++) {
		char name[32];
		snprintf(name, sizeof name, "n%u.test", i / 2);
		add(tally->tables[0], 1, 1, name);
	}
	struct shadow_sum *sum = shadow_tally_sum(tally);
	assert_int_equal(sum->rows[0].count, 100);
	assert_int_equal(sum->rows[0].example_count, SHADOW_EXAMPLES);
	for (unsigned i = 0; i < SHADOW_EXAMPLES; i++) {
		char text[DNS_NAME_TEXT_MAX], expected[32];
		const struct shadow_example *example = &sum->rows[0].examples[i];
		snprintf(expected, sizeof expected, "n%u.test.", i);
		dns_name_text(slice_of(example->name, example->len), text);
		assert_string_equal(text, expected);
	}
	free(sum);
	shadow_tally_unref(tally);
}

/* More kinds than there is room for: all are counted, none is lost, nothing grows. */
static void a_full_table(void **state)
{
	(void)state;
	enum { KINDS = 3 * SHADOW_ROWS, EACH = 2 };
	struct shadow_tally *tally = shadow_tally_new(1, 0);
	for (unsigned i = 0; i < EACH * KINDS; i++)
		add(tally->tables[0], (uint16_t)(i % 3), (uint16_t)(i % KINDS), "a.test");
	struct shadow_sum *sum = shadow_tally_sum(tally);
	uint64_t in_rows = 0;
	for (size_t i = 0; i < sum->row_count; i++)
		in_rows += sum->rows[i].count;
	assert_int_equal(sum->row_count, SHADOW_ROWS / 4 * 3);
	assert_int_equal(sum->differing, EACH * KINDS);
	assert_int_equal(in_rows + sum->others, EACH * KINDS);
	assert_int_equal(in_rows, EACH * sum->row_count);
	free(sum);
	shadow_tally_unref(tally);
}

/* Full tables of all workers, of different kinds, still have a row each in the sum. */
static void many_full_tables(void **state)
{
	(void)state;
	enum { WORKERS = 5, KINDS = SHADOW_ROWS / 4 * 3 };
	struct shadow_tally *tally = shadow_tally_new(WORKERS, 0);
	for (unsigned worker = 0; worker < WORKERS; worker++)
		for (unsigned i = 0; i < KINDS; i++)
			add(tally->tables[worker], (uint16_t)worker, (uint16_t)i, "a.test");
	struct shadow_sum *sum = shadow_tally_sum(tally);
	assert_int_equal(sum->row_count, WORKERS * KINDS);
	assert_int_equal(sum->others, 0);
	free(sum);
	shadow_tally_unref(tally);
}

/* ---- somebody looks on ---- */

enum { ROUNDS = 200000 };

static void *keep_counting(void *argument)
{
	struct shadow_table *table = argument;
	static const char *const names[] = { "a.test", "b.test", "c.test", "d.test" };
	for (unsigned i = 0; i < ROUNDS; i++) {
		shadow_table_count(table, SHADOW_JUDGED);
		if (i % 16 == 0)
			add(table, (uint16_t)(i % 7), (uint16_t)(i / 1000), names[i / 16 % 4]);
	}
	return NULL;
}

/* What is seen is whole, and never less than before. */
static void looking_on(void **state)
{
	(void)state;
	struct shadow_tally *tally = shadow_tally_new(2, 0);
	pthread_t threads[2];
	uint64_t before = 0;
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, keep_counting, tally->tables[i]), 0);
	while (before < ROUNDS) {
		struct shadow_sum *sum = shadow_tally_sum(tally);
		assert_true(sum->judged >= before);
		before = sum->judged;
		for (size_t i = 0; i < sum->row_count; i++) {
			assert_true(sum->rows[i].what.view < 7);
			assert_int_equal(sum->rows[i].what.to_by, SHADOW_NO_NAME);
			for (unsigned k = 0; k < sum->rows[i].example_count; k++)
				assert_int_equal(sum->rows[i].examples[k].len, 8);
		}
		free(sum);
	}
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	struct shadow_sum *sum = shadow_tally_sum(tally);
	assert_int_equal(sum->judged, 2 * ROUNDS);
	assert_int_equal(sum->differing, 2 * ROUNDS / 16);
	free(sum);
	shadow_tally_unref(tally);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_was_counted),
		cmocka_unit_test(workers_are_added_up),
		cmocka_unit_test(a_few_examples),
		cmocka_unit_test(a_full_table),
		cmocka_unit_test(many_full_tables),
		cmocka_unit_test(looking_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
