/* A line is written in the order of the record. What may be long is bounded one by one: names by
 * QUERY_LOG_NAME_MAX, domain names by their nature, answers by what the rest leaves of the line. */
#include "proxy/watch/query_log_line.h"

#include "base/not_cleared.h"
#include "dns/rdata_text.h"
#include "dns/types.h"
#include "proxy/watch/escape.h"

enum {
	/* A domain name in a line: each byte as \DDD, its backslash doubled. */
	DOMAIN_MAX = 5 * DNS_NAME_MAX,
	/* Kept for what follows the answers: configured names (list and group twice, view, rule,
	 * monitored rules with their groups, hash, upstream), the client, an exception's reason,
	 * entry and matched name, and the fixed text. */
	OURS_MAX = 18 * QUERY_LOG_NAME_MAX + 2 * DOMAIN_MAX + 1024,
	/* The candidate's: list, group, rule, hash; entry and matched name; the fixed text. */
	SHADOW_MAX = 4 * QUERY_LOG_NAME_MAX + 2 * DOMAIN_MAX + 512,
};

_Static_assert(3 * QUERY_LOG_NAME_MAX + DOMAIN_MAX + 512 + OURS_MAX + SHADOW_MAX < LOG_LINE_MAX,
	"a line without answers always fits");

#define LITERAL(to, text) writer_bytes((to), (text), sizeof(text) - 1)

static void write_name(struct writer *to, const char *name)
{
	if (name)
		escape_json(to, slice_of_text(name), QUERY_LOG_NAME_MAX);
}

static void write_domain(struct writer *to, struct slice wire)
{
	NOT_CLEARED uint8_t text[DNS_NAME_TEXT_MAX];
	struct writer plain = writer_of(text, sizeof text);
	if (dns_name_write_plain(to, wire))
		return;
	dns_name_write_text(&plain, wire);
	escape_json(to, writer_slice(&plain), DOMAIN_MAX);
}

/* A mnemonic, or the number where there is none. */
static void write_mnemonic(struct writer *to, const char *name, uint16_t number)
{
	if (name)
		writer_text(to, name);
	else
		writer_decimal(to, number);
}

int query_log_style_init(struct query_log_style *style, const struct query_log_config *config)
{
	struct writer head = writer_of(style->head, sizeof style->head);
	LITERAL(&head, "{\"version\":\"1.100000\",\"account_id\":\"");
	write_name(&head, config->account_id);
	LITERAL(&head, "\",\"region\":\"");
	write_name(&head, config->region);
	LITERAL(&head, "\",\"vpc_id\":\"");
	style->format = config->format;
	style->head_len = head.len;
	return log_client_key(config->hash_key_file, style->hash_key);
}

/* --- when --- */

static void put_digits(char *at, unsigned count, uint64_t value)
{
	while (count--) {
		at[count] = (char)('0' + value % 10);
		value /= 10;
	}
}

/* Days since 1970-01-01 to a date of the Gregorian calendar. Years are counted from March, so that
 * the leap day is the last of its year (H. Hinnant, "chrono-compatible low-level date algorithms").
 */
static void put_date(char *at, uint64_t days)
{
	days += 719468; /* from 0000-03-01 */
	uint64_t era = days / 146097;
	uint64_t day_of_era = days % 146097;
	uint64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	uint64_t day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint64_t month = (5 * day_of_year + 2) / 153; /* 0 is March */
	put_digits(at, 4, era * 400 + year_of_era + (month >= 10));
	put_digits(at + 5, 2, month < 10 ? month + 3 : month - 9);
	put_digits(at + 8, 2, day_of_year - (153 * month + 2) / 5 + 1);
}

static void stamp_set(struct query_log_stamp *stamp, int64_t second)
{
	enum { TIME_AT = sizeof "\",\"query_timestamp\":\"" - 1 };
	uint64_t since = second > 0 ? (uint64_t)second : 0;
	char *time = stamp->text + TIME_AT;
	memcpy(stamp->text, QUERY_LOG_STAMP, sizeof stamp->text);
	put_date(time, since / 86400);
	put_digits(time + 11, 2, since / 3600 % 24);
	put_digits(time + 14, 2, since / 60 % 60);
	put_digits(time + 17, 2, since % 60);
	stamp->second = second;
}

/* --- the record --- */

