#include "proxy/upstream/bootstrap.h"

#include <string.h>

enum { V4, V6, CNAMES_MAX = 8 };

bool bootstrap_is_due(const struct bootstrap *bootstrap, uint64_t now_ms)
{
	return bootstrap->pending == 0 && now_ms >= bootstrap->renew_ms;
}

bool bootstrap_want(struct bootstrap *bootstrap, uint64_t now_ms)
{
	bootstrap->is_wanted = true;
	if (bootstrap->pending > 0)
		return false;
	/* Those that are known have been tried: perhaps there are others by now. */
	return now_ms >= bootstrap->renew_ms ||
		(bootstrap->failures == 0 && now_ms - bootstrap->begun_ms >= BOOTSTRAP_AGAIN_MS);
}

void bootstrap_begin(struct bootstrap *bootstrap, unsigned questions, uint64_t now_ms)
{
	bootstrap->found[V4].count = 0;
	bootstrap->found[V6].count = 0;
	bootstrap->ttl_s = BOOTSTRAP_MAX_TTL_S;
	bootstrap->pending = questions;
	bootstrap->begun_ms = now_ms;
}

static void note_ttl(struct bootstrap *bootstrap, uint32_t ttl_s)
{
	if (ttl_s < bootstrap->ttl_s)
		bootstrap->ttl_s = ttl_s;
}

static void add(struct bootstrap *bootstrap, const struct dns_record *record)
{
	bool is_v4 = record->type == DNS_TYPE_A && record->rdata.len == 4;
	bool is_v6 = record->type == DNS_TYPE_AAAA && record->rdata.len == 16;
	struct bootstrap_list *list = &bootstrap->found[is_v4 ? V4 : V6];
	if ((!is_v4 && !is_v6) || list->count == BOOTSTRAP_ADDRESSES)
		return;
	struct address *address = &list->addresses[list->count++];
	if (is_v4)
		*address = address_of_v4(record->rdata.at);
	else
		memcpy(address->bytes, record->rdata.at, sizeof address->bytes);
	note_ttl(bootstrap, record->ttl_s);
}

/* The records of `name`. True when it is an alias, of `target`. */
static bool take_name(struct bootstrap *bootstrap, const struct dns_answer *answer,
	const struct dns_name *name, struct dns_name *target)
{
	struct dns_record_walk walk;
	struct dns_record record;
	bool is_alias = false;
	dns_record_walk_begin(&walk, answer);
	while (dns_record_next(&walk, &record)) {
		if (record.section != DNS_SECTION_ANSWER || record.class != DNS_CLASS_IN ||
			!dns_name_equals(dns_name_slice(&record.owner), dns_name_slice(name)))
			continue;
		if (record.type == DNS_TYPE_CNAME && !is_alias &&
			dns_record_target(answer, &record, target)) {
			is_alias = true;
			note_ttl(bootstrap, record.ttl_s);
		}
		add(bootstrap, &record);
	}
	return is_alias;
}

bool bootstrap_take(struct bootstrap *bootstrap, const struct dns_answer *answer, struct slice host)
{
	struct dns_name name = { .len = (uint8_t)host.len };
	struct dns_name target;
	memcpy(name.wire, host.at, host.len);
	for (unsigned i = 0; answer && i < CNAMES_MAX; i++) {
		if (!take_name(bootstrap, answer, &name, &target))
			break;
		name = target;
	}
	return --bootstrap->pending == 0;
}

static void take_turns(struct bootstrap *bootstrap)
{
	bootstrap->known_count = 0;
	for (unsigned i = 0; i < BOOTSTRAP_ADDRESSES; i++) {
		for (unsigned family = V6 + 1; family-- > V4;) {
			const struct bootstrap_list *list = &bootstrap->found[family];
			if (i < list->count)
				bootstrap->known[bootstrap->known_count++] = list->addresses[i];
		}
	}
}

static bool has_found(const struct bootstrap *bootstrap)
{
	return bootstrap->found[V4].count + bootstrap->found[V6].count > 0;
}

bool bootstrap_take_half(struct bootstrap *bootstrap)
{
	if (bootstrap->known_count > 0 || !has_found(bootstrap))
		return false;
	take_turns(bootstrap);
	return true;
}

bool bootstrap_end(struct bootstrap *bootstrap, uint64_t now_ms)
{
	if (!has_found(bootstrap)) {
		unsigned doublings = bootstrap->failures < 6 ? bootstrap->failures : 6;
		uint64_t wait_ms = (uint64_t)BOOTSTRAP_RETRY_MS << doublings;
		bootstrap->failures++;
		bootstrap->renew_ms = now_ms +
			(wait_ms < BOOTSTRAP_RETRY_MAX_MS ? wait_ms : BOOTSTRAP_RETRY_MAX_MS);
		return false;
	}
	uint32_t ttl_s =
		bootstrap->ttl_s > BOOTSTRAP_MIN_TTL_S ? bootstrap->ttl_s : BOOTSTRAP_MIN_TTL_S;
	bootstrap->failures = 0;
	bootstrap->renew_ms = now_ms + (uint64_t)ttl_s * 1000;
	take_turns(bootstrap);
	return true;
}
