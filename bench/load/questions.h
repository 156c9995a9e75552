/* questions.h - what a load asks: DNS messages made of a file with a line "NAME TYPE" for each, one
 * after another and then from the beginning. Each has the id 0, RD and an OPT of 1,232 bytes. */
#ifndef BENCH_LOAD_QUESTIONS_H
#define BENCH_LOAD_QUESTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { QUESTION_SIZE = 300, QUESTION_HEADER_LEN = 12 };

struct questions {
	uint8_t *wire;
	uint32_t *offsets; /* of each message, and of the end */
	size_t count, next;
	bool is_fresh;
	uint64_t fresh; /* what the next name begins with */
};

/* Reads a file; ends the program with a word when it cannot. With `fresh_run` above zero each name
 * gets a first label that no other run and no other question of this one has: no cache can know
 * it. */
void questions_read(struct questions *questions, const char *path, uint64_t fresh_run);

/* The same of one question, for the A record of a name. */
void questions_one(struct questions *questions, const char *name);

/* The next message, at most QUESTION_SIZE bytes. Returns its length. */
size_t questions_next(struct questions *questions, uint8_t *to);

#endif
