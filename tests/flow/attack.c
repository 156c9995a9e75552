/* attack.c - somebody who can run code within namegate: loaded before it, and called in each of its
 * threads that turns a loop, when everything has been given up. Says on standard error how each
 * attempt ended: "attack WHERE WHAT: 0" succeeded, else the errno. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

static int end_of(long result)
{
	return result < 0 ? errno : 0;
}

static int read_file(const char *path)
{
	return end_of(open(path, O_RDONLY | O_CLOEXEC));
}

static int shadow(void)
{
	return read_file("/etc/shadow");
}

/* Readable for everybody, and none of our business. */
static int other_file(void)
{
	return read_file(getenv("ATTACK_FILE"));
}

static int write_file(void)
{
	return end_of(open(getenv("ATTACK_FILE"), O_WRONLY | O_APPEND | O_CLOEXEC));
}

/* In a child where there may be one. */
static int start(const char *const arguments[])
{
	int status;
	pid_t child = (pid_t)syscall(SYS_fork);
	if (child < 0)
		return errno;
	if (child == 0) {
		execv(arguments[0], (char **)arguments);
		_exit(errno);
	}
	waitpid(child, &status, 0);
	return WEXITSTATUS(status);
}

static int shell(void)
{
	return start((const char *const[]){ "/bin/sh", "-c", "exit 0", NULL });
}

static int shell_by_the_loader(void)
{
	return start((const char *const[]){
		"/lib64/ld-linux-x86-64.so.2", "/bin/sh", "-c", "exit 0", NULL });
}

static int trace(void)
{
	return end_of(ptrace(PTRACE_ATTACH, getppid(), 0, 0));
}

static int packets(void)
{
	return end_of(socket(AF_PACKET, SOCK_RAW, 0));
}

static int listen_elsewhere(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd < 0 ? errno : end_of(bind(fd, (struct sockaddr *)&address, sizeof address));
}

static int low_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(7) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd < 0 ? errno : end_of(bind(fd, (struct sockaddr *)&address, sizeof address));
}

static int write_and_run(void)
{
	void *page = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return page == MAP_FAILED ? errno : 0;
}

static int root_again(void)
{
	return end_of(syscall(SYS_setuid, 0)); /* of this thread alone */
}

static const struct {
	const char *name;
	int (*attempt)(void);
} attempts[] = {
	{ "shadow", shadow },
	{ "other-file", other_file },
	{ "write-file", write_file },
	{ "shell", shell },
	{ "shell-by-the-loader", shell_by_the_loader },
	{ "trace", trace },
	{ "packets", packets },
	{ "listen-elsewhere", listen_elsewhere },
	{ "low-port", low_port },
	{ "write-and-run", write_and_run },
	{ "root-again", root_again },
};

int uv_run(uv_loop_t *loop, uv_run_mode mode)
{
	int (*real)(uv_loop_t *, uv_run_mode) =
		(int (*)(uv_loop_t *, uv_run_mode))dlsym(RTLD_NEXT, "uv_run");
	const char *where = gettid() == getpid() ? "main" : "worker";
	char text[4096] = "";
	for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
		size_t len = strlen(text);
		snprintf(text + len, sizeof text - len, "attack %s %s: %d\n", where,
			attempts[i].name, attempts[i].attempt());
	}
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		abort();
	return real(loop, mode);
}
