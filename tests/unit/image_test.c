/* image_test.c - opening an image, looking into it, and refusing what is none. */
#include "tests/unit/image_fixture.h"

#include "rules/image_layout.h"

static const struct fixture_text texts[] = {
	{ "ads", LIST_DOMAINS, "example.com\n*.example.com\n*.example.net\nwww.example.org\n" },
	{ "all of it", LIST_WILDCARD, "example.org\nb.example.com\nco.uk\n" },
	{ "hosts", LIST_HOSTS, "0.0.0.0 example.com www.example.com\nbad line\n" },
	{ "empty", LIST_DOMAINS, "" },
};
enum { ADS, ALL, HOSTS, EMPTY, LISTS, SALT = 42 };

static struct image *sample(void)
{
	return fixture_image(texts, LISTS, SALT);
}

/* "*.example.com." as a list would say it; "" when the list has no bit. */
static const char *entry_text(
	const struct image *image, const char *name_text, uint16_t list, char *to)
{
	struct image_matches matches;
	struct dns_name name = fixture_name(name_text);
	struct writer writer = writer_of(to, DNS_NAME_TEXT_MAX);
	image_find(image, dns_name_slice(&name), 1, &matches);
	if (image_matches_have(&matches, list)) {
		const struct list_entry *entry = &matches.entries[list];
		uint8_t offsets[DNS_NAME_LABELS_MAX];
		size_t labels = dns_name_labels(dns_name_slice(&name), offsets);
		size_t at = entry->labels ? offsets[labels - entry->labels] : name.len - 1u;
		assert_true(image_holds(image, list, dns_name_slice(&name), entry));
		list_pattern_write_text(&writer, slice_of(name.wire + at, name.len - at),
			(enum pattern_kind)entry->kind);
	}
	writer_u8(&writer, 0);
	return to;
}

static void test_what_matches(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		const char *by[LISTS];
	} rows[] = {
		{ "example.com", { "example.com.", "", "example.com.", "" } },
		{ "www.example.com", { "*.example.com.", "", "www.example.com.", "" } },
		{ "a.b.c.example.com", { "*.example.com.", "", "", "" } },
		{ "b.example.com", { "*.example.com.", "b.example.com.", "", "" } },
		{ "a.b.example.com", { "*.example.com.", "b.example.com.", "", "" } },
		{ "example.net", { "", "", "", "" } },
		{ "a.example.net", { "*.example.net.", "", "", "" } },
		{ "xexample.net", { "", "", "", "" } },
		{ "example.com.net", { "", "", "", "" } },
		{ "www.example.org", { "www.example.org.", "example.org.", "", "" } },
		{ "a.www.example.org", { "", "example.org.", "", "" } },
		{ "com", { "", "", "", "" } },
		{ "uk", { "", "", "", "" } },
		{ "co.uk", { "", "co.uk.", "", "" } },
		{ "x.co.uk", { "", "co.uk.", "", "" } },
		{ ".", { "", "", "", "" } },
	};
	struct image *image = sample();
	char text[DNS_NAME_TEXT_MAX];
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (uint16_t list = 0; list < LISTS; list++)
			assert_string_equal(
				entry_text(image, rows[i].name, list, text), rows[i].by[list]);
	fixture_close(image);
}

static void test_the_root_matches_everything(void **state)
{
	(void)state;
	const struct fixture_text all[] = { { "all", LIST_DOMAINS, "*\nexample.com\n" } };
	struct image *image = fixture_image(all, 1, SALT);
	char text[DNS_NAME_TEXT_MAX];
	assert_string_equal(entry_text(image, ".", 0, text), "*.");
	assert_string_equal(entry_text(image, "a.b.example.com", 0, text), "*.");
	assert_int_equal(image_list(image, 0)->entry_count, 1);
	assert_int_equal(image_list(image, 0)->covered_count, 1);
	fixture_close(image);
}

