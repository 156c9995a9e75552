/* namegate-fetch: fetches one list and ends. Started by namegate for each fetch, so that neither
 * the server nor whoever answers has more to do with each other than a file and a report
 * (proxy/lists/fetch_report.h). The order is the point: read what is ours, give up every right,
 * then talk to strangers. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "proxy/fetch/lookup.h"
#include "proxy/fetch/public_address.h"
#include "proxy/fetch/child_rights.h"
#include "proxy/fetch/transfer.h"
#include "proxy/lists/list_file.h"

enum {
	USAGE = 2,
	ALARM_SPARE_S = 3, /* we give up by ourselves before */
	LOOKUP_MS = 10000,
	SIGNATURE_MAX = 4096,
	AUTHORITIES_MAX = 4 * 1024 * 1024,
};

struct arguments {
	const char *file;
	const char *list;
	const char *etag;
	const char *last_modified;
	uid_t user;
	gid_t group;
};

/* One run. */
struct fetch {
	struct arguments arguments;
	struct upstream_plan *plan;
	const struct list_source *source;
	bool has_signature_fd;
	struct slice authorities; /* PEM; ours to free */
	uint64_t deadline_ms;
	struct transfer_target target;
	struct lookup allowed;
	struct fetch_report report;
};

__attribute__((format(printf, 3, 4))) static bool fail(
	struct fetch *fetch, enum list_fault fault, const char *format, ...)
{
	va_list arguments;
	fetch->report.fault = fault;
	va_start(arguments, format);
	vsnprintf(fetch->report.why, sizeof fetch->report.why, format, arguments);
	va_end(arguments);
	return false;
}

/* ---- the command line ---- */

static int usage(void)
{
	fputs("namegate-fetch fetches a list for namegate; to fetch one by hand: namegate fetch\n"
	      "usage: namegate-fetch -c FILE --list NAME [--etag TAG] [--last-modified DATE]\n"
	      "                      [--user UID:GID] 3>BODY [4>SIGNATURE]\n"
	      "       namegate-fetch --version\n",
		stderr);
	return USAGE;
}

static int print_version(void)
{
	printf("namegate-fetch %s\n%s\n", NAMEGATE_VERSION, transfer_version());
	return 0;
}

static bool parse_id(const char **text, char end, unsigned *id)
{
	char *rest;
	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	unsigned long value = strtoul(*text, &rest, 10);
	if (errno || value >= UINT32_MAX || *rest != end)
		return false;
	*id = (unsigned)value;
	*text = rest + 1;
	return true;
}

static bool parse_user(const char *text, struct arguments *arguments)
{
	return parse_id(&text, ':', &arguments->user) && parse_id(&text, '\0', &arguments->group);
}

/* They become lines of a request. */
static bool is_tag(const char *text)
{
	for (const char *at = text; *at; at++)
		if (*at < ' ' || *at >= 0x7f)
			return false;
	return strlen(text) < FETCH_TAG_MAX;
}

static bool parse_arguments(int argc, char **argv, struct arguments *arguments)
{
	static const struct option options[] = {
		{ "list", required_argument, NULL, 'l' },
		{ "etag", required_argument, NULL, 'e' },
		{ "last-modified", required_argument, NULL, 'm' },
		{ "user", required_argument, NULL, 'u' },
		{ 0 },
	};
	bool good = true;
	for (int option; (option = getopt_long(argc, argv, "c:", options, NULL)) != -1;) {
		switch (option) {
		case 'c': arguments->file = optarg; break;
		case 'l': arguments->list = optarg; break;
		case 'e': arguments->etag = optarg; break;
		case 'm': arguments->last_modified = optarg; break;
		case 'u': good = good && parse_user(optarg, arguments); break;
		default: return false;
		}
	}
	return good && optind == argc && arguments->file && arguments->list &&
		is_tag(arguments->etag) && is_tag(arguments->last_modified);
}

/* ---- what is ours ---- */

/* The first error stands for all: whoever runs us has read the file before. */
static void on_config_error(
	void *context, const char *file, unsigned line, const char *path, const char *message)
{
	struct fetch *fetch = context;
	if (!fetch->report.fault)
		fail(fetch, LIST_FAULT_INTERNAL, "configuration: %s:%u: %s: %s", file, line, path,
			message);
}

