/* wire.h - messages in tests, written as they are thought of. Blanks separate:
 *   1234 0100   bytes in hexadecimal
 *   'www.a'     a name in wire form, its root label included; '.' is the root
 *   "text"      the bytes of a text
 *   61*63       one byte, many times
 *   # ...       a comment up to the end of the line
 * Each message stands in memory of exactly its own size, so that a sanitizer sees the first byte
 * read too far. */
#ifndef TESTS_UNIT_WIRE_H
#define TESTS_UNIT_WIRE_H

#include <stdio.h>
#include <stdlib.h>

#include "dns/name.h"

/* Frees itself after the next 1024 messages. */
static inline struct slice wire_keep(struct slice bytes)
{
	static uint8_t *kept[1024];
	static size_t next;
	uint8_t *copy = malloc(bytes.len ? bytes.len : 1);
	if (!copy)
		abort();
	if (bytes.len > 0)
		memcpy(copy, bytes.at, bytes.len);
	free(kept[next % 1024]);
	kept[next++ % 1024] = copy;
	return slice_of(copy, bytes.len);
}

static inline void wire_bad(const char *notation, const char *at)
{
	fprintf(stderr, "bad notation at '%.20s' of '%.200s'\n", at, notation);
	abort();
}

static inline const char *wire_token(struct writer *to, const char *notation, const char *at)
{
	char *end;
	if (*at == '\'' || *at == '"') {
		const char *close = strchr(at + 1, *at);
		if (!close)
			wire_bad(notation, at);
		struct slice text = slice_of(at + 1, (size_t)(close - at - 1));
		struct dns_name name;
		if (*at == '"')
			writer_slice_bytes(to, text);
		else if (dns_name_from_text(&name, text))
			writer_slice_bytes(to, dns_name_slice(&name));
		else
			wire_bad(notation, at);
		return close + 1;
	}
	const char digits[3] = { at[0], at[0] ? at[1] : '\0' };
	unsigned long byte = strtoul(digits, &end, 16);
	if (end != digits + 2)
		wire_bad(notation, at);
	unsigned long count = at[2] == '*' ? strtoul(at + 3, &end, 10) : 1;
	at = at[2] == '*' ? end : at + 2;
	while (count-- > 0)
		writer_u8(to, (uint8_t)byte);
	return at;
}

static inline struct slice wire(const char *notation)
{
	static uint8_t buffer[128 * 1024];
	struct writer to = writer_of(buffer, sizeof buffer);
	for (const char *at = notation; *at;) {
		if (*at == '#')
			at += strcspn(at, "\n");
		else if (strchr(" \t\n", *at))
			at++;
		else
			at = wire_token(&to, notation, at);
	}
	if (to.failed)
		wire_bad(notation, notation);
	return wire_keep(writer_slice(&to));
}

/* Calls `check` for each message of tests/vectors/<file>. A line "= EXPECTED what it is" begins
 * one; the notation above follows, up to the next such line. Returns how many there were. */
typedef void (*wire_check_fn)(const char *expected, const char *title, struct slice message);

static inline unsigned wire_vectors(const char *path, wire_check_fn check)
{
	static char text[256 * 1024];
	FILE *file = fopen(path, "r");
	size_t len = file ? fread(text, 1, sizeof text - 1, file) : 0;
	unsigned count = 0;
	if (!file || len == sizeof text - 1)
		abort();
	fclose(file);
	text[len] = '\0';
	for (char *at = strstr(text, "\n= "); at; count++) {
		char expected[32], title[128];
		char *body = strchr(at + 1, '\n');
		if (!body || sscanf(at, "\n= %31s %127[^\n]", expected, title) != 2)
			wire_bad(at, at);
		char *next = strstr(body, "\n= ");
		if (next)
			*next = '\0';
		check(expected, title, wire(body));
		if (next)
			*next = '\n';
		at = next;
	}
	return count;
}

#endif
