/* list_read_fuzz.c - any bytes as a domain list. The first byte chooses the format. What is told
 * must hold: names that are names, in lower case; lines in order and within the file; facets that
 * an image can keep; and, in formats whose lines are patterns as they are shown to people, a name
 * written as text and read again is the same name. */
#include "rules/list.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct heard {
	uint32_t line;
	uint32_t lines;
	enum list_format format;
	struct slice text;
};

#define MUST(what)                                                                                 \
	do {                                                                                       \
		if (!(what))                                                                       \
			abort();                                                                   \
	} while (0)

struct again {
	const struct dns_name *name;
	enum pattern_kind kind;
	unsigned count;
};

static int on_pattern_again(void *context, const struct list_pattern *pattern)
{
	struct again *again = context;
	MUST(pattern->line == 1 && pattern->kind == again->kind);
	MUST(slice_equals(dns_name_slice(pattern->name), dns_name_slice(again->name)));
	again->count++;
	return 0;
}

static void on_reject_again(
	void *context, uint32_t line, enum list_reject reject, struct slice text)
{
	(void)context;
	(void)line;
	(void)reject;
	(void)text;
	abort();
}

/* What policy_entry_write_text() says is a line of the list. */
static void read_again(enum list_format format, const struct dns_name *name, enum pattern_kind kind)
{
	char text[DNS_NAME_TEXT_MAX + 16];
	struct writer to = writer_of(text, sizeof text);
	struct again again = { name, kind, 0 };
	struct list_sink sink = {
		.on_pattern = on_pattern_again, .on_reject = on_reject_again, .context = &again
	};
	if (format == LIST_HOSTS)
		writer_text(&to, "::1 ");
	list_pattern_write_text(&to, dns_name_slice(name), kind);
	MUST(!to.failed);
	MUST(list_read(format, writer_slice(&to), &sink) == 0);
	MUST(again.count == 1);
}

static bool can_write_back(enum list_format format)
{
	return format == LIST_DOMAINS || format == LIST_HOSTS || format == LIST_WILDCARD;
}

static void check_records(struct slice records)
{
	struct reader from = reader_of(records);
	MUST(records.len <= FACET_RECORDS_MAX);
	while (reader_left(&from) > 0) {
		reader_skip(&from, 6);
		reader_skip(&from, reader_u16(&from));
	}
	MUST(!from.failed);
}

static void check_facet(const struct facet *facet)
{
	MUST(facet->effect < FACET_EFFECTS && facet->given < GIVEN_COUNT);
	MUST(facet->rank >= FACET_RANK_PLAIN && facet->type_count <= FACET_TYPES_MAX);
	for (unsigned i = 1; i < facet->type_count; i++)
		MUST(facet->types[i - 1] < facet->types[i]);
	MUST((facet->given == GIVEN_RECORDS) == (facet->records.len > 0));
	MUST(facet->effect != FACET_CANCEL || facet->group != 0);
	check_records(facet->records);
}

static void check_line(struct heard *heard, uint32_t line)
{
	MUST(line >= 1 && line <= heard->lines);
	MUST(line >= heard->line || heard->format == LIST_RPZ); /* answers come last */
	heard->line = line;
}

static int on_pattern(void *context, const struct list_pattern *pattern)
{
	struct heard *heard = context;
	const struct dns_name *name = pattern->name;
	enum pattern_kind kind = pattern->kind;
	uint8_t lower[DNS_NAME_MAX];
	check_line(heard, pattern->line);
	MUST(name->len > 0 && dns_name_check(dns_name_slice(name)) == name->len);
	dns_name_lower(lower, name->wire, name->len);
	MUST(memcmp(lower, name->wire, name->len) == 0);
	MUST(kind >= PATTERN_EXACT && kind <= PATTERN_BOTH);
	MUST(heard->format != LIST_HOSTS || kind == PATTERN_EXACT);
	check_facet(pattern->facet);
	if (can_write_back(heard->format))
		read_again(heard->format, name, kind);
	return 0;
}

static void on_reject(void *context, uint32_t line, enum list_reject reject, struct slice text)
{
	struct heard *heard = context;
	check_line(heard, line);
	MUST(reject > LIST_REJECT_NONE && reject < LIST_REJECT_DUPLICATE);
	MUST(text.len > 0 && text.len <= LIST_REJECT_TEXT_MAX);
	MUST(text.at >= heard->text.at && text.at + text.len <= heard->text.at + heard->text.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct heard heard = { .lines = 1 };
	struct list_sink sink = {
		.on_pattern = on_pattern, .on_reject = on_reject, .context = &heard
	};
	if (size == 0)
		return 0;
	heard.format = (enum list_format)(data[0] % LIST_FORMAT_COUNT);
	heard.text = slice_of(data + 1, size - 1);
	for (size_t i = 1; i < size; i++)
		heard.lines += data[i] == '\n';
	MUST(list_read(heard.format, heard.text, &sink) == 0);
	enum list_format format = LIST_FORMAT_COUNT;
	MUST(!list_recognise(heard.text, &format) || format < LIST_FORMAT_COUNT);
	return 0;
}
