#include "proxy/framing/doh_claims.h"

#include <stdlib.h>

#include "base/error.h"
#include "proxy/framing/percent.h"

struct list_field {
	size_t len;
	uint8_t bytes[DOH_FORWARDED_MAX];
};

struct doh_claims_kept {
	size_t path_len;
	size_t token_len;
	uint8_t path[DOH_PATH_MAX];
	uint8_t token[DOH_TOKEN_MAX];
	struct list_field forwarded;
	struct list_field x_forwarded_for;
};

void doh_claims_deinit(struct doh_claims *claims)
{
	free(claims->kept);
	claims->kept = NULL;
}

static struct doh_claims_kept *keep(struct doh_claims *claims)
{
	if (claims->kept)
		return claims->kept;
	claims->kept = malloc(sizeof *claims->kept);
	if (!claims->kept)
		return NULL;
	claims->kept->path_len = claims->kept->token_len = 0;
	claims->kept->forwarded.len = claims->kept->x_forwarded_for.len = 0;
	return claims->kept;
}

int doh_claims_take_path(struct doh_claims *claims, struct slice segment)
{
	if (segment.len == 0 || segment.len > DOH_PATH_MAX || memchr(segment.at, '/', segment.len))
		return ERR_INVALID;
	struct doh_claims_kept *kept = keep(claims);
	if (!kept)
		return ERR_NO_MEMORY;
	memcpy(kept->path, segment.at, segment.len);
	kept->path_len = segment.len;
	return 0;
}

int doh_claims_take_token(struct doh_claims *claims, struct slice value)
{
	struct doh_claims_kept *kept = keep(claims);
	if (!kept)
		return ERR_NO_MEMORY;
	if (kept->token_len > 0)
		return 0;
	struct writer to = writer_of(kept->token, sizeof kept->token);
	if (!percent_decode(&to, value) || to.len == 0)
		return ERR_INVALID;
	kept->token_len = to.len;
	return 0;
}

static int append(struct list_field *field, struct slice value)
{
	struct writer to = writer_of(field->bytes, sizeof field->bytes);
	to.len = field->len;
	if (field->len > 0)
		writer_text(&to, ", ");
	writer_slice_bytes(&to, value);
	if (to.failed)
		return ERR_TOO_LONG;
	field->len = to.len;
	return 0;
}

int doh_claims_take_forwarded(struct doh_claims *claims, struct slice value)
{
	struct doh_claims_kept *kept = keep(claims);
	return kept ? append(&kept->forwarded, value) : ERR_NO_MEMORY;
}

int doh_claims_take_x_forwarded_for(struct doh_claims *claims, struct slice value)
{
	struct doh_claims_kept *kept = keep(claims);
	return kept ? append(&kept->x_forwarded_for, value) : ERR_NO_MEMORY;
}

struct framer_claims doh_claims_said(const struct doh_claims *claims)
{
	const struct doh_claims_kept *kept = claims->kept;
	if (!kept)
		return (struct framer_claims){ .path = { NULL, 0 } };
	return (struct framer_claims){
		.path = slice_of(kept->path, kept->path_len),
		.token = slice_of(kept->token, kept->token_len),
		.forwarded = slice_of(kept->forwarded.bytes, kept->forwarded.len),
		.x_forwarded_for = slice_of(kept->x_forwarded_for.bytes, kept->x_forwarded_for.len),
	};
}
