/* schema.h - every key of the configuration, one row each. To add an option: a field in struct
 * draft, a row in schema.c, a row in docs/config.md (a test compares the two), and its way into
 * struct config in resolve.c. */
#ifndef PROXY_CONFIG_SCHEMA_H
#define PROXY_CONFIG_SCHEMA_H

#include "proxy/config/draft.h"

enum schema_type {
	SCHEMA_GROUP,        /* { ... }; its keys are rows of their own */
	SCHEMA_GROUPS,       /* ( { ... }, ... ) to a struct draft_list of `size` bytes each */
	SCHEMA_NAME,         /* to const char * */
	SCHEMA_NAMES,        /* to a struct draft_list of struct draft_name */
	SCHEMA_TEXT,         /* to const char * */
	SCHEMA_TEXTS,        /* to a struct draft_list of struct draft_name */
	SCHEMA_FILE,         /* to const char *, relative to the configuration's directory */
	SCHEMA_URL_PATH,     /* to const char * */
	SCHEMA_URL,          /* https, to const char * */
	SCHEMA_NUMBER,       /* to unsigned */
	SCHEMA_BOOL,         /* to bool */
	SCHEMA_MILLISECONDS, /* a duration, to unsigned */
	SCHEMA_SECONDS,      /* a duration, to unsigned */
	SCHEMA_TIME,         /* a moment, to int64_t, seconds since 1970 */
	SCHEMA_SIZE,         /* to size_t */
	SCHEMA_PERCENT,      /* "50%", to unsigned */
	SCHEMA_ADDRESS,      /* to struct address */
	SCHEMA_ADDRESSES,    /* to a struct draft_list of struct address */
	SCHEMA_NETWORKS,     /* to a struct draft_list of struct network */
	SCHEMA_WORD,         /* one of `words`, to int */
	SCHEMA_DOMAIN,       /* to struct dns_name */
	SCHEMA_DOMAINS,      /* to a struct draft_list of struct draft_domain */
	SCHEMA_ZONES,        /* the same; networks are their reverse zones */
	SCHEMA_QUESTIONS,    /* the same; each means itself alone */
	SCHEMA_HOST,         /* to const char *, lower case, without a dot at the end */
	SCHEMA_PINS,         /* to a struct draft_list of struct tls_pin */
	SCHEMA_SHA256,       /* 64 digits, to const char *, lower case */
	SCHEMA_MINISIGN_KEY, /* to const char * */
	SCHEMA_QUERY_TYPE,   /* to uint16_t */
	SCHEMA_TYPE_COUNT,
};

/* A word and what it means; the list ends with a NULL text. */
struct schema_word {
	const char *text;
	int value;
	bool is_alias; /* understood, but not how we spell it */
};

struct schema_key {
	const char *path; /* "rule_groups[].rules[].action" */
	enum schema_type type;
	bool required;
	bool restart;       /* a reload does not take a change of it */
	const char *preset; /* the default, spelled as in a file; NULL: none */
	const char *absent; /* what it means when there is no default and the key is left out */
	int64_t least;      /* of numbers: value; of lists: elements; of texts: bytes; both are */
	int64_t most;       /* in ms, s and bytes for durations and sizes */
	const struct schema_word *words;
	size_t offset; /* in the struct of the innermost list element, else in struct draft */
	size_t size;   /* of SCHEMA_GROUPS */
};

extern const struct schema_key schema_keys[];
extern const size_t schema_key_count;

/* "listeners[].port" -> "port". */
const char *schema_key_name(const struct schema_key *key);

/* Is `key` directly within the group at `parent` ("" is the root, "listeners[]" an element)? */
bool schema_key_is_in(const struct schema_key *key, const char *parent);

/* How messages and the reference (docs/config.md) spell type, default and range of a key. */
struct schema_text {
	char text[512];
};
const char *schema_type_text(const struct schema_key *key, struct schema_text *text);
const char *schema_default_text(const struct schema_key *key, struct schema_text *text);
const char *schema_range_text(const struct schema_key *key, struct schema_text *text);

/* "500ms", "5s", "7d": the largest unit that says it exactly. The same for sizes: "64KiB". */
void schema_write_duration(struct writer *to, int64_t milliseconds);
void schema_write_size(struct writer *to, int64_t bytes);
void schema_write_percent(struct writer *to, int64_t percent);

#endif
