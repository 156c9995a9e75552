/* image_model_test.c - images against a model that is as plain as facet.h: every pattern of every
 * list is compared with the name asked for. The universe is small, so that names meet, nest and
 * repeat; lists, facets, kinds, ranks, types and groups are drawn. Every world is also built from
 * shuffled lines, and from older images, and must come out as the same bytes. A failure prints the
 * seed; IMAGE_MODEL_SEED=<seed> runs that one alone. */
#include "tests/unit/image_fixture.h"

enum {
	WORLDS = 1500,
	LISTS_MAX = 4,
	FACETS_MAX = 5, /* of a list */
	PATTERNS_MAX = 40,
	NETWORKS_MAX = 12,
	DEPTH_MAX = 4,
	LETTERS = 2,
};

struct pattern {
	struct dns_name name;
	enum pattern_kind kind;
	struct facet facet;
};

struct network_pattern {
	struct network network;
	struct facet facet;
};

struct list {
	struct pattern patterns[PATTERNS_MAX];
	size_t count;
	struct network_pattern networks[NETWORKS_MAX];
	size_t network_count;
};

struct world {
	struct list lists[LISTS_MAX];
	size_t count;
};

static uint64_t state_of_chance;

static unsigned chance(unsigned below)
{
	state_of_chance = state_of_chance * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(state_of_chance >> 33) % below;
}

/* Names are numbers: digits are labels, from the root down. */
static struct dns_name name_of(unsigned number, unsigned labels)
{
	struct dns_name name = { .len = (uint8_t)(2 * labels + 1) };
	for (unsigned i = 0; i < labels; i++, number /= LETTERS) {
		name.wire[2 * i] = 1;
		name.wire[2 * i + 1] = (uint8_t)('a' + number % LETTERS);
	}
	return name;
}

static struct dns_name any_name(unsigned labels_max)
{
	unsigned labels = chance(labels_max + 1);
	return name_of(chance(1 << 10), labels);
}

static struct facet any_facet(void)
{
	static const uint8_t records[] = { 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 1 };
	struct facet facet = {
		.effect = (enum facet_effect)chance(FACET_EFFECTS),
		.given = chance(4) ? GIVEN_NOTHING : GIVEN_NODATA,
		.rank = (uint8_t)(1 + chance(3)),
		.group = chance(2) ? 1 + chance(2) : 0,
	};
	if (chance(4) == 0) {
		facet.type_count = (uint8_t)(1 + chance(2));
		facet.types[0] = 1;
		facet.types[1] = 28;
		facet.except_types = chance(2);
	}
	if (chance(6) == 0) {
		facet.given = GIVEN_RECORDS;
		facet.records = slice_of(records, sizeof records);
	}
	return facet;
}

static struct network any_network(void)
{
	struct network network = { .prefix_len = 0 };
	if (chance(2)) {
		network.address.bytes[10] = network.address.bytes[11] = 0xff;
		network.address.bytes[12] = (uint8_t)(chance(2) << 7);
		network.prefix_len = (uint8_t)(96 + chance(2));
		if (network.prefix_len == 96)
			network.address.bytes[12] = 0;
		return network;
	}
	static const uint8_t lens[] = { 0, 8, 9, 16, 128 };
	network.prefix_len = lens[chance(sizeof lens)];
	if (network.prefix_len >= 8)
		network.address.bytes[0] = 0x20;
	if (network.prefix_len >= 9)
		network.address.bytes[1] = (uint8_t)(chance(2) << 7);
	if (network.prefix_len == 128)
		network.address.bytes[15] = (uint8_t)chance(2);
	return network;
}

static void draw_list(struct list *list, bool plain)
{
	struct facet facets[FACETS_MAX];
	unsigned facet_count = 1 + chance(FACETS_MAX);
	for (unsigned i = 0; i < facet_count; i++)
		facets[i] = plain ? (struct facet){ .rank = FACET_RANK_PLAIN } : any_facet();
	list->count = chance(PATTERNS_MAX + 1);
	for (size_t i = 0; i < list->count; i++)
		list->patterns[i] = (struct pattern){ any_name(DEPTH_MAX),
			(enum pattern_kind)(1 + chance(3)), facets[chance(facet_count)] };
	list->network_count = chance(3) ? 0 : chance(NETWORKS_MAX + 1);
	for (size_t i = 0; i < list->network_count; i++)
		list->networks[i] =
			(struct network_pattern){ any_network(), facets[chance(facet_count)] };
}

