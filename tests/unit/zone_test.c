#include "tests/unit/rules_fixture.h"
#include "tests/unit/zone_fixture.h"

#include "base/utc.h"

#include <inttypes.h>
#include <sys/stat.h>
#include <time.h>

static int64_t at(const char *text)
{
	int64_t s;
	assert_true(utc_parse(slice_of_text(text), &s));
	return s;
}

static void utc_is_no_zone(void **state)
{
	(void)state;
	assert_int_equal(zone_offset_s(NULL, 0), 0);
	assert_int_equal(zone_offset_s(NULL, INT64_MAX), 0);
}

/* What a rule says of moments on both sides of its changes. */
static void rules_of_the_footer(void **state)
{
	static const struct {
		const char *rule, *when;
		int32_t offset_s;
	} rows[] = {
		{ "UTC0", "2026-07-01T00:00:00Z", 0 },
		{ "<+0545>-5:45", "2026-07-01T00:00:00Z", 20700 },
		{ "LMT-0:53:28", "2026-07-01T00:00:00Z", 3208 },
		{ "XXX+12", "2026-07-01T00:00:00Z", -43200 },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T00:59:59Z", 3600 },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T01:00:00Z", 7200 },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T00:59:59Z", 7200 },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T01:00:00Z", 3600 },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "2399-07-01T00:00:00Z", 7200 },
		{ "CET-1CEST,M3.5.0,M10.5.0/3", "9999-12-31T23:59:59Z", 3600 },
		/* South of the equator summer goes over the new year. */
		{ "NZST-12NZDT,M9.5.0,M4.1.0/3", "2026-01-01T00:00:00Z", 46800 },
		{ "NZST-12NZDT,M9.5.0,M4.1.0/3", "2026-04-04T13:59:59Z", 46800 },
		{ "NZST-12NZDT,M9.5.0,M4.1.0/3", "2026-04-04T14:00:00Z", 43200 },
		{ "NZST-12NZDT,M9.5.0,M4.1.0/3", "2026-09-26T14:00:00Z", 46800 },
		/* "Summer" is in winter, and is the lesser one. */
		{ "IST-1GMT0,M10.5.0,M3.5.0/1", "2026-01-15T00:00:00Z", 0 },
		{ "IST-1GMT0,M10.5.0,M3.5.0/1", "2026-07-15T00:00:00Z", 3600 },
		/* Times of another day: RFC 8536 3.3.1. */
		{ "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", "2023-03-26T00:59:59Z", -10800 },
		{ "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", "2023-03-26T01:00:00Z", -7200 },
		{ "IST-2IDT,M3.4.4/26,M10.5.0", "2026-03-26T23:59:59Z", 7200 },
		{ "IST-2IDT,M3.4.4/26,M10.5.0", "2026-03-27T00:00:00Z", 10800 },
		/* Summer for ever. */
		{ "EST5EDT,0/0,J365/25", "2026-01-01T04:59:59Z", -14400 },
		{ "EST5EDT,0/0,J365/25", "2026-01-01T05:00:00Z", -14400 },
		{ "EST5EDT,0/0,J365/25", "2028-12-31T12:00:00Z", -14400 },
		/* J60 is always the first of March, 59 is not. */
		{ "AAA0BBB,J60/0,J300/0", "2028-02-29T23:59:59Z", 0 },
		{ "AAA0BBB,J60/0,J300/0", "2028-03-01T00:00:00Z", 3600 },
		{ "AAA0BBB,59/0,J300/0", "2028-02-29T00:00:00Z", 3600 },
		{ "AAA0BBB,59/0,J300/0", "2027-02-28T23:59:59Z", 0 },
		{ "AAA0BBB,59/0,J300/0", "2027-03-01T00:00:00Z", 3600 },
		/* Far over the edge of the year. */
		{ "AAA0BBB,J365/167,J100/0", "2027-01-06T22:59:59Z", 0 },
		{ "AAA0BBB,J365/167,J100/0", "2027-01-06T23:00:00Z", 3600 },
		{ "AAA0BBB,J100/0,J1/-167", "2026-12-24T23:59:59Z", 3600 },
		{ "AAA0BBB,J100/0,J1/-167", "2026-12-25T00:00:00Z", 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct arena memory = { 0 };
		const struct zone *zone = zone_of_rule(rows[i].rule, &memory);
		int32_t offset_s = zone_offset_s(zone, at(rows[i].when));
		if (offset_s != rows[i].offset_s)
			fail_msg("\"%s\" at %s: %d, not %d", rows[i].rule, rows[i].when, offset_s,
				rows[i].offset_s);
		arena_free(&memory);
	}
}

