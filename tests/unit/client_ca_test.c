/* Clients with certificates, over both versions of TLS: whom a server lets in and how it knows
 * them, what a session remembers, and what a change of authorities undoes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <time.h>

#include "tests/unit/tls_fixture.h"

enum { HOUR = 3600, DAY = 24 * HOUR };

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
static struct fixture_directory directory;
static struct tls_ticket_keys *keys;

/* --- time --- */

static time_t time_shift;

time_t __real_time(time_t *to);
time_t __wrap_time(time_t *to);
time_t __wrap_time(time_t *to)
{
	time_t now = __real_time(NULL) + time_shift;
	if (to)
		*to = now;
	return now;
}

/* --- certificates --- */

enum who {
	NOBODY,
	ROOT,
	NAMESAKE, /* another root of the same name */
	STRANGER,
	SHORT, /* a root that ends in an hour */
	MIDDLE,
	MIDDLE_OVER, /* of the root, expired */
	SERVER,
	ANNA,
	ANNA_RSA,
	OVER,
	EARLY,
	WEAK,
	FOR_SERVERS,
	ANY_USE,
	SELF,
	OF_NAMESAKE,
	OF_STRANGER,
	OF_SHORT,
	OF_MIDDLE,
	OF_MIDDLE_OVER,
	WHO_COUNT,
};

static const struct {
	struct fixture_wish wish;
	enum who issuer;
} wishes[WHO_COUNT] = {
#define CA(name, from_s, to_s)                                                                     \
	{                                                                                          \
		.kind = "EC", .common_name = (name), .is_ca = true, .not_before_s = (from_s),      \
		.not_after_s = (to_s)                                                              \
	}
#define LEAF(key, use, from_s, to_s)                                                               \
	{                                                                                          \
		.kind = (key), .common_name = "anna", .names = "URI:spiffe://corp.example/anna",   \
		.key_usage = (use), .not_before_s = (from_s), .not_after_s = (to_s)                \
	}
	[ROOT] = { CA("root", -DAY, 10 * DAY), NOBODY },
	[NAMESAKE] = { CA("root", -DAY, 10 * DAY), NOBODY },
	[STRANGER] = { CA("stranger", -DAY, 10 * DAY), NOBODY },
	[SHORT] = { CA("short", -DAY, HOUR), NOBODY },
	[MIDDLE] = { CA("middle", -DAY, 5 * DAY), ROOT },
	[MIDDLE_OVER] = { CA("middle over", -DAY, -HOUR), ROOT },
	[SERVER] = { LEAF("EC", "serverAuth", -HOUR, DAY), ROOT },
	[ANNA] = { LEAF("EC", "clientAuth", -HOUR, DAY), ROOT },
	[ANNA_RSA] = { LEAF("RSA2048", "clientAuth", -HOUR, DAY), ROOT },
	[OVER] = { LEAF("EC", "clientAuth", -DAY, -HOUR), ROOT },
	[EARLY] = { LEAF("EC", "clientAuth", HOUR, DAY), ROOT },
	[WEAK] = { LEAF("RSA1024", "clientAuth", -HOUR, DAY), ROOT },
	[FOR_SERVERS] = { LEAF("EC", "serverAuth", -HOUR, DAY), ROOT },
	[ANY_USE] = { LEAF("EC", NULL, -HOUR, DAY), ROOT },
	[SELF] = { LEAF("EC", "clientAuth", -HOUR, DAY), NOBODY },
	[OF_NAMESAKE] = { LEAF("EC", "clientAuth", -HOUR, DAY), NAMESAKE },
	[OF_STRANGER] = { LEAF("EC", "clientAuth", -HOUR, DAY), STRANGER },
	[OF_SHORT] = { LEAF("EC", "clientAuth", -HOUR, DAY), SHORT },
	[OF_MIDDLE] = { LEAF("EC", "clientAuth", -HOUR, DAY), MIDDLE },
	[OF_MIDDLE_OVER] = { LEAF("EC", "clientAuth", -HOUR, DAY), MIDDLE_OVER },
};