static void draw_world(struct world *world)
{
	world->count = 1 + chance(LISTS_MAX);
	for (size_t i = 0; i < world->count; i++)
		draw_list(&world->lists[i], chance(3) == 0);
}

static void shuffle(struct list *list)
{
	for (size_t i = list->count; i > 1; i--) {
		size_t other = chance((unsigned)i);
		struct pattern moved = list->patterns[i - 1];
		list->patterns[i - 1] = list->patterns[other];
		list->patterns[other] = moved;
	}
}

static void add_list(struct image_builder *builder, const struct list *list, size_t number)
{
	char name[32];
	snprintf(name, sizeof name, "list-%zu", number);
	assert_int_equal(image_add_list(builder, name, LIST_DOMAINS), 0);
	for (size_t i = 0; i < list->count; i++) {
		const struct list_pattern pattern = { &list->patterns[i].name,
			list->patterns[i].kind, &list->patterns[i].facet, (uint32_t)i + 1 };
		assert_int_equal(image_add_pattern(builder, &pattern), 0);
	}
	for (size_t i = 0; i < list->network_count; i++) {
		const struct list_network network = { list->networks[i].network,
			&list->networks[i].facet, (uint32_t)i + 1 };
		assert_int_equal(image_add_network(builder, &network), 0);
	}
}

static struct image *build_world(const struct world *world, uint64_t salt)
{
	struct image_builder *builder = fixture_builder(salt);
	for (size_t i = 0; i < world->count; i++)
		add_list(builder, &world->lists[i], i);
	return fixture_built(builder, NULL, NULL);
}

static bool covers(const struct pattern *pattern, const struct dns_name *name)
{
	struct slice own = dns_name_slice(&pattern->name);
	if (dns_name_equals(dns_name_slice(name), own))
		return pattern->kind & PATTERN_EXACT;
	return pattern->kind & PATTERN_BELOW && dns_name_is_under(dns_name_slice(name), own);
}

static bool for_type(const struct facet *facet, uint16_t type)
{
	bool among = false;
	for (unsigned i = 0; i < facet->type_count; i++)
		among |= facet->types[i] == type;
	return facet->type_count == 0 || among != facet->except_types;
}

/* By content, as facets of one list are numbered. */
static int compare_facets(const struct facet *a, const struct facet *b)
{
	const uint64_t keys[][2] = {
		{ a->effect, b->effect },
		{ a->given, b->given },
		{ a->rank, b->rank },
		{ a->except_types && a->type_count, b->except_types && b->type_count },
		{ a->type_count, b->type_count },
		{ a->type_count > 0 ? a->types[0] : 0, b->type_count > 0 ? b->types[0] : 0 },
		{ a->type_count > 1 ? a->types[1] : 0, b->type_count > 1 ? b->types[1] : 0 },
		{ a->group, b->group },
		{ a->records.len, b->records.len },
	};
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (keys[i][0] != keys[i][1])
			return keys[i][0] < keys[i][1] ? -1 : 1;
	return 0;
}

static bool is_cancelled(const struct list *list, const struct pattern *pattern,
	const struct dns_name *name, uint16_t type)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct pattern *by = &list->patterns[i];
		if (by->facet.effect == FACET_CANCEL && by->facet.group &&
			by->facet.group == pattern->facet.group && covers(by, name) &&
			for_type(&by->facet, type) && by->name.len > pattern->name.len)
			return true;
	}
	return false;
}

/* The facet that counts for a list; NULL when it has nothing to say. Every label is two bytes, so
 * the longer name has more labels. */
static const struct facet *judge(
	const struct list *list, const struct dns_name *name, uint16_t type)
{
	const struct pattern *best = NULL;
	for (size_t i = 0; i < list->count; i++) {
		const struct pattern *pattern = &list->patterns[i];
		const struct facet *facet = &pattern->facet;
		if (facet->effect == FACET_CANCEL || !covers(pattern, name) ||
			!for_type(facet, type) || is_cancelled(list, pattern, name, type))
			continue;
		int order = !best ? -1 : (int)best->facet.rank - facet->rank;
		if (order == 0)
			order = best->name.len - pattern->name.len;
		if (order == 0)
			order = compare_facets(facet, &best->facet);
		if (order < 0)
			best = pattern;
	}
	return best ? &best->facet : NULL;
}