/* The longest names that there are, by bytes and by labels. */
static void test_long_names(void **state)
{
	(void)state;
	struct dns_name longest = { .len = 255 };
	struct dns_name deepest = { .len = 255 };
	for (size_t i = 0; i < 254; i += 64)
		longest.wire[i] = i < 192 ? 63 : 61;
	for (size_t i = 0; i < 254; i++)
		deepest.wire[i] = i % 2 ? 'x' : 1;
	static const struct facet plain = { .rank = FACET_RANK_PLAIN };
	struct image_builder *builder = fixture_builder(SALT);
	assert_int_equal(image_add_list(builder, "long", LIST_DOMAINS), 0);
	const struct list_pattern patterns[] = {
		{ &longest, PATTERN_EXACT, &plain, 1 },
		{ &deepest, PATTERN_BOTH, &plain, 2 },
	};
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(image_add_pattern(builder, &patterns[i]), 0);
	struct image *image = fixture_built(builder, NULL, NULL);
	struct image_matches matches;
	assert_true(image_find(image, dns_name_slice(&longest), 1, &matches));
	assert_int_equal(matches.entries[0].labels, 4);
	assert_true(image_find(image, dns_name_slice(&deepest), 1, &matches));
	assert_int_equal(matches.entries[0].labels, 127);
	struct slice parent = slice_of(deepest.wire + 2, 253);
	assert_false(image_find(image, parent, 1, &matches));
	assert_true(image_false_hit(image, 127) < 1e-15);
	fixture_close(image);
}

static void test_what_is_known_of_lists(void **state)
{
	(void)state;
	static const uint64_t entries[LISTS] = { 4, 3, 2, 0 };
	struct image *image = sample();
	assert_int_equal(image_list_count(image), LISTS);
	assert_int_equal(image_salt(image), SALT);
	assert_int_equal(image_name_count(image), 7);
	for (uint16_t i = 0; i < LISTS; i++) {
		assert_string_equal(image_list(image, i)->name, texts[i].name);
		assert_int_equal(image_list(image, i)->format, texts[i].format);
		assert_int_equal(image_list(image, i)->entry_count, entries[i]);
		assert_int_equal(image_find_list(image, texts[i].name), i);
	}
	assert_int_equal(image_find_list(image, "all"), UINT16_MAX);
	assert_int_equal(image_list(image, HOSTS)->reject_counts[LIST_REJECT_NOT_A_NAME], 1);
	assert_ptr_equal(image_cold(image).at + image_cold(image).len,
		image_bytes(image).at + image_bytes(image).len);
	assert_int_equal(image_hot_len(image) + image_cold(image).len, image_bytes(image).len);
	fixture_close(image);
}

/* Entries of a list, in no order that a reader may rely on: so they are counted. */
struct walk {
	unsigned count;
	unsigned stop_at;
	unsigned kinds;
};

static bool on_entry(void *context, struct slice name, enum pattern_kind kind, uint16_t facet)
{
	struct walk *walk = context;
	assert_int_equal(dns_name_check(name), name.len);
	assert_int_equal(facet, 0);
	walk->kinds += kind;
	return ++walk->count != walk->stop_at;
}

static void test_each_entry(void **state)
{
	(void)state;
	struct image *image = sample();
	struct walk walk = { 0 };
	image_each(image, ADS, on_entry, &walk);
	assert_int_equal(walk.count, 4);
	assert_int_equal(walk.kinds, 2 * PATTERN_EXACT + 2 * PATTERN_BELOW);
	walk = (struct walk){ .stop_at = 2 };
	image_each(image, ADS, on_entry, &walk);
	assert_int_equal(walk.count, 2);
	walk = (struct walk){ 0 };
	image_each(image, EMPTY, on_entry, &walk);
	assert_int_equal(walk.count, 0);
	fixture_close(image);
}

static void test_nothing_at_all(void **state)
{
	(void)state;
	struct image *image = fixture_built(fixture_builder(SALT), NULL, NULL);
	struct image_matches matches;
	struct dns_name name = fixture_name("example.com");
	struct address address = { { 0 } };
	assert_false(image_find(image, dns_name_slice(&name), 1, &matches));
	assert_false(image_find_address(image, &address, 1, &matches));
	assert_false(image_has_networks(image));
	assert_int_equal(image_name_count(image), 0);
	fixture_close(image);
}

/* A copy whose last byte is the last one of its memory, so that a sanitizer sees what reads on. */
static uint8_t *copy_of(struct slice bytes, size_t len)
{
	void *copy = NULL;
	assert_int_equal(posix_memalign(&copy, IMAGE_ALIGN, len ? len : 1), 0);
	memcpy(copy, bytes.at, len);
	return copy;
}