static struct fixture_certificate made[WHO_COUNT];

static int make_all(void **state)
{
	(void)state;
	directory = fixture_directory_make();
	keys = tls_ticket_keys_new();
	for (unsigned i = NOBODY + 1; i < WHO_COUNT; i++)
		made[i] = fixture_grant(&wishes[i].wish,
			wishes[i].issuer == NOBODY ? NULL : &made[wishes[i].issuer]);
	const struct fixture_certificate *chain[] = { &made[SERVER] };
	fixture_write_chain(&directory, "server.pem", chain, 1);
	fixture_write_key(&directory, "server.key", made[SERVER].key, NULL);
	return 0;
}

static int drop_all(void **state)
{
	(void)state;
	for (unsigned i = NOBODY + 1; i < WHO_COUNT; i++)
		fixture_drop(&made[i]);
	tls_ticket_keys_free(keys);
	fixture_remove(&directory);
	return 0;
}

/* --- a server, a client --- */

static struct tls_context *load(const char *client_ca, bool required, char *message)
{
	char certificate[128], key[128], ca[128];
	const struct tls_certificate_files pair = {
		.certificate = fixture_path(&directory, "server.pem", certificate),
		.key = fixture_path(&directory, "server.key", key),
	};
	const struct tls_context_files files = {
		.certificates = &pair,
		.certificate_count = 1,
		.client_ca = client_ca ? fixture_path(&directory, client_ca, ca) : NULL,
		.client_required = required,
	};
	return tls_context_load_files(&files, NULL, keys, message);
}

/* Believes these two; NOBODY is none, and none at all is a server that does not ask. */
static struct tls_context *server_of(enum who a, enum who b, bool required)
{
	char message[TLS_MESSAGE_MAX];
	const struct fixture_certificate *both[] = { &made[a], &made[b] };
	size_t first = a == NOBODY, count = (size_t)(a != NOBODY) + (b != NOBODY);
	fixture_write_chain(&directory, "ca.pem", both + first, count);
	struct tls_context *context = load(count ? "ca.pem" : NULL, required, message);
	if (!context)
		fail_msg("%s", message);
	return context;
}

