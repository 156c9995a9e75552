/* Who is asked for which name: a table of what people write, and random routes against the rule of
 * routes.h taken literally. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "proxy/query/routes.h"

static struct dns_name name_of(const char *text)
{
	struct dns_name name, lower;
	assert_true(dns_name_from_text(&name, slice_of_text(text)));
	lower.len = name.len;
	dns_name_lower(lower.wire, name.wire, name.len);
	return lower;
}

static struct route find(const struct routes *routes, uint16_t view, const char *text)
{
	struct dns_name name = name_of(text);
	return routes_find(routes, view, dns_name_slice(&name));
}

enum { VIEW_HOME, VIEW_LAB, VIEW_GUESTS, VIEWS };
static const uint16_t view_groups[VIEWS] = { 0, 1, 2 };

static void test_longest_domain_then_view(void **state)
{
	(void)state;
	const struct dns_name corp[] = { name_of("corp.example"), name_of("10.in-addr.arpa") };
	const struct dns_name deep[] = { name_of("lab.corp.example") };
	const struct dns_name again[] = { name_of("corp.example") };
	const uint16_t lab_only[] = { VIEW_LAB };
	const uint16_t lab_and_guests[] = { VIEW_LAB, VIEW_GUESTS };
	const struct route_config rows[] = {
		{ .domains = corp, .domain_count = 2, .group = 10 },
		{ .domains = deep,
			.domain_count = 1,
			.views = lab_only,
			.view_count = 1,
			.group = 11 },
		{ .domains = again,
			.domain_count = 1,
			.views = lab_and_guests,
			.view_count = 2,
			.group = 12 },
		{ .domains = again, .domain_count = 1, .group = 13 }, /* too late */
	};
	static const struct {
		const char *name;
		uint16_t view;
		uint16_t group;
		bool is_explicit;
	} expected[] = {
		{ "corp.example", VIEW_HOME, 10, true },
		{ "www.corp.example", VIEW_HOME, 10, true },
		{ "a.b.c.corp.example", VIEW_HOME, 10, true },
		{ "xcorp.example", VIEW_HOME, 0, false },
		{ "corp.example.org", VIEW_HOME, 0, false },
		{ "example", VIEW_HOME, 0, false },
		{ ".", VIEW_HOME, 0, false },
		{ ".", VIEW_GUESTS, 2, false },
		{ "www.example", VIEW_LAB, 1, false },
		{ "3.2.1.10.in-addr.arpa", VIEW_HOME, 10, true },
		{ "3.2.1.110.in-addr.arpa", VIEW_HOME, 0, false },
		/* the longer one is not for this view, so the shorter one is */
		{ "x.lab.corp.example", VIEW_HOME, 10, true },
		{ "x.lab.corp.example", VIEW_LAB, 11, true },
		{ "x.lab.corp.example", VIEW_GUESTS, 12, true },
		{ "x.corp.example", VIEW_LAB, 12, true },
		{ "x.corp.example", VIEW_GUESTS, 12, true },
		{ "3.2.1.10.in-addr.arpa", VIEW_LAB, 10, true },
	};
	const struct config config = {
		.routes = rows, .route_count = 4, .view_groups = view_groups
	};
	struct routes *routes = routes_new(&config, 42);
	assert_non_null(routes);
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		struct route found = find(routes, expected[i].view, expected[i].name);
		if (found.group != expected[i].group ||
			found.is_explicit != expected[i].is_explicit)
			fail_msg("%s in view %u: group %u", expected[i].name, expected[i].view,
				found.group);
	}
	routes_free(routes);
}

static void test_without_routes(void **state)
{
	(void)state;
	const struct config config = { .view_groups = view_groups };
	const struct config bare = { 0 };
	struct routes *routes = routes_new(&config, 1);
	assert_int_equal(find(routes, VIEW_GUESTS, "a.example").group, 2);
	assert_false(find(routes, VIEW_GUESTS, "a.example").is_explicit);
	routes_free(routes);
	routes = routes_new(&bare, 1);
	assert_int_equal(find(routes, VIEW_GUESTS, "a.example").group, 0);
	routes_free(routes);
}

