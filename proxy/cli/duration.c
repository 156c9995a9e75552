#include "proxy/cli/duration.h"

#include <string.h>

static int64_t unit_of(char letter)
{
	switch (letter) {
	case 's': return 1;
	case 'm': return 60;
	case 'h': return 3600;
	case 'd': return 86400;
	default: return 0;
	}
}

bool cli_duration_parse(const char *text, int64_t *seconds)
{
	static const int64_t most_s = (int64_t)CLI_DURATION_DAYS_MAX * 86400;
	size_t digits = strspn(text, "0123456789");
	int64_t number = 0;
	if (digits == 0 || digits > 10 || text[digits] == '\0' || text[digits + 1] != '\0')
		return false;
	for (size_t i = 0; i < digits; i++)
		number = number * 10 + (text[i] - '0');
	int64_t unit = unit_of(text[digits]);
	if (unit == 0 || number == 0 || number > most_s / unit)
		return false;
	*seconds = number * unit;
	return true;
}
