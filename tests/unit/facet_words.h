/* facet_words.h - entries that say something, from a few words: "PATTERN=WORD[:ARGUMENT]", one a
 * line; the pattern is one of the domains format, or a network. Without "=" it is a plain one.
 *
 *   PASS EXCEPT NXDOMAIN NODATA REFUSED DROP TCP    what they say
 *   A                                               the record A 192.0.2.9, TTL 7
 *   CNAME:target                                    the record CNAME, TTL 8
 *
 * A digit behind the word is the rank (1 if there is none), "/AAAA" the only query type. */
#ifndef TESTS_UNIT_FACET_WORDS_H
#define TESTS_UNIT_FACET_WORDS_H

#include "tests/unit/policy_texts.h"
#include "tests/unit/rules_fixture.h"

struct facet_words {
	struct image_builder *builder;
	struct facet facet;
	uint8_t records[512];
};

static inline int facet_words_on_pattern(void *context, const struct list_pattern *pattern)
{
	struct facet_words *words = context;
	struct list_pattern said = *pattern;
	said.facet = &words->facet;
	return image_add_pattern(words->builder, &said);
}

static inline void facet_words_record(
	struct facet_words *words, uint16_t type, uint32_t ttl_s, const void *rdata, size_t len)
{
	struct writer to = writer_of(words->records, sizeof words->records);
	writer_u16(&to, type);
	writer_u32(&to, ttl_s);
	writer_u16(&to, (uint16_t)len);
	writer_bytes(&to, rdata, len);
	assert_false(to.failed);
	words->facet.given = GIVEN_RECORDS;
	words->facet.records = writer_slice(&to);
}

/* Does the text begin with the word? Then it is taken off. */
static inline bool facet_words_take(const char **text, const char *word)
{
	size_t len = strlen(word);
	if (strncmp(*text, word, len) != 0)
		return false;
	*text += len;
	return true;
}

static inline void facet_words_parse(struct facet_words *words, const char *text)
{
	static const char *const given[GIVEN_COUNT] = { "?", "NXDOMAIN", "NODATA", "REFUSED",
		"DROP", "TCP", "?" };
	struct facet *facet = &words->facet;
	*facet = (struct facet){ .rank = FACET_RANK_PLAIN };
	for (unsigned i = 0; i < GIVEN_COUNT; i++)
		if (facet_words_take(&text, given[i]))
			facet->given = (enum given)i;
	if (facet_words_take(&text, "PASS"))
		facet->effect = FACET_PASS;
	else if (facet_words_take(&text, "EXCEPT"))
		facet->effect = FACET_EXCEPT;
	else if (facet_words_take(&text, "CNAME:")) {
		struct dns_name target = fixture_name(text);
		facet_words_record(words, DNS_TYPE_CNAME, 8, target.wire, target.len);
		return;
	} else if (facet_words_take(&text, "A"))
		facet_words_record(words, DNS_TYPE_A, 7, "\xc0\x00\x02\x09", 4);
	if (*text >= '0' && *text <= '9')
		facet->rank = (uint8_t)(*text++ - '0');
	if (facet_words_take(&text, "/")) {
		facet->type_count = 1;
		assert_true(dns_type_parse(slice_of_text(text), &facet->types[0]));
		return;
	}
	assert_int_equal(*text, '\0');
}

static inline int facet_words_line(struct facet_words *words, char *line)
{
	struct list_network network = { .facet = &words->facet };
	struct list_sink sink = { .on_pattern = facet_words_on_pattern, .context = words };
	char *equals = strchr(line, '=');
	facet_words_parse(words, equals ? equals + 1 : "");
	if (equals)
		*equals = '\0';
	if (strchr(line, '/') && network_parse(&network.network, line))
		return image_add_network(words->builder, &network);
	return list_read(LIST_DOMAINS, slice_of_text(line), &sink);
}

/* A policy_texts_add_fn. */
static inline int facet_words_add(
	struct image_builder *builder, const struct list_text *text, size_t list)
{
	struct facet_words *words = calloc(1, sizeof *words);
	char *copy = calloc(1, text->text.len + 1);
	int error = words && copy ? 0 : ERR_NO_MEMORY;
	char *rest = NULL;
	(void)list;
	if (!error && text->text.len)
		memcpy(copy, text->text.at, text->text.len);
	for (char *line = error ? NULL : strtok_r(copy, "\n", &rest); line && !error;
		line = strtok_r(NULL, "\n", &rest)) {
		words->builder = builder;
		error = facet_words_line(words, line);
	}
	free(words);
	free(copy);
	return error;
}

#endif