static const struct view_info *view_of(const struct query_log_event *event)
{
	if (!event->policy || event->view == POLICY_NO_ID)
		return NULL;
	return policy_view(event->policy, event->view);
}

static void write_question(struct writer *line, const struct query_log_event *event)
{
	write_domain(line, event->name);
	LITERAL(line, "\",\"query_type\":\"");
	write_mnemonic(line, dns_type_name(event->type), event->type);
	LITERAL(line, "\",\"query_class\":\"");
	write_mnemonic(line, dns_class_name(event->class), event->class);
	LITERAL(line, "\",\"rcode\":\"");
	write_mnemonic(line, dns_rcode_name(event->rcode), event->rcode);
	LITERAL(line, "\"");
}

/* What the line has from `start` on: is it as JSON wants it? Presentation forms are printable
 * ASCII, and hardly any has a backslash or a quote. */
static bool is_json(const struct writer *line, size_t start)
{
	size_t len = line->len - start;
	return !line->failed && !memchr(line->at + start, '\\', len) &&
		!memchr(line->at + start, '"', len);
}

static void write_odd_rdata(
	struct writer *line, const struct dns_answer *answer, const struct dns_record *record)
{
	NOT_CLEARED uint8_t text[QUERY_LOG_RDATA_MAX];
	struct writer rdata = writer_of(text, sizeof text);
	dns_rdata_write_text(&rdata, answer, record);
	if (rdata.failed)
		line->failed = true;
	escape_json(line, writer_slice(&rdata), SIZE_MAX);
}

/* What most answers are, without looking for something to escape. */
static bool write_address(struct writer *line, const struct dns_record *record)
{
	if (record->type == DNS_TYPE_A && record->rdata.len == 4)
		address_write_v4(line, record->rdata.at);
	else if (record->type == DNS_TYPE_AAAA && record->rdata.len == 16)
		address_write_v6(line, record->rdata.at);
	else
		return false;
	return true;
}

static void write_rdata(
	struct writer *line, const struct dns_answer *answer, const struct dns_record *record)
{
	struct writer before = *line;
	if (write_address(line, record))
		return;
	dns_rdata_write_text(line, answer, record);
	if (is_json(line, before.len) && line->len - before.len <= QUERY_LOG_RDATA_MAX)
		return;
	*line = before;
	write_odd_rdata(line, answer, record);
}

static void write_record(
	struct writer *line, const struct dns_answer *answer, const struct dns_record *record)
{
	LITERAL(line, "{\"Rdata\":\"");
	write_rdata(line, answer, record);
	LITERAL(line, "\",\"Type\":\"");
	write_mnemonic(line, dns_type_name(record->type), record->type);
	LITERAL(line, "\",\"Class\":\"");
	write_mnemonic(line, dns_class_name(record->class), record->class);
	LITERAL(line, "\"}");
}

/* The first record behind the question; false when there is none. The reply is one that we wrote:
 * it is read with care, but not checked as an upstream's is before anything of it is told. */
static bool find_records(struct reader *reply, unsigned *count)
{
	reader_seek(reply, 6);
	*count = reader_u16(reply);
	reader_seek(reply, DNS_HEADER_LEN);
	if (reply->failed || *count == 0)
		return false;
	dns_name_skip(reply);
	reader_skip(reply, 4);
	return !reply->failed;
}

static bool next_record(struct reader *reply, struct dns_record *record)
{
	dns_name_skip(reply);
	record->type = reader_u16(reply);
	record->class = reader_u16(reply);
	reader_skip(reply, 4); /* TTL */
	size_t len = reader_u16(reply);
	record->rdata_at = reader_position(reply);
	record->rdata = reader_bytes(reply, len);
	return !reply->failed;
}

/* Records one by one, as long as they fit; one that does not is taken back and is the last. True
 * when not all of them stand there. */
static bool write_records(struct writer *line, struct slice reply)
{
	struct reader from = reader_of(reply);
	const struct dns_answer answer = { .message = reply };
	NOT_CLEARED struct dns_record record;
	unsigned count;
	if (!find_records(&from, &count))
		return false;
	for (unsigned i = 0; i < count && next_record(&from, &record); i++) {
		size_t before = line->len;
		if (i == QUERY_LOG_ANSWERS_MAX)
			return true;
		if (i)
			LITERAL(line, ",");
		write_record(line, &answer, &record);
		if (line->failed) {
			line->failed = false;
			line->len = before;
			return true;
		}
	}
	return false;
}

