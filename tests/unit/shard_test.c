/* shard_test.c - S3-FIFO's rules, one by one, and that index, logs and counts always say the same.
 * Keys are numbers; hashes are chosen by the test. */
#include "proxy/cache/shard.h"

#include "tests/unit/cache_fixture.h"

enum { SIZE = 1024 * 1024 };

struct fixture {
	void *memory;
	struct shard *shard;
	struct entry_clock clock;
	struct dns_name name;
	struct cache_key key;
	struct shard_key own;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	f->memory = aligned_alloc(64, SIZE);
	f->shard = aligned_alloc(64, sizeof *f->shard);
	memset(f->memory, 0, SIZE);
	memset(f->shard, 0, sizeof *f->shard);
	shard_init(f->shard, f->memory, SIZE);
	f->clock = (struct entry_clock){ .now_s = 1000, .stale_s = 100, .refresh_percent = 10 };
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	shard_deinit(f->shard);
	free(f->shard);
	free(f->memory);
	free(f);
	return 0;
}

/* --- that everything fits together --- */

struct sums {
	const struct shard *shard;
	size_t count, used, main_used;
};

static enum shard_visit add_up(void *context, const struct entry *entry)
{
	struct sums *sums = context;
	uint32_t place = (uint32_t)((const uint8_t *)entry - sums->shard->memory) / ENTRY_ALIGN;
	struct slots_search search = slots_search_of(&sums->shard->slots, entry->tag);
	uint32_t found;
	do
		found = slots_next(&sums->shard->slots, &search, entry->tag);
	while (found && found != place);
	assert_int_equal(found, place);
	assert_int_equal(entry->size % ENTRY_ALIGN, 0);
	assert_true(entry->size >= entry_size(entry->name_len, entry->value_len));
	sums->count++;
	sums->used += entry->size;
	sums->main_used += shard_is_main(sums->shard, entry) ? entry->size : 0;
	return SHARD_VISIT_NEXT;
}

static void check_sums(struct shard *shard)
{
	struct sums sums = { .shard = shard };
	struct cache_walk walk = { 0 };
	while (shard_walk(shard, &walk, add_up, &sums))
		;
	assert_int_equal(sums.count, shard->slots.count);
	assert_int_equal(sums.used, shard->used);
	assert_int_equal(sums.main_used, shard->main_used);
	assert_true(shard->slots.capacity <= shard->slots_most);
	assert_true(ring_len(&shard->small) <= shard->small.size);
	assert_true(ring_len(&shard->main) <= shard->main.size);
	assert_true(shard->main.start + shard->main.size <= shard->memory + SIZE);
}

/* --- short words --- */

static void use_key(struct fixture *f, uint64_t number)
{
	uint64_t hash = fixture_mix(number);
	fixture_name(&f->name, number);
	f->key = (struct cache_key){ .name = dns_name_slice(&f->name), .type = 1, .class = 1 };
	f->own = (struct shard_key){ .key = &f->key,
		.type = 1,
		.tag = (uint32_t)(hash >> 32),
		.fingerprint = (uint16_t)hash };
}

static void put(struct fixture *f, uint64_t number, size_t len)
{
	static uint8_t value[DNS_PACKED_MAX];
	use_key(f, number);
	shard_put(f->shard, &f->own, NULL, slice_of(value, len), 60, &f->clock);
}

static enum cache_state find(struct fixture *f, uint64_t number)
{
	static uint8_t buffer[DNS_PACKED_MAX];
	struct cache_hit hit;
	use_key(f, number);
	shard_find(f->shard, &f->own, NULL, &f->clock, buffer, &hit);
	return hit.state;
}

struct wanted {
	struct slice name;
	const struct entry *entry;
};

static enum shard_visit look_at(void *context, const struct entry *entry)
{
	struct wanted *wanted = context;
	if (slice_equals(entry_name(entry), wanted->name))
		wanted->entry = entry;
	return SHARD_VISIT_NEXT;
}

