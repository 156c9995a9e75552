#include "proxy/upstream/choice.h"

/* The lower, the sooner it is asked: fewest tries, then how well it is. */
static unsigned rank(const struct choice_member *member, bool speed_decides)
{
	enum { WELL, LAME, SUSPECT, DOWN, STANDINGS };
	unsigned standing = WELL;
	if (member->health == HEALTH_DOWN)
		standing = DOWN;
	else if (member->health == HEALTH_SUSPECT)
		standing = SUSPECT;
	else if (speed_decides && member->is_lame)
		standing = LAME;
	return member->tries * STANDINGS + standing;
}

/* Those among whom the policy decides: not out, and of the best rank. */
struct field {
	const struct choice_member *members;
	size_t count;
	bool speed_decides;
	unsigned best;
};

static bool is_in(const struct field *field, size_t i)
{
	return !field->members[i].is_out &&
		rank(&field->members[i], field->speed_decides) == field->best;
}

static size_t pick_first(const struct field *field, struct random_pool *random)
{
	(void)random;
	size_t i = 0;
	while (!is_in(field, i))
		i++;
	return i;
}

/* Those whose speed is not known come last: choice_learn() sees to them. */
static size_t pick_quickest(const struct field *field, struct random_pool *random)
{
	size_t best = pick_first(field, random);
	for (size_t i = best + 1; i < field->count; i++) {
		uint32_t us = field->members[i].smooth_us;
		uint32_t best_us = field->members[best].smooth_us;
		if (is_in(field, i) && us != 0 && (best_us == 0 || us < best_us))
			best = i;
	}
	return best;
}

static size_t pick_by_weight(const struct field *field, struct random_pool *random)
{
	uint64_t total = 0;
	for (size_t i = 0; i < field->count; i++)
		total += is_in(field, i) ? field->members[i].weight : 0;
	if (total == 0)
		return pick_first(field, random);
	uint64_t drawn = random_u64(random) % total; /* the bias is below 2^-32 */
	for (size_t i = 0;; i++) {
		if (!is_in(field, i))
			continue;
		if (drawn < field->members[i].weight)
			return i;
		drawn -= field->members[i].weight;
	}
}

static const struct {
	size_t (*pick)(const struct field *field, struct random_pool *random);
	unsigned width;
	bool speed_decides;
} policies[] = {
	[UPSTREAM_ORDERED] = { pick_first, 1, false },
	[UPSTREAM_FASTEST] = { pick_quickest, 1, true },
	[UPSTREAM_WEIGHTED] = { pick_by_weight, 1, false },
	[UPSTREAM_PARALLEL] = { pick_quickest, 2, true },
};

size_t choice_next(enum upstream_policy policy, const struct choice_member *members, size_t count,
	struct random_pool *random)
{
	struct field field = { .members = members,
		.count = count,
		.speed_decides = policies[policy].speed_decides,
		.best = UINT32_MAX };
	for (size_t i = 0; i < count; i++) {
		unsigned its = rank(&members[i], field.speed_decides);
		if (!members[i].is_out && its < field.best)
			field.best = its;
	}
	return field.best == UINT32_MAX ? CHOICE_NONE : policies[policy].pick(&field, random);
}

unsigned choice_width(enum upstream_policy policy, const struct choice_member *first)
{
	return first->health == HEALTH_UP ? policies[policy].width : CHOICE_UNWELL_AT_ONCE;
}

static bool can_learn(const struct choice_member *member)
{
	return member->health == HEALTH_UP && member->tries == 0 && !member->is_out;
}

size_t choice_learn(enum upstream_policy policy, const struct choice_member *members, size_t count,
	struct random_pool *random)
{
	size_t candidates[CONFIG_UPSTREAMS_MAX];
	size_t found = 0;
	size_t unknown = CHOICE_NONE;
	if (!policies[policy].speed_decides)
		return CHOICE_NONE;
	for (size_t i = 0; i < count && i < CONFIG_UPSTREAMS_MAX; i++) {
		if (!can_learn(&members[i]))
			continue;
		candidates[found++] = i;
		if (members[i].smooth_us == 0 && unknown == CHOICE_NONE)
			unknown = i;
	}
	if (found == 0)
		return CHOICE_NONE;
	if (unknown != CHOICE_NONE)
		return random_below(random, CHOICE_LEARN_NEW_ONE_IN) == 0 ? unknown : CHOICE_NONE;
	if (random_below(random, CHOICE_LEARN_ONE_IN) != 0)
		return CHOICE_NONE;
	return candidates[random_below(random, (uint32_t)found)];
}
