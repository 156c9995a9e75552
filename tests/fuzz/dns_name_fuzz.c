/* dns_name_fuzz.c - names: on the wire, in text, and compressed by us. The input is read three
 * times: as a message full of names, as text, and again as names to be written. */
#include "dns/compress.h"

#include "tests/unit/rebuild.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const struct dns_name *name)
{
	char text[DNS_NAME_TEXT_MAX];
	struct dns_name back;
	dns_name_text(dns_name_slice(name), text);
	REBUILD_REQUIRE(dns_name_from_text(&back, slice_of_text(text)));
	REBUILD_REQUIRE(slice_equals(dns_name_slice(&back), dns_name_slice(name)));
}

static void check_name(const struct dns_name *name)
{
	struct slice wire = dns_name_slice(name);
	uint8_t offsets[DNS_NAME_LABELS_MAX];
	uint8_t lowered[DNS_NAME_MAX];
	REBUILD_REQUIRE(dns_name_check(wire) == wire.len);
	size_t count = dns_name_labels(wire, offsets);
	REBUILD_REQUIRE(count <= DNS_NAME_LABELS_MAX);
	for (size_t i = 0; i < count; i++)
		REBUILD_REQUIRE(dns_name_is_under(
			wire, slice_of(wire.at + offsets[i], wire.len - offsets[i])));
	dns_name_lower(lowered, wire.at, wire.len);
	REBUILD_REQUIRE(dns_name_equals(wire, slice_of(lowered, wire.len)));
	check_text(name);
}

/* Names that stand one behind the other, from the end of a header on. */
static bool next_name(struct reader *message, struct dns_name *name)
{
	struct reader skipped = *message;
	if (reader_left(message) == 0)
		return false;
	dns_name_read(message, name);
	if (message->failed)
		return false;
	dns_name_skip(&skipped);
	REBUILD_REQUIRE(!skipped.failed);
	REBUILD_REQUIRE(reader_position(&skipped) == reader_position(message));
	return true;
}

static void check_compression(struct slice bytes)
{
	static uint8_t buffer[DNS_MESSAGE_MAX];
	struct writer message = writer_of(buffer, sizeof buffer);
	struct dns_compress compress;
	struct reader from = reader_of(bytes);
	struct dns_name name, back;
	dns_compress_init(&compress);
	writer_zeros(&message, 12);
	reader_seek(&from, 12);
	for (bool first = true; next_name(&from, &name); first = false) {
		size_t position = message.len;
		check_name(&name);
		if (first) {
			writer_slice_bytes(&message, dns_name_slice(&name));
			dns_compress_learn(&compress, &message, position);
		} else {
			dns_compress_write(&compress, &message, dns_name_slice(&name));
		}
		if (message.failed)
			return;
		REBUILD_REQUIRE(message.len - position <= name.len);
		struct reader again = reader_of(writer_slice(&message));
		reader_seek(&again, position);
		dns_name_read(&again, &back);
		REBUILD_REQUIRE(!again.failed && reader_left(&again) == 0);
		REBUILD_REQUIRE(dns_name_equals(dns_name_slice(&name), dns_name_slice(&back)));
		if (name.wire[0] % 7 == 6) { /* sometimes the message is cut again */
			message.len = position;
			dns_compress_cut(&compress, position);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_name name;
	struct slice bytes = slice_of(data, size);
	size_t len = dns_name_check(bytes);
	REBUILD_REQUIRE(len <= size && len <= DNS_NAME_MAX);
	if (dns_name_from_text(&name, bytes))
		check_name(&name);
	check_compression(bytes);
	return 0;
}
