/* faults.c - a library to be loaded before a program (LD_PRELOAD) that lets system calls and
 * allocations fail. Which, how and when stands in a file that the program and the test both map
 * (NAMEGATE_FAULTS; struct faults, which faults.py knows too), so that it is switched while the
 * program runs. It counts what was called and what failed. Without the file nothing fails. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum call {
	CALL_ACCEPT,
	CALL_SOCKET,
	CALL_CONNECT,
	CALL_BIND,
	CALL_EPOLL_CTL,
	CALL_RECEIVE, /* read and its kin on sockets */
	CALL_SEND,
	CALL_READ, /* the same on files */
	CALL_WRITE,
	CALL_OPEN,
	CALL_SYNC,
	CALL_RENAME,
	CALL_MMAP,
	CALL_EVENTFD,
	CALL_PIPE,
	CALL_FORK, /* processes and threads */
	CALL_GETRANDOM,
	CALL_MALLOC,
	CALL_COUNT = 32,
};

/* All numbers are little: one test writes, at most one program reads. */
struct faults {
	_Atomic uint32_t calls; /* a bit for each call that may fail; 0: none */
	uint32_t error;         /* errno */
	uint32_t first;         /* the number of the first call that fails, from 1 */
	uint32_t every;         /* then each of so many; 0: no other */
	uint32_t chance;        /* instead of both: of 1000, by `seed` */
	uint32_t seed;
	_Atomic uint32_t number; /* calls so far of those that may fail */
	_Atomic uint32_t failed; /* of these */
	/* Clocks: seconds that are added to what the system says. */
	_Atomic int64_t realtime_s;
	_Atomic int64_t monotonic_s;
	_Atomic int64_t boottime_s;
	_Atomic uint32_t seen[CALL_COUNT];
};

static struct faults *faults;
static _Thread_local bool is_ready; /* a sanitizer has made this thread known to itself */

