/* fetch.c - fetches one list by hand, as the running program would: the same child, the same
 * rights, the same limits. For those who wonder why a list does not come. */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "proxy/cli/cli.h"
#include "proxy/config.h"
#include "proxy/lists/fetch_child.h"

enum { PATH_SIZE = 4096 };

struct fetch_arguments {
	const char *file;
	const char *name;
	const char *output; /* NULL: only its size is told */
};

/* Where something is written to before it is known to be good. */
struct part {
	char path[PATH_SIZE];
	char part_path[PATH_SIZE]; /* empty: a file without a name */
	int fd;
};

static int parse_arguments(int argc, char **argv, struct fetch_arguments *arguments)
{
	opterr = 0;
	for (int option; (option = getopt(argc, argv, "c:o:")) != -1;) {
		switch (option) {
		case 'c': arguments->file = optarg; break;
		case 'o': arguments->output = optarg; break;
		default: return cli_usage("fetch does not know \"-%c\"", optopt);
		}
	}
	if (!arguments->file || optind != argc - 1)
		return cli_usage("fetch needs -c FILE and the NAME of a list");
	arguments->name = argv[optind];
	return EXIT_FINE;
}

static int complain(const char *name, const char *what)
{
	fprintf(stderr, "namegate: %s: %s\n", name, what);
	return EXIT_FAILED;
}

/* ---- files ---- */

static int nameless_file(void)
{
	FILE *file = tmpfile();
	int fd = file ? fcntl(fileno(file), F_DUPFD_CLOEXEC, 0) : -1;
	if (file)
		fclose(file);
	return fd;
}

static bool part_open(struct part *part, const char *path, const char *end)
{
	*part->part_path = '\0';
	if (!path) {
		part->fd = nameless_file();
		return part->fd >= 0;
	}
	part->fd = -1;
	if ((size_t)snprintf(part->path, PATH_SIZE, "%s%s", path, end) >= PATH_SIZE ||
		(size_t)snprintf(part->part_path, PATH_SIZE, "%s.part", part->path) >= PATH_SIZE) {
		errno = ENAMETOOLONG;
		return false;
	}
	part->fd = open(part->part_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	return part->fd >= 0;
}

static bool part_keep(struct part *part)
{
	bool good = !*part->part_path || rename(part->part_path, part->path) == 0;
	*part->part_path = '\0';
	return good;
}

static void part_close(struct part *part)
{
	if (part->fd >= 0)
		close(part->fd);
	if (part->fd >= 0 && *part->part_path)
		unlink(part->part_path);
}

/* ---- the child ---- */

static void on_done(void *context, const struct fetch_report *report)
{
	*(struct fetch_report *)context = *report;
}

static int run_child(const struct fetch_wish *wish, struct fetch_report *report)
{
	uv_loop_t loop;
	int error = uv_loop_init(&loop);
	if (error)
		return error;
	fetch_child_start(&loop, wish, on_done, report, &error);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	return error;
}

static void print_text(const char *word, const char *text)
{
	if (*text)
		printf(", %s %s", word, text);
}

static int print_report(const char *name, const struct fetch_report *report)
{
	if (report->fault) {
		fprintf(stderr, "namegate: %s: %s: %s\n", name, list_fault_name(report->fault),
			report->why);
		return EXIT_FAILED;
	}
	printf("%s: %llu bytes", name, (unsigned long long)report->body_len);
	print_text("type", report->content_type);
	print_text("etag", report->etag);
	print_text("last modified", report->last_modified);
	putchar('\n');
	return EXIT_FINE;
}

static int fetch(const struct fetch_arguments *arguments, const struct list_source *source)
{
	bool is_signed = source->guards.minisign_key != NULL;
	struct fetch_report report = { 0 };
	struct part body;
	struct part signature = { .fd = -1 };
	int code = EXIT_FAILED;
	bool open = part_open(&body, arguments->output, "") &&
		(!is_signed || part_open(&signature, arguments->output, ".minisig"));
	const struct fetch_wish wish = { .config_file = arguments->file,
		.list = arguments->name,
		.body_fd = body.fd,
		.signature_fd = signature.fd,
		.timeout_ms = source->timeout_ms + FETCH_CHILD_SPARE_MS };
	int error = open ? run_child(&wish, &report) : -errno;
	if (error)
		complain(open ? "namegate-fetch" : arguments->name, error_text(error));
	else
		code = print_report(arguments->name, &report);
	if (code == EXIT_FINE && !(part_keep(&body) && part_keep(&signature)))
		code = complain(arguments->output, strerror(errno));
	part_close(&body);
	part_close(&signature);
	return code;
}

static int find_and_fetch(const struct fetch_arguments *arguments, const struct config *config)
{
	for (size_t i = 0; i < config->policy.list_count; i++) {
		if (strcmp(config->policy.lists[i].name, arguments->name) != 0)
			continue;
		if (config->list_sources[i].url)
			return fetch(arguments, &config->list_sources[i]);
		return complain(arguments->name, "this list is not fetched: it has no source");
	}
	return complain(arguments->name, "there is no such list");
}

int cli_fetch(int argc, char **argv)
{
	struct fetch_arguments arguments = { 0 };
	struct config_errors errors = { 0 };
	int code = parse_arguments(argc, argv, &arguments);
	if (code)
		return code;
	config_errors_to_stderr(&errors);
	struct config *config = config_load(arguments.file, &errors);
	if (!config)
		return EXIT_CONFIG;
	code = find_and_fetch(&arguments, config);
	config_free(config);
	return code;
}
