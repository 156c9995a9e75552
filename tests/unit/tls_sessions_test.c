#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <time.h>

#include "tests/unit/tls_fixture.h"
#include "tls/private.h"

enum { DAY_S = 86400, HINT_S = 3000 };

/* A client's session with a ticket that is good for HINT_S, from a server whose certificate is good
 * until `not_after_s` from now. */
static SSL_SESSION *session_of(long not_after_s)
{
	struct fixture_certificate leaf = fixture_issue("EC", "self", NULL, -DAY_S, not_after_s);
	SSL_CTX *settings = SSL_CTX_new(TLS_server_method());
	FIXTURE_CHECK(SSL_CTX_use_certificate(settings, leaf.certificate) == 1 &&
		SSL_CTX_use_PrivateKey(settings, leaf.key) == 1);
	SSL_CTX_set_timeout(settings, HINT_S);
	SSL_CTX *client_settings = fixture_client_settings(TLS1_2_VERSION);
	struct fixture_client client = fixture_client_new(client_settings, NULL, 0);
	SSL *server = SSL_new(settings);
	BIO_up_ref(client.out);
	BIO_up_ref(client.in);
	BIO_set_mem_eof_return(client.out, -1);
	SSL_set_bio(server, client.out, client.in);
	SSL_set_accept_state(server);
	for (int turn = 0; turn < 4; turn++) {
		SSL_do_handshake(client.openssl);
		SSL_do_handshake(server);
	}
	SSL_SESSION *session = SSL_get1_session(client.openssl);
	FIXTURE_CHECK(SSL_SESSION_is_resumable(session));
	FIXTURE_CHECK(SSL_SESSION_get_ticket_lifetime_hint(session) == HINT_S);
	fixture_client_free(&client);
	SSL_set_shutdown(server, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(server);
	SSL_CTX_free(client_settings);
	SSL_CTX_free(settings);
	fixture_drop(&leaf);
	ERR_clear_error();
	return session;
}

/* Is a session of this age given out? */
static bool is_taken(struct tls_sessions *sessions, SSL_SESSION *session, long age_s)
{
	SSL_SESSION_set_time(session, (long)time(NULL) - age_s);
	tls_sessions_put(sessions, session);
	SSL_SESSION *taken = tls_sessions_take(sessions);
	assert_true(taken != session); /* a copy */
	assert_null(tls_sessions_take(sessions));
	SSL_SESSION_free(taken);
	return taken != NULL;
}

static void test_age(void **state)
{
	(void)state;
	struct tls_sessions sessions;
	assert_true(tls_sessions_init(&sessions));
	SSL_SESSION *session = session_of(DAY_S);
	assert_true(is_taken(&sessions, session, 0));
	assert_true(is_taken(&sessions, session, HINT_S / 2));
	assert_false(is_taken(&sessions, session, HINT_S + 1));
	assert_false(is_taken(&sessions, session, -HINT_S)); /* a clock that was set back */
	SSL_SESSION_free(session);
	tls_sessions_deinit(&sessions);
}

static void test_expired_certificate(void **state)
{
	(void)state;
	for (int are_dated = 0; are_dated < 2; are_dated++) {
		struct tls_sessions sessions;
		assert_true(tls_sessions_init(&sessions));
		sessions.are_dated = are_dated;
		SSL_SESSION *expired = session_of(-60);
		assert_int_equal(is_taken(&sessions, expired, 0), !are_dated);
		SSL_SESSION_free(expired);
		tls_sessions_deinit(&sessions);
	}
}

/* The newest first, and not more than there is room for. */
static void test_order(void **state)
{
	(void)state;
	struct tls_sessions sessions;
	assert_true(tls_sessions_init(&sessions));
	SSL_SESSION *session = session_of(DAY_S);
	long now_s = (long)time(NULL);
	for (long i = 0; i < TLS_SESSIONS_MAX + 3; i++) {
		SSL_SESSION_set_time(session, now_s - 1000 + i);
		tls_sessions_put(&sessions, session);
	}
	for (long i = TLS_SESSIONS_MAX + 2; i >= 3; i--) {
		SSL_SESSION *taken = tls_sessions_take(&sessions);
		assert_non_null(taken);
		assert_int_equal(SSL_SESSION_get_time(taken), now_s - 1000 + i);
		SSL_SESSION_free(taken);
	}
	assert_null(tls_sessions_take(&sessions));
	tls_sessions_put(&sessions, session);
	tls_sessions_forget(&sessions);
	assert_null(tls_sessions_take(&sessions));
	tls_sessions_put(&sessions, session); /* freed with the store */
	SSL_SESSION_free(session);
	tls_sessions_deinit(&sessions);
}

static void test_not_resumable(void **state)
{
	(void)state;
	struct tls_sessions sessions;
	assert_true(tls_sessions_init(&sessions));
	SSL_SESSION *empty = SSL_SESSION_new();
	tls_sessions_put(&sessions, empty);
	assert_null(tls_sessions_take(&sessions));
	SSL_SESSION_free(empty);
	tls_sessions_deinit(&sessions);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_expired_certificate),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_not_resumable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
