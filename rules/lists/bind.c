/* bind.c - zones of a named.conf that are served from a file of their own, which is how BIND blocks
 * (the Administrator Reference Manual, "zone"): zone "example.com" { type primary; file "..."; };
 * also with a class IN, type master, and on several lines. A zone is its name and everything below.
 * What the file would answer is not known here.
 *
 * Zones of other types are asked elsewhere, and other statements are not about names: they are left
 * out (LIST_REJECT_NOT_DNS). Comments are those of C, C++ and the shell. A word `zone` at the start
 * of a line begins a zone whatever came before, so that a missing brace costs one zone. */
#include "rules/lists/format.h"

struct parser {
	struct list_reading *reading;
	const uint8_t *at;
	const uint8_t *end;
	uint32_t line;
	bool line_start; /* nothing has stood on this line yet */
};

enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_QUOTED, TOKEN_MARK };

struct token {
	enum token_kind kind;
	struct slice text; /* without the quotes */
	const uint8_t *start;
	uint32_t line;
	bool line_start;
};

static bool starts(const struct parser *parser, const char *two)
{
	return parser->end - parser->at >= 2 && memcmp(parser->at, two, 2) == 0;
}

static void skip_to_newline(struct parser *parser)
{
	const uint8_t *newline = memchr(parser->at, '\n', (size_t)(parser->end - parser->at));
	parser->at = newline ? newline : parser->end;
}

static void step(struct parser *parser)
{
	if (*parser->at == '\n') {
		parser->line++;
		parser->line_start = true;
	}
	parser->at++;
}

static void skip_long_comment(struct parser *parser)
{
	parser->at += 2;
	while (parser->at < parser->end && !starts(parser, "*/"))
		step(parser);
	parser->at += parser->at < parser->end ? 2 : 0;
}

static void skip_blanks(struct parser *parser)
{
	while (parser->at < parser->end) {
		if (*parser->at == '#' || starts(parser, "//"))
			skip_to_newline(parser);
		else if (starts(parser, "/*"))
			skip_long_comment(parser);
		else if (*parser->at == '\n' || *parser->at == ' ' || *parser->at == '\t' ||
			*parser->at == '\r')
			step(parser);
		else
			return;
	}
}

static bool ends_word(uint8_t byte)
{
	return byte <= ' ' || byte == '{' || byte == '}' || byte == ';' || byte == '"';
}

static struct token take_quoted(struct parser *parser, struct token token)
{
	const uint8_t *from = ++parser->at;
	while (parser->at < parser->end && *parser->at != '"' && *parser->at != '\n')
		parser->at++;
	token.kind = TOKEN_QUOTED;
	token.text = slice_of(from, (size_t)(parser->at - from));
	if (parser->at < parser->end && *parser->at == '"')
		parser->at++;
	return token;
}

static struct token take_token(struct parser *parser)
{
	skip_blanks(parser);
	struct token token = { .kind = TOKEN_END,
		.start = parser->at,
		.line = parser->line,
		.line_start = parser->line_start };
	parser->line_start = false;
	if (parser->at == parser->end)
		return token;
	if (*parser->at == '"')
		return take_quoted(parser, token);
	token.kind = ends_word(*parser->at) ? TOKEN_MARK : TOKEN_WORD;
	do
		parser->at++;
	while (token.kind == TOKEN_WORD && parser->at < parser->end && !ends_word(*parser->at));
	token.text = slice_of(token.start, (size_t)(parser->at - token.start));
	return token;
}

static bool is_word(const struct token *token, const char *word)
{
	size_t len = strlen(word);
	return token->kind == TOKEN_WORD && token->text.len == len &&
		strncasecmp((const char *)token->text.at, word, len) == 0;
}

static bool is_mark(const struct token *token, char mark)
{
	return token->kind == TOKEN_MARK && token->text.at[0] == mark;
}

static bool begins_zone(const struct token *token)
{
	return token->line_start && is_word(token, "zone");
}

/* `next` is what stands behind the rejected statement, of which the first line is told. */
static void reject(const struct parser *parser, const struct token *from, const struct token *next,
	enum list_reject why)
{
	size_t len = (size_t)(next->start - from->start);
	const uint8_t *newline = memchr(from->start, '\n', len);
	if (newline)
		len = (size_t)(newline - from->start);
	parser->reading->line = from->line;
	list_tell_reject(parser->reading, why, list_trim(slice_of(from->start, len)));
}

