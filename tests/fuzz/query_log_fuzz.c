/* Whatever was asked and answered, the line is strict JSON and ends. Input: a byte of flags, a name
 * in wire form, then the reply. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "proxy/watch/query_log_line.h"
#include "tests/unit/strict_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct slice line)
{
	if (line.len && line.at[line.len - 1] == '\n' &&
		json_is_strict(slice_of(line.at, line.len - 1)))
		return;
	fprintf(stderr, "not strict JSON: %.*s\n", (int)line.len, line.at);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t buffer[LOG_LINE_MAX];
	struct reader input = reader_of(slice_of(data, size));
	uint8_t flags = reader_u8(&input);
	size_t name_len = dns_name_check(slice_of(input.at, reader_left(&input)));
	if (input.failed || !name_len)
		return 0;
	struct slice name = reader_bytes(&input, name_len);
	struct slice reply = reader_bytes(&input, reader_left(&input));
	const struct query_log_config config = {
		.format = flags & 1 ? QUERY_LOG_AWS : QUERY_LOG_NAMEGATE,
		.account_id = "local",
		.region = "local",
	};
	const struct query_log_event event = {
		.time_s = (int64_t)flags * 100000000,
		.protocol = (flags >> 1) % PROTOCOL_COUNT,
		.name = name,
		.type = (uint16_t)(flags * 3),
		.class = flags,
		.rcode = flags,
		.reply = reply,
		.view = POLICY_NO_ID,
		.source = "upstream",
		/* A configured name, as far as that is text. */
		.upstream = flags & 0x80 ? (const char[]){ (char)flags, (char)size, 0 } : NULL,
		.ede = flags & 8 ? DNS_EDE_BLOCKED : DNS_EDE_NONE,
	};
	struct query_log_style style;
	struct query_log_stamp stamp = { 0 };
	struct writer line = writer_of(buffer, sizeof buffer);
	query_log_style_init(&style, &config);
	query_log_line_write(&line, &style, &stamp, &event);
	if (line.failed)
		abort();
	check(writer_slice(&line));
	return 0;
}
