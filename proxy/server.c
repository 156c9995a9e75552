#include "proxy/server.h"

#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "proxy/cache/cache_file.h"
#include "proxy/cli/cli.h"
#include "proxy/cookie_file.h"
#include "proxy/cpu_count.h"
#include "proxy/front/crowd.h"
#include "proxy/front/listener.h"
#include "proxy/query/rate_limit.h"
#include "proxy/server_parts.h"
#include "proxy/state_directory.h"
#include "proxy/watch/admin.h"
#include "proxy/worker.h"

enum {
	HOUSEKEEPING_MS = 1000,
	LARGE_MEMORY = 1024 * 1024,
};

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
	certificate_keeper_close(server->certificates);
	server->certificates = NULL;
	server->status.certificates = NULL;
	if (server->background.is_running)
		leave_load(server);
	background_close(&server->background);
	if (server->loaded)
		snapshot_unref(server->loaded); /* it came too late */
	server->loaded = NULL;
	if (server->before)
		snapshot_unref(server->before);
	server->before = NULL;
	tls_context_unref(server->reloaded);
	server->reloaded = NULL;
}

static void begin_drain(struct server *server, const char *name)
{
	if (server->status.draining) {
		log_warning("%s again: ending at once", name);
		_exit(EXIT_FAILED);
	}
	log_info("%s: finishing what was begun, for %u s at most", name, DRAIN_MS / 1000);
	notify_send(&server->notify, "STOPPING=1");
	server->status.draining = true;
	for (unsigned i = 0; i < server->status.worker_count; i++)
		worker_drain(server->status.workers[i]);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct server *server = handle->data;
	switch (number) {
	case SIGHUP: server_want_load(server, LOAD_CONFIG); break;
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
	exception_book_use(server->exceptions, id, server_wall_s());
}

static void tend_exceptions(struct server *server)
{
	if (!server->exceptions)
		return;
	for (unsigned i = 0; i < server->status.worker_count; i++)
		worker_tell_exceptions(server->status.workers[i], on_exception_use, server);
	exception_book_tick(server->exceptions, server_wall_s());
}

/* A worker whose loop does not turn serves nobody: then the manager hears no more of us, and starts
 * us anew. */
static void tend_watchdog(struct server *server)
{
	if (server->notify.watchdog_us && status_is_live(&server->status))
		notify_send(&server->notify, "WATCHDOG=1");
}

static void on_housekeeping(uv_timer_t *timer)
{
	struct server *server = timer->data;
	tend_watchdog(server);
	tls_ticket_keys_rotate(server->ticket_keys, uv_now(&server->loop) / 1000);
	tend_exceptions(server);
	if (server->admin)
		admin_tick(server->admin);
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
	cookie_secrets_random(&server->cookie_secrets);
	server->status.labels = metrics_registry_new();
	if (!server->ticket_keys || !server->status.labels)
		return EXIT_FAILED;
	server->status.metrics = metrics_new(server->status.labels);
	const struct snapshot_parts parts = { .labels = server->status.labels,
		.ticket_keys = server->ticket_keys,
		.cookie_secrets = &server->cookie_secrets,
		.lists.keep = true };
	struct snapshot *snapshot = load_at_start(server, &parts, &errors);
	if (!snapshot || !server->status.metrics)
		return snapshot ? EXIT_FAILED : EXIT_CONFIG;
	server_go_live(snapshot, "start", 0);
	server->status.snapshot = snapshot;
	server->lists = lists_ref(snapshot->lists);
	server->status.reload_successful = true;
	server->status.reload_success_s = server_wall_s();
	config_log_notes(snapshot->config);
	return EXIT_FINE;
}

static unsigned worker_count(const struct config *config)
{
	return config->workers ? config->workers : cpu_count();
}

/* Every connection is a descriptor; the soft limit of most systems is for programs of another kind.
 */
static bool reserve_descriptors(struct status *status)
{
	const struct config *config = status->snapshot->config;
	size_t limit = descriptors_hard_limit();
	status->descriptors = descriptors_needed(config, worker_count(config), limit);
	if (!descriptors_fit(&status->descriptors, limit)) {
		char text[DESCRIPTORS_TEXT_MAX];
		struct writer to = writer_of(text, sizeof text);
		descriptors_explain(&to, &status->descriptors, limit);
		log_error("%s: %.*s", config->file, (int)to.len, text);
		return false;
	}
	descriptors_raise(descriptors_wanted(&status->descriptors, &config->limits, limit));
	return true;
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
		.worker_count = worker_count(status->snapshot->config),
		.snapshot = status->snapshot,
		.metrics = metrics_new(status->labels),
		.log = status->log ? query_log_ring(status->log, index) : NULL,
		.cache = status->cache,
		.crowd = status->crowd,
		.rate_limits = status->rate_limits,
		.rights = &server->rights,
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
	const struct cache_settings settings = server_cache_settings_of(config);
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
	unsigned count = worker_count(status->snapshot->config);
	status->workers = calloc(count, sizeof(struct worker *));
	status->rate_limits = rate_limits_new();
	status->crowd = crowd_new(status->descriptors.connections);
	if (!status->workers || !status->rate_limits || !status->crowd ||
		!open_log(status, count) || !open_cache(status))
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
		.load = server_load_lists,
		.is_loading = server_is_loading,
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

static bool open_certificates(struct server *server)
{
	const struct certificate_keeper_owner owner = { .load = server_load_certificates,
		.context = server };
	server->certificates = certificate_keeper_new(&server->loop, &owner);
	if (!server->certificates)
		return false;
	certificate_keeper_adopt(server->certificates, server->status.snapshot->config);
	server->status.certificates = server->certificates;
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
		.now_s = server_wall_s(),
		.publish = publish_exceptions,
		.context = server,
	};
	server->exceptions = exception_book_new(&parts);
	server->status.exceptions = server->exceptions;
	return server->exceptions != NULL;
}

static bool open_shadow(struct server *server)
{
	struct status *status = &server->status;
	status->shadow = shadow_keeper_new(server->file, status->worker_count);
	if (!status->shadow)
		return false;
	if (shadow_keeper_follow(status->shadow, status->snapshot->config, server_wall_s()))
		server_want_load(server, LOAD_SHADOW);
	return true;
}

static bool start_workers(struct server *server)
{
	/* Signals are the main thread's business. */
	sigset_t all, before;
	bool started = rights_seal() == 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	atomic_store(&server->workers_running, server->status.worker_count);
	for (unsigned i = 0; started && i < server->status.worker_count; i++)
		started = worker_start(server->status.workers[i]) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (started)
		return true;
	log_error("cannot start a thread for each worker, or give up the last rights");
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
	if (!reserve_descriptors(&server->status))
		return EXIT_CONFIG;
	state_directory_claim(config->state_directory);
	if (!probe_listeners(config) || !open_workers(server) || !open_keeper(server) ||
		!open_certificates(server) || !open_shadow(server) || !open_exceptions(server) ||
		!open_admin(server) || !server_open_control(server) || !start_workers(server))
		return EXIT_FAILED;
	log_listeners(config);
	log_info("ready: %u workers, revision %u, policy %s", server->status.worker_count,
		server->status.snapshot->revision, server->status.snapshot->policy_hash);
	notify_send(&server->notify, "READY=1");
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
	crowd_free(status->crowd);
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
	struct server server = { .file = file, .status.rights = &server.rights };
	give_memory_back();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error like a full disk */
	if (!hold_standard_descriptors())
		return EXIT_FAILED;
	uv_disable_stdio_inheritance(); /* children get what they are given, not what we were */
	notify_open(&server.notify);    /* the same */
	upstream_start();               /* cleans the environment, so before there are threads */
	int code = rights_take(&server.rights, file);
	if (code != EXIT_FINE)
		return code;
	if (open_handles(&server))
		return EXIT_FAILED;
	code = load_first(&server);
	finish_what_was_begun_if_asked(&server);
	if (code == EXIT_FINE)
		code = serve(&server);
	clean_up(&server);
	return code;
}
