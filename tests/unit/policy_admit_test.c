/* policy_admit_test.c - which view has a client: what the headers promise, row by row; and random
 * policies against the naive model that they stand for, which asks every view. */
#include "tests/unit/rules_fixture.h"

#include "rules/policy.h"

enum { LAN_LISTENER, DOT_LISTENER, LISTENERS, VIEWS_MAX = 8, WORDS_MAX = 4, NOW_S = 1000000 };

static struct network network_of(const char *text)
{
	struct network network;
	assert_true(network_parse(&network, text));
	return network;
}

/* ---- tokens: the secret is a letter, its digest 32 of them ---- */

static const struct token_spec *all_tokens(void)
{
	static struct token_spec tokens[] = {
		{ .name = "anna" }, { .name = "bert", .until_s = NOW_S + 1 },
		{ .name = "cora", .until_s = NOW_S }, { .name = "dora" }, /* in no view */
	};
	for (size_t i = 0; i < 4; i++)
		memset(tokens[i].sha256, 'a' + (int)i, CLAIMS_TOKEN_LEN);
	return tokens;
}

enum { TOKENS = 4 };

/* ---- clients and views as text ---- */

/* "cert=dns:a,cn:b token=a path=x tls=n 10.0.0.1@1" */
struct client {
	struct claims claims;
	struct slice certificate[8];
	uint8_t token[CLAIMS_TOKEN_LEN];
	char words[512];
	bool has_token;
};

static void client_take(struct client *client, char *word)
{
	char *value = strchr(word, '=');
	char *rest;
	if (!value) {
		char *at = strchr(word, '@');
		client->claims.listener = (uint16_t)(at ? atoi(at + 1) : 0);
		if (at)
			*at = '\0';
		assert_true(address_parse(&client->claims.client, word));
		return;
	}
	*value++ = '\0';
	if (strcmp(word, "cert") == 0)
		for (char *name = strtok_r(value, ",", &rest); name;
			name = strtok_r(NULL, ",", &rest))
			client->certificate[client->claims.certificate_count++] =
				slice_of_text(name);
	else if (strcmp(word, "token") == 0)
		memset(client->token, *value, sizeof client->token), client->has_token = true;
	else if (strcmp(word, "path") == 0)
		client->claims.path = slice_of_text(value);
	else
		client->claims.tls_name = slice_of_text(value);
}

static const struct claims *client_init(struct client *client, const char *text)
{
	char *rest;
	*client = (struct client){ .claims.now_s = NOW_S };
	assert_true(strlen(text) < sizeof client->words);
	memcpy(client->words, text, strlen(text) + 1);
	for (char *word = strtok_r(client->words, " ", &rest); word;
		word = strtok_r(NULL, " ", &rest))
		client_take(client, word);
	client->claims.certificate = client->certificate;
	client->claims.token = client->has_token ? client->token : NULL;
	return &client->claims;
}

static struct policy *build(const struct view_spec *views, size_t count)
{
	int error;
	const struct policy_spec spec = { .views = views,
		.view_count = count,
		.tokens = all_tokens(),
		.token_count = TOKENS,
		.listener_count = LISTENERS };
	struct policy *policy = policy_build(&spec, NULL, &error);
	assert_non_null(policy);
	return policy;
}

/* "kids by path 'x'", or the fault. */
static void say(const struct policy *policy, const struct admission *found, char *text, size_t size)
{
	static const char *const faults[] = { "", "no view", "unknown token", "expired token",
		"unknown path" };
	if (found->fault) {
		assert_int_equal(found->view, POLICY_NO_ID);
		assert_int_equal(found->client_id.len, 0);
		snprintf(text, size, "%s", faults[found->fault]);
	} else {
		snprintf(text, size, "%s by %s '%.*s'", policy_view(policy, found->view)->name,
			claim_kind_name(found->by), (int)found->client_id.len,
			found->client_id.len ? (const char *)found->client_id.at : "");
	}
}

struct row {
	const char *client;
	const char *expected;
};

