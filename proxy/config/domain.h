/* domain.h - texts of the file that are names: of domains and hosts, and networks as the reverse
 * zones that they mean. Pure. Each parser returns NULL, or what is wrong with the text, to be said
 * behind it ("is not a domain name"). */
#ifndef PROXY_CONFIG_DOMAIN_H
#define PROXY_CONFIG_DOMAIN_H

#include "base/address.h"
#include "dns/name.h"

/* Room for what is wrong, where it has to be made. */
struct domain_fault {
	char text[320];
};

/* One name, but not the root. Case is kept. */
const char *domain_parse(struct dns_name *name, const char *text);

enum { DOMAIN_HOST_MAX = 254 };

/* A name as certificates and URLs have it: letters, digits, "-" and "_". Written without a dot at
 * its end and in lower case. */
const char *domain_parse_host(
	char host[DOMAIN_HOST_MAX], const char *text, struct domain_fault *fault);

/* A name as it is asked for, which stands for itself alone: in lower case, without an asterisk. */
const char *domain_parse_question(struct dns_name *name, const char *text);

/* A domain that stands for itself and everything below: in lower case, without an asterisk. */
const char *domain_parse_tree(struct dns_name *name, const char *text, struct domain_fault *fault);

/* The same, and an address or network is its reverse zone: "10.0.0.0/8" is 10.in-addr.arpa. */
const char *domain_parse_zone(struct dns_name *name, const char *text, struct domain_fault *fault);

/* 4.3.2.1.in-addr.arpa (RFC 1035 3.5), or nibbles under ip6.arpa (RFC 3596 2.5): of the first
 * `prefix_len` of the 128 bits, which end between two labels. */
void domain_of_network(struct dns_name *name, const struct address *address, unsigned prefix_len);

#endif
