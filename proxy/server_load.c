/* server_load.c - configurations and lists that are loaded beside the loops, one load at a time,
 * and how they come into force. See server_parts.h. */
#include "proxy/server_parts.h"

#include <stdio.h>

#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "proxy/worker.h"

enum { PREFETCH_PERCENT = 10 /* of the lifetime left */ };

static void log_config_error(
	void *context, const char *file, unsigned line, const char *path, const char *message)
{
	char text[CONFIG_PROBLEM_TEXT_MAX];
	(void)context;
	log_error("reload: %s", config_problem_text(text, file, line, path, message));
}

/* The last step of a load: what it is known by from now on. */
void server_go_live(struct snapshot *loaded, const char *why, uint32_t after)
{
	const struct revisions_item item = { .config = loaded->config,
		.lists = loaded->lists,
		.policy_hash = loaded->policy_hash,
		.why = why,
		.time_s = server_wall_s() };
	loaded->revision = revisions_go_live(&item, loaded->kept, after);
}

static void reload_certificates(struct server *server)
{
	const struct snapshot *before = server->before;
	const struct tls_context_files files = snapshot_tls_files(before->config);
	const struct tls_problems problems = { .on_problem = certificate_problems_add,
		.context = &server->problems };
	server->problems = (struct certificate_problems){ 0 };
	server->reloaded = NULL;
	if (before->tls)
		server->reloaded =
			tls_context_reload(before->tls, &files, server->ticket_keys, &problems);
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
	if (server->loading & LOAD_CERTIFICATES) {
		reload_certificates(server);
		return;
	}
	struct config_errors errors = { .on_error = log_config_error };
	const struct snapshot_parts parts = { .labels = server->status.labels,
		.ticket_keys = server->ticket_keys,
		.cookie_secrets = &server->cookie_secrets,
		.lists = { .previous = server->lists,
			.accept = server->accept[0] ? server->accept : NULL,
			.must_load = true,
			.is_refresh = !is_whole,
			.keep = true },
		.wish = server->wish,
		.config_hash = server->promote_hash[0] ? server->promote_hash : NULL,
		.in_force = server->before->config,
		.tls_in_force = server->before->tls };
	server->loaded = is_whole ? snapshot_load(server->load_file, &parts, &errors)
				  : snapshot_load_lists(server->before, &parts, &errors);
	if (server->loaded && (is_whole || !server->loaded->lists->is_same))
		server_go_live(server->loaded, server->why, server->before->revision);
}

struct cache_settings server_cache_settings_of(const struct config *config)
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
void server_publish_shadow(struct server *server)
{
	struct status *status = &server->status;
	struct snapshot *copy = snapshot_with_shadow(
		status->snapshot, shadow_keeper_pair(status->shadow, status->snapshot));
	if (copy)
		hand_out(status, copy);
	else
		log_error("shadow: out of memory, nothing changes");
}

/* The same policy, with other certificates. */
static void publish_certificates(struct server *server, struct tls_context *tls)
{
	struct status *status = &server->status;
	struct snapshot *copy = snapshot_with_tls(
		status->snapshot, tls, shadow_keeper_pair(status->shadow, status->snapshot));
	if (copy)
		hand_out(status, copy);
	else
		log_error("tls: out of memory, the certificates before stay");
}

static void end_certificates(struct server *server)
{
	struct status *status = &server->status;
	if (!server->reloaded)
		return;
	if (server->reloaded != status->snapshot->tls)
		publish_certificates(server, server->reloaded);
	if (certificate_keeper_loaded(server->certificates, &server->problems))
		metrics_add(status->metrics, METRIC_CERTIFICATE_RELOAD_FAILURES, 1);
	tls_context_unref(server->reloaded);
	server->reloaded = NULL;
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
		const struct cache_settings settings = server_cache_settings_of(loaded->config);
		cache_configure(status->cache, &settings);
	}
	struct lists *before = lists_ref(server->lists); /* the keeper looks at them until then */
	take_lists(server, loaded);
	keeper_adopt(server->keeper, loaded->config, server->lists);
	certificate_keeper_adopt(server->certificates, loaded->config);
	lists_unref(before);
	snapshot_unref(old);
	status->reload_success_s = server_wall_s();
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
	struct revision_pin pin = { .number = kept_as(loaded), .time_s = server_wall_s() };
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
	if (shadow_keeper_follow(status->shadow, status->snapshot->config, server_wall_s()))
		server->wanted |= LOAD_SHADOW;
	else if (status->snapshot->shadow)
		server_publish_shadow(server); /* it has ended */
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
		server_publish_shadow(server);
	} else if (loading & LOAD_CERTIFICATES)
		end_certificates(server);
	else if (loading & LOAD_PROMOTE)
		end_promote(server, loaded);
	else if (loading & LOAD_CONFIG) {
		end_config(server, loaded);
		notify_send(&server->notify, "READY=1");
	} else
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
	if (wanted & LOAD_CERTIFICATES)
		return LOAD_CERTIFICATES; /* it is quick */
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
	if (server->loading & LOAD_CONFIG)
		notify_reloading(&server->notify);
	int error = background_run(&server->background, load_aside, on_loaded, server);
	if (!error)
		return;
	log_error("reload: %s", error_text(error));
	on_loaded(server);
}

void server_want_load(struct server *server, enum load what)
{
	server->wanted |= what;
	begin_load(server);
}

/* One that is to come, or on its way. */
bool server_has_wish(const struct server *server)
{
	return is_wished(&server->next_wish) || (server->loading && is_wished(&server->wish));
}

int server_wish_revision(struct server *server, const struct revisions_wish *wish, const char *why)
{
	if (server_has_wish(server))
		return ERR_BUSY;
	server->next_wish = *wish;
	snprintf(server->next_why, sizeof server->next_why, "%s", why);
	server_want_load(server, LOAD_CONFIG);
	return 0;
}

bool server_load_lists(void *context, const char *accept)
{
	struct server *server = context;
	if (server->loading || server->status.draining)
		return false;
	snprintf(server->accept, sizeof server->accept, "%s", accept ? accept : "");
	server_want_load(server, LOAD_LISTS);
	return true;
}

void server_load_certificates(void *context)
{
	server_want_load(context, LOAD_CERTIFICATES);
}

bool server_is_loading(void *context)
{
	const struct server *server = context;
	return server->loading != 0;
}
