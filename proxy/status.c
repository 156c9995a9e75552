#include "proxy/status.h"

#include <stdlib.h>
#include <time.h>
#include <uv.h>

#include "base/error.h"
#include "proxy/cache/cache.h"
#include "proxy/certificate_keeper.h"
#include "proxy/exceptions/exception_book.h"
#include "proxy/front/crowd.h"
#include "proxy/lists/keeper.h"
#include "proxy/rights/rights.h"
#include "proxy/shadow/shadow.h"
#include "proxy/state_directory.h"
#include "proxy/versions.h"
#include "proxy/worker.h"

enum { DEAD_AFTER_MS = 10000 };

static uint64_t now_ms(void)
{
	return uv_hrtime() / 1000000;
}

static void append_text(struct bytes *to, const char *text)
{
	bytes_append(to, text, strlen(text));
}

/* ---- probes ---- */

bool status_is_live(const struct status *status)
{
	return metrics_oldest_turn_ms(status->labels, now_ms()) < DEAD_AFTER_MS;
}

static bool is_live(void *context, struct bytes *why)
{
	const struct status *status = context;
	if (status_is_live(status))
		return true;
	append_text(why, "a worker's loop does not turn\n");
	return false;
}

struct upstream_tally {
	const struct config *config;
	unsigned count;
	unsigned up;
};

/* Is it asked what clients ask? One that is there for the addresses of others alone is not. */
static bool is_in_a_group(const struct config *config, const char *upstream)
{
	for (size_t i = 0; i < config->upstream_group_count; i++) {
		const struct upstream_group_config *group = &config->upstream_groups[i];
		for (size_t j = 0; j < group->member_count; j++)
			if (strcmp(config->upstreams[group->members[j]].name, upstream) == 0)
				return true;
	}
	return false;
}

static void tally(void *context, const char *name, const struct upstream_counters *counters)
{
	struct upstream_tally *sum = context;
	if (!is_in_a_group(sum->config, name))
		return;
	sum->count++;
	sum->up += upstream_count_read(&counters->up) != 0;
}

static void append_missing_list(const struct lists_item *item, struct bytes *why)
{
	append_text(why, "list ");
	append_text(why, item->name);
	append_text(why, ": ");
	append_text(why, item->why);
	append_text(why, "\n");
}

static bool views_are_whole(const struct snapshot *snapshot, struct bytes *why)
{
	const struct policy *policy = snapshot->policy;
	const struct lists *lists = snapshot->lists;
	bool whole = true;
	for (size_t i = 0; i < policy_view_count(policy); i++) {
		const struct view_info *view = policy_view(policy, (uint16_t)i);
		if (!view->failed)
			continue;
		whole = false;
		append_text(why, "view ");
		append_text(why, view->name);
		append_text(why, " is in its fail mode: a list could not be loaded\n");
	}
	for (size_t i = 0; !whole && i < lists->count; i++)
		if (lists->numbers[i] == POLICY_NO_ID)
			append_missing_list(&lists->items[i], why);
	return whole;
}

/* Questions are answered all the same. */
static void tell_certificate_problems(const struct status *status, struct bytes *why)
{
	const struct certificate_problems *problems =
		status->certificates ? certificate_keeper_problems(status->certificates) : NULL;
	if (!problems || problems->count == 0)
		return;
	append_text(why, "ok, but\n");
	append_text(why, problems->text);
}

static bool is_ready(void *context, struct bytes *why)
{
	struct status *status = context;
	struct upstream_tally sum = { .config = status->snapshot->config };
	if (status->draining) {
		append_text(why, "draining\n");
		return false;
	}
	if (!views_are_whole(status->snapshot, why))
		return false;
	for (unsigned i = 0; i < status->worker_count; i++)
		worker_tell_upstreams(status->workers[i], tally, &sum);
	if (sum.up > 0 || sum.count == 0) {
		tell_certificate_problems(status, why);
		return true;
	}
	append_text(why, "no upstream answers\n");
	return false;
}

