#include "proxy/lists/keeper.h"

#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "proxy/lists/fetch_child.h"
#include "proxy/lists/file_watch.h"
#include "proxy/lists/list_file.h"
#include "proxy/lists/list_state.h"
#include "proxy/lists/lists_before.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	TICK_MS = 1000,
	QUIET_MS = 1000,              /* a file that is being written is left alone for so long */
	QUIET_MAX_MS = 10 * 1000,     /* but no longer, however often it is written to */
	RETRY_MS = 60 * 1000,         /* after the first failure */
	RETRY_MAX_MS = 60 * RETRY_MS, /* of a load */
	FIRST_JITTER_MS = 5000,       /* of a list that is due at the start but is there */
	LOOK_AGAIN_MS = 60 * 1000,    /* at files, where a directory cannot be watched */
	JITTER_PERCENT = 10,
};

/* What a file was when it was last looked at. */
struct look {
	int64_t size;
	int64_t changed_ns;
	uint64_t inode;
};

struct kept {
	struct list_record record; /* what the state file says of it */
	struct keeper *keeper;
	const struct list_source *source;
	enum list_origin origin;
	struct fetch_child *child;
	struct fetch_report
		*arrived; /* the child has ended, and a load stands in the way; or NULL */
	int body;         /* of a fetch under way */
	int signature;
	uint64_t due_ms; /* UINT64_MAX: never */
	unsigned failures;
	bool is_wanted_again; /* somebody asked while a fetch was under way */
	bool is_accepted;     /* by the operator; the next load knows */
	bool was_fetched;     /* since the last load: what it came to is not known yet */
	uint8_t hash[IMAGE_HASH_LEN];
	uint64_t faults[LIST_FAULT_COUNT];
	struct look look;
};

struct keeper {
	uv_loop_t *loop;
	uv_timer_t timer;
	struct keeper_owner owner;
	const struct config *config;
	const struct lists *lists;
	struct file_watch *watch;
	struct kept *kept;
	size_t count;
	unsigned fetching;
	bool is_new; /* something is to be loaded */
	bool is_loading;
	unsigned failed_loads; /* one after the other */
	uint64_t retry_ms;     /* not before: the last load failed, and nothing was new since */
	uint64_t new_ms;       /* since when */
	uint64_t file_ms;      /* when a file was last seen to change */
	uint64_t loaded_ms;    /* when the last load was begun; 0: never */
	uint64_t looked_ms;
};

static int64_t wall_s(void)
{
	return (int64_t)time(NULL);
}

static uint64_t now_ms(const struct keeper *keeper)
{
	return uv_now(keeper->loop);
}

static bool has_state(const struct keeper *keeper)
{
	return keeper->config->state_directory && keeper->config->state_directory[0];
}

static bool path_of(const struct kept *kept, const char *suffix, char *path)
{
	return has_state(kept->keeper) &&
		list_state_path(
			path, kept->keeper->config->state_directory, kept->record.name, suffix);
}

/* ---- the state file ---- */

static void save(struct keeper *keeper)
{
	char path[PATH_MAX];
	struct list_state state = { .count = keeper->count };
	struct bytes text;
	if (!has_state(keeper) || keeper->config->lists_image ||
		!list_state_file(path, keeper->config->state_directory, "lists.state"))
		return;
	state.records = calloc(keeper->count + 1, sizeof *state.records);
	if (!state.records)
		return;
	for (size_t i = 0; i < keeper->count; i++)
		state.records[i] = keeper->kept[i].record;
	snprintf(state.version, sizeof state.version, "%s", list_state_version());
	memcpy(state.image_hash, image_hash(keeper->lists->file->image), IMAGE_HASH_LEN);
	bytes_init(&text, LIST_STATE_FILE_MAX);
	int error = list_state_write(&text, &state) ? list_file_write(path, bytes_peek(&text))
						    : ERR_NO_MEMORY;
	if (error)
		log_warning("lists: cannot write %s: %s", path, error_text(error));
	bytes_deinit(&text);
	list_state_deinit(&state);
}

/* ---- something is new ---- */

static void note_news(struct keeper *keeper)
{
	if (!keeper->is_new)
		keeper->new_ms = now_ms(keeper);
	keeper->is_new = true;
	keeper->retry_ms = 0;
}

static uint64_t retry_after(unsigned failures)
{
	unsigned doublings = failures > 1 ? failures - 1 : 0;
	return (uint64_t)RETRY_MS << (doublings < 16 ? doublings : 16);
}

