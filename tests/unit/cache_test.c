/* cache_test.c - what cache.h promises, call by call; and that memory stays within the bytes. */
#include "proxy/cache/cache.h"

#include "tests/unit/cache_fixture.h"

#include <sys/mman.h>

static struct cache_settings settings = {
	.size = 4 << 20, .stale_s = 100, .refresh_percent = 10, .salt = 42
};
static struct cache *cache;
static uint8_t buffer[DNS_PACKED_MAX];

static int set_up(void **state)
{
	(void)state;
	cache = cache_new(&settings);
	return cache ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	cache_free(cache);
	return 0;
}

/* --- short words --- */

static struct cache_key key_of(const char *name, uint16_t type)
{
	static struct dns_name rooms[4];
	static unsigned next;
	struct dns_name *room = &rooms[next++ % 4];
	if (!dns_name_from_text(room, slice_of_text(name)))
		abort();
	return (struct cache_key){ .name = dns_name_slice(room), .type = type, .class = 1 };
}

static struct cache_hit find_key(struct cache_key key, uint32_t now_s)
{
	struct cache_hit hit;
	memset(buffer, 0xee, sizeof buffer);
	cache_find(cache, &key, now_s, buffer, &hit);
	return hit;
}

static struct cache_hit find(const char *name, uint16_t type, uint32_t now_s)
{
	return find_key(key_of(name, type), now_s);
}

static void put(const char *name, uint16_t type, const char *value, uint32_t ttl_s, uint32_t now_s)
{
	struct cache_key key = key_of(name, type);
	cache_put(cache, &key, slice_of_text(value), ttl_s, now_s);
}

static void fail_at(const char *name, uint32_t most_s, uint32_t now_s)
{
	struct cache_key key = key_of(name, 1);
	cache_fail(cache, &key, slice_of_text("servfail"), most_s, now_s);
}

/* "fresh 10 value", "stale 70 value later", "failed 0 servfail", "miss". */
static const char *shown(struct cache_hit hit)
{
	static const char *const states[] = { "miss", "fresh", "stale", "failed" };
	static char text[200];
	if (hit.state == CACHE_MISS)
		return hit.value.len == 0 ? "miss" : "miss with a value";
	assert_ptr_equal(hit.value.at, buffer);
	snprintf(text, sizeof text, "%s %u %.*s%s%s", states[hit.state], hit.age_s,
		(int)hit.value.len, (const char *)hit.value.at, hit.refresh ? " refresh" : "",
		hit.retry_later ? " later" : "");
	return text;
}

#define CHECK(hit, expected) assert_string_equal(shown(hit), expected)

/* --- time --- */

static void test_ends_to_the_second(void **state)
{
	static const struct {
		uint32_t now_s;
		const char *expected;
	} rows[] = {
		{ 999, "fresh 0 v" }, /* a thread whose clock is behind */
		{ 1000, "fresh 0 v" }, { 1001, "fresh 1 v" }, { 1059, "fresh 59 v refresh" },
		{ 1060, "stale 60 v" }, { 1159, "stale 159 v" }, { 1160, "miss" }, { 9999, "miss" },
		{ 1159, "stale 159 v" }, /* and back: nothing was lost by looking */
	};
	(void)state;
	put("a.example", 1, "v", 60, 1000);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		CHECK(find("a.example", 1, rows[i].now_s), rows[i].expected);
}

static void test_ends_across_the_wrap_and_zero(void **state)
{
	static const uint32_t starts[] = { 0, 1, 0x7fffffe0, 0xffffffe0, 0xffffffff };
	(void)state;
	for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
		uint32_t now_s = starts[i];
		put("a.example", 1, "v", 60, now_s);
		CHECK(find("a.example", 1, now_s - 1), "fresh 0 v");
		CHECK(find("a.example", 1, now_s + 53), "fresh 53 v");
		CHECK(find("a.example", 1, now_s + 60), "stale 60 v");
		CHECK(find("a.example", 1, now_s + 160), "miss");
	}
}

static void test_the_longest_ttl(void **state)
{
	(void)state;
	put("a.example", 1, "v", UINT32_MAX, 1000);
	CHECK(find("a.example", 1, 1000 + (1u << 29)), "fresh 536870912 v");
}

