/* zone_fixture.h - TZif files (RFC 8536) written by hand: a few transitions, and a rule. */
#ifndef TESTS_UNIT_ZONE_FIXTURE_H
#define TESTS_UNIT_ZONE_FIXTURE_H

#include "base/writer.h"
#include "base/zone.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* From `at_s` on the clock is `offset_s` east of UTC. */
struct zone_step {
	int64_t at_s;
	int32_t offset_s;
};

struct zone_file {
	uint8_t version;  /* 0 or '2' to '4' */
	int32_t before_s; /* the offset before the first step */
	const struct zone_step *steps;
	uint8_t step_count;
	const char *rule;
};

static inline void zone_header(struct writer *to, uint8_t version, uint32_t steps, uint32_t types)
{
	writer_text(to, "TZif");
	writer_u8(to, version);
	writer_zeros(to, 15);
	writer_zeros(to, 12); /* neither kind of indicators, no leap seconds */
	writer_u32(to, steps);
	writer_u32(to, types);
	writer_u32(to, types ? 4 : 0);
}

static inline void zone_data(struct writer *to, const struct zone_file *file, bool is_long)
{
	for (unsigned i = 0; i < file->step_count; i++) {
		if (is_long)
			writer_u32(to, (uint32_t)((uint64_t)file->steps[i].at_s >> 32));
		writer_u32(to, (uint32_t)file->steps[i].at_s);
	}
	for (unsigned i = 0; i < file->step_count; i++)
		writer_u8(to, (uint8_t)(i + 1));
	writer_u32(to, (uint32_t)file->before_s);
	writer_u16(to, 0);
	for (unsigned i = 0; i < file->step_count; i++) {
		writer_u32(to, (uint32_t)file->steps[i].offset_s);
		writer_u16(to, 0);
	}
	writer_bytes(to, "ABC", 4);
}

static inline struct slice zone_file_write(
	const struct zone_file *file, uint8_t *buffer, size_t size)
{
	struct writer to = writer_of(buffer, size);
	if (file->version) {
		zone_header(&to, file->version, 0, 0); /* nothing for old readers: "slim" */
		zone_header(&to, file->version, file->step_count, file->step_count + 1u);
	} else {
		zone_header(&to, 0, file->step_count, file->step_count + 1u);
	}
	zone_data(&to, file, file->version != 0);
	if (file->version) {
		writer_text(&to, "\n");
		writer_text(&to, file->rule);
		writer_text(&to, "\n");
	}
	assert_false(to.failed);
	return writer_slice(&to);
}

/* A zone that is a rule and nothing else: "CET-1CEST,M3.5.0,M10.5.0/3". */
static inline struct zone *zone_of_rule(const char *rule, struct arena *memory)
{
	uint8_t buffer[1024];
	const struct zone_file file = { .version = '3', .rule = rule };
	struct zone *zone;
	assert_int_equal(
		zone_read(&zone, zone_file_write(&file, buffer, sizeof buffer), memory), 0);
	return zone;
}

#endif