/* What was new is new still, though nobody would say so again: servers would answer that nothing
 * has changed since. */
static void note_failed_load(struct keeper *keeper)
{
	uint64_t after = retry_after(++keeper->failed_loads);
	note_news(keeper);
	keeper->retry_ms = now_ms(keeper) + (after < RETRY_MAX_MS ? after : RETRY_MAX_MS);
}

static struct kept *first_accepted(const struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->count; i++)
		if (keeper->kept[i].is_accepted)
			return &keeper->kept[i];
	return NULL;
}

static void on_file_change(void *context)
{
	struct keeper *keeper = context;
	keeper->file_ms = now_ms(keeper);
	note_news(keeper);
}

static bool is_quiet(const struct keeper *keeper)
{
	uint64_t now = now_ms(keeper);
	return now - keeper->file_ms >= QUIET_MS || now - keeper->new_ms >= QUIET_MAX_MS;
}

/* More may come soon, and one load for all is cheaper than one for each; but a list that protects
 * nobody yet does not wait for others. */
static bool is_time_to_load(const struct keeper *keeper)
{
	uint64_t now = now_ms(keeper);
	uint64_t interval = keeper->config->list_rebuild_interval_ms;
	if (!keeper->is_new || keeper->is_loading || !is_quiet(keeper) || now < keeper->retry_ms)
		return false;
	if (first_accepted(keeper))
		return true;
	for (size_t i = 0; i < keeper->count; i++)
		if (keeper->kept[i].was_fetched && !keeper->kept[i].record.is_loaded)
			return true;
	if (keeper->fetching > 0 && now - keeper->new_ms < interval)
		return false;
	return keeper->loaded_ms == 0 || now - keeper->loaded_ms >= interval;
}

/* One that is accepted at a time; the next one is a load of its own. The load may have failed
 * before the call ends. */
static void load(struct keeper *keeper)
{
	struct kept *accepted = first_accepted(keeper);
	if (keeper->owner.is_loading(keeper->owner.context))
		return;
	keeper->is_loading = true;
	keeper->is_new = false;
	keeper->loaded_ms = now_ms(keeper);
	if (accepted)
		accepted->is_accepted = false;
	if (!keeper->owner.load(keeper->owner.context, accepted ? accepted->record.name : NULL))
		keeper->is_loading = false; /* it is the end */
	if (first_accepted(keeper))
		note_news(keeper);
}

/* ---- fetching ---- */

/* Not all proxies of a fleet at once, and not all lists. */
static uint64_t with_jitter(uint64_t interval_ms)
{
	uint32_t chance;
	random_fill(&chance, sizeof chance);
	uint64_t jitter = interval_ms / 100 * JITTER_PERCENT;
	return interval_ms - jitter + (jitter > 0 ? chance % (2 * jitter) : 0);
}

static void plan_next(struct kept *kept)
{
	uint64_t interval = kept->source->refresh_s * UINT64_C(1000);
	uint64_t retry = retry_after(kept->failures);
	if (kept->failures > 0 && (interval == 0 || retry < interval))
		interval = retry;
	kept->due_ms = interval == 0 ? UINT64_MAX : now_ms(kept->keeper) + with_jitter(interval);
}

static void note_fault(struct kept *kept, enum list_fault fault, const char *why)
{
	kept->record.fault = fault;
	snprintf(kept->record.why, sizeof kept->record.why, "%s", why);
	if (fault)
		kept->faults[fault]++;
}

static void close_files(struct kept *kept)
{
	if (kept->body >= 0)
		close(kept->body);
	if (kept->signature >= 0)
		close(kept->signature);
	kept->body = kept->signature = -1;
}

static void remove_fetched(const struct kept *kept)
{
	static const char *const suffixes[] = { ".fetching", ".fetching.minisig" };
	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
		char path[PATH_MAX];
		if (path_of(kept, suffixes[i], path))
			unlink(path);
	}
}

static bool move(const struct kept *kept, const char *from_suffix, const char *to_suffix)
{
	char from[PATH_MAX], to[PATH_MAX];
	return path_of(kept, from_suffix, from) && path_of(kept, to_suffix, to) &&
		rename(from, to) == 0;
}

/* The signature first: an edition without one is refused, one with an old one as well. */
static bool take_body(const struct kept *kept)
{
	return (!kept->source->guards.minisign_key ||
		       move(kept, ".fetching.minisig", ".new.minisig")) &&
		move(kept, ".fetching", ".new");
}

