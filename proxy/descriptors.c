#include "proxy/descriptors.h"

#include <sys/resource.h>

#include "proxy/control/control.h"
#include "proxy/cpu_count.h"
#include "proxy/lists/keeper.h"
#include "proxy/upstream/links.h"
#include "proxy/upstream/udp_pool.h"
#include "proxy/watch/admin.h"

enum {
	LOOP = 8,                         /* epoll, wake-up, signals, and one to spare */
	UDP_SOCKETS = 2 * UDP_POOL_SLOTS, /* those in use, and as many on their way out */
	TCP_SOCKETS = 8,                  /* for answers that were cut */
	SYSTEM_RESOLVERS = 3,             /* as many as resolv.conf may name */
	FETCH_PIPES = 8,                  /* of a child */
	SPARE = 64,                       /* standard streams, log, lists and keys that are read */
	CONNECTIONS_LEAST = 16,           /* with fewer it is of no use to begin */
};

static size_t upstream_sockets(const struct config *config)
{
	size_t count = 0;
	for (size_t i = 0; i < config->upstream_count; i++)
		count += config->upstreams[i].protocol == UPSTREAM_DNS ? UDP_SOCKETS + TCP_SOCKETS
								       : (size_t)LINKS_CEILING;
	return config->upstream_count ? count : SYSTEM_RESOLVERS * (UDP_SOCKETS + TCP_SOCKETS);
}

static size_t listener_sockets(const struct config *config)
{
	size_t count = 0;
	for (size_t i = 0; i < config->listener_count; i++)
		count += config->listeners[i].kind == LISTENER_DNS ? 2 : 1;
	return count;
}

struct descriptors descriptors_needed(const struct config *config, unsigned workers, size_t limit)
{
	struct descriptors need = {
		.connections = config->limits.connections,
		.upstreams = workers * upstream_sockets(config),
		.others = workers * (LOOP + listener_sockets(config)) + LOOP + SPARE +
			ADMIN_CONNECTIONS_MAX + CONTROL_CONNECTIONS_MAX +
			KEEPER_FETCHES_MAX * FETCH_PIPES,
	};
	size_t beside = descriptors_sum(&need);
	if (need.connections > 0)
		return need;
	need.connections = limit > beside ? limit - beside : 0;
	if (need.connections > CONFIG_CONNECTIONS)
		need.connections = CONFIG_CONNECTIONS;
	if (need.connections < CONNECTIONS_LEAST)
		need.connections = CONNECTIONS_LEAST;
	return need;
}

size_t descriptors_wanted(
	const struct descriptors *need, const struct limits_config *limits, size_t limit)
{
	size_t wanted = descriptors_sum(need) * 100 / limits->pressure + 1;
	return wanted < limit ? wanted : limit;
}

bool descriptors_fit(const struct descriptors *need, size_t limit)
{
	return descriptors_sum(need) <= limit;
}

void descriptors_explain(struct writer *to, const struct descriptors *need, size_t limit)
{
	size_t beside = descriptors_sum(need) - need->connections;
	writer_text(to, "limits.connections = ");
	writer_decimal(to, need->connections);
	writer_text(to, " needs ");
	writer_decimal(to, descriptors_sum(need));
	writer_text(to, " file descriptors: ");
	writer_decimal(to, need->upstreams);
	writer_text(to, " are for upstreams and ");
	writer_decimal(to, need->others);
	writer_text(to, " for listeners, logs, lists and admin; the limit is ");
	writer_decimal(to, limit);
	writer_text(to, ": raise it (LimitNOFILE, ulimit -n), or ");
	if (limit < beside + CONNECTIONS_LEAST) {
		writer_text(to, "have fewer upstreams or workers");
		return;
	}
	writer_text(to, "set limits.connections to ");
	writer_decimal(to, limit - beside);
	writer_text(to, " or less");
}

size_t descriptors_hard_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max == RLIM_INFINITY)
		return SIZE_MAX;
	return (size_t)limit.rlim_max;
}

void descriptors_raise(size_t wanted)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}
