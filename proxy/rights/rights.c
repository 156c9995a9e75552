#include "proxy/rights/rights.h"

#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sanitized.h"
#include "base/writer.h"
#include "proxy/cli/cli.h"
#include "proxy/revisions/revisions_live.h"
#include "proxy/rights/become.h"
#include "proxy/rights/capabilities.h"
#include "proxy/rights/grants.h"
#include "proxy/rights/provide.h"
#include "proxy/rights/syscalls.h"

static const char is_on[] = "on", is_off[] = "off", is_unavailable[] = "unavailable";

/* Of root that stays root: whatever it owned before it reads and writes as before, and what it
 * starts becomes nobody. */
static const uint64_t of_root = CAPABILITY(CAP_DAC_OVERRIDE) | CAPABILITY(CAP_DAC_READ_SEARCH) |
	CAPABILITY(CAP_FOWNER) | CAPABILITY(CAP_KILL) | CAPABILITY(CAP_SETGID) |
	CAPABILITY(CAP_SETUID);
static const uint64_t of_ports = CAPABILITY(CAP_NET_BIND_SERVICE);

/* The configurations that may come into force at this start. */
enum { FROM_FILE, PINNED, CANDIDATE, CONFIGS };
struct configs {
	struct config *of[CONFIGS];
};

/* ---- which configurations ---- */

/* Another reader tells what is wrong with it. */
static void say_nothing(
	void *context, const char *file, unsigned line, const char *path, const char *message)
{
	(void)context, (void)file, (void)line, (void)path, (void)message;
}

static struct config *load_pinned(const struct config *config)
{
	struct config_errors errors = { .on_error = say_nothing };
	struct revision_pin pin;
	if (!*config->state_directory || !revisions_pinned(config->state_directory, &pin))
		return NULL;
	return revisions_load(config->state_directory, pin.number, &errors);
}

static struct config *load_candidate(const struct config *config)
{
	struct config_errors errors = { .on_error = say_nothing };
	return config->shadow.file ? config_load(config->shadow.file, &errors) : NULL;
}

static bool load(struct configs *configs, const char *file)
{
	struct config_errors errors = { 0 };
	config_errors_to_stderr(&errors);
	*configs = (struct configs){ { config_load(file, &errors) } };
	const struct config *config = configs->of[FROM_FILE];
	if (!config)
		return false;
	configs->of[PINNED] = load_pinned(config);
	configs->of[CANDIDATE] = load_candidate(config);
	return true;
}

static void unload(struct configs *configs)
{
	for (unsigned i = 0; i < CONFIGS; i++)
		config_free(configs->of[i]);
}

/* ---- who we are ---- */

static void note_user(struct rights *rights)
{
	const struct passwd *user = getpwuid(geteuid());
	if (user)
		snprintf(rights->user, sizeof rights->user, "%s", user->pw_name);
	else
		snprintf(rights->user, sizeof rights->user, "%u", (unsigned)geteuid());
}

static int stay(const struct config *config)
{
	bool is_root = geteuid() == 0;
	if (is_root)
		log_warning("rights: we are root and stay it: let the configuration name a `user`");
	else if (config->user && getuid() != 0)
		log_info("rights: only root could become the user %s", config->user);
	provide_places(config, NULL);
	if (is_root)
		capabilities_bound(of_root | of_ports);
	return capabilities_keep(is_root ? of_root | of_ports : of_ports);
}

static int become_another(const struct config *config)
{
	struct become to;
	char message[BECOME_MESSAGE_MAX];
	if (become_find(&to, config->user, config->group, message)) {
		log_error("rights: %s", message);
		return EXIT_CONFIG;
	}
	provide_places(config, &to);
	int error = become_user(&to, of_ports);
	if (error) {
		log_error("rights: cannot become the user %s: %s", config->user, error_text(error));
		return EXIT_FAILED;
	}
	return provide_is_enough(config, &to) ? EXIT_FINE : EXIT_CONFIG;
}

static int settle_user(const struct config *config)
{
	if (geteuid() == 0 && config->user)
		return become_another(config);
	int error = stay(config);
	if (!error)
		return EXIT_FINE;
	log_error("rights: cannot give up capabilities: %s", error_text(error));
	return EXIT_FAILED;
}

