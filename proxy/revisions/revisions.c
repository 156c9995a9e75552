#include "proxy/revisions/revisions.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/directory.h"
#include "base/error.h"
#include "base/log.h"
#include "proxy/config/problem.h"
#include "proxy/lists/list_file.h"
#include "proxy/lists/list_state.h"

static const char folder[] = "revisions";

enum { FILE_MAX = 16 * 1024 * 1024, DEPTH_MAX = 16, SMALL_MAX = 64 * 1024 };

/* ---- paths ---- */

static bool is_room(int len)
{
	return len > 0 && len < PATH_MAX;
}

static bool path_of(char *path, const char *state_directory, const char *file)
{
	return is_room(snprintf(path, PATH_MAX, "%s/%s/%s", state_directory, folder, file));
}

bool revisions_path(char *path, const char *state_directory, uint32_t number, const char *inside)
{
	return is_room(snprintf(path, PATH_MAX, "%s/%s/%08u%s%s", state_directory, folder, number,
		*inside ? "/" : "", inside));
}

static int make_directory(const char *path)
{
	return mkdir(path, 0750) < 0 && errno != EEXIST ? -errno : 0;
}

/* The directories above a file, from `from` bytes on. */
static int make_directories(char *path, size_t from)
{
	for (char *slash = path + from; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		int error = make_directory(path);
		*slash = '/';
		if (error)
			return error;
	}
	return 0;
}

/* Everything under a path; what is in it was made by us, and links are not followed. */
static void remove_tree(const char *path, unsigned depth)
{
	char inner[PATH_MAX];
	DIR *directory = depth < DEPTH_MAX ? directory_open(path) : NULL;
	for (struct dirent *entry; directory && (entry = readdir(directory));) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
			!is_room(snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name)))
			continue;
		if (unlink(inner) < 0)
			remove_tree(inner, depth + 1);
	}
	if (directory)
		closedir(directory);
	rmdir(path);
}

/* ---- what is there ---- */

static bool read_number(const char *name, uint32_t *number)
{
	*number = 0;
	for (const char *at = name; *at; at++) {
		if (*at < '0' || *at > '9' || *number > UINT32_MAX / 10 - 1)
			return false;
		*number = *number * 10 + (uint32_t)(*at - '0');
	}
	return *number > 0 && strlen(name) >= 8;
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
	return (one > other) - (one < other);
}

size_t revisions_numbers(const char *state_directory, uint32_t *numbers)
{
	char path[PATH_MAX];
	size_t count = 0;
	DIR *directory = path_of(path, state_directory, "") ? directory_open(path) : NULL;
	if (!directory)
		return 0;
	for (struct dirent *entry; count <= REVISIONS_MAX && (entry = readdir(directory));)
		count += read_number(entry->d_name, &numbers[count]);
	closedir(directory);
	qsort(numbers, count, sizeof *numbers, compare_numbers);
	return count;
}

bool revisions_read(const char *state_directory, uint32_t number, struct revision *revision)
{
	char path[PATH_MAX];
	struct slice text;
	memset(revision, 0, sizeof *revision);
	if (!revisions_path(path, state_directory, number, "revision") ||
		list_file_read(path, REVISION_TEXT_MAX, &text))
		return false;
	bool good = revision_read(revision, text);
	free((void *)(uintptr_t)text.at);
	if (good && revision->number == number)
		return true;
	revision_deinit(revision);
	return false;
}

static bool read_newest(const char *state_directory, struct revision *revision)
{
	uint32_t numbers[REVISIONS_MAX + 1];
	size_t count = revisions_numbers(state_directory, numbers);
	while (count > 0)
		if (revisions_read(state_directory, numbers[--count], revision))
			return true;
	return false;
}

bool revisions_newest_hash(const char *state_directory, char hash[REVISION_HASH_MAX])
{
	struct revision newest;
	if (!*state_directory || !read_newest(state_directory, &newest))
		return false;
	memcpy(hash, newest.policy_hash, REVISION_HASH_MAX);
	revision_deinit(&newest);
	return true;
}

