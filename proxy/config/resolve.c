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

uint16_t *resolve_references(struct resolve *resolve, const struct draft_list *references,
	const struct names *names, size_t *count)
{
	const struct draft_name *from = references->at;
	uint16_t *to = resolve_take(resolve, references->count, sizeof *to);
	*count = 0;
	for (size_t i = 0; to && i < references->count; i++) {
		uint16_t found = names_find(names, from[i].text, from[i].at, resolve->errors);
		if (found != POLICY_NO_ID)
			to[(*count)++] = found;
	}
	return to;
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
		.hash_key_file = draft->query_log_hash_key_file,
	};
}

/* `key` of the group `cache`, which is there. */
static const struct setting *cache_key(const struct resolve *resolve, const char *key)
{
	return setting_child_or_self(setting_child(resolve->draft->element.at, "cache"), key);
}

static void resolve_cache(struct resolve *resolve)
{
	const struct cache_config *cache = &resolve->draft->cache;
	resolve->config->cache = *cache;
	if (resolve->draft->element.broken)
		return;
	if (cache->size > 0 && cache->size < CONFIG_CACHE_SIZE_MIN)
		problem_in(resolve->errors, cache_key(resolve, "size"),
			"a cache has at least 1MiB; \"0B\" switches it off");
	if (cache->size == 0 && cache->file)
		problem_in(resolve->errors, cache_key(resolve, "file"),
			"there is no cache to keep: its size is \"0B\"");
	if (cache->min_ttl_s > cache->max_ttl_s)
		problem_in(resolve->errors, cache_key(resolve, "min_ttl"),
			"min_ttl is above max_ttl (%us)", cache->max_ttl_s);
}

static void resolve_shadow(struct resolve *resolve)
{
	const struct draft_shadow *from = &resolve->draft->shadow;
	struct shadow_config *to = &resolve->config->shadow;
	to->file = from->file;
	to->share = from->share;
	to->views = resolve_references(resolve, &from->views, &resolve->views, &to->view_count);
}

void resolve_draft(struct resolve *resolve)
{
	const struct draft *draft = resolve->draft;
	struct config *config = resolve->config;
	config->workers = draft->workers;
	config->allow_open_resolver = draft->allow_open_resolver;
	config->control_socket = draft->control_socket;
	config->state_directory = draft->state_directory;
	config->user = draft->user;
	config->group = draft->group;
	if (draft->group && !draft->user)
		problem_in(resolve->errors, setting_child(draft->element.at, "group"),
			"without \"user\" it is not looked at");
	config->hardening = draft->hardening;
	config->limits = draft->limits;
	memcpy(config->special_names, draft->special_names, sizeof config->special_names);
	config->ddr = draft->ddr;
	config->any_queries = (enum any_queries)draft->any_queries;
	config->revisions = draft->revisions;
	resolve_query_log(resolve);
	resolve_cache(resolve);
	resolve_endpoints(resolve);
	resolve_datagrams(resolve);
	resolve_upstreams(resolve);
	resolve_lists(resolve);
	resolve_schedules(resolve);
	resolve_rules(resolve);
	resolve_tokens(resolve);
	resolve_views(resolve);
	resolve_shadow(resolve);
	resolve_routes(resolve);
	resolve_builtins(resolve);
	resolve_local_data(resolve);
	resolve_expects(resolve);
	resolve_places(resolve);
}
