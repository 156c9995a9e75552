/* endpoints.c - where we listen: ports, names, certificates, and whether two of them get into each
 * other's way. */
#include "proxy/config/resolve.h"

#include <stdio.h>

/* What a protocol brings along. */
static const struct {
	const char *name;
	uint16_t port;
	bool needs_tls;
} kinds[] = {
	[LISTENER_DNS] = { "dns", 53, false },
	[LISTENER_DOT] = { "dot", 853, true },
	[LISTENER_DOH] = { "doh", 443, true },
	[LISTENER_DOH_CLEAR] = { "doh", 0, false },
};

static bool is_unspecified(const struct address *address)
{
	static const struct address v6_any;
	const struct address v4_any = address_of_v4((const uint8_t[4]){ 0 });
	return memcmp(address, &v6_any, sizeof v6_any) == 0 ||
		memcmp(address, &v4_any, sizeof v4_any) == 0;
}

/* Would the second bind() fail? Wildcards take every address of their family (IPV6_V6ONLY). */
static bool addresses_overlap(const struct address *a, const struct address *b)
{
	if (memcmp(a, b, sizeof *a) == 0)
		return true;
	bool one_is_any = is_unspecified(a) || is_unspecified(b);
	return one_is_any && address_is_v4(a) == address_is_v4(b);
}

/* "doh-443", and "doh-443-2" when that is taken. */
static const char *make_name(struct resolve *resolve, const struct listener_config *listener,
	const struct listener_config *before, size_t before_count)
{
	char name[64];
	const char *kind = kinds[listener->kind].name;
	snprintf(name, sizeof name, "%s-%u", kind, listener->port);
	for (unsigned number = 2, i = 0; i < before_count;) {
		if (!before[i].name || strcmp(before[i].name, name) != 0) {
			i++;
			continue;
		}
		snprintf(name, sizeof name, "%s-%u-%u", kind, listener->port, number++);
		i = 0;
	}
	char *kept = arena_text(&resolve->config->memory, name);
	resolve->no_memory |= !kept;
	return kept;
}

static enum listener_kind kind_of(const struct draft_listener *from)
{
	bool is_clear = from->kind == LISTENER_DOH && !from->tls;
	return is_clear ? LISTENER_DOH_CLEAR : (enum listener_kind)from->kind;
}

static void check_doh_keys(struct resolve *resolve, const struct draft_listener *from)
{
	static const struct {
		const char *key;
		const char *why;
	} keys[] = {
		{ "path", "only a doh listener has a path" },
		{ "forwarded_from", "only a doh listener has requests with a Forwarded header" },
		{ "tls", "only a doh listener can do without TLS, behind a proxy" },
		{ "json", "only a doh listener speaks dns-json" },
	};
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (is_given(from, keys[i].key))
			problem_with(resolve, from, keys[i].key, "%s", keys[i].why);
}

/* Whoever can reach a listener without TLS could say whose request it is. */
static void check_clear(struct resolve *resolve, const struct draft_listener *from)
{
	if (!is_given(from, "port"))
		problem_with(resolve, from, "tls", "without TLS there is no usual port: set port");
	if (!from->forwarded_from.count && !from->proxy_protocol_from.count)
		problem_with(resolve, from, "tls",
			"without TLS only proxies may connect: set forwarded_from (or "
			"proxy_protocol_from) to their addresses");
}

static void resolve_listener(struct resolve *resolve, const struct draft_listener *from,
	struct listener_config *to, const struct listener_config *before, size_t before_count)
{
	to->line = from->element.at->line;
	to->address = from->address;
	to->name = from->name;
	if (from->kind == DRAFT_NO_WORD)
		return;
	to->kind = kind_of(from);
	to->port = from->port ? (uint16_t)from->port : kinds[to->kind].port;
	to->path = listener_is_doh(to->kind) ? from->path : NULL;
	to->json = from->json;
	to->proxy_protocol_from = from->proxy_protocol_from.at;
	to->proxy_protocol_from_count = from->proxy_protocol_from.count;
	to->forwarded_from = from->forwarded_from.at;
	to->forwarded_from_count = from->forwarded_from.count;
	if (!to->name)
		to->name = make_name(resolve, to, before, before_count);
	if (!listener_is_doh(to->kind))
		check_doh_keys(resolve, from);
	if (to->kind == LISTENER_DOH_CLEAR)
		check_clear(resolve, from);
	if (kinds[to->kind].needs_tls && !setting_child(resolve->draft->element.at, "tls"))
		problem_with(resolve, from, "protocol",
			"a %s listener needs a certificate: "
			"set tls = { certificate = \"...\"; key = \"...\"; }",
			kinds[to->kind].name);
}

/* Every listener has a TCP socket, so the same address and port is enough. */
static void check_clash(struct resolve *resolve, const struct draft_listener *from, size_t index)
{
	const struct listener_config *listeners = resolve->config->listeners;
	const struct draft_listener *drafts = resolve->draft->listeners.at;
	for (size_t i = 0; i < index && !from->element.broken; i++) {
		if (drafts[i].element.broken || listeners[i].port != listeners[index].port)
			continue;
		if (!addresses_overlap(&listeners[i].address, &listeners[index].address))
			continue;
		problem_with(resolve, from, "address",
			"address and port %u are taken by listener \"%s\" of %s",
			listeners[index].port, listeners[i].name,
			LINE_OF(drafts[i].element.at, from->element.at));
		return;
	}
}

