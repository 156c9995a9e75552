/* explain_lists.c - the lists behind the rules of a trace: where each came from, and when. */
#include "proxy/explain/explain_parts.h"

#include "base/error.h"

static bool is_told(const struct trace *trace, const char *name)
{
	for (size_t i = 0; i < trace_count(trace, TRACE_LIST); i++) {
		const struct trace_list *row = trace_row(trace, TRACE_LIST, i);
		if (strcmp(row->name, name) == 0)
			return true;
	}
	return false;
}

static const char *hash_text(struct trace *trace, const uint8_t hash[IMAGE_HASH_LEN])
{
	static const char digits[] = "0123456789abcdef";
	char text[2 * IMAGE_HASH_LEN];
	for (size_t i = 0; i < IMAGE_HASH_LEN; i++) {
		text[2 * i] = digits[hash[i] >> 4];
		text[2 * i + 1] = digits[hash[i] & 15];
	}
	return trace_slice(trace, slice_of(text, sizeof text));
}

static void take_list(struct trace *trace, const struct explain_world *world, size_t i)
{
	static const char *const origins[] = { [LIST_INLINE] = "inline",
		[LIST_FILE] = "file",
		[LIST_URL] = "url",
		[LIST_IMAGE] = "image" };
	const struct lists_item *item = &world->lists->items[i];
	uint16_t number = world->lists->numbers[i];
	struct trace_list *row = trace_add(trace, TRACE_LIST);
	row->name = trace_text(trace, item->name);
	row->origin = origins[item->origin];
	row->source = item->source && *item->source ? trace_text(trace, item->source) : NULL;
	row->path = trace_text(trace, item->path);
	row->fetched_s = world->fetched_s ? world->fetched_s(world->context, i) : 0;
	if (number == POLICY_NO_ID) {
		row->fault = *item->why ? trace_text(trace, item->why)
					: error_text(world->lists->errors[i]);
		return;
	}
	const struct image_list *list = image_list(world->lists->file->image, number);
	row->format = list_format_name(list->format);
	row->hash = hash_text(trace, list->hash);
	row->fault = item->fault && *item->why ? trace_text(trace, item->why) : NULL;
}

/* Which list a rule names is in the rule's row by name: names are unique. */
static void take_named(struct trace *trace, const struct explain_world *world, const char *name)
{
	for (size_t i = 0; i < world->lists->count; i++)
		if (strcmp(world->lists->items[i].name, name) == 0) {
			take_list(trace, world, i);
			return;
		}
}

static void take_failed(struct trace *trace, const struct explain_world *world)
{
	for (size_t i = 0; i < world->lists->count; i++)
		if (world->lists->numbers[i] == POLICY_NO_ID &&
			!is_told(trace, world->lists->items[i].name))
			take_list(trace, world, i);
}

void explain_take_lists(struct trace *trace, const struct explain_world *world)
{
	const struct trace_view *view = trace_row(trace, TRACE_VIEW, 0);
	for (size_t i = 0; i < trace_count(trace, TRACE_RULE); i++) {
		const struct trace_rule *rule = trace_row(trace, TRACE_RULE, i);
		if (rule->list && !is_told(trace, rule->list))
			take_named(trace, world, rule->list);
	}
	if (view && view->is_failed)
		take_failed(trace, world);
}
