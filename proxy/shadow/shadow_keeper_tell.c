/* shadow_keeper_tell.c - how the shadow stands, for people and for programs. */
#include <stdlib.h>

#include "dns/types.h"
#include "proxy/lists/list_status.h"
#include "proxy/shadow/shadow_keeper_parts.h"
#include "proxy/watch/escape.h"
#include "proxy/watch/json_put.h"

enum {
	TAIL_MAX = 256,  /* what stands behind the differences */
	WORD_MAX = 1024, /* of a name, escaped */
};

/* Lines; what stands in a file may be anything. */
void shadow_keeper_tell_note(const struct shadow_keeper *keeper, struct writer *to)
{
	for (const char *line = keeper->note; *line;) {
		size_t len = strcspn(line, "\n");
		escape_text(to, slice_of((const uint8_t *)line, len), SHADOW_NOTE_MAX);
		writer_u8(to, '\n');
		line += len + (line[len] == '\n');
	}
}

static const char *name_of(const struct shadow_keeper *keeper, uint16_t name)
{
	return name == SHADOW_NO_NAME ? "" : intern_text(&keeper->tally->names, name);
}

static void write_type(struct writer *to, uint16_t type)
{
	const char *name = dns_type_name(type);
	if (name)
		writer_text(to, name);
	else
		writer_decimal(to, type);
}

static struct slice example_name(const struct shadow_example *example)
{
	return slice_of(example->name, example->len);
}

static unsigned example_count(const struct shadow_row *row)
{
	return atomic_load_explicit(&row->example_count, memory_order_relaxed);
}

static uint64_t row_count(const struct shadow_row *row)
{
	return atomic_load_explicit(&row->count, memory_order_relaxed);
}

/* Rows as long as they fit; gives how many were written. */
static size_t write_rows(const struct shadow_keeper *keeper, const struct shadow_sum *sum,
	struct writer *to,
	void (*write)(const struct shadow_keeper *, const struct shadow_row *, struct writer *))
{
	size_t count = 0;
	to->capacity -= TAIL_MAX;
	for (; count < sum->row_count && count < SHADOW_KINDS_TOLD; count++) {
		size_t len = to->len;
		write(keeper, &sum->rows[count], to);
		if (!to->failed)
			continue;
		to->failed = false;
		to->len = len;
		break;
	}
	to->capacity += TAIL_MAX;
	return count;
}

/* How many differences are not among the first rows. */
static uint64_t left_out(const struct shadow_sum *sum, size_t told)
{
	uint64_t count = sum->others;
	for (size_t i = told; i < sum->row_count; i++)
		count += row_count(&sum->rows[i]);
	return count;
}

/* ---- text ---- */

static void write_line(struct writer *to, const char *word, const char *text)
{
	writer_text(to, word);
	escape_text(to, slice_of_text(text), WORD_MAX);
	writer_u8(to, '\n');
}

static void write_side(const struct shadow_keeper *keeper, struct writer *to, uint8_t outcome,
	uint8_t response, uint16_t by)
{
	writer_text(to, metrics_outcome_name((enum metrics_outcome)outcome));
	if (outcome == METRICS_OUTCOME_BLOCK) {
		writer_u8(to, ' ');
		writer_text(to, block_response_name((enum block_response)response));
	}
	if (by == SHADOW_NO_NAME)
		return;
	writer_text(to, " (");
	escape_text(to, slice_of_text(name_of(keeper, by)), WORD_MAX);
	writer_text(to, ")");
}

static void write_example(struct writer *to, const struct shadow_example *example)
{
	uint8_t text[DNS_NAME_TEXT_MAX];
	struct writer name = writer_of(text, sizeof text);
	dns_name_write_text(&name, example_name(example));
	writer_slice_bytes(to, writer_slice(&name));
	writer_u8(to, ' ');
	write_type(to, example->type);
}