static void test_nothing_stale_when_told_so(void **state)
{
	struct cache_settings without = settings;
	(void)state;
	put("a.example", 1, "v", 60, 1000);
	CHECK(find("a.example", 1, 1100), "stale 100 v");
	without.stale_s = 0;
	without.refresh_percent = 0;
	cache_configure(cache, &without);
	CHECK(find("a.example", 1, 1059), "fresh 59 v");
	CHECK(find("a.example", 1, 1060), "miss");
	without.stale_s = UINT32_MAX;
	cache_configure(cache, &without);
	CHECK(find("a.example", 1, 1060 + 1000000), "stale 1000060 v");
}

static void test_ttl_0_is_not_kept(void **state)
{
	(void)state;
	put("a.example", 1, "v", 0, 1000);
	CHECK(find("a.example", 1, 1000), "miss");
	/* What was there is not what the upstream says now. */
	put("a.example", 1, "old", 60, 1000);
	put("a.example", 1, "new", 0, 1010);
	CHECK(find("a.example", 1, 1010), "stale 10 old");
	fail_at("b.example", 300, 1000);
	CHECK(find("b.example", 1, 1000), "failed 0 servfail");
	put("b.example", 1, "v", 0, 1000);
	CHECK(find("b.example", 1, 1000), "miss");
}

/* --- keys --- */

static void test_every_part_of_the_key_counts(void **state)
{
	(void)state;
	struct cache_key key = key_of("a.example", 1);
	cache_put(cache, &key, slice_of_text("v"), 60, 0);
	struct cache_key others[] = { key, key, key, key, key, key, key, key };
	others[0].type = 28;
	others[1].class = 3;
	others[2].flags = CACHE_KEY_DO;
	others[3].flags = CACHE_KEY_CD;
	others[4].group = 1;
	others[5].name = slice_of("\1b\7example", 11);
	others[6].name = slice_of("\7example", 9);
	others[7].name = slice_of("\0", 1);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		CHECK(find_key(others[i], 0), "miss");
	CHECK(find_key(key, 0), "fresh 0 v");
	/* All of them, each with its own. */
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		cache_put(cache, &others[i], slice_of(&"abcdefgh"[i], 1), 60, 0);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		assert_int_equal(find_key(others[i], 0).value.at[0], "abcdefgh"[i]);
	CHECK(find_key(key, 0), "fresh 0 v");
}

static void test_labels_are_binary(void **state)
{
	(void)state;
	struct cache_key dot = { .name = slice_of("\3a.b", 5), .type = 1, .class = 1 };
	struct cache_key two = { .name = slice_of("\1a\1b", 5), .type = 1, .class = 1 };
	struct cache_key nul = { .name = slice_of("\3a\0b", 5), .type = 1, .class = 1 };
	cache_put(cache, &dot, slice_of_text("dot"), 60, 0);
	CHECK(find_key(two, 0), "miss");
	CHECK(find_key(nul, 0), "miss");
	cache_put(cache, &nul, slice_of_text("nul"), 60, 0);
	CHECK(find_key(dot, 0), "fresh 0 dot");
	CHECK(find_key(nul, 0), "fresh 0 nul");
}

static void test_another_salt_is_another_order(void **state)
{
	(void)state;
	/* The same puts into two caches that are too small for them: who stays is not the same,
	 * so nobody can know who shares a place with whom. */
	struct cache_settings one = { .size = CACHE_SIZE_MIN * 4, .salt = 1 };
	struct cache_settings two = { .size = CACHE_SIZE_MIN * 4, .salt = 2 };
	struct cache *caches[] = { cache_new(&one), cache_new(&one), cache_new(&two) };
	uint8_t value[FIXTURE_VALUE_MAX];
	unsigned differ[2] = { 0 };
	for (uint64_t i = 0; i < 30000; i++) {
		struct dns_name name;
		fixture_name(&name, i);
		struct cache_key key = { .name = dns_name_slice(&name), .type = 1 };
		for (unsigned c = 0; c < 3; c++)
			cache_put(caches[c], &key, fixture_value(value, i), 60, 0);
	}
	for (uint64_t i = 0; i < 30000; i++) {
		struct dns_name name;
		struct cache_hit hits[3];
		fixture_name(&name, i);
		struct cache_key key = { .name = dns_name_slice(&name), .type = 1 };
		for (unsigned c = 0; c < 3; c++)
			cache_find(caches[c], &key, 0, buffer, &hits[c]);
		differ[0] += hits[0].state != hits[1].state;
		differ[1] += hits[0].state != hits[2].state;
	}
	assert_int_equal(differ[0], 0);
	assert_true(differ[1] > 0);
	for (unsigned c = 0; c < 3; c++)
		cache_free(caches[c]);
}

