/* problem_order.h - tells problems in the order of the file, whichever step found them: keeps them
 * until all steps are done. */
#ifndef PROXY_CONFIG_PROBLEM_ORDER_H
#define PROXY_CONFIG_PROBLEM_ORDER_H

#include "proxy/config/problem.h"

struct kept_problem;

struct problem_order {
	struct config_errors keeper;    /* who is told meanwhile */
	struct config_errors *listener; /* who wants to know in the end */
	struct arena *memory;
	struct kept_problem *newest;
	size_t count;
};

/* Where to tell problems from now on. `memory` must live until the end. */
struct config_errors *problem_order_begin(
	struct problem_order *order, struct arena *memory, struct config_errors *listener);

/* Tells the listener all: file by file in the order in which files were first named, and line by
 * line. */
void problem_order_end(struct problem_order *order);

#endif
