#include "proxy/config/source.h"

#include "base/error.h"
#include "proxy/config/problem.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

enum { READ_MS = 5000 }; /* how long all of a file may take */

/* One file on its way into the text. */
struct source_file {
	const char *name;
	const char *path; /* relative to the configuration's directory; NULL: it is no file */
	const struct source_file *includer;
	dev_t device; /* with `inode`: which file it is, however it was named */
	ino_t inode;
	struct slice bytes;
	size_t at;
	unsigned line;
	unsigned depth;
	bool line_is_fresh; /* only blanks so far: @include may stand here */
};

void source_init(struct source *source, const char *directory, struct arena *memory,
	struct config_errors *errors)
{
	*source = (struct source){
		.line = 1, .directory = directory, .memory = memory, .errors = errors
	};
}

void source_deinit(struct source *source)
{
	free(source->text);
	source->text = NULL;
}

static void no_memory(struct source *source)
{
	if (!source->no_memory)
		problem_at(source->errors, "", 0, "", "out of memory");
	source->no_memory = true;
	source->broken = true;
}

struct source_place source_place(const struct source *source, unsigned line)
{
	size_t i = source->segment_count;
	while (i > 1 && source->segments[i - 1].first_line > line)
		i--;
	const struct source_segment *segment = &source->segments[i - 1];
	return (struct source_place){ segment->file, segment->line + line - segment->first_line };
}

/* The lines that follow in the text are those of `file` from its present line on. */
static void begin_segment(struct source *source, const struct source_file *file)
{
	source->segments[source->segment_count++] =
		(struct source_segment){ source->line, file->name, file->line };
}

static bool grow(struct source *source, size_t more)
{
	if (source->capacity - source->len > more)
		return true;
	size_t capacity = 2 * (source->len + more) + 256;
	char *text = realloc(source->text, capacity);
	if (!text) {
		no_memory(source);
		return false;
	}
	source->text = text;
	source->capacity = capacity;
	return true;
}

static void put(struct source *source, const void *at, size_t len)
{
	if (!grow(source, len))
		return;
	memcpy(source->text + source->len, at, len);
	source->len += len;
	source->text[source->len] = '\0';
}

static void put_newline(struct source *source)
{
	put(source, "\n", 1);
	source->line++;
}

static bool has(const struct source_file *file, const char *text)
{
	size_t len = strlen(text);
	return file->bytes.len - file->at >= len &&
		memcmp(file->bytes.at + file->at, text, len) == 0;
}

static bool at_line_end(const struct source_file *file)
{
	return file->at == file->bytes.len || file->bytes.at[file->at] == '\n' || has(file, "\r\n");
}

/* Moves `count` bytes over; none of them is a newline. */
static void copy(struct source *source, struct source_file *file, size_t count)
{
	put(source, file->bytes.at + file->at, count);
	file->at += count;
}

static void copy_newline(struct source *source, struct source_file *file)
{
	put_newline(source);
	file->at++;
	file->line++;
	file->line_is_fresh = true;
}

/* Left out rather than copied: nobody needs it, and whatever bytes it holds do no harm. */
static void skip_line_comment(struct source_file *file)
{
	const uint8_t *from = file->bytes.at + file->at;
	const uint8_t *end = memchr(from, '\n', file->bytes.len - file->at);
	size_t len = end ? (size_t)(end - from) : file->bytes.len - file->at;
	file->at += len;
}

static void copy_block_comment(struct source *source, struct source_file *file)
{
	unsigned opened = file->line;
	file->line_is_fresh = false;
	for (file->at += 2; file->at < file->bytes.len; file->at++) {
		if (has(file, "*/")) {
			file->at += 2;
			put(source, " ", 1);
			return;
		}
		if (file->bytes.at[file->at] == '\n') {
			put_newline(source);
			file->line++;
		}
	}
	problem_at(source->errors, file->name, opened, "", "this comment has no end");
	source->broken = true;
}

