#include "proxy/versions.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <uv.h>
#include <xxhash.h>

#include "proxy/config.h"
#include "proxy/upstream/version.h"
#include "tls/version.h"

static void set(struct version_row *row, const char *name, const char *version)
{
	row->name = name;
	snprintf(row->version, sizeof row->version, "%s", version);
}

void versions_read(struct version_row rows[VERSION_ROWS])
{
	unsigned xxhash = XXH_versionNumber();
	set(&rows[0], "namegate", NAMEGATE_VERSION);
	set(&rows[1], "libuv", uv_version_string());
	set(&rows[2], "nghttp2", nghttp2_version(0)->version_str);
	set(&rows[3], "openssl", tls_library_version());
	set(&rows[4], "cares", upstream_library_version());
	set(&rows[5], "libconfig", config_library_version());
	rows[6].name = "xxhash";
	snprintf(rows[6].version, sizeof rows[6].version, "%u.%u.%u", xxhash / 10000,
		xxhash / 100 % 100, xxhash % 100);
}
