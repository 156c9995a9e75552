/* micro.c - runs every operation three times: some to warm up, then N and 2 N of them, each of the
 * two in a call of micro_count(), which callgrind tells apart. bench/micro/check reads what it
 * says.
 *
 *   micro_bench N       all of them
 *   micro_bench --key   what the counts depend on beside the sources
 *   micro_bench --list  their names, in the order in which they run */
#include "bench/micro/micro.h"

#include <gnu/libc-version.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <uv.h>
#include <xxhash.h>

void micro_count(const struct micro_operation *operation, unsigned count);

/* What callgrind's options name; nothing of it may move into its caller. */
__attribute__((noinline, noclone)) void micro_count(
	const struct micro_operation *operation, unsigned count)
{
	operation->run(count);
}

static const struct micro_operation *const tables[] = { micro_message_operations,
	micro_worker_operations };

static void each(
	void (*visit)(const struct micro_operation *operation, unsigned count), unsigned count)
{
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		for (const struct micro_operation *at = tables[i]; at->name; at++)
			visit(at, count);
}

static void print_name(const struct micro_operation *operation, unsigned count)
{
	(void)count;
	puts(operation->name);
}

static void measure(const struct micro_operation *operation, unsigned count)
{
	operation->run(count);
	micro_count(operation, count);
	micro_count(operation, 2 * count);
}

static void print_key(void)
{
	struct utsname system;
	uname(&system);
	printf("%s, glibc %s, %s, libuv %s, xxhash %u, %s\n", MICRO_COMPILER,
		gnu_get_libc_version(), system.machine, uv_version_string(), XXH_versionNumber(),
		MICRO_FLAGS);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: micro_bench N | --key | --list\n");
		return 2;
	}
	if (strcmp(argv[1], "--key") == 0) {
		print_key();
		return 0;
	}
	if (strcmp(argv[1], "--list") == 0) {
		each(print_name, 0);
		return 0;
	}
	micro_message_begin();
	micro_worker_begin();
	each(measure, (unsigned)strtoul(argv[1], NULL, 10));
	micro_worker_end();
	return 0;
}