/* Length of the escape sequence at `at` within a string, 0 when libconfig has none such. */
static size_t escape_len(const struct source_file *file, size_t at)
{
	const uint8_t *p = file->bytes.at + at;
	size_t left = file->bytes.len - at;
	if (left >= 2 && p[1] && strchr("nrtf\\\"", p[1]))
		return 2;
	static const char hex[] = "0123456789abcdefABCDEF";
	bool is_hex =
		left >= 4 && p[1] == 'x' && p[2] && p[3] && strchr(hex, p[2]) && strchr(hex, p[3]);
	/* \x00 would end the C string and hide the rest of it from every check. */
	return is_hex && !(p[2] == '0' && p[3] == '0') ? 4 : 0;
}

static void copy_string(struct source *source, struct source_file *file)
{
	const uint8_t *bytes = file->bytes.at;
	file->line_is_fresh = false;
	copy(source, file, 1);
	while (!at_line_end(file)) {
		uint8_t byte = bytes[file->at];
		if (byte == '"') {
			copy(source, file, 1);
			return;
		}
		size_t len = byte == '\\' ? escape_len(file, file->at) : 1;
		if (len == 0) {
			problem_at(source->errors, file->name, file->line, "",
				"unknown escape in a string: a backslash is written \"\\\\\", and "
				"there are \\\" \\n \\r \\t \\f and \\x01 to \\xff");
			source->broken = true;
			len = 1;
		} else if (byte < 0x20 || byte == 0x7f) {
			problem_at(source->errors, file->name, file->line, "",
				"control character \\x%02x in a string; a tab is written \\t",
				byte);
			source->broken = true;
		}
		copy(source, file, len);
	}
	problem_at(source->errors, file->name, file->line, "",
		"this string is not closed on its line; a '\"' is missing");
	source->broken = true;
}

static void add_file(struct source *source, struct source_file *file);

/* The file to be included, opened; or -1 after the problem was told. What lies outside the
 * directory is refused, symbolic links included. */
static int open_include(struct source *source, const struct source_file *includer, const char *name)
{
	char wanted[PATH_MAX], root[PATH_MAX], found[PATH_MAX];
	const char *quoted = QUOTED(name);
	if (!source->directory || name[0] == '/') {
		problem_at(source->errors, includer->name, includer->line, "",
			"cannot include %s: only files in the configuration's own directory and "
			"below, named relative to it",
			quoted);
		return -1;
	}
	int len = snprintf(wanted, sizeof wanted, "%s/%s", source->directory, name);
	if (len < 0 || (size_t)len >= sizeof wanted || !realpath(source->directory, root) ||
		!realpath(wanted, found)) {
		problem_at(source->errors, includer->name, includer->line, "",
			"cannot include %s: %s", quoted, error_text(-errno));
		return -1;
	}
	size_t root_len = strcmp(root, "/") == 0 ? 0 : strlen(root);
	if (strncmp(found, root, root_len) != 0 || found[root_len] != '/') {
		problem_at(source->errors, includer->name, includer->line, "",
			"cannot include %s: it is outside the configuration's own directory",
			quoted);
		return -1;
	}
	int fd = open(found, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	struct stat status;
	if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		return fd;
	problem_at(source->errors, includer->name, includer->line, "", "cannot include %s: %s",
		quoted, fd < 0 ? error_text_of_file(-errno, found) : "not a regular file");
	if (fd >= 0)
		close(fd);
	return -1;
}

static uint64_t monotonic_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A file has its bytes at once. A FIFO may never have any, and a running program that is told to
 * load its configuration would wait for ever: -ETIMEDOUT. */
static ssize_t read_in_time(int fd, uint8_t *to, size_t size, uint64_t until_ms)
{
	for (;;) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		uint64_t now_ms = monotonic_ms();
		int ready = poll(&wait, 1, now_ms < until_ms ? (int)(until_ms - now_ms) : 0);
		if (ready == 0)
			return -ETIMEDOUT;
		ssize_t got = ready < 0 ? -1 : read(fd, to, size);
		if (got >= 0 || (errno != EINTR && errno != EAGAIN))
			return got < 0 ? -errno : got;
	}
}

