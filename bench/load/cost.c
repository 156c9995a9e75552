#include "bench/load/cost.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t clock_ns(clockid_t clock)
{
	struct timespec time;

	if (clock_gettime(clock, &time))
		return 0;
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int64_t cost_now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

int64_t cost_cpu_ns(pid_t pid)
{
	clockid_t clock;

	return pid <= 0 || clock_getcpuclockid(pid, &clock) ? 0 : clock_ns(clock);
}

/* A file of /proc/PID into `to`; empty when it cannot be read. */
static void read_proc(char *to, size_t size, pid_t pid, const char *name)
{
	char path[64];
	FILE *file;
	size_t len = 0;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	file = fopen(path, "r");
	if (file) {
		len = fread(to, 1, size - 1, file);
		fclose(file);
	}
	to[len] = '\0';
}

int64_t cost_tick_ns(pid_t pid)
{
	unsigned long user = 0, system = 0;
	char text[1024];
	const char *after_name;

	read_proc(text, sizeof text, pid, "stat");
	after_name = strrchr(text, ')');
	if (!after_name ||
		sscanf(after_name + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
			&system) != 2)
		return 0;
	return (int64_t)(user + system) * (1000000000 / sysconf(_SC_CLK_TCK));
}

int64_t cost_resident_bytes(pid_t pid)
{
	char text[4096];
	const char *row;
	long kib = 0;

	read_proc(text, sizeof text, pid, "status");
	row = strstr(text, "\nVmRSS:");
	return row && sscanf(row, "\nVmRSS: %ld", &kib) == 1 ? (int64_t)kib * 1024 : 0;
}
