#include "proxy/server.h"

#include <fcntl.h>
#include <limits.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "proxy/background.h"
#include "proxy/cache/cache_file.h"
#include "proxy/cli/cli.h"
#include "proxy/control/control.h"
#include "proxy/cpu_count.h"
#include "proxy/exceptions/exception_book.h"
#include "proxy/explain/explain.h"
#include "proxy/front/listener.h"
#include "proxy/lists/keeper.h"
#include "proxy/lists/list_state.h"
#include "proxy/query/rate_limit.h"
#include "proxy/shadow/shadow_keeper.h"
#include "proxy/state_directory.h"
#include "proxy/status.h"
#include "proxy/watch/admin.h"
#include "proxy/worker.h"

enum { SIGNAL_HUP, SIGNAL_USR1, SIGNAL_TERM, SIGNAL_INT, SIGNAL_COUNT };

enum {
	HOUSEKEEPING_MS = 1000,
	PREFETCH_PERCENT = 10, /* of the lifetime left */
	LARGE_MEMORY = 1024 * 1024,
};

/* What is to be loaded; a configuration comes with its lists. The shadow's are loaded by
 * themselves, behind what comes into force. */
enum load {
	LOAD_CONFIG = 1,
	LOAD_LISTS = 2,
	LOAD_PROMOTE = 4, /* the candidate's configuration instead of ours */
	LOAD_SHADOW = 8,
	LOAD_SHADOW_LISTS = 16,
	LOAD_FOR_SHADOW = LOAD_SHADOW | LOAD_SHADOW_LISTS,
};

struct server {
	uv_loop_t loop;
	uv_signal_t signals[SIGNAL_COUNT];
	uv_timer_t housekeeping;
	uv_async_t worker_ended;
	struct background background; /* in which lists are loaded */
	const char *file;
	struct tls_ticket_keys *ticket_keys;
	struct snapshot *before;  /* in force when the load began; the thread beside looks at it */
	struct snapshot *loaded;  /* by that thread */
	struct lists *lists;      /* as they were loaded last; those in force decide the same */
	unsigned loading;         /* enum load; 0: nothing */
	char load_file[PATH_MAX]; /* the configuration that is being loaded */
	unsigned wanted;
	char accept[LIST_STATE_NAME_MAX];
	char promote_hash[CONFIG_HASH_LEN +
		1];                            /* of the candidate that comes into force; else "" */
	struct revisions_wish wish, next_wish; /* of this load; of the next one */
	char why[REVISION_WHY_MAX], next_why[REVISION_WHY_MAX];
	uint32_t asked; /* by the last wish that was loaded: a revision; 0: unpin */
	uint32_t came;  /* which revision that became; 0: refused */
	struct keeper *keeper;
	struct exception_book *exceptions;
	bool handles_open;
	_Atomic unsigned workers_running;
	struct status status; /* what the admin listener tells; owns the parts that serve */
	struct admin *admin;
	struct control *control;
};

static int64_t wall_s(void)
{
	return (int64_t)time(NULL);
}

/* ---- reload ---- */

static void log_config_error(
	void *context, const char *file, unsigned line, const char *path, const char *message)
{
	(void)context;
	log_error("reload: %s:%u: %s: %s", file, line, path, message);
}

/* The last step of a load: what it is known by from now on. */
static void go_live(struct snapshot *loaded, const char *why, uint32_t after)
{
	const struct revisions_item item = { .config = loaded->config,
		.lists = loaded->lists,
		.policy_hash = loaded->policy_hash,
		.why = why,
		.time_s = wall_s() };
	loaded->revision = revisions_go_live(&item, loaded->kept, after);
}

/* In a thread of its own: reading and compiling lists takes as long as it takes. */
static void load_aside(void *context)
{
	struct server *server = context;
	bool is_whole = server->loading & (LOAD_CONFIG | LOAD_PROMOTE);
	if (server->loading & LOAD_FOR_SHADOW) {
		shadow_keeper_load(server->status.shadow);
		return;
	}
	struct config_errors errors = { .on_error = log_config_error };
	const struct snapshot_parts parts = { .labels = server->status.labels,
		.ticket_keys = server->ticket_keys,
		.lists = { .previous = server->lists,
			.accept = server->accept[0] ? server->accept : NULL,
			.must_load = true,
			.is_refresh = !is_whole,
			.keep = true },
		.wish = server->wish,
		.config_hash = server->promote_hash[0] ? server->promote_hash : NULL,
		.in_force = server->before->config };
	server->loaded = is_whole ? snapshot_load(server->load_file, &parts, &errors)
				  : snapshot_load_lists(server->before, &parts, &errors);
	if (server->loaded && (is_whole || !server->loaded->lists->is_same))
		go_live(server->loaded, server->why, server->before->revision);
}

