#include "proxy/upstream/choice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

enum { MAX = 8, DRAWS = 20000 };

static struct random_pool pool;

/* Members as words: health (u up, s suspect, d down), then ! lame, x out; then the smoothed latency
 * in ms ("-": not known), "*N" the weight, "+N" tries. "u20*3+1 d-" */
static size_t parse(const char *text, struct choice_member *to)
{
	size_t count = 0;
	for (; *text; count++) {
		struct choice_member *member = &to[count];
		*member = (struct choice_member){ .weight = 1 };
		member->health = *text == 'd' ? HEALTH_DOWN
			: *text == 's'        ? HEALTH_SUSPECT
					      : HEALTH_UP;
		for (text++; *text && *text != ' '; text++) {
			if (*text == '!')
				member->is_lame = true;
			else if (*text == 'x')
				member->is_out = true;
			else if (*text == '*')
				member->weight = (unsigned)(*++text - '0');
			else if (*text == '+')
				member->tries = (unsigned)(*++text - '0');
			else if (*text != '-')
				member->smooth_us =
					member->smooth_us * 10 + (uint32_t)(*text - '0') * 1000;
		}
		text += *text == ' ';
	}
	return count;
}

/* The whole order in which one ask tries them: each that is named counts a try. */
static void order(enum upstream_policy policy, const char *members, unsigned tries, char *to)
{
	struct choice_member list[MAX];
	size_t count = parse(members, list);
	while (tries-- > 0) {
		size_t at = choice_next(policy, list, count, &pool);
		*to++ = at == CHOICE_NONE ? '.' : (char)('0' + at);
		if (at != CHOICE_NONE)
			list[at].tries++;
	}
	*to = '\0';
}

