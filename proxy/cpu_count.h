/* cpu_count.h - how many workers are of use: the smaller of the CPUs that we may run on and the
 * cgroup's quota, at least 1. */
#ifndef PROXY_CPU_COUNT_H
#define PROXY_CPU_COUNT_H

#include "base/slice.h"

unsigned cpu_count(void);

/* CPUs that a cgroup's cpu.max ("200000 100000", "max 100000") allows, rounded up; 0: no limit. */
unsigned cpu_quota_parse(const char *text);

#endif
