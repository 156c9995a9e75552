#include "proxy/config/resolve.h"

void *resolve_take(struct resolve *resolve, size_t count, size_t size)
{
	void *taken = arena_take(&resolve->config->memory, count, size);
	resolve->no_memory |= !taken;
	return taken;
}

bool resolve_is_loopback(const struct address *address)
{
	static const struct network v6 = { .address.bytes = { [15] = 1 }, .prefix_len = 128 };
	const struct network v4 = { address_of_v4((const uint8_t[4]){ 127 }), 96 + 8 };
	return network_contains(&v4, address) || network_contains(&v6, address);
}

static void resolve_query_log(struct resolve *resolve)
{
	const struct draft *draft = resolve->draft;
	resolve->config->query_log = (struct query_log_config){
		.file = draft->query_log_file,
		.format = (enum query_log_format)draft->query_log_format,
		.account_id = draft->query_log_account_id,
		.region = draft->query_log_region,
		.buffer_bytes = draft->query_log_buffer,
	};
}

void resolve_draft(struct resolve *resolve)
{
	const struct draft *draft = resolve->draft;
	struct config *config = resolve->config;
	config->workers = draft->workers;
	config->allow_open_resolver = draft->allow_open_resolver;
	config->control_socket = draft->control_socket;
	config->state_directory = draft->state_directory;
	config->limits = draft->limits;
	resolve_query_log(resolve);
	resolve_endpoints(resolve);
	resolve_lists(resolve);
	resolve_rules(resolve);
	resolve_views(resolve);
	resolve_local_data(resolve);
}
