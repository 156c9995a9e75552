#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/writer.h"

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

/* Text from a configuration or a certificate must not start a line of its own. Bytes above ASCII
 * are not trusted either: some terminals obey 0x9b as they do ESC [. */
static void write_defused(struct writer *to, const char *text)
{
	static const char hex_digits[] = "0123456789abcdef";
	for (; *text; text++) {
		uint8_t byte = (uint8_t)*text;
		const char escaped[] = { '\\', 'x', hex_digits[byte >> 4], hex_digits[byte & 0xf] };
		if (byte >= 0x20 && byte < 0x7f)
			writer_u8(to, byte);
		else
			writer_bytes(to, escaped, sizeof escaped);
	}
}

void log_line(enum log_level level, const char *format, ...)
{
	if ((int)level > atomic_load_explicit(&shown_level, memory_order_relaxed))
		return;
	char text[2048];
	char line[sizeof text + 1];
	va_list arguments;
	va_start(arguments, format);
	int len = vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (len < 0)
		return;
	struct writer to = writer_of(line, sizeof line - 1);
	to.len = write_stamp(line, sizeof line, level);
	write_defused(&to, text);
	line[to.len++] = '\n';
	/* One write, so that lines of several threads do not mix. Nothing can be done if it fails.
	 */
	ssize_t ignored = write(STDERR_FILENO, line, to.len);
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
