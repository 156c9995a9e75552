/* trace.c - rows, and what is in them. A new field is a member in trace.h and a row here. */
#include "proxy/explain/trace.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "dns/name.h"

#define FIELD(row, member, word, kind, ...)                                                        \
	{                                                                                          \
		.name = word, .type = FIELD_##kind, .offset = offsetof(struct row, member),        \
		__VA_ARGS__                                                                        \
	}

static const struct trace_field policy_fields[] = {
	FIELD(trace_policy, from, "from", TEXT),
	FIELD(trace_policy, file, "file", TEXT),
	FIELD(trace_policy, revision, "revision", NUMBER),
	FIELD(trace_policy, hash, "hash", TEXT),
	FIELD(trace_policy, exceptions_hash, "exceptions_hash", TEXT),
	FIELD(trace_policy, now_s, "time", TIME),
	{ 0 },
};
static const struct trace_field question_fields[] = {
	FIELD(trace_question, name, "name", TEXT),
	FIELD(trace_question, type, "type", TEXT),
	FIELD(trace_question, client, "client", TEXT),
	FIELD(trace_question, listener, "listener", TEXT),
	FIELD(trace_question, is_datagram, "datagram", BOOL),
	{ 0 },
};
static const struct trace_field view_fields[] = {
	FIELD(trace_view, name, "name", TEXT),
	FIELD(trace_view, by, "by", TEXT),
	FIELD(trace_view, client_id, "client_id", TEXT),
	FIELD(trace_view, claim, "claim", TEXT),
	FIELD(trace_view, fault, "fault", TEXT),
	FIELD(trace_view, default_action, "default_action", TEXT),
	FIELD(trace_view, default_block_response, "default_block_response", TEXT),
	FIELD(trace_view, fail_mode, "fail_mode", TEXT),
	FIELD(trace_view, is_failed, "failed", BOOL),
	{ 0 },
};
static const struct trace_field other_view_fields[] = {
	FIELD(trace_other_view, name, "name", TEXT),
	FIELD(trace_other_view, why, "why", TEXT),
	FIELD(trace_other_view, text, "text", TEXT),
	{ 0 },
};
static const struct trace_field answer_fields[] = {
	FIELD(trace_answer, from, "from", TEXT),
	FIELD(trace_answer, record, "record", TEXT),
	{ 0 },
};
static const struct trace_field hop_fields[] = {
	FIELD(trace_hop, number, "hop", NUMBER, .is_always = true),
	FIELD(trace_hop, what, "what", TEXT),
	FIELD(trace_hop, place, "place", NUMBER, .is_always = true),
	FIELD(trace_hop, name, "name", TEXT),
	FIELD(trace_hop, address, "address", TEXT),
	FIELD(trace_hop, is_deciding, "decides", BOOL),
	{ 0 },
};
static const struct trace_field exception_fields[] = {
	FIELD(trace_exception, id, "id", NUMBER),
	FIELD(trace_exception, action, "action", TEXT),
	FIELD(trace_exception, name, "name", TEXT),
	FIELD(trace_exception, kind, "kind", TEXT),
	FIELD(trace_exception, view, "view", TEXT),
	FIELD(trace_exception, until_s, "until", TIME),
	FIELD(trace_exception, because, "because", TEXT),
	FIELD(trace_exception, by, "by", TEXT),
	FIELD(trace_exception, hops, "used", NUMBER, .is_always = true),
	{ 0 },
};
static const struct trace_field rule_fields[] = {
	FIELD(trace_rule, hop, "hop", NUMBER, .is_always = true),
	FIELD(trace_rule, association, "association", NUMBER),
	FIELD(trace_rule, is_observed, "observe", BOOL),
	FIELD(trace_rule, group, "rule_group", TEXT),
	FIELD(trace_rule, rule, "rule", TEXT),
	FIELD(trace_rule, priority, "priority", NUMBER),
	FIELD(trace_rule, action, "action", TEXT),
	FIELD(trace_rule, block_response, "block_response", TEXT),
	FIELD(trace_rule, redirection, "redirection", TEXT),
	FIELD(trace_rule, query_type, "query_type", TEXT),
	FIELD(trace_rule, schedule, "schedule", TEXT),
	FIELD(trace_rule, is_schedule_off, "schedule_off", BOOL),
	FIELD(trace_rule, schedule_on_s, "schedule_next_on", TIME),
	FIELD(trace_rule, list, "list", TEXT),
	FIELD(trace_rule, outcome, "outcome", TEXT),
	FIELD(trace_rule, entry, "entry", TEXT),
	FIELD(trace_rule, meaning, "meaning", TEXT),
	FIELD(trace_rule, line, "line", NUMBER),
	FIELD(trace_rule, line_text, "line_text", TEXT),
	FIELD(trace_rule, line_missing, "line_missing", TEXT),
	FIELD(trace_rule, entry_name, "entry_name", TEXT, .is_private = true),
	FIELD(trace_rule, entry_kind, "entry_kind", NUMBER, .is_private = true),
	FIELD(trace_rule, facet, "facet", NUMBER, .is_private = true),
	{ 0 },
};
static const struct trace_field near_fields[] = {
	FIELD(trace_near, hop, "hop", NUMBER, .is_always = true),
	FIELD(trace_near, reason, "reason", TEXT),
	FIELD(trace_near, group, "rule_group", TEXT),
	FIELD(trace_near, rule, "rule", TEXT),
	FIELD(trace_near, action, "action", TEXT),
	FIELD(trace_near, list, "list", TEXT),
	FIELD(trace_near, entry, "entry", TEXT),
	FIELD(trace_near, text, "text", TEXT),
	{ 0 },
};
static const struct trace_field list_fields[] = {
	FIELD(trace_list, name, "name", TEXT),
	FIELD(trace_list, origin, "origin", TEXT),
	FIELD(trace_list, source, "source", TEXT),
	FIELD(trace_list, path, "path", TEXT),
	FIELD(trace_list, format, "format", TEXT),
	FIELD(trace_list, hash, "hash", TEXT),
	FIELD(trace_list, fetched_s, "fetched", TIME),
	FIELD(trace_list, fault, "fault", TEXT),
	{ 0 },
};
static const struct trace_field source_fields[] = {
	FIELD(trace_source, from, "from", TEXT),
	FIELD(trace_source, name, "name", TEXT),
	FIELD(trace_source, is_routed, "by_route", BOOL),
	{ 0 },
};
static const struct trace_field verdict_fields[] = {
	FIELD(trace_verdict, action, "action", TEXT),
	FIELD(trace_verdict, block_response, "block_response", TEXT),
	FIELD(trace_verdict, reason, "reason", TEXT),
	FIELD(trace_verdict, group, "rule_group", TEXT),
	FIELD(trace_verdict, rule, "rule", TEXT),
	FIELD(trace_verdict, list, "list", TEXT),
	FIELD(trace_verdict, entry, "entry", TEXT),
	FIELD(trace_verdict, place, "place", NUMBER, .is_always = true),
	FIELD(trace_verdict, name, "name", TEXT),
	FIELD(trace_verdict, address, "address", TEXT),
	FIELD(trace_verdict, exception, "exception", NUMBER),
	FIELD(trace_verdict, is_trusted, "trusted", BOOL),
	FIELD(trace_verdict, is_blocked, "blocked", BOOL),
	FIELD(trace_verdict, is_answer_judged, "answer_judged", BOOL),
	{ 0 },
};
static const struct trace_field change_fields[] = {
	FIELD(trace_change, kind, "kind", TEXT),
	FIELD(trace_change, text, "text", TEXT),
	FIELD(trace_change, paste, "paste", TEXT),
	FIELD(trace_change, verdict, "verdict", TEXT),
	FIELD(trace_change, list, "list", TEXT),
	FIELD(trace_change, entries, "entries", LINES),
	FIELD(trace_change, lines, "lines", NUMBERS),
	FIELD(trace_change, file, "file", TEXT),
	FIELD(trace_change, command, "command", TEXT),
	FIELD(trace_change, group, "rule_group", TEXT),
	FIELD(trace_change, rule, "rule", TEXT),
	FIELD(trace_change, priority, "priority", NUMBER),
	FIELD(trace_change, action, "action", TEXT),
	FIELD(trace_change, block_response, "block_response", TEXT),
	FIELD(trace_change, redirection, "redirection", TEXT),
	FIELD(trace_change, domain, "domain", TEXT),
	FIELD(trace_change, view, "view", TEXT),
	FIELD(trace_change, association, "association", NUMBER),
	FIELD(trace_change, key, "key", TEXT),
	FIELD(trace_change, value, "value", TEXT),
	{ 0 },
};
static const struct trace_field note_fields[] = {
	FIELD(trace_note, text, "text", TEXT),
	{ 0 },
};

