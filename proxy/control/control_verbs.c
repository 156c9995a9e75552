#include "proxy/control/control_verbs.h"

#include "dns/name.h"
#include "proxy/control/control_explain.h"
#include "proxy/control/verbs.h"

void control_verbs_fail(struct writer *answer, const char *text)
{
	answer->len = 0;
	answer->failed = false;
	writer_text(answer, "error: ");
	writer_text(answer, text);
	writer_text(answer, "\n");
}

bool control_verb_number(struct slice word, uint32_t *number)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < word.len && i < 11; i++) {
		if (word.at[i] < '0' || word.at[i] > '9')
			return false;
		sum = sum * 10 + (uint64_t)(word.at[i] - '0');
	}
	*number = (uint32_t)sum;
	return word.len > 0 && word.len <= 10 && sum <= UINT32_MAX;
}

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

static const struct {
	const char *name;
	control_verb_fn *run;
} verbs[] = {
	{ "flush", flush },
	{ "lists", control_verb_lists },
	{ "explain", control_explain_run },
	{ "revisions", control_verb_revisions },
	{ "shadow", control_verb_shadow },
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