static bool find_list(struct fetch *fetch)
{
	const struct config *config = fetch->plan->config;
	for (size_t i = 0; i < config->policy.list_count; i++) {
		if (strcmp(config->policy.lists[i].name, fetch->arguments.list) != 0)
			continue;
		fetch->source = &config->list_sources[i];
		return fetch->source->url ||
			fail(fetch, LIST_FAULT_INTERNAL, "the list is not fetched from anywhere");
	}
	return fail(fetch, LIST_FAULT_INTERNAL, "the configuration has no such list");
}

static bool read_config(struct fetch *fetch)
{
	struct config_errors errors = { .on_error = on_config_error, .context = fetch };
	struct config *config = config_load(fetch->arguments.file, &errors);
	fetch->plan = config ? upstream_plan_new(config) : NULL;
	if (fetch->plan && find_list(fetch) && upstream_plan_find(fetch->plan, &errors) &&
		upstream_plan_load(fetch->plan, &errors))
		return true;
	return fetch->report.fault ? false : fail(fetch, LIST_FAULT_INTERNAL, "out of memory");
}

/* Now: whom we become may not be able to. */
static bool read_authorities(struct fetch *fetch)
{
	const char *file = fetch->source->tls_ca;
	int error = file ? list_file_read(file, AUTHORITIES_MAX, &fetch->authorities) : 0;
	return !error ||
		fail(fetch, LIST_FAULT_UNREADABLE, "tls_ca: %.160s: %s", file, error_text(error));
}

/* Before anything of ours could be opened in their places. */
static bool check_descriptors(struct fetch *fetch)
{
	if (fcntl(FETCH_BODY_FD, F_GETFD) < 0)
		return fail(fetch, LIST_FAULT_INTERNAL, "descriptor 3, for the body, is not open");
	fetch->has_signature_fd = fcntl(FETCH_SIGNATURE_FD, F_GETFD) == 0;
	return true;
}

static bool check_signature_fd(struct fetch *fetch)
{
	bool is_signed = fetch->source->guards.minisign_key != NULL;
	if (!is_signed && fetch->has_signature_fd)
		close(FETCH_SIGNATURE_FD); /* whatever it is */
	return !is_signed || fetch->has_signature_fd ||
		fail(fetch, LIST_FAULT_INTERNAL, "descriptor 4, for the signature, is not open");
}

static bool give_up_rights(struct fetch *fetch, pid_t parent)
{
	const struct list_source *source = fetch->source;
	char message[CHILD_RIGHTS_MESSAGE_MAX];
	const struct child_rights wish = { .user = fetch->arguments.user,
		.group = fetch->arguments.group,
		.landlock = fetch->plan->config->hardening.landlock,
		.seccomp = fetch->plan->config->hardening.seccomp,
		.file_max = source->max_size > SIGNATURE_MAX ? source->max_size : SIGNATURE_MAX,
		.alarm_s = source->timeout_ms / 1000 + 1 + ALARM_SPARE_S };
	return child_rights_drop(&wish, parent, message) == 0 ||
		fail(fetch, LIST_FAULT_INTERNAL, "%s", message);
}

/* ---- strangers ---- */

static unsigned left_ms(const struct fetch *fetch)
{
	uint64_t now_ms = transfer_now_ms();
	uint64_t left = fetch->deadline_ms > now_ms ? fetch->deadline_ms - now_ms : 1;
	return left < LOOKUP_MS ? (unsigned)left : LOOKUP_MS;
}

static enum list_fault lookup_fault(int error)
{
	return error == ERR_TIMEOUT      ? LIST_FAULT_TIMEOUT
		: error == ERR_NO_MEMORY ? LIST_FAULT_INTERNAL
					 : LIST_FAULT_UNREACHABLE;
}

static bool find_addresses(struct fetch *fetch)
{
	struct lookup *found = &fetch->allowed;
	struct dns_name host;
	char message[LOOKUP_MESSAGE_MAX];
	if (address_parse(&found->addresses[0], fetch->target.host)) {
		found->count = 1;
		return true;
	}
	if (!dns_name_from_text(&host, slice_of_text(fetch->target.host)))
		return fail(fetch, LIST_FAULT_INTERNAL, "its host is no domain name");
	dns_name_lower(host.wire, host.wire, host.len);
	int error = lookup_run(found, fetch->plan, &host, left_ms(fetch), message);
	return !error || fail(fetch, lookup_fault(error), "%s", message);
}