/* ---- /version ---- */

static int write_version(void *context, struct bytes *to)
{
	const struct status *status = context;
	struct version_row rows[VERSION_ROWS];
	char rights[RIGHTS_TEXT_MAX];
	versions_read(rows);
	for (size_t i = 0; i < VERSION_ROWS; i++) {
		append_text(to, rows[i].name);
		append_text(to, " ");
		append_text(to, rows[i].version);
		append_text(to, "\n");
	}
	rights_text(status->rights, rights);
	append_text(to, "rights ");
	append_text(to, rights);
	append_text(to, "\n");
	return 0;
}

/* ---- /metrics ---- */

struct telling {
	struct metrics_upstream *upstreams;
	size_t count;
	size_t capacity;
};

struct error_row {
	enum upstream_error ours;
	enum metrics_upstream_error told;
};

_Static_assert(
	(int)METRICS_UPSTREAM_REASON_COUNT == (int)UPSTREAM_REASONS, "reasons are copied by index");
_Static_assert((int)METRICS_UPSTREAM_CONNECTIONS == 1 + (int)UPSTREAM_TLS_FAILURES,
	"TCP's failures, then those of TLS by index");

static void tell_connections(
	struct metrics_upstream *told, const struct upstream_counters *counters)
{
	uint64_t resumed = upstream_count_read(&counters->connections_resumed);
	uint64_t opened = upstream_count_read(&counters->connections_opened);
	told->connections = upstream_count_read(&counters->connections);
	told->opened[0] = opened > resumed ? opened - resumed : 0;
	told->opened[1] = resumed;
	told->not_opened[0] = upstream_count_read(&counters->connect_failures);
	for (unsigned i = 0; i < UPSTREAM_TLS_FAILURES; i++)
		told->not_opened[i + 1] = upstream_count_read(&counters->tls_failures[i]);
	told->replays = upstream_count_read(&counters->replays);
	told->idle_closes = upstream_count_read(&counters->idle_closes);
}

static void tell_upstream(void *context, const char *name, const struct upstream_counters *counters)
{
	struct telling *telling = context;
	if (telling->count == telling->capacity)
		return;
	/* The name is copied, as a reload may take the configuration away that it stands in. */
	char *copy = strdup(name);
	if (!copy)
		return;
	struct metrics_upstream *told = &telling->upstreams[telling->count++];
	*told = (struct metrics_upstream){ .name = copy };
	told->requests = upstream_count_read(&counters->queries_udp) +
		upstream_count_read(&counters->queries_tcp);
	for (unsigned i = UPSTREAM_REASON_HEDGE; i <= UPSTREAM_REASON_RETRY; i++)
		told->retries += upstream_count_read(&counters->asked[i]);
	for (unsigned i = 0; i < UPSTREAM_REASONS; i++)
		told->asked[i] = upstream_count_read(&counters->asked[i]);
	told->outages = upstream_count_read(&counters->outages);
	tell_connections(told, counters);
	for (unsigned i = 0; i < UPSTREAM_ERRORS; i++)
		told->errors[i] = upstream_count_read(&counters->errors[i]);
	told->errors[METRICS_UPSTREAM_SERVFAIL] =
		upstream_count_read(&counters->answers[UPSTREAM_SERVFAIL]);
	told->errors[METRICS_UPSTREAM_REFUSED] =
		upstream_count_read(&counters->answers[UPSTREAM_REFUSED]);
	told->inflight = upstream_count_read(&counters->in_flight);
	for (unsigned i = 0; i <= METRICS_BUCKETS; i++)
		told->durations[i] = upstream_count_read(&counters->latency[i]);
	told->duration_sum_us = upstream_count_read(&counters->latency_sum_us);
	told->is_up = upstream_count_read(&counters->up) != 0;
}

