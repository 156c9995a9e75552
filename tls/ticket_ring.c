/* Ticket keys from a file, for servers that take each other's tickets. A key is 80 bytes: 16 of
 * name, 32 for AES-256-CBC, 32 for HMAC-SHA256, as dnsdist has them (nginx has the last two the
 * other way round). There is nothing else in the file, so a wrong length is all that can be seen of
 * most mistakes. */
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <string.h>

#include "tls/private.h"

enum { NGINX_SHORT_KEY_LEN = 48 };

struct tls_ticket_ring {
	atomic_size_t references;
	bool is_open_to_all;
	size_t count;
	struct tls_ticket_key keys[TLS_TICKET_RING_MAX];
};

_Static_assert(sizeof(struct tls_ticket_key) == TLS_TICKET_KEY_LEN, "keys are copied as they are");

static bool has_twins(const struct tls_ticket_ring *ring)
{
	for (size_t i = 0; i < ring->count; i++)
		for (size_t j = 0; j < i; j++)
			if (memcmp(ring->keys[i].name, ring->keys[j].name,
				    sizeof ring->keys[i].name) == 0)
				return true;
	return false;
}

/* A key of one byte repeated is what a disk or a script leaves that has failed. */
static bool has_blank(const struct tls_ticket_ring *ring)
{
	for (size_t i = 0; i < ring->count; i++) {
		const uint8_t *key = ring->keys[i].cipher_key;
		if (memcmp(key, key + 1, sizeof ring->keys[i].cipher_key - 1) == 0)
			return true;
	}
	return false;
}

static bool ring_check(const struct tls_ticket_ring *ring, struct tls_file *file)
{
	if (has_twins(ring))
		return tls_file_fail(file, "two keys in it have the same name (their first bytes)");
	if (has_blank(ring))
		return tls_file_fail(file, "a key in it is one byte over and over, not random");
	return true;
}

static bool ring_fill(struct tls_ticket_ring *ring, struct tls_file *file)
{
	size_t len = file->len;
	if (len == NGINX_SHORT_KEY_LEN)
		return tls_file_fail(file, "a key of 48 bytes (AES-128); it has to have 80");
	if (len % TLS_TICKET_KEY_LEN != 0)
		return tls_file_fail(file, "%zu bytes; keys of %d bytes each are wanted", len,
			TLS_TICKET_KEY_LEN);
	ring->count = len / TLS_TICKET_KEY_LEN;
	if (ring->count > TLS_TICKET_RING_MAX)
		return tls_file_fail(
			file, "%zu keys, %d at most", ring->count, TLS_TICKET_RING_MAX);
	memcpy(ring->keys, file->bytes, len);
	return ring_check(ring, file);
}

static struct tls_ticket_ring *ring_of(struct tls_file *file)
{
	struct tls_ticket_ring *ring = OPENSSL_zalloc(sizeof *ring);
	if (!ring) {
		tls_file_fail(file, "out of memory");
		return NULL;
	}
	atomic_init(&ring->references, 1);
	if (ring_fill(ring, file))
		return ring;
	tls_ticket_ring_unref(ring);
	return NULL;
}

struct tls_ticket_ring *tls_ticket_ring_load(const char *name, char message[TLS_MESSAGE_MAX])
{
	struct tls_file file = { .kind = "ticket_key_file", .name = name, .message = message };
	struct tls_ticket_ring *ring = tls_file_open(&file) ? ring_of(&file) : NULL;
	if (ring)
		ring->is_open_to_all = tls_file_is_open_to_all(&file);
	tls_file_close(&file);
	return ring;
}

struct tls_ticket_ring *tls_ticket_ring_parse(struct slice bytes, char message[TLS_MESSAGE_MAX])
{
	struct tls_file file = { .kind = "ticket_key_file",
		.name = "-",
		.message = message,
		.bytes = (char *)(uintptr_t)bytes.at,
		.len = bytes.len };
	return ring_of(&file);
}

struct tls_ticket_ring *tls_ticket_ring_ref(struct tls_ticket_ring *ring)
{
	atomic_fetch_add_explicit(&ring->references, 1, memory_order_relaxed);
	return ring;
}

void tls_ticket_ring_unref(struct tls_ticket_ring *ring)
{
	if (ring && atomic_fetch_sub_explicit(&ring->references, 1, memory_order_acq_rel) == 1)
		OPENSSL_clear_free(ring, sizeof *ring);
}

bool tls_ticket_ring_is_open_to_all(const struct tls_ticket_ring *ring)
{
	return ring->is_open_to_all;
}

bool tls_ticket_ring_equal(const struct tls_ticket_ring *a, const struct tls_ticket_ring *b)
{
	return a->count == b->count &&
		CRYPTO_memcmp(a->keys, b->keys, a->count * sizeof *a->keys) == 0;
}

enum tls_ticket_age tls_ticket_ring_find(const struct tls_ticket_ring *ring,
	const uint8_t name[TLS_TICKET_NAME_LEN], struct tls_ticket_key *key)
{
	for (size_t i = 0; i < ring->count; i++) {
		if (memcmp(ring->keys[i].name, name, TLS_TICKET_NAME_LEN) != 0)
			continue;
		*key = ring->keys[i];
		return i == 0 ? TLS_TICKET_OF_NEWEST : TLS_TICKET_OF_PREVIOUS;
	}
	return TLS_TICKET_UNKNOWN;
}

void tls_ticket_ring_newest(const struct tls_ticket_ring *ring, struct tls_ticket_key *key)
{
	*key = ring->keys[0];
}
