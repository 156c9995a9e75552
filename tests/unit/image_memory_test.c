/* image_memory_test.c - building and opening an image while the n-th allocation fails, for every n:
 * an error, and nothing is lost (the leak sanitizer looks). Linked with --wrap. */
#include "tests/unit/image_fixture.h"

static unsigned allowed = UINT32_MAX; /* allocations until one fails, and all behind it */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *at, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *at, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);

static bool fails(void)
{
	if (allowed == UINT32_MAX)
		return false;
	if (allowed > 0)
		allowed--;
	return allowed == 0;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *at, size_t size)
{
	return fails() ? NULL : __real_realloc(at, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return fails() ? NULL : __real_aligned_alloc(alignment, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

static void on_drop(void *context, const struct image_drop *drop)
{
	*(uint64_t *)context += drop->line;
}

/* Facets out of their order, names that are covered and repeated, networks. */
static int add_rows(struct image_builder *builder)
{
	static const struct facet facets[] = {
		{ .effect = FACET_PASS, .rank = 2 },
		{ .rank = 2, .type_count = 1, .types = { 28 } },
		{ .rank = 1 },
	};
	int error = image_add_list(builder, "rows", LIST_DOMAINS);
	for (unsigned i = 0; i < 300 && !error; i++) {
		char text[32];
		snprintf(text, sizeof text, "n%u.b%u.test", i % 97, i % 13);
		struct dns_name name = fixture_name(i % 50 ? text : "b1.test");
		const struct list_pattern pattern = { &name, PATTERN_BOTH, &facets[i % 3], i + 1 };
		error = image_add_pattern(builder, &pattern);
	}
	struct list_network network = { .facet = &facets[1] };
	network_parse(&network.network, "192.0.2.0/24");
	return error ? error : image_add_network(builder, &network);
}

static int build(struct slice *bytes, const struct image *old, uint64_t salt)
{
	uint64_t lines = 0;
	struct image_builder *builder = image_builder_new(salt);
	int error = builder ? 0 : ERR_NO_MEMORY;
	if (!error)
		error = add_rows(builder);
	if (!error)
		error = image_add_list(builder, "text", LIST_DOMAINS);
	if (!error)
		error = image_add_text(
			builder, slice_of_text("a.test\nb.test\n*.a.test\n"), NULL, NULL);
	for (uint16_t i = 0; old && i < image_list_count(old) && !error; i++)
		error = image_take_list(builder, old, i);
	if (!error)
		error = image_build(builder, bytes, on_drop, &lines);
	image_builder_free(builder);
	return error;
}

/* Tries again until the n-th allocation is the first that is not needed. */
static struct image *build_at_last(const struct image *old, uint64_t salt)
{
	struct slice bytes = slice_of(NULL, 0);
	for (unsigned n = 1;; n++) {
		allowed = n;
		int error = build(&bytes, old, salt);
		allowed = UINT32_MAX;
		if (!error) {
			assert_in_range(n, 30, 1000);
			return fixture_open(bytes);
		}
		assert_int_equal(error, ERR_NO_MEMORY);
	}
}

static void test_every_allocation_of_a_build_can_fail(void **state)
{
	(void)state;
	struct image *image = build_at_last(NULL, 1);
	struct image *same_salt = build_at_last(image, 1);
	struct image *other_salt = build_at_last(image, 2);
	assert_int_equal(image_name_count(same_salt), image_name_count(image));
	assert_int_equal(image_name_count(other_salt), image_name_count(image));
	fixture_close(other_salt);
	fixture_close(same_salt);
	fixture_close(image);
}

static void test_every_allocation_of_opening_can_fail(void **state)
{
	(void)state;
	struct slice bytes;
	assert_int_equal(build(&bytes, NULL, 1), 0);
	struct image *image = NULL;
	for (unsigned n = 1; !image; n++) {
		const char *why = NULL;
		allowed = n;
		image = image_open(bytes, &why);
		allowed = UINT32_MAX;
		assert_true(image || strcmp(why, "out of memory") == 0);
		assert_in_range(n, 1, 10);
	}
	fixture_close(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_allocation_of_a_build_can_fail),
		cmocka_unit_test(test_every_allocation_of_opening_can_fail),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
