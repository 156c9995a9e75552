/* image_build_test.c - what goes into an image, and what is left out and told. What a look-up makes
 * of it is in image_model_test.c. */
#include "tests/unit/image_fixture.h"

enum { SALT = 42, DROPS_MAX = 32 };

static const struct facet plain = { .rank = FACET_RANK_PLAIN };

struct drops {
	size_t count;
	struct image_drop at[DROPS_MAX];
	char texts[DROPS_MAX][64];
};

/* "2: a.example.com. by *.example.com." */
static void on_drop(void *context, const struct image_drop *drop)
{
	struct drops *drops = context;
	assert_in_range(drops->count, 0, DROPS_MAX - 1);
	char *text = drops->texts[drops->count];
	struct writer to = writer_of(text, sizeof drops->texts[0] - 1);
	to.len = (size_t)snprintf(text, 16, "%u/%u: ", drop->list, drop->line);
	list_pattern_write_text(&to, drop->name, drop->kind);
	if (drop->by.len > 0) {
		writer_text(&to, " by ");
		list_pattern_write_text(&to, drop->by, drop->by_kind);
	}
	assert_false(to.failed);
	text[to.len] = '\0';
	drops->at[drops->count++] = *drop;
}

static struct image *build_and_tell(
	const struct fixture_text *texts, size_t count, struct drops *drops)
{
	struct image_builder *builder = fixture_builder(SALT);
	drops->count = 0;
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(image_add_list(builder, texts[i].name, texts[i].format), 0);
		assert_int_equal(
			image_add_text(builder, slice_of_text(texts[i].text), NULL, NULL), 0);
	}
	return fixture_built(builder, on_drop, drops);
}

static void test_what_is_left_out(void **state)
{
	(void)state;
	static const struct fixture_text texts[] = {
		{ "a", LIST_DOMAINS,
			"b.example.com\n"   /* 1: covered by 3 */
			"example.com\n"     /* 2: not covered: *.example.com is below it */
			"*.example.com\n"   /* 3 */
			"b.example.com\n"   /* 4: as 1 */
			"*.b.example.com\n" /* 5: covered by 3 */
			"example.net\n"     /* 6 */
			"EXAMPLE.net.\n" }, /* 7: as 6 */
		{ "b", LIST_WILDCARD,
			"c.b.example.org\n" /* 1: covered by 3 */
			"example.net\n"     /* 2: another list */
			"b.example.org\n"   /* 3: covered by 4 */
			"example.org\n"     /* 4 */
			"*.example.org\n"   /* 5: as 4 */
			"xexample.org\n" }, /* 6 */
	};
	static const char *const told[] = {
		"0/1: b.example.com. by *.example.com.",
		"0/4: b.example.com.",
		"0/5: *.b.example.com. by *.example.com.",
		"0/7: example.net.",
		"1/1: c.b.example.org. by b.example.org.",
		"1/3: b.example.org. by example.org.",
		"1/5: example.org.",
	};
	static struct drops drops;
	struct image *image = build_and_tell(texts, 2, &drops);
	assert_int_equal(drops.count, sizeof told / sizeof *told);
	for (size_t i = 0; i < drops.count; i++)
		assert_string_equal(drops.texts[i], told[i]);
	const struct image_list *a = image_list(image, 0);
	const struct image_list *b = image_list(image, 1);
	assert_int_equal(a->entry_count, 3);
	assert_int_equal(a->covered_count, 2);
	assert_int_equal(a->reject_counts[LIST_REJECT_DUPLICATE], 2);
	assert_int_equal(b->entry_count, 3);
	assert_int_equal(b->covered_count, 2);
	assert_int_equal(b->reject_counts[LIST_REJECT_DUPLICATE], 1);
	assert_int_equal(image_name_count(image), 4);
	fixture_close(image);
}

struct row {
	const char *name;
	enum pattern_kind kind;
	struct facet facet;
};

static struct image *image_of_rows(const struct row *rows, size_t count)
{
	struct image_builder *builder = fixture_builder(SALT);
	assert_int_equal(image_add_list(builder, "rows", LIST_DOMAINS), 0);
	for (size_t i = 0; i < count; i++) {
		struct dns_name name = fixture_name(rows[i].name);
		const struct list_pattern pattern = { &name, rows[i].kind, &rows[i].facet,
			(uint32_t)i + 1 };
		assert_int_equal(image_add_pattern(builder, &pattern), 0);
	}
	return fixture_built(builder, NULL, NULL);
}

