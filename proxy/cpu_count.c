#include "proxy/cpu_count.h"

#include <sched.h>
#include <stdio.h>

unsigned cpu_quota_parse(const char *text)
{
	unsigned long long quota, period;
	if (sscanf(text, "%llu %llu", &quota, &period) != 2 || period == 0)
		return 0;
	return (unsigned)((quota + period - 1) / period);
}

static bool read_line(const char *path, char *line, int size)
{
	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	bool got = fgets(line, size, file) != NULL;
	fclose(file);
	if (got)
		line[strcspn(line, "\n")] = '\0';
	return got;
}

/* The quota of our own group and of every one above it; the smallest counts. */
static unsigned cgroup_quota(void)
{
	char line[1024], path[2048], quota_text[64];
	unsigned smallest = 0;
	/* cgroup v2: one line, "0::/path". */
	if (!read_line("/proc/self/cgroup", line, sizeof line) || strncmp(line, "0::/", 4) != 0)
		return 0;
	for (char *group = line + 3;;) {
		snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", group);
		unsigned quota = read_line(path, quota_text, sizeof quota_text)
			? cpu_quota_parse(quota_text)
			: 0;
		if (quota > 0 && (smallest == 0 || quota < smallest))
			smallest = quota;
		char *slash = strrchr(group, '/');
		if (!slash || group[0] == '\0')
			return smallest;
		*slash = '\0';
	}
}

unsigned cpu_count(void)
{
	cpu_set_t set;
	unsigned count = 1;
	if (sched_getaffinity(0, sizeof set, &set) == 0)
		count = (unsigned)CPU_COUNT(&set);
	unsigned quota = cgroup_quota();
	if (quota > 0 && quota < count)
		count = quota;
	return count > 0 ? count : 1;
}
