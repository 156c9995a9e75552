#include "proxy/watch/intern.h"

#include <stdlib.h>

#include "base/error.h"

int intern_init(struct intern *names, uint32_t capacity, const char *other)
{
	*names = (struct intern){ .capacity = capacity, .slot_count = 2 };
	while (names->slot_count < 2 * capacity)
		names->slot_count *= 2;
	pthread_mutex_init(&names->lock, NULL);
	names->texts = calloc(capacity, sizeof names->texts[0]);
	names->slots = calloc(names->slot_count, sizeof names->slots[0]);
	if (!names->texts || !names->slots)
		return ERR_NO_MEMORY;
	intern_id(names, slice_of_text(other));
	return names->count == 1 ? 0 : ERR_NO_MEMORY;
}

void intern_deinit(struct intern *names)
{
	for (uint32_t i = 0; i < names->count; i++)
		free(names->texts[i]);
	free(names->texts);
	free(names->slots);
	pthread_mutex_destroy(&names->lock);
}

/* FNV-1a: the names are the operator's own, nobody crafts them to collide. */
static uint32_t hash(struct slice text)
{
	uint32_t value = 2166136261u;
	for (size_t i = 0; i < text.len; i++)
		value = (value ^ text.at[i]) * 16777619u;
	return value;
}

/* The slot that holds `text`, or the empty one where it belongs. */
static uint16_t *find_slot(struct intern *names, struct slice text)
{
	uint32_t at = hash(text);
	for (;; at++) {
		uint16_t *slot = &names->slots[at & (names->slot_count - 1)];
		if (!*slot || slice_equals_text(text, names->texts[*slot - 1]))
			return slot;
	}
}

static uint16_t add(struct intern *names, uint16_t *slot, struct slice text)
{
	if (names->count == names->capacity)
		return 0;
	char *copy = malloc(text.len + 1);
	if (!copy)
		return 0;
	memcpy(copy, text.at, text.len);
	copy[text.len] = '\0';
	names->texts[names->count++] = copy;
	*slot = (uint16_t)names->count;
	return (uint16_t)(names->count - 1);
}

uint16_t intern_id(struct intern *names, struct slice text)
{
	pthread_mutex_lock(&names->lock);
	uint16_t *slot = find_slot(names, text);
	uint16_t id = *slot ? (uint16_t)(*slot - 1) : add(names, slot, text);
	pthread_mutex_unlock(&names->lock);
	return id;
}

uint32_t intern_count(struct intern *names)
{
	pthread_mutex_lock(&names->lock);
	uint32_t count = names->count;
	pthread_mutex_unlock(&names->lock);
	return count;
}

const char *intern_text(const struct intern *names, uint32_t id)
{
	return names->texts[id];
}
