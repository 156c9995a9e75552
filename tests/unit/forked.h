/* forked.h - what cannot be taken back is done in a child. */
#ifndef TESTS_FORKED_H
#define TESTS_FORKED_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a child: the number of the failed check, in the test that the line on standard error says. */
#define EXPECT(condition)                                                                          \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

/* Did `work` come to its end, with every EXPECT() in it? */
static inline bool holds_in_child(void (*work)(const void *context), const void *context)
{
	int status;
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		work(context);
		_exit(0);
	}
	return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
		WEXITSTATUS(status) == 0;
}

#endif
