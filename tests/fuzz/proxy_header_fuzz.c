/* Bytes where a PROXY protocol header is owed. What a beginning is read as must not depend on what
 * follows, and must be the same however the bytes are cut. */
#include "proxy/framing/proxy_header.h"

#include <stdlib.h>

#include "base/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool truth)
{
	if (!truth)
		abort();
}

static ssize_t read_start(const uint8_t *data, size_t len, struct proxy_header *header)
{
	uint8_t *copy = malloc(len + !len); /* so that a sanitizer sees a read beyond */
	if (len)
		memcpy(copy, data, len);
	ssize_t result = proxy_header_read(slice_of(copy, len), header);
	free(copy);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header header, again;
	ssize_t result = read_start(data, size, &header);
	check(result == ERR_MALFORMED || result == ERR_TOO_LONG || result >= 0);
	check(result <= PROXY_HEADER_MAX && result <= (ssize_t)size);
	check(result != 0 || size < PROXY_HEADER_MAX);
	ssize_t before = 0;
	for (size_t len = 0; len < size && len < 300; len++) {
		ssize_t now = read_start(data, len, &again);
		check(before == 0 || now == before);
		check(now == 0 || now == result);
		before = now;
	}
	if (result <= 0)
		return 0;
	check(read_start(data, (size_t)result, &again) == result);
	check(again.has_client == header.has_client && again.client_port == header.client_port);
	check(!memcmp(&again.client, &header.client, sizeof header.client));
	return 0;
}
