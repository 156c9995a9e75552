#include "proxy/upstream/system_resolvers.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/reader.h"

enum { DNS_PORT = 53, OWN_MAX = 64, FILE_MAX = 16384 };

static bool is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r';
}

/* The next word of `*line`, which is moved behind it; empty at the end. */
static struct slice take_word(struct slice *line)
{
	while (line->len > 0 && is_blank(line->at[0]))
		*line = slice_of(line->at + 1, line->len - 1);
	size_t len = 0;
	while (len < line->len && !is_blank(line->at[len]))
		len++;
	struct slice word = slice_of(line->at, len);
	*line = slice_of(line->at + len, line->len - len);
	return word;
}

static struct slice take_line(struct slice *text)
{
	const uint8_t *end = text->len ? memchr(text->at, '\n', text->len) : NULL;
	size_t len = end ? (size_t)(end - text->at) : text->len;
	struct slice line = slice_of(text->at, len);
	if (end)
		len++;
	*text = slice_of(text->at + len, text->len - len);
	return line;
}

static bool parse_address(struct slice word, struct address *address)
{
	char text[ADDRESS_TEXT_MAX];
	if (word.len == 0 || word.len >= sizeof text)
		return false;
	memcpy(text, word.at, word.len);
	text[word.len] = '\0';
	return strlen(text) == word.len && address_parse(address, text);
}

static bool is_loopback(const struct address *address)
{
	static const uint8_t v6[16] = { [15] = 1 };
	if (address_is_v4(address))
		return address->bytes[12] == 127;
	return memcmp(address->bytes, v6, sizeof v6) == 0;
}

static bool is_unspecified(const struct address *address)
{
	static const uint8_t zeros[16];
	if (address_is_v4(address))
		return memcmp(address->bytes + 12, zeros, 4) == 0;
	return memcmp(address->bytes, zeros, sizeof zeros) == 0;
}

/* A resolver of 0.0.0.0 is this host, too (that is what Linux makes of it). */
static bool is_own(const struct address *address, const struct address *own, size_t own_count)
{
	for (size_t i = 0; i < own_count; i++) {
		bool here = is_loopback(address) || is_unspecified(address);
		bool same_family = address_is_v4(address) == address_is_v4(&own[i]);
		if (memcmp(address->bytes, own[i].bytes, sizeof address->bytes) == 0)
			return true;
		if (is_unspecified(&own[i]) && same_family && here)
			return true;
	}
	return false;
}

static void add(struct system_resolvers *resolvers, const struct address *address)
{
	size_t index = resolvers->count;
	for (size_t i = 0; i < index; i++) {
		if (memcmp(&resolvers->upstreams[i].address, address, sizeof *address) == 0)
			return; /* named twice */
	}
	if (index == SYSTEM_RESOLVERS_MAX) {
		resolvers->skipped++;
		return;
	}
	address_text(address, resolvers->names[index]);
	resolvers->upstreams[index] = (struct upstream_config){
		.name = resolvers->names[index], .address = *address, .port = DNS_PORT
	};
	resolvers->count++;
}

static void take_nameserver(struct system_resolvers *resolvers, struct slice word,
	const struct address *own, size_t own_count)
{
	struct address address;
	if (!parse_address(word, &address))
		resolvers->skipped++;
	else if (is_own(&address, own, own_count))
		resolvers->own++;
	else
		add(resolvers, &address);
}

void system_resolvers_parse(struct system_resolvers *resolvers, struct slice text,
	const struct address *own, size_t own_count)
{
	*resolvers = (struct system_resolvers){ .count = 0 };
	while (text.len > 0) {
		struct slice line = take_line(&text);
		if (slice_equals_text(take_word(&line), "nameserver"))
			take_nameserver(resolvers, take_word(&line), own, own_count);
	}
}

/* --- the system --- */

static size_t own_interfaces(struct address *own, size_t count)
{
	struct ifaddrs *first;
	if (getifaddrs(&first) != 0)
		return count;
	for (struct ifaddrs *at = first; at && count < OWN_MAX; at = at->ifa_next) {
		if (!at->ifa_addr)
			continue;
		if (at->ifa_addr->sa_family == AF_INET || at->ifa_addr->sa_family == AF_INET6)
			own[count++] = address_of_sockaddr(at->ifa_addr, NULL);
	}
	freeifaddrs(first);
	return count;
}

static size_t own_addresses(
	struct address *own, const struct listener_config *listeners, size_t listener_count)
{
	size_t count = 0;
	bool everywhere = false;
	for (size_t i = 0; i < listener_count && count < OWN_MAX; i++) {
		if (listeners[i].kind != LISTENER_DNS || listeners[i].port != DNS_PORT)
			continue;
		own[count++] = listeners[i].address;
		everywhere |= is_unspecified(&listeners[i].address);
	}
	return everywhere ? own_interfaces(own, count) : count;
}

static ssize_t read_file(const char *path, uint8_t *to, size_t capacity)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	size_t len = 0;
	ssize_t got = 1;
	while (len < capacity && (got = read(fd, to + len, capacity - len)) > 0)
		len += (size_t)got;
	int error = got < 0 ? -errno : 0;
	close(fd);
	return error ? error : (ssize_t)len;
}

int system_resolvers_read(struct system_resolvers *resolvers, const char *path,
	const struct listener_config *listeners, size_t listener_count)
{
	uint8_t text[FILE_MAX];
	struct address own[OWN_MAX];
	size_t own_count = own_addresses(own, listeners, listener_count);
	ssize_t len = read_file(path, text, sizeof text);
	system_resolvers_parse(
		resolvers, slice_of(text, len > 0 ? (size_t)len : 0), own, own_count);
	if (resolvers->skipped > 0)
		log_warning("upstream: nameserver lines left out (scope id, malformed, or more "
			    "than %d) file=\"%s\" count=%u",
			SYSTEM_RESOLVERS_MAX, path, resolvers->skipped);
	return len < 0 ? (int)len : 0;
}
