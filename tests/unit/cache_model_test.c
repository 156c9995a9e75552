/* cache_model_test.c - the cache against the naive map that it stands for: every key with its two
 * facts and their times. With room for everything, the cache says exactly what the map says, over
 * all states, ages and back-offs; without, it may have forgotten, and nothing else. Time goes on by
 * seconds, jumps to ends, and passes 2^32. */
#include "proxy/cache/cache.h"

#include "tests/unit/cache_fixture.h"

enum {
	NAMES = 300,
	TYPES = 4, /* the first is CACHE_ANY_TYPE */
	FLAGS = 4,
	GROUPS = 2,
	KEYS = NAMES * FLAGS * GROUPS * TYPES,
};

struct fact {
	bool exists;
	bool is_failure;
	uint64_t version; /* of the value */
	int64_t stored_s, expires_s, retry_s, refresh_s;
	unsigned hits, failures;
};

static struct fact facts[KEYS];
static uint64_t random_state;

static uint64_t draw(uint64_t below)
{
	return fixture_mix(random_state++) % below;
}

/* --- the model --- */

struct model {
	struct cache_settings settings;
	unsigned pace; /* in how many of 1000 operations time goes on */
	int64_t now_s;
	uint32_t base_s; /* the cache's clock is behind or ahead by that, modulo 2^32 */
};

static enum cache_state state_of(const struct model *model, const struct fact *fact)
{
	if (!fact->exists)
		return CACHE_MISS;
	if (model->now_s < fact->expires_s)
		return fact->is_failure ? CACHE_FAILED : CACHE_FRESH;
	if (!fact->is_failure && model->now_s < fact->expires_s + model->settings.stale_s)
		return CACHE_STALE;
	return CACHE_MISS;
}

static struct fact *any_of(struct fact *fact)
{
	return &facts[(fact - facts) / TYPES * TYPES];
}

static struct fact *choose(const struct model *model, struct fact *own, enum cache_state *state)
{
	struct fact *any = any_of(own);
	*state = state_of(model, own);
	if (any == own || *state == CACHE_FRESH)
		return own;
	enum cache_state others = state_of(model, any);
	if (others != CACHE_FRESH && others != CACHE_STALE)
		return own;
	*state = others;
	return any;
}

static void model_put(const struct model *model, struct fact *own, uint64_t version, uint32_t ttl_s)
{
	if (any_of(own) != own)
		any_of(own)->exists = false;
	if (ttl_s == 0) {
		own->exists = own->exists && !own->is_failure;
		if (own->expires_s > model->now_s)
			own->expires_s = model->now_s;
		return;
	}
	*own = (struct fact){ .exists = true,
		.version = version,
		.stored_s = model->now_s,
		.expires_s = model->now_s + ttl_s,
		.retry_s = model->now_s,
		.refresh_s = model->now_s };
}

static void model_back_off(const struct model *model, struct fact *fact, uint32_t most_s)
{
	if (fact->failures > 0 && fact->retry_s > model->now_s)
		return;
	if (model->now_s - fact->retry_s >= CACHE_FAIL_MOST_S)
		fact->failures = 0;
	uint64_t wait_s = (uint64_t)CACHE_FAIL_FIRST_S << fact->failures++;
	wait_s = wait_s < most_s ? wait_s : most_s;
	fact->retry_s = model->now_s + (int64_t)(wait_s < 300 ? wait_s : 300);
}

static void model_fail(
	const struct model *model, struct fact *own, uint64_t version, uint32_t most_s)
{
	enum cache_state state;
	struct fact *fact = choose(model, own, &state);
	if (state != CACHE_MISS) {
		model_back_off(model, fact, most_s);
		return;
	}
	struct fact failure = { .exists = true,
		.is_failure = true,
		.version = version,
		.stored_s = model->now_s,
		.refresh_s = model->now_s,
		.retry_s = own->exists ? own->retry_s : model->now_s,
		.failures = own->exists ? own->failures : 0 };
	model_back_off(model, &failure, most_s);
	failure.expires_s = failure.retry_s;
	*own = failure;
}

