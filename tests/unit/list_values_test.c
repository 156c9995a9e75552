/* list_values_test.c - overlaps of lists against plain set arithmetic over the texts of small ones.
 * A failure prints the seed; LIST_VALUES_SEED=<seed> runs that one alone. */
#include "rules/list_values.h"

#include "tests/unit/image_fixture.h"

enum { LISTS_MAX = 5, ENTRIES_MAX = 12, ROUNDS = 2000 };

/* An entry as text: "a.b." and kind. */
struct entry {
	char name[16];
	unsigned kind;
};

struct plain {
	struct entry entries[ENTRIES_MAX];
	size_t count;
	char text[512];
};

static uint64_t random_state;

static unsigned below(unsigned bound)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((random_state >> 33) % bound);
}

static bool has(const struct plain *list, const struct entry *entry)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->entries[i].kind == entry->kind &&
			strcmp(list->entries[i].name, entry->name) == 0)
			return true;
	return false;
}

static bool is_below(const char *name, const char *above)
{
	size_t len = strlen(name), other = strlen(above);
	return len > other && strcmp(name + len - other, above) == 0 &&
		name[len - other - 1] == '.';
}

/* Does the list have the name itself; and all that is below it? */
static bool covers(const struct plain *list, const char *name, unsigned kind)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct entry *entry = &list->entries[i];
		bool same = strcmp(entry->name, name) == 0;
		if (entry->kind == kind ? same : false)
			return true;
		if (entry->kind == PATTERN_BELOW && is_below(name, entry->name))
			return true;
	}
	return false;
}

/* What the image leaves out: another entry of the list covers it. */
static bool is_needless(const struct plain *list, const struct entry *entry)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->entries[i].kind == PATTERN_BELOW &&
			is_below(entry->name, list->entries[i].name))
			return true;
	return false;
}

static void make(struct plain *list)
{
	static const char *const names[] = { "a", "b", "a.a", "b.a", "a.b", "c.a.b", "d.b.a" };
	struct writer to = writer_of(list->text, sizeof list->text - 1);
	list->count = 0;
	for (unsigned n = below(ENTRIES_MAX); n-- > 0;) {
		struct entry *entry = &list->entries[list->count];
		entry->kind = below(3) ? PATTERN_EXACT : PATTERN_BELOW;
		strcpy(entry->name, names[below(sizeof names / sizeof *names)]);
		writer_text(&to, entry->kind == PATTERN_BELOW ? "*." : "");
		writer_text(&to, entry->name);
		writer_text(&to, "\n");
		if (!has(list, entry))
			list->count++;
	}
	list->text[to.len] = '\0';
}

static void check_list(
	const struct list_values *values, const struct plain *lists, size_t own, uint64_t seed)
{
	uint64_t overlap[LISTS_MAX] = { 0 }, unique = 0, entries = 0;
	for (size_t e = 0; e < lists[own].count; e++) {
		const struct entry *entry = &lists[own].entries[e];
		bool elsewhere = false;
		if (is_needless(&lists[own], entry))
			continue;
		entries++;
		for (size_t i = 0; i < values->count; i++) {
			bool is_there = i == own || covers(&lists[i], entry->name, entry->kind);
			overlap[i] += is_there;
			elsewhere |= is_there && i != own;
		}
		unique += !elsewhere;
	}
	const struct list_value *value = &values->lists[own];
	bool good = value->entries == entries && value->compared == entries &&
		value->unique == unique &&
		memcmp(overlap, values->overlap + own * values->count,
			values->count * sizeof *overlap) == 0;
	if (!good)
		fail_msg("LIST_VALUES_SEED=%llu: list %zu (%s): %llu of %llu unique, not %llu "
			 "of %llu",
			(unsigned long long)seed, own, lists[own].text,
			(unsigned long long)value->unique, (unsigned long long)value->entries,
			(unsigned long long)unique, (unsigned long long)entries);
}

