/* upstreams.c - whom we ask: how each upstream is reached and known, and which of them are asked
 * together. */
#include "proxy/config/resolve.h"

#include "base/writer.h"
#include "proxy/config/domain.h"
#include "proxy/config/same.h"

#include <xxhash.h>

/* What a protocol brings along. */
static const struct {
	uint16_t port;
	bool has_tls;
	bool has_http;
} protocols[] = {
	[UPSTREAM_DNS] = { 53, false, false },
	[UPSTREAM_DOT] = { 853, true, false },
	[UPSTREAM_DOH] = { 443, true, true },
};

/* All of them, as drafts and as what becomes of them. */
struct upstream_checks {
	struct resolve *resolve;
	const struct draft_upstream *drafts;
	struct upstream_config *upstreams;
	size_t count;
	struct names names;
};

/* Keys that only some protocols have. */
static void check_keys(struct resolve *resolve, const struct draft_upstream *from)
{
	static const struct {
		const char *key;
		bool is_http;
	} keys[] = {
		{ "tls_name", false },
		{ "tls_ca", false },
		{ "tls_pins", false },
		{ "path", true },
		{ "method", true },
	};
	if (from->protocol == DRAFT_NO_WORD)
		return;
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		bool has_it = keys[i].is_http ? protocols[from->protocol].has_http
					      : protocols[from->protocol].has_tls;
		if (!has_it && is_given(from, keys[i].key))
			problem_with(resolve, from, keys[i].key, "only %s upstreams have %s",
				keys[i].is_http ? "doh" : "dot and doh", keys[i].key);
	}
}

/* One of address, addresses and host. */
static void check_target(struct resolve *resolve, const struct draft_upstream *from)
{
	static const char *const keys[] = { "address", "addresses", "host" };
	const char *first = NULL;
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		if (!is_given(from, keys[i]))
			continue;
		if (first)
			problem_with(resolve, from, keys[i],
				"an upstream has address, addresses or host, but only one of "
				"them: %s is given, too",
				first);
		first = first ? first : keys[i];
	}
	if (!first && !from->element.broken)
		problem_in(resolve->errors, from->element.at,
			"an upstream needs address = \"...\", addresses = [ ... ], or host = "
			"\"...\" with bootstrap = \"...\"");
}

/* c-ares has one server a channel, and looks no names up. */
static void check_plain(struct resolve *resolve, const struct draft_upstream *from)
{
	if (from->protocol != UPSTREAM_DNS)
		return;
	if (is_given(from, "host"))
		problem_with(resolve, from, "host",
			"only dot and doh upstreams are found by host: write the address");
	if (from->addresses.count > 1)
		problem_with(resolve, from, "addresses",
			"a plain upstream has one address: write an upstream for each");
}

static void check_bootstrap(struct resolve *resolve, const struct draft_upstream *from)
{
	bool has_host = is_given(from, "host"), has_bootstrap = is_given(from, "bootstrap");
	if (has_host && !has_bootstrap && from->protocol != UPSTREAM_DNS)
		problem_with(resolve, from, "host",
			"who is asked for its addresses? write bootstrap = \"...\" with the name "
			"of an upstream that has an address");
	if (has_bootstrap && !has_host)
		problem_with(resolve, from, "bootstrap",
			"only an upstream that is found by host has a bootstrap");
}

/* "dns.quad9.net", "dns.quad9.net:8443", "[2001:db8::1]:8443" (RFC 9113 8.3.1). */
static const char *make_authority(struct resolve *resolve, const struct upstream_config *upstream)
{
	char text[DOMAIN_HOST_MAX + 16];
	struct writer to = writer_of(text, sizeof text - 1);
	bool in_brackets = !upstream->tls_name && !address_is_v4(&upstream->address);
	if (in_brackets)
		writer_u8(&to, '[');
	if (upstream->tls_name)
		writer_text(&to, upstream->tls_name);
	else
		address_write(&to, &upstream->address);
	if (in_brackets)
		writer_u8(&to, ']');
	if (upstream->port != protocols[UPSTREAM_DOH].port) {
		writer_u8(&to, ':');
		writer_decimal(&to, upstream->port);
	}
	text[to.len] = '\0';
	char *kept = arena_text(&resolve->config->memory, text);
	resolve->no_memory |= !kept;
	return kept;
}

static void take_addresses(const struct draft_upstream *from, struct upstream_config *to)
{
	to->addresses = from->addresses.at;
	to->address_count = from->addresses.count;
	if (to->address_count > 0)
		to->address = to->addresses[0];
	if (!is_given(from, "address"))
		return;
	to->address = from->address;
	to->addresses = &to->address;
	to->address_count = 1;
}

static void take_tls(const struct draft_upstream *from, struct upstream_config *to)
{
	to->tls_name = from->tls_name ? from->tls_name : from->host;
	to->tls_ca = from->tls_ca;
	to->tls_pins = from->tls_pins.at;
	to->tls_pin_count = from->tls_pins.count;
}

