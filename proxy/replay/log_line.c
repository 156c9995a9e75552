/* One pass over the line: the values that are wanted are noted as slices, everything else is
 * stepped over; then the few that are more than text are read. */
#include "proxy/replay/log_line.h"

#include "base/hex.h"
#include "base/reader.h"
#include "dns/types.h"

/* ---- JSON, as far as it has to be understood ---- */

static const uint64_t ones = 0x0101010101010101U;
static const uint64_t tops = 0x8080808080808080U;

/* Bytes that are 0 have their top bit set in what this gives; bytes above the first such one may,
 * too (Mycroft's test). */
static uint64_t zero_bytes(uint64_t word)
{
	return (word - ones) & ~word & tops;
}

/* To the next quote or backslash, eight bytes at a time; else to the end. */
static const uint8_t *find_special(const uint8_t *at, const uint8_t *end)
{
	for (uint64_t word; end - at >= 8; at += 8) {
		memcpy(&word, at, sizeof word);
		uint64_t found = zero_bytes(word ^ ones * '"') | zero_bytes(word ^ ones * '\\');
		if (!found)
			continue;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		return at + __builtin_ctzll(found) / 8; /* the lowest one is never a false one */
#else
		break;
#endif
	}
	while (at < end && *at != '"' && *at != '\\')
		at++;
	return at;
}

static void skip_blanks(struct reader *from)
{
	while (from->at < from->end && (*from->at == ' ' || *from->at == '\t' || *from->at == '\r'))
		from->at++;
}

static uint8_t peek(const struct reader *from)
{
	return from->at < from->end && !from->failed ? *from->at : 0;
}

static bool take(struct reader *from, uint8_t byte)
{
	if (peek(from) != byte)
		return false;
	from->at++;
	return true;
}

/* The inside of a string; the reader stands at its opening quote. */
static struct slice take_string(struct reader *from)
{
	if (!take(from, '"')) {
		from->failed = true;
		return slice_of(NULL, 0);
	}
	const uint8_t *start = from->at;
	for (;;) {
		from->at = find_special(from->at, from->end);
		if (from->at == from->end)
			break;
		if (*from->at == '"')
			return slice_of(start, (size_t)(from->at++ - start));
		if (from->end - from->at < 2)
			break;
		from->at += 2;
	}
	from->failed = true;
	return slice_of(NULL, 0);
}

/* Objects and arrays within each other, whatever is in them. */
static void skip_nested(struct reader *from)
{
	size_t depth = 0;
	do {
		uint8_t byte = peek(from);
		if (byte == '"') {
			take_string(from);
			continue;
		}
		depth += byte == '{' || byte == '[';
		depth -= byte == '}' || byte == ']';
		reader_skip(from, 1);
	} while (depth > 0 && !from->failed);
}

static bool ends_word(uint8_t byte)
{
	return byte == 0 || byte == ',' || byte == '}' || byte == ']' || byte == ' ' ||
		byte == '\t' || byte == '\r';
}

/* A number, true, false, null; null is nothing. */
static struct slice take_word(struct reader *from)
{
	const uint8_t *start = from->at;
	while (!ends_word(peek(from)))
		from->at++;
	struct slice word = slice_of(start, (size_t)(from->at - start));
	if (word.len == 0 ||
		!(*start == '-' || (*start >= '0' && *start <= '9') ||
			(*start >= 'a' && *start <= 'z')))
		from->failed = true;
	return slice_equals_text(word, "null") ? slice_of(NULL, 0) : word;
}

/* Any value; its text when it has one. */
static struct slice take_value(struct reader *from)
{
	uint8_t first = peek(from);
	if (first == '"')
		return take_string(from);
	if (first != '{' && first != '[')
		return take_word(from);
	skip_nested(from);
	return slice_of(NULL, 0);
}

/* ---- what is wanted of a line ---- */

struct fields {
	struct slice view, time, name, type, class, rcode, client, transport;
	struct slice aws_group, aws_action, aws_list;
	struct slice own_view, action, response, group, rule, list, entry, matched_name, hop;
	struct slice matched_address, reason, policy_hash, client_id, truncated, rate_limited;
	struct slice rdata, answer_type;
};

