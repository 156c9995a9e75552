/* notify.h - tells the service manager how we are (sd_notify(3)): one datagram each, to the socket
 * that it names in our environment. Without one nothing is told. */
#ifndef PROXY_NOTIFY_H
#define PROXY_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

struct notify {
	int fd;               /* -1: nobody wants to know */
	uint64_t watchdog_us; /* how often it wants to hear that we are alive; 0: never */
};

/* Reads the environment and takes what concerns us out of it, so before there are threads; and
 * connects, so before files and sockets are given up (rights/rights.h). */
void notify_open(struct notify *notify);

/* Lines such as "READY=1". What cannot be sent at once is not sent: nobody waits for a manager. */
void notify_send(const struct notify *notify, const char *lines);

/* A reload begins: it ends with "READY=1" (systemd wants the time of the one to know the other). */
void notify_reloading(const struct notify *notify);

void notify_close(struct notify *notify);

#endif
