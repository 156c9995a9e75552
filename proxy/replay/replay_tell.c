#include "proxy/replay/replay_tell.h"

#include <inttypes.h>

#include "dns/types.h"
#include "proxy/watch/escape.h"
#include "proxy/watch/json_put.h"

enum { PARTS_MAX = 3, LINE_MAX_BYTES = 16 << 10 };

/* The parts of a key. */
static void split(struct slice key, struct slice parts[PARTS_MAX])
{
	for (unsigned i = 0; i < PARTS_MAX; i++) {
		const uint8_t *tab = key.len ? memchr(key.at, '\t', key.len) : NULL;
		size_t len = tab ? (size_t)(tab - key.at) : key.len;
		parts[i] = slice_of(key.at, len);
		key = tab ? slice_of(tab + 1, key.len - len - 1) : slice_of(NULL, 0);
	}
}

/* ---- text ---- */

static void print_slice(FILE *to, struct slice text)
{
	char safe[2 * LINE_MAX_BYTES];
	struct writer line = writer_of(safe, sizeof safe);
	escape_text(&line, text, LINE_MAX_BYTES);
	fwrite(line.at, 1, line.len, to);
}

static void print_text(FILE *to, const char *text)
{
	print_slice(to, slice_of_text(text));
}

static void print_place(FILE *to, const struct replay_told *told, const struct tally_place *place)
{
	print_text(to, told->files[place->file]);
	fprintf(to, ":%" PRIu64, place->line);
}

static void print_by(FILE *to, const struct replay_outcome *outcome)
{
	print_text(to, outcome->by);
	if (!outcome->list[0])
		return;
	fputs(" (", to);
	print_text(to, outcome->list);
	fputs(outcome->entry[0] ? ": " : "", to);
	print_text(to, outcome->entry);
	fputc(')', to);
}

static void print_example(
	FILE *to, const struct replay_told *told, const struct replay_example *example)
{
	char name[DNS_NAME_TEXT_MAX];
	char type[16];
	struct writer word = writer_of(type, sizeof type - 1);
	dns_type_write(&word, example->type);
	type[word.len] = '\0';
	fputs("              ", to);
	print_place(to, told, &example->place);
	fprintf(to, " %s %s from ", dns_name_text(dns_name_slice(&example->name), name), type);
	print_text(to, example->client);
	fputs(": ", to);
	print_by(to, &example->before);
	fputs(" -> ", to);
	print_by(to, &example->after);
	fputc('\n', to);
}

static void print_pair_key(FILE *to, struct slice key)
{
	struct slice parts[PARTS_MAX];
	split(key, parts);
	print_slice(to, parts[0]);
	fputs(" -> ", to);
	print_slice(to, parts[1]);
}

static void print_entry_key(FILE *to, struct slice key)
{
	struct slice parts[PARTS_MAX];
	split(key, parts);
	print_slice(to, parts[0]);
	fputs(parts[1].len ? ": " : "", to);
	print_slice(to, parts[1]);
	fputs(slice_equals_text(parts[2], "before") ? " (no longer)" : "", to);
}

struct table {
	const char *title;
	const char *json_name;
	const char *json_parts[PARTS_MAX]; /* the key's, as members */
	void (*print_key)(FILE *to, struct slice key);
	struct tally *const *tally;
	bool has_examples;
};

enum { TABLE_COUNT = 5 };

static void tables_of(const struct replay_result *result, struct table tables[TABLE_COUNT])
{
	const struct table all[TABLE_COUNT] = {
		{ "changes", "changes", { "before", "after" }, print_pair_key, &result->changes,
			true },
		{ "who decides", "rules", { "before", "after" }, print_pair_key, &result->rules,
			false },
		{ "list entries", "entries", { "list", "entry", "decides" }, print_entry_key,
			&result->entries, false },
		{ "clients", "clients", { "client" }, print_slice, &result->clients, false },
		{ "the same by another rule", "moved", { "before", "after" }, print_pair_key,
			&result->moved, false },
	};
	memcpy(tables, all, sizeof all);
}

static void print_row(
	FILE *to, const struct replay_told *told, const struct table *table, uint32_t number)
{
	struct tally_row row = tally_row(*table->tally, number);
	fprintf(to, "%12" PRIu64 "  ", row.count);
	table->print_key(to, row.key);
	if (table->has_examples) {
		const struct replay_change_row *examples = &told->result->change_rows[number];
		fputc('\n', to);
		for (unsigned i = 0; i < examples->count; i++)
			print_example(to, told, &examples->at[i]);
		return;
	}
	fputs("   first ", to);
	print_place(to, told, &row.first);
	fputc(' ', to);
	print_slice(to, row.name);
	fputc('\n', to);
}

