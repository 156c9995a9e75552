#include "proxy/exceptions/exception_book.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/utc.h"
#include "proxy/exceptions/exceptions_text.h"
#include "proxy/lists/list_file.h"

enum { RETRY_S = 5 };

/* When each was used, beside the set. */
struct use {
	uint32_t id;
	int64_t last_s;
	int64_t noted_s; /* in the log; 0: not yet */
};

struct exception_book {
	struct exceptions *set; /* never NULL */
	uint32_t next_id;
	char *state_directory;
	int behind;      /* why the disk does not have what is in force; 0: it has */
	int64_t tried_s; /* when that was found out last */
	struct use uses[EXCEPTIONS_MAX];
	void (*publish)(void *context, struct exceptions *exceptions);
	void *context;
};

/* ---- what is said of one ---- */

enum { SAID_MAX = DNS_NAME_TEXT_MAX + EXCEPTION_VIEW_MAX + 64 };

/* "exception 7 (ALLOW a.example. and below, view lan)" */
static void say(char text[SAID_MAX], const struct exception *exception)
{
	char name[DNS_NAME_TEXT_MAX];
	snprintf(text, SAID_MAX, "exception %u (%s %s%s, %s%s)", exception->id,
		action_name(exception->action),
		dns_name_text(dns_name_slice(&exception->name), name),
		exception->kind == PATTERN_EXACT ? "" : " and below",
		*exception->view ? "view " : "every view", exception->view);
}

static void log_made(const struct exception *exception)
{
	char said[SAID_MAX], until[24];
	struct writer to = writer_of(until, sizeof until - 1);
	utc_write(&to, exception->until_s);
	until[to.len] = '\0';
	say(said, exception);
	log_info("%s: made by %s until %s: %s", said, exception->by, until, exception->because);
}

static void log_event(const struct exception *exception, const char *what, const char *who)
{
	char said[SAID_MAX];
	say(said, exception);
	log_info("%s: %s%s", said, what, who);
}

/* ---- the file ---- */

static bool path_of(const struct exception_book *book, const char *file, char path[PATH_MAX])
{
	int len = snprintf(path, PATH_MAX, "%s/%s", book->state_directory, file);
	return len > 0 && len < PATH_MAX;
}

static int write_file(const struct exception_book *book, struct slice bytes)
{
	char aside[PATH_MAX], path[PATH_MAX];
	if (!path_of(book, "exceptions.new", aside) || !path_of(book, "exceptions", path))
		return -ENAMETOOLONG;
	if (mkdir(book->state_directory, 0750) < 0 && errno != EEXIST)
		return -errno;
	int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	int error = file_write_all(fd, bytes);
	if (!error && fsync(fd) < 0)
		error = -errno;
	if (close(fd) < 0 && !error)
		error = -errno;
	if (!error && rename(aside, path) < 0)
		error = -errno;
	if (error)
		unlink(aside);
	else
		file_sync_directory_of(path);
	return error;
}

/* Without a word: see keep(). */
static int put_on_disk(const struct exception_book *book)
{
	struct bytes text;
	size_t count;
	const struct exception *all = exceptions_all(book->set, &count);
	if (!*book->state_directory)
		return 0;
	bytes_init(&text, EXCEPTIONS_TEXT_MAX);
	int error = exceptions_text_write(&text, all, count, book->next_id)
		? write_file(book, bytes_peek(&text))
		: ERR_NO_MEMORY;
	bytes_deinit(&text);
	return error;
}

/* What does not go on the disk now is tried again by and by: a full one has room some day. */
static int keep(struct exception_book *book, int64_t now_s)
{
	int before = book->behind;
	book->behind = put_on_disk(book);
	book->tried_s = now_s;
	if (book->behind && book->behind != before)
		log_error("exceptions: cannot be kept in %s: %s", book->state_directory,
			error_text(book->behind));
	if (!book->behind && before)
		log_info("exceptions: are kept in %s again", book->state_directory);
	return book->behind;
}