static void resolve_upstream(
	struct resolve *resolve, const struct draft_upstream *from, struct upstream_config *to)
{
	*to = (struct upstream_config){
		.name = from->name,
		.host = from->host,
		.weight = from->weight,
		.line = from->element.at->line,
	};
	check_keys(resolve, from);
	check_target(resolve, from);
	check_plain(resolve, from);
	check_bootstrap(resolve, from);
	take_addresses(from, to);
	if (from->protocol == DRAFT_NO_WORD)
		return;
	to->protocol = (enum upstream_protocol)from->protocol;
	to->port = from->port ? (uint16_t)from->port : protocols[to->protocol].port;
	if (protocols[to->protocol].has_tls)
		take_tls(from, to);
	if (!protocols[to->protocol].has_http)
		return;
	to->path = from->path;
	to->use_get = from->method == DRAFT_GET;
	to->authority = make_authority(resolve, to);
}

static void check_loop(const struct upstream_checks *checks, size_t index)
{
	struct resolve *resolve = checks->resolve;
	const struct draft_upstream *from = &checks->drafts[index];
	const struct upstream_config *upstream = &checks->upstreams[index];
	for (size_t i = 0; i < upstream->address_count; i++) {
		const char *name;
		const struct draft_listener *own = resolve_own_listener(
			resolve, &upstream->addresses[i], upstream->port, &name);
		if (!own)
			continue;
		problem_with(resolve, from, is_given(from, "address") ? "address" : "addresses",
			"this is our own listener \"%s\" of %s: queries would go round in "
			"circles",
			name, LINE_OF(own->element.at, from->element.at));
		return;
	}
}

static bool share_address(const struct upstream_config *a, const struct upstream_config *b)
{
	for (size_t i = 0; i < a->address_count; i++)
		for (size_t j = 0; j < b->address_count; j++)
			if (memcmp(&a->addresses[i], &b->addresses[j], sizeof a->addresses[i]) == 0)
				return true;
	return false;
}

/* Profiles of one provider may differ in name or path alone. */
static bool same_endpoint(const struct upstream_config *a, const struct upstream_config *b)
{
	bool same_place = a->host ? same_text(a->host, b->host) : share_address(a, b);
	return same_place && a->port == b->port && same_text(a->tls_name, b->tls_name) &&
		same_text(a->path, b->path);
}

static void check_same_upstream(const struct upstream_checks *checks, size_t index)
{
	const struct draft_upstream *from = &checks->drafts[index];
	const struct upstream_config *upstream = &checks->upstreams[index];
	const char *key = upstream->host    ? "host"
		: is_given(from, "address") ? "address"
					    : "addresses";
	for (size_t i = 0; i < index; i++) {
		const struct draft_upstream *other = &checks->drafts[i];
		if (other->element.broken || !same_endpoint(&checks->upstreams[i], upstream))
			continue;
		problem_with(checks->resolve, from, key,
			"upstream \"%s\" of %s has the same %s and port", other->name,
			LINE_OF(other->element.at, from->element.at),
			upstream->host ? "host" : "address");
		return;
	}
}

static void resolve_bootstrap(const struct upstream_checks *checks, size_t index)
{
	struct resolve *resolve = checks->resolve;
	const struct draft_upstream *from = &checks->drafts[index];
	if (!from->bootstrap || !is_given(from, "host"))
		return;
	uint16_t found = names_find(&checks->names, from->bootstrap,
		setting_child(from->element.at, "bootstrap"), resolve->errors);
	if (found == POLICY_NO_ID)
		return;
	checks->upstreams[index].bootstrap = found;
	if (found == index)
		problem_with(resolve, from, "bootstrap",
			"an upstream cannot be asked for its own addresses");
	else if (is_given(&checks->drafts[found], "host"))
		problem_with(resolve, from, "bootstrap",
			"upstream %s of %s is itself found by host: name one with an address",
			QUOTED(from->bootstrap),
			LINE_OF(checks->drafts[found].element.at, from->element.at));
}

static void resolve_each_upstream(struct upstream_checks *checks)
{
	struct resolve *resolve = checks->resolve;
	for (size_t i = 0; !resolve->no_memory && i < checks->count; i++) {
		const struct draft_upstream *from = &checks->drafts[i];
		resolve_upstream(resolve, from, &checks->upstreams[i]);
		names_add(&checks->names, from->name,
			setting_child_or_self(from->element.at, "name"), i);
		if (from->element.broken)
			continue;
		check_loop(checks, i);
		check_same_upstream(checks, i);
	}
	names_check(&checks->names, resolve->errors);
	for (size_t i = 0; !resolve->no_memory && i < checks->count; i++)
		resolve_bootstrap(checks, i);
}

/* --- groups --- */

static uint64_t hash_text(const char *text, uint64_t before)
{
	return text ? XXH3_64bits_withSeed(text, strlen(text) + 1, before) : before;
}

/* Sums do not depend on an order. */
static uint64_t identity_of_upstream(const struct upstream_config *upstream)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < upstream->address_count; i++)
		sum += XXH3_64bits(&upstream->addresses[i], sizeof upstream->addresses[i]);
	uint64_t numbers[] = { sum, upstream->protocol, upstream->port };
	uint64_t hash = XXH3_64bits(numbers, sizeof numbers);
	hash = hash_text(upstream->host, hash ^ 1);
	hash = hash_text(upstream->tls_name, hash ^ 2);
	return hash_text(upstream->path, hash ^ 3);
}

