/* A certificate (DER) of a client, and what it is called by; or, with a first byte that is odd, the
 * server_name extension of a ClientHello. Whatever they say, names are printable and bounded. */
#include "tests/unit/tls_fixture.h"
#include "tls/private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool begins_with(struct slice name, const char *kind)
{
	return name.len > strlen(kind) && memcmp(name.at, kind, strlen(kind)) == 0;
}

static void check_name(struct slice name)
{
	static const char *const kinds[] = { "uri:", "dns:", "email:", "cn:", "sha256:" };
	bool is_known = false;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		is_known |= begins_with(name, kinds[i]);
	FIXTURE_CHECK(is_known && name.len <= 2048 + 6);
	for (size_t i = 0; i < name.len; i++)
		FIXTURE_CHECK(name.at[i] >= ' ' && name.at[i] <= '~');
}

static void check_certificate(const uint8_t *at, size_t size)
{
	struct tls_peer peer = { 0 };
	X509 *certificate = d2i_X509(NULL, &at, (long)size);
	ERR_clear_error();
	if (!certificate)
		return;
	FIXTURE_CHECK(tls_peer_take_certificate(&peer, certificate, 1));
	FIXTURE_CHECK(peer.name_count >= 1 && peer.name_count <= 34);
	FIXTURE_CHECK(begins_with(peer.names[peer.name_count - 1], "sha256:"));
	for (size_t i = 0; i < peer.name_count; i++)
		check_name(peer.names[i]);
	tls_peer_deinit(&peer);
	X509_free(certificate);
	ERR_clear_error();
}

static void check_server_name(const uint8_t *at, size_t size)
{
	struct tls_peer peer = { 0 };
	tls_peer_take_server_name(&peer, slice_of(at, size));
	struct slice name = peer.tls_name;
	FIXTURE_CHECK(name.len <= 253);
	for (size_t i = 0; i < name.len; i++)
		FIXTURE_CHECK(name.at[i] > ' ' && name.at[i] <= '~' &&
			!(name.at[i] >= 'A' && name.at[i] <= 'Z'));
	FIXTURE_CHECK(name.len == 0 || name.at[name.len - 1] != '.');
	tls_peer_deinit(&peer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	/* Every certificate begins with an even byte, 0x30. */
	if (data[0] & 1)
		check_server_name(data + 1, size - 1);
	else
		check_certificate(data, size);
	return 0;
}