static void wrong_rules_are_refused(void **state)
{
	static const char *const rules[] = { "X", "XY0", "UTC", "UTC25", "UTC0:60", "UTC0:00:60",
		"UTC-", "<>0", "<AB>0", "<ABC0", "U+C0", "UTC0 ", " UTC0", "UTC0\t", "CET-1CEST",
		"CET-1CEST,", "CET-1CEST,M3.5.0", "CET-1CEST,M3.5.0,", "CET-1CEST,M3.5.0,M10.5.0,",
		"CET-1CEST,M0.5.0,M10.5.0", "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0",
		"CET-1CEST,M3.0.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,M3,M10.5.0",
		"CET-1CEST,J0,J300", "CET-1CEST,J366,J300", "CET-1CEST,366,300",
		"CET-1CEST,M3.5.0/168,M10.5.0", "CET-1CEST,M3.5.0/,M10.5.0",
		"CET-1CEST,M3.5.0/-168,M10.5.0", "CET-1CEST-25,M3.5.0,M10.5.0",
		"CET-99999999999999999999", "CET-1CEST,M99999999999.5.0,M10.5.0",
		":Europe/Berlin" };
	(void)state;
	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
		struct arena memory = { 0 };
		uint8_t buffer[1024];
		const struct zone_file file = { .version = '2', .rule = rules[i] };
		struct zone *zone;
		int error =
			zone_read(&zone, zone_file_write(&file, buffer, sizeof buffer), &memory);
		if (error != ERR_MALFORMED)
			fail_msg("\"%s\" is taken: %d", rules[i], error);
		arena_free(&memory);
	}
}

static const struct zone_step steps[] = { { -1000, 100 }, { 0, 200 }, { 5000, -300 } };

