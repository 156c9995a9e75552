#include "proxy/control/control_client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"

/* The other side gives up after 5 s, and may have others before us. */
enum { TIMEOUT_S = 15 };

static int dial(const char *path)
{
	const struct timeval timeout = { .tv_sec = TIMEOUT_S };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
	if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	int error = -errno;
	close(fd);
	return error;
}

static int say(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t count = send(fd, text, len, MSG_NOSIGNAL);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return errno == EAGAIN ? ERR_TIMEOUT : -errno;
		text += count;
		len -= (size_t)count;
	}
	return 0;
}

/* Everything up to the end; gives its length or an error. A reset behind the last line is an end
 * too: then something of ours was not read. */
static ssize_t hear(int fd, uint8_t *buffer)
{
	size_t len = 0;
	while (len < CONTROL_ANSWER_MAX) {
		ssize_t count = recv(fd, buffer + len, CONTROL_ANSWER_MAX - len, 0);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0 && errno == EAGAIN)
			return ERR_TIMEOUT;
		if (count <= 0)
			break;
		len += (size_t)count;
	}
	return (ssize_t)len;
}

bool control_client_read(struct control_answer *to, struct slice answer)
{
	static const char error[] = "error: ";
	size_t error_len = sizeof error - 1;
	if (answer.len == 0 || answer.at[answer.len - 1] != '\n')
		return false;
	size_t end = answer.len - 1;
	size_t start = end;
	while (start > 0 && answer.at[start - 1] != '\n')
		start--;
	struct slice last = slice_of(answer.at + start, end - start);
	to->lines = slice_of(answer.at, start);
	to->error = slice_of(last.at, 0);
	if (slice_equals_text(last, "ok"))
		return true;
	if (last.len <= error_len || memcmp(last.at, error, error_len) != 0)
		return false;
	to->error = slice_of(last.at + error_len, last.len - error_len);
	return true;
}

int control_client_ask(const char *path, const char *line, void *buffer, struct control_answer *to)
{
	int fd = dial(path);
	if (fd < 0)
		return fd;
	/* Who turns us away may do so before we have said anything: what he says counts. */
	int error = say(fd, line, strlen(line));
	if (!error)
		error = say(fd, "\n", 1);
	ssize_t len = hear(fd, buffer);
	close(fd);
	if (len < 0)
		return (int)len;
	if (control_client_read(to, slice_of(buffer, (size_t)len)))
		return 0;
	return error ? error : ERR_MALFORMED;
}
