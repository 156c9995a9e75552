/* metrics.h - counters of what the program does, told in the Prometheus text format.
 * Every worker has a set of its own and alone writes to it, with relaxed atomic stores; a scrape
 * adds the sets up. Counting never waits, allocates or makes a system call: an index and an add.
 * metrics.def has the families; docs/metrics.md says what they mean. */
#ifndef PROXY_WATCH_METRICS_H
#define PROXY_WATCH_METRICS_H

#include "base/bytes.h"
#include "dns/cookie.h"
#include "proxy/config.h"
#include "proxy/watch/process_stats.h"
#include "rules/exceptions.h"

enum {
	METRICS_VIEWS = 256,  /* of each: most names with numbers of their own, */
	METRICS_RULES = 4096, /* the rest shares the label "other" */
	METRICS_LISTS = 1024,
	METRICS_UPSTREAMS = 64,
	METRICS_NAME_MAX = 255, /* bytes of a name, escaped; a longer one is "other" */
};

/* --- closed sets --- */

enum metrics_source {
#define METRIC_SOURCE(id, word) METRICS_SOURCE_##id,
#include "proxy/watch/metrics.def"
#undef METRIC_SOURCE
	METRICS_SOURCE_COUNT
};

enum metrics_outcome {
#define METRIC_OUTCOME(id, word) METRICS_OUTCOME_##id,
#include "proxy/watch/metrics.def"
#undef METRIC_OUTCOME
	METRICS_OUTCOME_COUNT
};

enum metrics_drop_reason {
#define METRIC_DROP(id, word) METRICS_DROP_##id,
#include "proxy/watch/metrics.def"
#undef METRIC_DROP
	METRICS_DROP_COUNT
};

enum metrics_table {
#define METRIC_TABLE(id, word) METRICS_TABLE_##id,
#include "proxy/watch/metrics.def"
#undef METRIC_TABLE
	METRICS_TABLE_COUNT
};

enum metrics_limited {
#define METRIC_LIMITED(id, word) METRICS_LIMITED_##id,
#include "proxy/watch/metrics.def"
#undef METRIC_LIMITED
	METRICS_LIMITED_COUNT
};

enum metrics_failure_result {
#define METRIC_FAILURE_RESULT(id, word) METRICS_FAILURE_##id,
#include "proxy/watch/metrics.def"
#undef METRIC_FAILURE_RESULT
	METRICS_FAILURE_RESULT_COUNT
};

enum metrics_method {
#define METRIC_METHOD(id, word) METRICS_METHOD_##id,
#include "proxy/watch/metrics.def"
#undef METRIC_METHOD
	METRICS_METHOD_COUNT
};

enum metrics_upstream_reason {
#define METRIC_UPSTREAM_REASON(id, word) METRICS_ASKED_##id,
#include "proxy/watch/metrics.def"
#undef METRIC_UPSTREAM_REASON
	METRICS_UPSTREAM_REASON_COUNT
};

enum {
	METRICS_UPSTREAM_CONNECTIONS = 0
#define METRIC_UPSTREAM_CONNECTION(word) +1
#include "proxy/watch/metrics.def"
#undef METRIC_UPSTREAM_CONNECTION
};

enum metrics_upstream_error {
#define METRIC_UPSTREAM_ERROR(id, word) METRICS_UPSTREAM_##id,
#include "proxy/watch/metrics.def"
#undef METRIC_UPSTREAM_ERROR
	METRICS_UPSTREAM_ERROR_COUNT
};

/* "upstream", "cache", "rule" ...: also the log's word. */
const char *metrics_source_name(enum metrics_source source);
/* "BLOCK", "UNKNOWN" ... */
const char *metrics_outcome_name(enum metrics_outcome outcome);

/* --- labels that the configuration gives --- */

struct metrics_registry; /* one per process */

struct metrics_registry *metrics_registry_new(void);
/* Frees all sets as well. */
void metrics_registry_free(struct metrics_registry *registry);

/* The number of a name, the same for ever; from any thread, while a configuration is loaded. Number
 * 0 is "other": the table is full, or the name is longer than METRICS_NAME_MAX. */
