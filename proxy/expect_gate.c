#include "proxy/expect_gate.h"

#include <stdio.h>

#include "base/log.h"
#include "proxy/expect.h"
#include "proxy/policy_load.h"

enum { FAILURES_LOGGED = 10 };

/* Judges by what is new, and by what is in force. */
struct passage {
	const struct expect_gate *gate;
	struct expect_judge now;
	struct expect_judge before;
};

static void begin(
	struct passage *passage, const struct expect_gate *gate, const struct policy *policy)
{
	passage->gate = gate;
	expect_judge_init(&passage->now, gate->config, policy, gate->now_s);
	if (gate->before)
		expect_judge_init(&passage->before, gate->config, gate->before, gate->now_s);
}

/* Does it fail, and would not with what is in force? */
static bool is_broken(const struct passage *passage, size_t index, char message[EXPECT_MESSAGE_MAX])
{
	return !expect_holds(&passage->now, index, message) &&
		(!passage->gate->before || expect_holds(&passage->before, index, NULL));
}

static void tell(const struct expect_gate *gate, size_t index, const char *message, bool is_last,
	unsigned failures)
{
	const struct expect_config *expect = &gate->config->expects[index];
	char path[32];
	snprintf(path, sizeof path, "expect[%zu]", index);
	if (is_last) {
		gate->errors->count++;
		gate->errors->on_error(
			gate->errors->context, expect->file, expect->line, path, message);
	} else if (failures <= FAILURES_LOGGED) {
		log_warning("lists: %s:%u: %s: %s", expect->file, expect->line, path, message);
	}
}

static bool all_hold(const struct expect_gate *gate, const struct policy *policy, bool is_last,
	char why[FETCH_WHY_MAX])
{
	struct passage passage;
	char message[EXPECT_MESSAGE_MAX];
	unsigned failures = 0;
	begin(&passage, gate, policy);
	for (size_t i = 0; i < gate->config->expect_count; i++) {
		if (!is_broken(&passage, i, message))
			continue;
		if (failures++ == 0)
			snprintf(why, FETCH_WHY_MAX, "expect[%zu] of line %u fails with it: %.160s",
				i, gate->config->expects[i].line, message);
		tell(gate, i, message, is_last, failures);
	}
	return failures == 0;
}

/* Was this very policy in force? */
static bool is_known(const struct expect_gate *gate, const struct lists *lists)
{
	char hash[POLICY_HASH_TEXT_MAX];
	return gate->known && policy_load_hash(gate->config, lists, hash) &&
		strcmp(hash, gate->known) == 0;
}

bool expect_gate_holds(
	void *context, const struct lists *lists, bool is_last, char why[FETCH_WHY_MAX])
{
	const struct expect_gate *gate = context;
	const struct policy_lists where = lists_for_policy(lists);
	int error;
	struct policy *policy = policy_build(&gate->config->policy, &where, &error);
	if (!policy)
		return true; /* whoever builds it next tells why that is not possible */
	bool known = is_known(gate, lists);
	bool holds = all_hold(gate, policy, is_last && !known, why);
	policy_free(policy);
	if (!holds && known)
		log_warning("expect: the policy is the one that was in force last, and comes all "
			    "the same");
	return holds || known;
}
