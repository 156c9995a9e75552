/* The log's thread is lazy: it sleeps while there is nothing, is woken by the first line after a
 * quiet time, and naps between batches while lines come. Workers write to the eventfd only when it
 * sleeps, or naps while a ring fills up; in the steady state they make no system call.
 *
 * When the sink is in trouble (full disk, reader gone, FIFO without a reader), it is opened again
 * after a second, and lines wait in the rings until then; when that did not help they are dropped
 * and counted, and so on every second. So a short trouble costs no line. A reader that is merely
 * slow keeps its lines in the rings; what finds no room there is dropped and counted. */
#include "proxy/watch/query_log.h"

#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "proxy/rights/capabilities.h"
#include "proxy/watch/log_ring.h"
#include "proxy/watch/log_sink.h"
#include "proxy/watch/query_log_line.h"

enum {
	NAP_MS = 50,
	NAPS_BEFORE_SLEEP = 20,
	RETRY_MS = 1000,
	CLOSE_MS = 1000,
};

/* What the thread is doing, for the workers: whether to wake it. */
enum thread_state { THREAD_AWAKE, THREAD_NAPS, THREAD_SLEEPS };

struct query_log_ring {
	struct log_ring lines;
	struct query_log *log;
	struct query_log_stamp stamp;
	_Atomic uint64_t dropped_full;   /* written by the worker */
	_Atomic uint64_t dropped_failed; /* written by the worker */
};

struct query_log {
	_Atomic int state;           /* enum thread_state */
	_Atomic bool sink_is_failed; /* has been in trouble for some time */
	_Atomic bool reopen_wanted;
	_Atomic bool close_wanted;
	_Atomic uint64_t written;
	_Atomic uint64_t lost; /* taken from the rings and not written */
	int wake_fd;
	pthread_t thread;
	struct query_log_style style;
	char *file;
	unsigned ring_count;
	struct query_log_ring *rings;
	/* Of the thread alone from here. */
	struct log_sink sink;
	struct query_log_ring *begun; /* whose first line stands in the sink in part ... */
	size_t begun_len;             /* ... by so many bytes */
	uint64_t stuck_since_ms;      /* 0: the sink takes what it is given */
	uint64_t retry_at_ms;
	uint64_t close_at_ms; /* 0: not yet */
	uint64_t dropped_told;
	struct log_rate failure_rate;
	struct log_rate drop_rate;
};

/* --- the workers' side --- */

static void count(_Atomic uint64_t *counter)
{
	uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
	atomic_store_explicit(counter, value + 1, memory_order_relaxed);
}

static bool is_important(const struct query_log_event *event)
{
	return event->verdict &&
		(event->verdict->action == ACTION_BLOCK || event->verdict->action == ACTION_ALERT);
}

static void wake(struct query_log *log)
{
	uint64_t one = 1;
	ssize_t ignored = write(log->wake_fd, &one, sizeof one);
	(void)ignored;
}

static void wake_if_needed(struct query_log *log, const struct log_ring *ring, uint64_t waiting)
{
	int state = atomic_load(&log->state);
	if (state == THREAD_AWAKE || (state == THREAD_NAPS && waiting < ring->size / 4))
		return;
	if (atomic_exchange(&log->state, THREAD_AWAKE) != THREAD_AWAKE)
		wake(log);
}

static void drop(struct query_log_ring *ring)
{
	bool failed = atomic_load_explicit(&ring->log->sink_is_failed, memory_order_relaxed);
	count(failed ? &ring->dropped_failed : &ring->dropped_full);
}

bool query_log_write(struct query_log_ring *ring, const struct query_log_event *event)
{
	struct writer line;
	if (!ring)
		return true;
	if (!log_ring_reserve(&ring->lines, is_important(event), &line)) {
		drop(ring);
		return false;
	}
	query_log_line_write(&line, &ring->log->style, &ring->stamp, event);
	if (line.failed) {
		drop(ring);
		return false;
	}
	uint64_t waiting = log_ring_commit(&ring->lines, &line);
	wake_if_needed(ring->log, &ring->lines, waiting);
	return true;
}

