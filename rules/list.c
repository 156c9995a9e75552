#include "rules/list.h"

#include "base/address.h"
#include "rules/idn.h"
#include "rules/lists/format.h"

static const struct list_format_type *const list_formats[LIST_FORMAT_COUNT] = {
	[LIST_DOMAINS] = &list_format_domains,
	[LIST_HOSTS] = &list_format_hosts,
	[LIST_WILDCARD] = &list_format_wildcard,
	[LIST_ADBLOCK] = &list_format_adblock,
	[LIST_DNSMASQ] = &list_format_dnsmasq,
	[LIST_UNBOUND] = &list_format_unbound,
	[LIST_BIND] = &list_format_bind,
	[LIST_DNSCRYPT] = &list_format_dnscrypt,
	[LIST_RPZ] = &list_format_rpz,
	[LIST_NETWORKS] = &list_format_networks,
};

static const char *const reject_texts[LIST_REJECT_COUNT] = {
	[LIST_REJECT_NONE] = "accepted",
	[LIST_REJECT_NOT_A_NAME] = "not a domain name",
	[LIST_REJECT_TOO_LONG] = "too long",
	[LIST_REJECT_ASTERISK] = "an asterisk can only be the whole leftmost label",
	[LIST_REJECT_ADDRESS] = "an IP address where a name belongs",
	[LIST_REJECT_NO_NAME] = "no name behind an address",
	[LIST_REJECT_NOT_ASCII] = "not a name that can be written with xn--",
	[LIST_REJECT_SYNTAX] = "not a line of this format",
	[LIST_REJECT_NOT_DNS] = "not a rule for whole names",
	[LIST_REJECT_TRIGGER] = "a trigger that is not supported",
	[LIST_REJECT_ANSWER] = "an answer that cannot be given",
	[LIST_REJECT_TOO_MANY] = "too many different actions in this list",
	[LIST_REJECT_DUPLICATE] = "stood before in this list",
};

const char *list_reject_text(enum list_reject reject)
{
	return (unsigned)reject < LIST_REJECT_COUNT ? reject_texts[reject] : "unknown";
}

static const char *const reject_names[LIST_REJECT_COUNT] = {
	[LIST_REJECT_NONE] = "accepted",
	[LIST_REJECT_NOT_A_NAME] = "not_a_name",
	[LIST_REJECT_TOO_LONG] = "too_long",
	[LIST_REJECT_ASTERISK] = "asterisk",
	[LIST_REJECT_ADDRESS] = "address",
	[LIST_REJECT_NO_NAME] = "no_name",
	[LIST_REJECT_NOT_ASCII] = "not_ascii",
	[LIST_REJECT_SYNTAX] = "syntax",
	[LIST_REJECT_NOT_DNS] = "not_dns",
	[LIST_REJECT_TRIGGER] = "trigger",
	[LIST_REJECT_ANSWER] = "answer",
	[LIST_REJECT_TOO_MANY] = "too_many",
	[LIST_REJECT_DUPLICATE] = "duplicate",
};

const char *list_reject_name(enum list_reject reject)
{
	return (unsigned)reject < LIST_REJECT_COUNT ? reject_names[reject] : "unknown";
}

const char *list_format_name(enum list_format format)
{
	return (unsigned)format < LIST_FORMAT_COUNT ? list_formats[format]->name : "unknown";
}

const struct list_format_type *list_format_of(enum list_format format)
{
	return list_formats[format];
}

bool list_format_parse(const char *text, enum list_format *format)
{
	for (unsigned i = 0; i < LIST_FORMAT_COUNT; i++) {
		if (strcmp(text, list_formats[i]->name) == 0) {
			*format = (enum list_format)i;
			return true;
		}
	}
	return false;
}

void list_tell_pattern(
	struct list_reading *reading, const struct dns_name *name, enum pattern_kind kind)
{
	static const struct facet plain = { .rank = FACET_RANK_PLAIN };
	list_tell_facet(reading, name, kind, &plain);
}

void list_tell_facet(struct list_reading *reading, const struct dns_name *name,
	enum pattern_kind kind, const struct facet *facet)
{
	const struct list_sink *sink = reading->sink;
	const struct list_pattern pattern = {
		.name = name, .kind = kind, .facet = facet, .line = reading->line
	};
	if (!reading->error)
		reading->error = sink->on_pattern(sink->context, &pattern);
}

void list_tell_network(
	struct list_reading *reading, const struct network *network, const struct facet *facet)
{
	const struct list_sink *sink = reading->sink;
	const struct list_network told = {
		.network = *network, .facet = facet, .line = reading->line
	};
	if (!reading->error && sink->on_network)
		reading->error = sink->on_network(sink->context, &told);
}

void list_tell_reject(struct list_reading *reading, enum list_reject reject, struct slice text)
{
	const struct list_sink *sink = reading->sink;
	if (text.len > LIST_REJECT_TEXT_MAX)
		text.len = LIST_REJECT_TEXT_MAX;
	if (sink->on_reject)
		sink->on_reject(sink->context, reading->line, reject, text);
}

static bool is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r';
}

