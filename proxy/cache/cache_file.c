/* cache_file.c - the file: a head, then records one after the other.
 *
 *   head    "ngcache\n", version, a mark in this machine's order of bytes (packed answers are
 *           native), bytes and number of records, wall-clock time of writing, XXH3 of all of that
 *           and of the records
 *   record  age, lifetime, group, type, class, flags, weight, length of the name, 0, length of the
 *           value; name; value
 *
 * Numbers are big-endian. It is read twice, a window at a time: for the checksum, then for the
 * records; so a start with a full cache needs no second memory of its size. */
#include "proxy/cache/cache_file.h"

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
	MAGIC_LEN = 8,
	VERSION = 1,
	HEAD_LEN = 48,
	HEAD_SUMMED = 40, /* all of it but the sum */
	RECORD_HEAD_LEN = 24,
	WINDOW = 256 * 1024,
	/* Without waiting for a writer, should it be a FIFO. */
	READ_FLAGS = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
	CLOCK_SLACK_S = 60, /* that a wall clock may be set back by and still be believed */
};
_Static_assert(WINDOW >= 2 * CACHE_FILE_RECORD_MAX, "a window that is half full takes a record");

static const char magic_text[] = "ngcache\n";
static const uint32_t order_mark = 0x01020304;

struct cache_clock cache_clock_now(void)
{
	struct timespec boot, wall;
	clock_gettime(CLOCK_BOOTTIME, &boot);
	clock_gettime(CLOCK_REALTIME, &wall);
	return (struct cache_clock){ .now_s = (uint32_t)boot.tv_sec, .wall_s = wall.tv_sec };
}

/* --- the head --- */

struct head {
	uint64_t len; /* of all records */
	uint64_t count;
	int64_t wall_s;
	uint64_t sum;
};

static void write_u64(struct writer *to, uint64_t value)
{
	writer_u32(to, (uint32_t)(value >> 32));
	writer_u32(to, (uint32_t)value);
}

static uint64_t read_u64(struct reader *from)
{
	uint64_t high = reader_u32(from);
	return high << 32 | reader_u32(from);
}

static bool is_magic(struct slice bytes)
{
	return slice_equals_text(bytes, magic_text);
}

static void write_head(uint8_t bytes[HEAD_LEN], const struct head *head)
{
	struct writer to = writer_of(bytes, HEAD_LEN);
	writer_text(&to, magic_text);
	writer_u32(&to, VERSION);
	writer_bytes(&to, &order_mark, sizeof order_mark);
	write_u64(&to, head->len);
	write_u64(&to, head->count);
	write_u64(&to, (uint64_t)head->wall_s);
	write_u64(&to, head->sum);
}

/* NULL, or what is wrong with it. */
static const char *read_head(const uint8_t bytes[HEAD_LEN], struct head *head)
{
	struct reader from = reader_of(slice_of(bytes, HEAD_LEN));
	if (!is_magic(reader_bytes(&from, MAGIC_LEN)))
		return "is not a cache file";
	if (reader_u32(&from) != VERSION)
		return "has another version";
	if (!slice_equals(reader_bytes(&from, 4), slice_of(&order_mark, sizeof order_mark)))
		return "is of a machine with another order of bytes";
	head->len = read_u64(&from);
	head->count = read_u64(&from);
	head->wall_s = (int64_t)read_u64(&from);
	head->sum = read_u64(&from);
	return NULL;
}

/* The sum of the records, which `state` has seen, and of the head. */
static uint64_t sum_with_head(XXH3_state_t *state, const uint8_t head[HEAD_LEN])
{
	XXH3_64bits_update(state, head, HEAD_SUMMED);
	return XXH3_64bits_digest(state);
}

/* --- writing --- */

struct output {
	int fd;
	struct writer window;
	struct head head;
	XXH3_state_t sum;
};

static void write_record(struct writer *to, const struct cache_record *record)
{
	writer_u32(to, record->age_s);
	writer_u32(to, record->lifetime_s);
	writer_u32(to, record->key.group);
	writer_u16(to, record->key.type);
	writer_u16(to, record->key.class);
	writer_u8(to, record->key.flags);
	writer_u8(to, record->weight);
	writer_u8(to, (uint8_t)record->key.name.len);
	writer_u8(to, 0);
	writer_u32(to, (uint32_t)record->value.len);
	writer_slice_bytes(to, record->key.name);
	writer_slice_bytes(to, record->value);
}