/* All bytes of an open file; malloc'd. False after the problem was told. */
static bool read_all(struct source *source, int fd, const char *name, struct slice *bytes)
{
	uint8_t *at = NULL;
	size_t len = 0, capacity = 0;
	uint64_t until_ms = monotonic_ms() + READ_MS;
	for (;;) {
		if (len == capacity) {
			capacity = capacity ? 2 * capacity : 64 * 1024;
			uint8_t *more = realloc(at, capacity);
			if (!more) {
				no_memory(source);
				free(at);
				return false;
			}
			at = more;
		}
		ssize_t got = read_in_time(fd, at + len, capacity - len, until_ms);
		if (got <= 0 || len + (size_t)got > SOURCE_BYTES_MAX) {
			*bytes = slice_of(at, len);
			if (got == 0)
				return true;
			problem_at(source->errors, name, 0, "", "cannot read the file: %s",
				got < 0 ? error_text((int)got) : "it is larger than 16MiB");
			free(at);
			return false;
		}
		len += (size_t)got;
	}
}

static bool is_included_by_itself(
	const struct source_file *file, const struct source_file *includer)
{
	for (; includer; includer = includer->includer)
		if (includer->device == file->device && includer->inode == file->inode)
			return true;
	return false;
}

static const char *join(struct arena *memory, const char *directory, const char *name)
{
	if (strcmp(directory, ".") == 0)
		return arena_text(memory, name);
	size_t len = strlen(directory) + strlen(name) + 2;
	char *joined = arena_take(memory, len, 1);
	if (joined)
		snprintf(joined, len, "%s/%s", directory, name);
	return joined;
}

static void include_file(struct source *source, struct source_file *includer, const char *name)
{
	int fd = open_include(source, includer, name);
	if (fd < 0) {
		source->broken = true;
		return;
	}
	struct stat status = { 0 };
	fstat(fd, &status);
	struct source_file file = {
		.name = join(source->memory, source->directory, name),
		.path = arena_text(source->memory, name),
		.includer = includer,
		.device = status.st_dev,
		.inode = status.st_ino,
		.depth = includer->depth + 1,
	};
	if (!file.name || !file.path) {
		no_memory(source);
	} else if (is_included_by_itself(&file, includer)) {
		problem_at(source->errors, includer->name, includer->line, "", "%s includes itself",
			QUOTED(name));
		source->broken = true;
	} else if (read_all(source, fd, file.name, &file.bytes)) {
		add_file(source, &file);
		free((void *)(uintptr_t)file.bytes.at);
	} else {
		source->broken = true;
	}
	close(fd);
}

/* @include "name", the first thing on its line. */
static void copy_include(struct source *source, struct source_file *file)
{
	static const char word[] = "@include";
	char name[PATH_MAX];
	size_t len = 0;
	if (file->line_is_fresh && has(file, word))
		file->at += strlen(word);
	size_t blanks_at = file->at;
	while (has(file, " ") || has(file, "\t"))
		file->at++;
	bool opened = file->at > blanks_at && has(file, "\"");
	for (file->at += opened; opened && !at_line_end(file) && !has(file, "\""); file->at++)
		if (len < sizeof name - 1)
			name[len++] = (char)file->bytes.at[file->at];
	name[len] = '\0';
	if (!opened || !has(file, "\"") || len == 0 || len == sizeof name - 1 ||
		strlen(name) != len || strchr(name, '\\')) {
		problem_at(source->errors, file->name, file->line, "",
			"\"@\" can only begin a line of the form: @include \"file.conf\"");
		source->broken = true;
		skip_line_comment(file);
		return;
	}
	file->at++;
	size_t segments_before = source->segment_count;
	include_file(source, file, name);
	if (source->segment_count != segments_before)
		begin_segment(source, file);
}

