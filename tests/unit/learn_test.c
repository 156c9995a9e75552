/* Learned lists: what they look like, that nothing smaller would do, and that a policy made of one
 * admits what was learned and nothing foreign. */
#include "proxy/replay/learn.h"

#include "tests/unit/policy_fixture.h"

static const char parents_text[] = "// ===BEGIN PRIVATE DOMAINS===\n"
				   "s3.amazonaws.com\n"
				   "s3.west.amazonaws.com\n"
				   "github.io\n"
				   "// ===END PRIVATE DOMAINS===\n";

static struct suffixes *suffixes;
static struct suffix_parents *parents;

static int open_lists(void **state)
{
	(void)state;
	suffixes = suffixes_open();
	parents = suffix_parents_read(slice_of_text(parents_text));
	return suffixes && parents ? 0 : -1;
}

static int close_lists(void **state)
{
	(void)state;
	suffixes_close(suffixes);
	suffix_parents_close(parents);
	return 0;
}

/* Words; those behind ">" are led to. */
static void learn_words(struct learn *learn, const char *words)
{
	char word[DNS_NAME_TEXT_MAX];
	bool is_asked = true;
	while (fixture_word(&words, word, "")) {
		if (strcmp(word, ">") == 0) {
			is_asked = false;
			continue;
		}
		struct dns_name name = fixture_name(word);
		if (is_asked)
			learn_asked(learn, dns_name_slice(&name));
		else
			learn_led_to(learn, dns_name_slice(&name));
	}
}

/* "*.example.com.=3 example.com.=1": patterns and how often they were needed. */
static void say(const struct learn_list *list, char *text, size_t size)
{
	struct writer to = writer_of(text, size - 1);
	for (size_t i = 0; i < list->count; i++) {
		const struct learn_entry *entry = &list->entries[i];
		if (i > 0)
			writer_text(&to, i == list->asked_count ? " > " : " ");
		writer_text(&to, entry->is_below ? "*." : "");
		dns_name_write_text(&to, dns_name_slice(&entry->name));
		writer_u8(&to, '=');
		writer_decimal(&to, entry->asked + entry->led_to);
	}
	assert_false(to.failed);
	text[to.len] = '\0';
}

static void lists_as_they_should_be(void **state)
{
	static const struct {
		const char *words;
		uint64_t least;
		const char *list;
		uint64_t refused;
	} cases[] = {
		{ "", 1, "", 0 },
		{ "a.example.com a.example.com", 1, "a.example.com.=2", 0 },
		{ "example.com a.example.com", 1, "example.com.=1 a.example.com.=1", 0 },
		{ "b.example.com a.example.com", 1, "*.example.com.=2", 0 },
		{ "example.com a.example.com c.b.a.example.com", 1,
			"example.com.=1 *.example.com.=2", 0 },
		{ "a.one.co.uk b.two.co.uk", 1, "a.one.co.uk.=1 b.two.co.uk.=1", 0 },
		{ "a.one.co.uk b.one.co.uk", 1, "*.one.co.uk.=2", 0 },
		/* Hosting: strangers are next door. */
		{ "a.github.io b.github.io x.a.github.io", 1,
			"a.github.io.=1 x.a.github.io.=1 b.github.io.=1", 0 },
		{ "s3.amazonaws.com a.s3.amazonaws.com b.s3.amazonaws.com", 1,
			"s3.amazonaws.com.=1 a.s3.amazonaws.com.=1 b.s3.amazonaws.com.=1", 0 },
		{ "sqs.east.amazonaws.com kms.east.amazonaws.com amazonaws.com", 1,
			"amazonaws.com.=1 *.east.amazonaws.com.=2", 0 },
		{ "sqs.west.amazonaws.com kms.west.amazonaws.com x.s3.west.amazonaws.com", 1,
			"kms.west.amazonaws.com.=1 x.s3.west.amazonaws.com.=1 "
			"sqs.west.amazonaws.com.=1",
			0 },
		/* Names of a top-level domain that nobody knows, and none at all. */
		{ "postgres redis", 1, "postgres.=1 redis.=1", 0 },
		{ "a.svc.lan b.svc.lan", 1, "*.svc.lan.=2", 0 },
		/* What means more than itself. */
		{ ". com co.uk *.example.com \\000.example.net", 1, "\\000.example.net.=1", 4 },
		/* Led to. */
		{ "a.example.com > b.example.net a.example.com", 1,
			"a.example.com.=2 > b.example.net.=1", 0 },
		{ "a.example.com > b.example.com c.example.net", 1,
			"*.example.com.=2 > c.example.net.=1", 0 },
		/* Seldom. */
		{ "a.example.com b.example.com c.example.org", 2, "*.example.com.=2", 0 },
	};
	char text[4096];
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct learn *learn = learn_new(suffixes, parents);
		struct learn_list list;
		assert_non_null(learn);
		learn_words(learn, cases[i].words);
		assert_true(learn_finish(learn, cases[i].least, &list));
		say(&list, text, sizeof text);
		if (strcmp(text, cases[i].list) != 0)
			fail_msg("%s: is %s, not %s", cases[i].words, text, cases[i].list);
		assert_int_equal(list.refused, cases[i].refused);
		learn_list_free(&list);
		learn_free(learn);
	}
}

