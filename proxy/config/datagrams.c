/* datagrams.c - what is done against questions over UDP that somebody sends in another's name. */
#include "proxy/config/resolve.h"

enum { OPEN_RESOLVER_PER_SECOND = 500 };

/* Loopback addresses do not come from a network: the kernel drops such datagrams. */
static const struct network loopback[] = {
	{ .address = { { [10] = 0xff, [11] = 0xff, [12] = 127 } }, .prefix_len = 104 },
	{ .address = { { [15] = 1 } }, .prefix_len = 128 },
};

/* Who serves networks of his own only can be made to flood nobody else, and has nothing to gain
 * from a limit; an open resolver has one whether its owner knows of the danger or not. */
static unsigned per_second_of(const struct draft *draft)
{
	if (draft->udp_rate_limit.responses_per_second > 0)
		return draft->udp_rate_limit.responses_per_second;
	return draft->allow_open_resolver ? OPEN_RESOLVER_PER_SECOND : 0;
}

static void resolve_udp_rate_limit(struct resolve *resolve)
{
	const struct draft_udp_rate_limit *draft = &resolve->draft->udp_rate_limit;
	struct udp_rate_limit_config *to = &resolve->config->udp_rate_limit;
	unsigned per_second = per_second_of(resolve->draft);
	to->limit = (struct rate_limit_config){
		.per_second = per_second,
		.burst = draft->burst ? draft->burst : per_second,
		.prefix_v4 = (uint8_t)draft->prefix_v4,
		.prefix_v6 = (uint8_t)draft->prefix_v6,
		.dry_run = draft->dry_run,
	};
	to->slip = draft->slip;
	const struct setting *group = setting_child(resolve->draft->element.at, "udp_rate_limit");
	bool has_exempt = group && setting_child(group, "exempt");
	to->exempt = has_exempt ? draft->exempt.at : loopback;
	to->exempt_count = has_exempt ? draft->exempt.count : sizeof loopback / sizeof *loopback;
	if (group && !resolve->draft->element.broken && to->limit.burst < per_second)
		problem_in(resolve->errors, setting_child_or_self(group, "burst"),
			"burst is below responses_per_second (%u): that many could never be given",
			per_second);
}

void resolve_datagrams(struct resolve *resolve)
{
	const struct dns_cookies_config *cookies = &resolve->draft->dns_cookies;
	resolve->config->dns_cookies = *cookies;
	resolve_udp_rate_limit(resolve);
	if (cookies->secret_file && !cookies->enabled && !resolve->draft->element.broken)
		problem_in(resolve->errors,
			setting_child_or_self(
				setting_child(resolve->draft->element.at, "dns_cookies"),
				"secret_file"),
			"there are no cookies to make with it: enabled is false");
}
