#include "proxy/notify.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/number.h"

/* A path, or "@" and a name in the abstract name space. */
static bool address_of(const char *name, struct sockaddr_un *address, socklen_t *len)
{
	size_t name_len = strlen(name);
	if (name_len < 2 || name_len >= sizeof address->sun_path ||
		(name[0] != '/' && name[0] != '@'))
		return false;
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(address->sun_path, name, name_len);
	if (name[0] == '@')
		address->sun_path[0] = '\0';
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + name_len);
	return true;
}

static int dial(const char *name)
{
	struct sockaddr_un address;
	socklen_t len;
	if (!address_of(name, &address, &len))
		return -1;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, len) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* 0: there is none. */
static uint64_t number_of(const char *variable)
{
	uint64_t number;
	const char *text = getenv(variable);
	return text && number_parse(text, 1, UINT64_MAX, &number) ? number : 0;
}

/* It may be meant for another process, which handed its environment on to us. */
static uint64_t watchdog_us(void)
{
	if (getenv("WATCHDOG_PID") && number_of("WATCHDOG_PID") != (uint64_t)getpid())
		return 0;
	return number_of("WATCHDOG_USEC");
}

void notify_open(struct notify *notify)
{
	const char *name = getenv("NOTIFY_SOCKET");
	*notify = (struct notify){ .fd = name ? dial(name) : -1, .watchdog_us = watchdog_us() };
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

void notify_send(const struct notify *notify, const char *lines)
{
	if (notify->fd >= 0)
		send(notify->fd, lines, strlen(lines), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void notify_reloading(const struct notify *notify)
{
	struct timespec now;
	char lines[64];
	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(lines, sizeof lines, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		(uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
	notify_send(notify, lines);
}

void notify_close(struct notify *notify)
{
	if (notify->fd >= 0)
		close(notify->fd);
	notify->fd = -1;
}