static SSL_CTX *client_of(int version, enum who who)
{
	SSL_CTX *settings = fixture_client_settings(version);
	if (who == NOBODY)
		return settings;
	assert_int_equal(SSL_CTX_use_certificate(settings, made[who].certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(settings, made[who].key), 1);
	enum who above = wishes[who].issuer;
	if (above == MIDDLE || above == MIDDLE_OVER)
		assert_int_equal(SSL_CTX_add1_chain_cert(settings, made[above].certificate), 1);
	return settings;
}

struct visit {
	SSL_CTX *settings;
	struct fixture_client client;
	struct tls_stream *stream;
	ssize_t end;
};

static void feed(struct visit *visit)
{
	static uint8_t out[TLS_OUT_MIN], plain[TLS_PLAIN_MAX];
	char *at;
	struct slice cipher = slice_of(NULL, (size_t)BIO_get_mem_data(visit->client.out, &at));
	cipher.at = (const uint8_t *)at;
	do {
		struct writer cipher_out = writer_of(out, sizeof out);
		visit->end =
			tls_stream_read(visit->stream, &cipher, plain, sizeof plain, &cipher_out);
		assert_false(cipher_out.failed);
		BIO_write(visit->client.in, out, (int)cipher_out.len);
	} while (visit->end > 0);
	(void)BIO_reset(visit->client.out);
}

/* Takes the settings over. */
static struct visit visit_of(struct tls_context *of, SSL_CTX *settings, SSL_SESSION *session)
{
	struct visit visit = { .settings = settings,
		.client = fixture_client_new(settings, NULL, 0),
		.stream = tls_stream_new(of, TLS_ALPN_DOT) };
	char byte;
	SSL_set_tlsext_host_name(visit.client.openssl, "Anna.Example");
	if (session)
		fixture_client_resume(&visit.client, session);
	for (int turn = 0; turn < 4 && !visit.end; turn++) {
		ERR_clear_error();
		SSL_do_handshake(visit.client.openssl);
		feed(&visit);
	}
	ERR_clear_error();
	SSL_read(visit.client.openssl, &byte, 1); /* takes the tickets */
	return visit;
}

static void visit_end(struct visit *visit)
{
	fixture_client_free(&visit->client);
	SSL_CTX_free(visit->settings);
	tls_stream_free(visit->stream);
}

static int64_t end_of(enum who who)
{
	struct tm end;
	assert_int_equal(ASN1_TIME_to_tm(X509_get0_notAfter(made[who].certificate), &end), 1);
	return timegm(&end);
}

static bool is_known(const struct visit *visit)
{
	const struct tls_peer *peer = tls_stream_peer(visit->stream);
	assert_true(slice_equals_text(peer->tls_name, "anna.example"));
	if (peer->name_count == 0)
		return false;
	assert_int_equal(peer->name_count, 3);
	assert_true(slice_equals_text(peer->names[0], "uri:spiffe://corp.example/anna"));
	assert_true(slice_equals_text(peer->names[1], "cn:anna"));
	return true;
}

/* --- whom it lets in --- */

struct row {
	enum who ca;
	enum who client;
	bool required;
	const char *word; /* NULL: it comes in ... */
	bool is_known;    /* ... by its certificate */
	enum who ends;    /* whose end is the earliest of the chain */
};

#define MISSING   "client_certificate_missing"
#define UNTRUSTED "client_certificate_untrusted"
#define EXPIRED   "client_certificate_expired"
#define REFUSED   "client_certificate_refused"

static const struct row rows[] = {
	{ ROOT, ANNA, false, NULL, true, ANNA },
	{ ROOT, ANNA, true, NULL, true, ANNA },
	{ ROOT, ANNA_RSA, false, NULL, true, ANNA_RSA },
	{ ROOT, ANY_USE, true, NULL, true, ANY_USE },
	{ ROOT, NOBODY, false, NULL, false, NOBODY },
	{ ROOT, NOBODY, true, MISSING, false, NOBODY },
	/* A bad one is no better than none, and does not come in as nobody. */
	{ ROOT, OVER, false, EXPIRED, false, NOBODY },
	{ ROOT, EARLY, false, EXPIRED, false, NOBODY },
	{ ROOT, WEAK, false, REFUSED, false, NOBODY },
	{ ROOT, FOR_SERVERS, false, REFUSED, false, NOBODY },
	{ ROOT, SELF, false, UNTRUSTED, false, NOBODY },
	{ ROOT, OF_NAMESAKE, false, REFUSED, false, NOBODY },
	{ ROOT, OF_STRANGER, false, UNTRUSTED, false, NOBODY },
	{ ROOT, OF_STRANGER, true, UNTRUSTED, false, NOBODY },
	/* Chains. */
	{ ROOT, OF_MIDDLE, false, NULL, true, OF_MIDDLE },
	{ ROOT, OF_MIDDLE_OVER, false, EXPIRED, false, NOBODY },
	{ MIDDLE, OF_MIDDLE, true, NULL, true, OF_MIDDLE },
	{ MIDDLE, ANNA, false, UNTRUSTED, false, NOBODY },
	{ SHORT, OF_SHORT, true, NULL, true, SHORT },
	/* A client's own certificate in the place of an authority. */
	{ ANNA, ANNA, true, NULL, true, ANNA },
	{ SELF, SELF, true, NULL, true, SELF },
	{ SELF, ANNA, true, UNTRUSTED, false, NOBODY },
	/* Nobody asked. */
	{ NOBODY, ANNA, false, NULL, false, NOBODY },
	{ NOBODY, OVER, true, NULL, false, NOBODY },
};

static void run(const struct row *row, int version)
{
	struct tls_context *of = server_of(row->ca, NOBODY, row->required);
	SSL_CTX *settings = client_of(version, row->client);
	SSL_CTX_set_security_level(settings, 0); /* for the weak one */
	struct visit visit = visit_of(of, settings, NULL);
	const char *word = visit.end ? tls_stream_error(visit.stream) : "in";
	if (strcmp(word, row->word ? row->word : "in") != 0)
		fail_msg("row %td, TLS %#x: %s (%s)", row - rows, (unsigned)version, word,
			tls_stream_reason(visit.stream));
	assert_int_equal(tls_stream_is_established(visit.stream), !row->word);
	assert_int_equal(is_known(&visit), row->is_known);
	if (row->is_known)
		assert_int_equal(tls_stream_peer(visit.stream)->not_after_s, end_of(row->ends));
	visit_end(&visit);
	tls_context_unref(of);
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t v = 0; v < 2; v++)
			run(&rows[i], versions[v]);
}

