/* udp.h - plain DNS over UDP: datagrams in batches (recvmmsg, sendmmsg), and the reply leaves from
 * the very address that was asked, also on a wildcard socket (IP_PKTINFO, RFC 3542). */
#ifndef PROXY_FRONT_UDP_H
#define PROXY_FRONT_UDP_H

#include "proxy/query/query.h"

struct udp_front;

struct udp_front *udp_front_new(struct worker *worker);
void udp_front_free(
	struct udp_front *front); /* after its handles were closed, see udp_front_stop */

/* Takes over the bound socket and serves it. 0 or an error; the socket is closed then. */
int udp_front_add(
	struct udp_front *front, int fd, uint16_t listener, const struct address *address);

/* Stops reading; what is still owed can be sent until udp_front_close(). */
void udp_front_stop(struct udp_front *front);
void udp_front_close(struct udp_front *front);

/* Puts a reply into the batch of this turn. It is copied. */
void udp_front_reply(struct udp_front *front, const struct reply_to *to, struct slice message);

/* Sends the batch. A datagram that the socket does not take is dropped, as UDP may. */
void udp_front_flush(struct udp_front *front);

#endif