static void take_edition(struct kept *kept, const struct fetch_report *report)
{
	if (!take_body(kept)) {
		note_fault(kept, LIST_FAULT_INTERNAL, error_text(-errno));
		return;
	}
	memcpy(kept->record.etag, report->etag, sizeof kept->record.etag);
	memcpy(kept->record.last_modified, report->last_modified,
		sizeof kept->record.last_modified);
	kept->was_fetched = true;
	note_news(kept->keeper);
}

static void take_report(struct kept *kept, const struct fetch_report *report)
{
	enum list_fault fault = report->fault;
	const char *why = report->why;
	char sentence[FETCH_WHY_MAX];
	if (!fault && !report->not_modified) {
		fault = guard_sniff(slice_of(NULL, 0), slice_of_text(report->content_type));
		snprintf(sentence, sizeof sentence, "its content type is %.200s",
			report->content_type);
		why = sentence;
	}
	kept->failures = fault ? kept->failures + 1 : 0;
	if (fault) {
		note_fault(kept, fault, why);
		log_warning("list %s: not fetched (%s): %s", kept->record.name,
			list_fault_name(fault), why);
	} else if (report->not_modified) {
		note_fault(kept, LIST_FAULT_NONE, "");
		kept->record.success_s = wall_s();
		log_debug("list %s: not modified", kept->record.name);
	} else {
		take_edition(kept, report);
	}
}

static void end_fetch(struct kept *kept, const struct fetch_report *report)
{
	take_report(kept, report);
	remove_fetched(kept);
	plan_next(kept);
	if (kept->is_wanted_again)
		kept->due_ms = 0;
	kept->is_wanted_again = false;
	save(kept->keeper);
}

/* A load may be reading the edition before: nothing takes its place until the load has ended, else
 * one edition would be judged and another one kept. */
static bool put_off(struct kept *kept, const struct fetch_report *report)
{
	struct keeper *keeper = kept->keeper;
	if (!keeper->owner.is_loading(keeper->owner.context))
		return false;
	kept->arrived = malloc(sizeof *kept->arrived);
	if (kept->arrived)
		*kept->arrived = *report;
	return kept->arrived != NULL;
}

static void on_fetched(void *context, const struct fetch_report *report)
{
	struct kept *kept = context;
	kept->child = NULL;
	kept->keeper->fetching--;
	close_files(kept);
	if (!put_off(kept, report))
		end_fetch(kept, report);
}

static void take_arrived(struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->count; i++) {
		struct kept *kept = &keeper->kept[i];
		struct fetch_report *arrived = kept->arrived;
		if (!arrived)
			continue;
		kept->arrived = NULL;
		end_fetch(kept, arrived);
		free(arrived);
	}
}

static int open_fetched(const struct kept *kept, const char *suffix)
{
	char path[PATH_MAX];
	if (!path_of(kept, suffix, path))
		return -1;
	return open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
}

static bool open_files(struct kept *kept)
{
	bool is_signed = kept->source->guards.minisign_key != NULL;
	if (has_state(kept->keeper)) /* somebody may have tidied up */
		mkdir(kept->keeper->config->state_directory, 0750);
	kept->body = open_fetched(kept, ".fetching");
	kept->signature = is_signed ? open_fetched(kept, ".fetching.minisig") : -1;
	return kept->body >= 0 && (!is_signed || kept->signature >= 0);
}

/* Only when what it would be compared with is still there. */
static bool may_ask_for_changes(const struct kept *kept)
{
	char path[PATH_MAX];
	return kept->record.is_loaded && kept->record.fault == LIST_FAULT_NONE &&
		path_of(kept, ".list", path) && access(path, R_OK) == 0;
}

static int start_child(struct kept *kept)
{
	struct keeper *keeper = kept->keeper;
	bool changes = may_ask_for_changes(kept);
	const struct fetch_wish wish = { .config_file = keeper->owner.config_file,
		.list = kept->record.name,
		.etag = changes ? kept->record.etag : "",
		.last_modified = changes ? kept->record.last_modified : "",
		.body_fd = kept->body,
		.signature_fd = kept->signature,
		.timeout_ms = kept->source->timeout_ms };
	int error = 0;
	kept->child = fetch_child_start(keeper->loop, &wish, on_fetched, kept, &error);
	return error;
}

