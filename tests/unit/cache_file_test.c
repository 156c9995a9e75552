/* cache_file_test.c - over a restart: what comes back, with which age; and files that are damaged,
 * foreign, of another time or written by an enemy. */
#include "proxy/cache/cache_file.h"

#include "base/error.h"
#include "base/log.h"
#include "tests/unit/cache_fixture.h"
#include "tests/unit/cache_packed.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct cache_settings settings = { .size = 4 << 20, .stale_s = 1000, .salt = 42 };
static struct cache *cache;
static char directory[64];
static char file[128];
static uint8_t buffer[DNS_PACKED_MAX];
static uint8_t value_buffer[DNS_PACKED_MAX];

static int set_up(void **state)
{
	(void)state;
	log_set_level(LOG_ERROR);
	snprintf(directory, sizeof directory, "/tmp/cache-file-test-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(file, sizeof file, "%s/cache", directory);
	cache = cache_new(&settings);
	return cache ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	cache_free(cache);
	unlink(file);
	return rmdir(directory); /* nothing else is left behind */
}

/* --- short words --- */

static struct cache_key key_of(uint64_t number, struct dns_name *room)
{
	fixture_name(room, number);
	return (struct cache_key){
		.name = dns_name_slice(room), .type = 1, .class = 1, .group = 7
	};
}

static void put(uint64_t number, uint32_t ttl_s, uint32_t now_s)
{
	struct dns_name room;
	struct cache_key key = key_of(number, &room);
	struct slice value = cache_packed(key.name, true, ttl_s, (uint32_t)number, value_buffer);
	assert_true(dns_packed_check(value));
	cache_put(cache, &key, value, ttl_s, now_s);
}

static struct cache_hit find(uint64_t number, uint32_t now_s)
{
	struct dns_name room;
	struct cache_key key = key_of(number, &room);
	struct cache_hit hit;
	cache_find(cache, &key, now_s, buffer, &hit);
	return hit;
}

/* Another process: another salt, another size, another clock. */
static long restart(struct cache_clock clock)
{
	struct cache_settings others = settings;
	others.salt = 43;
	others.size = 8 << 20;
	cache_free(cache);
	cache = cache_new(&others);
	return cache_file_read(cache, file, clock);
}

static struct cache_clock at(uint32_t now_s, int64_t wall_s)
{
	return (struct cache_clock){ .now_s = now_s, .wall_s = wall_s };
}

static struct slice load(void)
{
	static uint8_t bytes[1 << 20];
	int fd = open(file, O_RDONLY);
	ssize_t len = read(fd, bytes, sizeof bytes);
	assert_true(len > 0 && len < (ssize_t)sizeof bytes);
	close(fd);
	return slice_of(bytes, (size_t)len);
}

static void save(struct slice bytes)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_int_equal(write(fd, bytes.at, bytes.len), bytes.len);
	close(fd);
}

static size_t count_entries(void)
{
	struct cache_stats stats;
	cache_stats(cache, &stats);
	return stats.entries;
}

/* --- there and back --- */