static int read_small(const char *state_directory, const char *name, struct slice *text)
{
	char path[PATH_MAX];
	if (!path_of(path, state_directory, name))
		return -ENAMETOOLONG;
	return list_file_read(path, SMALL_MAX, text);
}

static uint32_t last_used(const char *state_directory)
{
	struct slice text;
	char digits[16];
	unsigned long number = 0;
	if (read_small(state_directory, "last", &text) != 0)
		return 0;
	if (text.len < sizeof digits) {
		memcpy(digits, text.at, text.len);
		digits[text.len] = '\0';
		number = strtoul(digits, NULL, 10);
	}
	free((void *)(uintptr_t)text.at);
	return number < UINT32_MAX ? (uint32_t)number : 0;
}

uint32_t revisions_next(const char *state_directory, const char *policy_hash)
{
	struct revision newest;
	uint32_t last = last_used(state_directory);
	if (!read_newest(state_directory, &newest))
		return last + 1;
	bool is_same = strcmp(newest.policy_hash, policy_hash) == 0 && newest.number >= last;
	uint32_t number = newest.number;
	revision_deinit(&newest);
	if (is_same)
		return number;
	return (last > number ? last : number) + 1;
}

static int write_small(const char *state_directory, const char *name, struct slice bytes)
{
	char path[PATH_MAX];
	if (!path_of(path, state_directory, name))
		return -ENAMETOOLONG;
	int error = make_directories(path, strlen(state_directory));
	return error ? error : list_file_write(path, bytes);
}

int revisions_note(const char *state_directory, uint32_t number)
{
	char digits[16];
	int len = snprintf(digits, sizeof digits, "%u\n", number);
	if (last_used(state_directory) == number)
		return 0;
	return write_small(state_directory, "last", slice_of((uint8_t *)digits, (size_t)len));
}

/* ---- keeping ---- */

static bool is_as_loaded(const struct config_file *file, struct slice bytes)
{
	XXH128_hash_t hash = XXH3_128bits(bytes.at, bytes.len);
	return hash.low64 == file->hash[0] && hash.high64 == file->hash[1];
}

static int copy_file(const char *from, char *to, size_t base, const struct config_file *file)
{
	struct slice bytes;
	int error = list_file_read(from, FILE_MAX, &bytes);
	if (error)
		return error;
	error = is_as_loaded(file, bytes) ? make_directories(to, base) : ERR_INVALID;
	if (!error)
		error = list_file_write(to, bytes);
	free((void *)(uintptr_t)bytes.at);
	return error;
}

/* What a file names with ".." would leave the copies' directory. */
static bool stays_inside(const char *path)
{
	if (*path == '/' || *path == '\0')
		return false;
	for (const char *at = path; at; at = strchr(at, '/')) {
		at += *at == '/';
		if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || at[2] == '\0'))
			return false;
	}
	return true;
}

static int copy_files(const char *directory, const struct revisions_item *item)
{
	const struct config *config = item->config;
	const char *here = item->copies ? item->copies : config->directory;
	char from[PATH_MAX], to[PATH_MAX];
	int error = config->file_count ? 0 : ERR_INVALID;
	for (size_t i = 0; i < config->file_count && !error; i++) {
		const struct config_file *file = &config->files[i];
		if (!stays_inside(file->path) ||
			!is_room(snprintf(from, sizeof from, "%s/%s", here, file->path)) ||
			!is_room(snprintf(to, sizeof to, "%s/config/%s", directory, file->path)))
			return ERR_INVALID;
		error = copy_file(from, to, strlen(directory), file);
	}
	return error;
}

static bool is_image(const char *path, const struct image *image)
{
	const char *why;
	struct image_file *file = image_file_open(path, &why);
	bool same = file && memcmp(image_hash(file->image), image_hash(image), IMAGE_HASH_LEN) == 0;
	image_file_unref(file);
	return same;
}

