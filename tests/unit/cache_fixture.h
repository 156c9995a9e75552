/* cache_fixture.h - names and values by number, for the tests of the cache. A value's bytes follow
 * from its version, so that a value that is not the one that was put is seen. */
#ifndef TESTS_UNIT_CACHE_FIXTURE_H
#define TESTS_UNIT_CACHE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
/* after those that it needs */
#include <cmocka.h>

#include "dns/packed.h"

enum { FIXTURE_VALUE_MAX = 2048 };

static inline uint64_t fixture_mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* "n17.d3.example", 11 names in one domain. */
static inline void fixture_name(struct dns_name *name, uint64_t number)
{
	char text[64];
	snprintf(text, sizeof text, "n%llu.d%llu.example", (unsigned long long)number,
		(unsigned long long)(number / 11));
	if (!dns_name_from_text(name, slice_of_text(text)))
		abort();
}

/* 24 to 423 bytes, now and then a large one. */
static inline size_t fixture_value_len(uint64_t version)
{
	uint64_t bits = fixture_mix(version ^ 0x5555);
	return 24 + (size_t)(bits % 50 == 0 ? bits / 50 % 2000 : bits / 50 % 400);
}

static inline uint8_t fixture_byte(uint64_t version, size_t i)
{
	return (uint8_t)(version * 31 + (version >> 8) * 17 + i * 7);
}

static inline struct slice fixture_value(uint8_t value[FIXTURE_VALUE_MAX], uint64_t version)
{
	size_t len = fixture_value_len(version);
	for (size_t i = 0; i < len; i++)
		value[i] = fixture_byte(version, i);
	memcpy(value, &version, sizeof version);
	return slice_of(value, len);
}

static inline bool fixture_is_value(struct slice value, uint64_t version)
{
	uint8_t expected[FIXTURE_VALUE_MAX];
	return value.len == fixture_value_len(version) &&
		slice_equals(value, fixture_value(expected, version));
}

#endif
