#include "tls/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <time.h>

#include "tests/unit/tls_fixture.h"

/* --- certificates, made once --- */

enum who {
	WHO_GOOD, /* dns.example, *.wild.example, pa*.wide.example, 192.0.2.1, 2001:db8::1 */
	WHO_COMMON_NAME,
	WHO_EXPIRED,
	WHO_NOT_YET,
	WHO_FOR_CLIENTS,
	WHO_OTHER,
	WHO_BELOW, /* signed by an intermediate authority */
	WHO_SELF,
	WHO_SELF_EXPIRED,
	WHO_COUNT
};
enum { DAY_S = 86400 };

static struct fixture_directory directory;
static struct fixture_certificate ca, other_ca, third_ca, middle, leaves[WHO_COUNT];
static char ca_file[128], middle_file[128], self_file[128], bundle_file[128];

static const struct {
	struct fixture_wish wish;
	const struct fixture_certificate *issuer;
} leaf_rows[WHO_COUNT] = {
	[WHO_GOOD] = { { "EC", "elsewhere",
			       "DNS:dns.example,DNS:*.wild.example,DNS:pa*.wide.example,"
			       "IP:192.0.2.1,IP:2001:db8::1",
			       false, "serverAuth", -60, DAY_S },
		&ca },
	[WHO_COMMON_NAME] = { { "EC", "dns.example", NULL, false, "serverAuth", -60, DAY_S }, &ca },
	[WHO_EXPIRED] = { { "EC", "x", "DNS:dns.example", false, "serverAuth", -DAY_S, -60 }, &ca },
	[WHO_NOT_YET] = { { "EC", "x", "DNS:dns.example", false, "serverAuth", DAY_S, 2 * DAY_S },
		&ca },
	[WHO_FOR_CLIENTS] = { { "EC", "x", "DNS:dns.example", false, "clientAuth", -60, DAY_S },
		&ca },
	[WHO_OTHER] = { { "EC", "x", "DNS:dns.example", false, "serverAuth", -60, DAY_S },
		&other_ca },
	[WHO_BELOW] = { { "RSA2048", "x", "DNS:dns.example", false, "serverAuth", -60, DAY_S },
		&middle },
	[WHO_SELF] = { { "EC", "x", "DNS:dns.example", false, "serverAuth", -60, DAY_S }, NULL },
	[WHO_SELF_EXPIRED] = { { "EC", "x", "DNS:dns.example", false, "serverAuth", -DAY_S, -60 },
		NULL },
};

static void make_certificates(void)
{
	ca = fixture_issue("EC", "test CA", NULL, -60, DAY_S);
	other_ca = fixture_issue("EC", "test CA", NULL, -60, DAY_S); /* the same name */
	third_ca = fixture_issue("EC", "another CA", NULL, -60, DAY_S);
	struct fixture_wish wish = { "EC", "test intermediate", NULL, true, NULL, -60, DAY_S };
	middle = fixture_grant(&wish, &ca);
	for (size_t i = 0; i < WHO_COUNT; i++)
		leaves[i] = fixture_grant(&leaf_rows[i].wish, leaf_rows[i].issuer);
	const struct fixture_certificate *files[][2] = { { &ca }, { &middle },
		{ &leaves[WHO_SELF] }, { &third_ca, &ca } };
	fixture_write_chain(&directory, "ca.pem", files[0], 1);
	fixture_write_chain(&directory, "middle.pem", files[1], 1);
	fixture_write_chain(&directory, "self.pem", files[2], 1);
	fixture_write_chain(&directory, "bundle.pem", files[3], 2);
	fixture_path(&directory, "ca.pem", ca_file);
	fixture_path(&directory, "middle.pem", middle_file);
	fixture_path(&directory, "self.pem", self_file);
	fixture_path(&directory, "bundle.pem", bundle_file);
}

static struct tls_pin pin_of(const struct fixture_certificate *of)
{
	struct tls_pin pin;
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(of->key, &der);
	assert_true(len > 0);
	assert_int_equal(EVP_Digest(der, (size_t)len, pin.sha256, NULL, EVP_sha256(), NULL), 1);
	OPENSSL_free(der);
	return pin;
}

/* --- servers: a bare SSL, or our own stream --- */

static SSL_CTX *server_settings(int version, enum who who)
{
	static const uint8_t id[] = "test";
	SSL_CTX *made = SSL_CTX_new(TLS_server_method());
	FIXTURE_CHECK(made && SSL_CTX_use_certificate(made, leaves[who].certificate) == 1 &&
		SSL_CTX_use_PrivateKey(made, leaves[who].key) == 1 &&
		SSL_CTX_set_session_id_context(made, id, sizeof id) == 1);
	SSL_CTX_set_min_proto_version(made, version);
	SSL_CTX_set_max_proto_version(made, version);
	SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
	return made;
}

static struct tls_context *server_context(enum who who, struct tls_ticket_keys *keys)
{
	const struct fixture_certificate *chain[] = { &leaves[who] };
	fixture_write_chain(&directory, "server.pem", chain, 1);
	fixture_write_key(&directory, "server.key", leaves[who].key, NULL);
	char certificate_file[128], key_file[128], message[TLS_MESSAGE_MAX];
	struct tls_context *made =
		tls_context_load(fixture_path(&directory, "server.pem", certificate_file),
			fixture_path(&directory, "server.key", key_file), keys, message);
	FIXTURE_CHECK(made);
	return made;
}

static int on_server_alpn(SSL *openssl, const unsigned char **chosen, unsigned char *chosen_len,
	const unsigned char *offer, unsigned int offer_len, void *choice)
{
	(void)openssl;
	(void)offer;
	(void)offer_len;
	if (!choice)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*chosen = choice;
	*chosen_len = (unsigned char)strlen(choice);
	return SSL_TLSEXT_ERR_OK;
}

/* --- a client and a server that talk --- */

struct talk {
	struct tls_stream *client;
	struct tls_stream *ours; /* the server, one of the two */
	SSL *theirs;
	BIO *in; /* of theirs */
	BIO *out;
	size_t step;     /* bytes that the client gets at once; 0: all */
	size_t capacity; /* of its reads */
	uint8_t plain[200 * 1024];
	size_t plain_len;
	uint8_t at_server[200 * 1024];
	size_t at_server_len;
	ssize_t end; /* what the client's last read returned */
	ssize_t server_end;
	size_t flight_count; /* of the client */
	size_t sent_len;
};

static struct talk *talk_new(struct tls_client *client)
{
	struct talk *talk = calloc(1, sizeof *talk);
	talk->capacity = TLS_PLAIN_MAX;
	talk->client = tls_client_open(client);
	assert_non_null(talk->client);
	assert_false(tls_stream_is_established(talk->client));
	return talk;
}

static struct talk *talk_with(struct tls_client *client, SSL_CTX *server)
{
	struct talk *talk = talk_new(client);
	talk->theirs = SSL_new(server);
	talk->in = BIO_new(BIO_s_mem());
	talk->out = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(talk->in, -1);
	SSL_set_bio(talk->theirs, talk->in, talk->out);
	SSL_set_accept_state(talk->theirs);
	return talk;
}

