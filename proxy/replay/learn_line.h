/* learn_line.h - what one line of a log teaches: the name that was asked for, and all names that
 * the answer led to, as a policy that blocks by default judges them too. */
#ifndef PROXY_REPLAY_LEARN_LINE_H
#define PROXY_REPLAY_LEARN_LINE_H

#include "proxy/replay/learn.h"
#include "proxy/replay/log_line.h"

/* Of a line that was blocked nothing is learned: false. `buffer` has LOG_LINE_MESSAGE_MAX bytes. */
bool learn_line(struct learn *learn, const struct log_line *line, void *buffer);

#endif