enum { METRICS_NO_VIEW = 1 }; /* no view claims the client: view="" */
uint16_t metrics_view_id(struct metrics_registry *registry, const char *name);
uint16_t metrics_rule_id(struct metrics_registry *registry, const char *rule_group,
	const char *rule, enum action action);

/* --- counting: by the one thread that owns the set --- */

struct metrics;

/* A set for one thread; NULL when out of memory. Lives as long as the registry. */
struct metrics *metrics_new(struct metrics_registry *registry);

void metrics_request(struct metrics *m, uint16_t view_id, enum protocol protocol, bool is_ipv6,
	uint16_t type, size_t size);
void metrics_response(struct metrics *m, uint16_t view_id, enum protocol protocol, uint16_t rcode,
	enum metrics_source source, uint32_t duration_us, size_t size);
/* `block_response` counts for ACTION_BLOCK only. */
void metrics_decision(struct metrics *m, uint16_t view_id, enum action action,
	enum block_response block_response);
void metrics_rule_match(struct metrics *m, uint16_t rule_id);
void metrics_observed_match(struct metrics *m, uint16_t rule_id);
void metrics_exception(struct metrics *m, uint16_t view_id);
/* What the candidate would have done; `view_id` is the view in force. */
void metrics_shadow_decision(struct metrics *m, uint16_t view_id, enum metrics_outcome outcome);
void metrics_shadow_difference(
	struct metrics *m, uint16_t view_id, enum metrics_outcome from, enum metrics_outcome to);
void metrics_rate_limited(struct metrics *m, uint16_t view_id, enum metrics_limited result);
void metrics_udp_limited(struct metrics *m, enum metrics_limited result);
void metrics_cookie(struct metrics *m, enum dns_cookie_state state);
void metrics_failure(struct metrics *m, uint16_t view_id, enum failure failure,
	enum metrics_failure_result result);
void metrics_http(struct metrics *m, enum metrics_method method, unsigned status);
/* `version` as tls_stream_version() has it; `error` as tls_stream_error(), "timeout" or "closed"
 * (before the handshake ended); NULL: it succeeded. */
void metrics_tls(struct metrics *m, const char *version, const char *error, bool is_resumed);
void metrics_connection_opened(struct metrics *m, enum protocol protocol);
void metrics_connection_closed(struct metrics *m, enum protocol protocol);
void metrics_drop(struct metrics *m, enum metrics_drop_reason reason);
void metrics_reload(struct metrics *m, bool is_successful);

/* Families without labels. */
enum metrics_plain {
	METRIC_COALESCED,
	METRIC_CACHE_HITS,
	METRIC_CACHE_MISSES,
	METRIC_CACHE_PREFETCHES,
	METRIC_CERTIFICATE_RELOAD_FAILURES
};
void metrics_add(struct metrics *m, enum metrics_plain metric, uint64_t count);

/* Tells that the loop of this set's owner turns; call it once in a while, also when idle. A set
 * that never turned is not a worker's and has no age. */
void metrics_turn(struct metrics *m, uint64_t now_ms);
/* Age of the oldest last turn of all workers, in ms; 0 when there is no worker. */
uint64_t metrics_oldest_turn_ms(struct metrics_registry *registry, uint64_t now_ms);

/* --- telling --- */

enum { METRICS_BUCKETS = 16 }; /* bounded ones; one more has the rest */

/* Which bucket a duration falls in: 0 to METRICS_BUCKETS. For those who keep a histogram. */
unsigned metrics_duration_bucket(uint32_t duration_us);

/* What others count, as plain values. */

/* One that clients get. */
struct metrics_certificate {
	const char *file;
	int64_t not_after_s;
	bool has_ocsp;
	int64_t ocsp_end_s; /* 0: nothing is stapled */
};

/* A list of the running policy, inline ones included, as its keeper knows it. What is in force
 * comes from the image (rules/image.h); the rest from what became of the attempts to renew it.
 * Times are seconds since 1970; 0 is never. `failures` are counters: they only grow while the
 * process lives, also over reloads, as long as the list keeps its name. */