static struct talk *talk_with_ours(
	struct tls_client *client, struct tls_context *context, enum tls_alpn alpn)
{
	struct talk *talk = talk_new(client);
	talk->ours = tls_stream_new(context, alpn);
	return talk;
}

static void talk_free(struct talk *talk)
{
	tls_stream_free(talk->client);
	tls_stream_free(talk->ours);
	SSL_free(talk->theirs);
	free(talk);
}

/* The server takes bytes and answers; returns how many bytes it has to send, in `out`. */
static size_t server_turn(struct talk *talk, struct slice cipher, uint8_t *out, size_t capacity)
{
	if (talk->ours) {
		struct writer to = writer_of(out, capacity);
		ssize_t count;
		while ((count = tls_stream_read(talk->ours, &cipher,
				talk->at_server + talk->at_server_len,
				sizeof talk->at_server - talk->at_server_len, &to)) > 0)
			talk->at_server_len += (size_t)count;
		talk->server_end = count;
		assert_false(to.failed);
		return to.len;
	}
	if (cipher.len)
		BIO_write(talk->in, cipher.at, (int)cipher.len);
	size_t count = 0;
	ERR_clear_error();
	while (SSL_read_ex(talk->theirs, talk->at_server + talk->at_server_len,
		       sizeof talk->at_server - talk->at_server_len, &count) == 1)
		talk->at_server_len += count;
	ERR_clear_error();
	int len = BIO_read(talk->out, out, (int)capacity);
	return len > 0 ? (size_t)len : 0;
}

/* The client takes a piece as a connection would give it; what it sends is appended to `to`. */
static void client_turn(struct talk *talk, struct slice cipher, struct writer *to)
{
	/* A copy of its own, so that a sanitizer sees a read beyond. */
	uint8_t *copy = malloc(cipher.len + 1);
	memcpy(copy, cipher.at, cipher.len);
	struct slice rest = slice_of(copy, cipher.len);
	ssize_t count;
	do {
		size_t before = to->len;
		size_t room = sizeof talk->plain - talk->plain_len;
		count = tls_stream_read(talk->client, &rest, talk->plain + talk->plain_len,
			room < talk->capacity ? room : talk->capacity, to);
		assert_false(to->failed);
		if (count > 0)
			talk->plain_len += (size_t)count;
		talk->flight_count += to->len != before;
		talk->sent_len += to->len - before;
	} while (count > 0);
	if (count == 0)
		assert_int_equal(rest.len, 0);
	talk->end = count;
	free(copy);
}

static void client_takes(struct talk *talk, struct slice cipher, struct writer *to)
{
	size_t step = talk->step ? talk->step : cipher.len;
	for (size_t i = 0; i < cipher.len; i += step)
		client_turn(talk,
			slice_of(cipher.at + i, cipher.len - i < step ? cipher.len - i : step), to);
}

/* Until neither has anything more to send. Begins with `cipher` from the server; an empty slice
 * starts the client. */
static void talk_run(struct talk *talk, struct slice cipher)
{
	static _Thread_local uint8_t from_client[TLS_OUT_MIN + 1000], from_server[256 * 1024];
	size_t len = cipher.len;
	if (len)
		memcpy(from_server, cipher.at, len);
	for (int turn = 0; turn < 10; turn++) {
		struct writer to = writer_of(from_client, sizeof from_client);
		if (len)
			client_takes(talk, slice_of(from_server, len), &to);
		else
			client_turn(talk, slice_of("", 0), &to);
		if (to.len == 0)
			return;
		len = server_turn(
			talk, slice_of(from_client, to.len), from_server, sizeof from_server);
	}
	fail_msg("they never stop");
}

static bool talk_handshake(struct talk *talk)
{
	talk_run(talk, slice_of("", 0));
	return tls_stream_is_established(talk->client) && !talk->end;
}

static void pattern(uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		at[i] = (uint8_t)(i * 7 + i / 251);
}

static void client_writes(struct talk *talk, const uint8_t *at, size_t len)
{
	static uint8_t answer[1000];
	size_t room = tls_stream_room(len);
	uint8_t *out = malloc(room);
	struct writer cipher_out = writer_of(out, room);
	assert_int_equal(tls_stream_write(talk->client, slice_of(at, len), &cipher_out), 0);
	talk->at_server_len = 0;
	server_turn(talk, slice_of(out, cipher_out.len), answer, sizeof answer);
	free(out);
	assert_int_equal(talk->at_server_len, len);
	assert_memory_equal(talk->at_server, at, len);
}

static void server_writes(struct talk *talk, const uint8_t *at, size_t len)
{
	static uint8_t out[256 * 1024];
	struct writer to = writer_of(out, sizeof out);
	size_t count;
	if (talk->ours) {
		assert_int_equal(tls_stream_write(talk->ours, slice_of(at, len), &to), 0);
	} else {
		assert_int_equal(SSL_write_ex(talk->theirs, at, len, &count), 1);
		to.len = (size_t)BIO_read(talk->out, out, sizeof out);
	}
	talk->plain_len = 0;
	talk_run(talk, slice_of(out, to.len));
	assert_int_equal(talk->plain_len, len);
	assert_memory_equal(talk->plain, at, len);
}

static void talk_exchange(struct talk *talk)
{
	client_writes(talk, (const uint8_t *)"question", 8);
	server_writes(talk, (const uint8_t *)"answer", 6);
}

static struct tls_client *client_of(const struct tls_client_settings *settings)
{
	char message[TLS_MESSAGE_MAX];
	struct tls_client *client = tls_client_new(settings, message);
	if (!client)
		fail_msg("%s", message);
	return client;
}

static struct tls_client *good_client(enum tls_alpn alpn)
{
	return client_of(&(struct tls_client_settings){
		.name = "dns.example", .ca_file = ca_file, .alpn = alpn });
}

static void failed_for(const struct talk *talk, const char *word)
{
	assert_int_equal(talk->end, ERR_TLS);
	if (strcmp(tls_stream_error(talk->client), word) != 0)
		fail_msg("%s (%s), not %s", tls_stream_error(talk->client),
			tls_stream_reason(talk->client), word);
}

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

/* --- settings --- */

static void test_pin_parse(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool is_good;
	} rows[] = {
		{ "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", true },
		{ "++//++//++//++//++//++//++//++//++//++//++8=", true },
		{ "", false },
		{ "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", false },
		{ "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=", false }, /* bits beyond */
		{ "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n", false },
		{ "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==", false },
		{ "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8/", false },
		{ " AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", false },
		{ "-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_8=", false },
		{ "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh==", false },
		{ "000102030405060708090a0b0c0d0e0f101112131415", false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct tls_pin pin;
		assert_int_equal(tls_pin_parse(&pin, rows[i].text), rows[i].is_good);
	}
	struct tls_pin pin;
	assert_true(tls_pin_parse(&pin, rows[0].text));
	for (size_t i = 0; i < sizeof pin.sha256; i++)
		assert_int_equal(pin.sha256[i], i);
}