static void check_rows(const struct policy *policy, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct client client;
		char text[256];
		struct admission found =
			policy_find_view(policy, client_init(&client, rows[i].client));
		say(policy, &found, text, sizeof text);
		if (strcmp(text, rows[i].expected) != 0)
			fail_msg("%s: %s, expected %s", rows[i].client, text, rows[i].expected);
	}
}

#define WORDS(...)                                                                                 \
	(const char *const[])                                                                      \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}
#define TOKEN_IDS(...)                                                                             \
	(const uint16_t[])                                                                         \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}

/* ---- one by one ---- */

static void test_order(void **state)
{
	(void)state;
	const struct network lan = network_of("10.0.0.0/8");
	const struct network lab = network_of("10.1.0.0/16");
	static const uint16_t dot[] = { DOT_LISTENER };
	const struct view_spec views[] = {
		{ .name = "lan", .clients = &lan, .client_count = 1 },
		{ .name = "lab", .clients = &lab, .client_count = 1 },
		{ .name = "name", .tls_names = WORDS("kids.dns.example"), .tls_name_count = 1 },
		{ .name = "path", .paths = WORDS("kids", "teens"), .path_count = 2 },
		{ .name = "token", .tokens = TOKEN_IDS(0, 1, 2), .token_count = 3 },
		{ .name = "certificate", .certificates = WORDS("*"), .certificate_count = 1 },
		{ .name = "token and path",
			.tokens = TOKEN_IDS(0),
			.token_count = 1,
			.paths = WORDS("kids"),
			.path_count = 1 },
		{ .name = "lan by token",
			.tokens = TOKEN_IDS(1),
			.token_count = 1,
			.clients = &lan,
			.client_count = 1 },
		{ .name = "lan on dot",
			.clients = &lan,
			.client_count = 1,
			.listeners = dot,
			.listener_count = 1 },
	};
	static const struct row rows[] = {
		{ "10.2.0.1", "lan by network ''" },
		{ "10.1.0.1", "lab by network ''" },
		{ "10.2.0.1@1", "lan on dot by network ''" },
		{ "10.1.0.1@1", "lab by network ''" },
		{ "192.0.2.1", "no view" },
		{ "10.2.0.1@2", "no view" },
		{ "tls=kids.dns.example 192.0.2.1", "name by tls_name 'kids.dns.example'" },
		{ "tls=kids.dns.example 10.1.0.1", "name by tls_name 'kids.dns.example'" },
		{ "tls=other.dns.example 10.1.0.1", "lab by network ''" },
		{ "tls=other.dns.example 192.0.2.1", "no view" },
		{ "path=kids tls=kids.dns.example 10.1.0.1", "path by path 'kids'" },
		{ "path=teens 192.0.2.1", "path by path 'teens'" },
		{ "path=Kids 10.1.0.1", "unknown path" },
		{ "path=other 10.1.0.1", "unknown path" },
		{ "path=other cert=cn:x 10.1.0.1", "unknown path" },
		{ "token=a 192.0.2.1", "token by token 'anna'" },
		{ "token=a path=kids 192.0.2.1", "token and path by token 'anna'" },
		{ "token=a path=teens 192.0.2.1", "token by token 'anna'" },
		{ "token=b path=kids 192.0.2.1", "token by token 'bert'" },
		{ "token=b 10.1.0.1", "lan by token by token 'bert'" },
		{ "token=c 10.1.0.1", "expired token" },
		{ "token=x 10.1.0.1", "unknown token" },
		{ "token=x cert=cn:x 10.1.0.1", "unknown token" },
		{ "token=x path=other 10.1.0.1", "unknown token" },
		{ "token=d 10.1.0.1", "lab by network ''" }, /* good, and nobody asks for it */
		{ "token=a cert=cn:x 10.1.0.1", "certificate by certificate 'cn:x'" },
	};
	struct policy *policy = build(views, sizeof views / sizeof *views);
	check_rows(policy, rows, sizeof rows / sizeof *rows);
	policy_free(policy);
}

