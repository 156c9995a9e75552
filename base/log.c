#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/writer.h"

static _Atomic int shown_level = LOG_INFO;
static _Atomic uint64_t lost; /* lines that standard error did not take */

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

/* A line, or nothing: whoever reads standard error may have stopped, and nobody who has something
 * to say waits for that. A pipe that is writable has room for PIPE_BUF, which no line is longer
 * than (pipe(7)); O_NONBLOCK would hold for others who share it. */
static bool write_now(const char *line, size_t len)
{
	struct pollfd wait = { .fd = STDERR_FILENO, .events = POLLOUT };
	ssize_t sent = send(STDERR_FILENO, line, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && errno == ENOTSOCK && poll(&wait, 1, 0) == 1)
		sent = write(STDERR_FILENO, line, len);
	return sent == (ssize_t)len;
}

/* One at a time: two that find room for one line would wait for the second. */
static void write_line(const char *line, size_t len)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static uint64_t told; /* of those that were lost */
	char note[160];
	int before = errno;
	pthread_mutex_lock(&lock);
	uint64_t lost_now = atomic_load_explicit(&lost, memory_order_relaxed);
	bool written = true;
	if (lost_now > told) {
		size_t note_len = write_stamp(note, sizeof note, LOG_WARNING);
		int more = snprintf(note + note_len, sizeof note - note_len,
			"log: lines lost count=%llu: standard error did not take them\n",
			(unsigned long long)(lost_now - told));
		written = write_now(note, note_len + (size_t)more);
		told = written ? lost_now : told;
	}
	if (!written || !write_now(line, len))
		atomic_fetch_add_explicit(&lost, 1, memory_order_relaxed);
	pthread_mutex_unlock(&lock);
	errno = before;
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
	write_line(line, to.len);
}

uint64_t log_lines_lost(void)
{
	return atomic_load_explicit(&lost, memory_order_relaxed);
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
