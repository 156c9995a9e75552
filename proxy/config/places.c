/* places.c - where the parts of the policy stand in their files. */
#include "proxy/config/resolve.h"

/* The file's name lives as long as the configuration. */
static const char *keep_file(struct resolve *resolve, const char *file)
{
	if (strcmp(file, resolve->config->file) == 0)
		return resolve->config->file;
	const char *kept = arena_text(&resolve->config->memory, file);
	resolve->no_memory |= !kept;
	return kept;
}

/* Of elements of `size` bytes each, which all begin with a struct draft_element; `total` places,
 * the last of which may be of no element. */
static const struct config_place *places_of(
	struct resolve *resolve, const struct draft_list *list, size_t size, size_t total)
{
	struct config_place *places = resolve_take(resolve, total, sizeof *places);
	const char *file = NULL, *kept = NULL;
	for (size_t i = 0; places && i < list->count && i < total; i++) {
		const struct draft_element *element =
			(const void *)((const char *)list->at + i * size);
		if (!file || strcmp(file, element->at->file) != 0) {
			file = element->at->file;
			kept = keep_file(resolve, file);
		}
		places[i] = (struct config_place){ kept, element->at->line };
	}
	return places;
}

static const struct config_place *const *places_of_rules(struct resolve *resolve)
{
	const struct policy_spec *policy = &resolve->config->policy;
	const struct draft_list *groups = &resolve->draft->rule_groups;
	const struct draft_rule_group *from = groups->at;
	const struct config_place **rules =
		resolve_take(resolve, policy->group_count, sizeof *rules);
	static const struct draft_list none;
	for (size_t i = 0; rules && i < policy->group_count; i++)
		rules[i] = places_of(resolve, i < groups->count ? &from[i].rules : &none,
			sizeof(struct draft_rule), policy->groups[i].rule_count);
	return rules;
}

void resolve_places(struct resolve *resolve)
{
	const struct draft *draft = resolve->draft;
	const struct policy_spec *policy = &resolve->config->policy;
	if (resolve->no_memory)
		return;
	resolve->config->places = (struct config_places){
		.lists = places_of(resolve, &draft->domain_lists, sizeof(struct draft_domain_list),
			policy->list_count),
		.schedules = places_of(resolve, &draft->schedules, sizeof(struct draft_schedule),
			policy->schedule_count),
		.tokens = places_of(
			resolve, &draft->tokens, sizeof(struct draft_token), policy->token_count),
		.groups = places_of(resolve, &draft->rule_groups, sizeof(struct draft_rule_group),
			policy->group_count),
		.rules = places_of_rules(resolve),
		.views = places_of(
			resolve, &draft->views, sizeof(struct draft_view), policy->view_count),
	};
}