static bool on_record(void *context, const struct cache_record *record)
{
	struct output *output = context;
	size_t len = RECORD_HEAD_LEN + record->key.name.len + record->value.len;
	if (len > CACHE_FILE_RECORD_MAX)
		return true; /* nobody could read it */
	if (output->window.capacity - output->window.len < len)
		return false;
	write_record(&output->window, record);
	output->head.count++;
	return true;
}

static int drain(struct output *output)
{
	struct slice bytes = writer_slice(&output->window);
	XXH3_64bits_update(&output->sum, bytes.at, bytes.len);
	output->head.len += bytes.len;
	output->window.len = 0;
	return file_write_all(output->fd, bytes);
}

static int write_records(struct output *output, struct cache *cache, uint32_t now_s)
{
	struct cache_walk walk = { 0 };
	bool more = true;
	int error = 0;
	while (more && !error) {
		more = cache_walk(cache, &walk, now_s, on_record, output);
		if (!more || output->window.len > WINDOW / 2)
			error = drain(output);
	}
	return error;
}

static int write_whole(struct output *output, struct cache *cache, struct cache_clock clock)
{
	uint8_t head[HEAD_LEN] = { 0 };
	int error = file_write_all(output->fd, slice_of(head, sizeof head));
	if (!error)
		error = write_records(output, cache, clock.now_s);
	if (error)
		return error;
	output->head.wall_s = clock.wall_s;
	write_head(head, &output->head);
	output->head.sum = sum_with_head(&output->sum, head);
	write_head(head, &output->head);
	ssize_t written = pwrite(output->fd, head, sizeof head, 0);
	if (written != (ssize_t)sizeof head)
		return written < 0 ? -errno : -EIO;
	return fsync(output->fd) < 0 ? -errno : 0;
}

static int write_to(const char *file, struct cache *cache, struct cache_clock clock, long *count)
{
	uint8_t *window = malloc(WINDOW);
	struct output output = { .window = writer_of(window, WINDOW) };
	int error = 0;
	XXH3_64bits_reset(&output.sum);
	unlink(file); /* what a crash left */
	output.fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (output.fd < 0)
		error = -errno;
	if (!error && !window)
		error = ERR_NO_MEMORY;
	if (!error)
		error = write_whole(&output, cache, clock);
	if (output.fd >= 0 && close(output.fd) < 0 && !error)
		error = -errno;
	free(window);
	*count = (long)output.head.count;
	return error;
}

/* "." for a file without one; cut when it is too long, and then it is not there. */
/* A slip of the pen in the configuration must not cost a key or a log: what is replaced is a cache
 * file, empty, or a link that leads nowhere. */
static int check_replaceable(const char *file)
{
	uint8_t magic[MAGIC_LEN];
	int fd = open(file, READ_FLAGS);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	struct stat about;
	bool is_file = fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
	ssize_t len = is_file ? read(fd, magic, sizeof magic) : -1;
	close(fd);
	return len == 0 || (len == MAGIC_LEN && is_magic(slice_of(magic, sizeof magic))) ? 0
											 : -EEXIST;
}

long cache_file_write(struct cache *cache, const char *file, struct cache_clock clock)
{
	char aside[PATH_MAX];
	long count = 0;
	int error = check_replaceable(file);
	if (error) {
		log_error("cache: file=%s is not replaced: %s", file,
			error == -EEXIST ? "it is not a cache file" : error_text(error));
		return error;
	}
	if (snprintf(aside, sizeof aside, "%s.new", file) >= (int)sizeof aside)
		error = -ENAMETOOLONG;
	if (!error)
		error = write_to(aside, cache, clock, &count);
	if (!error && rename(aside, file) < 0)
		error = -errno;
	if (error) {
		log_error("cache: cannot write file=%s: %s", file, error_text(error));
		if (error != -ENAMETOOLONG)
			unlink(aside);
		return error;
	}
	file_sync_directory_of(file);
	return count;
}

