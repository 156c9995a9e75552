/* Connections of all workers: limits by address, prefix and handshakes; a model; threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/front/crowd.h"

static const struct crowd_limits generous = { .prefix_v4 = 24, .prefix_v6 = 48 };

static struct address of(const char *text)
{
	struct address address;
	assert_true(address_parse(&address, text));
	return address;
}

static enum crowd_word come(struct crowd *crowd, const struct crowd_limits *limits,
	const char *client, bool shakes_hands, struct crowd_place *place)
{
	struct address address = of(client);
	*place = (struct crowd_place){ 0 };
	assert_true(crowd_enter(crowd));
	enum crowd_word word = crowd_claim(crowd, limits, &address, shakes_hands, place);
	if (word != CROWD_WELCOME)
		crowd_leave(crowd, place);
	return word;
}

static void test_capacity(void **state)
{
	(void)state;
	struct crowd *crowd = crowd_new(3);
	struct crowd_place nowhere = { 0 };
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 3; i++)
			assert_true(crowd_enter(crowd));
		assert_false(crowd_enter(crowd));
		assert_int_equal(crowd_count(crowd), 3);
		for (unsigned i = 0; i < 3; i++)
			crowd_leave(crowd, &nowhere);
	}
	assert_int_equal(crowd_count(crowd), 0);
	crowd_free(crowd);
}

/* Each row comes after the ones before; what is refused is not counted. */
static void test_limits(void **state)
{
	static const struct {
		const char *client;
		bool shakes_hands;
		enum crowd_word word;
	} rows[] = {
		{ "192.0.2.1", false, CROWD_WELCOME }, { "192.0.2.1", true, CROWD_WELCOME },
		{ "192.0.2.1", true, CROWD_HANDSHAKES_FULL }, { "192.0.2.1", false, CROWD_WELCOME },
		{ "192.0.2.1", false, CROWD_ADDRESS_FULL },
		{ "192.0.2.2", true, CROWD_WELCOME }, /* 4 of the prefix */
		{ "192.0.2.3", false, CROWD_WELCOME }, { "192.0.2.4", false, CROWD_PREFIX_FULL },
		{ "192.0.3.4", false, CROWD_WELCOME }, /* the one beside is not */
		{ "192.0.1.255", false, CROWD_WELCOME },
		{ "2001:db8::1", false, CROWD_WELCOME }, /* a /64 is one client */
		{ "2001:db8::2", false, CROWD_WELCOME },
		{ "2001:db8::ffff:ffff:ffff:ffff", false, CROWD_WELCOME },
		{ "2001:db8::3", false, CROWD_ADDRESS_FULL },
		{ "2001:db8:0:1::1", false, CROWD_WELCOME },
		{ "2001:db8:0:ffff::1", false, CROWD_WELCOME },
		{ "2001:db8:0:2::1", false, CROWD_PREFIX_FULL },
		{ "2001:db8:1::1", false, CROWD_WELCOME },
		{ "::c000:201", false, CROWD_WELCOME }, /* not 192.0.2.1 */
	};
	static const struct crowd_limits limits = { .per_address = 3,
		.handshakes_per_address = 1,
		.per_prefix = 5,
		.prefix_v4 = 24,
		.prefix_v6 = 48 };
	enum { COUNT = sizeof rows / sizeof *rows };
	struct crowd *crowd = crowd_new(COUNT);
	struct crowd_place places[COUNT];
	(void)state;
	for (unsigned round = 0; round < 2; round++) { /* who left was forgotten */
		for (unsigned i = 0; i < COUNT; i++)
			assert_int_equal(come(crowd, &limits, rows[i].client, rows[i].shakes_hands,
						 &places[i]),
				rows[i].word);
		for (unsigned i = 0; i < COUNT; i++)
			if (rows[i].word == CROWD_WELCOME)
				crowd_leave(crowd, &places[i]);
		assert_int_equal(crowd_count(crowd), 0);
	}
	crowd_free(crowd);
}

