/* rpz_fuzz.c - any bytes as a policy zone. What is told must hold: names that are names, networks
 * without host bits, records that can be taken apart, lines within the file; and the same text
 * after a first line that says where the zone begins must mean the same. */
#include "rules/list.h"

#include "base/reader.h"
#include "dns/types.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct heard {
	uint32_t lines;
	size_t patterns;
	size_t networks;
	size_t rejects;
	struct slice text;
};

static void check(bool truth)
{
	if (!truth)
		abort();
}

/* Ascending, each once, whole; a CNAME alone, its target a name. */
static void check_records(struct slice records)
{
	struct reader from = reader_of(records);
	struct slice before = slice_of("", 0);
	check(records.len > 0 && records.len <= FACET_RECORDS_MAX);
	while (reader_left(&from) > 0) {
		const uint8_t *start = from.at;
		uint16_t type = reader_u16(&from);
		check(reader_u32(&from) <= 0x7fffffff);
		struct slice rdata = reader_bytes(&from, reader_u16(&from));
		check(!from.failed);
		struct slice record = slice_of(start, (size_t)(from.at - start));
		size_t len = record.len < before.len ? record.len : before.len;
		int order = memcmp(before.at, record.at, len);
		check(order < 0 || (order == 0 && before.len < record.len));
		before = record;
		if (type == DNS_TYPE_CNAME) {
			check(record.len == records.len);
			check(dns_name_check(rdata) == rdata.len);
		}
	}
}

static void check_facet(const struct facet *facet)
{
	check(facet->effect == FACET_LISTED || facet->effect == FACET_PASS);
	check(facet->given < GIVEN_COUNT && facet->rank == FACET_RANK_PLAIN);
	check((facet->effect == FACET_PASS) == (facet->given == GIVEN_NOTHING));
	check((facet->given == GIVEN_RECORDS) == (facet->records.len > 0));
	if (facet->records.len > 0)
		check_records(facet->records);
}

static int on_pattern(void *context, const struct list_pattern *pattern)
{
	struct heard *heard = context;
	const struct dns_name *name = pattern->name;
	uint8_t lower[DNS_NAME_MAX];
	check(pattern->line >= 1 && pattern->line <= heard->lines);
	check(dns_name_check(dns_name_slice(name)) == name->len);
	dns_name_lower(lower, name->wire, name->len);
	check(memcmp(lower, name->wire, name->len) == 0);
	check(pattern->kind == PATTERN_BELOW || (pattern->kind == PATTERN_EXACT && name->len > 1));
	check_facet(pattern->facet);
	heard->patterns++;
	return 0;
}

static int on_network(void *context, const struct list_network *network)
{
	struct heard *heard = context;
	check(network->line >= 1 && network->line <= heard->lines);
	check(network->network.prefix_len >= 1 && network->network.prefix_len <= 128);
	for (unsigned bit = network->network.prefix_len; bit < 128; bit++)
		check(!(network->network.address.bytes[bit / 8] & (0x80 >> bit % 8)));
	check_facet(network->facet);
	heard->networks++;
	return 0;
}

static void on_reject(void *context, uint32_t line, enum list_reject reject, struct slice text)
{
	struct heard *heard = context;
	check(line >= 1 && line <= heard->lines);
	check(reject > LIST_REJECT_NONE && reject < LIST_REJECT_DUPLICATE);
	check(text.len > 0 && text.len <= LIST_REJECT_TEXT_MAX);
	check(text.at >= heard->text.at && text.at + text.len <= heard->text.at + heard->text.len);
	heard->rejects++;
}

static struct heard hear(struct slice text)
{
	struct heard heard = { .lines = 1, .text = text };
	const struct list_sink sink = { on_pattern, on_network, on_reject, &heard };
	for (size_t i = 0; i < text.len; i++)
		heard.lines += text.at[i] == '\n';
	check(list_read(LIST_RPZ, text, &sink) == 0);
	return heard;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char first[] = "$ORIGIN .\n";
	struct heard heard = hear(slice_of(data, size));
	if (size == 0)
		return 0;
	/* A $ORIGIN or SOA of its own says otherwise (SOA in any case, or as TYPE6), and a byte
	 * order mark is one only at the front. */
	if (memchr(data, '$', size) || memchr(data, 's', size) || memchr(data, 'S', size) ||
		memchr(data, '6', size) || memchr(data, 0xef, size))
		return 0;
	char *text = malloc(sizeof first + size);
	check(text);
	memcpy(text, first, sizeof first - 1);
	memcpy(text + sizeof first - 1, data, size);
	struct heard again = hear(slice_of(text, sizeof first - 1 + size));
	free(text);
	check(heard.patterns == again.patterns && heard.networks == again.networks &&
		heard.rejects == again.rejects);
	return 0;
}