enum { NOT_WANTED = 0xffff };

/* Keys of one object in the order in which they are written, known ones that nobody wants included:
 * the search goes on behind the key found last, so that one comparison a key is usual. */
struct key {
	const char *text; /* "\"vpc_id\":" */
	uint8_t len;      /* of the text */
	uint16_t field;   /* offset in struct fields */
	void (*read)(struct reader *from, struct log_line *line, struct fields *fields);
};

struct keys {
	const struct key *at;
	size_t count;
};

#define KEY_TEXT(name) "\"" name "\":", sizeof(name) + 2
#define WANTED(name, field)                                                                        \
	{                                                                                          \
		KEY_TEXT(name), offsetof(struct fields, field), NULL                               \
	}
#define KNOWN(name)                                                                                \
	{                                                                                          \
		KEY_TEXT(name), NOT_WANTED, NULL                                                   \
	}
#define NESTED(name, read)                                                                         \
	{                                                                                          \
		KEY_TEXT(name), NOT_WANTED, read                                                   \
	}

static const struct key *key_find(const struct keys *keys, struct slice name, size_t *next)
{
	for (size_t i = 0; i < keys->count; i++) {
		size_t at = *next + i < keys->count ? *next + i : *next + i - keys->count;
		const struct key *key = &keys->at[at];
		if (key->len - 3u != name.len || memcmp(key->text + 1, name.at, name.len) != 0)
			continue;
		*next = at + 1 < keys->count ? at + 1 : 0;
		return key;
	}
	return NULL;
}

/* The key that usually comes next, without looking for its end. */
static const struct key *take_usual_key(struct reader *from, const struct keys *keys, size_t *next)
{
	const struct key *key = &keys->at[*next];
	if ((size_t)(from->end - from->at) < key->len || memcmp(from->at, key->text, key->len) != 0)
		return NULL;
	from->at += key->len;
	*next = *next + 1 < keys->count ? *next + 1 : 0;
	return key;
}

/* Any other; NULL when nobody knows it. */
static const struct key *take_key(struct reader *from, const struct keys *keys, size_t *next)
{
	struct slice name = take_string(from);
	skip_blanks(from);
	if (!take(from, ':'))
		from->failed = true;
	return from->failed ? NULL : key_find(keys, name, next);
}

static void read_member(
	struct reader *from, const struct key *key, struct log_line *line, struct fields *fields)
{
	if (key && key->read) {
		key->read(from, line, fields);
		return;
	}
	struct slice value = take_value(from);
	if (key && key->field != NOT_WANTED)
		memcpy((uint8_t *)fields + key->field, &value, sizeof value);
}

/* An object; the reader stands at its brace. A key that comes twice has its last value. */
static void read_object(
	struct reader *from, const struct keys *keys, struct log_line *line, struct fields *fields)
{
	size_t next = 0;
	if (!take(from, '{')) {
		from->failed = true;
		return;
	}
	skip_blanks(from);
	if (take(from, '}'))
		return;
	for (;;) {
		skip_blanks(from);
		const struct key *key = take_usual_key(from, keys, &next);
		if (!key)
			key = take_key(from, keys, &next);
		if (from->failed)
			return;
		skip_blanks(from);
		read_member(from, key, line, fields);
		skip_blanks(from);
		if (take(from, '}'))
			return;
		if (!take(from, ','))
			break;
	}
	from->failed = true;
}

/* ---- numbers and their names ---- */

static bool parse_u16(struct slice digits, uint16_t *number)
{
	unsigned sum = 0;
	if (digits.len == 0 || digits.len > 5)
		return false;
	for (size_t i = 0; i < digits.len; i++) {
		if (digits.at[i] < '0' || digits.at[i] > '9')
			return false;
		sum = sum * 10 + (unsigned)(digits.at[i] - '0');
	}
	*number = (uint16_t)sum;
	return sum <= UINT16_MAX;
}

