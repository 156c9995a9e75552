#include "proxy/shadow/shadow_keeper.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "proxy/shadow/shadow_keeper_parts.h"

const char *shadow_state_name(enum shadow_state state)
{
	static const char *const names[] = {
		[SHADOW_OFF] = "off",
		[SHADOW_LOADING] = "loading",
		[SHADOW_RUNNING] = "running",
		[SHADOW_PROMOTING] = "promoting",
		[SHADOW_FAILED] = "failed",
	};
	return names[state];
}

/* ---- life ---- */

struct shadow_keeper *shadow_keeper_new(const char *config_file, unsigned worker_count)
{
	struct shadow_keeper *keeper = calloc(1, sizeof *keeper);
	if (!keeper)
		return NULL;
	keeper->config_file = config_file;
	keeper->worker_count = worker_count;
	return keeper;
}

static void drop_candidate(struct snapshot **candidate)
{
	if (*candidate)
		snapshot_unref(*candidate);
	*candidate = NULL;
}

static void forget(struct shadow_keeper *keeper)
{
	drop_candidate(&keeper->candidate);
	shadow_tally_unref(keeper->tally);
	keeper->tally = NULL;
	arena_free(&keeper->memory);
	keeper->order = (struct shadow_order){ 0 };
	keeper->is_by_config = false;
	keeper->state = SHADOW_OFF;
	keeper->generation++; /* what is being loaded is not wanted any more */
}

void shadow_keeper_free(struct shadow_keeper *keeper)
{
	if (!keeper)
		return;
	forget(keeper);
	drop_candidate(&keeper->load.before);
	drop_candidate(&keeper->load.loaded);
	free(keeper->load.file);
	free(keeper);
}

/* ---- what is said ---- */

static void note(char text[SHADOW_NOTE_MAX], const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void note(char text[SHADOW_NOTE_MAX], const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, SHADOW_NOTE_MAX, format, arguments);
	va_end(arguments);
}

/* ---- what is wanted ---- */

static bool real_directory(const char *file, char *path)
{
	char directory[PATH_MAX];
	const char *slash = strrchr(file, '/');
	size_t len = slash ? (size_t)(slash - file) : 0;
	if (len >= sizeof directory)
		return false;
	memcpy(directory, file, len);
	directory[len] = '\0';
	return realpath(slash ? (len ? directory : "/") : ".", path) != NULL;
}

/* A candidate beside the configuration is named as the configuration is: relative paths in both
 * then say the same, and are seen to. */
static const char *name_like(struct shadow_keeper *keeper, const char *file)
{
	char ours[PATH_MAX], its[PATH_MAX], path[PATH_MAX];
	const char *slash = strrchr(keeper->config_file, '/');
	const char *base = strrchr(file, '/');
	size_t len = slash ? (size_t)(slash + 1 - keeper->config_file) : 0;
	if (!base || !real_directory(keeper->config_file, ours) || !real_directory(file, its) ||
		strcmp(ours, its) != 0 || len + strlen(base) >= sizeof path)
		return arena_text(&keeper->memory, file);
	memcpy(path, keeper->config_file, len);
	strcpy(path + len, base + 1);
	return arena_text(&keeper->memory, path);
}

static bool copy_order(struct shadow_keeper *keeper, const struct shadow_order *order)
{
	const char **views =
		arena_take(&keeper->memory, order->view_count + 1, sizeof *order->views);
	keeper->order = *order;
	keeper->order.file = name_like(keeper, order->file);
	keeper->order.views = views;
	bool good = views && keeper->order.file;
	for (size_t i = 0; good && i < order->view_count; i++) {
		views[i] = arena_text(&keeper->memory, order->views[i]);
		good = views[i] != NULL;
	}
	return good;
}

bool shadow_keeper_begin(
	struct shadow_keeper *keeper, const struct shadow_order *order, int64_t now_s)
{
	forget(keeper);
	keeper->note[0] = '\0';
	keeper->tally = shadow_tally_new(keeper->worker_count, now_s);
	if (!keeper->tally || !copy_order(keeper, order)) {
		forget(keeper);
		return false;
	}
	keeper->state = SHADOW_LOADING;
	return true;
}

