/* trace_print.c - a trace for people. */
#include "proxy/explain/trace_print.h"

#include <stdlib.h>
#include <time.h>

#include "proxy/watch/escape.h"

enum { SHOWN_MAX = 160 };

const char *trace_time_text(int64_t time_s, char text[TRACE_TIME_MAX])
{
	struct tm parts;
	time_t at = (time_t)time_s;
	if (!gmtime_r(&at, &parts) ||
		strftime(text, TRACE_TIME_MAX, "%Y-%m-%d %H:%M:%S UTC", &parts) == 0)
		snprintf(text, TRACE_TIME_MAX, "?");
	return text;
}

/* A stranger's text: of a list, of a configuration. */
static void print_safely(FILE *to, const char *text)
{
	char safe[4 * SHOWN_MAX];
	struct writer writer = writer_of(safe, sizeof safe);
	escape_text(&writer, slice_of_text(text), SHOWN_MAX);
	fwrite(safe, 1, writer.len, to);
}

static const struct trace_list *find_list(const struct trace *trace, const char *name)
{
	for (size_t i = 0; name && i < trace_count(trace, TRACE_LIST); i++) {
		const struct trace_list *row = trace_row(trace, TRACE_LIST, i);
		if (row->name && strcmp(row->name, name) == 0)
			return row;
	}
	return NULL;
}

/* ---- the head ---- */