bool query_log_is_blocked(struct query_log_ring *ring)
{
	struct writer line;
	if (!ring)
		return false;
	return atomic_load_explicit(&ring->log->sink_is_failed, memory_order_relaxed) ||
		!log_ring_reserve(&ring->lines, false, &line);
}

/* --- the thread: writing --- */

static uint64_t monotonic_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Position just behind the last line feed within the first `len` bytes of both pieces; 0 when there
 * is none. */
static size_t lines_end(const struct slice pieces[2], size_t len)
{
	size_t first = len < pieces[0].len ? len : pieces[0].len;
	const uint8_t *found = len > first ? memrchr(pieces[1].at, '\n', len - first) : NULL;
	if (found)
		return first + (size_t)(found - pieces[1].at) + 1;
	found = memrchr(pieces[0].at, '\n', first);
	return found ? (size_t)(found - pieces[0].at) + 1 : 0;
}

static uint64_t count_lines(const struct slice pieces[2], size_t len)
{
	uint64_t lines = 0;
	for (unsigned i = 0; i < 2; i++) {
		size_t part = len < pieces[i].len ? len : pieces[i].len;
		struct slice rest = slice_of(pieces[i].at, part);
		while (rest.len) {
			const uint8_t *end = memchr(rest.at, '\n', rest.len);
			if (!end)
				break;
			lines++;
			rest = slice_of(end + 1, rest.len - (size_t)(end - rest.at) - 1);
		}
		len -= part;
	}
	return lines;
}

/* How much of what waits is written next: whole lines up to the sink's measure, or as much of a
 * longer line. */
static size_t batch_end(const struct query_log *log, const struct slice pieces[2], size_t begun)
{
	size_t total = pieces[0].len + pieces[1].len;
	size_t most = begun + log->sink.chunk_max;
	size_t end = lines_end(pieces, total < most ? total : most);
	return end > begun ? end : most;
}

static int cut_pieces(struct iovec cut[2], const struct slice pieces[2], size_t from, size_t to)
{
	int used = 0;
	size_t start = 0;
	for (unsigned i = 0; i < 2; i++) {
		size_t end = start + pieces[i].len;
		size_t low = from > start ? from : start;
		size_t high = to < end ? to : end;
		if (low < high)
			cut[used++] = (struct iovec){
				.iov_base = (void *)(uintptr_t)(pieces[i].at + (low - start)),
				.iov_len = high - low,
			};
		start = end;
	}
	return used;
}

/* Lines are released when they are out in full; a line that is out in part is remembered, and
 * either finished in the same sink or written again from its start to another. */
static void take_note(struct query_log *log, struct query_log_ring *ring,
	const struct slice pieces[2], size_t out)
{
	size_t whole = lines_end(pieces, out);
	uint64_t lines = count_lines(pieces, whole);
	log_ring_release(&ring->lines, whole);
	log->begun = whole < out ? ring : NULL;
	log->begun_len = out - whole;
	uint64_t written = atomic_load_explicit(&log->written, memory_order_relaxed);
	atomic_store_explicit(&log->written, written + lines, memory_order_relaxed);
}

/* Writes one batch of a ring: 1 when it went out, 0 when there is nothing, or -errno. */
static int write_batch(struct query_log *log, struct query_log_ring *ring)
{
	struct slice pieces[2];
	struct iovec cut[2];
	size_t begun = log->begun == ring ? log->begun_len : 0;
	log_ring_peek(&ring->lines, pieces);
	if (pieces[0].len == 0)
		return 0;
	size_t end = batch_end(log, pieces, begun);
	ssize_t out = log_sink_write(&log->sink, cut, cut_pieces(cut, pieces, begun, end));
	if (out < 0)
		return (int)out;
	take_note(log, ring, pieces, begun + (size_t)out);
	return out == 0 ? -EAGAIN : 1;
}

