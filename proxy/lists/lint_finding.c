#include "proxy/lists/lint_finding.h"

#include "proxy/watch/escape.h"
#include "proxy/watch/json_put.h"

enum { ENTRY_MAX = DNS_NAME_TEXT_MAX + 2 };

/* ---- for people ---- */

static void write_line(struct writer *to, const char *before, uint32_t line)
{
	if (!line)
		return;
	writer_text(to, before);
	writer_decimal(to, line);
}

static void write_rejected(struct writer *to, const struct lint_finding *finding)
{
	writer_text(to, list_reject_text(finding->reject));
	writer_text(to, ": ");
	escape_text(to, finding->text, 3 * LIST_REJECT_TEXT_MAX);
}

static void write_suffix(struct writer *to, const struct lint_finding *finding)
{
	bool is_exact = finding->pattern == PATTERN_EXACT;
	list_pattern_write_text(to, finding->name, finding->pattern);
	if (is_exact)
		writer_text(to, finding->is_exception ? " lets through " : " is ");
	else
		writer_text(to,
			finding->is_exception ? " lets through all names below "
					      : " covers all names below ");
	writer_text(to, suffix_kind_text(finding->suffix));
	if (is_exact)
		writer_text(to, "; names below it are not meant");
}

static void write_health(struct writer *to, const struct lint_finding *finding)
{
	list_pattern_write_text(to, finding->name, finding->pattern);
	writer_text(to, " covers ");
	writer_text(to, finding->health->example);
	writer_text(to, " (");
	writer_text(to, finding->health->user);
	writer_text(to, ")");
	if (finding->health_count > 1) {
		writer_text(to, " and ");
		writer_decimal(to, finding->health_count - 1);
		writer_text(to, " more");
	}
	writer_text(to, ", by which clients test their resolver or network");
}

static void write_duplicate(struct writer *to, const struct lint_finding *finding)
{
	list_pattern_write_text(to, finding->name, finding->pattern);
	writer_text(to, " stood before");
	write_line(to, ", in line ", finding->by_line);
}

static void write_covered(struct writer *to, const struct lint_finding *finding)
{
	list_pattern_write_text(to, finding->name, finding->pattern);
	writer_text(to, " is covered by ");
	list_pattern_write_text(to, finding->by, finding->by_pattern);
	write_line(to, " in line ", finding->by_line);
}

/* ---- for programs ---- */

static void put_entry(
	struct writer *to, const char *key, struct slice name, enum pattern_kind pattern)
{
	uint8_t bytes[ENTRY_MAX];
	struct writer entry = writer_of(bytes, sizeof bytes);
	list_pattern_write_text(&entry, name, pattern);
	json_put_slice(to, key, writer_slice(&entry));
}

static void put_flag(struct writer *to, const char *key, bool is_set)
{
	if (!is_set)
		return;
	json_put_key(to, key);
	writer_text(to, "true");
}

static void put_line(struct writer *to, const char *key, uint32_t line)
{
	if (line)
		json_put_number(to, key, line);
}

static void put_rejected(struct writer *to, const struct lint_finding *finding)
{
	json_put_text(to, "reason", list_reject_name(finding->reject));
	json_put_slice(to, "text", finding->text);
}

static void put_suffix(struct writer *to, const struct lint_finding *finding)
{
	put_entry(to, "entry", finding->name, finding->pattern);
	json_put_text(to, "suffix", suffix_kind_name(finding->suffix));
	put_flag(to, "below", finding->pattern != PATTERN_EXACT);
	put_flag(to, "exception", finding->is_exception);
}

static void put_health(struct writer *to, const struct lint_finding *finding)
{
	put_entry(to, "entry", finding->name, finding->pattern);
	json_put_text(to, "name", finding->health->example);
	json_put_text(to, "user", finding->health->user);
	json_put_number(to, "names", finding->health_count);
}

static void put_duplicate(struct writer *to, const struct lint_finding *finding)
{
	put_entry(to, "entry", finding->name, finding->pattern);
	put_line(to, "first_line", finding->by_line);
}

static void put_covered(struct writer *to, const struct lint_finding *finding)
{
	put_entry(to, "entry", finding->name, finding->pattern);
	put_entry(to, "by", finding->by, finding->by_pattern);
	put_line(to, "by_line", finding->by_line);
}

/* ---- a row for each kind ---- */

static const struct {
	const char *name;
	bool is_note;
	void (*write)(struct writer *to, const struct lint_finding *finding);
	void (*put)(struct writer *to, const struct lint_finding *finding);
} kinds[LINT_KINDS] = {
	[LINT_REJECTED] = { "rejected", false, write_rejected, put_rejected },
	[LINT_SUFFIX] = { "suffix", false, write_suffix, put_suffix },
	[LINT_HEALTH] = { "health", false, write_health, put_health },
	[LINT_DUPLICATE] = { "duplicate", true, write_duplicate, put_duplicate },
	[LINT_COVERED] = { "covered", true, write_covered, put_covered },
};

const char *lint_kind_name(enum lint_kind kind)
{
	return kinds[kind].name;
}

bool lint_kind_is_note(enum lint_kind kind)
{
	return kinds[kind].is_note;
}

void lint_finding_write_text(struct writer *to, const struct lint_finding *finding)
{
	kinds[finding->kind].write(to, finding);
}

void lint_finding_write_json(struct writer *to, const struct lint_finding *finding)
{
	writer_u8(to, '{');
	json_put_text(to, "kind", kinds[finding->kind].name);
	json_put_number(to, "line", finding->line);
	kinds[finding->kind].put(to, finding);
	writer_u8(to, '}');
}
