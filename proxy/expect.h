/* expect.h - judges the expectations of a configuration by the policy that was made of it, as
 * traffic would be judged. Reads no file and no clock. */
#ifndef PROXY_EXPECT_H
#define PROXY_EXPECT_H

#include "proxy/config.h"
#include "rules/policy.h"

enum { EXPECT_MESSAGE_MAX = 2048 };

/* One that is judged again and again: schedules are looked at once for each moment. */
struct expect_judge {
	const struct config *config;
	const struct policy *policy;
	int64_t now_s; /* of expectations that name no moment */
	uint64_t schedules_now;
};

void expect_judge_init(struct expect_judge *judge, const struct config *config,
	const struct policy *policy, int64_t now_s);

/* Does the one at `index` hold? If not, what was expected and what came instead: the verdict, by
 * which rule, list and entry, and at which name of the answer. `message` may be NULL. */
bool expect_holds(const struct expect_judge *judge, size_t index, char message[EXPECT_MESSAGE_MAX]);

/* Judges all; each that fails is an error at its own place. True when all hold. */
bool expect_all_hold(const struct expect_judge *judge, struct config_errors *errors);

#endif