/* One batch of each ring in turn, so that no worker's lines wait for another's flood; a begun line
 * is finished first. */
static int write_round(struct query_log *log)
{
	int moved = 0;
	while (log->begun) {
		int result = write_batch(log, log->begun);
		if (result < 0)
			return result;
	}
	for (unsigned i = 0; i < log->ring_count; i++) {
		int result = write_batch(log, &log->rings[i]);
		if (result < 0)
			return result;
		moved |= result;
		if (log->begun)
			return 1;
	}
	return moved;
}

/* --- the thread: trouble --- */

static void open_sink(struct query_log *log)
{
	bool is_same;
	int error = log_sink_open(&log->sink, &is_same);
	if (error && log_rate_ok(&log->failure_rate, monotonic_ms()))
		log_warning("query_log: cannot open file=\"%s\": %s", log->file, error_text(error));
	if (error || is_same)
		return;
	log->begun = NULL;
	log->begun_len = 0;
}

/* Lines in the rings will not be written any more. */
static uint64_t discard(struct query_log *log)
{
	uint64_t lines = 0;
	for (unsigned i = 0; i < log->ring_count; i++) {
		struct slice pieces[2];
		log_ring_peek(&log->rings[i].lines, pieces);
		lines += count_lines(pieces, SIZE_MAX);
		log_ring_release(&log->rings[i].lines, pieces[0].len + pieces[1].len);
	}
	uint64_t lost = atomic_load_explicit(&log->lost, memory_order_relaxed);
	atomic_store_explicit(&log->lost, lost + lines, memory_order_relaxed);
	return lines;
}

/* A line that is out in part, and stays so. */
static void give_up_begun(struct query_log *log, int error)
{
	/* Who read that part from a pipe is gone; the next reader begins afresh. */
	if (log->begun && error != -EPIPE)
		log_sink_take_back(&log->sink, log->begun_len);
	log->begun = NULL;
	log->begun_len = 0;
}

static void on_trouble(struct query_log *log, int error, uint64_t now_ms)
{
	bool is_new = !log->stuck_since_ms;
	if (is_new)
		log->stuck_since_ms = now_ms;
	log->retry_at_ms = now_ms + RETRY_MS;
	/* A reader that is only slow is not a failure; one that takes nothing for long is. */
	if (error == -EAGAIN && now_ms - log->stuck_since_ms < RETRY_MS)
		return;
	atomic_store_explicit(&log->sink_is_failed, true, memory_order_relaxed);
	if (error == -EAGAIN)
		return;
	if (log_rate_ok(&log->failure_rate, now_ms))
		log_warning(
			"query_log: cannot write file=\"%s\": %s", log->file, error_text(error));
	give_up_begun(log, error);
	if (!is_new)
		discard(log);
}

/* Whole lines went out. */
static void on_progress(struct query_log *log)
{
	log->stuck_since_ms = 0;
	if (!atomic_load_explicit(&log->sink_is_failed, memory_order_relaxed))
		return;
	atomic_store_explicit(&log->sink_is_failed, false, memory_order_relaxed);
	log_info("query_log: written again file=\"%s\"", log->file);
}

static void tell_drops(struct query_log *log, uint64_t now_ms)
{
	struct query_log_counters counters = query_log_counters(log);
	uint64_t dropped = counters.dropped_full + counters.dropped_failed;
	if (dropped == log->dropped_told || !log_rate_ok(&log->drop_rate, now_ms))
		return;
	log_warning("query_log: lines dropped count=%llu file=\"%s\"",
		(unsigned long long)(dropped - log->dropped_told), log->file);
	log->dropped_told = dropped;
}

/* --- the thread: sleeping --- */