/* --- names that do not exist --- */

static void test_nxdomain_is_for_all_types(void **state)
{
	(void)state;
	put("a.example", CACHE_ANY_TYPE, "nx", 60, 1000);
	CHECK(find("a.example", 1, 1001), "fresh 1 nx");
	CHECK(find("a.example", 28, 1001), "fresh 1 nx");
	CHECK(find("b.a.example", 28, 1001), "miss");
	struct cache_key other = key_of("a.example", 1);
	other.flags = CACHE_KEY_DO;
	CHECK(find_key(other, 1001), "miss");
}

static void test_a_put_disproves_nxdomain(void **state)
{
	(void)state;
	put("a.example", CACHE_ANY_TYPE, "nx", 3600, 1000);
	put("a.example", 1, "v", 60, 1010);
	CHECK(find("a.example", 1, 1010), "fresh 0 v");
	CHECK(find("a.example", 28, 1010), "miss"); /* the name exists: who knows */
	CHECK(find("a.example", 1, 1070), "stale 60 v");
	/* Another class, flags or group is another view of the world. */
	struct cache_key other = key_of("a.example", CACHE_ANY_TYPE);
	other.group = 7;
	cache_put(cache, &other, slice_of_text("nx"), 3600, 1000);
	put("a.example", 1, "v", 60, 1010);
	other.type = 28;
	CHECK(find_key(other, 1010), "fresh 10 nx");
	/* Also when the answer itself is not kept. */
	put("c.example", CACHE_ANY_TYPE, "nx", 3600, 1000);
	put("c.example", 1, "v", 0, 1010);
	CHECK(find("c.example", 28, 1010), "miss");
}

static void test_which_of_two_is_given_out(void **state)
{
	(void)state;
	put("a.example", 1, "v", 60, 1000);
	put("a.example", CACHE_ANY_TYPE, "nx", 90, 1010); /* newer, always */
	CHECK(find("a.example", 1, 1059), "fresh 59 v");
	CHECK(find("a.example", 28, 1059), "fresh 49 nx");
	CHECK(find("a.example", 1, 1060), "fresh 50 nx");
	CHECK(find("a.example", 1, 1100), "stale 90 nx"); /* both are stale */
	CHECK(find("a.example", 1, 1199), "stale 189 nx");
	CHECK(find("a.example", 1, 1200), "miss");
	/* The answer ends last. */
	put("b.example", 1, "v", 60, 1000);
	put("b.example", CACHE_ANY_TYPE, "nx", 5, 1001);
	CHECK(find("b.example", 1, 1107), "stale 107 v");
	/* A failure is no answer. */
	fail_at("c.example", 300, 1000);
	put("c.example", CACHE_ANY_TYPE, "nx", 60, 1000);
	CHECK(find("c.example", 1, 1000), "fresh 0 nx");
}

/* --- failures --- */

static void test_failures_back_off(void **state)
{
	(void)state;
	uint32_t now_s = 1000;
	for (unsigned i = 0; i < 12; i++) {
		uint32_t wait_s = i < 9 ? 1u << i : 300;
		wait_s = wait_s < 300 ? wait_s : 300;
		fail_at("a.example", 1000, now_s);
		CHECK(find("a.example", 1, now_s), "failed 0 servfail");
		assert_int_equal(find("a.example", 1, now_s + wait_s - 1).state, CACHE_FAILED);
		CHECK(find("a.example", 1, now_s + wait_s), "miss");
		now_s += wait_s;
	}
	/* Long after, it is the first one again. */
	now_s += CACHE_FAIL_MOST_S;
	fail_at("a.example", 1000, now_s);
	CHECK(find("a.example", 1, now_s + 1), "miss");
}

