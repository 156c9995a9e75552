#include "tests/unit/rules_fixture.h"

#include "rules/name_index.h"

enum { DUPLICATES_MAX = 64 };

struct duplicates {
	unsigned count;
	unsigned lists[DUPLICATES_MAX];
	uint32_t lines[DUPLICATES_MAX];
};

static void on_duplicate(
	void *context, unsigned list, uint32_t line, struct slice name, enum pattern_kind kind)
{
	struct duplicates *duplicates = context;
	assert_true(dns_name_check(name) == name.len);
	assert_in_range(kind, PATTERN_EXACT, PATTERN_BOTH);
	assert_in_range(duplicates->count, 0, DUPLICATES_MAX - 1);
	duplicates->lists[duplicates->count] = list;
	duplicates->lines[duplicates->count++] = line;
}

struct row {
	unsigned list;
	enum pattern_kind kind;
	const char *name;
};

/* Lines are the numbers of the rows, from 1. */
static struct name_index build(
	const struct row *rows, size_t count, uint64_t salt, struct duplicates *duplicates)
{
	struct name_index_builder builder;
	struct name_index index;
	name_index_builder_init(&builder, salt);
	for (size_t i = 0; i < count; i++) {
		struct dns_name name = fixture_name(rows[i].name);
		assert_int_equal(name_index_add(&builder, rows[i].list, &name, rows[i].kind,
					 (uint32_t)i + 1),
			0);
	}
	assert_int_equal(name_index_build(&index, &builder, on_duplicate, duplicates), 0);
	return index;
}

/* The line of the entry by which a list matches a name; 0 when it does not. */
static uint32_t line_of(const struct name_index *index, const char *text, unsigned list)
{
	struct name_matches matches;
	struct dns_name name = fixture_name(text);
	bool any = name_index_find(index, dns_name_slice(&name), &matches);
	if (!name_matches_has(&matches, list))
		return 0;
	assert_true(any);
	struct name_index_entry entry = name_index_entry(index, matches.entries[list]);
	assert_int_equal(entry.list, list);
	assert_true(dns_name_is_under(dns_name_slice(&name), entry.name));
	return entry.line;
}

static const struct row rows[] = {
	{ 0, PATTERN_EXACT, "example.com" },        /* 1 */
	{ 0, PATTERN_BELOW, "example.com" },        /* 2 */
	{ 1, PATTERN_BELOW, "com" },                /* 3 */
	{ 1, PATTERN_EXACT, "com" },                /* 4 */
	{ 1, PATTERN_BELOW, "b.example.com" },      /* 5 */
	{ 2, PATTERN_BOTH, "org" },                 /* 6 */
	{ 2, PATTERN_BOTH, "example.org" },         /* 7 */
	{ 2, PATTERN_EXACT, "nul\\000.example" },   /* 8 */
	{ 2, PATTERN_EXACT, "nul.example" },        /* 9 */
	{ 2, PATTERN_BELOW, "dot\\.example" },      /* 10: one label */
	{ 2, PATTERN_BELOW, "\\255\\192.example" }, /* 11 */
	{ 3, PATTERN_BOTH, "." },                   /* 12 */
	{ 3, PATTERN_EXACT, "example.com" },        /* 13 */
	{ 4, PATTERN_EXACT, "." },                  /* 14 */
	{ 1023, PATTERN_EXACT, "last.example" },    /* 15 */
};

static void test_what_matches(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		unsigned list;
		uint32_t line;
	} expected[] = {
		{ "example.com", 0, 1 },
		{ "www.example.com", 0, 2 },
		{ "a.b.c.example.com", 0, 2 },
		{ "xexample.com", 0, 0 },
		{ "example.com.x", 0, 0 },
		{ "com", 0, 0 },
		{ "com", 1, 4 },
		{ "example.com", 1, 3 },
		{ "b.example.com", 1, 3 },
		{ "a.b.example.com", 1, 5 },
		{ "z.a.b.example.com", 1, 5 },
		{ "org", 2, 6 },
		{ "x.org", 2, 6 },
		{ "example.org", 2, 7 },
		{ "x.example.org", 2, 7 },
		{ "nul\\000.example", 2, 8 },
		{ "nul.example", 2, 9 },
		{ "nul\\000\\000.example", 2, 0 },
		{ "x.dot\\.example", 2, 10 },
		{ "dot\\.example", 2, 0 },
		{ "x.dot.example", 2, 0 },
		{ "a.\\255\\192.example", 2, 11 },
		{ "\\255\\192.example", 2, 0 },
		{ ".", 3, 12 },
		{ "anything", 3, 12 },
		{ "example.com", 3, 13 },
		{ "www.example.com", 3, 12 },
		{ ".", 4, 14 },
		{ "x", 4, 0 },
		{ "last.example", 1023, 15 },
		{ "x.last.example", 1023, 0 },
	};
	static const uint64_t salts[] = { 0, 1, UINT64_MAX, 0x123456789abcdef };
	for (size_t s = 0; s < sizeof salts / sizeof *salts; s++) {
		struct duplicates duplicates = { .count = 0 };
		struct name_index index =
			build(rows, sizeof rows / sizeof *rows, salts[s], &duplicates);
		assert_int_equal(duplicates.count, 0);
		assert_int_equal(index.entry_count, sizeof rows / sizeof *rows);
		for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
			if (line_of(&index, expected[i].name, expected[i].list) != expected[i].line)
				fail_msg("%s in list %u: not by line %u", expected[i].name,
					expected[i].list, expected[i].line);
		name_index_deinit(&index);
	}
}

