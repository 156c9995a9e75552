#include "proxy/lists/fetch_child.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"

static const char program_name[] = "namegate-fetch";

enum { HANDLES = 3 };

struct fetch_child {
	uv_process_t process;
	uv_pipe_t output;
	uv_timer_t timer;
	fetch_child_done_fn done; /* NULL: told, or nobody wants to know any more */
	void *context;
	unsigned open_handles;
	bool has_exited;
	bool has_ended; /* its standard output */
	bool is_late;
	bool is_too_long;
	int64_t exit_status;
	int signal;
	size_t len;
	char text[FETCH_REPORT_MAX];
};

/* ---- where it is ---- */

static bool find_beside(char path[FETCH_CHILD_PATH_MAX])
{
	ssize_t len = readlink("/proc/self/exe", path, FETCH_CHILD_PATH_MAX - 1);
	if (len <= 0)
		return false;
	path[len] = '\0';
	char *name = strrchr(path, '/');
	size_t before = name ? (size_t)(name + 1 - path) : 0;
	if (before + sizeof program_name > FETCH_CHILD_PATH_MAX)
		return false;
	memcpy(path + before, program_name, sizeof program_name);
	return access(path, X_OK) == 0;
}

bool fetch_child_program(char path[FETCH_CHILD_PATH_MAX])
{
	if (find_beside(path))
		return true;
	snprintf(path, FETCH_CHILD_PATH_MAX, "%s/%s", NAMEGATE_LIBEXEC, program_name);
	return access(path, X_OK) == 0;
}

/* ---- its end ---- */

__attribute__((format(printf, 3, 4))) static void fail(
	struct fetch_report *report, enum list_fault fault, const char *format, ...)
{
	va_list arguments;
	memset(report, 0, sizeof *report);
	report->fault = fault;
	va_start(arguments, format);
	vsnprintf(report->why, sizeof report->why, format, arguments);
	va_end(arguments);
}

/* SIGALRM is its own clock, which is there for when it hangs. */
static void judge(const struct fetch_child *child, struct fetch_report *report)
{
	if (child->is_late || child->signal == SIGALRM)
		fail(report, LIST_FAULT_TIMEOUT, "%s hung and was ended", program_name);
	else if (child->signal)
		fail(report, LIST_FAULT_INTERNAL, "%s was ended by signal %d", program_name,
			child->signal);
	else if (child->exit_status)
		fail(report, LIST_FAULT_INTERNAL, "%s ended with status %d", program_name,
			(int)child->exit_status);
	else if (child->is_too_long ||
		!fetch_report_read(report, slice_of(child->text, child->len)))
		fail(report, LIST_FAULT_INTERNAL, "%s did not report in full", program_name);
}

static void on_closed(uv_handle_t *handle)
{
	struct fetch_child *child = handle->data;
	if (--child->open_handles == 0)
		free(child);
}

static void close_handle(uv_handle_t *handle)
{
	if (!uv_is_closing(handle))
		uv_close(handle, on_closed);
}

/* It has exited: its parent must wait for it, so its handle is the last to go. */
static void close_all(struct fetch_child *child)
{
	close_handle((uv_handle_t *)&child->output);
	close_handle((uv_handle_t *)&child->timer);
	if (child->has_exited)
		close_handle((uv_handle_t *)&child->process);
}

static void finish_if_over(struct fetch_child *child)
{
	struct fetch_report report;
	if (!child->has_exited || !child->has_ended)
		return;
	fetch_child_done_fn done = child->done;
	void *context = child->context;
	judge(child, &report);
	child->done = NULL;
	close_all(child);
	if (done)
		done(context, &report);
}

static void on_exit_of(uv_process_t *process, int64_t exit_status, int signal)
{
	struct fetch_child *child = process->data;
	child->has_exited = true;
	child->exit_status = exit_status;
	child->signal = signal;
	if (!child->done)
		close_all(child);
	else
		finish_if_over(child);
}

