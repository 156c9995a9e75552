/* Every line stands in every report, in the order of the table: what is missing, twice there or
 * cut off is no report. */
#include "proxy/lists/fetch_report.h"

#include <stddef.h>

#include "base/reader.h"

enum { LEN_DIGITS_MAX = 19 }; /* so many fit into 64 bits, whatever they are */

struct row {
	const char *key;
	void (*write)(struct writer *to, const struct fetch_report *report, size_t offset);
	bool (*read)(struct fetch_report *report, size_t offset, struct slice value);
	size_t offset; /* of a text */
};

static bool is_printable(uint8_t byte)
{
	return byte >= ' ' && byte < 0x7f;
}

static void write_fault(struct writer *to, const struct fetch_report *report, size_t offset)
{
	(void)offset;
	writer_text(to, list_fault_name(report->fault));
}

static bool read_fault(struct fetch_report *report, size_t offset, struct slice value)
{
	char name[32];
	(void)offset;
	if (value.len >= sizeof name)
		return false;
	memcpy(name, value.at, value.len);
	name[value.len] = '\0';
	return list_fault_parse(name, &report->fault);
}

static void write_not_modified(struct writer *to, const struct fetch_report *report, size_t offset)
{
	(void)offset;
	writer_text(to, report->not_modified ? "yes" : "no");
}

static bool read_not_modified(struct fetch_report *report, size_t offset, struct slice value)
{
	(void)offset;
	report->not_modified = slice_equals_text(value, "yes");
	return report->not_modified || slice_equals_text(value, "no");
}

static void write_body_len(struct writer *to, const struct fetch_report *report, size_t offset)
{
	(void)offset;
	writer_decimal(to, report->body_len);
}

static bool read_body_len(struct fetch_report *report, size_t offset, struct slice value)
{
	(void)offset;
	if (value.len == 0 || value.len > LEN_DIGITS_MAX)
		return false;
	for (size_t i = 0; i < value.len; i++) {
		if (value.at[i] < '0' || value.at[i] > '9')
			return false;
		report->body_len = report->body_len * 10 + (uint64_t)(value.at[i] - '0');
	}
	return true;
}

/* What a server said of itself may be in it: nothing but printable ASCII gets through. */
static void write_text(struct writer *to, const struct fetch_report *report, size_t offset)
{
	for (const char *at = (const char *)report + offset; *at; at++)
		writer_u8(to, is_printable((uint8_t)*at) ? (uint8_t)*at : '?');
}

static bool read_text(struct fetch_report *report, size_t offset, struct slice value)
{
	char *to = (char *)report + offset;
	if (value.len >= FETCH_TAG_MAX)
		return false;
	for (size_t i = 0; i < value.len; i++)
		if (!is_printable(value.at[i]))
			return false;
	if (value.len > 0)
		memcpy(to, value.at, value.len);
	to[value.len] = '\0';
	return true;
}

_Static_assert(FETCH_WHY_MAX == FETCH_TAG_MAX, "texts of one size");

static const struct row rows[] = {
	{ "fault", write_fault, read_fault, 0 },
	{ "not-modified", write_not_modified, read_not_modified, 0 },
	{ "body-len", write_body_len, read_body_len, 0 },
	{ "etag", write_text, read_text, offsetof(struct fetch_report, etag) },
	{ "last-modified", write_text, read_text, offsetof(struct fetch_report, last_modified) },
	{ "content-type", write_text, read_text, offsetof(struct fetch_report, content_type) },
	{ "why", write_text, read_text, offsetof(struct fetch_report, why) },
};

enum { ROW_COUNT = sizeof rows / sizeof *rows };

void fetch_report_write(struct writer *to, const struct fetch_report *report)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		writer_text(to, rows[i].key);
		writer_u8(to, ' ');
		rows[i].write(to, report, rows[i].offset);
		writer_u8(to, '\n');
	}
}

/* The value of the next line, which must have this key. */
static struct slice read_line(struct reader *text, const char *key)
{
	struct slice found = reader_bytes(text, strlen(key));
	bool is_it = slice_equals_text(found, key) && reader_u8(text) == ' ';
	const uint8_t *end = is_it ? memchr(text->at, '\n', reader_left(text)) : NULL;
	if (!end) {
		text->failed = true;
		return slice_of(NULL, 0);
	}
	struct slice value = reader_bytes(text, (size_t)(end - text->at));
	reader_skip(text, 1);
	return value;
}

/* Things that do not go together. */
static bool is_sound(const struct fetch_report *report)
{
	if (report->fault != LIST_FAULT_NONE)
		return !report->not_modified && *report->why;
	return !report->not_modified || report->body_len == 0;
}

bool fetch_report_read(struct fetch_report *report, struct slice text)
{
	struct reader reader = reader_of(text);
	memset(report, 0, sizeof *report);
	for (size_t i = 0; i < ROW_COUNT; i++) {
		struct slice value = read_line(&reader, rows[i].key);
		if (reader.failed || !rows[i].read(report, rows[i].offset, value))
			return false;
	}
	return reader_left(&reader) == 0 && is_sound(report);
}