static struct cache_settings cache_settings_of(const struct config *config)
{
	struct cache_settings settings = {
		.size = config->cache.size,
		.stale_s = config->cache.stale_s,
		.refresh_percent = config->cache.prefetch ? PREFETCH_PERCENT : 0,
	};
	random_fill(&settings.salt, sizeof settings.salt);
	return settings;
}

static void hand_out(struct status *status, struct snapshot *snapshot)
{
	for (unsigned i = 0; i < status->worker_count; i++)
		worker_publish(status->workers[i], snapshot_ref(snapshot));
	snapshot_unref(status->snapshot);
	status->snapshot = snapshot;
}

static void publish(struct server *server, struct snapshot *loaded)
{
	struct status *status = &server->status;
	loaded->shadow = shadow_keeper_pair(status->shadow, loaded);
	hand_out(status, loaded);
}

/* The same policy, beside another candidate or none. */
static void publish_shadow(struct server *server)
{
	struct status *status = &server->status;
	struct snapshot *copy = snapshot_with_shadow(
		status->snapshot, shadow_keeper_pair(status->shadow, status->snapshot));
	if (copy)
		hand_out(status, copy);
	else
		log_error("shadow: out of memory, nothing changes");
}

static void take_lists(struct server *server, const struct snapshot *loaded)
{
	struct lists *before = server->lists;
	server->lists = lists_ref(loaded->lists);
	lists_unref(before);
}

/* A configuration, with its lists. */
static void adopt(struct server *server, struct snapshot *loaded)
{
	struct status *status = &server->status;
	struct snapshot *old =
		snapshot_ref(status->snapshot); /* the keeper looks at its settings */
	publish(server, loaded);
	if (status->cache) {
		const struct cache_settings settings = cache_settings_of(loaded->config);
		cache_configure(status->cache, &settings);
	}
	struct lists *before = lists_ref(server->lists); /* the keeper looks at them until then */
	take_lists(server, loaded);
	keeper_adopt(server->keeper, loaded->config, server->lists);
	lists_unref(before);
	snapshot_unref(old);
	status->reload_success_s = wall_s();
	log_info("reload: revision %u is in force, policy %s", loaded->revision,
		loaded->policy_hash);
}

/* Which kept one is what was loaded: itself, or where there was no room for it the one that it
 * comes from. 0: none, so that it cannot be pinned. */
static uint32_t kept_as(const struct snapshot *loaded)
{
	const char *state_directory = loaded->config->state_directory;
	struct revision revision;
	if (!revisions_read(state_directory, loaded->revision, &revision))
		return loaded->kept;
	revision_deinit(&revision);
	return loaded->revision;
}

/* 0; ERR_INVALID when there is no such revision; or a negative errno. */
static int pin_it(const struct server *server, const struct snapshot *loaded)
{
	struct revision_pin pin = { .number = kept_as(loaded), .time_s = wall_s() };
	if (pin.number == 0)
		return ERR_INVALID;
	snprintf(pin.why, sizeof pin.why, "%s", server->why);
	if (!config_text_hash(server->file, pin.config_hash))
		pin.config_hash[0] = '\0'; /* it holds until the file can be read again */
	return revisions_pin(loaded->config->state_directory, &pin);
}

/* A rollback holds until the file changes; whatever else comes into force ends one. Before it is in
 * force, so that whoever is killed in between finds it again. */
static void settle_pin(struct server *server, const struct snapshot *loaded)
{
	const char *state_directory = loaded->config->state_directory;
	bool is_promoted = server->promote_hash[0] && loaded->config->revisions > 0;
	bool pins = server->wish.rollback || is_promoted;
	server->status.pin_failed = server->status.unpin_failed = false;
	if (!*state_directory || (loaded->kept && !pins))
		return;
	int error = pins ? pin_it(server, loaded) : revisions_pin(state_directory, NULL);
	server->status.pin_failed = pins && error;
	server->status.unpin_failed = !pins && error;
	if (!error)
		return;
	log_error("revisions: cannot %s: %s: the next reload takes %s", pins ? "pin" : "unpin",
		error == ERR_INVALID ? "it is not kept" : error_text(error),
		pins ? server->file : "what is pinned");
	if (pins)
		revisions_pin(state_directory, NULL); /* nor what was pinned before */
}

/* The configuration's own shadow is loaded next; one that goes on, again. */
static void follow_shadow(struct server *server)
{
	struct status *status = &server->status;
	if (shadow_keeper_follow(status->shadow, status->snapshot->config, wall_s()))
		server->wanted |= LOAD_SHADOW;
	else if (status->snapshot->shadow)
		publish_shadow(server); /* it has ended */
}

