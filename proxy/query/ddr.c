#include "proxy/query/ddr.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { TTL_S = 300 };

/* RFC 9460 14.3.2; 7 is RFC 9461 5. In a record they stand in this order. */
enum svcb_key { KEY_ALPN = 1, KEY_PORT = 3, KEY_IPV4HINT = 4, KEY_IPV6HINT = 6, KEY_DOHPATH = 7 };

static const uint8_t own_name[] = "\4_dns\10resolver\4arpa";

static struct slice own_zone(void)
{
	return slice_of(own_name + 5, sizeof own_name - 5);
}

/* --- what the certificate has to do with it --- */

struct site {
	const struct config *config;
	const struct tls_context *tls;
	char *reason;
};

static bool is_any(const struct address *address)
{
	static const struct address any_v6;
	const struct address any_v4 = address_of_v4((const uint8_t[4]){ 0 });
	return memcmp(address, &any_v6, sizeof any_v6) == 0 ||
		memcmp(address, &any_v4, sizeof any_v4) == 0;
}

static bool is_loopback(const struct address *address)
{
	static const struct address loopback_v6 = { { [15] = 1 } };
	return address_is_v4(address) ? address->bytes[12] == 127
				      : memcmp(address, &loopback_v6, sizeof loopback_v6) == 0;
}

static bool has_family(const struct tls_context *tls, bool v4)
{
	size_t count;
	const struct address *addresses = tls_context_addresses(tls, &count);
	for (size_t i = 0; i < count; i++)
		if (address_is_v4(&addresses[i]) == v4)
			return true;
	return false;
}

/* Can a client that asked this listener find the address in the certificate? */
static bool is_covered(const struct site *site, const struct listener_config *listener)
{
	if (is_any(&listener->address))
		return has_family(site->tls, address_is_v4(&listener->address));
	return tls_context_has_address(site->tls, &listener->address);
}

static const struct listener_config *first_of_kind(
	const struct config *config, enum listener_kind kind)
{
	for (size_t i = 0; i < config->listener_count; i++)
		if (config->listeners[i].kind == kind)
			return &config->listeners[i];
	return NULL;
}

static bool has_encrypted(const struct config *config)
{
	return first_of_kind(config, LISTENER_DOH) || first_of_kind(config, LISTENER_DOT);
}

static bool has_covered(const struct site *site)
{
	for (size_t i = 0; i < site->config->listener_count; i++)
		if (site->config->listeners[i].kind == LISTENER_DNS &&
			is_covered(site, &site->config->listeners[i]))
			return true;
	return false;
}

__attribute__((format(printf, 2, 3))) static bool say_why(
	const struct site *site, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(site->reason, DDR_REASON_MAX, format, arguments);
	va_end(arguments);
	return false;
}

static bool say_not_covered(const struct site *site)
{
	const struct address *asked = &first_of_kind(site->config, LISTENER_DNS)->address;
	char text[ADDRESS_TEXT_MAX];
	address_text(asked, text);
	if (is_any(asked))
		return say_why(site,
			"the certificate has no %s address, and clients believe it only if it has "
			"the one that they asked; add it to the subjectAltName",
			address_is_v4(asked) ? "IPv4" : "IPv6");
	return say_why(site,
		"the certificate does not have %s, where plain DNS is asked, and clients believe "
		"it only if it does; add IP:%s to its subjectAltName",
		text, text);
}

/* True when there is something to designate that clients will believe. */
static bool can_designate(const struct site *site, struct dns_name *target)
{
	if (!site->config->ddr)
		return say_why(site, "ddr is off");
	if (!has_encrypted(site->config) || !site->tls)
		return say_why(site, "there is no doh or dot listener to designate");
	if (!first_of_kind(site->config, LISTENER_DNS))
		return say_why(site,
			"there is no dns listener: clients that ask for designated resolvers do "
			"so over plain DNS");
	const char *name = tls_context_name(site->tls);
	if (!name)
		return say_why(site,
			"the certificate has no host name, only a wildcard or addresses; add one "
			"to its subjectAltName");
	/* As a TargetName the root means resolver.arpa itself (RFC 9460 2.5.2). */
	if (!dns_name_from_text(target, slice_of_text(name)) || target->len == 1)
		return say_why(
			site, "the certificate's name \"%.100s\" is not a domain name", name);
	return has_covered(site) || say_not_covered(site);
}

/* --- the records --- */

struct hints {
	struct address addresses[2 * DDR_HINTS_MAX];
	size_t count;
	size_t of_family[2]; /* IPv6, IPv4 */
};

static void hint(struct hints *hints, const struct address *address)
{
	size_t *of_family = &hints->of_family[address_is_v4(address)];
	for (size_t i = 0; i < hints->count; i++)
		if (memcmp(&hints->addresses[i], address, sizeof *address) == 0)
			return;
	if (*of_family == DDR_HINTS_MAX)
		return;
	hints->addresses[hints->count++] = *address;
	(*of_family)++;
}

static void hint_all_of_family(struct hints *hints, const struct tls_context *tls, bool v4)
{
	size_t count;
	const struct address *addresses = tls_context_addresses(tls, &count);
	for (size_t i = 0; i < count; i++)
		if (address_is_v4(&addresses[i]) == v4)
			hint(hints, &addresses[i]);
}

/* A client elsewhere would find itself at its own loopback address; one that is here reaches the
 * others as well. */
static void drop_loopback(struct hints *hints)
{
	struct hints kept = { 0 };
	for (size_t i = 0; i < hints->count; i++)
		if (!is_loopback(&hints->addresses[i]))
			hint(&kept, &hints->addresses[i]);
	if (kept.count > 0)
		*hints = kept;
}

