/* error.h - what can go wrong, as values.
 * Functions that can fail return 0 or one of these (negative). System errors are -errno, so that
 * libuv's codes pass through untouched; ours start far below them. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <errno.h>

enum {
	ERR_NONE = 0,
	ERR_NO_MEMORY = -ENOMEM,
	ERR_INVALID = -EINVAL,
	ERR_TIMEOUT = -ETIMEDOUT,
	ERR_MALFORMED = -20001,   /* bytes that do not follow their format */
	ERR_TOO_LONG = -20002,    /* over a limit that the caller or a protocol sets */
	ERR_UNREACHABLE = -20003, /* nobody to ask */
	ERR_BUSY = -20004,        /* a table is full; nothing was taken */
	ERR_TLS = -20005,         /* the TLS library refused; it was logged with its reason */
	ERR_CLOSED = -20006,      /* the other side ended it in good order */
};

/* A short English text for any of the above and for -errno. Never NULL. */
const char *error_text(int error);

/* The same for a file that could not be opened for reading, told apart from one whose owner and
 * mode forbid it: one that this program has put out of its own reach (Landlock). */
const char *error_text_of_file(int error, const char *path);

#endif