static void wait_for(struct query_log *log, int timeout_ms, bool for_sink)
{
	struct pollfd waits[2] = {
		{ .fd = log->wake_fd, .events = POLLIN },
		{ .fd = for_sink ? log->sink.fd : -1, .events = POLLOUT },
	};
	uint64_t ignored;
	poll(waits, 2, timeout_ms);
	atomic_store(&log->state, THREAD_AWAKE);
	if (waits[0].revents && read(log->wake_fd, &ignored, sizeof ignored) < 0)
		return;
}

static bool rings_are_empty(const struct query_log *log)
{
	for (unsigned i = 0; i < log->ring_count; i++)
		if (log_ring_waiting(&log->rings[i].lines))
			return false;
	return true;
}

static bool is_asked_for_something(const struct query_log *log)
{
	return atomic_load(&log->reopen_wanted) || atomic_load(&log->close_wanted);
}

static void nap(struct query_log *log)
{
	atomic_store(&log->state, THREAD_NAPS);
	wait_for(log, NAP_MS, false);
}

/* Says that it sleeps, then looks once more: see log_ring_commit(). */
static void sleep_until_woken(struct query_log *log)
{
	atomic_store(&log->state, THREAD_SLEEPS);
	if (rings_are_empty(log) && !is_asked_for_something(log))
		wait_for(log, -1, false);
	atomic_store(&log->state, THREAD_AWAKE);
}

/* The sink does not take more: waits for it, or for the time to try again. */
static void wait_for_sink(struct query_log *log, int error, uint64_t now_ms)
{
	uint64_t until_ms = log->retry_at_ms;
	if (log->close_at_ms && log->close_at_ms < until_ms)
		until_ms = log->close_at_ms;
	int timeout_ms = until_ms > now_ms ? (int)(until_ms - now_ms) : 0;
	wait_for(log, timeout_ms, error == -EAGAIN);
	if (error != -EAGAIN && monotonic_ms() >= log->retry_at_ms)
		open_sink(log);
}

/* A sink that is only slow gets CLOSE_MS to take the rest. */
static bool is_over(struct query_log *log, uint64_t now_ms, int result)
{
	if (!atomic_load(&log->close_wanted))
		return false;
	if (!log->close_at_ms)
		log->close_at_ms = now_ms + CLOSE_MS;
	if (result == 0 || now_ms >= log->close_at_ms)
		return true;
	return result < 0 && result != -EAGAIN;
}

/* So much waits already that another batch is worth its system call. */
static bool is_backlogged(const struct query_log *log)
{
	for (unsigned i = 0; i < log->ring_count; i++) {
		const struct log_ring *ring = &log->rings[i].lines;
		uint64_t waiting = log_ring_waiting(ring);
		if (waiting >= ring->size / 4 || waiting >= log->sink.chunk_max)
			return true;
	}
	return false;
}

/* Lines are collected for a nap, so that a write carries many of them. */
static void rest(struct query_log *log, int result, unsigned *quiet_naps)
{
	*quiet_naps = result ? 0 : *quiet_naps + 1;
	if (atomic_load(&log->close_wanted) || (result && is_backlogged(log)))
		return;
	if (*quiet_naps > NAPS_BEFORE_SLEEP)
		sleep_until_woken(log);
	else
		nap(log);
}

static void *thread_main(void *context)
{
	struct query_log *log = context;
	unsigned quiet_naps = 0;
	/* It was started before the listeners stood. */
	capabilities_keep(~CAPABILITY(CAP_NET_BIND_SERVICE));
	for (;;) {
		if (atomic_exchange(&log->reopen_wanted, false))
			open_sink(log);
		uint64_t written = atomic_load_explicit(&log->written, memory_order_relaxed);
		int result = write_round(log);
		uint64_t now_ms = monotonic_ms();
		if (atomic_load_explicit(&log->written, memory_order_relaxed) != written)
			on_progress(log);
		tell_drops(log, now_ms);
		if (is_over(log, now_ms, result))
			break;
		if (result < 0) {
			on_trouble(log, result, now_ms);
			wait_for_sink(log, result, now_ms);
		} else {
			rest(log, result, &quiet_naps);
		}
	}
	uint64_t lines = discard(log);
	if (lines)
		log_warning("query_log: lines lost at the end count=%llu file=\"%s\"",
			(unsigned long long)lines, log->file);
	return NULL;
}

