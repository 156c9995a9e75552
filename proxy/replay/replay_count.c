#include "proxy/replay/replay_count.h"

#include <stdlib.h>

#include "proxy/watch/escape.h"

struct replay_counter {
	const struct replay_options *options;
	struct replay_judge candidate;
	struct replay_judge current;
	struct replay_result *result;
	struct log_line from;
	struct replay_line line;
	struct replay_outcome before;
	struct replay_outcome after;
};

/* ---- the result ---- */

static struct replay_result *result_new(void)
{
	struct replay_result *result = calloc(1, sizeof *result);
	if (!result)
		return NULL;
	result->changes = tally_new(REPLAY_CHANGES_MAX);
	result->rules = tally_new(TALLY_ROWS_MAX);
	result->entries = tally_new(TALLY_ROWS_MAX);
	result->clients = tally_new(TALLY_ROWS_MAX);
	result->moved = tally_new(TALLY_ROWS_MAX);
	if (result->changes && result->rules && result->entries && result->clients && result->moved)
		return result;
	replay_result_free(result);
	return NULL;
}

void replay_result_free(struct replay_result *result)
{
	if (!result)
		return;
	tally_free(result->changes);
	tally_free(result->rules);
	tally_free(result->entries);
	tally_free(result->clients);
	tally_free(result->moved);
	for (size_t i = 0; i < REPLAY_CHANGES_MAX; i++)
		free(result->change_rows[i].at);
	free(result);
}

/* Keeps the first `most`, in the order of the log. */
static void keep_example(
	struct replay_change_row *row, const struct replay_example *example, unsigned most)
{
	unsigned at = row->count;
	if (!row->at)
		row->at = calloc(most ? most : 1, sizeof *row->at);
	if (!row->at || most == 0)
		return;
	if (row->count == most && !tally_place_is_before(&example->place, &row->at[most - 1].place))
		return;
	if (row->count < most)
		row->count++;
	else
		at = most - 1;
	for (; at > 0 && tally_place_is_before(&example->place, &row->at[at - 1].place); at--)
		row->at[at] = row->at[at - 1];
	row->at[at] = *example;
}

static void keep_bad(struct replay_result *result, const struct replay_bad *bad)
{
	unsigned at = result->bad_count;
	if (at < REPLAY_BAD_SHOWN)
		result->bad_count++;
	else if (tally_place_is_before(&bad->place, &result->bad[--at].place))
		result->bad[at] = *bad;
	else
		return;
	for (; at > 0 && tally_place_is_before(&bad->place, &result->bad[at - 1].place); at--)
		result->bad[at] = result->bad[at - 1];
	result->bad[at] = *bad;
}

static void merge_counts(struct replay_counts *into, const struct replay_counts *from)
{
	into->lines += from->lines;
	into->bad += from->bad;
	into->not_admitted += from->not_admitted;
	into->by_exception += from->by_exception;
	into->same += from->same;
	into->moved += from->moved;
	into->different += from->different;
	into->answer_unknown += from->answer_unknown;
	into->answer_partial += from->answer_partial;
}

/* The same kind of change may have another number in each thread. */
static void merge_changes(
	struct replay_result *into, const struct replay_result *from, unsigned examples)
{
	for (uint32_t i = 0; i < tally_row_count(from->changes); i++) {
		struct tally_row row = tally_row(from->changes, i);
		uint32_t number =
			tally_add(into->changes, row.key, row.count, &row.first, row.name);
		if (number == TALLY_NONE)
			continue;
		for (unsigned j = 0; j < from->change_rows[i].count; j++)
			keep_example(
				&into->change_rows[number], &from->change_rows[i].at[j], examples);
	}
}