/* Another salt is another table: what collides in one does not in another. */
static void test_salt_changes_the_table(void **state)
{
	(void)state;
	struct duplicates duplicates = { .count = 0 };
	struct name_index one = build(rows, sizeof rows / sizeof *rows, 1, &duplicates);
	struct name_index other = build(rows, sizeof rows / sizeof *rows, 2, &duplicates);
	size_t same = 0;
	for (size_t i = 0; i < one.slot_count; i++)
		for (size_t j = 0; j < other.slot_count; j++)
			same += one.slots[i].at && other.slots[j].at &&
				one.slots[i].tag == other.slots[j].tag;
	assert_int_equal(same, 0);
	name_index_deinit(&one);
	name_index_deinit(&other);
}

static void test_duplicates_are_folded(void **state)
{
	(void)state;
	static const struct row twice[] = {
		{ 0, PATTERN_EXACT, "b.example" }, { 0, PATTERN_EXACT, "a.example" },
		{ 0, PATTERN_BELOW, "a.example" }, { 0, PATTERN_EXACT, "b.example" }, /* line 4 */
		{ 0, PATTERN_EXACT, "a.example" },                                    /* line 5 */
		{ 0, PATTERN_BELOW, "a.example" },                                    /* line 6 */
		{ 0, PATTERN_EXACT, "a.example" },                                    /* line 7 */
		{ 1, PATTERN_EXACT, "a.example" }, { 1, PATTERN_EXACT, "a.example" }, /* line 9 */
	};
	static const uint32_t lines[] = { 4, 5, 6, 7, 9 };
	struct duplicates duplicates = { .count = 0 };
	struct name_index index = build(twice, sizeof twice / sizeof *twice, 7, &duplicates);
	assert_int_equal(duplicates.count, 5);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(duplicates.lines[i], lines[i]);
	assert_int_equal(duplicates.lists[4], 1);
	assert_int_equal(index.entry_count, 4);
	assert_int_equal(index.name_count, 2);
	assert_int_equal(line_of(&index, "a.example", 0), 2); /* the first of them */
	assert_int_equal(line_of(&index, "x.a.example", 0), 3);
	assert_int_equal(line_of(&index, "a.example", 1), 8);
	name_index_deinit(&index);
}

static void test_empty(void **state)
{
	(void)state;
	struct duplicates duplicates = { .count = 0 };
	struct name_index index = build(NULL, 0, 5, &duplicates);
	assert_int_equal(line_of(&index, ".", 0), 0);
	assert_int_equal(line_of(&index, "a.b.c", 0), 0);
	name_index_deinit(&index);
}

/* One name in every list there can be: one look-up tells them all. */
static void test_1024_lists(void **state)
{
	(void)state;
	struct name_index_builder builder;
	struct name_index index;
	struct name_matches matches;
	struct dns_name both = fixture_name("shared.example");
	name_index_builder_init(&builder, 99);
	for (unsigned list = 0; list < NAME_INDEX_LISTS_MAX; list++) {
		char text[64];
		snprintf(text, sizeof text, "only-%u.example", list);
		struct dns_name own = fixture_name(text);
		assert_int_equal(name_index_add(&builder, list, &both, PATTERN_BOTH, list + 1), 0);
		assert_int_equal(name_index_add(&builder, list, &own, PATTERN_EXACT, 1), 0);
	}
	assert_int_equal(name_index_build(&index, &builder, NULL, NULL), 0);
	assert_int_equal(index.name_count, NAME_INDEX_LISTS_MAX + 1);
	struct dns_name below = fixture_name("x.shared.example");
	assert_true(name_index_find(&index, dns_name_slice(&below), &matches));
	for (unsigned list = 0; list < NAME_INDEX_LISTS_MAX; list++) {
		char text[64];
		assert_true(name_matches_has(&matches, list));
		struct name_index_entry entry = name_index_entry(&index, matches.entries[list]);
		assert_int_equal(entry.list, list);
		assert_int_equal(entry.line, list + 1);
		assert_true(slice_equals(entry.name, dns_name_slice(&both)));
		snprintf(text, sizeof text, "only-%u.example", list);
		assert_int_equal(line_of(&index, text, list), 1);
		assert_int_equal(line_of(&index, text, (list + 1) % NAME_INDEX_LISTS_MAX), 0);
	}
	name_index_deinit(&index);
}

