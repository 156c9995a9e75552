#include "base/error.h"

#include <string.h>

const char *error_text(int error)
{
	switch (error) {
	case ERR_NONE: return "no error";
	case ERR_MALFORMED: return "malformed";
	case ERR_TOO_LONG: return "too long";
	case ERR_UNREACHABLE: return "unreachable";
	case ERR_BUSY: return "busy";
	case ERR_TLS: return "TLS error";
	case ERR_CLOSED: return "closed";
	default: return strerror(-error);
	}
}
