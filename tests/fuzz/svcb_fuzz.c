/* svcb_fuzz.c - an upstream's message: what is left of its HTTPS and SVCB records has no "ech", and
 * all other parameters as they were. */
#include "dns/svcb.h"
#include "tests/unit/rebuild.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct params {
	struct reader from;
	uint16_t key;
	struct slice value;
};

static struct params params_of(struct slice message, uint16_t type, size_t at, size_t len)
{
	struct dns_rdata_walk walk;
	struct dns_rdata_part part;
	dns_rdata_walk_begin(&walk, message, type, at, len);
	for (unsigned i = 0; i < 3; i++)
		REBUILD_REQUIRE(dns_rdata_next(&walk, &part));
	return (struct params){ .from = reader_of(part.bytes) };
}

static bool next_param(struct params *params)
{
	if (reader_left(&params->from) == 0)
		return false;
	params->key = reader_u16(&params->from);
	params->value = reader_bytes(&params->from, reader_u16(&params->from));
	REBUILD_REQUIRE(!params->from.failed);
	return true;
}

static bool next_other(struct params *params)
{
	while (next_param(params))
		if (params->key != DNS_SVCB_ECH)
			return true;
	return false;
}

static void check_changed(
	const struct dns_answer *answer, const struct dns_record *record, struct slice rdata)
{
	struct params before =
		params_of(answer->message, record->type, record->rdata_at, record->rdata.len);
	struct params after = params_of(rdata, record->type, 0, rdata.len);
	while (next_param(&after)) {
		REBUILD_REQUIRE(after.key != DNS_SVCB_ECH && next_other(&before));
		REBUILD_REQUIRE(after.key == before.key && slice_equals(after.value, before.value));
	}
	REBUILD_REQUIRE(!next_other(&before));
}

static void check_kept(const struct dns_answer *answer, const struct dns_record *record)
{
	struct params params =
		params_of(answer->message, record->type, record->rdata_at, record->rdata.len);
	while (next_param(&params))
		REBUILD_REQUIRE(params.key != DNS_SVCB_ECH);
}

static void check_record(const struct dns_answer *answer, const struct dns_record *record)
{
	static uint8_t rdata[DNS_SVCB_RDATA_MAX];
	struct writer to = writer_of(rdata, sizeof rdata);
	switch (dns_svcb_without_ech(answer, record, &to)) {
	case DNS_SVCB_CHANGED: check_changed(answer, record, writer_slice(&to)); return;
	case DNS_SVCB_KEPT: check_kept(answer, record); break;
	case DNS_SVCB_DROPPED: break;
	}
	REBUILD_REQUIRE(to.len == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_answer answer;
	struct dns_record_walk walk;
	struct dns_record record;
	if (dns_answer_open(&answer, slice_of(data, size)) < 0)
		return 0;
	dns_record_walk_begin(&walk, &answer);
	while (dns_record_next(&walk, &record))
		if (dns_svcb_is_type(record.type))
			check_record(&answer, &record);
	return 0;
}
