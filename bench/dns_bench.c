/* dns_bench.c - what the messages cost, in nanoseconds of CPU time for one operation.
 * bench/README.md says how to build and read it. */
#include <stdio.h>
#include <time.h>

#include "dns/packed.h"
#include "dns/rdata_text.h"
#include "dns/request.h"
#include "tests/unit/costly_answers.h"
#include "tests/unit/rebuild.h"
#include "tests/unit/wire.h"

static struct slice query_bytes, answer_bytes;
static uint8_t buffer[DNS_MESSAGE_MAX];
static volatile size_t sink; /* keeps the compiler from leaving work out */

static void open_query(void)
{
	struct dns_query query;
	sink += (size_t)dns_query_open(&query, query_bytes);
}

static void write_request(void)
{
	struct dns_query query;
	struct writer to = writer_of(buffer, DNS_REQUEST_MAX);
	dns_query_open(&query, query_bytes);
	struct dns_request request = { .name = query.name,
		.type = query.type,
		.class = query.class };
	sink += dns_request_write(&to, &request, 1);
}

static void open_answer(void)
{
	struct dns_answer answer;
	sink += (size_t)dns_answer_open(&answer, answer_bytes);
}

static void walk_answer(void)
{
	struct dns_answer answer;
	struct dns_record_walk walk;
	struct dns_record record;
	struct dns_name target;
	dns_answer_open(&answer, answer_bytes);
	dns_record_walk_begin(&walk, &answer);
	while (dns_record_next(&walk, &record))
		sink += dns_record_target(&answer, &record, &target);
}

static void write_texts(void)
{
	struct dns_answer answer;
	struct dns_record_walk walk;
	struct dns_record record;
	struct writer to = writer_of(buffer, sizeof buffer);
	dns_answer_open(&answer, answer_bytes);
	dns_record_walk_begin(&walk, &answer);
	while (dns_record_next(&walk, &record))
		dns_rdata_write_text(&to, &answer, &record);
	sink += to.len;
}

static void rebuild_answer(void)
{
	struct dns_answer answer;
	struct dns_reply reply;
	struct dns_reply_limits limits = { .size = sizeof buffer };
	dns_answer_open(&answer, answer_bytes);
	struct dns_query query = rebuild_query(&answer, true);
	sink += rebuild(&reply, &query, &answer, limits, buffer, sizeof buffer).len;
}

static uint8_t packed_buffer[DNS_PACKED_MAX];
static struct slice packed_bytes;
static struct dns_query packed_query;

static void pack_answer(void)
{
	static const struct dns_packed_ttls ttls = { .max_s = DNS_TTL_MAX_S,
		.negative_max_s = 3600 };
	struct dns_answer answer;
	dns_answer_open(&answer, answer_bytes);
	packed_query = rebuild_query(&answer, true);
	packed_bytes = dns_packed_write(&answer, &ttls, packed_buffer, sizeof packed_buffer);
	sink += packed_bytes.len;
}

static void paste_packed(void)
{
	struct dns_packed packed;
	struct dns_reply reply;
	dns_packed_open(&packed, packed_bytes);
	dns_reply_begin(&reply, &packed_query, (struct dns_reply_limits){ .size = 1232 }, buffer,
		sizeof buffer);
	dns_packed_paste(&reply, &packed, (struct dns_packed_age){ .age_s = 5 });
	sink += dns_reply_finish(&reply).len;
}

/* What a hit would cost without pasting: open the message that was kept, copy every record. */
static void copy_packed(void)
{
	struct dns_packed packed;
	struct dns_answer answer;
	struct dns_reply reply;
	dns_packed_open(&packed, packed_bytes);
	dns_answer_open(&answer, packed.message);
	sink += rebuild(&reply, &packed_query, &answer, (struct dns_reply_limits){ .size = 1232 },
		buffer, sizeof buffer)
			.len;
}

static void check_packed(void)
{
	sink += dns_packed_check(packed_bytes);
}

