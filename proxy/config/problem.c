#include "proxy/config/problem.h"

#include <stdarg.h>
#include <stdio.h>

enum { MESSAGE_MAX = 2048, WORD_SHOWN_MAX = 64, SUGGESTION_WORD_MAX = 64 };

__attribute__((format(printf, 5, 0))) static void tell(struct config_errors *errors,
	const char *file, unsigned line, const char *path, const char *format, va_list arguments)
{
	char message[MESSAGE_MAX];
	if (++errors->count > PROBLEMS_MAX + 1)
		return;
	vsnprintf(message, sizeof message, format, arguments);
	if (errors->count > PROBLEMS_MAX)
		errors->on_error(errors->context, file, 0, "", "more errors are not shown");
	else
		errors->on_error(errors->context, file, line, path, message);
}

void problem_at(struct config_errors *errors, const char *file, unsigned line, const char *path,
	const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	tell(errors, file, line, path, format, arguments);
	va_end(arguments);
}

void problem_in(
	struct config_errors *errors, const struct setting *setting, const char *format, ...)
{
	struct setting_path path;
	va_list arguments;
	va_start(arguments, format);
	tell(errors, setting->file, setting->line, setting_path(setting, &path), format, arguments);
	va_end(arguments);
}

const char *word_quote(struct quoted_word *word, const char *text, size_t len)
{
	struct writer to = writer_of(word->text, sizeof word->text - 6); /* ..., quote, NUL */
	static const char hex[] = "0123456789abcdef";
	size_t shown = 0;
	writer_u8(&to, '"');
	for (; shown < len && to.len + 4 <= WORD_SHOWN_MAX; shown++) {
		uint8_t byte = (uint8_t)text[shown];
		if (byte >= 0x20 && byte < 0x7f) {
			writer_u8(&to, byte);
			continue;
		}
		writer_text(&to, "\\x");
		writer_u8(&to, (uint8_t)hex[byte >> 4]);
		writer_u8(&to, (uint8_t)hex[byte & 15]);
	}
	to.capacity = sizeof word->text;
	writer_text(&to, shown < len ? "...\"" : "\"");
	writer_u8(&to, '\0');
	return word->text;
}

const char *place_text(
	struct place_text *place, const char *file, unsigned line, const char *seen_from)
{
	if (strcmp(file, seen_from) == 0)
		snprintf(place->text, sizeof place->text, "line %u", line);
	else
		snprintf(place->text, sizeof place->text, "line %u of %s", line, file);
	return place->text;
}

static unsigned least_of(unsigned a, unsigned b, unsigned c)
{
	unsigned least = a < b ? a : b;
	return least < c ? least : c;
}

/* Optimal string alignment without regard to case: insertions, deletions, changes, and two
 * neighbours swapped, each one edit. */
static unsigned edit_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned rows[3][SUGGESTION_WORD_MAX + 1];
	unsigned *before = rows[0], *above = rows[1], *row = rows[2];
	for (unsigned j = 0; j <= b_len; j++)
		above[j] = j;
	for (unsigned i = 1; i <= a_len; i++) {
		row[0] = i;
		for (unsigned j = 1; j <= b_len; j++) {
			uint8_t from = dns_lower((uint8_t)a[i - 1]);
			uint8_t to = dns_lower((uint8_t)b[j - 1]);
			row[j] =
				least_of(above[j] + 1, row[j - 1] + 1, above[j - 1] + (from != to));
			bool swapped = i > 1 && j > 1 && from == dns_lower((uint8_t)b[j - 2]) &&
				to == dns_lower((uint8_t)a[i - 2]);
			if (swapped && before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		unsigned *oldest = before;
		before = above;
		above = row;
		row = oldest;
	}
	return above[b_len];
}

struct suggestion suggestion_for(const char *wrong)
{
	size_t len = strlen(wrong);
	/* A third of the letters may be wrong; beyond that a guess is no help. */
	return (struct suggestion){ .wrong = wrong, .distance = (unsigned)(len + 2) / 3 + 1 };
}

void suggestion_offer(struct suggestion *suggestion, const char *candidate)
{
	size_t wrong_len = strlen(suggestion->wrong);
	size_t len = strlen(candidate);
	if (!wrong_len || !len || wrong_len > SUGGESTION_WORD_MAX || len > SUGGESTION_WORD_MAX)
		return;
	unsigned distance = edit_distance(suggestion->wrong, wrong_len, candidate, len);
	if (distance >= suggestion->distance || distance >= len)
		return;
	suggestion->distance = distance;
	suggestion->best = candidate;
}

const char *suggestion_hint(const struct suggestion *suggestion, struct hint *hint)
{
	hint->text[0] = '\0';
	if (suggestion->best)
		snprintf(hint->text, sizeof hint->text, "; did you mean %s?",
			QUOTED(suggestion->best));
	return hint->text;
}
