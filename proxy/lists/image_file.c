#include "proxy/lists/image_file.h"

#include "base/error.h"
#include "base/give_way.h"
#include "proxy/lists/list_file.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { AT_ONCE_MAX = 1024 * 1024 };

struct image_file *image_file_ref(struct image_file *file)
{
	atomic_fetch_add_explicit(&file->references, 1, memory_order_relaxed);
	return file;
}

static void release(void *context)
{
	struct image_file *file = context;
	image_close(file->image);
	if (file->is_mapped)
		munmap(file->bytes, file->len);
	else
		free(file->bytes);
	free(file);
}

/* The last one is often a worker, and giving back many megabytes takes the kernel milliseconds. */
void image_file_unref(struct image_file *file)
{
	if (!file || atomic_fetch_sub_explicit(&file->references, 1, memory_order_acq_rel) != 1)
		return;
	if (file->len > AT_ONCE_MAX)
		give_way_to_do(release, file);
	else
		release(file);
}

/* Takes the bytes over, also on failure. */
static struct image_file *look_at(void *bytes, size_t len, bool is_mapped, const char **why)
{
	struct image_file *file = calloc(1, sizeof *file);
	*why = "no memory";
	if (!file) {
		if (is_mapped)
			munmap(bytes, len);
		else
			free(bytes);
		return NULL;
	}
	atomic_init(&file->references, 1);
	file->bytes = bytes;
	file->len = len;
	file->is_mapped = is_mapped;
	file->image = image_open(slice_of(bytes, len), why);
	if (file->image)
		return file;
	release(file);
	return NULL;
}

/* Queries touch the hot part alone. The pages of the rest, which the check has touched, are given
 * back, and a later touch reads one page and not its neighbours. */
static void let_cold_pages_go(const struct image_file *file)
{
	struct slice cold = image_cold(file->image);
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = ((uintptr_t)cold.at + page - 1) / page * page;
	uintptr_t to = ((uintptr_t)cold.at + cold.len) / page * page;
	if (cold.len == 0 || to <= from)
		return;
	madvise((void *)from, to - from, MADV_DONTNEED);
	madvise((void *)from, to - from, MADV_RANDOM);
}

static void *map(const char *path, size_t *len, int *error)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	void *bytes = MAP_FAILED;
	if (fd < 0 || fstat(fd, &status) < 0)
		*error = -errno;
	else if (!S_ISREG(status.st_mode) || status.st_size == 0)
		*error = ERR_MALFORMED;
	else if ((bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0)) ==
		MAP_FAILED)
		*error = -errno;
	else
		*len = (size_t)status.st_size;
	if (fd >= 0)
		close(fd);
	return bytes == MAP_FAILED ? NULL : bytes;
}

struct image_file *image_file_open(const char *path, const char **why)
{
	size_t len = 0;
	int error = 0;
	void *bytes = map(path, &len, &error);
	if (!bytes) {
		*why = error_text(error);
		return NULL;
	}
	struct image_file *file = look_at(bytes, len, true, why);
	if (file)
		let_cold_pages_go(file);
	return file;
}

struct image_file *image_file_of(struct slice bytes, const char **why)
{
	return look_at((void *)(uintptr_t)bytes.at, bytes.len, false, why);
}

struct image_file *image_file_settle(struct image_file *file, const char *path, const char **why)
{
	int error = list_file_write(path, image_bytes(file->image));
	*why = error ? error_text(error) : NULL;
	if (error)
		return file;
	struct image_file *mapped = image_file_open(path, why);
	if (!mapped)
		return file;
	image_file_unref(file);
	*why = NULL;
	return mapped;
}
