/* addresses.c - addresses of upstreams that are named by host: asked of their bootstrap upstream,
 * never through the program itself. bootstrap.c knows when and how long they hold. */
#include "proxy/upstream/set.h"

static bool addresses_ask(struct upstream_set *set, size_t index, uint16_t type)
{
	const struct member *member = &set->members[index];
	size_t by = member->exchange->upstream->bootstrap;
	struct dns_request request = { .name = dns_name_slice(&member->host),
		.type = type,
		.class = DNS_CLASS_IN,
		.recursion_desired = true };
	return ask_begin(set, &set->groups[set->group_count + by], index, true, &request) == 0;
}

static void addresses_tell(struct upstream_set *set, size_t index)
{
	struct exchange *exchange = set->members[index].exchange;
	struct bootstrap *bootstrap = &set->members[index].bootstrap;
	bootstrap->is_wanted = false;
	if (exchange->type->take_addresses)
		exchange->type->take_addresses(exchange, bootstrap->known, bootstrap->known_count);
}

static void addresses_start(struct upstream_set *set, size_t index)
{
	static const uint16_t types[] = { DNS_TYPE_A, DNS_TYPE_AAAA };
	struct bootstrap *bootstrap = &set->members[index].bootstrap;
	bootstrap_begin(bootstrap, 2, set_now_ms(set));
	for (unsigned i = 0; i < 2; i++) {
		if (!addresses_ask(set, index, types[i]))
			bootstrap->pending--;
	}
	if (bootstrap->pending == 0)
		bootstrap_end(bootstrap, set_now_ms(set));
}

void addresses_renew(struct upstream_set *set, size_t index)
{
	const struct member *member = &set->members[index];
	if (member->host.len > 0 && bootstrap_is_due(&member->bootstrap, set_now_ms(set)))
		addresses_start(set, index);
}

void addresses_on_result(struct upstream_set *set, size_t index, const struct dns_answer *answer)
{
	struct member *member = &set->members[index];
	struct bootstrap *bootstrap = &member->bootstrap;
	if (set->closing)
		return;
	bool is_over = bootstrap_take(bootstrap, answer, dns_name_slice(&member->host));
	bool is_new = is_over ? bootstrap_end(bootstrap, set_now_ms(set))
			      : bootstrap->is_wanted && bootstrap_take_half(bootstrap);
	if (is_new || (is_over && bootstrap->is_wanted))
		addresses_tell(set, index);
}

void addresses_on_want(struct exchange_host *host, struct exchange *exchange)
{
	struct upstream_set *set = container_of(host, struct upstream_set, host);
	set->members[exchange->index].bootstrap.is_wanted = true;
	if (set->handles > 0) /* else upstream_set_new() is still at work */
		host->on_work(host);
}

void addresses_work(struct upstream_set *set, size_t index)
{
	struct bootstrap *bootstrap = &set->members[index].bootstrap;
	if (!bootstrap->is_wanted || bootstrap->pending > 0)
		return;
	if (bootstrap_want(bootstrap, set_now_ms(set)))
		addresses_start(set, index);
	if (bootstrap->pending == 0)
		addresses_tell(set, index);
}
