#include "proxy/cli/cli.h"
#include "proxy/server.h"

int cli_run(int argc, char **argv)
{
	const char *file = cli_config_argument(argc, argv);
	return file ? server_run(file) : EXIT_USAGE;
}