static void begin_fetch(struct kept *kept)
{
	kept->record.attempt_s = wall_s();
	int error = open_files(kept) ? start_child(kept) : -errno;
	if (kept->child) {
		kept->keeper->fetching++;
		kept->due_ms = UINT64_MAX;
		return;
	}
	close_files(kept);
	kept->failures++;
	note_fault(kept, LIST_FAULT_INTERNAL, error_text(error));
	log_warning("list %s: cannot fetch: %s", kept->record.name, error_text(error));
	plan_next(kept);
}

/* ---- time ---- */

static struct look look_at(const char *path)
{
	struct stat status;
	if (stat(path, &status) < 0)
		return (struct look){ .size = -1 };
	return (struct look){ .size = status.st_size,
		.changed_ns = status.st_mtim.tv_sec * INT64_C(1000000000) + status.st_mtim.tv_nsec,
		.inode = status.st_ino };
}

static bool has_changed(struct kept *kept)
{
	struct look now = look_at(kept->record.source);
	struct look before = kept->look;
	kept->look = now;
	return now.size != before.size || now.changed_ns != before.changed_ns ||
		now.inode != before.inode;
}

/* Some file systems tell nothing, and directories come and go. */
static void look_again(struct keeper *keeper)
{
	bool changed = false;
	keeper->looked_ms = now_ms(keeper);
	for (size_t i = 0; i < keeper->count; i++)
		if (keeper->kept[i].origin == LIST_FILE || keeper->kept[i].origin == LIST_IMAGE)
			changed |= has_changed(&keeper->kept[i]);
	if (changed)
		on_file_change(keeper);
}

static void on_tick(uv_timer_t *timer)
{
	struct keeper *keeper = timer->data;
	if (!keeper->owner.is_loading(keeper->owner.context))
		take_arrived(keeper);
	for (size_t i = 0; i < keeper->count && keeper->fetching < KEEPER_FETCHES_MAX; i++)
		if (keeper->kept[i].due_ms <= now_ms(keeper))
			begin_fetch(&keeper->kept[i]);
	if (now_ms(keeper) - keeper->looked_ms >= LOOK_AGAIN_MS)
		look_again(keeper);
	if (is_time_to_load(keeper))
		load(keeper);
}

/* ---- what is in force ---- */

static struct kept *find(struct keeper *keeper, const char *name)
{
	for (size_t i = 0; i < keeper->count; i++)
		if (strcmp(keeper->kept[i].record.name, name) == 0)
			return &keeper->kept[i];
	return NULL;
}

static void cancel(struct kept *kept)
{
	if (!kept->child && !kept->arrived)
		return;
	if (kept->child) {
		fetch_child_cancel(kept->child);
		kept->keeper->fetching--;
	}
	free(kept->arrived);
	kept->child = NULL;
	kept->arrived = NULL;
	close_files(kept);
	remove_fetched(kept);
}

static void drop_kept(struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->count; i++)
		cancel(&keeper->kept[i]);
	free(keeper->kept);
	keeper->kept = NULL;
	keeper->count = 0;
}

/* What is in force. */
static void take_content(struct kept *kept, const struct lists *lists, size_t i)
{
	const struct lists_item *item = &lists->items[i];
	const struct image_list *list = lists->numbers[i] == POLICY_NO_ID
		? NULL
		: image_list(lists->file->image, lists->numbers[i]);
	struct list_record *record = &kept->record;
	record->is_loaded = list != NULL;
	snprintf(record->format, sizeof record->format, "%s",
		list ? list_format_name(item->format) : "");
	memcpy(record->source_hash, item->source_hash, IMAGE_HASH_LEN);
	record->source_len = (int64_t)item->source_len;
	if (!list || memcmp(kept->hash, list->hash, IMAGE_HASH_LEN) == 0)
		return;
	memcpy(kept->hash, list->hash, IMAGE_HASH_LEN);
	if (item->is_new || record->change_s == 0)
		record->change_s = wall_s();
}

/* A file was read just now. A fetched list was not asked for by a load: unless an edition was
 * waiting to be judged, only a refusal is news of it. */
static void take_item(struct kept *kept, const struct lists *lists, size_t i)
{
	const struct lists_item *item = &lists->items[i];
	bool is_fetched = kept->origin == LIST_URL;
	take_content(kept, lists, i);
	if (is_fetched && !kept->was_fetched && item->fault < LIST_FAULT_DIGEST)
		return;
	note_fault(kept, item->fault, item->why);
	kept->failures += is_fetched && item->fault;
	if (!is_fetched)
		kept->record.attempt_s = wall_s();
	if (!item->fault)
		kept->record.success_s = wall_s();
	kept->was_fetched = false;
}