static void test_handshakes_end(void **state)
{
	static const struct crowd_limits limits = {
		.handshakes_per_address = 2, .prefix_v4 = 24, .prefix_v6 = 48
	};
	struct crowd *crowd = crowd_new(8);
	struct crowd_place a, b, c;
	(void)state;
	assert_int_equal(come(crowd, &limits, "10.0.0.1", true, &a), CROWD_WELCOME);
	assert_int_equal(come(crowd, &limits, "10.0.0.1", true, &b), CROWD_WELCOME);
	assert_int_equal(come(crowd, &limits, "10.0.0.1", true, &c), CROWD_HANDSHAKES_FULL);
	crowd_settle(crowd, &a);
	crowd_settle(crowd, &a); /* once is enough */
	assert_int_equal(come(crowd, &limits, "10.0.0.1", true, &c), CROWD_WELCOME);
	crowd_leave(crowd, &b); /* in the middle of one */
	assert_int_equal(come(crowd, &limits, "10.0.0.1", true, &b), CROWD_WELCOME);
	assert_int_equal(crowd_count_at(crowd, &a), 3);
	crowd_leave(crowd, &a);
	crowd_leave(crowd, &b);
	crowd_leave(crowd, &c);
	assert_int_equal(crowd_count(crowd), 0);
	crowd_free(crowd);
}

/* Limits that a reload brings: who came before is not forgotten, nor counted where nobody was. */
static void test_limits_change(void **state)
{
	const struct crowd_limits narrow = { .per_prefix = 1, .prefix_v4 = 24, .prefix_v6 = 48 };
	const struct crowd_limits wide = { .per_prefix = 1, .prefix_v4 = 16, .prefix_v6 = 48 };
	struct crowd *crowd = crowd_new(4);
	struct crowd_place a, b, c, d;
	(void)state;
	assert_int_equal(come(crowd, &generous, "10.0.0.1", false, &a), CROWD_WELCOME);
	assert_int_equal(come(crowd, &narrow, "10.0.0.2", false, &b), CROWD_WELCOME);
	assert_int_equal(come(crowd, &narrow, "10.0.0.3", false, &c), CROWD_PREFIX_FULL);
	assert_int_equal(come(crowd, &wide, "10.0.0.3", false, &c), CROWD_WELCOME);
	assert_int_equal(come(crowd, &wide, "10.0.1.3", false, &d), CROWD_PREFIX_FULL);
	crowd_leave(crowd, &a);
	crowd_leave(crowd, &b);
	assert_int_equal(come(crowd, &narrow, "10.0.0.2", false, &b), CROWD_WELCOME);
	crowd_leave(crowd, &b);
	crowd_leave(crowd, &c);
	crowd_free(crowd);
}

static void test_excess(void **state)
{
	static const struct {
		size_t capacity;
		unsigned percent;
		size_t count, excess;
	} rows[] = {
		{ 100, 90, 90, 0 },
		{ 100, 90, 91, 1 },
		{ 100, 90, 100, 10 },
		{ 100, 100, 100, 0 },
		{ 1, 90, 1, 0 }, /* the line is rounded up: one may be there */
		{ 3, 50, 2, 0 },
		{ 3, 50, 3, 1 },
	};
	struct crowd_place nowhere = { 0 };
	(void)state;
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct crowd *crowd = crowd_new(rows[i].capacity);
		for (size_t k = 0; k < rows[i].count; k++)
			assert_true(crowd_enter(crowd));
		assert_int_equal(crowd_excess(crowd, rows[i].percent), rows[i].excess);
		for (size_t k = 0; k < rows[i].count; k++)
			crowd_leave(crowd, &nowhere);
		crowd_free(crowd);
	}
}

