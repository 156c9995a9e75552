/* A value of Forwarded up to a NUL, then one of X-Forwarded-For. Whatever a client writes there,
 * once a proxy has appended an address, that address is the client, or nobody is. */
#include "proxy/framing/forwarded.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct network trusted;
static struct address peer, stranger;

static void check(bool truth)
{
	if (!truth)
		abort();
}

static bool is(const struct address *a, const struct address *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

/* Gives what a proxy would pass on. */
static struct slice append(struct slice field, const char *end)
{
	size_t len = strlen(end);
	uint8_t *bytes = malloc(field.len + len);
	if (field.len)
		memcpy(bytes, field.at, field.len);
	memcpy(bytes + field.len, end, len);
	return slice_of(bytes, field.len + len);
}

static void check_appended(struct slice field, const char *const ends[2])
{
	struct slice first = append(field, ends[0]), second = append(field, ends[1]);
	struct framer_claims said = { .forwarded = first };
	struct address found = peer;
	check(!forwarded_find(&said, &trusted, 1, &found) || is(&found, &stranger));
	said = (struct framer_claims){ .x_forwarded_for = second };
	found = peer;
	check(forwarded_find(&said, &trusted, 1, &found) && is(&found, &stranger));
	free((void *)(uintptr_t)first.at);
	free((void *)(uintptr_t)second.at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const plain[] = { ", for=192.0.2.43", ", 192.0.2.43" };
	static const char *const quoted[] = { ", for=\"192.0.2.43:99\";proto=https",
		", 192.0.2.43, 10.0.0.2" };
	check(network_parse(&trusted, "10.0.0.0/8") && address_parse(&peer, "10.0.0.1") &&
		address_parse(&stranger, "192.0.2.43"));
	uint8_t *copy = malloc(size + !size);
	if (size)
		memcpy(copy, data, size);
	const uint8_t *end = size ? memchr(copy, 0, size) : NULL;
	size_t len = end ? (size_t)(end - copy) : size;
	struct slice first = slice_of(copy, len);
	struct slice second = end ? slice_of(end + 1, size - len - 1) : slice_of(copy, 0);
	struct framer_claims said = { .forwarded = first, .x_forwarded_for = second };
	struct address found = peer;
	bool is_clear = forwarded_find(&said, &trusted, 1, &found);
	check(first.len + second.len > 0 || (is_clear && is(&found, &peer)));
	check_appended(first, plain);
	check_appended(first, quoted);
	free(copy);
	return 0;
}
