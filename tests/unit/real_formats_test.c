/* real_formats_test.c - lists as their makers publish them, in every format: the numbers of
 * distinct names, the same names in all formats of one list, and formats told by themselves. */
#include "tests/unit/published_lists.h"

#include "rules/list.h"

#include <stdlib.h>

enum { NONE = -1, ROUNDS = 3 };

struct row {
	const char *file;
	const char *format;
	bool recognised;
	size_t names; /* distinct ones */
	int same_as;  /* the row that has the same names; NONE */
	int rejects;  /* of all kinds */
};

/* clang-format off */
static const struct row rows[] = {
	{ "urlhaus.hosts",            "hosts",    true,    2689, NONE,     0 },
	{ "urlhaus.domains",          "domains",  false,   2689,    0, 23079 },
	{ "urlhaus.bind",             "bind",     true,    2689,    0,     0 },
	{ "urlhaus.unbound",          "unbound",  true,    2689,    0,     0 },
	{ "urlhaus.dnsmasq",          "dnsmasq",  true,    2689,    0,     0 },
	{ "urlhaus.dnscrypt",         "dnscrypt", false,   2689,    0,     0 },
	{ "urlhaus.adguardhome",      "adblock",  true,    2689,    0, 23079 },
	{ "urlhaus.rpz",              "rpz",      true,    2689,    0,     0 },
	{ "urlhaus.adguard-url",      "adblock",  true,    2692, NONE, 29130 },
	{ "hagezi-fake.adblock",      "adblock",  true,    7355, NONE,     0 },
	{ "hagezi-fake.wildcard",     "wildcard", false,   7355,    9,     0 },
	{ "hagezi-fake.dnsmasq",      "dnsmasq",  true,    7355,    9,     0 },
	{ "hagezi-fake.unbound",      "unbound",  true,    7355,    9,     0 },
	{ "hagezi-fake.hosts",        "hosts",    true,   14043, NONE,     0 },
	{ "hagezi-fake.domains",      "domains",  false,  14043,   13,     0 },
	{ "hagezi-light.wildcard",    "wildcard", false, 122680, NONE,     0 },
	{ "blp-scam.hosts",           "hosts",    true,    8527, NONE,     0 },
	{ "blp-ransomware.hosts",     "hosts",    true,    1904, NONE,     0 },
	{ "blp-redirect.hosts",       "hosts",    true,  108685, NONE,     0 },
	{ "blp-phishing.domains",     "domains",  false, 190215, NONE,     0 },
	{ "blp-tracking.adguard",     "adblock",  true,  143876, NONE,     0 },
	{ "blp-basic.dnsmasq",        "dnsmasq",  true,   76036, NONE,     0 },
	{ "vn-badsite.rpz",           "rpz",      true,   16842, NONE,     1 },
	{ "romainmarcoux-ab.domains", "domains",  false,  63938, NONE,     2 },
};
/* clang-format on */
enum { ROWS = sizeof rows / sizeof *rows };

/* The names of a list, one behind another, and then sorted. */
struct names {
	size_t count;
	size_t rejects;
	size_t capacity;
	struct dns_name *at;
};

static int on_pattern(void *context, const struct list_pattern *pattern)
{
	struct names *names = context;
	if (names->count == names->capacity) {
		names->capacity = names->capacity ? names->capacity * 2 : 4096;
		names->at = realloc(names->at, names->capacity * sizeof *names->at);
		assert_non_null(names->at);
	}
	assert_int_equal(pattern->facet->effect, FACET_LISTED);
	names->at[names->count].len = pattern->name->len;
	memcpy(names->at[names->count++].wire, pattern->name->wire, pattern->name->len);
	return 0;
}

static void on_reject(void *context, uint32_t line, enum list_reject reject, struct slice text)
{
	struct names *names = context;
	(void)line;
	(void)text;
	names->rejects++;
	/* What these lists hold beside names: nothing is wrong with their lines. */
	assert_true(reject == LIST_REJECT_ADDRESS || reject == LIST_REJECT_NOT_DNS ||
		reject == LIST_REJECT_NOT_A_NAME);
}

static int compare(const void *a, const void *b)
{
	const struct dns_name *x = a;
	const struct dns_name *y = b;
	int order = memcmp(x->wire, y->wire, x->len < y->len ? x->len : y->len);
	return order ? order : x->len - y->len;
}

static void sort(struct names *names)
{
	size_t kept = 0;
	qsort(names->at, names->count, sizeof *names->at, compare);
	for (size_t i = 0; i < names->count; i++)
		if (i == 0 || compare(&names->at[i], &names->at[kept - 1]) != 0)
			names->at[kept++] = names->at[i];
	names->count = kept;
}

static void check_recognised(const struct row *row, struct slice text, enum list_format format)
{
	enum list_format found;
	bool recognised = list_recognise(text, &found);
	if (recognised != row->recognised)
		fail_msg("%s is recognised: %d", row->file, recognised);
	if (recognised && found != format)
		fail_msg("%s is taken for %s", row->file, list_format_name(found));
}

static void read_row(
	const struct row *row, enum list_format format, const char *directory, struct names *names)
{
	struct list_sink sink = {
		.on_pattern = on_pattern, .on_reject = on_reject, .context = names
	};
	struct slice text = published_list(directory, row->file);
	check_recognised(row, text, format);
	assert_int_equal(list_read(format, text, &sink), 0);
	free((void *)(uintptr_t)text.at);
	sort(names);
	print_message("%-26s %6zu names, %5zu left out\n", row->file, names->count, names->rejects);
	assert_int_equal(names->count, row->names);
	assert_int_equal(names->rejects, row->rejects);
}

static void test_published_lists(void **state)
{
	(void)state;
	char directory[512];
	struct names all[ROWS] = { { .count = 0 } };
	if (!published_lists(directory, sizeof directory)) {
		print_message("skipped: no published lists here (NAMEGATE_TEST_DATA)\n");
		skip();
	}
	for (size_t i = 0; i < ROWS; i++) {
		enum list_format format;
		if (!list_format_parse(rows[i].format, &format)) {
			print_message("%-26s not read: no %s\n", rows[i].file, rows[i].format);
			continue;
		}
		read_row(&rows[i], format, directory, &all[i]);
		if (rows[i].same_as == NONE)
			continue;
		const struct names *same = &all[rows[i].same_as];
		assert_int_equal(all[i].count, same->count);
		for (size_t n = 0; n < same->count; n++)
			assert_int_equal(compare(&all[i].at[n], &same->at[n]), 0);
	}
	for (size_t i = 0; i < ROWS; i++)
		free(all[i].at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_lists),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
