/* What one list says and another does not, against sets that were written down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "proxy/revisions/list_diff.h"
#include "rules/image_build.h"

/* One list of format wildcard and one of rpz; the image's memory goes with it. */
static struct image *built(uint64_t salt, const char *domains, const char *zone)
{
	struct image_builder *builder = image_builder_new(salt);
	struct slice bytes;
	const char *why;
	assert_non_null(builder);
	assert_int_equal(image_add_list(builder, "names", LIST_DOMAINS), 0);
	assert_int_equal(image_add_text(builder, slice_of_text(domains), NULL, NULL), 0);
	assert_int_equal(image_add_list(builder, "zone", LIST_RPZ), 0);
	assert_int_equal(image_add_text(builder, slice_of_text(zone), NULL, NULL), 0);
	assert_int_equal(image_build(builder, &bytes, NULL, NULL), 0);
	image_builder_free(builder);
	struct image *image = image_open(bytes, &why);
	assert_non_null(image);
	return image;
}

static void let_go(struct image *image)
{
	void *bytes = (void *)(uintptr_t)image_bytes(image).at;
	image_close(image);
	free(bytes);
}

static const char old_zone[] = "$TTL 60\n@ SOA a. b. 1 2 3 4 5\n"
			       "24.0.2.0.192.rpz-ip CNAME .\n32.1.100.51.198.rpz-ip CNAME .\n";
static const char new_zone[] = "$TTL 60\n@ SOA a. b. 1 2 3 4 5\n24.0.2.0.192.rpz-ip CNAME .\n";

static void test_both_directions(void **state)
{
	struct image *old = built(1, "a.example\n*.a.example\nb.example\n", old_zone);
	struct image *new = built(2, "a.example\nb.example\n*.c.example\nd.example\n", new_zone);
	struct list_diff diff;
	struct dns_name name;
	(void)state;
	assert_true(list_diff_find(&diff, old, 0, new, 0));
	assert_int_equal(diff.count, 1);
	assert_int_equal(diff.example_count, 1);
	assert_int_equal(diff.examples[0].kind, PATTERN_BELOW);
	assert_true(dns_name_from_text(&name, slice_of_text("a.example")));
	assert_true(dns_name_equals(dns_name_slice(&name), dns_name_slice(&diff.examples[0].name)));
	assert_true(list_diff_find(&diff, new, 0, old, 0));
	assert_int_equal(diff.count, 2);
	assert_true(list_diff_find(&diff, old, 1, new, 1));
	assert_int_equal(diff.count, 1);
	assert_int_equal(diff.example_count, 0);
	assert_true(list_diff_find(&diff, new, 1, old, 1));
	assert_int_equal(diff.count, 0);
	let_go(old);
	let_go(new);
}

static void test_nothing_and_all(void **state)
{
	struct image *some = built(3, "a.example\nb.example\n", "");
	struct image *none = built(3, "", "");
	struct list_diff diff;
	(void)state;
	assert_true(list_diff_find(&diff, some, 0, some, 0));
	assert_int_equal(diff.count, 0);
	assert_true(list_diff_find(&diff, some, 0, none, 0));
	assert_int_equal(diff.count, 2);
	assert_true(list_diff_find(&diff, none, 0, some, 0));
	assert_int_equal(diff.count, 0);
	let_go(some);
	let_go(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_directions),
		cmocka_unit_test(test_nothing_and_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
