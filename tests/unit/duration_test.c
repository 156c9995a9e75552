#include "tests/unit/rules_fixture.h"

#include "proxy/cli/duration.h"

static void test_durations(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t seconds; /* 0: it is none */
	} rows[] = {
		{ "1s", 1 },
		{ "30m", 1800 },
		{ "2h", 7200 },
		{ "90d", 7776000 },
		{ "0030m", 1800 },
		{ "36500d", 3153600000 },
		{ "3153600000s", 3153600000 },
		{ "36501d", 0 },
		{ "3153600001s", 0 },
		{ "99999999999s", 0 },
		{ "0m", 0 },
		{ "", 0 },
		{ "m", 0 },
		{ "30", 0 },
		{ "-1m", 0 },
		{ "+1m", 0 },
		{ " 1m", 0 },
		{ "1 m", 0 },
		{ "1.5h", 0 },
		{ "1w", 0 },
		{ "1hh", 0 },
		{ "1h30m", 0 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t seconds = 0;
		bool good = cli_duration_parse(rows[i].text, &seconds);
		if (good != (rows[i].seconds != 0) || seconds != rows[i].seconds)
			fail_msg("\"%s\": %lld", rows[i].text, (long long)seconds);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_durations) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