/* The clock may have been set back meanwhile. */
static bool is_time_to_try(const struct exception_book *book, int64_t now_s)
{
	return book->behind && (now_s < book->tried_s || now_s - book->tried_s >= RETRY_S);
}

/* ---- the set ---- */

/* Takes it over, and tells. */
static void put_into_force(struct exception_book *book, struct exceptions *set)
{
	exceptions_unref(book->set);
	book->set = set;
	book->publish(book->context, set);
}

/* Those of `all` but one, and one more (NULL: none). */
static struct exceptions *changed(
	const struct exception_book *book, uint32_t without, const struct exception *with)
{
	size_t count, kept = 0;
	const struct exception *all = exceptions_all(book->set, &count);
	struct exception *at = malloc((count + 1) * sizeof *at);
	if (!at)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (all[i].id != without)
			at[kept++] = all[i];
	if (with)
		at[kept++] = *with;
	struct exceptions *set = exceptions_new(at, kept);
	free(at);
	return set;
}

static const struct exception *find_alike(
	const struct exception_book *book, const struct exception *wanted)
{
	size_t count;
	const struct exception *all = exceptions_all(book->set, &count);
	for (size_t i = 0; i < count; i++)
		if (slice_equals(dns_name_slice(&all[i].name), dns_name_slice(&wanted->name)) &&
			strcmp(all[i].view, wanted->view) == 0)
			return &all[i];
	return NULL;
}

int exception_book_add(struct exception_book *book, const struct exception *wanted, int64_t for_s,
	int64_t now_s, struct exception_made *made)
{
	size_t count;
	exception_book_tick(book, now_s); /* makes room */
	exceptions_all(book->set, &count);
	const struct exception *alike = find_alike(book, wanted);
	if (count == EXCEPTIONS_MAX && !alike)
		return ERR_TOO_LONG;
	*made = (struct exception_made){ .made = *wanted };
	if (alike)
		made->replaced = *alike;
	made->made.id = book->next_id;
	made->made.made_s = now_s;
	made->made.until_s = now_s + for_s;
	struct exceptions *set = changed(book, made->replaced.id, &made->made);
	if (!set)
		return ERR_NO_MEMORY;
	book->next_id++;
	put_into_force(book, set);
	if (alike)
		log_event(&made->replaced, "replaced", "");
	log_made(&made->made);
	made->error = keep(book, now_s);
	made->is_kept = *book->state_directory && !made->error;
	return 0;
}

static int take_away(struct exception_book *book, const struct exception *one)
{
	struct exceptions *set = changed(book, one->id, NULL);
	if (!set)
		return ERR_NO_MEMORY;
	put_into_force(book, set);
	return 0;
}

int exception_book_end(struct exception_book *book, uint32_t id, const char *by, int64_t now_s,
	struct exception *ended)
{
	exception_book_tick(book, now_s);
	const struct exception *found = exceptions_by_id(book->set, id);
	if (!found)
		return -ENOENT;
	struct exception one = *found;
	int error = take_away(book, &one);
	if (error)
		return error;
	log_event(&one, "ended by ", by);
	keep(book, now_s);
	if (ended)
		*ended = one;
	return 0;
}

static const struct exception *find_over(const struct exception_book *book, int64_t now_s)
{
	size_t count;
	const struct exception *all = exceptions_all(book->set, &count);
	for (size_t i = 0; i < count; i++)
		if (all[i].until_s <= now_s)
			return &all[i];
	return NULL;
}

void exception_book_tick(struct exception_book *book, int64_t now_s)
{
	bool any = false;
	for (const struct exception *over; (over = find_over(book, now_s)) != NULL;) {
		struct exception one = *over;
		if (take_away(book, &one) != 0)
			return; /* the next tick tries again; queries know by themselves */
		log_event(&one, "its time is over", "");
		any = true;
	}
	if (any || is_time_to_try(book, now_s))
		keep(book, now_s);
}

/* ---- uses ---- */

