#include "proxy/upstream/idle_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* What happens, one after the other, and the limit after it. */
enum event { PEER, OWN, TOLD };

static void one_step_at_a_time(void **state)
{
	(void)state;
	const struct {
		enum event event;
		uint32_t ms;
		uint32_t limit_ms;
	} rows[] = {
		{ PEER, 8000, 6400 },
		{ PEER, 30000, 6400 }, /* it had more patience this time: no reason to have less */
		{ PEER, 10, 3200 },    /* once: not more than by half */
		{ PEER, 10, 1600 },
		{ PEER, 10, 1000 },
		{ PEER, 0, 1000 },
		{ OWN, 0, 1050 },
		{ OWN, 0, 1102 },
		{ TOLD, 30000, 24000 },
		{ OWN, 0, 24000 }, /* as much as was said */
		{ PEER, 20000, 16000 },
		{ TOLD, 30000, 16000 }, /* nothing new */
		{ OWN, 0, 16800 },
		{ TOLD, 100, 1000 },
		{ TOLD, 6553500, 60000 },
		{ OWN, 0, 60000 },
		{ PEER, 59000, 47200 },
	};
	struct idle_limit limit;
	idle_limit_init(&limit);
	assert_int_equal(limit.limit_ms, IDLE_LIMIT_START_MS);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		switch (rows[i].event) {
		case PEER: idle_limit_on_peer_close(&limit, rows[i].ms); break;
		case OWN: idle_limit_on_own_close(&limit); break;
		case TOLD: idle_limit_on_told(&limit, rows[i].ms); break;
		}
		assert_int_equal(limit.limit_ms, rows[i].limit_ms);
	}
}

/* However long it goes on, with a peer that closes after so long: we are first most of the time. */
static void we_are_first(void **state)
{
	(void)state;
	for (uint32_t patience_ms = 2000; patience_ms <= 100000; patience_ms += 777) {
		struct idle_limit limit;
		unsigned late = 0;
		idle_limit_init(&limit);
		for (unsigned i = 0; i < 1000; i++) {
			assert_true(limit.limit_ms >= IDLE_LIMIT_MIN_MS);
			assert_true(limit.limit_ms <= IDLE_LIMIT_MAX_MS);
			if (limit.limit_ms < patience_ms) {
				idle_limit_on_own_close(&limit);
			} else {
				idle_limit_on_peer_close(&limit, patience_ms);
				late++;
			}
		}
		assert_true(late <= 210);
		assert_true(limit.limit_ms >= patience_ms / 2 ||
			limit.limit_ms >= IDLE_LIMIT_MAX_MS * 3 / 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_step_at_a_time),
		cmocka_unit_test(we_are_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