/* A client without the intermediate certificate cannot be believed, nor can one that sends more
 * than anybody needs. */
static void test_what_a_client_sends(void **state)
{
	(void)state;
	for (size_t v = 0; v < 2; v++) {
		struct tls_context *of = server_of(ROOT, NOBODY, false);
		SSL_CTX *settings = client_of(versions[v], OF_MIDDLE);
		SSL_CTX_clear_chain_certs(settings);
		struct visit visit = visit_of(of, settings, NULL);
		assert_string_equal(tls_stream_error(visit.stream), UNTRUSTED);
		visit_end(&visit);
		settings = client_of(versions[v], ANNA);
		for (unsigned i = 0; i < 60; i++)
			SSL_CTX_add1_chain_cert(settings, made[ROOT].certificate);
		visit = visit_of(of, settings, NULL);
		assert_int_equal(visit.end, ERR_TLS);
		assert_false(is_known(&visit));
		visit_end(&visit);
		tls_context_unref(of);
	}
}

/* --- whom it asks for --- */

static int told_authorities(struct tls_context *of, int version)
{
	struct visit visit = visit_of(of, client_of(version, NOBODY), NULL);
	const STACK_OF(X509_NAME) *told = SSL_get0_peer_CA_list(visit.client.openssl);
	int count = told ? sk_X509_NAME_num(told) : 0;
	visit_end(&visit);
	tls_context_unref(of);
	return count;
}

/* A browser that has several certificates shows those of the authorities that it was told. */
static void test_names_of_authorities(void **state)
{
	(void)state;
	for (size_t v = 0; v < 2; v++) {
		assert_int_equal(
			told_authorities(server_of(ROOT, STRANGER, false), versions[v]), 2);
		assert_int_equal(
			told_authorities(server_of(NOBODY, NOBODY, false), versions[v]), 0);
	}
}

static void test_too_many_names(void **state)
{
	(void)state;
	enum { MANY = 60 };
	struct fixture_certificate many[MANY];
	const struct fixture_certificate *list[MANY + 1] = { [MANY] = &made[ROOT] };
	char name[65], message[TLS_MESSAGE_MAX];
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(name, sizeof name, "%064u", i);
		many[i] = fixture_issue("EC", name, NULL, -60, DAY);
		list[i] = &many[i];
	}
	fixture_write_chain(&directory, "many.pem", list, MANY + 1);
	for (size_t v = 0; v < 2; v++) {
		struct tls_context *of = load("many.pem", false, message);
		assert_non_null(of);
		struct visit visit = visit_of(of, client_of(versions[v], ANNA), NULL);
		assert_true(is_known(&visit));
		visit_end(&visit);
		assert_int_equal(told_authorities(of, versions[v]), 0);
	}
	for (unsigned i = 0; i < MANY; i++)
		fixture_drop(&many[i]);
}

static void test_bad_files(void **state)
{
	(void)state;
	char message[TLS_MESSAGE_MAX];
	fixture_write(&directory, "text.pem", "no certificate", 14);
	static const struct {
		const char *file;
		const char *said;
	} files[] = {
		{ "missing.pem", "No such file" },
		{ "text.pem", "not PEM" },
		{ "server.key", "holds a private key" },
	};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		assert_null(load(files[i].file, false, message));
		assert_non_null(strstr(message, files[i].file));
		assert_non_null(strstr(message, files[i].said));
	}
}

