#include "proxy/upstream/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/random.h"
#include "dns/request.h"

/* The question is WwW.example AAAA IN. */
#define QUESTION "\3WwW\7example\0\0\34\0\1"
#define FOLDED   "\3www\7example\0\0\34\0\1"
#define OPT      "\0\0\51\4\320\0\0\0\0\0\0"
#define SENT     "\x12\x34\1\0\0\1\0\0\0\0\0\1" QUESTION OPT
#define SENT_OLD "\x12\x34\1\0\0\1\0\0\0\0\0\0" QUESTION

#define BYTES(text)                                                                                \
	{                                                                                          \
		(const uint8_t *)(text), sizeof(text) - 1                                          \
	}

static struct judge_sent sent(bool has_opt, bool exact_case, bool over_tcp)
{
	return (struct judge_sent){
		.message = has_opt ? slice_of(SENT, sizeof SENT - 1)
				   : slice_of(SENT_OLD, sizeof SENT_OLD - 1),
		.has_opt = has_opt,
		.exact_case = exact_case,
		.over_tcp = over_tcp,
	};
}

static void test_match(void **state)
{
	(void)state;
	static const struct {
		struct slice answer;
		enum judge_match match;
	} rows[] = {
		{ BYTES("\x12\x34\x81\x80\0\1\0\0\0\0\0\0" QUESTION), JUDGE_EXACT },
		{ BYTES("\x12\x34\x81\x80\0\1\0\0\0\0\0\1" QUESTION OPT), JUDGE_EXACT },
		{ BYTES("\x12\x34\x81\x80\0\1\0\0\0\0\0\0" FOLDED), JUDGE_FOLDED },
		/* QR, opcode, counts */
		{ BYTES("\x12\x34\x01\x80\0\1\0\0\0\0\0\0" QUESTION), JUDGE_FOREIGN },
		{ BYTES("\x12\x34\x89\x80\0\1\0\0\0\0\0\0" QUESTION), JUDGE_FOREIGN },
		{ BYTES("\x12\x34\x81\x80\0\0\0\0\0\0\0\0" QUESTION), JUDGE_FOREIGN },
		{ BYTES("\x12\x34\x81\x80\0\2\0\0\0\0\0\0" QUESTION QUESTION), JUDGE_FOREIGN },
		{ BYTES("\x12\x34\x81\x80\1\1\0\0\0\0\0\0" QUESTION), JUDGE_FOREIGN },
		/* name, type, class */
		{ BYTES("\x12\x34\x81\x80\0\1\0\0\0\0\0\0\3WwX\7example\0\0\34\0\1"),
			JUDGE_FOREIGN },
		{ BYTES("\x12\x34\x81\x80\0\1\0\0\0\0\0\0\3WwW\7example\0\0\1\0\1"),
			JUDGE_FOREIGN },
		{ BYTES("\x12\x34\x81\x80\0\1\0\0\0\0\0\0\3WwW\7example\0\0\34\0\3"),
			JUDGE_FOREIGN },
		{ BYTES("\x12\x34\x81\x80\0\1\0\0\0\0\0\0\3WwW\7exampl\0\0\34\0\1"),
			JUDGE_FOREIGN },
		/* case that is not case: length bytes, type bytes */
		{ BYTES("\x12\x34\x81\x80\0\1\0\0\0\0\0\0\3WwW\7example\0\0\x3c\0\1"),
			JUDGE_FOREIGN },
		{ BYTES("\x12\x34\x81\x80\0\1\0\0\0\0\0\0\3WwW\7exam\x50le\x20\0\34\0\1"),
			JUDGE_FOREIGN },
		/* short */
		{ BYTES(""), JUDGE_FOREIGN },
		{ BYTES("\x12\x34\x81\x80\0\1\0\0\0\0\0"), JUDGE_FOREIGN },
		{ BYTES("\x12\x34\x81\x80\0\1\0\0\0\0\0\0"), JUDGE_FOREIGN },
		{ BYTES("\x12\x34\x81\x80\0\1\0\0\0\0\0\0\3WwW\7example\0\0\34\0"), JUDGE_FOREIGN },
		/* a bare header is believed when it is FORMERR and nothing else */
		{ BYTES("\x12\x34\x81\x81\0\0\0\0\0\0\0\0"), JUDGE_NO_QUESTION },
		{ BYTES("\x12\x34\x81\x82\0\0\0\0\0\0\0\0"), JUDGE_FOREIGN },
		{ BYTES("\x12\x34\x81\x81\0\0\0\0\0\0\0\0\0"), JUDGE_FOREIGN },
		{ BYTES("\x12\x34\x01\x81\0\0\0\0\0\0\0\0"), JUDGE_FOREIGN },
	};
	struct judge_sent as = sent(true, true, false);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (judge_match(&as, rows[i].answer) != rows[i].match)
			fail_msg("row %zu", i);
	}
	/* What was not mixed needs no exact echo; without OPT a bare FORMERR says nothing. */
	as = sent(false, false, false);
	assert_int_equal(judge_match(&as, rows[2].answer), JUDGE_EXACT);
	assert_int_equal(judge_match(&as, rows[18].answer), JUDGE_FOREIGN);
}