/* Without being a hit. */
static const struct entry *peek(struct fixture *f, uint64_t number)
{
	struct cache_walk walk = { 0 };
	use_key(f, number);
	struct wanted wanted = { .name = dns_name_slice(&f->name) };
	while (shard_walk(f->shard, &walk, look_at, &wanted))
		;
	return wanted.entry;
}

enum where { OUT, SMALL, MAIN };

static enum where where_is(struct fixture *f, uint64_t number)
{
	const struct entry *entry = peek(f, number);
	return !entry ? OUT : shard_is_main(f->shard, entry) ? MAIN : SMALL;
}

enum { VALUE = 200, STRANGERS = 1000000 };

/* One-hit names for so many bytes; names are never used twice. */
static void flood(struct fixture *f, size_t bytes)
{
	static uint64_t next = STRANGERS;
	for (size_t done = 0; done < bytes; done += 270)
		put(f, next++, VALUE);
}

static void fill(struct fixture *f)
{
	flood(f, 2 * SIZE);
}

/* --- rules --- */

static void test_below_capacity_nothing_goes(void **state)
{
	struct fixture *f = *state;
	for (uint64_t i = 0; i < 3000; i++)
		put(f, i, VALUE);
	for (uint64_t i = 0; i < 3000; i++)
		assert_int_equal(find(f, i), CACHE_FRESH);
	assert_int_equal(f->shard->evicted, 0);
	check_sums(f->shard);
}

static void test_one_hit_names_leave_from_the_small_log(void **state)
{
	struct fixture *f = *state;
	fill(f);
	put(f, 1, VALUE);
	put(f, 2, VALUE);
	assert_int_equal(where_is(f, 1), SMALL);
	flood(f, f->shard->small.size + 5000);
	assert_int_equal(where_is(f, 1), OUT);
	assert_int_equal(where_is(f, 2), OUT);
	check_sums(f->shard);
}

static void test_names_asked_for_go_over_to_main(void **state)
{
	struct fixture *f = *state;
	fill(f);
	put(f, 1, VALUE);
	assert_int_equal(find(f, 1), CACHE_FRESH);
	flood(f, f->shard->small.size + 5000);
	assert_int_equal(where_is(f, 1), MAIN);
	assert_int_equal(peek(f, 1)->frequency, 0);
	check_sums(f->shard);
}

static void test_who_comes_back_goes_to_main(void **state)
{
	struct fixture *f = *state;
	fill(f);
	put(f, 1, VALUE);
	flood(f, f->shard->small.size + 5000);
	assert_int_equal(where_is(f, 1), OUT);
	put(f, 1, VALUE);
	assert_int_equal(where_is(f, 1), MAIN);
	/* The ghost is asked once; a stranger has none. */
	put(f, 2, VALUE);
	assert_int_equal(where_is(f, 2), SMALL);
}

/* Promotions push the main log on; who was asked for goes round once for each time. */
static void test_main_goes_round_for_each_hit(void **state)
{
	struct fixture *f = *state;
	fill(f);
	put(f, 1, VALUE);
	put(f, 2, VALUE);
	for (unsigned i = 0; i < 2; i++) {
		find(f, 1);
		find(f, 2);
	}
	flood(f, f->shard->small.size + 5000);
	assert_int_equal(where_is(f, 1), MAIN);
	find(f, 1);
	assert_int_equal(peek(f, 1)->frequency, 1);
	uint64_t round = f->shard->main.head + f->shard->main.size;
	for (uint64_t i = 10; f->shard->main.head < round + 5000; i++) {
		put(f, i, VALUE);
		find(f, i);
		find(f, i);
	}
	assert_int_equal(where_is(f, 2), OUT);
	assert_int_equal(where_is(f, 1), MAIN);
	assert_int_equal(peek(f, 1)->frequency, 0);
	check_sums(f->shard);
}

