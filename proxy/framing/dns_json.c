#include "proxy/framing/dns_json.h"

#include "dns/rdata_text.h"
#include "dns/request.h"
#include "proxy/framing/percent.h"
#include "proxy/watch/json_put.h"
#include "proxy/watch/escape.h"

/* ---- the question ---- */

static bool take_name(struct dns_json_question *question, struct slice text)
{
	return dns_name_from_text(&question->name, text);
}

static bool take_type(struct dns_json_question *question, struct slice text)
{
	uint32_t number = 0;
	question->type_found = true;
	if (text.len == 0 || text.at[0] < '0' || text.at[0] > '9')
		return dns_type_parse(text, &question->type);
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		number = number * 10 + (uint32_t)(text.at[i] - '0');
		if (number > UINT16_MAX)
			return false;
	}
	question->type = (uint16_t)number;
	return true;
}

static bool take_flag(bool *flag, struct slice text)
{
	*flag = slice_equals_text(text, "1") || slice_equals_text(text, "true");
	return *flag || text.len == 0 || slice_equals_text(text, "0") ||
		slice_equals_text(text, "false");
}

static bool take_checking_disabled(struct dns_json_question *question, struct slice text)
{
	return take_flag(&question->checking_disabled, text);
}

static bool take_dnssec_ok(struct dns_json_question *question, struct slice text)
{
	return take_flag(&question->dnssec_ok, text);
}

enum { PARAMETERS = 4 };

static const struct parameter {
	const char *key;
	bool (*take)(struct dns_json_question *question, struct slice text);
} parameters[PARAMETERS] = {
	{ "name", take_name },
	{ "type", take_type },
	{ "cd", take_checking_disabled },
	{ "do", take_dnssec_ok },
};

void dns_json_take(struct dns_json_question *question, struct slice key, struct slice value)
{
	char text[DNS_NAME_TEXT_MAX];
	struct writer to = writer_of(text, sizeof text);
	for (unsigned i = 0; i < PARAMETERS; i++) {
		if (!slice_equals_text(key, parameters[i].key) || question->seen & 1u << i)
			continue;
		question->seen |= 1u << i;
		bool is_read = percent_decode(&to, value) &&
			parameters[i].take(question, writer_slice(&to));
		question->is_broken |= !is_read;
	}
}

bool dns_json_is_asked(const struct dns_json_question *question)
{
	return question->seen & 1; /* "name" */
}

bool dns_json_write_question(struct writer *to, const struct dns_json_question *question)
{
	const struct dns_request request = {
		.name = dns_name_slice(&question->name),
		.type = question->type_found ? question->type : DNS_TYPE_A,
		.class = DNS_CLASS_IN,
		.recursion_desired = true,
		.checking_disabled = question->checking_disabled,
		.dnssec_ok = question->dnssec_ok,
		.authentic_wanted = true,
	};
	return !question->is_broken && question->name.len > 0 && dns_request_write(to, &request, 0);
}

/* ---- the answer ---- */

enum {
	ENDS_LEN = 1024,        /* what comes behind the records has room enough in it */
	COMMENT_TEXT_MAX = 512, /* bytes of an extended error's text, escaped */
};

static void put_flag(struct writer *to, const char *key, bool flag)
{
	json_put_key(to, key);
	writer_text(to, flag ? "true" : "false");
}

static void put_string(struct writer *to, const char *key, struct slice text)
{
	json_put_key(to, key);
	writer_u8(to, '"');
	escape_json(to, text, SIZE_MAX);
	writer_u8(to, '"');
}

static void put_name(struct writer *to, struct slice name)
{
	char text[DNS_NAME_TEXT_MAX];
	put_string(to, "name", slice_of_text(dns_name_text(name, text)));
}

static void put_question(struct writer *to, const struct dns_answer *answer)
{
	json_put_key(to, "Question");
	writer_text(to, "[{");
	put_name(to, answer->name);
	json_put_number(to, "type", answer->type);
	writer_text(to, "}]");
}

static void put_record(
	struct writer *to, const struct dns_answer *answer, const struct dns_record *record)
{
	char text[DNS_JSON_DATA_MAX];
	struct writer data = writer_of(text, sizeof text);
	dns_rdata_write_text(&data, answer, record);
	to->failed |= data.failed;
	writer_u8(to, '{');
	put_name(to, dns_name_slice(&record->owner));
	json_put_number(to, "type", record->type);
	json_put_number(to, "TTL", record->ttl_s);
	put_string(to, "data", writer_slice(&data));
	writer_u8(to, '}');
}

/* What was begun and found no room is taken back. */
static bool add_record(struct writer *to, const struct dns_answer *answer,
	const struct dns_record *record, const char *section)
{
	struct writer before = *to;
	if (section) {
		json_put_key(to, section);
		writer_u8(to, '[');
	} else {
		writer_u8(to, ',');
	}
	put_record(to, answer, record);
	bool fits = !to->failed;
	if (!fits)
		*to = before;
	return fits;
}

static void end_list(struct writer *to)
{
	to->capacity++;
	writer_u8(to, ']');
}

/* Both sections; false when records had to be left out. The end of a list may take a byte of what
 * is kept for the end of all. */
static bool put_records(struct writer *to, const struct dns_answer *answer)
{
	static const char *const names[] = {
		[DNS_SECTION_ANSWER] = "Answer",
		[DNS_SECTION_AUTHORITY] = "Authority",
	};
	struct dns_record_walk walk;
	struct dns_record record;
	bool is_whole = true, is_open = false;
	enum dns_section section = DNS_SECTION_ANSWER;
	dns_record_walk_begin(&walk, answer);
	while (is_whole && dns_record_next(&walk, &record) &&
		record.section != DNS_SECTION_ADDITIONAL) {
		if (is_open && record.section != section) {
			end_list(to);
			is_open = false;
		}
		section = record.section;
		is_whole = add_record(to, answer, &record, is_open ? NULL : names[section]);
		is_open |= is_whole;
	}
	if (is_open)
		end_list(to);
	return is_whole;
}

/* The extended error: "EDE 15: its text". */
static void put_comment(struct writer *to, const struct dns_answer *answer)
{
	struct reader from = reader_of(answer->opt.ede);
	uint16_t code = reader_u16(&from);
	if (from.failed)
		return;
	json_put_key(to, "Comment");
	writer_text(to, "\"EDE ");
	writer_decimal(to, code);
	if (reader_left(&from) > 0)
		writer_text(to, ": ");
	escape_json(to, slice_of(from.at, reader_left(&from)), COMMENT_TEXT_MAX);
	writer_u8(to, '"');
}

bool dns_json_write(struct writer *to, struct slice message, bool *is_whole)
{
	struct dns_answer answer;
	if (dns_answer_open(&answer, message))
		return false;
	size_t capacity = to->capacity;
	to->capacity -= ENDS_LEN;
	writer_u8(to, '{');
	json_put_number(to, "Status", answer.rcode);
	put_flag(to, "RD", answer.flags & DNS_FLAG_RD);
	put_flag(to, "RA", answer.flags & DNS_FLAG_RA);
	put_flag(to, "AD", answer.flags & DNS_FLAG_AD);
	put_flag(to, "CD", answer.flags & DNS_FLAG_CD);
	put_question(to, &answer);
	*is_whole = put_records(to, &answer);
	to->capacity = capacity;
	put_flag(to, "TC", !*is_whole || answer.flags & DNS_FLAG_TC);
	put_comment(to, &answer);
	writer_u8(to, '}');
	return !to->failed;
}
