#include "proxy/lists/list_edition.h"

#include "base/error.h"
#include "proxy/lists/list_file.h"
#include "proxy/lists/unpack.h"
#include "tls/digest.h"
#include "tls/minisign.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

bool list_edition_fail(struct list_edition *edition, enum list_fault fault, const char *text, ...)
{
	va_list arguments;
	edition->fault = fault;
	va_start(arguments, text);
	vsnprintf(edition->why, sizeof edition->why, text, arguments);
	va_end(arguments);
	return false;
}

static void note_hash(struct list_edition *edition)
{
	XXH128_canonical_t canonical;
	XXH128_canonicalFromHash(&canonical, XXH3_128bits(edition->raw.at, edition->raw.len));
	_Static_assert(sizeof canonical.digest == IMAGE_HASH_LEN, "128 bits");
	memcpy(edition->hash, canonical.digest, IMAGE_HASH_LEN);
}

bool list_edition_read(struct list_edition *edition, const char *path, size_t most)
{
	*edition = (struct list_edition){ .fault = LIST_FAULT_NONE };
	int error = list_file_read(path, most, &edition->raw);
	if (error == ERR_TOO_LONG)
		return list_edition_fail(edition, LIST_FAULT_TOO_LARGE, "over %zu bytes", most);
	if (error)
		return list_edition_fail(
			edition, LIST_FAULT_UNREADABLE, "%s", error_text_of_file(error, path));
	note_hash(edition);
	return true;
}

void list_edition_take(struct list_edition *edition, struct slice raw)
{
	*edition = (struct list_edition){ .raw = raw, .is_borrowed = true };
	note_hash(edition);
}

static bool check_digest(struct list_edition *edition, const char *wanted)
{
	char hex[DIGEST_SHA256_HEX_MAX] = "";
	if (!wanted || digest_sha256_hex_matches(edition->raw, wanted))
		return true;
	digest_sha256_hex(edition->raw, hex);
	return list_edition_fail(
		edition, LIST_FAULT_DIGEST, "its SHA-256 is %s, and %s is asked for", hex, wanted);
}

static bool check_signature(struct list_edition *edition, const char *key, const char *path)
{
	struct slice signature = slice_of(NULL, 0);
	const char *why = "there is no signature";
	if (!key)
		return true;
	bool good = path && list_file_read(path, MINISIGN_SIGNATURE_MAX, &signature) == 0 &&
		minisign_verify(edition->raw, signature, key, &why);
	free((void *)(uintptr_t)signature.at);
	return good || list_edition_fail(edition, LIST_FAULT_SIGNATURE, "%s", why);
}

bool list_edition_unpack(struct list_edition *edition, size_t most)
{
	edition->text = edition->raw;
	if (!unpack_is_packed(edition->raw))
		return true;
	int error = unpack(edition->raw, most, &edition->text);
	if (!error)
		return true;
	edition->text = edition->raw;
	return list_edition_fail(edition,
		error == ERR_TOO_LONG ? LIST_FAULT_TOO_LARGE : LIST_FAULT_TRUNCATED,
		error == ERR_TOO_LONG ? "unpacked it is over %zu bytes"
				      : "it is packed, and damaged or cut off (limit %zu bytes)",
		most);
}

static bool find_format(struct list_edition *edition, enum list_format format)
{
	edition->format = format;
	if (format != LIST_AUTO || list_recognise(edition->text, &edition->format))
		return true;
	return list_edition_fail(edition, LIST_FAULT_NOT_A_LIST,
		"its format cannot be recognised; plain names need \"format\"");
}

bool list_edition_open(struct list_edition *edition, enum list_format format,
	const struct list_guards *guards, const char *signature_path, size_t most)
{
	if (!check_digest(edition, guards->sha256) ||
		!check_signature(edition, guards->minisign_key, signature_path) ||
		!list_edition_unpack(edition, most))
		return false;
	edition->fault = guard_sniff(edition->text, slice_of(NULL, 0));
	if (edition->fault)
		return list_edition_fail(edition, edition->fault, "it is no list of names");
	return find_format(edition, format);
}

void list_edition_close(struct list_edition *edition)
{
	if (edition->text.at != edition->raw.at)
		free((void *)(uintptr_t)edition->text.at);
	if (!edition->is_borrowed)
		free((void *)(uintptr_t)edition->raw.at);
	edition->raw = slice_of(NULL, 0);
	edition->text = slice_of(NULL, 0);
}