static void test_what_is_over_goes_first(void **state)
{
	struct fixture *f = *state;
	fill(f);
	put(f, 1, VALUE);
	for (unsigned i = 0; i < 3; i++)
		find(f, 1);
	f->clock.now_s += 160; /* TTL 60, stale for 100 */
	uint64_t evicted = f->shard->evicted;
	fill(f);
	assert_int_equal(where_is(f, 1), OUT);
	/* All that was there was over, so what came has its room: only the last ones were evicted.
	 */
	flood(f, 1000);
	assert_true(f->shard->main_used > f->shard->main.size / 2);
	assert_true(f->shard->evicted - evicted < SIZE / 270 * 3 / 2);
	check_sums(f->shard);
}

static void test_scan_leaves_the_hot_set(void **state)
{
	struct fixture *f = *state;
	enum { HOT = 1500 }; /* 400 kB of the 1 MiB */
	for (unsigned round = 0; round < 4; round++)
		for (uint64_t i = 0; i < HOT; i++)
			if (find(f, i) == CACHE_MISS)
				put(f, i, VALUE);
	flood(f, (size_t)10 * SIZE);
	unsigned left = 0;
	for (uint64_t i = 0; i < HOT; i++)
		left += find(f, i) == CACHE_FRESH;
	assert_int_equal(left, HOT);
}

static void test_replaced_in_place_or_dead(void **state)
{
	struct fixture *f = *state;
	put(f, 1, VALUE);
	uint64_t head = f->shard->small.head;
	size_t used = f->shard->used;
	put(f, 1, VALUE - 20); /* same place */
	assert_int_equal(f->shard->small.head, head);
	assert_int_equal(f->shard->used, used);
	put(f, 1, VALUE + 300); /* at the head */
	assert_true(f->shard->small.head > head);
	assert_int_equal(f->shard->slots.count, 1);
	assert_int_equal(peek(f, 1)->value_len, VALUE + 300);
	check_sums(f->shard);
	/* Never more than one of a key, however often its size changes, and nobody else has to go
	 * for the dead ones. */
	for (uint64_t i = 2; i < 1000; i++)
		put(f, i, VALUE);
	for (unsigned i = 0; i < 20000; i++)
		put(f, 1, 100 + i * 97 % 1000);
	assert_int_equal(f->shard->slots.count, 999);
	assert_int_equal(f->shard->evicted, 0);
	check_sums(f->shard);
}

static void test_who_is_in_main_stays_in_main(void **state)
{
	struct fixture *f = *state;
	fill(f);
	put(f, 1, VALUE);
	find(f, 1);
	find(f, 1);
	flood(f, f->shard->small.size + 5000);
	put(f, 1, VALUE + 500); /* does not fit in place */
	assert_int_equal(where_is(f, 1), MAIN);
	check_sums(f->shard);
}

static void test_sizes_up_to_the_largest(void **state)
{
	struct fixture *f = *state;
	put(f, 1, DNS_PACKED_MAX);
	assert_int_equal(find(f, 1), CACHE_FRESH);
	for (uint64_t i = 2; i < 2000; i++) {
		put(f, i, i % 3 == 0 ? DNS_PACKED_MAX : (size_t)(fixture_mix(i) % 50000));
		assert_int_equal(find(f, i), CACHE_FRESH);
		check_sums(f->shard);
	}
}

static void test_small_entries_fill_the_index_not_more(void **state)
{
	struct fixture *f = *state;
	for (uint64_t i = 0; i < 30000; i++) {
		put(f, i, 0);
		if (i % 5 == 0) {
			find(f, i);
			find(f, i);
		}
	}
	assert_true(f->shard->slots.count <= f->shard->slots_most / 8 * 7);
	assert_true(f->shard->slots.count >= f->shard->slots_most / 8 * 7 - 2);
	check_sums(f->shard);
	/* Scans are resisted there too. */
	unsigned left = 0;
	for (uint64_t i = 25000; i < 29000; i += 5)
		left += find(f, i) == CACHE_FRESH;
	assert_true(left > 750);
}