static void refused(const struct tls_client_settings *settings, const char *words)
{
	char message[TLS_MESSAGE_MAX];
	assert_null(tls_client_new(settings, message));
	if (!strstr(message, words))
		fail_msg("\"%s\" does not say \"%s\"", message, words);
}

static void test_names(void **state)
{
	(void)state;
	char long_label[70] = "", long_name[300] = "";
	memset(long_label, 'a', 64);
	for (size_t i = 0; i < 254; i++)
		long_name[i] = i % 50 == 49 ? '.' : 'a';
	const char *const wrong[] = { "", ".", ".example", "a..example", "a.example..", "a example",
		"a.example:853", "*.example", "d\xc3\xbcns.example", "a/b", long_label, long_name };
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		refused(&(struct tls_client_settings){ .name = wrong[i], .ca_file = ca_file },
			"not a host name");
	struct tls_client_settings nobody = { .ca_file = ca_file };
	refused(&nobody, "neither a name, an address nor a pin");
}

static void test_ca_files(void **state)
{
	(void)state;
	fixture_write(&directory, "empty.pem", "", 0);
	fixture_write(&directory, "text.pem", "hello", 5);
	fixture_write_key(&directory, "key.pem", ca.key, NULL);
	static const char damaged[] =
		"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
	fixture_write(&directory, "damaged.pem", damaged, sizeof damaged - 1);
	static const struct {
		const char *name;
		const char *words;
	} rows[] = {
		{ "missing.pem", "missing.pem\": No such file" },
		{ "empty.pem", "empty.pem\": the file is empty" },
		{ "text.pem", "text.pem\": not PEM" },
		{ "key.pem", "key.pem\": holds a private key, not a certificate" },
		{ "damaged.pem", "damaged.pem\": certificate number 1 in it is damaged" },
		{ ".", "not a regular file" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char path[128];
		fixture_path(&directory, rows[i].name, path);
		refused(&(struct tls_client_settings){ .name = "dns.example", .ca_file = path },
			rows[i].words);
	}
}

static void test_system_authorities(void **state)
{
	(void)state;
	static const struct tls_client_settings settings = { .name = "dns.example" };
	setenv("SSL_CERT_FILE", "/nonexistent/cert.pem", 1);
	setenv("SSL_CERT_DIR", "/nonexistent/certs", 1);
	refused(&settings, "no certificate authorities, neither in \"/nonexistent/cert.pem\" nor");
	setenv("SSL_CERT_DIR", directory.path, 1); /* has files, but none with a hash for a name */
	refused(&settings, directory.path);

	SSL_CTX *server = server_settings(TLS1_3_VERSION, WHO_GOOD);
	setenv("SSL_CERT_FILE", ca_file, 1);
	struct tls_client *client = client_of(&settings);
	struct talk *talk = talk_with(client, server);
	assert_true(talk_handshake(talk));
	talk_free(talk);
	tls_client_unref(client);

	char hashed[32], path[128];
	snprintf(hashed, sizeof hashed, "%08lx.0",
		X509_NAME_hash_ex(X509_get_subject_name(ca.certificate), NULL, NULL, NULL));
	assert_int_equal(symlink(ca_file, fixture_path(&directory, hashed, path)), 0);
	setenv("SSL_CERT_FILE", "/nonexistent/cert.pem", 1);
	client = client_of(&settings);
	talk = talk_with(client, server);
	assert_true(talk_handshake(talk));
	talk_free(talk);
	tls_client_unref(client);
	SSL_CTX_free(server);
	unlink(path);
	unsetenv("SSL_CERT_FILE");
	unsetenv("SSL_CERT_DIR");
}

/* --- handshakes and data --- */

static void test_handshake(void **state)
{
	(void)state;
	static const size_t steps[] = { 0, 1, 3 };
	for (size_t v = 0; v < 2; v++) {
		SSL_CTX *server = server_settings(versions[v], WHO_GOOD);
		for (size_t i = 0; i < 3; i++) {
			struct tls_client *client = good_client(TLS_ALPN_DOT);
			struct talk *talk = talk_with(client, server);
			talk->step = steps[i];
			assert_true(talk_handshake(talk));
			assert_int_equal(talk->flight_count, 2);
			assert_false(tls_stream_is_resumed(talk->client));
			assert_string_equal(
				tls_stream_version(talk->client), v ? "TLSv1.3" : "TLSv1.2");
			assert_string_equal(
				SSL_get_servername(talk->theirs, TLSEXT_NAMETYPE_host_name),
				"dns.example");
			talk_exchange(talk);
			talk_free(talk);
			tls_client_unref(client);
		}
		SSL_CTX_free(server);
	}
}

/* No server has to ask for another key share: one that knows ML-KEM, or that does not. */
static void test_one_round_trip(void **state)
{
	(void)state;
	static const struct {
		const char *groups;
		size_t flight_count;
	} rows[] = { { "X25519", 2 }, { "X25519:P-256", 2 }, { "P-256", 3 }, { "P-384", 3 } };
	struct tls_client *client = good_client(TLS_ALPN_DOT);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		SSL_CTX *server = server_settings(TLS1_3_VERSION, WHO_GOOD);
		assert_int_equal(SSL_CTX_set1_groups_list(server, rows[i].groups), 1);
		struct talk *talk = talk_with(client, server);
		assert_true(talk_handshake(talk));
		assert_int_equal(talk->flight_count, rows[i].flight_count);
		talk_exchange(talk);
		talk_free(talk);
		tls_client_forget(client);
		SSL_CTX_free(server);
	}
	tls_client_unref(client);
}

/* What a client may not accept, whatever the server prefers. */
static void test_nothing_in_common(void **state)
{
	(void)state;
	static const struct {
		int version;
		const char *ciphers;
		const char *groups;
	} rows[] = {
		{ TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", NULL },
		{ TLS1_2_VERSION, "AES128-GCM-SHA256", NULL },
		{ TLS1_2_VERSION, "eNULL", NULL },
		{ TLS1_2_VERSION, "ALL", "P-521" },
		{ TLS1_3_VERSION, "ALL", "P-521" },
	};
	struct tls_client *client = good_client(TLS_ALPN_DOT);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		SSL_CTX *server = server_settings(rows[i].version, WHO_GOOD);
		char list[128];
		snprintf(list, sizeof list, "%s:@SECLEVEL=0", rows[i].ciphers);
		assert_int_equal(SSL_CTX_set_cipher_list(server, list), 1);
		if (rows[i].groups)
			assert_int_equal(SSL_CTX_set1_groups_list(server, rows[i].groups), 1);
		struct talk *talk = talk_with(client, server);
		assert_false(talk_handshake(talk));
		failed_for(talk, "peer_alert");
		talk_free(talk);
		SSL_CTX_free(server);
	}
	tls_client_unref(client);
}