static void tell_upstreams(struct status *status, struct telling *telling)
{
	telling->capacity = (size_t)UPSTREAM_MAX * status->worker_count;
	telling->upstreams = calloc(telling->capacity + 1, sizeof *telling->upstreams);
	if (!telling->upstreams)
		telling->capacity = 0;
	for (unsigned i = 0; i < status->worker_count; i++)
		worker_tell_upstreams(status->workers[i], tell_upstream, telling);
}

static void tell_list(const struct keeper *keeper, size_t list, struct metrics_list *told)
{
	struct list_status status;
	keeper_tell(keeper, list, &status);
	*told = (struct metrics_list){ .name = status.name,
		.entries = status.entry_count,
		.covered = status.covered_count,
		.source_bytes = status.byte_count,
		.last_attempt_s = status.last_attempt_s,
		.last_success_s = status.last_success_s,
		.last_change_s = status.last_change_s,
		.is_up = status.standing == LIST_STANDING_GOOD };
	memcpy(told->rejected, status.reject_counts, sizeof told->rejected);
	memcpy(told->hash, status.hash, sizeof told->hash);
	memcpy(told->failures, keeper_faults(keeper, list), sizeof told->failures);
}

static struct metrics_certificate *tell_certificates(
	const struct tls_context *tls, struct metrics_told *told)
{
	size_t count = tls ? tls_context_certificate_count(tls) : 0;
	struct metrics_certificate *certificates = calloc(count + 1, sizeof *certificates);
	for (size_t i = 0; certificates && i < count; i++) {
		const struct tls_certificate_state state = tls_context_certificate(tls, i);
		certificates[i] = (struct metrics_certificate){ .file = state.file,
			.not_after_s = state.not_after_s,
			.has_ocsp = state.has_ocsp,
			.ocsp_end_s = state.ocsp_end_s };
	}
	told->certificates = certificates;
	told->certificate_count = certificates ? count : 0;
	return certificates;
}

static struct metrics_list *tell_lists(const struct status *status)
{
	size_t count = keeper_count(status->keeper);
	struct metrics_list *lists = calloc(count + 1, sizeof *lists);
	for (size_t i = 0; lists && i < count; i++)
		tell_list(status->keeper, i, &lists[i]);
	return lists;
}

static void tell_cache(const struct status *status, struct metrics_told *told)
{
	struct cache_stats stats;
	if (!status->cache)
		return;
	cache_stats(status->cache, &stats);
	told->has_cache = true;
	told->cache_entries = stats.entries;
	told->cache_used = stats.used;
	told->cache_size = stats.size;
	told->cache_evictions = stats.evicted;
}

static void tell_log(const struct status *status, struct metrics_told *told)
{
	told->has_query_log = status->log != NULL;
	if (!status->log)
		return;
	struct query_log_counters counters = query_log_counters(status->log);
	told->log_lines = counters.lines;
	told->log_dropped_full = counters.dropped_full;
	told->log_dropped_failed = counters.dropped_failed;
}

static void tell_exceptions(const struct status *status, struct metrics_told *told)
{
	if (!status->exceptions)
		return;
	const struct exceptions *exceptions = exception_book_set(status->exceptions);
	told->has_exceptions = true;
	exceptions_all(exceptions, &told->exceptions);
	exceptions_hash(exceptions, (int64_t)time(NULL), told->exceptions_hash);
}

static void tell_rights(struct metrics_build_label labels[RIGHTS_WORDS],
	const struct rights *rights, struct metrics_told *told)
{
	const char *values[RIGHTS_WORDS];
	if (!rights)
		return;
	rights_words(rights, values);
	for (size_t i = 0; i < RIGHTS_WORDS; i++)
		labels[i] = (struct metrics_build_label){ rights_names[i], values[i] };
	told->rights = labels;
	told->rights_count = RIGHTS_WORDS;
}