void replay_result_merge(
	struct replay_result *into, const struct replay_result *from, unsigned examples)
{
	merge_counts(&into->counts, &from->counts);
	merge_changes(into, from, examples);
	tally_merge(into->rules, from->rules);
	tally_merge(into->entries, from->entries);
	tally_merge(into->clients, from->clients);
	tally_merge(into->moved, from->moved);
	for (unsigned i = 0; i < from->bad_count; i++)
		keep_bad(into, &from->bad[i]);
}

/* ---- one line ---- */

static void put_part(struct writer *key, const char *part)
{
	if (key->len > 0)
		writer_u8(key, '\t');
	writer_text(key, part);
}

static uint32_t add(struct tally *tally, const struct writer *key, const struct tally_place *place,
	struct slice name)
{
	return tally_add(tally, writer_slice(key), 1, place, name);
}

static void add_pair(struct tally *tally, const struct replay_counter *counter,
	const struct tally_place *place, struct slice name)
{
	uint8_t buffer[4 * REPLAY_TEXT_MAX + 1];
	struct writer key = writer_of(buffer, sizeof buffer);
	put_part(&key, counter->before.by);
	put_part(&key, counter->after.by);
	add(tally, &key, place, name);
}

static void add_entry(
	const struct replay_counter *counter, const struct tally_place *place, struct slice name)
{
	uint8_t buffer[REPLAY_TEXT_MAX + REPLAY_ENTRY_MAX + 16];
	struct writer key = writer_of(buffer, sizeof buffer);
	bool is_now = counter->after.list[0];
	const struct replay_outcome *of = is_now ? &counter->after : &counter->before;
	if (!of->list[0])
		return;
	put_part(&key, of->list);
	put_part(&key, of->entry);
	put_part(&key, is_now ? "now" : "before");
	add(counter->result->entries, &key, place, name);
}

static struct slice client_of(const struct log_line *line, uint8_t buffer[REPLAY_TEXT_MAX])
{
	struct slice text = line->client_text.len ? line->client_text : line->client_id;
	struct slice plain = log_line_plain(text, buffer, REPLAY_TEXT_MAX);
	if (plain.len > REPLAY_TEXT_MAX)
		plain.len = REPLAY_TEXT_MAX;
	return plain.len ? plain : slice_of_text("not told");
}

static void add_change(const struct replay_counter *counter, const struct tally_place *place,
	struct slice name, struct slice client)
{
	char text[REPLAY_OUTCOME_TEXT_MAX];
	uint8_t buffer[2 * REPLAY_OUTCOME_TEXT_MAX + 1];
	struct writer key = writer_of(buffer, sizeof buffer);
	struct replay_result *result = counter->result;
	unsigned most = counter->options->examples;
	put_part(&key, replay_outcome_text(&counter->before, text));
	put_part(&key, replay_outcome_text(&counter->after, text));
	uint32_t row = add(result->changes, &key, place, name);
	if (row == TALLY_NONE ||
		(result->change_rows[row].count == most && most > 0 &&
			!tally_place_is_before(
				place, &result->change_rows[row].at[most - 1].place)))
		return;
	struct replay_example example = { .place = *place,
		.name = counter->from.name,
		.type = counter->from.type,
		.before = counter->before,
		.after = counter->after };
	size_t len = client.len < sizeof example.client ? client.len : sizeof example.client - 1;
	memcpy(example.client, client.at, len);
	keep_example(&result->change_rows[row], &example, most);
}

static void add_difference(const struct replay_counter *counter, const struct tally_place *place)
{
	uint8_t text[DNS_NAME_TEXT_MAX];
	uint8_t client_buffer[REPLAY_TEXT_MAX];
	struct writer name = writer_of(text, sizeof text);
	struct slice client = client_of(&counter->from, client_buffer);
	dns_name_write_text(&name, dns_name_slice(&counter->from.name));
	add_change(counter, place, writer_slice(&name), client);
	add_pair(counter->result->rules, counter, place, writer_slice(&name));
	add_entry(counter, place, writer_slice(&name));
	tally_add(counter->result->clients, client, 1, place, writer_slice(&name));
}

