/* policy_admit.c - step 4: which view has a client? See policy_find_view() in policy.h. */
#include "rules/policy_parts.h"
#include "base/not_cleared.h"

/* The best view so far. Ranks are compared in the order of enum claim_kind, then the length of the
 * client's network, then whether the listener is named. */
struct found {
	uint16_t view;
	const struct view_class *class;
	const struct shown_key *shown[CLAIM_NETWORK]; /* NULL: the view names none of the kind */
	uint16_t ranks[CLAIM_NETWORK];
};

struct search {
	const struct admission_index *index;
	const struct claims *claims;
	struct shown shown[CLAIM_NETWORK];
	struct found best;
};

static bool has_word(const struct claim_words *words, uint32_t key)
{
	size_t low = 0;
	size_t high = words->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (words->keys[middle] < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low < words->count && words->keys[low] == key;
}

/* The most specific of what is shown that the words have; NULL when none is. */
static const struct shown_key *best_shown(
	const struct claim_words *words, const struct shown *shown)
{
	const struct shown_key *best = NULL;
	for (size_t i = 0; i < shown->count; i++)
		if ((!best || shown->keys[i].rank > best->rank) &&
			has_word(words, shown->keys[i].key))
			best = &shown->keys[i];
	return best;
}

/* Does all that the class names hold? */
static bool holds(const struct search *search, struct found *found)
{
	for (enum claim_kind kind = 0; kind < CLAIM_NETWORK; kind++) {
		const struct claim_words *words = &found->class->words[kind];
		found->shown[kind] = NULL;
		found->ranks[kind] = 0;
		if (words->count == 0)
			continue;
		found->shown[kind] = best_shown(words, &search->shown[kind]);
		if (!found->shown[kind])
			return false;
		found->ranks[kind] = found->shown[kind]->rank;
	}
	return true;
}

static uint16_t find_network(const struct search *search, const struct view_class *class)
{
	const struct net_set *sets = class->sets;
	size_t listener = class->set_count == 1 ? 0 : search->claims->listener;
	return net_set_find(&sets[listener], &search->claims->client);
}

static int longest_network(const struct search *search, uint16_t view)
{
	const struct view_clients *clients = &search->index->clients[view];
	int longest = -1;
	for (size_t i = 0; i < clients->network_count; i++)
		if (clients->networks[i].prefix_len > longest &&
			network_contains(&clients->networks[i], &search->claims->client))
			longest = clients->networks[i].prefix_len;
	return longest;
}

/* Of two views of different classes with the same ranks. What nothing tells apart (a certificate
 * that has the names of two views) goes to the view that was written first. */
static bool is_nearer(const struct search *search, uint16_t view, uint16_t other)
{
	const struct view_clients *clients = search->index->clients;
	int difference = longest_network(search, view) - longest_network(search, other);
	if (difference != 0)
		return difference > 0;
	if (clients[view].names_listeners != clients[other].names_listeners)
		return clients[view].names_listeners;
	return view < other;
}

static int compare_ranks(const struct found *a, const struct found *b)
{
	for (enum claim_kind kind = 0; kind < CLAIM_NETWORK; kind++)
		if (a->ranks[kind] != b->ranks[kind])
			return a->ranks[kind] < b->ranks[kind] ? -1 : 1;
	return 0;
}

static void consider(struct search *search, const struct view_class *class)
{
	struct found found = { .class = class };
	bool first = search->best.view == POLICY_NO_ID;
	if (!holds(search, &found))
		return;
	int order = first ? 1 : compare_ranks(&found, &search->best);
	if (order < 0)
		return;
	found.view = find_network(search, class);
	if (found.view == POLICY_NO_ID)
		return;
	if (order > 0 || is_nearer(search, found.view, search->best.view))
		search->best = found;
}

static void consider_shown(struct search *search, const struct shown *shown)
{
	const struct admission_index *index = search->index;
	for (size_t i = 0; i < shown->count; i++) {
		const struct claim_key *key = &index->keys.keys[shown->keys[i].key];
		for (uint32_t n = 0; n < key->class_count; n++)
			consider(search, &index->classes[index->places[key->first_class + n]]);
	}
}

/* ---- what makes a client nobody's ---- */

static enum admission_fault check_token(const struct search *search)
{
	const struct shown *shown = &search->shown[CLAIM_TOKEN];
	if (!search->claims->token)
		return ADMISSION_FINE;
	if (shown->count == 0)
		return ADMISSION_TOKEN_UNKNOWN;
	int64_t until_s = search->index->keys.keys[shown->keys[0].key].until_s;
	return until_s && search->claims->now_s >= until_s ? ADMISSION_TOKEN_EXPIRED
							   : ADMISSION_FINE;
}

static enum admission_fault check(const struct search *search)
{
	enum admission_fault fault = check_token(search);
	if (!fault && search->claims->path.len && search->shown[CLAIM_PATH].count == 0)
		fault = ADMISSION_PATH_UNKNOWN;
	return fault;
}

/* ---- the whole ---- */

static void show_all(struct search *search)
{
	const struct claim_keys *keys = &search->index->keys;
	for (enum claim_kind kind = 0; kind < CLAIM_NETWORK; kind++)
		search->shown[kind].count = 0;
	claim_keys_show_certificate(keys, search->claims, &search->shown[CLAIM_CERTIFICATE]);
	claim_keys_show_token(keys, search->claims, &search->shown[CLAIM_TOKEN]);
	claim_keys_show_path(keys, search->claims, &search->shown[CLAIM_PATH]);
	claim_keys_show_tls_name(keys, search->claims, &search->shown[CLAIM_TLS_NAME]);
}

static struct admission admission_of(const struct found *found)
{
	struct admission admission = { .view = found->view, .by = CLAIM_NETWORK };
	for (int kind = CLAIM_NETWORK - 1; kind >= 0; kind--)
		if (found->shown[kind]) {
			admission.by = (enum claim_kind)kind;
			admission.client_id = found->shown[kind]->who;
		}
	return admission;
}

static struct admission nobody(enum admission_fault fault)
{
	return (struct admission){ .view = POLICY_NO_ID, .fault = fault, .by = CLAIM_NETWORK };
}

/* Of a policy whose views name no words, and of a client that shows none. */
static struct admission find_by_network(struct search *search)
{
	uint16_t view = find_network(search, &search->index->classes[0]);
	if (view == POLICY_NO_ID)
		return nobody(ADMISSION_NO_VIEW);
	return (struct admission){ .view = view, .by = CLAIM_NETWORK };
}

struct admission policy_find_view(const struct policy *policy, const struct claims *claims)
{
	NOT_CLEARED struct search search;
	search.index = &policy->admission;
	search.claims = claims;
	search.best.view = POLICY_NO_ID;
	if (claims->listener >= policy->admission.listener_count)
		return nobody(ADMISSION_NO_VIEW);
	if (policy->admission.keys.count == 0 && !claims->token && claims->path.len == 0)
		return find_by_network(&search);
	show_all(&search);
	enum admission_fault fault = check(&search);
	if (fault)
		return nobody(fault);
	for (enum claim_kind kind = 0; kind < CLAIM_NETWORK; kind++)
		consider_shown(&search, &search.shown[kind]);
	if (search.best.view == POLICY_NO_ID)
		return find_by_network(&search);
	return admission_of(&search.best);
}