static void without_lists_of_suffixes(void **state)
{
	struct learn *learn = learn_new(NULL, NULL);
	struct learn_list list;
	char text[256];
	(void)state;
	learn_words(learn, "b.example.com a.example.com com");
	assert_true(learn_finish(learn, 1, &list));
	say(&list, text, sizeof text);
	assert_string_equal(text, "com.=1 a.example.com.=1 b.example.com.=1");
	learn_list_free(&list);
	learn_free(learn);
	learn_free(NULL);
}

/* ---- nothing smaller would do ---- */

enum { OPTIMUM_NAMES = 7, CANDIDATES_MAX = 16 };

struct candidate {
	struct dns_name name;
	bool is_below;
	unsigned covers; /* bits of names */
};

static bool covers(const struct candidate *candidate, const struct dns_name *name)
{
	struct slice domain = dns_name_slice(&candidate->name);
	bool is_same = dns_name_equals(dns_name_slice(name), domain);
	return candidate->is_below ? !is_same && dns_name_is_under(dns_name_slice(name), domain)
				   : is_same;
}

/* May all below a domain be allowed? By the letter of learn.h. */
static bool may_be_allowed(struct slice domain)
{
	if (suffixes_find(suffixes, domain) != SUFFIX_NONE || suffix_parents_have(parents, domain))
		return false;
	for (; domain.len > 1;
		domain = slice_of(domain.at + 1 + domain.at[0], domain.len - 1 - domain.at[0]))
		if (suffixes_find(suffixes, domain) == SUFFIX_PRIVATE)
			return false;
	return true;
}

static size_t make_candidates(
	const struct dns_name *names, size_t count, struct candidate candidates[])
{
	static const char *const domains[] = { "example.com", "x.example.com", "y.example.com",
		"amazonaws.com", "east.amazonaws.com", "west.amazonaws.com", "a.github.io",
		"s3.west.amazonaws.com", "github.io" };
	size_t made = 0;
	for (size_t i = 0; i < count; i++)
		candidates[made++].name = names[i];
	for (size_t i = 0; i < sizeof domains / sizeof *domains; i++) {
		struct dns_name domain = fixture_name(domains[i]);
		if (!may_be_allowed(dns_name_slice(&domain)))
			continue;
		candidates[made].is_below = true;
		candidates[made++].name = domain;
	}
	assert_true(made <= CANDIDATES_MAX);
	for (size_t i = 0; i < made; i++)
		for (size_t j = 0; j < count; j++)
			if (covers(&candidates[i], &names[j]))
				candidates[i].covers |= 1u << j;
	return made;
}

/* Every subset of all patterns that are allowed. */
static unsigned optimum(const struct dns_name *names, size_t count)
{
	struct candidate candidates[CANDIDATES_MAX] = { 0 };
	size_t made = make_candidates(names, count, candidates);
	unsigned best = (unsigned)count;
	for (unsigned subset = 0; subset < 1u << made; subset++) {
		unsigned size = 0, covered = 0;
		for (size_t i = 0; i < made; i++) {
			if (!(subset >> i & 1))
				continue;
			size++;
			covered |= candidates[i].covers;
		}
		if (covered == (1u << count) - 1 && size < best)
			best = size;
	}
	return best;
}

static void no_list_is_smaller(void **state)
{
	static const char *const universe[] = { "example.com", "x.example.com", "a.x.example.com",
		"b.x.example.com", "y.example.com", "a.y.example.com", "amazonaws.com",
		"sqs.east.amazonaws.com", "kms.east.amazonaws.com", "sqs.west.amazonaws.com",
		"kms.west.amazonaws.com", "b.s3.west.amazonaws.com", "c.s3.west.amazonaws.com",
		"s3.amazonaws.com", "a.github.io", "x.a.github.io", "y.a.github.io" };
	enum { UNIVERSE = sizeof universe / sizeof *universe };
	uint32_t state_ = 7;
	(void)state;
	for (unsigned turn = 0; turn < 300; turn++) {
		struct dns_name names[OPTIMUM_NAMES];
		unsigned chosen = 0;
		size_t count = 0;
		struct learn *learn = learn_new(suffixes, parents);
		struct learn_list list;
		while (count < 1 + turn % OPTIMUM_NAMES) {
			state_ = state_ * 1664525 + 1013904223;
			unsigned number = (state_ >> 16) % UNIVERSE;
			if (chosen >> number & 1)
				continue;
			chosen |= 1u << number;
			names[count] = fixture_name(universe[number]);
			learn_asked(learn, dns_name_slice(&names[count++]));
		}
		assert_true(learn_finish(learn, 1, &list));
		assert_int_equal(list.count, optimum(names, count));
		assert_int_equal(list.covered, count);
		learn_list_free(&list);
		learn_free(learn);
	}
}