static void add_moved(const struct replay_counter *counter, const struct tally_place *place)
{
	uint8_t text[DNS_NAME_TEXT_MAX];
	struct writer name = writer_of(text, sizeof text);
	dns_name_write_text(&name, dns_name_slice(&counter->from.name));
	add_pair(counter->result->moved, counter, place, writer_slice(&name));
}

static void count_sight(struct replay_counts *counts, enum replay_sight sight)
{
	counts->answer_unknown += sight == REPLAY_SAW_NOTHING;
	counts->answer_partial += sight == REPLAY_SAW_PART;
}

static void compare(struct replay_counter *counter, const struct tally_place *place)
{
	struct replay_counts *counts = &counter->result->counts;
	switch (replay_compare(&counter->before, &counter->after)) {
	case REPLAY_SAME: counts->same++; break;
	case REPLAY_MOVED:
		counts->moved++;
		add_moved(counter, place);
		break;
	case REPLAY_DIFFERENT:
		counts->different++;
		add_difference(counter, place);
		break;
	}
}

static void judge_line(struct replay_counter *counter, const struct tally_place *place)
{
	const struct log_line *from = &counter->from;
	struct replay_counts *counts = &counter->result->counts;
	struct replay_verdict verdict;
	bool has_current = counter->options->current;
	if (!log_line_was_admitted(from)) {
		counts->not_admitted++;
		return;
	}
	if (from->has_exception && !has_current) {
		counts->by_exception++;
		return;
	}
	replay_line_init(&counter->line, from);
	replay_judge(&counter->candidate, &counter->line, &verdict);
	replay_outcome_judged(&counter->after, &counter->candidate, from, &verdict);
	count_sight(counts, verdict.sight);
	if (has_current) {
		replay_judge(&counter->current, &counter->line, &verdict);
		replay_outcome_judged(&counter->before, &counter->current, from, &verdict);
	} else {
		replay_outcome_recorded(&counter->before, from);
	}
	compare(counter, place);
}

static void note_bad(
	struct replay_result *result, const struct tally_place *place, struct slice line)
{
	struct replay_bad bad = { .place = *place };
	struct writer to = writer_of(bad.text, sizeof bad.text);
	result->counts.bad++;
	if (result->bad_count == REPLAY_BAD_SHOWN &&
		!tally_place_is_before(place, &result->bad[REPLAY_BAD_SHOWN - 1].place))
		return;
	escape_text(&to, line, sizeof bad.text);
	bad.len = (uint8_t)to.len;
	keep_bad(result, &bad);
}

void replay_counter_block(struct replay_counter *counter, const struct log_block *block)
{
	struct slice text = block->text;
	struct slice line;
	struct tally_place place = { .file = (uint32_t)block->file, .line = block->first_line };
	for (; log_blocks_line(&text, &line); place.line++) {
		if (line.len == 0)
			continue;
		counter->result->counts.lines++;
		if (log_line_read(&counter->from, line))
			judge_line(counter, &place);
		else
			note_bad(counter->result, &place, line);
	}
}

struct replay_counter *replay_counter_new(const struct replay_options *options)
{
	struct replay_counter *counter = malloc(sizeof *counter);
	if (!counter)
		return NULL;
	counter->options = options;
	counter->result = result_new();
	if (!counter->result) {
		free(counter);
		return NULL;
	}
	replay_judge_init(&counter->candidate, options->candidate, options->candidate_config);
	if (options->current)
		replay_judge_init(&counter->current, options->current, options->current_config);
	return counter;
}

void replay_counter_free(struct replay_counter *counter)
{
	if (!counter)
		return;
	replay_result_free(counter->result);
	free(counter);
}

struct replay_result *replay_counter_result(struct replay_counter *counter)
{
	struct replay_result *result = counter->result;
	counter->result = NULL;
	return result;
}
