/* A body in chunks. It is the same whether its bytes come at once or one by one; what comes out is
 * less than what went in; and what is refused is refused at the same byte. */
#include <stdlib.h>

#include "proxy/framing/http1_chunks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

struct outcome {
	enum http1_chunks_result result;
	unsigned status;
	size_t taken;
	size_t body_len;
	uint32_t sum; /* of the bytes of the body, by their places */
};

static struct outcome take(struct slice all, size_t step)
{
	struct http1_chunks chunks = { 0 };
	struct outcome outcome = { .result = HTTP1_CHUNKS_MORE };
	for (size_t at = 0; at < all.len && outcome.result == HTTP1_CHUNKS_MORE; at += step) {
		size_t len = all.len - at < step ? all.len - at : step;
		struct slice bytes = slice_of(all.at + at, len), data;
		while ((outcome.result = http1_chunks_read(
				&chunks, &bytes, &data, &outcome.status)) == HTTP1_CHUNKS_DATA) {
			require(data.len > 0 && data.at + data.len <= all.at + at + len);
			for (size_t i = 0; i < data.len; i++)
				outcome.sum = outcome.sum * 31 + data.at[i];
			outcome.body_len += data.len;
		}
		outcome.taken = at + len - bytes.len;
	}
	return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = slice_of(data, size);
	struct outcome one = take(bytes, size + 1), other = take(bytes, 1);
	require(one.result == other.result && one.taken == other.taken && one.sum == other.sum);
	require(one.body_len == other.body_len && one.body_len <= size);
	require(one.result != HTTP1_CHUNKS_REFUSED || one.status == 400 || one.status == 431);
	require(one.result != HTTP1_CHUNKS_MORE || one.taken == size);
	return 0;
}
