#include "proxy/upstream/dial.h"

#include <stdio.h>

#include "base/error.h"
#include "base/log.h"
#include "proxy/upstream/outage.h"

static uint64_t now_ms(const struct dial *dial)
{
	return uv_now(dial->host->loop);
}

void dial_tell_trouble(struct dial *dial, const char *what, const char *word, const char *reason,
	const struct address *address)
{
	const struct upstream_config *upstream = dial->exchange->upstream;
	char text[ADDRESS_TEXT_MAX] = "";
	if (!outage_may_say_why(upstream->name, word, now_ms(dial)))
		return;
	if (address)
		address_text(address, text);
	log_warning("upstream \"%s\": %s address=%s port=%u: %s (%s)", upstream->name, what, text,
		upstream->port, word, reason);
}

/* The next address; false when there are no more. */
static bool step(struct dial *dial)
{
	const struct address *address = reach_nth(&dial->reach, dial->tried);
	if (!address)
		return false;
	dial->tried++;
	dial->step_ms = now_ms(dial) + DIAL_STEP_MS;
	struct link *link = link_open(dial->host, address);
	if (!link) {
		dial->error = ERR_NO_MEMORY;
		return step(dial);
	}
	links_add(dial->links, link);
	return true;
}

static void fail(struct dial *dial)
{
	dial->on = false;
	reach_on_failure(&dial->reach, dial->began_ms, now_ms(dial));
	if (!dial->refused)
		dial_tell_trouble(dial, "unreachable", dial->word,
			dial->reason[0] ? dial->reason : error_text(dial->error),
			reach_nth(&dial->reach, 0));
}

static void reset(struct dial *dial)
{
	dial->on = true;
	dial->refused = false;
	dial->tried = 0;
	dial->began_ms = now_ms(dial);
	dial->error = 0;
	dial->word = "other";
	dial->reason[0] = '\0';
}

bool dial_begin(struct dial *dial)
{
	if (dial->on || !links_may_have_more(dial->links) || dial_is_paused(dial, 0))
		return true;
	reset(dial);
	if (step(dial))
		return true;
	fail(dial);
	return false;
}

static void note_attempt(struct dial *dial, const struct link *link)
{
	struct upstream_counters *counters = &dial->exchange->counters;
	dial->error = link->error;
	dial->word = link->phase == LINK_SHAKING ? link->word : "no connection";
	snprintf(dial->reason, sizeof dial->reason, "%s", link->reason);
	if (link->phase == LINK_CONNECTING) {
		upstream_count(&counters->connect_failures);
		return;
	}
	enum upstream_tls_failure failure = upstream_tls_failure_of(link->word);
	upstream_count(&counters->tls_failures[failure]);
	if (failure > UPSTREAM_TLS_CERTIFICATE_PIN)
		return;
	dial->refused = true;
	dial_tell_trouble(dial, "certificate refused", link->word, link->reason, &link->address);
}

bool dial_on_over(struct dial *dial, struct link *link)
{
	note_attempt(dial, link);
	links_drop(link);
	if (!dial->on || step(dial) || links_has_coming(dial->links))
		return true;
	fail(dial);
	return false;
}

static void note_silent(struct dial *dial)
{
	for (struct list *node = dial->links->all.next; node != &dial->links->all;
		node = node->next) {
		struct link *link = container_of(node, struct link, in_links);
		if (link->phase == LINK_UP)
			continue;
		link->error = ERR_TIMEOUT;
		link->word = "timeout";
		link->reason = "nothing in time";
		note_attempt(dial, link);
	}
}

bool dial_tick(struct dial *dial, uint64_t now)
{
	if (!dial->on)
		return true;
	if (now >= dial->step_ms)
		step(dial);
	if (now - dial->began_ms < DIAL_MS)
		return true;
	note_silent(dial);
	links_drop_coming(dial->links);
	fail(dial);
	return false;
}

void dial_end(struct dial *dial)
{
	dial->on = false;
	links_drop_coming(dial->links);
}

bool dial_is_paused(const struct dial *dial, unsigned for_ms)
{
	return !dial->on && !reach_may_try(&dial->reach, now_ms(dial) + for_ms);
}
