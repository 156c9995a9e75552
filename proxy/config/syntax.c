#include "proxy/config/syntax.h"

#include "proxy/config/problem.h"

#include <stdio.h>
#include <stdlib.h>

enum token_kind {
	TOKEN_END,
	TOKEN_MARK, /* one of = : ; , ( ) [ ] { } */
	TOKEN_TEXT,
	TOKEN_NAME, /* a word that can name a setting */
	TOKEN_INTEGER,
	TOKEN_FLOAT,
	TOKEN_BOOL,
	TOKEN_OTHER, /* a word that is nothing to libconfig */
	TOKEN_TOO_LARGE,
};

struct token {
	enum token_kind kind;
	char mark; /* of TOKEN_MARK, else 0 */
	size_t at;
	size_t len;
	unsigned line;
};

struct syntax {
	struct source *source;
	struct syntax_lines *lines;
	char *text;
	size_t len;
	size_t at;
	unsigned line;
	struct token token;  /* the next one */
	size_t previous_end; /* behind the one before */
	unsigned previous_line;
	unsigned depth;
	bool broken; /* libconfig would stumble */
};

/* Brackets that are open around what is read now. */
struct opened {
	char mark;
	char closer;
	unsigned line;
};

#define problem_on(syntax, in_line, ...)                                                           \
	problem_at((syntax)->source->errors, source_place((syntax)->source, in_line).file,         \
		source_place((syntax)->source, in_line).line, "", __VA_ARGS__)

#define QUOTED_TOKEN(s) quote_token(s, &(struct quoted_word){ .text = "" })

/* A text has its quotation marks already. */
static const char *quote_token(const struct syntax *s, struct quoted_word *word)
{
	const struct token *token = &s->token;
	size_t mark = token->kind == TOKEN_TEXT;
	return word_quote(word, s->text + token->at + mark, token->len - 2 * mark);
}