/* --- reading: is it whole? --- */

/* Fills the buffer as far as the file goes; its length, or a negative error. */
static ssize_t read_some(int fd, uint8_t *to, size_t capacity)
{
	size_t len = 0;
	while (len < capacity) {
		ssize_t got = read(fd, to + len, capacity - len);
		if (got < 0 && errno != EINTR)
			return -errno;
		if (got == 0)
			break;
		len += got > 0 ? (size_t)got : 0;
	}
	return (ssize_t)len;
}

/* NULL, or why nobody should believe it: who can write it could answer any question. */
static const char *check_owner(const struct stat *about)
{
	if (!S_ISREG(about->st_mode))
		return "is not an ordinary file";
	if (about->st_uid != geteuid() && about->st_uid != 0)
		return "belongs to another user";
	if (about->st_mode & S_IWOTH)
		return "can be written by everybody";
	return NULL;
}

/* NULL, or what is wrong with the file; it is then read up to its end. */
static const char *check_sum(int fd, off_t size, uint8_t *window, struct head *head)
{
	uint8_t bytes[HEAD_LEN];
	XXH3_state_t sum;
	uint64_t len = 0;
	ssize_t got = read_some(fd, bytes, sizeof bytes);
	const char *wrong = got == HEAD_LEN ? read_head(bytes, head) : "is too short";
	if (wrong)
		return wrong;
	if ((uint64_t)size - HEAD_LEN != head->len)
		return "has another length than it says";
	XXH3_64bits_reset(&sum);
	while ((got = read_some(fd, window, WINDOW)) > 0) {
		XXH3_64bits_update(&sum, window, (size_t)got);
		len += (size_t)got;
	}
	if (got < 0)
		return error_text((int)got);
	if (len != head->len)
		return "changes while it is read";
	return sum_with_head(&sum, bytes) == head->sum ? NULL : "is damaged: the checksum differs";
}

/* --- reading: what stands in it? --- */

/* The question that a packed answer answers is that of the key; a name that does not exist answers
 * for all types. */
static bool belongs_to(const struct dns_packed *packed, const struct cache_key *key)
{
	struct reader message = reader_of(packed->message);
	reader_skip(&message, DNS_HEADER_LEN);
	struct slice name = reader_bytes(&message, key->name.len);
	uint16_t type = reader_u16(&message);
	uint16_t class = reader_u16(&message);
	if (message.failed || !slice_equals(name, key->name) || class != key->class)
		return false;
	return key->type == CACHE_ANY_TYPE ? packed->kind == DNS_PACKED_NXDOMAIN
					   : type == key->type;
}

static bool is_kept(enum dns_packed_kind kind)
{
	return kind != DNS_PACKED_FAILURE && kind != DNS_PACKED_FLEETING;
}

static bool is_key(const struct cache_key *key)
{
	struct dns_name lower;
	if (dns_name_check(key->name) != key->name.len ||
		key->flags > (CACHE_KEY_DO | CACHE_KEY_CD))
		return false;
	dns_name_lower(lower.wire, key->name.at, key->name.len);
	return memcmp(lower.wire, key->name.at, key->name.len) == 0;
}

/* Is it something that we could have put? Nothing lives longer than its TTLs. */
static bool is_of_use(struct cache_record *record)
{
	struct dns_packed packed;
	if (!is_key(&record->key) || !dns_packed_check(record->value))
		return false;
	dns_packed_open(&packed, record->value);
	if (!is_kept(packed.kind) || !belongs_to(&packed, &record->key))
		return false;
	if (record->lifetime_s > packed.ttl_s)
		record->lifetime_s = packed.ttl_s;
	return true;
}

/* Adds the time in the file; false when it is so old that numbers end. */
static bool add_age(struct cache_record *record, int64_t gone_s)
{
	if (gone_s == CACHE_FILE_TOO_LONG) {
		if (record->age_s < record->lifetime_s)
			record->age_s = record->lifetime_s;
		return true;
	}
	if (gone_s > UINT32_MAX - record->age_s)
		return false;
	record->age_s += (uint32_t)gone_s;
	return true;
}

