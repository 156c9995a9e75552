/* compile.c - all lists of a configuration as one image, for many proxies to map: made once, in one
 * place, checked there, and the same bytes on every machine. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "proxy/cli/cli.h"
#include "proxy/lists/list_file.h"
#include "proxy/lists/lists.h"

struct compile_arguments {
	const char *file;
	const char *output;
	uint64_t salt;
};

static bool parse_salt(const char *text, uint64_t *salt)
{
	char *end;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 16);
	*salt = value;
	return errno == 0 && end != text && *end == '\0' && text[0] != '-' && value != 0;
}

static int parse_arguments(int argc, char **argv, struct compile_arguments *arguments)
{
	static const struct option options[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "salt", required_argument, NULL, 's' },
		{ 0 },
	};
	opterr = 0;
	for (int option; (option = getopt_long(argc, argv, "c:o:", options, NULL)) != -1;) {
		switch (option) {
		case 'c': arguments->file = optarg; break;
		case 'o': arguments->output = optarg; break;
		case 's':
			if (!parse_salt(optarg, &arguments->salt))
				return cli_usage("--salt \"%s\" is not a hexadecimal number of at "
						 "most 16 digits, and not 0",
					optarg);
			break;
		default: return cli_usage("compile does not know \"%s\"", argv[optind - 1]);
		}
	}
	if (!arguments->file || !arguments->output || optind != argc)
		return cli_usage("compile needs -c FILE and -o IMAGE");
	return 0;
}

static void print_lists(const struct lists *lists)
{
	for (size_t i = 0; i < lists->count; i++) {
		const struct image_list *list = image_list(lists->file->image, lists->numbers[i]);
		printf("  %-24s %-9s %10llu entries, %llu covered by others\n", list->name,
			list_format_name(list->format), (unsigned long long)list->entry_count,
			(unsigned long long)list->covered_count);
	}
}

static void print_image(const char *path, const struct image *image)
{
	size_t names = image_name_count(image);
	printf("%s: ", path);
	for (size_t i = 0; i < IMAGE_HASH_LEN; i++)
		printf("%02x", image_hash(image)[i]);
	printf(", %zu lists, %zu names, %zu bytes, of which queries touch %zu (%.2f a name), salt "
	       "%016llx\n",
		image_list_count(image), names, image_bytes(image).len, image_hot_len(image),
		names ? (double)image_hot_len(image) / (double)names : 0,
		(unsigned long long)image_salt(image));
}

/* All lists or none: an image without one of them would leave views unprotected everywhere. */
static bool is_whole(const struct lists *lists)
{
	bool whole = true;
	for (size_t i = 0; i < lists->count; i++) {
		const struct lists_item *item = &lists->items[i];
		if (lists->numbers[i] != POLICY_NO_ID)
			continue;
		fprintf(stderr, "namegate: list \"%s\": %s: %s\n", item->name, item->source,
			item->why);
		whole = false;
	}
	return whole;
}

static int write_image(const char *path, const struct lists *lists)
{
	const struct image *image = lists->file->image;
	if (!is_whole(lists))
		return EXIT_CONFIG;
	int error = list_file_write(path, image_bytes(image));
	if (error) {
		fprintf(stderr, "namegate: cannot write %s: %s\n", path, error_text(error));
		return EXIT_FAILED;
	}
	print_image(path, image);
	print_lists(lists);
	return EXIT_FINE;
}

int cli_compile(int argc, char **argv)
{
	struct compile_arguments arguments = { 0 };
	struct config_errors errors = { 0 };
	int code = parse_arguments(argc, argv, &arguments);
	if (code)
		return code;
	config_errors_to_stderr(&errors);
	struct config *config = config_load(arguments.file, &errors);
	if (!config)
		return EXIT_CONFIG;
	config->lists_image = NULL; /* it is what we are to make */
	const struct lists_options options = { .must_load = true, .salt = arguments.salt };
	struct lists *lists = lists_load(config, &options, &errors);
	code = lists ? write_image(arguments.output, lists) : EXIT_CONFIG;
	lists_unref(lists);
	config_free(config);
	return code;
}