static void print_table(FILE *to, const struct replay_told *told, const struct table *table)
{
	uint32_t rows[REPLAY_TOP_MAX];
	const struct tally *tally = *table->tally;
	size_t count = tally_top(tally, rows, told->top);
	if (tally_row_count(tally) == 0)
		return;
	fprintf(to, "\n%s\n", table->title);
	for (size_t i = 0; i < count; i++)
		print_row(to, told, table, rows[i]);
	if (count < tally_row_count(tally))
		fprintf(to, "              and %zu more rows\n", tally_row_count(tally) - count);
	if (tally_others(tally) > 0)
		fprintf(to, "%12" PRIu64 "  others, for which there was no room\n",
			tally_others(tally));
}

static void print_policies(FILE *to, const struct replay_told *told)
{
	fputs("candidate ", to);
	print_text(to, told->candidate);
	fprintf(to, " (policy %s)\nbeside    ", told->candidate_hash);
	if (told->current) {
		print_text(to, told->current);
		fprintf(to, " (policy %s)\n", told->current_hash);
	} else {
		fputs("what the log recorded\n", to);
	}
}

static void print_count(FILE *to, uint64_t count, const char *what)
{
	if (count > 0)
		fprintf(to, "%12" PRIu64 "  %s\n", count, what);
}

static void print_counts(FILE *to, const struct replay_told *told)
{
	const struct replay_counts *counts = &told->result->counts;
	fprintf(to, "%12" PRIu64 "  lines%s\n", counts->lines,
		told->result->is_complete ? "" : ", and the log was not read to its end");
	print_count(to, counts->bad, "are no lines of a query log");
	print_count(to, counts->not_admitted,
		"left out: not judged then (no view, malformed, beyond the rate limit)");
	print_count(to, counts->by_exception, "left out: a timed exception had a say then");
	fprintf(to, "%12" PRIu64 "  the same\n", counts->same);
	print_count(to, counts->moved, "the same, by another rule");
	fprintf(to, "%12" PRIu64 "  different\n", counts->different);
	print_count(to, counts->answer_unknown,
		"judged by the question alone: it was blocked then, so nobody knows the answer");
	print_count(to, counts->answer_partial, "judged by a part of the answer");
}

static void print_bad(FILE *to, const struct replay_told *told)
{
	const struct replay_result *result = told->result;
	if (result->bad_count > 0)
		fputs("\nno lines of a query log\n", to);
	for (unsigned i = 0; i < result->bad_count; i++) {
		fputs("              ", to);
		print_place(to, told, &result->bad[i].place);
		fprintf(to, ": %.*s\n", (int)result->bad[i].len, result->bad[i].text);
	}
}

void replay_tell_text(FILE *to, const struct replay_told *told)
{
	struct table tables[TABLE_COUNT];
	tables_of(told->result, tables);
	print_policies(to, told);
	print_counts(to, told);
	for (size_t i = 0; i < TABLE_COUNT; i++)
		print_table(to, told, &tables[i]);
	print_bad(to, told);
}

/* ---- JSON ---- */

static void flush(FILE *to, struct writer *line)
{
	fwrite(line->at, 1, line->len, to);
	line->len = 0;
}

/* An object or an array that follows another. */
static void put_open(struct writer *to, bool is_first, char bracket)
{
	if (!is_first)
		writer_u8(to, ',');
	writer_u8(to, (uint8_t)bracket);
}

static void put_policy(struct writer *to, const char *key, const char *file, const char *hash)
{
	json_put_key(to, key);
	writer_u8(to, '{');
	json_put_text(to, "file", file);
	json_put_text(to, "policy_hash", hash);
	writer_u8(to, '}');
}

static void put_counts(struct writer *to, const struct replay_result *result)
{
	const struct replay_counts *counts = &result->counts;
	json_put_key(to, "complete");
	writer_text(to, result->is_complete ? "true" : "false");
	json_put_number(to, "lines", counts->lines);
	json_put_number(to, "bad", counts->bad);
	json_put_number(to, "not_admitted", counts->not_admitted);
	json_put_number(to, "by_exception", counts->by_exception);
	json_put_number(to, "same", counts->same);
	json_put_number(to, "same_by_another_rule", counts->moved);
	json_put_number(to, "different", counts->different);
	json_put_number(to, "answer_unknown", counts->answer_unknown);
	json_put_number(to, "answer_partial", counts->answer_partial);
}