/* ---- as a policy ---- */

static void list_text(const struct learn_list *list, char *text, size_t size)
{
	struct writer to = writer_of(text, size - 1);
	for (size_t i = 0; i < list->count; i++) {
		writer_text(&to, list->entries[i].is_below ? "*." : "");
		dns_name_write_text(&to, dns_name_slice(&list->entries[i].name));
		writer_u8(&to, '\n');
	}
	assert_false(to.failed);
	text[to.len] = '\0';
}

static void what_was_learned_is_admitted_and_nothing_else(void **state)
{
	static const char *const rules[] = { "10 ALLOW x.test", NULL };
	/* A question and what its answer is. */
	static const struct {
		const char *name, *records;
	} learned[] = {
		{ "www.example.com",
			"www.example.com CNAME edge.cdn.example.net, edge.cdn.example.net A" },
		{ "api.example.com", "api.example.com A" },
		{ "example.com", "example.com A" },
		{ "db.svc.lan", NULL },
		{ "bucket.s3.amazonaws.com", "bucket.s3.amazonaws.com CNAME s3-1-w.amazonaws.com" },
		{ "odd\\034\\000.example.org", NULL },
		{ "svc.example.org", "svc.example.org HTTPS far.example.info" },
	};
	static const char *const leads[] = { "edge.cdn.example.net", "s3-1-w.amazonaws.com",
		"far.example.info" };
	static const struct {
		const char *name, *records;
	} foreign[] = {
		{ "com", NULL },
		{ "net", NULL },
		{ "example.net", NULL },
		{ "evil.test", NULL },
		{ "notexample.com", NULL },
		{ "www.example.com.evil.test", NULL },
		{ "stranger.s3.amazonaws.com", NULL },
		{ "s3.amazonaws.com", NULL },
		{ "x.bucket.s3.amazonaws.com", NULL },
		{ "other.svc.lan", NULL },
		{ "edge.cdn.example.net.test", NULL },
		{ "other.cdn.example.net", NULL },
		{ "x.example.biz", NULL },
		{ "api.example.com", "api.example.com CNAME evil.test, evil.test A" },
		{ "svc.example.org", "svc.example.org HTTPS evil.test" },
	};
	static struct policy_fixture fixture;
	struct learn *learn = learn_new(suffixes, parents);
	struct learn_list list;
	char text[4096];
	(void)state;
	for (size_t i = 0; i < sizeof learned / sizeof *learned; i++)
		learn_words(learn, learned[i].name);
	for (size_t i = 0; i < sizeof leads / sizeof *leads; i++) {
		struct dns_name name = fixture_name(leads[i]);
		learn_led_to(learn, dns_name_slice(&name));
	}
	assert_true(learn_finish(learn, 1, &list));
	assert_int_equal(list.covered, list.asked);
	list_text(&list, text, sizeof text);
	policy_fixture_init(&fixture, rules);
	fixture.texts[0].text = slice_of_text(text);
	fixture.view.default_action = ACTION_BLOCK;
	const struct policy *policy = policy_fixture_build(&fixture, 1);
	for (size_t i = 0; i < sizeof learned / sizeof *learned; i++) {
		struct verdict verdict = fixture_judge(
			policy, learned[i].name, DNS_TYPE_A, learned[i].records, NULL);
		if (verdict.action != ACTION_ALLOW)
			fail_msg("%s is not admitted by %s", learned[i].name, text);
	}
	for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
		struct verdict verdict = fixture_judge(
			policy, foreign[i].name, DNS_TYPE_A, foreign[i].records, NULL);
		if (verdict.action != ACTION_BLOCK)
			fail_msg("%s is admitted by %s", foreign[i].name, text);
	}
	policy_fixture_free(&fixture);
	learn_list_free(&list);
	learn_free(learn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_as_they_should_be),
		cmocka_unit_test(without_lists_of_suffixes),
		cmocka_unit_test(no_list_is_smaller),
		cmocka_unit_test(what_was_learned_is_admitted_and_nothing_else),
	};
	return cmocka_run_group_tests(tests, open_lists, close_lists);
}
