/* lists_tell.c - what is wrong with lists, as people read it. */
#include "proxy/lists/lists_parts.h"

#include "base/log.h"

#include <limits.h>
#include <stdio.h>

enum {
	REJECTS_SHOWN = 5, /* of each list; the rest is only counted */
	REJECT_TEXT_MAX = 80,
};

void lists_tell_reject(void *context, uint32_t line, enum list_reject reject, struct slice text)
{
	struct rejects *rejects = context;
	struct item_load *load = rejects->load;
	const char *file = load->item->path ? load->item->path : rejects->loading->config->file;
	int shown = text.len < REJECT_TEXT_MAX ? (int)text.len : REJECT_TEXT_MAX;
	if (load->told || reject == LIST_REJECT_DUPLICATE || load->rejects_told++ >= REJECTS_SHOWN)
		return;
	log_warning("list %s: %s:%u: %s: \"%.*s\"", load->spec->name, file, line,
		list_reject_text(reject), shown, (const char *)text.at);
}

bool lists_tell_failure(struct loading *loading, const char *path, const char *message)
{
	loading->errors->count++;
	loading->errors->on_error(
		loading->errors->context, loading->config->file, 0, path, message);
	return false;
}

static void tell_rejects(const struct loading *loading, size_t i)
{
	const struct item_load *load = &loading->items[i];
	const struct image_list *list =
		image_list(loading->lists->file->image, loading->lists->numbers[i]);
	uint64_t rejects = 0;
	for (unsigned reason = 0; reason < LIST_REJECT_COUNT; reason++)
		if (reason != LIST_REJECT_DUPLICATE)
			rejects += list->reject_counts[reason];
	if (load->how == READ && rejects > 0)
		log_warning("list %s: %llu lines left out, %llu entries", load->spec->name,
			(unsigned long long)rejects, (unsigned long long)list->entry_count);
}

/* True when the lists may be used all the same. */
static bool tell_missing(struct loading *loading, size_t i)
{
	const struct lists_item *item = &loading->lists->items[i];
	char path[64];
	char message[FETCH_WHY_MAX + LIST_STATE_NAME_MAX + PATH_MAX + 64];
	snprintf(path, sizeof path, "domain_lists[%zu]", i);
	snprintf(message, sizeof message, "list \"%s\" cannot be used: %s: %s", item->name,
		item->origin == LIST_INLINE ? "inline" : item->source, item->why);
	if (loading->options->must_load && !loading->options->is_refresh &&
		item->origin != LIST_URL)
		return lists_tell_failure(loading, path, message);
	log_error("%s; views that use it are in their fail mode", message);
	return true;
}

bool lists_tell(struct loading *loading)
{
	struct lists *lists = loading->lists;
	bool usable = true;
	for (size_t i = 0; i < lists->count; i++) {
		const struct lists_item *item = &lists->items[i];
		if (lists->numbers[i] == POLICY_NO_ID)
			usable &= tell_missing(loading, i);
		else if (item->fault)
			log_warning("list %s: %s: refused (%s): %s; the last good edition stays",
				item->name, item->source, list_fault_name(item->fault), item->why);
		if (lists->numbers[i] != POLICY_NO_ID)
			tell_rejects(loading, i);
	}
	return usable;
}