static void test_certificates(void **state)
{
	(void)state;
#define VIEW(pattern)                                                                              \
	{                                                                                          \
		.name = pattern, .certificates = WORDS(pattern), .certificate_count = 1            \
	}
	const struct view_spec views[] = {
		VIEW("*"),
		VIEW("dns:*"),
		VIEW("dns:*.corp.example"),
		VIEW("dns:www.corp.example"),
		VIEW("uri:*"),
		VIEW("uri:spiffe://corp.example/*"),
		VIEW("uri:spiffe://corp.example/web/*"),
		VIEW("uri:spiffe://corp.example/web/1"),
		VIEW("email:*@corp.example"),
		VIEW("cn:A*"), /* no pattern: people may be called so */
		VIEW("sha256:00ff"),
	};
#undef VIEW
	static const struct row rows[] = {
		{ "cert=dns:host.example ::1", "dns:* by certificate 'dns:host.example'" },
		{ "cert=dns:a.corp.example ::1",
			"dns:*.corp.example by certificate 'dns:a.corp.example'" },
		{ "cert=dns:www.corp.example ::1",
			"dns:www.corp.example by certificate 'dns:www.corp.example'" },
		{ "cert=dns:a.b.corp.example ::1", "dns:* by certificate 'dns:a.b.corp.example'" },
		{ "cert=dns:.corp.example ::1", "dns:* by certificate 'dns:.corp.example'" },
		{ "cert=dns:corp.example ::1", "dns:* by certificate 'dns:corp.example'" },
		{ "cert=uri:urn:x ::1", "uri:* by certificate 'uri:urn:x'" },
		{ "cert=uri:spiffe://corp.example/x ::1",
			"uri:spiffe://corp.example/* by certificate "
			"'uri:spiffe://corp.example/x'" },
		{ "cert=uri:spiffe://corp.example/web/1 ::1",
			"uri:spiffe://corp.example/web/1 by certificate "
			"'uri:spiffe://corp.example/web/1'" },
		{ "cert=uri:spiffe://corp.example/web/2,cn:x ::1",
			"uri:spiffe://corp.example/web/* by certificate "
			"'uri:spiffe://corp.example/web/2'" },
		{ "cert=email:a@corp.example ::1",
			"email:*@corp.example by certificate 'email:a@corp.example'" },
		{ "cert=email:@corp.example ::1", "* by certificate 'email:@corp.example'" },
		{ "cert=email:a@b@corp.example ::1", "* by certificate 'email:a@b@corp.example'" },
		{ "cert=cn:Anna ::1", "* by certificate 'cn:Anna'" },
		{ "cert=cn:A* ::1", "cn:A* by certificate 'cn:A*'" },
		{ "cert=cn:x,sha256:00ff ::1", "sha256:00ff by certificate 'sha256:00ff'" },
		{ "cert=cn:dns:a ::1", "* by certificate 'cn:dns:a'" },
		{ "::1", "no view" },
	};
	struct policy *policy = build(views, sizeof views / sizeof *views);
	check_rows(policy, rows, sizeof rows / sizeof *rows);
	policy_free(policy);
}

static void test_tls_names(void **state)
{
	(void)state;
	const struct view_spec views[] = {
		{ .name = "any", .tls_names = WORDS("*.dns.example"), .tls_name_count = 1 },
		{ .name = "one", .tls_names = WORDS("a.dns.example"), .tls_name_count = 1 },
	};
	static const struct row rows[] = {
		{ "tls=a.dns.example ::1", "one by tls_name 'a.dns.example'" },
		{ "tls=b.dns.example ::1", "any by tls_name 'b.dns.example'" },
		{ "tls=c.b.dns.example ::1", "no view" },
		{ "tls=dns.example ::1", "no view" },
		{ "tls=.dns.example ::1", "no view" },
		{ "tls=*.dns.example ::1", "any by tls_name '*.dns.example'" },
		{ "::1", "no view" },
	};
	struct policy *policy = build(views, sizeof views / sizeof *views);
	check_rows(policy, rows, sizeof rows / sizeof *rows);
	policy_free(policy);
}

