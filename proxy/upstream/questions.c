#include "proxy/upstream/questions.h"

#include <stdlib.h>
#include <string.h>

bool questions_init(struct questions *questions)
{
	list_init(&questions->free);
	questions->slots = calloc(UPSTREAM_IN_FLIGHT, sizeof *questions->slots);
	return questions->slots;
}

void questions_deinit(struct questions *questions)
{
	free(questions->slots);
}

struct question *questions_take(struct questions *questions)
{
	struct list *node = list_take_first(&questions->free);
	if (!node && questions->touched == UPSTREAM_IN_FLIGHT)
		return NULL;
	struct question *question = node ? container_of(node, struct question, age)
					 : &questions->slots[questions->touched++];
	memset(question, 0, offsetof(struct question, wire));
	list_init(&question->age);
	list_init(&question->place);
	questions->in_flight++;
	return question;
}

void questions_free(struct questions *questions, struct question *question)
{
	list_remove(&question->place);
	list_remove(&question->age);
	/* To the front: the memory of the last one used is warm. */
	list_append(questions->free.next, &question->age);
	questions->in_flight--;
}

struct question *questions_find(const struct questions *questions, uint32_t number)
{
	struct question *question = questions->by_number[number % QUESTIONS_BUCKETS];
	while (question && question->number != number)
		question = question->next_by_number;
	return question;
}

void questions_take_number(
	struct questions *questions, struct question *question, struct random_pool *random)
{
	uint16_t number;
	do
		number = random_u16(random);
	while (questions_find(questions, number));
	question->number = number;
	question->next_by_number = questions->by_number[number % QUESTIONS_BUCKETS];
	questions->by_number[number % QUESTIONS_BUCKETS] = question;
}

void questions_give_number_back(struct questions *questions, struct question *question)
{
	struct question **at = &questions->by_number[question->number % QUESTIONS_BUCKETS];
	while (*at && *at != question)
		at = &(*at)->next_by_number;
	if (*at)
		*at = question->next_by_number;
}
