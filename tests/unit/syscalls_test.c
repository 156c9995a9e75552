#include "proxy/rights/syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "base/sanitized.h"
#include "tests/unit/forked.h"

#define SERVER (SYSCALLS_SERVER | SYSCALLS_ROOT)
#define ALL    (SERVER | SYSCALLS_WORKER | SYSCALLS_FETCH)

/* What an attacker would want, and what it gets. With these arguments none would do harm where it
 * was allowed. */
static const struct {
	unsigned users; /* to whom it is forbidden */
	int error;
	long number;
	long arguments[6];
} forbidden[] = {
	{ ALL, EPERM, SYS_ptrace, { PTRACE_TRACEME } },
	{ ALL, EPERM, SYS_process_vm_readv, { 1 } },
	{ ALL, EPERM, SYS_process_vm_writev, { 1 } },
	{ ALL, EPERM, SYS_kcmp, { 1, 1 } },
	{ ALL, EPERM, SYS_pidfd_open, { 1 } },
	{ ALL, EPERM, SYS_socket, { AF_PACKET, SOCK_RAW } },
	{ ALL, EPERM, SYS_socket, { AF_INET, SOCK_RAW, IPPROTO_ICMP } },
	{ ALL, EPERM, SYS_socket, { AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW } },
	{ ALL, EPERM, SYS_socket, { AF_ALG, SOCK_SEQPACKET } },
	{ ALL, EPERM, SYS_socket, { AF_VSOCK, SOCK_STREAM } },
	{ ALL, EPERM, SYS_socket, { AF_NETLINK, SOCK_RAW, 12 /* netfilter */ } },
	{ ALL, EPERM, SYS_bpf, { 0 } },
	{ ALL, EPERM, SYS_perf_event_open, { 0 } },
	{ ALL, EPERM, SYS_userfaultfd, { 0 } },
	{ ALL, EPERM, SYS_keyctl, { 0 } },
	{ ALL, EPERM, SYS_add_key, { 0 } },
	{ ALL, EPERM, SYS_mount, { 0 } },
	{ ALL, EPERM, SYS_umount2, { 0 } },
	{ ALL, EPERM, SYS_pivot_root, { 0 } },
	{ ALL, EPERM, SYS_chroot, { 0 } },
	{ ALL, EPERM, SYS_unshare, { CLONE_NEWUSER } },
	{ ALL, EPERM, SYS_setns, { -1 } },
	{ ALL, EPERM, SYS_clone, { CLONE_NEWUSER | SIGCHLD } },
	{ ALL, ENOSYS, SYS_clone3, { 0 } },
	{ ALL, ENOSYS, SYS_io_uring_setup, { 0 } },
	{ ALL, EPERM, SYS_init_module, { 0 } },
	{ ALL, EPERM, SYS_kexec_load, { 0 } },
	{ ALL, EPERM, SYS_reboot, { 0 } },
	{ ALL, EPERM, SYS_personality, { 0 } },
	{ ALL, EPERM, SYS_ioctl, { 0, TIOCSTI } },
	{ ALL, EPERM, SYS_memfd_create, { 0 } },
	{ ALL, EPERM, SYS_execveat, { -1 } },
	{ ALL, EPERM, SYS_open_by_handle_at, { -1 } },
	{ ALL, EPERM, SYS_mknodat, { -1 } },
	{ ALL, EPERM, SYS_symlinkat, { 0 } },
	{ ALL, EPERM, SYS_fchownat, { -1 } },
	{ ALL, EPERM, SYS_settimeofday, { 0 } },
	{ ALL, EPERM, SYS_prctl, { PR_SET_MM } },
	{ ALL, EPERM, SYS_prctl, { PR_SET_KEEPCAPS, 1 } },
	{ ALL, EPERM, SYS_prctl, { PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW } },
	/* memory that is written and run */
	{ ALL, EPERM, SYS_mmap,
		{ 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1 } },
	{ ALL, EPERM, SYS_mprotect, { 0, 0, PROT_READ | PROT_EXEC } },
	{ ALL, EPERM, SYS_pkey_mprotect, { 0, 0, PROT_READ | PROT_EXEC } },
	/* not root any more */
	{ ALL & ~SYSCALLS_ROOT, EPERM, SYS_setresuid, { -1, -1, -1 } },
	{ ALL & ~SYSCALLS_ROOT, EPERM, SYS_setgroups, { -1 } },
	/* who talks to strangers starts nothing, writes no files, ends no processes */
	{ SYSCALLS_WORKER | SYSCALLS_FETCH, EPERM, SYS_execve, { 0 } },
	{ SYSCALLS_WORKER | SYSCALLS_FETCH, EPERM, SYS_clone, { SIGCHLD } },
	{ SYSCALLS_WORKER | SYSCALLS_FETCH, EPERM, SYS_kill, { 0, 0 } },
	{ SYSCALLS_WORKER | SYSCALLS_FETCH, EPERM, SYS_unlinkat, { -1 } },
	{ SYSCALLS_WORKER | SYSCALLS_FETCH, EPERM, SYS_renameat2, { -1 } },
	{ SYSCALLS_WORKER | SYSCALLS_FETCH, EPERM, SYS_mkdirat, { -1 } },
	{ SYSCALLS_WORKER | SYSCALLS_FETCH, EPERM, SYS_openat, { -1, 0, O_WRONLY } },
	{ SYSCALLS_WORKER | SYSCALLS_FETCH, EPERM, SYS_openat, { -1, 0, O_RDONLY | O_CREAT } },
	{ SYSCALLS_WORKER | SYSCALLS_FETCH, EPERM, SYS_listen, { -1 } },
};

