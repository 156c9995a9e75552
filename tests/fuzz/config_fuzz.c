/* Whatever bytes a configuration file holds: it loads, or every error names a place, and nothing
 * leaks. What loads obeys the promises that its users build on. */
#include "dns/answer.h"
#include "proxy/config.h"
#include "rules/policy.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PROMISE(condition)                                                                         \
	do {                                                                                       \
		if (!(condition))                                                                  \
			abort();                                                                   \
	} while (0)

static void on_error(
	void *context, const char *file, unsigned line, const char *path, const char *message)
{
	(void)context;
	(void)line;
	PROMISE(file && path && message && *message);
	for (; *message; message++)
		PROMISE(*message >= 0x20 && *message < 0x7f);
}

static void check_listeners(const struct config *config)
{
	PROMISE(config->listener_count > 0);
	for (size_t i = 0; i < config->listener_count; i++) {
		const struct listener_config *listener = &config->listeners[i];
		PROMISE(listener->name && *listener->name && listener->port);
		PROMISE(listener->kind != LISTENER_DOH || listener->path[0] == '/');
		PROMISE(listener->kind == LISTENER_DNS || config->tls_certificate_count);
	}
}

static void check_upstreams(const struct config *config)
{
	for (size_t i = 0; i < config->upstream_count; i++) {
		const struct upstream_config *upstream = &config->upstreams[i];
		bool is_doh = upstream->protocol == UPSTREAM_DOH;
		PROMISE(upstream->name && upstream->port && upstream->weight);
		PROMISE((upstream->host != NULL) == (upstream->address_count == 0));
		PROMISE(!upstream->host ||
			config->upstreams[upstream->bootstrap].address_count > 0);
		PROMISE(upstream->protocol != UPSTREAM_DNS ||
			(upstream->address_count == 1 && !upstream->tls_name));
		PROMISE(is_doh == (upstream->authority != NULL));
		PROMISE(is_doh == (upstream->path != NULL));
	}
	PROMISE((config->upstream_count == 0) == (config->upstream_group_count == 0));
	for (size_t i = 0; i < config->upstream_group_count; i++) {
		const struct upstream_group_config *group = &config->upstream_groups[i];
		PROMISE(group->name && group->member_count > 0);
		for (size_t j = 0; j < group->member_count; j++)
			PROMISE(group->members[j] < config->upstream_count);
	}
}

/* There is one group at least by the time when somebody asks. */
static void check_routes(const struct config *config)
{
	size_t groups = config->upstream_group_count ? config->upstream_group_count : 1;
	for (size_t i = 0; i < config->policy.view_count; i++)
		PROMISE(config->view_groups[i] < groups);
	for (size_t i = 0; i < config->route_count; i++) {
		const struct route_config *route = &config->routes[i];
		PROMISE(route->group < groups && route->domain_count > 0);
		for (size_t j = 0; j < route->domain_count; j++)
			PROMISE(dns_name_check(dns_name_slice(&route->domains[j])) ==
				route->domains[j].len);
		for (size_t j = 0; j < route->view_count; j++)
			PROMISE(route->views[j] < config->policy.view_count);
	}
}

static void check_cache(const struct cache_config *cache)
{
	PROMISE(cache->size == 0 || cache->size >= CONFIG_CACHE_SIZE_MIN);
	PROMISE(cache->size > 0 || !cache->file);
	PROMISE(cache->min_ttl_s <= cache->max_ttl_s);
}

static void check_canaries(const struct dns_name *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		PROMISE(dns_name_check(dns_name_slice(&names[i])) == names[i].len);
}

/* Inline, a file, or fetched; never silently nothing. */
static void check_lists(const struct config *config)
{
	for (size_t i = 0; i < config->policy.list_count; i++) {
		const struct domain_list_spec *list = &config->policy.lists[i];
		const struct list_source *source = &config->list_sources[i];
		const struct list_guards *guards = &source->guards;
		bool is_inline = !list->file && !source->url;
		PROMISE(list->name && list->format <= LIST_AUTO);
		PROMISE(!list->file || !source->url);
		PROMISE(is_inline == (source->max_size == 0));
		PROMISE(is_inline ? list->format != LIST_AUTO : list->inline_text.len == 0);
		PROMISE((source->url != NULL) == (source->refresh_s > 0));
		PROMISE((source->url != NULL) == (source->timeout_ms > 0));
		PROMISE(!source->url || *config->state_directory || config->lists_image);
		PROMISE(!source->url || !strchr(source->url, '#'));
		check_canaries(guards->must_contain, guards->must_contain_count);
		check_canaries(guards->must_not_contain, guards->must_not_contain_count);
	}
}

static void check_rules(const struct policy_spec *policy)
{
	for (size_t i = 0; i < policy->group_count; i++) {
		for (size_t j = 0; j < policy->groups[i].rule_count; j++) {
			const struct rule_spec *rule = &policy->groups[i].rules[j];
			PROMISE(rule->name && rule->priority && rule->list < policy->list_count);
			PROMISE(rule->action > ACTION_NONE && rule->action < ACTION_COUNT);
			PROMISE((unsigned)rule->block_response < BLOCK_CONFIGURED_COUNT);
			PROMISE(rule->block_response != BLOCK_OVERRIDE ||
				rule->override_domain.len);
			PROMISE(rule->block_response != BLOCK_ADDRESS || rule->address_count);
		}
	}
}

