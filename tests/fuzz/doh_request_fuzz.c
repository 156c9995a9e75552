/* A request as text: a first byte that says in which pieces the body comes, and by its lowest bit
 * whether JSON is spoken, lines "name:value" up
 * to an empty one, and the body. A refusal stays one, and what is asked has a size. */
#include "proxy/framing/doh_request.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool truth)
{
	if (!truth)
		abort();
}

static struct slice take_until(struct slice *from, uint8_t end)
{
	const uint8_t *found = from->len ? memchr(from->at, end, from->len) : NULL;
	size_t len = found ? (size_t)(found - from->at) : from->len;
	struct slice part = slice_of(from->at, len);
	size_t skip = found ? len + 1 : len;
	*from = slice_of(from->at + skip, from->len - skip);
	return part;
}

/* Pseudo fields begin with the colon that ends the others. */
static void take_field(struct doh_request *request, struct slice line)
{
	struct slice rest = line;
	if (line.at[0] == ':')
		rest = slice_of(line.at + 1, line.len - 1);
	struct slice name = take_until(&rest, ':');
	name = slice_of(line.at, (size_t)(name.at + name.len - line.at));
	uint8_t *copy = malloc(rest.len + 1); /* it may be gone right after */
	if (rest.len)
		memcpy(copy, rest.at, rest.len);
	doh_request_field(request, "/dns-query", name, slice_of(copy, rest.len));
	free(copy);
}

static bool is_known(unsigned status)
{
	static const unsigned known[] = { 200, 400, 404, 405, 413, 415, 431, 501 };
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (known[i] == status)
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	size_t step = (size_t)data[0] * 16 + 1;
	struct slice rest = slice_of(data + 1, size - 1);
	struct doh_request request;
	doh_request_init(&request);
	request.wants_forwarded = true;
	request.wants_json = data[0] & 1;
	for (;;) {
		struct slice line = take_until(&rest, '\n');
		if (line.len == 0)
			break;
		take_field(&request, line);
	}
	doh_request_end_fields(&request);
	unsigned before = doh_request_status(&request, false);
	check(is_known(before));
	while (rest.len > 0) {
		size_t len = rest.len < step ? rest.len : step;
		doh_request_body(&request, slice_of(rest.at, len));
		rest = slice_of(rest.at + len, rest.len - len);
		unsigned now = doh_request_status(&request, false);
		check(is_known(now) && (before == 200 || now == before));
	}
	struct framer_claims said = doh_claims_said(&request.claims);
	check(said.path.len <= DOH_PATH_MAX && said.token.len <= DOH_TOKEN_MAX);
	check(said.path.len == 0 || !memchr(said.path.at, '/', said.path.len));
	check(said.forwarded.len <= DOH_FORWARDED_MAX);
	check(said.x_forwarded_for.len <= DOH_FORWARDED_MAX);
	unsigned status = doh_request_status(&request, true);
	check(is_known(status) && (before == 200 || status == before));
	check(request.message.len <= DOH_MESSAGE_MAX &&
		request.message.len <= request.message.capacity);
	check(status != 200 || request.message.len > 0);
	doh_request_deinit(&request);
	return 0;
}