/* --- sessions --- */

static SSL_SESSION *session_of(struct tls_context *of, int version, enum who who)
{
	struct visit visit = visit_of(of, client_of(version, who), NULL);
	assert_int_equal(visit.end, 0);
	SSL_SESSION *session = SSL_get1_session(visit.client.openssl);
	assert_true(SSL_SESSION_is_resumable(session));
	visit_end(&visit);
	return session;
}

/* The ticket has all that is needed: the client shows its certificate once. */
static void test_resumption(void **state)
{
	(void)state;
	for (size_t v = 0; v < 2; v++) {
		struct tls_context *of = server_of(SHORT, ROOT, true);
		SSL_SESSION *session = session_of(of, versions[v], OF_SHORT);
		for (unsigned i = 0; i < 3; i++) {
			struct visit visit = visit_of(of, client_of(versions[v], NOBODY), session);
			assert_int_equal(visit.end, 0);
			assert_true(tls_stream_is_resumed(visit.stream));
			assert_true(is_known(&visit));
			/* Of the authority, which is not in the session. */
			assert_int_equal(tls_stream_peer(visit.stream)->not_after_s, end_of(SHORT));
			SSL_SESSION_free(session);
			session = SSL_get1_session(visit.client.openssl);
			visit_end(&visit);
		}
		SSL_SESSION_free(session);
		tls_context_unref(of);
	}
}

/* Who has no certificate resumes as nobody. */
static void test_resumption_of_nobody(void **state)
{
	(void)state;
	for (size_t v = 0; v < 2; v++) {
		struct tls_context *of = server_of(ROOT, NOBODY, false);
		SSL_SESSION *session = session_of(of, versions[v], NOBODY);
		struct visit visit = visit_of(of, client_of(versions[v], ANNA), session);
		assert_true(tls_stream_is_resumed(visit.stream));
		assert_false(is_known(&visit));
		visit_end(&visit);
		SSL_SESSION_free(session);
		tls_context_unref(of);
	}
}

struct change {
	enum who a, b;
	bool required;
	bool resumes;
};

/* From one that believes ROOT and STRANGER, and where a certificate may be shown. */
static const struct change changes[] = {
	{ ROOT, STRANGER, false, true },
	{ STRANGER, ROOT, false, true }, /* their order says nothing */
	{ ROOT, STRANGER, true, false },
	{ ROOT, NOBODY, false, false },
	{ STRANGER, NOBODY, false, false },
	{ ROOT, SHORT, false, false },
	{ NAMESAKE, STRANGER, false, false },
	{ NOBODY, NOBODY, false, false },
};

static void test_change_of_authorities(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		for (size_t v = 0; v < 2; v++) {
			const struct change *change = &changes[i];
			struct tls_context *before = server_of(ROOT, STRANGER, false);
			SSL_SESSION *session = session_of(before, versions[v], ANNA);
			struct tls_context *after =
				server_of(change->a, change->b, change->required);
			struct visit visit =
				visit_of(after, client_of(versions[v], NOBODY), session);
			bool resumed = visit.end == 0 && tls_stream_is_resumed(visit.stream);
			if (resumed != change->resumes)
				fail_msg("change %zu, TLS %#x", i, (unsigned)versions[v]);
			assert_int_equal(is_known(&visit), change->resumes);
			visit_end(&visit);
			SSL_SESSION_free(session);
			tls_context_unref(before);
			tls_context_unref(after);
		}
	}
}

/* A session lives for twelve hours, whatever the certificate; a certificate that is over has to be
 * replaced by a new one at once. */
