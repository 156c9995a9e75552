#include "proxy/explain/trace_print.h"

#include <inttypes.h>
#include <stdlib.h>

#include "proxy/watch/escape.h"

static void print_string(FILE *to, struct slice text)
{
	enum { GROWTH = 6 }; /* of a byte: \u001f */
	size_t size = GROWTH * text.len + 1;
	char *escaped = malloc(size);
	struct writer writer = writer_of(escaped, escaped ? size : 0);
	escape_json(&writer, text, size);
	fputc('"', to);
	if (escaped)
		fwrite(escaped, 1, writer.len, to);
	fputc('"', to);
	free(escaped);
}

/* Pieces between line feeds, as strings, or as they are. */
static void print_array(FILE *to, const char *text, bool is_text)
{
	fputc('[', to);
	for (const char *at = text;;) {
		size_t len = strcspn(at, "\n");
		if (is_text)
			print_string(to, slice_of(at, len));
		else
			fwrite(at, 1, len, to);
		if (at[len] == '\0' || at[len + 1] == '\0')
			break;
		fputc(',', to);
		at += len + 1;
	}
	fputc(']', to);
}

static bool is_told(const struct trace_field *field, const void *at)
{
	if (field->is_private)
		return false;
	switch (field->type) {
	case FIELD_NUMBER: return field->is_always || *(const uint32_t *)at != 0;
	case FIELD_TIME: return *(const int64_t *)at != 0;
	case FIELD_BOOL: return true;
	default: return *(const char *const *)at != NULL;
	}
}

static void print_value(FILE *to, const struct trace_field *field, const void *at)
{
	switch (field->type) {
	case FIELD_NUMBER: fprintf(to, "%" PRIu32, *(const uint32_t *)at); break;
	case FIELD_TIME: fprintf(to, "%" PRId64, *(const int64_t *)at); break;
	case FIELD_BOOL: fputs(*(const bool *)at ? "true" : "false", to); break;
	case FIELD_LINES: print_array(to, *(const char *const *)at, true); break;
	case FIELD_NUMBERS: print_array(to, *(const char *const *)at, false); break;
	default: print_string(to, slice_of_text(*(const char *const *)at)); break;
	}
}

static void print_row(FILE *to, const struct trace_table *table, const void *row)
{
	const char *before = "{";
	for (const struct trace_field *field = table->fields; field->name; field++) {
		const void *at = (const char *)row + field->offset;
		if (!is_told(field, at))
			continue;
		fprintf(to, "%s\"%s\":", before, field->name);
		print_value(to, field, at);
		before = ",";
	}
	fputs(*before == '{' ? "{}" : "}", to);
}

static void print_rows(FILE *to, const struct trace *trace, enum trace_kind kind)
{
	const struct trace_table *table = trace_table(kind);
	size_t count = trace_count(trace, kind);
	fprintf(to, "\"%s\":[", table->name);
	for (size_t i = 0; i < count; i++) {
		fputs(i ? ",\n  " : "\n  ", to);
		print_row(to, table, trace_row(trace, kind, i));
	}
	fputs("]", to);
}

void trace_print_json(FILE *to, const struct trace *trace)
{
	const char *before = "{\n";
	for (unsigned i = 0; i < TRACE_KINDS; i++) {
		const struct trace_table *table = trace_table((enum trace_kind)i);
		const void *row = trace_row(trace, (enum trace_kind)i, 0);
		if (table->is_one && !row)
			continue;
		fputs(before, to);
		before = ",\n";
		if (!table->is_one) {
			print_rows(to, trace, (enum trace_kind)i);
			continue;
		}
		fprintf(to, "\"%s\":", table->name);
		print_row(to, table, row);
	}
	fprintf(to, ",\n\"is_cut\":%s\n}\n", trace->is_cut ? "true" : "false");
}
