#include "proxy/control/control.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"

struct conn {
	uv_pipe_t pipe;
	uv_timer_t timer;
	uv_write_t write;
	struct control *control;
	struct ucred peer;
	unsigned open_handles; /* 0: the slot is free */
	bool is_closing;
	size_t in_len;
	uint8_t in[CONTROL_LINE_MAX];
	uint8_t out[CONTROL_ANSWER_MAX];
};

struct control {
	uv_pipe_t listener;
	struct control_source source;
	struct sockaddr_un address;
	struct stat inode; /* of the socket that we made */
	bool has_pending;  /* somebody waits for a slot */
	bool is_closing;
	bool listener_is_closed;
	struct log_rate refused_rate;
	struct conn conns[CONTROL_CONNECTIONS_MAX];
};

static void on_connection(uv_stream_t *listener, int status);

/* ---- the end ---- */

static void free_when_done(struct control *control)
{
	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
		if (control->conns[i].open_handles > 0)
			return;
	if (control->is_closing && control->listener_is_closed)
		free(control);
}

static void on_conn_closed(uv_handle_t *handle)
{
	struct conn *conn = handle->data;
	struct control *control = conn->control;
	if (--conn->open_handles)
		return;
	if (control->is_closing)
		free_when_done(control);
	else if (control->has_pending)
		on_connection((uv_stream_t *)&control->listener, 0);
}

static void conn_close(struct conn *conn)
{
	if (conn->is_closing)
		return;
	conn->is_closing = true;
	uv_close((uv_handle_t *)&conn->timer, on_conn_closed);
	uv_close((uv_handle_t *)&conn->pipe, on_conn_closed);
}

static void on_deadline(uv_timer_t *timer)
{
	conn_close(timer->data);
}

/* ---- one request, one answer ---- */

static void on_written(uv_write_t *write, int status)
{
	(void)status;
	conn_close(write->data);
}

static void conn_say(struct conn *conn, const struct writer *answer)
{
	uv_buf_t buffer = uv_buf_init((char *)answer->at, (unsigned)answer->len);
	uv_read_stop((uv_stream_t *)&conn->pipe);
	conn->write.data = conn;
	if (uv_write(&conn->write, (uv_stream_t *)&conn->pipe, &buffer, 1, on_written) < 0)
		conn_close(conn);
}

static void conn_refuse(struct conn *conn, const char *text)
{
	struct writer answer = writer_of(conn->out, sizeof conn->out);
	control_verbs_fail(&answer, text);
	conn_say(conn, &answer);
}

/* What follows "token=" is, or leads to, somebody's secret: not even its digest is told. */
static void hide_tokens(uint8_t *line, size_t len)
{
	static const char key[] = " token=";
	uint8_t *at = line;
	while ((at = memmem(at, len - (size_t)(at - line), key, sizeof key - 1)))
		for (at += sizeof key - 1; at < line + len && *at != ' '; at++)
			*at = '*';
}

/* The line is printable: the parser saw to that. */
static void log_request(struct conn *conn, struct slice line, const struct writer *answer)
{
	const uint8_t *end = memchr(answer->at, '\n', answer->len);
	hide_tokens(conn->in, line.len);
	log_info("control: pid=%d uid=%u said \"%.*s\": %.*s", (int)conn->peer.pid,
		(unsigned)conn->peer.uid, (int)line.len, (const char *)line.at,
		end ? (int)(end - answer->at) : 0, (const char *)answer->at);
}

static void conn_obey(struct conn *conn, struct slice line)
{
	struct control_request request;
	struct writer answer = writer_of(conn->out, sizeof conn->out);
	if (!control_request_read(&request, line)) {
		conn_refuse(conn, "not a line of words");
		return;
	}
	request.uid = (uint32_t)conn->peer.uid;
	control_verbs_run(&conn->control->source, &request, &answer);
	log_request(conn, line, &answer);
	conn_say(conn, &answer);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	struct conn *conn = handle->data;
	(void)suggested;
	*buffer = uv_buf_init(
		(char *)conn->in + conn->in_len, (unsigned)(sizeof conn->in - conn->in_len));
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
	struct conn *conn = stream->data;
	(void)buffer;
	if (count < 0) {
		conn_close(conn);
		return;
	}
	conn->in_len += (size_t)count;
	const uint8_t *newline = memchr(conn->in, '\n', conn->in_len);
	if (newline)
		conn_obey(conn, slice_of(conn->in, (size_t)(newline - conn->in)));
	else if (conn->in_len == sizeof conn->in)
		conn_refuse(conn, "the request is too long");
}

/* ---- who comes ---- */

static bool read_peer(struct conn *conn)
{
	uv_os_fd_t fd;
	socklen_t len = sizeof conn->peer;
	return uv_fileno((uv_handle_t *)&conn->pipe, &fd) == 0 &&
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &conn->peer, &len) == 0;
}

