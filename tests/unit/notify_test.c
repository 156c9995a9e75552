#include "proxy/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The manager's socket, in the abstract name space; `name` is what it calls it. */
static int manager(char name[64])
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	snprintf(name, 64, "@notify_test.%d", (int)getpid());
	memcpy(address.sun_path + 1, name + 1, strlen(name + 1));
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	return fd;
}

/* The next message; "" when there is none. */
static const char *next(int fd)
{
	static char text[256];
	ssize_t len = recv(fd, text, sizeof text - 1, 0);
	text[len > 0 ? len : 0] = '\0';
	return text;
}

static void test_what_is_told(void **state)
{
	char name[64];
	struct notify notify;
	int fd = manager(name);
	(void)state;
	setenv("NOTIFY_SOCKET", name, 1);
	setenv("WATCHDOG_USEC", "30000000", 1);
	notify_open(&notify);
	assert_true(notify.fd >= 0);
	assert_int_equal(notify.watchdog_us, 30000000);
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_null(getenv("WATCHDOG_USEC"));
	notify_send(&notify, "READY=1");
	assert_string_equal(next(fd), "READY=1");
	notify_reloading(&notify);
	assert_int_equal(strncmp(next(fd), "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
	assert_string_equal(next(fd), "");
	notify_close(&notify);
	close(fd);
}

/* A manager that does not read holds nobody up, and one that is gone does not end us. */
static void test_nobody_waits(void **state)
{
	char name[64];
	struct notify notify;
	int fd = manager(name);
	(void)state;
	setenv("NOTIFY_SOCKET", name, 1);
	notify_open(&notify);
	for (unsigned i = 0; i < 100000; i++)
		notify_send(&notify, "WATCHDOG=1");
	close(fd);
	notify_send(&notify, "STOPPING=1");
	notify_close(&notify);
}

static void test_nobody_wants_to_know(void **state)
{
	static const char *const names[] = { NULL, "", "@", "relative/path", "/nowhere/at/all",
		"vsock:2:1234",
		"/0123456789012345678901234567890123456789012345678901234567890123456789"
		"0123456789012345678901234567890123456789" };
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct notify notify;
		if (names[i])
			setenv("NOTIFY_SOCKET", names[i], 1);
		notify_open(&notify);
		assert_int_equal(notify.fd, -1);
		notify_send(&notify, "READY=1");
		notify_reloading(&notify);
		notify_close(&notify);
	}
}

static void test_watchdog(void **state)
{
	char own[16];
	const struct {
		const char *usec, *pid;
		uint64_t us;
	} rows[] = {
		{ NULL, NULL, 0 },
		{ "10", NULL, 10 },
		{ "10", own, 10 },
		{ "10", "1", 0 }, /* it is another's */
		{ "10", "x", 0 },
		{ "-10", NULL, 0 },
		{ "10s", NULL, 0 },
		{ "99999999999999999999999", NULL, 0 },
	};
	(void)state;
	snprintf(own, sizeof own, "%d", (int)getpid());
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct notify notify;
		if (rows[i].usec)
			setenv("WATCHDOG_USEC", rows[i].usec, 1);
		if (rows[i].pid)
			setenv("WATCHDOG_PID", rows[i].pid, 1);
		notify_open(&notify);
		assert_int_equal(notify.watchdog_us, rows[i].us);
		assert_null(getenv("WATCHDOG_PID"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_told),
		cmocka_unit_test(test_nobody_waits),
		cmocka_unit_test(test_nobody_wants_to_know),
		cmocka_unit_test(test_watchdog),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