static const enum syscalls_user users[] = { SYSCALLS_SERVER, SYSCALLS_ROOT, SYSCALLS_WORKER,
	SYSCALLS_FETCH };

static void be_refused(const void *context)
{
	unsigned user = *(const enum syscalls_user *)context;
	EXPECT(syscalls_limit(user, true) == 0);
	for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
		const long *with = forbidden[i].arguments;
		if (!(forbidden[i].users & user))
			continue;
		errno = 0;
		long result = syscall(
			forbidden[i].number, with[0], with[1], with[2], with[3], with[4], with[5]);
		if (result != -1 || errno != forbidden[i].error)
			fprintf(stderr, "row %zu (call %ld): %ld, errno %d\n", i,
				forbidden[i].number, result, errno);
		EXPECT(result == -1 && errno == forbidden[i].error);
	}
}

static void test_what_is_forbidden(void **state)
{
	(void)state;
	if (IS_SANITIZED)
		skip();
	for (size_t i = 0; i < sizeof users / sizeof *users; i++)
		assert_true(holds_in_child(be_refused, &users[i]));
}

static void *return_argument(void *argument)
{
	return argument;
}

/* What everybody needs. */
static void do_our_work(const void *context)
{
	pthread_t thread;
	void *result;
	char byte = 'x';
	int pair[2];
	EXPECT(syscalls_limit(*(const enum syscalls_user *)context, true) == 0);
	EXPECT(pthread_create(&thread, NULL, return_argument, &pair) == 0);
	EXPECT(pthread_join(thread, &result) == 0 && result == &pair);
	EXPECT(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) >= 0);
	EXPECT(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0) >= 0 || errno == EAFNOSUPPORT);
	EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	EXPECT(write(pair[0], &byte, 1) == 1 && read(pair[1], &byte, 1) == 1);
	EXPECT(open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0);
	EXPECT(eventfd(0, EFD_CLOEXEC) >= 0);
	void *memory = malloc(64u << 20);
	EXPECT(memory != NULL);
	free(memory);
	EXPECT(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
		MAP_FAILED); /* as libraries are loaded */
}

static void test_what_is_needed(void **state)
{
	(void)state;
	if (IS_SANITIZED)
		skip();
	for (size_t i = 0; i < sizeof users / sizeof *users; i++)
		assert_true(holds_in_child(do_our_work, &users[i]));
}

/* A filter on top of another takes away, and gives nothing back. */
static void add_up(const void *context)
{
	(void)context;
	EXPECT(syscalls_limit(SYSCALLS_WORKER, false) == 0);
	EXPECT(syscalls_limit(SYSCALLS_SERVER, false) == 0);
	EXPECT(kill(0, 0) < 0 && errno == EPERM);
	EXPECT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

static void test_nothing_comes_back(void **state)
{
	(void)state;
	if (IS_SANITIZED)
		skip();
	assert_true(holds_in_child(add_up, NULL));
}

static int go_ahead[2], done[2];

static void *try_in_thread(void *argument)
{
	char byte;
	(void)argument;
	if (read(go_ahead[0], &byte, 1) != 1)
		return argument;
	errno = 0;
	byte = syscall(SYS_unshare, 0) < 0 && errno == EPERM ? 'f' : 'a';
	return write(done[1], &byte, 1) == 1 ? argument : NULL;
}

static void limit_others(const void *context)
{
	bool all_threads = *(const bool *)context;
	pthread_t thread;
	char byte = 'x';
	EXPECT(pipe2(go_ahead, O_CLOEXEC) == 0 && pipe2(done, O_CLOEXEC) == 0);
	EXPECT(pthread_create(&thread, NULL, try_in_thread, NULL) == 0);
	EXPECT(syscalls_limit(SYSCALLS_SERVER, all_threads) == 0);
	EXPECT(write(go_ahead[1], &byte, 1) == 1 && read(done[0], &byte, 1) == 1);
	EXPECT(byte == (all_threads ? 'f' : 'a'));
}

static void test_threads_that_are_there(void **state)
{
	static const bool both[] = { true, false };
	(void)state;
	if (IS_SANITIZED)
		skip();
	for (size_t i = 0; i < 2; i++)
		assert_true(holds_in_child(limit_others, &both[i]));
}

static void test_sanitizers_keep_theirs(void **state)
{
	(void)state;
	if (!IS_SANITIZED)
		skip();
	assert_int_equal(syscalls_limit(SYSCALLS_SERVER, true), -ENOSYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_forbidden),
		cmocka_unit_test(test_what_is_needed),
		cmocka_unit_test(test_nothing_comes_back),
		cmocka_unit_test(test_threads_that_are_there),
		cmocka_unit_test(test_sanitizers_keep_theirs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