static bool write_answers(struct writer *line, const struct query_log_event *event)
{
	size_t rest_len = event->shadow ? OURS_MAX + SHADOW_MAX : OURS_MAX;
	LITERAL(line, ",\"answers\":[");
	if (line->failed)
		return false;
	line->capacity -= rest_len;
	bool is_truncated = write_records(line, event->reply);
	line->capacity += rest_len;
	LITERAL(line, "]");
	return is_truncated;
}

/* A port tells one client from another behind an address, so it is told with full addresses only.
 */
static void write_client(struct writer *line, const struct query_log_style *style,
	const struct query_log_event *event)
{
#define TRANSPORT(name) "\",\"transport\":\"" name "\",\"srcids\":{}"
	static const char transports[PROTOCOL_COUNT][sizeof TRANSPORT("UDP")] = {
		[PROTOCOL_UDP] = TRANSPORT("UDP"),
		[PROTOCOL_TCP] = TRANSPORT("TCP"),
		[PROTOCOL_DOT] = TRANSPORT("DOT"),
		[PROTOCOL_DOH] = TRANSPORT("DOH"),
	};
	LITERAL(line, ",\"srcaddr\":\"");
	log_client_write_address(line, &event->client, event->log_clients, style->hash_key);
	LITERAL(line, "\",\"srcport\":\"");
	if (event->log_clients == LOG_CLIENTS_FULL)
		writer_decimal(line, event->client_port);
	writer_bytes(line, transports[event->protocol], sizeof transports[0] - 1);
}

static const char *group_name(const struct query_log_event *event, const struct rule_match *match)
{
	return match->group == POLICY_NO_ID ? NULL : policy_group_name(event->policy, match->group);
}

static const char *list_name(const struct query_log_event *event, const struct rule_match *match)
{
	return match->list == POLICY_NO_ID ? NULL : policy_list(event->policy, match->list)->name;
}

static const char *rule_name(const struct query_log_event *event, const struct rule_match *match)
{
	return match->rule == POLICY_NO_ID ? NULL : policy_rule(event->policy, match->rule)->name;
}

/* A string field, with the comma before it; nothing when there is no value. */
#define FIELD(line, key, value) write_field((line), ",\"" key "\":\"", sizeof(key) + 4, (value))
static void write_field(struct writer *line, const char *opening, size_t len, const char *value)
{
	if (!value)
		return;
	writer_bytes(line, opening, len);
	write_name(line, value);
	LITERAL(line, "\"");
}

/* The same of a word of ours, that has nothing to escape. */
#define WORD(line, key, value) write_word((line), ",\"" key "\":\"", sizeof(key) + 4, (value))
static void write_word(struct writer *line, const char *opening, size_t len, const char *value)
{
	if (!value)
		return;
	writer_bytes(line, opening, len);
	writer_text(line, value);
	LITERAL(line, "\"");
}

#define NUMBER(line, key, value)                                                                   \
	do {                                                                                       \
		LITERAL((line), ",\"" key "\":");                                                  \
		writer_decimal((line), (value));                                                   \
	} while (0)

/* Only what AWS reports: a rule that alerted or blocked. */
static void write_firewall(struct writer *line, const struct query_log_event *event)
{
	const struct verdict *verdict = event->verdict;
	if (!verdict || (verdict->action != ACTION_ALERT && verdict->action != ACTION_BLOCK))
		return;
	FIELD(line, "firewall_rule_group_id", group_name(event, &verdict->match));
	WORD(line, "firewall_rule_action", action_name(verdict->action));
	FIELD(line, "firewall_domain_list_id", list_name(event, &verdict->match));
}

/* --- ours --- */

static void write_matched_name(struct writer *line, const struct query_log_event *event)
{
	LITERAL(line, ",\"matched_name\":\"");
	write_domain(line, verdict_matched_name(event->verdict, event->name));
	LITERAL(line, "\"");
}

static void write_entry(struct writer *line, const struct query_log_event *event)
{
	const struct verdict *verdict = event->verdict;
	uint8_t text[DNS_NAME_TEXT_MAX + 2];
	struct writer entry = writer_of(text, sizeof text);
	if (!verdict->match.entry.kind)
		return;
	policy_entry_write_text(&entry, &verdict->match.entry,
		verdict_matched_name(verdict, event->name), &verdict->matched_address);
	LITERAL(line, ",\"entry\":\"");
	escape_json(line, writer_slice(&entry), DOMAIN_MAX);
	LITERAL(line, "\"");
}

