/* background.h - one piece of long work beside the loops: in a thread of its own that gives way to
 * those that answer questions, ended when the work is done, so that its memory goes back. */
#ifndef PROXY_BACKGROUND_H
#define PROXY_BACKGROUND_H

#include <stdbool.h>
#include <uv.h>

struct background {
	uv_thread_t thread;
	uv_async_t done;
	void (*work)(void *context);    /* in the thread */
	void (*on_done)(void *context); /* on the loop */
	void *context;
	bool is_running;
};

/* 0 or a negative errno. */
int background_open(struct background *background, uv_loop_t *loop);

/* Begins; one at a time. 0 or a negative errno. */
int background_run(struct background *background, void (*work)(void *context),
	void (*on_done)(void *context), void *context);

/* Nobody waits for the work any more: the process is about to end. */
void background_leave(struct background *background);

/* Waits for work that runs, without telling that it is done. */
void background_close(struct background *background);

#endif
