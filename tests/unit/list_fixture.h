/* list_fixture.h - what a list says, as text, one thing a line: "3 exact example.com." and
 * "4 asterisk <ex*ample.com>". A facet that says more than "listed" follows its name:
 * "below example.com. except nxdomain rank=2 types=~1,28 group=A A/60/00000000". Groups are letters
 * in the order in which they are heard. */
#ifndef TESTS_UNIT_LIST_FIXTURE_H
#define TESTS_UNIT_LIST_FIXTURE_H

#include "tests/unit/rules_fixture.h"

#include "dns/types.h"
#include "rules/list.h"

#include <stdio.h>

enum { HEARD_TEXT_MAX = 1 << 17, HEARD_GROUPS_MAX = 26 };

struct heard {
	char text[HEARD_TEXT_MAX];
	struct writer to;
	size_t patterns;
	size_t rejects[LIST_REJECT_COUNT];
	uint32_t line;
	bool is_unordered; /* policy zones tell the records of answers last */
	uint64_t groups[HEARD_GROUPS_MAX];
	size_t group_count;
	int stop_after;
};

static inline void heard_group(struct heard *heard, uint64_t group)
{
	size_t i = 0;
	while (i < heard->group_count && heard->groups[i] != group)
		i++;
	assert_true(i < HEARD_GROUPS_MAX);
	heard->groups[i] = group;
	heard->group_count += i == heard->group_count;
	writer_text(&heard->to, " group=");
	writer_u8(&heard->to, (uint8_t)('A' + i));
}

static inline void heard_types(struct writer *to, const struct facet *facet)
{
	writer_text(to, facet->except_types ? " types=~" : " types=");
	for (unsigned i = 0; i < facet->type_count; i++) {
		assert_true(i == 0 || facet->types[i] > facet->types[i - 1]);
		writer_text(to, i ? "," : "");
		writer_decimal(to, facet->types[i]);
	}
}

static inline void heard_records(struct writer *to, struct slice records)
{
	struct reader from = reader_of(records);
	assert_true(records.len <= FACET_RECORDS_MAX);
	while (reader_left(&from) > 0) {
		writer_text(to, " ");
		dns_type_write(to, reader_u16(&from));
		writer_text(to, "/");
		writer_decimal(to, reader_u32(&from));
		writer_text(to, "/");
		struct slice rdata = reader_bytes(&from, reader_u16(&from));
		for (size_t i = 0; i < rdata.len; i++) {
			char hex[3];
			snprintf(hex, sizeof hex, "%02x", rdata.at[i]);
			writer_text(to, hex);
		}
	}
	assert_false(from.failed);
}

static inline void heard_facet(struct heard *heard, const struct facet *facet)
{
	static const char *const effects[FACET_EFFECTS] = { "", " except", " pass", " cancel" };
	static const char *const given[GIVEN_COUNT] = { "", " nxdomain", " nodata", " refused",
		" drop", " tcp-only", "" };
	writer_text(&heard->to, effects[facet->effect]);
	writer_text(&heard->to, given[facet->given]);
	assert_true(facet->rank >= FACET_RANK_PLAIN);
	assert_int_equal(facet->given == GIVEN_RECORDS, facet->records.len > 0);
	if (facet->rank != FACET_RANK_PLAIN) {
		writer_text(&heard->to, " rank=");
		writer_decimal(&heard->to, facet->rank);
	}
	if (facet->type_count)
		heard_types(&heard->to, facet);
	if (facet->group)
		heard_group(heard, facet->group);
	heard_records(&heard->to, facet->records);
}

static inline void heard_line(struct heard *heard, uint32_t line)
{
	assert_true(line >= 1 && (heard->is_unordered || line >= heard->line));
	heard->line = line;
	writer_decimal(&heard->to, line);
	writer_text(&heard->to, " ");
}

