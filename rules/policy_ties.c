/* policy_ties.c - two views that claim the same clients with the same right. */
#include "rules/policy_parts.h"

#include <stdlib.h>

struct claim {
	struct network network;
	uint16_t view;
};

struct views {
	const struct policy_spec *spec;
	struct arena memory;
	struct claim_keys keys;
	struct claim_words (*words)[CLAIM_NETWORK]; /* of each view */
	struct claim *claims;                       /* by network, then by view */
	size_t claim_count;
};

/* ---- do they claim the same? ---- */

/* Both for every listener, or one listener named by both. */
static bool share_listener(const struct view_spec *a, const struct view_spec *b)
{
	if (a->listener_count == 0 || b->listener_count == 0)
		return a->listener_count == b->listener_count;
	for (size_t i = 0; i < a->listener_count; i++)
		if (view_names_listener(b, a->listeners[i]))
			return true;
	return false;
}

/* Both name none, or one word is named by both. Different words that one client can show are no
 * tie: it has two names, and which one is meant is not for us to know. */
static bool share_word(const struct claim_words *a, const struct claim_words *b)
{
	size_t at_a = 0;
	size_t at_b = 0;
	if (a->count == 0 || b->count == 0)
		return a->count == b->count;
	while (at_a < a->count && at_b < b->count) {
		if (a->keys[at_a] == b->keys[at_b])
			return true;
		if (a->keys[at_a] < b->keys[at_b])
			at_a++;
		else
			at_b++;
	}
	return false;
}

static bool are_rivals(const struct views *views, uint16_t a, uint16_t b)
{
	for (enum claim_kind kind = 0; kind < CLAIM_NETWORK; kind++)
		if (!share_word(&views->words[a][kind], &views->words[b][kind]))
			return false;
	return a != b && share_listener(&views->spec->views[a], &views->spec->views[b]);
}

/* ---- all claims ---- */

static int compare_networks(const struct claim *a, const struct claim *b)
{
	int order = memcmp(a->network.address.bytes, b->network.address.bytes,
		sizeof a->network.address.bytes);
	return order ? order : a->network.prefix_len - b->network.prefix_len;
}

static int compare_claims(const void *a, const void *b)
{
	const struct claim *one = a;
	const struct claim *other = b;
	int order = compare_networks(one, other);
	return order ? order : one->view - other->view;
}

/* The first claim behind `claim` that ties with it; NULL when there is none. */
static const struct claim *find_rival(const struct views *views, const struct claim *claim)
{
	const struct claim *end = views->claims + views->claim_count;
	for (const struct claim *other = claim + 1; other < end; other++) {
		if (compare_networks(claim, other) != 0)
			return NULL;
		if (are_rivals(views, claim->view, other->view))
			return other;
	}
	return NULL;
}

static bool take_claims(struct views *views)
{
	const struct policy_spec *spec = views->spec;
	size_t count = 0;
	for (size_t i = 0; i < spec->view_count; i++)
		count += view_network_count(&spec->views[i]);
	views->claims = arena_take(&views->memory, count, sizeof *views->claims);
	if (!views->claims)
		return false;
	for (size_t i = 0; i < spec->view_count; i++)
		for (size_t n = 0; n < view_network_count(&spec->views[i]); n++)
			views->claims[views->claim_count++] = (struct claim){
				.network = *view_network(&spec->views[i], n),
				.view = (uint16_t)i,
			};
	qsort(views->claims, count, sizeof *views->claims, compare_claims);
	return true;
}

static bool take_words(struct views *views)
{
	const struct policy_spec *spec = views->spec;
	if (claim_keys_build(&views->keys, spec, &views->memory) != 0)
		return false;
	views->words = arena_take(&views->memory, spec->view_count, sizeof *views->words);
	for (size_t i = 0; views->words && i < spec->view_count; i++)
		if (!view_words(
			    &views->keys, spec, &spec->views[i], &views->memory, views->words[i]))
			return false;
	return views->words != NULL;
}

bool policy_view_tie(
	const struct policy_spec *spec, uint16_t *a, uint16_t *b, struct network *network)
{
	struct views views = { .spec = spec };
	const struct claim *rival = NULL;
	bool ready = take_words(&views) && take_claims(&views);
	for (size_t i = 0; ready && i < views.claim_count && !rival; i++) {
		rival = find_rival(&views, &views.claims[i]);
		if (!rival)
			continue;
		*a = views.claims[i].view;
		*b = rival->view;
		if (network)
			*network = views.claims[i].network;
	}
	bool found = rival != NULL;
	arena_free(&views.memory);
	return found;
}
