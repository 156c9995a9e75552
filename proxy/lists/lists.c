/* lists.c - how the lists of a configuration are loaded, step by step:
 *
 *   1. each list: find its newest edition. The same bytes as before: keep it as it stands in the
 *      image in force. Others: open them. What cannot be opened falls back.
 *   2. build one image of what is kept and what is new.
 *   3. ask the guards about what is new. What they refuse falls back, and step 2 again.
 *   4. ask whether all of it together does what is expected. If not, what is new falls back.
 *   5. leave on the disk what the next run can use.
 *
 * Falling back: to the edition in force; else to the last good one on this disk; else the list is
 * missing, and views that use it are in their fail mode. */
#include "proxy/lists/lists.h"

#include "base/error.h"
#include "base/random.h"
#include "proxy/lists/lists_before.h"
#include "proxy/lists/lists_parts.h"
#include "rules/image_build.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { EDITIONS = 4 }; /* that may be refused, one after the other */

/* ---- step 2: the image ---- */

static int add_item(struct loading *loading, struct image_builder *builder, struct item_load *load)
{
	struct rejects rejects = { loading, load };
	if (load->how == KEEP)
		return image_take_list(
			builder, loading->previous->file->image, load->before_number);
	int error = image_add_list(builder, load->spec->name, load->edition.format);
	if (!error)
		error = image_add_text(builder, load->edition.text, lists_tell_reject, &rejects);
	load->told = true;
	return error;
}

static int add_items(struct loading *loading, struct image_builder *builder)
{
	uint16_t number = 0;
	for (size_t i = 0; i < loading->lists->count; i++) {
		struct item_load *load = &loading->items[i];
		loading->lists->numbers[i] = POLICY_NO_ID;
		if (load->how == MISSING)
			continue;
		int error = add_item(loading, builder, load);
		if (error)
			return error;
		loading->lists->numbers[i] = number++;
	}
	return 0;
}

/* Of those whose lines were read; for the case that all of it does not fit. */
static int count_facets(struct loading *loading, const struct image_builder *builder)
{
	uint32_t *counts = calloc(loading->lists->count + 1, sizeof *counts);
	if (!counts)
		return ERR_NO_MEMORY;
	image_count_facets(builder, counts);
	uint16_t number = 0;
	for (size_t i = 0; i < loading->lists->count; i++)
		if (loading->items[i].how != MISSING)
			loading->items[i].facet_count = counts[number++];
	free(counts);
	return 0;
}

static uint64_t salt_of(const struct loading *loading)
{
	uint64_t salt = loading->options->salt;
	if (loading->previous && salt == 0)
		return image_salt(loading->previous->file->image);
	while (salt == 0)
		random_fill(&salt, sizeof salt);
	return salt;
}

static int make_image(struct loading *loading, uint64_t salt)
{
	struct image_builder *builder = image_builder_new(salt);
	struct slice bytes;
	const char *why = NULL;
	int error = builder ? add_items(loading, builder) : ERR_NO_MEMORY;
	if (builder && count_facets(loading, builder))
		error = ERR_NO_MEMORY;
	if (!error)
		error = image_build(builder, &bytes, NULL, NULL);
	image_builder_free(builder);
	if (error)
		return error;
	image_file_unref(loading->lists->file);
	loading->lists->file = image_file_of(bytes, &why);
	return loading->lists->file ? 0 : ERR_NO_MEMORY;
}

/* Two names that have the same hash with one salt have not with another. */
static int build_salted(struct loading *loading)
{
	uint64_t salt = salt_of(loading);
	int error = make_image(loading, salt);
	for (unsigned i = 0; error == ERR_INVALID && i < 4; i++) {
		random_fill(&salt, sizeof salt);
		error = make_image(loading, salt);
	}
	return error;
}

static void refuse(const struct loading *loading, struct item_load *load)
{
	lists_note_fault(load);
	load->refused_suffix = load->suffix;
	lists_fall_back(loading, load);
}

/* What is kept fitted before. Of what is new, the list whose entries say the most different things
 * has the fault: nobody may take the room that others' lists need. False when nothing is new. */