static void test_all_comes_back_with_its_age(void **state)
{
	(void)state;
	put(1, 300, 5000);
	put(2, 60, 5050);
	put(3, 10, 4500); /* stale, 600 s old */
	struct dns_name room;
	struct cache_key key = key_of(4, &room);
	key.type = CACHE_ANY_TYPE;
	key.flags = CACHE_KEY_DO;
	cache_put(cache, &key, cache_packed(key.name, false, 0, 0, value_buffer), 3600, 5090);
	assert_int_equal(cache_file_write(cache, file, at(5100, 1700000000)), 4);
	/* Ten seconds later on a machine that has just been started: most was put "before" 0. */
	assert_int_equal(restart(at(20, 1700000010)), 4);
	struct cache_hit hit = find(1, 20);
	struct dns_packed packed;
	assert_int_equal(hit.state, CACHE_FRESH);
	assert_int_equal(hit.age_s, 110);
	dns_packed_open(&packed, hit.value);
	assert_int_equal(packed.ttl_s, 300);
	assert_memory_equal(packed.message.at + packed.message.len - 4, "\0\0\0\1", 4);
	assert_int_equal(find(1, 20 + 189).state, CACHE_FRESH);
	assert_int_equal(find(1, 20 + 190).state, CACHE_STALE);
	assert_int_equal(find(2, 20).age_s, 60);
	assert_int_equal(find(2, 20).state, CACHE_STALE);
	assert_int_equal(find(3, 20).state, CACHE_STALE);
	assert_int_equal(find(3, 20).age_s, 610);
	assert_int_equal(find(3, 20 + 399).state, CACHE_STALE);
	assert_int_equal(find(3, 20 + 400).state, CACHE_MISS);
	key.type = 28;
	cache_find(cache, &key, 20, buffer, &hit);
	assert_int_equal(hit.state, CACHE_FRESH);
	assert_int_equal(hit.age_s, 20);
}

static void test_what_is_over_stays_away(void **state)
{
	(void)state;
	put(1, 60, 1000);
	put(2, 6000, 1000);
	assert_int_equal(cache_file_write(cache, file, at(1000, 1700000000)), 2);
	assert_int_equal(restart(at(0, 1700000000 + 1059)), 2);
	assert_int_equal(restart(at(0, 1700000000 + 1060)), 1);
	assert_int_equal(find(2, 0).state, CACHE_FRESH);
	assert_int_equal(restart(at(0, 1700000000 + 100000000000)), 0);
	/* Not even written. */
	put(3, 60, 1000);
	assert_int_equal(cache_file_write(cache, file, at(5000, 1700000000)), 0);
	assert_int_equal(restart(at(0, 1700000000)), 0);
}

static void test_failures_are_not_written(void **state)
{
	struct dns_name room;
	(void)state;
	struct cache_key key = key_of(1, &room);
	cache_fail(cache, &key,
		dns_packed_failure(key.name, 1, 1, 22, "x", value_buffer, sizeof value_buffer), 300,
		1000);
	assert_int_equal(find(1, 1000).state, CACHE_FAILED);
	assert_int_equal(cache_file_write(cache, file, at(1000, 1700000000)), 0);
	assert_int_equal(restart(at(1000, 1700000000)), 0);
}

static void test_a_clock_that_was_set_back(void **state)
{
	(void)state;
	put(1, 300, 1000);
	assert_int_equal(cache_file_write(cache, file, at(1000, 1700000000)), 1);
	/* A little is nothing; by more, and nobody knows how old it is. */
	assert_int_equal(restart(at(1000, 1700000000 - 60)), 1);
	assert_int_equal(find(1, 1000).state, CACHE_FRESH);
	assert_int_equal(find(1, 1000).age_s, 0);
	assert_int_equal(restart(at(1000, 1700000000 - 61)), 1);
	assert_int_equal(find(1, 1000).state, CACHE_STALE);
	assert_int_equal(find(1, 1000).age_s, 300);
	assert_int_equal(restart(at(1000, -5)), 1);
	assert_int_equal(find(1, 1000).state, CACHE_STALE);
}

static void test_many(void **state)
{
	enum { MANY = 20000 };
	(void)state;
	for (uint64_t i = 0; i < MANY; i++)
		put(i, 300, 1000);
	long entries = (long)count_entries();
	assert_true(entries > MANY / 2);
	assert_int_equal(cache_file_write(cache, file, at(1000, 1700000000)), entries);
	assert_int_equal(restart(at(1000, 1700000001)), entries);
	size_t fresh = 0;
	for (uint64_t i = 0; i < MANY; i++) {
		struct cache_hit hit = find(i, 1000);
		struct dns_packed packed;
		if (hit.state == CACHE_MISS)
			continue;
		fresh++;
		dns_packed_open(&packed, hit.value);
		uint8_t address[] = { (uint8_t)(i >> 24), (uint8_t)(i >> 16), (uint8_t)(i >> 8),
			(uint8_t)i };
		assert_memory_equal(packed.message.at + packed.message.len - 4, address, 4);
	}
	assert_int_equal(fresh, entries);
	/* What is there already is newer. */
	assert_int_equal(cache_file_read(cache, file, at(1000, 1700000001)), 0);
	/* Into a smaller cache: what fits. */
	struct cache_settings least = { .size = CACHE_SIZE_MIN };
	cache_free(cache);
	cache = cache_new(&least);
	assert_int_equal(cache_file_read(cache, file, at(1000, 1700000001)), entries);
	assert_true(count_entries() > 3000);
}