/* Whatever comes, the copying of one put is bounded. */
static void test_the_work_of_a_put_is_bounded(void **state)
{
	struct fixture *f = *state;
	fill(f);
	for (uint64_t i = 0; i < 4000; i++) { /* all of main as hot as can be */
		put(f, i, VALUE);
		find(f, i);
		find(f, i);
	}
	for (unsigned round = 0; round < 3; round++)
		for (uint64_t i = 0; i < 4000; i++)
			find(f, i);
	for (uint64_t i = 10000; i < 14000; i++) {
		uint64_t head = f->shard->main.head;
		put(f, i, VALUE);
		find(f, i);
		find(f, i);
		assert_true(f->shard->main.head - head <= SHARD_PATIENCE + 2 * 300);
	}
	check_sums(f->shard);
}

/* --- random operations --- */

static enum shard_visit forget_some(void *context, const struct entry *entry)
{
	uint64_t *state = context;
	uint64_t bits = fixture_mix((*state)++);
	(void)entry;
	return bits % 100 == 0   ? SHARD_VISIT_STOP
		: bits % 50 == 1 ? SHARD_VISIT_FORGET
				 : SHARD_VISIT_NEXT;
}

static void test_it_always_fits_together(void **state)
{
	struct fixture *f = *state;
	uint64_t random = 0;
	struct cache_walk walk = { 0 };
	for (unsigned i = 0; i < 200000; i++) {
		uint64_t bits = fixture_mix(random++);
		uint64_t number = bits % 3 == 0 ? bits / 3 % 20000 : bits / 3 % 2000;
		size_t len = (size_t)(bits >> 40) % ((bits >> 32) % 200 == 0 ? 60000 : 400);
		if (find(f, number) == CACHE_MISS || bits % 11 == 0)
			put(f, number, len);
		if (bits % 500 == 0)
			f->clock.now_s += (uint32_t)(bits >> 20) % 4;
		if (bits % 1000 == 1 && !shard_walk(f->shard, &walk, forget_some, &random))
			walk = (struct cache_walk){ 0 };
		if (i % 5000 == 0)
			check_sums(f->shard);
	}
	check_sums(f->shard);
}

static enum shard_visit forget_all(void *context, const struct entry *entry)
{
	(void)context;
	(void)entry;
	return SHARD_VISIT_FORGET;
}

static void test_a_walk_while_others_put(void **state)
{
	struct fixture *f = *state;
	for (uint64_t i = 0; i < 3000; i++)
		put(f, i, VALUE);
	struct cache_walk walk = { 0 };
	uint64_t next = 100000;
	while (shard_walk(f->shard, &walk, forget_all, NULL))
		for (unsigned i = 0; i < 20; i++)
			put(f, next++, VALUE);
	for (uint64_t i = 0; i < 3000; i++)
		assert_int_equal(find(f, i), CACHE_MISS);
	check_sums(f->shard);
}

static void test_forgetting_all_frees_all(void **state)
{
	struct fixture *f = *state;
	struct cache_walk walk = { 0 };
	fill(f);
	while (shard_walk(f->shard, &walk, forget_all, NULL))
		;
	assert_int_equal(f->shard->slots.count, 0);
	assert_int_equal(f->shard->used, 0);
	assert_true(ring_is_empty(&f->shard->small) && ring_is_empty(&f->shard->main));
	for (size_t i = 0; i < f->shard->slots.capacity; i++)
		assert_int_equal(f->shard->slots.at[i].place, 0);
}

#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_below_capacity_nothing_goes),
		test(test_one_hit_names_leave_from_the_small_log),
		test(test_names_asked_for_go_over_to_main),
		test(test_who_comes_back_goes_to_main),
		test(test_main_goes_round_for_each_hit),
		test(test_what_is_over_goes_first),
		test(test_scan_leaves_the_hot_set),
		test(test_replaced_in_place_or_dead),
		test(test_who_is_in_main_stays_in_main),
		test(test_sizes_up_to_the_largest),
		test(test_small_entries_fill_the_index_not_more),
		test(test_the_work_of_a_put_is_bounded),
		test(test_it_always_fits_together),
		test(test_a_walk_while_others_put),
		test(test_forgetting_all_frees_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
