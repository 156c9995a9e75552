/* verb_shadow.c - shadow start, stop, promote, state, text, json. */
#include "proxy/control/verbs.h"

#include "proxy/shadow/shadow.h"

enum { SHADOW_WORDS = 4 /* before the views */ };

/* shadow start FILE SHARE [VIEW]...; the words are taken apart into `memory`. */
static const char *read_order(const struct control_request *request, struct shadow_order *order,
	const char *views[CONTROL_WORDS_MAX], char memory[CONTROL_LINE_MAX])
{
	uint32_t share;
	char *at = memory;
	if (request->count < SHADOW_WORDS || !control_verb_number(request->words[3], &share) ||
		share < 1 || share > 100)
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
	order->share = share;
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

const char *control_verb_shadow(const struct control_source *source,
	const struct control_request *request, struct writer *answer)
{
	static const struct {
		const char *name;
		control_verb_fn *run;
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
