/* syscalls.c - the list was made from what the program and its libraries do, and from what libc may
 * do instead on another kernel or processor; what is refused of it while flow tests run is in the
 * kernel's audit log. Names that the library does not know here are passed over.
 *
 * Two answers beside EPERM: clone3(2) takes its flags from memory, which a filter cannot read, and
 * io_uring goes past filters; libc and libuv do without both when they are told ENOSYS. */
#include "proxy/rights/syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/sanitized.h"

enum {
	MAIN = SYSCALLS_SERVER | SYSCALLS_ROOT,
	ALL = MAIN | SYSCALLS_WORKER | SYSCALLS_FETCH,
	CHILD = MAIN | SYSCALLS_FETCH,
	SOCKET_TYPE = 0xf, /* without SOCK_NONBLOCK and SOCK_CLOEXEC */
	NAMESPACES = CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID |
		CLONE_NEWUSER | CLONE_NEWUTS,
	WRITES = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC,
};

/* A row allows a call, where its one or two conditions on arguments hold; rows add up. */
struct row {
	const char *name;
	unsigned users;
	unsigned condition_count;
	struct scmp_arg_cmp conditions[2];
};

/* clang-format off */
#define CALL(name, users)              { (name), (users), 0, { { 0 } } }
#define IF(name, users, one)           { (name), (users), 1, { one } }
#define IF_BOTH(name, users, one, two) { (name), (users), 2, { one, two } }
#define IS(number, value)              SCMP_CMP64((number), SCMP_CMP_EQ, (uint64_t)(value), 0)
#define HAS(number, mask, value) \
	SCMP_CMP64((number), SCMP_CMP_MASKED_EQ, (uint64_t)(mask), (uint64_t)(value))

