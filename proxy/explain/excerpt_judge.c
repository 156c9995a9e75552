/* excerpt_judge.c - an excerpt as a policy of its own, with a change or without one. */
#include "proxy/explain/excerpt.h"

#include <stdlib.h>

#include "base/error.h"
#include "rules/image_build.h"

/* All that lives for one judgement. */
struct small {
	const struct excerpt *excerpt;
	const struct excerpt_tweak *tweak;
	struct arena memory;
	struct slice bytes;
	struct image *image;
	struct policy *policy;
	struct policy_spec spec;
	struct view_spec view;
	uint16_t *numbers;
	int *errors;
};

/* ---- lists ---- */

static bool is_removed(const struct excerpt_tweak *tweak, size_t list, uint32_t line)
{
	if (list != tweak->list || line == 0)
		return false;
	for (unsigned i = 0; i < tweak->line_count; i++)
		if (tweak->lines[i] == line)
			return true;
	return false;
}

static int add_pattern(struct image_builder *builder, const struct excerpt_pattern *from)
{
	const struct list_pattern pattern = {
		.name = &from->name, .kind = from->kind, .facet = &from->facet, .line = from->line
	};
	const struct list_network network = {
		.network = from->network, .facet = &from->facet, .line = from->line
	};
	return from->name.len ? image_add_pattern(builder, &pattern)
			      : image_add_network(builder, &network);
}

static int add_list(struct small *small, struct image_builder *builder, size_t number)
{
	const struct excerpt_list *list = &small->excerpt->lists[number];
	const struct lists_item *item = &small->excerpt->world->lists->items[number];
	const struct excerpt_tweak *tweak = small->tweak;
	enum list_format format = item->format < LIST_FORMAT_COUNT ? item->format : LIST_DOMAINS;
	int error = image_add_list(builder, item->name, format);
	for (size_t i = 0; i < list->count && !error; i++)
		if (!is_removed(tweak, number, list->patterns[i].line))
			error = add_pattern(builder, &list->patterns[i]);
	if (!error && tweak->text && tweak->list == number)
		error = image_add_text(builder, slice_of_text(tweak->text), NULL, NULL);
	return error;
}

static int add_lists(struct small *small, struct image_builder *builder)
{
	int error = 0;
	for (size_t i = 0; i < small->excerpt->list_count && !error; i++)
		error = add_list(small, builder, i);
	if (error || !small->tweak->rule)
		return error;
	error = image_add_list(builder, "", LIST_DOMAINS);
	return error ? error
		     : image_add_text(builder, slice_of_text(small->tweak->domain), NULL, NULL);
}

static int build_image(struct small *small)
{
	const char *why;
	struct image_builder *builder = image_builder_new(1);
	int error = builder ? add_lists(small, builder) : ERR_NO_MEMORY;
	if (!error)
		error = image_build(builder, &small->bytes, NULL, NULL);
	image_builder_free(builder);
	if (error)
		return error;
	small->image = image_open(small->bytes, &why);
	return small->image ? 0 : ERR_NO_MEMORY;
}

/* ---- the specification ---- */

static void *copy_and_more(struct small *small, const void *from, size_t count, size_t size)
{
	char *to = arena_take(&small->memory, count + 1, size);
	if (to && count)
		memcpy(to, from, count * size);
	return to;
}

static bool copy_lists(struct small *small)
{
	const struct lists *lists = small->excerpt->world->lists;
	size_t count = small->spec.list_count;
	struct domain_list_spec *specs =
		copy_and_more(small, small->spec.lists, count, sizeof *specs);
	small->numbers = arena_take(&small->memory, count + 1, sizeof *small->numbers);
	small->errors = copy_and_more(small, lists->errors, count, sizeof *small->errors);
	if (!specs || !small->numbers || !small->errors)
		return false;
	for (size_t i = 0; i <= count; i++)
		small->numbers[i] =
			i < count && lists->numbers[i] == POLICY_NO_ID ? POLICY_NO_ID : (uint16_t)i;
	small->spec.lists = specs;
	if (!small->tweak->rule)
		return true;
	specs[count] = (struct domain_list_spec){ .name = "", .format = LIST_DOMAINS };
	small->spec.list_count++;
	return true;
}