static bool same_order(const struct shadow_order *a, const struct shadow_order *b)
{
	if (!a->file || strcmp(a->file, b->file) != 0 || a->share != b->share ||
		a->view_count != b->view_count)
		return false;
	for (size_t i = 0; i < a->view_count; i++)
		if (strcmp(a->views[i], b->views[i]) != 0)
			return false;
	return true;
}

static bool begin_by_config(
	struct shadow_keeper *keeper, const struct shadow_order *order, int64_t now_s)
{
	if (keeper->is_by_config && same_order(&keeper->order, order))
		return true;
	if (!shadow_keeper_begin(keeper, order, now_s))
		return false;
	keeper->is_by_config = true;
	return true;
}

bool shadow_keeper_follow(struct shadow_keeper *keeper, const struct config *config, int64_t now_s)
{
	const struct shadow_config *wanted = &config->shadow;
	bool has_one = keeper->state != SHADOW_OFF;
	if (has_one && !keeper->is_by_config)
		return keeper->state != SHADOW_FAILED;
	if (!wanted->file) {
		if (has_one)
			shadow_keeper_end(keeper);
		return false;
	}
	const char **views = calloc(wanted->view_count + 1, sizeof *views);
	if (!views)
		return false;
	for (size_t i = 0; i < wanted->view_count; i++)
		views[i] = config->policy.views[wanted->views[i]].name;
	const struct shadow_order order = { wanted->file, wanted->share, views,
		wanted->view_count };
	bool good = begin_by_config(keeper, &order, now_s);
	free(views);
	return good;
}

void shadow_keeper_end(struct shadow_keeper *keeper)
{
	if (keeper->state != SHADOW_OFF)
		log_info("shadow: ended");
	forget(keeper);
	keeper->note[0] = '\0';
}

enum shadow_state shadow_keeper_state(const struct shadow_keeper *keeper)
{
	return keeper->state;
}

/* ---- loading ---- */

void shadow_keeper_prepare(
	struct shadow_keeper *keeper, const struct snapshot *in_force, bool reads_file)
{
	struct shadow_load *load = &keeper->load;
	load->generation = keeper->generation;
	load->in_force = in_force;
	load->before = keeper->candidate && !reads_file ? snapshot_ref(keeper->candidate) : NULL;
	load->file = keeper->order.file ? strdup(keeper->order.file) : NULL;
	load->note[0] = '\0';
}

static void on_error(
	void *context, const char *file, unsigned line, const char *path, const char *message)
{
	struct shadow_load *load = context;
	char text[CONFIG_PROBLEM_TEXT_MAX];
	size_t len = strlen(load->note);
	log_error("shadow: %s", config_problem_text(text, file, line, path, message));
	snprintf(load->note + len, sizeof load->note - len, "%s\n", text);
}

/* A view in its fail mode is not what anybody wants to compare with. */
static bool is_whole(const struct snapshot *candidate, struct config_errors *errors)
{
	const struct lists *lists = candidate->lists;
	bool whole = true;
	for (size_t i = 0; i < lists->count; i++) {
		char path[64];
		char message[FETCH_WHY_MAX + 256];
		if (lists->numbers[i] != POLICY_NO_ID)
			continue;
		whole = false;
		snprintf(path, sizeof path, "domain_lists[%zu]", i);
		snprintf(message, sizeof message, "list \"%.128s\" cannot be used: %s",
			lists->items[i].name, lists->items[i].why);
		on_error(errors->context, candidate->config->file, 0, path, message);
	}
	return whole;
}

/* A pipe that nobody writes would hold up all loading, that of reloads too. */
static bool can_wait(struct shadow_load *load)
{
	struct stat found;
	if (stat(load->file, &found) < 0 || S_ISREG(found.st_mode))
		return false;
	on_error(load, load->file, 0, "", "not a regular file");
	return true;
}

