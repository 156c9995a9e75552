/* What a configuration can need, and what is told when it does not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include <string.h>
#include <sys/resource.h>

#include "proxy/descriptors.h"

static const struct upstream_config plain[] = { { .name = "a" }, { .name = "b" } };
static const struct upstream_config encrypted[] = { { .name = "a", .protocol = UPSTREAM_DOT },
	{ .name = "b", .protocol = UPSTREAM_DOH } };
static const struct listener_config listeners[] = { { .kind = LISTENER_DNS },
	{ .kind = LISTENER_DOH } };

static struct config config_of(unsigned connections, const struct upstream_config *upstreams)
{
	return (struct config){ .limits = { .connections = connections, .pressure = 90 },
		.upstreams = upstreams,
		.upstream_count = upstreams ? 2 : 0,
		.listeners = listeners,
		.listener_count = 2 };
}

static void test_each_worker_has_its_own(void **state)
{
	struct config config = config_of(1000, plain);
	struct descriptors one = descriptors_needed(&config, 1, 20000);
	struct descriptors four = descriptors_needed(&config, 4, 20000);
	(void)state;
	assert_int_equal(one.connections, 1000);
	assert_int_equal(four.connections, 1000); /* of the program */
	assert_int_equal(four.upstreams, 4 * one.upstreams);
	assert_true(four.others > one.others && four.others < 4 * one.others);
	config.upstreams = encrypted;
	assert_true(descriptors_needed(&config, 1, 20000).upstreams < one.upstreams);
	config.upstream_count = 0; /* the system's resolvers */
	assert_true(descriptors_needed(&config, 1, 20000).upstreams > one.upstreams);
}

/* Where no number is given, as many as fit. */
static void test_default(void **state)
{
	const struct config config = config_of(0, plain);
	const struct config given = config_of(1, plain);
	const struct descriptors least = descriptors_needed(&given, 2, 0);
	size_t beside = descriptors_sum(&least) - 1;
	const struct {
		size_t limit, connections;
		bool fits;
	} rows[] = {
		{ SIZE_MAX, CONFIG_CONNECTIONS, true },
		{ beside + CONFIG_CONNECTIONS, CONFIG_CONNECTIONS, true },
		{ beside + CONFIG_CONNECTIONS - 1, CONFIG_CONNECTIONS - 1, true },
		{ beside + 16, 16, true },
		{ beside + 15, 16, false },
		{ beside, 16, false },
		{ 0, 16, false },
	};
	(void)state;
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct descriptors need = descriptors_needed(&config, 2, rows[i].limit);
		assert_int_equal(need.connections, rows[i].connections);
		assert_int_equal(descriptors_fit(&need, rows[i].limit), rows[i].fits);
	}
}

static void test_wanted(void **state)
{
	struct config config = config_of(1000, encrypted);
	struct descriptors need = descriptors_needed(&config, 1, 20000);
	size_t sum = descriptors_sum(&need);
	(void)state;
	/* So that what is needed is no pressure. */
	assert_true(descriptors_wanted(&need, &config.limits, 20000) * 90 / 100 >= sum);
	assert_true(descriptors_wanted(&need, &config.limits, 20000) < sum * 2);
	assert_int_equal(descriptors_wanted(&need, &config.limits, sum), sum);
}

static void test_explained(void **state)
{
	const struct {
		unsigned connections, workers;
		size_t limit;
		const char *says;
	} rows[] = {
		{ 30000, 1, 20000, "limits.connections = 30000 needs " },
		{ 30000, 1, 20000,
			"the limit is 20000: raise it (LimitNOFILE, ulimit -n), or set "
			"limits.connections to 19" },
		{ 100, 200, 1024, "or have fewer upstreams or workers" },
	};
	(void)state;
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct config config = config_of(rows[i].connections, plain);
		struct descriptors need =
			descriptors_needed(&config, rows[i].workers, rows[i].limit);
		char text[DESCRIPTORS_TEXT_MAX];
		struct writer to = writer_of(text, sizeof text - 1);
		assert_false(descriptors_fit(&need, rows[i].limit));
		descriptors_explain(&to, &need, rows[i].limit);
		assert_false(to.failed);
		text[to.len] = '\0';
		assert_non_null(strstr(text, rows[i].says));
	}
}

/* Up, never down; the hard limit stays. */
static void test_raise(void **state)
{
	struct rlimit before, limit;
	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	assert_true(descriptors_hard_limit() >= before.rlim_cur);
	limit = before;
	limit.rlim_cur = 100;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	descriptors_raise(200);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(limit.rlim_cur, 200);
	descriptors_raise(150);
	descriptors_raise(0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(limit.rlim_cur, 200);
	assert_int_equal(limit.rlim_max, before.rlim_max);
	descriptors_raise(SIZE_MAX);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(limit.rlim_cur, before.rlim_max);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_worker_has_its_own),
		cmocka_unit_test(test_default),
		cmocka_unit_test(test_wanted),
		cmocka_unit_test(test_explained),
		cmocka_unit_test(test_raise),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