static bool is_digit(uint8_t byte)
{
	return byte >= '0' && byte <= '9';
}

struct slice list_trim(struct slice text)
{
	while (text.len && is_blank(text.at[0]))
		text = slice_of(text.at + 1, text.len - 1);
	while (text.len && is_blank(text.at[text.len - 1]))
		text.len--;
	return text;
}

bool list_take_prefix(struct slice *text, const char *prefix)
{
	size_t len = strlen(prefix);
	if (text->len < len || memcmp(text->at, prefix, len) != 0)
		return false;
	*text = slice_of(text->at + len, text->len - len);
	return true;
}

bool list_take_suffix(struct slice *text, const char *suffix)
{
	size_t len = strlen(suffix);
	if (text->len < len || memcmp(text->at + text->len - len, suffix, len) != 0)
		return false;
	text->len -= len;
	return true;
}

static struct slice cut_comment(struct slice line, bool anywhere)
{
	const uint8_t *end = line.at + line.len;
	const uint8_t *hash = line.at;
	while (hash < end && (hash = memchr(hash, '#', (size_t)(end - hash)))) {
		if (anywhere || hash == line.at || is_blank(hash[-1]))
			return slice_of(line.at, (size_t)(hash - line.at));
		hash++;
	}
	return line;
}

struct slice list_take_word(struct slice *line)
{
	struct slice rest = list_trim(*line);
	size_t len = 0;
	while (len < rest.len && !is_blank(rest.at[len]))
		len++;
	*line = slice_of(rest.at + len, rest.len - len);
	return slice_of(rest.at, len);
}

bool list_take_asterisk(struct slice *text)
{
	if (text->len == 0 || text->at[0] != '*' || (text->len > 1 && text->at[1] != '.'))
		return false;
	size_t taken = text->len > 1 ? 2 : 1;
	*text = slice_of(text->at + taken, text->len - taken);
	return true;
}

bool list_is_address(struct slice text)
{
	char copy[64];
	if (text.len && text.at[text.len - 1] == '.')
		text.len--;
	if (text.len == 0 || text.len >= sizeof copy || memchr(text.at, 0, text.len))
		return false;
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	struct network network;
	return network_parse(&network, copy);
}

