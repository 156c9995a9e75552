#include "proxy/upstream/questions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

static struct questions *questions_new(void)
{
	struct questions *questions = calloc(1, sizeof *questions);
	assert_true(questions_init(questions));
	return questions;
}

static void questions_end(struct questions *questions)
{
	questions_deinit(questions);
	free(questions);
}

static void no_more_than_there_are(void **state)
{
	(void)state;
	struct questions *questions = questions_new();
	struct question *last = NULL;
	for (unsigned i = 0; i < UPSTREAM_IN_FLIGHT; i++) {
		last = questions_take(questions);
		assert_non_null(last);
		assert_int_equal(questions->in_flight, i + 1);
	}
	assert_null(questions_take(questions));
	assert_int_equal(questions->in_flight, UPSTREAM_IN_FLIGHT);
	questions_free(questions, last);
	assert_ptr_equal(questions_take(questions), last);
	assert_null(questions_take(questions));
	questions_end(questions);
}

/* The one used last comes first, and nothing is left of what it was. */
static void slots_are_used_again(void **state)
{
	(void)state;
	struct questions *questions = questions_new();
	struct list age, place;
	list_init(&age);
	list_init(&place);
	struct question *first = questions_take(questions);
	struct question *second = questions_take(questions);
	list_append(&age, &second->age);
	list_append(&place, &second->place);
	second->deaths = 2;
	second->after = 7;
	questions_free(questions, first);
	questions_free(questions, second);
	assert_true(list_is_empty(&age));
	assert_true(list_is_empty(&place));
	assert_ptr_equal(questions_take(questions), second);
	assert_int_equal(second->deaths, 0);
	assert_int_equal(second->after, 0);
	assert_true(list_is_empty(&second->age));
	assert_true(list_is_empty(&second->place));
	assert_ptr_equal(questions_take(questions), first);
	assert_int_equal(questions->touched, 2);
	questions_end(questions);
}

/* With many at once several share a bucket. */
static void numbers_are_unique(void **state)
{
	(void)state;
	static bool is_taken[65536];
	struct random_pool random;
	struct questions *questions = questions_new();
	random_pool_init(&random);
	for (unsigned i = 0; i < UPSTREAM_IN_FLIGHT; i++) {
		struct question *question = questions_take(questions);
		questions_take_number(questions, question, &random);
		assert_false(is_taken[question->number]);
		is_taken[question->number] = true;
	}
	for (unsigned number = 0; number < 65536; number++) {
		const struct question *question = questions_find(questions, number);
		assert_int_equal(question != NULL, is_taken[number]);
		assert_true(!question || question->number == number);
	}
	/* Every other one goes; the others are still found. */
	for (unsigned i = 0; i < UPSTREAM_IN_FLIGHT; i += 2)
		questions_give_number_back(questions, &questions->slots[i]);
	for (unsigned i = 0; i < UPSTREAM_IN_FLIGHT; i++) {
		struct question *question = &questions->slots[i];
		assert_ptr_equal(
			questions_find(questions, question->number), i % 2 ? question : NULL);
	}
	assert_null(questions_find(questions, 65536 + questions->slots[1].number));
	questions_end(questions);
}

/* One that has none gives none back. */
static void a_number_is_given_back_once(void **state)
{
	(void)state;
	struct random_pool random;
	struct questions *questions = questions_new();
	random_pool_init(&random);
	struct question *one = questions_take(questions);
	struct question *other = questions_take(questions);
	questions_take_number(questions, one, &random);
	questions_give_number_back(questions, one);
	other->number = one->number;
	questions_give_number_back(questions, other);
	questions_give_number_back(questions, one);
	assert_null(questions_find(questions, one->number));
	questions_end(questions);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_more_than_there_are),
		cmocka_unit_test(slots_are_used_again),
		cmocka_unit_test(numbers_are_unique),
		cmocka_unit_test(a_number_is_given_back_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