static bool refuse_the_greediest(const struct loading *loading)
{
	struct item_load *greediest = NULL;
	for (size_t i = 0; i < loading->lists->count; i++) {
		struct item_load *load = &loading->items[i];
		if (load->how == READ && (!greediest || load->facet_count > greediest->facet_count))
			greediest = load;
	}
	if (!greediest)
		return false;
	list_edition_fail(&greediest->edition, LIST_FAULT_TOO_LARGE,
		"its entries say more different things than all lists together may");
	refuse(loading, greediest);
	return true;
}

static bool build(struct loading *loading)
{
	int error = build_salted(loading);
	while (error == ERR_TOO_LONG && refuse_the_greediest(loading))
		error = build_salted(loading);
	return error ? lists_tell_failure(loading, "domain_lists", error_text(error)) : true;
}

/* All that is there is in the image in force, and nothing else is. */
static bool use_previous(struct loading *loading)
{
	struct lists *lists = loading->lists;
	size_t kept = 0;
	for (size_t i = 0; i < lists->count; i++) {
		const struct item_load *load = &loading->items[i];
		if (load->how == READ)
			return false;
		lists->numbers[i] = load->how == KEEP ? load->before_number : POLICY_NO_ID;
		kept += load->how == KEEP;
	}
	bool has_more =
		loading->previous && kept != image_list_count(loading->previous->file->image);
	if (!loading->previous || (has_more && !loading->options->is_aside) ||
		salt_of(loading) != image_salt(loading->previous->file->image))
		return false;
	image_file_unref(lists->file);
	lists->file = image_file_ref(loading->previous->file);
	return true;
}

/* ---- step 3: the guards ---- */

static bool passes(struct loading *loading, struct item_load *load, uint16_t number)
{
	const struct image *image = loading->lists->file->image;
	char why[FETCH_WHY_MAX];
	struct writer to = writer_of(why, sizeof why - 1);
	const struct image_list *before = load->before
		? image_list(loading->previous->file->image, load->before_number)
		: NULL;
	if (lists_accepted(loading, load))
		return true;
	/* A file may be empty when a comment in it says so; a server has no reason to be. */
	if (load->item->origin == LIST_URL && image_list(image, number)->entry_count == 0)
		return list_edition_fail(&load->edition, LIST_FAULT_EMPTY, "not one entry");
	enum list_fault fault = guard_judge(&load->source->guards, image, number, before, &to);
	why[to.len] = '\0';
	return !fault || list_edition_fail(&load->edition, fault, "%s", why);
}

/* True when all that is new may come in. */
static bool judge(struct loading *loading)
{
	bool all = true;
	for (size_t i = 0; i < loading->lists->count; i++) {
		struct item_load *load = &loading->items[i];
		if (load->how != READ || passes(loading, load, loading->lists->numbers[i]))
			continue;
		all = false;
		refuse(loading, load);
	}
	return all;
}

/* ---- step 4: what is expected of all ---- */

/* May the edition in force stand in for it? Where a list was missing and only lists are new, that
 * is the lack of it. What stands in the configuration itself has no other edition. */
static bool can_wait(const struct loading *loading, const struct item_load *load)
{
	return load->how == READ && load->item->origin != LIST_INLINE && loading->options->keep &&
		(load->before || loading->options->is_refresh);
}

static bool has_news(const struct loading *loading)
{
	for (size_t i = 0; i < loading->lists->count; i++)
		if (can_wait(loading, &loading->items[i]))
			return true;
	return false;
}

static void refuse_news(const struct loading *loading, const char *why)
{
	for (size_t i = 0; i < loading->lists->count; i++) {
		struct item_load *load = &loading->items[i];
		if (!can_wait(loading, load))
			continue;
		list_edition_fail(&load->edition, LIST_FAULT_EXPECTATION, "%s", why);
		lists_note_fault(load);
		load->refused_suffix = load->suffix;
		load->how = load->before ? KEEP : MISSING;
	}
}