static void conn_turn_away(struct conn *conn, const char *why)
{
	struct control *control = conn->control;
	if (log_rate_ok(&control->refused_rate, uv_now(control->listener.loop)))
		log_warning("control: turned away pid=%d uid=%u: %s", (int)conn->peer.pid,
			(unsigned)conn->peer.uid, why);
	conn_refuse(conn, why);
}

static struct conn *take_slot(struct control *control)
{
	size_t i = 0;
	while (i < CONTROL_CONNECTIONS_MAX && control->conns[i].open_handles > 0)
		i++;
	return i < CONTROL_CONNECTIONS_MAX ? &control->conns[i] : NULL;
}

static void conn_init(struct conn *conn, struct control *control)
{
	uv_loop_t *loop = control->listener.loop;
	conn->control = control;
	conn->is_closing = false;
	conn->in_len = 0;
	conn->peer = (struct ucred){ .uid = (uid_t)-1 };
	uv_pipe_init(loop, &conn->pipe, 0);
	uv_timer_init(loop, &conn->timer);
	conn->pipe.data = conn;
	conn->timer.data = conn;
	conn->open_handles = 2;
}

/* Who finds all slots taken waits for one: no longer than their deadline. */
static void on_connection(uv_stream_t *listener, int status)
{
	struct control *control = listener->data;
	struct conn *conn = status < 0 ? NULL : take_slot(control);
	control->has_pending = status >= 0 && !conn;
	if (!conn)
		return;
	conn_init(conn, control);
	if (uv_accept(listener, (uv_stream_t *)&conn->pipe) < 0 || !read_peer(conn)) {
		conn_close(conn);
		return;
	}
	uv_timer_start(&conn->timer, on_deadline, CONTROL_DEADLINE_MS, 0);
	if (conn->peer.uid != 0 && conn->peer.uid != geteuid())
		conn_turn_away(conn, "not permitted");
	else if (uv_read_start((uv_stream_t *)&conn->pipe, on_alloc, on_read) < 0)
		conn_close(conn);
}

/* ---- the socket ---- */

static int set_path(struct sockaddr_un *address, const char *path)
{
	size_t len = strlen(path);
	if (len == 0 || len >= sizeof address->sun_path)
		return -ENAMETOOLONG;
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(address->sun_path, path, len);
	return 0;
}

/* Is nobody there any more? 0, or why it must stay. */
static int probe(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	int error = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ? 0 : errno;
	close(fd);
	if (error == ECONNREFUSED)
		return 0;
	return error == 0 || error == EAGAIN ? -EADDRINUSE : -error;
}

/* Makes room for our socket. */
static int remove_stale(const struct sockaddr_un *address)
{
	struct stat found;
	if (lstat(address->sun_path, &found) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(found.st_mode))
		return -ENOTSOCK;
	int error = probe(address);
	if (error)
		return error;
	return unlink(address->sun_path) < 0 ? -errno : 0;
}

/* Linux gives a socket's file the mode that the socket has when it is bound, so nobody else can
 * connect at any moment, and the umask of the process stays what it is. */
static int bind_socket(struct control *control, int fd)
{
	const struct sockaddr *address = (const struct sockaddr *)&control->address;
	if (fchmod(fd, S_IRUSR | S_IWUSR) < 0 || bind(fd, address, sizeof control->address) < 0)
		return -errno;
	if (lstat(control->address.sun_path, &control->inode) < 0)
		return -errno;
	return control->inode.st_mode & (S_IRWXG | S_IRWXO) ? -EPERM : 0;
}

static void remove_ours(const struct control *control)
{
	struct stat found;
	if (control->inode.st_ino && lstat(control->address.sun_path, &found) == 0 &&
		found.st_ino == control->inode.st_ino && found.st_dev == control->inode.st_dev)
		unlink(control->address.sun_path);
}

static int listen_on(struct control *control, const char *path)
{
	int error = set_path(&control->address, path);
	if (!error)
		error = remove_stale(&control->address);
	if (error)
		return error;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	error = bind_socket(control, fd);
	if (!error)
		error = uv_pipe_open(&control->listener, fd);
	if (error) {
		close(fd);
		return error;
	}
	return uv_listen((uv_stream_t *)&control->listener, CONTROL_CONNECTIONS_MAX, on_connection);
}

struct control *control_open(
	uv_loop_t *loop, const char *path, const struct control_source *source, int *error)
{
	struct control *control = calloc(1, sizeof *control);
	*error = ERR_NO_MEMORY;
	if (!control)
		return NULL;
	control->source = *source;
	uv_pipe_init(loop, &control->listener, 0);
	control->listener.data = control;
	*error = listen_on(control, path);
	if (!*error)
		return control;
	control_close(control);
	return NULL;
}

static void on_listener_closed(uv_handle_t *handle)
{
	struct control *control = handle->data;
	control->listener_is_closed = true;
	free_when_done(control);
}

void control_close(struct control *control)
{
	if (!control || control->is_closing)
		return;
	control->is_closing = true;
	remove_ours(control);
	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
		if (control->conns[i].open_handles > 0)
			conn_close(&control->conns[i]);
	uv_close((uv_handle_t *)&control->listener, on_listener_closed);
}
