#include "proxy/lists/unpack.h"

#include "base/error.h"

#define ZLIB_CONST
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum {
	RATIO_FROM = 1 << 20,      /* bytes; below, nothing is a bomb */
	FIRST_CAPACITY = 64 << 10, /* bytes */
	STEP_MAX = 1 << 30,        /* zlib counts in unsigned int */
	ZSTD_WINDOW_LOG_MAX = 27,
};

/* What comes out. One byte more than allowed may be written, so that a text of exactly the limit
 * is not taken for one that is over it. */
struct output {
	uint8_t *at;
	size_t len;
	size_t capacity;
	size_t limit;
};

/* Sees to it that there is room for one byte at least. */
static int output_make_room(struct output *output)
{
	if (output->len > output->limit)
		return ERR_TOO_LONG;
	if (output->len < output->capacity)
		return 0;
	size_t capacity =
		output->capacity ? output->capacity + output->capacity / 2 : FIRST_CAPACITY;
	if (capacity > output->limit)
		capacity = output->limit + 1;
	uint8_t *at = realloc(output->at, capacity);
	if (!at)
		return ERR_NO_MEMORY;
	output->at = at;
	output->capacity = capacity;
	return 0;
}

static size_t limit_of(struct slice packed, size_t most)
{
	size_t bomb =
		packed.len < SIZE_MAX / UNPACK_RATIO_MAX ? packed.len * UNPACK_RATIO_MAX : SIZE_MAX;
	if (bomb < RATIO_FROM)
		bomb = RATIO_FROM;
	size_t limit = most < bomb ? most : bomb;
	return limit < SIZE_MAX ? limit : SIZE_MAX - 1;
}

/* --- gzip (RFC 1952) --- */

bool unpack_is_gzip(struct slice bytes)
{
	return bytes.len >= 2 && bytes.at[0] == 0x1f && bytes.at[1] == 0x8b;
}

static bool is_padding(struct slice bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		if (bytes.at[i] != 0)
			return false;
	return true;
}

static unsigned step_of(size_t len)
{
	return (unsigned)(len < STEP_MAX ? len : STEP_MAX);
}

/* One call of inflate(): what it said, `rest` and `output` moved on. */
static int inflate_step(z_stream *stream, struct slice *rest, struct output *output)
{
	unsigned in = step_of(rest->len);
	unsigned out = step_of(output->capacity - output->len);
	stream->next_in = rest->at;
	stream->avail_in = in;
	stream->next_out = output->at + output->len;
	stream->avail_out = out;
	int said = inflate(stream, Z_NO_FLUSH);
	*rest = slice_of(rest->at + (in - stream->avail_in), rest->len - (in - stream->avail_in));
	output->len += out - stream->avail_out;
	return said;
}

/* Up to the end of the input, which must be the end of a member. */
static int inflate_members(z_stream *stream, struct slice rest, struct output *output)
{
	for (;;) {
		int error = output_make_room(output);
		if (error)
			return error;
		int said = inflate_step(stream, &rest, output);
		if (said == Z_STREAM_END && is_padding(rest))
			return output->len > output->limit ? ERR_TOO_LONG : 0;
		if (said == Z_STREAM_END)
			said = inflateReset(stream);
		if (said == Z_MEM_ERROR)
			return ERR_NO_MEMORY;
		if (said != Z_OK && said != Z_BUF_ERROR)
			return ERR_MALFORMED;
		if (rest.len == 0 && output->len < output->capacity)
			return ERR_MALFORMED; /* it wants more */
	}
}

static int unpack_gzip(struct slice packed, struct output *output)
{
	enum { GZIP_ONLY = 16 };
	z_stream stream = { 0 };
	if (inflateInit2(&stream, MAX_WBITS + GZIP_ONLY) != Z_OK)
		return ERR_NO_MEMORY;
	int error = inflate_members(&stream, packed, output);
	inflateEnd(&stream);
	return error;
}

/* --- zstd (RFC 8878) --- */

bool unpack_is_zstd(struct slice bytes)
{
	static const uint8_t frame[] = { 0x28, 0xb5, 0x2f, 0xfd };
	static const uint8_t skippable[] = { 0x2a, 0x4d, 0x18 };
	if (bytes.len < sizeof frame)
		return false;
	return memcmp(bytes.at, frame, sizeof frame) == 0 ||
		((bytes.at[0] & 0xf0) == 0x50 &&
			memcmp(bytes.at + 1, skippable, sizeof skippable) == 0);
}

int unpack_zstd_error(size_t said)
{
	switch (ZSTD_getErrorCode(said)) {
	case ZSTD_error_memory_allocation: return ERR_NO_MEMORY;
	case ZSTD_error_frameParameter_windowTooLarge: return ERR_TOO_LONG;
	default: return ERR_MALFORMED;
	}
}

static int decompress_frames(ZSTD_DCtx *context, struct slice packed, struct output *output)
{
	ZSTD_inBuffer in = { .src = packed.at, .size = packed.len };
	for (;;) {
		int error = output_make_room(output);
		if (error)
			return error;
		ZSTD_outBuffer out = {
			.dst = output->at, .size = output->capacity, .pos = output->len
		};
		size_t said = ZSTD_decompressStream(context, &out, &in);
		output->len = out.pos;
		if (ZSTD_isError(said))
			return unpack_zstd_error(said);
		if (in.pos < in.size)
			continue;
		if (said == 0)
			return output->len > output->limit ? ERR_TOO_LONG : 0;
		if (out.pos < out.size)
			return ERR_MALFORMED; /* it wants more */
	}
}

static int unpack_zstd(struct slice packed, struct output *output)
{
	ZSTD_DCtx *context = ZSTD_createDCtx();
	if (!context)
		return ERR_NO_MEMORY;
	ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
	int error = decompress_frames(context, packed, output);
	ZSTD_freeDCtx(context);
	return error;
}

/* --- */

static const struct packing {
	bool (*is_it)(struct slice bytes);
	int (*unpack)(struct slice packed, struct output *output);
} packings[] = {
	{ unpack_is_gzip, unpack_gzip },
	{ unpack_is_zstd, unpack_zstd },
};

static const struct packing *packing_of(struct slice bytes)
{
	for (size_t i = 0; i < sizeof packings / sizeof *packings; i++)
		if (packings[i].is_it(bytes))
			return &packings[i];
	return NULL;
}

bool unpack_is_packed(struct slice bytes)
{
	return packing_of(bytes);
}

int unpack(struct slice packed, size_t most, struct slice *text)
{
	const struct packing *packing = packing_of(packed);
	struct output output = { .limit = limit_of(packed, most) };
	*text = slice_of(NULL, 0);
	if (!packing)
		return ERR_INVALID;
	int error = packing->unpack(packed, &output);
	if (error) {
		free(output.at);
		return error;
	}
	/* Less than half of it is not used; giving that back cannot fail in a way that matters. */
	uint8_t *exact = realloc(output.at, output.len ? output.len : 1);
	*text = slice_of(exact ? exact : output.at, output.len);
	return 0;
}