static void test_orders(void **state)
{
	(void)state;
	static const struct {
		enum upstream_policy policy;
		const char *members;
		const char *order;
	} rows[] = {
		{ UPSTREAM_ORDERED, "u-", "000" },
		{ UPSTREAM_ORDERED, "u- u- u-", "012012" },
		{ UPSTREAM_ORDERED, "u90 u50 u10", "012012" },
		{ UPSTREAM_ORDERED, "d- u- u-", "120120" },
		{ UPSTREAM_ORDERED, "s- u- u-", "120120" },
		/* Somebody who is late is likelier to answer than somebody who is gone. */
		{ UPSTREAM_ORDERED, "d- s- u-", "210210" },
		{ UPSTREAM_ORDERED, "d- d-", "0101" },
		{ UPSTREAM_ORDERED, "u- ux u-", "0202" },
		{ UPSTREAM_ORDERED, "ux ux", "..." },
		{ UPSTREAM_ORDERED, "u-+1 u- u-", "12012" },
		/* An order that was asked for is kept, whatever they answer: REFUSED may be meant.
		 */
		{ UPSTREAM_ORDERED, "u!- u-", "0101" },
		{ UPSTREAM_WEIGHTED, "u!- ux", "00" },
		{ UPSTREAM_FASTEST, "u90 u50 u10", "210210" },
		{ UPSTREAM_FASTEST, "u50 u50 u10", "201201" },
		{ UPSTREAM_FASTEST, "u- u50 u-", "102102" },
		{ UPSTREAM_FASTEST, "u- u-", "0101" },
		{ UPSTREAM_FASTEST, "d1 u50 s2", "120120" },
		{ UPSTREAM_FASTEST, "u!1 u50 u60", "120120" },
		{ UPSTREAM_FASTEST, "u!1 s50", "0101" },
		{ UPSTREAM_FASTEST, "u5+2 u50 u60", "12120" },
		{ UPSTREAM_PARALLEL, "u90 u50 u10", "210210" },
		{ UPSTREAM_PARALLEL, "u90 d1 u-", "021021" },
		{ UPSTREAM_WEIGHTED, "d*9 u*1 ux*9", "1010" },
		{ UPSTREAM_WEIGHTED, "u*0 u*0", "0101" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char got[MAX * 4];
		order(rows[i].policy, rows[i].members, (unsigned)strlen(rows[i].order), got);
		assert_string_equal(got, rows[i].order);
	}
}

static void draw(const char *members, unsigned counts[MAX])
{
	struct choice_member list[MAX];
	size_t count = parse(members, list);
	memset(counts, 0, MAX * sizeof *counts);
	for (unsigned i = 0; i < DRAWS; i++) {
		size_t at = choice_next(UPSTREAM_WEIGHTED, list, count, &pool);
		assert_true(at < count);
		counts[at]++;
	}
}

/* Within a fifth of the share: more than ten standard deviations for the smallest. */
static void test_weighted_shares(void **state)
{
	(void)state;
	static const struct {
		const char *members;
		unsigned shares[MAX];
	} rows[] = {
		{ "u*1 u*1", { 1, 1 } },
		{ "u*1 u*3", { 1, 3 } },
		{ "u*5 u*3 u*2", { 5, 3, 2 } },
		{ "u*9 d*9 u*1", { 9, 0, 1 } },
		{ "u*9 u*0 s*5 u*1+1", { 1, 0, 0, 0 } },
		{ "d*1 d*4", { 1, 4 } },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		unsigned counts[MAX];
		unsigned total = 0;
		draw(rows[i].members, counts);
		for (unsigned k = 0; k < MAX; k++)
			total += rows[i].shares[k];
		for (unsigned k = 0; k < MAX; k++) {
			unsigned wanted = DRAWS / total * rows[i].shares[k];
			assert_true(counts[k] >= wanted * 4 / 5);
			assert_true(counts[k] <= wanted * 6 / 5);
		}
	}
}

/* Nobody twice before all others, however the dice fall. */
static void test_nobody_twice_before_the_others(void **state)
{
	(void)state;
	static const enum upstream_policy policies[] = { UPSTREAM_ORDERED, UPSTREAM_FASTEST,
		UPSTREAM_WEIGHTED, UPSTREAM_PARALLEL };
	for (unsigned round = 0; round < 2000; round++) {
		char got[16];
		unsigned seen = 0;
		order(policies[round % 4], "u3*5 d1 u-*9 s2*2 u!1", 5, got);
		for (unsigned i = 0; i < 5; i++)
			seen |= 1u << (got[i] - '0');
		assert_int_equal(seen, 31);
		/* Whoever does not answer is last. */
		assert_int_equal(got[3], '3');
		assert_int_equal(got[4], '1');
	}
}

static void test_width(void **state)
{
	(void)state;
	static const struct {
		enum upstream_policy policy;
		enum health_state health;
		unsigned width;
	} rows[] = {
		{ UPSTREAM_ORDERED, HEALTH_UP, 1 },
		{ UPSTREAM_FASTEST, HEALTH_UP, 1 },
		{ UPSTREAM_WEIGHTED, HEALTH_UP, 1 },
		{ UPSTREAM_PARALLEL, HEALTH_UP, 2 },
		{ UPSTREAM_ORDERED, HEALTH_SUSPECT, CHOICE_UNWELL_AT_ONCE },
		{ UPSTREAM_PARALLEL, HEALTH_DOWN, CHOICE_UNWELL_AT_ONCE },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct choice_member first = { .health = rows[i].health };
		assert_int_equal(choice_width(rows[i].policy, &first), rows[i].width);
	}
}

static void learn(enum upstream_policy policy, const char *members, unsigned counts[MAX])
{
	struct choice_member list[MAX];
	size_t count = parse(members, list);
	memset(counts, 0, MAX * sizeof *counts);
	for (unsigned i = 0; i < DRAWS; i++) {
		size_t at = choice_learn(policy, list, count, &pool);
		if (at != CHOICE_NONE)
			counts[at]++;
	}
}

static void test_learning(void **state)
{
	(void)state;
	/* One in so many of the draws; 0: never. */
	static const struct {
		enum upstream_policy policy;
		const char *members;
		unsigned one_in[MAX];
	} rows[] = {
		{ UPSTREAM_ORDERED, "u9+1 u- u-", { 0, 0, 0 } },
		{ UPSTREAM_WEIGHTED, "u9+1 u- u-", { 0, 0, 0 } },
		{ UPSTREAM_FASTEST, "u9+1", { 0 } },
		{ UPSTREAM_FASTEST, "u9+1 u5", { 0, CHOICE_LEARN_ONE_IN } },
		{ UPSTREAM_FASTEST, "u9+1 u5 u6",
			{ 0, 2 * CHOICE_LEARN_ONE_IN, 2 * CHOICE_LEARN_ONE_IN } },
		{ UPSTREAM_FASTEST, "u9+1 u5 u-", { 0, 0, CHOICE_LEARN_NEW_ONE_IN } },
		{ UPSTREAM_FASTEST, "u9+1 d- s- ux", { 0, 0, 0, 0 } },
		/* A lame one may have recovered. */
		{ UPSTREAM_PARALLEL, "u9+1 u9+1 u!1", { 0, 0, CHOICE_LEARN_ONE_IN } },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		unsigned counts[MAX];
		learn(rows[i].policy, rows[i].members, counts);
		for (unsigned k = 0; k < MAX; k++) {
			unsigned one_in = rows[i].one_in[k];
			unsigned wanted = one_in ? DRAWS / one_in : 0;
			assert_true(counts[k] >= wanted * 3 / 5);
			assert_true(counts[k] <= wanted * 7 / 5);
		}
	}
}

int main(void)
{
	random_pool_init(&pool);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_weighted_shares),
		cmocka_unit_test(test_nobody_twice_before_the_others),
		cmocka_unit_test(test_width),
		cmocka_unit_test(test_learning),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
