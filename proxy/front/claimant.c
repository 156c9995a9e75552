#include "proxy/front/claimant.h"

#include "proxy/framing/forwarded.h"

bool claimant_is_proxied(const struct listener_config *listener, const struct address *peer)
{
	return networks_contain(
		listener->proxy_protocol_from, listener->proxy_protocol_from_count, peer);
}

static bool speaks_for_others(const struct listener_config *listener, const struct address *peer)
{
	return networks_contain(listener->forwarded_from, listener->forwarded_from_count, peer);
}

bool claimant_may_connect(const struct listener_config *listener, const struct address *peer)
{
	return listener->kind != LISTENER_DOH_CLEAR || claimant_is_proxied(listener, peer) ||
		speaks_for_others(listener, peer);
}

bool claimant_wants_forwarded(const struct listener_config *listener)
{
	return listener->forwarded_from_count > 0;
}

/* Anybody can write the fields. */
static bool take_forwarded(struct claims *claims, const struct listener_config *listener,
	const struct framer_claims *said)
{
	bool is_said = said->forwarded.len > 0 || said->x_forwarded_for.len > 0;
	if (!is_said || !speaks_for_others(listener, &claims->client))
		return true;
	return forwarded_find(
		said, listener->forwarded_from, listener->forwarded_from_count, &claims->client);
}

enum claimant_fault claimant_say(struct claims *claims, const struct listener_config *listener,
	const struct tls_stream *tls, const struct framer_claims *said, int64_t now_s)
{
	if (!take_forwarded(claims, listener, said))
		return CLAIMANT_UNCLEAR;
	claims->path = said->path;
	if (!tls)
		return CLAIMANT_FINE;
	const struct tls_peer *peer = tls_stream_peer(tls);
	if (peer->name_count > 0 && now_s >= peer->not_after_s)
		return CLAIMANT_EXPIRED;
	claims->tls_name = peer->tls_name;
	claims->certificate = peer->names;
	claims->certificate_count = peer->name_count;
	return CLAIMANT_FINE;
}
