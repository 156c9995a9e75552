/* schedules.c - when rules hold: from "mon-fri" and "22:00-06:00" to days and minutes. */
#include "proxy/config/resolve.h"

#include "proxy/config/zone_file.h"

#include <strings.h>

enum { DAYS = 7, EVERY_DAY = (1 << DAYS) - 1 };

static const char *const day_names[DAYS] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };

/* The day that `text` begins with, 0: Monday; -1 when there is none. */
static int day_of(const char *text)
{
	for (int day = 0; day < DAYS; day++)
		if (strncasecmp(text, day_names[day], 3) == 0)
			return day;
	return -1;
}

/* "mon" or "fri-mon", which goes over the weekend. */
static bool read_days(const char *text, uint8_t *days)
{
	int from = day_of(text), to = from;
	if (from < 0)
		return false;
	if (text[3] == '-')
		to = day_of(text + 4);
	if (to < 0 || text[text[3] == '-' ? 7 : 3] != '\0')
		return false;
	for (int day = from; day != to; day = (day + 1) % DAYS)
		*days |= (uint8_t)(1 << day);
	*days |= (uint8_t)(1 << to);
	return true;
}

static uint8_t resolve_days(struct resolve *resolve, const struct draft_schedule *from)
{
	const struct draft_name *texts = from->days.at;
	uint8_t days = 0;
	for (size_t i = 0; i < from->days.count; i++)
		if (!read_days(texts[i].text, &days))
			problem_in(resolve->errors, texts[i].at,
				"%s is neither a day such as \"mon\" nor some such as \"mon-fri\"",
				QUOTED(texts[i].text));
	return from->days.count ? days : EVERY_DAY;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "08:30", up to "24:00", in minutes. */
static bool read_minute(const char *text, uint16_t *minute)
{
	if (!is_digit(text[0]) || !is_digit(text[1]) || text[2] != ':' || !is_digit(text[3]) ||
		!is_digit(text[4]))
		return false;
	unsigned hour = (unsigned)(text[0] - '0') * 10 + (unsigned)(text[1] - '0');
	unsigned rest = (unsigned)(text[3] - '0') * 10 + (unsigned)(text[4] - '0');
	*minute = (uint16_t)(hour * 60 + rest);
	return rest < 60 && *minute <= SCHEDULE_DAY_MIN;
}

/* NULL, or what is wrong. */
static const char *read_hours(const char *text, struct schedule_hours *hours)
{
	static const char wrong[] = "is not some hours such as \"08:00-17:00\" or \"22:00-06:00\"";
	if (strlen(text) != 11 || text[5] != '-' || !read_minute(text, &hours->from_min) ||
		!read_minute(text + 6, &hours->to_min) || hours->from_min == SCHEDULE_DAY_MIN)
		return wrong;
	if (hours->from_min == hours->to_min)
		return "ends when it begins: for the whole day leave \"hours\" out";
	if (hours->to_min == 0)
		hours->to_min = SCHEDULE_DAY_MIN;
	return NULL;
}

static void resolve_hours(
	struct resolve *resolve, const struct draft_schedule *from, struct schedule_spec *to)
{
	const struct draft_name *texts = from->hours.at;
	struct schedule_hours *hours = resolve_take(resolve, from->hours.count, sizeof *hours);
	for (size_t i = 0; hours && i < from->hours.count; i++) {
		const char *wrong = read_hours(texts[i].text, &hours[to->hours_count]);
		if (wrong)
			problem_in(resolve->errors, texts[i].at, "%s %s", QUOTED(texts[i].text),
				wrong);
		else
			to->hours_count++;
	}
	to->hours = hours;
}

static void resolve_zone(
	struct resolve *resolve, const struct draft_schedule *from, struct schedule_spec *to)
{
	struct zone *zone = NULL;
	struct zone_fault fault;
	if (!from->time_zone)
		return;
	const char *wrong = zone_file_read(
		&zone, from->time_zone, &resolve->config->memory, resolve->scratch, &fault);
	if (wrong && !*wrong)
		resolve->no_memory = true;
	else if (wrong)
		problem_with(resolve, from, "time_zone", "%s %s", QUOTED(from->time_zone), wrong);
	to->zone = zone;
	to->zone_name = zone ? from->time_zone : NULL;
}

void resolve_schedules(struct resolve *resolve)
{
	const struct draft_schedule *from = resolve->draft->schedules.at;
	size_t count = resolve->draft->schedules.count;
	struct schedule_spec *to = resolve_take(resolve, count, sizeof *to);
	resolve->schedules = names_new("schedule", count, resolve->scratch);
	resolve->no_memory |= !resolve->schedules.at;
	for (size_t i = 0; !resolve->no_memory && i < count; i++) {
		to[i].name = from[i].name;
		to[i].days = resolve_days(resolve, &from[i]);
		resolve_hours(resolve, &from[i], &to[i]);
		resolve_zone(resolve, &from[i], &to[i]);
		names_add(&resolve->schedules, from[i].name,
			setting_child_or_self(from[i].element.at, "name"), i);
	}
	names_check(&resolve->schedules, resolve->errors);
	resolve->config->policy.schedules = to;
	resolve->config->policy.schedule_count = count;
}
