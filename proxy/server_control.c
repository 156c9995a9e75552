/* server_control.c - what the running program does when it is told to over the control socket. See
 * server_parts.h. */
#include "proxy/server_parts.h"

#include <stdio.h>

#include "base/error.h"
#include "base/log.h"
#include "proxy/explain/explain.h"

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
	return server_wall_s();
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
	return server_wish_revision(server, &wish, why);
}

static int unpin(void *context)
{
	struct server *server = context;
	const struct revisions_wish wish = { .unpin = true };
	if (!*server->status.snapshot->config->state_directory)
		return ERR_INVALID;
	return server_wish_revision(server, &wish, "unpin");
}

static void tell_revisions(void *context, struct control_revisions *now)
{
	const struct server *server = context;
	const struct snapshot *snapshot = server->status.snapshot;
	*now = (struct control_revisions){ .revision = snapshot->revision,
		.policy_hash = snapshot->policy_hash,
		.kept = snapshot->kept,
		.is_loading = server_has_wish(server),
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
		.now_s = server_wall_s(),
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
	bool good = shadow_keeper_begin(server->status.shadow, order, server_wall_s());
	if (had_one)
		server_publish_shadow(server); /* the one before has ended */
	if (!good)
		return "out of memory";
	server_want_load(server, LOAD_SHADOW);
	return NULL;
}

static const char *stop_shadow(void *context)
{
	struct server *server = context;
	enum shadow_state state = shadow_keeper_state(server->status.shadow);
	if (state == SHADOW_OFF || state == SHADOW_PROMOTING)
		return state == SHADOW_OFF ? "there is no shadow" : "it is being promoted";
	shadow_keeper_end(server->status.shadow);
	server_publish_shadow(server);
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
		server_want_load(server, LOAD_PROMOTE);
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
		shadow_keeper_tell_text(status->shadow, status->snapshot, server_wall_s(), answer);
		break;
	case CONTROL_TELL_JSON:
		shadow_keeper_tell_json(status->shadow, status->snapshot, answer);
		break;
	}
}
bool server_open_control(struct server *server)
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
