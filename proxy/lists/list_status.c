#include "proxy/lists/list_status.h"

#include "proxy/watch/escape.h"
#include "proxy/watch/json_put.h"

enum {
	WHY_MAX = 1024,  /* bytes of a sentence, escaped */
	CELL_MAX = 1024, /* of a cell of the table */
};

static const char *const standings[] = {
	[LIST_STANDING_GOOD] = "good",
	[LIST_STANDING_QUARANTINED] = "quarantined",
	[LIST_STANDING_NOT_LOADED] = "not_loaded",
};

static bool is_known(const char *text)
{
	return text && text[0];
}

static uint64_t count_rejected(const struct list_status *status)
{
	uint64_t count = 0;
	for (unsigned i = LIST_REJECT_NONE + 1; i < LIST_REJECT_COUNT; i++)
		if (i != LIST_REJECT_DUPLICATE)
			count += status->reject_counts[i];
	return count;
}

/* ---- JSON ---- */

static void put_time(struct writer *to, const char *key, int64_t at_s)
{
	if (at_s > 0)
		json_put_number(to, key, (uint64_t)at_s);
}

static void put_rejected(struct writer *to, const struct list_status *status)
{
	json_put_key(to, "rejected");
	writer_u8(to, '{');
	for (unsigned i = LIST_REJECT_NONE + 1; i < LIST_REJECT_COUNT; i++)
		if (status->reject_counts[i])
			json_put_number(to, list_reject_name((enum list_reject)i),
				status->reject_counts[i]);
	writer_u8(to, '}');
}

static void put_hash(struct writer *to, const uint8_t hash[IMAGE_HASH_LEN])
{
	static const char digits[] = "0123456789abcdef";
	static const uint8_t none[IMAGE_HASH_LEN];
	if (memcmp(hash, none, sizeof none) == 0)
		return;
	json_put_key(to, "hash");
	writer_u8(to, '"');
	for (size_t i = 0; i < IMAGE_HASH_LEN; i++) {
		writer_u8(to, (uint8_t)digits[hash[i] >> 4]);
		writer_u8(to, (uint8_t)digits[hash[i] & 15]);
	}
	writer_u8(to, '"');
}

void list_status_write_json(struct writer *to, const struct list_status *status)
{
	writer_u8(to, '{');
	json_put_text(to, "name", status->name);
	json_put_text(to, "state", standings[status->standing]);
	if (status->fault)
		json_put_text(to, "fault", list_fault_name(status->fault));
	json_put_text(to, "why", status->why);
	json_put_text(to, "origin", status->origin);
	json_put_text(to, "source", status->source);
	json_put_text(to, "format", status->format);
	json_put_number(to, "entries", status->entry_count);
	json_put_number(to, "covered", status->covered_count);
	put_rejected(to, status);
	json_put_number(to, "bytes", status->byte_count);
	put_hash(to, status->hash);
	json_put_text(to, "etag", status->etag);
	put_time(to, "last_attempt", status->last_attempt_s);
	put_time(to, "last_success", status->last_success_s);
	put_time(to, "last_change", status->last_change_s);
	put_time(to, "next_attempt", status->next_attempt_s);
	writer_u8(to, '}');
}

/* ---- the table ---- */

void list_status_write_age(struct writer *to, int64_t at_s, int64_t now_s)
{
	static const struct {
		int64_t seconds;
		const char *unit;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "m" }, { 1, "s" } };
	bool is_past = at_s <= now_s;
	int64_t age_s = is_past ? now_s - at_s : at_s - now_s;
	size_t i = 0;
	if (at_s <= 0 || age_s == 0) {
		writer_text(to, at_s <= 0 ? "never" : "now");
		return;
	}
	/* Up to twice a unit the one below it says more. */
	while (age_s < 2 * units[i].seconds && units[i].seconds > 1)
		i++;
	if (!is_past)
		writer_text(to, "in ");
	writer_decimal(to, (uint64_t)(age_s / units[i].seconds));
	writer_text(to, units[i].unit);
	if (is_past)
		writer_text(to, " ago");
}

static void cell_text(struct writer *to, const char *text)
{
	if (is_known(text))
		escape_text(to, slice_of_text(text), CELL_MAX);
	else
		writer_u8(to, '-');
}

static void cell_name(struct writer *to, const struct list_status *status, int64_t now_s)
{
	(void)now_s;
	cell_text(to, status->name);
}

static void cell_state(struct writer *to, const struct list_status *status, int64_t now_s)
{
	(void)now_s;
	writer_text(to, standings[status->standing]);
}

