/* list_lint_fuzz.c - any bytes as a list that is looked at. The first byte chooses the format. The
 * findings come by line, each can be said in one line of text and as strict JSON, every rejected
 * line is among them, and every name that the format read is an entry, a duplicate or covered. */
#include "proxy/lists/list_lint.h"

#include "tests/unit/rebuild.h"
#include "tests/unit/strict_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct heard {
	uint64_t names;
	uint64_t networks;
	uint64_t rejects;
	uint32_t last_line;
	uint64_t findings;
};

static int on_pattern(void *context, const struct list_pattern *pattern)
{
	(void)pattern;
	((struct heard *)context)->names++;
	return 0;
}

static int on_network(void *context, const struct list_network *network)
{
	(void)network;
	((struct heard *)context)->networks++;
	return 0;
}

static void on_reject(void *context, uint32_t line, enum list_reject reject, struct slice text)
{
	(void)line;
	(void)reject;
	(void)text;
	((struct heard *)context)->rejects++;
}

static void on_finding(void *context, const struct lint_finding *finding)
{
	static char text[LINT_FINDING_MAX], json[LINT_FINDING_MAX];
	struct heard *heard = context;
	struct writer to_text = writer_of(text, sizeof text);
	struct writer to_json = writer_of(json, sizeof json);
	REBUILD_REQUIRE(finding->line >= 1 && finding->line >= heard->last_line);
	heard->last_line = finding->line;
	heard->findings++;
	lint_finding_write_text(&to_text, finding);
	lint_finding_write_json(&to_json, finding);
	REBUILD_REQUIRE(!to_text.failed && !to_json.failed);
	REBUILD_REQUIRE(json_is_strict(writer_slice(&to_json)));
	for (size_t i = 0; i < to_text.len; i++)
		REBUILD_REQUIRE((uint8_t)text[i] >= ' ' && text[i] != 0x7f);
	if (finding->kind == LINT_COVERED)
		REBUILD_REQUIRE(dns_name_is_under(finding->name, finding->by) &&
			(finding->by_pattern & PATTERN_BELOW ||
				finding->by.len == finding->name.len));
	if (finding->kind == LINT_DUPLICATE)
		REBUILD_REQUIRE(finding->by_line >= 1 && finding->by_line <= finding->line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct suffixes *suffixes;
	struct heard heard = { 0 };
	const struct list_sink sink = { on_pattern, on_network, on_reject, &heard };
	struct lint_summary summary;
	uint64_t findings = 0;
	if (size == 0)
		return 0;
	if (!suffixes)
		suffixes = suffixes_open();
	enum list_format format = (enum list_format)(data[0] % LIST_FORMAT_COUNT);
	struct slice text = slice_of(data + 1, size - 1);
	REBUILD_REQUIRE(list_read(format, text, &sink) == 0);
	REBUILD_REQUIRE(list_lint(format, text, suffixes, on_finding, &heard, &summary) == 0);
	for (unsigned i = 0; i < LINT_KINDS; i++)
		findings += summary.counts[i];
	REBUILD_REQUIRE(findings == heard.findings);
	REBUILD_REQUIRE(summary.counts[LINT_REJECTED] == heard.rejects);
	/* EXACT and BELOW of one name are one entry; networks that stand twice are not told. */
	uint64_t told =
		summary.entry_count + summary.counts[LINT_DUPLICATE] + summary.counts[LINT_COVERED];
	REBUILD_REQUIRE(told <= heard.names + heard.networks);
	REBUILD_REQUIRE(heard.last_line <= summary.line_count);
	return 0;
}
