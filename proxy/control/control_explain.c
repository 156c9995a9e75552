#include "proxy/control/control_explain.h"

#include <stdlib.h>

#include "base/hex.h"
#include "proxy/explain/suggest.h"
#include "proxy/explain/trace_words.h"
#include "proxy/framing/base64url.h"

enum { NEXT_MAX = 16 /* bytes of the last line */ };

/* ---- the request ---- */

static bool read_number(struct slice text, uint64_t most, uint64_t *number)
{
	*number = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9' || *number > most / 10)
			return false;
		*number = *number * 10 + (uint64_t)(text.at[i] - '0');
	}
	return text.len > 0 && *number <= most;
}

/* A value as a text of its own; NULL when it is none. */
static const char *take_text(struct control_explain *to, struct slice value)
{
	char *text = to->texts + to->texts_len;
	if (!control_word_read(value, text, sizeof to->texts - to->texts_len))
		return NULL;
	to->texts_len += strlen(text) + 1;
	return text;
}

static const char *read_client(
	struct control_explain *to, const struct config *config, struct slice value)
{
	const char *text = take_text(to, value);
	(void)config;
	return text && address_parse(&to->question.claims.client, text) ? NULL : "not an address";
}

static const char *read_view(
	struct control_explain *to, const struct config *config, struct slice value)
{
	const char *text = take_text(to, value);
	for (size_t i = 0; text && i < config->policy.view_count; i++) {
		if (strcmp(config->policy.views[i].name, text) != 0)
			continue;
		to->question.view = (uint16_t)i;
		return NULL;
	}
	return "there is no view of that name";
}

static const char *read_listener(
	struct control_explain *to, const struct config *config, struct slice value)
{
	const char *text = take_text(to, value);
	for (size_t i = 0; text && i < config->listener_count; i++) {
		if (strcmp(config->listeners[i].name, text) != 0)
			continue;
		to->question.claims.listener = (uint16_t)i;
		return NULL;
	}
	return "there is no listener of that name";
}

static const char *read_path(
	struct control_explain *to, const struct config *config, struct slice value)
{
	const char *text = take_text(to, value);
	(void)config;
	to->question.claims.path = slice_of_text(text ? text : "");
	return text ? NULL : "not a path";
}

static const char *read_tls_name(
	struct control_explain *to, const struct config *config, struct slice value)
{
	const char *text = take_text(to, value);
	(void)config;
	to->question.claims.tls_name = slice_of_text(text ? text : "");
	return text ? NULL : "not a TLS name";
}

static const char *read_certificate(
	struct control_explain *to, const struct config *config, struct slice value)
{
	struct claims *claims = &to->question.claims;
	const char *text = take_text(to, value);
	(void)config;
	if (!text || claims->certificate_count == CONTROL_CERTIFICATES_MAX)
		return "not a name of a certificate, or too many of them";
	to->certificate[claims->certificate_count++] = slice_of_text(text);
	claims->certificate = to->certificate;
	return NULL;
}

static const char *read_token(
	struct control_explain *to, const struct config *config, struct slice value)
{
	(void)config;
	if (!hex_read(to->token, CLAIMS_TOKEN_LEN, value))
		return "not a SHA-256";
	to->question.claims.token = to->token;
	return NULL;
}

static const char *read_answer(
	struct control_explain *to, const struct config *config, struct slice value)
{
	struct writer bytes = writer_of(to->answer, sizeof to->answer);
	struct dns_answer opened;
	(void)config;
	if (!base64url_decode(&bytes, value) || bytes.failed)
		return "not base64url";
	to->question.answer = writer_slice(&bytes);
	to->question.answer_from = "given";
	return dns_answer_open(&opened, to->question.answer) == 0 ? NULL : "not an answer";
}

static const char *read_live(
	struct control_explain *to, const struct config *config, struct slice value)
{
	const char *error = read_answer(to, config, value);
	to->question.answer_from = "live";
	return error;
}