static void test_session_of_an_expired_certificate(void **state)
{
	(void)state;
	for (size_t v = 0; v < 2; v++) {
		struct tls_context *of = server_of(SHORT, NOBODY, true);
		SSL_SESSION *session = session_of(of, versions[v], OF_SHORT);
		time_shift = HOUR + 1;
		struct visit visit = visit_of(of, client_of(versions[v], NOBODY), session);
		time_shift = 0;
		assert_string_equal(tls_stream_error(visit.stream), MISSING);
		visit_end(&visit);
		visit = visit_of(of, client_of(versions[v], NOBODY), session);
		assert_true(is_known(&visit));
		visit_end(&visit);
		SSL_SESSION_free(session);
		tls_context_unref(of);
	}
}

/* --- those that are revoked --- */

/* Of this authority, with this client in it (NOBODY: an empty one), good for so long from now. */
static void write_list(const char *name, const char *mode, enum who by, enum who who, long end_s)
{
	char path[128];
	X509_CRL *list = X509_CRL_new();
	X509_CRL_set_version(list, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(list, X509_get_subject_name(made[by].certificate));
	ASN1_TIME *from = X509_gmtime_adj(NULL, -2 * DAY), *to = X509_gmtime_adj(NULL, end_s);
	X509_CRL_set1_lastUpdate(list, from);
	X509_CRL_set1_nextUpdate(list, to);
	if (who != NOBODY) {
		X509_REVOKED *entry = X509_REVOKED_new();
		X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(made[who].certificate));
		X509_REVOKED_set_revocationDate(entry, from);
		assert_int_equal(X509_CRL_add0_revoked(list, entry), 1);
	}
	assert_true(X509_CRL_sign(list, made[by].key, EVP_sha256()) > 0);
	FILE *file = fopen(fixture_path(&directory, name, path), mode);
	assert_non_null(file);
	assert_int_equal(PEM_write_X509_CRL(file, list), 1);
	assert_int_equal(fclose(file), 0);
	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
	X509_CRL_free(list);
}

static struct tls_context *server_with_list(const char *list, char *message)
{
	char certificate[128], key[128], ca[128], revoked[128];
	const struct fixture_certificate *root[] = { &made[ROOT] };
	fixture_write_chain(&directory, "ca.pem", root, 1);
	const struct tls_certificate_files pair = {
		.certificate = fixture_path(&directory, "server.pem", certificate),
		.key = fixture_path(&directory, "server.key", key),
	};
	const struct tls_context_files files = {
		.certificates = &pair,
		.certificate_count = 1,
		.client_ca = fixture_path(&directory, "ca.pem", ca),
		.client_crl = fixture_path(&directory, list, revoked),
	};
	return tls_context_load_files(&files, NULL, keys, message);
}

static void meets(struct tls_context *of, enum who who, const char *word)
{
	for (size_t v = 0; v < 2; v++) {
		struct visit visit = visit_of(of, client_of(versions[v], who), NULL);
		assert_string_equal(visit.end ? tls_stream_error(visit.stream) : "in", word);
		visit_end(&visit);
	}
}

static void test_revoked(void **state)
{
	(void)state;
	char message[TLS_MESSAGE_MAX];
	write_list("list.pem", "w", ROOT, ANNA, DAY);
	struct tls_context *of = server_with_list("list.pem", message);
	assert_non_null(of);
	meets(of, ANNA, "client_certificate_revoked");
	meets(of, ANNA_RSA, "in");
	meets(of, NOBODY, "in");
	meets(of, OVER, EXPIRED);
	meets(of, OF_MIDDLE, "client_certificate_revoked"); /* nobody knows */
	write_list("list.pem", "a", MIDDLE, NOBODY, DAY);
	struct tls_context *both = server_with_list("list.pem", message);
	meets(both, OF_MIDDLE, "in");
	meets(both, ANNA, "client_certificate_revoked");
	assert_false(tls_context_same_clients(of, both));
	tls_context_unref(of);
	tls_context_unref(both);
}

static void test_a_list_that_has_ended(void **state)
{
	(void)state;
	char message[TLS_MESSAGE_MAX];
	write_list("list.pem", "w", ROOT, NOBODY, -HOUR);
	struct tls_context *of = server_with_list("list.pem", message);
	meets(of, ANNA, "client_certificate_revoked");
	tls_context_unref(of);
}