struct metrics_list {
	const char *name;
	uint64_t entries;                     /* image_list.entry_count */
	uint64_t covered;                     /* image_list.covered_count */
	uint64_t rejected[LIST_REJECT_COUNT]; /* image_list.reject_counts */
	uint8_t hash[IMAGE_HASH_LEN];         /* image_list.hash; zeros: not loaded, not told */
	uint64_t source_bytes;                /* of the edition in force, packed as it came */
	uint64_t failures[LIST_FAULT_COUNT];  /* of attempts, by how they ended; the first is not
						 told */
	int64_t last_attempt_s;               /* it was read or asked for */
	int64_t last_success_s; /* the same, and what came is in force, or was already (304) */
	int64_t last_change_s;  /* its entries became others */
	bool is_up; /* what was last seen of it is in force: true over a failed attempt to reach
		       it, false after a guard's refusal and while there is nothing at all */
};

/* Elements of the same name are added up, so the counters of every worker can be given one by one.
 */
struct metrics_upstream {
	const char *name;
	uint64_t requests;
	uint64_t errors[METRICS_UPSTREAM_ERROR_COUNT];
	uint64_t retries;
	uint64_t asked[METRICS_UPSTREAM_REASON_COUNT];
	uint64_t outages;
	uint64_t connections;
	uint64_t opened[2]; /* without and with resumption */
	uint64_t not_opened[METRICS_UPSTREAM_CONNECTIONS];
	uint64_t replays;
	uint64_t idle_closes;
	uint64_t inflight;
	uint64_t durations[METRICS_BUCKETS + 1]; /* by bucket, not cumulative */
	uint64_t duration_sum_us;
	bool is_up; /* up for one worker is up */
};

struct metrics_level {
	uint64_t used;
	uint64_t size;
};

struct metrics_build_label {
	const char *name; /* a valid label name */
	const char *value;
};

struct metrics_told {
	const struct metrics_list *lists;
	size_t list_count;
	uint64_t lists_bytes; /* image_hot_len() */
	const struct metrics_upstream *upstreams;
	size_t upstream_count;
	bool has_cache;
	uint64_t cache_entries;
	uint64_t cache_used;
	uint64_t cache_size;
	uint64_t cache_evictions;
	bool has_query_log;
	uint64_t log_lines;
	uint64_t log_dropped_full;
	uint64_t log_dropped_failed;
	bool reload_successful;
	int64_t reload_success_s;
	bool has_exceptions;
	size_t exceptions; /* in force */
	char exceptions_hash[EXCEPTION_HASH_MAX];
	bool has_policy;
	bool pinned;
	bool has_state; /* a state directory is configured */
	bool state_writable;
	uint32_t revision;
	const char *policy_hash;
	const char *shadow_hash; /* NULL: no candidate is judged */
	const struct metrics_certificate *certificates;
	size_t certificate_count; /* 0: no TLS */
	size_t certificate_problems;
	const struct metrics_build_label *build;
	size_t build_count;
	const struct metrics_build_label *rights; /* NULL: nothing is known of them */
	size_t rights_count;
	bool has_tables;
	struct metrics_level tables[METRICS_TABLE_COUNT];
	uint64_t descriptors_needed;
	struct process_stats process;
	uint64_t now_ms; /* monotonic, as given to metrics_turn() */
};

/* Appends the whole text. 0, ERR_TOO_LONG (the queue's ceiling) or ERR_NO_MEMORY. One thread at a
 * time. */
int metrics_write(
	struct metrics_registry *registry, const struct metrics_told *told, struct bytes *to);

/* What there is, for the documentation. */
struct metrics_family {
	const char *name; /* in full */
	const char *type;
	const char *labels; /* see metrics_family_write_labels() */
	const char *help;
};
const struct metrics_family *metrics_families(size_t *count);
/* "view,proto,family,type"; nothing when there are none. */
void metrics_family_write_labels(struct writer *to, const struct metrics_family *family);

#endif
