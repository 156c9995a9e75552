/* builtin.h - what comes with the program and is there for a policy to refer to: the rule group and
 * domain list "builtin:client-health", the names by which browsers, phones and desktops find out
 * whether their resolver works or their network is online. A policy that blocks one of them makes
 * all of the network look dead. It takes part only where the file says so. */
#ifndef PROXY_CONFIG_BUILTIN_H
#define PROXY_CONFIG_BUILTIN_H

#include <stddef.h>

/* "builtin:client-health", of group and list. */
extern const char builtin_client_health[];

struct builtin_name {
	const char *pattern; /* as a list of the format "domains" has it */
	const char *example; /* a name that it matches */
	const char *user;    /* who asks for it */
};
extern const struct builtin_name builtin_client_health_names[];
extern const size_t builtin_client_health_count;

#endif
