/* log.h - the program's own log (not the query log): one line, one event, on standard error.
 * "2026-01-02T03:04:05.678Z warning listener: cannot bind address=192.0.2.1 port=53: ..."
 * Lower case, no full stop. Only printable ASCII passes as it is, the rest is written \xNN:
 * nothing in a line can be taken for control by a terminal or a log reader. Safe from any thread;
 * never call it once per query without log_rate_ok(). Never waits: a line that standard error does
 * not take at once is lost, counted, and told when it takes lines again. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/slice.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level);

__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *format, ...);

#define log_error(...)   log_line(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_DEBUG, __VA_ARGS__)

/* Lines lost since the start. */
uint64_t log_lines_lost(void);

/* At most one line of a kind per second; the rest are counted. Zero-initialise one per place, and
 * ask with a monotonic time: 0 means "do not log now", otherwise 1 + the number left out. */
struct log_rate {
	uint64_t last_ms;
	unsigned left_out;
};
unsigned log_rate_ok(struct log_rate *rate, uint64_t now_ms);

#endif
