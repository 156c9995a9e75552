/* lint_health.h - which entries of a list take the names with them by which browsers, phones and
 * desktops test their resolver or network (proxy/config/builtin.h)? Shown every pattern while the
 * list is read, it remembers the lines of the few that could; the image then knows which counts. */
#ifndef PROXY_LISTS_LINT_HEALTH_H
#define PROXY_LISTS_LINT_HEALTH_H

#include "proxy/lists/lint_finding.h"
#include "rules/image.h"

struct lint_health;

struct lint_health *lint_health_new(void); /* NULL when out of memory */
void lint_health_free(struct lint_health *health);

void lint_health_see(struct lint_health *health, const struct list_pattern *pattern);

/* Tells a finding for each entry of the image's first list that covers such a name, and to which
 * the list makes no exception; `name` lives as long as `health`. */
void lint_health_find(struct lint_health *health, const struct image *image,
	void (*on_finding)(void *context, const struct lint_finding *finding), void *context);

#endif
