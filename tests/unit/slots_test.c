/* slots_test.c - the index against a plain list, full and nearly empty, with tags that crowd around
 * few homes, the last ones included, where the table wraps. */
#include "proxy/cache/slots.h"

#include "tests/unit/cache_fixture.h"

enum { CAPACITY = 97, MOST = 96 };

static struct slot places[CAPACITY];
static struct slot model[MOST];

/* Everything is found under its tag, once, and nothing else is. */
static void check(const struct slots *slots)
{
	for (uint32_t i = 0; i < slots->count; i++) {
		struct slots_search search = slots_search_of(slots, model[i].tag);
		unsigned found = 0, same_tag = 0, expected = 0;
		uint32_t place;
		while ((place = slots_next(slots, &search, model[i].tag)) != 0) {
			found += place == model[i].place;
			same_tag++;
		}
		for (uint32_t j = 0; j < slots->count; j++)
			expected += model[j].tag == model[i].tag;
		assert_int_equal(found, 1);
		assert_int_equal(same_tag, expected);
	}
}

static void run(uint64_t seed, uint32_t tags, uint32_t most)
{
	struct slots slots = { .at = places, .capacity = CAPACITY };
	uint32_t next = 1;
	memset(places, 0, sizeof places);
	for (uint64_t i = 0; i < 4000; i++) {
		uint64_t bits = fixture_mix(seed * 1000000 + i);
		uint32_t at = slots.count ? (uint32_t)(bits >> 32) % slots.count : 0;
		if (slots.count < most && (bits % 2 || slots.count == 0)) {
			/* Crowded around the end of the table. */
			uint32_t tag = UINT32_MAX - (uint32_t)(bits >> 8) % tags * 1000;
			model[slots.count] = (struct slot){ tag, next };
			slots_add(&slots, tag, next++);
		} else if (bits % 4) {
			uint32_t last = slots.count - 1;
			slots_remove(&slots, model[at].tag, model[at].place);
			model[at] = model[last];
		} else {
			slots_move(&slots, model[at].tag, model[at].place, next);
			model[at].place = next++;
		}
		if (i % 50 == 0)
			check(&slots);
	}
	while (slots.count > 0) {
		slots_remove(&slots, model[slots.count - 1].tag, model[slots.count - 1].place);
		check(&slots);
	}
	for (uint32_t i = 0; i < CAPACITY; i++)
		assert_int_equal(places[i].place, 0); /* no tombstones */
}

static void test_against_a_list(void **state)
{
	static const struct {
		uint32_t tags, most;
	} rows[] = { { 1, 10 }, { 3, MOST }, { 1000000, MOST }, { 4000000, MOST / 2 },
		{ 200000, 60 } };
	(void)state;
	for (uint64_t i = 0; i < 5; i++)
		run(i, rows[i].tags, rows[i].most);
}

static void test_a_full_table_says_no_and_ends(void **state)
{
	struct slots slots = { .at = places, .capacity = CAPACITY };
	(void)state;
	memset(places, 0, sizeof places);
	for (uint32_t i = 0; i < CAPACITY; i++)
		slots_add(&slots, i * 44278013u, i + 1);
	struct slots_search search = slots_search_of(&slots, 5);
	assert_int_equal(slots_next(&slots, &search, 5), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_a_list),
		cmocka_unit_test(test_a_full_table_says_no_and_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