/* The longest and the deepest names that there are. */
static void test_extreme_names(void **state)
{
	(void)state;
	struct name_index_builder builder;
	struct name_index index;
	struct name_matches matches;
	struct dns_name deep = { .len = 0 };
	struct dns_name wide = { .len = 0 };
	for (unsigned i = 0; i < DNS_NAME_LABELS_MAX; i++) {
		deep.wire[deep.len++] = 1;
		deep.wire[deep.len++] = (uint8_t)('a' + i % 26);
	}
	deep.wire[deep.len++] = 0;
	for (unsigned i = 0; i < 4; i++) {
		uint8_t label = i < 3 ? 63 : 61;
		wide.wire[wide.len++] = label;
		memset(wide.wire + wide.len, 0xc0 + (int)i, label);
		wide.len = (uint8_t)(wide.len + label);
	}
	wide.wire[wide.len++] = 0;
	assert_int_equal(deep.len, DNS_NAME_MAX);
	assert_int_equal(wide.len, DNS_NAME_MAX);
	name_index_builder_init(&builder, 3);
	assert_int_equal(name_index_add(&builder, 0, &deep, PATTERN_EXACT, 1), 0);
	assert_int_equal(name_index_add(&builder, 1, &wide, PATTERN_EXACT, 2), 0);
	struct dns_name suffix = { .len = 3, .wire = { 1, deep.wire[DNS_NAME_MAX - 2], 0 } };
	assert_int_equal(name_index_add(&builder, 2, &suffix, PATTERN_BELOW, 3), 0);
	assert_int_equal(name_index_build(&index, &builder, NULL, NULL), 0);
	assert_true(name_index_find(&index, dns_name_slice(&deep), &matches));
	assert_true(name_matches_has(&matches, 0));
	assert_true(name_matches_has(&matches, 2));
	assert_true(name_index_find(&index, dns_name_slice(&wide), &matches));
	assert_true(name_matches_has(&matches, 1));
	wide.wire[10] ^= 1;
	assert_false(name_index_find(&index, dns_name_slice(&wide), &matches));
	name_index_deinit(&index);
}

/* So many names that some have one tag (32 bits): each is found, by its own entry; nothing else
 * is, and the memory stays what the header of name_index.c says. */
static void test_many_names(void **state)
{
	(void)state;
	enum { NAMES = 200000 };
	struct name_index_builder builder;
	struct name_index index;
	struct name_matches matches;
	size_t text_len = 0;
	name_index_builder_init(&builder, 11);
	for (uint32_t i = 0; i < NAMES; i++) {
		struct dns_name name = { .len = 10, .wire = { 4, 0, 0, 0, 0, 3, 'c', 'o', 'm' } };
		memcpy(name.wire + 1, &i, 4);
		text_len += name.len;
		assert_int_equal(name_index_add(&builder, i % 3, &name, PATTERN_EXACT, i + 1), 0);
	}
	assert_int_equal(name_index_build(&index, &builder, NULL, NULL), 0);
	assert_int_equal(index.name_count, NAMES);
	size_t shared_tags = 0;
	uint32_t last = 0;
	for (size_t i = 0; i < index.slot_count; i++) {
		if (!index.slots[i].at)
			continue;
		shared_tags += index.slots[i].tag == last;
		assert_true(index.slots[i].tag >= last);
		last = index.slots[i].tag;
	}
	assert_true(shared_tags > 0);
	for (uint32_t i = 0; i < NAMES; i++) {
		struct dns_name name = { .len = 10, .wire = { 4, 0, 0, 0, 0, 3, 'c', 'o', 'm' } };
		memcpy(name.wire + 1, &i, 4);
		assert_true(name_index_find(&index, dns_name_slice(&name), &matches));
		assert_true(name_matches_has(&matches, i % 3));
		assert_false(name_matches_has(&matches, (i + 1) % 3));
		assert_int_equal(name_index_entry(&index, matches.entries[i % 3]).line, i + 1);
		uint32_t absent = i + NAMES;
		memcpy(name.wire + 1, &absent, 4);
		assert_false(name_index_find(&index, dns_name_slice(&name), &matches));
	}
	assert_in_range(name_index_memory(&index), text_len, text_len + NAMES * 16);
	name_index_deinit(&index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_matches),
		cmocka_unit_test(test_salt_changes_the_table),
		cmocka_unit_test(test_duplicates_are_folded),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_1024_lists),
		cmocka_unit_test(test_extreme_names),
		cmocka_unit_test(test_many_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
