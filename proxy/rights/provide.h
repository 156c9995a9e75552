/* provide.h - what must be there before rights are given up, and whether what is left is enough. */
#ifndef PROXY_RIGHTS_PROVIDE_H
#define PROXY_RIGHTS_PROVIDE_H

#include "proxy/config.h"
#include "proxy/rights/become.h"

/* Makes what is missing: the state directory, the directory of the control socket, the query log;
 * for `owner`, or as whoever we are (NULL). What is there stays whose it is: a program that goes
 * through directories as root and changes owners can be led elsewhere. Failing is told by whoever
 * wants to use it. */
void provide_places(const struct config *config, const struct become *owner);

/* May we, as who we are now, read what a reload reads and write where the configuration says? Else
 * a line in the log says which file, whose it is, and what to do. */
bool provide_is_enough(const struct config *config, const struct become *owner);

#endif
