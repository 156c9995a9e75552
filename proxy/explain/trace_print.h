/* trace_print.h - a trace for programs and for people; docs/explain.md has every field. */
#ifndef PROXY_EXPLAIN_TRACE_PRINT_H
#define PROXY_EXPLAIN_TRACE_PRINT_H

#include <stdio.h>

#include "proxy/explain/trace.h"

/* One JSON object; a row of a list stands on a line of its own. What a row has not is left out. */
void trace_print_json(FILE *to, const struct trace *trace);

/* The verdict first, what could be done last. */
void trace_print_text(FILE *to, const struct trace *trace);

/* "2026-11-22 04:30:00 UTC" */
enum { TRACE_TIME_MAX = 32 };
const char *trace_time_text(int64_t time_s, char text[TRACE_TIME_MAX]);

#endif