static void end_reload(struct server *server, struct snapshot *loaded)
{
	bool good = loaded != NULL;
	if (good) {
		adopt(server, loaded);
		follow_shadow(server);
	} else
		log_error("reload: failed, revision %u stays in force",
			server->status.snapshot->revision);
	server->status.reload_successful = good;
	metrics_reload(server->status.metrics, good);
}

/* Is the revision in force pinned? */
static bool is_pinned(const struct snapshot *snapshot)
{
	const char *state_directory = snapshot->config->state_directory;
	struct revision_pin pin;
	return *state_directory && revisions_pinned(state_directory, &pin) &&
		pin.number == snapshot->revision;
}

/* The candidate comes into force. Pinned it is what a restart would make of it: the kept one. */
static void end_promote(struct server *server, struct snapshot *loaded)
{
	if (loaded)
		settle_pin(server, loaded);
	bool pinned = loaded && is_pinned(loaded);
	shadow_keeper_promoted(server->status.shadow, loaded, pinned);
	end_reload(server, loaded);
	if (pinned)
		server->wanted |= LOAD_CONFIG;
}

/* The lists alone: what decides may be the same, but how each list came to it is news. */
static void end_lists(struct server *server, struct snapshot *loaded)
{
	if (!loaded) {
		log_error("lists: not loaded, revision %u stays in force",
			server->status.snapshot->revision);
		keeper_loaded(server->keeper, NULL);
		return;
	}
	struct lists *before = lists_ref(server->lists);
	take_lists(server, loaded);
	keeper_loaded(server->keeper, server->lists);
	lists_unref(before);
	if (loaded->lists->is_same) {
		snapshot_unref(loaded);
		return;
	}
	publish(server, loaded);
	if (loaded->shadow)
		server->wanted |= LOAD_SHADOW_LISTS;
	log_info(
		"lists: revision %u is in force, policy %s", loaded->revision, loaded->policy_hash);
}

static bool is_wished(const struct revisions_wish *wish)
{
	return wish->rollback || wish->unpin;
}

static void end_config(struct server *server, struct snapshot *loaded)
{
	if (loaded)
		settle_pin(server, loaded);
	end_reload(server, loaded);
	if (is_wished(&server->wish)) {
		server->asked = server->wish.rollback;
		server->came = loaded ? loaded->revision : 0;
	}
}

static void begin_load(struct server *server);

static void on_loaded(void *context)
{
	struct server *server = context;
	struct snapshot *loaded = server->loaded;
	unsigned loading = server->loading;
	server->loading = 0;
	server->loaded = NULL;
	server->accept[0] = '\0';
	if (loading & LOAD_FOR_SHADOW) {
		shadow_keeper_loaded(server->status.shadow);
		publish_shadow(server);
	} else if (loading & LOAD_PROMOTE)
		end_promote(server, loaded);
	else if (loading & LOAD_CONFIG)
		end_config(server, loaded);
	else
		end_lists(server, loaded);
	snapshot_unref(server->before);
	server->before = NULL;
	begin_load(server);
}

static void take_wish(struct server *server)
{
	bool config = server->loading & LOAD_CONFIG;
	server->wish = (struct revisions_wish){ .rollback = 0 };
	snprintf(server->why, sizeof server->why, "%s", config ? "reload" : "lists");
	if (config && is_wished(&server->next_wish)) {
		server->wish = server->next_wish;
		server->next_wish = (struct revisions_wish){ .rollback = 0 };
		memcpy(server->why, server->next_why, sizeof server->why);
	}
	if (server->loading & LOAD_PROMOTE) {
		server->wish.unpin = true; /* whatever is pinned */
		snprintf(server->why, sizeof server->why, "promote");
	}
	server->wish.state_directory = server->status.snapshot->config->state_directory;
}

/* One thing at a time: what decides first, then what is judged beside it. */
static unsigned next_load(unsigned wanted)
{
	if (wanted & LOAD_PROMOTE)
		return LOAD_PROMOTE;
	return wanted & LOAD_FOR_SHADOW && !(wanted & (LOAD_CONFIG | LOAD_LISTS))
		? wanted & LOAD_FOR_SHADOW
		: wanted & (LOAD_CONFIG | LOAD_LISTS);
}

static void prepare_load(struct server *server)
{
	struct shadow_keeper *shadow = server->status.shadow;
	server->before = snapshot_ref(server->status.snapshot);
	bool is_promote = server->loading & LOAD_PROMOTE;
	snprintf(server->load_file, sizeof server->load_file, "%s",
		is_promote ? shadow_keeper_file(shadow) : server->file);
	snprintf(server->promote_hash, sizeof server->promote_hash, "%s",
		is_promote ? shadow_keeper_hash(shadow) : "");
	if (server->loading & LOAD_FOR_SHADOW)
		shadow_keeper_prepare(shadow, server->before, server->loading & LOAD_SHADOW);
}

