#include "base/siphash.h"

struct sip {
	uint64_t v[4];
};

static uint64_t rotate(uint64_t value, unsigned bits)
{
	return value << bits | value >> (64 - bits);
}

static void sip_round(struct sip *sip)
{
	uint64_t *v = sip->v;
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

/* Little-endian, whatever the machine is. */
static uint64_t word_of(const uint8_t *at, size_t len)
{
	uint64_t word = 0;
	for (size_t i = 0; i < len; i++)
		word |= (uint64_t)at[i] << (8 * i);
	return word;
}

static void take_word(struct sip *sip, uint64_t word)
{
	sip->v[3] ^= word;
	sip_round(sip);
	sip_round(sip);
	sip->v[0] ^= word;
}

uint64_t siphash(const uint8_t key[SIPHASH_KEY_LEN], struct slice bytes)
{
	uint64_t k0 = word_of(key, 8);
	uint64_t k1 = word_of(key + 8, 8);
	struct sip sip = { { k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
		k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573 } };
	size_t whole = bytes.len & ~(size_t)7;
	for (size_t i = 0; i < whole; i += 8)
		take_word(&sip, word_of(bytes.at + i, 8));
	const uint8_t *rest = bytes.len > whole ? bytes.at + whole : NULL;
	take_word(&sip, word_of(rest, bytes.len - whole) | (uint64_t)bytes.len << 56);
	sip.v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(&sip);
	return sip.v[0] ^ sip.v[1] ^ sip.v[2] ^ sip.v[3];
}