static void test_our_own_server(void **state)
{
	(void)state;
	static const size_t sizes[] = { 1, 100, TLS_PLAIN_MAX, TLS_PLAIN_MAX + 1, 65537 };
	static uint8_t bytes[65537];
	struct tls_ticket_keys *keys = tls_ticket_keys_new();
	struct tls_context *context = server_context(WHO_GOOD, keys);
	pattern(bytes, sizeof bytes);
	for (unsigned i = 0; i < 8; i++) {
		enum tls_alpn alpn = i & 1 ? TLS_ALPN_H2 : TLS_ALPN_DOT;
		struct tls_client *client = good_client(alpn);
		struct talk *talk = talk_with_ours(client, context, alpn);
		talk->step = i & 2 ? 1 : 0;
		talk->capacity = i & 4 ? 7 : TLS_PLAIN_MAX;
		assert_true(talk_handshake(talk));
		assert_true(tls_stream_is_established(talk->ours));
		for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
			client_writes(talk, bytes, sizes[s]);
			server_writes(talk, bytes, sizes[s]);
		}
		talk_free(talk);
		tls_client_unref(client);
	}
	tls_context_unref(context);
	tls_ticket_keys_free(keys);
}

static void test_write_needs_a_handshake(void **state)
{
	(void)state;
	struct tls_client *client = good_client(TLS_ALPN_DOT);
	struct tls_stream *stream = tls_client_open(client);
	uint8_t out[TLS_OUT_MIN], plain[100];
	struct writer to = writer_of(out, sizeof out);
	assert_int_equal(tls_stream_write(stream, slice_of("x", 1), &to), ERR_TLS);
	tls_stream_close(stream, &to);
	assert_int_equal(to.len, 0);
	struct slice nothing = slice_of(NULL, 0);
	assert_int_equal(tls_stream_read(stream, &nothing, plain, sizeof plain, &to), 0);
	assert_in_range(to.len, 100, 4096);
	assert_int_equal(out[0], 0x16);
	size_t len = to.len;
	assert_int_equal(tls_stream_read(stream, &nothing, plain, sizeof plain, &to), 0);
	assert_int_equal(to.len, len); /* once is enough */
	assert_int_equal(tls_stream_write(stream, slice_of("x", 1), &to), ERR_TLS);
	tls_client_unref(client); /* the stream has a reference of its own */
	tls_stream_free(stream);
}

static void test_goodbyes(void **state)
{
	(void)state;
	for (size_t v = 0; v < 2; v++) {
		SSL_CTX *server = server_settings(versions[v], WHO_GOOD);
		struct tls_client *client = good_client(TLS_ALPN_DOT);
		uint8_t out[1000], answer[1000];
		/* The server first. */
		struct talk *talk = talk_with(client, server);
		assert_true(talk_handshake(talk));
		SSL_shutdown(talk->theirs);
		size_t len = (size_t)BIO_read(talk->out, out, sizeof out);
		talk_run(talk, slice_of(out, len));
		assert_int_equal(talk->end, ERR_CLOSED);
		talk_free(talk);
		/* The client first. */
		talk = talk_with(client, server);
		assert_true(talk_handshake(talk));
		struct writer to = writer_of(out, sizeof out);
		tls_stream_close(talk->client, &to);
		assert_in_range(to.len, 24, 31);
		assert_int_equal(tls_stream_write(talk->client, slice_of("x", 1), &to), ERR_TLS);
		server_turn(talk, slice_of(out, to.len), answer, sizeof answer);
		assert_int_equal(SSL_get_shutdown(talk->theirs) & SSL_RECEIVED_SHUTDOWN,
			SSL_RECEIVED_SHUTDOWN);
		talk_free(talk);
		tls_client_unref(client);
		SSL_CTX_free(server);
	}
}

/* --- whom it believes --- */

static const struct address *address_of(const char *text)
{
	static struct address address;
	assert_true(address_parse(&address, text));
	return &address;
}

enum { PIN_LEAF = 1, PIN_CA = 2, PIN_WRONG = 4, PIN_MIDDLE = 8 };

