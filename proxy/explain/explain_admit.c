/* explain_admit.c - which view claims the client, by what, and what kept the others from it. That
 * the policy says; why is found out here, claim by claim, from the views as they were written. */
#include "proxy/explain/explain_parts.h"

enum { OTHERS_MAX = 64 };

/* What a view says to one of its claims. */
enum holding { NOT_NAMED, HOLDS, FAILS };

static const struct network *longest_network(
	const struct view_spec *view, const struct address *client)
{
	const struct network *longest = NULL;
	for (size_t i = 0; i < view->client_count; i++)
		if (network_contains(&view->clients[i], client) &&
			(!longest || view->clients[i].prefix_len > longest->prefix_len))
			longest = &view->clients[i];
	return longest;
}

static enum holding holds_network(const struct view_spec *view, const struct claims *claims)
{
	if (view->client_count == 0)
		return NOT_NAMED;
	return longest_network(view, &claims->client) ? HOLDS : FAILS;
}

static enum holding holds_listener(const struct view_spec *view, const struct claims *claims)
{
	for (size_t i = 0; i < view->listener_count; i++)
		if (view->listeners[i] == claims->listener)
			return HOLDS;
	return view->listener_count ? FAILS : NOT_NAMED;
}

static bool ends(struct slice text, struct slice with)
{
	return text.len > with.len && memcmp(text.at + text.len - with.len, with.at, with.len) == 0;
}

static bool starts(struct slice text, struct slice with)
{
	return text.len >= with.len && memcmp(text.at, with.at, with.len) == 0;
}

/* "uri:a/" and a "*" at the end, "dns:*.example", "cn:*", "*": see rules/spec.h. In the middle an
 * asterisk is one label, or one mailbox. */
static bool matches(const char *pattern, struct slice name)
{
	const char *star = strchr(pattern, '*');
	if (!star)
		return slice_equals_text(name, pattern);
	struct slice before = slice_of(pattern, (size_t)(star - pattern));
	struct slice behind = slice_of_text(star + 1);
	if (!starts(name, before) || behind.len == 0)
		return starts(name, before);
	struct slice rest = slice_of(name.at + before.len, name.len - before.len);
	return ends(rest, behind) && !memchr(rest.at, behind.at[0], rest.len - behind.len);
}

static enum holding holds_any(
	const char *const *patterns, size_t count, const struct slice *names, size_t name_count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t n = 0; n < name_count; n++)
			if (names[n].len && matches(patterns[i], names[n]))
				return HOLDS;
	return count ? FAILS : NOT_NAMED;
}

static enum holding holds_certificate(const struct view_spec *view, const struct claims *claims)
{
	return holds_any(view->certificates, view->certificate_count, claims->certificate,
		claims->certificate_count);
}

static enum holding holds_path(const struct view_spec *view, const struct claims *claims)
{
	return holds_any(view->paths, view->path_count, &claims->path, 1);
}

static enum holding holds_tls_name(const struct view_spec *view, const struct claims *claims)
{
	return holds_any(view->tls_names, view->tls_name_count, &claims->tls_name, 1);
}

static const struct token_spec *token_of(const struct explain_world *world,
	const struct view_spec *view, const struct claims *claims)
{
	for (size_t i = 0; i < view->token_count; i++) {
		const struct token_spec *token = &world->config->policy.tokens[view->tokens[i]];
		if (claims->token && memcmp(token->sha256, claims->token, CLAIMS_TOKEN_LEN) == 0)
			return token;
	}
	return NULL;
}

/* The first thing that does not hold; NULL when all does. *any: something that it names holds. */
static const char *find_fault(const struct explain_world *world, const struct view_spec *view,
	const struct claims *claims, bool *any)
{
	const enum holding tokens = view->token_count == 0 ? NOT_NAMED
		: token_of(world, view, claims)            ? HOLDS
							   : FAILS;
	const struct {
		const char *name;
		enum holding holding;
	} rows[] = {
		{ "network", holds_network(view, claims) },
		{ "listener", holds_listener(view, claims) },
		{ "certificate", holds_certificate(view, claims) },
		{ "token", tokens },
		{ "path", holds_path(view, claims) },
		{ "tls_name", holds_tls_name(view, claims) },
	};
	const char *fault = NULL;
	*any = false;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		*any |= rows[i].holding == HOLDS;
		if (rows[i].holding == FAILS && !fault)
			fault = rows[i].name;
	}
	return fault;
}