static inline int heard_on_pattern(void *context, const struct list_pattern *pattern)
{
	static const char *const kinds[] = { "?", "exact ", "below ", "both " };
	struct heard *heard = context;
	assert_int_equal(dns_name_check(dns_name_slice(pattern->name)), pattern->name->len);
	heard_line(heard, pattern->line);
	writer_text(&heard->to, kinds[pattern->kind]);
	dns_name_write_text(&heard->to, dns_name_slice(pattern->name));
	heard_facet(heard, pattern->facet);
	writer_text(&heard->to, "\n");
	heard->patterns++;
	return heard->stop_after && (int)heard->patterns == heard->stop_after ? ERR_NO_MEMORY : 0;
}

static inline int heard_on_network(void *context, const struct list_network *network)
{
	struct heard *heard = context;
	bool is_v4 = address_is_v4(&network->network.address);
	heard_line(heard, network->line);
	writer_text(&heard->to, "network ");
	address_write(&heard->to, &network->network.address);
	writer_text(&heard->to, "/");
	writer_decimal(&heard->to, network->network.prefix_len - (is_v4 ? 96u : 0u));
	heard_facet(heard, network->facet);
	writer_text(&heard->to, "\n");
	return 0;
}

static inline void heard_on_reject(
	void *context, uint32_t line, enum list_reject reject, struct slice text)
{
	static const char *const words[LIST_REJECT_COUNT] = { "?", "not-a-name", "too-long",
		"asterisk", "address", "no-name", "not-ascii", "syntax", "not-dns", "trigger",
		"answer", "too-many", "duplicate" };
	struct heard *heard = context;
	assert_true(text.len > 0 && text.len <= LIST_REJECT_TEXT_MAX);
	heard->rejects[reject]++;
	heard_line(heard, line);
	writer_text(&heard->to, words[reject]);
	writer_text(&heard->to, " <");
	writer_bytes(&heard->to, text.at, text.len);
	writer_text(&heard->to, ">\n");
}

static inline int hear(enum list_format format, struct slice text, struct heard *heard)
{
	heard->to = writer_of(heard->text, sizeof heard->text - 1);
	memset(heard->rejects, 0, sizeof heard->rejects);
	heard->patterns = 0;
	heard->line = 0;
	heard->group_count = 0;
	heard->is_unordered = format == LIST_RPZ;
	struct list_sink sink = { .on_pattern = heard_on_pattern,
		.on_network = heard_on_network,
		.on_reject = heard_on_reject,
		.context = heard };
	int error = list_read(format, text, &sink);
	assert_false(heard->to.failed);
	heard->text[heard->to.len] = '\0';
	return error;
}

static inline void check(enum list_format format, struct slice text, const char *expected)
{
	/* A copy of exactly this length, so that a sanitizer sees a byte read too far. */
	static struct heard heard;
	uint8_t *copy = malloc(text.len ? text.len : 1);
	assert_non_null(copy);
	memcpy(copy, text.at, text.len);
	assert_int_equal(hear(format, slice_of(copy, text.len), &heard), 0);
	free(copy);
	assert_string_equal(heard.text, expected);
}

static inline void check_file(enum list_format format, const char *name, const char *expected)
{
	char path[512];
	snprintf(path, sizeof path, "%s/lists/%s", TEST_VECTORS, name);
	struct slice text = fixture_read_file(path);
	check(format, text, expected);
	free((void *)(uintptr_t)text.at);
}

/* One line each; what is expected is without its number. */
struct line_row {
	const char *line;
	const char *expected;
};

static inline void check_rows(enum list_format format, const struct line_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		static struct heard heard;
		char text[4096];
		struct writer to = writer_of(text, sizeof text);
		assert_int_equal(hear(format, slice_of_text(rows[i].line), &heard), 0);
		for (const char *at = heard.text; *at;) {
			size_t len = strcspn(at, "\n");
			size_t number = strcspn(at, " ") + 1;
			writer_text(&to, to.len ? "; " : "");
			writer_bytes(&to, at + number, len - number);
			at += len + 1;
		}
		writer_u8(&to, 0);
		assert_false(to.failed);
		if (strcmp(text, rows[i].expected) != 0)
			fail_msg("\"%s\"\n  says     %s\n  expected %s", rows[i].line, text,
				rows[i].expected);
	}
}
#define CHECK_ROWS(format, rows) check_rows(format, rows, sizeof(rows) / sizeof *(rows))

#endif
