/* rules_fixture.h - what the tests of rules/ share: names and files, policies from a few words, and
 * answers written byte by byte. */
#ifndef TESTS_UNIT_RULES_FIXTURE_H
#define TESTS_UNIT_RULES_FIXTURE_H

#include "base/error.h"
#include "dns/answer.h"
#include "dns/name.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>
#include <cmocka.h>

/* A wire name of presentation text, case kept. */
static inline struct dns_name fixture_name(const char *text)
{
	struct dns_name name = { .len = 0 };
	assert_true(dns_name_from_text(&name, slice_of_text(text)));
	return name;
}

static inline struct slice fixture_read_stream(FILE *file)
{
	size_t len = 0;
	size_t capacity = 1 << 16;
	uint8_t *at = malloc(capacity);
	assert_non_null(at);
	for (size_t got; (got = fread(at + len, 1, capacity - len, file)) > 0;) {
		len += got;
		if (len < capacity)
			continue;
		capacity *= 2;
		at = realloc(at, capacity);
		assert_non_null(at);
	}
	return slice_of(at, len);
}

/* The bytes belong to the caller (free). */
static inline struct slice fixture_read_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	if (!file)
		fail_msg("cannot open %s", path);
	struct slice text = fixture_read_stream(file);
	fclose(file);
	return text;
}

/* An upstream's answer, written without compression. */
struct fixture_answer {
	uint8_t bytes[16384];
	struct writer to;
	uint16_t answer_count;
	struct dns_answer opened;
};

static inline void fixture_answer_begin(
	struct fixture_answer *answer, struct slice name, uint16_t type)
{
	static const uint8_t header[DNS_HEADER_LEN] = { 0x12, 0x34, 0x81, 0x80, 0, 1 };
	answer->to = writer_of(answer->bytes, sizeof answer->bytes);
	answer->answer_count = 0;
	writer_bytes(&answer->to, header, sizeof header);
	writer_slice_bytes(&answer->to, name);
	writer_u16(&answer->to, type);
	writer_u16(&answer->to, DNS_CLASS_IN);
}

static inline void fixture_answer_add(
	struct fixture_answer *answer, struct slice owner, uint16_t type, struct slice rdata)
{
	writer_slice_bytes(&answer->to, owner);
	writer_u16(&answer->to, type);
	writer_u16(&answer->to, DNS_CLASS_IN);
	writer_u32(&answer->to, 60);
	writer_u16(&answer->to, (uint16_t)rdata.len);
	writer_slice_bytes(&answer->to, rdata);
	answer->answer_count++;
}

/* CNAME and DNAME; SVCB and HTTPS with priority 1. */
static inline void fixture_answer_link(
	struct fixture_answer *answer, struct slice owner, uint16_t type, struct slice target)
{
	uint8_t bytes[DNS_NAME_MAX + 2];
	struct writer rdata = writer_of(bytes, sizeof bytes);
	if (type == DNS_TYPE_SVCB || type == DNS_TYPE_HTTPS)
		writer_u16(&rdata, 1);
	writer_slice_bytes(&rdata, target);
	fixture_answer_add(answer, owner, type, writer_slice(&rdata));
}

/* Takes the next word off a text; words end at a blank, or at one of `ends`, which is taken too. */
static inline bool fixture_word(const char **text, char word[DNS_NAME_TEXT_MAX], const char *ends)
{
	while (**text == ' ')
		++*text;
	size_t len = strcspn(*text, ends) < strcspn(*text, " ") ? strcspn(*text, ends)
								: strcspn(*text, " ");
	assert_true(len < DNS_NAME_TEXT_MAX);
	memcpy(word, *text, len);
	word[len] = '\0';
	*text += len;
	if (**text && strchr(ends, **text))
		++*text;
	return len > 0;
}

/* "a.test CNAME b.test, b.test A": records of an answer; types without a name in them have four
 * bytes of RDATA. */
static inline void fixture_answer_records(struct fixture_answer *answer, const char *text)
{
	static const uint8_t four[4] = { 192, 0, 2, 1 };
	char word[DNS_NAME_TEXT_MAX];
	while (fixture_word(&text, word, "")) {
		struct dns_name owner = fixture_name(word);
		uint16_t type;
		bool comma = !fixture_word(&text, word, ",") || text[-1] == ',';
		assert_true(dns_type_parse(slice_of_text(word), &type));
		if (comma || *text == '\0') {
			fixture_answer_add(answer, dns_name_slice(&owner), type, slice_of(four, 4));
			continue;
		}
		fixture_word(&text, word, ",");
		struct dns_name target = fixture_name(word);
		fixture_answer_link(answer, dns_name_slice(&owner), type, dns_name_slice(&target));
	}
}

static inline const struct dns_answer *fixture_answer_open(struct fixture_answer *answer)
{
	writer_patch_u16(&answer->to, 6, answer->answer_count);
	assert_false(answer->to.failed);
	assert_int_equal(dns_answer_open(&answer->opened, writer_slice(&answer->to)), 0);
	return &answer->opened;
}

#endif
