#include "tests/unit/rules_fixture.h"

#include "rules/verdict.h"

static void test_actions(void **state)
{
	(void)state;
	static const char *const names[] = { "ALLOW", "ALERT", "BLOCK", "MONITOR", "GIVEN" };
	static const char *const refused[] = { "", "NONE", "allow", "BLOCK ", "TRUNCATE" };
	enum action action;
	for (unsigned i = 0; i < 5; i++) {
		assert_true(action_parse(names[i], &action));
		assert_string_equal(action_name(action), names[i]);
	}
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		assert_false(action_parse(refused[i], &action));
	assert_string_equal(action_name(ACTION_NONE), "NONE");
}

static void test_block_responses(void **state)
{
	(void)state;
	static const char *const names[] = { "NODATA", "NXDOMAIN", "OVERRIDE", "REFUSED", "DROP",
		"ADDRESS" };
	enum block_response response;
	assert_int_equal(sizeof names / sizeof *names, BLOCK_CONFIGURED_COUNT);
	for (unsigned i = 0; i < BLOCK_CONFIGURED_COUNT; i++) {
		assert_true(block_response_parse(names[i], &response));
		assert_int_equal(response, i);
		assert_string_equal(block_response_name(response), names[i]);
	}
	/* What only entries can want. */
	assert_string_equal(block_response_name(BLOCK_TRUNCATE), "TRUNCATE");
	assert_string_equal(block_response_name(BLOCK_RECORDS), "RECORDS");
	assert_false(block_response_parse("TRUNCATE", &response));
	assert_false(block_response_parse("RECORDS", &response));
	assert_false(block_response_parse("nodata", &response));
	assert_false(block_response_parse("", &response));
}

static void test_final(void **state)
{
	(void)state;
	static const struct {
		enum action action;
		enum verdict_reason reason;
		bool is_final;
	} rows[] = {
		{ ACTION_NONE, REASON_NO_MATCH, false },
		{ ACTION_ALLOW, REASON_RULE, false },
		{ ACTION_ALERT, REASON_RULE, false },
		{ ACTION_BLOCK, REASON_RULE, true },
		{ ACTION_BLOCK, REASON_DEFAULT, true },
		{ ACTION_NONE, REASON_FAIL_CLOSED, true },
		{ ACTION_NONE, REASON_FAIL_OPEN, false },
		{ ACTION_ALERT, REASON_FAIL_OPEN, false },
		{ ACTION_BLOCK, REASON_REBINDING, true },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct verdict verdict = { .action = rows[i].action, .reason = rows[i].reason };
		assert_int_equal(verdict_is_final(&verdict), rows[i].is_final);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_block_responses),
		cmocka_unit_test(test_final),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