static void tell_tables(const struct status *status, struct metrics_told *told)
{
	const struct limits_config *limits = &status->snapshot->config->limits;
	struct metrics_level *tables = told->tables;
	if (!status->crowd)
		return;
	told->has_tables = true;
	told->descriptors_needed = descriptors_sum(&status->descriptors);
	tables[METRICS_TABLE_CONNECTIONS] =
		(struct metrics_level){ crowd_count(status->crowd), crowd_capacity(status->crowd) };
	tables[METRICS_TABLE_EXCEPTIONS] =
		(struct metrics_level){ told->exceptions, EXCEPTIONS_MAX };
	tables[METRICS_TABLE_QUERIES].size = (uint64_t)limits->queries * status->worker_count;
	tables[METRICS_TABLE_QUEUED_BYTES].size = limits->queued_bytes;
	for (unsigned i = 0; i < status->worker_count; i++) {
		struct worker *worker = status->workers[i];
		tables[METRICS_TABLE_QUERIES].used += atomic_load(&worker->queries_waiting);
		tables[METRICS_TABLE_QUEUED_BYTES].used += atomic_load(&worker->queued_bytes);
	}
}

static void tell_build(struct metrics_build_label labels[VERSION_ROWS],
	struct version_row rows[VERSION_ROWS], struct metrics_told *told)
{
	versions_read(rows);
	for (size_t i = 0; i < VERSION_ROWS; i++)
		labels[i] = (struct metrics_build_label){ i == 0 ? "version" : rows[i].name,
			rows[i].version };
	told->build = labels;
	told->build_count = VERSION_ROWS;
}

static int write_metrics(void *context, struct bytes *to)
{
	struct status *status = context;
	const struct snapshot *snapshot = status->snapshot;
	struct metrics_build_label labels[VERSION_ROWS];
	struct metrics_build_label rights[RIGHTS_WORDS];
	struct version_row rows[VERSION_ROWS];
	struct telling upstreams = { 0 };
	struct metrics_list *lists = tell_lists(status);
	tell_upstreams(status, &upstreams);
	process_stats_read(&status->process);
	struct metrics_told told = {
		.lists = lists,
		.list_count = lists ? keeper_count(status->keeper) : 0,
		.lists_bytes = image_hot_len(snapshot->lists->file->image),
		.upstreams = upstreams.upstreams,
		.upstream_count = upstreams.count,
		.reload_successful = status->reload_successful,
		.reload_success_s = status->reload_success_s,
		.has_policy = true,
		.has_state = *snapshot->config->state_directory != '\0',
		.state_writable = state_directory_is_writable(snapshot->config->state_directory),
		.pinned = snapshot->kept != 0 && !status->pin_failed,
		.revision = snapshot->revision,
		.policy_hash = snapshot->policy_hash,
		.shadow_hash = snapshot->shadow ? snapshot->shadow->candidate->policy_hash : NULL,
		.process = status->process,
		.now_ms = now_ms(),
	};
	tell_cache(status, &told);
	tell_exceptions(status, &told);
	tell_log(status, &told);
	tell_tables(status, &told);
	tell_build(labels, rows, &told);
	tell_rights(rights, status->rights, &told);
	struct metrics_certificate *certificates = tell_certificates(snapshot->tls, &told);
	if (status->certificates)
		told.certificate_problems =
			certificate_keeper_problems(status->certificates)->count;
	int error = metrics_write(status->labels, &told, to);
	free(certificates);
	free(lists);
	for (size_t i = 0; i < upstreams.count; i++)
		free((char *)(uintptr_t)upstreams.upstreams[i].name);
	free(upstreams.upstreams);
	return error;
}

struct admin_source status_admin_source(struct status *status)
{
	return (struct admin_source){
		.write_metrics = write_metrics,
		.write_version = write_version,
		.is_live = is_live,
		.is_ready = is_ready,
		.context = status,
	};
}