/* What was wanted while a load was under way comes after it: it may have read the old files. */
static void begin_load(struct server *server)
{
	if (server->loading || !server->wanted || server->status.draining)
		return;
	server->loading = next_load(server->wanted);
	server->wanted &= ~server->loading;
	take_wish(server);
	prepare_load(server);
	int error = background_run(&server->background, load_aside, on_loaded, server);
	if (!error)
		return;
	log_error("reload: %s", error_text(error));
	on_loaded(server);
}

static void want_load(struct server *server, enum load what)
{
	server->wanted |= what;
	begin_load(server);
}

/* One that is to come, or on its way. */
static bool has_wish(const struct server *server)
{
	return is_wished(&server->next_wish) || (server->loading && is_wished(&server->wish));
}

static int wish_revision(struct server *server, const struct revisions_wish *wish, const char *why)
{
	if (has_wish(server))
		return ERR_BUSY;
	server->next_wish = *wish;
	snprintf(server->next_why, sizeof server->next_why, "%s", why);
	want_load(server, LOAD_CONFIG);
	return 0;
}

static bool load_lists(void *context, const char *accept)
{
	struct server *server = context;
	if (server->loading || server->status.draining)
		return false;
	snprintf(server->accept, sizeof server->accept, "%s", accept ? accept : "");
	want_load(server, LOAD_LISTS);
	return true;
}

static bool is_loading(void *context)
{
	const struct server *server = context;
	return server->loading != 0;
}

/* ---- signals, time and the end ---- */

static void close_cache(struct status *status)
{
	const char *file = status->snapshot ? status->snapshot->config->cache.file : NULL;
	if (status->cache && file && status->draining)
		cache_file_write(status->cache, file, cache_clock_now());
	cache_free(status->cache);
}

/* A load may have long to go, and nobody waits for its end any more. What it leaves on the disk it
 * puts into its place by renaming, so it may be left at any point; its memory goes with us. */
static void leave_load(struct server *server)
{
	if (server->status.log)
		query_log_close(server->status.log);
	close_cache(&server->status);
	background_leave(&server->background);
	log_info("ended, and left lists that were being loaded");
	_exit(EXIT_FINE);
}

static void close_handles(struct server *server)
{
	if (!server->handles_open)
		return;
	server->handles_open = false;
	for (unsigned i = 0; i < SIGNAL_COUNT; i++)
		uv_close((uv_handle_t *)&server->signals[i], NULL);
	uv_close((uv_handle_t *)&server->housekeeping, NULL);
	uv_close((uv_handle_t *)&server->worker_ended, NULL);
	admin_close(server->admin);
	server->admin = NULL;
	control_close(server->control);
	server->control = NULL;
	keeper_close(server->keeper);
	server->keeper = NULL;
	if (server->background.is_running)
		leave_load(server);
	background_close(&server->background);
	if (server->loaded)
		snapshot_unref(server->loaded); /* it came too late */
	server->loaded = NULL;
	if (server->before)
		snapshot_unref(server->before);
	server->before = NULL;
}

static void begin_drain(struct server *server, const char *name)
{
	if (server->status.draining) {
		log_warning("%s again: ending at once", name);
		_exit(EXIT_FAILED);
	}
	log_info("%s: finishing what was begun, for %u s at most", name, DRAIN_MS / 1000);
	server->status.draining = true;
	for (unsigned i = 0; i < server->status.worker_count; i++)
		worker_drain(server->status.workers[i]);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct server *server = handle->data;
	switch (number) {
	case SIGHUP: want_load(server, LOAD_CONFIG); break;
	case SIGUSR1:
		if (server->status.log)
			query_log_reopen(server->status.log);
		break;
	case SIGTERM: begin_drain(server, "TERM"); break;
	default: begin_drain(server, "INT"); break;
	}
}

static void on_exception_use(void *context, uint32_t id)
{
	struct server *server = context;
	exception_book_use(server->exceptions, id, wall_s());
}

static void tend_exceptions(struct server *server)
{
	if (!server->exceptions)
		return;
	for (unsigned i = 0; i < server->status.worker_count; i++)
		worker_tell_exceptions(server->status.workers[i], on_exception_use, server);
	exception_book_tick(server->exceptions, wall_s());
}

static void on_housekeeping(uv_timer_t *timer)
{
	struct server *server = timer->data;
	tls_ticket_keys_rotate(server->ticket_keys, uv_now(&server->loop) / 1000);
	tend_exceptions(server);
}

/* In the worker's thread. */
static void on_worker_end(void *context)
{
	struct server *server = context;
	atomic_fetch_sub(&server->workers_running, 1);
	uv_async_send(&server->worker_ended);
}