/* Where it stands: a name of the way to the answer, or one of the answer's addresses. */
static void write_place(struct writer *line, const struct query_log_event *event)
{
	const struct rule_match *match = &event->verdict->match;
	if (match->entry.kind != LIST_ENTRY_NETWORK) {
		NUMBER(line, "hop", match->hop);
		return;
	}
	LITERAL(line, ",\"matched_address\":\"");
	address_write(line, &event->verdict->matched_address);
	LITERAL(line, "\"");
}

static void write_match(struct writer *line, const struct query_log_event *event)
{
	const struct rule_match *match = &event->verdict->match;
	FIELD(line, "rule_group", group_name(event, match));
	FIELD(line, "rule", rule_name(event, match));
	FIELD(line, "list", list_name(event, match));
	write_entry(line, event);
	write_matched_name(line, event);
	write_place(line, event);
}

static void write_monitor(
	struct writer *line, const struct query_log_event *event, const struct rule_match *match)
{
	LITERAL(line, "\"");
	write_name(line, rule_name(event, match));
	LITERAL(line, "\"");
}

/* What it would have decided. */
static void write_observation(
	struct writer *line, const struct query_log_event *event, const struct rule_match *match)
{
	LITERAL(line, "{\"rule_group\":\"");
	write_name(line, group_name(event, match));
	LITERAL(line, "\"");
	FIELD(line, "rule", rule_name(event, match));
	WORD(line, "action", action_name(policy_match_action(event->policy, match)));
	NUMBER(line, "hop", match->hop);
	LITERAL(line, "}");
}

/* MONITOR rules, or rules that are observed. */
static void write_monitors(struct writer *line, const struct query_log_event *event, bool observed)
{
	const struct verdict *verdict = event->verdict;
	unsigned count = 0;
	for (unsigned i = 0; i < verdict->monitor_count && i < VERDICT_MONITORS_MAX; i++) {
		const struct rule_match *match = &verdict->monitors[i];
		if (match->observed != observed)
			continue;
		writer_text(line,
			count++            ? ","
				: observed ? ",\"observed\":["
					   : ",\"monitored\":[");
		if (observed)
			write_observation(line, event, match);
		else
			write_monitor(line, event, match);
	}
	if (count)
		LITERAL(line, "]");
}

static void write_exception(struct writer *line, const struct query_log_event *event)
{
	if (!event->verdict->exception)
		return;
	LITERAL(line, ",\"exception\":{\"id\":");
	writer_decimal(line, event->verdict->exception);
	if (event->exception)
		FIELD(line, "because", event->exception->because);
	LITERAL(line, "}");
}

static void write_decision(struct writer *line, const struct query_log_event *event)
{
	const struct verdict *verdict = event->verdict;
	if (verdict->action != ACTION_NONE)
		WORD(line, "action", action_name(verdict->action));
	if (verdict->action == ACTION_BLOCK)
		WORD(line, "block_response", block_response_name(verdict->block_response));
	if (verdict->reason == REASON_RULE || verdict->reason == REASON_DEFAULT)
		write_match(line, event);
	if (verdict->reason == REASON_REBINDING)
		write_matched_name(line, event);
	if (verdict->reason == REASON_EXCEPTION) {
		write_matched_name(line, event);
		NUMBER(line, "hop", verdict->match.hop);
	}
	write_exception(line, event);
}

/* Why, where it was not a rule. */
static void write_reason(struct writer *line, const struct verdict *verdict)
{
	static const struct {
		const char *reason, *fail_mode;
	} reasons[] = {
		[REASON_DEFAULT] = { "default_action", NULL },
		[REASON_FAIL_CLOSED] = { "policy_failed", "closed" },
		[REASON_FAIL_OPEN] = { "policy_failed", "open" },
		[REASON_REBINDING] = { "rebinding", NULL },
		[REASON_EXCEPTION] = { "exception", NULL },
	};
	if (verdict->reason >= sizeof reasons / sizeof reasons[0])
		return;
	WORD(line, "reason", reasons[verdict->reason].reason);
	WORD(line, "fail_mode", reasons[verdict->reason].fail_mode);
}

