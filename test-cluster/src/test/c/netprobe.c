/*
 * Datagrams from one network namespace to another, to see what a link lets through:
 *
 *   netprobe listen PORT READY    makes the file READY, prints every datagram as a line, ends after "end"
 *   netprobe send ADDRESS PORT TEXT
 */
#include "check.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static struct sockaddr_in address(const char *text, const char *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	MUST(inet_pton(AF_INET, text, &a.sin_addr) == 1 ? 0 : -1);
	return a;
}

int main(int argc, char **argv)
{
	check_case = "netprobe";
	int s = MUST(socket(AF_INET, SOCK_DGRAM, 0));
	if (argc == 5 && !strcmp(argv[1], "send")) {
		struct sockaddr_in to = address(argv[2], argv[3]);
		MUST(sendto(s, argv[4], strlen(argv[4]), 0, (struct sockaddr *)&to, sizeof to));
		return 0;
	}
	if (argc != 4 || strcmp(argv[1], "listen")) {
		fprintf(stderr, "usage: netprobe listen PORT READY | netprobe send ADDRESS PORT TEXT\n");
		return 2;
	}
	struct sockaddr_in here = address("0.0.0.0", argv[2]);
	MUST(bind(s, (struct sockaddr *)&here, sizeof here));
	touch(argv[3], "");
	char text[2000] = "";
	while (strcmp(text, "end")) {
		ssize_t n = MUST(recv(s, text, sizeof text - 1, 0));
		text[n] = 0;
		printf("%s\n", text);
		fflush(stdout);
	}
	return 0;
}