static void join_workers(struct server *server)
{
	struct status *status = &server->status;
	while (status->worker_count > 0)
		worker_join(status->workers[--status->worker_count]);
}

static void on_worker_ended(uv_async_t *async)
{
	struct server *server = async->data;
	if (atomic_load(&server->workers_running) > 0)
		return;
	join_workers(server); /* the last one may still be on its way out of uv_async_send() */
	close_handles(server);
}

static const int signal_numbers[SIGNAL_COUNT] = { SIGHUP, SIGUSR1, SIGTERM, SIGINT };

static bool is_end(int number)
{
	return number == SIGTERM || number == SIGINT;
}

static void end_at_once(int number)
{
	(void)number;
	_exit(EXIT_FINE);
}

/* Until the loop runs nobody is served, and the first load may take long: who asks for the end then
 * is not kept waiting. (The default action would do, but process 1 of a container has none.) */
static void end_at_once_if_asked(void)
{
	const struct sigaction action = { .sa_handler = end_at_once };
	for (unsigned i = 0; i < SIGNAL_COUNT; i++)
		if (is_end(signal_numbers[i]))
			sigaction(signal_numbers[i], &action, NULL);
}

static void finish_what_was_begun_if_asked(struct server *server)
{
	for (unsigned i = 0; i < SIGNAL_COUNT; i++)
		if (is_end(signal_numbers[i]))
			uv_signal_start(&server->signals[i], on_signal, signal_numbers[i]);
}

static int open_handles(struct server *server)
{
	int error = uv_loop_init(&server->loop);
	if (error)
		return error;
	for (unsigned i = 0; i < SIGNAL_COUNT; i++) {
		uv_signal_init(&server->loop, &server->signals[i]);
		server->signals[i].data = server;
		if (!is_end(signal_numbers[i]))
			uv_signal_start(&server->signals[i], on_signal, signal_numbers[i]);
	}
	end_at_once_if_asked();
	uv_timer_init(&server->loop, &server->housekeeping);
	server->housekeeping.data = server;
	uv_timer_start(&server->housekeeping, on_housekeeping, 0, HOUSEKEEPING_MS);
	uv_async_init(&server->loop, &server->worker_ended, on_worker_ended);
	server->worker_ended.data = server;
	server->handles_open = true;
	return background_open(&server->background, &server->loop);
}

/* ---- the start ---- */

/* What is pinned may not be what this program, or this machine, can do any more: an image of
 * another version, files that were moved. Then the configuration file is better than none. */
static struct snapshot *load_at_start(
	struct server *server, const struct snapshot_parts *parts, struct config_errors *errors)
{
	struct snapshot_parts unpinned = *parts;
	struct snapshot *snapshot = snapshot_load(server->file, parts, errors);
	if (snapshot || !revisions_is_pinned_over(server->file))
		return snapshot;
	log_error("revisions: what is pinned cannot be loaded: %s is used", server->file);
	*errors = (struct config_errors){ 0 };
	config_errors_to_stderr(errors);
	unpinned.wish.unpin = true;
	snapshot = snapshot_load(server->file, &unpinned, errors);
	if (snapshot)
		revisions_pin(snapshot->config->state_directory, NULL);
	return snapshot;
}

static int load_first(struct server *server)
{
	struct config_errors errors = { 0 };
	config_errors_to_stderr(&errors);
	server->ticket_keys = tls_ticket_keys_new();
	server->status.labels = metrics_registry_new();
	if (!server->ticket_keys || !server->status.labels)
		return EXIT_FAILED;
	server->status.metrics = metrics_new(server->status.labels);
	const struct snapshot_parts parts = { .labels = server->status.labels,
		.ticket_keys = server->ticket_keys,
		.lists.keep = true };
	struct snapshot *snapshot = load_at_start(server, &parts, &errors);
	if (!snapshot || !server->status.metrics)
		return snapshot ? EXIT_FAILED : EXIT_CONFIG;
	go_live(snapshot, "start", 0);
	server->status.snapshot = snapshot;
	server->lists = lists_ref(snapshot->lists);
	server->status.reload_successful = true;
	server->status.reload_success_s = wall_s();
	config_log_notes(snapshot->config);
	return EXIT_FINE;
}

/* Every connection is a descriptor; the soft limit of most systems is for programs of another kind.
 */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static bool probe_listeners(const struct config *config)
{
	for (size_t i = 0; i < config->listener_count; i++) {
		const struct listener_config *listener = &config->listeners[i];
		int error = listener_probe(listener);
		char text[ADDRESS_TEXT_MAX];
		if (!error)
			continue;
		address_text(&listener->address, text);
		log_error("listener %s: cannot listen on address=%s port=%u: %s", listener->name,
			text, listener->port, error_text(error));
		return false;
	}
	return true;
}

