#include "base/zone.h"

#include "base/error.h"
#include "base/reader.h"
#include "base/utc.h"

enum {
	HEADER_LEN = 44,
	TYPES_MAX = 256, /* a type's number is a byte */
	/* RFC 8536 3.2: an offset should be more than -25 and less than 26 hours. */
	OFFSET_MIN_S = -89999,
	OFFSET_MAX_S = 93599,
	RULE_TEXT_MAX = 256,
	RULE_HOURS_MAX = 167, /* RFC 8536 3.3.1 */
	DAY_S = 24 * 60 * 60,
	ERA_DAYS = 146097, /* 400 years of the Gregorian calendar, whole weeks */
};

enum day_form { DAY_JULIAN, DAY_OF_YEAR, DAY_OF_MONTH };

/* When it changes, every year (POSIX.1 8.3, TZ): "J59", "58", "M3.5.0", and the time behind "/". */
struct change {
	enum day_form form;
	unsigned day;   /* of the year, as its form counts; or of the week, 0: Sunday */
	unsigned month; /* of DAY_OF_MONTH, from 1 */
	unsigned week;  /* 5: the last */
	int32_t time_s; /* by the clock that ends; may be of another day */
};

/* What holds after the last transition. */
struct rule {
	int32_t standard_s; /* east of UTC */
	int32_t summer_s;
	bool has_summer;
	struct change begin; /* of summer time */
	struct change end;
};

struct zone {
	int32_t first_s; /* before the first transition */
	size_t count;
	int64_t *times_s;
	int32_t *offsets_s;
	bool has_rule;
	struct rule rule;
};

/* ---- reading: the file ---- */

struct header {
	uint8_t version;
	uint32_t utc_count;
	uint32_t standard_count;
	uint32_t leap_count;
	uint32_t time_count;
	uint32_t type_count;
	uint32_t text_len;
};

static bool read_header(struct reader *from, struct header *header)
{
	struct slice magic = reader_bytes(from, 4);
	header->version = reader_u8(from);
	reader_skip(from, 15);
	header->utc_count = reader_u32(from);
	header->standard_count = reader_u32(from);
	header->leap_count = reader_u32(from);
	header->time_count = reader_u32(from);
	header->type_count = reader_u32(from);
	header->text_len = reader_u32(from);
	return !from->failed && slice_equals_text(magic, "TZif");
}

/* Zones with leap seconds ("right/...") count time otherwise than everybody else does. */
static bool is_sane(const struct header *header)
{
	return header->type_count > 0 && header->type_count <= TYPES_MAX && header->text_len > 0 &&
		header->text_len <= ZONE_FILE_MAX && header->time_count <= ZONE_FILE_MAX &&
		header->leap_count == 0 &&
		(header->utc_count == 0 || header->utc_count == header->type_count) &&
		(header->standard_count == 0 || header->standard_count == header->type_count);
}

static int64_t read_time(struct reader *from, bool is_long)
{
	uint32_t first = reader_u32(from);
	if (!is_long)
		return (int32_t)first;
	return (int64_t)((uint64_t)first << 32 | reader_u32(from));
}

static bool read_times(struct zone *zone, struct reader *from, bool is_long)
{
	for (size_t i = 0; i < zone->count; i++) {
		zone->times_s[i] = read_time(from, is_long);
		if (i > 0 && zone->times_s[i] <= zone->times_s[i - 1])
			return false;
	}
	return !from->failed;
}

static bool read_types(
	struct reader *from, const struct header *header, int32_t offsets_s[TYPES_MAX])
{
	for (uint32_t i = 0; i < header->type_count; i++) {
		offsets_s[i] = (int32_t)reader_u32(from);
		uint8_t is_summer = reader_u8(from);
		uint8_t text = reader_u8(from);
		if (offsets_s[i] < OFFSET_MIN_S || offsets_s[i] > OFFSET_MAX_S || is_summer > 1 ||
			text >= header->text_len)
			return false;
	}
	return !from->failed;
}

