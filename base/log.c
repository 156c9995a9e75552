#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static _Atomic int shown_level = LOG_INFO;

static const char *const level_names[] = { "error", "warning", "info", "debug" };

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&shown_level, (int)level, memory_order_relaxed);
}

static size_t write_stamp(char *line, size_t size, enum log_level level)
{
	struct timespec now;
	struct tm utc;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	size_t len = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &utc);
	int more = snprintf(
		line + len, size - len, ".%03ldZ %s ", now.tv_nsec / 1000000, level_names[level]);
	return len + (size_t)more;
}

/* Text from a configuration or a certificate must not start a line of its own. */
static void defuse(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

void log_line(enum log_level level, const char *format, ...)
{
	if ((int)level > atomic_load_explicit(&shown_level, memory_order_relaxed))
		return;
	char line[2048];
	size_t len = write_stamp(line, sizeof line, level);
	va_list arguments;
	va_start(arguments, format);
	int more = vsnprintf(line + len, sizeof line - len - 1, format, arguments);
	va_end(arguments);
	if (more < 0)
		return;
	defuse(line + len);
	len = strlen(line);
	line[len++] = '\n';
	/* One write, so that lines of several threads do not mix. Nothing can be done if it fails.
	 */
	ssize_t ignored = write(STDERR_FILENO, line, len);
	(void)ignored;
}

unsigned log_rate_ok(struct log_rate *rate, uint64_t now_ms)
{
	if (rate->last_ms && now_ms - rate->last_ms < 1000) {
		rate->left_out++;
		return 0;
	}
	unsigned counted = rate->left_out + 1;
	rate->last_ms = now_ms ? now_ms : 1;
	rate->left_out = 0;
	return counted;
}