static void check(uint64_t seed)
{
	static struct plain lists[LISTS_MAX];
	struct fixture_text texts[LISTS_MAX];
	uint16_t numbers[LISTS_MAX];
	struct list_values values;
	random_state = seed;
	size_t count = 1 + below(LISTS_MAX);
	for (size_t i = 0; i < count; i++) {
		make(&lists[i]);
		texts[i] = (struct fixture_text){ "list", LIST_DOMAINS, lists[i].text };
		numbers[i] = (uint16_t)i;
	}
	struct image *image = fixture_image(texts, count, seed);
	assert_int_equal(list_values_count(&values, image, numbers, count), 0);
	for (size_t i = 0; i < count; i++)
		check_list(&values, lists, i, seed);
	list_values_deinit(&values);
	fixture_close(image);
}

static void as_set_arithmetic_has_it(void **state)
{
	(void)state;
	const char *seed = getenv("LIST_VALUES_SEED");
	for (uint64_t i = 1; i <= ROUNDS && !seed; i++)
		check(i);
	if (seed)
		check(strtoull(seed, NULL, 10));
}

static void other_lists_of_the_image_do_not_count(void **state)
{
	(void)state;
	static const struct fixture_text texts[] = {
		{ "a", LIST_DOMAINS, "x\ny\n" },
		{ "b", LIST_DOMAINS, "x\n" },
		{ "c", LIST_WILDCARD, "y\nz\n" },
	};
	const uint16_t numbers[] = { 2, 0 };
	struct list_values values;
	struct image *image = fixture_image(texts, 3, 1);
	assert_int_equal(list_values_count(&values, image, numbers, 2), 0);
	assert_int_equal(values.names, 3);
	assert_int_equal(values.lists[0].unique, 2); /* both have more than the name itself */
	assert_int_equal(values.lists[1].unique, 1);
	assert_int_equal(values.overlap[0 * 2 + 1], 0);
	assert_int_equal(values.overlap[1 * 2 + 0], 1);
	list_values_deinit(&values);
	fixture_close(image);
}

static void exceptions_and_other_types_are_not_compared(void **state)
{
	(void)state;
	static const struct fixture_text texts[] = {
		{ "a", LIST_ADBLOCK, "||x.test^\n@@||y.x.test^\n||z.test^$dnstype=AAAA\n" },
		{ "b", LIST_DOMAINS, "y.x.test\nx.test\nz.test\n" },
	};
	const uint16_t numbers[] = { 0, 1 };
	struct list_values values;
	struct image *image = fixture_image(texts, 2, 1);
	assert_int_equal(list_values_count(&values, image, numbers, 2), 0);
	assert_int_equal(values.lists[0].entries, 3);
	assert_int_equal(values.lists[0].compared, 1);
	assert_int_equal(values.lists[1].unique, 2); /* the excepted one, and z for addresses */
	assert_int_equal(values.overlap[1 * 2 + 0], 1);
	list_values_deinit(&values);
	fixture_close(image);
}

/* Shares add up to about the image, whatever the lists have in common. */
static void shares_of_bytes_add_up(void **state)
{
	(void)state;
	static char one[200000], other[200000];
	struct writer a = writer_of(one, sizeof one - 1), b = writer_of(other, sizeof other - 1);
	for (unsigned i = 0; i < 12000; i++) {
		struct writer *to = i < 8000 ? &a : &b;
		bool in_both = i >= 4000 && i < 8000;
		for (unsigned k = 0; k < (in_both ? 2u : 1u); k++, to = &b) {
			writer_text(to, "n");
			writer_decimal(to, i);
			writer_text(to, ".test\n");
		}
	}
	assert_false(a.failed || b.failed);
	const struct fixture_text texts[] = { { "a", LIST_DOMAINS, one },
		{ "b", LIST_DOMAINS, other } };
	const uint16_t numbers[] = { 0, 1 };
	struct list_values values;
	struct image *image = fixture_image(texts, 2, 1);
	assert_int_equal(list_values_count(&values, image, numbers, 2), 0);
	uint64_t sum = values.lists[0].bytes + values.lists[1].bytes;
	uint64_t whole = image_bytes(image).len;
	assert_in_range(sum, whole * 9 / 10, whole * 11 / 10);
	assert_int_equal(values.lists[0].unique, 4000);
	assert_in_range(values.lists[0].bytes, sum * 45 / 100, sum * 55 / 100);
	list_values_deinit(&values);
	fixture_close(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_set_arithmetic_has_it),
		cmocka_unit_test(other_lists_of_the_image_do_not_count),
		cmocka_unit_test(exceptions_and_other_types_are_not_compared),
		cmocka_unit_test(shares_of_bytes_add_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
