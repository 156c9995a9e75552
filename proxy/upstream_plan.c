#include "proxy/upstream_plan.h"

#include <stdio.h>
#include <stdlib.h>

#include "proxy/upstream/system_resolvers.h"

struct upstream_plan *upstream_plan_new(struct config *config)
{
	struct upstream_plan *plan = calloc(1, sizeof *plan);
	if (!plan) {
		config_free(config);
		return NULL;
	}
	plan->config = config;
	atomic_init(&plan->references, 1);
	return plan;
}

bool upstream_plan_find(struct upstream_plan *plan, struct config_errors *errors)
{
	static const char path[] = "/etc/resolv.conf";
	struct config *config = plan->config;
	if (config->upstream_count > 0)
		return true;
	struct system_resolvers system;
	int error = system_resolvers_read(&system, path, config->listeners, config->listener_count);
	if (!config_take_upstreams(config, system.upstreams, system.count))
		return false;
	if (!error && config->upstream_count > 0)
		return true;
	errors->count++;
	errors->on_error(errors->context, config->file, 0, "upstreams",
		error ? "none given, and /etc/resolv.conf cannot be read"
		      : "none given, and /etc/resolv.conf names nobody but ourselves");
	return false;
}

static struct tls_client *load_one(
	const struct upstream_config *upstream, char message[TLS_MESSAGE_MAX])
{
	/* Pins alone say whom we mean, unless more is said. */
	bool by_address =
		upstream->address_count > 0 && (upstream->tls_pin_count == 0 || upstream->tls_ca);
	const struct tls_client_settings settings = { .name = upstream->tls_name,
		.address = by_address ? &upstream->address : NULL,
		.ca_file = upstream->tls_ca,
		.pins = upstream->tls_pins,
		.pin_count = upstream->tls_pin_count,
		.alpn = upstream->protocol == UPSTREAM_DOH ? TLS_ALPN_H2 : TLS_ALPN_DOT };
	return tls_client_new(&settings, message);
}

bool upstream_plan_load(struct upstream_plan *plan, struct config_errors *errors)
{
	const struct config *config = plan->config;
	plan->tls = calloc(config->upstream_count + 1, sizeof(struct tls_client *));
	bool good = plan->tls != NULL;
	for (size_t i = 0; plan->tls && i < config->upstream_count; i++) {
		const struct upstream_config *upstream = &config->upstreams[i];
		char message[TLS_MESSAGE_MAX];
		if (upstream->protocol == UPSTREAM_DNS)
			continue;
		plan->tls[i] = load_one(upstream, message);
		if (plan->tls[i])
			continue;
		good = false;
		errors->count++;
		char path[64];
		snprintf(path, sizeof path, "upstreams[%zu].tls_ca", i);
		errors->on_error(errors->context, config->file, upstream->line,
			upstream->tls_ca ? path : upstream->name, message);
	}
	return good;
}

static void plan_free(struct upstream_plan *plan)
{
	for (size_t i = 0; plan->tls && i < plan->config->upstream_count; i++) {
		if (plan->tls[i])
			tls_client_unref(plan->tls[i]);
	}
	free(plan->tls);
	config_free(plan->config);
	free(plan);
}

struct upstream_plan *upstream_plan_ref(struct upstream_plan *plan)
{
	atomic_fetch_add_explicit(&plan->references, 1, memory_order_relaxed);
	return plan;
}

void upstream_plan_unref(struct upstream_plan *plan)
{
	if (atomic_fetch_sub_explicit(&plan->references, 1, memory_order_acq_rel) == 1)
		plan_free(plan);
}
