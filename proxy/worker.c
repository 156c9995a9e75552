#include "proxy/worker.h"

#include <stdlib.h>
#include <time.h>

#include "base/error.h"
#include "base/log.h"
#include "dns/packed.h"
#include "proxy/front/conn.h"
#include "proxy/front/crowd.h"
#include "proxy/front/listener.h"
#include "proxy/front/udp.h"
#include "proxy/query/query.h"
#include "proxy/query/token_memo.h"
#include "proxy/rights/rights.h"
#include "proxy/shadow/shadow.h"

enum { SLEPT_US = 2 * 1000 * 1000 }; /* a suspend, and no jitter of two clocks */

static uint64_t clock_us(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t worker_read_clock(struct worker *worker)
{
	worker->turn_us = clock_us(CLOCK_MONOTONIC);
	return worker->turn_us;
}

/* ---- epochs and what hangs on them ---- */

static struct epoch *epoch_new(struct snapshot *snapshot)
{
	struct epoch *epoch = calloc(1, sizeof *epoch);
	if (!epoch)
		return NULL;
	epoch->snapshot = snapshot;
	epoch->users = 1;
	return epoch;
}

void epoch_unpin(struct epoch *epoch)
{
	if (--epoch->users > 0)
		return;
	snapshot_unref(epoch->snapshot);
	free(epoch);
}

static void free_upstreams(struct worker_upstreams *upstreams)
{
	list_remove(&upstreams->in_retired);
	upstream_plan_unref(upstreams->plan);
	free(upstreams);
}

/* Puts `upstreams` in the place of those in use, which retire. A scrape may be looking at them. */
static void replace_upstreams(struct worker *worker, struct worker_upstreams *upstreams)
{
	uv_mutex_lock(&worker->upstreams_lock);
	if (worker->upstreams)
		list_append(&worker->retired, &worker->upstreams->in_retired);
	worker->upstreams = upstreams;
	uv_mutex_unlock(&worker->upstreams_lock);
}

/* On failure those in use stay. */
static int open_upstreams(struct worker *worker, struct epoch *epoch)
{
	int error = ERR_NO_MEMORY;
	const struct config *config = epoch->snapshot->config;
	struct worker_upstreams *upstreams = calloc(1, sizeof *upstreams);
	const struct upstream_parts parts = { .loop = &worker->loop,
		.upstreams = config->upstreams,
		.count = config->upstream_count,
		.groups = config->upstream_groups,
		.group_count = config->upstream_group_count,
		.tls = epoch->snapshot->upstreams->tls,
		.on_done = query_on_upstream,
		.context = upstreams };
	if (upstreams)
		upstreams->set = upstream_set_new(&parts, &error);
	if (!upstreams || !upstreams->set) {
		free(upstreams);
		return error;
	}
	upstreams->worker = worker;
	upstreams->plan = upstream_plan_ref(epoch->snapshot->upstreams);
	list_init(&upstreams->in_retired);
	replace_upstreams(worker, upstreams);
	return 0;
}

/* Closes those that owe nothing any more. They may look at their configuration until the next turn,
 * so it goes with the next tick. */
static void close_retired(struct worker *worker)
{
	for (struct list *node = worker->retired.next; node != &worker->retired;) {
		struct worker_upstreams *retired =
			container_of(node, struct worker_upstreams, in_retired);
		node = node->next;
		if (!retired->set) {
			free_upstreams(retired);
		} else if (upstream_in_flight(retired->set) == 0) {
			upstream_set_close(retired->set);
			retired->set = NULL;
		}
	}
}

/* What they were asked ends with an error in a later turn, so worker_join() frees the rest. */
static void close_all_upstreams(struct worker *worker)
{
	replace_upstreams(worker, NULL);
	for (struct list *node = worker->retired.next; node != &worker->retired;
		node = node->next) {
		struct worker_upstreams *retired =
			container_of(node, struct worker_upstreams, in_retired);
		upstream_set_close(retired->set);
		retired->set = NULL;
	}
}

static void note_schedules(struct worker *worker)
{
	const struct policy_spec *spec = &worker->epoch->snapshot->config->policy;
	const struct shadow *shadow = worker->epoch->snapshot->shadow;
	int64_t now_s = worker_wall_now_s(worker);
	worker->schedules = schedules_on(spec->schedules, spec->schedule_count, now_s);
	if (!shadow)
		return;
	spec = &shadow->candidate->config->policy;
	worker->shadow_schedules = schedules_on(spec->schedules, spec->schedule_count, now_s);
}

/* A new snapshot from this turn on. Queries that wait go on with the one they began with. */
static void adopt(struct worker *worker, struct snapshot *snapshot)
{
	struct epoch *epoch = epoch_new(snapshot);
	if (!epoch) {
		log_error("worker %u: out of memory, the old policy stays", worker->index);
		snapshot_unref(snapshot);
		return;
	}
	struct epoch *old = worker->epoch;
	worker->epoch = epoch;
	const struct upstream_plan *plan = worker->upstreams->plan;
	bool keep = plan == snapshot->upstreams ||
		config_same_upstreams(plan->config, snapshot->config);
	int error = keep ? 0 : open_upstreams(worker, epoch);
	if (error)
		log_error("worker %u: cannot open the new upstreams, the old ones stay: %s",
			worker->index, error_text(error));
	epoch_unpin(old);
	note_schedules(worker);
	conn_table_recheck(worker->conns);
}

struct exceptions *worker_exceptions(struct worker *worker)
{
	size_t count;
	struct exceptions *published =
		atomic_load_explicit(&worker->exceptions_inbox, memory_order_acquire)
		? atomic_exchange(&worker->exceptions_inbox, NULL)
		: NULL;
	if (!published)
		return worker->exceptions;
	exceptions_unref(worker->exceptions);
	exceptions_all(published, &count);
	if (count == 0)
		exceptions_unref(published);
	worker->exceptions = count > 0 ? published : NULL;
	return worker->exceptions;
}

/* ---- the turn ---- */

static void end_turn(struct worker *worker)
{
	conn_table_work(worker->conns);
	udp_front_flush(worker->udp);
	worker->turn_us = 0;
}

static void on_before_wait(uv_prepare_t *handle)
{
	struct worker *worker = handle->data;
	conn_table_turn(worker->conns);
	listeners_turn(worker);
	end_turn(worker); /* timers ran: deadlines may have made answers */
}

static void on_after_wait(uv_check_t *handle)
{
	end_turn(handle->data);
}

static void close_handle(uv_handle_t *handle, void *context)
{
	(void)context;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

void worker_tell_upstreams(struct worker *worker,
	void (*on_upstream)(
		void *context, const char *name, const struct upstream_counters *counters),
	void *context)
{
	uv_mutex_lock(&worker->upstreams_lock);
	const struct worker_upstreams *upstreams = worker->upstreams;
	const struct config *config = upstreams ? upstreams->plan->config : NULL;
	for (size_t i = 0; config && i < config->upstream_count; i++)
		on_upstream(
			context, config->upstreams[i].name, upstream_counters(upstreams->set, i));
	uv_mutex_unlock(&worker->upstreams_lock);
}

/* Everything has been answered, or time is up. */
static void finish(struct worker *worker)
{
	conn_table_close_all(worker->conns);
	udp_front_close(worker->udp);
	close_all_upstreams(worker);
	close_handle((uv_handle_t *)&worker->tick, NULL);
	close_handle((uv_handle_t *)&worker->wake, NULL);
	close_handle((uv_handle_t *)&worker->before_wait, NULL);
	close_handle((uv_handle_t *)&worker->after_wait, NULL);
}

/* Who still waits when time is up is answered before the sockets go, as far as that is possible
 * without upstreams: a blocked question whose override was being looked up is still blocked. Their
 * asks end in this turn of the loop, behind the timers. */
static void drain_step(struct worker *worker)
{
	bool waits = query_table_waiting(worker->queries) > 0;
	if ((waits || conn_table_count(worker->conns) > 0) &&
		worker_now_ms(worker) < worker->drain_until_ms)
		return;
	if (waits && worker->upstreams)
		close_all_upstreams(worker);
	else
		finish(worker);
}

/* After a sleep nothing is as it was: connections are dead and delays mean nothing. */
static void note_clocks(struct worker *worker)
{
	int64_t now_us = (int64_t)worker_now_us(worker);
	int64_t boot_offset_us = (int64_t)clock_us(CLOCK_BOOTTIME) - now_us;
	if (worker->boot_offset_us && worker->upstreams &&
		boot_offset_us - worker->boot_offset_us > SLEPT_US)
		upstream_distrust(worker->upstreams->set);
	worker->boot_offset_us = boot_offset_us;
	worker->wall_offset_us = (int64_t)clock_us(CLOCK_REALTIME) - now_us;
}

static void on_tick(uv_timer_t *timer)
{
	struct worker *worker = timer->data;
	uint64_t now_ms = worker_now_ms(worker);
	note_clocks(worker);
	note_schedules(worker);
	metrics_turn(worker->metrics, now_ms);
	conn_table_tick(worker->conns);
	atomic_store(&worker->queries_waiting, query_table_waiting(worker->queries));
	atomic_store(&worker->queued_bytes, conn_table_owed(worker->conns));
	query_table_tick(worker);
	close_retired(worker);
	if (worker->draining)
		drain_step(worker);
}

static void begin_drain(struct worker *worker)
{
	worker->draining = true;
	worker->drain_until_ms = worker_now_ms(worker) + DRAIN_MS;
	listeners_close(worker);
	conn_table_drain(worker->conns);
}

static void on_wake(uv_async_t *async)
{
	struct worker *worker = async->data;
	struct snapshot *snapshot = atomic_exchange(&worker->inbox, NULL);
	conn_table_work(worker->conns); /* who has asked by now is answered as before */
	if (snapshot && worker->upstreams)
		adopt(worker, snapshot);
	else if (snapshot) /* all is over but for the last answers */
		snapshot_unref(snapshot);
	if (atomic_load(&worker->drain_wanted) && !worker->draining)
		begin_drain(worker);
}

void worker_publish(struct worker *worker, struct snapshot *snapshot)
{
	struct snapshot *unread = atomic_exchange(&worker->inbox, snapshot);
	if (unread)
		snapshot_unref(unread);
	uv_async_send(&worker->wake);
}

void worker_publish_exceptions(struct worker *worker, struct exceptions *exceptions)
{
	exceptions_unref(atomic_exchange(&worker->exceptions_inbox, exceptions));
}

/* Two that share a place take turns in it. */
void worker_note_exception(struct worker *worker, uint32_t id)
{
	_Atomic uint32_t *place = &worker->exceptions_used[id % EXCEPTIONS_MAX];
	if (atomic_load_explicit(place, memory_order_relaxed) != id)
		atomic_store_explicit(place, id, memory_order_relaxed);
}

void worker_tell_exceptions(
	struct worker *worker, void (*on_use)(void *context, uint32_t id), void *context)
{
	for (size_t i = 0; i < EXCEPTIONS_MAX; i++) {
		_Atomic uint32_t *place = &worker->exceptions_used[i];
		uint32_t id = atomic_load_explicit(place, memory_order_relaxed)
			? atomic_exchange_explicit(place, 0, memory_order_relaxed)
			: 0;
		if (id)
			on_use(context, id);
	}
}

void worker_drain(struct worker *worker)
{
	atomic_store(&worker->drain_wanted, true);
	uv_async_send(&worker->wake);
}

/* ---- birth and death ---- */

static bool take_memory(struct worker *worker, const struct config *config)
{
	worker->read_buffer = malloc(WORKER_READ_LEN);
	worker->plain_buffer = malloc(WORKER_PLAIN_LEN);
	worker->cipher_buffer = malloc(WORKER_CIPHER_LEN);
	worker->reply_buffer = malloc(DNS_MESSAGE_MAX);
	worker->cache_buffer = malloc(DNS_PACKED_MAX);
	worker->packed_buffer = malloc(DNS_PACKED_MAX);
	if (!worker->crowd)
		worker->crowd = worker->own_crowd =
			crowd_new(config->limits.connections ? config->limits.connections
							     : CONFIG_CONNECTIONS);
	worker->conns =
		worker->crowd ? conn_table_new(worker, crowd_capacity(worker->crowd)) : NULL;
	worker->queries = query_table_new(config->limits.queries);
	worker->tokens = token_memo_new();
	worker->udp = udp_front_new(worker);
	return worker->read_buffer && worker->plain_buffer && worker->cipher_buffer &&
		worker->reply_buffer && worker->cache_buffer && worker->packed_buffer &&
		worker->conns && worker->queries && worker->tokens && worker->udp;
}

static void give_memory_back(struct worker *worker)
{
	free(worker->read_buffer);
	free(worker->plain_buffer);
	free(worker->cipher_buffer);
	free(worker->reply_buffer);
	free(worker->cache_buffer);
	free(worker->packed_buffer);
	conn_table_free(worker->conns);
	query_table_free(worker->queries);
	token_memo_free(worker->tokens);
	udp_front_free(worker->udp);
	crowd_free(worker->own_crowd);
	for (size_t i = 0; i < worker->listener_count; i++)
		free((char *)(uintptr_t)worker->listeners[i].path);
	free(worker->listeners);
	uv_mutex_destroy(&worker->upstreams_lock);
	free(worker);
}

static void open_handles(struct worker *worker)
{
	uv_async_init(&worker->loop, &worker->wake, on_wake);
	uv_prepare_init(&worker->loop, &worker->before_wait);
	uv_check_init(&worker->loop, &worker->after_wait);
	uv_timer_init(&worker->loop, &worker->tick);
	worker->wake.data = worker->before_wait.data = worker->after_wait.data = worker->tick.data =
		worker;
	uv_prepare_start(&worker->before_wait, on_before_wait);
	uv_check_start(&worker->after_wait, on_after_wait);
	uv_timer_start(&worker->tick, on_tick, 0, WORKER_TICK_MS);
}

struct worker *worker_new(const struct worker_parts *parts, int *error)
{
	struct worker *worker = calloc(1, sizeof *worker);
	*error = ERR_NO_MEMORY;
	if (!worker)
		return NULL;
	worker->index = parts->index;
	worker->worker_count = parts->worker_count;
	worker->crowd = parts->crowd;
	worker->metrics = parts->metrics;
	worker->log = parts->log;
	worker->cache = parts->cache;
	worker->rate_limits = parts->rate_limits;
	worker->rights = parts->rights;
	list_init(&worker->retired);
	worker->on_end = parts->on_end;
	worker->context = parts->context;
	uv_mutex_init(&worker->upstreams_lock);
	if (!take_memory(worker, parts->snapshot->config) || uv_loop_init(&worker->loop)) {
		give_memory_back(worker);
		return NULL;
	}
	open_handles(worker);
	worker->epoch = epoch_new(snapshot_ref(parts->snapshot));
	if (worker->epoch) {
		note_clocks(worker);
		note_schedules(worker);
		worker->turn_us = 0; /* that was no turn */
	}
	*error = worker->epoch ? open_upstreams(worker, worker->epoch) : ERR_NO_MEMORY;
	if (*error == 0)
		return worker;
	worker_join(worker);
	return NULL;
}

static void run(void *argument)
{
	struct worker *worker = argument;
	uv_run(&worker->loop, UV_RUN_DEFAULT);
	if (worker->thread)
		worker->on_end(worker->context);
}

static void run_thread(void *argument)
{
	struct worker *worker = argument;
	int error = worker->rights ? rights_of_worker(worker->rights) : 0;
	if (error)
		log_warning("worker %u: it keeps rights that it does not need: %s", worker->index,
			error_text(error));
	run(worker);
}

int worker_start(struct worker *worker)
{
	int error = uv_thread_create(&worker->thread, run_thread, worker);
	if (error)
		worker->thread = 0; /* so that worker_join() sees that it never ran */
	return error;
}

void worker_join(struct worker *worker)
{
	if (worker->thread) {
		uv_thread_join(&worker->thread);
	} else if (uv_loop_alive(&worker->loop)) { /* it never ran: its handles are closed here */
		listeners_close(worker);
		finish(worker);
		run(worker);
	}
	uv_loop_close(&worker->loop);
	struct snapshot *unread = atomic_exchange(&worker->inbox, NULL);
	if (unread)
		snapshot_unref(unread);
	exceptions_unref(atomic_exchange(&worker->exceptions_inbox, NULL));
	exceptions_unref(worker->exceptions);
	while (!list_is_empty(&worker->retired))
		free_upstreams(
			container_of(worker->retired.next, struct worker_upstreams, in_retired));
	if (worker->epoch)
		epoch_unpin(worker->epoch);
	give_memory_back(worker);
}