static void test_failures_at_once_are_one(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++)
		fail_at("a.example", 300, 1000);
	CHECK(find("a.example", 1, 1001), "miss");
	fail_at("a.example", 300, 1001);
	fail_at("a.example", 300, 1000); /* of a thread that is behind */
	CHECK(find("a.example", 1, 1002), "failed 1 servfail");
	CHECK(find("a.example", 1, 1003), "miss");
}

static void test_failures_within_a_limit(void **state)
{
	(void)state;
	fail_at("a.example", 0, 1000);
	CHECK(find("a.example", 1, 1000), "miss");
	for (uint32_t now_s = 1000; now_s < 1100; now_s++)
		fail_at("b.example", 5, now_s);
	unsigned failed = 0;
	for (uint32_t now_s = 1100; now_s < 1200; now_s++)
		failed += find("b.example", 1, now_s).state == CACHE_FAILED;
	assert_true(failed <= 5);
}

static void test_success_ends_a_row_of_failures(void **state)
{
	(void)state;
	for (uint32_t now_s = 1000; now_s < 1031; now_s++)
		fail_at("a.example", 300, now_s);
	put("a.example", 1, "v", 10, 1031);
	CHECK(find("a.example", 1, 1031), "fresh 0 v");
	fail_at("a.example", 300, 1041);
	CHECK(find("a.example", 1, 1041), "stale 10 v later");
	CHECK(find("a.example", 1, 1042), "stale 11 v");
}

static void test_a_failure_leaves_the_answer(void **state)
{
	(void)state;
	put("a.example", 1, "v", 60, 1000);
	fail_at("a.example", 300, 1050); /* a refresh that failed */
	CHECK(find("a.example", 1, 1050), "fresh 50 v");
	fail_at("a.example", 300, 1070);
	CHECK(find("a.example", 1, 1070), "stale 70 v later");
	CHECK(find("a.example", 1, 1071), "stale 71 v later"); /* the second in a row */
	CHECK(find("a.example", 1, 1072), "stale 72 v");
	fail_at("a.example", 300, 1072);
	CHECK(find("a.example", 1, 1075), "stale 75 v later");
	CHECK(find("a.example", 1, 1076), "stale 76 v");
	/* Of a name that does not exist. */
	put("b.example", CACHE_ANY_TYPE, "nx", 60, 1000);
	fail_at("b.example", 300, 1070);
	CHECK(find("b.example", 1, 1070), "stale 70 nx later");
	CHECK(find("b.example", 28, 1070), "stale 70 nx later");
	/* Too old to be an answer. */
	put("c.example", 1, "v", 60, 1000);
	fail_at("c.example", 300, 1160);
	CHECK(find("c.example", 1, 1160), "failed 0 servfail");
}

/* --- refresh --- */

static void test_refresh_is_said_once(void **state)
{
	(void)state;
	put("a.example", 1, "v", 100, 1000);
	CHECK(find("a.example", 1, 1089), "fresh 89 v");
	CHECK(find("a.example", 1, 1090), "fresh 90 v refresh");
	CHECK(find("a.example", 1, 1090), "fresh 90 v");
	CHECK(find("a.example", 1, 1089), "fresh 89 v");
	CHECK(find("a.example", 1, 1094), "fresh 94 v");
	CHECK(find("a.example", 1, 1095), "fresh 95 v refresh"); /* nobody came back */
	put("a.example", 1, "w", 100, 1096);
	CHECK(find("a.example", 1, 1190), "fresh 94 w"); /* once: not popular in this life */
	CHECK(find("a.example", 1, 1191), "fresh 95 w refresh");
}

