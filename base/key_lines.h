/* key_lines.h - texts of lines "KEY VALUE" behind a first line that says what they are: how the
 * program keeps things for its next run, so that people can read them as well. A value is all
 * behind the first space, up to the end of the line, and may be empty. What a key means, and what
 * is made of one that is not known, is the caller's business. Pure. */
#ifndef BASE_KEY_LINES_H
#define BASE_KEY_LINES_H

#include "base/bytes.h"

/* Writing: false when the text has become longer than the queue may be, or there is no memory. */

/* A line as it is. */
bool key_lines_put_line(struct bytes *to, const char *line);

/* Control characters become spaces: a line break within the value would be another line. */
bool key_lines_put(struct bytes *to, const char *key, const char *value);
bool key_lines_put_number(struct bytes *to, const char *key, int64_t number);

/* Reading. Lines and values point into the text. */

struct key_line {
	struct slice key;
	struct slice value;
};

/* Takes the first line off; false, and nothing taken, when it is another one or has no end. */
bool key_lines_begin(struct slice *text, const char *first);

/* Takes the next line off `text`, which must not be empty. The last one may lack its line break. */
struct key_line key_lines_next(struct slice *text);

/* Values; false when they are not of that kind, and `to` is as it was. */

/* With the NUL behind it; false when it has no room, or a NUL in it. */
bool key_lines_text(char *to, size_t size, struct slice value);

/* Decimal digits, 1 to 18 of them, so that it fits; no sign. */
bool key_lines_number(int64_t *to, struct slice value);

#endif