static const struct row rows[] = {
	/* bytes */
	CALL("read", ALL), CALL("readv", ALL), CALL("pread64", ALL), CALL("preadv", ALL),
	CALL("write", ALL), CALL("writev", ALL), CALL("pwrite64", ALL), CALL("pwritev", ALL),
	CALL("close", ALL), CALL("lseek", ALL), CALL("_llseek", ALL),
	CALL("sendto", ALL), CALL("sendmsg", ALL), CALL("sendmmsg", ALL),
	CALL("recvfrom", ALL), CALL("recvmsg", ALL), CALL("recvmmsg", ALL),
	CALL("recvmmsg_time64", ALL),

	/* waiting */
	CALL("poll", ALL), CALL("ppoll", ALL), CALL("ppoll_time64", ALL), CALL("select", ALL),
	CALL("pselect6", ALL), CALL("epoll_create1", ALL), CALL("epoll_ctl", ALL),
	CALL("epoll_wait", ALL), CALL("epoll_pwait", ALL), CALL("epoll_pwait2", ALL),
	CALL("eventfd2", ALL), CALL("pipe2", ALL), CALL("timerfd_create", ALL),
	CALL("timerfd_settime", ALL), CALL("nanosleep", ALL), CALL("clock_nanosleep", ALL),
	CALL("clock_nanosleep_time64", ALL), CALL("restart_syscall", ALL), CALL("pause", ALL),

	/* sockets: UNIX, IP, and what getifaddrs(3) asks; never packets, never raw IP */
	IF("socket", ALL, IS(0, AF_UNIX)),
	IF_BOTH("socket", ALL, IS(0, AF_INET), HAS(1, SOCKET_TYPE, SOCK_STREAM)),
	IF_BOTH("socket", ALL, IS(0, AF_INET), HAS(1, SOCKET_TYPE, SOCK_DGRAM)),
	IF_BOTH("socket", ALL, IS(0, AF_INET6), HAS(1, SOCKET_TYPE, SOCK_STREAM)),
	IF_BOTH("socket", ALL, IS(0, AF_INET6), HAS(1, SOCKET_TYPE, SOCK_DGRAM)),
	IF_BOTH("socket", ALL, IS(0, AF_NETLINK), IS(2, 0 /* NETLINK_ROUTE */)),
	IF("socketpair", ALL, IS(0, AF_UNIX)),
	CALL("bind", ALL), CALL("connect", ALL), CALL("accept", ALL), CALL("accept4", ALL),
	CALL("listen", MAIN), CALL("shutdown", ALL), CALL("getsockname", ALL),
	CALL("getpeername", ALL), CALL("getsockopt", ALL), CALL("setsockopt", ALL),
	IF("ioctl", ALL, IS(1, FIONBIO)), IF("ioctl", ALL, IS(1, FIONREAD)),
	IF("ioctl", ALL, IS(1, FIOCLEX)), IF("ioctl", ALL, IS(1, TCGETS)),
	CALL("fcntl", ALL), CALL("fcntl64", ALL), CALL("dup", ALL), CALL("dup2", ALL),
	CALL("dup3", ALL),

	/* files: a thread that serves may look, no more */
	IF("open", SYSCALLS_WORKER | SYSCALLS_FETCH, HAS(1, WRITES, O_RDONLY)),
	IF("openat", SYSCALLS_WORKER | SYSCALLS_FETCH, HAS(2, WRITES, O_RDONLY)),
	CALL("open", MAIN), CALL("openat", MAIN),
	CALL("fstat", ALL), CALL("stat", ALL), CALL("lstat", ALL), CALL("newfstatat", ALL),
	CALL("fstatat64", ALL), CALL("fstat64", ALL), CALL("stat64", ALL), CALL("statx", ALL),
	CALL("statfs", ALL), CALL("fstatfs", ALL), CALL("access", ALL), CALL("faccessat", ALL),
	CALL("faccessat2", ALL), CALL("readlink", ALL), CALL("readlinkat", ALL),
	CALL("getdents64", ALL), CALL("getcwd", ALL), CALL("fadvise64", ALL),
	CALL("ftruncate", CHILD), CALL("fallocate", MAIN), CALL("fsync", CHILD),
	CALL("fdatasync", CHILD), CALL("sync_file_range", MAIN), CALL("flock", MAIN),
	CALL("mkdir", MAIN), CALL("mkdirat", MAIN), CALL("rmdir", MAIN), CALL("unlink", MAIN),
	CALL("unlinkat", MAIN), CALL("rename", MAIN), CALL("renameat", MAIN),
	CALL("renameat2", MAIN), CALL("link", MAIN), CALL("linkat", MAIN), CALL("fchmod", MAIN),
	CALL("chmod", MAIN), CALL("fchmodat", MAIN), CALL("umask", MAIN),
	CALL("copy_file_range", MAIN), CALL("sendfile", MAIN),
	CALL("inotify_init1", MAIN), CALL("inotify_add_watch", MAIN),
	CALL("inotify_rm_watch", MAIN),

	/* memory that can be written is never run */
	IF("mmap", ALL, HAS(2, PROT_WRITE | PROT_EXEC, 0)),
	IF("mmap", ALL, HAS(2, PROT_WRITE | PROT_EXEC, PROT_WRITE)),
	IF("mmap", ALL, HAS(2, PROT_WRITE | PROT_EXEC, PROT_EXEC)),
	IF("mmap2", ALL, HAS(2, PROT_WRITE | PROT_EXEC, 0)),
	IF("mmap2", ALL, HAS(2, PROT_WRITE | PROT_EXEC, PROT_WRITE)),
	IF("mmap2", ALL, HAS(2, PROT_WRITE | PROT_EXEC, PROT_EXEC)),
	IF("mprotect", ALL, HAS(2, PROT_EXEC, 0)),
	CALL("munmap", ALL), CALL("mremap", ALL), CALL("madvise", ALL), CALL("brk", ALL),
	CALL("msync", ALL), CALL("mincore", ALL), CALL("mlock", ALL), CALL("munlock", ALL),
	CALL("membarrier", ALL),

	/* threads, time, signals to ourselves */
	CALL("futex", ALL), CALL("futex_time64", ALL), CALL("set_robust_list", ALL),
	CALL("get_robust_list", ALL), CALL("rseq", ALL), CALL("set_tid_address", ALL),
	CALL("arch_prctl", ALL), CALL("gettid", ALL), CALL("getpid", ALL), CALL("getppid", ALL),
	CALL("exit", ALL), CALL("exit_group", ALL), CALL("sched_yield", ALL),
	CALL("sched_getaffinity", ALL), CALL("getcpu", ALL), CALL("sysinfo", ALL),
	CALL("uname", ALL), CALL("times", ALL), CALL("getrusage", ALL), CALL("getrandom", ALL),
	CALL("clock_gettime", ALL), CALL("clock_gettime64", ALL), CALL("clock_getres", ALL),
	CALL("gettimeofday", ALL), CALL("time", ALL), CALL("rt_sigaction", ALL),
	CALL("rt_sigprocmask", ALL), CALL("rt_sigreturn", ALL), CALL("rt_sigpending", ALL),
	CALL("rt_sigtimedwait", ALL), CALL("sigaltstack", ALL), CALL("tgkill", ALL),
	CALL("getuid", ALL), CALL("geteuid", ALL), CALL("getgid", ALL), CALL("getegid", ALL),
	CALL("getresuid", ALL), CALL("getresgid", ALL), CALL("getgroups", ALL),
	CALL("getpriority", ALL), CALL("prlimit64", CHILD), CALL("getrlimit", ALL),
	IF("prlimit64", SYSCALLS_WORKER, IS(2, 0 /* only to know */)),
	CALL("setrlimit", CHILD), CALL("sched_setscheduler", MAIN), CALL("sched_getparam", MAIN),
	CALL("sched_getscheduler", MAIN), CALL("setpriority", MAIN), CALL("ioprio_set", MAIN),
	CALL("alarm", CHILD), CALL("setitimer", CHILD),

	/* a thread, or a child to run namegate-fetch: no namespaces of its own */
	IF("clone", MAIN, HAS(0, NAMESPACES, 0)),
	IF("clone", SYSCALLS_WORKER | SYSCALLS_FETCH,
		HAS(0, NAMESPACES | CLONE_THREAD, CLONE_THREAD)),
	CALL("fork", MAIN), CALL("vfork", MAIN), CALL("execve", MAIN), CALL("wait4", MAIN),
	CALL("waitid", MAIN), CALL("kill", MAIN), CALL("close_range", CHILD),

	/* what gives up more */
	CALL("capget", ALL), CALL("capset", ALL), CALL("seccomp", ALL),
	CALL("landlock_create_ruleset", CHILD), CALL("landlock_add_rule", CHILD),
	CALL("landlock_restrict_self", CHILD),
	IF("prctl", ALL, IS(0, PR_SET_NAME)), IF("prctl", ALL, IS(0, PR_SET_NO_NEW_PRIVS)),
	IF("prctl", ALL, IS(0, PR_GET_NO_NEW_PRIVS)), IF("prctl", ALL, IS(0, PR_SET_SECCOMP)),
	IF("prctl", ALL, IS(0, PR_GET_SECCOMP)), IF("prctl", ALL, IS(0, PR_SET_PDEATHSIG)),
	IF("prctl", ALL, IS(0, PR_SET_DUMPABLE)), IF("prctl", ALL, IS(0, PR_GET_DUMPABLE)),
	IF("prctl", ALL, IS(0, PR_CAPBSET_READ)), IF("prctl", ALL, IS(0, PR_CAPBSET_DROP)),
	IF_BOTH("prctl", ALL, IS(0, PR_CAP_AMBIENT), IS(1, PR_CAP_AMBIENT_CLEAR_ALL)),
	IF("prctl", ALL, IS(0, 0x53564d41 /* PR_SET_VMA: names of mappings */)),
	CALL("setgroups", SYSCALLS_ROOT), CALL("setresgid", SYSCALLS_ROOT),
	CALL("setresuid", SYSCALLS_ROOT), CALL("setuid", SYSCALLS_ROOT),
};
/* clang-format on */