static struct use *use_of(struct exception_book *book, uint32_t id)
{
	struct use *oldest = &book->uses[0];
	for (size_t i = 0; i < EXCEPTIONS_MAX; i++) {
		if (book->uses[i].id == id)
			return &book->uses[i];
		if (book->uses[i].last_s < oldest->last_s)
			oldest = &book->uses[i];
	}
	*oldest = (struct use){ .id = id };
	return oldest;
}

/* Of one that ended meanwhile nothing is said. */
void exception_book_use(struct exception_book *book, uint32_t id, int64_t now_s)
{
	const struct exception *exception = exceptions_by_id(book->set, id);
	if (!exception)
		return;
	struct use *use = use_of(book, id);
	use->last_s = now_s;
	if (use->noted_s && now_s - use->noted_s < EXCEPTION_NOTED_EVERY_S)
		return;
	log_event(exception, use->noted_s ? "is used" : "is used for the first time", "");
	use->noted_s = now_s;
}

int64_t exception_book_used_s(const struct exception_book *book, uint32_t id)
{
	for (size_t i = 0; i < EXCEPTIONS_MAX; i++)
		if (book->uses[i].id == id)
			return book->uses[i].last_s;
	return 0;
}

int exception_book_behind(const struct exception_book *book)
{
	return book->behind;
}

const struct exceptions *exception_book_set(const struct exception_book *book)
{
	return book->set;
}

/* ---- birth and death ---- */

static void tell_taken_up(
	const struct exception_book *book, const struct exceptions_kept *kept, int64_t now_s)
{
	size_t count;
	const struct exception *all = exceptions_all(book->set, &count);
	if (kept->left_out)
		log_error("exceptions: %zu in %s are not understood and left out", kept->left_out,
			book->state_directory);
	for (size_t i = 0; i < kept->count; i++)
		if (kept->at[i].until_s <= now_s)
			log_event(&kept->at[i], "its time was over before the start", "");
	for (size_t i = 0; i < count; i++)
		log_event(&all[i], "is still in force", "");
}

static void take_up(struct exception_book *book, const struct exceptions_kept *kept, int64_t now_s)
{
	struct exception *at = malloc((kept->count + 1) * sizeof *at);
	size_t count = 0;
	for (size_t i = 0; at && i < kept->count; i++)
		if (kept->at[i].until_s > now_s)
			at[count++] = kept->at[i];
	struct exceptions *set = at ? exceptions_new(at, count) : NULL;
	free(at);
	book->next_id = kept->next_id;
	if (!set)
		return;
	exceptions_unref(book->set);
	book->set = set;
	tell_taken_up(book, kept, now_s);
}

static void read_kept(struct exception_book *book, int64_t now_s)
{
	char path[PATH_MAX];
	struct slice text;
	struct exceptions_kept *kept = malloc(sizeof *kept);
	int error = kept ? 0 : ERR_NO_MEMORY;
	if (!error)
		error = path_of(book, "exceptions", path)
			? list_file_read(path, EXCEPTIONS_TEXT_MAX, &text)
			: -ENAMETOOLONG;
	if (!error) {
		if (!exceptions_text_read(kept, text))
			log_error("exceptions: %s is damaged: what can be read of it is taken up",
				path);
		free((void *)(uintptr_t)text.at);
		take_up(book, kept, now_s);
	} else if (error != -ENOENT) {
		log_error("exceptions: what was kept in %s cannot be read: %s",
			book->state_directory, error_text(error));
	}
	free(kept);
}

struct exception_book *exception_book_new(const struct exception_book_parts *parts)
{
	struct exception_book *book = calloc(1, sizeof *book);
	if (!book)
		return NULL;
	book->next_id = 1;
	book->publish = parts->publish;
	book->context = parts->context;
	book->state_directory = strdup(parts->state_directory);
	book->set = exceptions_new(NULL, 0);
	if (!book->state_directory || !book->set) {
		exception_book_free(book);
		return NULL;
	}
	if (*book->state_directory)
		read_kept(book, parts->now_s);
	book->publish(book->context, book->set);
	return book;
}

void exception_book_free(struct exception_book *book)
{
	if (!book)
		return;
	exceptions_unref(book->set);
	free(book->state_directory);
	free(book);
}