static void put_place(
	struct writer *to, const struct replay_told *told, const struct tally_place *place)
{
	json_put_text(to, "file", told->files[place->file]);
	json_put_number(to, "line", place->line);
}

static void put_decided(struct writer *to, const char *key, const struct replay_outcome *outcome)
{
	json_put_key(to, key);
	writer_u8(to, '{');
	json_put_text(to, "by", outcome->by);
	json_put_text(to, "list", outcome->list);
	json_put_text(to, "entry", outcome->entry);
	writer_u8(to, '}');
}

static void put_example(
	struct writer *to, const struct replay_told *told, const struct replay_example *example)
{
	char text[DNS_NAME_TEXT_MAX];
	uint8_t type[16];
	struct writer word = writer_of(type, sizeof type);
	dns_type_write(&word, example->type);
	put_place(to, told, &example->place);
	json_put_text(to, "name", dns_name_text(dns_name_slice(&example->name), text));
	json_put_slice(to, "type", writer_slice(&word));
	json_put_text(to, "client", example->client);
	put_decided(to, "before", &example->before);
	put_decided(to, "after", &example->after);
	writer_u8(to, '}');
}

static void put_examples(FILE *to, struct writer *line, const struct replay_told *told,
	const struct replay_change_row *examples)
{
	json_put_key(line, "examples");
	writer_u8(line, '[');
	for (unsigned i = 0; i < examples->count; i++) {
		put_open(line, i == 0, '{');
		put_example(line, told, &examples->at[i]);
		flush(to, line);
	}
	writer_u8(line, ']');
}

static void put_row(FILE *to, struct writer *line, const struct replay_told *told,
	const struct table *table, uint32_t number)
{
	struct slice parts[PARTS_MAX];
	struct tally_row row = tally_row(*table->tally, number);
	split(row.key, parts);
	for (unsigned i = 0; i < PARTS_MAX && table->json_parts[i]; i++)
		json_put_slice(line, table->json_parts[i], parts[i]);
	json_put_number(line, "count", row.count);
	json_put_key(line, "first");
	writer_u8(line, '{');
	put_place(line, told, &row.first);
	json_put_slice(line, "name", row.name);
	writer_u8(line, '}');
	if (table->has_examples)
		put_examples(to, line, told, &told->result->change_rows[number]);
	writer_u8(line, '}');
	flush(to, line);
}

static void put_table(
	FILE *to, struct writer *line, const struct replay_told *told, const struct table *table)
{
	uint32_t rows[REPLAY_TOP_MAX];
	const struct tally *tally = *table->tally;
	size_t count = tally_top(tally, rows, told->top);
	json_put_key(line, table->json_name);
	writer_u8(line, '{');
	json_put_number(line, "rows", tally_row_count(tally));
	json_put_number(line, "others", tally_others(tally));
	json_put_key(line, "top");
	writer_u8(line, '[');
	for (size_t i = 0; i < count; i++) {
		put_open(line, i == 0, '{');
		put_row(to, line, told, table, rows[i]);
	}
	writer_text(line, "]}");
}

static void put_bad(struct writer *to, const struct replay_told *told)
{
	const struct replay_result *result = told->result;
	json_put_key(to, "bad_lines");
	writer_u8(to, '[');
	for (unsigned i = 0; i < result->bad_count; i++) {
		put_open(to, i == 0, '{');
		put_place(to, told, &result->bad[i].place);
		json_put_slice(to, "text", slice_of(result->bad[i].text, result->bad[i].len));
		writer_u8(to, '}');
	}
	writer_u8(to, ']');
}

void replay_tell_json(FILE *to, const struct replay_told *told)
{
	uint8_t buffer[2 * LINE_MAX_BYTES];
	struct table tables[TABLE_COUNT];
	struct writer line = writer_of(buffer, sizeof buffer);
	tables_of(told->result, tables);
	writer_u8(&line, '{');
	put_policy(&line, "candidate", told->candidate, told->candidate_hash);
	if (told->current)
		put_policy(&line, "current", told->current, told->current_hash);
	put_counts(&line, told->result);
	for (size_t i = 0; i < TABLE_COUNT; i++)
		put_table(to, &line, told, &tables[i]);
	put_bad(&line, told);
	writer_text(&line, "}\n");
	flush(to, &line);
}
