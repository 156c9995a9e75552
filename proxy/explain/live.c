/* live.c - one question over a loop of its own. */
#include "proxy/explain/live.h"

#include "base/error.h"
#include "proxy/upstream/upstream.h"

struct asking {
	uv_loop_t loop;
	struct upstream_set *set;
	uint8_t *buffer;
	size_t len;
	int error;
};

static void on_done(void *context, upstream_ask_id id, const struct upstream_result *result)
{
	struct asking *asking = context;
	(void)id;
	asking->error = result->error;
	if (!result->error) {
		memcpy(asking->buffer, result->answer.at, result->answer.len);
		asking->len = result->answer.len;
	}
	upstream_set_close(asking->set);
}

static int ask(struct asking *asking, const struct snapshot *snapshot, uint16_t group,
	const struct dns_request *request)
{
	const struct config *config = snapshot->config;
	const struct upstream_parts parts = { .loop = &asking->loop,
		.upstreams = config->upstreams,
		.count = config->upstream_count,
		.groups = config->upstream_groups,
		.group_count = config->upstream_group_count,
		.tls = snapshot->upstreams->tls,
		.on_done = on_done,
		.context = asking };
	int error;
	asking->set = upstream_set_new(&parts, &error);
	if (!asking->set)
		return error;
	asking->error = upstream_ask(asking->set, group, 1, request);
	if (asking->error)
		upstream_set_close(asking->set);
	uv_run(&asking->loop, UV_RUN_DEFAULT);
	return asking->error;
}

int live_ask(struct snapshot *snapshot, uint16_t group, const struct dns_name *name, uint16_t type,
	uint8_t *buffer, size_t *len, struct config_errors *errors)
{
	struct asking asking = { .buffer = buffer };
	const struct dns_request request = { .name = dns_name_slice(name),
		.type = type,
		.class = DNS_CLASS_IN,
		.recursion_desired = true };
	if (!upstream_plan_find(snapshot->upstreams, errors) ||
		!upstream_plan_load(snapshot->upstreams, errors))
		return ERR_INVALID;
	upstream_start();
	int error = uv_loop_init(&asking.loop);
	if (error)
		return error;
	error = group < snapshot->config->upstream_group_count
		? ask(&asking, snapshot, group, &request)
		: ERR_INVALID;
	uv_run(&asking.loop, UV_RUN_DEFAULT);
	uv_loop_close(&asking.loop);
	*len = asking.len;
	return error;
}
