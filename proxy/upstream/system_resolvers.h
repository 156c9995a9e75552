/* system_resolvers.h - whom to ask when the configuration names nobody: the nameserver lines of
 * resolv.conf(5), less ourselves. Read once at start; c-ares never sees the file. */
#ifndef PROXY_UPSTREAM_SYSTEM_RESOLVERS_H
#define PROXY_UPSTREAM_SYSTEM_RESOLVERS_H

#include "base/address.h"
#include "proxy/config.h"

enum { SYSTEM_RESOLVERS_MAX = 3 }; /* as in glibc, MAXNS */

/* Filled in place: `upstreams` points into `names`, so it must not be copied or moved. */
struct system_resolvers {
	struct upstream_config upstreams[SYSTEM_RESOLVERS_MAX];
	size_t count;
	unsigned own;     /* left out: they are our own listeners */
	unsigned skipped; /* left out: with a scope id, malformed, or one too many */
	char names[SYSTEM_RESOLVERS_MAX][ADDRESS_TEXT_MAX];
};

/* Pure: the text of the file and the addresses on which we answer port 53 ourselves. The
 * unspecified address stands for all of the loopback network. */
void system_resolvers_parse(struct system_resolvers *resolvers, struct slice text,
	const struct address *own, size_t own_count);

/* Reads the file and takes out the listeners of kind LISTENER_DNS on port 53; one on the
 * unspecified address means every address of this machine. 0 or -errno. Nobody left is `count` 0,
 * no error. Warns about lines that it does not understand. */
int system_resolvers_read(struct system_resolvers *resolvers, const char *path,
	const struct listener_config *listeners, size_t listener_count);

#endif