static void test_no_refresh(void **state)
{
	struct cache_settings without = settings;
	(void)state;
	put("seldom.example", 1, "v", 100, 1000);
	CHECK(find("seldom.example", 1, 1099), "fresh 99 v");
	put("failing.example", 1, "v", 100, 1000);
	fail_at("failing.example", 300, 1090);
	find("failing.example", 1, 1090);
	CHECK(find("failing.example", 1, 1090), "fresh 90 v");
	CHECK(find("failing.example", 1, 1091), "fresh 91 v refresh");
	put("short.example", 1, "v", 2, 1000);
	for (unsigned i = 0; i < 5; i++)
		CHECK(find("short.example", 1, 1001), "fresh 1 v");
	without.refresh_percent = 0;
	cache_configure(cache, &without);
	put("off.example", 1, "v", 100, 1000);
	for (unsigned i = 0; i < 5; i++)
		CHECK(find("off.example", 1, 1099), "fresh 99 v");
}

/* --- sizes, flush, stats --- */

static void test_any_packed_answer_fits_into_the_smallest_cache(void **state)
{
	struct cache_settings least = { .size = CACHE_SIZE_MIN };
	(void)state;
	cache_free(cache);
	cache = cache_new(&least);
	static uint8_t value[DNS_PACKED_MAX + 100000];
	struct cache_key key = key_of("a.example", 1);
	memset(value, 0x77, sizeof value);
	for (unsigned i = 0; i < 50; i++) {
		cache_put(cache, &key, slice_of(value, DNS_PACKED_MAX - i), 60, 0);
		assert_int_equal(find_key(key, 0).value.len, DNS_PACKED_MAX - i);
		assert_memory_equal(buffer, value, DNS_PACKED_MAX - i);
	}
	/* Too large: not kept, and what was there is old. */
	cache_put(cache, &key, slice_of(value, sizeof value), 60, 1);
	assert_int_equal(find_key(key, 1).state, CACHE_MISS);
	cache_put(cache, &key, slice_of(value, 0), 60, 1);
	CHECK(find_key(key, 1), "fresh 0 ");
}

static size_t flush(const char *name, bool below)
{
	return cache_flush(cache, key_of(name, 1).name, below);
}

static void test_flush(void **state)
{
	static const char *const names[] = { "example", "a.example", "b.a.example", "xa.example",
		"a.example.net" };
	(void)state;
	for (size_t i = 0; i < 5; i++) {
		put(names[i], 1, "v", 60, 0);
		put(names[i], 28, "v", 60, 0);
		fail_at(names[i], 300, 0);
	}
	struct cache_key key = key_of("a.example", 1);
	key.flags = CACHE_KEY_DO;
	key.group = 9;
	cache_put(cache, &key, slice_of_text("v"), 60, 0);
	assert_int_equal(flush("c.example", false), 0);
	assert_int_equal(flush("c.example", true), 0);
	assert_int_equal(flush("A.eXample", false), 3);
	CHECK(find("a.example", 1, 0), "miss");
	CHECK(find_key(key, 0), "miss");
	CHECK(find("b.a.example", 1, 0), "fresh 0 v");
	assert_int_equal(flush("a.Example", true), 2);
	CHECK(find("b.a.example", 1, 0), "miss");
	CHECK(find("xa.example", 1, 0), "fresh 0 v");
	assert_int_equal(flush("example", true), 4);
	CHECK(find("a.example.net", 1, 0), "fresh 0 v");
	assert_int_equal(flush(".", true), 2);
	struct cache_stats stats;
	cache_stats(cache, &stats);
	assert_int_equal(stats.entries, 0);
	assert_int_equal(stats.used, 0);
}

static void put_many(struct cache *into, uint64_t from, uint64_t count, uint32_t now_s)
{
	static uint8_t value[FIXTURE_VALUE_MAX];
	for (uint64_t i = from; i < from + count; i++) {
		struct dns_name name;
		fixture_name(&name, i);
		struct cache_key key = { .name = dns_name_slice(&name), .type = 1, .class = 1 };
		cache_put(into, &key, fixture_value(value, i), 60, now_s);
	}
}

static void test_flush_all_of_many(void **state)
{
	struct cache_stats stats;
	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		put_many(cache, 0, 40000, 0);
		cache_stats(cache, &stats);
		size_t entries = stats.entries;
		assert_true(entries > 5000);
		assert_int_equal(flush(".", true), entries);
		put_many(cache, 0, 5000, 0); /* all of its room is there again */
		cache_stats(cache, &stats);
		assert_int_equal(stats.entries, 5000);
		assert_int_equal(flush(".", true), 5000);
	}
}