/* --- life --- */

static void log_free(struct query_log *log)
{
	for (unsigned i = 0; i < log->ring_count; i++)
		log_ring_deinit(&log->rings[i].lines);
	log_sink_close(&log->sink);
	if (log->wake_fd >= 0)
		close(log->wake_fd);
	free(log->rings);
	free(log->file);
	free(log);
}

static int make_rings(struct query_log *log, size_t size, unsigned ring_count)
{
	log->rings = aligned_alloc(64, ring_count * sizeof log->rings[0]);
	if (!log->rings)
		return ERR_NO_MEMORY;
	memset(log->rings, 0, ring_count * sizeof log->rings[0]);
	for (; log->ring_count < ring_count; log->ring_count++) {
		log->rings[log->ring_count].log = log;
		int error = log_ring_init(&log->rings[log->ring_count].lines, size);
		if (error)
			return error;
	}
	return 0;
}

/* Signals are for the main thread. */
static int start_thread(struct query_log *log)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&log->thread, NULL, thread_main, log);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}

static int log_start(
	struct query_log *log, const struct query_log_config *config, unsigned ring_count)
{
	bool is_same;
	log->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	log->file = strdup(config->file);
	if (log->wake_fd < 0 || !log->file)
		return -errno;
	log_sink_init(&log->sink, log->file);
	int error = query_log_style_init(&log->style, config);
	if (error)
		log_error("query_log: cannot use hash_key_file=\"%s\": %s", config->hash_key_file,
			error_text(error));
	if (!error)
		error = make_rings(log, config->buffer_bytes, ring_count);
	if (error)
		return error;
	/* A FIFO whose reader is not there yet is no reason not to start. */
	error = log_sink_open(&log->sink, &is_same);
	if (error && error != -ENXIO)
		return error;
	return start_thread(log);
}

struct query_log *query_log_open(const struct query_log_config *config, unsigned ring_count)
{
	errno = 0;
	if (!config->file)
		return NULL;
	struct query_log *log = calloc(1, sizeof *log);
	if (!log)
		return NULL;
	log->wake_fd = -1;
	log->sink.fd = -1;
	int error = log_start(log, config, ring_count);
	if (!error)
		return log;
	log_free(log);
	errno = -error;
	return NULL;
}

void query_log_close(struct query_log *log)
{
	if (!log)
		return;
	atomic_store(&log->close_wanted, true);
	wake(log);
	pthread_join(log->thread, NULL);
	log_free(log);
}

struct query_log_ring *query_log_ring(struct query_log *log, unsigned index)
{
	return log ? &log->rings[index] : NULL;
}

void query_log_reopen(struct query_log *log)
{
	if (!log)
		return;
	atomic_store(&log->reopen_wanted, true);
	wake(log);
}

struct query_log_counters query_log_counters(const struct query_log *log)
{
	struct query_log_counters sum = { 0 };
	if (!log)
		return sum;
	for (unsigned i = 0; i < log->ring_count; i++) {
		const struct query_log_ring *ring = &log->rings[i];
		sum.dropped_full += atomic_load_explicit(&ring->dropped_full, memory_order_relaxed);
		sum.dropped_failed +=
			atomic_load_explicit(&ring->dropped_failed, memory_order_relaxed);
	}
	sum.lines = atomic_load_explicit(&log->written, memory_order_relaxed);
	sum.dropped_failed += atomic_load_explicit(&log->lost, memory_order_relaxed);
	return sum;
}
