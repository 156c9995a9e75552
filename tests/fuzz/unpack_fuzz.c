/* unpack_fuzz.c - any bytes as a packed list: never more than was allowed, and the same text for
 * every limit that it fits into. */
#include "proxy/lists/unpack.h"

#include "base/error.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 4 << 20 };

static void check(bool truth)
{
	if (!truth)
		abort();
}

static void drop(struct slice text)
{
	free((void *)(uintptr_t)text.at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice packed = slice_of(data, size);
	struct slice text;
	struct slice again;
	int error = unpack(packed, MOST, &text);
	check((error == ERR_INVALID) == !unpack_is_packed(packed));
	check(!error || !text.at);
	if (error)
		return 0;
	check(text.len <= MOST);
	check(unpack(packed, text.len, &again) == 0);
	check(slice_equals(text, again));
	drop(again);
	if (text.len > 0)
		check(unpack(packed, text.len - 1, &again) == ERR_TOO_LONG);
	drop(text);
	return 0;
}