static void test_answer(void **state)
{
	(void)state;
	static const struct {
		struct slice answer;
		bool has_opt, over_tcp, cut;
		enum judge_verdict verdict;
	} rows[] = {
		{ BYTES("\x12\x34\x81\x80\0\1\0\0\0\0\0\1" QUESTION OPT), true, false, false,
			JUDGE_ANSWER },
		{ BYTES("\x12\x34\x81\x82\0\1\0\0\0\0\0\0" QUESTION), true, false, false,
			JUDGE_ANSWER },
		{ BYTES("\x12\x34\x83\x80\0\1\0\0\0\0\0\1" QUESTION OPT), true, false, false,
			JUDGE_ASK_TCP },
		/* truncated in the middle of a record, which is why TC comes first */
		{ BYTES("\x12\x34\x83\x80\0\1\0\7\0\0\0\0" QUESTION), true, false, false,
			JUDGE_ASK_TCP },
		{ BYTES("\x12\x34\x83\x80\0\1\0\0\0\0\0\1" QUESTION OPT), true, true, false,
			JUDGE_ANSWER },
		{ BYTES("\x12\x34\x81\x80\0\1\0\0\0\0\0\1" QUESTION OPT), true, false, true,
			JUDGE_ASK_TCP },
		{ BYTES("\x12\x34\x81\x80\0\1\0\0\0\0\0\0" FOLDED), true, false, false,
			JUDGE_ASK_TCP },
		{ BYTES("\x12\x34\x81\x80\0\1\0\0\0\0\0\0" FOLDED), true, true, false,
			JUDGE_ANSWER },
		{ BYTES("\x12\x34\x81\x80\0\1\0\1\0\0\0\0" QUESTION), true, false, false,
			JUDGE_MALFORMED },
		/* FORMERR without OPT: no EDNS there. With OPT, or to a query without: an answer */
		{ BYTES("\x12\x34\x81\x81\0\1\0\0\0\0\0\0" QUESTION), true, false, false,
			JUDGE_DROP_OPT },
		{ BYTES("\x12\x34\x81\x81\0\1\0\0\0\0\0\1" QUESTION OPT), true, false, false,
			JUDGE_ANSWER },
		{ BYTES("\x12\x34\x81\x81\0\1\0\0\0\0\0\0" QUESTION), false, false, false,
			JUDGE_ANSWER },
		{ BYTES("\x12\x34\x81\x81\0\0\0\0\0\0\0\0"), true, false, false, JUDGE_DROP_OPT },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct judge_sent as = sent(rows[i].has_opt, true, rows[i].over_tcp);
		struct dns_answer opened;
		enum judge_match match = judge_match(&as, rows[i].answer);
		assert_int_not_equal(match, JUDGE_FOREIGN);
		if (judge_answer(&as, match, rows[i].answer, rows[i].cut, &opened) !=
			rows[i].verdict)
			fail_msg("row %zu", i);
	}
}

static void test_mixed_case(void **state)
{
	(void)state;
	struct random_pool random;
	random_pool_init(&random);
	uint8_t name[] = "\77abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"
			 "\7@[`{\300\377_";
	uint8_t before[sizeof name];
	unsigned upper = 0;
	memcpy(before, name, sizeof name);
	for (unsigned round = 0; round < 100; round++) {
		judge_mix_case(&random, name, sizeof name - 1);
		for (size_t i = 0; i < sizeof name; i++) {
			assert_int_equal(dns_lower(name[i]), dns_lower(before[i]));
			if (i > 52)
				assert_int_equal(name[i], before[i]);
			upper += i <= 52 && name[i] >= 'A' && name[i] <= 'Z';
		}
	}
	/* 5200 coins. */
	assert_true(upper > 2350 && upper < 2850);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_mixed_case),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