static bool holds(struct loading *loading, bool is_last, char why[FETCH_WHY_MAX])
{
	const struct lists_options *options = loading->options;
	return !options->holds || options->holds(options->context, loading->lists, is_last, why);
}

static void note_missing(const struct loading *loading)
{
	for (size_t i = 0; i < loading->lists->count; i++)
		loading->lists->errors[i] = loading->items[i].how == MISSING ? ERR_MALFORMED : 0;
}

enum outcome { GOOD, AGAIN, LOST };

static enum outcome ask_for_all(struct loading *loading)
{
	char why[FETCH_WHY_MAX];
	bool is_last = !has_news(loading);
	note_missing(loading);
	if (holds(loading, is_last, why))
		return GOOD;
	if (is_last)
		return LOST;
	refuse_news(loading, why);
	return AGAIN;
}

static bool build_and_judge(struct loading *loading)
{
	for (unsigned round = 0; round <= EDITIONS; round++) {
		bool is_previous = use_previous(loading);
		if (!is_previous && !build(loading))
			return false;
		if (!is_previous && !judge(loading))
			continue;
		enum outcome outcome = ask_for_all(loading);
		if (outcome != AGAIN)
			return outcome == GOOD;
	}
	return lists_tell_failure(
		loading, "domain_lists", "the lists change faster than they are read");
}

static bool decides_as(const struct lists *a, const struct lists *b)
{
	if (!b || a->count != b->count ||
		memcmp(image_hash(a->file->image), image_hash(b->file->image), IMAGE_HASH_LEN) != 0)
		return false;
	return memcmp(a->numbers, b->numbers, a->count * sizeof *a->numbers) == 0;
}

/* What came of each list, and the same image for the same bytes. */
static void finish_items(struct loading *loading)
{
	struct lists *lists = loading->lists;
	for (size_t i = 0; i < lists->count; i++) {
		const struct item_load *load = &loading->items[i];
		struct lists_item *item = load->item;
		bool kept = load->how == KEEP;
		item->fault = load->first_fault;
		memcpy(item->why, load->first_why, sizeof item->why);
		item->is_new = load->how == READ;
		item->format = kept ? load->before->format : load->edition.format;
		item->source_len = kept ? load->before->source_len : load->edition.raw.len;
		memcpy(item->source_hash, kept ? load->before->source_hash : load->edition.hash,
			IMAGE_HASH_LEN);
	}
	lists->is_same = decides_as(lists, loading->options->previous);
	if (!lists->is_same || lists->file == loading->previous->file)
		return;
	image_file_unref(lists->file);
	lists->file = image_file_ref(loading->previous->file);
}

/* ---- from a compiled image ---- */

static bool take_from_image(struct loading *loading)
{
	struct lists *lists = loading->lists;
	const char *why;
	char message[PATH_MAX + 128];
	lists->file = image_file_open(loading->config->lists_image, &why);
	if (!lists->file) {
		snprintf(message, sizeof message, "%s: %s", loading->config->lists_image, why);
		return lists_tell_failure(loading, "lists_image", message);
	}
	bool good = true;
	for (size_t i = 0; i < lists->count; i++) {
		lists->numbers[i] = image_find_list(lists->file->image, lists->items[i].name);
		if (lists->numbers[i] != POLICY_NO_ID) {
			lists->items[i].format =
				image_list(lists->file->image, lists->numbers[i])->format;
			continue;
		}
		lists->errors[i] = ERR_MALFORMED;
		if (loading->options->may_miss)
			continue;
		snprintf(message, sizeof message,
			"%s: there is no list \"%s\" in it; compile again",
			loading->config->lists_image, lists->items[i].name);
		good = lists_tell_failure(loading, "lists_image", message);
	}
	lists->is_same = good && decides_as(lists, loading->options->previous);
	return good && holds(loading, true, (char[FETCH_WHY_MAX]){ 0 });
}

/* ---- the whole ---- */

static enum list_origin origin_of(const struct config *config, size_t i)
{
	if (config->lists_image)
		return LIST_IMAGE;
	if (config->list_sources[i].url)
		return LIST_URL;
	return config->policy.lists[i].file ? LIST_FILE : LIST_INLINE;
}

