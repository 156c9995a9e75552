/* The walk against going through the rules one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rules/group_walk.h"

enum { RULES_MAX = 200, FIRST = 300 };

struct group {
	uint16_t lists[RULES_MAX]; /* of each rule */
	uint32_t entries[RULES_MAX];
	size_t count;
};

static struct image_matches matches;

static void find(unsigned list)
{
	matches.lists[list / 64] |= UINT64_C(1) << list % 64;
}

static void index_group(struct group *group)
{
	for (size_t i = 0; i < group->count; i++)
		group->entries[i] = group_walk_entry(group->lists[i], (uint16_t)(FIRST + i));
	group_walk_sort(group->entries, group->count);
}

/* Rules of the lists that were found, in their order, and no others. */
static void check_walk(const struct group *group)
{
	struct group_walk walk;
	uint16_t rule;
	assert_true(group_walk_begin(&walk, group->entries, group->count, &matches));
	for (size_t i = 0; i < group->count; i++) {
		if (!image_matches_have(&matches, group->lists[i]))
			continue;
		assert_true(group_walk_next(&walk, &rule));
		assert_int_equal(rule, FIRST + i);
	}
	assert_false(group_walk_next(&walk, &rule));
	assert_false(group_walk_next(&walk, &rule));
}

/* `lists` different lists in turn, `step` numbers apart. */
static void make_group(struct group *group, size_t count, unsigned lists, unsigned step)
{
	group->count = count;
	for (size_t i = 0; i < count; i++)
		group->lists[i] = (uint16_t)(i * 7 % lists * step);
	index_group(group);
}

static void finds_the_rules_in_their_order(void **state)
{
	(void)state;
	struct group group;
	static const struct {
		unsigned lists, step;
		unsigned found[GROUP_WALK_LISTS_MAX];
		unsigned found_count;
	} cases[] = {
		{ 1, 1, { 0 }, 1 },
		{ 200, 1, { 199 }, 1 },
		{ 200, 1, { 0, 63, 64, 65, 127, 128, 198, 199 }, 8 },
		{ 3, 511, { 0, 511, 1022 }, 3 },
		{ 3, 511, { 1, 510, 512, 1021, 1023 }, 5 }, /* of which there are no rules */
		{ 5, 100, { 100, 300, 1000 }, 3 },
		{ 5, 1, { 0, 1, 2, 3, 4 }, 5 },
		{ 7, 1, { 0 }, 0 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		memset(&matches, 0, sizeof matches);
		for (unsigned k = 0; k < cases[i].found_count; k++)
			find(cases[i].found[k]);
		make_group(&group, RULES_MAX, cases[i].lists, cases[i].step);
		check_walk(&group);
		make_group(&group, GROUP_WALK_RULES_MIN, cases[i].lists, cases[i].step);
		check_walk(&group);
	}
}

static void all_rules_of_no_list(void **state)
{
	(void)state;
	struct group group = { .count = 50 };
	memset(&matches, 0, sizeof matches);
	memset(group.lists, 0xff, sizeof group.lists); /* POLICY_NO_ID: the list has failed */
	index_group(&group);
	find(IMAGE_LISTS_MAX - 1);
	struct group_walk walk;
	uint16_t rule;
	assert_true(group_walk_begin(&walk, group.entries, group.count, &matches));
	assert_false(group_walk_next(&walk, &rule));
}

static void leaves_alone_what_is_not_worth_it(void **state)
{
	(void)state;
	struct group group;
	struct group_walk walk;
	memset(&matches, 0, sizeof matches);
	make_group(&group, RULES_MAX, 20, 1);
	for (unsigned list = 0; list <= GROUP_WALK_LISTS_MAX; list++)
		find(list * 2);
	assert_false(group_walk_begin(&walk, group.entries, group.count, &matches));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_rules_in_their_order),
		cmocka_unit_test(all_rules_of_no_list),
		cmocka_unit_test(leaves_alone_what_is_not_worth_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
