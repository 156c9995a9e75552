#include "proxy/config/problem_order.h"

#include <stdlib.h>

struct kept_problem {
	struct kept_problem *older;
	size_t index; /* in the order of telling */
	size_t file_rank;
	const char *file;
	unsigned line;
	const char *path;
	const char *message;
};

/* A file that was named before has the rank of then. */
static void set_file(struct problem_order *order, struct kept_problem *problem, const char *file)
{
	for (const struct kept_problem *other = order->newest; other; other = other->older) {
		if (strcmp(other->file, file) != 0)
			continue;
		problem->file = other->file;
		problem->file_rank = other->file_rank;
		return;
	}
	problem->file = arena_text(order->memory, file);
	problem->file_rank = problem->index;
}

static void keep(
	void *context, const char *file, unsigned line, const char *path, const char *message)
{
	struct problem_order *order = context;
	struct kept_problem *problem = arena_take(order->memory, 1, sizeof *problem);
	if (problem) {
		problem->index = order->count;
		problem->line = line;
		problem->path = arena_text(order->memory, path);
		problem->message = arena_text(order->memory, message);
		set_file(order, problem, file);
	}
	if (!problem || !problem->file || !problem->path || !problem->message) {
		/* No memory to keep it: told at once is better than lost. */
		order->listener->on_error(order->listener->context, file, line, path, message);
		order->listener->count++;
		return;
	}
	problem->older = order->newest;
	order->newest = problem;
	order->count++;
}

struct config_errors *problem_order_begin(
	struct problem_order *order, struct arena *memory, struct config_errors *listener)
{
	*order = (struct problem_order){ .listener = listener, .memory = memory };
	order->keeper = (struct config_errors){ .on_error = keep, .context = order };
	return &order->keeper;
}

/* Line 0 is about the file as a whole, or about what happened on the way: last. */
static int compare_problems(const void *a, const void *b)
{
	const struct kept_problem *left = *(struct kept_problem *const *)a;
	const struct kept_problem *right = *(struct kept_problem *const *)b;
	if (left->file_rank != right->file_rank)
		return left->file_rank < right->file_rank ? -1 : 1;
	if (left->line != right->line)
		return left->line - 1 < right->line - 1 ? -1 : 1;
	return (left->index > right->index) - (left->index < right->index);
}

void problem_order_end(struct problem_order *order)
{
	size_t count = 0;
	struct kept_problem **sorted = arena_take(order->memory, order->count, sizeof *sorted);
	for (struct kept_problem *problem = order->newest; sorted && problem;
		problem = problem->older)
		sorted[count++] = problem;
	if (count)
		qsort(sorted, count, sizeof *sorted, compare_problems);
	for (size_t i = 0; i < count; i++) {
		const struct kept_problem *problem = sorted[i];
		order->listener->on_error(order->listener->context, problem->file, problem->line,
			problem->path, problem->message);
	}
	order->listener->count += (unsigned)count;
	if (!sorted) {
		order->listener->on_error(order->listener->context, "", 0, "", "out of memory");
		order->listener->count++;
	}
}
