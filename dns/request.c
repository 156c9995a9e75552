#include "dns/request.h"

#include "dns/reply.h"

enum { OPTION_KEEPALIVE = 11, OPTION_PADDING = 12, OPTION_HEAD_LEN = 4 };

/* All but the length of the OPT's options, which is the last thing. */
static void write_head(struct writer *to, const struct dns_request *request, uint16_t id)
{
	unsigned flags = (request->recursion_desired ? DNS_FLAG_RD : 0) |
		(request->checking_disabled ? DNS_FLAG_CD : 0) |
		(request->authentic_wanted ? DNS_FLAG_AD : 0);
	writer_u16(to, id);
	writer_u16(to, (uint16_t)flags);
	writer_u16(to, 1);
	writer_u16(to, 0);
	writer_u16(to, 0);
	writer_u16(to, 1);
	writer_slice_bytes(to, request->name);
	writer_u16(to, request->type);
	writer_u16(to, request->class);
	/* OPT: root owner, type, payload size, extended rcode and version 0, DO. */
	writer_u8(to, 0);
	writer_u16(to, DNS_TYPE_OPT);
	writer_u16(to, DNS_PAYLOAD_SIZE);
	writer_u32(to, request->dnssec_ok ? 0x8000 : 0);
}

bool dns_request_write(struct writer *to, const struct dns_request *request, uint16_t id)
{
	write_head(to, request, id);
	writer_u16(to, 0);
	return !to->failed;
}

bool dns_request_write_padded(
	struct writer *to, const struct dns_request *request, uint16_t id, bool keepalive)
{
	size_t start = to->len;
	write_head(to, request, id);
	size_t keepalive_len = keepalive ? OPTION_HEAD_LEN : 0;
	size_t len = to->len - start + 2 + keepalive_len + OPTION_HEAD_LEN;
	size_t padding = (DNS_REQUEST_PADDING - len % DNS_REQUEST_PADDING) % DNS_REQUEST_PADDING;
	writer_u16(to, (uint16_t)(keepalive_len + OPTION_HEAD_LEN + padding));
	if (keepalive)
		writer_u32(to, OPTION_KEEPALIVE << 16);
	writer_u16(to, OPTION_PADDING);
	writer_u16(to, (uint16_t)padding);
	writer_zeros(to, padding);
	return !to->failed;
}
