#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

struct thing {
	int number;
	struct list node;
};

static struct thing things[3];
static struct list head;

static int set_up(void **state)
{
	(void)state;
	list_init(&head);
	for (int i = 0; i < 3; i++) {
		things[i].number = i;
		list_init(&things[i].node);
		list_append(&head, &things[i].node);
	}
	return 0;
}

/* The numbers in the list, forwards; the way back must say the same. */
static int numbers(void)
{
	int forwards = 0, backwards = 0, unit = 1;
	for (struct list *at = head.next; at != &head; at = at->next)
		forwards = forwards * 10 + container_of(at, struct thing, node)->number + 1;
	for (struct list *at = head.prev; at != &head; at = at->prev, unit *= 10)
		backwards += unit * (container_of(at, struct thing, node)->number + 1);
	assert_int_equal(forwards, backwards);
	return forwards;
}

static void keeps_the_order_of_arrival(void **state)
{
	(void)state;
	assert_int_equal(numbers(), 123);
	assert_int_equal(container_of(list_take_first(&head), struct thing, node)->number, 0);
	assert_int_equal(numbers(), 23);
}

static void removes_from_anywhere_and_twice(void **state)
{
	(void)state;
	list_remove(&things[1].node);
	assert_int_equal(numbers(), 13);
	list_remove(&things[1].node);
	assert_int_equal(numbers(), 13);
	assert_true(list_is_empty(&things[1].node));
	list_append(&head, &things[1].node);
	assert_int_equal(numbers(), 132);
}

static void gives_null_when_empty(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		assert_non_null(list_take_first(&head));
	assert_true(list_is_empty(&head));
	assert_null(list_take_first(&head));
	assert_null(list_take_first(&head));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(keeps_the_order_of_arrival, set_up),
		cmocka_unit_test_setup(removes_from_anywhere_and_twice, set_up),
		cmocka_unit_test_setup(gives_null_when_empty, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
