/* micro.h - the parts of a query, each as an operation whose instructions can be counted. Time,
 * chance and names are the same in each run, so that the counts are. For the files of micro/. */
#ifndef BENCH_MICRO_MICRO_H
#define BENCH_MICRO_MICRO_H

#include <stddef.h>

struct micro_operation {
	const char *name;
	void (*run)(unsigned count); /* once warm it costs the same each time */
};

enum { MICRO_OPERATIONS_MAX = 32 };

/* message.c: from bytes to values and back. */
void micro_message_begin(void);
extern const struct micro_operation micro_message_operations[];

/* worker.c: a worker with a policy, lists and a cache, and a client on loopback. */
void micro_worker_begin(void);
void micro_worker_end(void);
extern const struct micro_operation micro_worker_operations[];

#endif