/* NULL in `word`: believed. */
static const struct {
	enum who who;
	const char *name;
	const char *address;
	const char *ca_file;
	unsigned pins;
	bool sends_middle;
	bool sends_ca;
	const char *word;
	const char *reason;
} trust_rows[] = {
#define CA .ca_file = ca_file
	{ WHO_GOOD, "dns.example", CA },
	{ WHO_GOOD, "DNS.EXAMPLE", CA },
	{ WHO_GOOD, "dns.example.", CA },
	{ WHO_GOOD, "a.wild.example", CA },
	{ WHO_GOOD, "a.b.wild.example", CA, .word = "certificate_name" },
	{ WHO_GOOD, "wild.example", CA, .word = "certificate_name" },
	{ WHO_GOOD, "part.wide.example", CA, .word = "certificate_name" },
	{ WHO_GOOD, "elsewhere", CA, .word = "certificate_name" }, /* its common name */
	{ WHO_GOOD, "dns.example.com", CA, .word = "certificate_name",
		.reason = "hostname mismatch" },
	{ WHO_GOOD, "xdns.example", CA, .word = "certificate_name" },
	{ WHO_GOOD, "dns.example", .ca_file = bundle_file },
	{ WHO_GOOD, NULL, "192.0.2.1", CA },
	{ WHO_GOOD, NULL, "2001:db8::1", CA },
	{ WHO_GOOD, "192.0.2.1", CA },
	{ WHO_GOOD, "2001:db8::1", CA },
	{ WHO_GOOD, NULL, "192.0.2.2", CA, .word = "certificate_name",
		.reason = "IP address mismatch" },
	{ WHO_GOOD, "192.0.2.2", CA, .word = "certificate_name" },
	{ WHO_GOOD, "192.0.2.2", "192.0.2.1", CA, .word = "certificate_name" },
	{ WHO_GOOD, NULL, "::1", CA, .word = "certificate_name" },
	{ WHO_GOOD, "dns.example", "192.0.2.99", CA }, /* the name is what counts */
	{ WHO_GOOD, "other.example", "192.0.2.1", CA, .word = "certificate_name" },
	{ WHO_COMMON_NAME, "dns.example", CA, .word = "certificate_name" },
	{ WHO_EXPIRED, "dns.example", CA, .word = "certificate_untrusted",
		.reason = "certificate has expired" },
	{ WHO_NOT_YET, "dns.example", CA, .word = "certificate_untrusted",
		.reason = "certificate is not yet valid" },
	{ WHO_FOR_CLIENTS, "dns.example", CA, .word = "certificate_untrusted" },
	{ WHO_OTHER, "dns.example", CA, .word = "certificate_untrusted" },
	{ WHO_OTHER, "dns.example", .ca_file = bundle_file, .word = "certificate_untrusted" },
	{ WHO_SELF, "dns.example", CA, .word = "certificate_untrusted" },
	{ WHO_SELF, "dns.example", .ca_file = self_file },
	{ WHO_SELF, "other.example", .ca_file = self_file, .word = "certificate_name" },
	{ WHO_BELOW, "dns.example", CA, .word = "certificate_untrusted",
		.reason = "unable to get local issuer certificate" },
	{ WHO_BELOW, "dns.example", CA, .sends_middle = true },
	{ WHO_BELOW, "dns.example", .ca_file = middle_file },
	/* Pins beside a chain and a name: one of the chain. */
	{ WHO_GOOD, "dns.example", CA, .pins = PIN_LEAF },
	{ WHO_GOOD, "dns.example", CA, .pins = PIN_CA },
	{ WHO_GOOD, "dns.example", CA, .pins = PIN_WRONG | PIN_CA },
	{ WHO_GOOD, "dns.example", CA, .pins = PIN_WRONG, .word = "certificate_pin",
		.reason = "none of its keys is pinned" },
	{ WHO_BELOW, "dns.example", CA, .pins = PIN_MIDDLE, .sends_middle = true },
	/* Sent, but no part of the chain. */
	{ WHO_BELOW, "dns.example", .ca_file = middle_file, .pins = PIN_CA, .sends_middle = true,
		.sends_ca = true, .word = "certificate_pin" },
	{ WHO_GOOD, "dns.example", CA, .pins = PIN_MIDDLE, .sends_middle = true,
		.word = "certificate_pin" },
	/* A pin does not stand in for a name, a chain or a date that must be right. */
	{ WHO_GOOD, "other.example", CA, .pins = PIN_LEAF, .word = "certificate_name" },
	{ WHO_SELF, "dns.example", CA, .pins = PIN_LEAF, .word = "certificate_untrusted" },
	{ WHO_EXPIRED, "dns.example", CA, .pins = PIN_LEAF, .word = "certificate_untrusted" },
	{ WHO_GOOD, NULL, "192.0.2.2", CA, .pins = PIN_LEAF, .word = "certificate_name" },
	/* A chain without a name. */
	{ WHO_GOOD, CA, .pins = PIN_CA },
	{ WHO_OTHER, CA, .pins = PIN_LEAF, .word = "certificate_untrusted" },
	{ WHO_GOOD, CA, .pins = PIN_WRONG, .word = "certificate_pin" },
	/* Pins alone: the leaf's key and nothing else. */
	{ WHO_GOOD, .pins = PIN_LEAF },
	{ WHO_SELF, .pins = PIN_LEAF },
	{ WHO_SELF, .pins = PIN_WRONG | PIN_LEAF },
	{ WHO_SELF_EXPIRED, .pins = PIN_LEAF },
	{ WHO_EXPIRED, .pins = PIN_LEAF },
	{ WHO_COMMON_NAME, .pins = PIN_LEAF },
	{ WHO_SELF, .pins = PIN_WRONG, .word = "certificate_pin" },
	{ WHO_GOOD, .pins = PIN_CA, .sends_ca = true, .word = "certificate_pin" },
	{ WHO_BELOW, .pins = PIN_MIDDLE, .sends_middle = true, .word = "certificate_pin" },
#undef CA
};

static size_t wanted_pins(unsigned set, enum who who, struct tls_pin pins[4])
{
	size_t count = 0;
	struct tls_pin wrong = { { 1, 2, 3 } };
	if (set & PIN_WRONG)
		pins[count++] = wrong;
	if (set & PIN_LEAF)
		pins[count++] = pin_of(&leaves[who]);
	if (set & PIN_CA)
		pins[count++] = pin_of(&ca);
	if (set & PIN_MIDDLE)
		pins[count++] = pin_of(&middle);
	return count;
}

static void check_trust(size_t i, int version)
{
	SSL_CTX *server = server_settings(version, trust_rows[i].who);
	if (trust_rows[i].sends_middle)
		SSL_CTX_add1_chain_cert(server, middle.certificate);
	if (trust_rows[i].sends_ca)
		SSL_CTX_add1_chain_cert(server, ca.certificate);
	SSL_CTX_set_mode(server, SSL_MODE_NO_AUTO_CHAIN);
	struct tls_pin pins[4];
	const char *address = trust_rows[i].address;
	struct tls_client *client = client_of(&(struct tls_client_settings){
		.name = trust_rows[i].name,
		.address = address ? address_of(address) : NULL,
		.ca_file = trust_rows[i].ca_file,
		.pins = pins,
		.pin_count = wanted_pins(trust_rows[i].pins, trust_rows[i].who, pins),
	});
	struct talk *talk = talk_with(client, server);
	bool done = talk_handshake(talk);
	const char *word = done ? "(believed)" : tls_stream_error(talk->client);
	const char *wanted = trust_rows[i].word ? trust_rows[i].word : "(believed)";
	if (strcmp(word, wanted) != 0)
		fail_msg("row %zu: %s (%s), not %s", i, word, tls_stream_reason(talk->client),
			wanted);
	if (done) {
		talk_exchange(talk);
	} else {
		assert_int_equal(talk->end, ERR_TLS);
		assert_int_equal(talk->flight_count, 2); /* the second is an alert */
		assert_false(SSL_is_init_finished(talk->theirs) && version == TLS1_2_VERSION);
	}
	if (trust_rows[i].reason)
		assert_string_equal(tls_stream_reason(talk->client), trust_rows[i].reason);
	talk_free(talk);
	tls_client_unref(client);
	SSL_CTX_free(server);
}

static void test_trust(void **state)
{
	(void)state;
	for (size_t v = 0; v < 2; v++)
		for (size_t i = 0; i < sizeof trust_rows / sizeof *trust_rows; i++)
			check_trust(i, versions[v]);
}

static void test_no_sni_for_addresses(void **state)
{
	(void)state;
	SSL_CTX *server = server_settings(TLS1_3_VERSION, WHO_GOOD);
	const struct tls_client_settings settings[] = {
		{ .address = address_of("192.0.2.1"), .ca_file = ca_file },
		{ .name = "192.0.2.1", .ca_file = ca_file },
		{ .name = "2001:db8::1", .ca_file = ca_file },
	};
	for (size_t i = 0; i < 3; i++) {
		struct tls_client *client = client_of(&settings[i]);
		struct talk *talk = talk_with(client, server);
		assert_true(talk_handshake(talk));
		assert_null(SSL_get_servername(talk->theirs, TLSEXT_NAMETYPE_host_name));
		talk_free(talk);
		tls_client_unref(client);
	}
	SSL_CTX_free(server);
}

/* --- ALPN --- */

/* Unasked: never offered. OpenSSL itself refuses that, since 3.0.15. */
enum outcome { GOOD, WRONG, UNASKED };