static const char *const unknown_here[] = { "clone3", "io_uring_setup", "io_uring_enter",
	"io_uring_register" };

static int add(scmp_filter_ctx filter, uint32_t action, const struct row *row)
{
	int number = seccomp_syscall_resolve_name(row->name);
	if (number < 0)
		return 0; /* of another processor or a newer kernel */
	return seccomp_rule_add_array(
		filter, action, number, row->condition_count, row->conditions);
}

static int fill(scmp_filter_ctx filter, enum syscalls_user user)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int error =
			rows[i].users & (unsigned)user ? add(filter, SCMP_ACT_ALLOW, &rows[i]) : 0;
		if (error)
			return error;
	}
	for (size_t i = 0; i < sizeof unknown_here / sizeof *unknown_here; i++) {
		const struct row row = CALL(unknown_here[i], ALL);
		int error = add(filter, SCMP_ACT_ERRNO(ENOSYS), &row);
		if (error)
			return error;
	}
	return 0;
}

/* Of these only the first can fail: the others are wishes that older kernels do not know. Without
 * the last but one, kernels before 5.16 slow us down for the sake of code that others wrote, of
 * which there is none in this process. */
static int set_attributes(scmp_filter_ctx filter, bool all_threads)
{
	int error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, all_threads);
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return error;
}

int syscalls_limit(enum syscalls_user user, bool all_threads)
{
	if (IS_SANITIZED)
		return -ENOSYS;
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!filter)
		return -ENOMEM;
	int error = set_attributes(filter, all_threads);
	if (!error)
		error = fill(filter, user);
	if (!error)
		error = seccomp_load(filter);
	seccomp_release(filter);
	return error;
}
