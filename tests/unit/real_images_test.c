/* real_images_test.c - all published lists in one image, name by name against a naive set: every
 * listed name, a name below each, and 200,000 names that nobody should block. */
#include "tests/unit/published_lists.h"

#include "rules/image_build.h"

#include <search.h>
#include <string.h>

enum { LISTS_MAX = 64, BENIGN = 200000 };

struct file {
	const char *name;
	const char *format;
};

static const struct file files[] = {
	{ "urlhaus.hosts", "hosts" },
	{ "urlhaus.domains", "domains" },
	{ "urlhaus.bind", "bind" },
	{ "urlhaus.unbound", "unbound" },
	{ "urlhaus.dnsmasq", "dnsmasq" },
	{ "urlhaus.dnscrypt", "dnscrypt" },
	{ "urlhaus.adguardhome", "adblock" },
	{ "urlhaus.rpz", "rpz" },
	{ "urlhaus.adguard-url", "adblock" },
	{ "hagezi-fake.adblock", "adblock" },
	{ "hagezi-fake.wildcard", "wildcard" },
	{ "hagezi-fake.dnsmasq", "dnsmasq" },
	{ "hagezi-fake.unbound", "unbound" },
	{ "hagezi-fake.hosts", "hosts" },
	{ "hagezi-fake.domains", "domains" },
	{ "hagezi-light.wildcard", "wildcard" },
	{ "blp-scam.hosts", "hosts" },
	{ "blp-ransomware.hosts", "hosts" },
	{ "blp-redirect.hosts", "hosts" },
	{ "blp-phishing.domains", "domains" },
	{ "blp-tracking.adguard", "adblock" },
	{ "blp-basic.dnsmasq", "dnsmasq" },
	{ "vn-badsite.rpz", "rpz" },
	{ "romainmarcoux-ab.domains", "domains" },
};
enum { FILES = sizeof files / sizeof *files };

/* ---- the naive set: a tree of names, each with the lists that have it ---- */

struct node {
	uint64_t exact; /* bits of lists */
	uint64_t below;
	uint8_t len;
	uint8_t wire[];
};

static int compare(const void *a, const void *b)
{
	const struct node *one = a, *other = b;
	if (one->len != other->len)
		return one->len < other->len ? -1 : 1;
	return memcmp(one->wire, other->wire, one->len);
}

struct naive {
	void *tree;
	unsigned list;
	size_t count;
};

static struct node *node_of(struct slice name)
{
	struct node *node = calloc(1, sizeof *node + name.len);
	assert_non_null(node);
	node->len = (uint8_t)name.len;
	memcpy(node->wire, name.at, name.len);
	return node;
}

static int on_pattern(void *context, const struct list_pattern *pattern)
{
	struct naive *naive = context;
	struct node *node = node_of(dns_name_slice(pattern->name));
	struct node **found = tsearch(node, &naive->tree, compare);
	assert_non_null(found);
	if (*found != node)
		free(node);
	else
		naive->count++;
	if (pattern->kind & PATTERN_EXACT)
		(*found)->exact |= UINT64_C(1) << naive->list;
	if (pattern->kind & PATTERN_BELOW)
		(*found)->below |= UINT64_C(1) << naive->list;
	return 0;
}

/* Which lists have this name? */
static uint64_t naive_find(const struct naive *naive, struct slice name)
{
	uint8_t bytes[sizeof(struct node) + DNS_NAME_MAX];
	struct node *wanted = (struct node *)(void *)bytes;
	uint64_t lists = 0;
	for (size_t at = 0;; at += (size_t)name.at[at] + 1) {
		wanted->len = (uint8_t)(name.len - at);
		memcpy(wanted->wire, name.at + at, wanted->len);
		struct node **found = tfind(wanted, &naive->tree, compare);
		if (found)
			lists |= at == 0 ? (*found)->exact : (*found)->below;
		if (name.at[at] == 0)
			return lists;
	}
}

/* ---- the comparison ---- */

struct world {
	struct naive naive;
	struct image *image;
	struct slice bytes;
	size_t checked;
	size_t hits;
};

static struct world world;