/* The table of all types is searched for the others. */
static bool parse_type(struct slice text, uint16_t *type)
{
	static const struct {
		const char *name;
		uint16_t type;
	} usual[] = { { "A", DNS_TYPE_A }, { "AAAA", DNS_TYPE_AAAA }, { "HTTPS", DNS_TYPE_HTTPS },
		{ "CNAME", DNS_TYPE_CNAME }, { "PTR", DNS_TYPE_PTR }, { "TXT", DNS_TYPE_TXT } };
	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
		if (slice_equals_text(text, usual[i].name)) {
			*type = usual[i].type;
			return true;
		}
	return parse_u16(text, type) || dns_type_parse(text, type);
}

static uint16_t parse_rcode(struct slice text)
{
	uint16_t number = 0;
	if (parse_u16(text, &number))
		return number;
	for (number = 0; number <= DNS_RCODE_BADCOOKIE; number++) {
		const char *name = dns_rcode_name(number);
		if (name && slice_equals_text(text, name))
			return number;
	}
	return 0;
}

static uint16_t parse_class(struct slice text)
{
	static const uint16_t classes[] = { DNS_CLASS_IN, DNS_CLASS_CH, DNS_CLASS_HS,
		DNS_CLASS_NONE, DNS_CLASS_ANY };
	uint16_t class = DNS_CLASS_IN;
	if (slice_equals_text(text, "IN"))
		return class;
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
		if (slice_equals_text(text, dns_class_name(classes[i])))
			return classes[i];
	parse_u16(text, &class);
	return class;
}

/* ---- answers ---- */

static const struct key answer_key_table[] = {
	WANTED("Rdata", rdata),
	WANTED("Type", answer_type),
	KNOWN("Class"),
};
static const struct keys answer_keys = { answer_key_table, 3 };

static void read_answer(struct reader *from, struct log_line *line, struct fields *fields)
{
	uint16_t type;
	fields->rdata = fields->answer_type = slice_of(NULL, 0);
	read_object(from, &answer_keys, line, fields);
	if (from->failed || !parse_type(fields->answer_type, &type))
		return;
	if (line->answer_count == LOG_LINE_ANSWERS_MAX) {
		line->is_truncated = true;
		return;
	}
	line->answers[line->answer_count++] =
		(struct log_answer){ .rdata = fields->rdata, .type = type };
}

static void read_answers(struct reader *from, struct log_line *line, struct fields *fields)
{
	line->answer_count = 0;
	if (peek(from) != '[') {
		take_value(from);
		return;
	}
	from->at++;
	skip_blanks(from);
	if (take(from, ']'))
		return;
	do {
		skip_blanks(from);
		read_answer(from, line, fields);
		skip_blanks(from);
	} while (take(from, ','));
	if (!take(from, ']'))
		from->failed = true;
}

/* ---- the objects ---- */

static void read_exception(struct reader *from, struct log_line *line, struct fields *fields)
{
	(void)fields;
	line->has_exception = true;
	take_value(from);
}

static const struct key ext_key_table[] = {
	WANTED("view", own_view),
	KNOWN("client_by"),
	WANTED("client_id", client_id),
	WANTED("action", action),
	WANTED("block_response", response),
	WANTED("rule_group", group),
	WANTED("rule", rule),
	WANTED("list", list),
	WANTED("entry", entry),
	WANTED("matched_name", matched_name),
	WANTED("hop", hop),
	WANTED("matched_address", matched_address),
	KNOWN("monitored"),
	KNOWN("observed"),
	NESTED("exception", read_exception),
	WANTED("reason", reason),
	KNOWN("fail_mode"),
	KNOWN("revision"),
	WANTED("policy_hash", policy_hash),
	KNOWN("protocol"),
	KNOWN("source"),
	KNOWN("age_s"),
	KNOWN("upstream"),
	KNOWN("upstream_us"),
	KNOWN("time_us"),
	KNOWN("duration_us"),
	KNOWN("ede"),
	KNOWN("shadow"),
	WANTED("rate_limited", rate_limited),
	WANTED("answers_truncated", truncated),
};
static const struct keys ext_keys = { ext_key_table, sizeof ext_key_table / sizeof *ext_key_table };

static void read_ext(struct reader *from, struct log_line *line, struct fields *fields)
{
	if (peek(from) != '{') {
		take_value(from);
		return;
	}
	line->has_ext = true;
	read_object(from, &ext_keys, line, fields);
}