static bool image_path(char *path, const char *state_directory, const struct config *config)
{
	if (config->lists_image)
		return is_room(snprintf(path, PATH_MAX, "%s", config->lists_image));
	return list_state_file(path, state_directory, "lists.image");
}

static int keep_image(
	const char *directory, const char *state_directory, const struct revisions_item *item)
{
	char from[PATH_MAX], to[PATH_MAX];
	const struct image *image = item->lists->file->image;
	if (!image_path(from, state_directory, item->config) ||
		!list_state_file(to, directory, "lists.image"))
		return -ENAMETOOLONG;
	if (link(from, to) == 0) {
		if (is_image(to, image))
			return 0;
		unlink(to);
	}
	return list_file_write(to, image_bytes(image));
}

static void note_list(struct revision_list *to, const struct lists *lists, size_t i)
{
	snprintf(to->name, sizeof to->name, "%s", lists->items[i].name);
	if (lists->numbers[i] == POLICY_NO_ID)
		return;
	const struct image_list *list = image_list(lists->file->image, lists->numbers[i]);
	for (size_t n = 0; n < IMAGE_HASH_LEN; n++)
		snprintf(to->hash + 2 * n, 3, "%02x", list->hash[n]);
	to->entries = list->entry_count;
}

static bool describe(struct revision *to, const struct revisions_item *item)
{
	const struct lists *lists = item->lists;
	char *here = realpath(item->config->directory, NULL);
	memset(to, 0, sizeof *to);
	to->number = item->number;
	to->time_s = item->time_s;
	snprintf(to->policy_hash, sizeof to->policy_hash, "%s", item->policy_hash);
	snprintf(to->config_hash, sizeof to->config_hash, "%s", item->config->hash);
	snprintf(to->file, sizeof to->file, "%s", item->config->file);
	snprintf(to->directory, sizeof to->directory, "%s", here ? here : item->config->directory);
	snprintf(to->version, sizeof to->version, "%s", list_state_version());
	snprintf(to->why, sizeof to->why, "%s", item->why);
	free(here);
	to->lists = calloc(lists->count + 1, sizeof *to->lists);
	to->list_count = to->lists ? lists->count : 0;
	for (size_t i = 0; i < to->list_count; i++)
		note_list(&to->lists[i], lists, i);
	return to->lists != NULL;
}

static int write_description(const char *directory, const struct revisions_item *item)
{
	char path[PATH_MAX];
	struct revision revision;
	struct bytes text;
	bytes_init(&text, REVISION_TEXT_MAX);
	bool good = list_state_file(path, directory, "revision") && describe(&revision, item);
	int error = good ? 0 : ERR_NO_MEMORY;
	if (good && !revision_write(&text, &revision))
		error = ERR_NO_MEMORY;
	if (!error)
		error = list_file_write(path, bytes_peek(&text));
	if (good)
		revision_deinit(&revision);
	bytes_deinit(&text);
	return error;
}

static int write_whole(
	const char *directory, const char *state_directory, const struct revisions_item *item)
{
	int error = make_directory(directory);
	if (!error)
		error = copy_files(directory, item);
	if (!error)
		error = keep_image(directory, state_directory, item);
	if (!error)
		error = write_description(directory, item);
	return error;
}

static void prune(const char *state_directory, size_t keep)
{
	uint32_t numbers[REVISIONS_MAX + 1];
	char path[PATH_MAX];
	struct revision_pin pin = { .number = 0 };
	size_t count = revisions_numbers(state_directory, numbers);
	revisions_pinned(state_directory, &pin);
	for (size_t i = 0; i + keep < count; i++)
		if (numbers[i] != pin.number &&
			revisions_path(path, state_directory, numbers[i], ""))
			remove_tree(path, 0);
}

static bool is_newest(const char *state_directory, const struct revisions_item *item)
{
	struct revision newest;
	if (!read_newest(state_directory, &newest))
		return false;
	bool same =
		strcmp(newest.policy_hash, item->policy_hash) == 0 && newest.number == item->number;
	revision_deinit(&newest);
	return same;
}

