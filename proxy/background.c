#include "proxy/background.h"

#include "base/give_way.h"

enum { STACK_BYTES = 1 << 20 }; /* libc's own default is 8 MiB; musl's would be too little */

static void run(void *argument)
{
	struct background *background = argument;
	give_way();
	background->work(background->context);
	uv_async_send(&background->done);
}

static void on_async(uv_async_t *async)
{
	struct background *background = async->data;
	if (!background->is_running)
		return;
	uv_thread_join(&background->thread);
	background->is_running = false;
	background->on_done(background->context);
}

int background_open(struct background *background, uv_loop_t *loop)
{
	*background = (struct background){ 0 };
	int error = uv_async_init(loop, &background->done, on_async);
	background->done.data = background;
	return error;
}

int background_run(struct background *background, void (*work)(void *context),
	void (*on_done)(void *context), void *context)
{
	const uv_thread_options_t options = { .flags = UV_THREAD_HAS_STACK_SIZE,
		.stack_size = STACK_BYTES };
	background->work = work;
	background->on_done = on_done;
	background->context = context;
	int error = uv_thread_create_ex(&background->thread, &options, run, background);
	background->is_running = !error;
	return error;
}

void background_leave(struct background *background)
{
	if (background->is_running)
		pthread_detach(background->thread);
	background->is_running = false;
}

void background_close(struct background *background)
{
	if (background->is_running)
		uv_thread_join(&background->thread);
	background->is_running = false;
	uv_close((uv_handle_t *)&background->done, NULL);
}
