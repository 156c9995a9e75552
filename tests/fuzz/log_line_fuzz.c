/* log_line_fuzz.c - a line of a log that strangers may have written: it is read or refused, all
 * that is pointed to lies within it, names are names, and the answer made of it is one. */
#include "proxy/replay/log_line.h"
#include "dns/answer.h"
#include "tests/unit/rebuild.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_within(struct slice text, struct slice part)
{
	uint8_t plain[64];
	REBUILD_REQUIRE(
		part.len == 0 || (part.at >= text.at && part.at + part.len <= text.at + text.len));
	REBUILD_REQUIRE(log_line_plain(part, plain, sizeof plain).len <= part.len);
}

static void check_answer(const struct log_line *line)
{
	static uint8_t buffer[LOG_LINE_MESSAGE_MAX];
	struct dns_answer answer;
	unsigned left_out;
	struct slice message = log_line_answer(line, buffer, &left_out);
	log_line_extent(line, left_out);
	if (message.len == 0)
		return;
	REBUILD_REQUIRE(dns_answer_open(&answer, message) == 0);
	REBUILD_REQUIRE(
		dns_answer_is_for(&answer, dns_name_slice(&line->lower), line->type, line->class));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct log_line line;
	struct slice text = slice_of(data, size);
	if (!log_line_read(&line, text))
		return 0;
	const struct slice parts[] = { line.client_text, line.view, line.group, line.rule,
		line.list, line.entry, line.response, line.reason, line.matched_name,
		line.matched_address, line.client_id, line.policy_hash };
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		check_within(text, parts[i]);
	REBUILD_REQUIRE(line.answer_count <= LOG_LINE_ANSWERS_MAX);
	for (unsigned i = 0; i < line.answer_count; i++)
		check_within(text, line.answers[i].rdata);
	REBUILD_REQUIRE(dns_name_check(dns_name_slice(&line.name)) == line.name.len);
	REBUILD_REQUIRE(dns_name_equals(dns_name_slice(&line.name), dns_name_slice(&line.lower)));
	check_answer(&line);
	return 0;
}