/* ---- its report ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	struct fetch_child *child = handle->data;
	(void)suggested;
	buffer->base = child->text + child->len;
	buffer->len = sizeof child->text - child->len;
}

/* Full is too much as well: a report has room to spare. libuv says ENOBUFS then. */
static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
	struct fetch_child *child = stream->data;
	(void)buffer;
	if (count >= 0) {
		child->len += (size_t)count;
		return;
	}
	child->is_too_long = count == UV_ENOBUFS;
	child->has_ended = true;
	uv_read_stop(stream);
	if (child->is_too_long)
		uv_process_kill(&child->process, SIGKILL);
	finish_if_over(child);
}

static void on_late(uv_timer_t *timer)
{
	struct fetch_child *child = timer->data;
	child->is_late = true;
	if (!child->has_exited)
		uv_process_kill(&child->process, SIGKILL);
}

void fetch_child_cancel(struct fetch_child *child)
{
	child->done = NULL;
	if (!child->has_exited)
		uv_process_kill(&child->process, SIGKILL);
	close_all(child);
}

/* ---- its beginning ---- */

static void init(struct fetch_child *child, uv_loop_t *loop)
{
	uv_timer_init(loop, &child->timer);
	uv_pipe_init(loop, &child->output, 0);
	child->process.data = child->timer.data = child->output.data = child;
	child->open_handles = HANDLES;
}

/* Nothing of it was started, but libuv knows its handles; also that of a process that is none. */
static void give_up(struct fetch_child *child)
{
	child->has_exited = true;
	close_all(child);
}

static void set_descriptors(uv_stdio_container_t descriptors[], struct fetch_child *child,
	const struct fetch_wish *wish)
{
	descriptors[STDIN_FILENO].flags = UV_IGNORE;
	descriptors[STDOUT_FILENO].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
	descriptors[STDOUT_FILENO].data.stream = (uv_stream_t *)&child->output;
	descriptors[STDERR_FILENO].flags = UV_INHERIT_FD;
	descriptors[STDERR_FILENO].data.fd = STDERR_FILENO;
	descriptors[FETCH_BODY_FD].flags = UV_INHERIT_FD;
	descriptors[FETCH_BODY_FD].data.fd = wish->body_fd;
	descriptors[FETCH_SIGNATURE_FD].flags = UV_IGNORE;
	if (wish->signature_fd >= 0) {
		descriptors[FETCH_SIGNATURE_FD].flags = UV_INHERIT_FD;
		descriptors[FETCH_SIGNATURE_FD].data.fd = wish->signature_fd;
	}
}

static int spawn(struct fetch_child *child, uv_loop_t *loop, const struct fetch_wish *wish,
	const char *program)
{
	const char *const arguments[] = { program, "-c", wish->config_file, "--list", wish->list,
		"--etag", wish->etag ? wish->etag : "", "--last-modified",
		wish->last_modified ? wish->last_modified : "", NULL };
	static char *no_environment[] = { NULL };
	uv_stdio_container_t descriptors[FETCH_SIGNATURE_FD + 1];
	uv_process_options_t options = { .exit_cb = on_exit_of,
		.file = program,
		.args = (char **)(uintptr_t)arguments,
		.env = no_environment,
		.stdio_count = FETCH_SIGNATURE_FD + 1,
		.stdio = descriptors };
	set_descriptors(descriptors, child, wish);
	return uv_spawn(loop, &child->process, &options);
}

struct fetch_child *fetch_child_start(uv_loop_t *loop, const struct fetch_wish *wish,
	fetch_child_done_fn done, void *context, int *error)
{
	char path[FETCH_CHILD_PATH_MAX];
	const char *program = wish->program ? wish->program : path;
	if (!wish->program && !fetch_child_program(path)) {
		*error = -ENOENT;
		return NULL;
	}
	struct fetch_child *child = calloc(1, sizeof *child);
	if (!child) {
		*error = ERR_NO_MEMORY;
		return NULL;
	}
	init(child, loop);
	child->done = done;
	child->context = context;
	*error = spawn(child, loop, wish, program);
	if (*error) {
		give_up(child);
		return NULL;
	}
	uv_timer_start(&child->timer, on_late, wish->timeout_ms, 0);
	*error = uv_read_start((uv_stream_t *)&child->output, on_alloc, on_read);
	if (!*error)
		return child;
	fetch_child_cancel(child);
	return NULL;
}