int revisions_keep(const char *state_directory, const struct revisions_item *item)
{
	char aside[PATH_MAX], path[PATH_MAX];
	if (!*state_directory || item->config->revisions == 0 || is_newest(state_directory, item))
		return 0;
	if (!path_of(aside, state_directory, "new") ||
		!revisions_path(path, state_directory, item->number, ""))
		return -ENAMETOOLONG;
	remove_tree(aside, 0); /* of a run that was killed */
	int error = make_directories(aside, strlen(state_directory));
	if (!error)
		error = write_whole(aside, state_directory, item);
	if (!error && rename(aside, path) < 0)
		error = -errno;
	if (error)
		remove_tree(aside, 0);
	else
		prune(state_directory, item->config->revisions);
	return error;
}

/* ---- the pin ---- */

bool revisions_pinned(const char *state_directory, struct revision_pin *pin)
{
	struct slice text;
	if (!*state_directory || read_small(state_directory, "pin", &text) != 0)
		return false;
	bool good = revision_pin_read(pin, text);
	free((void *)(uintptr_t)text.at);
	if (!good)
		log_warning("revisions: %s/%s/pin is damaged: nothing is pinned", state_directory,
			folder);
	return good;
}

/* Where nothing is pinned, a disk that cannot be written to is no harm. */
static int let_go(const char *path)
{
	int error = unlink(path) < 0 ? -errno : 0;
	return error && access(path, F_OK) < 0 && errno == ENOENT ? 0 : error;
}

int revisions_pin(const char *state_directory, const struct revision_pin *pin)
{
	char path[PATH_MAX];
	struct bytes text;
	if (!path_of(path, state_directory, "pin"))
		return -ENAMETOOLONG;
	if (!pin)
		return let_go(path);
	bytes_init(&text, SMALL_MAX);
	int error = revision_pin_write(&text, pin)
		? write_small(state_directory, "pin", bytes_peek(&text))
		: ERR_NO_MEMORY;
	bytes_deinit(&text);
	return error;
}

/* ---- back again ---- */

/* Does the name still lead to the directory that it led to? */
static bool leads_there(const char *file, const char *name, const char *directory)
{
	char above[PATH_MAX], real[PATH_MAX];
	size_t len = (size_t)(name - file);
	if (len >= sizeof above)
		return false;
	memcpy(above, file, len);
	above[len] = '\0';
	return realpath(len ? above : ".", real) && strcmp(real, directory) == 0;
}

/* The name by which the files are told, and from which relative paths lead: as it was given, so
 * that paths are spelled as those in force are. */
static bool original_path(char *path, const struct revision *revision)
{
	const char *slash = strrchr(revision->file, '/');
	const char *name = slash ? slash + 1 : revision->file;
	if (leads_there(revision->file, name, revision->directory))
		return is_room(snprintf(path, PATH_MAX, "%s", revision->file));
	return *name && *revision->directory &&
		is_room(snprintf(path, PATH_MAX, "%s/%s", revision->directory, name));
}

struct config *revisions_load(
	const char *state_directory, uint32_t number, struct config_errors *errors)
{
	char file[PATH_MAX], copies[PATH_MAX], image[PATH_MAX];
	struct revision revision;
	struct config *config = NULL;
	bool good = revisions_read(state_directory, number, &revision);
	if (good && original_path(file, &revision) &&
		revisions_path(copies, state_directory, number, "config") &&
		revisions_path(image, state_directory, number, "lists.image"))
		config = config_load_copies(file, copies, errors);
	else
		problem_at(errors, state_directory, 0, "",
			"revision %u is not kept, or damaged: `namegate revisions` lists those "
			"that are",
			number);
	if (good)
		revision_deinit(&revision);
	if (!config)
		return NULL;
	config->lists_image = arena_text(&config->memory, image);
	if (config->lists_image)
		return config;
	config_free(config);
	return NULL;
}
