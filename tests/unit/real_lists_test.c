/* real_lists_test.c - lists as their makers publish them: the numbers of distinct names must equal
 * those that the makers, or other formats of the same list, give. */
#include "tests/unit/published_lists.h"

#include "tests/unit/policy_texts.h"

#include <inttypes.h>

struct row {
	const char *file;
	enum list_format format;
	size_t patterns;
	const char *below; /* in front of a listed name: matches as well? NULL: no */
};

static const struct row rows[] = {
	{ "blp-scam.hosts", LIST_HOSTS, 8527, NULL },
	{ "blp-ransomware.hosts", LIST_HOSTS, 1904, NULL },
	{ "blp-redirect.hosts", LIST_HOSTS, 108685, NULL },
	{ "blp-phishing.domains", LIST_DOMAINS, 190215, NULL },
	{ "hagezi-light.wildcard", LIST_WILDCARD, 122680, "x" },
	{ "hagezi-fake.hosts", LIST_HOSTS, 14043, NULL },
	{ "hagezi-fake.domains", LIST_DOMAINS, 14043, NULL },
	{ "hagezi-fake.wildcard", LIST_WILDCARD, 7355, "x" },
	{ "urlhaus.hosts", LIST_HOSTS, 2689, NULL },
	{ "urlhaus.domains", LIST_DOMAINS, 2689, NULL },
	{ "romainmarcoux-ab.domains", LIST_DOMAINS, 63938, NULL },
};
enum { ROWS = sizeof rows / sizeof *rows };

static int check_pattern(void *context, const struct list_pattern *pattern)
{
	const struct dns_name *name = pattern->name;
	/* Every pattern of a file is found, by that file's list, and by itself or by what covers
	 * it. */
	const struct policy *policy = ((void **)context)[0];
	const struct row *row = ((void **)context)[1];
	struct facts facts = { .view = (uint16_t)(row - rows), .name = dns_name_slice(name) };
	struct verdict verdict;
	struct dns_name below = { .len = 2, .wire = { 1, 'x' } };
	policy_judge_query(policy, &facts, &verdict, NULL);
	assert_int_equal(verdict.action, ACTION_BLOCK);
	assert_int_equal(verdict.match.list, row - rows);
	const struct list_entry *entry = &verdict.match.entry;
	if (policy_entry_name(entry, dns_name_slice(name)).len == name->len)
		assert_int_equal(entry->kind, pattern->kind);
	else
		assert_true(entry->kind & PATTERN_BELOW);
	if (name->len + 2u > DNS_NAME_MAX)
		return 0;
	memcpy(below.wire + 2, name->wire, name->len);
	below.len = (uint8_t)(below.len + name->len);
	facts.name = dns_name_slice(&below);
	policy_judge_query(policy, &facts, &verdict, NULL);
	if (row->below)
		assert_int_equal(verdict.action, ACTION_BLOCK);
	else if (verdict.action == ACTION_BLOCK) /* only as itself */
		assert_int_equal(
			policy_entry_name(&verdict.match.entry, dns_name_slice(&below)).len,
			below.len);
	return 0;
}

static void check_policy(const struct policy *policy, const struct list_text *texts)
{
	for (size_t i = 0; i < ROWS; i++) {
		const struct list_info *list = policy_list(policy, (uint16_t)i);
		uint64_t rejects = 0;
		uint64_t patterns = list->entry_count + list->covered_count;
		void *context[] = { (void *)(uintptr_t)policy, (void *)(uintptr_t)&rows[i] };
		struct list_sink sink = { .on_pattern = check_pattern, .context = context };
		for (unsigned r = 0; r < LIST_REJECT_COUNT; r++)
			rejects += list->reject_counts[r];
		print_message("%-26s %6" PRIu64 " patterns, %5" PRIu64 " of them covered, %5" PRIu64
			      " rejected, of which %5" PRIu64 " addresses, %" PRIu64
			      " duplicates\n",
			rows[i].file, patterns, list->covered_count, rejects,
			list->reject_counts[LIST_REJECT_ADDRESS],
			list->reject_counts[LIST_REJECT_DUPLICATE]);
		assert_int_equal(patterns, rows[i].patterns);
		assert_int_equal(list_read(rows[i].format, texts[i].text, &sink), 0);
	}
	/* About 23,000 hosts of this one have no name. */
	uint64_t addresses = policy_list(policy, 9)->reject_counts[LIST_REJECT_ADDRESS];
	assert_in_range(addresses, 22000, 24000);
}

static void test_published_lists(void **state)
{
	(void)state;
	char directory[512];
	struct domain_list_spec lists[ROWS];
	struct list_text texts[ROWS];
	struct rule_spec rules[ROWS];
	struct rule_group_spec groups[ROWS];
	struct association_spec associations[ROWS];
	struct view_spec views[ROWS];
	if (!published_lists(directory, sizeof directory)) {
		print_message("skipped: no published lists here (NAMEGATE_TEST_DATA)\n");
		skip();
	}
	/* All in one index, and a view for each. */
	for (uint16_t i = 0; i < ROWS; i++) {
		lists[i] = (struct domain_list_spec){ rows[i].file, rows[i].format, rows[i].file,
			slice_of(NULL, 0) };
		texts[i] = (struct list_text){ .text = published_list(directory, rows[i].file) };
		rules[i] = (struct rule_spec){ .name = "rule", .action = ACTION_BLOCK, .list = i };
		groups[i] = (struct rule_group_spec){ "group", &rules[i], 1 };
		associations[i] = (struct association_spec){ i, 1, false };
		views[i] = (struct view_spec){ .name = "view",
			.default_action = ACTION_ALLOW,
			.associations = &associations[i],
			.association_count = 1 };
	}
	struct policy_spec spec = { .lists = lists,
		.list_count = ROWS,
		.groups = groups,
		.group_count = ROWS,
		.views = views,
		.view_count = ROWS };
	struct policy_texts built;
	assert_int_equal(policy_texts_build(&built, &spec, texts, 1), 0);
	print_message("%zu names, %.1f bytes each in the hot part, %.1f MB in all\n",
		image_name_count(built.image),
		(double)image_hot_len(built.image) / (double)image_name_count(built.image),
		(double)built.bytes.len / 1e6);
	check_policy(built.policy, texts);
	policy_texts_free(&built);
	for (size_t i = 0; i < ROWS; i++)
		free((void *)(uintptr_t)texts[i].text.at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_lists),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