/* "     300  lan: BLOCK NXDOMAIN (baseline/no-malware) -> NONE", and names below it. */
static void write_row_text(
	const struct shadow_keeper *keeper, const struct shadow_row *row, struct writer *to)
{
	uint8_t digits[24];
	struct writer number = writer_of(digits, sizeof digits);
	writer_decimal(&number, row_count(row));
	for (size_t i = number.len; i < 9; i++)
		writer_u8(to, ' ');
	writer_slice_bytes(to, writer_slice(&number));
	writer_text(to, "  ");
	escape_text(to, slice_of_text(name_of(keeper, row->what.view)), WORD_MAX);
	writer_text(to, row->what.view == SHADOW_NO_NAME ? "(no view): " : ": ");
	write_side(keeper, to, row->what.from, row->what.from_response, row->what.from_by);
	writer_text(to, " -> ");
	write_side(keeper, to, row->what.to, row->what.to_response, row->what.to_by);
	writer_text(to, "\n           ");
	for (unsigned i = 0; i < example_count(row); i++) {
		writer_text(to, i ? ", " : "");
		write_example(to, &row->examples[i]);
	}
	writer_u8(to, '\n');
}

static void write_scope(const struct shadow_keeper *keeper, struct writer *to)
{
	const struct shadow_order *order = &keeper->order;
	writer_text(to, "judged     ");
	writer_decimal(to, order->share);
	writer_text(to, " % of the clients");
	for (size_t i = 0; i < order->view_count; i++) {
		writer_text(to, i ? ", " : " of ");
		escape_text(to, slice_of_text(order->views[i]), WORD_MAX);
	}
	writer_u8(to, '\n');
}

static void write_count(struct writer *to, uint64_t count, const char *what)
{
	if (count == 0)
		return;
	writer_text(to, "           ");
	writer_decimal(to, count);
	writer_u8(to, ' ');
	writer_text(to, what);
	writer_u8(to, '\n');
}

static void write_counts(struct writer *to, const struct shadow_sum *sum)
{
	writer_text(to, "queries    ");
	writer_decimal(to, sum->judged);
	writer_text(to, "\ndifferent  ");
	writer_decimal(to, sum->differing);
	writer_u8(to, '\n');
	write_count(to, sum->unknown,
		"of them let through what is blocked now: their answers are not known");
	write_count(to, sum->elsewhere, "more were decided alike, by another rule");
}

static void write_sum_text(
	const struct shadow_keeper *keeper, const struct shadow_sum *sum, struct writer *to)
{
	write_counts(to, sum);
	if (sum->differing)
		writer_text(to, "\n    COUNT  IN FORCE -> CANDIDATE\n");
	uint64_t rest = left_out(sum, write_rows(keeper, sum, to, write_row_text));
	write_count(to, rest, "more differences of other kinds");
}

static void write_head(const struct shadow_keeper *keeper, const struct snapshot *in_force,
	int64_t now_s, struct writer *to)
{
	write_line(to, "state      ", shadow_state_name(keeper->state));
	if (keeper->order.file)
		write_line(to, "candidate  ", keeper->order.file);
	if (keeper->candidate) {
		write_line(to, "policy     ", keeper->candidate->policy_hash);
		write_line(to, "in force   ", in_force->policy_hash);
	}
	if (!keeper->tally)
		return;
	writer_text(to, "since      ");
	list_status_write_age(to, keeper->tally->since_s, now_s);
	writer_u8(to, '\n');
	write_scope(keeper, to);
}

void shadow_keeper_tell_text(const struct shadow_keeper *keeper, const struct snapshot *in_force,
	int64_t now_s, struct writer *to)
{
	struct shadow_sum *sum = keeper->candidate ? shadow_tally_sum(keeper->tally) : NULL;
	const char *setting = keeper->candidate
		? config_needs_restart(in_force->config, keeper->candidate->config)
		: NULL;
	write_head(keeper, in_force, now_s, to);
	shadow_keeper_tell_note(keeper, to);
	if (setting)
		write_line(to, "promoting  needs a restart, as this differs: ", setting);
	if (sum)
		write_sum_text(keeper, sum, to);
	free(sum);
}

/* ---- JSON ---- */

