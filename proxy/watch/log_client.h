/* log_client.h - what the query log tells of a client, as its view wants it (log_clients). */
#ifndef PROXY_WATCH_LOG_CLIENT_H
#define PROXY_WATCH_LOG_CLIENT_H

#include "base/siphash.h"
#include "base/writer.h"
#include "proxy/config.h"

/* The key of LOG_CLIENTS_HASHED: made of the bytes of a file, or of this run (`file` NULL). 0;
 * -errno; ERR_INVALID: less than LOG_CLIENT_KEY_MIN bytes, or more than LOG_CLIENT_KEY_MAX. */
enum { LOG_CLIENT_KEY_MIN = 16, LOG_CLIENT_KEY_MAX = 4096 };
int log_client_key(const char *file, uint8_t key[SIPHASH_KEY_LEN]);

/* "192.0.2.17", "192.0.2.0", "5fe1c3a09d7b2e44", or nothing. */
void log_client_write_address(struct writer *to, const struct address *address,
	enum log_clients clients, const uint8_t key[SIPHASH_KEY_LEN]);

/* Who it is, when it is known by more than its address: in full, as a hash, or (false, nothing
 * written) not at all. There is no half of a name. */
bool log_client_write_id(struct writer *to, struct slice id, enum log_clients clients,
	const uint8_t key[SIPHASH_KEY_LEN]);

#endif
