#include "proxy/lists/suffixes.h"

#include <libpsl.h>
#include <stdlib.h>

#include "dns/name.h"

struct suffixes {
	psl_ctx_t *list;
};

static const struct {
	const char *name;
	const char *text;
} kinds[] = {
	[SUFFIX_NONE] = { "none", "no public suffix" },
	[SUFFIX_ICANN] = { "icann", "a public suffix (ICANN section)" },
	[SUFFIX_PRIVATE] = { "private", "a public suffix (private section)" },
	[SUFFIX_TOP] = { "top", "a top-level domain" },
	[SUFFIX_ROOT] = { "root", "the root" },
};

struct suffixes *suffixes_open(void)
{
	struct suffixes *suffixes = malloc(sizeof *suffixes);
	if (!suffixes)
		return NULL;
	suffixes->list = psl_latest(NULL);
	if (suffixes->list)
		return suffixes;
	free(suffixes);
	return NULL;
}

void suffixes_close(struct suffixes *suffixes)
{
	if (!suffixes)
		return;
	psl_free(suffixes->list);
	free(suffixes);
}

/* "co.uk": libpsl reads text without a final dot. False for a name with other bytes than host names
 * have: no suffix has them, and a dot within a label would be taken for a dot between two. */
static bool write_host(struct writer *to, struct slice name)
{
	for (size_t at = 0; name.at[at];) {
		size_t len = name.at[at++];
		for (size_t end = at + len; at < end; at++) {
			uint8_t byte = name.at[at];
			if (byte <= ' ' || byte >= 0x7f || byte == '.')
				return false;
			writer_u8(to, byte);
		}
		writer_u8(to, name.at[at] ? '.' : '\0');
	}
	return !to->failed;
}

static bool is_listed(const struct suffixes *suffixes, const char *host, int section)
{
	return psl_is_public_suffix2(suffixes->list, host, section | PSL_TYPE_NO_STAR_RULE);
}

enum suffix_kind suffixes_find(const struct suffixes *suffixes, struct slice name)
{
	char host[DNS_NAME_MAX + 1];
	struct writer to = writer_of(host, sizeof host);
	if (name.len <= 1)
		return SUFFIX_ROOT;
	bool is_top = name.at[1 + name.at[0]] == 0;
	if (!write_host(&to, name) || !is_listed(suffixes, host, PSL_TYPE_ANY))
		return is_top ? SUFFIX_TOP : SUFFIX_NONE;
	return is_listed(suffixes, host, PSL_TYPE_ICANN) ? SUFFIX_ICANN : SUFFIX_PRIVATE;
}

const char *suffix_kind_text(enum suffix_kind kind)
{
	return kinds[kind].text;
}

const char *suffix_kind_name(enum suffix_kind kind)
{
	return kinds[kind].name;
}