static const struct trace_table tables[TRACE_KINDS] = {
	[TRACE_POLICY] = { "policy", true, sizeof(struct trace_policy), policy_fields },
	[TRACE_QUESTION] = { "question", true, sizeof(struct trace_question), question_fields },
	[TRACE_VIEW] = { "view", true, sizeof(struct trace_view), view_fields },
	[TRACE_OTHER_VIEW] = { "other_views", false, sizeof(struct trace_other_view),
		other_view_fields },
	[TRACE_ANSWER] = { "answer", false, sizeof(struct trace_answer), answer_fields },
	[TRACE_HOP] = { "hops", false, sizeof(struct trace_hop), hop_fields },
	[TRACE_EXCEPTION] = { "exceptions", false, sizeof(struct trace_exception),
		exception_fields },
	[TRACE_RULE] = { "rules", false, sizeof(struct trace_rule), rule_fields },
	[TRACE_NEAR] = { "near_misses", false, sizeof(struct trace_near), near_fields },
	[TRACE_LIST] = { "lists", false, sizeof(struct trace_list), list_fields },
	[TRACE_SOURCE] = { "source", true, sizeof(struct trace_source), source_fields },
	[TRACE_VERDICT] = { "verdict", true, sizeof(struct trace_verdict), verdict_fields },
	[TRACE_CHANGE] = { "changes", false, sizeof(struct trace_change), change_fields },
	[TRACE_NOTE] = { "notes", false, sizeof(struct trace_note), note_fields },
};

