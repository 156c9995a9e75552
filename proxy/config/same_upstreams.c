/* same_upstreams.c - may what is open to upstreams stay open over a reload? */
#include "proxy/config/same.h"

static bool same_bytes(const void *a, const void *b, size_t count, size_t size)
{
	return count == 0 || memcmp(a, b, count * size) == 0;
}

static bool same_endpoint(const struct upstream_config *a, const struct upstream_config *b)
{
	return a->protocol == b->protocol && a->port == b->port && same_text(a->name, b->name) &&
		same_text(a->host, b->host) && a->bootstrap == b->bootstrap &&
		a->weight == b->weight && a->address_count == b->address_count &&
		same_bytes(a->addresses, b->addresses, a->address_count, sizeof *a->addresses);
}

/* A file of authorities may have changed although its name has not. */
static bool same_trust(const struct upstream_config *a, const struct upstream_config *b)
{
	return !a->tls_ca && !b->tls_ca && same_text(a->tls_name, b->tls_name) &&
		a->tls_pin_count == b->tls_pin_count &&
		same_bytes(a->tls_pins, b->tls_pins, a->tls_pin_count, sizeof *a->tls_pins);
}

static bool same_upstream(const struct upstream_config *a, const struct upstream_config *b)
{
	return same_endpoint(a, b) && same_trust(a, b) && same_text(a->authority, b->authority) &&
		same_text(a->path, b->path) && a->use_get == b->use_get;
}

static bool same_group(const struct upstream_group_config *a, const struct upstream_group_config *b)
{
	return same_text(a->name, b->name) && a->policy == b->policy &&
		a->identity == b->identity && a->member_count == b->member_count &&
		same_bytes(a->members, b->members, a->member_count, sizeof *a->members);
}

bool config_same_upstreams(const struct config *a, const struct config *b)
{
	if (a->upstream_count != b->upstream_count ||
		a->upstream_group_count != b->upstream_group_count)
		return false;
	for (size_t i = 0; i < a->upstream_count; i++)
		if (!same_upstream(&a->upstreams[i], &b->upstreams[i]))
			return false;
	for (size_t i = 0; i < a->upstream_group_count; i++)
		if (!same_group(&a->upstream_groups[i], &b->upstream_groups[i]))
			return false;
	return true;
}