static bool open_log(struct status *status, unsigned worker_count)
{
	const struct query_log_config *config = &status->snapshot->config->query_log;
	errno = 0;
	status->log = query_log_open(config, worker_count);
	if (status->log || errno == 0)
		return true;
	log_error("query log: cannot open \"%s\": %s", config->file, error_text(-errno));
	return false;
}

static struct worker *open_worker(struct server *server, unsigned index)
{
	struct status *status = &server->status;
	const struct worker_parts parts = { .index = index,
		.snapshot = status->snapshot,
		.metrics = metrics_new(status->labels),
		.log = status->log ? query_log_ring(status->log, index) : NULL,
		.cache = status->cache,
		.rate_limits = status->rate_limits,
		.on_end = on_worker_end,
		.context = server };
	int error = ERR_NO_MEMORY;
	struct worker *worker = parts.metrics ? worker_new(&parts, &error) : NULL;
	if (!worker) {
		log_error("worker %u: %s", index, error_text(error));
		return NULL;
	}
	if (listeners_open(worker, status->snapshot->config) == 0)
		return worker;
	worker_join(worker);
	return NULL;
}

/* What an earlier run kept is taken up. */
static bool open_cache(struct status *status)
{
	const struct config *config = status->snapshot->config;
	const struct cache_settings settings = cache_settings_of(config);
	if (config->cache.size == 0)
		return true;
	status->cache = cache_new(&settings);
	if (status->cache && config->cache.file)
		cache_file_read(status->cache, config->cache.file, cache_clock_now());
	if (!status->cache)
		log_error("cache: no memory for %zu bytes", config->cache.size);
	return status->cache != NULL;
}

static bool open_workers(struct server *server)
{
	struct status *status = &server->status;
	unsigned count = status->snapshot->config->workers;
	if (count == 0)
		count = cpu_count();
	status->workers = calloc(count, sizeof(struct worker *));
	status->rate_limits = rate_limits_new();
	if (!status->workers || !status->rate_limits || !open_log(status, count) ||
		!open_cache(status))
		return false;
	for (; status->worker_count < count; status->worker_count++) {
		struct worker *worker = open_worker(server, status->worker_count);
		if (!worker)
			return false;
		status->workers[status->worker_count] = worker;
	}
	return true;
}

static bool open_admin(struct server *server)
{
	const struct config *config = server->status.snapshot->config;
	const struct admin_source source = status_admin_source(&server->status);
	int error;
	if (config->admin_port == 0)
		return true;
	server->admin = admin_open(
		&server->loop, &config->admin_address, config->admin_port, &source, &error);
	if (!server->admin)
		log_error("admin: cannot listen on port=%u: %s", config->admin_port,
			error_text(error));
	return server->admin != NULL;
}

static bool open_keeper(struct server *server)
{
	const struct keeper_owner owner = {
		.load = load_lists,
		.is_loading = is_loading,
		.context = server,
		.config_file = server->file,
	};
	server->keeper = keeper_new(&server->loop, &owner);
	if (!server->keeper)
		return false;
	keeper_adopt(server->keeper, server->status.snapshot->config, server->lists);
	server->status.keeper = server->keeper;
	return true;
}

static void publish_exceptions(void *context, struct exceptions *exceptions)
{
	struct server *server = context;
	for (unsigned i = 0; i < server->status.worker_count; i++)
		worker_publish_exceptions(server->status.workers[i], exceptions_ref(exceptions));
}

/* Before the workers start, so that the first query finds what an earlier run kept. */
static bool open_exceptions(struct server *server)
{
	const struct exception_book_parts parts = {
		.state_directory = server->status.snapshot->config->state_directory,
		.now_s = wall_s(),
		.publish = publish_exceptions,
		.context = server,
	};
	server->exceptions = exception_book_new(&parts);
	server->status.exceptions = server->exceptions;
	return server->exceptions != NULL;
}

static size_t flush_cache(void *context, struct slice name, bool below)
{
	struct server *server = context;
	return cache_flush(server->status.cache, name, below);
}

static size_t count_lists(void *context)
{
	struct server *server = context;
	return keeper_count(server->keeper);
}

static void tell_list(void *context, size_t number, struct list_status *status)
{
	struct server *server = context;
	keeper_tell(server->keeper, number, status);
}

static int refresh_list(void *context, const char *name)
{
	struct server *server = context;
	return keeper_refresh(server->keeper, name);
}

static int accept_list(void *context, const char *name)
{
	struct server *server = context;
	return keeper_accept(server->keeper, name);
}

static int64_t tell_time(void *context)
{
	(void)context;
	return wall_s();
}