/* Reads on to the ';' that ends a statement, braces and all. False when the text or the next zone
 * comes first. `*next` is the token behind. */
static bool skip_statement(struct parser *parser, struct token *next)
{
	unsigned depth = 0;
	while (next->kind != TOKEN_END && !begins_zone(next)) {
		bool last = is_mark(next, ';') && depth == 0;
		depth += is_mark(next, '{');
		depth -= is_mark(next, '}') && depth > 0;
		*next = take_token(parser);
		if (last)
			return true;
	}
	return false;
}

struct zone {
	struct token name;
	bool other_class;
	bool has_type;
	bool own; /* of a type that is served from its own data */
};

/* What stands between the braces; `*next` is the first token behind the first one. */
static bool read_options(struct parser *parser, struct token *next, struct zone *zone)
{
	while (next->kind != TOKEN_END && !begins_zone(next)) {
		if (is_mark(next, '}')) {
			*next = take_token(parser);
			return true;
		}
		bool type = is_word(next, "type");
		*next = take_token(parser);
		if (type) {
			zone->has_type = true;
			zone->own = is_word(next, "primary") || is_word(next, "master");
		}
		if (!skip_statement(parser, next))
			return false;
	}
	return false;
}

static bool read_head(struct parser *parser, struct token *next, struct zone *zone)
{
	*next = take_token(parser);
	zone->name = *next;
	if (begins_zone(next) || (next->kind != TOKEN_QUOTED && next->kind != TOKEN_WORD))
		return false;
	*next = take_token(parser);
	if (next->kind == TOKEN_WORD && !begins_zone(next)) {
		zone->other_class = !is_word(next, "in");
		*next = take_token(parser);
	}
	if (!is_mark(next, '{'))
		return false;
	*next = take_token(parser);
	return true;
}

static void tell_zone(const struct parser *parser, const struct token *from,
	const struct token *next, const struct zone *zone)
{
	struct dns_name name;
	enum list_reject why = list_read_name(zone->name.text, &name);
	if (!zone->has_type)
		reject(parser, from, next, LIST_REJECT_SYNTAX);
	else if (!zone->own || zone->other_class)
		reject(parser, from, next, LIST_REJECT_NOT_DNS);
	else if (why)
		reject(parser, from, next, why);
	else
		list_tell_pattern(parser->reading, &name, PATTERN_BOTH);
}

static void read_zone(struct parser *parser, struct token *next)
{
	struct token from = *next;
	struct zone zone = { .own = false };
	bool whole = read_head(parser, next, &zone) && read_options(parser, next, &zone);
	if (is_mark(next, ';'))
		*next = take_token(parser);
	parser->reading->line = from.line;
	if (whole)
		tell_zone(parser, &from, next, &zone);
	else
		reject(parser, &from, next, LIST_REJECT_SYNTAX);
}

static void read_statement(struct parser *parser, struct token *next)
{
	struct token from = *next;
	bool word = next->kind == TOKEN_WORD;
	bool whole = skip_statement(parser, next);
	reject(parser, &from, next, word && whole ? LIST_REJECT_NOT_DNS : LIST_REJECT_SYNTAX);
}

static void bind_read_text(struct list_reading *reading, struct slice text)
{
	struct parser parser = { .reading = reading,
		.at = text.at,
		.end = text.at + text.len,
		.line = 1,
		.line_start = true };
	if (text.len == 0)
		return;
	struct token next = take_token(&parser);
	while (next.kind != TOKEN_END && !reading->error) {
		if (is_word(&next, "zone"))
			read_zone(&parser, &next);
		else
			read_statement(&parser, &next);
	}
}

/* Of a zone on several lines each line is of this format. */
static enum list_likeness bind_resembles(struct slice line)
{
	if (list_take_prefix(&line, "//") || list_take_prefix(&line, "/*"))
		return LIST_NEUTRAL;
	if (list_take_prefix(&line, "zone \"") || list_take_prefix(&line, "type master;") ||
		list_take_prefix(&line, "type primary;") || list_take_prefix(&line, "file \""))
		return LIST_SURE;
	uint8_t last = line.at[line.len - 1];
	return last == '{' || last == '}' || last == ';' ? LIST_NEUTRAL : LIST_FOREIGN;
}

const struct list_format_type list_format_bind = {
	.name = "bind",
	.read_text = bind_read_text,
	.resembles = bind_resembles,
};
