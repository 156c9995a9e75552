#include "bench/load/questions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LINE_SIZE = 300,
	FRESH_LEN = 12, /* hexadecimal digits: a run's number and a question's */
	FRESH_QUESTION_BITS = 28,
	OPT_LEN = 11,
};

static const struct {
	const char *word;
	uint8_t number;
} types[] = { { "A", 1 }, { "TXT", 16 }, { "AAAA", 28 }, { "HTTPS", 65 } };

static _Noreturn void fail(const char *what, const char *of)
{
	fprintf(stderr, "load: %s: %s\n", what, of);
	exit(1);
}

static uint8_t type_number(const char *word)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (!strcmp(word, types[i].word))
			return types[i].number;
	fail("unknown type", word);
}

static size_t write_name(uint8_t *to, const char *name)
{
	size_t len = 0;

	while (*name && *name != '.') {
		size_t label = strcspn(name, ".");
		to[len++] = (uint8_t)label;
		memcpy(to + len, name, label);
		len += label;
		name += label + (name[label] == '.');
	}
	to[len++] = 0;
	return len;
}

static size_t write_question(uint8_t *to, const char *name, uint8_t type, bool is_fresh)
{
	static const uint8_t header[QUESTION_HEADER_LEN] = { 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1 };
	static const uint8_t opt[OPT_LEN] = { 0, 0, 41, 4, 208 };
	const uint8_t rest[] = { 0, type, 0, 1 };
	uint8_t *at = to + sizeof header;

	memcpy(to, header, sizeof header);
	if (is_fresh) {
		*at++ = FRESH_LEN;
		memset(at, '0', FRESH_LEN);
		at += FRESH_LEN;
	}
	at += write_name(at, name);
	memcpy(at, rest, sizeof rest);
	memcpy(at + sizeof rest, opt, sizeof opt);
	return (size_t)(at - to) + sizeof rest + sizeof opt;
}

static void *grown(void *memory, size_t size)
{
	void *more = realloc(memory, size);

	if (!more)
		fail("out of memory", "questions");
	return more;
}

void questions_read(struct questions *questions, const char *path, uint64_t fresh_run)
{
	char line[LINE_SIZE], name[LINE_SIZE], type[LINE_SIZE];
	size_t len = 0, size = 0, places = 0;
	FILE *file = fopen(path, "r");

	*questions = (struct questions){ .is_fresh = fresh_run > 0,
		.fresh = fresh_run << FRESH_QUESTION_BITS };
	if (!file)
		fail("cannot read", path);
	while (fgets(line, sizeof line, file)) {
		if (sscanf(line, "%240s %16s", name, type) != 2)
			fail("not a name and a type", line);
		if (size - len < QUESTION_SIZE)
			questions->wire = grown(questions->wire, size = 2 * size + QUESTION_SIZE);
		if (questions->count + 1 >= places)
			questions->offsets = grown(questions->offsets,
				(places = 2 * places + 2) * sizeof *questions->offsets);
		questions->offsets[questions->count++] = (uint32_t)len;
		len += write_question(
			questions->wire + len, name, type_number(type), questions->is_fresh);
	}
	fclose(file);
	if (!questions->count)
		fail("no questions", path);
	questions->offsets[questions->count] = (uint32_t)len;
}

void questions_one(struct questions *questions, const char *name)
{
	*questions = (struct questions){ .wire = grown(NULL, QUESTION_SIZE),
		.offsets = grown(NULL, 2 * sizeof *questions->offsets),
		.count = 1 };
	questions->offsets[0] = 0;
	questions->offsets[1] = (uint32_t)write_question(questions->wire, name, 1, false);
}

static void write_fresh_label(uint8_t *to, uint64_t number)
{
	for (unsigned i = FRESH_LEN; i-- > 0; number >>= 4)
		to[i] = (uint8_t) "0123456789abcdef"[number & 15];
}

size_t questions_next(struct questions *questions, uint8_t *to)
{
	const uint32_t *offset = questions->offsets + questions->next;
	size_t len = offset[1] - offset[0];

	memcpy(to, questions->wire + offset[0], len);
	if (questions->is_fresh)
		write_fresh_label(to + QUESTION_HEADER_LEN + 1, questions->fresh++);
	if (++questions->next == questions->count)
		questions->next = 0;
	return len;
}
