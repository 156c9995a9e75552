/* The control socket itself: its loop turns in a thread of its own, the test is the operator, or
 * somebody who should not be there. */
#include "proxy/control/control.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "proxy/control/control_client.h"

static char directory[] = "/tmp/namegate-control-XXXXXX";
static char path[100];
static uint8_t buffer[CONTROL_ANSWER_MAX];

static size_t flush(void *context, struct slice name, bool below)
{
	(void)context;
	(void)below;
	return name.len;
}

static const struct control_source source = { .flush = flush };

/* ---- the loop ---- */

static uv_loop_t loop;
static uv_async_t ask_to_end;
static pthread_t thread;
static struct control *control;

static void on_end(uv_async_t *async)
{
	control_close(control);
	uv_close((uv_handle_t *)async, NULL);
}

static void *thread_main(void *context)
{
	(void)context;
	uv_run(&loop, UV_RUN_DEFAULT);
	return NULL;
}

static int start(void **state)
{
	int error;
	(void)state;
	log_set_level(LOG_ERROR);
	uv_loop_init(&loop);
	control = control_open(&loop, path, &source, &error);
	assert_non_null(control);
	uv_async_init(&loop, &ask_to_end, on_end);
	return pthread_create(&thread, NULL, thread_main, NULL);
}

static int stop(void **state)
{
	(void)state;
	uv_async_send(&ask_to_end);
	pthread_join(thread, NULL);
	assert_int_equal(uv_loop_close(&loop), 0);
	return 0;
}

static int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof path, "%s/socket", directory);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

/* ---- clients ---- */

static const char *ask(const char *line)
{
	static char text[CONTROL_ANSWER_MAX + 100];
	struct control_answer answer;
	int error = control_client_ask(path, line, buffer, &answer);
	if (error)
		snprintf(text, sizeof text, "%s", error_text(error));
	else
		snprintf(text, sizeof text, "%.*s%.*s", (int)answer.lines.len,
			(const char *)answer.lines.at, (int)answer.error.len,
			(const char *)answer.error.at);
	return text;
}

