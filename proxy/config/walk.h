/* walk.h - takes the settings of a file through the schema, into a draft. One engine for all keys:
 * unknown ones, missing ones, and the value of each. */
#ifndef PROXY_CONFIG_WALK_H
#define PROXY_CONFIG_WALK_H

#include "proxy/config/value.h"

/* Fills the draft; what is wrong is told to reader->errors. */
void walk_settings(struct value_reader *reader, const struct setting *root, struct draft *draft);

#endif
