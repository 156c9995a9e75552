/* idn.h - internationalised names: U-labels to A-labels as browsers look them up, IDNA 2008 with
 * the mapping of UTS 46, non-transitional ("straße" is not "strasse"). Only for names that have
 * other bytes than ASCII; those that have none never come here. */
#ifndef RULES_IDN_H
#define RULES_IDN_H

#include "base/writer.h"

/* Writes the ASCII form of a UTF-8 name. What comes out is text that has still to be read as a
 * name: the mapping makes dots and asterisks of their wide forms. False when it is not such a name,
 * or is too long; nothing is written then. */
bool idn_to_ascii(struct writer *to, struct slice text);

#endif
