/* One thread reads and unpacks, others judge. Blocks go round: free, filled, free again; there are
 * a few more of them than threads, so that neither side waits for long. */
#include "proxy/replay/replay.h"

#include <pthread.h>
#include <stdlib.h>

#include "proxy/replay/log_blocks.h"
#include "proxy/replay/replay_count.h"

enum { BLOCKS_PER_THREAD = 2, BLOCKS_MAX = REPLAY_THREADS_MAX * BLOCKS_PER_THREAD + 1 };

struct filled {
	struct log_block block;
	uint8_t *buffer;
};

struct replay_worker {
	struct replay *replay;
	struct replay_counter *counter;
	pthread_t thread;
};

struct replay {
	const struct replay_options *options;
	struct log_blocks *blocks;
	unsigned thread_count; /* that run beside this one; 0: this one judges */
	struct replay_worker workers[REPLAY_THREADS_MAX];
	unsigned worker_count; /* that have a counter */
	uint64_t lines;
	/* Shared. */
	pthread_mutex_t lock;
	pthread_cond_t has_free;
	pthread_cond_t has_filled;
	unsigned free_count;
	uint8_t *free[BLOCKS_MAX];
	unsigned first_filled; /* the oldest one: blocks are judged in their order */
	unsigned filled_count;
	struct filled filled[BLOCKS_MAX];
	bool is_over; /* nothing more will be filled */
};

/* ---- between the threads ---- */

static uint8_t *take_free(struct replay *replay)
{
	pthread_mutex_lock(&replay->lock);
	while (replay->free_count == 0)
		pthread_cond_wait(&replay->has_free, &replay->lock);
	uint8_t *buffer = replay->free[--replay->free_count];
	pthread_mutex_unlock(&replay->lock);
	return buffer;
}

static void give_free(struct replay *replay, uint8_t *buffer)
{
	pthread_mutex_lock(&replay->lock);
	replay->free[replay->free_count++] = buffer;
	pthread_cond_signal(&replay->has_free);
	pthread_mutex_unlock(&replay->lock);
}

static void give_filled(struct replay *replay, const struct filled *filled)
{
	pthread_mutex_lock(&replay->lock);
	replay->filled[(replay->first_filled + replay->filled_count++) % BLOCKS_MAX] = *filled;
	pthread_cond_signal(&replay->has_filled);
	pthread_mutex_unlock(&replay->lock);
}

static bool take_filled(struct replay *replay, struct filled *filled)
{
	pthread_mutex_lock(&replay->lock);
	while (replay->filled_count == 0 && !replay->is_over)
		pthread_cond_wait(&replay->has_filled, &replay->lock);
	bool has_one = replay->filled_count > 0;
	if (has_one) {
		*filled = replay->filled[replay->first_filled];
		replay->first_filled = (replay->first_filled + 1) % BLOCKS_MAX;
		replay->filled_count--;
	}
	pthread_mutex_unlock(&replay->lock);
	return has_one;
}

static void say_over(struct replay *replay)
{
	pthread_mutex_lock(&replay->lock);
	replay->is_over = true;
	pthread_cond_broadcast(&replay->has_filled);
	pthread_mutex_unlock(&replay->lock);
}

static void *work(void *context)
{
	struct replay_worker *worker = context;
	struct filled filled;
	while (take_filled(worker->replay, &filled)) {
		replay_counter_block(worker->counter, &filled.block);
		give_free(worker->replay, filled.buffer);
	}
	return NULL;
}

/* ---- reading ---- */

static void tell_progress(struct replay *replay, const struct log_block *block)
{
	const struct replay_options *options = replay->options;
	replay->lines += block->line_count;
	if (options->on_progress)
		options->on_progress(options->context, log_blocks_position(replay->blocks),
			log_blocks_length(replay->blocks), replay->lines);
}

