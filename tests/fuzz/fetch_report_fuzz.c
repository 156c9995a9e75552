/* fetch_report_fuzz.c - the report of a child that strangers may have taken over: whatever it is,
 * it is refused, or it is printable, its texts have an end, and it is written as it was read. */
#include "proxy/lists/fetch_report.h"
#include "tests/unit/rebuild.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char text[FETCH_TAG_MAX])
{
	size_t len = strnlen(text, FETCH_TAG_MAX);
	REBUILD_REQUIRE(len < FETCH_TAG_MAX);
	for (size_t i = 0; i < len; i++)
		REBUILD_REQUIRE(text[i] >= ' ' && text[i] < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t buffer[FETCH_REPORT_MAX];
	struct fetch_report report;
	struct fetch_report again;
	struct writer to = writer_of(buffer, sizeof buffer);
	if (!fetch_report_read(&report, slice_of(data, size)))
		return 0;
	check_text(report.etag);
	check_text(report.last_modified);
	check_text(report.content_type);
	check_text(report.why);
	REBUILD_REQUIRE(report.fault < LIST_FAULT_COUNT);
	fetch_report_write(&to, &report);
	REBUILD_REQUIRE(!to.failed);
	REBUILD_REQUIRE(fetch_report_read(&again, writer_slice(&to)));
	REBUILD_REQUIRE(memcmp(&report, &again, sizeof report) == 0);
	return 0;
}