static void write_verdict(struct writer *line, const struct query_log_event *event)
{
	if (!event->verdict)
		return;
	write_decision(line, event);
	write_monitors(line, event, false);
	write_monitors(line, event, true);
	write_reason(line, event->verdict);
}

/* The candidate's verdict, in the words of our own. */
static void write_shadow(struct writer *line, const struct query_log_event *event)
{
	const struct query_log_shadow *shadow = event->shadow;
	if (!shadow)
		return;
	struct query_log_event there = *event;
	there.policy = shadow->policy;
	there.verdict = shadow->verdict;
	there.exception = NULL;
	LITERAL(line, ",\"shadow\":{\"differs\":");
	writer_text(line, shadow->differs ? "true" : "false");
	if (there.verdict) {
		write_decision(line, &there);
		write_reason(line, there.verdict);
	} else
		LITERAL(line, ",\"reason\":\"no_view\"");
	if (shadow->is_unknown)
		LITERAL(line, ",\"answer\":\"unknown\"");
	WORD(line, "policy_hash", shadow->policy_hash);
	LITERAL(line, "}");
}

static void write_client_id(struct writer *line, const struct query_log_style *style,
	const struct query_log_event *event)
{
	if (!event->client_by)
		return;
	WORD(line, "client_by", event->client_by);
	size_t before = line->len;
	LITERAL(line, ",\"client_id\":\"");
	if (log_client_write_id(line, event->client_id, event->log_clients, style->hash_key))
		LITERAL(line, "\"");
	else
		line->len = before;
}

static void write_ext(struct writer *line, const struct query_log_style *style,
	const struct query_log_event *event, bool answers_are_truncated)
{
#define PROTOCOL(name) ",\"protocol\":\"" name "\""
	static const char protocols[PROTOCOL_COUNT][sizeof PROTOCOL("udp")] = {
		[PROTOCOL_UDP] = PROTOCOL("udp"),
		[PROTOCOL_TCP] = PROTOCOL("tcp"),
		[PROTOCOL_DOT] = PROTOCOL("dot"),
		[PROTOCOL_DOH] = PROTOCOL("doh"),
	};
	const struct view_info *view = view_of(event);
	LITERAL(line, ",\"ext\":");
	size_t opening = line->len;
	FIELD(line, "view", view ? view->name : NULL);
	write_client_id(line, style, event);
	write_verdict(line, event);
	if (event->policy) {
		NUMBER(line, "revision", event->revision);
		WORD(line, "policy_hash", event->policy_hash);
	}
	writer_bytes(line, protocols[event->protocol], sizeof protocols[0] - 1);
	WORD(line, "source", event->source);
	if (event->is_kept)
		NUMBER(line, "age_s", event->age_s);
	FIELD(line, "upstream", event->upstream);
	if (event->upstream)
		NUMBER(line, "upstream_us", event->upstream_us);
	NUMBER(line, "time_us", event->time_us);
	NUMBER(line, "duration_us", event->duration_us);
	if (event->ede != DNS_EDE_NONE)
		NUMBER(line, "ede", (uint64_t)event->ede);
	if (event->is_rate_limited)
		LITERAL(line, ",\"rate_limited\":true");
	if (answers_are_truncated)
		LITERAL(line, ",\"answers_truncated\":true");
	write_shadow(line, event);
	LITERAL(line, "}");
	/* Every field brought a comma; the first one opens the object instead. */
	if (!line->failed)
		line->at[opening] = '{';
}

void query_log_line_write(struct writer *line, const struct query_log_style *style,
	struct query_log_stamp *stamp, const struct query_log_event *event)
{
	const struct view_info *view = view_of(event);
	if (stamp->second != event->time_s || !stamp->text[0])
		stamp_set(stamp, event->time_s);
	writer_bytes(line, style->head, style->head_len);
	write_name(line, view ? view->name : NULL);
	writer_bytes(line, stamp->text, sizeof stamp->text - 1);
	write_question(line, event);
	bool answers_are_truncated = write_answers(line, event);
	write_client(line, style, event);
	write_firewall(line, event);
	if (style->format == QUERY_LOG_NAMEGATE)
		write_ext(line, style, event, answers_are_truncated);
	LITERAL(line, "}\n");
}
