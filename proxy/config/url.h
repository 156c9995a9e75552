/* url.h - the https URLs that lists are fetched from. Pure. Stricter than RFC 3986, so that no two
 * readers of one URL see different hosts in it. What is wrong is said without the URL itself, as
 * there are secrets in some. */
#ifndef PROXY_CONFIG_URL_H
#define PROXY_CONFIG_URL_H

#include "proxy/config/domain.h"

enum { URL_LEN_MAX = 2048 };

struct url {
	char host[DOMAIN_HOST_MAX]; /* lower case, without a dot at the end; "" when an address */
	struct address address;     /* when there is no name */
	uint16_t port;
	const char *path; /* in the text, with the query; "" when there is none */
};

/* NULL, or what is wrong with the text, to be said behind "the URL". */
const char *url_parse(struct url *url, const char *text, struct domain_fault *fault);

#endif
