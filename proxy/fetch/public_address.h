/* public_address.h - may a list be fetched from this address, when its configuration says nothing
 * of private ones? Only what the Internet routes to one machine: rules/rebinding.h knows what stays
 * within a machine or a network, here comes what belongs to nobody (RFC 6890, RFC 8190). Pure. */
#ifndef PROXY_FETCH_PUBLIC_ADDRESS_H
#define PROXY_FETCH_PUBLIC_ADDRESS_H

#include "base/address.h"

bool public_address(const struct address *address);

#endif
