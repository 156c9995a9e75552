/* revisions_diff.c - two kept revisions beside each other: the configuration's files, as diff(1)
 * shows them, and what each list says in one and not in the other. */
#include "proxy/cli/revisions.h"

#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/error.h"
#include "proxy/cli/cli.h"
#include "proxy/revisions/list_diff.h"

extern char **environ;

/* One of the two. */
struct side {
	uint32_t number;
	struct revision revision;
	struct image_file *file;
	char config[PATH_MAX];
};

static bool open_side(struct side *side, const char *state_directory, uint32_t number)
{
	char path[PATH_MAX];
	const char *why = "the path is too long";
	side->number = number;
	if (!revisions_read(state_directory, number, &side->revision)) {
		fprintf(stderr, "namegate: revision %u is not kept\n", number);
		return false;
	}
	if (revisions_path(side->config, state_directory, number, "config") &&
		revisions_path(path, state_directory, number, "lists.image"))
		side->file = image_file_open(path, &why);
	if (side->file)
		return true;
	fprintf(stderr, "namegate: revision %u: lists.image: %s\n", number, why);
	return false;
}

static void close_side(struct side *side)
{
	revision_deinit(&side->revision);
	image_file_unref(side->file);
}

/* ---- the configuration ---- */

static int run_diff(struct side *from, struct side *to)
{
	char *arguments[] = { "diff", "-r", "-u", "-N", from->config, to->config, NULL };
	pid_t pid;
	int status;
	fflush(stdout);
	int error = posix_spawnp(&pid, "diff", NULL, NULL, arguments, environ);
	if (error || waitpid(pid, &status, 0) < 0) {
		fprintf(stderr, "namegate: diff: %s\n", error_text(-(error ? error : errno)));
		return EXIT_FAILED;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) < 2)
		return EXIT_FINE; /* it has said what is different */
	fputs("namegate: diff failed\n", stderr);
	return EXIT_FAILED;
}

/* ---- lists ---- */

static const struct revision_list *find_list(const struct revision *revision, const char *name)
{
	for (size_t i = 0; i < revision->list_count; i++)
		if (strcmp(revision->lists[i].name, name) == 0)
			return &revision->lists[i];
	return NULL;
}

static void print_examples(char sign, const struct list_diff *diff)
{
	for (unsigned i = 0; i < diff->example_count; i++) {
		char text[DNS_NAME_TEXT_MAX + 2];
		struct writer to = writer_of(text, sizeof text - 1);
		list_pattern_write_text(
			&to, dns_name_slice(&diff->examples[i].name), diff->examples[i].kind);
		text[to.len] = '\0';
		printf("    %c %s\n", sign, text);
	}
	if (diff->count > diff->example_count)
		printf("    %c ... and %llu more\n", sign,
			(unsigned long long)(diff->count - diff->example_count));
}

static bool print_changed(const struct side *from, const struct side *to, const char *name)
{
	struct list_diff gone, come;
	const struct image *a = from->file->image, *b = to->file->image;
	uint16_t in_a = image_find_list(a, name), in_b = image_find_list(b, name);
	if (in_a == POLICY_NO_ID || in_b == POLICY_NO_ID)
		return true;
	if (!list_diff_find(&gone, a, in_a, b, in_b) || !list_diff_find(&come, b, in_b, a, in_a)) {
		fprintf(stderr, "namegate: %s\n", error_text(ERR_NO_MEMORY));
		return false;
	}
	printf("list %s: %llu entries less, %llu more\n", name, (unsigned long long)gone.count,
		(unsigned long long)come.count);
	print_examples('-', &gone);
	print_examples('+', &come);
	return true;
}

static bool print_list(const struct side *from, const struct side *to, size_t i)
{
	const struct revision_list *new = &to->revision.lists[i];
	const struct revision_list *old = find_list(&from->revision, new->name);
	if (!old)
		printf("list %s: is new, %llu entries\n", new->name,
			(unsigned long long)new->entries);
	else if (!*new->hash && * old->hash)
		printf("list %s: is missing now\n", new->name);
	else if (*new->hash && !*old->hash)
		printf("list %s: was missing, %llu entries now\n", new->name,
			(unsigned long long)new->entries);
	else if (strcmp(old->hash, new->hash) != 0)
		return print_changed(from, to, new->name);
	return true;
}

static int print_lists(const struct side *from, const struct side *to)
{
	for (size_t i = 0; i < to->revision.list_count; i++)
		if (!print_list(from, to, i))
			return EXIT_FAILED;
	for (size_t i = 0; i < from->revision.list_count; i++)
		if (!find_list(&to->revision, from->revision.lists[i].name))
			printf("list %s: is gone, it had %llu entries\n",
				from->revision.lists[i].name,
				(unsigned long long)from->revision.lists[i].entries);
	return EXIT_FINE;
}

static int print_all(struct side *from, struct side *to)
{
	if (strcmp(from->revision.policy_hash, to->revision.policy_hash) == 0) {
		printf("revisions %u and %u are the same policy, %s\n", from->number, to->number,
			to->revision.policy_hash);
		return EXIT_FINE;
	}
	int code = run_diff(from, to);
	return code ? code : print_lists(from, to);
}

int cli_revisions_diff(const char *state_directory, uint32_t from, uint32_t to)
{
	struct side sides[2] = { { .number = 0 } };
	int code = EXIT_FAILED;
	if (open_side(&sides[0], state_directory, from) &&
		open_side(&sides[1], state_directory, to))
		code = print_all(&sides[0], &sides[1]);
	close_side(&sides[0]);
	close_side(&sides[1]);
	return code;
}
