#include "tests/unit/rules_fixture.h"
#include "tests/unit/zone_fixture.h"

#include "base/utc.h"
#include "rules/schedule.h"

static int64_t at(const char *text)
{
	int64_t s;
	assert_true(utc_parse(slice_of_text(text), &s));
	return s;
}

enum {
	MON = 1,
	TUE = 2,
	WED = 4,
	THU = 8,
	FRI = 16,
	SAT = 32,
	SUN = 64,
	WORK = MON | TUE | WED | THU | FRI,
	ALL = WORK | SAT | SUN,
	HOURS_MAX = 3,
};
#define MIN(hour, minute) ((hour)*60 + (minute))
#define BERLIN            "CET-1CEST,M3.5.0,M10.5.0/3"
#define AUCKLAND          "NZST-12NZDT,M9.5.0,M4.1.0/3"

struct row {
	const char *zone; /* NULL: UTC */
	unsigned days;
	struct schedule_hours hours[HOURS_MAX];
	const char *when;
	bool on;
};

/* 2026-11-16 is a Monday. */
static const struct row rows[] = {
	/* Days. */
	{ NULL, MON, { { 0, 0 } }, "2026-11-16T00:00:00Z", true },
	{ NULL, MON, { { 0, 0 } }, "2026-11-16T23:59:59Z", true },
	{ NULL, MON, { { 0, 0 } }, "2026-11-15T23:59:59Z", false },
	{ NULL, MON, { { 0, 0 } }, "2026-11-17T00:00:00Z", false },
	{ NULL, SUN, { { 0, 0 } }, "2026-11-15T12:00:00Z", true },
	{ NULL, THU, { { 0, 0 } }, "1970-01-01T00:00:00Z", true },
	{ NULL, WORK, { { 0, 0 } }, "2026-11-21T12:00:00Z", false },
	{ NULL, 0, { { 0, 0 } }, "2026-11-16T12:00:00Z", false },
	{ NULL, 128, { { 0, 0 } }, "2026-11-16T12:00:00Z", false },
	/* Hours: from the first minute, until the last one begins. */
	{ NULL, WORK, { { MIN(8, 0), MIN(17, 30) } }, "2026-11-16T07:59:59Z", false },
	{ NULL, WORK, { { MIN(8, 0), MIN(17, 30) } }, "2026-11-16T08:00:00Z", true },
	{ NULL, WORK, { { MIN(8, 0), MIN(17, 30) } }, "2026-11-16T17:29:59Z", true },
	{ NULL, WORK, { { MIN(8, 0), MIN(17, 30) } }, "2026-11-16T17:30:00Z", false },
	{ NULL, ALL, { { MIN(23, 59), 1440 } }, "2026-11-16T23:59:59Z", true },
	{ NULL, ALL, { { MIN(23, 59), 1440 } }, "2026-11-17T00:00:00Z", false },
	{ NULL, ALL, { { 0, 1440 } }, "2026-11-17T00:00:00Z", true },
	{ NULL, ALL, { { 60, 120 }, { 240, 300 }, { 600, 660 } }, "2026-11-17T04:30:00Z", true },
	{ NULL, ALL, { { 60, 120 }, { 240, 300 }, { 600, 660 } }, "2026-11-17T03:30:00Z", false },
	/* Over midnight, and of the day on which they began. */
	{ NULL, FRI, { { MIN(22, 0), MIN(6, 0) } }, "2026-11-20T21:59:59Z", false },
	{ NULL, FRI, { { MIN(22, 0), MIN(6, 0) } }, "2026-11-20T22:00:00Z", true },
	{ NULL, FRI, { { MIN(22, 0), MIN(6, 0) } }, "2026-11-21T05:59:59Z", true },
	{ NULL, FRI, { { MIN(22, 0), MIN(6, 0) } }, "2026-11-21T06:00:00Z", false },
	{ NULL, FRI, { { MIN(22, 0), MIN(6, 0) } }, "2026-11-20T05:00:00Z", false },
	{ NULL, FRI, { { MIN(22, 0), MIN(6, 0) } }, "2026-11-21T22:30:00Z", false },
	{ NULL, SUN, { { MIN(22, 0), MIN(6, 0) } }, "2026-11-16T05:00:00Z", true },
	/* As long as a day, from the middle of one. */
	{ NULL, MON, { { MIN(12, 0), MIN(12, 0) } }, "2026-11-16T11:59:59Z", false },
	{ NULL, MON, { { MIN(12, 0), MIN(12, 0) } }, "2026-11-17T11:59:59Z", true },
	{ NULL, MON, { { MIN(12, 0), MIN(12, 0) } }, "2026-11-17T12:00:00Z", false },
	/* By the clock of a place: 08:00 is 07:00 of UTC in winter, 06:00 in summer. */
	{ BERLIN, MON, { { MIN(8, 0), MIN(9, 0) } }, "2026-11-16T06:59:59Z", false },
	{ BERLIN, MON, { { MIN(8, 0), MIN(9, 0) } }, "2026-11-16T07:00:00Z", true },
	{ BERLIN, MON, { { MIN(8, 0), MIN(9, 0) } }, "2026-07-13T06:00:00Z", true },
	{ BERLIN, MON, { { MIN(8, 0), MIN(9, 0) } }, "2026-07-13T07:00:00Z", false },
	{ BERLIN, MON, { { 0, 0 } }, "2026-11-15T23:00:00Z", true },
	{ BERLIN, MON, { { 0, 0 } }, "2026-11-15T22:59:59Z", false },
	{ AUCKLAND, MON, { { 0, 0 } }, "2026-11-15T11:00:00Z", true },
	{ AUCKLAND, MON, { { 0, 0 } }, "2026-11-16T11:00:00Z", false },
	/* 29 March: 02:00 to 03:00 does not come. */
	{ BERLIN, SUN, { { MIN(2, 0), MIN(3, 0) } }, "2026-03-29T00:59:59Z", false },
	{ BERLIN, SUN, { { MIN(2, 0), MIN(3, 0) } }, "2026-03-29T01:00:00Z", false },
	{ BERLIN, SUN, { { MIN(1, 0), MIN(4, 0) } }, "2026-03-29T00:59:59Z", true },
	{ BERLIN, SUN, { { MIN(1, 0), MIN(4, 0) } }, "2026-03-29T01:00:00Z", true },
	{ BERLIN, SUN, { { MIN(1, 0), MIN(4, 0) } }, "2026-03-29T02:00:00Z", false },
	/* 25 October: it comes twice. */
	{ BERLIN, SUN, { { MIN(2, 0), MIN(3, 0) } }, "2026-10-24T23:59:59Z", false },
	{ BERLIN, SUN, { { MIN(2, 0), MIN(3, 0) } }, "2026-10-25T00:00:00Z", true },
	{ BERLIN, SUN, { { MIN(2, 0), MIN(3, 0) } }, "2026-10-25T00:59:59Z", true },
	{ BERLIN, SUN, { { MIN(2, 0), MIN(3, 0) } }, "2026-10-25T01:00:00Z", true },
	{ BERLIN, SUN, { { MIN(2, 0), MIN(3, 0) } }, "2026-10-25T01:59:59Z", true },
	{ BERLIN, SUN, { { MIN(2, 0), MIN(3, 0) } }, "2026-10-25T02:00:00Z", false },
	/* Over midnight into the day of the change. */
	{ BERLIN, SAT, { { MIN(22, 0), MIN(2, 30) } }, "2026-03-29T00:59:59Z", true },
	{ BERLIN, SAT, { { MIN(22, 0), MIN(2, 30) } }, "2026-03-29T01:00:00Z", false },
	{ BERLIN, SAT, { { MIN(22, 0), MIN(2, 30) } }, "2026-10-25T01:29:59Z", true },
	{ BERLIN, SAT, { { MIN(22, 0), MIN(2, 30) } }, "2026-10-25T01:30:00Z", false },
};

