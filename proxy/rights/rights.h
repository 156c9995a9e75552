/* rights.h - what the running program may do, and how it gives up the rest: at its very start, when
 * it has read its configuration file and nothing else. What it reads then it reads as who it stays,
 * so a start that succeeds is a reload that may.
 *
 *   provide.c       what is made before, and whether what is left is enough
 *   become.c        another user than root
 *   capabilities.c  of root's rights the binding of low ports, until the listeners stand
 *   landlock.c      no files but those in grants.c, by configuration (named_files.c)
 *   syscalls.c      no system calls but those listed there
 *
 * Why it is as it is: docs/decisions/011-rights.md. */
#ifndef PROXY_RIGHTS_RIGHTS_H
#define PROXY_RIGHTS_RIGHTS_H

#include "proxy/config.h"

enum { RIGHTS_WORD_MAX = 64 };

/* What became of it, in words: "on", "off" (the configuration says so), "unavailable" (the kernel,
 * or a build with a sanitizer). */
struct rights {
	char user[RIGHTS_WORD_MAX]; /* its name, or its number */
	const char *capabilities;   /* "none", or "some": we are root */
	const char *seccomp;
	char landlock[RIGHTS_WORD_MAX]; /* instead of "on" the version: "abi6" */
	const char *no_core;
};

/* Once, in the only thread. Gives an exit_code, EXIT_FAILED or EXIT_CONFIG after lines in the log.
 * A configuration that was pinned over the file's, and a candidate's, count as well. */
int rights_take(struct rights *rights, const char *config_file);

/* The listeners stand, and no thread has been started that binds: the last capabilities go. 0 or
 * -errno. */
int rights_seal(void);

/* In a thread that serves, first of all. 0 or -errno. */
int rights_of_worker(const struct rights *rights);

/* The same as words with names, in this order; they live as long as `rights`. */
enum { RIGHTS_WORDS = 5 };
extern const char *const rights_names[RIGHTS_WORDS];
void rights_words(const struct rights *rights, const char *words[RIGHTS_WORDS]);

/* "user=namegate capabilities=none seccomp=on ..." */
enum { RIGHTS_TEXT_MAX = 256 };
void rights_text(const struct rights *rights, char text[RIGHTS_TEXT_MAX]);

#endif
