/* many_files.h - as many open files as this process may have: a link is one. */
#ifndef BENCH_MANY_FILES_H
#define BENCH_MANY_FILES_H

#include <sys/resource.h>

static inline void allow_many_files(void)
{
	struct rlimit files;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

#endif
