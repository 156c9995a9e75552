#include "dns/request.h"

#include "dns/reply.h"

bool dns_request_write(struct writer *to, const struct dns_request *request, uint16_t id)
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
	/* OPT: root owner, type, payload size, extended rcode and version 0, DO, no options. */
	writer_u8(to, 0);
	writer_u16(to, DNS_TYPE_OPT);
	writer_u16(to, DNS_PAYLOAD_SIZE);
	writer_u32(to, request->dnssec_ok ? 0x8000 : 0);
	writer_u16(to, 0);
	return !to->failed;
}
