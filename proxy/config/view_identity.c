/* view_identity.c - whom a view claims beyond networks and listeners: by certificate, token, path
 * and TLS name. How such claims are spelled is in rules/claims.h. */
#include "proxy/config/resolve.h"

#include <stdio.h>
#include <stdlib.h>

#include "proxy/config/domain.h"
#include "tls/digest.h"

enum { CLAIM_LEN_MAX = 255, SEGMENT_LEN_MAX = 64 };

/* Checks one text and writes it as it is compared. NULL, or what is wrong, to be said behind it. */
typedef const char *(*spell_fn)(struct writer *to, const char *text, struct domain_fault *fault);

/* ---- certificates ---- */

static const char *spell_uri(struct writer *to, const char *text, struct domain_fault *fault)
{
	const char *asterisk = strchr(text, '*');
	(void)fault;
	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c >= 0x7f)
			return "is not a URI";
	if (!strchr(text, ':'))
		return "is not a URI: it has a scheme, as in \"uri:spiffe://corp.example/web\"";
	if (asterisk && asterisk[1])
		return "has an asterisk elsewhere than at its end";
	writer_text(to, text);
	return NULL;
}

/* A host name, or one label more than it. */
static const char *spell_host(struct writer *to, const char *text, struct domain_fault *fault)
{
	char host[DOMAIN_HOST_MAX];
	bool any_label = strncmp(text, "*.", 2) == 0;
	if (strchr(any_label ? text + 2 : text, '*'))
		return "has an asterisk elsewhere than in the place of its first label";
	const char *wrong = domain_parse_host(host, any_label ? text + 2 : text, fault);
	if (wrong)
		return wrong;
	writer_text(to, any_label ? "*." : "");
	writer_text(to, host);
	return NULL;
}

/* A mailbox as it is written, of a host. */
static const char *spell_email(struct writer *to, const char *text, struct domain_fault *fault)
{
	char host[DOMAIN_HOST_MAX];
	const char *at = strrchr(text, '@');
	if (!at || at == text)
		return "is not a mail address such as \"email:anna@corp.example\"";
	if (memchr(text, '*', (size_t)(at - text)) && strncmp(text, "*@", 2) != 0)
		return "has an asterisk elsewhere than in the place of the mailbox";
	const char *wrong = domain_parse_host(host, at + 1, fault);
	if (wrong)
		return wrong;
	writer_bytes(to, text, (size_t)(at + 1 - text));
	writer_text(to, host);
	return NULL;
}

static const char *spell_common_name(
	struct writer *to, const char *text, struct domain_fault *fault)
{
	(void)fault;
	if (strchr(text, '*'))
		return "has an asterisk; only \"cn:*\", any name, may have one";
	writer_text(to, text);
	return NULL;
}

static const char *spell_digest(struct writer *to, const char *text, struct domain_fault *fault)
{
	(void)fault;
	if (!digest_sha256_hex_check(text))
		return "is not the SHA-256 of a certificate: 64 hexadecimal digits";
	for (; *text; text++)
		writer_u8(to, dns_lower((uint8_t)*text));
	return NULL;
}

static const struct {
	const char *kind;
	spell_fn spell;
} certificate_kinds[] = {
	{ "uri:", spell_uri },
	{ "dns:", spell_host },
	{ "email:", spell_email },
	{ "cn:", spell_common_name },
	{ "sha256:", spell_digest },
};

static bool has_control_bytes(const char *text)
{
	for (; *text; text++)
		if ((uint8_t)*text < ' ' || *text == 0x7f)
			return true;
	return false;
}

