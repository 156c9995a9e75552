/* How many CPUs a quota is, and that there is always one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the above first */
#include <cmocka.h>
#include <sched.h>

#include "proxy/cpu_count.h"

struct row {
	const char *text;
	unsigned count;
};

static const struct row rows[] = {
	{ "max 100000", 0 },
	{ "100000 100000", 1 },
	{ "200000 100000", 2 },
	{ "150000 100000", 2 },
	{ "10000 100000", 1 },
	{ "1 100000", 1 },
	{ "0 100000", 0 },
	{ "50000 10000", 5 },
	{ "", 0 },
	{ "max", 0 },
	{ "100000", 0 },
	{ "100000 0", 0 },
	{ "junk junk", 0 },
};

static void test_quota(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (cpu_quota_parse(rows[i].text) != rows[i].count)
			fail_msg("\"%s\": %u", rows[i].text, cpu_quota_parse(rows[i].text));
}

static void test_affinity(void **state)
{
	(void)state;
	cpu_set_t all, one;
	assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
	unsigned count = cpu_count();
	assert_in_range(count, 1, CPU_COUNT(&all));
	CPU_ZERO(&one);
	for (unsigned cpu = 0; CPU_COUNT(&one) == 0; cpu++)
		if (CPU_ISSET(cpu, &all))
			CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
	assert_int_equal(cpu_count(), 1);
	assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
	assert_int_equal(cpu_count(), count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quota),
		cmocka_unit_test(test_affinity),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
