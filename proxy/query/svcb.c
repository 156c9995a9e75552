/* What a view's clients get of HTTPS and SVCB records: part of step 12. The cache keeps what an
 * upstream said, and the rules have judged it: here records go, or lose their "ech", on the way
 * out. */
#include "base/not_cleared.h"
#include "dns/answer.h"
#include "dns/svcb.h"
#include "proxy/query/parts.h"

struct strip {
	const struct dns_answer *answer;
	enum svcb_handling handling;
	struct dns_reply *reply;
	struct dns_name gone; /* whose records are gone; len 0: nobody's */
	unsigned left;        /* records of the type that was asked for */
	bool has_soa;
	uint8_t rdata[DNS_SVCB_RDATA_MAX];
};

/* What becomes of an HTTPS or SVCB record; what is told instead of it is written to `to`. */
static enum dns_svcb_fate fate_of(const struct dns_answer *answer, enum svcb_handling handling,
	const struct dns_record *record, struct writer *to)
{
	if (handling == SVCB_STRIP)
		return DNS_SVCB_DROPPED;
	return dns_svcb_without_ech(answer, record, to);
}

static bool is_changed(const struct dns_answer *answer, enum svcb_handling handling)
{
	NOT_CLEARED uint8_t rdata[DNS_SVCB_RDATA_MAX];
	struct dns_record_walk walk;
	struct dns_record record;
	dns_record_walk_begin(&walk, answer);
	while (dns_record_next(&walk, &record)) {
		struct writer to = writer_of(rdata, sizeof rdata);
		if (dns_svcb_is_type(record.type) &&
			fate_of(answer, handling, &record, &to) != DNS_SVCB_KEPT)
			return true;
	}
	return false;
}

/* Other records lead nowhere, so most answers are not even opened; and what we say of our own
 * listeners stays as it is. */
enum svcb_handling query_svcb_handling(const struct query *q, const struct found *found)
{
	const struct view_info *view = policy_view(query_policy(q), q->facts.view);
	struct dns_answer answer;
	if (!view || view->svcb == SVCB_PASS || !found->packed.leads_somewhere ||
		found->source == METRICS_SOURCE_LOCAL ||
		dns_answer_open(&answer, found->packed.message) != 0)
		return SVCB_PASS;
	return is_changed(&answer, view->svcb) ? view->svcb : SVCB_PASS;
}

/* RFC 4034 3.1.1: the type that is signed comes first. Whoever checks a signature over what has
 * been changed finds it wrong; of one that is not there he may know why. */
static bool signs_svcb(const struct dns_record *record)
{
	struct reader rdata = reader_of(record->rdata);
	return record->type == DNS_TYPE_RRSIG && dns_svcb_is_type(reader_u16(&rdata));
}

static void copy_svcb(struct strip *strip, const struct dns_record *record)
{
	struct writer to = writer_of(strip->rdata, sizeof strip->rdata);
	enum dns_svcb_fate fate = fate_of(strip->answer, strip->handling, record, &to);
	if (fate == DNS_SVCB_DROPPED) {
		strip->gone = record->owner;
		return;
	}
	strip->left += record->type == strip->answer->type;
	if (fate == DNS_SVCB_KEPT)
		dns_reply_copy(strip->reply, strip->answer, record);
	else
		dns_reply_add(strip->reply, record->section, dns_name_slice(&record->owner),
			record->type, record->class, record->ttl_s, writer_slice(&to));
}

/* The addresses that stand beside a service's record are of no use without it. */
static bool is_nodata(const struct strip *strip)
{
	return strip->gone.len && !strip->left && dns_svcb_is_type(strip->answer->type) &&
		strip->answer->rcode == DNS_RCODE_NOERROR;
}

static void copy_record(struct strip *strip, const struct dns_record *record)
{
	if (dns_svcb_is_type(record->type))
		copy_svcb(strip, record);
	else if (!signs_svcb(record) &&
		!(record->section == DNS_SECTION_ADDITIONAL && is_nodata(strip)))
		dns_reply_copy(strip->reply, strip->answer, record);
	strip->has_soa |= record->section == DNS_SECTION_AUTHORITY && record->type == DNS_TYPE_SOA;
}

/* Aliases that lead to records that are gone stay, as for any other NODATA (RFC 2308 2.2): the
 * client finds the same chain behind its questions for addresses. */
void query_copy_stripped(
	const struct dns_answer *answer, enum svcb_handling handling, struct dns_reply *reply)
{
	NOT_CLEARED struct strip strip;
	struct dns_record_walk walk;
	struct dns_record record;
	strip.answer = answer;
	strip.handling = handling;
	strip.reply = reply;
	strip.gone.len = 0;
	strip.left = 0;
	strip.has_soa = false;
	dns_record_walk_begin(&walk, answer);
	while (dns_record_next(&walk, &record))
		copy_record(&strip, &record);
	if (is_nodata(&strip) && !strip.has_soa)
		dns_reply_add_soa_above(reply, dns_name_slice(&strip.gone), BLOCK_TTL_S);
}
