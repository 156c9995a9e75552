#include "proxy/cli/explain_running.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "proxy/cli/cli.h"
#include "proxy/cli/control_ask.h"
#include "proxy/explain/trace_words.h"
#include "proxy/framing/base64url.h"

enum { PAGES_MAX = TRACE_ROWS_MAX, TRIES = 3, HEAD_MAX = 128 };

/* ---- the request ---- */

static void write_text(struct writer *to, const char *key, struct slice text)
{
	if (text.len == 0)
		return;
	writer_u8(to, ' ');
	writer_text(to, key);
	control_word_write(to, text);
}

static void write_given(struct writer *to, const char *key, const char *text)
{
	if (text)
		write_text(to, key, slice_of_text(text));
}

static void write_claims(struct writer *to, const struct claims *claims)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < claims->certificate_count; i++)
		write_text(to, "certificate=", claims->certificate[i]);
	write_text(to, "path=", claims->path);
	write_text(to, "tls_name=", claims->tls_name);
	if (!claims->token)
		return;
	writer_text(to, " token=");
	for (size_t i = 0; i < CLAIMS_TOKEN_LEN; i++) {
		writer_u8(to, (uint8_t)digits[claims->token[i] >> 4]);
		writer_u8(to, (uint8_t)digits[claims->token[i] & 15]);
	}
}

static bool write_line(char line[CONTROL_LINE_MAX], const struct explain_request *request,
	size_t from, int64_t now_s)
{
	struct dns_name name;
	struct writer to = writer_of(line, CONTROL_LINE_MAX - 2);
	if (!dns_name_from_text(&name, slice_of_text(request->name)))
		return false;
	writer_text(&to, "explain ");
	writer_decimal(&to, from);
	writer_u8(&to, ' ');
	dns_name_write_text(&to, dns_name_slice(&name));
	writer_u8(&to, ' ');
	writer_text(&to, request->type);
	write_given(&to, "client=", request->client);
	write_given(&to, "view=", request->view);
	write_given(&to, "listener=", request->listener);
	write_claims(&to, request->claims);
	if (now_s) {
		writer_text(&to, " now=");
		writer_decimal(&to, (uint64_t)now_s);
	}
	if (request->answer.len) {
		writer_text(&to, request->is_live ? " live=" : " answer=");
		base64url_encode(&to, request->answer);
	}
	line[to.len] = '\0';
	return !to.failed;
}

/* ---- the answer ---- */

static bool read_next(struct slice line, size_t *next)
{
	static const char word[] = "next ";
	char number[24] = "";
	char *end;
	if (line.len <= strlen(word) || line.len >= sizeof number ||
		memcmp(line.at, word, strlen(word)) != 0)
		return false;
	memcpy(number, line.at + strlen(word), line.len - strlen(word));
	*next = strtoul(number, &end, 10);
	return *end == '\0';
}

/* Every page has the same first line, or they are not of one policy. */
static bool take_head(struct slice line, char head[HEAD_MAX], bool *is_same)
{
	if (line.len == 0 || line.len >= HEAD_MAX)
		return false;
	*is_same = head[0] == '\0' || slice_equals_text(line, head);
	memcpy(head, line.at, line.len);
	head[line.len] = '\0';
	return true;
}

static bool take_rows(struct trace *trace, struct slice lines, size_t *next)
{
	while (lines.len) {
		struct slice line = slice_take_line(&lines);
		if (lines.len == 0)
			return read_next(line, next);
		if (!trace_words_read(trace, line))
			return false;
	}
	return false;
}

static int not_understood(void)
{
	fputs("namegate: the answer is not understood\n", stderr);
	return EXIT_FAILED;
}

/* One round; *is_same is false when the policy became another one meanwhile. */
static int ask_all(const char *socket, const struct explain_request *request, struct trace *trace,
	bool *is_same)
{
	char head[HEAD_MAX] = "", line[CONTROL_LINE_MAX];
	size_t from = 0, next = 0;
	*is_same = true;
	for (int page = 0; page < PAGES_MAX && *is_same; page++, from = next) {
		const struct trace_policy *policy = trace_row(trace, TRACE_POLICY, 0);
		struct slice lines;
		if (!write_line(line, request, from, policy ? policy->now_s : 0))
			return cli_usage("the answer is too long for the control socket");
		int code = cli_control_say(socket, line, &lines);
		if (code)
			return code;
		if (!take_head(slice_take_line(&lines), head, is_same) ||
			!take_rows(trace, lines, &next) || (next && next <= from))
			return not_understood();
		trace->is_cut |= strstr(head, ", cut 1,") != NULL;
		if (next == 0)
			return EXIT_FINE;
	}
	return *is_same ? not_understood() : EXIT_FINE;
}

int cli_explain_running(
	const char *socket, const struct explain_request *request, struct trace *trace)
{
	for (int i = 0; i < TRIES; i++) {
		bool is_same;
		int code = ask_all(socket, request, trace, &is_same);
		if (code || is_same)
			return code;
		trace_deinit(trace);
	}
	fputs("namegate: the policy becomes another one while it is asked\n", stderr);
	return EXIT_FAILED;
}

/* ---- exceptions, back from a trace ---- */

static bool read_pattern(struct exception *exception, const struct trace_exception *row)
{
	const char *name = row->name ? row->name : "";
	exception->kind = strcmp(row->kind, "exact") == 0 ? PATTERN_EXACT
		: strcmp(row->kind, "below") == 0         ? PATTERN_BELOW
							  : PATTERN_BOTH;
	if (exception->kind != PATTERN_EXACT && strncmp(name, "*.", 2) == 0)
		name = name[2] ? name + 2 : ".";
	if (!dns_name_from_text(&exception->name, slice_of_text(name)))
		return false;
	dns_name_lower(exception->name.wire, exception->name.wire, exception->name.len);
	return true;
}

static bool read_exception(struct exception *exception, const struct trace_exception *row)
{
	*exception = (struct exception){ .id = row->id, .until_s = row->until_s };
	if (row->view)
		snprintf(exception->view, sizeof exception->view, "%s", row->view);
	return row->kind && row->action && action_parse(row->action, &exception->action) &&
		read_pattern(exception, row);
}

struct exceptions *cli_explain_exceptions(const struct trace *trace)
{
	size_t count = trace_count(trace, TRACE_EXCEPTION), good = 0;
	struct exception *all = calloc(count + 1, sizeof *all);
	for (size_t i = 0; all && i < count; i++)
		good += read_exception(&all[good], trace_row(trace, TRACE_EXCEPTION, i));
	struct exceptions *exceptions = all && good ? exceptions_new(all, good) : NULL;
	free(all);
	return exceptions;
}
