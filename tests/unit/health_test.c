#include "proxy/upstream/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* A script of letters, one every 100 ms: s silence, a answer, . nothing, p a probe is taken here,
 * n no probe is due here. What matters is whether it is up at the end. */
static bool run(const char *script, unsigned *probes)
{
	struct health health = { 0 };
	uint64_t now = 1000000;
	unsigned taken = 0;
	for (; *script; script++, now += 100) {
		if (*script == 's')
			health_on_silence(&health, now);
		else if (*script == 'a')
			health_on_answer(&health);
		else if (*script == 'p')
			assert_true(health_take_probe(&health, now));
		else if (*script == 'n')
			assert_false(health_take_probe(&health, now));
		else if (*script == '?')
			taken += health_take_probe(&health, now);
	}
	if (probes)
		*probes = taken;
	return health_is_up(&health, now);
}

static void test_rows(void **state)
{
	(void)state;
	static const char five_seconds[] = "..................................................";
	static const struct {
		const char *script;
		bool up;
	} rows[] = {
		{ "", true },
		{ "s", true },
		{ "ss", true },
		{ "sss", false },
		{ "ssssssss", false },
		{ "ssas", true },
		{ "ssass", true },
		{ "ssasss", false },
		{ "sssa", true },
		{ "sssan", true },
		{ "ss.........................s", false },
		{ "ss..................................................s", true },
		/* Forgotten after five seconds, but the next silence is enough. */
		{ "sss.................................................", true },
		{ "sss.................................................s", false },
		{ "sss.................................................as", true },
		/* A probe without an answer keeps it down. */
		{ "sss..........s...........s...........s...........s...........s", false },
	};
	assert_int_equal(sizeof five_seconds, 51);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(run(rows[i].script, NULL), rows[i].up);
}

static void test_probes(void **state)
{
	(void)state;
	unsigned probes;
	/* None while it is up, nor in the second in which it went down. */
	run("nsnsns", NULL);
	run("sssnnnnnnnnnpnnnnnnnnnp", NULL);
	/* Four times in the five seconds, however often it is asked about. */
	run("sss????????????????????????????????????????????????????????????", &probes);
	assert_int_equal(probes, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_probes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
