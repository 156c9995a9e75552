/* Sessions to resume. A session leaves the store when it is tried: a TLS 1.3 ticket is good for one
 * connection only (RFC 8446 C.4), one of TLS 1.2 is put back by the handshake that it served well.
 * So a session that the peer chokes on is gone after one attempt.
 *
 * Threads: several workers connect to the same upstream. What is kept are copies that nobody else
 * points at, as OpenSSL marks the session of a connection that broke, and may be doing so in
 * another thread. The lock is held for a few instructions, once or twice per handshake; what is
 * freed is freed after it. */
#include <openssl/err.h>
#include <string.h>
#include <time.h>

#include "tls/private.h"

bool tls_sessions_init(struct tls_sessions *sessions)
{
	*sessions = (struct tls_sessions){ .are_dated = true };
	return pthread_mutex_init(&sessions->lock, NULL) == 0;
}

void tls_sessions_deinit(struct tls_sessions *sessions)
{
	tls_sessions_forget(sessions);
	pthread_mutex_destroy(&sessions->lock);
}

/* OpenSSL 3.3 has it so that it still works after 2038, and warns of the other one later. */
static int64_t session_made_s(const SSL_SESSION *session)
{
#ifdef HAVE_SSL_SESSION_GET_TIME_EX
	return (int64_t)SSL_SESSION_get_time_ex(session);
#else
	return (int64_t)SSL_SESSION_get_time(session);
#endif
}

/* Not time(): that is some milliseconds behind the clock by which OpenSSL 3.3 dates a session, and
 * one that was made in the first milliseconds of a second would be of the future. */
static int64_t clock_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec;
}

/* Where the peer gave no lifetime (TLS 1.2 may leave it to us) it is two hours, OpenSSL's own. */
static bool session_is_fresh(const SSL_SESSION *session)
{
	int64_t age_s = clock_s() - session_made_s(session);
	uint64_t lifetime_s = SSL_SESSION_get_ticket_lifetime_hint(session);
	if (lifetime_s == 0)
		lifetime_s = (uint64_t)SSL_SESSION_get_timeout(session);
	return age_s >= 0 && (uint64_t)age_s < lifetime_s;
}

/* A resumption shows no certificate, so a chain that was good then must still be within its dates:
 * a ticket may live for a week (RFC 8446 4.6.1). */
static bool session_has_dates(SSL_SESSION *session)
{
	X509 *leaf = SSL_SESSION_get0_peer(session);
	return leaf && X509_cmp_current_time(X509_get0_notAfter(leaf)) > 0;
}

void tls_sessions_put(struct tls_sessions *sessions, SSL_SESSION *session)
{
	SSL_SESSION *copy = SSL_SESSION_is_resumable(session) ? SSL_SESSION_dup(session) : NULL;
	if (!copy)
		return;
	SSL_SESSION *oldest = NULL;
	pthread_mutex_lock(&sessions->lock);
	if (sessions->count == TLS_SESSIONS_MAX) {
		oldest = sessions->kept[0];
		sessions->count--;
		memmove(sessions->kept, sessions->kept + 1,
			sessions->count * sizeof *sessions->kept);
	}
	sessions->kept[sessions->count++] = copy;
	pthread_mutex_unlock(&sessions->lock);
	SSL_SESSION_free(oldest);
}

static SSL_SESSION *sessions_pop(struct tls_sessions *sessions)
{
	pthread_mutex_lock(&sessions->lock);
	SSL_SESSION *newest = sessions->count ? sessions->kept[--sessions->count] : NULL;
	pthread_mutex_unlock(&sessions->lock);
	return newest;
}

SSL_SESSION *tls_sessions_take(struct tls_sessions *sessions)
{
	for (;;) {
		SSL_SESSION *session = sessions_pop(sessions);
		if (!session)
			return NULL;
		if (session_is_fresh(session) &&
			(!sessions->are_dated || session_has_dates(session)))
			return session;
		SSL_SESSION_free(session);
	}
}

void tls_sessions_forget(struct tls_sessions *sessions)
{
	SSL_SESSION *gone[TLS_SESSIONS_MAX];
	pthread_mutex_lock(&sessions->lock);
	size_t count = sessions->count;
	memcpy(gone, sessions->kept, count * sizeof *gone);
	sessions->count = 0;
	pthread_mutex_unlock(&sessions->lock);
	for (size_t i = 0; i < count; i++)
		SSL_SESSION_free(gone[i]);
}