static void plan_first(struct kept *kept)
{
	uint32_t chance;
	uint64_t interval_s = kept->source->refresh_s;
	int64_t age_s = wall_s() - kept->record.success_s;
	random_fill(&chance, sizeof chance);
	uint64_t now = now_ms(kept->keeper);
	if (!kept->record.is_loaded || kept->record.success_s == 0)
		kept->due_ms = now;
	else if (interval_s > 0 && age_s >= 0 && (uint64_t)age_s < interval_s)
		kept->due_ms = now + with_jitter((interval_s - (uint64_t)age_s) * 1000);
	else
		kept->due_ms = now + chance % FIRST_JITTER_MS;
}

static void begin_kept(
	struct keeper *keeper, struct kept *kept, size_t i, const struct list_record *record)
{
	const struct lists_item *item = &keeper->lists->items[i];
	*kept = (struct kept){ .keeper = keeper,
		.source = &keeper->config->list_sources[i],
		.origin = item->origin,
		.body = -1,
		.signature = -1,
		.due_ms = UINT64_MAX };
	if (record && strcmp(record->source, item->source) == 0)
		kept->record = *record;
	snprintf(kept->record.name, sizeof kept->record.name, "%s", item->name);
	snprintf(kept->record.source, sizeof kept->record.source, "%s", item->source);
	if (kept->origin != LIST_URL)
		kept->look = look_at(item->source);
}

/* Counters and what was learnt go over to the same list of the next configuration. */
static void inherit(struct kept *kept, const struct kept *before)
{
	if (!before || strcmp(before->record.source, kept->record.source) != 0)
		return;
	kept->record = before->record;
	memcpy(kept->hash, before->hash, sizeof kept->hash);
	memcpy(kept->faults, before->faults, sizeof kept->faults);
	kept->failures = before->failures;
	kept->was_fetched = before->was_fetched;
	kept->is_accepted = before->is_accepted;
}

static void watch_files(struct keeper *keeper)
{
	const char **paths = calloc(keeper->count + 1, sizeof *paths);
	size_t count = 0;
	for (size_t i = 0; paths && i < keeper->count; i++)
		if (keeper->kept[i].origin == LIST_FILE)
			paths[count++] = keeper->kept[i].record.source;
	if (paths && keeper->config->lists_image)
		paths[count++] = keeper->config->lists_image;
	if (paths)
		file_watch_set(keeper->watch, paths, count);
	free(paths);
}

void keeper_adopt(struct keeper *keeper, const struct config *config, const struct lists *lists)
{
	struct keeper before = *keeper;
	struct list_state state = { .count = 0 };
	struct kept *kept = calloc(lists->count + 1, sizeof *kept);
	if (!kept)
		return;
	for (size_t i = 0; i < keeper->count; i++)
		cancel(&keeper->kept[i]);
	before.fetching = 0;
	keeper->config = config;
	keeper->lists = lists;
	keeper->kept = kept;
	keeper->count = lists->count;
	keeper->fetching = 0;
	if (before.count == 0 && has_state(keeper))
		lists_read_state(&state, config->state_directory);
	for (size_t i = 0; i < keeper->count; i++) {
		begin_kept(keeper, &kept[i], i, list_state_find(&state, lists->items[i].name));
		inherit(&kept[i], find(&before, lists->items[i].name));
		take_item(&kept[i], lists, i);
		if (kept[i].origin == LIST_URL)
			plan_first(&kept[i]);
	}
	free(before.kept);
	list_state_deinit(&state);
	watch_files(keeper);
	save(keeper);
}

/* All lists come from one file, and it was refused whole. */
static void note_bad_image(struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->count; i++)
		if (keeper->kept[i].origin == LIST_IMAGE)
			note_fault(&keeper->kept[i], LIST_FAULT_UNREADABLE,
				"the image cannot be used; the log says why");
}

void keeper_loaded(struct keeper *keeper, const struct lists *lists)
{
	keeper->is_loading = false;
	if (!lists)
		note_bad_image(keeper);
	if (!lists || lists->count != keeper->count) {
		note_failed_load(keeper);
		return;
	}
	keeper->failed_loads = 0;
	keeper->lists = lists;
	for (size_t i = 0; i < keeper->count; i++)
		take_item(&keeper->kept[i], lists, i);
	file_watch_again(keeper->watch);
	save(keeper);
}

/* ---- the operator ---- */

