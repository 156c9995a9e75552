/* outage.h - one line in the log when an upstream goes down and one when it is back, and one that
 * says why it cannot be reached, though every worker finds out by itself: what was said last is
 * remembered once per process. Safe from any thread; called when something changes, never per
 * query. */
#ifndef PROXY_UPSTREAM_OUTAGE_H
#define PROXY_UPSTREAM_OUTAGE_H

#include <stdbool.h>
#include <stdint.h>

/* True when the log says so, from now on or already. False: not yet, tell it again later. An
 * upstream (its name) goes down at most once a second there. */
bool outage_tell(const char *name, bool is_down, uint64_t now_ms);

/* May the log say why an attempt to reach it failed? `word` names the reason, and must be a literal
 * or the like. Not when it is the same as last time, for OUTAGE_REASON_MS, unless it has been back
 * in between; and one a second at most. */
enum { OUTAGE_REASON_MS = 60000 };
bool outage_may_say_why(const char *name, const char *word, uint64_t now_ms);

#endif