static void copy_other(struct source *source, struct source_file *file)
{
	uint8_t byte = file->bytes.at[file->at];
	bool blank = byte == ' ' || byte == '\t' || byte == '\r';
	if ((byte < 0x20 && !blank) || byte == 0x7f) {
		problem_at(source->errors, file->name, file->line, "",
			"control character \\x%02x; is this a configuration file?", byte);
		source->broken = true;
		file->at = file->bytes.len; /* very likely not a text: one message is enough */
		return;
	}
	file->line_is_fresh &= blank;
	copy(source, file, 1);
}

static void check_byte_order_mark(struct source *source, struct source_file *file)
{
	if (has(file, "\xef\xbb\xbf")) {
		problem_at(source->errors, file->name, 1, "",
			"the file begins with a byte order mark; save it as UTF-8 without one");
		file->at += 3;
	} else if (has(file, "\xff\xfe") || has(file, "\xfe\xff")) {
		problem_at(
			source->errors, file->name, 1, "", "the file is UTF-16; save it as UTF-8");
		source->broken = true;
		file->at = file->bytes.len;
	}
}

static bool file_fits(struct source *source, const struct source_file *file)
{
	const char *why = NULL;
	if (source->len + file->bytes.len > SOURCE_BYTES_MAX)
		why = "all files together are larger than 16MiB";
	else if (source->file_count == SOURCE_FILES_MAX)
		why = "more than 256 files are included";
	else if (file->depth > SOURCE_DEPTH_MAX)
		why = "files include each other more than 8 deep";
	if (!why)
		return true;
	problem_at(source->errors, file->name, 1, "", "%s", why);
	source->broken = true;
	return false;
}

static void note_file(struct source *source, const struct source_file *file)
{
	XXH128_hash_t hash = XXH3_128bits(file->bytes.at, file->bytes.len);
	source->files[source->file_count++] = (struct source_file_read){ .path = file->path,
		.hash = { hash.low64, hash.high64 } };
}

static void add_file(struct source *source, struct source_file *file)
{
	if (!file_fits(source, file))
		return;
	note_file(source, file);
	file->line = 1;
	file->line_is_fresh = true;
	if (source->len)
		put_newline(source); /* ends what the includer has of its line so far */
	begin_segment(source, file);
	check_byte_order_mark(source, file);
	while (file->at < file->bytes.len && !source->no_memory) {
		uint8_t byte = file->bytes.at[file->at];
		if (byte == '\n')
			copy_newline(source, file);
		else if (byte == '"')
			copy_string(source, file);
		else if (byte == '#' || has(file, "//"))
			skip_line_comment(file);
		else if (has(file, "/*"))
			copy_block_comment(source, file);
		else if (byte == '@')
			copy_include(source, file);
		else
			copy_other(source, file);
	}
	put_newline(source);
}

void source_read_text(struct source *source, const char *file, struct slice text)
{
	struct source_file whole = { .name = file, .bytes = text };
	add_file(source, &whole);
}

void source_read_file(struct source *source, const char *name)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status = { 0 };
	const char *slash = strrchr(name, '/');
	struct source_file file = { .name = name, .path = slash ? slash + 1 : name };
	if (fd < 0 || fstat(fd, &status) < 0) {
		problem_at(source->errors, name, 0, "", "cannot read the file: %s",
			error_text_of_file(-errno, name));
		source->broken = true;
	} else if (read_all(source, fd, name, &file.bytes)) {
		file.device = status.st_dev;
		file.inode = status.st_ino;
		add_file(source, &file);
		free((void *)(uintptr_t)file.bytes.at);
	} else {
		source->broken = true;
	}
	if (fd >= 0)
		close(fd);
}