static uint32_t identity_of_group(
	const struct upstream_group_config *group, const struct upstream_config *upstreams)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < group->member_count; i++)
		sum += identity_of_upstream(&upstreams[group->members[i]]);
	return (uint32_t)XXH3_64bits(&sum, sizeof sum);
}

bool upstreams_have_bootstrap(const struct upstream_config *upstreams, size_t count, size_t index)
{
	for (size_t i = 0; i < count; i++)
		if (upstreams[i].host && upstreams[i].bootstrap == index)
			return true;
	return false;
}

/* All of them; but plain ones that are there for the addresses of encrypted ones do not get what
 * was to be asked in secret. */
static bool make_default_group(
	struct config *config, const struct upstream_config *upstreams, size_t count)
{
	struct upstream_group_config *group = arena_take(&config->memory, 1, sizeof *group);
	uint16_t *members = arena_take(&config->memory, count, sizeof *members);
	if (!group || !members)
		return false;
	*group = (struct upstream_group_config){ .name = "default", .members = members };
	for (size_t i = 0; i < count; i++)
		if (upstreams[i].protocol != UPSTREAM_DNS ||
			!upstreams_have_bootstrap(upstreams, count, i))
			members[group->member_count++] = (uint16_t)i;
	group->identity = identity_of_group(group, upstreams);
	config->upstream_groups = group;
	config->upstream_group_count = 1;
	return true;
}

static void check_members(struct resolve *resolve, const struct draft_upstream_group *from,
	const struct upstream_group_config *group)
{
	const struct draft_name *names = from->upstreams.at;
	if (group->member_count != from->upstreams.count)
		return; /* one is unknown */
	for (size_t i = 1; i < group->member_count; i++)
		for (size_t j = 0; j < i; j++)
			if (group->members[i] == group->members[j]) {
				problem_in(resolve->errors, names[i].at,
					"%s is in this group already", QUOTED(names[i].text));
				break;
			}
}

static void resolve_group(struct upstream_checks *checks, const struct draft_upstream_group *from,
	struct upstream_group_config *to)
{
	struct resolve *resolve = checks->resolve;
	to->name = from->name;
	if (from->policy != DRAFT_NO_WORD)
		to->policy = (enum upstream_policy)from->policy;
	to->members =
		resolve_references(resolve, &from->upstreams, &checks->names, &to->member_count);
	if (resolve->no_memory)
		return;
	check_members(resolve, from, to);
	to->identity = identity_of_group(to, checks->upstreams);
}

static void resolve_groups(struct upstream_checks *checks)
{
	struct resolve *resolve = checks->resolve;
	struct config *config = resolve->config;
	const struct draft_upstream_group *from = resolve->draft->upstream_groups.at;
	size_t count = resolve->draft->upstream_groups.count;
	struct upstream_group_config *to = resolve_take(resolve, count, sizeof *to);
	resolve->upstream_groups = names_new("upstream group", count + 1, resolve->scratch);
	resolve->no_memory |= !resolve->upstream_groups.at;
	for (size_t i = 0; !resolve->no_memory && i < count; i++) {
		resolve_group(checks, &from[i], &to[i]);
		names_add(&resolve->upstream_groups, from[i].name,
			setting_child_or_self(from[i].element.at, "name"), i);
	}
	config->upstream_groups = to;
	config->upstream_group_count = count;
	if (count == 0)
		names_add(&resolve->upstream_groups, "default", NULL, 0);
	names_check(&resolve->upstream_groups, resolve->errors);
	if (count == 0 && checks->count > 0 && !resolve->no_memory)
		resolve->no_memory |= !make_default_group(config, checks->upstreams, checks->count);
}

void resolve_upstreams(struct resolve *resolve)
{
	struct upstream_checks checks = {
		.resolve = resolve,
		.drafts = resolve->draft->upstreams.at,
		.count = resolve->draft->upstreams.count,
	};
	checks.upstreams = resolve_take(resolve, checks.count, sizeof *checks.upstreams);
	checks.names = names_new("upstream", checks.count, resolve->scratch);
	resolve->no_memory |= !checks.names.at;
	resolve_each_upstream(&checks);
	resolve->config->upstreams = checks.upstreams;
	resolve->config->upstream_count = checks.count;
	resolve_groups(&checks);
}

bool config_take_upstreams(
	struct config *config, const struct upstream_config *upstreams, size_t count)
{
	struct upstream_config *to = arena_take(&config->memory, count, sizeof *to);
	for (size_t i = 0; to && i < count; i++) {
		to[i] = (struct upstream_config){
			.name = arena_text(&config->memory, upstreams[i].name),
			.address = upstreams[i].address,
			.addresses = &to[i].address,
			.address_count = 1,
			.port = upstreams[i].port,
			.weight = 1,
		};
		if (!to[i].name)
			return false;
	}
	if (!to || (count > 0 && !make_default_group(config, to, count)))
		return false;
	config->upstreams = to;
	config->upstream_count = count;
	return true;
}
