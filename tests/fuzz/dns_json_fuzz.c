/* The first byte says which way: parameters to a question, or an answer to JSON. A question can be
 * read by who reads questions; JSON is JSON, and fits. */
#include <stdlib.h>

#include "../unit/strict_json.h"
#include "dns/query.h"
#include "proxy/framing/dns_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
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

static void ask(struct slice text)
{
	uint8_t message[DNS_JSON_QUESTION_MAX];
	struct writer to = writer_of(message, sizeof message);
	struct dns_json_question question = { .is_broken = false };
	struct dns_query query;
	while (text.len > 0) {
		struct slice value = take_until(&text, '&');
		struct slice key = take_until(&value, '=');
		dns_json_take(&question, key, value);
	}
	if (!dns_json_write_question(&to, &question))
		return;
	require(dns_json_is_asked(&question));
	enum dns_query_fault fault = dns_query_open(&query, writer_slice(&to));
	require(fault == DNS_QUERY_FINE || fault == DNS_QUERY_REFUSED); /* AXFR */
	require(query.id == 0 && query.name.len > 0);
}

static void tell(struct slice answer, size_t room)
{
	static char text[DNS_JSON_MAX];
	struct writer to = writer_of(text, room);
	bool is_whole;
	if (!dns_json_write(&to, answer, &is_whole))
		return;
	require(!to.failed && to.len <= room);
	require(json_is_strict(writer_slice(&to)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct slice rest = slice_of(data + 1, size - 1);
	if (data[0] & 1)
		ask(rest);
	else
		tell(rest, data[0] & 2 ? DNS_JSON_LEAST : DNS_JSON_MAX);
	return 0;
}
