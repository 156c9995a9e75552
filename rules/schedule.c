#include "rules/schedule.h"

enum {
	DAY_S = 24 * 60 * 60,
	WEEK_DAYS = 7,
	ALL_DAYS = 0x7f,
	THURSDAY = 3, /* 1970-01-01 */
};

/* The clock on the wall: days are counted from Monday, 0. */
struct wall {
	unsigned day;
	unsigned minute;
};

static struct wall wall_of(const struct zone *zone, int64_t now_s)
{
	const int64_t week_s = WEEK_DAYS * DAY_S;
	/* Before the offset is added: so no clock is too far off. */
	int64_t s = now_s % week_s + zone_offset_s(zone, now_s);
	s = ((s + THURSDAY * DAY_S) % week_s + week_s) % week_s;
	return (struct wall){ (unsigned)(s / DAY_S), (unsigned)(s % DAY_S / 60) };
}

static bool has_day(const struct schedule_spec *schedule, unsigned day)
{
	return schedule->days >> day % WEEK_DAYS & 1;
}

/* Hours that reach over midnight belong to the day on which they begin. */
static bool are_on(const struct schedule_spec *schedule, const struct schedule_hours *hours,
	const struct wall *wall)
{
	bool today = has_day(schedule, wall->day);
	bool yesterday = has_day(schedule, wall->day + WEEK_DAYS - 1);
	if (hours->from_min < hours->to_min)
		return today && wall->minute >= hours->from_min && wall->minute < hours->to_min;
	return (today && wall->minute >= hours->from_min) ||
		(yesterday && wall->minute < hours->to_min);
}

bool schedule_is_on(const struct schedule_spec *schedule, int64_t now_s)
{
	const struct wall wall = wall_of(schedule->zone, now_s);
	if (schedule->hours_count == 0)
		return has_day(schedule, wall.day);
	for (size_t i = 0; i < schedule->hours_count; i++)
		if (are_on(schedule, &schedule->hours[i], &wall))
			return true;
	return false;
}

uint64_t schedules_on(const struct schedule_spec *schedules, size_t count, int64_t now_s)
{
	uint64_t on = 0;
	for (size_t i = 0; i < count && i < SCHEDULES_MAX; i++)
		if (schedule_is_on(&schedules[i], now_s))
			on |= UINT64_C(1) << i;
	return on;
}

/* Can hours be met on some day? Those that reach over midnight always hold a minute. */
static bool are_some(const struct schedule_hours *hours)
{
	return hours->from_min < SCHEDULE_DAY_MIN || hours->to_min <= hours->from_min;
}

bool schedule_is_ever_on(const struct schedule_spec *schedule)
{
	if (!(schedule->days & ALL_DAYS))
		return false;
	for (size_t i = 0; i < schedule->hours_count; i++)
		if (are_some(&schedule->hours[i]))
			return true;
	return schedule->hours_count == 0;
}