/* --- the file itself --- */

static void test_mode_and_replacement(void **state)
{
	struct stat about;
	char aside[160];
	(void)state;
	snprintf(aside, sizeof aside, "%s.new", file);
	int fd = open(aside, O_WRONLY | O_CREAT, 0666); /* of a crash */
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(symlink("/nonexistent/target", file), 0);
	put(1, 60, 0);
	assert_int_equal(cache_file_write(cache, file, at(0, 1700000000)), 1);
	assert_int_equal(lstat(file, &about), 0);
	assert_true(S_ISREG(about.st_mode));
	assert_int_equal(about.st_mode & 07777, 0600);
	assert_int_equal(access(aside, F_OK), -1);
	assert_int_equal(restart(at(0, 1700000000)), 1);
}

static void test_errors_leave_the_old_file(void **state)
{
	char missing[200], long_name[5000];
	(void)state;
	snprintf(missing, sizeof missing, "%s/missing/cache", directory);
	assert_int_equal(cache_file_write(cache, missing, at(0, 1700000000)), -ENOENT);
	memset(long_name, 'x', sizeof long_name - 1);
	long_name[sizeof long_name - 1] = '\0';
	assert_int_equal(cache_file_write(cache, long_name, at(0, 1700000000)), -ENAMETOOLONG);
	assert_int_equal(cache_file_write(cache, directory, at(0, 1700000000)), -EEXIST);
	assert_int_equal(cache_file_write(cache, "/dev/full/cache", at(0, 1700000000)), -ENOTDIR);
	assert_int_equal(cache_file_read(cache, long_name, at(0, 1700000000)), 0);
	assert_int_equal(cache_file_read(cache, directory, at(0, 1700000000)), 0);
	assert_int_equal(cache_file_read(cache, "/dev/zero", at(0, 1700000000)), 0);
	assert_int_equal(cache_file_read(cache, missing, at(0, 1700000000)), 0);
	assert_int_equal(mkfifo(file, 0600), 0);
	assert_int_equal(cache_file_read(cache, file, at(0, 1700000000)), 0);
}

/* --- who wrote it, and what would be lost --- */

static void test_who_may_write_it(void **state)
{
	static const struct {
		mode_t mode;
		uid_t owner;
		long expected;
	} rows[] = {
		{ 0600, 0, 1 },
		{ 0644, 0, 1 },
		{ 0660, 0, 1 }, /* as volumes of a pod are made */
		{ 0602, 0, 0 },
		{ 0666, 0, 0 },
		{ 0600, 12345, 0 },
	};
	(void)state;
	put(1, 300, 0);
	assert_int_equal(cache_file_write(cache, file, at(0, 1700000000)), 1);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (rows[i].owner && geteuid() != 0)
			continue; /* only root can give a file away */
		assert_int_equal(chmod(file, rows[i].mode), 0);
		if (rows[i].owner)
			assert_int_equal(chown(file, rows[i].owner, (gid_t)-1), 0);
		if (restart(at(0, 1700000000)) != rows[i].expected)
			fail_msg("mode %o, owner %u", rows[i].mode, rows[i].owner);
	}
}