static const struct key line_key_table[] = {
	KNOWN("version"),
	KNOWN("account_id"),
	KNOWN("region"),
	WANTED("vpc_id", view),
	WANTED("query_timestamp", time),
	WANTED("query_name", name),
	WANTED("query_type", type),
	WANTED("query_class", class),
	WANTED("rcode", rcode),
	NESTED("answers", read_answers),
	WANTED("srcaddr", client),
	KNOWN("srcport"),
	WANTED("transport", transport),
	KNOWN("srcids"),
	WANTED("firewall_rule_group_id", aws_group),
	WANTED("firewall_rule_action", aws_action),
	WANTED("firewall_domain_list_id", aws_list),
	NESTED("ext", read_ext),
};
static const struct keys line_keys = { line_key_table,
	sizeof line_key_table / sizeof *line_key_table };

/* ---- from text to values ---- */

static unsigned two_digits(const uint8_t *at)
{
	return (at[0] - '0') * 10u + (at[1] - '0');
}

/* "2026-03-04T05:06:07", and a fraction or "Z" behind it, which count for nothing. Days are counted
 * from March (H. Hinnant, "chrono-compatible low-level date algorithms"). */
static int64_t parse_time(struct slice text)
{
	static const char form[] = "0000-00-00T00:00:00";
	if (text.len < sizeof form - 1)
		return 0;
	for (size_t i = 0; i < sizeof form - 1; i++)
		if (form[i] == '0' ? text.at[i] < '0' || text.at[i] > '9'
				   : text.at[i] != (uint8_t)form[i])
			return 0;
	unsigned month = two_digits(text.at + 5);
	unsigned day = two_digits(text.at + 8);
	if (month < 1 || month > 12 || day < 1 || day > 31)
		return 0;
	int64_t year = two_digits(text.at) * 100 + two_digits(text.at + 2) - (month <= 2);
	int64_t day_of_year = (153 * (month + (month > 2 ? -3u : 9u)) + 2) / 5 + day - 1;
	int64_t days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719468;
	return days * 86400 + two_digits(text.at + 11) * 3600 + two_digits(text.at + 14) * 60 +
		two_digits(text.at + 17);
}

static bool parse_client(struct slice text, struct address *address)
{
	char plain[ADDRESS_TEXT_MAX];
	if (text.len == 0 || text.len >= sizeof plain || memchr(text.at, '\0', text.len))
		return false;
	memcpy(plain, text.at, text.len);
	plain[text.len] = '\0';
	return address_parse(address, plain);
}

static enum action parse_action(struct slice text)
{
	static const enum action told[] = { ACTION_ALLOW, ACTION_ALERT, ACTION_BLOCK };
	for (size_t i = 0; i < sizeof told / sizeof *told; i++)
		if (slice_equals_text(text, action_name(told[i])))
			return told[i];
	return ACTION_NONE;
}

static bool read_name(struct log_line *line, struct slice text)
{
	uint8_t buffer[DNS_NAME_TEXT_MAX];
	if (!dns_name_from_text(&line->name, log_line_plain(text, buffer, sizeof buffer)))
		return false;
	line->lower.len = line->name.len;
	dns_name_lower(line->lower.wire, line->name.wire, line->name.len);
	return true;
}

static void take_verdict(struct log_line *line, const struct fields *fields)
{
	line->action = parse_action(line->has_ext ? fields->action : fields->aws_action);
	line->group = fields->group.len ? fields->group : fields->aws_group;
	line->list = fields->list.len ? fields->list : fields->aws_list;
	line->rule = fields->rule;
	line->entry = fields->entry;
	line->response = fields->response;
	line->reason = fields->reason;
	line->matched_name = fields->matched_name;
	line->matched_address = fields->matched_address;
	line->hop = 0;
	parse_u16(fields->hop, &line->hop);
	line->policy_hash = fields->policy_hash;
}

static void take_client(struct log_line *line, const struct fields *fields)
{
	line->client_text = fields->client;
	line->has_client = parse_client(fields->client, &line->client);
	line->client_id = fields->client_id;
	line->is_datagram = slice_equals_text(fields->transport, "UDP");
	line->has_view = fields->view.at;
	line->view = fields->view.len ? fields->view : fields->own_view;
}