static void print_reason(FILE *to, const struct trace_verdict *row)
{
	static const struct {
		const char *reason;
		const char *text;
	} rows[] = {
		{ "no_match", "no rule matches" },
		{ "rule", "by rule" },
		{ "default_action", "by the view's default action" },
		{ "fail_closed", "the policy cannot be evaluated: SERVFAIL (fail_mode closed)" },
		{ "fail_open", "the policy cannot be evaluated: let through (fail_mode open)" },
		{ "rebinding", "a private address under a public name" },
		{ "exception", "by exception" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (strcmp(rows[i].reason, row->reason) == 0)
			fprintf(to, ", %s", rows[i].text);
	if (strcmp(row->reason, "exception") == 0)
		fprintf(to, " %u", row->exception);
	if (row->rule)
		fprintf(to, " %s/%s", row->group, row->rule);
	fputc('\n', to);
}

static void print_decider(FILE *to, const struct trace_verdict *row)
{
	if (row->address)
		fprintf(to, "        because %s has the address %s\n", row->name, row->address);
	else if (row->place > 0)
		fprintf(to, "        because of name %u that the answer leads to: %s\n", row->place,
			row->name);
	if (row->entry) {
		fprintf(to, "        entry \"%s\" of list ", row->entry);
		print_safely(to, row->list);
		fputc('\n', to);
	}
}

static void print_verdict(FILE *to, const struct trace *trace)
{
	const struct trace_verdict *row = trace_row(trace, TRACE_VERDICT, 0);
	if (!row)
		return;
	fprintf(to, "verdict %s%s%s", row->action, row->block_response ? " " : "",
		row->block_response ? row->block_response : "");
	print_reason(to, row);
	print_decider(to, row);
	if (row->is_blocked)
		return;
	if (row->is_trusted)
		fputs("        the names that the answer leads to are trusted\n", to);
	else if (!row->is_answer_judged)
		fputs("        the names that the answer leads to are judged as well: "
		      "--live, --answer\n",
			to);
}

static void print_others(FILE *to, const struct trace *trace)
{
	for (size_t i = 0; i < trace_count(trace, TRACE_OTHER_VIEW); i++) {
		const struct trace_other_view *row = trace_row(trace, TRACE_OTHER_VIEW, i);
		fprintf(to, "         not %s: %s\n", row->name, row->text);
	}
}

static void print_view(FILE *to, const struct trace *trace)
{
	const struct trace_view *row = trace_row(trace, TRACE_VIEW, 0);
	if (row && !row->name)
		fprintf(to, "view     none: %s\n", row->fault ? row->fault : "");
	else if (row)
		fprintf(to, "view     %s%s%s (default %s, fail mode %s%s)\n", row->name,
			row->claim ? ", by " : "", row->claim ? row->claim : "",
			strcmp(row->default_action, "BLOCK") == 0 ? "BLOCK" : "ALLOW",
			row->fail_mode,
			row->is_failed ? ", and now in it: a list could not be loaded" : "");
	print_others(to, trace);
}

static void print_question(FILE *to, const struct trace *trace)
{
	const struct trace_question *row = trace_row(trace, TRACE_QUESTION, 0);
	if (!row)
		return;
	fprintf(to, "question %s %s", row->name, row->type);
	if (row->client)
		fprintf(to, " from %s", row->client);
	if (row->client && row->listener)
		fprintf(to, " on %s", row->listener);
	fputc('\n', to);
}

static void print_policy(FILE *to, const struct trace *trace)
{
	const struct trace_policy *row = trace_row(trace, TRACE_POLICY, 0);
	char time[TRACE_TIME_MAX];
	if (!row)
		return;
	if (row->revision)
		fprintf(to, "policy   running: revision %u, ", row->revision);
	else
		fprintf(to, "policy   of the file %s, ", row->file);
	fprintf(to, "hash %s, judged at %s\n", row->hash ? row->hash : "?",
		trace_time_text(row->now_s, time));
	if (row->exceptions_hash)
		fprintf(to, "         with exceptions, hash %s\n", row->exceptions_hash);
}

static void print_source(FILE *to, const struct trace *trace)
{
	static const struct {
		const char *from;
		const char *text;
	} rows[] = {
		{ "nowhere", "nobody is asked" },
		{ "local_data", "local_data answers" },
		{ "discovery", "answered here: discovery of designated resolvers" },
		{ "special_name", "answered here: special name" },
		{ "upstream_group", "upstream group" },
		{ "system_resolvers", "the system's resolvers are asked" },
	};
	const struct trace_source *row = trace_row(trace, TRACE_SOURCE, 0);
	for (size_t i = 0; row && i < sizeof rows / sizeof *rows; i++)
		if (strcmp(rows[i].from, row->from) == 0)
			fprintf(to, "answer   %s%s%s%s\n", rows[i].text, row->name ? " " : "",
				row->name ? row->name : "", row->is_routed ? ", by a route" : "");
	for (size_t i = 0; i < trace_count(trace, TRACE_ANSWER); i++) {
		const struct trace_answer *answer = trace_row(trace, TRACE_ANSWER, i);
		fprintf(to, "         %s: %s\n", answer->from, answer->record);
	}
}

/* ---- names and rules ---- */

static void print_where(FILE *to, const struct trace *trace, const struct trace_rule *row)
{
	const struct trace_list *list = find_list(trace, row->list);
	if (list && list->origin && strcmp(list->origin, "image") == 0 && list->source)
		fprintf(to, ", in %s", list->source);
	if (row->line_missing)
		fprintf(to, ", %s", row->line_missing);
	if (!list || row->line == 0)
		return;
	fprintf(to, ", %s line %u: ", list->path ? list->path : "inline", row->line);
	print_safely(to, row->line_text ? row->line_text : "");
}

static const char *outcome_text(const char *outcome)
{
	static const struct {
		const char *outcome;
		const char *text;
	} rows[] = {
		{ "decides", "MATCHES and decides" },
		{ "recorded", "matches, recorded" },
		{ "observed", "matches, only observed" },
		{ "would_match", "would match" },
		{ "not_listed", "no" },
		{ "other_query_type", "no: another query type" },
		{ "schedule_off", "no: its schedule is off" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (strcmp(rows[i].outcome, outcome) == 0)
			return rows[i].text;
	return "no: the entry does not count for it";
}

static void print_schedule(FILE *to, const struct trace_rule *row)
{
	char time[TRACE_TIME_MAX];
	if (!row->schedule)
		return;
	fprintf(to, ", schedule %s is %s", row->schedule, row->is_schedule_off ? "off" : "on");
	if (row->is_schedule_off && row->schedule_on_s)
		fprintf(to, " until %s", trace_time_text(row->schedule_on_s, time));
}

static void print_rule(FILE *to, const struct trace *trace, const struct trace_rule *row)
{
	bool decides = strcmp(row->outcome, "decides") == 0;
	fprintf(to, "  %s %-7s %s/%s (%u/%u%s%s%s, list ", decides ? "=>" : "  ", row->action,
		row->group, row->rule, row->association, row->priority,
		row->query_type ? ", type " : "", row->query_type ? row->query_type : "",
		row->is_observed ? ", observe" : "");
	print_safely(to, row->list);
	fprintf(to, "): %s", outcome_text(row->outcome));
	print_schedule(to, row);
	if (row->entry)
		fprintf(to, ": entry \"%s\"%s%s", row->entry, row->meaning ? ", " : "",
			row->meaning ? row->meaning : "");
	if (row->entry)
		print_where(to, trace, row);
	fputc('\n', to);
}

/* Of many rules most have nothing to say; JSON has all of them. */
static void print_rules(FILE *to, const struct trace *trace, uint32_t hop)
{
	enum { RULES_SHOWN_MAX = 64 };
	size_t count = trace_count(trace, TRACE_RULE), of_hop = 0, left_out = 0;
	for (size_t i = 0; i < count; i++)
		of_hop += ((struct trace_rule *)trace_row(trace, TRACE_RULE, i))->hop == hop;
	for (size_t i = 0; i < count; i++) {
		const struct trace_rule *row = trace_row(trace, TRACE_RULE, i);
		if (row->hop != hop)
			continue;
		if (of_hop > RULES_SHOWN_MAX && !row->entry)
			left_out++;
		else
			print_rule(to, trace, row);
	}
	if (left_out)
		fprintf(to, "     and %zu rules whose lists do not have it\n", left_out);
}

static void print_hop(FILE *to, const struct trace *trace, const struct trace_hop *hop)
{
	if (hop->address)
		fprintf(to, "\naddress %s of %s\n", hop->address, hop->name);
	else if (hop->place)
		fprintf(to, "\nanswer leads to %s (name %u)\n", hop->name, hop->place);
	else
		fprintf(to, "\nname %s\n", hop->name);
	print_rules(to, trace, hop->number);
}

static void print_near(FILE *to, const struct trace *trace)
{
	size_t count = trace_count(trace, TRACE_NEAR);
	if (count)
		fputs("\nnear misses\n", to);
	for (size_t i = 0; i < count; i++) {
		const struct trace_near *row = trace_row(trace, TRACE_NEAR, i);
		const struct trace_hop *hop = trace_row(trace, TRACE_HOP, row->hop);
		fprintf(to, "  %s: %s %s/%s, entry \"%s\" of list ", hop ? hop->name : "",
			row->action, row->group, row->rule, row->entry ? row->entry : "");
		print_safely(to, row->list);
		fprintf(to, ": %s\n", row->text);
	}
}

/* ---- the rest ---- */

static void print_exceptions(FILE *to, const struct trace *trace)
{
	char time[TRACE_TIME_MAX];
	for (size_t i = 0; i < trace_count(trace, TRACE_EXCEPTION); i++) {
		const struct trace_exception *row = trace_row(trace, TRACE_EXCEPTION, i);
		if (row->hops == 0)
			continue;
		fprintf(to, "\nexception %u: %s %s%s%s until %s, by %s, because ", row->id,
			row->action, row->name, row->view ? " in view " : "",
			row->view ? row->view : "", trace_time_text(row->until_s, time),
			row->by ? row->by : "?");
		print_safely(to, row->because ? row->because : "?");
		fputc('\n', to);
	}
}

/* Of the lists that had something to say. */
static bool is_used(const struct trace *trace, const struct trace_list *list)
{
	if (list->fault)
		return true;
	for (size_t i = 0; i < trace_count(trace, TRACE_RULE); i++) {
		const struct trace_rule *row = trace_row(trace, TRACE_RULE, i);
		if (row->entry && strcmp(row->list, list->name) == 0)
			return true;
	}
	return false;
}

static void print_list(FILE *to, const struct trace_list *row)
{
	char time[TRACE_TIME_MAX];
	fputs("  ", to);
	print_safely(to, row->name);
	fprintf(to, ": %s", row->origin);
	if (row->source) {
		fputc(' ', to);
		print_safely(to, row->source);
	}
	if (row->format)
		fprintf(to, ", format %s", row->format);
	if (row->fetched_s)
		fprintf(to, ", of %s", trace_time_text(row->fetched_s, time));
	if (row->hash)
		fprintf(to, ", hash %s", row->hash);
	if (row->fault) {
		fputs("; ", to);
		print_safely(to, row->fault);
	}
	fputc('\n', to);
}

static void print_lists(FILE *to, const struct trace *trace)
{
	bool any = false;
	for (size_t i = 0; i < trace_count(trace, TRACE_LIST); i++) {
		const struct trace_list *row = trace_row(trace, TRACE_LIST, i);
		if (!is_used(trace, row))
			continue;
		if (!any)
			fputs("\nlists\n", to);
		any = true;
		print_list(to, row);
	}
}

static void print_changes(FILE *to, const struct trace *trace)
{
	size_t count = trace_count(trace, TRACE_CHANGE);
	if (count)
		fputs("\nto change it, any one of\n", to);
	for (size_t i = 0; i < count; i++) {
		const struct trace_change *row = trace_row(trace, TRACE_CHANGE, i);
		fprintf(to, "  %zu. %s (then %s)\n", i + 1, row->text, row->verdict);
		for (const char *at = row->paste; at && *at;) {
			size_t len = strcspn(at, "\n");
			fprintf(to, "       %.*s\n", (int)len, at);
			at += len + (at[len] == '\n');
		}
	}
}

static void print_notes(FILE *to, const struct trace *trace)
{
	for (size_t i = 0; i < trace_count(trace, TRACE_NOTE); i++) {
		const struct trace_note *row = trace_row(trace, TRACE_NOTE, i);
		fprintf(to, "note: %s\n", row->text);
	}
	if (trace->is_cut)
		fputs("note: there was more than is told here\n", to);
}

void trace_print_text(FILE *to, const struct trace *trace)
{
	print_verdict(to, trace);
	print_question(to, trace);
	print_view(to, trace);
	print_policy(to, trace);
	print_source(to, trace);
	for (size_t i = 0; i < trace_count(trace, TRACE_HOP); i++)
		print_hop(to, trace, trace_row(trace, TRACE_HOP, i));
	print_exceptions(to, trace);
	print_near(to, trace);
	print_lists(to, trace);
	print_changes(to, trace);
	print_notes(to, trace);
}