/* "line 4" of the file that it comes from. */
static const char *line_of(
	const struct syntax *s, unsigned line, unsigned seen_from, struct place_text *text)
{
	struct source_place place = source_place(s->source, line);
	return place_text(text, place.file, place.line, source_place(s->source, seen_from).file);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static size_t digits_len(const char *at, size_t len)
{
	size_t i = 0;
	while (i < len && is_digit(at[i]))
		i++;
	return i;
}

static enum token_kind integer_kind(const char *at, size_t len)
{
	char text[24];
	if (len >= sizeof text)
		return TOKEN_TOO_LARGE;
	memcpy(text, at, len);
	text[len] = '\0';
	bool is_hex = len > 2 && (at[1] == 'x' || at[1] == 'X');
	long long value = strtoll(text, NULL, is_hex ? 16 : 10);
	/* libconfig 1.5 cuts what is larger, without a word. */
	return value < INT32_MIN || value > INT32_MAX ? TOKEN_TOO_LARGE : TOKEN_INTEGER;
}

static bool is_hex_number(const char *at, size_t len)
{
	if (len < 3 || at[0] != '0' || (at[1] != 'x' && at[1] != 'X'))
		return false;
	for (size_t i = 2; i < len; i++)
		if (!is_digit(at[i]) && !(is_letter(at[i]) && (at[i] | 0x20) <= 'f'))
			return false;
	return true;
}

/* 12, -12, 0x1f, 1.5, 1.5e3: what libconfig of every version reads alike. */
static enum token_kind number_kind(const char *at, size_t len)
{
	if (is_hex_number(at, len))
		return integer_kind(at, len);
	size_t i = at[0] == '-' || at[0] == '+';
	size_t whole = digits_len(at + i, len - i);
	i += whole;
	if (whole && i == len)
		return integer_kind(at, len);
	if (!whole || at[i] != '.')
		return TOKEN_OTHER;
	size_t fraction = digits_len(at + i + 1, len - i - 1);
	i += 1 + fraction;
	if (!fraction)
		return TOKEN_OTHER;
	if (i < len && (at[i] == 'e' || at[i] == 'E')) {
		i++;
		i += i < len && (at[i] == '-' || at[i] == '+');
		size_t exponent = digits_len(at + i, len - i);
		if (!exponent)
			return TOKEN_OTHER;
		i += exponent;
	}
	return i == len ? TOKEN_FLOAT : TOKEN_OTHER;
}

static bool equals_lower(const char *at, size_t len, const char *word)
{
	if (len != strlen(word))
		return false;
	for (size_t i = 0; i < len; i++)
		if (dns_lower((uint8_t)at[i]) != (uint8_t)word[i])
			return false;
	return true;
}

static enum token_kind word_kind(const char *at, size_t len)
{
	if (equals_lower(at, len, "true") || equals_lower(at, len, "false"))
		return TOKEN_BOOL;
	if (!is_letter(at[0]))
		return number_kind(at, len);
	for (size_t i = 0; i < len; i++)
		if (!is_letter(at[i]) && !is_digit(at[i]) && at[i] != '_' && at[i] != '-')
			return TOKEN_OTHER;
	return TOKEN_NAME;
}

/* Comments are gone: source.c left them out. */
static void skip_blanks(struct syntax *s)
{
	for (; s->at < s->len && is_blank(s->text[s->at]); s->at++)
		s->line += s->text[s->at] == '\n';
}

static size_t text_len(const struct syntax *s)
{
	size_t i = s->at + 1;
	while (s->text[i] != '"')
		i += s->text[i] == '\\' ? 2 : 1;
	return i + 1 - s->at;
}

static size_t word_len(const struct syntax *s)
{
	size_t i = s->at;
	while (i < s->len && !is_blank(s->text[i]) && !strchr("=:;,()[]{}\"", s->text[i]))
		i++;
	return i - s->at;
}

static void next_token(struct syntax *s)
{
	s->previous_end = s->token.at + s->token.len;
	s->previous_line = s->line;
	skip_blanks(s);
	s->token = (struct token){ .kind = TOKEN_END, .at = s->at, .line = s->line };
	if (s->at == s->len)
		return;
	char c = s->text[s->at];
	if (strchr("=:;,()[]{}", c)) {
		s->token.kind = TOKEN_MARK;
		s->token.mark = c;
		s->token.len = 1;
	} else if (c == '"') {
		s->token.kind = TOKEN_TEXT;
		s->token.len = text_len(s);
	} else {
		s->token.len = word_len(s);
		s->token.kind = word_kind(s->text + s->at, s->token.len);
	}
	s->at += s->token.len;
}

static void blank_out(struct syntax *s, size_t from, size_t to)
{
	for (; from < to; from++)
		if (s->text[from] != '\n')
			s->text[from] = ' ';
}

static void add_line(struct syntax *s)
{
	struct syntax_lines *lines = s->lines;
	if (lines->count == lines->capacity) {
		size_t capacity = lines->capacity ? 2 * lines->capacity : 256;
		unsigned *at = realloc(lines->at, capacity * sizeof *at);
		if (!at) {
			s->broken = true;
			s->source->no_memory = true;
			return;
		}
		lines->at = at;
		lines->capacity = capacity;
	}
	lines->at[lines->count++] = s->token.line;
}

void syntax_lines_free(struct syntax_lines *lines)
{
	free(lines->at);
	*lines = (struct syntax_lines){ 0 };
}

/* Told for what cannot be put right; the reading ends when nobody knows what comes next. */
static bool unexpected(struct syntax *s, const char *wanted, const struct opened *opened)
{
	s->broken = true;
	char open_text[384] = "";
	if (opened->mark)
		snprintf(open_text, sizeof open_text, "; the \"%c\" of %s is still open",
			opened->mark,
			line_of(s, opened->line, s->token.line,
				&(struct place_text){ .text = "" }));
	if (s->token.kind == TOKEN_END)
		problem_on(s, s->previous_line, "expected %s, but the file ends here%s", wanted,
			open_text);
	else
		problem_on(s, s->token.line, "expected %s, found %s%s", wanted, QUOTED_TOKEN(s),
			open_text);
	return false;
}

static bool read_value(struct syntax *s, const struct opened *around);

static bool is_value_start(const struct token *token)
{
	return token->mark ? strchr("([{", token->mark) != NULL : token->kind != TOKEN_END;
}

/* Commas where nothing stands between: told and taken out. */
static void skip_commas(struct syntax *s, const char *what)
{
	while (s->token.mark == ',') {
		problem_on(s, s->token.line, "%s", what);
		blank_out(s, s->token.at, s->token.at + 1);
		next_token(s);
	}
}

/* Behind an element: a comma and one more element, or the bracket that closes. */
static bool read_separator(struct syntax *s, const struct opened *opened)
{
	if (s->token.mark == opened->closer)
		return true;
	if (s->token.mark != ',') {
		if (!is_value_start(&s->token))
			return unexpected(s, "\",\" or the closing bracket", opened);
		problem_on(s, s->token.line, "a comma is missing in front of %s", QUOTED_TOKEN(s));
		s->broken = true;
		return true;
	}
	struct token comma = s->token;
	next_token(s);
	if (s->token.mark != opened->closer)
		return true;
	problem_on(s, comma.line, "a comma behind the last element; take it away");
	blank_out(s, comma.at, comma.at + 1);
	return true;
}

static void check_array_element(struct syntax *s, const struct token *first)
{
	const char *why = NULL;
	if (s->token.mark)
		why = "an array [ ... ] holds single values; a list of groups is written ( ... )";
	else if (s->token.kind != first->kind)
		why = "all values of an array [ ... ] must be of one kind";
	if (!why)
		return;
	problem_on(s, s->token.line, "%s", why);
	s->broken = true;
}

static bool read_elements(struct syntax *s, const struct opened *opened)
{
	struct token first = s->token;
	skip_commas(s, "a comma in front of the first element; take it away");
	while (s->token.mark != opened->closer) {
		if (!is_value_start(&s->token))
			return unexpected(s, "a value or the closing bracket", opened);
		if (opened->mark == '[')
			check_array_element(s, &first);
		add_line(s);
		if (!read_value(s, opened) || !read_separator(s, opened))
			return false;
		skip_commas(s, "two commas, and nothing between them");
	}
	return true;
}

/* Which settings a group has so far. */
struct group_names {
	size_t count;
	struct token at[SYNTAX_GROUP_MAX];
};

static const struct token *find_name(
	const struct syntax *s, const struct group_names *names, const struct token *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (names->at[i].len == name->len &&
			memcmp(s->text + names->at[i].at, s->text + name->at, name->len) == 0)
			return &names->at[i];
	return NULL;
}

static void end_setting(struct syntax *s)
{
	if (s->token.mark == ';' || s->token.mark == ',')
		next_token(s);
	while (s->token.mark == ';' || s->token.mark == ',') {
		problem_on(
			s, s->token.line, "\"%c\" ends nothing here; take it away", s->token.mark);
		blank_out(s, s->token.at, s->token.at + 1);
		next_token(s);
	}
}

/* name = value; */
static bool read_setting(struct syntax *s, struct group_names *names, const struct opened *opened)
{
	if (s->token.kind != TOKEN_NAME)
		return unexpected(s, "the name of a setting", opened);
	if (names->count == SYNTAX_GROUP_MAX) {
		problem_on(s, s->token.line, "more than 256 settings in one group");
		s->broken = true;
		return false;
	}
	struct token name = s->token;
	const struct token *same = find_name(s, names, &name);
	if (same) {
		problem_on(s, name.line, "%s is already set in %s", QUOTED_TOKEN(s),
			line_of(s, same->line, name.line, &(struct place_text){ .text = "" }));
	} else {
		names->at[names->count++] = name;
	}
	size_t lines_before = s->lines->count;
	add_line(s);
	next_token(s);
	if (s->token.mark == '=' || s->token.mark == ':') {
		next_token(s);
	} else {
		bool can_go_on = is_value_start(&s->token);
		unexpected(s, "\"=\"", &(struct opened){ 0 });
		if (!can_go_on)
			return false;
	}
	if (!read_value(s, opened))
		return false;
	end_setting(s);
	if (same) {
		blank_out(s, name.at, s->previous_end);
		s->lines->count = lines_before;
	}
	return true;
}

static bool read_settings(struct syntax *s, const struct opened *opened)
{
	struct group_names names;
	names.count = 0;
	while (s->token.mark != opened->closer || !opened->closer) {
		if (s->token.kind == TOKEN_END && !opened->closer)
			return true;
		if (!read_setting(s, &names, opened))
			return false;
	}
	return true;
}

static bool read_bracketed(struct syntax *s)
{
	struct opened opened = { .mark = s->token.mark, .line = s->token.line };
	opened.closer = opened.mark == '{' ? '}' : opened.mark == '[' ? ']' : ')';
	if (++s->depth > SYNTAX_DEPTH_MAX) {
		problem_on(s, s->token.line, "brackets are nested more than %d deep",
			SYNTAX_DEPTH_MAX);
		s->broken = true;
		return false;
	}
	next_token(s);
	bool fine = opened.mark == '{' ? read_settings(s, &opened) : read_elements(s, &opened);
	if (!fine)
		return false;
	s->depth--;
	next_token(s);
	return true;
}

/* "one " "text": libconfig joins neighbours. In a list that is a comma forgotten. */
static void read_text(struct syntax *s, const struct opened *around)
{
	next_token(s);
	if (around->mark == '[' || around->mark == '(')
		return;
	while (s->token.kind == TOKEN_TEXT)
		next_token(s);
}

static bool read_value(struct syntax *s, const struct opened *around)
{
	switch (s->token.kind) {
	case TOKEN_TEXT: read_text(s, around); return true;
	case TOKEN_MARK:
		if (!strchr("([{", s->token.mark))
			return unexpected(s, "a value", around);
		return read_bracketed(s);
	case TOKEN_END: return unexpected(s, "a value", around);
	case TOKEN_NAME:
	case TOKEN_OTHER:
		problem_on(s, s->token.line, "a word must stand in quotation marks: write %s",
			QUOTED_TOKEN(s));
		s->broken = true;
		break;
	case TOKEN_TOO_LARGE:
		problem_on(s, s->token.line, "the number %s is too large", QUOTED_TOKEN(s));
		s->broken = true;
		break;
	case TOKEN_INTEGER:
	case TOKEN_FLOAT:
	case TOKEN_BOOL: break;
	}
	next_token(s);
	return true;
}

bool syntax_check(struct source *source, struct syntax_lines *lines)
{
	struct syntax s = {
		.source = source,
		.lines = lines,
		.text = source->text,
		.len = source->len,
		.line = 1,
	};
	next_token(&s);
	read_settings(&s, &(struct opened){ 0 });
	return !s.broken;
}
