#include "proxy/control/control_verbs.h"

#include "base/error.h"
#include "dns/name.h"
#include "proxy/control/control_explain.h"
#include "proxy/control/verbs.h"
#include "proxy/shadow/shadow.h"

void control_verbs_fail(struct writer *answer, const char *text)
{
	answer->len = 0;
	answer->failed = false;
	writer_text(answer, "error: ");
	writer_text(answer, text);
	writer_text(answer, "\n");
}

/* ---- the verbs: each gives NULL, or what went wrong ---- */

typedef const char *(*verb_fn)(const struct control_source *source,
	const struct control_request *request, struct writer *answer);

static void write_flushed(struct writer *answer, size_t count)
{
	writer_decimal(answer, count);
	writer_text(answer, count == 1 ? " entry flushed\n" : " entries flushed\n");
}

/* flush name NAME | flush below NAME | flush all */
static const char *flush(const struct control_source *source, const struct control_request *request,
	struct writer *answer)
{
	struct dns_name name = { .len = 1 }; /* the root */
	struct slice what = request->count > 1 ? request->words[1] : slice_of(NULL, 0);
	bool is_all = slice_equals_text(what, "all");
	bool is_below = slice_equals_text(what, "below");
	if (!is_all && !is_below && !slice_equals_text(what, "name"))
		return "flush takes \"name NAME\", \"below NAME\" or \"all\"";
	if (request->count != (is_all ? 2 : 3))
		return "flush takes one name, or \"all\" without one";
	if (!is_all && !dns_name_from_text(&name, request->words[2]))
		return "not a domain name";
	if (!source->flush)
		return "there is no cache";
	dns_name_lower(name.wire, name.wire, name.len);
	write_flushed(
		answer, source->flush(source->context, dns_name_slice(&name), is_all || is_below));
	return NULL;
}

/* ---- lists ---- */

enum {
	LIST_NAME_MAX = 1024, /* with the NUL */
	NEXT_MAX = 16,        /* bytes of the last line, "next 1023" */
};

static bool read_number(struct slice word, size_t *number)
{
	*number = 0;
	for (size_t i = 0; i < word.len; i++) {
		if (word.at[i] < '0' || word.at[i] > '9')
			return false;
		*number = *number * 10 + (size_t)(word.at[i] - '0');
	}
	return word.len > 0 && word.len <= 6;
}

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
	size_t from;
	if (!source->list_count)
		return "nothing is known of lists";
	if (request->count != 3 || !read_number(request->words[2], &from))
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
	if (!error)
		writer_text(answer, "accepted; \"namegate lists\" tells when it is in force\n");
	return meaning_of(error);
}

static const char *lists(const struct control_source *source, const struct control_request *request,
	struct writer *answer)
{
	static const struct {
		const char *name;
		verb_fn run;
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

/* ---- the shadow ---- */

enum { SHADOW_WORDS = 4 /* before the views */ };

/* shadow start FILE SHARE [VIEW]...; the words are taken apart into `memory`. */
static const char *read_order(const struct control_request *request, struct shadow_order *order,
	const char *views[CONTROL_WORDS_MAX], char memory[CONTROL_LINE_MAX])
{
	size_t share;
	char *at = memory;
	if (request->count < SHADOW_WORDS || !read_number(request->words[3], &share) || share < 1 ||
		share > 100)
		return "shadow start takes a file, a share of 1 to 100, and views";
	for (size_t i = 2; i < request->count; i++) {
		if (i == 3)
			continue;
		/* A word read is not longer than the word. */
		if (!control_word_read(
			    request->words[i], at, (size_t)(memory + CONTROL_LINE_MAX - at)))
			return "not the name of a file or a view";
		if (i >= SHADOW_WORDS)
			views[order->view_count++] = at;
		else
			order->file = at;
		at += strlen(at) + 1;
	}
	order->views = views;
	order->share = (unsigned)share;
	return order->file[0] == '/' ? NULL : "the file must be absolute";
}

static const char *start_shadow(const struct control_source *source,
	const struct control_request *request, struct writer *answer)
{
	struct shadow_order order = { 0 };
	const char *views[CONTROL_WORDS_MAX];
	char memory[CONTROL_LINE_MAX];
	const char *error = read_order(request, &order, views, memory);
	if (!error)
		error = source->shadow_start(source->context, &order);
	if (!error)
		writer_text(answer, "begun; \"namegate shadow status\" tells how it stands\n");
	return error;
}

static const char *stop_shadow(const struct control_source *source,
	const struct control_request *request, struct writer *answer)
{
	(void)answer;
	return request->count == 2 ? source->shadow_stop(source->context)
				   : "shadow stop takes nothing else";
}

static const char *promote_shadow(const struct control_source *source,
	const struct control_request *request, struct writer *answer)
{
	(void)answer;
	return request->count == 2 ? source->shadow_promote(source->context)
				   : "shadow promote takes nothing else";
}

static const char *tell_shadow(const struct control_source *source,
	const struct control_request *request, struct writer *answer)
{
	enum control_telling how = CONTROL_TELL_STATE;
	if (slice_equals_text(request->words[1], "text"))
		how = CONTROL_TELL_TEXT;
	if (slice_equals_text(request->words[1], "json"))
		how = CONTROL_TELL_JSON;
	source->shadow_tell(source->context, how, answer);
	return NULL;
}

static const char *shadow(const struct control_source *source,
	const struct control_request *request, struct writer *answer)
{
	static const struct {
		const char *name;
		verb_fn run;
	} rows[] = {
		{ "start", start_shadow },
		{ "stop", stop_shadow },
		{ "promote", promote_shadow },
		{ "state", tell_shadow },
		{ "text", tell_shadow },
		{ "json", tell_shadow },
	};
	if (!source->shadow_tell)
		return "nothing can be judged beside";
	for (size_t i = 0; request->count > 1 && i < sizeof rows / sizeof *rows; i++)
		if (slice_equals_text(request->words[1], rows[i].name))
			return rows[i].run(source, request, answer);
	return "shadow takes \"start\", \"stop\", \"promote\", \"state\", \"text\" or "
	       "\"json\"";
}

static const struct {
	const char *name;
	verb_fn run;
} verbs[] = {
	{ "flush", flush },
	{ "lists", lists },
	{ "explain", control_explain_run },
	{ "revisions", control_verb_revisions },
	{ "shadow", shadow },
	{ "exceptions", control_verb_exceptions },
};

enum { VERB_COUNT = sizeof verbs / sizeof *verbs };

void control_verbs_run(const struct control_source *source, const struct control_request *request,
	struct writer *answer)
{
	static const char last[] = "ok\n";
	size_t verb = 0;
	while (verb < VERB_COUNT && !slice_equals_text(request->words[0], verbs[verb].name))
		verb++;
	if (verb == VERB_COUNT) {
		control_verbs_fail(answer, "unknown verb");
		return;
	}
	answer->capacity -= sizeof last - 1;
	const char *error = verbs[verb].run(source, request, answer);
	if (!error && answer->failed)
		error = "the answer is too long";
	answer->capacity += sizeof last - 1;
	if (error)
		control_verbs_fail(answer, error);
	else
		writer_text(answer, last);
}