int keeper_refresh(struct keeper *keeper, const char *name)
{
	struct kept *kept = name ? find(keeper, name) : NULL;
	if (name && !kept)
		return -ENOENT;
	if (name && kept->origin == LIST_INLINE)
		return ERR_INVALID;
	for (size_t i = 0; i < keeper->count; i++) {
		struct kept *at = &keeper->kept[i];
		if (kept && at != kept)
			continue;
		if (at->origin == LIST_URL && (at->child || at->arrived))
			at->is_wanted_again =
				true; /* what is on its way may be older than the wish */
		else if (at->origin == LIST_URL)
			at->due_ms = 0;
		else if (at->origin == LIST_FILE || at->origin == LIST_IMAGE)
			note_news(keeper);
	}
	return 0;
}

int keeper_accept(struct keeper *keeper, const char *name)
{
	struct kept *kept = find(keeper, name);
	if (!kept)
		return -ENOENT;
	if (kept->record.fault < LIST_FAULT_DIGEST)
		return ERR_INVALID;
	if (kept->record.fault < LIST_FAULT_TOO_FEW)
		return -EPERM;
	kept->is_accepted = true;
	kept->was_fetched = kept->origin == LIST_URL;
	note_news(keeper);
	return 0;
}

size_t keeper_count(const struct keeper *keeper)
{
	return keeper->count;
}

const uint64_t *keeper_faults(const struct keeper *keeper, size_t list)
{
	return keeper->kept[list].faults;
}

/* An edition was seen and refused; one that did not arrive leaves the last one good. */
static enum list_standing standing_of(const struct kept *kept)
{
	enum list_fault fault = kept->record.fault;
	bool seen = fault >= LIST_FAULT_DIGEST ||
		(kept->origin == LIST_FILE && fault > LIST_FAULT_UNREADABLE) ||
		(kept->origin == LIST_IMAGE && fault != LIST_FAULT_NONE);
	if (!kept->record.is_loaded)
		return LIST_STANDING_NOT_LOADED;
	return seen ? LIST_STANDING_QUARANTINED : LIST_STANDING_GOOD;
}

static void tell_content(const struct keeper *keeper, size_t list, struct list_status *status)
{
	uint16_t number = keeper->lists->numbers[list];
	if (number == POLICY_NO_ID)
		return;
	const struct image_list *content = image_list(keeper->lists->file->image, number);
	status->entry_count = content->entry_count;
	status->covered_count = content->covered_count;
	memcpy(status->reject_counts, content->reject_counts, sizeof status->reject_counts);
	memcpy(status->hash, content->hash, sizeof status->hash);
}

void keeper_tell(const struct keeper *keeper, size_t list, struct list_status *status)
{
	static const char *const origins[] = { [LIST_INLINE] = "inline",
		[LIST_FILE] = "file",
		[LIST_URL] = "url",
		[LIST_IMAGE] = "image" };
	const struct kept *kept = &keeper->kept[list];
	const struct list_record *record = &kept->record;
	uint64_t now = now_ms(keeper);
	*status = (struct list_status){ .name = record->name,
		.origin = origins[kept->origin],
		.source = record->source,
		.format = record->format[0] ? record->format : NULL,
		.etag = record->etag,
		.standing = standing_of(kept),
		.fault = record->fault,
		.why = record->why,
		.byte_count = (uint64_t)record->source_len,
		.last_attempt_s = record->attempt_s,
		.last_success_s = record->success_s,
		.last_change_s = record->change_s };
	if (kept->due_ms != UINT64_MAX)
		status->next_attempt_s = wall_s() +
			(kept->due_ms > now ? (int64_t)((kept->due_ms - now) / 1000) : 0);
	tell_content(keeper, list, status);
}

/* ---- birth and end ---- */

struct keeper *keeper_new(uv_loop_t *loop, const struct keeper_owner *owner)
{
	struct keeper *keeper = calloc(1, sizeof *keeper);
	if (!keeper)
		return NULL;
	keeper->loop = loop;
	keeper->owner = *owner;
	keeper->looked_ms = uv_now(loop);
	keeper->watch = file_watch_new(loop, on_file_change, keeper);
	if (!keeper->watch) {
		free(keeper);
		return NULL;
	}
	uv_timer_init(loop, &keeper->timer);
	keeper->timer.data = keeper;
	uv_timer_start(&keeper->timer, on_tick, TICK_MS, TICK_MS);
	return keeper;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void keeper_close(struct keeper *keeper)
{
	if (!keeper)
		return;
	drop_kept(keeper);
	file_watch_close(keeper->watch);
	uv_close((uv_handle_t *)&keeper->timer, on_closed);
}
