/* verb_exceptions.c - exceptions add, end, text, json. */
#include "proxy/control/verbs.h"

#include "base/error.h"
#include "base/utc.h"
#include "proxy/exceptions/exception_book.h"
#include "proxy/exceptions/exceptions_text.h"
#include "proxy/exceptions/user_name.h"
#include "proxy/watch/escape.h"
#include "proxy/watch/json_put.h"

enum { NEXT_MAX = 16 /* bytes of the last line, "next 255" */ };

/* ---- words ---- */

static void write_left(struct writer *to, int64_t left_s)
{
	static const struct {
		int64_t s;
		const char *unit;
	} units[] = { { 86400, " d" }, { 3600, " h" }, { 60, " m" }, { 1, " s" } };
	size_t i = 0;
	while (i < 3 && left_s < 2 * units[i].s)
		i++;
	writer_decimal(to, left_s > 0 ? (uint64_t)(left_s / units[i].s) : 0);
	writer_text(to, units[i].unit);
}

static void write_name(struct writer *to, const struct exception *exception)
{
	dns_name_write_text(to, dns_name_slice(&exception->name));
	if (exception->kind != PATTERN_EXACT)
		writer_text(to, " and below");
}

static void write_view(struct writer *to, const struct exception *exception)
{
	if (!*exception->view) {
		writer_text(to, "every view");
		return;
	}
	writer_text(to, "view ");
	escape_text(to, slice_of_text(exception->view), SIZE_MAX);
}

/* "7 ALLOW a.example. and below, view lan, for 29 m, until 2026-11-22T05:30:00Z" */
static void write_exception(struct writer *to, const struct exception *exception, int64_t now_s)
{
	writer_decimal(to, exception->id);
	writer_text(to, " ");
	writer_text(to, action_name(exception->action));
	writer_text(to, " ");
	write_name(to, exception);
	writer_text(to, ", ");
	write_view(to, exception);
	writer_text(to, ", for ");
	write_left(to, exception->until_s - now_s);
	writer_text(to, ", until ");
	utc_write(to, exception->until_s);
}

/* ---- add ---- */

static bool read_pattern(
	struct exception *wanted, struct slice action, struct slice kind, struct slice name)
{
	bool is_allow = slice_equals_text(action, "ALLOW");
	bool is_both = slice_equals_text(kind, "both");
	if ((!is_allow && !slice_equals_text(action, "BLOCK")) ||
		(!is_both && !slice_equals_text(kind, "exact")) ||
		!dns_name_from_text(&wanted->name, name))
		return false;
	wanted->action = is_allow ? ACTION_ALLOW : ACTION_BLOCK;
	wanted->kind = is_both ? PATTERN_BOTH : PATTERN_EXACT;
	dns_name_lower(wanted->name.wire, wanted->name.wire, wanted->name.len);
	return true;
}

/* exceptions add ACTION KIND NAME SECONDS BECAUSE [VIEW] */
static const char *read_wanted(const struct control_source *source,
	const struct control_request *request, struct exception *wanted, uint32_t *for_s)
{
	const struct slice *words = request->words;
	if (request->count != 7 && request->count != 8)
		return "exceptions add takes an action, a kind, a name, seconds and a reason";
	if (!read_pattern(wanted, words[2], words[3], words[4]))
		return "not ALLOW or BLOCK, exact or both, and a domain name";
	if (!control_verb_number(words[5], for_s) || *for_s < EXCEPTION_FOR_MIN_S ||
		*for_s > EXCEPTION_FOR_MAX_S)
		return "an exception is for one second to 30 days";
	if (!control_word_read(words[6], wanted->because, sizeof wanted->because) ||
		!exceptions_text_is_reason(wanted->because))
		return "a reason is needed: up to 200 bytes of text on one line";
	if (request->count == 8 &&
		(!control_word_read(words[7], wanted->view, sizeof wanted->view) ||
			!*wanted->view || !source->has_view(source->context, wanted->view)))
		return "there is no such view";
	user_name_write(wanted->by, sizeof wanted->by, (uid_t)request->uid);
	return NULL;
}

static void write_made(struct writer *answer, const struct exception_made *made, int64_t now_s)
{
	writer_text(answer, "exception ");
	write_exception(answer, &made->made, now_s);
	writer_text(answer, "\n");
	if (made->replaced.id) {
		writer_text(answer, "it replaces exception ");
		write_exception(answer, &made->replaced, now_s);
		writer_text(answer, "\n");
	}
	if (made->is_kept)
		return;
	writer_text(answer, "it will not outlive a restart: ");
	writer_text(answer, made->error ? error_text(made->error) : "there is no state_directory");
	writer_text(answer, "\n");
}

static const char *add(const struct control_source *source, const struct control_request *request,
	struct writer *answer)
{
	struct exception wanted = { .id = 0 };
	struct exception_made made;
	uint32_t for_s = 0;
	const char *wrong = read_wanted(source, request, &wanted, &for_s);
	if (wrong)
		return wrong;
	int64_t now_s = source->now_s(source->context);
	int error = exception_book_add(source->exceptions, &wanted, for_s, now_s, &made);
	if (error == ERR_TOO_LONG)
		return "there are 256 exceptions: end one, or put the rule into the configuration";
	if (error)
		return error_text(error);
	write_made(answer, &made, now_s);
	return NULL;
}

