/* log_files.h - files of a log for tests: plain, packed, cut off. */
#ifndef TESTS_UNIT_LOG_FILES_H
#define TESTS_UNIT_LOG_FILES_H

#include "base/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum log_packing { LOG_PLAIN, LOG_GZIP, LOG_ZSTD, LOG_PACKINGS };

/* Packed; the bytes are the caller's (free). */
static inline struct slice log_pack(enum log_packing packing, struct slice text)
{
	size_t room = text.len + 4096;
	uint8_t *to = malloc(room);
	assert_non_null(to);
	if (packing == LOG_PLAIN) {
		if (text.len)
			memcpy(to, text.at, text.len);
		return slice_of(to, text.len);
	}
	if (packing == LOG_ZSTD) {
		size_t len = ZSTD_compress(to, room, text.at, text.len, 1);
		assert_false(ZSTD_isError(len));
		return slice_of(to, len);
	}
	z_stream stream = { .next_in = (uint8_t *)(uintptr_t)text.at,
		.avail_in = (unsigned)text.len,
		.next_out = to,
		.avail_out = (unsigned)room };
	assert_int_equal(deflateInit2(&stream, 1, Z_DEFLATED, MAX_WBITS + 16, 8, 0), Z_OK);
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	size_t len = room - stream.avail_out;
	deflateEnd(&stream);
	return slice_of(to, len);
}

/* A new file; unlink() it. */
struct log_file {
	char path[64];
};

static inline struct log_file log_file_new(struct slice bytes)
{
	struct log_file file = { "/tmp/log_file.XXXXXX" };
	int fd = mkstemp(file.path);
	assert_true(fd >= 0);
	for (size_t at = 0; at < bytes.len;) {
		ssize_t put = write(fd, bytes.at + at, bytes.len - at);
		assert_true(put > 0);
		at += (size_t)put;
	}
	close(fd);
	return file;
}

static inline struct log_file log_file_packed(enum log_packing packing, struct slice text)
{
	struct slice packed = log_pack(packing, text);
	struct log_file file = log_file_new(packed);
	free((void *)(uintptr_t)packed.at);
	return file;
}

#endif
