#include "proxy/lists/lint_health.h"

#include "rules/image_build.h"
#include "tests/unit/rules_fixture.h"

/* What a list says in a few words: patterns "LINE KIND EFFECT NAME". */
struct said {
	const char *name;
	enum pattern_kind kind;
	enum facet_effect effect;
	uint32_t line;
};

static char found[4096];

static void on_finding(void *context, const struct lint_finding *finding)
{
	struct writer *to = context;
	char name[DNS_NAME_TEXT_MAX];
	assert_int_equal(finding->kind, LINT_HEALTH);
	char line[DNS_NAME_TEXT_MAX + 128];
	snprintf(line, sizeof line, "%u %s %u: %s +%zu; ", finding->line,
		dns_name_text(finding->name, name), finding->pattern, finding->health->example,
		finding->health_count - 1);
	writer_text(to, line);
}

static const char *health_of(const struct said *said, size_t count)
{
	struct image_builder *builder = image_builder_new(1);
	struct lint_health *health = lint_health_new();
	struct writer to = writer_of(found, sizeof found - 1);
	struct slice bytes;
	const char *why;
	assert_int_equal(image_add_list(builder, "list", LIST_WILDCARD), 0);
	for (size_t i = 0; i < count; i++) {
		struct dns_name name = fixture_name(said[i].name);
		const struct facet facet = { .effect = said[i].effect,
			.rank = said[i].effect == FACET_LISTED ? 1 : 2 };
		const struct list_pattern pattern = {
			.name = &name, .kind = said[i].kind, .facet = &facet, .line = said[i].line
		};
		lint_health_see(health, &pattern);
		assert_int_equal(image_add_pattern(builder, &pattern), 0);
	}
	assert_int_equal(image_build(builder, &bytes, NULL, NULL), 0);
	struct image *image = image_open(bytes, &why);
	assert_non_null(image);
	lint_health_find(health, image, on_finding, &to);
	image_close(image);
	image_builder_free(builder);
	lint_health_free(health);
	free((void *)(uintptr_t)bytes.at);
	found[to.len] = '\0';
	return found;
}

#define CHECK(expected, ...)                                                                       \
	do {                                                                                       \
		const struct said said_[] = { __VA_ARGS__ };                                       \
		assert_string_equal(health_of(said_, sizeof said_ / sizeof *said_), expected);     \
	} while (0)

static void entries_that_cover_are_found(void **state)
{
	(void)state;
	CHECK("", { "example.org.", PATTERN_BOTH, FACET_LISTED, 1 });
	CHECK("2 captive.apple.com. 1: captive.apple.com +0; ",
		{ "apple.com.", PATTERN_EXACT, FACET_LISTED, 1 },
		{ "captive.apple.com.", PATTERN_EXACT, FACET_LISTED, 2 });
	CHECK("", { "captive.apple.com.", PATTERN_BELOW, FACET_LISTED, 1 });
	CHECK("9 msftconnecttest.com. 2: www.msftconnecttest.com +1; ",
		{ "msftconnecttest.com.", PATTERN_BELOW, FACET_LISTED, 9 });
	/* One name of "com" after the other is counted with the first. */
	CHECK("3 com. 3: www.gstatic.com +11; ", { "com.", PATTERN_BOTH, FACET_LISTED, 3 });
	CHECK("3 . 3: www.gstatic.com +13; ", { ".", PATTERN_BOTH, FACET_LISTED, 3 });
}

static void the_first_line_is_told(void **state)
{
	(void)state;
	CHECK("4 captive.apple.com. 1: captive.apple.com +0; ",
		{ "captive.apple.com.", PATTERN_EXACT, FACET_LISTED, 4 },
		{ "captive.apple.com.", PATTERN_EXACT, FACET_LISTED, 7 });
}

static void exceptions_count(void **state)
{
	(void)state;
	CHECK("", { "apple.com.", PATTERN_BOTH, FACET_LISTED, 1 },
		{ "captive.apple.com.", PATTERN_EXACT, FACET_EXCEPT, 2 });
	CHECK("", { "apple.com.", PATTERN_BOTH, FACET_LISTED, 1 },
		{ "captive.apple.com.", PATTERN_EXACT, FACET_PASS, 2 });
	CHECK("1 gstatic.com. 3: connectivitycheck.gstatic.com +0; ",
		{ "gstatic.com.", PATTERN_BOTH, FACET_LISTED, 1 },
		{ "www.gstatic.com.", PATTERN_BOTH, FACET_EXCEPT, 2 },
		{ "metric.gstatic.com.", PATTERN_BELOW, FACET_EXCEPT, 3 });
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_that_cover_are_found),
		cmocka_unit_test(the_first_line_is_told),
		cmocka_unit_test(exceptions_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
