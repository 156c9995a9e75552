/* addresses.h - the addresses that an answer tells a client, one by one: A and AAAA records of the
 * answer section, whoever owns them, the address hints of HTTPS and SVCB records there (RFC 9460
 * 7.3), and, when those were asked for, A, AAAA and hints of the additional section: they save the
 * client a question (RFC 9460 4.1), and there are browsers that believe them. Nobody takes those
 * beside other records for more than they are. Pure. */
#ifndef RULES_ADDRESSES_H
#define RULES_ADDRESSES_H

#include "base/address.h"
#include "dns/answer.h"

/* Tells each address with the name that has it, as it stands there, until `on_address` returns
 * true. True when it did. */
bool addresses_each(const struct dns_answer *answer,
	bool (*on_address)(
		void *context, const struct address *address, const struct dns_name *owner),
	void *context);

#endif