static void check_entry(const struct image *image, const struct image_matches *matches,
	uint16_t number, const struct dns_name *name, const struct facet *expected)
{
	bool listed = expected && expected->effect != FACET_EXCEPT;
	assert_int_equal(image_matches_have(matches, number), listed);
	if (!listed)
		return;
	const struct list_entry *entry = &matches->entries[number];
	assert_int_equal(compare_facets(image_facet(image, entry->facet), expected), 0);
	assert_true(image_holds(image, number, dns_name_slice(name), entry));
	struct list_entry other = *entry;
	other.labels = (uint8_t)(entry->labels + 1);
	if (other.labels > name->len / 2)
		assert_false(image_holds(image, number, dns_name_slice(name), &other));
	assert_false(image_holds(image, (uint16_t)(number + 1), dns_name_slice(name), entry));
}

static void check_name(const struct image *image, const struct world *world,
	const struct dns_name *name, uint16_t type)
{
	struct image_matches matches;
	bool any = false;
	bool found = image_find(image, dns_name_slice(name), type, &matches);
	for (size_t i = 0; i < world->count; i++) {
		const struct facet *expected = judge(&world->lists[i], name, type);
		any |= expected && expected->effect != FACET_EXCEPT;
		check_entry(image, &matches, (uint16_t)i, name, expected);
	}
	assert_int_equal(found, any);
	for (unsigned i = (unsigned)world->count; i < IMAGE_LISTS_MAX; i++)
		assert_false(image_matches_have(&matches, i));
}

/* The same of networks, by walking all of them. A network cancels what is around it, and of the
 * same network what stands behind it in order of content. */
static bool network_is_before(const struct network_pattern *a, const struct network_pattern *b)
{
	if (a->network.prefix_len != b->network.prefix_len)
		return a->network.prefix_len > b->network.prefix_len;
	return compare_facets(&a->facet, &b->facet) < 0;
}

static const struct network_pattern *judge_address(
	const struct list *list, const struct address *address, uint16_t type)
{
	const struct network_pattern *best = NULL;
	for (size_t i = 0; i < list->network_count; i++) {
		const struct network_pattern *pattern = &list->networks[i];
		bool cancelled = false;
		if (pattern->facet.effect == FACET_CANCEL || !for_type(&pattern->facet, type) ||
			!network_contains(&pattern->network, address))
			continue;
		for (size_t k = 0; k < list->network_count; k++) {
			const struct network_pattern *by = &list->networks[k];
			cancelled |= by->facet.effect == FACET_CANCEL && by->facet.group &&
				by->facet.group == pattern->facet.group &&
				for_type(&by->facet, type) &&
				network_contains(&by->network, address) &&
				network_is_before(by, pattern);
		}
		if (cancelled || (best && best->facet.rank > pattern->facet.rank))
			continue;
		if (!best || best->facet.rank < pattern->facet.rank ||
			network_is_before(pattern, best))
			best = pattern;
	}
	return best;
}

static void check_addresses(const struct image *image, const struct world *world)
{
	static const char *const texts[] = { "::", "2000::1", "2080::", "2080::1",
		"2000::", "3000::", "0.0.0.1", "128.0.0.1", "::1", "2081::" };
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct address address;
		struct image_matches matches = { .lists = { UINT64_C(1) << 1 } };
		bool any = false;
		assert_true(address_parse(&address, texts[i]));
		bool found = image_find_address(image, &address, 28, &matches);
		for (size_t list = 0; list < world->count; list++) {
			const struct network_pattern *expected =
				judge_address(&world->lists[list], &address, 28);
			bool listed = expected && expected->facet.effect != FACET_EXCEPT;
			/* One list was decided before, by a name. */
			any |= listed && list != 1;
			assert_int_equal(
				image_matches_have(&matches, (unsigned)list), listed || list == 1);
			if (!listed || list == 1)
				continue;
			const struct list_entry *entry = &matches.entries[list];
			assert_int_equal(entry->kind, LIST_ENTRY_NETWORK);
			assert_int_equal(entry->labels, expected->network.prefix_len);
			assert_int_equal(
				compare_facets(image_facet(image, entry->facet), &expected->facet),
				0);
		}
		assert_int_equal(found, any);
	}
}