static void transitions_decide(void **state)
{
	static const struct {
		uint8_t version;
		const char *rule;
		int64_t now_s;
		int32_t offset_s;
	} rows[] = {
		{ '2', "", INT64_MIN, 7 },
		{ '2', "", -1001, 7 },
		{ '2', "", -1000, 100 },
		{ '2', "", -1, 100 },
		{ '2', "", 0, 200 },
		{ '2', "", 4999, 200 },
		{ '2', "", 5000, -300 },
		{ '2', "", INT64_MAX, -300 },
		/* The rule is for what comes after the last one. */
		{ '3', "XXX-2", 4999, 200 },
		{ '3', "XXX-2", 5000, 7200 },
		{ '4', "XXX-2", INT64_MAX, 7200 },
		{ 0, "", INT32_MIN, 7 },
		{ 0, "", -1000, 100 },
		{ 0, "", INT64_MAX, -300 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct arena memory = { 0 };
		uint8_t buffer[1024];
		const struct zone_file file = { rows[i].version, 7, steps, 3, rows[i].rule };
		struct zone *zone;
		assert_int_equal(
			zone_read(&zone, zone_file_write(&file, buffer, sizeof buffer), &memory),
			0);
		assert_int_equal(zone_offset_s(zone, rows[i].now_s), rows[i].offset_s);
		arena_free(&memory);
	}
}

static int read_copy(struct slice bytes)
{
	/* Of exactly this length, so that a sanitizer sees a byte read too far. */
	uint8_t *copy = malloc(bytes.len ? bytes.len : 1);
	struct arena memory = { 0 };
	struct zone *zone;
	assert_non_null(copy);
	if (bytes.len)
		memcpy(copy, bytes.at, bytes.len);
	int error = zone_read(&zone, slice_of(copy, bytes.len), &memory);
	if (!error)
		for (int64_t now_s = -10000; now_s <= 10000; now_s += 1000)
			zone_offset_s(zone, now_s);
	free(copy);
	arena_free(&memory);
	return error;
}

static void what_is_cut_off_is_refused(void **state)
{
	static const uint8_t versions[] = { 0, '2' };
	(void)state;
	for (size_t v = 0; v < sizeof versions; v++) {
		uint8_t buffer[1024];
		const struct zone_file file = { versions[v], 7, steps, 3, "CET-1" };
		struct slice whole = zone_file_write(&file, buffer, sizeof buffer);
		assert_int_equal(read_copy(whole), 0);
		for (size_t len = 0; len < whole.len; len++)
			assert_int_equal(read_copy(slice_of(whole.at, len)), ERR_MALFORMED);
	}
}

/* One byte is another: read or refused, nothing worse. */
static void any_byte_may_be_wrong(void **state)
{
	uint8_t buffer[1024];
	const struct zone_file file = { '2', 7, steps, 3, "CET-1CEST,M3.5.0,M10.5.0/3" };
	struct slice whole = zone_file_write(&file, buffer, sizeof buffer);
	(void)state;
	for (size_t i = 0; i < whole.len; i++) {
		uint8_t before = buffer[i];
		for (unsigned byte = 0; byte < 256; byte++) {
			buffer[i] = (uint8_t)byte;
			int error = read_copy(whole);
			assert_true(error == 0 || error == ERR_MALFORMED);
		}
		buffer[i] = before;
	}
}

static void senseless_files_are_refused(void **state)
{
	static const struct zone_step backward[] = { { 10, 0 }, { 9, 0 } };
	static const struct zone_step twice[] = { { 10, 0 }, { 10, 1 } };
	static const struct zone_step far[] = { { 10, 93600 } };
	static const struct zone_step west[] = { { 10, -90000 } };
	static const struct zone_step edges[] = { { 10, 93599 }, { 11, -89999 } };
	static const struct {
		struct zone_file file;
		int error;
	} rows[] = {
		{ { '2', 0, backward, 2, "" }, ERR_MALFORMED },
		{ { '2', 0, twice, 2, "" }, ERR_MALFORMED },
		{ { '2', 0, far, 1, "" }, ERR_MALFORMED },
		{ { '2', 0, west, 1, "" }, ERR_MALFORMED },
		{ { '2', 0, edges, 2, "" }, 0 },
		{ { '2', INT32_MIN, edges, 2, "" }, ERR_MALFORMED },
		{ { '2', 0, NULL, 0, "" }, 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t buffer[1024];
		assert_int_equal(read_copy(zone_file_write(&rows[i].file, buffer, sizeof buffer)),
			rows[i].error);
	}
	uint8_t *large = calloc(1, ZONE_FILE_MAX + 1);
	assert_non_null(large);
	memcpy(large, "TZif", 4);
	assert_int_equal(read_copy(slice_of(large, ZONE_FILE_MAX + 1)), ERR_MALFORMED);
	free(large);
}

/* ---- beside others: the C library and Python read the same files ---- */

#define ZONES "/usr/share/zoneinfo"

/* Moments of every season and year, and around every change that there is on the way. */
enum { FIRST_YEAR = 1901, LAST_YEAR = 2150, HALF_DAY_S = 43200 };

static struct zone *open_zone(const char *path, struct arena *memory)
{
	struct zone *zone;
	struct slice bytes = fixture_read_file(path);
	int error = zone_read(&zone, bytes, memory);
	free((void *)(uintptr_t)bytes.at);
	return error ? NULL : zone;
}

static int32_t library_offset_s(int64_t now_s)
{
	time_t time = (time_t)now_s;
	struct tm parts;
	assert_non_null(localtime_r(&time, &parts));
	return (int32_t)parts.tm_gmtoff;
}

/* The very second of each change between two moments. */
static unsigned compare_changes(
	const struct zone *zone, const char *path, int64_t low, int64_t high)
{
	while (high - low > 1) {
		int64_t middle = low + (high - low) / 2;
		if (library_offset_s(middle) == library_offset_s(low))
			low = middle;
		else
			high = middle;
	}
	for (int64_t s = low; s <= high; s++)
		if (zone_offset_s(zone, s) != library_offset_s(s))
			fail_msg("%s at %" PRId64 ": %d, the C library says %d", path, s,
				zone_offset_s(zone, s), library_offset_s(s));
	return 1;
}

static unsigned compare_zone(const char *path)
{
	struct arena memory = { 0 };
	char variable[512];
	unsigned changes = 0;
	const struct zone *zone = open_zone(path, &memory);
	if (!zone)
		fail_msg("%s cannot be read", path);
	snprintf(variable, sizeof variable, ":%s", path);
	setenv("TZ", variable, 1);
	tzset();
	int64_t begin_s = (FIRST_YEAR - 1970) * INT64_C(31556952);
	int64_t end_s = (LAST_YEAR - 1970) * INT64_C(31556952);
	const int64_t stride_s = 9 * 2 * HALF_DAY_S + 3607;
	for (int64_t s = begin_s; s < end_s; s += stride_s) {
		int32_t offset_s = library_offset_s(s);
		if (zone_offset_s(zone, s) != offset_s)
			fail_msg("%s at %" PRId64 ": %d, the C library says %d", path, s,
				zone_offset_s(zone, s), offset_s);
		if (library_offset_s(s + stride_s) != offset_s)
			changes += compare_changes(zone, path, s, s + stride_s);
	}
	arena_free(&memory);
	return changes;
}

/* Some of each part of the world, and all oddities of rules at their ends. */
static const char *const places[] = { "Africa/Cairo", "Africa/Casablanca", "Africa/Monrovia",
	"America/Argentina/Buenos_Aires", "America/Asuncion", "America/Caracas", "America/Havana",
	"America/Los_Angeles", "America/New_York", "America/Nuuk", "America/Santiago",
	"America/Sao_Paulo", "America/Scoresbysund", "America/St_Johns", "Antarctica/Troll",
	"Asia/Gaza", "Asia/Jerusalem", "Asia/Kathmandu", "Asia/Kolkata", "Asia/Pyongyang",
	"Asia/Tehran", "Asia/Tokyo", "Atlantic/Azores", "Australia/Lord_Howe", "Australia/Sydney",
	"Etc/GMT+12", "Etc/UTC", "Europe/Berlin", "Europe/Chisinau", "Europe/Dublin",
	"Europe/Istanbul", "Europe/Lisbon", "Europe/London", "Europe/Moscow", "Pacific/Apia",
	"Pacific/Auckland", "Pacific/Chatham", "Pacific/Easter", "Pacific/Kiritimati",
	"Pacific/Kwajalein" };
enum { PLACES = sizeof places / sizeof places[0] };

static void need_zones(void)
{
	struct stat there;
	if (stat(ZONES "/Europe/Berlin", &there) == 0)
		return;
	print_message("skipped: there is no " ZONES " here (package tzdata)\n");
	skip();
}

static void the_c_library_agrees(void **state)
{
	unsigned changes = 0;
	(void)state;
	need_zones();
	for (size_t i = 0; i < PLACES; i++) {
		char path[256];
		snprintf(path, sizeof path, ZONES "/%s", places[i]);
		changes += compare_zone(path);
	}
	unsetenv("TZ");
	tzset();
	print_message("%u changes of %u zones to the second\n", changes, (unsigned)PLACES);
	assert_true(changes > 5000);
}

/* Every zone that Python knows, at 24 moments a year; Python reads the bytes by itself. */
static const char script[] =
	"import datetime as d, zoneinfo as z\n"
	"for name in sorted(z.available_timezones()):\n"
	"    if name == 'localtime' or name.startswith(('right/', 'posix/')): continue\n"
	"    try: zone = z.ZoneInfo(name)\n"
	"    except Exception: continue\n"
	"    for year in (1902, 1918, 1945, 1969, 1983, 1999, 2007, 2100, 2399,\n"
	"                 *range(2014, 2040)):\n"
	"        for month in range(1, 13):\n"
	"            for day in (1, 28):\n"
	"                at = d.datetime(year, month, day, 1, 30, tzinfo=d.timezone.utc)\n"
	"                off = at.astimezone(zone).utcoffset()\n"
	"                print(name, int((at - d.datetime(1970, 1, 1, tzinfo=d.timezone.utc))\n"
	"                      .total_seconds()), int(off.total_seconds()))\n";

static FILE *ask_python(void)
{
	char path[] = "/tmp/zone_test_XXXXXX";
	char command[256];
	int file = mkstemp(path);
	assert_true(file >= 0);
	FILE *to = fdopen(file, "w");
	assert_non_null(to);
	fputs(script, to);
	fclose(to);
	snprintf(command, sizeof command, "PYTHONTZPATH=" ZONES " /usr/bin/python3 %s; rm %s", path,
		path);
	return popen(command, "r");
}

static void python_agrees(void **state)
{
	char name[128] = "", last[128] = "";
	int64_t now_s;
	int offset_s;
	unsigned zones = 0, moments = 0;
	struct arena memory = { 0 };
	const struct zone *zone = NULL;
	(void)state;
	need_zones();
	FILE *python = ask_python();
	assert_non_null(python);
	while (fscanf(python, "%127s %" SCNd64 " %d", name, &now_s, &offset_s) == 3) {
		if (strcmp(name, last) != 0) {
			char path[256];
			snprintf(path, sizeof path, ZONES "/%s", name);
			snprintf(last, sizeof last, "%s", name);
			arena_free(&memory);
			memory = (struct arena){ 0 };
			zone = open_zone(path, &memory);
			zones++;
		}
		if (!zone || zone_offset_s(zone, now_s) != offset_s)
			fail_msg("%s at %" PRId64 ": %d, Python says %d", name, now_s,
				zone ? zone_offset_s(zone, now_s) : 0, offset_s);
		moments++;
	}
	arena_free(&memory);
	if (pclose(python) != 0 || zones == 0) {
		print_message("skipped: no Python with zoneinfo here\n");
		skip();
	}
	print_message("%u zones at %u moments\n", zones, moments);
	assert_true(zones > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utc_is_no_zone),
		cmocka_unit_test(rules_of_the_footer),
		cmocka_unit_test(wrong_rules_are_refused),
		cmocka_unit_test(transitions_decide),
		cmocka_unit_test(what_is_cut_off_is_refused),
		cmocka_unit_test(any_byte_may_be_wrong),
		cmocka_unit_test(senseless_files_are_refused),
		cmocka_unit_test(the_c_library_agrees),
		cmocka_unit_test(python_agrees),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