/* ---- end ---- */

static const char *end(const struct control_source *source, const struct control_request *request,
	struct writer *answer)
{
	uint32_t id;
	char by[EXCEPTION_BY_MAX];
	struct exception ended;
	if (request->count != 3 || !control_verb_number(request->words[2], &id))
		return "exceptions end takes the number of one";
	int64_t now_s = source->now_s(source->context);
	user_name_write(by, sizeof by, (uid_t)request->uid);
	int error = exception_book_end(source->exceptions, id, by, now_s, &ended);
	if (error == -ENOENT)
		return "there is no such exception";
	if (error)
		return error_text(error);
	writer_text(answer, "ended: exception ");
	write_exception(answer, &ended, now_s);
	writer_text(answer, "\n");
	error = exception_book_behind(source->exceptions);
	if (!error)
		return NULL;
	writer_text(answer, "a restart would bring it back, unless it can be written before: ");
	writer_text(answer, error_text(error));
	writer_text(answer, "\n");
	return NULL;
}

/* ---- tell ---- */

static void tell_text(struct writer *to, const struct control_source *source,
	const struct exception *exception, int64_t now_s)
{
	int64_t used_s = exception_book_used_s(source->exceptions, exception->id);
	write_exception(to, exception, now_s);
	if (*exception->view && !source->has_view(source->context, exception->view))
		writer_text(to, " (there is no such view now)");
	writer_text(to, "\n    ");
	writer_text(to, used_s ? "last used " : "not used");
	if (used_s)
		utc_write(to, used_s);
	writer_text(to, "; made by ");
	escape_text(to, slice_of_text(exception->by), SIZE_MAX);
	writer_text(to, ", ");
	utc_write(to, exception->made_s);
	writer_text(to, ": ");
	escape_text(to, slice_of_text(exception->because), SIZE_MAX);
	writer_text(to, "\n");
}

static void tell_json(struct writer *to, const struct control_source *source,
	const struct exception *exception, int64_t now_s)
{
	int64_t used_s = exception_book_used_s(source->exceptions, exception->id);
	char name[DNS_NAME_TEXT_MAX];
	writer_u8(to, '{');
	json_put_number(to, "id", exception->id);
	json_put_text(to, "action", action_name(exception->action));
	json_put_text(to, "name", dns_name_text(dns_name_slice(&exception->name), name));
	json_put_key(to, "below");
	writer_text(to, exception->kind == PATTERN_EXACT ? "false" : "true");
	json_put_text(to, "view", exception->view);
	json_put_number(to, "made_s", (uint64_t)exception->made_s);
	json_put_number(to, "until_s", (uint64_t)exception->until_s);
	json_put_number(to, "left_s", (uint64_t)(exception->until_s - now_s));
	if (used_s)
		json_put_number(to, "last_used_s", (uint64_t)used_s);
	json_put_text(to, "by", exception->by);
	json_put_text(to, "because", exception->because);
	writer_text(to, "}\n");
}

/* As many as fit, and where to go on: "next 0" when it was all. */
static const char *tell(const struct control_source *source, const struct control_request *request,
	struct writer *answer)
{
	bool is_json = slice_equals_text(request->words[1], "json");
	uint32_t from;
	size_t count;
	if (request->count != 3 || !control_verb_number(request->words[2], &from))
		return "exceptions text and exceptions json take a number";
	int64_t now_s = source->now_s(source->context);
	exception_book_tick(source->exceptions, now_s);
	const struct exception *all =
		exceptions_all(exception_book_set(source->exceptions), &count);
	answer->capacity -= NEXT_MAX;
	size_t i = from;
	for (; i < count; i++) {
		size_t len = answer->len;
		(is_json ? tell_json : tell_text)(answer, source, &all[i], now_s);
		if (!answer->failed)
			continue;
		answer->len = len;
		answer->failed = i == from; /* one that does not fit alone */
		break;
	}
	answer->capacity += NEXT_MAX;
	writer_text(answer, "next ");
	writer_decimal(answer, i < count ? i : 0);
	writer_text(answer, "\n");
	return NULL;
}

const char *control_verb_exceptions(const struct control_source *source,
	const struct control_request *request, struct writer *answer)
{
	static const struct {
		const char *name;
		control_verb_fn *run;
	} rows[] = {
		{ "add", add },
		{ "end", end },
		{ "text", tell },
		{ "json", tell },
	};
	if (!source->exceptions)
		return "nothing is known of exceptions";
	for (size_t i = 0; request->count > 1 && i < sizeof rows / sizeof *rows; i++)
		if (slice_equals_text(request->words[1], rows[i].name))
			return rows[i].run(source, request, answer);
	return "exceptions takes \"add\", \"end\", \"text\" or \"json\"";
}
