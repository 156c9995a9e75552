/* verb_lists.c - lists text, json, refresh, accept. */
#include "proxy/control/verbs.h"

#include "base/error.h"

enum {
	LIST_NAME_MAX = 1024, /* with the NUL */
	FROM_MAX = 999999,    /* more than there can be */
	NEXT_MAX = 16,        /* bytes of the last line, "next 1023" */
};

static void write_line(struct writer *answer, const char *before, size_t number, const char *after)
{
	writer_text(answer, before);
	writer_decimal(answer, number);
	writer_text(answer, after);
}

static struct list_table measure(const struct control_source *source, size_t count)
{
	struct list_table table = list_table_of(source->now_s(source->context));
	for (size_t i = 0; i < count; i++) {
		struct list_status status = { 0 };
		source->list_status(source->context, i, &status);
		list_table_measure(&table, &status);
	}
	return table;
}

static void write_list(struct writer *answer, const struct control_source *source, size_t number,
	const struct list_table *table)
{
	struct list_status status = { 0 };
	source->list_status(source->context, number, &status);
	if (table) {
		list_table_write_row(answer, table, &status);
		return;
	}
	list_status_write_json(answer, &status);
	writer_u8(answer, '\n');
}

/* As many lists as fit, and where to go on. A list that does not fit alone would be a mistake of
 * ours; the writer then stays failed, which is told. */
static void write_lists(struct writer *answer, const struct control_source *source, size_t from,
	size_t count, const struct list_table *table)
{
	size_t start = answer->len, number = from;
	answer->capacity -= NEXT_MAX;
	while (number < count) {
		size_t len = answer->len;
		write_list(answer, source, number, table);
		if (answer->failed && len > start) {
			answer->len = len;
			answer->failed = false;
			break;
		}
		number++;
	}
	answer->capacity += NEXT_MAX;
	write_line(answer, "next ", number < count ? number : 0, "\n");
}

static const char *tell_lists(const struct control_source *source,
	const struct control_request *request, struct writer *answer)
{
	bool is_text = slice_equals_text(request->words[1], "text");
	uint32_t from;
	if (!source->list_count)
		return "nothing is known of lists";
	if (request->count != 3 || !control_verb_number(request->words[2], &from) ||
		from > FROM_MAX)
		return "lists text and lists json take a number";
	size_t count = source->list_count(source->context);
	write_line(answer, "", count, count == 1 ? " list\n" : " lists\n");
	struct list_table table = { 0 };
	if (is_text && count > 0)
		table = measure(source, count);
	if (is_text && count > 0 && from == 0)
		list_table_write_head(answer, &table);
	write_lists(answer, source, from, count, is_text ? &table : NULL);
	return NULL;
}

static const char *meaning_of(int error)
{
	switch (error) {
	case 0: return NULL;
	case -ENOENT: return "there is no list of that name";
	case ERR_BUSY: return "an attempt is under way";
	default: return error_text(error);
	}
}

static const char *refresh_list(const struct control_source *source,
	const struct control_request *request, struct writer *answer)
{
	char name[LIST_NAME_MAX];
	bool is_one = request->count == 3;
	if (request->count > 3)
		return "lists refresh takes one name, or none";
	if (is_one && !control_word_read(request->words[2], name, sizeof name))
		return "not the name of a list";
	int error = source->list_refresh
		? source->list_refresh(source->context, is_one ? name : NULL)
		: ERR_INVALID;
	if (error == ERR_INVALID)
		return is_one ? "the list has no source of its own that could be asked"
			      : "no list has a source that could be asked";
	if (!error)
		writer_text(answer, "begun; \"namegate lists\" tells what becomes of it\n");
	return meaning_of(error);
}

static const char *accept_list(const struct control_source *source,
	const struct control_request *request, struct writer *answer)
{
	char name[LIST_NAME_MAX];
	if (request->count != 3)
		return "lists accept takes one name";
	if (!control_word_read(request->words[2], name, sizeof name))
		return "not the name of a list";
	int error = source->list_accept ? source->list_accept(source->context, name) : ERR_INVALID;
	if (error == ERR_INVALID)
		return "nothing of that list is in quarantine";
	if (error == -EPERM)
		return "that cannot be accepted: \"namegate lists\" tells what is wrong with it";
	if (!error)
		writer_text(answer, "accepted; \"namegate lists\" tells when it is in force\n");
	return meaning_of(error);
}

const char *control_verb_lists(const struct control_source *source,
	const struct control_request *request, struct writer *answer)
{
	static const struct {
		const char *name;
		control_verb_fn *run;
	} rows[] = {
		{ "text", tell_lists },
		{ "json", tell_lists },
		{ "refresh", refresh_list },
		{ "accept", accept_list },
	};
	for (size_t i = 0; request->count > 1 && i < sizeof rows / sizeof *rows; i++)
		if (slice_equals_text(request->words[1], rows[i].name))
			return rows[i].run(source, request, answer);
	return "lists takes \"text\", \"json\", \"refresh\" or \"accept\"";
}
