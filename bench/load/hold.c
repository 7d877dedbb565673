// SPDX-License-Identifier: Apache-2.0
// Opens many connections, proves each with one byte there and back, and keeps them idle until it is told to end.
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

int run_hold(void)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	int held = 0;
	const char *error = "";
	while (held < options.connections) {
		char byte = 'w';
		int fd = dial();
		if (fd < 0 || send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, 0) != 1) {
			error = strerror(errno);
			break;
		}
		held++;
	}
	printf("{\"held\":%d,\"error\":\"%s\"}\n", held, error);
	fflush(stdout);
	pause();
	return 0;
}