const struct trace_table *trace_table(enum trace_kind kind)
{
	return &tables[kind];
}

void trace_deinit(struct trace *trace)
{
	for (unsigned i = 0; i < TRACE_KINDS; i++)
		free(trace->rows[i].at);
	arena_free(&trace->memory);
	*trace = (struct trace){ .row_count = 0 };
}

static bool grow(struct trace_rows *rows, size_t size)
{
	size_t capacity = rows->capacity ? 2 * rows->capacity : 8;
	void *at = realloc(rows->at, capacity * size);
	if (!at)
		return false;
	rows->at = at;
	rows->capacity = capacity;
	return true;
}

void *trace_add(struct trace *trace, enum trace_kind kind)
{
	static _Thread_local union {
		struct trace_rule rule;
		struct trace_change change;
		struct trace_verdict verdict;
	} lost; /* as large as any */
	struct trace_rows *rows = &trace->rows[kind];
	size_t size = tables[kind].size;
	if (trace->row_count >= TRACE_ROWS_MAX ||
		(rows->count == rows->capacity && !grow(rows, size))) {
		trace->is_cut = true;
		memset(&lost, 0, sizeof lost);
		return &lost;
	}
	trace->row_count++;
	void *row = (char *)rows->at + size * rows->count++;
	return memset(row, 0, size);
}

size_t trace_count(const struct trace *trace, enum trace_kind kind)
{
	return trace->rows[kind].count;
}

void *trace_row(const struct trace *trace, enum trace_kind kind, size_t number)
{
	const struct trace_rows *rows = &trace->rows[kind];
	return number < rows->count ? (char *)rows->at + tables[kind].size * number : NULL;
}

const char *trace_text(struct trace *trace, const char *text)
{
	return text ? arena_text(&trace->memory, text) : NULL;
}

const char *trace_slice(struct trace *trace, struct slice text)
{
	char *copy = arena_take(&trace->memory, 1, text.len + 1);
	if (copy && text.len)
		memcpy(copy, text.at, text.len);
	return copy;
}

const char *trace_name(struct trace *trace, struct slice wire)
{
	char text[DNS_NAME_TEXT_MAX];
	return trace_text(trace, dns_name_text(wire, text));
}

const char *trace_format(struct trace *trace, const char *format, ...)
{
	va_list arguments, again;
	va_start(arguments, format);
	va_copy(again, arguments);
	int len = vsnprintf(NULL, 0, format, arguments);
	char *text = len < 0 ? NULL : arena_take(&trace->memory, 1, (size_t)len + 1);
	if (text)
		vsnprintf(text, (size_t)len + 1, format, again);
	va_end(again);
	va_end(arguments);
	return text;
}