static void test_stats(void **state)
{
	struct cache_stats stats;
	(void)state;
	cache_stats(cache, &stats);
	assert_int_equal(stats.size, settings.size);
	assert_int_equal(stats.entries + stats.used + stats.inserted + stats.evicted, 0);
	put_many(cache, 0, 1000, 0);
	cache_stats(cache, &stats);
	assert_int_equal(stats.entries, 1000);
	assert_int_equal(stats.inserted, 1000);
	assert_true(stats.used > 1000 * 100 && stats.used < 1000 * 500);
	/* Those whose time is over make room without being counted as evicted. */
	put_many(cache, 1000, 100000, 0);
	cache_stats(cache, &stats);
	uint64_t evicted = stats.evicted;
	assert_int_equal(stats.inserted - stats.entries, evicted);
	size_t entries = stats.entries;
	put_many(cache, 200000, entries / 4, 60 + 100);
	cache_stats(cache, &stats);
	assert_int_equal(stats.evicted, evicted);
	assert_true(stats.used <= stats.size);
}

/* --- memory --- */

/* Pages of the mapping that the cache lives in (it begins where the cache does). */
static size_t resident_bytes(const struct cache *of, size_t size)
{
	static unsigned char pages[1 << 15];
	size_t resident = 0;
	assert_true(size / 4096 <= sizeof pages);
	assert_int_equal(mincore((void *)(uintptr_t)of, size, pages), 0);
	for (size_t i = 0; i < size / 4096; i++)
		resident += pages[i] & 1 ? 4096 : 0;
	return resident;
}

/* Of the whole program, for what a mapping elsewhere would hide. */
static size_t private_kib(void)
{
	FILE *rollup = fopen("/proc/self/smaps_rollup", "r");
	char line[200];
	size_t kib = 0, value;
	assert_non_null(rollup);
	while (fgets(line, sizeof line, rollup))
		if (sscanf(line, "Anonymous: %zu kB", &value) == 1)
			kib = value;
	fclose(rollup);
	return kib;
}

static void test_memory_is_what_was_said(void **state)
{
	struct cache_settings large = { .size = 64 << 20, .salt = 5 };
	struct cache_stats stats;
	(void)state;
	cache_free(cache);
	size_t before_kib = private_kib();
	cache = cache_new(&large);
	assert_true(resident_bytes(cache, large.size) <= 32 * 1024);
	put_many(cache, 0, 100, 0);
	assert_true(resident_bytes(cache, large.size) <= 1024 * 1024);
	put_many(cache, 0, 600000, 0); /* more than twice what fits */
	assert_true(resident_bytes(cache, large.size) <= large.size);
	assert_true(resident_bytes(cache, large.size) > large.size / 10 * 8);
	size_t after_kib = private_kib();
	assert_true(after_kib <= before_kib + (64 << 10) + 1024);
	cache_stats(cache, &stats);
	assert_true(stats.used > large.size / 10 * 7);
	assert_true(stats.evicted > 200000);
	cache_free(cache);
	cache = NULL;
	assert_true(private_kib() <= before_kib + 1024);
}

#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_ends_to_the_second),
		test(test_ends_across_the_wrap_and_zero),
		test(test_the_longest_ttl),
		test(test_nothing_stale_when_told_so),
		test(test_ttl_0_is_not_kept),
		test(test_every_part_of_the_key_counts),
		test(test_labels_are_binary),
		test(test_another_salt_is_another_order),
		test(test_nxdomain_is_for_all_types),
		test(test_a_put_disproves_nxdomain),
		test(test_which_of_two_is_given_out),
		test(test_failures_back_off),
		test(test_failures_at_once_are_one),
		test(test_failures_within_a_limit),
		test(test_success_ends_a_row_of_failures),
		test(test_a_failure_leaves_the_answer),
		test(test_refresh_is_said_once),
		test(test_no_refresh),
		test(test_any_packed_answer_fits_into_the_smallest_cache),
		test(test_flush),
		test(test_flush_all_of_many),
		test(test_stats),
		test(test_memory_is_what_was_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