bool log_line_read(struct log_line *line, struct slice text)
{
	struct reader from = reader_of(text);
	struct fields fields;
	memset(&fields, 0, sizeof fields);
	line->has_ext = line->has_exception = line->is_truncated = false;
	line->answer_count = 0;
	skip_blanks(&from);
	read_object(&from, &line_keys, line, &fields);
	skip_blanks(&from);
	if (from.failed || from.at != from.end || fields.type.len == 0 ||
		!parse_type(fields.type, &line->type) || !read_name(line, fields.name))
		return false;
	line->is_truncated |= slice_equals_text(fields.truncated, "true");
	line->is_rate_limited = slice_equals_text(fields.rate_limited, "true") &&
		fields.action.len == 0 && fields.reason.len == 0;
	line->time_s = parse_time(fields.time);
	line->class = parse_class(fields.class);
	line->rcode = parse_rcode(fields.rcode);
	take_client(line, &fields);
	take_verdict(line, &fields);
	return true;
}

/* ---- escapes ---- */

/* Four digits behind "\u"; false when they are none. */
static bool take_unit(struct reader *from, uint32_t *unit)
{
	struct reader ahead = *from;
	*unit = 0;
	for (unsigned i = 0; i < 4; i++) {
		int value = hex_digit(reader_u8(&ahead));
		if (value < 0 || ahead.failed)
			return false;
		*unit = *unit << 4 | (uint32_t)value;
	}
	*from = ahead;
	return true;
}

static void write_utf8(struct writer *to, uint32_t code)
{
	if (code < 0x80) {
		writer_u8(to, (uint8_t)code);
	} else if (code < 0x800) {
		writer_u16(to, (uint16_t)(0xc080 | (code & 0x7c0) << 2 | (code & 0x3f)));
	} else if (code < 0x10000) {
		writer_u8(to, (uint8_t)(0xe0 | code >> 12));
		writer_u16(to, (uint16_t)(0x8080 | (code & 0xfc0) << 2 | (code & 0x3f)));
	} else {
		writer_u32(to,
			0xf0808080 | (code & 0x1c0000) << 6 | (code & 0x3f000) << 4 |
				(code & 0xfc0) << 2 | (code & 0x3f));
	}
}

/* RFC 8259 7: beyond the basic plane two units make one character; half of one is U+FFFD. */
static void undo_unit(struct reader *from, struct writer *to)
{
	uint32_t high, low;
	if (!take_unit(from, &high)) {
		writer_text(to, "\\u");
		return;
	}
	struct reader ahead = *from;
	if (high >= 0xd800 && high < 0xdc00 && reader_u8(&ahead) == '\\' &&
		reader_u8(&ahead) == 'u' && take_unit(&ahead, &low) && low >= 0xdc00 &&
		low < 0xe000) {
		*from = ahead;
		write_utf8(to, 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
		return;
	}
	write_utf8(to, high >= 0xd800 && high < 0xe000 ? 0xfffd : high);
}

static void undo_escape(struct reader *from, struct writer *to)
{
	static const char letters[] = "\"\\/bfnrt";
	static const char meant[] = "\"\\/\b\f\n\r\t";
	uint8_t letter = reader_u8(from);
	const char *found = letter ? strchr(letters, letter) : NULL;
	if (letter == 'u')
		undo_unit(from, to);
	else if (found)
		writer_u8(to, (uint8_t)meant[found - letters]);
	else if (!from->failed)
		writer_u16(to, (uint16_t)('\\' << 8 | letter));
}

struct slice log_line_plain(struct slice text, void *buffer, size_t size)
{
	if (text.len == 0 || !memchr(text.at, '\\', text.len))
		return text;
	struct reader from = reader_of(text);
	struct writer to = writer_of(buffer, size);
	while (reader_left(&from) > 0 && !to.failed) {
		uint8_t byte = reader_u8(&from);
		if (byte == '\\')
			undo_escape(&from, &to);
		else
			writer_u8(&to, byte);
	}
	return writer_slice(&to);
}
