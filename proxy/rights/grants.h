/* grants.h - which files the program needs: what its configuration names, with the directories that
 * these stand in (a new edition is renamed into its place), and what its libraries read. */
#ifndef PROXY_RIGHTS_GRANTS_H
#define PROXY_RIGHTS_GRANTS_H

#include "proxy/config.h"
#include "proxy/rights/landlock.h"

/* Libraries, authorities, time zones, what the system says of itself; without `programs` no program
 * can be started. */
void grants_of_system(struct landlock *landlock, bool programs);

/* What this configuration reads and writes, and the TCP ports that it listens on. */
void grants_of_config(struct landlock *landlock, const struct config *config);

/* resolv.conf(5), for configurations without upstreams: it may be replaced at any time, so that
 * needs its directory. */
void grants_of_resolvers(struct landlock *landlock);

#endif
