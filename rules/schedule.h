/* schedule.h - when a rule holds: days of the week and hours of the day, by the clock of a place.
 * Pure: whoever asks knows the time. */
#ifndef RULES_SCHEDULE_H
#define RULES_SCHEDULE_H

#include "base/zone.h"

enum {
	SCHEDULES_MAX = 64, /* of a policy: one bit each */
	SCHEDULE_DAY_MIN = 24 * 60,
};

/* From `from_min` (0 to 1439) until `to_min` (1 to 1440), in minutes of the day; when `to` is not
 * later than `from`, until that minute of the next day: it counts for the day on which it began. */
struct schedule_hours {
	uint16_t from_min;
	uint16_t to_min;
};

struct schedule_spec {
	const char *name;
	uint8_t days;                       /* bit 0: Monday ... bit 6: Sunday */
	const struct schedule_hours *hours; /* none: the whole day */
	size_t hours_count;
	const char *zone_name;   /* "Europe/Berlin"; NULL: UTC */
	const struct zone *zone; /* NULL: UTC */
};

bool schedule_is_on(const struct schedule_spec *schedule, int64_t now_s);

/* Bit i: schedule i is on. Cheap enough for every second, not for every query. */
uint64_t schedules_on(const struct schedule_spec *schedules, size_t count, int64_t now_s);

/* Is there any minute of a week at which it is on? */
bool schedule_is_ever_on(const struct schedule_spec *schedule);

#endif