/* As large as a disk, and nothing in it: not read to its end. */
static void test_a_length_that_it_does_not_say(void **state)
{
	(void)state;
	put(1, 300, 0);
	assert_int_equal(cache_file_write(cache, file, at(0, 1700000000)), 1);
	assert_int_equal(truncate(file, (off_t)1 << 40), 0);
	assert_int_equal(restart(at(0, 1700000000)), 0);
}

static void test_what_is_no_cache_file_is_not_replaced(void **state)
{
	static const char *const texts[] = { "x", "ngcache", "-----BEGIN PRIVATE KEY-----" };
	(void)state;
	put(1, 300, 0);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct slice text = slice_of_text(texts[i]);
		save(text);
		assert_int_equal(cache_file_write(cache, file, at(0, 1700000000)), -EEXIST);
		assert_true(slice_equals(load(), text));
	}
	unlink(file);
	assert_int_equal(symlink("/dev/null", file), 0);
	assert_int_equal(cache_file_write(cache, file, at(0, 1700000000)), -EEXIST);
	unlink(file);
	save(slice_of_text("")); /* of touch */
	assert_int_equal(cache_file_write(cache, file, at(0, 1700000000)), 1);
	save(slice_of_text("ngcache\n of which little is left"));
	assert_int_equal(cache_file_write(cache, file, at(0, 1700000000)), 1);
	assert_int_equal(restart(at(0, 1700000000)), 1);
}