/* A certificate with more names than are looked at in full: the exact one counts all the same. */
static void test_many_names(void **state)
{
	(void)state;
	enum { NAMES = 200 };
	static char texts[NAMES][32];
	static const char *patterns[NAMES];
	struct slice names[NAMES];
	for (size_t i = 0; i < NAMES; i++) {
		snprintf(texts[i], sizeof texts[i], "uri:%0*zu", (int)(i % 20) + 4, i);
		names[i] = slice_of_text(texts[i]);
		patterns[i] = "uri:0*";
	}
	patterns[1] = "uri:*";
	patterns[2] = "*";
	const struct view_spec views[] = {
		{ .name = "patterns", .certificates = patterns, .certificate_count = NAMES },
		{ .name = "last", .certificates = WORDS(texts[NAMES - 1]), .certificate_count = 1 },
	};
	struct policy *policy = build(views, 2);
	const struct claims claims = { .certificate = names, .certificate_count = NAMES };
	struct admission found = policy_find_view(policy, &claims);
	assert_int_equal(found.view, 1);
	assert_true(slice_equals(found.client_id, names[NAMES - 1]));
	policy_free(policy);
}

static void test_faults_of_a_specification(void **state)
{
	(void)state;
	char *longest = malloc(5000);
	int error;
	assert_non_null(longest);
	memset(longest, 'a', 4999);
	longest[4999] = '\0';
	struct view_spec view = { .paths = WORDS(longest), .path_count = 1 };
	struct policy_spec spec = { .views = &view, .view_count = 1, .listener_count = 1 };
	assert_null(policy_build(&spec, NULL, &error));
	assert_int_equal(error, ERR_TOO_LONG);
	view = (struct view_spec){ .tokens = TOKEN_IDS(0), .token_count = 1 };
	assert_null(policy_build(&spec, NULL, &error));
	assert_int_equal(error, ERR_INVALID);
	free(longest);
}

/* The same secret under two names: it is good for as long as both are. */
static void test_token_twice(void **state)
{
	(void)state;
	struct token_spec tokens[] = {
		{ .name = "long", .until_s = 0 },
		{ .name = "short", .until_s = 50 },
		{ .name = "longer", .until_s = 60 },
	};
	const struct view_spec view = { .name = "v", .tokens = TOKEN_IDS(0), .token_count = 1 };
	const struct policy_spec spec = { .views = &view,
		.view_count = 1,
		.tokens = tokens,
		.token_count = 3,
		.listener_count = 1 };
	int error;
	struct policy *policy = policy_build(&spec, NULL, &error);
	struct claims claims = { .token = tokens[0].sha256, .now_s = 49 };
	assert_non_null(policy);
	assert_int_equal(policy_find_view(policy, &claims).fault, ADMISSION_FINE);
	claims.now_s = 50;
	assert_int_equal(policy_find_view(policy, &claims).fault, ADMISSION_TOKEN_EXPIRED);
	policy_free(policy);
}

static void test_kind_names(void **state)
{
	(void)state;
	assert_string_equal(claim_kind_name(CLAIM_TLS_NAME), "tls_name");
	assert_string_equal(claim_kind_name(CLAIM_KINDS), "unknown");
}

/* ---- against the model ---- */

static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % below;
}

static const char *const certificate_words[] = { "*", "dns:*", "dns:*.a.test", "dns:x.a.test",
	"uri:*", "uri:s://a/*", "uri:s://a/b/*", "uri:s://a/b/1", "cn:Anna", "email:*@a.test" };
static const char *const path_words[] = { "kids", "teens" };
static const char *const tls_words[] = { "*.d.test", "a.d.test", "b.d.test" };
static const char *const certificates_shown[] = { "dns:x.a.test", "dns:y.a.test", "dns:z.test",
	"uri:s://a/b/1", "uri:s://a/b/2", "uri:s://a/c", "uri:t", "cn:Anna", "cn:Bert",
	"email:x@a.test", "email:x@b.test" };
static const char *const paths_shown[] = { "", "kids", "teens", "other" };
static const char *const tls_shown[] = { "", "a.d.test", "b.d.test", "c.d.test", "d.test" };
static const char *const clients[] = { "10.0.0.1", "10.1.0.1", "192.0.2.1", "2001:db8::1" };
static const char *const networks[] = { "10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32", "0.0.0.0/0" };

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct random_views {
	struct view_spec views[VIEWS_MAX];
	size_t count;
	char names[VIEWS_MAX][24];
	const char *words[VIEWS_MAX][3][WORDS_MAX];
	uint16_t tokens[VIEWS_MAX][WORDS_MAX];
	struct network networks[VIEWS_MAX][WORDS_MAX];
	uint16_t listeners[VIEWS_MAX][LISTENERS];
};

