#include "dns/svcb.h"

#include "dns/rdata.h"

/* What there is to know before a byte is written. */
struct survey {
	bool has_ech;
	bool needs_ech; /* "mandatory" names it */
	bool failed;
};

/* RFC 9460 8: a row of keys. */
static bool names_ech(struct slice mandatory, bool *failed)
{
	struct reader keys = reader_of(mandatory);
	bool found = false;
	while (reader_left(&keys) > 0 && !keys.failed)
		found |= reader_u16(&keys) == DNS_SVCB_ECH;
	*failed |= keys.failed;
	return found && !keys.failed;
}

static struct survey survey_params(struct slice params)
{
	struct survey survey = { .has_ech = false };
	struct reader reader = reader_of(params);
	while (reader_left(&reader) > 0 && !reader.failed) {
		uint16_t key = reader_u16(&reader);
		struct slice value = reader_bytes(&reader, reader_u16(&reader));
		if (reader.failed)
			break;
		survey.has_ech |= key == DNS_SVCB_ECH;
		if (key == DNS_SVCB_MANDATORY)
			survey.needs_ech |= names_ech(value, &survey.failed);
	}
	survey.failed |= reader.failed;
	return survey;
}

/* They have been read before: nothing fails. */
static void write_params(struct writer *to, struct slice params)
{
	struct reader reader = reader_of(params);
	while (reader_left(&reader) > 0 && !reader.failed) {
		uint16_t key = reader_u16(&reader);
		struct slice value = reader_bytes(&reader, reader_u16(&reader));
		if (key == DNS_SVCB_ECH)
			continue;
		writer_u16(to, key);
		writer_u16(to, (uint16_t)value.len);
		writer_slice_bytes(to, value);
	}
}

enum dns_svcb_fate dns_svcb_without_ech(
	const struct dns_answer *answer, const struct dns_record *record, struct writer *to)
{
	struct dns_rdata_walk walk;
	struct dns_rdata_part priority, target, params;
	dns_rdata_walk_begin(
		&walk, answer->message, record->type, record->rdata_at, record->rdata.len);
	if (!dns_rdata_next(&walk, &priority) || !dns_rdata_next(&walk, &target) ||
		!dns_rdata_next(&walk, &params))
		return DNS_SVCB_DROPPED;
	struct survey survey = survey_params(params.bytes);
	if (survey.failed || survey.needs_ech)
		return DNS_SVCB_DROPPED;
	if (!survey.has_ech)
		return DNS_SVCB_KEPT;
	size_t begin = to->len;
	writer_slice_bytes(to, priority.bytes);
	writer_slice_bytes(to, dns_name_slice(&target.name));
	write_params(to, params.bytes);
	if (!to->failed)
		return DNS_SVCB_CHANGED;
	to->len = begin;
	return DNS_SVCB_DROPPED;
}
