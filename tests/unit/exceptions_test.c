#include "tests/unit/rules_fixture.h"

#include "rules/exceptions.h"

#include <string.h>

enum { SOON = 1000, LATER = 2000, ROWS_MAX = 16 };

struct row {
	uint32_t id;
	const char *word; /* "ALLOW exact a.test lan", the view may be missing */
	int64_t until_s;
};

static struct exception exception_of(const struct row *row)
{
	struct exception exception = { .id = row->id, .until_s = row->until_s };
	char action[16], kind[16], name[256], view[EXCEPTION_VIEW_MAX] = "";
	assert_true(sscanf(row->word, "%15s %15s %255s %64s", action, kind, name, view) >= 3);
	assert_true(action_parse(action, &exception.action));
	exception.kind = strcmp(kind, "exact") == 0 ? PATTERN_EXACT
		: strcmp(kind, "below") == 0        ? PATTERN_BELOW
						    : PATTERN_BOTH;
	exception.name = fixture_name(name);
	strcpy(exception.view, view);
	return exception;
}

static struct exceptions *build(const struct row *rows, size_t count)
{
	struct exception at[ROWS_MAX];
	assert_true(count <= ROWS_MAX);
	for (size_t i = 0; i < count; i++)
		at[i] = exception_of(&rows[i]);
	struct exceptions *exceptions = exceptions_new(at, count);
	assert_non_null(exceptions);
	return exceptions;
}
#define BUILD(rows) build(rows, sizeof(rows) / sizeof *(rows))

static uint32_t find(
	const struct exceptions *exceptions, const char *view, const char *name, int64_t now_s)
{
	struct dns_name wire = fixture_name(name);
	const struct exception *found =
		exceptions_find(exceptions, view, dns_name_slice(&wire), now_s);
	return found ? found->id : 0;
}

static void the_closest_decides(void **state)
{
	static const struct row rows[] = {
		{ 1, "ALLOW both test", SOON },
		{ 2, "BLOCK exact a.test", SOON },
		{ 3, "ALLOW below a.test", SOON },
		{ 4, "BLOCK both c.b.a.test", SOON },
		{ 5, "BLOCK exact .", SOON },
	};
	static const struct {
		const char *name;
		uint32_t id;
	} expected[] = {
		{ "test", 1 },
		{ "b.test", 1 },
		{ "a.test", 2 },
		{ "b.a.test", 3 },
		{ "x.y.a.test", 3 },
		{ "c.b.a.test", 4 },
		{ "d.c.b.a.test", 4 },
		{ "xa.test", 1 },
		{ "example", 0 },
		{ "test.example", 0 },
		{ ".", 5 },
	};
	struct exceptions *exceptions = BUILD(rows);
	(void)state;
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
		if (find(exceptions, "lan", expected[i].name, 0) != expected[i].id)
			fail_msg("\"%s\": %u", expected[i].name,
				find(exceptions, "lan", expected[i].name, 0));
	exceptions_unref(exceptions);
}

/* Of one name: that which names the view, then BLOCK, then the newest. */
static void of_one_name_the_order_is_told(void **state)
{
	static const struct row rows[] = {
		{ 9, "ALLOW exact a.test", SOON },
		{ 2, "ALLOW exact a.test", SOON },
		{ 3, "BLOCK exact b.test", SOON },
		{ 4, "ALLOW exact b.test", SOON },
		{ 5, "ALLOW exact c.test lan", SOON },
		{ 6, "BLOCK exact c.test", SOON },
		{ 7, "BLOCK both d.test guest", SOON },
		{ 8, "ALLOW below test lan", SOON },
	};
	struct exceptions *exceptions = BUILD(rows);
	(void)state;
	assert_int_equal(find(exceptions, "lan", "a.test", 0), 9);
	assert_int_equal(find(exceptions, "lan", "b.test", 0), 3);
	assert_int_equal(find(exceptions, "lan", "c.test", 0), 5);
	assert_int_equal(find(exceptions, "guest", "c.test", 0), 6);
	/* One for another view is none: what is above it counts. */
	assert_int_equal(find(exceptions, "lan", "d.test", 0), 8);
	assert_int_equal(find(exceptions, "guest", "d.test", 0), 7);
	assert_int_equal(find(exceptions, "la", "x.test", 0), 0);
	assert_int_equal(find(exceptions, NULL, "x.test", 0), 0);
	exceptions_unref(exceptions);
}

static void they_end_by_themselves(void **state)
{
	static const struct row rows[] = {
		{ 1, "BLOCK exact a.test", SOON },
		{ 2, "ALLOW both test", LATER },
	};
	struct exceptions *exceptions = BUILD(rows);
	(void)state;
	assert_int_equal(find(exceptions, "lan", "a.test", SOON - 1), 1);
	assert_int_equal(find(exceptions, "lan", "a.test", SOON), 2);
	assert_int_equal(find(exceptions, "lan", "a.test", LATER - 1), 2);
	assert_int_equal(find(exceptions, "lan", "a.test", LATER), 0);
	assert_int_equal(find(exceptions, "lan", "a.test", INT64_MAX), 0);
	exceptions_unref(exceptions);
}

static void none_are_fine(void **state)
{
	struct exceptions *exceptions = exceptions_new(NULL, 0);
	size_t count = 1;
	char hex[EXCEPTION_HASH_MAX];
	(void)state;
	assert_non_null(exceptions);
	assert_int_equal(find(exceptions, "lan", "a.test", 0), 0);
	assert_null(exceptions_find(exceptions, "lan", slice_of(NULL, 0), 0));
	exceptions_all(exceptions, &count);
	assert_int_equal(count, 0);
	assert_null(exceptions_by_id(exceptions, 0));
	exceptions_hash(exceptions, 0, hex);
	assert_string_equal(hex, "");
	exceptions_unref(exceptions);
	exceptions_unref(NULL);
}