static long map_file(const char *path)
{
	long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return 0;
	long at =
		syscall(SYS_mmap, NULL, sizeof *faults, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	syscall(SYS_close, fd);
	return at == -1 ? 0 : at;
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("NAMEGATE_FAULTS");
	is_ready = true;
	if (path)
		faults = (struct faults *)map_file(path); /* NOLINT */
}

static bool is_chosen(uint32_t number)
{
	if (faults->chance) {
		uint32_t mixed = (number + faults->seed) * 2654435761u;
		mixed = (mixed ^ mixed >> 15) * 2246822519u;
		return (mixed ^ mixed >> 13) % 1000 < faults->chance;
	}
	if (number < faults->first)
		return false;
	return number == faults->first ||
		(faults->every && (number - faults->first) % faults->every == 0);
}

/* Libraries that do not survive it, told by NAMEGATE_FAULTS_SPARE: what they ask for is granted. */
static bool is_spared(const void *caller)
{
	Dl_info at;
	const char *spared = getenv("NAMEGATE_FAULTS_SPARE");
	if (!spared || !caller || !dladdr(caller, &at) || !at.dli_fname)
		return false;
	const char *slash = strrchr(at.dli_fname, '/');
	const char *name = slash ? slash + 1 : at.dli_fname;
	size_t len = strcspn(name, ".");
	for (const char *word = spared; *word; word += strspn(word, " ")) {
		size_t word_len = strcspn(word, " ");
		if (word_len == len && strncmp(word, name, len) == 0)
			return true;
		word += word_len;
	}
	return false;
}

/* Shall this call fail? Then errno says why. */
static bool fails_for(enum call call, const void *caller)
{
	if (!faults)
		return false;
	atomic_fetch_add_explicit(&faults->seen[call], 1, memory_order_relaxed);
	if (!is_ready || !(atomic_load(&faults->calls) >> call & 1) ||
		!is_chosen(atomic_fetch_add(&faults->number, 1) + 1) || is_spared(caller))
		return false;
	atomic_fetch_add(&faults->failed, 1);
	errno = (int)faults->error;
	return true;
}

static bool fails(enum call call)
{
	return fails_for(call, NULL);
}

/* What is read from and written to: only files and sockets fail. Pipes and events between threads
 * do not in any kernel, and libuv ends the program where they would. */
static bool fails_on(int fd, enum call on_socket, enum call on_file)
{
	struct stat status;
	int before = errno;
	if (!faults || fstat(fd, &status) < 0)
		return errno = before, false;
	errno = before;
	if (S_ISSOCK(status.st_mode))
		return fails(on_socket);
	return S_ISREG(status.st_mode) && fails(on_file);
}

#define REAL(name)                                                                                 \
	static __typeof__(&name) real;                                                             \
	if (!real)                                                                                 \
	real = (__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name)

/* A function that only hands on, or fails. */
#define FAULTY(type, name, condition, failure, parameters, arguments)                              \
	type name parameters;                                                                      \
	type name parameters                                                                       \
	{                                                                                          \
		REAL(name);                                                                        \
		return (condition) ? (failure) : real arguments;                                   \
	}

FAULTY(int, accept4, fails(CALL_ACCEPT), -1,
	(int fd, struct sockaddr *address, socklen_t *len, int flags), (fd, address, len, flags))
FAULTY(int, accept, fails(CALL_ACCEPT), -1, (int fd, struct sockaddr *address, socklen_t *len),
	(fd, address, len))
FAULTY(int, socket, fails(CALL_SOCKET), -1, (int domain, int type, int protocol),
	(domain, type, protocol))
FAULTY(int, connect, fails(CALL_CONNECT), -1,
	(int fd, const struct sockaddr *address, socklen_t len), (fd, address, len))
FAULTY(int, bind, fails(CALL_BIND), -1, (int fd, const struct sockaddr *address, socklen_t len),
	(fd, address, len))
FAULTY(int, epoll_ctl, fails(CALL_EPOLL_CTL), -1,
	(int epoll, int operation, int fd, struct epoll_event *event),
	(epoll, operation, fd, event))
FAULTY(ssize_t, read, fails_on(fd, CALL_RECEIVE, CALL_READ), -1, (int fd, void *to, size_t size),
	(fd, to, size))
FAULTY(ssize_t, pread, fails_on(fd, CALL_RECEIVE, CALL_READ), -1,
	(int fd, void *to, size_t size, off_t at), (fd, to, size, at))
FAULTY(ssize_t, readv, fails_on(fd, CALL_RECEIVE, CALL_READ), -1,
	(int fd, const struct iovec *to, int count), (fd, to, count))
FAULTY(ssize_t, recv, fails(CALL_RECEIVE), -1, (int fd, void *to, size_t size, int flags),
	(fd, to, size, flags))
FAULTY(ssize_t, recvfrom, fails(CALL_RECEIVE), -1,
	(int fd, void *to, size_t size, int flags, struct sockaddr *from, socklen_t *len),
	(fd, to, size, flags, from, len))
FAULTY(ssize_t, recvmsg, fails(CALL_RECEIVE), -1, (int fd, struct msghdr *message, int flags),
	(fd, message, flags))
FAULTY(int, recvmmsg, fails(CALL_RECEIVE), -1,
	(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout),
	(fd, messages, count, flags, timeout))
FAULTY(ssize_t, write, fails_on(fd, CALL_SEND, CALL_WRITE), -1,
	(int fd, const void *from, size_t size), (fd, from, size))
FAULTY(ssize_t, pwrite, fails_on(fd, CALL_SEND, CALL_WRITE), -1,
	(int fd, const void *from, size_t size, off_t at), (fd, from, size, at))
FAULTY(ssize_t, writev, fails_on(fd, CALL_SEND, CALL_WRITE), -1,
	(int fd, const struct iovec *from, int count), (fd, from, count))
FAULTY(ssize_t, send, fails(CALL_SEND), -1, (int fd, const void *from, size_t size, int flags),
	(fd, from, size, flags))
FAULTY(ssize_t, sendto, fails(CALL_SEND), -1,
	(int fd, const void *from, size_t size, int flags, const struct sockaddr *to,
		socklen_t len),
	(fd, from, size, flags, to, len))
FAULTY(ssize_t, sendmsg, fails(CALL_SEND), -1, (int fd, const struct msghdr *message, int flags),
	(fd, message, flags))
FAULTY(int, sendmmsg, fails(CALL_SEND), -1,
	(int fd, struct mmsghdr *messages, unsigned count, int flags), (fd, messages, count, flags))
FAULTY(int, fsync, fails(CALL_SYNC), -1, (int fd), (fd))
FAULTY(int, fdatasync, fails(CALL_SYNC), -1, (int fd), (fd))
FAULTY(int, rename, fails(CALL_RENAME), -1, (const char *from, const char *to), (from, to))
FAULTY(int, renameat, fails(CALL_RENAME), -1,
	(int from_directory, const char *from, int to_directory, const char *to),
	(from_directory, from, to_directory, to))
FAULTY(int, eventfd, fails(CALL_EVENTFD), -1, (unsigned count, int flags), (count, flags))
FAULTY(int, pipe2, fails(CALL_PIPE), -1, (int ends[2], int flags), (ends, flags))
FAULTY(pid_t, fork, fails(CALL_FORK), -1, (void), ())
FAULTY(int, posix_spawn, fails(CALL_FORK), errno,
	(pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions,
		const posix_spawnattr_t *attributes, char *const arguments[],
		char *const environment[]),
	(pid, path, actions, attributes, arguments, environment))
FAULTY(ssize_t, getrandom, fails(CALL_GETRANDOM), -1, (void *to, size_t size, unsigned flags),
	(to, size, flags))
FAULTY(void *, mmap, fails(CALL_MMAP), MAP_FAILED,
	(void *at, size_t size, int protection, int flags, int fd, off_t offset),
	(at, size, protection, flags, fd, offset))

int open(const char *path, int flags, ...)
{
	va_list more;
	REAL(open);
	va_start(more, flags);
	mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
	va_end(more);
	return fails(CALL_OPEN) ? -1 : real(path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...)
{
	va_list more;
	REAL(openat);
	va_start(more, flags);
	mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
	va_end(more);
	return fails(CALL_OPEN) ? -1 : real(directory, path, flags, mode);
}

/* ---- threads ---- */

struct begun {
	void *(*run)(void *context);
	void *context;
};

static void *run_thread(void *context)
{
	struct begun begun = *(struct begun *)context;
	free(context);
	is_ready = true;
	return begun.run(begun.context);
}

int pthread_create(
	pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *context)
{
	REAL(pthread_create);
	bool was_ready = is_ready;
	if (fails(CALL_FORK))
		return EAGAIN;
	is_ready =
		false; /* what stands between us and the thread has nowhere to say that it failed */
	struct begun *begun = malloc(sizeof *begun);
	*begun = (struct begun){ run, context };
	int error = real(thread, attributes, run_thread, begun);
	is_ready = was_ready;
	return error;
}

/* ---- clocks ---- */

int clock_gettime(clockid_t clock, struct timespec *now)
{
	REAL(clock_gettime);
	int result = real(clock, now);
	if (!faults || result < 0)
		return result;
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE: now->tv_sec += atomic_load(&faults->realtime_s); break;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_COARSE: now->tv_sec += atomic_load(&faults->monotonic_s); break;
	case CLOCK_BOOTTIME: now->tv_sec += atomic_load(&faults->boottime_s); break;
	default: break;
	}
	return result;
}

time_t time(time_t *to)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (to)
		*to = now.tv_sec;
	return now.tv_sec;
}