static void assert_refused(const uint8_t *bytes, size_t len)
{
	const char *why = NULL;
	struct image *image = image_open(slice_of(bytes, len), &why);
	if (image)
		fail_msg("taken: %zu bytes", len);
	assert_non_null(why);
}

static void test_every_truncation_is_refused(void **state)
{
	(void)state;
	struct image *image = sample();
	struct slice bytes = image_bytes(image);
	for (size_t len = 0; len < bytes.len; len++) {
		uint8_t *copy = copy_of(bytes, len);
		assert_refused(copy, len);
		free(copy);
	}
	fixture_close(image);
}

static void test_every_flipped_bit_is_refused(void **state)
{
	(void)state;
	struct image *image = sample();
	struct slice bytes = image_bytes(image);
	uint8_t *copy = copy_of(bytes, bytes.len);
	for (size_t bit = 0; bit < bytes.len * 8; bit++) {
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_refused(copy, bytes.len);
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	free(copy);
	fixture_close(image);
}

static void test_more_bytes_or_another_place_are_refused(void **state)
{
	(void)state;
	struct image *image = sample();
	struct slice bytes = image_bytes(image);
	uint8_t *copy = copy_of(bytes, bytes.len);
	uint8_t *more = calloc(1, bytes.len + IMAGE_ALIGN);
	const char *why;
	memcpy(more, bytes.at, bytes.len);
	assert_refused(more, bytes.len + 1);
	free(more);
	more = aligned_alloc(IMAGE_ALIGN, bytes.len / IMAGE_ALIGN * IMAGE_ALIGN + 2 * IMAGE_ALIGN);
	assert_non_null(more);
	memcpy(more + 1, bytes.at, bytes.len);
	assert_null(image_open(slice_of(more + 1, bytes.len), &why));
	assert_string_equal(why, "alignment");
	free(more);
	free(copy);
	fixture_close(image);
}

static bool on_any_entry(void *context, struct slice name, enum pattern_kind kind, uint16_t facet)
{
	(void)kind;
	*(unsigned *)context += dns_name_check(name) == name.len && facet < IMAGE_FACETS_MAX;
	return true;
}

/* What a look-up could do with an image of which somebody mended the checksum. */
static void use(const struct image *image)
{
	static const char *const names[] = { ".", "com", "example.com", "a.b.example.com",
		"www.example.org", "x.co.uk", "a.example.net" };
	struct image_matches matches;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct dns_name name = fixture_name(names[i]);
		image_find(image, dns_name_slice(&name), 1, &matches);
		for (uint16_t list = 0; list < image_list_count(image); list++)
			if (image_matches_have(&matches, list))
				image_holds(
					image, list, dns_name_slice(&name), &matches.entries[list]);
	}
	for (uint16_t list = 0; list < image_list_count(image); list++) {
		unsigned count = 0;
		(void)image_list(image, list)->name[0];
		image_each(image, list, on_any_entry, &count);
	}
	(void)image_false_hit(image, 5);
}

/* Every bit flipped, with a good checksum: taken or refused, but never read wrongly, and what is
 * taken can also be built from. */
