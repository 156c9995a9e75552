#include "base/give_way.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NICENESS = 10 }; /* about a tenth of a core that is asked for by others as well */

struct errand {
	void (*work)(void *context);
	void *context;
};

/* Failing changes nothing but the speed of answers. */
void give_way(void)
{
	const struct sched_param none = { 0 };
	sched_setscheduler(0, SCHED_BATCH, &none);
	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICENESS);
}

static void *run(void *argument)
{
	struct errand errand = *(struct errand *)argument;
	free(argument);
	give_way();
	errand.work(errand.context);
	return NULL;
}

/* Signals are for the threads that wait for them. */
static int start(struct errand *errand)
{
	pthread_attr_t detached;
	pthread_t thread;
	sigset_t all, before;
	int error = pthread_attr_init(&detached);
	if (error)
		return error;
	sigfillset(&all);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	error = pthread_create(&thread, &detached, run, errand);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&detached);
	return error;
}

void give_way_to_do(void (*work)(void *context), void *context)
{
	struct errand *errand = malloc(sizeof *errand);
	if (errand) {
		*errand = (struct errand){ .work = work, .context = context };
		if (start(errand) == 0)
			return;
		free(errand);
	}
	work(context);
}