/* The entry that could be left out is always the third. */
static void test_what_keeps_an_entry_in(void **state)
{
	(void)state;
	const struct facet listed = { .rank = 1 };
	const struct facet except = { .effect = FACET_EXCEPT, .rank = 2 };
	const struct facet pass = { .effect = FACET_PASS, .rank = 1 };
	const struct facet grouped = { .rank = 1, .group = 9 };
	const struct facet cancel = { .effect = FACET_CANCEL, .rank = 1, .group = 9 };
	const struct {
		struct row rows[3];
		uint64_t covered;
	} worlds[] = {
		{ { { "com", PATTERN_BOTH, listed }, { "b.com", PATTERN_BOTH, except },
			  { "a.b.com", PATTERN_BOTH, listed } },
			1 }, /* the exception wins anyway */
		{ { { "com", PATTERN_BOTH, listed }, { "b.com", PATTERN_BOTH, pass },
			  { "a.b.com", PATTERN_BOTH, listed } },
			0 }, /* nearer than com, and of the same rank */
		{ { { "com", PATTERN_BOTH, listed }, { "b.com", PATTERN_EXACT, pass },
			  { "a.b.com", PATTERN_BOTH, listed } },
			1 }, /* says nothing about a.b.com */
		{ { { "com", PATTERN_BOTH, listed }, { "a.b.com", PATTERN_EXACT, pass },
			  { "a.b.com", PATTERN_EXACT, listed } },
			0 },
		{ { { "com", PATTERN_BOTH, listed }, { "a.b.com", PATTERN_BELOW, pass },
			  { "a.b.com", PATTERN_EXACT, listed } },
			1 },
		{ { { "com", PATTERN_BOTH, grouped }, { "b.com", PATTERN_BOTH, cancel },
			  { "a.b.com", PATTERN_BOTH, grouped } },
			0 }, /* com would be cancelled */
		{ { { "com", PATTERN_BOTH, grouped }, { "x.com", PATTERN_BOTH, cancel },
			  { "a.b.com", PATTERN_BOTH, grouped } },
			1 },
		{ { { "com", PATTERN_BELOW, listed }, { "x.com", PATTERN_BELOW, pass },
			  { "com", PATTERN_BOTH, listed } },
			1 }, /* the first is: its own name has both */
		{ { { "com", PATTERN_EXACT, listed }, { "x.com", PATTERN_EXACT, pass },
			  { "com", PATTERN_BELOW, listed } },
			0 }, /* two entries, though together they say both */
	};
	for (size_t i = 0; i < sizeof worlds / sizeof *worlds; i++) {
		struct image *image = image_of_rows(worlds[i].rows, 3);
		if (image_list(image, 0)->covered_count != worlds[i].covered)
			fail_msg("world %zu: %d covered", i,
				(int)image_list(image, 0)->covered_count);
		assert_int_equal(image_list(image, 0)->entry_count, 3 - worlds[i].covered);
		fixture_close(image);
	}
}

static void test_networks_once_each(void **state)
{
	(void)state;
	static const char *const networks[] = { "192.0.2.0/24", "192.0.2.0/25", "192.0.2.0/24",
		"2001:db8::/32" };
	struct image_builder *builder = fixture_builder(SALT);
	assert_int_equal(image_add_list(builder, "networks", LIST_DOMAINS), 0);
	for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
		struct list_network network = { .facet = &plain, .line = (uint32_t)i + 1 };
		assert_true(network_parse(&network.network, networks[i]));
		assert_int_equal(image_add_network(builder, &network), 0);
	}
	struct image *image = fixture_built(builder, NULL, NULL);
	assert_int_equal(image_list(image, 0)->entry_count, 3);
	assert_int_equal(image_list(image, 0)->reject_counts[LIST_REJECT_DUPLICATE], 1);
	assert_int_equal(image_list(image, 0)->covered_count, 0);
	fixture_close(image);
}

