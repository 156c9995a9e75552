/* packed_fuzz.c - what an upstream said, packed, pasted and aged; and a packed answer as it may
 * stand in a damaged or forged file.
 * The input: a byte that chooses, one with the age; then an answer, or a packed answer. For the
 * latter the magic number comes from us, so that mutations get behind it. */
#include "dns/belong.h"
#include "dns/packed.h"
#include "tests/unit/rebuild.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t packed_buffer[DNS_PACKED_MAX];
static uint8_t reply_buffer[DNS_MESSAGE_MAX];

static bool next_that_belongs(
	struct dns_record_walk *walk, const struct dns_belong *belong, struct dns_record *record)
{
	while (dns_record_next(walk, record))
		if (dns_belong_has(belong, record))
			return true;
	return false;
}

/* Says the same records, but for those that nobody asked for, and TTLs. */
static void check_records(const struct dns_answer *before, const struct dns_packed *packed)
{
	static struct dns_belong belong;
	struct dns_answer after;
	struct dns_record_walk bw, aw;
	struct dns_record b, a;
	size_t count = 0;
	REBUILD_REQUIRE(dns_belong_begin(&belong, before));
	REBUILD_REQUIRE(dns_answer_open(&after, packed->message) == 0);
	REBUILD_REQUIRE(dns_answer_is_for(&after, before->name, before->type, before->class));
	dns_record_walk_begin(&bw, before);
	dns_record_walk_begin(&aw, &after);
	for (; dns_record_next(&aw, &a); count++) {
		REBUILD_REQUIRE(next_that_belongs(&bw, &belong, &b));
		REBUILD_REQUIRE(a.section == b.section && a.type == b.type && a.class == b.class);
		REBUILD_REQUIRE(a.ttl_s <= DNS_TTL_MAX_S);
		REBUILD_REQUIRE(
			dns_name_equals(dns_name_slice(&a.owner), dns_name_slice(&b.owner)));
		rebuild_compare_rdata(before, &b, &after, &a);
	}
	REBUILD_REQUIRE(!next_that_belongs(&bw, &belong, &b));
	REBUILD_REQUIRE(count == packed->ttl_positions.len / 2);
}

static void check_kept(const struct dns_packed *packed)
{
	bool kept = packed->kind != DNS_PACKED_FAILURE && packed->kind != DNS_PACKED_FLEETING;
	REBUILD_REQUIRE(kept == (packed->ttl_s > 0));
	REBUILD_REQUIRE(packed->kind != DNS_PACKED_NXDOMAIN || packed->counts[0] == 0);
	REBUILD_REQUIRE(packed->ttl_s <= DNS_TTL_MAX_S);
}

/* Pasting says what is in the message, TTLs less the age. */
static void check_paste(const struct dns_packed *packed, struct dns_packed_age age, bool with_opt)
{
	static uint8_t copy[DNS_MESSAGE_MAX];
	struct dns_answer answer, aged;
	struct dns_reply reply;
	REBUILD_REQUIRE(dns_answer_open(&answer, packed->message) == 0);
	struct dns_query query = rebuild_query(&answer, with_opt);
	dns_reply_begin(&reply, &query, (struct dns_reply_limits){ .size = DNS_MESSAGE_MAX },
		reply_buffer, sizeof reply_buffer);
	if (!dns_packed_paste(&reply, packed, age)) {
		REBUILD_REQUIRE(packed->message.len + (with_opt ? 11 : 0) > DNS_MESSAGE_MAX);
		return;
	}
	uint32_t least_s = reply.ttl_min_s;
	struct slice message = dns_reply_finish(&reply);
	memcpy(copy, packed->message.at, packed->message.len);
	dns_packed_age_message(packed, age, copy);
	REBUILD_REQUIRE(dns_answer_open(&aged, slice_of(copy, packed->message.len)) == 0);
	REBUILD_REQUIRE(rebuild_compare(&aged, message) == packed->ttl_positions.len / 2);
	REBUILD_REQUIRE(packed->ttl_s == 0 || age.fixed_ttl_s || age.age_s >= packed->ttl_s ||
		least_s >= packed->ttl_s - age.age_s);
}

static void check_answer(
	struct slice bytes, const struct dns_packed_ttls *ttls, struct dns_packed_age age)
{
	struct dns_answer answer;
	struct dns_packed packed;
	if (dns_answer_open(&answer, bytes) < 0)
		return;
	struct slice packing = dns_packed_write(&answer, ttls, packed_buffer, sizeof packed_buffer);
	if (packing.len == 0)
		return;
	REBUILD_REQUIRE(dns_packed_check(packing));
	dns_packed_open(&packed, packing);
	check_kept(&packed);
	check_records(&answer, &packed);
	check_paste(&packed, age, bytes.len % 2);
}

static void check_file(struct slice bytes, struct dns_packed_age age)
{
	/* The magic number, from an answer of our own. */
	struct dns_packed packed;
	struct slice ours = dns_packed_failure(
		slice_of("", 1), 1, 1, DNS_EDE_NONE, NULL, packed_buffer, sizeof packed_buffer);
	if (bytes.len > sizeof packed_buffer - 4)
		return;
	memcpy(packed_buffer + 4, bytes.at, bytes.len);
	uint8_t *copy = malloc(4 + bytes.len);
	if (!copy)
		return;
	memcpy(copy, ours.at, 4 + bytes.len);
	struct slice file = slice_of(copy, 4 + bytes.len);
	if (dns_packed_check(file)) {
		dns_packed_open(&packed, file);
		check_kept(&packed);
		check_paste(&packed, age, bytes.len % 2);
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct dns_packed_ttls ttls[] = { { 0, DNS_TTL_MAX_S, 3600 }, { 60, 600, 10 },
		{ 0, 0, 0 }, { UINT32_MAX, UINT32_MAX, UINT32_MAX } };
	if (size < 2)
		return 0;
	struct slice bytes = slice_of(data + 2, size - 2);
	struct dns_packed_age age = { .age_s = data[1], .fixed_ttl_s = data[0] & 8 ? 30 : 0 };
	if (data[0] & 1)
		check_file(bytes, age);
	else
		check_answer(bytes, &ttls[data[0] >> 1 & 3], age);
	return 0;
}
