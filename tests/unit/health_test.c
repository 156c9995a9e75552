#include "proxy/upstream/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* A script of letters, one every 100 ms: s silence, o overdue, a answer, l loss, . nothing, p a
 * probe is taken here, n no probe is due here. What matters is how it is at the end. */
static enum health_state run(const char *script, unsigned *probes)
{
	struct health health = { 0 };
	uint64_t now = 1000000;
	unsigned taken = 0;
	for (; *script; script++, now += 100) {
		if (*script == 's')
			health_on_silence(&health, now);
		else if (*script == 'l')
			health_on_loss(&health);
		else if (*script == 'o')
			health_on_overdue(&health, now);
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
	assert_int_equal(health_is_up(&health, now), health_state(&health, now) == HEALTH_UP);
	return health_state(&health, now);
}

static void test_rows(void **state)
{
	(void)state;
	static const char five_seconds[] = "..................................................";
	static const struct {
		const char *script;
		enum health_state state;
	} rows[] = {
		{ "", HEALTH_UP },
		{ "s", HEALTH_UP },
		{ "ss", HEALTH_UP },
		{ "sss", HEALTH_DOWN },
		{ "ssssssss", HEALTH_DOWN },
		{ "ssas", HEALTH_UP },
		{ "ssass", HEALTH_UP },
		{ "ssasss", HEALTH_DOWN },
		{ "sssa", HEALTH_UP },
		{ "sssan", HEALTH_UP },
		{ "ss.........................s", HEALTH_DOWN },
		{ "ss..................................................s", HEALTH_UP },
		/* Forgotten after five seconds, but the next silence is enough. */
		{ "sss.................................................", HEALTH_UP },
		{ "sss.................................................s", HEALTH_DOWN },
		{ "sss.................................................as", HEALTH_UP },
		/* A probe without an answer keeps it down. */
		{ "sss..........s...........s...........s...........s...........s", HEALTH_DOWN },
		/* A few late ones in a row, and nothing in between. */
		{ "oo", HEALTH_UP },
		{ "ooo", HEALTH_SUSPECT },
		{ "oooooo", HEALTH_SUSPECT },
		{ "ooao", HEALTH_UP },
		{ "ooaooo", HEALTH_SUSPECT },
		{ "oooa", HEALTH_UP },
		{ "ooosss", HEALTH_DOWN },
		{ "ooosssa", HEALTH_UP },
		{ "osos", HEALTH_UP },
		/* Lost on the way; but that the others are late is another matter. */
		{ "sslss", HEALTH_UP },
		{ "sssl", HEALTH_UP },
		{ "ooossl", HEALTH_SUSPECT },
		/* Forgotten as silence is; the silence of a probe keeps it in mind. */
		{ "oo..................................................o", HEALTH_UP },
		{ "ooo.................................................", HEALTH_UP },
		{ "ooo.................................................o", HEALTH_SUSPECT },
		{ "ooo..............................s..............................",
			HEALTH_SUSPECT },
	};
	assert_int_equal(sizeof five_seconds, 51);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(run(rows[i].script, NULL), rows[i].state);
}

static void test_probes(void **state)
{
	(void)state;
	unsigned probes;
	/* None while it is up, nor in the second in which it went down. */
	run("nsnsns", NULL);
	run("sssnnnnnnnnnpnnnnnnnnnp", NULL);
	run("ononon", NULL);
	run("ooonnnnnnnnnpnnnnnnnnnp", NULL);
	/* It was not well before it was down: the second counts from then on. */
	run("ooosssnnnnnnpnnnnnnnnnp", NULL);
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
