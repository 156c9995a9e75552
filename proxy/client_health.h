/* client_health.h - looks whether a policy blocks names by which browsers, phones and desktops test
 * their resolver or network (proxy/config/builtin.h has them): then they leave the resolver, or say
 * that there is no internet, and nobody thinks of a list. Off the loops, once per load. */
#ifndef PROXY_CLIENT_HEALTH_H
#define PROXY_CLIENT_HEALTH_H

#include "proxy/config/builtin.h"
#include "rules/policy.h"

struct client_health_finding {
	uint16_t view;
	const struct builtin_name *name; /* the first one that is blocked */
	size_t count;                    /* how many of them are */
	struct verdict verdict;          /* of the first */
};

/* Does the view block any? A view in its fail mode does not: that has been told. */
bool client_health_find(
	const struct policy *policy, uint16_t view, struct client_health_finding *finding);

/* One warning for each view that does: which name, by which rule, and what to do about it. */
void client_health_warn(const struct policy *policy);

#endif