/* The data behind a header; what is of no use to us is stepped over. */
static int read_data(struct zone *zone, struct reader *from, const struct header *header,
	bool is_long, struct arena *memory)
{
	int32_t offsets_s[TYPES_MAX];
	if (!is_sane(header) || reader_left(from) / (is_long ? 9 : 5) < header->time_count)
		return ERR_MALFORMED;
	zone->count = header->time_count;
	zone->times_s = arena_take(memory, zone->count, sizeof *zone->times_s);
	zone->offsets_s = arena_take(memory, zone->count, sizeof *zone->offsets_s);
	if (!zone->times_s || !zone->offsets_s)
		return ERR_NO_MEMORY;
	if (!read_times(zone, from, is_long))
		return ERR_MALFORMED;
	struct slice types = reader_bytes(from, zone->count);
	if (from->failed || !read_types(from, header, offsets_s))
		return ERR_MALFORMED;
	for (size_t i = 0; i < zone->count; i++) {
		if (types.at[i] >= header->type_count)
			return ERR_MALFORMED;
		zone->offsets_s[i] = offsets_s[types.at[i]];
	}
	zone->first_s = offsets_s[0];
	reader_skip(from, header->text_len);
	reader_skip(from, header->standard_count);
	reader_skip(from, header->utc_count);
	return from->failed ? ERR_MALFORMED : 0;
}

/* The 32-bit part in front of the one that counts. */
static bool skip_data(struct reader *from, const struct header *header)
{
	uint64_t len = (uint64_t)header->time_count * 5 + (uint64_t)header->type_count * 6 +
		header->text_len + (uint64_t)header->leap_count * 8 + header->standard_count +
		header->utc_count;
	if (len > reader_left(from))
		return false;
	reader_skip(from, (size_t)len);
	return true;
}

/* ---- reading: the rule at the end ---- */

static uint8_t peek(const struct reader *from)
{
	return reader_left(from) > 0 ? *from->at : 0;
}

static bool take(struct reader *from, char byte)
{
	bool is_there = peek(from) == (uint8_t)byte;
	if (is_there)
		reader_skip(from, 1);
	return is_there;
}