static const char *spell_certificate(
	struct writer *to, const char *text, struct domain_fault *fault)
{
	if (strcmp(text, "*") == 0) {
		writer_text(to, text);
		return NULL;
	}
	for (size_t i = 0; i < sizeof certificate_kinds / sizeof certificate_kinds[0]; i++) {
		const char *kind = certificate_kinds[i].kind;
		const char *value = text + strlen(kind);
		if (strncmp(text, kind, strlen(kind)) != 0)
			continue;
		if (!*value || has_control_bytes(value))
			return "does not say what the certificate must have";
		writer_text(to, kind);
		if (strcmp(value, "*") != 0)
			return certificate_kinds[i].spell(to, value, fault);
		writer_u8(to, '*');
		return NULL;
	}
	return "is not what a certificate has, as in \"uri:...\", \"dns:...\", \"email:...\", "
	       "\"cn:...\" or \"sha256:...\", nor \"*\", any certificate";
}

/* ---- paths ---- */

/* RFC 3986 2.3. */
static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		(c && strchr("-._~", c));
}

static const char *spell_segment(struct writer *to, const char *text, struct domain_fault *fault)
{
	(void)fault;
	size_t len = 0;
	while (is_unreserved(text[len]))
		len++;
	if (len == 0 || text[len] || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return "is not what can follow a listener's path: one segment of letters, digits, "
		       "\"-\", \".\", \"_\" and \"~\"";
	if (len > SEGMENT_LEN_MAX)
		return "is too long: at most 64 bytes";
	writer_text(to, text);
	return NULL;
}

/* ---- reading ---- */

static const char *read_text(struct resolve *resolve, const struct draft_name *from, spell_fn spell)
{
	char text[CLAIM_LEN_MAX + 1];
	struct writer to = writer_of(text, sizeof text - 1);
	struct domain_fault fault;
	const char *wrong = spell(&to, from->text, &fault);
	if (!wrong && to.failed)
		wrong = "is too long: at most 255 bytes";
	if (wrong) {
		problem_in(resolve->errors, from->at, "%s %s", QUOTED(from->text), wrong);
		return NULL;
	}
	text[to.len] = '\0';
	const char *kept = arena_text(&resolve->config->memory, text);
	resolve->no_memory |= !kept;
	return kept;
}

static const char *const *read_texts(
	struct resolve *resolve, const struct draft_list *from, spell_fn spell, size_t *count)
{
	const struct draft_name *drafts = from->at;
	const char **texts = resolve_take(resolve, from->count, sizeof *texts);
	*count = 0;
	for (size_t i = 0; texts && i < from->count; i++) {
		texts[*count] = read_text(resolve, &drafts[i], spell);
		*count += texts[*count] != NULL;
	}
	return texts;
}

/* ---- what must be there for it ---- */

bool view_identity_fits(const struct view_spec *view, enum listener_kind kind)
{
	bool needs_tls = view->certificate_count || view->tls_name_count;
	if (view->path_count && !listener_is_doh(kind))
		return false;
	if (needs_tls && kind == LISTENER_DOH_CLEAR)
		return false;
	return (!needs_tls && !view->token_count) || kind != LISTENER_DNS;
}

/* What a listener must be for its clients to show something. */
enum need { NEEDS_DOH, NEEDS_TLS, NEEDS_EITHER };

static bool meets(enum listener_kind kind, enum need need)
{
	switch (need) {
	case NEEDS_DOH: return listener_is_doh(kind);
	case NEEDS_TLS: return kind == LISTENER_DOH || kind == LISTENER_DOT;
	default: return kind != LISTENER_DNS;
	}
}

static bool has_listener(
	const struct resolve *resolve, const struct view_spec *view, enum need need)
{
	const struct config *config = resolve->config;
	const struct draft_listener *drafts = resolve->draft->listeners.at;
	size_t count = view->listener_count ? view->listener_count : config->listener_count;
	for (size_t i = 0; i < count; i++) {
		size_t index = view->listener_count ? view->listeners[i] : i;
		if (drafts[index].element.broken || meets(config->listeners[index].kind, need))
			return true;
	}
	return false;
}

static void check_listeners(
	struct resolve *resolve, const struct draft_view *from, const struct view_spec *view)
{
	const struct {
		const char *key;
		const struct draft_list *given;
		enum need need;
	} needs[] = {
		{ "certificates", &from->certificates, NEEDS_TLS },
		{ "tokens", &from->tokens, NEEDS_EITHER },
		{ "paths", &from->paths, NEEDS_DOH },
		{ "tls_names", &from->tls_names, NEEDS_TLS },
	};
	static const char *const words[] = {
		[NEEDS_DOH] = "doh", [NEEDS_TLS] = "doh or dot", [NEEDS_EITHER] = "doh or dot"
	};
	if (view->listener_count != from->listeners.count)
		return;
	for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++)
		if (needs[i].given->count && !has_listener(resolve, view, needs[i].need))
			problem_with(resolve, from, needs[i].key,
				"nobody can show that: the view has no %s listener",
				words[needs[i].need]);
	const struct setting *tls = setting_child(resolve->draft->element.at, "tls");
	if (from->certificates.count && tls && !setting_child(tls, "client_ca"))
		problem_with(resolve, from, "certificates",
			"clients are asked for no certificate: set tls.client_ca, the authorities "
			"that sign theirs");
}