/* Names that were given first, so that made ones keep out of their way. */
static void resolve_listeners(struct resolve *resolve)
{
	const struct draft_listener *from = resolve->draft->listeners.at;
	size_t count = resolve->draft->listeners.count;
	struct listener_config *to = resolve_take(resolve, count, sizeof *to);
	resolve->listeners = names_new("listener", count, resolve->scratch);
	resolve->no_memory |= !resolve->listeners.at;
	if (!to || resolve->no_memory)
		return;
	resolve->config->listeners = to;
	resolve->config->listener_count = count;
	for (size_t i = 0; i < count; i++)
		to[i].name = from[i].name;
	for (size_t i = 0; i < count; i++) {
		resolve_listener(resolve, &from[i], &to[i], to, count);
		names_add(&resolve->listeners, to[i].name,
			setting_child_or_self(from[i].element.at, "name"), i);
		check_clash(resolve, &from[i], i);
	}
	names_check(&resolve->listeners, resolve->errors);
}

/* Asking ourselves would go round in circles until the table of queries is full. */
static bool is_own(
	const struct listener_config *listener, const struct address *address, uint16_t port)
{
	if (listener->port != port)
		return false;
	if (memcmp(&listener->address, address, sizeof *address) == 0)
		return true;
	bool reaches_this_machine = resolve_is_loopback(address) || is_unspecified(address);
	return reaches_this_machine && addresses_overlap(&listener->address, address);
}

const struct draft_listener *resolve_own_listener(
	struct resolve *resolve, const struct address *address, uint16_t port, const char **name)
{
	const struct config *config = resolve->config;
	const struct draft_listener *drafts = resolve->draft->listeners.at;
	for (size_t i = 0; i < config->listener_count; i++) {
		if (drafts[i].element.broken || !is_own(&config->listeners[i], address, port))
			continue;
		*name = config->listeners[i].name;
		return &drafts[i];
	}
	return NULL;
}

static void resolve_admin(struct resolve *resolve)
{
	const struct draft *draft = resolve->draft;
	struct config *config = resolve->config;
	const struct draft_listener *drafts = draft->listeners.at;
	const struct setting *admin = setting_child(draft->element.at, "admin");
	config->admin_address = draft->admin_address;
	config->admin_port = (uint16_t)draft->admin_port;
	for (size_t i = 0; config->admin_port && i < config->listener_count; i++) {
		const struct listener_config *listener = &config->listeners[i];
		if (drafts[i].element.broken || listener->port != config->admin_port ||
			!addresses_overlap(&listener->address, &config->admin_address))
			continue;
		problem_in(resolve->errors, setting_child_or_self(admin, "port"),
			"address and port %u are taken by listener \"%s\" of %s",
			config->admin_port, listener->name,
			LINE_OF(drafts[i].element.at, setting_child_or_self(admin, "port")));
		return;
	}
}

/* tls.certificate and its key are the first of them all, or there are only the others. */
static void resolve_certificates(struct resolve *resolve)
{
	const struct draft *draft = resolve->draft;
	const struct draft_certificate *from = draft->tls_certificates.at;
	size_t count = draft->tls_certificates.count;
	struct tls_certificate_files *to = resolve_take(resolve, count + 1, sizeof *to);
	if (!to)
		return;
	resolve->config->tls_certificates = to;
	if (draft->tls_certificate)
		*to++ = (struct tls_certificate_files){ .certificate = draft->tls_certificate,
			.key = draft->tls_key,
			.ocsp_response = draft->tls_ocsp_response };
	for (size_t i = 0; i < count; i++)
		*to++ = (struct tls_certificate_files){ .certificate = from[i].certificate,
			.key = from[i].key,
			.ocsp_response = from[i].ocsp_response };
	resolve->config->tls_certificate_count = (size_t)(to - resolve->config->tls_certificates);
}

/* What is there by halves. */
static void check_certificate(struct resolve *resolve, const struct setting *tls)
{
	static const char *const of_one[] = { "certificate", "key" };
	const struct setting *one[] = { setting_child(tls, "certificate"),
		setting_child(tls, "key") };
	for (size_t i = 0; i < 2; i++)
		if (one[i] && !one[1 - i])
			problem_in(resolve->errors, one[i], "without \"%s\" it is of no use",
				of_one[1 - i]);
	if (!one[0] && !one[1] && !setting_child(tls, "certificates"))
		problem_in(resolve->errors, tls,
			"\"certificate\" and \"key\" are missing, or \"certificates\"");
	const struct setting *ocsp = setting_child(tls, "ocsp_response");
	if (ocsp && !one[0])
		problem_in(resolve->errors, ocsp, "belongs to a \"certificate\" beside it");
	const struct setting *revoked = setting_child(tls, "client_crl");
	if (revoked && !setting_child(tls, "client_ca"))
		problem_in(resolve->errors, revoked,
			"without \"client_ca\" clients are asked for no certificate");
}

static void resolve_tls(struct resolve *resolve)
{
	const struct draft *draft = resolve->draft;
	struct config *config = resolve->config;
	resolve_certificates(resolve);
	config->tls_ticket_keys = draft->tls_ticket_keys;
	config->tls_client_ca = draft->tls_client_ca;
	config->tls_client_crl = draft->tls_client_crl;
	bool is_said = draft->client_certificates != DRAFT_NO_WORD;
	if (draft->tls_client_ca)
		config->client_certificates = is_said
			? (enum client_certificates)draft->client_certificates
			: CLIENT_CERTIFICATES_OPTIONAL;
	const struct setting *tls = setting_child(draft->element.at, "tls");
	if (tls && tls->kind == SETTING_GROUP)
		check_certificate(resolve, tls);
	if (is_said && !setting_child(tls, "client_ca"))
		problem_in(resolve->errors, setting_child(tls, "client_certificates"),
			"without \"client_ca\" nobody says which certificates are good");
}

void resolve_endpoints(struct resolve *resolve)
{
	resolve_tls(resolve);
	resolve_listeners(resolve);
	resolve_admin(resolve);
}
