#include "proxy/config/url.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { PORT_HTTPS = 443 };

static bool is_hex(char c)
{
	return isxdigit((unsigned char)c) != 0;
}

static const char *check_bytes(const char *text)
{
	for (const char *c = text; *c; c++) {
		if (*c == '#')
			return "has a fragment (#...), which is never sent: leave it out";
		if (*c <= ' ' || *c >= 0x7f || strchr("\"<>\\^`{|}", *c))
			return "has a byte that a URL has only as an escape, such as %20";
		if (*c == '%' && !(is_hex(c[1]) && is_hex(c[2])))
			return "has a \"%\" without two hexadecimal digits behind it";
	}
	return NULL;
}

static const char *check_scheme(const char *text)
{
	if (strncasecmp(text, "https://", 8) == 0)
		return NULL;
	if (strncasecmp(text, "http://", 7) == 0)
		return "must begin with https://, as over http:// anybody on the way can change "
		       "the list";
	if (strncasecmp(text, "file:", 5) == 0)
		return "is that of a file: write file = \"...\"";
	return "must begin with https://";
}

/* Programs take "127.1", "0x7f000001" and the like for IPv4 addresses. */
static bool ends_in_number(const char *host)
{
	const char *dot = strrchr(host, '.');
	const char *label = dot ? dot + 1 : host;
	return strspn(label, "0123456789") == strlen(label) || strncasecmp(label, "0x", 2) == 0;
}

static const char *parse_host(struct url *url, const char *text, struct domain_fault *fault)
{
	struct domain_fault inner;
	if (address_parse(&url->address, text) && !strchr(text, ':'))
		return NULL;
	const char *wrong = domain_parse_host(url->host, text, &inner);
	if (!wrong && ends_in_number(url->host))
		wrong = "ends in a number and is not an address";
	if (!wrong)
		return NULL;
	snprintf(fault->text, sizeof fault->text, "has a host that %s", wrong);
	return fault->text;
}

static const char *parse_port(struct url *url, const char *text)
{
	size_t digits = strspn(text, "0123456789");
	long port = digits && digits <= 5 ? strtol(text, NULL, 10) : 0;
	if (text[digits] || port < 1 || port > UINT16_MAX)
		return "has a port that is not a number from 1 to 65535";
	url->port = (uint16_t)port;
	return NULL;
}

/* "[2001:db8::1]", "192.0.2.1", "lists.example", each with or without ":8443". */
static const char *parse_authority(struct url *url, char *text, struct domain_fault *fault)
{
	bool in_brackets = text[0] == '[';
	char *host_end = in_brackets ? strchr(text, ']') : strchr(text, ':');
	if (in_brackets) {
		if (!host_end || (host_end[1] && host_end[1] != ':'))
			return "has a bracket where none belongs";
		*host_end++ = '\0';
		if (!strchr(text, ':') || !address_parse(&url->address, text + 1))
			return "has no IPv6 address in its brackets";
	}
	const char *port = host_end && *host_end ? host_end + 1 : NULL;
	if (host_end)
		*host_end = '\0';
	if (!*text)
		return "has no host";
	const char *wrong = in_brackets ? NULL : parse_host(url, text, fault);
	return wrong || !port ? wrong : parse_port(url, port);
}

const char *url_parse(struct url *url, const char *text, struct domain_fault *fault)
{
	char authority[DOMAIN_HOST_MAX + 16];
	*url = (struct url){ .port = PORT_HTTPS };
	const char *wrong = check_scheme(text);
	if (!wrong)
		wrong = check_bytes(text);
	if (wrong)
		return wrong;
	text += strlen("https://");
	size_t len = strcspn(text, "/?");
	url->path = text + len;
	if (memchr(text, '@', len))
		return "has a user or password in it, which would get into logs";
	if (len >= sizeof authority)
		return "has a host that is too long";
	memcpy(authority, text, len);
	authority[len] = '\0';
	return parse_authority(url, authority, fault);
}
