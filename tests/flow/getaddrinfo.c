/* Prints the addresses of a name as the C library finds them; exit 1 when it finds none. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	char text[INET_ADDRSTRLEN];

	if (argc != 2 || getaddrinfo(argv[1], NULL, &hints, &found))
		return 1;
	for (struct addrinfo *one = found; one; one = one->ai_next) {
		struct sockaddr_in *address = (struct sockaddr_in *)one->ai_addr;
		puts(inet_ntop(AF_INET, &address->sin_addr, text, sizeof(text)));
	}
	freeaddrinfo(found);
	return 0;
}