static void cell_entries(struct writer *to, const struct list_status *status, int64_t now_s)
{
	(void)now_s;
	writer_decimal(to, status->entry_count);
}

static void cell_rejected(struct writer *to, const struct list_status *status, int64_t now_s)
{
	(void)now_s;
	writer_decimal(to, count_rejected(status));
}

static void cell_changed(struct writer *to, const struct list_status *status, int64_t now_s)
{
	list_status_write_age(to, status->last_change_s, now_s);
}

static void cell_checked(struct writer *to, const struct list_status *status, int64_t now_s)
{
	list_status_write_age(to, status->last_success_s, now_s);
}

static void cell_next(struct writer *to, const struct list_status *status, int64_t now_s)
{
	if (status->next_attempt_s <= 0)
		writer_u8(to, '-');
	else if (status->next_attempt_s <= now_s)
		writer_text(to, "now");
	else
		list_status_write_age(to, status->next_attempt_s, now_s);
}

static void cell_format(struct writer *to, const struct list_status *status, int64_t now_s)
{
	(void)now_s;
	cell_text(to, status->format);
}

static void cell_source(struct writer *to, const struct list_status *status, int64_t now_s)
{
	(void)now_s;
	cell_text(to, is_known(status->source) ? status->source : status->origin);
}

static const struct {
	const char *head;
	bool is_number; /* to the right */
	void (*write)(struct writer *to, const struct list_status *status, int64_t now_s);
} columns[LIST_TABLE_COLUMNS] = {
	{ "LIST", false, cell_name },
	{ "STATE", false, cell_state },
	{ "ENTRIES", true, cell_entries },
	{ "REJECTED", true, cell_rejected },
	{ "CHANGED", false, cell_changed },
	{ "CHECKED", false, cell_checked },
	{ "NEXT", false, cell_next },
	{ "FORMAT", false, cell_format },
	{ "SOURCE", false, cell_source },
};

/* Characters of valid UTF-8. */
static size_t width_of(struct slice text)
{
	size_t width = 0;
	for (size_t i = 0; i < text.len; i++)
		width += (text.at[i] & 0xc0) != 0x80;
	return width;
}

static void put_cell(
	struct writer *to, const struct list_table *table, size_t column, struct slice text)
{
	size_t width = width_of(text);
	size_t blanks = table->widths[column] > width ? table->widths[column] - width : 0;
	bool is_last = column == LIST_TABLE_COLUMNS - 1;
	if (columns[column].is_number)
		for (size_t i = 0; i < blanks; i++)
			writer_u8(to, ' ');
	writer_slice_bytes(to, text);
	if (!columns[column].is_number && !is_last)
		for (size_t i = 0; i < blanks; i++)
			writer_u8(to, ' ');
	writer_text(to, is_last ? "\n" : "  ");
}

struct list_table list_table_of(int64_t now_s)
{
	struct list_table table = { .now_s = now_s };
	for (size_t i = 0; i < LIST_TABLE_COLUMNS; i++)
		table.widths[i] = strlen(columns[i].head);
	return table;
}

void list_table_measure(struct list_table *table, const struct list_status *status)
{
	for (size_t i = 0; i < LIST_TABLE_COLUMNS; i++) {
		uint8_t bytes[CELL_MAX];
		struct writer cell = writer_of(bytes, sizeof bytes);
		columns[i].write(&cell, status, table->now_s);
		size_t width = width_of(writer_slice(&cell));
		if (width > table->widths[i])
			table->widths[i] = width;
	}
}

void list_table_write_head(struct writer *to, const struct list_table *table)
{
	for (size_t i = 0; i < LIST_TABLE_COLUMNS; i++)
		put_cell(to, table, i, slice_of_text(columns[i].head));
}

void list_table_write_row(
	struct writer *to, const struct list_table *table, const struct list_status *status)
{
	for (size_t i = 0; i < LIST_TABLE_COLUMNS; i++) {
		uint8_t bytes[CELL_MAX];
		struct writer cell = writer_of(bytes, sizeof bytes);
		columns[i].write(&cell, status, table->now_s);
		put_cell(to, table, i, writer_slice(&cell));
	}
	if (!status->fault)
		return;
	writer_text(to, "  ");
	writer_text(to, list_fault_name(status->fault));
	if (is_known(status->why)) {
		writer_text(to, ": ");
		escape_text(to, slice_of_text(status->why), WHY_MAX);
	}
	writer_text(to, ", ");
	list_status_write_age(to, status->last_attempt_s, table->now_s);
	writer_u8(to, '\n');
}
