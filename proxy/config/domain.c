#include "proxy/config/domain.h"

#include <stdio.h>

enum { V4_FIRST = 96 }; /* bits of a struct address in front of an IPv4 one */

static const char *check_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			return "is not ASCII: write the name with xn--";
	return NULL;
}

const char *domain_parse(struct dns_name *name, const char *text)
{
	const char *wrong = check_ascii(text);
	if (wrong)
		return wrong;
	if (!dns_name_from_text(name, slice_of_text(text)) || name->len < 2)
		return "is not a domain name";
	return NULL;
}

static bool is_host_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

const char *domain_parse_host(
	char host[DOMAIN_HOST_MAX], const char *text, struct domain_fault *fault)
{
	struct dns_name name;
	struct address address;
	if (address_parse(&address, text))
		return "is an address, not the name of a host";
	const char *wrong = domain_parse(&name, text);
	if (wrong)
		return wrong;
	size_t len = strlen(text);
	len -= text[len - 1] == '.';
	for (size_t i = 0; i < len; i++) {
		host[i] = (char)dns_lower((uint8_t)text[i]);
		if (is_host_byte(host[i]))
			continue;
		snprintf(fault->text, sizeof fault->text,
			"is not the name of a host: only letters, digits, \"-\", \"_\" and dots "
			"can be in one%s",
			strchr(text, '/') ? "; a URL is cut into host, port and path" : "");
		return fault->text;
	}
	host[len] = '\0';
	return NULL;
}

/* A name in lower case, still with its asterisks. */
static const char *parse_lower(struct dns_name *name, const char *text)
{
	struct network network;
	struct address address;
	if (address_parse(&address, text) || network_parse(&network, text))
		return "is an address or network; what is meant here is the name of a domain";
	const char *wrong =
		strpbrk(text, " /:") ? "is not a domain name" : domain_parse(name, text);
	if (!wrong)
		dns_name_lower(name->wire, name->wire, name->len);
	return wrong;
}

const char *domain_parse_question(struct dns_name *name, const char *text)
{
	const char *wrong = parse_lower(name, text);
	if (wrong || !strchr(text, '*'))
		return wrong;
	return "has an asterisk, which stands for nothing here: write a name as it is asked for";
}

const char *domain_parse_tree(struct dns_name *name, const char *text, struct domain_fault *fault)
{
	const char *wrong = parse_lower(name, text);
	if (wrong || !strchr(text, '*'))
		return wrong;
	bool is_all_below = strncmp(text, "*.", 2) == 0 && !strchr(text + 2, '*');
	snprintf(fault->text, sizeof fault->text,
		is_all_below
			? "has an asterisk: write \"%.240s\", which means the name and everything "
			  "below"
			: "has an asterisk, which stands for nothing here: a name means itself and "
			  "everything below",
		text + 2);
	return fault->text;
}

void domain_of_network(struct dns_name *name, const struct address *address, unsigned prefix_len)
{
	static const char hex[] = "0123456789abcdef";
	char text[80];
	struct writer to = writer_of(text, sizeof text);
	bool is_v4 = address_is_v4(address) && prefix_len >= V4_FIRST;
	if (is_v4) {
		for (size_t i = prefix_len / 8; i-- > V4_FIRST / 8;) {
			writer_decimal(&to, address->bytes[i]);
			writer_u8(&to, '.');
		}
	} else {
		for (size_t i = prefix_len / 4; i-- > 0;) {
			uint8_t byte = address->bytes[i / 2];
			writer_u8(&to, (uint8_t)hex[i % 2 ? byte & 15 : byte >> 4]);
			writer_u8(&to, '.');
		}
	}
	writer_text(&to, is_v4 ? "in-addr.arpa" : "ip6.arpa");
	dns_name_from_text(name, writer_slice(&to));
}

/* "10.0.0.0/12" is sixteen zones: says which is the first and which the last. */
static const char *tell_split(
	struct domain_fault *fault, const struct network *network, unsigned step)
{
	char first[ADDRESS_TEXT_MAX], last[ADDRESS_TEXT_MAX];
	struct address end = network->address;
	unsigned zone_len = (network->prefix_len + step - 1) / step * step;
	unsigned family = step == 8 ? V4_FIRST : 0;
	for (unsigned bit = network->prefix_len; bit < zone_len; bit++)
		end.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	address_text(&network->address, first);
	address_text(&end, last);
	snprintf(fault->text, sizeof fault->text,
		"is not one reverse zone, as those end at every %u bits; write all from "
		"\"%s/%u\" to \"%s/%u\"",
		step, first, zone_len - family, last, zone_len - family);
	return fault->text;
}

const char *domain_parse_zone(struct dns_name *name, const char *text, struct domain_fault *fault)
{
	struct network network;
	if (!network_parse(&network, text)) {
		if (!strchr(text, '/'))
			return domain_parse_tree(name, text, fault);
		return "is neither a domain nor a network such as \"10.0.0.0/8\" or "
		       "\"2001:db8::/32\"";
	}
	bool is_v4 = address_is_v4(&network.address) && network.prefix_len >= V4_FIRST;
	unsigned step = is_v4 ? 8 : 4;
	if (network.prefix_len % step != 0)
		return tell_split(fault, &network, step);
	domain_of_network(name, &network.address, network.prefix_len);
	return NULL;
}
