/* replay.c - runs a fuzz target over every file of its corpus, without a fuzzer: what was found
 * once stays tested for ever, with any compiler. Fails when the corpus is missing or empty. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct stat status;
	if (!file || fstat(fileno(file), &status) < 0 || !S_ISREG(status.st_mode)) {
		if (file)
			fclose(file);
		return 0;
	}
	/* Exactly as long as the input, so that a sanitizer sees the first byte read too far. */
	size_t size = (size_t)status.st_size;
	uint8_t *data = malloc(size ? size : 1);
	if (!data || fread(data, 1, size, file) != size)
		abort();
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 1;
}

int main(int argc, char **argv)
{
	int count = 0;
	if (argc != 2)
		return 2;
	DIR *directory = opendir(argv[1]);
	if (!directory) {
		perror(argv[1]);
		return 1;
	}
	for (struct dirent *entry; (entry = readdir(directory));) {
		char path[4096];
		snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
		count += replay_file(path);
	}
	closedir(directory);
	printf("%d inputs replayed\n", count);
	return count == 0;
}
