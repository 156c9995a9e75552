/* intern.h - names to small numbers that stay the same for the life of the process, so that a
 * counter survives a reload. A number is never reused; when all are given out, further names share
 * number 0. Any thread may ask; not for the query path. */
#ifndef PROXY_WATCH_INTERN_H
#define PROXY_WATCH_INTERN_H

#include <pthread.h>

#include "base/slice.h"

struct intern {
	pthread_mutex_t lock;
	char **texts;        /* by number; never moved or freed before the end */
	uint16_t *slots;     /* by hash: number + 1, or 0 */
	uint32_t slot_count; /* a power of two, at least twice the capacity */
	uint32_t capacity;
	uint32_t count;
};

/* `other` is the text of number 0. 0 or ERR_NO_MEMORY. */
int intern_init(struct intern *names, uint32_t capacity, const char *other);
void intern_deinit(struct intern *names);

/* The number of `text`; 0 when the table is full or memory is short. */
uint16_t intern_id(struct intern *names, struct slice text);

/* How many numbers are given out; their texts live as long as the table. */
uint32_t intern_count(struct intern *names);
const char *intern_text(const struct intern *names, uint32_t id);

#endif