static void put_side(const struct shadow_keeper *keeper, struct writer *to, const char *key,
	uint8_t outcome, uint8_t response, uint16_t by)
{
	json_put_key(to, key);
	writer_u8(to, '{');
	json_put_text(to, "action", metrics_outcome_name((enum metrics_outcome)outcome));
	if (outcome == METRICS_OUTCOME_BLOCK)
		json_put_text(
			to, "block_response", block_response_name((enum block_response)response));
	json_put_text(to, "by", name_of(keeper, by));
	writer_u8(to, '}');
}

static void put_examples(struct writer *to, const struct shadow_row *row)
{
	json_put_key(to, "examples");
	writer_u8(to, '[');
	for (unsigned i = 0; i < example_count(row); i++) {
		uint8_t text[DNS_NAME_TEXT_MAX], word[16];
		struct writer name = writer_of(text, sizeof text);
		struct writer type = writer_of(word, sizeof word);
		dns_name_write_text(&name, example_name(&row->examples[i]));
		write_type(&type, row->examples[i].type);
		writer_text(to, i ? ",{" : "{");
		json_put_slice(to, "name", writer_slice(&name));
		json_put_slice(to, "type", writer_slice(&type));
		writer_u8(to, '}');
	}
	writer_u8(to, ']');
}

static void write_row_json(
	const struct shadow_keeper *keeper, const struct shadow_row *row, struct writer *to)
{
	if (to->len && to->at[to->len - 1] != '[')
		writer_u8(to, ',');
	writer_u8(to, '{');
	json_put_number(to, "count", row_count(row));
	json_put_text(to, "view", name_of(keeper, row->what.view));
	put_side(
		keeper, to, "in_force", row->what.from, row->what.from_response, row->what.from_by);
	put_side(keeper, to, "candidate", row->what.to, row->what.to_response, row->what.to_by);
	put_examples(to, row);
	writer_u8(to, '}');
}

static void put_sum(
	const struct shadow_keeper *keeper, const struct shadow_sum *sum, struct writer *to)
{
	json_put_number(to, "queries", sum->judged);
	json_put_number(to, "different", sum->differing);
	json_put_number(to, "answer_unknown", sum->unknown);
	json_put_number(to, "by_another_rule", sum->elsewhere);
	json_put_key(to, "differences");
	writer_u8(to, '[');
	size_t told = write_rows(keeper, sum, to, write_row_json);
	writer_u8(to, ']');
	json_put_number(to, "differences_left_out", left_out(sum, told));
}

static void put_order(const struct shadow_keeper *keeper, struct writer *to)
{
	const struct shadow_order *order = &keeper->order;
	json_put_text(to, "candidate", order->file);
	json_put_number(to, "share", order->share);
	json_put_key(to, "views");
	writer_u8(to, '[');
	for (size_t i = 0; i < order->view_count; i++) {
		writer_text(to, i ? ",\"" : "\"");
		escape_json(to, slice_of_text(order->views[i]), WORD_MAX);
		writer_u8(to, '"');
	}
	writer_u8(to, ']');
	json_put_number(to, "since", (uint64_t)keeper->tally->since_s);
}

static void put_candidate(
	const struct shadow_keeper *keeper, const struct snapshot *in_force, struct writer *to)
{
	struct shadow_sum *sum = shadow_tally_sum(keeper->tally);
	json_put_text(to, "policy_hash", keeper->candidate->policy_hash);
	json_put_text(to, "policy_hash_in_force", in_force->policy_hash);
	json_put_text(to, "needs_restart",
		config_needs_restart(in_force->config, keeper->candidate->config));
	if (sum)
		put_sum(keeper, sum, to);
	free(sum);
}

void shadow_keeper_tell_json(
	const struct shadow_keeper *keeper, const struct snapshot *in_force, struct writer *to)
{
	writer_u8(to, '{');
	json_put_text(to, "state", shadow_state_name(keeper->state));
	json_put_text(to, "note", keeper->note);
	if (keeper->tally)
		put_order(keeper, to);
	if (keeper->candidate)
		put_candidate(keeper, in_force, to);
	writer_text(to, "}\n");
}
