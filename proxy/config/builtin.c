#include "proxy/config/builtin.h"

#include "proxy/config/resolve.h"
#include "rules/policy.h"

const char builtin_client_health[] = "builtin:client-health";

/* Each is what the client's source or documentation names; docs/config.md shows the list. */
const struct builtin_name builtin_client_health_names[] = {
	/* A resolver is tested: what does not answer these is not used any more. */
	{ "www.gstatic.com", "www.gstatic.com", "Chrome: test of a DoH server" },
	{ "*.metric.gstatic.com", "a-dnsotls-ds.metric.gstatic.com",
		"Android: test of Private DNS, under a random name" },
	{ "example.com", "example.com", "Firefox: confirmation of a DoH server (NS)" },
	/* A network is tested: does it reach the internet, or is there a page to log in? */
	{ "connectivitycheck.gstatic.com", "connectivitycheck.gstatic.com", "Android, ChromeOS" },
	{ "connectivitycheck.android.com", "connectivitycheck.android.com", "Android" },
	{ "clients3.google.com", "clients3.google.com", "Android 5 and 6, ChromeOS" },
	{ "detectportal.firefox.com", "detectportal.firefox.com", "Firefox" },
	{ "captive.apple.com", "captive.apple.com", "iOS, macOS" },
	{ "www.msftconnecttest.com", "www.msftconnecttest.com", "Windows 10 and later" },
	{ "ipv6.msftconnecttest.com", "ipv6.msftconnecttest.com", "Windows 10 and later, IPv6" },
	{ "dns.msftncsi.com", "dns.msftncsi.com", "Windows: test of DNS" },
	{ "www.msftncsi.com", "www.msftncsi.com", "Windows 8.1 and before" },
	{ "nmcheck.gnome.org", "nmcheck.gnome.org", "NetworkManager, GNOME" },
	{ "network-test.debian.org", "network-test.debian.org", "NetworkManager, Debian" },
};
const size_t builtin_client_health_count =
	sizeof builtin_client_health_names / sizeof builtin_client_health_names[0];

static struct slice write_list(struct resolve *resolve)
{
	enum { LINE_MAX = DNS_NAME_TEXT_MAX };
	char *text = resolve_take(resolve, builtin_client_health_count, LINE_MAX);
	struct writer to = writer_of(text, text ? builtin_client_health_count * LINE_MAX : 0);
	for (size_t i = 0; i < builtin_client_health_count; i++) {
		writer_text(&to, builtin_client_health_names[i].pattern);
		writer_u8(&to, '\n');
	}
	return writer_slice(&to);
}

static void add_list(struct resolve *resolve)
{
	resolve->lists[resolve->config->policy.list_count++] = (struct domain_list_spec){
		.name = builtin_client_health,
		.format = LIST_DOMAINS,
		.inline_text = write_list(resolve),
	};
}

/* Most of the names lead on to content networks that are on many a list, so their answers are
 * trusted: these tests carry nothing else. */
static void add_group(struct resolve *resolve, uint16_t list)
{
	struct rule_spec *rule = resolve_take(resolve, 1, sizeof *rule);
	if (!rule)
		return;
	*rule = (struct rule_spec){
		.name = "client-health",
		.priority = 1,
		.action = ACTION_ALLOW,
		.list = list,
		.redirection = REDIRECTION_TRUST,
	};
	resolve->groups[resolve->config->policy.group_count++] =
		(struct rule_group_spec){ builtin_client_health, rule, 1 };
}

static bool is_associated(const struct policy_spec *policy, uint16_t group)
{
	for (size_t i = 0; i < policy->view_count; i++)
		for (size_t j = 0; j < policy->views[i].association_count; j++)
			if (policy->views[i].associations[j].group == group)
				return true;
	return false;
}

static bool is_looked_at(const struct policy_spec *policy, uint16_t list)
{
	for (size_t i = 0; i < policy->group_count; i++)
		for (size_t j = 0; j < policy->groups[i].rule_count; j++)
			if (policy->groups[i].rules[j].list == list)
				return true;
	return false;
}

void resolve_builtins(struct resolve *resolve)
{
	const struct policy_spec *policy = &resolve->config->policy;
	if (resolve->no_memory)
		return;
	uint16_t group = (uint16_t)policy->group_count, list = (uint16_t)policy->list_count;
	bool needs_group = is_associated(policy, group);
	if (needs_group)
		add_group(resolve, list);
	if (needs_group || is_looked_at(policy, list))
		add_list(resolve);
}