static int dial(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memcpy(address.sun_path, path, strlen(path));
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

/* Everything that comes until the end. */
static const char *hear_all(int fd)
{
	static char text[CONTROL_ANSWER_MAX + 1];
	size_t len = 0;
	for (ssize_t count; (count = recv(fd, text + len, sizeof text - 1 - len, 0)) != 0;) {
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			break;
		len += (size_t)count;
	}
	text[len] = '\0';
	close(fd);
	return text;
}

static void say(int fd, const char *text, size_t len)
{
	(void)!send(fd, text, len, MSG_NOSIGNAL);
}

static void answers_one_line(void **state)
{
	(void)state;
	assert_string_equal(ask("flush name a"), "3 entries flushed\n");
	assert_string_equal(ask("flush all"), "1 entry flushed\n");
	assert_string_equal(ask("flush below a..b"), "not a domain name");
	assert_string_equal(ask("shutdown"), "unknown verb");
	assert_string_equal(ask(""), "not a line of words");
	int fd = dial();
	say(fd, "flush all\nflush name a\n", 23); /* one line only */
	assert_string_equal(hear_all(fd), "1 entry flushed\nok\n");
}

static void bytes_may_come_one_by_one(void **state)
{
	(void)state;
	static const char line[] = "flush name a\n";
	int fd = dial();
	for (size_t i = 0; i < sizeof line - 1; i++) {
		say(fd, line + i, 1);
		usleep(1000);
	}
	assert_string_equal(hear_all(fd), "3 entries flushed\nok\n");
}

static void long_lines_are_refused(void **state)
{
	(void)state;
	static char line[2 * CONTROL_LINE_MAX];
	memset(line, 'a', sizeof line);
	int fd = dial();
	say(fd, line, sizeof line);
	assert_string_equal(hear_all(fd), "error: the request is too long\n");
	/* The longest that is read: then it is only unknown. */
	line[CONTROL_LINE_MAX - 1] = '\n';
	fd = dial();
	say(fd, line, CONTROL_LINE_MAX);
	assert_string_equal(hear_all(fd), "error: unknown verb\n");
}

static void half_a_line_is_none(void **state)
{
	(void)state;
	int fd = dial();
	say(fd, "flush all", 9);
	shutdown(fd, SHUT_WR);
	assert_string_equal(hear_all(fd), "");
	close(dial());
	assert_string_equal(ask("flush all"), "1 entry flushed\n");
}

/* Eight say nothing: the ninth waits until their time is over, and is answered. */
static void silent_peers_are_dropped(void **state)
{
	(void)state;
	int silent[CONTROL_CONNECTIONS_MAX];
	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
		silent[i] = dial();
	assert_string_equal(ask("flush all"), "1 entry flushed\n");
	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
		assert_string_equal(hear_all(silent[i]), "");
	for (size_t i = 0; i < 4 * CONTROL_CONNECTIONS_MAX; i++)
		assert_string_equal(ask("flush all"), "1 entry flushed\n");
}

/* What another user gets to hear; he is a child process, as a user is a matter of the process. */
static void expect_as_nobody(const char *expected)
{
	pid_t child = fork();
	if (child == 0)
		_exit(setuid(65534) == 0 && strcmp(ask("flush all"), expected) == 0 ? 0 : 1);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void others_are_not_heard(void **state)
{
	(void)state;
	struct stat found;
	assert_int_equal(lstat(path, &found), 0);
	assert_true(S_ISSOCK(found.st_mode));
	assert_int_equal(found.st_mode & 0777, 0600);
	assert_int_equal(found.st_uid, geteuid());
	if (geteuid() != 0) {
		print_message("needs root for the rest\n");
		return;
	}
	assert_int_equal(chmod(directory, 0755), 0);
	expect_as_nobody(error_text(-EACCES));
	/* Somebody opened the socket to all: the peer is looked at all the same. */
	assert_int_equal(chmod(path, 0666), 0);
	expect_as_nobody("not permitted");
	assert_string_equal(ask("flush all"), "1 entry flushed\n");
}

/* ---- the path ---- */

/* Opens and closes beside the one that runs. */
static int try_open(const char *at)
{
	uv_loop_t other;
	int error;
	uv_loop_init(&other);
	struct control *second = control_open(&other, at, &source, &error);
	assert_int_equal(second == NULL, error != 0);
	control_close(second);
	uv_run(&other, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&other), 0);
	return error;
}

static void a_live_socket_is_left_alone(void **state)
{
	(void)state;
	assert_int_equal(try_open(path), -EADDRINUSE);
	assert_string_equal(ask("flush all"), "1 entry flushed\n");
}

static void leave_stale_socket(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memcpy(address.sun_path, path, strlen(path));
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
	close(fd);
}

static void a_stale_socket_is_replaced(void **state)
{
	(void)state;
	leave_stale_socket();
	assert_int_equal(
		control_client_ask(path, "flush all", buffer, &(struct control_answer){ 0 }),
		-ECONNREFUSED);
	assert_int_equal(try_open(path), 0);
	assert_int_equal(access(path, F_OK), -1); /* and removed at the end */
}

static void what_is_no_socket_stays(void **state)
{
	(void)state;
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(try_open(path), -ENOTSOCK);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	assert_int_equal(symlink("elsewhere", path), 0);
	assert_int_equal(try_open(path), -ENOTSOCK);
	unlink(path);
}

static void the_directory_must_be_there(void **state)
{
	(void)state;
	char text[300];
	snprintf(text, sizeof text, "%s/none/socket", directory);
	assert_int_equal(try_open(text), -ENOENT);
	memset(text, 'x', sizeof text);
	text[108] = '\0';
	assert_int_equal(try_open(text), -ENAMETOOLONG);
	assert_int_equal(try_open(""), -ENAMETOOLONG);
}

/* The socket of a successor is not ours to remove. */
static void only_our_own_socket_is_removed(void **state)
{
	(void)state;
	start(state);
	unlink(path);
	leave_stale_socket();
	stop(state);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	start(state);
	stop(state);
	assert_int_equal(access(path, F_OK), -1);
}

/* With everything in flight. */
static void ends_with_connections_open(void **state)
{
	(void)state;
	int fds[CONTROL_CONNECTIONS_MAX + 2];
	start(state);
	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX + 2; i++) {
		fds[i] = dial();
		say(fds[i], "flush a", 7);
	}
	stop(state);
	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX + 2; i++)
		assert_string_equal(hear_all(fds[i]), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers_one_line, start, stop),
		cmocka_unit_test_setup_teardown(bytes_may_come_one_by_one, start, stop),
		cmocka_unit_test_setup_teardown(long_lines_are_refused, start, stop),
		cmocka_unit_test_setup_teardown(half_a_line_is_none, start, stop),
		cmocka_unit_test_setup_teardown(silent_peers_are_dropped, start, stop),
		cmocka_unit_test_setup_teardown(others_are_not_heard, start, stop),
		cmocka_unit_test_setup_teardown(a_live_socket_is_left_alone, start, stop),
		cmocka_unit_test(a_stale_socket_is_replaced),
		cmocka_unit_test(what_is_no_socket_stays),
		cmocka_unit_test(the_directory_must_be_there),
		cmocka_unit_test(only_our_own_socket_is_removed),
		cmocka_unit_test(ends_with_connections_open),
	};
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