/* Mostly none, else up to three of the pool, one perhaps twice. */
static size_t draw_words(const char *to[WORDS_MAX], const char *const *pool, size_t pool_count)
{
	size_t count = draw(2) ? 0 : draw(WORDS_MAX);
	for (size_t i = 0; i < count; i++)
		to[i] = pool[draw((uint32_t)pool_count)];
	return count;
}

static void draw_view(struct random_views *to, size_t i)
{
	struct view_spec *view = &to->views[i];
	snprintf(to->names[i], sizeof to->names[i], "v%zu", i);
	view->name = to->names[i];
	view->certificates = to->words[i][0];
	view->certificate_count =
		draw_words(to->words[i][0], certificate_words, COUNT(certificate_words));
	view->paths = to->words[i][1];
	view->path_count = draw_words(to->words[i][1], path_words, COUNT(path_words));
	view->tls_names = to->words[i][2];
	view->tls_name_count = draw_words(to->words[i][2], tls_words, COUNT(tls_words));
	view->tokens = to->tokens[i];
	view->token_count = draw(2) ? 0 : draw(WORDS_MAX);
	for (size_t n = 0; n < view->token_count; n++)
		to->tokens[i][n] = (uint16_t)draw(3);
	view->clients = to->networks[i];
	view->client_count = draw(3);
	for (size_t n = 0; n < view->client_count; n++)
		to->networks[i][n] = network_of(networks[draw(COUNT(networks))]);
	view->listeners = to->listeners[i];
	view->listener_count = draw(3) == 0;
	to->listeners[i][0] = (uint16_t)draw(LISTENERS);
}

static void draw_views(struct random_views *to)
{
	memset(to, 0, sizeof *to);
	to->count = 1 + draw(VIEWS_MAX);
	for (size_t i = 0; i < to->count; i++)
		draw_view(to, i);
}

static bool starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* 0: it does not match; else the more, the more specific. */
static int rank_of_pattern(const char *pattern, const char *name)
{
	const char *star = strchr(pattern, '*');
	size_t len = strlen(pattern);
	if (strcmp(pattern, name) == 0)
		return 1 << 20;
	if (!star)
		return 0;
	if (star == pattern + len - 1)
		return strncmp(pattern, name, len - 1) == 0 ? (int)len : 0;
	size_t before = (size_t)(star - pattern);
	size_t after = len - before - 1;
	size_t name_len = strlen(name);
	if (name_len <= before + after || strncmp(pattern, name, before) != 0 ||
		strcmp(name + name_len - after, star + 1) != 0)
		return 0;
	char mark = starts(pattern, "dns:") ? '.' : '@';
	return memchr(name + before, mark, name_len - before - after) ? 0 : (int)len;
}

static int rank_of_tls(const char *pattern, const char *name)
{
	char with_kind[2][64];
	snprintf(with_kind[0], sizeof with_kind[0], "dns:%s", pattern);
	snprintf(with_kind[1], sizeof with_kind[1], "dns:%s", name);
	int rank = *name ? rank_of_pattern(with_kind[0], with_kind[1]) : 0;
	return rank == 0 ? 0 : rank == 1 << 20 ? 2 : 1;
}

struct standing {
	int ranks[CLAIM_NETWORK + 2];
	const char *who[CLAIM_NETWORK];
};

/* Anything as text, as a client shows it. */
struct shown_text {
	const char *certificates[3];
	size_t certificate_count;
	int token; /* -1: none */
	const char *path;
	const char *tls_name;
	const char *client;
	uint16_t listener;
};

static void better(struct standing *standing, int kind, int rank, const char *who)
{
	if (rank <= standing->ranks[kind])
		return;
	standing->ranks[kind] = rank;
	standing->who[kind] = who;
}