void shadow_keeper_load(struct shadow_keeper *keeper)
{
	struct shadow_load *load = &keeper->load;
	struct config_errors errors = { .on_error = on_error, .context = load };
	const struct snapshot_parts parts = {
		.lists = { .previous = load->in_force->lists, .must_load = true, .is_aside = true },
		.offline = true
	};
	if (!load->file || (!load->before && can_wait(load)))
		return;
	load->loaded = load->before ? snapshot_load_lists(load->before, &parts, &errors)
				    : snapshot_load(load->file, &parts, &errors);
	if (load->loaded && !is_whole(load->loaded, &errors))
		drop_candidate(&load->loaded);
}

static void take_loaded(struct shadow_keeper *keeper)
{
	struct shadow_load *load = &keeper->load;
	bool is_first = !keeper->candidate;
	note(keeper->note, "%s", load->note);
	if (!load->loaded) {
		if (is_first)
			keeper->state = SHADOW_FAILED;
		log_error("shadow: %s is not loaded: %s", keeper->order.file,
			is_first ? "nothing is judged by it" : "what was loaded before stays");
		return;
	}
	drop_candidate(&keeper->candidate);
	keeper->candidate = load->loaded;
	load->loaded = NULL;
	if (is_first)
		keeper->state = SHADOW_RUNNING;
	log_info("shadow: %s is judged beside, policy %s, %u %% of the clients", keeper->order.file,
		keeper->candidate->policy_hash, keeper->order.share);
}

void shadow_keeper_loaded(struct shadow_keeper *keeper)
{
	struct shadow_load *load = &keeper->load;
	if (load->generation == keeper->generation && keeper->state != SHADOW_OFF)
		take_loaded(keeper);
	drop_candidate(&load->before);
	drop_candidate(&load->loaded);
	free(load->file);
	load->file = NULL;
	load->in_force = NULL;
}

struct shadow *shadow_keeper_pair(
	const struct shadow_keeper *keeper, const struct snapshot *in_force)
{
	if (!keeper->candidate)
		return NULL;
	struct shadow *shadow =
		shadow_new(keeper->candidate, in_force, &keeper->order, keeper->tally);
	if (!shadow)
		log_error("shadow: out of memory, nothing is judged");
	return shadow;
}

/* ---- promoting ---- */

const char *shadow_keeper_promote(struct shadow_keeper *keeper, const struct snapshot *in_force)
{
	if (keeper->state == SHADOW_PROMOTING)
		return "it is being promoted";
	if (keeper->state != SHADOW_RUNNING)
		return "there is no shadow that could be promoted";
	const char *setting = config_needs_restart(in_force->config, keeper->candidate->config);
	if (setting) {
		note(keeper->refusal, "\"%s\" differs, which needs a restart", setting);
		return keeper->refusal;
	}
	keeper->state = SHADOW_PROMOTING;
	return NULL;
}

const char *shadow_keeper_file(const struct shadow_keeper *keeper)
{
	return keeper->order.file;
}

const char *shadow_keeper_hash(const struct shadow_keeper *keeper)
{
	return keeper->candidate->config->hash;
}

/* Does a restart, and HUP, keep what was promoted? */
static const char *pin_note(const struct config *config, bool pinned)
{
	if (pinned)
		return "pinned until the configuration file changes, or `namegate revisions unpin`";
	return *config->state_directory && config->revisions > 0
		? "NOT pinned, the program's log says why: the next reload takes the configuration "
		  "file"
		: "no revisions are kept: the next reload takes the configuration file";
}

void shadow_keeper_promoted(
	struct shadow_keeper *keeper, const struct snapshot *loaded, bool pinned)
{
	char said[SHADOW_NOTE_MAX];
	if (!loaded) {
		keeper->state = SHADOW_RUNNING;
		note(keeper->note, "not promoted: %s did not load again as it was; see the log\n",
			keeper->order.file);
		return;
	}
	note(said, "%s is in force: revision %u, policy %s\n%s\nto keep it: cp %s %s\n",
		keeper->order.file, loaded->revision, loaded->policy_hash,
		pin_note(loaded->config, pinned), keeper->order.file, keeper->config_file);
	log_info("shadow: %s is promoted, revision %u", keeper->order.file, loaded->revision);
	forget(keeper);
	note(keeper->note, "%s", said);
}
