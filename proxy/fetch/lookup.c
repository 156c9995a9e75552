#include "proxy/fetch/lookup.h"

#include <stdio.h>

#include "base/error.h"
#include "dns/types.h"
#include "proxy/upstream/upstream.h"

enum { QUESTIONS = 2 };

static const uint16_t types[QUESTIONS] = { DNS_TYPE_AAAA, DNS_TYPE_A };

struct asking {
	uv_loop_t loop;
	uv_timer_t timer;
	struct upstream_set *set;
	const struct dns_name *host;
	struct bootstrap found;
	int error;      /* of a question that nobody answered */
	uint16_t rcode; /* of the last answer */
	bool is_late;
};

static bool is_for_all(const struct route_config *route)
{
	return route->view_count == 0;
}

static uint16_t group_for(const struct config *config, struct slice name)
{
	uint16_t group = 0;
	size_t longest = 0;
	for (size_t i = 0; i < config->route_count; i++) {
		const struct route_config *route = &config->routes[i];
		for (size_t k = 0; is_for_all(route) && k < route->domain_count; k++) {
			struct slice domain = dns_name_slice(&route->domains[k]);
			if (domain.len <= longest || !dns_name_is_under(name, domain))
				continue;
			longest = domain.len;
			group = route->group;
		}
	}
	return group;
}

static void finish(struct asking *asking)
{
	if (asking->set)
		upstream_set_close(asking->set);
	asking->set = NULL;
	if (!uv_is_closing((uv_handle_t *)&asking->timer))
		uv_close((uv_handle_t *)&asking->timer, NULL);
}

static void on_late(uv_timer_t *timer)
{
	struct asking *asking = timer->data;
	asking->is_late = true;
	finish(asking);
}

static void on_done(void *context, upstream_ask_id id, const struct upstream_result *result)
{
	struct asking *asking = context;
	(void)id;
	if (asking->is_late)
		return;
	if (result->error)
		asking->error = result->error;
	else
		asking->rcode = result->opened->rcode;
	if (bootstrap_take(&asking->found, result->opened, dns_name_slice(asking->host)))
		finish(asking);
}

static int ask(struct asking *asking, const struct upstream_plan *plan)
{
	const struct config *config = plan->config;
	struct dns_request request = { .name = dns_name_slice(asking->host),
		.class = DNS_CLASS_IN,
		.recursion_desired = true };
	uint16_t group = group_for(config, request.name);
	bootstrap_begin(&asking->found, QUESTIONS, 0);
	for (size_t i = 0; i < QUESTIONS; i++) {
		request.type = types[i];
		int error = upstream_ask(asking->set, group, i, &request);
		if (error)
			return error;
	}
	return 0;
}

static int open_set(struct asking *asking, const struct upstream_plan *plan)
{
	const struct config *config = plan->config;
	const struct upstream_parts parts = { .loop = &asking->loop,
		.upstreams = config->upstreams,
		.count = config->upstream_count,
		.groups = config->upstream_groups,
		.group_count = config->upstream_group_count,
		.tls = plan->tls,
		.on_done = on_done,
		.context = asking };
	int error = 0;
	asking->set = upstream_set_new(&parts, &error);
	return error;
}

/* Until everything that was opened is closed. */
static int run(struct asking *asking, const struct upstream_plan *plan, unsigned timeout_ms)
{
	int error = uv_loop_init(&asking->loop);
	if (error)
		return error;
	uv_timer_init(&asking->loop, &asking->timer);
	asking->timer.data = asking;
	uv_timer_start(&asking->timer, on_late, timeout_ms, 0);
	error = open_set(asking, plan);
	if (!error)
		error = ask(asking, plan);
	if (error) {
		asking->is_late = true;
		finish(asking);
	}
	uv_run(&asking->loop, UV_RUN_DEFAULT);
	uv_loop_close(&asking->loop);
	return error;
}

static void take_found(struct lookup *lookup, const struct bootstrap *found)
{
	lookup->count = found->known_count;
	memcpy(lookup->addresses, found->known, found->known_count * sizeof *found->known);
}

static int explain(const struct asking *asking, int error, char message[LOOKUP_MESSAGE_MAX])
{
	const char *what = "it has no address";
	if (!error && asking->is_late)
		error = ERR_TIMEOUT;
	if (!error)
		error = asking->error;
	if (error)
		what = error_text(error);
	else if (asking->rcode == DNS_RCODE_NXDOMAIN)
		what = "it does not exist";
	else if (asking->rcode)
		what = "the upstreams could not find out";
	snprintf(message, LOOKUP_MESSAGE_MAX, "cannot look up the host: %s", what);
	return error ? error : ERR_INVALID;
}

int lookup_run(struct lookup *lookup, const struct upstream_plan *plan, const struct dns_name *host,
	unsigned timeout_ms, char message[LOOKUP_MESSAGE_MAX])
{
	struct asking asking = { .host = host };
	int error = run(&asking, plan, timeout_ms);
	if (error || !bootstrap_end(&asking.found, 0))
		return explain(&asking, error, message);
	take_found(lookup, &asking.found);
	return 0;
}

_Static_assert(sizeof((struct bootstrap){ 0 }.known) == sizeof((struct lookup){ 0 }.addresses),
	"every address that was found has a place");