static void test_alpn(void **state)
{
	(void)state;
	static const char refuses[] = "(alert)";
	static const struct {
		enum tls_alpn alpn;
		const char *choice; /* NULL: the server knows no ALPN */
		enum outcome outcome;
	} rows[] = {
		{ TLS_ALPN_DOT, NULL, GOOD },
		{ TLS_ALPN_DOT, "dot", GOOD },
		{ TLS_ALPN_DOT, "h2", UNASKED },
		{ TLS_ALPN_DOT, "do", UNASKED },
		{ TLS_ALPN_DOT, refuses, WRONG },
		{ TLS_ALPN_H2, "h2", GOOD },
		{ TLS_ALPN_H2, NULL, WRONG },
		{ TLS_ALPN_H2, "http/1.1", UNASKED },
		{ TLS_ALPN_H2, "dot", UNASKED },
		{ TLS_ALPN_H2, refuses, WRONG },
	};
	for (size_t v = 0; v < 2; v++) {
		for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
			SSL_CTX *server = server_settings(versions[v], WHO_GOOD);
			const char *choice = rows[i].choice == refuses ? NULL : rows[i].choice;
			if (rows[i].choice)
				SSL_CTX_set_alpn_select_cb(server, on_server_alpn, (void *)choice);
			struct tls_client *client = good_client(rows[i].alpn);
			struct talk *talk = talk_with(client, server);
			assert_int_equal(talk_handshake(talk), rows[i].outcome == GOOD);
			if (rows[i].outcome != GOOD) {
				bool is_other = rows[i].outcome == UNASKED &&
					strcmp(tls_stream_error(talk->client), "other") == 0;
				failed_for(talk, is_other ? "other" : "no_application_protocol");
				assert_int_equal(talk->plain_len, 0);
			}
			talk_free(talk);
			tls_client_unref(client);
			SSL_CTX_free(server);
		}
	}
}

/* --- resumption --- */

static bool resumes(struct tls_client *client, SSL_CTX *server)
{
	struct talk *talk = talk_with(client, server);
	assert_true(talk_handshake(talk));
	bool is_resumed = tls_stream_is_resumed(talk->client);
	assert_int_equal(is_resumed, SSL_session_reused(talk->theirs));
	talk_exchange(talk);
	talk_free(talk);
	return is_resumed;
}

static void test_resumption(void **state)
{
	(void)state;
	for (size_t v = 0; v < 2; v++) {
		struct tls_client *client = good_client(TLS_ALPN_DOT);
		SSL_CTX *server = server_settings(versions[v], WHO_GOOD);
		assert_false(resumes(client, server));
		for (int i = 0; i < 5; i++)
			assert_true(resumes(client, server));
		tls_client_forget(client);
		assert_false(resumes(client, server));
		assert_true(resumes(client, server));
		/* A server that has lost its keys. */
		SSL_CTX *other = server_settings(versions[v], WHO_GOOD);
		assert_false(resumes(client, other));
		assert_true(resumes(client, other));
		SSL_CTX_free(server);
		SSL_CTX_free(other);
		tls_client_unref(client);
	}
}

static void test_resumption_with_our_own_server(void **state)
{
	(void)state;
	struct tls_ticket_keys *keys = tls_ticket_keys_new();
	struct tls_context *context = server_context(WHO_GOOD, keys);
	struct tls_client *client = good_client(TLS_ALPN_H2);
	for (int i = 0; i < 5; i++) {
		struct talk *talk = talk_with_ours(client, context, TLS_ALPN_H2);
		talk->step = (size_t)i & 1;
		assert_true(talk_handshake(talk));
		assert_int_equal(tls_stream_is_resumed(talk->client), i > 0);
		assert_int_equal(tls_stream_is_resumed(talk->ours), i > 0);
		talk_free(talk);
	}
	tls_client_unref(client);
	tls_context_unref(context);
	tls_ticket_keys_free(keys);
}

/* time() is behind by up to a tick of the kernel, and OpenSSL need not be. */
static void test_resumption_as_a_second_begins(void **state)
{
	(void)state;
	struct tls_client *client = good_client(TLS_ALPN_DOT);
	SSL_CTX *server = server_settings(TLS1_3_VERSION, WHO_GOOD);
	resumes(client, server);
	for (int i = 0; i < 2; i++) {
		struct timespec next;
		clock_gettime(CLOCK_REALTIME, &next);
		next = (struct timespec){ .tv_sec = next.tv_sec + 1 };
		clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &next, NULL);
		for (int k = 0; k < 5; k++)
			assert_true(resumes(client, server));
	}
	SSL_CTX_free(server);
	tls_client_unref(client);
}

/* How many of `count` connections that are begun at once resume. */
static unsigned resumed_at_once(struct tls_client *client, SSL_CTX *server, size_t count)
{
	struct talk *talks[20];
	unsigned resumed = 0;
	for (size_t i = 0; i < count; i++)
		talks[i] = talk_with(client, server);
	for (size_t i = 0; i < count; i++) {
		assert_true(talk_handshake(talks[i]));
		resumed += tls_stream_is_resumed(talks[i]->client);
	}
	for (size_t i = 0; i < count; i++)
		talk_free(talks[i]);
	return resumed;
}

static void test_a_ticket_is_used_once(void **state)
{
	(void)state;
	static const struct {
		int version;
		size_t tickets;
		unsigned resumed;
	} rows[] = {
		{ TLS1_3_VERSION, 0, 0 },
		{ TLS1_3_VERSION, 1, 1 },
		{ TLS1_3_VERSION, 3, 3 },
		{ TLS1_3_VERSION, 12, 8 }, /* what is kept */
		{ TLS1_2_VERSION, 1, 1 },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct tls_client *client = good_client(TLS_ALPN_DOT);
		SSL_CTX *server = server_settings(rows[i].version, WHO_GOOD);
		SSL_CTX_set_num_tickets(server, rows[i].tickets);
		assert_false(resumes(client, server));
		assert_int_equal(resumed_at_once(client, server, 10), rows[i].resumed);
		SSL_CTX_free(server);
		tls_client_unref(client);
	}
}

static size_t hello_of(struct tls_stream *stream)
{
	static uint8_t out[TLS_OUT_MIN];
	uint8_t plain[10];
	struct writer to = writer_of(out, sizeof out);
	struct slice nothing = slice_of(NULL, 0);
	assert_int_equal(tls_stream_read(stream, &nothing, plain, sizeof plain, &to), 0);
	return to.len;
}

/* A hello with a ticket is longer than one without. */
static void test_a_ticket_leaves_with_one_hello(void **state)
{
	(void)state;
	struct tls_client *client = good_client(TLS_ALPN_DOT);
	SSL_CTX *server = server_settings(TLS1_3_VERSION, WHO_GOOD);
	SSL_CTX_set_num_tickets(server, 2);
	assert_false(resumes(client, server));
	struct tls_stream *streams[3];
	size_t lens[3];
	for (size_t i = 0; i < 3; i++) {
		streams[i] = tls_client_open(client);
		lens[i] = hello_of(streams[i]);
	}
	assert_true(lens[0] > lens[2] + 100);
	assert_true(lens[1] > lens[2] + 100);
	for (size_t i = 0; i < 3; i++)
		tls_stream_free(streams[i]);
	SSL_CTX_free(server);
	tls_client_unref(client);
}

