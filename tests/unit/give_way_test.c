/* Work that nobody waits for is done, by a thread that counts for less. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/give_way.h"

enum { ERRANDS = 50, PATIENCE_S = 20 };

struct seen {
	sem_t done;
	pthread_t thread;
	int policy, niceness;
	bool takes_signals;
};

static bool refuse_threads;

int __real_pthread_create(
	pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);
int __wrap_pthread_create(
	pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);

int __wrap_pthread_create(
	pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
	return refuse_threads ? EAGAIN : __real_pthread_create(thread, attributes, run, argument);
}

static void look(void *context)
{
	struct seen *seen = context;
	sigset_t blocked;
	seen->thread = pthread_self();
	seen->policy = sched_getscheduler(0);
	seen->niceness = getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid));
	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	seen->takes_signals = !sigismember(&blocked, SIGTERM) || !sigismember(&blocked, SIGHUP);
	sem_post(&seen->done);
}

static void wait_for(struct seen *seen)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	assert_int_equal(sem_timedwait(&seen->done, &until), 0);
}

static void test_errands_are_done_by_others(void **state)
{
	(void)state;
	static struct seen seen[ERRANDS];
	for (size_t i = 0; i < ERRANDS; i++) {
		sem_init(&seen[i].done, 0, 0);
		give_way_to_do(look, &seen[i]);
	}
	for (size_t i = 0; i < ERRANDS; i++) {
		wait_for(&seen[i]);
		assert_false(pthread_equal(seen[i].thread, pthread_self()));
		assert_int_equal(seen[i].policy, SCHED_BATCH);
		assert_true(seen[i].niceness >= 10);
		assert_false(seen[i].takes_signals);
	}
}

static void test_the_caller_does_not_give_way(void **state)
{
	(void)state;
	static struct seen seen;
	sigset_t before, after;
	int policy = sched_getscheduler(0), niceness = getpriority(PRIO_PROCESS, 0);
	pthread_sigmask(SIG_BLOCK, NULL, &before);
	sem_init(&seen.done, 0, 0);
	give_way_to_do(look, &seen);
	wait_for(&seen);
	pthread_sigmask(SIG_BLOCK, NULL, &after);
	assert_int_equal(sched_getscheduler(0), policy);
	assert_int_equal(getpriority(PRIO_PROCESS, 0), niceness);
	assert_int_equal(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
}

/* As when the limit of processes is reached. */
static void test_without_a_thread_it_is_done_here(void **state)
{
	(void)state;
	static struct seen seen;
	sem_init(&seen.done, 0, 0);
	refuse_threads = true;
	give_way_to_do(look, &seen);
	refuse_threads = false;
	assert_int_equal(sem_trywait(&seen.done), 0);
	assert_true(pthread_equal(seen.thread, pthread_self()));
	assert_int_not_equal(seen.policy, SCHED_BATCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_errands_are_done_by_others),
		cmocka_unit_test(test_the_caller_does_not_give_way),
		cmocka_unit_test(test_without_a_thread_it_is_done_here),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
