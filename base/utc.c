#include "base/utc.h"

enum {
	DAY_S = 86400,
	YEAR_FIRST = 1970,
	YEAR_LAST = 9999,
	DATE_LEN = 10, /* "2027-03-01" */
	TIME_LEN = 20, /* "2027-03-01T12:00:00Z" */
};

/* Days from 0000-03-01 on, so that a leap day ends a year: the Gregorian calendar repeats itself
 * every 400 years. */
enum { ERA_YEARS = 400, ERA_DAYS = 146097, EPOCH_DAY = 719468 };

static int64_t days_of(unsigned year, unsigned month, unsigned day)
{
	unsigned shifted = month > 2 ? year : year - 1;
	unsigned of_era = shifted % ERA_YEARS;
	unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	unsigned in_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
	return (int64_t)(shifted / ERA_YEARS) * ERA_DAYS + in_era - EPOCH_DAY;
}

bool utc_is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned month_days(unsigned year, unsigned month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	return month == 2 && utc_is_leap(year) ? 29 : days[month - 1];
}

/* The number of `count` digits at `at`; false when another byte is among them. */
static bool read_digits(const uint8_t *at, size_t count, unsigned *number)
{
	*number = 0;
	for (size_t i = 0; i < count; i++) {
		if (at[i] < '0' || at[i] > '9')
			return false;
		*number = *number * 10 + (at[i] - '0');
	}
	return true;
}

static bool read_date(const uint8_t *at, int64_t *days)
{
	unsigned year, month, day;
	if (!read_digits(at, 4, &year) || at[4] != '-' || !read_digits(at + 5, 2, &month) ||
		at[7] != '-' || !read_digits(at + 8, 2, &day))
		return false;
	if (year < YEAR_FIRST || month < 1 || month > 12 || day < 1 ||
		day > month_days(year, month))
		return false;
	*days = days_of(year, month, day);
	return true;
}

static bool read_clock(const uint8_t *at, unsigned *seconds)
{
	unsigned hour, minute, second;
	if (at[0] != 'T' || !read_digits(at + 1, 2, &hour) || at[3] != ':' ||
		!read_digits(at + 4, 2, &minute) || at[6] != ':' ||
		!read_digits(at + 7, 2, &second) || at[9] != 'Z')
		return false;
	*seconds = hour * 3600 + minute * 60 + second;
	return hour < 24 && minute < 60 && second < 60;
}

bool utc_parse(struct slice text, int64_t *seconds)
{
	int64_t days;
	unsigned clock = 0;
	if (text.len != DATE_LEN && text.len != TIME_LEN)
		return false;
	if (!read_date(text.at, &days))
		return false;
	if (text.len == TIME_LEN && !read_clock(text.at + DATE_LEN, &clock))
		return false;
	*seconds = days * DAY_S + clock;
	return true;
}

static void write_digits(struct writer *to, unsigned number, unsigned count)
{
	unsigned unit = 1;
	while (--count > 0)
		unit *= 10;
	for (; unit > 0; unit /= 10)
		writer_u8(to, (uint8_t)('0' + number / unit % 10));
}

static void write_date(struct writer *to, int64_t days)
{
	unsigned year = YEAR_FIRST + (unsigned)(days / 366), month = 1;
	while (days >= days_of(year + 1, 1, 1))
		year++;
	unsigned day = (unsigned)(days - days_of(year, 1, 1));
	for (; day >= month_days(year, month); month++)
		day -= month_days(year, month);
	write_digits(to, year, 4);
	writer_u8(to, '-');
	write_digits(to, month, 2);
	writer_u8(to, '-');
	write_digits(to, day + 1, 2);
}

void utc_write(struct writer *to, int64_t seconds)
{
	int64_t most = days_of(YEAR_LAST + 1, 1, 1) * DAY_S - 1;
	if (seconds < 0)
		seconds = 0;
	if (seconds > most)
		seconds = most;
	unsigned clock = (unsigned)(seconds % DAY_S);
	write_date(to, seconds / DAY_S);
	writer_u8(to, 'T');
	write_digits(to, clock / 3600, 2);
	writer_u8(to, ':');
	write_digits(to, clock / 60 % 60, 2);
	writer_u8(to, ':');
	write_digits(to, clock % 60, 2);
	writer_u8(to, 'Z');
}