/* 20,000 arrivals and departures of 40 clients in 8 prefixes, beside plain arrays. */
static void test_model(void **state)
{
	enum { CAPACITY = 64, CLIENTS = 40, PREFIXES = 8, STEPS = 20000 };
	static const struct crowd_limits limits = { .per_address = 5,
		.handshakes_per_address = 2,
		.per_prefix = 12,
		.prefix_v4 = 24,
		.prefix_v6 = 48 };
	struct {
		struct crowd_place place;
		unsigned client;
		bool here, shakes;
	} conns[CAPACITY] = { 0 };
	unsigned count[CLIENTS] = { 0 }, shaking[CLIENTS] = { 0 }, prefix[PREFIXES] = { 0 };
	struct crowd *crowd = crowd_new(CAPACITY);
	unsigned random = 1;
	(void)state;
	for (unsigned step = 0; step < STEPS; step++) {
		random = random * 1103515245 + 12345;
		unsigned at = random >> 16 & (CAPACITY - 1), client = random / 7 % CLIENTS;
		bool shakes = random >> 9 & 1;
		if (conns[at].here && shakes && conns[at].shakes) {
			crowd_settle(crowd, &conns[at].place);
			conns[at].shakes = false;
			shaking[conns[at].client]--;
		} else if (conns[at].here) {
			unsigned was = conns[at].client;
			assert_int_equal(crowd_count_at(crowd, &conns[at].place), count[was]);
			crowd_leave(crowd, &conns[at].place);
			conns[at].here = false;
			count[was]--;
			shaking[was] -= conns[at].shakes;
			prefix[was % PREFIXES]--;
		} else {
			char text[32];
			snprintf(text, sizeof text, "10.0.%u.%u", client % PREFIXES, client);
			enum crowd_word word = CROWD_WELCOME;
			if (count[client] == 5)
				word = CROWD_ADDRESS_FULL;
			else if (shakes && shaking[client] == 2)
				word = CROWD_HANDSHAKES_FULL;
			else if (prefix[client % PREFIXES] == 12)
				word = CROWD_PREFIX_FULL;
			assert_int_equal(
				come(crowd, &limits, text, shakes, &conns[at].place), word);
			if (word != CROWD_WELCOME)
				continue;
			conns[at].here = true;
			conns[at].client = client;
			conns[at].shakes = shakes;
			count[client]++;
			shaking[client] += shakes;
			prefix[client % PREFIXES]++;
		}
	}
	for (unsigned i = 0; i < CAPACITY; i++)
		if (conns[i].here)
			crowd_leave(crowd, &conns[i].place);
	assert_int_equal(crowd_count(crowd), 0);
	crowd_free(crowd);
}

/* One call, one that hears it. */
static void test_call(void **state)
{
	struct crowd *crowd = crowd_new(1);
	(void)state;
	assert_false(crowd_hear(crowd));
	crowd_call(crowd);
	crowd_call(crowd);
	assert_true(crowd_hear(crowd));
	assert_false(crowd_hear(crowd));
	crowd_free(crowd);
}

enum { THREADS = 4, ROUNDS = 5000 };

static void *visit(void *argument)
{
	static const struct crowd_limits limits = {
		.per_address = 2, .per_prefix = 3, .prefix_v4 = 24, .prefix_v6 = 48
	};
	struct crowd *crowd = argument;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct crowd_place place = { 0 };
		struct address client = of(i % 3 ? "10.0.0.1" : "10.0.0.2");
		if (!crowd_enter(crowd))
			continue;
		if (crowd_claim(crowd, &limits, &client, i % 2, &place) == CROWD_WELCOME &&
			crowd_count_at(crowd, &place) > 2)
			return argument;
		crowd_leave(crowd, &place);
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[THREADS];
	struct crowd *crowd = crowd_new(3);
	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, visit, crowd), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		void *failed;
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	assert_int_equal(crowd_count(crowd), 0);
	crowd_free(crowd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_capacity),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_handshakes_end),
		cmocka_unit_test(test_limits_change),
		cmocka_unit_test(test_excess),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_call),
		cmocka_unit_test(test_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
