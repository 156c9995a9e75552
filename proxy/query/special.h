/* special.h - names that are answered here: what RFC 6761 and its kin say about them, so that they
 * never reach an upstream (requirements: RFC 6761, 6303, 7793, 7686, 8375, 6762). Pure; the cost
 * does not depend on how many zones there are. For class IN. */
#ifndef PROXY_QUERY_SPECIAL_H
#define PROXY_QUERY_SPECIAL_H

#include "dns/reply.h"
#include "proxy/config.h"

/* What a special name is; false when it is none, or when its switch (`enabled`) is off. `name` is
 * lower-case wire. The DS of an empty zone's apex belongs to the zone above it (RFC 4035 3.1.4.1)
 * and is not special: it proves to a client that validates that the zone may be unsigned. */
bool special_find(const bool enabled[SPECIAL_NAMES], struct slice name, uint16_t type,
	enum special_name *special);

/* Writes the answer into a reply that has just begun: records, or NXDOMAIN or nothing with an SOA.
 * localhost: 127.0.0.1 and ::1, and nothing else of any type; the private reverse zones and
 * home.arpa: an empty zone with SOA and NS at its apex (RFC 6303 3), and localhost for the loopback
 * addresses; the others do not exist. `name` is one that special_find() has found to be
 * `special`. */
void special_answer(enum special_name special, struct slice name, struct dns_reply *reply);

/* "localhost", "private_reverse": as the configuration spells it. */
const char *special_name_text(enum special_name special);

#endif