static void test_flipped_bits_with_a_mended_checksum(void **state)
{
	(void)state;
	struct image *image = sample();
	struct slice bytes = image_bytes(image);
	uint8_t *copy = copy_of(bytes, bytes.len);
	unsigned taken = 0;
	for (size_t bit = 0; bit < bytes.len * 8; bit++) {
		const char *why;
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		image_checksum(slice_of(copy, bytes.len), copy + IMAGE_HASH_AT);
		struct image *other = image_open(slice_of(copy, bytes.len), &why);
		if (other && image_facet(other, 0)->rank == FACET_RANK_PLAIN) {
			struct image_builder *builder = fixture_builder(image_salt(other));
			struct slice built;
			taken++;
			use(other);
			if (image_list_count(other) > 0)
				assert_int_equal(image_take_list(builder, other, 0), 0);
			if (image_build(builder, &built, NULL, NULL) == 0)
				free((void *)(uintptr_t)built.at);
			image_builder_free(builder);
		}
		image_close(other);
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	/* Names, filter and counts of lists can say anything. */
	assert_true(taken > 1000);
	free(copy);
	fixture_close(image);
}

/* Fields of the header that nobody may believe. */
static void test_wrong_headers_are_refused(void **state)
{
	(void)state;
	struct image *image = sample();
	struct slice bytes = image_bytes(image);
	static const size_t fields[] = {
		offsetof(struct image_header, name_count),
		offsetof(struct image_header, block_count),
		offsetof(struct image_header, bucket_count),
		offsetof(struct image_header, slot_count),
		offsetof(struct image_header, set_count),
		offsetof(struct image_header, item_count),
		offsetof(struct image_header, network_count),
		offsetof(struct image_header, texts_len),
		offsetof(struct image_header, names_len),
	};
	static const uint64_t values[] = { 0, 1, 7, 8, UINT32_MAX, UINT64_C(1) << 32,
		UINT64_C(1) << 39, UINT64_C(1) << 40, UINT64_C(1) << 58, UINT64_C(1) << 63,
		UINT64_MAX - 7, UINT64_MAX };
	uint8_t *copy = copy_of(bytes, bytes.len);
	for (size_t field = 0; field < sizeof fields / sizeof *fields; field++) {
		for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
			uint64_t value = htole64(values[i]);
			if (memcmp(copy + fields[field], &value, sizeof value) == 0)
				continue;
			/* Sections are padded: one network less, say, may fit as well. */
			memcpy(copy + fields[field], &value, sizeof value);
			image_checksum(slice_of(copy, bytes.len), copy + IMAGE_HASH_AT);
			const char *why;
			struct image *other = image_open(slice_of(copy, bytes.len), &why);
			if (other && values[i] > 8)
				fail_msg("field %zu taken with value %zu", field, i);
			if (other)
				use(other);
			image_close(other);
			memcpy(copy, bytes.at, bytes.len);
		}
	}
	free(copy);
	fixture_close(image);
}

/* A filter and a slot that lie: an exception must not believe them. The hash of the exception's
 * entry is copied onto a name that does not have it. */
static void test_an_exception_is_compared(void **state)
{
	(void)state;
	static const struct facet listed = { .rank = 1 };
	static const struct facet except = { .effect = FACET_EXCEPT, .rank = 2 };
	struct dns_name blocked = fixture_name("example.com");
	struct dns_name allowed = fixture_name("www.example.com");
	struct image_builder *builder = fixture_builder(SALT);
	const struct list_pattern patterns[] = {
		{ &blocked, PATTERN_BOTH, &listed, 1 },
		{ &allowed, PATTERN_BOTH, &except, 2 },
	};
	assert_int_equal(image_add_list(builder, "list", LIST_DOMAINS), 0);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(image_add_pattern(builder, &patterns[i]), 0);
	struct image *image = fixture_built(builder, NULL, NULL);
	struct image_matches matches;
	assert_false(image_find(image, dns_name_slice(&allowed), 1, &matches));
	struct slice bytes = image_bytes(image);
	uint8_t *copy = copy_of(bytes, bytes.len);
	/* The names differ now from those that were hashed. */
	for (size_t i = image->at.names; i < bytes.len; i++)
		if (copy[i] == 'w')
			copy[i] = 'v';
	image_checksum(slice_of(copy, bytes.len), copy + IMAGE_HASH_AT);
	struct image *lying = fixture_open(slice_of(copy, bytes.len));
	assert_true(image_find(lying, dns_name_slice(&allowed), 1, &matches));
	assert_int_equal(matches.entries[0].labels, 2);
	fixture_close(lying);
	fixture_close(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_matches),
		cmocka_unit_test(test_the_root_matches_everything),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_what_is_known_of_lists),
		cmocka_unit_test(test_each_entry),
		cmocka_unit_test(test_nothing_at_all),
		cmocka_unit_test(test_every_truncation_is_refused),
		cmocka_unit_test(test_every_flipped_bit_is_refused),
		cmocka_unit_test(test_more_bytes_or_another_place_are_refused),
		cmocka_unit_test(test_flipped_bits_with_a_mended_checksum),
		cmocka_unit_test(test_wrong_headers_are_refused),
		cmocka_unit_test(test_an_exception_is_compared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