static bool is_same_service(const struct listener_config *a, const struct listener_config *b)
{
	return a->kind == b->kind && a->port == b->port &&
		(a->kind != LISTENER_DOH || strcmp(a->path, b->path) == 0);
}

static void collect_hints(
	const struct site *site, const struct listener_config *service, struct hints *hints)
{
	*hints = (struct hints){ 0 };
	for (size_t i = 0; i < site->config->listener_count; i++) {
		const struct listener_config *listener = &site->config->listeners[i];
		if (!is_same_service(listener, service))
			continue;
		if (is_any(&listener->address))
			hint_all_of_family(hints, site->tls, address_is_v4(&listener->address));
		else if (is_covered(site, listener))
			hint(hints, &listener->address);
	}
	drop_loopback(hints);
}

static void write_hints(struct writer *to, const struct hints *hints, bool v4)
{
	size_t len = v4 ? 4 : 16;
	if (hints->of_family[v4] == 0)
		return;
	writer_u16(to, v4 ? KEY_IPV4HINT : KEY_IPV6HINT);
	writer_u16(to, (uint16_t)(hints->of_family[v4] * len));
	for (size_t i = 0; i < hints->count; i++)
		if (address_is_v4(&hints->addresses[i]) == v4)
			writer_bytes(to, hints->addresses[i].bytes + 16 - len, len);
}

/* The port is told even where it is the usual one: nobody has to know which that is. */
static void write_rdata(struct writer *to, uint16_t priority, const struct dns_name *target,
	const struct listener_config *service, const struct hints *hints)
{
	static const char path_end[] = "{?dns}"; /* a URI template, RFC 8484 3 */
	const char *alpn = service->kind == LISTENER_DOH ? "\2h2" : "\3dot";
	writer_u16(to, priority);
	writer_slice_bytes(to, dns_name_slice(target));
	writer_u16(to, KEY_ALPN);
	writer_u16(to, (uint16_t)strlen(alpn));
	writer_text(to, alpn);
	writer_u16(to, KEY_PORT);
	writer_u16(to, 2);
	writer_u16(to, service->port);
	write_hints(to, hints, true);
	write_hints(to, hints, false);
	if (service->kind != LISTENER_DOH)
		return;
	writer_u16(to, KEY_DOHPATH);
	writer_u16(to, (uint16_t)(strlen(service->path) + strlen(path_end)));
	writer_text(to, service->path);
	writer_text(to, path_end);
}

static bool designate(
	struct ddr *ddr, const struct site *site, const struct listener_config *service)
{
	uint8_t rdata[1024]; /* a path has 255 bytes at most */
	struct writer to = writer_of(rdata, sizeof rdata);
	struct hints hints;
	struct ddr_designation *designation = &ddr->designations[ddr->count];
	collect_hints(site, service, &hints);
	designation->priority = (uint16_t)(ddr->count + 1);
	write_rdata(&to, designation->priority, &ddr->target, service, &hints);
	uint8_t *kept = arena_take(&ddr->memory, to.len, 1);
	if (!kept)
		return false;
	memcpy(kept, rdata, to.len);
	designation->rdata = slice_of(kept, to.len);
	ddr->count++;
	return true;
}

/* Has a listener before this one the same protocol, port and path? */
static bool is_designated(const struct config *config, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (is_same_service(&config->listeners[i], &config->listeners[at]))
			return true;
	return false;
}

static bool designate_kind(struct ddr *ddr, const struct site *site, enum listener_kind kind)
{
	const struct config *config = site->config;
	for (size_t i = 0; i < config->listener_count; i++) {
		if (config->listeners[i].kind != kind || is_designated(config, i) ||
			ddr->count == DDR_DESIGNATIONS_MAX)
			continue;
		if (!designate(ddr, site, &config->listeners[i]))
			return false;
	}
	return true;
}

struct ddr *ddr_new(
	const struct config *config, const struct tls_context *tls, char reason[DDR_REASON_MAX])
{
	const struct site site = { config, tls, reason };
	struct ddr *ddr = calloc(1, sizeof *ddr);
	reason[0] = '\0';
	if (ddr)
		atomic_init(&ddr->references, 1);
	if (!ddr || !can_designate(&site, &ddr->target))
		return ddr;
	if (designate_kind(ddr, &site, LISTENER_DOH) && designate_kind(ddr, &site, LISTENER_DOT))
		return ddr;
	ddr_unref(ddr);
	return NULL;
}

struct ddr *ddr_ref(struct ddr *ddr)
{
	atomic_fetch_add_explicit(&ddr->references, 1, memory_order_relaxed);
	return ddr;
}

void ddr_unref(struct ddr *ddr)
{
	if (!ddr || atomic_fetch_sub_explicit(&ddr->references, 1, memory_order_acq_rel) != 1)
		return;
	arena_free(&ddr->memory);
	free(ddr);
}

/* --- the answer --- */

bool ddr_is_ours(struct slice name)
{
	return dns_name_is_under(name, own_zone());
}

void ddr_answer(const struct ddr *ddr, struct slice name, uint16_t type, struct dns_reply *reply)
{
	bool asks =
		type == DNS_TYPE_SVCB && slice_equals(name, slice_of(own_name, sizeof own_name));
	for (size_t i = 0; ddr && asks && i < ddr->count; i++)
		dns_reply_add(reply, DNS_SECTION_ANSWER, name, DNS_TYPE_SVCB, DNS_CLASS_IN, TTL_S,
			ddr->designations[i].rdata);
	if (!ddr || !asks || ddr->count == 0)
		dns_reply_add_zone_soa(reply, DNS_SECTION_AUTHORITY, own_zone(), TTL_S);
}