static const char *read_now(
	struct control_explain *to, const struct config *config, struct slice value)
{
	uint64_t number;
	(void)config;
	if (!read_number(value, INT32_MAX * UINT64_C(16), &number))
		return "not a time";
	to->now_s = (int64_t)number;
	return NULL;
}

static const char *read_key(
	struct control_explain *to, const struct config *config, struct slice word)
{
	static const struct {
		const char *key;
		const char *(*read)(struct control_explain *to, const struct config *config,
			struct slice value);
	} rows[] = {
		{ "client=", read_client },
		{ "view=", read_view },
		{ "listener=", read_listener },
		{ "path=", read_path },
		{ "tls_name=", read_tls_name },
		{ "certificate=", read_certificate },
		{ "token=", read_token },
		{ "answer=", read_answer },
		{ "live=", read_live },
		{ "now=", read_now },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t len = strlen(rows[i].key);
		if (word.len >= len && memcmp(word.at, rows[i].key, len) == 0)
			return rows[i].read(to, config, slice_of(word.at + len, word.len - len));
	}
	return "explain does not know one of the keys";
}

const char *control_explain_read(struct control_explain *to, const struct config *config,
	const struct control_request *request)
{
	static const uint8_t loopback[4] = { 127, 0, 0, 1 };
	uint64_t from;
	if (request->count < 4 || !read_number(request->words[1], TRACE_ROWS_MAX, &from))
		return "explain takes a number, a name and a type";
	memset(to, 0, sizeof *to);
	to->from = (size_t)from;
	to->question.view = POLICY_NO_ID;
	to->question.claims.client = address_of_v4(loopback);
	if (!dns_name_from_text(&to->question.name, request->words[2]))
		return "not a domain name";
	if (!dns_type_parse(request->words[3], &to->question.type))
		return "not a query type";
	const char *error = NULL;
	for (size_t i = 4; i < request->count && !error; i++)
		error = read_key(to, config, request->words[i]);
	return error;
}

/* ---- the answer ---- */

static void write_head(
	struct writer *answer, const struct trace *trace, const struct explain_world *world)
{
	writer_decimal(answer, trace->row_count);
	writer_text(answer, trace->is_cut ? " rows, cut 1, revision " : " rows, cut 0, revision ");
	writer_decimal(answer, world->revision);
	writer_text(answer, ", hash ");
	writer_text(answer, world->policy_hash);
	writer_u8(answer, '\n');
}

/* As many rows as fit; one that does not fit alone leaves the writer failed, which is told. */
static void write_rows(struct writer *answer, const struct trace *trace, size_t from)
{
	size_t start = answer->len, number = from;
	bool more = true;
	answer->capacity -= NEXT_MAX;
	while (more) {
		size_t len = answer->len;
		more = trace_words_write(answer, trace, number);
		if (answer->failed && len > start) {
			answer->len = len;
			answer->failed = false;
			break;
		}
		if (answer->failed)
			break;
		number += more;
	}
	answer->capacity += NEXT_MAX;
	writer_text(answer, "next ");
	writer_decimal(answer, more ? number : 0);
	writer_u8(answer, '\n');
}

static void tell(const struct explain_world *world, const struct control_explain *asked,
	struct writer *answer)
{
	struct trace trace = { .row_count = 0 };
	struct explain_outcome outcome;
	explain_take(&trace, world, &asked->question, &outcome);
	suggest_exceptions(&trace, world, &outcome);
	write_head(answer, &trace, world);
	write_rows(answer, &trace, asked->from);
	trace_deinit(&trace);
}

const char *control_explain_run(const struct control_source *source,
	const struct control_request *request, struct writer *answer)
{
	struct control_explain asked;
	struct explain_world world = { .revision = 0 };
	if (!source->explain_world)
		return "nothing is known of a policy";
	source->explain_world(source->context, &world);
	const char *error = control_explain_read(&asked, world.config, request);
	if (error)
		return error;
	if (asked.now_s)
		world.now_s = asked.now_s;
	asked.question.claims.now_s = world.now_s;
	tell(&world, &asked, answer);
	return NULL;
}