/* A list has the same hash wherever it stands, and another one when anything in it is different. */
static void test_a_list_has_a_hash(void **state)
{
	(void)state;
	static const struct fixture_text texts[] = {
		{ "one", LIST_DOMAINS, "a.example\n*.b.example\n" },
		{ "other", LIST_DOMAINS, "# words\n*.b.example\na.example\n*.b.example\n" },
		{ "kinds", LIST_DOMAINS, "*.a.example\nb.example\n" },
		{ "more", LIST_DOMAINS, "a.example\n*.b.example\nc.example\n" },
		{ "none", LIST_DOMAINS, "" },
	};
	const struct row ranked[] = {
		{ "a.example", PATTERN_EXACT, { .rank = 2 } },
		{ "b.example", PATTERN_BELOW, { .rank = 2 } },
	};
	struct image *image = fixture_image(texts, 5, SALT);
	struct image *salted = fixture_image(texts, 1, SALT + 1);
	struct image *rows = image_of_rows(ranked, 2);
	const uint8_t *hash = image_list(image, 0)->hash;
	assert_memory_equal(hash, image_list(image, 1)->hash, IMAGE_HASH_LEN);
	assert_memory_equal(hash, image_list(salted, 0)->hash, IMAGE_HASH_LEN);
	for (uint16_t i = 2; i < 5; i++)
		assert_memory_not_equal(hash, image_list(image, i)->hash, IMAGE_HASH_LEN);
	assert_memory_not_equal(hash, image_list(rows, 0)->hash, IMAGE_HASH_LEN);
	fixture_close(rows);
	fixture_close(salted);
	fixture_close(image);
}

/* Facets and records that several lists share keep their list. */
static void test_lists_and_facets(void **state)
{
	(void)state;
	static const uint8_t records[] = { 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 1 };
	const struct facet facet = {
		.given = GIVEN_RECORDS,
		.rank = 3,
		.type_count = 2,
		.types = { 1, 28 },
		.except_types = true,
		.group = UINT64_C(0x0123456789abcdef),
		.records = slice_of(records, sizeof records),
	};
	struct dns_name name = fixture_name("example.com");
	struct image_builder *builder = fixture_builder(SALT);
	for (unsigned i = 0; i < IMAGE_LISTS_MAX; i++) {
		char text[16];
		snprintf(text, sizeof text, "%u", i);
		const struct list_pattern pattern = { &name, PATTERN_BOTH, i % 2 ? &facet : &plain,
			1 };
		assert_int_equal(image_add_list(builder, text, LIST_HOSTS), 0);
		assert_int_equal(image_add_pattern(builder, &pattern), 0);
	}
	struct image *image = fixture_built(builder, NULL, NULL);
	struct image_matches matches;
	assert_true(image_find(image, dns_name_slice(&name), 65, &matches));
	for (unsigned i = 0; i < IMAGE_LISTS_MAX; i++) {
		assert_true(image_matches_have(&matches, i));
		const struct facet *found = image_facet(image, matches.entries[i].facet);
		assert_int_equal(found->given, i % 2 ? GIVEN_RECORDS : GIVEN_NOTHING);
		assert_int_equal(found->rank, i % 2 ? 3 : FACET_RANK_PLAIN);
		assert_int_equal(found->group, i % 2 ? facet.group : 0);
		assert_int_equal(found->types[1], i % 2 ? 28 : 0);
		assert_int_equal(found->records.len, i % 2 ? sizeof records : 0);
	}
	assert_true(image_find(image, dns_name_slice(&name), 28, &matches));
	for (unsigned i = 0; i < IMAGE_LISTS_MAX; i++)
		assert_int_equal(image_matches_have(&matches, i), i % 2 == 0);
	fixture_close(image);
}

static void test_limits(void **state)
{
	(void)state;
	struct image_builder *builder = fixture_builder(SALT);
	struct slice bytes;
	for (unsigned i = 0; i < IMAGE_LISTS_MAX; i++)
		assert_int_equal(image_add_list(builder, "list", LIST_DOMAINS), 0);
	assert_int_equal(image_add_list(builder, "list", LIST_DOMAINS), ERR_TOO_LONG);
	/* What could not be added is not forgotten; afterwards the builder is as new. */
	assert_int_equal(image_build(builder, &bytes, NULL, NULL), ERR_TOO_LONG);
	assert_int_equal(image_add_list(builder, "list", LIST_DOMAINS), 0);
	struct dns_name name = fixture_name("example.com");
	struct facet facet = { .rank = 1 };
	const struct list_pattern pattern = { &name, PATTERN_BOTH, &facet, 1 };
	for (unsigned i = 0; i < IMAGE_FACETS_MAX; i++) {
		facet.group = i;
		assert_int_equal(image_add_pattern(builder, &pattern), 0);
	}
	facet.group = IMAGE_FACETS_MAX;
	assert_int_equal(image_add_pattern(builder, &pattern), ERR_TOO_LONG);
	assert_int_equal(image_build(builder, &bytes, NULL, NULL), ERR_TOO_LONG);
	facet.group = 0;
	assert_int_equal(image_add_list(builder, "list", LIST_DOMAINS), 0);
	for (unsigned i = 0; i < IMAGE_FACETS_MAX; i++, facet.group++)
		assert_int_equal(image_add_pattern(builder, &pattern), 0);
	struct image *image = fixture_built(builder, NULL, NULL);
	assert_int_equal(image_list(image, 0)->entry_count, IMAGE_FACETS_MAX);
	fixture_close(image);
}

