#include "proxy/lists/suffix_parents.h"

#include "tests/unit/rules_fixture.h"

static const char text[] = "// ===BEGIN ICANN DOMAINS===\n"
			   "com\n"
			   "co.uk\n"
			   "deep.icann.example\n"
			   "// ===END ICANN DOMAINS===\n"
			   "// ===BEGIN PRIVATE DOMAINS===\n"
			   "// a comment about not.this.example\n"
			   "s3.Amazon.example\r\n"
			   "s3.west.amazon.example\n"
			   "*.compute.cloud.example\n"
			   "!www.compute.cloud.example  \n"
			   "git.example\n"
			   "\n"
			   "// ===END PRIVATE DOMAINS===\n"
			   "not.that.example\n";

static bool have(const struct suffix_parents *parents, const char *name)
{
	struct dns_name wire = fixture_name(name);
	return suffix_parents_have(parents, dns_name_slice(&wire));
}

static void what_is_above_private_suffixes(void **state)
{
	static const struct {
		const char *name;
		bool has;
	} rows[] = {
		{ "amazon.example", true },
		{ "west.amazon.example", true },
		{ "cloud.example", true },
		{ "s3.amazon.example", false }, /* a suffix itself: suffixes_find() says so */
		{ "east.amazon.example", false },
		{ "compute.cloud.example", false },
		{ "git.example", false },
		{ "example", false }, /* top-level domains are suffixes anyway */
		{ "this.example", false },
		{ "that.example", false },
		{ "icann.example", false },
		{ ".", false },
	};
	struct suffix_parents *parents = suffix_parents_read(slice_of_text(text));
	(void)state;
	assert_non_null(parents);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (have(parents, rows[i].name) != rows[i].has)
			fail_msg("%s", rows[i].name);
	suffix_parents_close(parents);
	suffix_parents_close(NULL);
}

static void what_is_no_list(void **state)
{
	static const char *const texts[] = { "", "\n", "com\n", "// ===BEGIN PRIVATE DOMAINS===\n",
		"// ===BEGIN PRIVATE DOMAINS===\n..\n" };
	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_null(suffix_parents_read(slice_of_text(texts[i])));
}

/* Rules that have been in the list for years. */
static void the_list_of_this_system(void **state)
{
	struct suffix_parents *parents = suffix_parents_open();
	(void)state;
	if (!parents) {
		print_message("this system has not the list's text\n");
		skip();
	}
	assert_true(have(parents, "amazonaws.com"));
	assert_false(have(parents, "s3.amazonaws.com"));
	assert_false(have(parents, "github.io"));
	assert_false(have(parents, "debian.org"));
	suffix_parents_close(parents);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_above_private_suffixes),
		cmocka_unit_test(what_is_no_list),
		cmocka_unit_test(the_list_of_this_system),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