static void check_image(const struct image *image, const struct world *world)
{
	static const uint16_t types[] = { 1, 28, 65 };
	for (unsigned labels = 0; labels <= DEPTH_MAX + 1; labels++) {
		for (unsigned number = 0; number < 1u << labels; number++) {
			struct dns_name name = name_of(number, labels);
			for (size_t i = 0; i < sizeof types / sizeof *types; i++)
				check_name(image, world, &name, types[i]);
		}
	}
	check_addresses(image, world);
}

/* The same lists from an older image, or its text when `texts` has its bit. */
static struct image *rebuild(const struct world *world, const struct image *old, uint64_t salt,
	unsigned texts, const struct image *older)
{
	struct image_builder *builder = fixture_builder(salt);
	for (size_t i = 0; i < world->count; i++) {
		char name[32];
		snprintf(name, sizeof name, "list-%zu", i);
		const struct image *from = older && i % 2 ? older : old;
		uint16_t number = image_find_list(from, name);
		if (texts >> i & 1)
			add_list(builder, &world->lists[i], i);
		else
			assert_int_equal(image_take_list(builder, from, number), 0);
	}
	return fixture_built(builder, NULL, NULL);
}

/* An image of the same lists in another order, so that all numbers are others. */
static struct image *build_reversed(const struct world *world, uint64_t salt)
{
	struct image_builder *builder = fixture_builder(salt);
	for (size_t i = world->count; i-- > 0;)
		add_list(builder, &world->lists[i], i);
	return fixture_built(builder, NULL, NULL);
}

static void check_rebuilds(const struct world *world, const struct image *image, uint64_t salt)
{
	struct image *other = build_world(world, salt + 1);
	struct image *reversed = build_reversed(world, salt);
	const struct {
		const struct image *old;
		unsigned texts;
		const struct image *older;
	} ways[] = {
		{ image, 0, NULL },
		{ other, 0, NULL },
		{ reversed, 0, NULL },
		{ image, 1, NULL },
		{ reversed, chance(16), NULL },
		{ other, chance(16), NULL },
		{ image, chance(16), other },
		{ image, chance(16), reversed },
		{ other, 0, reversed },
	};
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		struct image *again =
			rebuild(world, ways[i].old, salt, ways[i].texts, ways[i].older);
		assert_same_image(again, image);
		fixture_close(again);
	}
	for (uint16_t i = 0; i < world->count; i++) {
		const struct image_list *one = image_list(image, i);
		const struct image_list *same = image_list(other, i);
		assert_memory_equal(one->hash, same->hash, sizeof one->hash);
		assert_int_equal(one->entry_count, same->entry_count);
	}
	fixture_close(reversed);
	fixture_close(other);
}

static void check_world(uint64_t seed)
{
	static struct world world;
	state_of_chance = seed * 0x9e3779b97f4a7c15;
	draw_world(&world);
	struct image *image = build_world(&world, seed);
	check_image(image, &world);
	check_rebuilds(&world, image, seed);
	for (size_t i = 0; i < world.count; i++)
		shuffle(&world.lists[i]);
	struct image *shuffled = build_world(&world, seed);
	assert_same_image(shuffled, image);
	fixture_close(shuffled);
	fixture_close(image);
}

static void test_worlds(void **state)
{
	(void)state;
	const char *only = getenv("IMAGE_MODEL_SEED");
	if (only) {
		check_world(strtoull(only, NULL, 10));
		return;
	}
	for (uint64_t seed = 1; seed <= WORLDS; seed++) {
		/* Seen only when it fails. */
		char text[32];
		snprintf(text, sizeof text, "%llu", (unsigned long long)seed);
		setenv("IMAGE_MODEL_AT", text, 1);
		check_world(seed);
	}
}

static int tell_seed(void **state)
{
	(void)state;
	const char *at = getenv("IMAGE_MODEL_AT");
	if (at && strtoull(at, NULL, 10) != WORLDS)
		print_message("IMAGE_MODEL_SEED=%s\n", at);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_worlds, tell_seed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
