/* expect_gate.h - do the expectations let these lists come into force? Asked by lists_load(),
 * behind the guards of each list.
 *
 * With a configuration that is new, all of them must hold. When only lists are new, one that fails
 * with the lists in force as well is not their fault (it may be the time of the day): then those
 * that hold now must hold still.
 *
 * What was in force last, configuration and lists, may come again: all of them held when it came
 * first, so it is the clock by which one fails now, and a restart at night must not end with
 * nothing. That is a warning. */
#ifndef PROXY_EXPECT_GATE_H
#define PROXY_EXPECT_GATE_H

#include "proxy/lists/lists.h"

struct expect_gate {
	const struct config *config;
	const struct policy *before;  /* in force, of the same configuration; NULL: none */
	const char *known;            /* hash of the policy that was in force last; NULL: none */
	struct config_errors *errors; /* told when it is the last word */
	int64_t now_s;
};

/* For lists_options.holds; `gate` is a struct expect_gate. */
bool expect_gate_holds(
	void *gate, const struct lists *lists, bool is_last, char why[FETCH_WHY_MAX]);

#endif
