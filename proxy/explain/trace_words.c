#include "proxy/explain/trace_words.h"

#include <stdlib.h>

#include "proxy/control/control_request.h"

static void write_text(struct writer *to, const char *text)
{
	if (!text)
		writer_u8(to, '-');
	else if (!*text)
		writer_u8(to, '=');
	else if ((*text == '-' || *text == '=') && !text[1])
		writer_text(to, *text == '-' ? "\\045" : "\\061");
	else
		control_word_write(to, slice_of_text(text));
}

static void write_time(struct writer *to, int64_t time_s)
{
	writer_decimal(to, time_s < 0 ? 0 : (uint64_t)time_s);
}

static void write_field(struct writer *to, const struct trace_field *field, const void *row)
{
	const char *at = (const char *)row + field->offset;
	switch (field->type) {
	case FIELD_NUMBER: writer_decimal(to, *(const uint32_t *)(const void *)at); break;
	case FIELD_TIME: write_time(to, *(const int64_t *)(const void *)at); break;
	case FIELD_BOOL: writer_decimal(to, *(const bool *)(const void *)at); break;
	default: write_text(to, *(const char *const *)(const void *)at); break;
	}
}

bool trace_words_write(struct writer *to, const struct trace *trace, size_t number)
{
	unsigned kind = 0;
	while (kind < TRACE_KINDS && number >= trace->rows[kind].count)
		number -= trace->rows[kind++].count;
	if (kind == TRACE_KINDS)
		return false;
	writer_decimal(to, kind);
	for (const struct trace_field *field = trace_table(kind)->fields; field->name; field++) {
		writer_u8(to, ' ');
		write_field(to, field, trace_row(trace, kind, number));
	}
	writer_u8(to, '\n');
	return true;
}

static struct slice take_word(struct slice *line)
{
	const uint8_t *end = line->len ? memchr(line->at, ' ', line->len) : NULL;
	size_t len = end ? (size_t)(end - line->at) : line->len;
	struct slice word = slice_of(line->at, len);
	size_t taken = end ? len + 1 : len;
	*line = slice_of(line->at + taken, line->len - taken);
	return word;
}

static bool read_number(struct slice word, uint64_t most, uint64_t *number)
{
	*number = 0;
	for (size_t i = 0; i < word.len; i++) {
		if (word.at[i] < '0' || word.at[i] > '9' || *number > most / 10)
			return false;
		*number = *number * 10 + (uint64_t)(word.at[i] - '0');
	}
	return word.len > 0 && *number <= most;
}

static bool read_text(struct trace *trace, struct slice word, const char **text)
{
	*text = NULL;
	if (slice_equals_text(word, "-"))
		return true;
	size_t size = slice_equals_text(word, "=") ? 1 : word.len + 2;
	char *copy = arena_take(&trace->memory, 1, size);
	*text = copy;
	return copy && (size == 1 || control_word_read(word, copy, size));
}

static bool read_field(
	struct trace *trace, const struct trace_field *field, struct slice word, void *row)
{
	char *at = (char *)row + field->offset;
	uint64_t number;
	switch (field->type) {
	case FIELD_NUMBER:
		if (!read_number(word, UINT32_MAX, &number))
			return false;
		*(uint32_t *)(void *)at = (uint32_t)number;
		return true;
	case FIELD_TIME:
		if (!read_number(word, INT64_MAX, &number))
			return false;
		*(int64_t *)(void *)at = (int64_t)number;
		return true;
	case FIELD_BOOL:
		if (!read_number(word, 1, &number))
			return false;
		*(bool *)(void *)at = number == 1;
		return true;
	default: return read_text(trace, word, (const char **)(void *)at);
	}
}

/* All that is known is checked before the row is one of the trace. */
static bool read_row(
	struct trace *trace, const struct trace_table *table, struct slice line, void *row)
{
	for (const struct trace_field *field = table->fields; field->name; field++)
		if (!read_field(trace, field, take_word(&line), row))
			return false;
	return line.len == 0;
}

bool trace_words_read(struct trace *trace, struct slice line)
{
	uint64_t kind;
	if (!read_number(take_word(&line), TRACE_KINDS - 1, &kind))
		return false;
	const struct trace_table *table = trace_table((enum trace_kind)kind);
	if (table->is_one && trace_count(trace, (enum trace_kind)kind) > 0)
		return false;
	void *row = calloc(1, table->size);
	bool good = row && read_row(trace, table, line, row);
	if (good)
		memcpy(trace_add(trace, (enum trace_kind)kind), row, table->size);
	free(row);
	return good;
}