static bool is_letter(uint8_t byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static bool is_digit(uint8_t byte)
{
	return byte >= '0' && byte <= '9';
}

/* "CET", "<+03>". */
static void skip_name(struct reader *from)
{
	bool quoted = take(from, '<');
	size_t len = 0;
	for (; is_letter(peek(from)) ||
		(quoted && (is_digit(peek(from)) || peek(from) == '+' || peek(from) == '-'));
		len++)
		reader_skip(from, 1);
	if (len < 3 || (quoted && !take(from, '>')))
		from->failed = true;
}

static unsigned read_number(struct reader *from, unsigned most)
{
	unsigned number = 0;
	if (!is_digit(peek(from)))
		from->failed = true;
	while (is_digit(peek(from)) && number <= most)
		number = number * 10 + reader_u8(from) - '0';
	if (number > most)
		from->failed = true;
	return number;
}

/* "[+-]hh[:mm[:ss]]" */
static int32_t read_clock(struct reader *from, unsigned hours_max)
{
	bool negative = take(from, '-');
	if (!negative)
		take(from, '+');
	unsigned s = read_number(from, hours_max) * 3600;
	if (take(from, ':')) {
		s += read_number(from, 59) * 60;
		if (take(from, ':'))
			s += read_number(from, 59);
	}
	return negative ? -(int32_t)s : (int32_t)s;
}

static unsigned read_from(struct reader *from, unsigned least, unsigned most)
{
	unsigned number = read_number(from, most);
	if (number < least)
		from->failed = true;
	return number;
}

static void read_day(struct reader *from, struct change *change)
{
	if (take(from, 'J')) {
		change->form = DAY_JULIAN;
		change->day = read_from(from, 1, 365);
		return;
	}
	if (!take(from, 'M')) {
		change->form = DAY_OF_YEAR;
		change->day = read_from(from, 0, 365);
		return;
	}
	change->form = DAY_OF_MONTH;
	change->month = read_from(from, 1, 12);
	from->failed |= !take(from, '.');
	change->week = read_from(from, 1, 5);
	from->failed |= !take(from, '.');
	change->day = read_from(from, 0, 6);
}

static void read_change(struct reader *from, struct change *change)
{
	from->failed |= !take(from, ',');
	read_day(from, change);
	change->time_s = take(from, '/') ? read_clock(from, RULE_HOURS_MAX) : 2 * 3600;
}

/* POSIX counts offsets to the west. */
static bool read_rule(struct rule *rule, struct slice text)
{
	struct reader from = reader_of(text);
	skip_name(&from);
	rule->standard_s = -read_clock(&from, 24);
	rule->has_summer = reader_left(&from) > 0;
	if (rule->has_summer) {
		skip_name(&from);
		rule->summer_s =
			peek(&from) == ',' ? rule->standard_s + 3600 : -read_clock(&from, 24);
		read_change(&from, &rule->begin);
		read_change(&from, &rule->end);
	}
	return !from.failed && reader_left(&from) == 0;
}

/* A line feed, the rule or nothing, and a line feed. What follows is not ours. */
static bool read_footer(struct zone *zone, struct reader *from)
{
	if (!take(from, '\n'))
		return false;
	struct slice rest = slice_of(from->at, reader_left(from));
	const uint8_t *end = rest.len ? memchr(rest.at, '\n', rest.len) : NULL;
	if (!end || end - rest.at > RULE_TEXT_MAX)
		return false;
	struct slice text = slice_of(rest.at, (size_t)(end - rest.at));
	zone->has_rule = text.len > 0;
	return text.len == 0 || read_rule(&zone->rule, text);
}

static int read_all(struct zone *zone, struct slice tzif, struct arena *memory)
{
	struct reader from = reader_of(tzif);
	struct header header;
	if (tzif.len > ZONE_FILE_MAX || !read_header(&from, &header))
		return ERR_MALFORMED;
	if (header.version == 0)
		return read_data(zone, &from, &header, false, memory);
	if (!skip_data(&from, &header) || !read_header(&from, &header))
		return ERR_MALFORMED;
	int error = read_data(zone, &from, &header, true, memory);
	if (error)
		return error;
	return read_footer(zone, &from) ? 0 : ERR_MALFORMED;
}

int zone_read(struct zone **zone, struct slice tzif, struct arena *memory)
{
	*zone = arena_take(memory, 1, sizeof **zone);
	return *zone ? read_all(*zone, tzif, memory) : ERR_NO_MEMORY;
}

/* ---- the calendar ---- */

/* Days from 1970-01-01 to the first of January. `year` is from 1 on. */
static int64_t days_before_year(int64_t year)
{
	int64_t past = year - 1;
	return past * 365 + past / 4 - past / 100 + past / 400 - 719162;
}

static int64_t days_before_month(int64_t year, unsigned month)
{
	static const uint16_t days[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334,
		365 };
	return days_before_year(year) + days[month - 1] + (month > 2 && utc_is_leap(year));
}

static int64_t year_of(int64_t days)
{
	int64_t year = 1970 + days / 366; /* not too late; a few steps too early at most */
	while (days_before_year(year + 1) <= days)
		year++;
	return year;
}

/* The day on which it changes in a year, from 1970-01-01. */
static int64_t day_of_change(const struct change *change, int64_t year)
{
	int64_t first = days_before_year(year);
	if (change->form == DAY_OF_YEAR)
		return first + change->day;
	if (change->form == DAY_JULIAN) /* no 29 February */
		return first + change->day - 1 + (change->day > 59 && utc_is_leap(year));
	int64_t begin = days_before_month(year, change->month);
	int64_t end = change->month == 12 ? days_before_year(year + 1)
					  : days_before_month(year, change->month + 1);
	int64_t weekday = ((begin + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday, 4 */
	int64_t day = begin + (change->day + 7 - weekday) % 7 + (change->week - 1) * 7;
	return day < end ? day : day - 7;
}

/* ---- the offset ---- */

/* The last change of three years decides; a change may fall into the year before or after its own.
 * At the same time the later year's counts: "EST5EDT,0/0,J365/25" is summer for ever. */
static int32_t rule_offset_s(const struct rule *rule, int64_t now_s)
{
	const int64_t era_s = (int64_t)ERA_DAYS * DAY_S;
	if (!rule->has_summer)
		return rule->standard_s;
	/* Every 400 years all is as before, to the day of the week. */
	now_s = (now_s % era_s + era_s) % era_s + era_s;
	int64_t year = year_of(now_s / DAY_S);
	int64_t latest_s = INT64_MIN;
	int32_t offset_s = rule->standard_s;
	for (int64_t y = year - 1; y <= year + 1; y++) {
		int64_t begin_s = day_of_change(&rule->begin, y) * DAY_S + rule->begin.time_s -
			rule->standard_s;
		int64_t end_s =
			day_of_change(&rule->end, y) * DAY_S + rule->end.time_s - rule->summer_s;
		if (begin_s <= now_s && begin_s >= latest_s) {
			latest_s = begin_s;
			offset_s = rule->summer_s;
		}
		if (end_s <= now_s && end_s > latest_s) {
			latest_s = end_s;
			offset_s = rule->standard_s;
		}
	}
	return offset_s;
}

int32_t zone_offset_s(const struct zone *zone, int64_t now_s)
{
	if (!zone)
		return 0;
	size_t low = 0;
	size_t high = zone->count; /* transitions that are not later than now */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (zone->times_s[middle] <= now_s)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == zone->count && zone->has_rule)
		return rule_offset_s(&zone->rule, now_s);
	return low == 0 ? zone->first_s : zone->offsets_s[low - 1];
}
