/* control_request.h - what is said over the control socket: one line of words, the verb first, and
 * lines back, the last of them "ok" or "error: TEXT":
 *
 *     flush below example.com.
 *
 *     12 entries flushed
 *     ok
 *
 * Words are printable ASCII; domain names stand in presentation form, which has no blank in it, and
 * the names of a configuration have other bytes as \DDD. Pure. */
#ifndef PROXY_CONTROL_CONTROL_REQUEST_H
#define PROXY_CONTROL_CONTROL_REQUEST_H

#include "base/writer.h"

enum {
	CONTROL_LINE_MAX = 4096, /* bytes of a request, its newline included */
	CONTROL_WORDS_MAX = 16,
	CONTROL_ANSWER_MAX = 65536, /* bytes of an answer in all */
};

#define CONTROL_NOBODY UINT32_MAX

struct control_request {
	uint32_t uid; /* the user who asks, as the kernel says; CONTROL_NOBODY until it is set */
	size_t count; /* at least 1 */
	struct slice words[CONTROL_WORDS_MAX];
};

/* Takes a line without its newline apart; words point into it. False when there is no word, too
 * many of them, or a byte that is neither printable nor a blank. */
bool control_request_read(struct control_request *request, struct slice line);

/* Any text as one word: a blank, a backslash and what is not printable as \DDD. */
void control_word_write(struct writer *to, struct slice text);

/* The way back, with a NUL at the end; false when it is no such word, a NUL is in it, or it is too
 * long for `size` bytes. */
bool control_word_read(struct slice word, char *text, size_t size);

#endif