/* By another root of the same name. */
static void test_a_list_that_is_forged(void **state)
{
	(void)state;
	char message[TLS_MESSAGE_MAX];
	write_list("list.pem", "w", NAMESAKE, ANNA_RSA, DAY);
	struct tls_context *of = server_with_list("list.pem", message);
	struct visit visit = visit_of(of, client_of(TLS1_3_VERSION, ANNA_RSA), NULL);
	assert_int_equal(visit.end, ERR_TLS);
	visit_end(&visit);
	tls_context_unref(of);
}

static void test_what_is_no_list(void **state)
{
	(void)state;
	static const char damaged[] = "-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n";
	char message[TLS_MESSAGE_MAX];
	fixture_write(&directory, "damaged", damaged, sizeof damaged - 1);
	static const struct {
		const char *file;
		const char *says;
	} lists[] = {
		{ "none", "No such file" },
		{ "server.pem", "holds certificates, not a list of revoked ones" },
		{ "server.key", "not PEM" },
		{ "damaged", "list number 1 in it is damaged" },
	};
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		assert_null(server_with_list(lists[i].file, message));
		if (!strstr(message, lists[i].says) || !strstr(message, "client_crl \""))
			fail_msg("%s: %s", lists[i].file, message);
	}
}

/* --- connections that are open when it changes --- */

static bool stays(struct tls_context *before, enum who who, struct tls_context *after)
{
	struct visit visit = visit_of(before, client_of(TLS1_3_VERSION, who), NULL);
	bool may_stay = tls_stream_may_stay(visit.stream, after);
	assert_true(tls_stream_may_stay(visit.stream, before));
	visit_end(&visit);
	tls_context_unref(after);
	return may_stay;
}

static void test_who_may_stay(void **state)
{
	(void)state;
	struct tls_context *asks = server_of(ROOT, NOBODY, false);
	assert_true(stays(asks, ANNA, server_of(ROOT, NOBODY, false)));
	assert_false(stays(asks, ANNA, server_of(ROOT, STRANGER, false)));
	assert_false(stays(asks, ANNA, server_of(NAMESAKE, NOBODY, false)));
	assert_false(stays(asks, ANNA, server_of(NOBODY, NOBODY, false)));
	assert_true(stays(asks, NOBODY, server_of(STRANGER, NOBODY, false)));
	assert_true(stays(asks, NOBODY, server_of(NOBODY, NOBODY, false)));
	assert_false(stays(asks, NOBODY, server_of(ROOT, NOBODY, true)));
	/* One that would show its certificate to the authorities of yesterday. */
	struct tls_stream *half = tls_stream_new(asks, TLS_ALPN_DOT);
	struct tls_context *other = server_of(STRANGER, NOBODY, false);
	assert_true(tls_stream_may_stay(half, asks));
	assert_false(tls_stream_may_stay(half, other));
	tls_stream_free(half);
	tls_context_unref(other);
	tls_context_unref(asks);
	struct tls_context *plain = server_of(NOBODY, NOBODY, false);
	assert_true(stays(plain, NOBODY, server_of(ROOT, NOBODY, false)));
	assert_false(stays(plain, ANNA, server_of(ROOT, NOBODY, true)));
	tls_context_unref(plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_what_a_client_sends),
		cmocka_unit_test(test_names_of_authorities),
		cmocka_unit_test(test_too_many_names),
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_resumption),
		cmocka_unit_test(test_resumption_of_nobody),
		cmocka_unit_test(test_change_of_authorities),
		cmocka_unit_test(test_revoked),
		cmocka_unit_test(test_a_list_that_has_ended),
		cmocka_unit_test(test_a_list_that_is_forged),
		cmocka_unit_test(test_what_is_no_list),
		cmocka_unit_test(test_session_of_an_expired_certificate),
		cmocka_unit_test(test_who_may_stay),
	};
	return cmocka_run_group_tests(tests, make_all, drop_all);
}