static bool model_refresh(const struct model *model, struct fact *fact)
{
	int64_t left_s = fact->expires_s - model->now_s;
	int64_t lifetime_s = fact->expires_s - fact->stored_s;
	if (fact->hits < 2 || left_s * 100 > lifetime_s * model->settings.refresh_percent)
		return false;
	if ((fact->failures > 0 && fact->retry_s > model->now_s) || fact->refresh_s > model->now_s)
		return false;
	fact->refresh_s = model->now_s + 5;
	return true;
}

/* --- comparing --- */

static struct cache_key key_of(const struct fact *fact, struct dns_name *room)
{
	static const uint16_t types[TYPES] = { CACHE_ANY_TYPE, 1, 28, 65 };
	uint64_t number = (uint64_t)(fact - facts);
	fixture_name(room, number / TYPES / GROUPS / FLAGS);
	return (struct cache_key){
		.name = dns_name_slice(room),
		.type = types[number % TYPES],
		.class = 1,
		.flags = (uint8_t)(number / TYPES / GROUPS % FLAGS),
		.group = 0xfffffff0u + (uint32_t)(number / TYPES % GROUPS),
	};
}

static void check_find_exact(struct cache *cache, const struct model *model, struct fact *own)
{
	static uint8_t buffer[DNS_PACKED_MAX];
	struct dns_name room;
	struct cache_key key = key_of(own, &room);
	enum cache_state state;
	struct fact *fact = choose(model, own, &state);
	struct cache_hit hit;
	cache_find(cache, &key, model->base_s + (uint32_t)model->now_s, buffer, &hit);
	assert_int_equal(hit.state, state);
	if (state == CACHE_MISS) {
		assert_int_equal(hit.value.len, 0);
		return;
	}
	fact->hits++;
	assert_true(fixture_is_value(hit.value, fact->version));
	assert_int_equal(hit.age_s, model->now_s - fact->stored_s);
	assert_int_equal(hit.refresh, state == CACHE_FRESH && model_refresh(model, fact));
	assert_int_equal(hit.retry_later,
		state == CACHE_STALE && fact->failures > 0 && fact->retry_s > model->now_s);
}

/* The cache may have forgotten either fact: but what it gives is a fact, and in its time. */
static void check_find_sound(struct cache *cache, const struct model *model, struct fact *own)
{
	static uint8_t buffer[DNS_PACKED_MAX];
	struct dns_name room;
	struct cache_key key = key_of(own, &room);
	struct cache_hit hit;
	cache_find(cache, &key, model->base_s + (uint32_t)model->now_s, buffer, &hit);
	if (hit.state == CACHE_MISS)
		return;
	struct fact *any = any_of(own);
	const struct fact *fact = fixture_is_value(hit.value, own->version) ? own : any;
	assert_true(fixture_is_value(hit.value, fact->version));
	assert_true(fact->exists);
	if (hit.state == CACHE_FAILED) {
		assert_true(fact->is_failure);
		assert_true(hit.age_s < CACHE_FAIL_MOST_S);
		return;
	}
	assert_false(fact->is_failure);
	assert_int_equal(hit.age_s, model->now_s - fact->stored_s);
	assert_int_equal(hit.state, state_of(model, fact));
}

/* In a cache without room a failure may be kept where the map knows an answer: then that is what
 * the map is told as well. */
static void fail_sound(struct cache *cache, struct model *model, struct fact *own,
	const struct cache_key *key, uint64_t version, uint32_t most_s)
{
	static uint8_t buffer[DNS_PACKED_MAX];
	static uint8_t value[FIXTURE_VALUE_MAX];
	uint32_t now_s = model->base_s + (uint32_t)model->now_s;
	struct cache_hit hit;
	cache_fail(cache, key, fixture_value(value, version), most_s, now_s);
	cache_find(cache, key, now_s, buffer, &hit);
	if (hit.state == CACHE_FAILED && fixture_is_value(hit.value, version))
		*own = (struct fact){ .exists = true, .is_failure = true, .version = version };
}

/* --- running --- */

static void pass_time(struct model *model)
{
	uint64_t chance = draw(1000);
	if (chance < model->pace)
		model->now_s += (int64_t)draw(3);
	else if (chance < model->pace * 5 / 4) { /* just around an end */
		const struct fact *fact = &facts[draw(KEYS)];
		int64_t ends[] = { fact->expires_s, fact->expires_s + model->settings.stale_s,
			fact->retry_s };
		int64_t to = ends[draw(3)] - 1 + (int64_t)draw(3);
		if (to > model->now_s && to < model->now_s + 1000)
			model->now_s = to;
	}
}

