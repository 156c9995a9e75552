/* HTTP/1.1 from a client. A request is the same whether its bytes come at once or one by one, what
 * it points at lies inside the input, and what is accepted keeps the strict rules. */
#include <stdint.h>
#include <stdlib.h>

#include "proxy/framing/http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static bool is_inside(struct slice part, struct slice whole)
{
	return !part.len || (part.at >= whole.at && part.at + part.len <= whole.at + whole.len);
}

static void check_request(const struct http1_request *request, struct slice bytes)
{
	require(request->len <= bytes.len && request->target.at[0] == '/');
	require(is_inside(request->method, bytes) && is_inside(request->body, bytes));
	for (size_t i = 0; i < request->header_count; i++) {
		struct http1_header header = request->headers[i];
		require(is_inside(header.name, bytes) && is_inside(header.value, bytes));
		require(header.name.len > 0);
		require(!header.value.len || !memchr(header.value.at, '\n', header.value.len));
	}
	require(http1_header(request, "transfer-encoding").len == 0);
}

static enum http1_result read_at_once(
	struct slice bytes, struct http1_request *request, unsigned *status)
{
	size_t scanned = 0;
	return http1_read(bytes, &scanned, 1024, request, status);
}

/* Byte by byte, up to the first result. */
static enum http1_result read_slowly(
	struct slice bytes, struct http1_request *request, unsigned *status)
{
	size_t scanned = 0;
	enum http1_result result = HTTP1_MORE;
	for (size_t len = 1; len <= bytes.len && result == HTTP1_MORE; len++)
		result = http1_read(slice_of(bytes.at, len), &scanned, 1024, request, status);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = slice_of(data, size);
	for (unsigned i = 0; i < 16 && bytes.len; i++) {
		struct http1_request request, slow;
		unsigned status = 0, slow_status = 0;
		enum http1_result result = read_at_once(bytes, &request, &status);
		require(result == read_slowly(bytes, &slow, &slow_status));
		if (result != HTTP1_REQUEST) {
			require(result == HTTP1_MORE || status == slow_status);
			break;
		}
		check_request(&request, bytes);
		require(request.len == slow.len && request.keep_alive == slow.keep_alive);
		bytes = slice_of(bytes.at + request.len, bytes.len - request.len);
	}
	return 0;
}