static void test_every_flipped_bit_is_seen(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 5; i++)
		put(i, 300, 1000);
	assert_int_equal(cache_file_write(cache, file, at(1000, 1700000000)), 5);
	struct slice bytes = load();
	uint8_t *copy = malloc(bytes.len + 1);
	memcpy(copy, bytes.at, bytes.len);
	size_t len = bytes.len;
	for (size_t i = 0; i < len * 8; i += 3) {
		copy[i / 8] ^= (uint8_t)(1 << i % 8);
		save(slice_of(copy, len));
		assert_int_equal(cache_file_read(cache, file, at(1000, 1700000000)), 0);
		copy[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_int_equal(count_entries(), 5);
	cache_flush(cache, slice_of("", 1), true);
	for (size_t cut = 0; cut < len; cut++) {
		save(slice_of(copy, cut));
		assert_int_equal(cache_file_read(cache, file, at(1000, 1700000000)), 0);
	}
	copy[len] = 0;
	save(slice_of(copy, len + 1));
	assert_int_equal(cache_file_read(cache, file, at(1000, 1700000000)), 0);
	assert_int_equal(count_entries(), 0);
	save(slice_of(copy, len));
	assert_int_equal(cache_file_read(cache, file, at(1000, 1700000000)), 5);
	free(copy);
}

/* --- records that pass the checksum --- */

struct forged {
	uint32_t age_s, lifetime_s;
	uint16_t type, class;
	uint8_t flags, weight;
	const char *name; /* of the key, in wire form with a length; NULL: a.example */
	uint8_t name_len;
	uint32_t value_len; /* 0: as it is */
	unsigned value;     /* which of the values below */
	const char *expected;
};

enum { ADDRESS, NO_SUCH_NAME, FAILURE, GARBAGE };

static struct slice forged_value(unsigned which)
{
	static const struct slice name = { (const uint8_t *)"\1a\7example", 11 };
	switch (which) {
	case ADDRESS: return cache_packed(name, true, 300, 1, value_buffer);
	case NO_SUCH_NAME: return cache_packed(name, false, 300, 1, value_buffer);
	case FAILURE:
		return dns_packed_failure(name, 1, 1, 22, "", value_buffer, sizeof value_buffer);
	default: return slice_of_text("garbage that is long enough to be something");
	}
}

static struct slice forge(const struct forged *forged, uint8_t *to, size_t capacity)
{
	struct writer w = writer_of(to, capacity);
	struct slice value = forged_value(forged->value);
	struct slice name = forged->name ? slice_of(forged->name, forged->name_len)
					 : slice_of("\1a\7example", 11);
	writer_u32(&w, forged->age_s);
	writer_u32(&w, forged->lifetime_s);
	writer_u32(&w, 0);
	writer_u16(&w, forged->type);
	writer_u16(&w, forged->class);
	writer_u8(&w, forged->flags);
	writer_u8(&w, forged->weight);
	writer_u8(&w, (uint8_t)name.len);
	writer_u8(&w, 0);
	writer_u32(&w, forged->value_len ? forged->value_len : (uint32_t)value.len);
	writer_slice_bytes(&w, name);
	writer_slice_bytes(&w, value);
	assert_false(w.failed);
	return writer_slice(&w);
}

static const char *take(struct slice bytes)
{
	static const struct cache_file_age age = { .now_s = 100 };
	static char text[64];
	long taken = 0;
	uint8_t *exact = malloc(bytes.len); /* a sanitizer sees the first byte read too far */
	memcpy(exact, bytes.at, bytes.len);
	long whole = cache_file_take(cache, slice_of(exact, bytes.len), &age, &taken);
	free(exact);
	if (whole < 0)
		return whole == ERR_MALFORMED ? "malformed" : "another error";
	snprintf(text, sizeof text, "%s%s", (size_t)whole == bytes.len ? "whole" : "cut",
		taken ? " taken" : "");
	return text;
}

static void test_forged_records(void **state)
{
	static const struct forged rows[] = {
		{ .lifetime_s = 300, .type = 1, .class = 1, .expected = "whole taken" },
		{ .lifetime_s = 300, .type = 1, .class = 1, .flags = 3, .expected = "whole taken" },
		{ .lifetime_s = 300,
			.type = 1,
			.class = 1,
			.weight = 255,
			.expected = "whole taken" },
		{ .lifetime_s = 300, .type = 1, .class = 1, .flags = 4, .expected = "whole" },
		{ .lifetime_s = 300, .type = 28, .class = 1, .expected = "whole" },
		{ .lifetime_s = 300, .type = 0, .class = 1, .expected = "whole" },
		{ .lifetime_s = 300, .type = 1, .class = 3, .expected = "whole" },
		{ .lifetime_s = 300, .type = 1, .class = 1, .value = GARBAGE, .expected = "whole" },
		{ .lifetime_s = 300, .type = 1, .class = 1, .value = FAILURE, .expected = "whole" },
		{ .lifetime_s = 300,
			.type = 0,
			.class = 1,
			.value = NO_SUCH_NAME,
			.expected = "whole taken" },
		{ .lifetime_s = 300,
			.type = 0,
			.class = 1,
			.flags = 1,
			.value = FAILURE,
			.expected = "whole" },
		/* ages */
		{ .age_s = 1299,
			.lifetime_s = 300,
			.type = 1,
			.class = 1,
			.flags = 1,
			.expected = "whole taken" },
		{ .age_s = 1300,
			.lifetime_s = 300,
			.type = 1,
			.class = 1,
			.flags = 2,
			.expected = "whole" },
		{ .age_s = 1300,
			.lifetime_s = UINT32_MAX,
			.type = 1,
			.class = 1,
			.flags = 2,
			.expected = "whole" },
		{ .age_s = UINT32_MAX,
			.lifetime_s = UINT32_MAX,
			.type = 1,
			.class = 1,
			.flags = 2,
			.expected = "whole" },
		/* names */
		{ .lifetime_s = 300,
			.type = 1,
			.class = 1,
			.name = "\1A\7example",
			.name_len = 11,
			.expected = "whole" },
		{ .lifetime_s = 300,
			.type = 1,
			.class = 1,
			.name = "\1b\7example",
			.name_len = 11,
			.expected = "whole" },
		{ .lifetime_s = 300,
			.type = 1,
			.class = 1,
			.name = "",
			.name_len = 0,
			.expected = "whole" },
		{ .lifetime_s = 300,
			.type = 1,
			.class = 1,
			.name = "",
			.name_len = 1,
			.expected = "whole" },
		{ .lifetime_s = 300,
			.type = 1,
			.class = 1,
			.name = "\1a\7exampl",
			.name_len = 9,
			.expected = "whole" },
		{ .lifetime_s = 300,
			.type = 1,
			.class = 1,
			.name = "\300\14",
			.name_len = 2,
			.expected = "whole" },
		{ .lifetime_s = 300,
			.type = 1,
			.class = 1,
			.name = "\1a\0example",
			.name_len = 11,
			.expected = "whole" },
		/* lengths */
		{ .lifetime_s = 300, .type = 1, .class = 1, .value_len = 1, .expected = "cut" },
		{ .lifetime_s = 300, .type = 1, .class = 1, .value_len = 5000, .expected = "cut" },
		{ .lifetime_s = 300,
			.type = 1,
			.class = 1,
			.value_len = UINT32_MAX,
			.expected = "cut" },
	};
	uint8_t bytes[1024];
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		cache_flush(cache, slice_of("", 1), true);
		assert_string_equal(take(forge(&rows[i], bytes, sizeof bytes)), rows[i].expected);
		assert_int_equal(count_entries(), strstr(rows[i].expected, "taken") != NULL);
	}
}

