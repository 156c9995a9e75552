/* cost.h - what a process costs, seen from another one. */
#ifndef BENCH_LOAD_COST_H
#define BENCH_LOAD_COST_H

#include <stdint.h>
#include <sys/types.h>

/* CPU time of all threads, those that have ended too, as the scheduler counts it, in nanoseconds:
 * clock_getcpuclockid(3). 0: there is no such process. */
int64_t cost_cpu_ns(pid_t pid);

/* The same in ticks of 10 ms, by utime and stime of /proc/PID/stat; only to check the other. */
int64_t cost_tick_ns(pid_t pid);

/* VmRSS of /proc/PID/status. */
int64_t cost_resident_bytes(pid_t pid);

/* CLOCK_MONOTONIC, in nanoseconds. */
int64_t cost_now_ns(void);

#endif
