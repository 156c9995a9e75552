/* A file of ticket keys: it is refused with a reason, or its keys are found again. */
#include <stdlib.h>
#include <string.h>

#include "tls/private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool truth)
{
	if (!truth)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char message[TLS_MESSAGE_MAX] = "";
	struct tls_ticket_key key;
	if (size == 0)
		return 0;
	struct tls_ticket_ring *ring = tls_ticket_ring_parse(slice_of(data, size), message);
	check(!ring == (*message != '\0') && strlen(message) < sizeof message);
	if (!ring)
		return 0;
	check(size % TLS_TICKET_KEY_LEN == 0);
	tls_ticket_ring_newest(ring, &key);
	check(memcmp(&key, data, sizeof key) == 0);
	for (size_t at = 0; at < size; at += TLS_TICKET_KEY_LEN) {
		check(tls_ticket_ring_find(ring, data + at, &key) != TLS_TICKET_UNKNOWN);
		check(memcmp(&key, data + at, sizeof key) == 0);
	}
	tls_ticket_ring_unref(ring);
	return 0;
}
