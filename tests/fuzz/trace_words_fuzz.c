/* Any bytes as lines of a trace: what is read is written back as it stands, and read again. */
#include "proxy/explain/trace_words.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_lines(struct trace *trace, const uint8_t *data, size_t size)
{
	while (size > 0) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t len = end ? (size_t)(end - data) : size;
		trace_words_read(trace, slice_of(data, len));
		data += end ? len + 1 : len;
		size -= end ? len + 1 : len;
	}
}

static size_t write_lines(const struct trace *trace, uint8_t *buffer, size_t size)
{
	struct writer to = writer_of(buffer, size);
	for (size_t i = 0; trace_words_write(&to, trace, i); i++)
		;
	if (to.failed)
		abort();
	return to.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct trace one = { .row_count = 0 }, other = { .row_count = 0 };
	size_t room = 4 * size + 4096; /* every byte as an escape */
	uint8_t *first = malloc(room), *second = malloc(room);
	if (!first || !second)
		abort();
	read_lines(&one, data, size);
	size_t len = write_lines(&one, first, room);
	read_lines(&other, first, len);
	if (one.row_count != other.row_count || write_lines(&other, second, room) != len ||
		memcmp(first, second, len) != 0)
		abort();
	trace_deinit(&one);
	trace_deinit(&other);
	free(first);
	free(second);
	return 0;
}