/* How a view stands to a client; false when it does not claim it. */
static bool stands(
	const struct view_spec *view, const struct shown_text *shown, struct standing *standing)
{
	struct address address;
	*standing = (struct standing){ .ranks = { 0 } };
	assert_true(address_parse(&address, shown->client));
	for (size_t c = 0; c < shown->certificate_count; c++)
		for (size_t i = 0; i < view->certificate_count; i++)
			better(standing, CLAIM_CERTIFICATE,
				rank_of_pattern(view->certificates[i], shown->certificates[c]),
				shown->certificates[c]);
	for (size_t i = 0; i < view->token_count; i++)
		if (view->tokens[i] == shown->token)
			better(standing, CLAIM_TOKEN, 1, all_tokens()[shown->token].name);
	for (size_t i = 0; i < view->path_count; i++)
		if (strcmp(view->paths[i], shown->path) == 0)
			better(standing, CLAIM_PATH, 1, shown->path);
	for (size_t i = 0; i < view->tls_name_count; i++)
		better(standing, CLAIM_TLS_NAME, rank_of_tls(view->tls_names[i], shown->tls_name),
			shown->tls_name);
	int longest = view->client_count ? -1 : address_is_v4(&address) ? 96 : 0;
	for (size_t i = 0; i < view->client_count; i++)
		if (network_contains(&view->clients[i], &address) &&
			view->clients[i].prefix_len > longest)
			longest = view->clients[i].prefix_len;
	standing->ranks[CLAIM_NETWORK] = longest;
	standing->ranks[CLAIM_NETWORK + 1] = view->listener_count > 0;
	return longest >= 0 &&
		(view->listener_count == 0 || view->listeners[0] == shown->listener) &&
		!(view->certificate_count && !standing->ranks[CLAIM_CERTIFICATE]) &&
		!(view->token_count && !standing->ranks[CLAIM_TOKEN]) &&
		!(view->path_count && !standing->ranks[CLAIM_PATH]) &&
		!(view->tls_name_count && !standing->ranks[CLAIM_TLS_NAME]);
}

static int compare_standings(const struct standing *a, const struct standing *b)
{
	for (size_t i = 0; i < COUNT(a->ranks); i++)
		if (a->ranks[i] != b->ranks[i])
			return a->ranks[i] < b->ranks[i] ? -1 : 1;
	return 0;
}

static const char *model_fault(const struct random_views *views, const struct shown_text *shown)
{
	bool named = *shown->path == '\0';
	if (shown->token == TOKENS)
		return "unknown token";
	if (shown->token == 2)
		return "expired token";
	for (size_t i = 0; i < views->count; i++)
		for (size_t n = 0; n < views->views[i].path_count; n++)
			named |= strcmp(views->views[i].paths[n], shown->path) == 0;
	return named ? NULL : "unknown path";
}

static void model_say(
	const struct random_views *views, const struct shown_text *shown, char *text, size_t size)
{
	struct standing best;
	const struct view_spec *view = NULL;
	const char *fault = model_fault(views, shown);
	for (size_t i = 0; i < views->count && !fault; i++) {
		struct standing standing;
		if (stands(&views->views[i], shown, &standing) &&
			(!view || compare_standings(&standing, &best) > 0)) {
			view = &views->views[i];
			best = standing;
		}
	}
	if (!view) {
		snprintf(text, size, "%s", fault ? fault : "no view");
		return;
	}
	enum claim_kind kind = 0;
	while (kind < CLAIM_NETWORK && !best.ranks[kind])
		kind++;
	snprintf(text, size, "%s by %s '%s'", view->name, claim_kind_name(kind),
		kind < CLAIM_NETWORK ? best.who[kind] : "");
}

static void claims_of_text(struct client *client, const struct shown_text *shown)
{
	*client = (struct client){ .claims = { .listener = shown->listener,
					   .path = slice_of_text(shown->path),
					   .tls_name = slice_of_text(shown->tls_name),
					   .certificate = client->certificate,
					   .certificate_count = shown->certificate_count,
					   .now_s = NOW_S } };
	for (size_t i = 0; i < shown->certificate_count; i++)
		client->certificate[i] = slice_of_text(shown->certificates[i]);
	memset(client->token, 'a' + shown->token, sizeof client->token);
	if (shown->token >= 0)
		client->claims.token = client->token;
	assert_true(address_parse(&client->claims.client, shown->client));
}