static void test_a_long_lifetime_is_cut_to_the_ttl(void **state)
{
	static const struct forged forged = { .lifetime_s = 0x3fffffff, .type = 1, .class = 1 };
	uint8_t bytes[1024];
	struct cache_hit hit;
	(void)state;
	struct cache_key key = { .name = slice_of("\1a\7example", 11), .type = 1, .class = 1 };
	assert_string_equal(take(forge(&forged, bytes, sizeof bytes)), "whole taken");
	cache_find(cache, &key, 100 + 299, buffer, &hit);
	assert_int_equal(hit.state, CACHE_FRESH);
	cache_find(cache, &key, 100 + 300, buffer, &hit);
	assert_int_equal(hit.state, CACHE_STALE);
}

static void test_a_cut_record_waits_and_an_endless_one_ends(void **state)
{
	static const struct forged good = { .lifetime_s = 300, .type = 1, .class = 1 };
	static const struct forged endless = { .type = 1, .class = 1, .value_len = 1 << 24 };
	static uint8_t bytes[2 * CACHE_FILE_RECORD_MAX];
	long taken = 0;
	const struct cache_file_age age = { .now_s = 100 };
	(void)state;
	size_t len = forge(&good, bytes, sizeof bytes).len;
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(cache_file_take(cache, slice_of(bytes, cut), &age, &taken), 0);
	assert_int_equal(taken, 0);
	forge(&endless, bytes + len, sizeof bytes - len);
	assert_int_equal(cache_file_take(cache, slice_of(bytes, len + CACHE_FILE_RECORD_MAX - 1),
				 &age, &taken),
		(long)len);
	assert_int_equal(taken, 1);
	assert_int_equal(
		cache_file_take(cache, slice_of(bytes, len + CACHE_FILE_RECORD_MAX), &age, &taken),
		ERR_MALFORMED);
}

static void test_the_clock(void **state)
{
	(void)state;
	struct cache_clock one = cache_clock_now();
	struct cache_clock two = cache_clock_now();
	assert_true(two.now_s - one.now_s < 1000);
	assert_true(one.wall_s > 1700000000);
}

#define test(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_all_comes_back_with_its_age),
		test(test_what_is_over_stays_away),
		test(test_failures_are_not_written),
		test(test_a_clock_that_was_set_back),
		test(test_many),
		test(test_mode_and_replacement),
		test(test_errors_leave_the_old_file),
		test(test_who_may_write_it),
		test(test_a_length_that_it_does_not_say),
		test(test_what_is_no_cache_file_is_not_replaced),
		test(test_every_flipped_bit_is_seen),
		test(test_forged_records),
		test(test_a_long_lifetime_is_cut_to_the_ttl),
		test(test_a_cut_record_waits_and_an_endless_one_ends),
		test(test_the_clock),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
