#include "proxy/rights/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "tests/unit/forked.h"

/* A directory with in/, in/below/, out/ and a file in each. */
struct places {
	char root[64], in[80], file[96], below[96], below_file[112], out[80], out_file[96];
};

static void make(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static int setup(void **state)
{
	static struct places places;
	snprintf(places.root, sizeof places.root, "/tmp/landlock_test.XXXXXX");
	assert_non_null(mkdtemp(places.root));
	snprintf(places.in, sizeof places.in, "%s/in", places.root);
	snprintf(places.file, sizeof places.file, "%s/file", places.in);
	snprintf(places.below, sizeof places.below, "%s/below", places.in);
	snprintf(places.below_file, sizeof places.below_file, "%s/file", places.below);
	snprintf(places.out, sizeof places.out, "%s/out", places.root);
	snprintf(places.out_file, sizeof places.out_file, "%s/file", places.out);
	assert_int_equal(mkdir(places.in, 0700) | mkdir(places.below, 0700), 0);
	assert_int_equal(mkdir(places.out, 0700), 0);
	make(places.file);
	make(places.below_file);
	make(places.out_file);
	*state = &places;
	return 0;
}

static int teardown(void **state)
{
	const struct places *places = *state;
	unlink(places->file);
	unlink(places->below_file);
	unlink(places->out_file);
	return rmdir(places->below) | rmdir(places->in) | rmdir(places->out) | rmdir(places->root);
}

/* 0 or errno. */
static int try_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static void enter(const char *path, unsigned use)
{
	struct landlock landlock;
	EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	EXPECT(landlock_open(&landlock) == 0);
	EXPECT(landlock_allow(&landlock, path, use) == 0);
	EXPECT(landlock_allow(&landlock, "/nowhere/at/all", use) == 0);
	EXPECT(landlock_enter(&landlock) == 0);
	EXPECT(landlock.fd == -1);
}

static void read_only(const void *context)
{
	const struct places *places = context;
	char *const arguments[] = { "true", NULL };
	enter(places->in, LANDLOCK_READ);
	EXPECT(try_open(places->file, O_RDONLY) == 0);
	EXPECT(try_open(places->below_file, O_RDONLY) == 0);
	EXPECT(try_open(places->below, O_RDONLY | O_DIRECTORY) == 0);
	EXPECT(try_open(places->file, O_WRONLY) == EACCES);
	EXPECT(try_open(places->file, O_RDONLY | O_TRUNC) == EACCES || landlock_abi() < 3);
	EXPECT(unlink(places->file) < 0 && errno == EACCES);
	EXPECT(mkdir(places->out, 0700) < 0);
	EXPECT(try_open(places->out_file, O_RDONLY) == EACCES);
	EXPECT(try_open(places->out, O_RDONLY | O_DIRECTORY) == EACCES);
	EXPECT(try_open("/etc/shadow", O_RDONLY) == EACCES);
	EXPECT(try_open("/etc/passwd", O_RDONLY) == EACCES);
	execv("/bin/true", arguments);
	EXPECT(errno == EACCES);
}

static void test_reading(void **state)
{
	if (!landlock_abi())
		skip();
	assert_true(holds_in_child(read_only, *state));
}

static void write_too(const void *context)
{
	const struct places *places = context;
	char aside[128];
	snprintf(aside, sizeof aside, "%s/aside", places->below);
	enter(places->in, LANDLOCK_READ | LANDLOCK_WRITE);
	EXPECT(try_open(aside, O_WRONLY | O_CREAT | O_TRUNC) == 0);
	/* From one directory to another, as the state directory has it. */
	EXPECT(rename(aside, places->file) == 0);
	EXPECT(rename(places->file, places->out_file) < 0);
	EXPECT(try_open(places->out_file, O_WRONLY) == EACCES);
	EXPECT(symlink("/etc/shadow", aside) < 0 && errno == EACCES);
	EXPECT(mkfifo(aside, 0600) < 0 && errno == EACCES);
}

static void test_writing(void **state)
{
	if (!landlock_abi())
		skip();
	assert_true(holds_in_child(write_too, *state));
}

static void one_file(const void *context)
{
	const struct places *places = context;
	enter(places->file, LANDLOCK_READ | LANDLOCK_WRITE | LANDLOCK_START);
	EXPECT(try_open(places->file, O_RDWR) == 0);
	EXPECT(try_open(places->below_file, O_RDONLY) == EACCES);
}

static void test_a_file(void **state)
{
	if (!landlock_abi())
		skip();
	assert_true(holds_in_child(one_file, *state));
}

static int try_listen(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error = bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ? errno : 0;
	close(fd);
	return error;
}

/* Whether the port is free does not matter: what is not allowed is refused before. */
static void one_port(const void *context)
{
	struct landlock landlock;
	(void)context;
	EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	EXPECT(landlock_open(&landlock) == 0);
	EXPECT(landlock_allow_port(&landlock, 61234) == 0);
	EXPECT(landlock_enter(&landlock) == 0);
	EXPECT(try_listen(61234) != EACCES);
	EXPECT(try_listen(61235) == EACCES);
	EXPECT(try_listen(0) == EACCES);
}

static void test_ports(void **state)
{
	(void)state;
	if (landlock_abi() < 4)
		skip();
	assert_true(holds_in_child(one_port, NULL));
}

static void out_of_reach(const void *context)
{
	enter(((const struct places *)context)->in, LANDLOCK_READ);
	EXPECT(kill(getppid(), 0) < 0 && errno == EPERM);
}

static void test_others(void **state)
{
	if (landlock_abi() < 6)
		skip();
	assert_true(holds_in_child(out_of_reach, *state));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reading),
		cmocka_unit_test(test_writing),
		cmocka_unit_test(test_a_file),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_others),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
