/* list_names.c - writes a made-up list of names, in the words of one server or another.
 *
 *   list_names FORMAT FIRST COUNT
 *
 * The same number makes the same name on every machine, and no two numbers the same one: a list of
 * the numbers 100 to 1,100 differs from that of 0 to 1,000 by 100 names at either end. As on real
 * lists, six of ten names are such as one registers, four are hosts below another such name; none
 * covers another. 20 bytes of text on average. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BASE_SIZE = 40, NAME_SIZE = 50, CORE_BITS = 30, SYLLABLE_BITS = 6, OUTPUT_BUFFER = 1 << 20 };

/* What stands before all names, and round each; up to two lines a name. */
struct words {
	const char *format, *head, *before, *between, *after;
};

static const struct words formats[] = {
	{ "plain", "", "", NULL, "" },
	{ "wildcard", "", "*.", NULL, "" },
	{ "hosts", "", "0.0.0.0 ", NULL, "" },
	{ "unbound", "server:\n", "local-zone: \"", NULL, "\" always_nxdomain" },
	{ "rpz",
		"$TTL 300\n@ SOA localhost. root.localhost. 1 3600 600 86400 300\n"
		"@ NS localhost.\n",
		"", " CNAME .\n*.", " CNAME ." },
};

/* Permutes the numbers below 2^CORE_BITS: each step can be undone. */
static uint32_t permute(uint32_t number)
{
	const uint32_t mask = (1u << CORE_BITS) - 1;

	number = number * 0x2c1b3c6du & mask;
	number ^= number >> 15;
	number = number * 0x297a2d39u & mask;
	number ^= number >> 13;
	return number;
}

/* "promokalitenova.com": the last ten letters of the first label tell the number. */
static size_t make_base(char *to, uint32_t number)
{
	static const char *const words[] = { "", "", "", "", "", "", "ads", "track", "pixel",
		"promo", "cloud", "shop", "best", "free", "news", "casino" };
	static const char *const tops[] = { "com", "com", "com", "com", "com", "com", "com", "net",
		"net", "org", "info", "ru", "de", "xyz", "top", "co.uk" };
	uint32_t core = permute(number), choice = number * 2654435761u;
	char letters[2 * CORE_BITS / SYLLABLE_BITS + 1];
	size_t len = 0;

	for (unsigned shift = 0; shift < CORE_BITS; shift += SYLLABLE_BITS) {
		letters[len++] = "bcdfglmnprstvzkh"[core >> shift & 15];
		letters[len++] = "aeio"[core >> shift >> 4 & 3];
	}
	letters[len] = '\0';
	return (size_t)snprintf(
		to, BASE_SIZE, "%s%s.%s", words[choice >> 28], letters, tops[choice >> 24 & 15]);
}

/* Of ten numbers, six are names of their own and four are hosts below what would be the tenth. */
static size_t make_name(char *to, uint32_t number)
{
	static const char *const hosts[] = { "www", "ads", "track", "cdn" };
	uint32_t place = number % 10;
	char base[BASE_SIZE];

	if (place < 6)
		return make_base(to, number);
	make_base(base, number - place + 9);
	return (size_t)snprintf(to, NAME_SIZE, "%s.%s", hosts[place - 6], base);
}

static const struct words *find_format(const char *name)
{
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (!strcmp(formats[i].format, name))
			return &formats[i];
	return NULL;
}

static void write_name(const struct words *words, uint32_t number)
{
	char name[NAME_SIZE];

	make_name(name, number);
	fputs(words->before, stdout);
	fputs(name, stdout);
	if (words->between) {
		fputs(words->between, stdout);
		fputs(name, stdout);
	}
	fputs(words->after, stdout);
	putchar_unlocked('\n');
}

int main(int argc, char **argv)
{
	const struct words *words = argc == 4 ? find_format(argv[1]) : NULL;
	static char buffer[OUTPUT_BUFFER]; /* few writes: somebody may watch the directory */
	unsigned long first, count;

	if (!words) {
		fputs("usage: list_names plain|wildcard|hosts|unbound|rpz FIRST COUNT\n", stderr);
		return 2;
	}
	first = strtoul(argv[2], NULL, 10);
	count = strtoul(argv[3], NULL, 10);
	if (first + count > 1ul << CORE_BITS) {
		fprintf(stderr, "list_names: there are %lu names\n", 1ul << CORE_BITS);
		return 2;
	}
	setvbuf(stdout, buffer, _IOFBF, OUTPUT_BUFFER);
	fputs(words->head, stdout);
	for (unsigned long i = 0; i < count; i++)
		write_name(words, (uint32_t)(first + i));
	return fflush(stdout) ? 1 : 0;
}
