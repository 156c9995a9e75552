/* Which policies make clients believe to be offline, and which do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
/* cmocka wants the above first */
#include <cmocka.h>

#include "proxy/client_health.h"
#include "proxy/policy_load.h"

static void on_error(
	void *context, const char *file, unsigned line, const char *path, const char *message)
{
	(void)context;
	fail_msg("%s:%u: %s: %s", file, line, path, message);
}

/* A view with one list of blocked domains, and what else it has. */
#define POLICY(domains, response, view)                                                            \
	"listeners = ( { protocol = \"dns\"; address = \"127.0.0.1\"; } );"                        \
	"domain_lists = ( { name = \"l\"; domains = [ " domains " ]; } );"                         \
	"rule_groups = ( { name = \"ads\"; rules = ( { name = \"no\"; priority = 1; action = "     \
	"\"" response "; domain_list = \"l\"; } ); } );"                                           \
	"views = ( { name = \"v\"; " view " } );"
#define BLOCK "BLOCK\"; block_response = \"NODATA\""
#define ADS   "associations = ( { rule_group = \"ads\"; priority = 5; } );"
#define BOTH(priority)                                                                             \
	"associations = ( { rule_group = \"ads\"; priority = 5; },"                                \
	"{ rule_group = \"builtin:client-health\"; priority = " priority "; } );"

static void test_what_is_found(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t count;
		const char *first; /* of the names */
		enum verdict_reason reason;
	} cases[] = {
		{ POLICY("\"ads.example\"", BLOCK, ADS), 0, NULL, 0 },
		{ POLICY("\"captive.apple.com\"", BLOCK, ADS), 1, "captive.apple.com",
			REASON_RULE },
		{ POLICY("\"captive.apple.com\"", BLOCK, BOTH("1")), 0, NULL, 0 },
		{ POLICY("\"captive.apple.com\"", BLOCK, BOTH("9")), 1, "captive.apple.com",
			REASON_RULE },
		{ POLICY("\"captive.apple.com\"", "ALERT\"", ADS), 0, NULL, 0 },
		{ POLICY("\"captive.apple.com\"", BLOCK "; query_type = \"AAAA\"", ADS), 0, NULL,
			0 },
		{ POLICY("\"metric.gstatic.com\"", BLOCK, ADS), 0, NULL, 0 },
		{ POLICY("\"*.gstatic.com\"", BLOCK, ADS), 3, "www.gstatic.com", REASON_RULE },
		{ POLICY("\"*.example\"", BLOCK, ADS "default_action = \"BLOCK\";"), 14,
			"www.gstatic.com", REASON_DEFAULT },
		{ POLICY("\"*.example\"", BLOCK, BOTH("9") "default_action = \"BLOCK\";"), 0, NULL,
			0 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config_errors errors = { .on_error = on_error };
		struct client_health_finding finding;
		char hash[33];
		struct config *config =
			config_load_text("t.conf", slice_of_text(cases[i].text), &errors);
		assert_non_null(config);
		struct lists *lists =
			lists_load(config, &(struct lists_options){ .must_load = true }, &errors);
		assert_non_null(lists);
		struct policy *policy = policy_load(config, lists, hash, &errors);
		assert_non_null(policy);
		assert_int_equal(client_health_find(policy, 0, &finding), cases[i].count > 0);
		assert_int_equal(finding.count, cases[i].count);
		if (cases[i].count > 0) {
			assert_string_equal(finding.name->example, cases[i].first);
			assert_int_equal(finding.verdict.reason, cases[i].reason);
		}
		policy_free(policy);
		lists_unref(lists);
		config_free(config);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