static void refuse_query(void)
{
	struct dns_query query;
	struct dns_reply_limits limits = { .size = 1232 };
	dns_query_open(&query, query_bytes);
	sink += dns_reply_rcode(
		&query, limits, DNS_RCODE_REFUSED, DNS_EDE_PROHIBITED, NULL, buffer, sizeof buffer)
			.len;
}

static double seconds_of_cpu(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* The best of five runs of about 50 ms each. */
static void measure(const char *title, void (*operation)(void))
{
	double best = 1e9;
	for (int run = 0; run < 5; run++) {
		double start = seconds_of_cpu(), now = start;
		unsigned long count = 0;
		for (; now - start < 0.05; now = seconds_of_cpu())
			for (int i = 0; i < 8; i++, count++)
				operation();
		double each = (now - start) / (double)count;
		best = each < best ? each : best;
	}
	printf("%12.0f ns  %s\n", best * 1e9, title);
}

int main(void)
{
	static uint8_t costly[DNS_MESSAGE_MAX];
	query_bytes = wire("1234 0120 0001 0000 0000 0001 'www.example.com' 0001 0001"
			   "00 0029 04d0 00 00 0000 000c 000a 0008 1122334455667788");
	answer_bytes = wire("1234 8180 0001 0007 0000 0001 'www.example.com' 0001 0001"
			    "c00c 0005 0001 0000003c 0006 03 \"cdn\" c010"
			    "c02d 0005 0001 0000003c 000a 'edge.net'"
			    "c03f 0005 0001 0000003c 0004 01 \"x\" c044"
			    "c055 0001 0001 0000003c 0004 c0000201"
			    "c055 0001 0001 0000003c 0004 c0000202"
			    "c055 0001 0001 0000003c 0004 c0000203"
			    "c055 0001 0001 0000003c 0004 c0000204"
			    "00 0029 04d0 00 00 0000 0000");
	measure("open a query with OPT", open_query);
	measure("open it and write the upstream request", write_request);
	measure("open it and refuse it with an extended error", refuse_query);
	measure("open an answer: 3 CNAME, 4 A, OPT", open_answer);
	measure("open it and read all records and targets", walk_answer);
	measure("open it and write all RDATA as text", write_texts);
	measure("open it and rebuild it", rebuild_answer);
	static const struct {
		const char *title, *answer;
	} kept[] = {
		{ "1 address",
			"1234 8180 0001 0001 0000 0000 'www.example.com' 0001 0001"
			"c00c 0001 0001 0000003c 0004 c0000201" },
		{ "3 CNAME, 1 address",
			"1234 8180 0001 0004 0000 0000 'www.example.com' 0001 0001"
			"c00c 0005 0001 0000003c 0006 03 \"cdn\" c010"
			"c02d 0005 0001 0000003c 000a 'edge.net'"
			"c03f 0005 0001 0000003c 0004 01 \"x\" c044"
			"c055 0001 0001 0000003c 0004 c0000201" },
	};
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
		static const struct {
			const char *title;
			void (*operation)(void);
		} ways[] = { { "open and pack", pack_answer },
			{ "reply from packed, pasted", paste_packed },
			{ "reply from packed, record by record", copy_packed },
			{ "check packed", check_packed } };
		answer_bytes = wire(kept[i].answer);
		for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
			char title[128];
			snprintf(title, sizeof title, "%s: %s", ways[way].title, kept[i].title);
			measure(title, ways[way].operation);
		}
	}
	for (size_t i = 0; i < COSTLY_KINDS; i++) {
		char title[128];
		answer_bytes = costly_build(&costly_kinds[i], costly);
		snprintf(title, sizeof title, "open 64 KiB: %s", costly_kinds[i].title);
		measure(title, open_answer);
		snprintf(title, sizeof title, "open and rebuild it: %s", costly_kinds[i].title);
		measure(title, rebuild_answer);
		snprintf(title, sizeof title, "open and pack it: %s", costly_kinds[i].title);
		measure(title, pack_answer);
	}
	return 0;
}
