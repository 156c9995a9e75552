/* exception_book.h - the exceptions of the running program: made, ended, expired, used, and kept in
 * the state directory, so that a restart finds them again. Used by the main thread alone; what is
 * in force goes out as sets (rules/exceptions.h) that others read. Writes small files; every change
 * is a line in the log. */
#ifndef PROXY_EXCEPTIONS_EXCEPTION_BOOK_H
#define PROXY_EXCEPTIONS_EXCEPTION_BOOK_H

#include "rules/exceptions.h"

enum {
	EXCEPTION_FOR_MIN_S = 1,
	EXCEPTION_FOR_MAX_S = 30 * 24 * 60 * 60,
	EXCEPTION_NOTED_EVERY_S = 60, /* use of one exception, in the log */
};

struct exception_book;

struct exception_book_parts {
	const char *state_directory; /* "": nothing is kept. Copied. */
	int64_t now_s;
	/* The set in force has become another one; takes a reference of its own if it keeps it.
	 * Also called for what an earlier run kept, even when that is nothing. */
	void (*publish)(void *context, struct exceptions *exceptions);
	void *context;
};

/* Takes up what an earlier run kept. NULL when out of memory. */
struct exception_book *exception_book_new(const struct exception_book_parts *parts);
void exception_book_free(struct exception_book *book); /* NULL is fine */

/* What came of a wish. */
struct exception_made {
	struct exception made;
	struct exception replaced; /* id 0: none */
	bool is_kept;              /* it will be there after a restart */
	int error;                 /* why not; 0: there is no state directory */
};

/* Makes one, of which action, kind, name (lower case), view, because and by are filled in, for
 * `for_s` seconds from now; one of the same name for the same view is replaced. It is in force when
 * this ends. 0; ERR_TOO_LONG (there are EXCEPTIONS_MAX); ERR_NO_MEMORY. */
int exception_book_add(struct exception_book *book, const struct exception *wanted, int64_t for_s,
	int64_t now_s, struct exception_made *made);

/* Ends one before its time; `ended` may be NULL. 0, -ENOENT or ERR_NO_MEMORY. */
int exception_book_end(struct exception_book *book, uint32_t id, const char *by, int64_t now_s,
	struct exception *ended);

/* Why a restart would not bring what is in force, as the disk took nothing; 0: it would. */
int exception_book_behind(const struct exception_book *book);

/* Takes leave of those whose time is over, and tries again to keep what could not be kept; to be
 * called every second. (Queries know by themselves.) */
void exception_book_tick(struct exception_book *book, int64_t now_s);

/* A query was decided by it. */
void exception_book_use(struct exception_book *book, uint32_t id, int64_t now_s);

/* Those in force, by id; lives until the next call that changes something. */
const struct exceptions *exception_book_set(const struct exception_book *book);
/* Seconds since 1970; 0: not used in this run. */
int64_t exception_book_used_s(const struct exception_book *book, uint32_t id);

#endif