/* False when the bytes end first. */
static bool read_record(struct reader *from, struct cache_record *record)
{
	record->age_s = reader_u32(from);
	record->lifetime_s = reader_u32(from);
	record->key.group = reader_u32(from);
	record->key.type = reader_u16(from);
	record->key.class = reader_u16(from);
	record->key.flags = reader_u8(from);
	record->weight = reader_u8(from);
	size_t name_len = reader_u8(from);
	reader_skip(from, 1);
	size_t value_len = reader_u32(from);
	record->key.name = reader_bytes(from, name_len);
	record->value = reader_bytes(from, value_len);
	return !from->failed;
}

long cache_file_take(
	struct cache *cache, struct slice bytes, const struct cache_file_age *age, long *taken)
{
	struct reader from = reader_of(bytes);
	size_t whole = 0;
	struct cache_record record;
	while (reader_left(&from) > 0 && read_record(&from, &record)) {
		whole = reader_position(&from);
		if (is_of_use(&record) && add_age(&record, age->gone_s) &&
			cache_restore(cache, &record, age->now_s))
			++*taken;
	}
	/* What is longer than the longest record is not one that was cut. */
	return bytes.len - whole >= CACHE_FILE_RECORD_MAX ? ERR_MALFORMED : (long)whole;
}

static struct cache_file_age age_of(const struct head *head, struct cache_clock clock)
{
	struct cache_file_age age = { .now_s = clock.now_s };
	bool is_sane = head->wall_s >= 0 && clock.wall_s >= 0;
	if (!is_sane || clock.wall_s < head->wall_s - CLOCK_SLACK_S)
		age.gone_s = CACHE_FILE_TOO_LONG;
	else if (clock.wall_s > head->wall_s)
		age.gone_s = clock.wall_s - head->wall_s;
	return age;
}

/* NULL, or what is wrong; what was taken before stays. */
static const char *take_all(
	int fd, uint8_t *window, struct cache *cache, const struct cache_file_age *age, long *taken)
{
	size_t len = 0;
	if (lseek(fd, HEAD_LEN, SEEK_SET) < 0)
		return error_text(-errno);
	for (;;) {
		ssize_t got = read_some(fd, window + len, WINDOW - len);
		if (got < 0)
			return error_text((int)got);
		len += (size_t)got;
		long whole = cache_file_take(cache, slice_of(window, len), age, taken);
		if (whole < 0 || (whole == 0 && len > 0))
			return "has a record that cannot be read";
		if (len == 0)
			return NULL;
		len -= (size_t)whole;
		memmove(window, window + whole, len);
	}
}

static const char *read_from(
	int fd, uint8_t *window, struct cache *cache, struct cache_clock clock, long *taken)
{
	struct stat about;
	struct head head;
	if (fstat(fd, &about) < 0)
		return error_text(-errno);
	if (!window)
		return error_text(ERR_NO_MEMORY);
	const char *wrong = check_owner(&about);
	if (!wrong)
		wrong = check_sum(fd, about.st_size, window, &head);
	if (wrong)
		return wrong;
	struct cache_file_age age = age_of(&head, clock);
	if (age.gone_s == CACHE_FILE_TOO_LONG)
		log_warning(
			"cache: the file is from the future: all that is in it counts as stale");
	return take_all(fd, window, cache, &age, taken);
}

/* Said at the start: at the end nobody may be looking. */
static void warn_if_it_cannot_be_written(const char *file)
{
	char directory[PATH_MAX];
	file_directory_of(directory, file);
	if (access(directory, W_OK | X_OK) < 0)
		log_warning("cache: file=%s cannot be written at the end: directory \"%s\": %s",
			file, directory, error_text(-errno));
}

long cache_file_read(struct cache *cache, const char *file, struct cache_clock clock)
{
	long taken = 0;
	const char *wrong;
	warn_if_it_cannot_be_written(file);
	int fd = open(file, READ_FLAGS);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0) {
		wrong = error_text(-errno);
	} else {
		uint8_t *window = malloc(WINDOW);
		wrong = read_from(fd, window, cache, clock, &taken);
		free(window);
		close(fd);
	}
	if (wrong)
		log_warning("cache: file=%s is left aside: %s", file, wrong);
	return taken;
}