static int rollback(void *context, uint32_t number, const char *because)
{
	struct server *server = context;
	const struct revisions_wish wish = { .rollback = number };
	struct revision revision;
	char why[REVISION_WHY_MAX];
	const char *state_directory = server->status.snapshot->config->state_directory;
	if (!*state_directory)
		return ERR_INVALID;
	if (!revisions_read(state_directory, number, &revision))
		return -ENOENT;
	revision_deinit(&revision);
	snprintf(why, sizeof why, "rollback to %u: %s", number, because);
	return wish_revision(server, &wish, why);
}

static int unpin(void *context)
{
	struct server *server = context;
	const struct revisions_wish wish = { .unpin = true };
	if (!*server->status.snapshot->config->state_directory)
		return ERR_INVALID;
	return wish_revision(server, &wish, "unpin");
}

static void tell_revisions(void *context, struct control_revisions *now)
{
	const struct server *server = context;
	const struct snapshot *snapshot = server->status.snapshot;
	*now = (struct control_revisions){ .revision = snapshot->revision,
		.policy_hash = snapshot->policy_hash,
		.kept = snapshot->kept,
		.is_loading = has_wish(server),
		.asked = server->asked,
		.came = server->came,
		.is_pinned = server->status.unpin_failed ||
			(snapshot->kept && !server->status.pin_failed) };
}

static int64_t tell_fetched(void *context, size_t list)
{
	struct server *server = context;
	struct list_status status = { 0 };
	if (list >= keeper_count(server->keeper))
		return 0;
	keeper_tell(server->keeper, list, &status);
	return status.last_success_s;
}

static void tell_world(void *context, struct explain_world *world)
{
	struct server *server = context;
	const struct snapshot *snapshot = server->status.snapshot;
	*world = (struct explain_world){ .config = snapshot->config,
		.policy = snapshot->policy,
		.lists = snapshot->lists,
		.routes = snapshot->routes,
		.exceptions = exception_book_set(server->exceptions),
		.now_s = wall_s(),
		.policy_hash = snapshot->policy_hash,
		.revision = snapshot->revision,
		.fetched_s = tell_fetched,
		.context = server };
}

/* ---- the candidate ---- */

/* In force. */
static bool has_view(void *context, const char *name)
{
	const struct server *server = context;
	const struct policy *policy = server->status.snapshot->policy;
	for (size_t i = 0; i < policy_view_count(policy); i++)
		if (strcmp(policy_view(policy, (uint16_t)i)->name, name) == 0)
			return true;
	return false;
}

static const char *start_shadow(void *context, const struct shadow_order *order)
{
	struct server *server = context;
	for (size_t i = 0; i < order->view_count; i++)
		if (!has_view(server, order->views[i]))
			return "there is no view of that name in force";
	if (server->status.draining)
		return "it is about to end";
	if (shadow_keeper_state(server->status.shadow) == SHADOW_PROMOTING)
		return "one is being promoted";
	bool had_one = server->status.snapshot->shadow != NULL;
	bool good = shadow_keeper_begin(server->status.shadow, order, wall_s());
	if (had_one)
		publish_shadow(server); /* the one before has ended */
	if (!good)
		return "out of memory";
	want_load(server, LOAD_SHADOW);
	return NULL;
}

static const char *stop_shadow(void *context)
{
	struct server *server = context;
	enum shadow_state state = shadow_keeper_state(server->status.shadow);
	if (state == SHADOW_OFF || state == SHADOW_PROMOTING)
		return state == SHADOW_OFF ? "there is no shadow" : "it is being promoted";
	shadow_keeper_end(server->status.shadow);
	publish_shadow(server);
	return NULL;
}

static const char *promote_shadow(void *context)
{
	struct server *server = context;
	const struct status *status = &server->status;
	const char *why = status->draining
		? "it is about to end"
		: shadow_keeper_promote(status->shadow, status->snapshot);
	if (!why)
		want_load(server, LOAD_PROMOTE);
	return why;
}

/* The first line goes to the log, so there is nothing of clients in it. */
static void tell_shadow(void *context, enum control_telling how, struct writer *answer)
{
	const struct server *server = context;
	const struct status *status = &server->status;
	writer_text(answer, shadow_state_name(shadow_keeper_state(status->shadow)));
	writer_u8(answer, '\n');
	switch (how) {
	case CONTROL_TELL_STATE: shadow_keeper_tell_note(status->shadow, answer); break;
	case CONTROL_TELL_TEXT:
		shadow_keeper_tell_text(status->shadow, status->snapshot, wall_s(), answer);
		break;
	case CONTROL_TELL_JSON:
		shadow_keeper_tell_json(status->shadow, status->snapshot, answer);
		break;
	}
}

