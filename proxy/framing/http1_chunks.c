#include "proxy/framing/http1_chunks.h"

#include "base/hex.h"
#include "proxy/framing/http1.h"

/* What the next byte is. */
enum state {
	SIZE,
	EXTENSION,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER_BEGIN, /* the first byte of a line */
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	END_LF,
};

/* What came of a byte. */
enum verdict { FINE, ENDED, BAD, TOO_LONG };

static bool is_text(uint8_t byte)
{
	return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

static enum verdict go(struct http1_chunks *chunks, enum state state)
{
	chunks->state = state;
	return FINE;
}

/* A size is ended by its line, or by the ';' of an extension; nothing else, and no blanks. */
static enum verdict take_size(struct http1_chunks *chunks, uint8_t byte)
{
	int digit = hex_digit(byte);
	if (digit >= 0) {
		chunks->left = chunks->left << 4 | (uint32_t)digit;
		return ++chunks->digits > HTTP1_CHUNK_DIGITS_MAX ? BAD : FINE;
	}
	if (chunks->digits == 0)
		return BAD;
	if (byte == '\r')
		return go(chunks, SIZE_LF);
	return byte == ';' ? go(chunks, EXTENSION) : BAD;
}

static enum verdict take_extension(struct http1_chunks *chunks, uint8_t byte)
{
	if (byte == '\r')
		return go(chunks, SIZE_LF);
	if (++chunks->extensions > HTTP1_EXTENSIONS_MAX)
		return TOO_LONG;
	return is_text(byte) ? FINE : BAD;
}

static enum verdict begin_chunk(struct http1_chunks *chunks)
{
	chunks->digits = 0;
	return go(chunks, chunks->left > 0 ? DATA : TRAILER_BEGIN);
}

/* A line that begins with a blank would go on with the one before. */
static enum verdict take_trailer(struct http1_chunks *chunks, uint8_t byte)
{
	if (++chunks->trailers > HTTP1_TRAILERS_MAX)
		return TOO_LONG;
	if (chunks->state == TRAILER_BEGIN)
		return http1_is_token(byte) ? go(chunks, TRAILER_NAME) : BAD;
	if (chunks->state == TRAILER_VALUE)
		return is_text(byte) ? FINE : BAD;
	if (byte == ':')
		return go(chunks, TRAILER_VALUE);
	return http1_is_token(byte) ? FINE : BAD;
}

static enum verdict expect(
	struct http1_chunks *chunks, uint8_t byte, uint8_t wanted, enum state next)
{
	return byte == wanted ? go(chunks, next) : BAD;
}

static enum verdict take(struct http1_chunks *chunks, uint8_t byte)
{
	switch ((enum state)chunks->state) {
	case SIZE: return take_size(chunks, byte);
	case EXTENSION: return take_extension(chunks, byte);
	case SIZE_LF: return byte == '\n' ? begin_chunk(chunks) : BAD;
	case DATA_CR: return expect(chunks, byte, '\r', DATA_LF);
	case DATA_LF: return expect(chunks, byte, '\n', SIZE);
	case TRAILER_LF: return expect(chunks, byte, '\n', TRAILER_BEGIN);
	case END_LF: return byte == '\n' ? ENDED : BAD;
	case TRAILER_BEGIN: return byte == '\r' ? go(chunks, END_LF) : take_trailer(chunks, byte);
	case TRAILER_VALUE:
		return byte == '\r' ? go(chunks, TRAILER_LF) : take_trailer(chunks, byte);
	default: return take_trailer(chunks, byte);
	}
}

static enum http1_chunks_result take_data(
	struct http1_chunks *chunks, struct slice *bytes, struct slice *data)
{
	size_t len = bytes->len < chunks->left ? bytes->len : chunks->left;
	*data = slice_of(bytes->at, len);
	*bytes = slice_of(bytes->at + len, bytes->len - len);
	chunks->left -= (uint32_t)len;
	if (chunks->left == 0)
		chunks->state = DATA_CR;
	return HTTP1_CHUNKS_DATA;
}

enum http1_chunks_result http1_chunks_read(
	struct http1_chunks *chunks, struct slice *bytes, struct slice *data, unsigned *status)
{
	while (bytes->len > 0) {
		if (chunks->state == DATA)
			return take_data(chunks, bytes, data);
		enum verdict verdict = take(chunks, bytes->at[0]);
		*bytes = slice_of(bytes->at + 1, bytes->len - 1);
		if (verdict == ENDED)
			return HTTP1_CHUNKS_END;
		if (verdict == FINE)
			continue;
		*status = verdict == TOO_LONG ? 431 : 400;
		return HTTP1_CHUNKS_REFUSED;
	}
	return HTTP1_CHUNKS_MORE;
}
