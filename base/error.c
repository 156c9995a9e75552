#include "base/error.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

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
	/* Linux keeps its numbers below 4096, and so does libuv for those of its own. */
	default: return error < 0 && error > -4096 ? strerror(-error) : "unknown error";
	}
}

/* faccessat(2) asks for owner and mode alone. */
const char *error_text_of_file(int error, const char *path)
{
	if (error != -EACCES || faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0)
		return error_text(error);
	return "in a directory out of reach since the start (Landlock); restart to read it";
}
