/* status.h - what the running program tells of itself: the pages of the admin listener. */
#ifndef PROXY_STATUS_H
#define PROXY_STATUS_H

#include "proxy/descriptors.h"
#include "proxy/snapshot.h"
#include "proxy/watch/admin.h"
#include "proxy/watch/query_log.h"

struct certificate_keeper;
struct crowd;
struct exception_book;
struct keeper;
struct rights;
struct worker;

/* Owned and changed by the main thread, in which the admin pages are made too. */
struct status {
	struct snapshot *snapshot; /* the one in force */
	struct worker **workers;
	unsigned worker_count;
	struct query_log *log;       /* NULL: none */
	struct cache *cache;         /* NULL: none */
	const struct keeper *keeper; /* of the lists */
	/* NULL: not yet, or not any more */
	const struct certificate_keeper *certificates;
	struct shadow_keeper *shadow;            /* of the candidate */
	const struct exception_book *exceptions; /* NULL: not yet */
	struct rate_limits *rate_limits;
	const struct rights *rights;
	struct crowd *crowd;            /* the connections of all workers */
	struct descriptors descriptors; /* that can be needed */
	struct metrics_registry *labels;
	struct metrics *metrics; /* the main thread's own */
	struct process_stats process;
	bool draining;
	bool reload_successful;
	bool pin_failed;   /* what was to be pinned is in force until the next reload only */
	bool unpin_failed; /* what is in force gives way to what is pinned with the next reload */
	int64_t reload_success_s;
};

/* Do the loops of all workers turn? */
bool status_is_live(const struct status *status);

struct admin_source status_admin_source(struct status *status);

#endif
