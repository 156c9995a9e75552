#include "proxy/rights/become.h"

#include <grp.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "proxy/rights/capabilities.h"
#include "tests/unit/forked.h"

#define BIND CAPABILITY(CAP_NET_BIND_SERVICE)

static void test_who_is_found(void **state)
{
	static const struct {
		const char *user;
		const char *group;
		unsigned uid, gid;
		const char *message; /* NULL: found */
	} rows[] = {
		{ "nobody", NULL, 65534, 65534, NULL },
		{ "nobody", "root", 65534, 0, NULL },
		{ "65534", "7", 65534, 7, NULL },
		{ "4242424", "4242425", 4242424, 4242425, NULL },
		{ "4242424", NULL, 0, 0, "user 4242424 has no name: a group is needed too" },
		{ "root", NULL, 0, 0, "the user \"root\" is root" },
		{ "0", NULL, 0, 0, "the user \"0\" is root" },
		{ "no-such-user", NULL, 0, 0, "there is no user \"no-such-user\"" },
		{ "nobody", "no-such-group", 0, 0, "there is no group \"no-such-group\"" },
		/* -1 means "leave it as it is" to the kernel */
		{ "4294967295", "1", 0, 0, "there is no user \"4294967295\"" },
		{ "nobody", "4294967295", 0, 0, "there is no group \"4294967295\"" },
		{ "99999999999999999999", "1", 0, 0, "there is no user \"99999999999999999999\"" },
		{ "-1", "1", 0, 0, "there is no user \"-1\"" },
		{ "", "1", 0, 0, "there is no user \"\"" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct become to;
		char message[BECOME_MESSAGE_MAX];
		int error = become_find(&to, rows[i].user, rows[i].group, message);
		if (rows[i].message) {
			assert_int_equal(error, ERR_INVALID);
			assert_string_equal(message, rows[i].message);
			continue;
		}
		assert_int_equal(error, 0);
		assert_int_equal(to.user, rows[i].uid);
		assert_int_equal(to.group, rows[i].gid);
	}
}

static void become_nobody(const void *context)
{
	const struct become *to = context;
	uid_t real, effective, saved;
	gid_t groups[16];
	EXPECT(become_user(to, BIND) == 0);
	EXPECT(getresuid(&real, &effective, &saved) == 0);
	EXPECT(real == to->user && effective == to->user && saved == to->user);
	EXPECT(getresgid(&real, &effective, &saved) == 0);
	EXPECT(real == to->group && effective == to->group && saved == to->group);
	int count = getgroups(16, groups);
	for (int i = 0; i < count; i++)
		EXPECT(groups[i] == to->group);
	EXPECT(capabilities_now() == BIND);
	EXPECT(setuid(0) < 0 && seteuid(0) < 0 && setgid(0) < 0);
	EXPECT(setgroups(0, NULL) < 0);
	EXPECT(access("/etc/shadow", R_OK) < 0);
}

static void test_there_is_no_way_back(void **state)
{
	static const struct become rows[] = {
		{ .user = 65534, .group = 65534, .name = "nobody" },
		{ .user = 4242424, .group = 4242425 },
	};
	(void)state;
	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_true(holds_in_child(become_nobody, &rows[i]));
}

static void fail_to_become(const void *context)
{
	EXPECT(become_user(context, 0) < 0);
}

static void test_only_root_can(void **state)
{
	static const struct become other = { .user = 4242424, .group = 4242425 };
	(void)state;
	if (geteuid() == 0)
		skip();
	assert_true(holds_in_child(fail_to_become, &other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_is_found),
		cmocka_unit_test(test_there_is_no_way_back),
		cmocka_unit_test(test_only_root_can),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