static int compare_tokens(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

void resolve_view_identity(
	struct resolve *resolve, const struct draft_view *from, struct view_spec *to)
{
	to->certificates =
		read_texts(resolve, &from->certificates, spell_certificate, &to->certificate_count);
	to->paths = read_texts(resolve, &from->paths, spell_segment, &to->path_count);
	to->tls_names = read_texts(resolve, &from->tls_names, spell_host, &to->tls_name_count);
	size_t count;
	uint16_t *tokens = resolve_references(resolve, &from->tokens, &resolve->tokens, &count);
	if (tokens && count)
		qsort(tokens, count, sizeof *tokens, compare_tokens);
	to->tokens = tokens;
	to->token_count = count;
	check_listeners(resolve, from, to);
}

/* ---- two views ---- */

/* A text of both; NULL when there is none. */
static const char *common_text(
	const char *const *a, size_t a_count, const char *const *b, size_t b_count)
{
	for (size_t i = 0; i < a_count; i++)
		for (size_t j = 0; j < b_count; j++)
			if (strcmp(a[i], b[j]) == 0)
				return a[i];
	return NULL;
}

/* A token of both, which are sorted; NULL when there is none. */
static const char *common_token(
	const struct resolve *resolve, const struct view_spec *a, const struct view_spec *b)
{
	size_t i = 0, j = 0;
	while (i < a->token_count && j < b->token_count) {
		if (a->tokens[i] == b->tokens[j])
			return resolve->config->policy.tokens[a->tokens[i]].name;
		if (a->tokens[i] < b->tokens[j])
			i++;
		else
			j++;
	}
	return NULL;
}

bool view_identity_ties(const struct resolve *resolve, const struct view_spec *a,
	const struct view_spec *b, struct view_tie_text *by)
{
	if (!a->certificate_count != !b->certificate_count || !a->token_count != !b->token_count ||
		!a->path_count != !b->path_count || !a->tls_name_count != !b->tls_name_count)
		return false;
	const struct {
		const char *kind;
		size_t count;
		const char *common;
	} kinds[] = {
		{ "certificate", a->certificate_count,
			common_text(a->certificates, a->certificate_count, b->certificates,
				b->certificate_count) },
		{ "token", a->token_count, common_token(resolve, a, b) },
		{ "path", a->path_count,
			common_text(a->paths, a->path_count, b->paths, b->path_count) },
		{ "TLS name", a->tls_name_count,
			common_text(
				a->tls_names, a->tls_name_count, b->tls_names, b->tls_name_count) },
	};
	by->text[0] = '\0';
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		if (kinds[i].count && !kinds[i].common)
			return false;
		if (kinds[i].count && !by->text[0])
			snprintf(by->text, sizeof by->text, "%s %s", kinds[i].kind,
				QUOTED(kinds[i].common));
	}
	return true;
}

bool view_identity_is_secret(const struct view_spec *view)
{
	return view->certificate_count > 0 || view->token_count > 0;
}