static bool open_shadow(struct server *server)
{
	struct status *status = &server->status;
	status->shadow = shadow_keeper_new(server->file, status->worker_count);
	if (!status->shadow)
		return false;
	if (shadow_keeper_follow(status->shadow, status->snapshot->config, wall_s()))
		want_load(server, LOAD_SHADOW);
	return true;
}

static bool open_control(struct server *server)
{
	const char *path = server->status.snapshot->config->control_socket;
	const struct control_source source = { .context = server,
		.flush = server->status.cache ? flush_cache : NULL,
		.list_count = count_lists,
		.list_status = tell_list,
		.now_s = tell_time,
		.rollback = rollback,
		.unpin = unpin,
		.revisions = tell_revisions,
		.exceptions = server->exceptions,
		.has_view = has_view,
		.list_refresh = refresh_list,
		.list_accept = accept_list,
		.explain_world = tell_world,
		.shadow_start = start_shadow,
		.shadow_stop = stop_shadow,
		.shadow_promote = promote_shadow,
		.shadow_tell = tell_shadow };
	int error;
	if (!path)
		return true;
	server->control = control_open(&server->loop, path, &source, &error);
	if (!server->control)
		log_error("control: cannot listen on \"%s\": %s", path,
			error == -EADDRINUSE ? "another process listens there" : error_text(error));
	return server->control != NULL;
}

static bool start_workers(struct server *server)
{
	/* Signals are the main thread's business. */
	sigset_t all, before;
	bool started = true;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	atomic_store(&server->workers_running, server->status.worker_count);
	for (unsigned i = 0; started && i < server->status.worker_count; i++)
		started = worker_start(server->status.workers[i]) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (started)
		return true;
	log_error("cannot start a thread for each worker");
	for (unsigned i = 0; i < server->status.worker_count; i++)
		worker_drain(server->status.workers[i]); /* those that run are waited for */
	return false;
}

static void log_listeners(const struct config *config)
{
	for (size_t i = 0; i < config->listener_count; i++) {
		char text[ADDRESS_TEXT_MAX];
		address_text(&config->listeners[i].address, text);
		log_info("listener %s: address=%s port=%u", config->listeners[i].name, text,
			config->listeners[i].port);
	}
}

static int serve(struct server *server)
{
	const struct config *config = server->status.snapshot->config;
	raise_descriptor_limit();
	state_directory_claim(config->state_directory);
	if (!probe_listeners(config) || !open_workers(server) || !open_keeper(server) ||
		!open_shadow(server) || !open_exceptions(server) || !open_admin(server) ||
		!open_control(server) || !start_workers(server))
		return EXIT_FAILED;
	log_listeners(config);
	log_info("ready: %u workers, revision %u, policy %s", server->status.worker_count,
		server->status.snapshot->revision, server->status.snapshot->policy_hash);
	uv_run(&server->loop, UV_RUN_DEFAULT);
	log_info("ended");
	return EXIT_FINE;
}

static void clean_up(struct server *server)
{
	struct status *status = &server->status;
	join_workers(server);
	if (server->handles_open) {
		close_handles(server);
		uv_run(&server->loop, UV_RUN_DEFAULT);
	}
	uv_loop_close(&server->loop);
	if (status->log)
		query_log_close(status->log);
	close_cache(status);
	exception_book_free(server->exceptions);
	rate_limits_free(status->rate_limits);
	lists_unref(server->lists);
	shadow_keeper_free(status->shadow);
	if (status->snapshot)
		snapshot_unref(status->snapshot);
	free(status->workers);
	metrics_registry_free(status->labels);
	tls_ticket_keys_free(server->ticket_keys);
}

/* A program started with closed standard descriptors must not find a socket in their place: log
 * lines would go to a client. */
static bool hold_standard_descriptors(void)
{
	int fd;
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* Texts and tables of a load go back to the system when they are freed. Left alone, glibc keeps all
 * that is no larger than the largest that was ever freed, for a next load that may be a day away.
 * malloc_trim() behind each load would hold locks that workers need. */
static void give_memory_back(void)
{
#ifdef __GLIBC__
	mallopt(M_MMAP_THRESHOLD, LARGE_MEMORY);
#endif
}

int server_run(const char *file)
{
	struct server server = { .file = file };
	give_memory_back();
	signal(SIGPIPE, SIG_IGN);
	if (!hold_standard_descriptors())
		return EXIT_FAILED;
	uv_disable_stdio_inheritance(); /* children get what they are given, not what we were */
	upstream_start();               /* cleans the environment, so before there are threads */
	if (open_handles(&server))
		return EXIT_FAILED;
	int code = load_first(&server);
	finish_what_was_begun_if_asked(&server);
	if (code == EXIT_FINE)
		code = serve(&server);
	clean_up(&server);
	return code;
}
