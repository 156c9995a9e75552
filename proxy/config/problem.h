/* problem.h - tells what is wrong with a configuration: where, which word, and a hint.
 * Every problem is told; nothing stops at the first. Messages are lower case, without a full stop.
 */
#ifndef PROXY_CONFIG_PROBLEM_H
#define PROXY_CONFIG_PROBLEM_H

#include "proxy/config.h"
#include "proxy/config/setting.h"

/* More than this nobody reads; the last one told says that there are more. */
enum { PROBLEMS_MAX = 1000 };

__attribute__((format(printf, 5, 6))) void problem_at(struct config_errors *errors,
	const char *file, unsigned line, const char *path, const char *format, ...);

/* About a setting: its file, line and path. */
__attribute__((format(printf, 3, 4))) void problem_in(
	struct config_errors *errors, const struct setting *setting, const char *format, ...);

/* A word of the user's between quotation marks, cut when long, with every byte that a terminal
 * could take for more than a letter written as \xNN. */
struct quoted_word {
	char text[96];
};
const char *word_quote(struct quoted_word *word, const char *text, size_t len);
#define QUOTED(word) word_quote(&(struct quoted_word){ .text = "" }, (word), strlen(word))

/* "line 4", or "line 4 of part.conf" when that is another file than the one `seen_from` is in. */
struct place_text {
	char text[320];
};
const char *place_text(
	struct place_text *place, const char *file, unsigned line, const char *seen_from);
#define LINE_OF(setting, seen_from)                                                                \
	place_text(&(struct place_text){ .text = "" }, (setting)->file, (setting)->line,           \
		(seen_from)->file)

/* Finds what a misspelled word may have been meant to be: offer every candidate, then ask. */
struct suggestion {
	const char *wrong;
	const char *best;
	unsigned distance; /* of `best`, in edits */
};
struct suggestion suggestion_for(const char *wrong);
void suggestion_offer(struct suggestion *suggestion, const char *candidate);

/* `; did you mean "x"?`, or "" when nothing offered was close. */
struct hint {
	char text[160];
};
const char *suggestion_hint(const struct suggestion *suggestion, struct hint *hint);

#endif