/* Only what is allowed is told to the library. */
static bool filter_addresses(struct fetch *fetch)
{
	struct lookup *allowed = &fetch->allowed;
	char text[ADDRESS_TEXT_MAX];
	struct address first = allowed->addresses[0];
	unsigned count = 0;
	for (unsigned i = 0; i < allowed->count; i++)
		if (fetch->source->allow_private || public_address(&allowed->addresses[i]))
			allowed->addresses[count++] = allowed->addresses[i];
	allowed->count = count;
	if (count > 0)
		return true;
	address_text(&first, text);
	return fail(fetch, LIST_FAULT_FORBIDDEN, "its host has the address %s, which is not public",
		text);
}

static struct transfer_wish wish_of(const struct fetch *fetch)
{
	return (struct transfer_wish){ .url = fetch->source->url,
		.addresses = fetch->allowed.addresses,
		.address_count = fetch->allowed.count,
		.authorities = fetch->authorities,
		.authorities_file = fetch->source->tls_ca,
		.max_size = fetch->source->max_size,
		.deadline_ms = fetch->deadline_ms,
		.etag = fetch->arguments.etag,
		.last_modified = fetch->arguments.last_modified,
		.body_fd = FETCH_BODY_FD };
}

static bool transfer_signature(struct fetch *fetch, struct transfer *transfer)
{
	struct transfer_wish wish = wish_of(fetch);
	struct fetch_report report;
	char *url = transfer_signature_url(wish.url);
	if (!url)
		return fail(fetch, LIST_FAULT_INTERNAL, "its signature has no URL");
	wish.url = url;
	wish.etag = wish.last_modified = "";
	wish.body_fd = FETCH_SIGNATURE_FD;
	wish.max_size = SIGNATURE_MAX;
	transfer_run(transfer, &wish, &report);
	free(url);
	return !report.fault || fail(fetch, report.fault, "its signature: %.220s", report.why);
}

static void transfer_all(struct fetch *fetch)
{
	struct transfer *transfer = transfer_new();
	struct transfer_wish wish = wish_of(fetch);
	if (!transfer) {
		fail(fetch, LIST_FAULT_INTERNAL, "out of memory");
		return;
	}
	transfer_run(transfer, &wish, &fetch->report);
	if (!fetch->report.fault && !fetch->report.not_modified &&
		fetch->source->guards.minisign_key)
		transfer_signature(fetch, transfer);
	transfer_free(transfer);
}

/* ---- the whole ---- */

static void run(struct fetch *fetch, pid_t parent)
{
	if (!check_descriptors(fetch) || !read_config(fetch))
		return;
	fetch->deadline_ms = transfer_now_ms() + fetch->source->timeout_ms;
	if (!check_signature_fd(fetch) || !read_authorities(fetch) ||
		!give_up_rights(fetch, parent))
		return;
	if (!transfer_target_of(fetch->source->url, &fetch->target))
		fail(fetch, LIST_FAULT_INTERNAL, "its source is no https URL");
	else if (find_addresses(fetch) && filter_addresses(fetch))
		transfer_all(fetch);
}

static int print_report(const struct fetch_report *report)
{
	char text[FETCH_REPORT_MAX];
	struct writer to = writer_of(text, sizeof text);
	fetch_report_write(&to, report);
	if (to.failed || fwrite(text, 1, to.len, stdout) != to.len || fflush(stdout))
		return 1;
	return 0;
}

int main(int argc, char **argv)
{
	struct fetch fetch = { .arguments = { .etag = "",
				       .last_modified = "",
				       .user = CHILD_RIGHTS_NOBODY,
				       .group = CHILD_RIGHTS_NOBODY } };
	pid_t parent = getppid();
	child_rights_begin(FETCH_SIGNATURE_FD + 1);
	log_set_level(LOG_ERROR);
	if (argc == 2 && strcmp(argv[1], "--version") == 0)
		return print_version();
	if (!parse_arguments(argc, argv, &fetch.arguments))
		return usage();
	run(&fetch, parent);
	free((void *)(uintptr_t)fetch.authorities.at);
	if (fetch.plan)
		upstream_plan_unref(fetch.plan);
	return print_report(&fetch.report);
}
