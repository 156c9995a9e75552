#include "rules/idn.h"

#include <idn2.h>

enum { IDN_TEXT_MAX = 1024 }; /* bytes of UTF-8; 253 characters of up to four */

bool idn_to_ascii(struct writer *to, struct slice text)
{
	uint8_t copy[IDN_TEXT_MAX + 1];
	uint8_t *ascii = NULL;
	if (text.len == 0 || text.len > IDN_TEXT_MAX || memchr(text.at, 0, text.len))
		return false;
	memcpy(copy, text.at, text.len);
	copy[text.len] = 0;
	if (idn2_lookup_u8(copy, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return false;
	writer_text(to, (const char *)ascii);
	idn2_free(ascii);
	return !to->failed;
}