/* ---- what else goes ---- */

/* A change of user takes the second back, so it comes after. */
static const char *forbid_core(bool wanted)
{
	const struct rlimit none = { 0, 0 };
	if (IS_SANITIZED) {
		prctl(PR_SET_DUMPABLE, 1); /* the search for leaks looks at us from outside */
		return is_unavailable;
	}
	if (!wanted)
		return is_off;
	bool good = setrlimit(RLIMIT_CORE, &none) == 0 && prctl(PR_SET_DUMPABLE, 0) == 0;
	return good ? is_on : is_unavailable;
}

static int enter_landlock(const struct configs *configs)
{
	struct landlock landlock;
	int error = landlock_open(&landlock);
	if (error)
		return error;
	grants_of_system(&landlock, true);
	for (unsigned i = 0; i < CONFIGS; i++)
		if (configs->of[i])
			grants_of_config(&landlock, configs->of[i]);
	if (configs->of[FROM_FILE]->upstream_count == 0)
		grants_of_resolvers(&landlock);
	return landlock_enter(&landlock);
}

static void limit_files(struct rights *rights, const struct configs *configs)
{
	int abi = landlock_abi();
	int error = 0;
	if (!configs->of[FROM_FILE]->hardening.landlock) {
		snprintf(rights->landlock, sizeof rights->landlock, "%s", is_off);
		return;
	}
	error = abi ? enter_landlock(configs) : -ENOSYS;
	if (error)
		snprintf(rights->landlock, sizeof rights->landlock, "%s", is_unavailable);
	else
		snprintf(rights->landlock, sizeof rights->landlock, "abi%d", abi);
}

static const char *limit_syscalls(bool wanted)
{
	if (!wanted)
		return is_off;
	int error = syscalls_limit(geteuid() == 0 ? SYSCALLS_ROOT : SYSCALLS_SERVER, true);
	return error ? is_unavailable : is_on;
}

/* What the kernel has not is no reason not to serve. */
static int harden(struct rights *rights, const struct configs *configs)
{
	const struct hardening_config *wanted = &configs->of[FROM_FILE]->hardening;
	char text[RIGHTS_TEXT_MAX];
	note_user(rights);
	rights->no_core = forbid_core(wanted->no_core);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) {
		log_error("rights: cannot forbid new ones: %s", error_text(-errno));
		return EXIT_FAILED;
	}
	limit_files(rights, configs);
	rights->seccomp = limit_syscalls(wanted->seccomp);
	rights->capabilities = geteuid() == 0 ? "some" : "none";
	rights_text(rights, text);
	log_info("rights: %s", text);
	return EXIT_FINE;
}

int rights_take(struct rights *rights, const char *config_file)
{
	struct configs configs;
	int code = load(&configs, config_file) ? EXIT_FINE : EXIT_CONFIG;
	if (code == EXIT_FINE)
		code = settle_user(configs.of[FROM_FILE]);
	if (code == EXIT_FINE)
		code = harden(rights, &configs);
	unload(&configs);
	return code;
}

int rights_seal(void)
{
	return capabilities_keep(geteuid() == 0 ? of_root : 0);
}

int rights_of_worker(const struct rights *rights)
{
	int error = capabilities_keep(0);
	return error || rights->seccomp != is_on ? error : syscalls_limit(SYSCALLS_WORKER, false);
}

const char *const rights_names[RIGHTS_WORDS] = { "user", "capabilities", "seccomp", "landlock",
	"no_core" };

void rights_words(const struct rights *rights, const char *words[RIGHTS_WORDS])
{
	words[0] = rights->user;
	words[1] = rights->capabilities;
	words[2] = rights->seccomp;
	words[3] = rights->landlock;
	words[4] = rights->no_core;
}

void rights_text(const struct rights *rights, char text[RIGHTS_TEXT_MAX])
{
	const char *words[RIGHTS_WORDS];
	struct writer to = writer_of(text, RIGHTS_TEXT_MAX - 1);
	rights_words(rights, words);
	for (size_t i = 0; i < RIGHTS_WORDS; i++) {
		writer_text(&to, i ? " " : "");
		writer_text(&to, rights_names[i]);
		writer_text(&to, "=");
		writer_text(&to, words[i]);
	}
	text[to.len] = '\0';
}