static const char *meaning_of(const char *fault)
{
	static const struct {
		const char *fault;
		const char *text;
	} rows[] = {
		{ "network", "its networks do not have this client's address" },
		{ "listener", "it is for clients of other listeners" },
		{ "certificate", "it asks for a client certificate that was not shown" },
		{ "token", "it asks for a token that was not shown" },
		{ "path", "it asks for another path" },
		{ "tls_name", "it asks for another TLS name" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (strcmp(rows[i].fault, fault) == 0)
			return rows[i].text;
	return NULL;
}

static const char *claim_text(
	struct trace *trace, const struct view_spec *view, const struct claims *claims)
{
	const struct network *network = longest_network(view, &claims->client);
	char text[ADDRESS_TEXT_MAX];
	if (!network)
		return holds_listener(view, claims) == HOLDS ? "its listener" : "every client";
	address_text(&network->address, text);
	return trace_format(trace, "network %s/%u", text,
		address_is_v4(&network->address) && network->prefix_len >= 96
			? network->prefix_len - 96u
			: network->prefix_len);
}

static void take_others(struct trace *trace, const struct explain_world *world,
	const struct claims *claims, uint16_t found)
{
	const struct policy_spec *spec = &world->config->policy;
	for (size_t i = 0; i < spec->view_count; i++) {
		const struct view_spec *view = &spec->views[i];
		bool any;
		const char *fault = find_fault(world, view, claims, &any);
		if (i == found || (fault && !any) ||
			trace_count(trace, TRACE_OTHER_VIEW) == OTHERS_MAX)
			continue;
		struct trace_other_view *row = trace_add(trace, TRACE_OTHER_VIEW);
		row->name = trace_text(trace, view->name);
		row->why = fault ? fault : "less_specific";
		row->text = fault
			? meaning_of(fault)
			: trace_format(trace, "it would claim the client too (%s), less exactly",
				  claim_text(trace, view, claims));
	}
}

static const char *fault_text(enum admission_fault fault)
{
	static const char *const texts[] = {
		[ADMISSION_FINE] = NULL,
		[ADMISSION_NO_VIEW] = "no view claims this client: REFUSED",
		[ADMISSION_TOKEN_UNKNOWN] = "the token is none, or was revoked: REFUSED",
		[ADMISSION_TOKEN_EXPIRED] = "the token has expired: REFUSED",
		[ADMISSION_PATH_UNKNOWN] = "no view names this path: HTTP 404",
	};
	return texts[fault];
}

uint16_t explain_admit(struct trace *trace, const struct explain_world *world,
	const struct claims *claims, struct trace_view *row)
{
	static const char *const kinds[CLAIM_KINDS] = {
		[CLAIM_CERTIFICATE] = "certificate",
		[CLAIM_TOKEN] = "token",
		[CLAIM_PATH] = "path",
		[CLAIM_TLS_NAME] = "tls_name",
		[CLAIM_NETWORK] = "network",
	};
	const struct policy_spec *spec = &world->config->policy;
	const struct admission admission = policy_find_view(world->policy, claims);
	row->fault = fault_text(admission.fault);
	if (admission.view < spec->view_count) {
		row->by = kinds[admission.by];
		if (admission.client_id.len)
			row->client_id = trace_slice(trace, admission.client_id);
		row->claim = admission.by == CLAIM_NETWORK
			? claim_text(trace, &spec->views[admission.view], claims)
			: trace_format(trace, "%s %s", kinds[admission.by],
				  row->client_id ? row->client_id : "");
	}
	take_others(trace, world, claims, admission.view);
	return admission.view;
}