static void test_failure_forgets(void **state)
{
	(void)state;
	for (size_t v = 0; v < 2; v++) {
		struct tls_client *client = good_client(TLS_ALPN_DOT);
		SSL_CTX *server = server_settings(versions[v], WHO_GOOD);
		SSL_CTX *expired = server_settings(versions[v], WHO_EXPIRED);
		assert_false(resumes(client, server));
		/* Opened and never begun: nothing happened (but this one's ticket is gone). */
		tls_stream_free(tls_client_open(client));
		assert_int_equal(resumes(client, server), versions[v] == TLS1_3_VERSION);
		assert_true(resumes(client, server));

		struct talk *talk = talk_with(client, expired);
		assert_false(talk_handshake(talk));
		failed_for(talk, "certificate_untrusted");
		assert_false(resumes(client, server)); /* before the stream is freed */
		assert_true(resumes(client, server));
		talk_free(talk);

		/* A server that never says a word. */
		struct tls_stream *stream = tls_client_open(client);
		hello_of(stream);
		tls_stream_free(stream);
		assert_false(resumes(client, server));
		SSL_CTX_free(server);
		SSL_CTX_free(expired);
		tls_client_unref(client);
	}
}

/* --- hostile servers --- */

static const char *error_of_bytes(struct tls_client *client, const void *bytes, size_t len)
{
	static const char none[] = "(none)";
	struct tls_stream *stream = tls_client_open(client);
	uint8_t out[TLS_OUT_MIN], plain[100];
	struct writer to = writer_of(out, sizeof out);
	struct slice cipher = slice_of(NULL, 0);
	assert_int_equal(tls_stream_read(stream, &cipher, plain, sizeof plain, &to), 0);
	uint8_t *copy = malloc(len + 1);
	memcpy(copy, bytes, len);
	cipher = slice_of(copy, len);
	to = writer_of(out, sizeof out);
	ssize_t end = tls_stream_read(stream, &cipher, plain, sizeof plain, &to);
	assert_true(end == 0 || end == ERR_TLS);
	assert_false(to.failed);
	const char *error = end ? tls_stream_error(stream) : none;
	free(copy);
	tls_stream_free(stream);
	return error;
}

static void test_not_tls(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t len;
		const char *word;
	} rows[] = {
#define ROW(text, word) { text, sizeof text - 1, word }
		ROW("", "(none)"),
		ROW("\x16", "(none)"),
		ROW("\x00\x1d\x12\x34\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00\x07"
		    "example\x03"
		    "com\x00\x00\x01\x00\x01",
			"not_tls"),
		ROW("HTTP/1.1 400 Bad Request\r\n\r\n", "not_tls"),
		ROW("SSH-2.0-OpenSSH_9.2\r\n", "not_tls"),
		ROW("220 mail.example ESMTP\r\n", "not_tls"),
		ROW("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "not_tls"),
		ROW("\x15\x03\x03\x00\x02\x02\x46", "no_shared_protocol"),
		ROW("\x15\x03\x03\x00\x02\x02\x78", "no_application_protocol"),
		ROW("\x15\x03\x03\x00\x02\x02\x47", "no_shared_cipher"),
		ROW("\x15\x03\x03\x00\x02\x02\x28", "peer_alert"),
		ROW("\x15\x03\x03\x00\x02\x02\x2a", "peer_alert"), /* bad certificate: not ours */
		ROW("\x16\x03\x03\xff\xff", "bad_record"),
#undef ROW
	};
	struct tls_client *client = good_client(TLS_ALPN_DOT);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(
			error_of_bytes(client, rows[i].bytes, rows[i].len), rows[i].word);
	tls_client_unref(client);
}

static void test_old_versions(void **state)
{
	(void)state;
	static const int old[] = { TLS1_VERSION, TLS1_1_VERSION };
	struct tls_client *client = good_client(TLS_ALPN_DOT);
	for (size_t i = 0; i < 2; i++) {
		SSL_CTX *server = server_settings(old[i], WHO_GOOD);
		SSL_CTX_set_security_level(server, 0);
		struct talk *talk = talk_with(client, server);
		assert_false(talk_handshake(talk));
		failed_for(talk, "no_shared_protocol");
		talk_free(talk);
		SSL_CTX_free(server);
	}
	tls_client_unref(client);
}

/* Each beginning of a server's first flight waits for the rest, and sends nothing. */
static void test_truncated_flight(void **state)
{
	(void)state;
	static uint8_t out[TLS_OUT_MIN], flight[TLS_OUT_MIN];
	struct tls_client *client = good_client(TLS_ALPN_DOT);
	for (size_t v = 0; v < 2; v++) {
		SSL_CTX *server = server_settings(versions[v], WHO_GOOD);
		struct talk *talk = talk_with(client, server);
		struct writer to = writer_of(out, sizeof out);
		client_turn(talk, slice_of("", 0), &to);
		size_t len = server_turn(talk, slice_of(out, to.len), flight, sizeof flight);
		assert_in_range(len, 300, sizeof flight);
		to.len = 0;
		for (size_t i = 0; i + 1 < len; i++) {
			client_turn(talk, slice_of(flight + i, 1), &to);
			assert_int_equal(talk->end, 0);
			assert_int_equal(to.len, 0);
			assert_false(tls_stream_is_established(talk->client));
		}
		client_turn(talk, slice_of(flight + len - 1, 1), &to);
		assert_true(to.len > 0);
		talk_free(talk);
		SSL_CTX_free(server);
	}
	tls_client_unref(client);
}

/* No byte of the first flight may be changed unnoticed; it ends, or waits, but is never done. */
static void test_tampered_flight(void **state)
{
	(void)state;
	static uint8_t out[TLS_OUT_MIN], flight[TLS_OUT_MIN];
	struct tls_client *client = good_client(TLS_ALPN_DOT);
	for (size_t v = 0; v < 2; v++) {
		SSL_CTX *server = server_settings(versions[v], WHO_GOOD);
		for (size_t at = 0; at < 300; at += 7) {
			struct talk *talk = talk_with(client, server);
			struct writer to = writer_of(out, sizeof out);
			client_turn(talk, slice_of("", 0), &to);
			size_t len =
				server_turn(talk, slice_of(out, to.len), flight, sizeof flight);
			flight[at] ^= 0x20;
			talk_run(talk, slice_of(flight, len));
			/* TLS 1.3 pays no heed to the version in a record (RFC 8446 5.1). */
			bool is_version = at == 1 || at == 2;
			assert_true(is_version || !tls_stream_is_established(talk->client) ||
				talk->end == ERR_TLS);
			talk_free(talk);
		}
		SSL_CTX_free(server);
	}
	tls_client_unref(client);
}