/* "." is everybody's last resort, and still a route. */
static void test_root_and_the_longest_names(void **state)
{
	(void)state;
	char text[256] = "";
	for (size_t i = 0; i < DNS_NAME_LABELS_MAX; i++)
		memcpy(text + 2 * i, "a.", 3);
	const struct dns_name domains[] = { name_of("."), name_of(text), name_of("b.") };
	const struct route_config rows[] = {
		{ .domains = domains, .domain_count = 1, .group = 7 },
		{ .domains = domains + 1, .domain_count = 2, .group = 8 },
	};
	const struct config config = { .routes = rows, .route_count = 2 };
	struct routes *routes = routes_new(&config, 3);
	assert_int_equal(find(routes, 0, ".").group, 7);
	assert_true(find(routes, 0, ".").is_explicit);
	assert_int_equal(find(routes, 0, "example").group, 7);
	assert_int_equal(find(routes, 0, text).group, 8);
	assert_int_equal(find(routes, 0, text + 2).group, 7);
	assert_int_equal(find(routes, 0, "x.b").group, 8);
	routes_free(routes);
}

/* --- the model --- */

enum { ROUTES_MAX = 40, DOMAINS_MAX = 5, LABELS = 3, ROUNDS = 400, NAMES = 300, MODEL_VIEWS = 4 };

struct made {
	struct route_config routes[ROUTES_MAX];
	struct dns_name domains[ROUTES_MAX][DOMAINS_MAX];
	uint16_t views[ROUTES_MAX][MODEL_VIEWS];
	size_t count;
};

/* Few words and few labels, so that names meet. */
static struct dns_name random_name(unsigned labels)
{
	static const char *const words[LABELS] = { "a", "bb", "a\\.b" };
	char text[64] = "";
	for (unsigned i = 0; i < labels; i++) {
		strcat(text, words[rand() % LABELS]);
		strcat(text, ".");
	}
	return name_of(*text ? text : ".");
}

static void make_routes(struct made *made)
{
	made->count = (size_t)rand() % ROUTES_MAX;
	for (size_t i = 0; i < made->count; i++) {
		struct route_config *route = &made->routes[i];
		*route = (struct route_config){ .domains = made->domains[i],
			.domain_count = 1 + (size_t)rand() % DOMAINS_MAX,
			.views = made->views[i],
			.group = (uint16_t)(100 + i) };
		for (size_t j = 0; j < route->domain_count; j++)
			made->domains[i][j] = random_name((unsigned)rand() % 5);
		for (uint16_t view = 0; view < MODEL_VIEWS && rand() % 2; view++)
			made->views[i][route->view_count++] = (uint16_t)(rand() % MODEL_VIEWS);
	}
}

static bool names_view(const struct route_config *route, uint16_t view)
{
	for (size_t i = 0; i < route->view_count; i++)
		if (route->views[i] == view)
			return true;
	return false;
}

static struct route model_find(const struct made *made, uint16_t view, struct slice name)
{
	struct route best = { .group = view_groups[view % VIEWS] };
	size_t best_rank = 0;
	for (size_t i = 0; i < made->count; i++) {
		const struct route_config *route = &made->routes[i];
		bool named = names_view(route, view);
		for (size_t j = 0; j < route->domain_count; j++) {
			size_t rank = 2u * route->domains[j].len + named;
			if ((!named && route->view_count > 0) || rank <= best_rank ||
				!dns_name_is_under(name, dns_name_slice(&route->domains[j])))
				continue;
			best = (struct route){ route->group, true };
			best_rank = rank;
		}
	}
	return best;
}

static void test_model(void **state)
{
	(void)state;
	static struct made made;
	static const uint16_t groups[MODEL_VIEWS] = { 0, 1, 2, 0 };
	unsigned by_route = 0;
	srand(1);
	for (unsigned round = 0; round < ROUNDS; round++) {
		make_routes(&made);
		const struct config config = {
			.routes = made.routes, .route_count = made.count, .view_groups = groups
		};
		struct routes *routes = routes_new(&config, round);
		for (unsigned i = 0; i < NAMES; i++) {
			struct dns_name name = random_name((unsigned)rand() % 7);
			uint16_t view = (uint16_t)(rand() % MODEL_VIEWS);
			struct route found = routes_find(routes, view, dns_name_slice(&name));
			struct route wanted = model_find(&made, view, dns_name_slice(&name));
			char text[DNS_NAME_TEXT_MAX];
			if (found.group != wanted.group || found.is_explicit != wanted.is_explicit)
				fail_msg("round %u, %s in view %u: group %u, not %u", round,
					dns_name_text(dns_name_slice(&name), text), view,
					found.group, wanted.group);
			by_route += found.is_explicit;
		}
		routes_free(routes);
	}
	assert_in_range(by_route, ROUNDS * NAMES / 10, ROUNDS * NAMES * 99 / 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_longest_domain_then_view),
		cmocka_unit_test(test_without_routes),
		cmocka_unit_test(test_root_and_the_longest_names),
		cmocka_unit_test(test_model),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