static void there_is_a_most(void **state)
{
	struct exception *at = calloc(EXCEPTIONS_MAX + 1, sizeof *at);
	(void)state;
	assert_non_null(at);
	for (unsigned i = 0; i <= EXCEPTIONS_MAX; i++) {
		char name[32];
		snprintf(name, sizeof name, "n%u.test", i);
		at[i] = (struct exception){ .id = EXCEPTIONS_MAX + 1 - i,
			.action = ACTION_BLOCK,
			.kind = PATTERN_EXACT,
			.name = fixture_name(name),
			.until_s = SOON };
	}
	assert_null(exceptions_new(at, EXCEPTIONS_MAX + 1));
	struct exceptions *exceptions = exceptions_new(at, EXCEPTIONS_MAX);
	assert_non_null(exceptions);
	for (unsigned i = 0; i < EXCEPTIONS_MAX; i++) {
		char name[32];
		snprintf(name, sizeof name, "n%u.test", i);
		assert_int_equal(find(exceptions, "", name, 0), EXCEPTIONS_MAX + 1 - i);
	}
	size_t count;
	const struct exception *all = exceptions_all(exceptions, &count);
	assert_int_equal(count, EXCEPTIONS_MAX);
	for (size_t i = 1; i < count; i++)
		assert_true(all[i - 1].id < all[i].id);
	assert_int_equal(exceptions_by_id(exceptions, 7)->id, 7);
	assert_null(exceptions_by_id(exceptions, 1));
	exceptions_unref(exceptions);
	free(at);
}

static void the_longest_name_is_found(void **state)
{
	struct exception exception = {
		.id = 1, .action = ACTION_BLOCK, .kind = PATTERN_BOTH, .until_s = SOON
	};
	struct dns_name *name = &exception.name;
	(void)state;
	for (unsigned i = 0; i < 254; i += 2) {
		name->wire[i] = 1;
		name->wire[i + 1] = 'a';
	}
	name->wire[254] = 0;
	name->len = 255;
	struct exceptions *exceptions = exceptions_new(&exception, 1);
	assert_non_null(exceptions);
	assert_non_null(exceptions_find(exceptions, "", dns_name_slice(name), 0));
	assert_null(exceptions_find(exceptions, "", slice_of(name->wire + 2, name->len - 2u), 0));
	exceptions_unref(exceptions);
}

static void the_hash_is_of_what_they_say(void **state)
{
	static const struct row one[] = { { 1, "ALLOW exact a.test", SOON },
		{ 2, "BLOCK both b.test lan", LATER } };
	/* Made at other times, in another order, by others, and one of them twice. */
	static const struct row same[] = { { 7, "BLOCK both b.test lan", LATER + 5 },
		{ 9, "ALLOW exact a.test", SOON + 5 }, { 10, "ALLOW exact a.test", LATER } };
	static const struct row others[][2] = {
		{ { 1, "BLOCK exact a.test", SOON }, { 2, "BLOCK both b.test lan", LATER } },
		{ { 1, "ALLOW both a.test", SOON }, { 2, "BLOCK both b.test lan", LATER } },
		{ { 1, "ALLOW exact a.test lan", SOON }, { 2, "BLOCK both b.test lan", LATER } },
		{ { 1, "ALLOW exact a.test", SOON }, { 2, "BLOCK both b.test", LATER } },
		{ { 1, "ALLOW exact c.test", SOON }, { 2, "BLOCK both b.test lan", LATER } },
		{ { 1, "ALLOW exact a.test", -1 }, { 2, "BLOCK both b.test lan", LATER } },
	};
	char expected[EXCEPTION_HASH_MAX], hex[EXCEPTION_HASH_MAX];
	(void)state;
	struct exceptions *exceptions = BUILD(one);
	exceptions_hash(exceptions, 0, expected);
	assert_int_equal(strlen(expected), EXCEPTION_HASH_MAX - 1);
	exceptions_hash(exceptions, SOON, hex);
	assert_string_not_equal(hex, expected); /* one of them has ended */
	exceptions_hash(exceptions, LATER, hex);
	assert_string_equal(hex, "");
	exceptions_unref(exceptions);
	exceptions = BUILD(same);
	exceptions_hash(exceptions, 0, hex);
	assert_string_equal(hex, expected);
	exceptions_unref(exceptions);
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		exceptions = BUILD(others[i]);
		exceptions_hash(exceptions, 0, hex);
		assert_string_not_equal(hex, expected);
		exceptions_unref(exceptions);
	}
}

static void it_lives_as_long_as_somebody_holds_it(void **state)
{
	static const struct row rows[] = { { 1, "ALLOW exact a.test", SOON } };
	struct exceptions *exceptions = BUILD(rows);
	(void)state;
	assert_ptr_equal(exceptions_ref(exceptions), exceptions);
	exceptions_unref(exceptions);
	assert_int_equal(find(exceptions, "", "a.test", 0), 1);
	exceptions_unref(exceptions);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_closest_decides),
		cmocka_unit_test(of_one_name_the_order_is_told),
		cmocka_unit_test(they_end_by_themselves),
		cmocka_unit_test(none_are_fine),
		cmocka_unit_test(there_is_a_most),
		cmocka_unit_test(the_longest_name_is_found),
		cmocka_unit_test(the_hash_is_of_what_they_say),
		cmocka_unit_test(it_lives_as_long_as_somebody_holds_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