static uint32_t draw_ttl(void)
{
	static const uint32_t ttls[] = { 0, 1, 2, 5, 30, 60, 60, 300, 300, 3600, 86400 };
	return ttls[draw(sizeof ttls / sizeof *ttls)];
}

static void flush_some(struct cache *cache, const struct model *model, bool exact)
{
	struct dns_name name;
	uint64_t number = draw(NAMES);
	bool below = draw(8) == 0;
	size_t visible = 0;
	size_t all = 0;
	fixture_name(&name, number);
	struct slice wire = dns_name_slice(&name);
	if (below) /* without the first label */
		wire = slice_of(wire.at + wire.at[0] + 1, wire.len - wire.at[0] - 1u);
	for (size_t i = 0; i < KEYS; i++) {
		struct dns_name room;
		struct slice own = key_of(&facts[i], &room).name;
		if (!(below ? dns_name_is_under(own, wire) : dns_name_equals(own, wire)))
			continue;
		visible += state_of(model, &facts[i]) != CACHE_MISS;
		all += facts[i].exists;
		facts[i].exists = false;
	}
	size_t flushed = cache_flush(cache, wire, below);
	/* What nobody would get any more counts too, if it is still there. */
	assert_true(flushed <= all);
	if (exact)
		assert_true(flushed >= visible);
}

static void run(struct model *model, size_t operations, bool exact)
{
	static uint8_t value[FIXTURE_VALUE_MAX];
	struct cache *cache = cache_new(&model->settings);
	struct cache_stats stats;
	assert_non_null(cache);
	memset(facts, 0, sizeof facts);
	for (uint64_t i = 1; i <= operations; i++) {
		struct fact *own = &facts[draw(2) ? draw(KEYS) : draw(KEYS / 16)];
		struct dns_name room;
		struct cache_key key = key_of(own, &room);
		uint32_t now_s = model->base_s + (uint32_t)model->now_s;
		uint64_t chance = draw(100000);
		if (chance < 60000) {
			(exact ? check_find_exact : check_find_sound)(cache, model, own);
		} else if (chance < 90000) {
			uint32_t ttl_s = draw_ttl();
			cache_put(cache, &key, fixture_value(value, i), ttl_s, now_s);
			model_put(model, own, i, ttl_s);
		} else if (chance < 99980) {
			uint32_t most_s = draw(10) ? 300 : (uint32_t)draw(20);
			if (exact) {
				cache_fail(cache, &key, fixture_value(value, i), most_s, now_s);
				model_fail(model, own, i, most_s);
			} else {
				fail_sound(cache, model, own, &key, i, most_s);
			}
		} else {
			flush_some(cache, model, exact);
		}
		pass_time(model);
	}
	cache_stats(cache, &stats);
	assert_int_equal(stats.contended, 0);
	if (exact)
		assert_int_equal(stats.evicted, 0);
	else
		assert_true(stats.evicted > 1000);
	cache_free(cache);
}

static void test_with_room_it_is_the_map(void **state)
{
	(void)state;
	struct model model = {
		.settings = { .size = 32 << 20, .stale_s = 600, .refresh_percent = 10, .salt = 1 },
		.pace = 20,
		.base_s = 0xffffffffu - 2000,
	};
	random_state = 1;
	run(&model, 400000, true);
}

static void test_without_stale_and_refresh(void **state)
{
	(void)state;
	struct model model = { .settings = { .size = 32 << 20, .salt = 2 }, .pace = 20 };
	random_state = 1000000000;
	run(&model, 300000, true);
}

static void test_without_room_it_only_forgets(void **state)
{
	(void)state;
	struct model model = {
		.settings = { .size = 1 << 20, .stale_s = 60, .refresh_percent = 50, .salt = 3 },
		.pace = 1,
		.base_s = 0x7fffffffu - 2000,
	};
	random_state = 2000000000;
	run(&model, 1000000, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_with_room_it_is_the_map),
		cmocka_unit_test(test_without_stale_and_refresh),
		cmocka_unit_test(test_without_room_it_only_forgets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