static const char *source_text(const struct config *config, size_t i)
{
	switch (origin_of(config, i)) {
	case LIST_IMAGE: return config->lists_image;
	case LIST_URL: return config->list_sources[i].url;
	case LIST_FILE: return config->policy.lists[i].file;
	case LIST_INLINE: break;
	}
	return "";
}

/* Where the text of a list in force lies, for those who want to read a line of it. */
static bool note_path(struct loading *loading, struct lists_item *item, struct item_load *load)
{
	char path[PATH_MAX];
	if (item->origin == LIST_FILE)
		item->path = arena_text(&loading->lists->memory, load->spec->file);
	else if (item->origin == LIST_URL && lists_path(loading, load, suffix_good, path))
		item->path = arena_text(&loading->lists->memory, path);
	else
		return true;
	return item->path != NULL;
}

static bool make_items(struct loading *loading)
{
	struct lists *lists = loading->lists;
	const struct config *config = loading->config;
	for (size_t i = 0; i < lists->count; i++) {
		struct lists_item *item = &lists->items[i];
		struct item_load *load = &loading->items[i];
		item->origin = origin_of(config, i);
		item->name = arena_text(&lists->memory, config->policy.lists[i].name);
		item->source = arena_text(&lists->memory, source_text(config, i));
		item->format = config->policy.lists[i].format;
		load->spec = &config->policy.lists[i];
		load->source = &config->list_sources[i];
		load->item = item;
		if (!item->name || !item->source || !note_path(loading, item, load))
			return false;
		load->before = lists_before(loading->previous, item, &load->before_number);
	}
	return true;
}

static bool make_lists(struct loading *loading)
{
	size_t count = loading->config->policy.list_count;
	struct lists *lists = calloc(1, sizeof *lists);
	loading->lists = lists;
	loading->items = calloc(count + 1, sizeof *loading->items);
	if (!lists || !loading->items)
		return false;
	atomic_init(&lists->references, 1);
	lists->count = count;
	lists->items = arena_take(&lists->memory, count + 1, sizeof *lists->items);
	lists->numbers = arena_take(&lists->memory, count + 1, sizeof *lists->numbers);
	lists->errors = arena_take(&lists->memory, count + 1, sizeof *lists->errors);
	return lists->items && lists->numbers && lists->errors && make_items(loading);
}

static bool load_all(struct loading *loading)
{
	if (!make_lists(loading))
		return lists_tell_failure(loading, "domain_lists", error_text(ERR_NO_MEMORY));
	if (loading->config->lists_image)
		return take_from_image(loading);
	lists_find_editions(loading);
	if (!build_and_judge(loading))
		return false;
	finish_items(loading);
	if (!lists_tell(loading))
		return false;
	lists_keep(loading);
	return true;
}

struct lists *lists_load(const struct config *config, const struct lists_options *options,
	struct config_errors *errors)
{
	struct loading loading = { .config = config, .options = options, .errors = errors };
	if (options->previous)
		loading.previous = lists_ref(options->previous);
	else if (lists_have_state(&loading) && !config->lists_image)
		loading.previous = lists_from_state(config->state_directory);
	bool good = load_all(&loading);
	for (size_t i = 0; loading.items && i < config->policy.list_count; i++)
		list_edition_close(&loading.items[i].edition);
	free(loading.items);
	lists_unref(loading.previous);
	if (good)
		return loading.lists;
	lists_unref(loading.lists);
	return NULL;
}

struct lists *lists_ref(struct lists *lists)
{
	atomic_fetch_add_explicit(&lists->references, 1, memory_order_relaxed);
	return lists;
}

void lists_unref(struct lists *lists)
{
	if (!lists || atomic_fetch_sub_explicit(&lists->references, 1, memory_order_acq_rel) != 1)
		return;
	image_file_unref(lists->file);
	arena_free(&lists->memory);
	free(lists);
}

struct policy_lists lists_for_policy(const struct lists *lists)
{
	return (struct policy_lists){
		.image = lists->file->image, .numbers = lists->numbers, .errors = lists->errors
	};
}
