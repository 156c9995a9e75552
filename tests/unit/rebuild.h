/* rebuild.h - what an answer must still say after it was rebuilt. Shared by the unit tests and the
 * fuzz targets: each function ends the program when the promise is broken. */
#ifndef TESTS_UNIT_REBUILD_H
#define TESTS_UNIT_REBUILD_H

#include <stdio.h>
#include <stdlib.h>

#include "dns/rdata.h"
#include "dns/reply.h"

#define REBUILD_REQUIRE(promise)                                                                   \
	do {                                                                                       \
		if (!(promise)) {                                                                  \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #promise);      \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* The query that an answer is for, as a client may have asked it. */
static inline struct dns_query rebuild_query(const struct dns_answer *answer, bool with_opt)
{
	struct dns_query query = {
		.id = (uint16_t)~answer->id,
		.flags = DNS_FLAG_RD,
		.name = answer->name,
		.type = answer->type,
		.class = answer->class,
	};
	query.opt.present = with_opt;
	query.opt.payload_size = 4096;
	return query;
}

/* All records copied, as the program does it. */
static inline struct slice rebuild(struct dns_reply *reply, const struct dns_query *query,
	const struct dns_answer *answer, struct dns_reply_limits limits, void *buffer, size_t size)
{
	struct dns_record_walk walk;
	struct dns_record record;
	dns_reply_begin(reply, query, limits, buffer, size);
	reply->rcode = answer->rcode;
	dns_record_walk_begin(&walk, answer);
	while (dns_record_next(&walk, &record))
		dns_reply_copy(reply, answer, &record);
	return dns_reply_finish(reply);
}

static inline void rebuild_compare_rdata(const struct dns_answer *a, const struct dns_record *left,
	const struct dns_answer *b, const struct dns_record *right)
{
	struct dns_rdata_walk at, bt;
	struct dns_rdata_part ap, bp;
	dns_rdata_walk_begin(&at, a->message, left->type, left->rdata_at, left->rdata.len);
	dns_rdata_walk_begin(&bt, b->message, right->type, right->rdata_at, right->rdata.len);
	while (dns_rdata_next(&at, &ap)) {
		REBUILD_REQUIRE(dns_rdata_next(&bt, &bp));
		REBUILD_REQUIRE(ap.is_name == bp.is_name);
		if (ap.is_name)
			REBUILD_REQUIRE(dns_name_equals(
				dns_name_slice(&ap.name), dns_name_slice(&bp.name)));
		else
			REBUILD_REQUIRE(slice_equals(ap.bytes, bp.bytes));
	}
	REBUILD_REQUIRE(!dns_rdata_next(&bt, &bp));
	REBUILD_REQUIRE(!at.message.failed && !bt.message.failed);
}

/* Every record of `after` is the record that stands at its place in `before`; returns how many
 * there are. Sections may have lost records at their ends when the reply was truncated. */
static inline unsigned rebuild_compare(const struct dns_answer *before, struct slice message)
{
	struct dns_answer after;
	struct dns_record_walk bw, aw;
	struct dns_record b, a;
	unsigned count = 0;
	REBUILD_REQUIRE(dns_answer_open(&after, message) == 0);
	dns_record_walk_begin(&bw, before);
	dns_record_walk_begin(&aw, &after);
	while (dns_record_next(&aw, &a)) {
		REBUILD_REQUIRE(dns_record_next(&bw, &b));
		uint32_t ttl_s = b.ttl_s > DNS_TTL_MAX_S ? DNS_TTL_MAX_S : b.ttl_s;
		REBUILD_REQUIRE(a.section == b.section && a.type == b.type && a.class == b.class);
		REBUILD_REQUIRE(a.ttl_s == ttl_s);
		REBUILD_REQUIRE(
			dns_name_equals(dns_name_slice(&a.owner), dns_name_slice(&b.owner)));
		rebuild_compare_rdata(before, &b, &after, &a);
		count++;
	}
	REBUILD_REQUIRE(aw.section == DNS_SECTION_ADDITIONAL && aw.left == 0);
	return count;
}

#endif
