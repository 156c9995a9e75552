#include "proxy/rights/capabilities.h"

#include <linux/capability.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <sys/prctl.h>

#include "tests/unit/forked.h"

#define BIND   CAPABILITY(CAP_NET_BIND_SERVICE)
#define SETUID CAPABILITY(CAP_SETUID)

static void keep_none(const void *context)
{
	(void)context;
	EXPECT(capabilities_keep(0) == 0);
	EXPECT(capabilities_now() == 0);
	/* What is gone does not come back. */
	EXPECT(capabilities_keep(~UINT64_C(0)) == 0);
	EXPECT(capabilities_now() == 0);
}

static void test_none_are_left(void **state)
{
	(void)state;
	assert_true(holds_in_child(keep_none, NULL));
}

static void keep_some(const void *context)
{
	(void)context;
	EXPECT(capabilities_keep(BIND | SETUID) == 0);
	EXPECT(capabilities_now() == (BIND | SETUID));
	EXPECT(capabilities_keep(BIND) == 0);
	EXPECT(capabilities_now() == BIND);
}

static bool has(uint64_t wanted)
{
	return (capabilities_now() & wanted) == wanted;
}

static void test_some_are_kept(void **state)
{
	(void)state;
	if (!has(BIND | SETUID))
		skip();
	assert_true(holds_in_child(keep_some, NULL));
}

static void bound(const void *context)
{
	(void)context;
	capabilities_bound(BIND);
	EXPECT(prctl(PR_CAPBSET_READ, CAP_NET_BIND_SERVICE) == 1);
	EXPECT(prctl(PR_CAPBSET_READ, CAP_SETUID) == 0);
	EXPECT(prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) == 0);
	EXPECT(prctl(PR_CAPBSET_READ, 0) == 0);
}

static void test_programs_get_no_more(void **state)
{
	(void)state;
	if (!has(BIND | CAPABILITY(CAP_SETPCAP)))
		skip();
	assert_true(holds_in_child(bound, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none_are_left),
		cmocka_unit_test(test_some_are_kept),
		cmocka_unit_test(test_programs_get_no_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