enum { MANY = 66000, SET_LISTS = 10, TIMES = 300 * 1000 };

static struct dns_name many_names[2 * MANY];

static int make_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * MANY; i++) {
		char text[32];
		snprintf(text, sizeof text, "%x.%x.example", i, i % 1000);
		many_names[i] = fixture_name(text);
	}
	return 0;
}

/* Bit `list` of this: does the list have the name? */
static unsigned many_lists(unsigned number)
{
	return 1 + number * 2654435761u % 1023;
}

/* More names and sets than 16 and 8 bits can count. */
static struct image *many_image(uint64_t salt)
{
	struct image_builder *builder = fixture_builder(salt);
	for (unsigned list = 0; list < SET_LISTS; list++) {
		assert_int_equal(image_add_list(builder, "many", LIST_DOMAINS), 0);
		for (unsigned i = 0; i < MANY; i++) {
			const struct list_pattern pattern = { &many_names[i], PATTERN_EXACT, &plain,
				i };
			if (many_lists(i) >> list & 1)
				assert_int_equal(image_add_pattern(builder, &pattern), 0);
		}
	}
	return fixture_built(builder, NULL, NULL);
}

static void test_many_names_and_sets(void **state)
{
	(void)state;
	struct image *image = many_image(SALT);
	struct image_matches matches;
	assert_int_equal(image_name_count(image), MANY);
	for (unsigned i = 0; i < 2 * MANY; i++) {
		struct slice name = dns_name_slice(&many_names[i]);
		bool found = image_find(image, name, 1, &matches);
		assert_int_equal(found, i < MANY);
		assert_int_equal(matches.lists[0], i < MANY ? many_lists(i) : 0);
	}
	/* One suffix is looked up, and 1,023 sets take ten bits of each slot. With ten suffixes,
	 * and as many sets as there can be (20 bits), it must be below the bound still. */
	double chance = image_false_hit(image, 3);
	assert_true(chance > 0 && chance * 10 * 1024 < 1e-12);
	assert_true(image_false_hit(image, 4) == 0);
	assert_true(image_hot_len(image) < (size_t)MANY * 11);
	fixture_close(image);
}

/* The list is changed in an image of many: what stays is taken from it. */
static void test_taking_from_an_image_of_many(void **state)
{
	(void)state;
	struct image *image = many_image(SALT);
	for (uint64_t salt = SALT; salt <= SALT + 1; salt++) {
		struct image_builder *builder = fixture_builder(salt);
		for (uint16_t list = 0; list < SET_LISTS; list++)
			assert_int_equal(image_take_list(builder, image, list), 0);
		struct image *again = fixture_built(builder, NULL, NULL);
		struct image *anew = many_image(salt);
		assert_same_image(again, anew);
		fixture_close(anew);
		fixture_close(again);
	}
	fixture_close(image);
}

/* The work must not depend on what a list says: the same line very often, and two that take
 * turns. A quadratic builder would not come back from this. */
static void test_one_name_many_times(void **state)
{
	(void)state;
	struct image_builder *builder = fixture_builder(SALT);
	struct dns_name name = fixture_name("example.com");
	assert_int_equal(image_add_list(builder, "again", LIST_DOMAINS), 0);
	for (unsigned i = 0; i < TIMES; i++) {
		const struct list_pattern pattern = { &name, i % 2 ? PATTERN_EXACT : PATTERN_BELOW,
			&plain, i + 1 };
		assert_int_equal(image_add_pattern(builder, &pattern), 0);
	}
	struct image *image = fixture_built(builder, NULL, NULL);
	assert_int_equal(image_list(image, 0)->entry_count, 2);
	assert_int_equal(image_list(image, 0)->reject_counts[LIST_REJECT_DUPLICATE], TIMES - 2);
	fixture_close(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_left_out),
		cmocka_unit_test(test_what_keeps_an_entry_in),
		cmocka_unit_test(test_networks_once_each),
		cmocka_unit_test(test_a_list_has_a_hash),
		cmocka_unit_test(test_lists_and_facets),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_many_names_and_sets),
		cmocka_unit_test(test_taking_from_an_image_of_many),
		cmocka_unit_test(test_one_name_many_times),
	};
	return cmocka_run_group_tests(tests, make_names, NULL);
}