/* The bytes that a label may show without an escape, in lower case. */
/* clang-format off */
static const uint8_t label_bytes[256] = {
	['-'] = '-', ['_'] = '_',
	['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4',
	['5'] = '5', ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9',
#define LETTER(upper, lower) [upper] = lower, [lower] = lower
	LETTER('A', 'a'), LETTER('B', 'b'), LETTER('C', 'c'), LETTER('D', 'd'), LETTER('E', 'e'),
	LETTER('F', 'f'), LETTER('G', 'g'), LETTER('H', 'h'), LETTER('I', 'i'), LETTER('J', 'j'),
	LETTER('K', 'k'), LETTER('L', 'l'), LETTER('M', 'm'), LETTER('N', 'n'), LETTER('O', 'o'),
	LETTER('P', 'p'), LETTER('Q', 'q'), LETTER('R', 'r'), LETTER('S', 's'), LETTER('T', 't'),
	LETTER('U', 'u'), LETTER('V', 'v'), LETTER('W', 'w'), LETTER('X', 'x'), LETTER('Y', 'y'),
	LETTER('Z', 'z'),
#undef LETTER
};
/* clang-format on */

static enum list_reject reject_of_byte(uint8_t byte)
{
	if (byte >= 0x80)
		return LIST_REJECT_NOT_ASCII;
	return byte == '*' ? LIST_REJECT_ASTERISK : LIST_REJECT_NOT_A_NAME;
}

/* A name with escapes, or one that is too long for the short way. */
static enum list_reject read_escaped(struct slice text, struct dns_name *name)
{
	size_t label_len = 0;
	size_t wire_len = 2; /* the first length and the root */
	for (size_t i = 0; i < text.len; i++) {
		uint8_t byte = text.at[i];
		if (byte == '\\') {
			bool decimal = i + 1 < text.len && is_digit(text.at[i + 1]);
			i += decimal ? 3 : 1;
		} else if (!label_bytes[byte] && byte != '.') {
			return reject_of_byte(byte);
		}
		label_len = byte == '.' ? 0 : label_len + 1;
		wire_len += byte != '.' || i + 1 < text.len;
		if (label_len > DNS_LABEL_MAX || wire_len > DNS_NAME_MAX)
			return LIST_REJECT_TOO_LONG;
	}
	if (!dns_name_from_text(name, text) || name->len < 2)
		return LIST_REJECT_NOT_A_NAME;
	dns_name_lower(name->wire, name->wire, name->len);
	return LIST_REJECT_NONE;
}

/* The short way: text to wire in one pass. A million lines go through here at start. */
static enum list_reject read_plain(struct slice text, struct dns_name *name)
{
	size_t label_at = 0;
	if (text.len == 0)
		return LIST_REJECT_NOT_A_NAME;
	if (text.len > DNS_NAME_MAX - 2)
		return read_escaped(text, name);
	for (size_t i = 0; i < text.len; i++) {
		uint8_t byte = text.at[i];
		name->wire[i + 1] = label_bytes[byte];
		if (label_bytes[byte])
			continue;
		if (byte != '.')
			return byte == '\\' ? read_escaped(text, name) : reject_of_byte(byte);
		if (i == label_at)
			return LIST_REJECT_NOT_A_NAME;
		if (i - label_at > DNS_LABEL_MAX)
			return LIST_REJECT_TOO_LONG;
		name->wire[label_at] = (uint8_t)(i - label_at);
		label_at = i + 1;
	}
	if (text.len - label_at > DNS_LABEL_MAX)
		return LIST_REJECT_TOO_LONG;
	name->wire[label_at] = (uint8_t)(text.len - label_at);
	name->len = (uint8_t)(label_at + 1);
	if (label_at < text.len) {
		name->wire[text.len + 1] = 0;
		name->len = (uint8_t)(text.len + 2);
	}
	return LIST_REJECT_NONE;
}

static bool all_digits(const uint8_t *label)
{
	for (unsigned i = 1; i <= label[0]; i++)
		if (!is_digit(label[i]))
			return false;
	return true;
}

/* A name whose last label is a number is none: no top-level domain is (RFC 3696 2), and programs
 * take such text for an IPv4 address, in decimal, octal and short forms. */
static enum list_reject reject_of_number(const struct dns_name *name)
{
	uint8_t offsets[DNS_NAME_LABELS_MAX];
	size_t count = dns_name_labels(dns_name_slice(name), offsets);
	if (!all_digits(name->wire + offsets[count - 1]))
		return LIST_REJECT_NONE;
	while (count > 0 && all_digits(name->wire + offsets[count - 1]))
		count--;
	return count > 0 ? LIST_REJECT_NOT_A_NAME : LIST_REJECT_ADDRESS;
}

/* With a sequence of bytes that is an escape for us and none for the mapping, the name is none. */
static enum list_reject read_international(struct slice text, struct dns_name *name)
{
	uint8_t ascii[DNS_NAME_TEXT_MAX];
	struct writer to = writer_of(ascii, sizeof ascii);
	if (memchr(text.at, '\\', text.len) || !idn_to_ascii(&to, text))
		return LIST_REJECT_NOT_ASCII;
	return read_escaped(writer_slice(&to), name) ? LIST_REJECT_NOT_ASCII : LIST_REJECT_NONE;
}

enum list_reject list_read_name(struct slice text, struct dns_name *name)
{
	enum list_reject reject = read_plain(text, name);
	if (reject == LIST_REJECT_NOT_ASCII)
		reject = read_international(text, name);
	if (reject == LIST_REJECT_NOT_A_NAME && list_is_address(text))
		return LIST_REJECT_ADDRESS;
	if (reject == LIST_REJECT_NONE && is_digit(name->wire[name->len - 2]))
		return reject_of_number(name);
	return reject;
}

static inline bool take_line(struct slice *text, enum list_comments comments, struct slice *line)
{
	if (text->len == 0)
		return false;
	const uint8_t *newline = memchr(text->at, '\n', text->len);
	size_t len = newline ? (size_t)(newline - text->at) : text->len;
	size_t taken = newline ? len + 1 : len;
	*line = slice_of(text->at, len);
	*text = slice_of(text->at + taken, text->len - taken);
	if (comments != LIST_COMMENTS_OWN)
		*line = cut_comment(*line, comments == LIST_COMMENTS_ANYWHERE);
	*line = list_trim(*line);
	return true;
}

bool list_take_line(struct slice *text, enum list_comments comments, struct slice *line)
{
	return take_line(text, comments, line);
}

static void read_lines(
	struct list_reading *reading, const struct list_format_type *type, struct slice text)
{
	struct slice line;
	while (!reading->error && take_line(&text, type->comments, &line)) {
		reading->line++;
		if (line.len > LIST_LINE_MAX)
			list_tell_reject(reading, LIST_REJECT_TOO_LONG, line);
		else if (line.len > 0)
			type->read_line(reading, line);
	}
}

int list_read(enum list_format format, struct slice text, const struct list_sink *sink)
{
	const struct list_format_type *type = list_formats[format];
	struct list_reading reading = { .sink = sink };
	list_take_prefix(&text, "\xef\xbb\xbf");
	if (type->read_text)
		type->read_text(&reading, text);
	else
		read_lines(&reading, type, text);
	return reading.error;
}

/* An asterisk that stands for itself is escaped, so that the text means the same in a list. */
static void write_escaping_asterisks(struct writer *to, struct slice name)
{
	char text[DNS_NAME_TEXT_MAX];
	for (const char *at = dns_name_text(name, text); *at; at++) {
		if (*at == '*')
			writer_text(to, "\\042");
		else
			writer_u8(to, (uint8_t)*at);
	}
}

void list_pattern_write_text(struct writer *to, struct slice name, enum pattern_kind kind)
{
	bool root = name.len == 1;
	if (kind == PATTERN_BELOW || (root && kind == PATTERN_BOTH))
		writer_text(to, root ? "*" : "*.");
	write_escaping_asterisks(to, name);
}