static void check_views(const struct policy_spec *policy)
{
	uint16_t a, b;
	PROMISE(policy->view_count > 0);
	for (size_t i = 0; i < policy->view_count; i++) {
		const struct view_spec *view = &policy->views[i];
		for (size_t j = 0; j < view->association_count; j++)
			PROMISE(view->associations[j].group < policy->group_count);
		for (size_t j = 0; j < view->listener_count; j++)
			PROMISE(view->listeners[j] < policy->listener_count);
	}
	PROMISE(!policy_view_tie(policy, &a, &b, NULL));
}

/* The words that name clients are spelled as rules/ matches them. */
static void check_identity(const struct config *config, const struct view_spec *view)
{
	PROMISE(!view->certificate_count || config->tls_client_ca);
	for (size_t i = 0; i < view->certificate_count; i++)
		PROMISE(strcmp(view->certificates[i], "*") == 0 ||
			strchr(view->certificates[i], ':'));
	for (size_t i = 0; i < view->token_count; i++) {
		PROMISE(view->tokens[i] < config->policy.token_count);
		PROMISE(i == 0 || view->tokens[i] >= view->tokens[i - 1]);
	}
	for (size_t i = 0; i < view->path_count; i++)
		PROMISE(*view->paths[i] && !strchr(view->paths[i], '/'));
	for (size_t i = 0; i < view->tls_name_count; i++)
		PROMISE(*view->tls_names[i]);
}

static void check_conduct(const struct view_config *view)
{
	const struct rate_limit_config *limit = &view->rate_limit;
	PROMISE(limit->burst >= limit->per_second);
	PROMISE(!limit->per_second ||
		(limit->prefix_v4 && limit->prefix_v4 <= 32 && limit->prefix_v6 &&
			limit->prefix_v6 <= 128));
	PROMISE((unsigned)view->log_clients <= LOG_CLIENTS_OMITTED);
	for (int i = 0; i < FAILURE_COUNT; i++)
		PROMISE((unsigned)view->on_failure[i] <= ON_FAILURE_STALE);
}

static void check_clients(const struct config *config)
{
	for (size_t i = 0; i < config->policy.view_count; i++) {
		check_identity(config, &config->policy.views[i]);
		check_conduct(&config->views[i]);
	}
	PROMISE((config->tls_client_ca == NULL) ==
		(config->client_certificates == CLIENT_CERTIFICATES_NONE));
	PROMISE(config->shadow.file || config->shadow.view_count == 0);
	for (size_t i = 0; i < config->shadow.view_count; i++)
		PROMISE(config->shadow.views[i] < config->policy.view_count);
}

static void check_schedules(const struct policy_spec *policy)
{
	for (size_t i = 0; i < policy->schedule_count; i++) {
		const struct schedule_spec *schedule = &policy->schedules[i];
		PROMISE(schedule->days && schedule->days <= 0x7f);
		PROMISE(!schedule->zone == !schedule->zone_name);
		PROMISE(schedule_is_ever_on(schedule));
		for (size_t j = 0; j < schedule->hours_count; j++)
			PROMISE(schedule->hours[j].from_min < SCHEDULE_DAY_MIN &&
				schedule->hours[j].to_min > 0 &&
				schedule->hours[j].to_min <= SCHEDULE_DAY_MIN);
	}
	for (size_t i = 0; i < policy->group_count; i++)
		for (size_t j = 0; j < policy->groups[i].rule_count; j++)
			PROMISE(policy->groups[i].rules[j].schedule <= policy->schedule_count);
}

/* An answer is one that a judge can open, and it answers what is asked. */
static void check_expectations(const struct config *config)
{
	for (size_t i = 0; i < config->expect_count; i++) {
		const struct expect_config *expect = &config->expects[i];
		struct dns_answer answer;
		PROMISE(expect->file && expect->line && expect->listener < config->listener_count);
		PROMISE(expect->view == POLICY_NO_ID || expect->view < config->policy.view_count);
		PROMISE(dns_name_check(dns_name_slice(&expect->question)) == expect->question.len);
		if (expect->answer.len == 0)
			continue;
		PROMISE(dns_answer_open(&answer, expect->answer) == 0);
		PROMISE(dns_answer_is_for(
			&answer, dns_name_slice(&expect->question), expect->type, DNS_CLASS_IN));
	}
}

static void check_local_records(const struct policy_spec *policy)
{
	for (size_t i = 0; i < policy->local_record_count; i++) {
		const struct local_record_spec *record = &policy->local_records[i];
		PROMISE(dns_name_check(dns_name_slice(&record->name)) == record->name.len);
		PROMISE(record->name.len > 1 && record->type && record->rdata.len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_errors errors = { .on_error = on_error };
	struct config *config = config_load_text("fuzz.conf", slice_of(data, size), &errors);
	PROMISE((config == NULL) == (errors.count > 0));
	if (!config)
		return 0;
	check_listeners(config);
	check_upstreams(config);
	check_routes(config);
	check_cache(&config->cache);
	check_lists(config);
	check_rules(&config->policy);
	check_views(&config->policy);
	check_local_records(&config->policy);
	check_clients(config);
	check_schedules(&config->policy);
	check_expectations(config);
	PROMISE(config_needs_restart(config, config) == NULL);
	config_free(config);
	return 0;
}