/* A rule more, in a group that is there or in a new one. */
static bool add_rule(struct small *small)
{
	const struct excerpt_tweak *tweak = small->tweak;
	bool is_new = tweak->group == POLICY_NO_ID;
	size_t at = is_new ? small->spec.group_count : tweak->group;
	struct rule_group_spec *groups =
		copy_and_more(small, small->spec.groups, small->spec.group_count, sizeof *groups);
	if (!groups)
		return false;
	struct rule_group_spec *group = &groups[at];
	struct rule_spec *rules = copy_and_more(
		small, is_new ? NULL : group->rules, is_new ? 0 : group->rule_count, sizeof *rules);
	if (!rules)
		return false;
	if (is_new)
		*group = (struct rule_group_spec){ .name = "" };
	rules[group->rule_count] = *tweak->rule;
	rules[group->rule_count].list = (uint16_t)(small->spec.list_count - 1);
	group->rules = rules;
	group->rule_count++;
	small->spec.groups = groups;
	small->spec.group_count += is_new;
	return true;
}

static bool add_association(struct small *small)
{
	size_t count = small->view.association_count;
	struct association_spec *associations =
		copy_and_more(small, small->view.associations, count, sizeof *associations);
	if (!associations)
		return false;
	associations[count] = (struct association_spec){
		.group = (uint16_t)(small->spec.group_count - 1),
		.priority = small->tweak->association,
	};
	small->view.associations = associations;
	small->view.association_count++;
	return true;
}

static bool add_rebinding_exception(struct small *small)
{
	size_t count = small->spec.rebinding_exception_count;
	struct dns_name *names =
		copy_and_more(small, small->spec.rebinding_exceptions, count, sizeof *names);
	if (!names)
		return false;
	names[count] = *small->tweak->rebinding_exception;
	small->spec.rebinding_exceptions = names;
	small->spec.rebinding_exception_count++;
	return true;
}

/* The one view, for every client. */
static void take_view(struct small *small)
{
	const struct view_spec *from = &small->spec.views[small->excerpt->outcome->view];
	small->view = (struct view_spec){ .name = from->name,
		.svcb = from->svcb,
		.default_action = from->default_action,
		.default_block_response = from->default_block_response,
		.fail_mode = small->tweak->is_open ? FAIL_OPEN : from->fail_mode,
		.rebinding_protection = from->rebinding_protection,
		.associations = from->associations,
		.association_count = from->association_count };
}

static bool make_spec(struct small *small)
{
	const struct excerpt_tweak *tweak = small->tweak;
	small->spec = small->excerpt->world->config->policy;
	take_view(small);
	bool good = copy_lists(small);
	if (good && tweak->rule)
		good = add_rule(small) && (tweak->group != POLICY_NO_ID || add_association(small));
	if (good && tweak->rebinding_exception)
		good = add_rebinding_exception(small);
	small->spec.views = &small->view;
	small->spec.view_count = 1;
	small->spec.listener_count = 0;
	return good;
}

/* ---- the judgement ---- */

static void judge(const struct small *small, struct verdict *verdict)
{
	const struct explain_outcome *outcome = small->excerpt->outcome;
	struct facts facts = outcome->facts;
	struct dns_answer answer;
	facts.view = 0;
	policy_judge_query(small->policy, &facts, verdict, NULL);
	if (!verdict_is_final(verdict) && outcome->answer.len &&
		dns_answer_open(&answer, outcome->answer) == 0)
		policy_judge_answer(small->policy, &facts, &answer, verdict, NULL);
}

static int build(struct small *small)
{
	int error = make_spec(small) ? build_image(small) : ERR_NO_MEMORY;
	if (error)
		return error;
	const struct policy_lists lists = {
		.image = small->image, .numbers = small->numbers, .errors = small->errors
	};
	small->policy = policy_build(&small->spec, &lists, &error);
	return error;
}

int excerpt_judge(
	struct excerpt *excerpt, const struct excerpt_tweak *tweak, struct verdict *verdict)
{
	static const struct excerpt_tweak nothing = { .list = POLICY_NO_ID };
	struct small small = { .excerpt = excerpt, .tweak = tweak ? tweak : &nothing };
	int error = build(&small);
	if (!error)
		judge(&small, verdict);
	policy_free(small.policy);
	image_close(small.image);
	free((void *)(uintptr_t)small.bytes.at);
	arena_free(&small.memory);
	return error;
}