static void test_tampered_record(void **state)
{
	(void)state;
	struct tls_client *client = good_client(TLS_ALPN_DOT);
	for (size_t v = 0; v < 2; v++) {
		SSL_CTX *server = server_settings(versions[v], WHO_GOOD);
		struct talk *talk = talk_with(client, server);
		assert_true(talk_handshake(talk));
		uint8_t record[100];
		size_t count;
		SSL_write_ex(talk->theirs, "secret", 6, &count);
		size_t len = (size_t)BIO_read(talk->out, record, sizeof record);
		record[len - 1] ^= 1;
		talk_run(talk, slice_of(record, len));
		failed_for(talk, "bad_record");
		assert_int_equal(talk->plain_len, 0);
		talk_free(talk);
		SSL_CTX_free(server);
	}
	tls_client_unref(client);
}

static void server_updates_key(struct talk *talk)
{
	uint8_t out[1000];
	SSL_key_update(talk->theirs, SSL_KEY_UPDATE_REQUESTED);
	SSL_do_handshake(talk->theirs);
	size_t len = server_turn(talk, slice_of("", 0), out, sizeof out);
	talk_run(talk, slice_of(out, len));
}

static void server_sends_ticket(struct talk *talk)
{
	uint8_t out[1000];
	SSL_new_session_ticket(talk->theirs);
	SSL_do_handshake(talk->theirs);
	size_t len = server_turn(talk, slice_of("", 0), out, sizeof out);
	talk_run(talk, slice_of(out, len));
}

static void test_floods(void **state)
{
	(void)state;
	static void (*const floods[])(struct talk *) = { server_updates_key, server_sends_ticket };
	SSL_CTX *server = server_settings(TLS1_3_VERSION, WHO_GOOD);
	struct tls_client *client = good_client(TLS_ALPN_DOT);
	for (size_t i = 0; i < 2; i++) {
		struct talk *talk = talk_with(client, server);
		assert_true(talk_handshake(talk));
		for (int round = 0; round < 3; round++) {
			server_writes(talk, (const uint8_t *)"answer", 6);
			for (int count = 0; count < 20; count++)
				floods[i](talk);
			assert_int_equal(talk->end, 0);
			talk_exchange(talk);
		}
		for (int count = 0; count < TLS_KEY_UPDATES_MAX + 1; count++)
			floods[i](talk);
		failed_for(talk, "key_update_flood");
		talk_free(talk);
	}
	tls_client_unref(client);
	SSL_CTX_free(server);
}

static void test_renegotiation_ends_it(void **state)
{
	(void)state;
	SSL_CTX *server = server_settings(TLS1_2_VERSION, WHO_GOOD);
	struct tls_client *client = good_client(TLS_ALPN_DOT);
	struct talk *talk = talk_with(client, server);
	assert_true(talk_handshake(talk));
	uint8_t out[1000];
	assert_int_equal(SSL_renegotiate(talk->theirs), 1);
	SSL_do_handshake(talk->theirs); /* HelloRequest */
	size_t len = (size_t)BIO_read(talk->out, out, sizeof out);
	talk_run(talk, slice_of(out, len));
	talk_run(talk, slice_of("", 0));
	failed_for(talk, "renegotiation");
	talk_free(talk);
	tls_client_unref(client);
	SSL_CTX_free(server);
}

/* A server that wants to know who we are gets an empty certificate, and decides. */
static void test_client_certificate_wanted(void **state)
{
	(void)state;
	struct tls_client *client = good_client(TLS_ALPN_DOT);
	for (size_t v = 0; v < 2; v++) {
		SSL_CTX *server = server_settings(versions[v], WHO_GOOD);
		SSL_CTX_set_verify(server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
		struct talk *talk = talk_with(client, server);
		talk_handshake(talk);
		failed_for(talk, "peer_alert");
		talk_free(talk);
		SSL_CTX_free(server);
	}
	tls_client_unref(client);
}

/* --- threads --- */

struct crowd {
	struct tls_client *client;
	struct tls_context *context;
	unsigned resumed;
};

static void *one_of_crowd(void *argument)
{
	struct crowd *crowd = argument;
	for (int i = 0; i < 60; i++) {
		struct talk *talk = talk_with_ours(crowd->client, crowd->context, TLS_ALPN_DOT);
		talk_run(talk, slice_of("", 0));
		FIXTURE_CHECK(tls_stream_is_established(talk->client) && !talk->end);
		crowd->resumed += tls_stream_is_resumed(talk->client);
		talk_free(talk);
		if (i % 16 == 15)
			tls_client_forget(crowd->client);
	}
	tls_client_unref(crowd->client);
	return NULL;
}

static void test_threads(void **state)
{
	(void)state;
	struct tls_ticket_keys *keys = tls_ticket_keys_new();
	struct tls_context *context = server_context(WHO_GOOD, keys);
	struct tls_client *client = good_client(TLS_ALPN_DOT);
	struct crowd crowds[2];
	pthread_t threads[2];
	for (size_t i = 0; i < 2; i++) {
		crowds[i] = (struct crowd){ tls_client_ref(client), context, 0 };
		assert_int_equal(pthread_create(&threads[i], NULL, one_of_crowd, &crowds[i]), 0);
	}
	tls_client_unref(client);
	for (size_t i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	/* After each handshake there is a ticket; at most the start and 6 times of forgetting cost
	 * each thread one. */
	printf("resumed: %u and %u of 60\n", crowds[0].resumed, crowds[1].resumed);
	assert_in_range(crowds[0].resumed + crowds[1].resumed, 60, 119);
	tls_context_unref(context);
	tls_ticket_keys_free(keys);
}

static int set_up(void **state)
{
	(void)state;
	directory = fixture_directory_make();
	make_certificates();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	fixture_drop(&ca);
	fixture_drop(&other_ca);
	fixture_drop(&third_ca);
	fixture_drop(&middle);
	for (size_t i = 0; i < WHO_COUNT; i++)
		fixture_drop(&leaves[i]);
	fixture_remove(&directory);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pin_parse),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_ca_files),
		cmocka_unit_test(test_system_authorities),
		cmocka_unit_test(test_handshake),
		cmocka_unit_test(test_one_round_trip),
		cmocka_unit_test(test_nothing_in_common),
		cmocka_unit_test(test_our_own_server),
		cmocka_unit_test(test_write_needs_a_handshake),
		cmocka_unit_test(test_goodbyes),
		cmocka_unit_test(test_trust),
		cmocka_unit_test(test_no_sni_for_addresses),
		cmocka_unit_test(test_alpn),
		cmocka_unit_test(test_resumption),
		cmocka_unit_test(test_resumption_with_our_own_server),
		cmocka_unit_test(test_resumption_as_a_second_begins),
		cmocka_unit_test(test_a_ticket_is_used_once),
		cmocka_unit_test(test_a_ticket_leaves_with_one_hello),
		cmocka_unit_test(test_failure_forgets),
		cmocka_unit_test(test_not_tls),
		cmocka_unit_test(test_old_versions),
		cmocka_unit_test(test_truncated_flight),
		cmocka_unit_test(test_tampered_flight),
		cmocka_unit_test(test_tampered_record),
		cmocka_unit_test(test_floods),
		cmocka_unit_test(test_renegotiation_ends_it),
		cmocka_unit_test(test_client_certificate_wanted),
		cmocka_unit_test(test_threads),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
