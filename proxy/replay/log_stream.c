#include "proxy/replay/log_stream.h"

#include "base/error.h"
#include "proxy/lists/unpack.h"

#define ZLIB_CONST
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum {
	INPUT_MAX = 256 << 10, /* bytes read at once of a packed file */
	SNIFFED = 4,           /* first bytes that tell how it is packed */
	STEP_MAX = 1 << 30,    /* zlib counts in unsigned int */
	ZSTD_WINDOW_LOG_MAX = 27,
};

struct log_stream {
	int fd;
	const struct packing *packing; /* NULL: plain */
	uint64_t position;
	uint64_t length;
	bool has_sniffed;
	bool is_open; /* a packed stream has begun and not ended */
	z_stream gzip;
	ZSTD_DCtx *zstd;
	size_t at; /* in `input`: what has not been taken */
	size_t len;
	uint8_t input[INPUT_MAX];
};

/* One step: takes of the input, which is not empty unless the file has ended, and gives bytes.
 * Negative: an error. */
struct packing {
	bool (*is_it)(struct slice bytes);
	bool (*begin)(struct log_stream *stream);
	long (*step)(struct log_stream *stream, void *to, size_t size);
};

/* ---- the file ---- */

static long read_file(struct log_stream *stream, void *to, size_t size)
{
	ssize_t got;
	do
		got = read(stream->fd, to, size);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	stream->position += (uint64_t)got;
	return got;
}

/* Sees to it that there is input; 0 when the file has ended. */
static long fill(struct log_stream *stream)
{
	if (stream->at < stream->len)
		return 1;
	long got = read_file(stream, stream->input, sizeof stream->input);
	stream->at = 0;
	stream->len = got > 0 ? (size_t)got : 0;
	return got;
}

/* ---- gzip (RFC 1952): members one after the other, zeros as padding behind the last ---- */

static bool gzip_begin(struct log_stream *stream)
{
	enum { GZIP_ONLY = 16 };
	return inflateInit2(&stream->gzip, MAX_WBITS + GZIP_ONLY) == Z_OK;
}

static void skip_padding(struct log_stream *stream)
{
	while (stream->at < stream->len && stream->input[stream->at] == 0)
		stream->at++;
}

static long gzip_step(struct log_stream *stream, void *to, size_t size)
{
	unsigned room = size < STEP_MAX ? (unsigned)size : STEP_MAX;
	if (!stream->is_open) {
		skip_padding(stream);
		if (stream->at == stream->len)
			return 0;
		inflateReset(&stream->gzip);
		stream->is_open = true;
	}
	stream->gzip.next_in = stream->input + stream->at;
	stream->gzip.avail_in = (unsigned)(stream->len - stream->at);
	stream->gzip.next_out = to;
	stream->gzip.avail_out = room;
	int said = inflate(&stream->gzip, Z_NO_FLUSH);
	stream->at = stream->len - stream->gzip.avail_in;
	if (said == Z_STREAM_END)
		stream->is_open = false;
	if (said == Z_MEM_ERROR)
		return ERR_NO_MEMORY;
	if (said != Z_OK && said != Z_STREAM_END && said != Z_BUF_ERROR)
		return ERR_MALFORMED;
	return (long)(room - stream->gzip.avail_out);
}

/* ---- zstd (RFC 8878): frames one after the other ---- */

static bool zstd_begin(struct log_stream *stream)
{
	stream->zstd = ZSTD_createDCtx();
	return stream->zstd &&
		!ZSTD_isError(ZSTD_DCtx_setParameter(
			stream->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX));
}

static long zstd_step(struct log_stream *stream, void *to, size_t size)
{
	ZSTD_inBuffer in = { .src = stream->input, .size = stream->len, .pos = stream->at };
	ZSTD_outBuffer out = { .dst = to, .size = size };
	size_t said = ZSTD_decompressStream(stream->zstd, &out, &in);
	if (ZSTD_isError(said))
		return unpack_zstd_error(said);
	stream->at = in.pos;
	stream->is_open = said != 0;
	return (long)out.pos;
}

/* ---- */

static const struct packing packings[] = {
	{ unpack_is_gzip, gzip_begin, gzip_step },
	{ unpack_is_zstd, zstd_begin, zstd_step },
};

/* A pipe may give its first bytes one by one. */
static long sniff(struct log_stream *stream)
{
	stream->has_sniffed = true;
	while (stream->len < SNIFFED) {
		long got = read_file(
			stream, stream->input + stream->len, sizeof stream->input - stream->len);
		if (got < 0)
			return got;
		if (got == 0)
			break;
		stream->len += (size_t)got;
	}
	for (size_t i = 0; i < sizeof packings / sizeof *packings; i++)
		if (packings[i].is_it(slice_of(stream->input, stream->len)))
			stream->packing = &packings[i];
	return stream->packing && !stream->packing->begin(stream) ? ERR_NO_MEMORY : 0;
}

static long read_plain(struct log_stream *stream, void *to, size_t size)
{
	size_t left = stream->len - stream->at;
	if (left == 0)
		return read_file(stream, to, size);
	size_t count = left < size ? left : size;
	memcpy(to, stream->input + stream->at, count);
	stream->at += count;
	return (long)count;
}

static long read_packed(struct log_stream *stream, void *to, size_t size)
{
	for (;;) {
		long got = fill(stream);
		if (got < 0)
			return got;
		bool has_ended = got == 0;
		long count =
			has_ended && !stream->is_open ? 0 : stream->packing->step(stream, to, size);
		if (count != 0)
			return count;
		if (has_ended)
			return stream->is_open ? ERR_MALFORMED : 0;
	}
}

long log_stream_read(struct log_stream *stream, void *to, size_t size)
{
	if (!stream->has_sniffed) {
		long error = sniff(stream);
		if (error)
			return error;
	}
	return stream->packing ? read_packed(stream, to, size) : read_plain(stream, to, size);
}

struct log_stream *log_stream_open(const char *file)
{
	bool is_input = strcmp(file, "-") == 0;
	struct stat status;
	struct log_stream *stream = calloc(1, sizeof *stream);
	if (!stream)
		return NULL;
	stream->fd = is_input ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
	if (stream->fd < 0 || fstat(stream->fd, &status) < 0) {
		int error = errno;
		log_stream_close(stream);
		errno = error;
		return NULL;
	}
	if (S_ISREG(status.st_mode))
		stream->length = (uint64_t)status.st_size;
	return stream;
}

void log_stream_close(struct log_stream *stream)
{
	if (!stream)
		return;
	if (stream->packing && stream->packing->step == gzip_step)
		inflateEnd(&stream->gzip);
	ZSTD_freeDCtx(stream->zstd);
	if (stream->fd > STDIN_FILENO)
		close(stream->fd);
	free(stream);
}

uint64_t log_stream_position(const struct log_stream *stream)
{
	return stream->position;
}

uint64_t log_stream_length(const struct log_stream *stream)
{
	return stream->length;
}
