#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static char line[8192];
static FILE *captured;
static int saved_stderr;

/* Standard error goes into a file for the time of one test. */
static int begin_capture(void **state)
{
	(void)state;
	captured = tmpfile();
	saved_stderr = dup(STDERR_FILENO);
	return captured && dup2(fileno(captured), STDERR_FILENO) >= 0 ? 0 : -1;
}

static int end_capture(void **state)
{
	(void)state;
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	fclose(captured);
	log_set_level(LOG_INFO);
	return 0;
}

/* All that was logged so far. */
static const char *logged(void)
{
	ssize_t len = pread(fileno(captured), line, sizeof line - 1, 0);
	line[len > 0 ? len : 0] = '\0';
	return line;
}

static void one_event_is_one_stamped_line(void **state)
{
	(void)state;
	log_warning("listener: cannot bind port=%d", 53);
	const char *text = logged();
	int year, month, day, hour, minute, second, millisecond, end = 0;
	assert_int_equal(sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ %n", &year, &month, &day, &hour,
				 &minute, &second, &millisecond, &end),
		7);
	assert_int_equal(end, strlen("2026-01-02T03:04:05.678Z "));
	assert_string_equal(text + end, "warning listener: cannot bind port=53\n");
}

static void levels_above_the_set_one_are_silent(void **state)
{
	(void)state;
	log_debug("hidden");
	log_set_level(LOG_ERROR);
	log_warning("hidden");
	log_info("hidden");
	assert_string_equal(logged(), "");
	log_error("seen");
	assert_non_null(strstr(logged(), "error seen\n"));
	log_set_level(LOG_DEBUG);
	log_debug("seen too");
	assert_non_null(strstr(logged(), "debug seen too\n"));
}

/* What comes from a configuration or a certificate can neither begin a line nor steer a terminal:
 * 0x9b is an escape sequence's beginning for some. */
static void only_printable_ascii_passes(void **state)
{
	(void)state;
	log_info("a%sb", "\n2026-01-02T03:04:05.678Z error forged\r\x1b[2J\x7f\x9b\xc2\x9b\t");
	const char *text = logged();
	assert_non_null(strstr(text,
		" info a\\x0a2026-01-02T03:04:05.678Z error forged"
		"\\x0d\\x1b[2J\\x7f\\x9b\\xc2\\x9b\\x09b\n"));
	assert_ptr_equal(strchr(text, '\n') + 1, text + strlen(text));
}

static void long_lines_are_cut_and_end(void **state)
{
	(void)state;
	char text[6000];
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	log_info("%s", text);
	memset(text, '\n', sizeof text - 1); /* grows fourfold */
	log_info("%s", text);
	const char *all = logged();
	const char *first_end = strchr(all, '\n');
	assert_non_null(first_end);
	assert_in_range(first_end - all, 1500, 2200);
	assert_ptr_equal(strchr(first_end + 1, '\n') + 1, all + strlen(all));
}

static void a_flood_becomes_one_line_a_second(void **state)
{
	(void)state;
	struct log_rate rate = { 0 };
	const struct {
		uint64_t now_ms;
		unsigned result;
	} rows[] = {
		{ 5000, 1 },
		{ 5000, 0 },
		{ 5999, 0 },
		{ 6000, 3 }, /* this one and two left out */
		{ 6001, 0 },
		{ 60000, 2 },
		{ 61000, 1 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(log_rate_ok(&rate, rows[i].now_ms), rows[i].result);
}

static void a_clock_at_zero_counts_too(void **state)
{
	(void)state;
	struct log_rate rate = { 0 };
	assert_int_equal(log_rate_ok(&rate, 0), 1);
	assert_int_equal(log_rate_ok(&rate, 10), 0);
	assert_int_equal(log_rate_ok(&rate, 2000), 2);
}

#define captured_test(function)                                                                    \
	cmocka_unit_test_setup_teardown(function, begin_capture, end_capture)

/* Into a pipe that nobody reads: nothing waits, and once somebody does, it is said what is missing.
 */
static void who_does_not_read_is_not_waited_for(void **state)
{
	(void)state;
	int ends[2];
	uint64_t before = log_lines_lost();
	assert_int_equal(pipe(ends), 0);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	dup2(ends[1], STDERR_FILENO);
	for (unsigned i = 0; i < 3000; i++)
		log_warning("line %u with words that fill the pipe sooner or later", i);
	uint64_t lost = log_lines_lost() - before;
	assert_true(lost > 0 && lost < 3000);
	while (read(ends[0], line, sizeof line) > 0)
		continue;
	log_warning("heard again");
	ssize_t len = read(ends[0], line, sizeof line - 1);
	line[len > 0 ? len : 0] = '\0';
	char expected[64];
	snprintf(expected, sizeof expected, "lines lost count=%llu:", (unsigned long long)lost);
	assert_non_null(strstr(line, expected));
	assert_non_null(strstr(line, "warning heard again\n"));
	assert_int_equal(log_lines_lost() - before, lost);
	close(ends[0]);
	log_warning("nobody"); /* SIGPIPE is ignored by the program, and by this test */
	assert_int_equal(log_lines_lost() - before, lost + 1);
	close(ends[1]);
}

/* journald gives a socket. */
static void a_socket_is_not_waited_for_either(void **state)
{
	(void)state;
	int ends[2];
	uint64_t before = log_lines_lost();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	dup2(ends[1], STDERR_FILENO);
	for (unsigned i = 0; i < 20000; i++)
		log_warning("line %u", i);
	assert_true(log_lines_lost() > before);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		captured_test(one_event_is_one_stamped_line),
		captured_test(levels_above_the_set_one_are_silent),
		captured_test(only_printable_ascii_passes),
		captured_test(long_lines_are_cut_and_end),
		captured_test(who_does_not_read_is_not_waited_for),
		captured_test(a_socket_is_not_waited_for_either),
		cmocka_unit_test(a_flood_becomes_one_line_a_second),
		cmocka_unit_test(a_clock_at_zero_counts_too),
	};
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
