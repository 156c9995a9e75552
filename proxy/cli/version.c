#include <stdio.h>

#include "proxy/cli/cli.h"
#include "proxy/versions.h"

int cli_version(int argc, char **argv)
{
	struct version_row rows[VERSION_ROWS];
	(void)argv;
	if (argc > 1)
		return cli_usage("version takes no arguments");
	versions_read(rows);
	for (size_t i = 0; i < VERSION_ROWS; i++)
		printf("%s %s\n", rows[i].name, rows[i].version);
	return EXIT_FINE;
}
