/* costly_answers.h - answers of 64 KiB that are made to be as expensive to read and to rebuild as
 * the format allows. Used by reply_test.c and bench/dns_bench.c. */
#ifndef TESTS_UNIT_COSTLY_ANSWERS_H
#define TESTS_UNIT_COSTLY_ANSWERS_H

#include "dns/answer.h"

static inline void costly_pointer(struct writer *to, size_t at)
{
	writer_u16(to, (uint16_t)(0xc000 | at));
}

static inline void costly_record(struct writer *to, uint16_t type, size_t owner_at)
{
	costly_pointer(to, owner_at);
	writer_u16(to, type);
	writer_u16(to, 1);
	writer_u32(to, 60);
}

/* Owner and both names of the RDATA are pointers to the deepest name. */
static inline void costly_add_three_names(struct writer *to, size_t deep_at)
{
	costly_record(to, DNS_TYPE_MINFO, deep_at);
	writer_u16(to, 4);
	costly_pointer(to, deep_at);
	costly_pointer(to, deep_at);
}

/* Each name begins with a label of its own, so that none is found whole. */
static inline void costly_add_fresh_names(struct writer *to, size_t deep_at)
{
	size_t parent = deep_at + 4; /* two labels less, to make room for one of three bytes */
	writer_u8(to, 3);
	writer_u8(to, (uint8_t)(to->len >> 8));
	writer_u16(to, (uint16_t)to->len);
	costly_record(to, DNS_TYPE_NS, parent);
	writer_u16(to, 6);
	writer_u8(to, 3);
	writer_u8(to, (uint8_t)(to->len >> 8));
	writer_u16(to, (uint16_t)to->len);
	costly_pointer(to, parent);
}

/* Names that are written out and differ from one another only at their far end, so that nothing can
 * be compressed though everything looks alike. */
static inline void costly_add_almost_equal(struct writer *to, size_t deep_at)
{
	uint16_t number = (uint16_t)to->len;
	(void)deep_at;
	for (size_t i = 0; i < 124; i++)
		writer_u16(to, 0x0161);
	writer_u8(to, 2);
	writer_u16(to, number);
	writer_u8(to, 0);
	writer_u16(to, DNS_TYPE_TXT);
	writer_u16(to, 1);
	writer_u32(to, 60);
	writer_u16(to, 0);
}

/* The same with a pointer behind every label: the most hops, too. */
static inline size_t costly_staircase(struct writer *to)
{
	size_t below = to->len;
	writer_u8(to, 0);
	for (size_t i = 0; i < 127; i++) {
		size_t at = to->len;
		writer_u16(to, 0x0161);
		costly_pointer(to, below);
		below = at;
	}
	return below;
}

/* Pointers to pointers, no labels. */
static inline size_t costly_chain(struct writer *to)
{
	size_t below = to->len;
	writer_u8(to, 0);
	for (size_t i = 0; i < 15; i++) { /* dns_name_read() follows one more */
		size_t at = to->len;
		costly_pointer(to, below);
		below = at;
	}
	return below;
}

static inline size_t costly_plain(struct writer *to)
{
	size_t at = to->len;
	for (size_t i = 0; i < 127; i++)
		writer_u16(to, 0x0161);
	writer_u8(to, 0);
	return at;
}

struct costly_kind {
	const char *title;
	size_t (*deep)(struct writer *to); /* writes the deepest name into a first record's RDATA */
	void (*add)(struct writer *to, size_t deep_at);
};

static const struct costly_kind costly_kinds[] = {
	{ "three names of 127 labels a record", costly_plain, costly_add_three_names },
	{ "three names of 127 labels and 127 pointers a record", costly_staircase,
		costly_add_three_names },
	{ "three names of pointers only a record", costly_chain, costly_add_three_names },
	{ "names that are never found whole", costly_plain, costly_add_fresh_names },
	{ "names that differ at their far end", costly_plain, costly_add_almost_equal },
};

enum { COSTLY_KINDS = sizeof costly_kinds / sizeof *costly_kinds };

/* Fills `buffer` of DNS_MESSAGE_MAX bytes with up to `most` records. */
static inline struct slice costly_fill(
	const struct costly_kind *kind, uint8_t *buffer, unsigned most)
{
	struct writer to = writer_of(buffer, DNS_MESSAGE_MAX);
	static const uint8_t head[] = { 0x12, 0x34, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'q', 0,
		0, 255, 0, 1 };
	unsigned count = 1;
	writer_bytes(&to, head, sizeof head);
	costly_record(&to, DNS_TYPE_NULL, 12);
	writer_u16(&to, 0);
	size_t rdata_at = to.len;
	size_t deep_at = kind->deep(&to);
	writer_patch_u16(&to, rdata_at - 2, (uint16_t)(to.len - rdata_at));
	while (count < most) {
		struct writer before = to;
		kind->add(&to, deep_at);
		if (to.failed) {
			to = before;
			break;
		}
		count++;
	}
	writer_patch_u16(&to, 6, (uint16_t)count);
	return writer_slice(&to);
}

/* The most expensive answer of its kind that still opens. */
static inline struct slice costly_build(const struct costly_kind *kind, uint8_t *buffer)
{
	unsigned low = 1, high = DNS_ANSWER_RECORDS_MAX + 1;
	while (high - low > 1) {
		struct dns_answer answer;
		unsigned middle = (low + high) / 2;
		if (dns_answer_open(&answer, costly_fill(kind, buffer, middle)) == 0)
			low = middle;
		else
			high = middle;
	}
	return costly_fill(kind, buffer, low);
}

#endif
