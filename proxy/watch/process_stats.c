#include "proxy/watch/process_stats.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/directory.h"

static double seconds(const struct timespec *time)
{
	return (double)time->tv_sec + (double)time->tv_nsec / 1e9;
}

/* The wall clock at boot plus the process's own start after it (proc(5), field 22). */
static double start_time(unsigned long long start_ticks)
{
	struct timespec wall, since_boot;
	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_BOOTTIME, &since_boot);
	return seconds(&wall) - seconds(&since_boot) +
		(double)start_ticks / (double)sysconf(_SC_CLK_TCK);
}

static void read_stat(struct process_stats *stats)
{
	char text[1024];
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	ssize_t len = read(fd, text, sizeof text - 1);
	close(fd);
	text[len > 0 ? len : 0] = '\0';
	/* The program's name stands in parentheses and may hold anything. */
	const char *rest = strrchr(text, ')');
	unsigned long long start_ticks, virtual_bytes;
	long long resident_pages;
	if (!rest ||
		sscanf(rest + 1,
			" %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
			"%*d %llu %llu %lld",
			&start_ticks, &virtual_bytes, &resident_pages) != 3)
		return;
	stats->virtual_bytes = virtual_bytes;
	stats->resident_bytes = (uint64_t)resident_pages * (uint64_t)sysconf(_SC_PAGESIZE);
	if (stats->start_time_s == 0)
		stats->start_time_s = start_time(start_ticks);
}

static uint64_t count_open_fds(void)
{
	uint64_t count = 0;
	DIR *directory = directory_open("/proc/self/fd");
	if (!directory)
		return 0;
	for (struct dirent *entry; (entry = readdir(directory));)
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count ? count - 1 : 0; /* less the directory's own */
}

void process_stats_read(struct process_stats *stats)
{
	struct rlimit limit;
	struct timespec cpu;
	*stats = (struct process_stats){ .start_time_s = stats->start_time_s };
	read_stat(stats);
	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0)
		stats->cpu_s = seconds(&cpu);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		stats->max_fds = limit.rlim_cur;
	stats->open_fds = count_open_fds();
}