static size_t count_hours(const struct row *row)
{
	size_t count = 0;
	while (count < HOURS_MAX && row->hours[count].to_min)
		count++;
	return count;
}

static void it_is_on_when_it_should_be(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct row *row = &rows[i];
		struct arena memory = { 0 };
		const struct schedule_spec schedule = { .days = (uint8_t)row->days,
			.hours = row->hours,
			.hours_count = count_hours(row),
			.zone = row->zone ? zone_of_rule(row->zone, &memory) : NULL };
		if (schedule_is_on(&schedule, at(row->when)) != row->on)
			fail_msg("row %zu at %s", i, row->when);
		arena_free(&memory);
	}
}

/* Whatever the clock says, something is said. */
static void any_time_has_an_answer(void **state)
{
	static const int64_t times[] = { INT64_MIN, INT64_MIN + 1, -1, 0, INT64_MAX - 1,
		INT64_MAX };
	struct arena memory = { 0 };
	const struct schedule_spec schedules[] = { { .days = ALL },
		{ .days = ALL, .zone = zone_of_rule(BERLIN, &memory) } };
	(void)state;
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
		assert_int_equal(schedules_on(schedules, 2, times[i]), 3);
	arena_free(&memory);
}

static void every_one_has_its_bit(void **state)
{
	struct schedule_spec schedules[SCHEDULES_MAX];
	(void)state;
	for (size_t i = 0; i < SCHEDULES_MAX; i++)
		schedules[i] = (struct schedule_spec){ .days = i % 3 == 0 ? MON : TUE };
	uint64_t monday = schedules_on(schedules, SCHEDULES_MAX, at("2026-11-16T12:00:00Z"));
	for (size_t i = 0; i < SCHEDULES_MAX; i++)
		assert_int_equal(monday >> i & 1, i % 3 == 0);
	assert_true(schedules_on(schedules, SCHEDULES_MAX, at("2026-11-17T12:00:00Z")) == ~monday);
	assert_int_equal(schedules_on(schedules, 0, 0), 0);
	assert_int_equal(schedules_on(NULL, 0, 0), 0);
}

/* The same as trying every minute of a week. */
static void ever_on_is_some_minute_of_a_week(void **state)
{
	static const struct schedule_hours hours[] = { { 0, 1 }, { 0, 1440 }, { 1439, 1440 },
		{ 1439, 1 }, { 600, 600 }, { 601, 600 }, { 0, 0 } };
	static const unsigned days[] = { 0, MON, SUN, ALL, 128 };
	(void)state;
	for (size_t d = 0; d < sizeof days / sizeof days[0]; d++)
		for (size_t h = 0; h <= sizeof hours / sizeof hours[0]; h++) {
			bool any = h == sizeof hours / sizeof hours[0];
			const struct schedule_spec schedule = { .days = (uint8_t)days[d],
				.hours = any ? NULL : &hours[h],
				.hours_count = !any };
			bool found = false;
			for (int64_t minute = 0; minute < 7 * 1440 && !found; minute++)
				found = schedule_is_on(&schedule, minute * 60);
			assert_int_equal(schedule_is_ever_on(&schedule), found);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_on_when_it_should_be),
		cmocka_unit_test(any_time_has_an_answer),
		cmocka_unit_test(every_one_has_its_bit),
		cmocka_unit_test(ever_on_is_some_minute_of_a_week),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