static void check(struct slice name)
{
	struct image_matches matches;
	image_find(world.image, name, 1, &matches);
	uint64_t expected = naive_find(&world.naive, name);
	if (matches.lists[0] != expected) {
		char text[DNS_NAME_TEXT_MAX];
		fail_msg("%s: %llx, and not %llx", dns_name_text(name, text),
			(unsigned long long)matches.lists[0], (unsigned long long)expected);
	}
	world.checked++;
	world.hits += expected != 0;
}

static void check_node(const void *node, VISIT visit, int depth)
{
	const struct node *at = *(struct node *const *)node;
	uint8_t below[DNS_NAME_MAX] = { 3, 'w', 'w', 'w' };
	(void)depth;
	if (visit != postorder && visit != leaf)
		return;
	check(slice_of(at->wire, at->len));
	if (at->len + 4u > DNS_NAME_MAX)
		return;
	memcpy(below + 4, at->wire, at->len);
	check(slice_of(below, at->len + 4u));
}

static int begin(void **state)
{
	char path[512];
	const char *directory = published_lists(path, sizeof path);
	struct image_builder *builder = image_builder_new(0x5eed);
	const char *why;
	(void)state;
	_Static_assert((int)FILES <= (int)LISTS_MAX, "a bit for each list");
	assert_non_null(builder);
	for (unsigned i = 0; directory && i < FILES; i++) {
		enum list_format format;
		struct list_sink sink = { .on_pattern = on_pattern, .context = &world.naive };
		struct slice text = published_list(directory, files[i].name);
		world.naive.list = i;
		assert_true(list_format_parse(files[i].format, &format));
		assert_int_equal(list_read(format, text, &sink), 0);
		assert_int_equal(image_add_list(builder, files[i].name, format), 0);
		assert_int_equal(image_add_text(builder, text, NULL, NULL), 0);
		free((void *)(uintptr_t)text.at);
	}
	assert_int_equal(image_build(builder, &world.bytes, NULL, NULL), 0);
	image_builder_free(builder);
	world.image = image_open(world.bytes, &why);
	assert_non_null(world.image);
	return 0;
}

static int end(void **state)
{
	(void)state;
	tdestroy(world.naive.tree, free);
	image_close(world.image);
	free((void *)(uintptr_t)world.bytes.at);
	return 0;
}

static void skip_without_data(void)
{
	char path[512];
	if (published_lists(path, sizeof path))
		return;
	print_message("the published lists are not here\n");
	skip();
}

static void test_every_listed_name(void **state)
{
	(void)state;
	skip_without_data();
	twalk(world.naive.tree, check_node);
	print_message("%zu names looked up, %zu in lists; %zu distinct, %.2f bytes each\n",
		world.checked, world.hits, world.naive.count,
		(double)image_hot_len(world.image) / (double)image_name_count(world.image));
	assert_true(world.naive.count > 700000);
}

/* "rank<TAB>name" or "name". */
static size_t check_benign(const char *path, size_t most)
{
	char command[2048];
	size_t count = 0;
	char *line = NULL;
	size_t capacity = 0;
	snprintf(command, sizeof command, "gzip -dc '%s' 2>/dev/null", path);
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	for (ssize_t len; count < most && (len = getline(&line, &capacity, pipe)) > 0;) {
		const char *tab = strchr(line, '\t');
		struct dns_name name;
		line[strcspn(line, "\r\n")] = '\0';
		if (!dns_name_from_text(&name, slice_of_text(tab ? tab + 1 : line)))
			continue;
		dns_name_lower(name.wire, name.wire, name.len);
		check(dns_name_slice(&name));
		count++;
	}
	free(line);
	pclose(pipe);
	return count;
}

static void test_names_that_nobody_should_block(void **state)
{
	static const char *const sources[] = { "umbrella_fqdn", "radar_registered",
		"china_registered", "umbrella_shared_infra", "alexa2016_top" };
	char path[512], file[1024];
	size_t count = 0;
	(void)state;
	skip_without_data();
	published_lists(path, sizeof path);
	world.checked = world.hits = 0;
	for (size_t i = 0; i < sizeof sources / sizeof *sources && count < BENIGN; i++) {
		snprintf(file, sizeof file, "%s/../benign/%s.txt.gz", path, sources[i]);
		count += check_benign(file, BENIGN - count);
	}
	print_message("%zu names looked up, %zu in lists\n", world.checked, world.hits);
	assert_int_equal(count, BENIGN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_listed_name),
		cmocka_unit_test(test_names_that_nobody_should_block),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