static void read_all(struct replay *replay)
{
	for (;;) {
		struct filled filled = { .buffer = take_free(replay) };
		if (!log_blocks_next(replay->blocks, filled.buffer, &filled.block)) {
			give_free(replay, filled.buffer);
			return;
		}
		tell_progress(replay, &filled.block);
		if (replay->thread_count > 0) {
			give_filled(replay, &filled);
			continue;
		}
		replay_counter_block(replay->workers[0].counter, &filled.block);
		give_free(replay, filled.buffer);
	}
}

/* A thread that cannot be had is done without. */
static void run(struct replay *replay)
{
	for (unsigned i = 0; replay->worker_count > 1 && i < replay->worker_count; i++) {
		struct replay_worker *worker = &replay->workers[replay->thread_count];
		if (pthread_create(&worker->thread, NULL, work, worker) == 0)
			replay->thread_count++;
	}
	read_all(replay);
	say_over(replay);
	for (unsigned i = 0; i < replay->thread_count; i++)
		pthread_join(replay->workers[i].thread, NULL);
}

/* ---- from the beginning to the end ---- */

static bool make_workers(struct replay *replay)
{
	unsigned wanted = replay->options->threads;
	if (wanted < 1 || wanted > REPLAY_THREADS_MAX)
		wanted = wanted < 1 ? 1 : REPLAY_THREADS_MAX;
	for (; replay->worker_count < wanted; replay->worker_count++) {
		struct replay_worker *worker = &replay->workers[replay->worker_count];
		worker->replay = replay;
		worker->counter = replay_counter_new(replay->options);
		if (!worker->counter)
			return false;
	}
	return true;
}

static bool make_buffers(struct replay *replay)
{
	unsigned wanted = replay->worker_count * BLOCKS_PER_THREAD + 1;
	for (; replay->free_count < wanted; replay->free_count++) {
		replay->free[replay->free_count] = malloc(LOG_BLOCK_SIZE);
		if (!replay->free[replay->free_count])
			return false;
	}
	return true;
}

static struct replay *replay_new(
	const struct replay_options *options, char *const *files, size_t file_count)
{
	struct replay *replay = calloc(1, sizeof *replay);
	if (!replay)
		return NULL;
	pthread_mutex_init(&replay->lock, NULL);
	pthread_cond_init(&replay->has_free, NULL);
	pthread_cond_init(&replay->has_filled, NULL);
	replay->options = options;
	replay->blocks = log_blocks_open(files, file_count);
	return replay;
}

static void replay_free(struct replay *replay)
{
	for (unsigned i = 0; i < replay->worker_count; i++)
		replay_counter_free(replay->workers[i].counter);
	for (unsigned i = 0; i < replay->free_count; i++)
		free(replay->free[i]);
	log_blocks_close(replay->blocks);
	pthread_cond_destroy(&replay->has_filled);
	pthread_cond_destroy(&replay->has_free);
	pthread_mutex_destroy(&replay->lock);
	free(replay);
}

static struct replay_result *sum_up(struct replay *replay)
{
	struct replay_result *sum = replay_counter_result(replay->workers[0].counter);
	for (unsigned i = 1; i < replay->worker_count; i++) {
		struct replay_result *more = replay_counter_result(replay->workers[i].counter);
		replay_result_merge(sum, more, replay->options->examples);
		replay_result_free(more);
	}
	sum->counts.lines += log_blocks_long_lines(replay->blocks);
	sum->counts.bad += log_blocks_long_lines(replay->blocks);
	sum->is_complete = !log_blocks_have_failed(replay->blocks);
	return sum;
}

struct replay_result *replay_run(
	const struct replay_options *options, char *const *files, size_t file_count)
{
	struct replay_result *result = NULL;
	struct replay *replay = replay_new(options, files, file_count);
	if (!replay)
		return NULL;
	if (replay->blocks && make_workers(replay) && make_buffers(replay)) {
		run(replay);
		result = sum_up(replay);
	}
	replay_free(replay);
	return result;
}