static void draw_shown(struct shown_text *shown)
{
	*shown = (struct shown_text){
		.certificate_count = draw(4),
		.token = (int)draw(TOKENS + 2) - 1,
		.path = paths_shown[draw(4) ? draw(3) : 3],
		.tls_name = tls_shown[draw(COUNT(tls_shown))],
		.client = clients[draw(COUNT(clients))],
		.listener = (uint16_t)draw(LISTENERS),
	};
	for (size_t i = 0; i < shown->certificate_count; i++)
		shown->certificates[i] = certificates_shown[draw(COUNT(certificates_shown))];
}

static void test_model(void **state)
{
	(void)state;
	unsigned by[CLAIM_KINDS] = { 0 };
	for (random_state = 1; random_state <= 400; random_state++) {
		uint64_t seed = random_state;
		struct random_views views;
		draw_views(&views);
		struct policy *policy = build(views.views, views.count);
		for (size_t i = 0; i < 200; i++) {
			struct shown_text shown;
			struct client client;
			char expected[256];
			char text[256];
			draw_shown(&shown);
			claims_of_text(&client, &shown);
			struct admission found = policy_find_view(policy, &client.claims);
			say(policy, &found, text, sizeof text);
			model_say(&views, &shown, expected, sizeof expected);
			by[found.by] += !found.fault;
			if (strcmp(text, expected) != 0)
				fail_msg("seed %llu, %zu: %s, expected %s",
					(unsigned long long)seed, i, text, expected);
		}
		policy_free(policy);
		random_state = seed;
	}
	for (size_t i = 0; i < CLAIM_KINDS; i++)
		assert_true(by[i] > 500); /* every way was gone */
}

/* ---- ties ---- */

/* Is there a client, with a certificate of one name at most, to whom two views stand alike? */
static bool model_tie(const struct view_spec *a, const struct view_spec *b)
{
	struct standing one;
	struct standing other;
	struct shown_text shown;
	size_t most = COUNT(certificates_shown) + 1;
	for (size_t n = 0; n < most * 4 * 4 * 5 * 4 * 2; n++) {
		size_t certificate = n % most;
		size_t rest = n / most;
		shown = (struct shown_text){ .certificate_count = certificate > 0,
			.certificates = { certificate ? certificates_shown[certificate - 1] : "" },
			.token = (int)(rest % 4) - 1,
			.path = paths_shown[rest / 4 % 4],
			.tls_name = tls_shown[rest / 16 % 5],
			.client = clients[rest / 80 % 4],
			.listener = (uint16_t)(rest / 320 % 2) };
		if (stands(a, &shown, &one) && stands(b, &shown, &other) &&
			compare_standings(&one, &other) == 0)
			return true;
	}
	return false;
}

static void test_ties(void **state)
{
	(void)state;
	unsigned counts[2] = { 0 };
	for (random_state = 1; random_state <= 300; random_state++) {
		uint64_t seed = random_state;
		struct random_views views;
		uint16_t a;
		uint16_t b;
		memset(&views, 0, sizeof views);
		for (size_t i = 0; i < 2; i++)
			draw_view(&views, i);
		for (size_t i = 0; i < 2 && draw(4); i++) /* few words, so that they meet */
			views.views[i].token_count = views.views[i].path_count = 0;
		const struct policy_spec spec = { .views = views.views,
			.view_count = 2,
			.tokens = all_tokens(),
			.token_count = TOKENS,
			.listener_count = LISTENERS };
		bool expected = model_tie(&views.views[0], &views.views[1]);
		if (policy_view_tie(&spec, &a, &b, NULL) != expected)
			fail_msg("seed %llu: expected %s", (unsigned long long)seed,
				expected ? "a tie" : "none");
		counts[expected]++;
		random_state = seed;
	}
	assert_true(counts[0] > 20 && counts[1] > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_tls_names),
		cmocka_unit_test(test_many_names),
		cmocka_unit_test(test_faults_of_a_specification),
		cmocka_unit_test(test_token_twice),
		cmocka_unit_test(test_kind_names),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_ties),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