/* ---- memory ---- */

#define CALLER __builtin_return_address(0)

/* dlsym() may want some before we know who gives it. It is never given back. */
static void *first_memory(size_t size)
{
	static _Alignas(16) uint8_t memory[4096];
	static size_t used;
	void *at = memory + used;
	used += (size + 15) & ~(size_t)15;
	return used <= sizeof memory ? at : NULL;
}

#define REAL_MEMORY(name, size)                                                                    \
	static __typeof__(&name) real;                                                             \
	static _Thread_local bool is_looking;                                                      \
	if (!real) {                                                                               \
		if (is_looking)                                                                    \
			return first_memory(size);                                                 \
		is_looking = true;                                                                 \
		real = (__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name);                      \
		is_looking = false;                                                                \
	}

void *malloc(size_t size)
{
	REAL_MEMORY(malloc, size)
	return fails_for(CALL_MALLOC, CALLER) ? NULL : real(size);
}

void *calloc(size_t count, size_t size)
{
	REAL_MEMORY(calloc, count * size)
	return fails_for(CALL_MALLOC, CALLER) ? NULL : real(count, size);
}

void *realloc(void *memory, size_t size)
{
	REAL_MEMORY(realloc, size)
	return fails_for(CALL_MALLOC, CALLER) ? NULL : real(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	REAL_MEMORY(aligned_alloc, size)
	return fails_for(CALL_MALLOC, CALLER) ? NULL : real(alignment, size);
}

int posix_memalign(void **to, size_t alignment, size_t size)
{
	REAL(posix_memalign);
	return fails_for(CALL_MALLOC, CALLER) ? ENOMEM : real(to, alignment, size);
}

char *strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = malloc(size);
	return copy ? memcpy(copy, text, size) : NULL;
}
