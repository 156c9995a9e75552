/* Session tickets (RFC 5077 4, RFC 8446 4.6.1): a ticket is the session itself, sealed with a key
 * that only we have. Whoever gets that key can read TLS 1.2 sessions that were resumed with it, so
 * it lives for a day at most and is wiped (RFC 9325 3.4).
 *
 * Threads: every handshake reads the keys, one thread now and then replaces them. A reader copies
 * one key of 80 bytes out under a read lock, some 20 ns of a handshake of several 100 us in which
 * OpenSSL takes hundreds of locks of its own, and readers do not wait for each other. An atomic
 * pointer would save that, and would then have to know when the last reader is gone before the old
 * key may be wiped: more to get wrong than it is worth here. */
#include "tls/private.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

#include "base/random.h"

enum { TICKET_IV_LEN = 16 };

struct tls_ticket_keys {
	pthread_rwlock_t lock;
	struct tls_ticket_key newest;
	struct tls_ticket_key previous; /* at first a key that nobody ever used */
	uint64_t born_s;                /* of the newest; counted from the first rotate */
	bool is_dated;
	EVP_CIPHER *cipher; /* fetched once: in OpenSSL 3.0 a fetch is slow and takes locks */
};

static void ticket_key_make(struct tls_ticket_key *key)
{
	random_fill(key, sizeof *key);
}

struct tls_ticket_keys *tls_ticket_keys_new(void)
{
	struct tls_ticket_keys *keys = OPENSSL_zalloc(sizeof *keys);
	if (!keys)
		return NULL;
	keys->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	if (!keys->cipher || pthread_rwlock_init(&keys->lock, NULL) != 0) {
		EVP_CIPHER_free(keys->cipher);
		OPENSSL_free(keys);
		return NULL;
	}
	ticket_key_make(&keys->newest);
	ticket_key_make(&keys->previous);
	return keys;
}

void tls_ticket_keys_free(struct tls_ticket_keys *keys)
{
	if (!keys)
		return;
	pthread_rwlock_destroy(&keys->lock);
	EVP_CIPHER_free(keys->cipher);
	OPENSSL_clear_free(keys, sizeof *keys);
}

/* After two periods without a call (a laptop that slept) the newest key is too old to be kept even
 * as the previous one. */
static void ticket_keys_advance(struct tls_ticket_keys *keys, uint64_t age_s, uint64_t now_s)
{
	if (age_s < 2 * (uint64_t)TLS_TICKET_KEY_PERIOD_S)
		keys->previous = keys->newest;
	else
		ticket_key_make(&keys->previous);
	ticket_key_make(&keys->newest);
	keys->born_s = now_s;
}

void tls_ticket_keys_rotate(struct tls_ticket_keys *keys, uint64_t now_s)
{
	pthread_rwlock_wrlock(&keys->lock);
	if (!keys->is_dated) {
		keys->is_dated = true;
		keys->born_s = now_s;
	}
	uint64_t age_s = now_s > keys->born_s ? now_s - keys->born_s : 0;
	if (age_s >= TLS_TICKET_KEY_PERIOD_S)
		ticket_keys_advance(keys, age_s, now_s);
	pthread_rwlock_unlock(&keys->lock);
}

static void ticket_keys_newest(struct tls_ticket_keys *keys, struct tls_ticket_key *key)
{
	pthread_rwlock_rdlock(&keys->lock);
	*key = keys->newest;
	pthread_rwlock_unlock(&keys->lock);
}

static enum tls_ticket_age ticket_keys_find(struct tls_ticket_keys *keys,
	const uint8_t name[TLS_TICKET_NAME_LEN], struct tls_ticket_key *key)
{
	enum tls_ticket_age age = TLS_TICKET_UNKNOWN;
	pthread_rwlock_rdlock(&keys->lock);
	if (memcmp(keys->newest.name, name, TLS_TICKET_NAME_LEN) == 0) {
		*key = keys->newest;
		age = TLS_TICKET_OF_NEWEST;
	} else if (memcmp(keys->previous.name, name, TLS_TICKET_NAME_LEN) == 0) {
		*key = keys->previous;
		age = TLS_TICKET_OF_PREVIOUS;
	}
	pthread_rwlock_unlock(&keys->lock);
	return age;
}

static bool ticket_mac_init(EVP_MAC_CTX *mac, struct tls_ticket_key *key)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(
			OSSL_MAC_PARAM_KEY, key->mac_key, sizeof key->mac_key),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* Of the file, and without one of our own. */
static void newest_key(const struct tls_tickets *tickets, struct tls_ticket_key *key)
{
	if (tickets->ring)
		tls_ticket_ring_newest(tickets->ring, key);
	else
		ticket_keys_newest(tickets->own, key);
}

static enum tls_ticket_age find_key(
	const struct tls_tickets *tickets, const uint8_t *name, struct tls_ticket_key *key)
{
	return tickets->ring ? tls_ticket_ring_find(tickets->ring, name, key)
			     : ticket_keys_find(tickets->own, name, key);
}

/* 1, or -1 to end the handshake. */
static int ticket_seal(const struct tls_tickets *tickets, uint8_t *name, uint8_t *iv,
	EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	struct tls_ticket_key key;
	newest_key(tickets, &key);
	memcpy(name, key.name, TLS_TICKET_NAME_LEN);
	bool done = RAND_bytes(iv, TICKET_IV_LEN) == 1 &&
		EVP_EncryptInit_ex2(cipher, tickets->own->cipher, key.cipher_key, iv, NULL) == 1 &&
		ticket_mac_init(mac, &key);
	OPENSSL_cleanse(&key, sizeof key);
	return done ? 1 : -1;
}

/* 0: unknown key, do a full handshake; 1: resume; 2: resume and send a new ticket; -1: error.
 * In TLS 1.3 a ticket should be used once (RFC 8446 C.4), so a client that resumes needs a new
 * one; in TLS 1.2 only one under the old key is replaced. */
static int ticket_open(const struct tls_tickets *tickets, SSL *ssl, const uint8_t *name,
	const uint8_t *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	struct tls_ticket_key key;
	enum tls_ticket_age age = find_key(tickets, name, &key);
	if (age == TLS_TICKET_UNKNOWN)
		return 0;
	bool done =
		EVP_DecryptInit_ex2(cipher, tickets->own->cipher, key.cipher_key, iv, NULL) == 1 &&
		ticket_mac_init(mac, &key);
	OPENSSL_cleanse(&key, sizeof key);
	if (!done)
		return -1;
	return age == TLS_TICKET_OF_PREVIOUS || SSL_version(ssl) >= TLS1_3_VERSION ? 2 : 1;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, int is_sealing)
{
	const struct tls_tickets *tickets = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	return is_sealing ? ticket_seal(tickets, name, iv, cipher, mac)
			  : ticket_open(tickets, ssl, name, iv, cipher, mac);
}

bool tls_tickets_attach(struct tls_tickets *tickets, SSL_CTX *settings)
{
	return SSL_CTX_set_app_data(settings, tickets) == 1 &&
		SSL_CTX_set_tlsext_ticket_key_evp_cb(settings, on_ticket) == 1;
}
