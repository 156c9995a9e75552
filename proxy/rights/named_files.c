#include "proxy/rights/named_files.h"

#include <limits.h>
#include <stdio.h>

struct asking {
	bool (*is_good)(void *context, const char *path);
	void *context;
};

static bool ask(const struct asking *asking, const char *path)
{
	return !path || asking->is_good(asking->context, path);
}

static bool ask_own(const struct asking *asking, const struct config *config)
{
	char path[PATH_MAX];
	for (size_t i = 0; i < config->file_count; i++) {
		int len = snprintf(
			path, sizeof path, "%s/%s", config->directory, config->files[i].path);
		if (len > 0 && (size_t)len < sizeof path && !ask(asking, path))
			return false;
	}
	return ask(asking, config->shadow.file);
}

static bool ask_certificates(const struct asking *asking, const struct config *config)
{
	bool good = true;
	for (size_t i = 0; good && i < config->tls_certificate_count; i++)
		good = ask(asking, config->tls_certificates[i].certificate) &&
			ask(asking, config->tls_certificates[i].key) &&
			ask(asking, config->tls_certificates[i].ocsp_response);
	return good;
}

static bool ask_keys(const struct asking *asking, const struct config *config)
{
	bool good = ask(asking, config->tls_ticket_keys) && ask(asking, config->tls_client_ca) &&
		ask(asking, config->tls_client_crl) &&
		ask(asking, config->query_log.hash_key_file) &&
		ask(asking, config->dns_cookies.secret_file);
	for (size_t i = 0; good && i < config->upstream_count; i++)
		good = ask(asking, config->upstreams[i].tls_ca);
	return good;
}

static bool ask_lists(const struct asking *asking, const struct config *config)
{
	bool good = ask(asking, config->lists_image);
	for (size_t i = 0; good && i < config->policy.list_count; i++)
		good = ask(asking, config->policy.lists[i].file) &&
			ask(asking, config->list_sources[i].tls_ca);
	return good;
}

bool named_files_all(const struct config *config, bool (*is_good)(void *context, const char *path),
	void *context)
{
	const struct asking asking = { .is_good = is_good, .context = context };
	return ask_own(&asking, config) && ask_certificates(&asking, config) &&
		ask_keys(&asking, config) && ask_lists(&asking, config);
}
