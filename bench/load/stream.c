// SPDX-License-Identifier: Apache-2.0
// Throughput: every stream writes as fast as it is taken. What counts is what the server says it got, and it must be what
// was sent.
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct stream {
	_Atomic uint64_t sent;
	uint64_t sent_before; // the measured phase
};

static struct stream *streams;

static void *write_stream(void *argument)
{
	struct stream *s = argument;
	char *buffer = calloc(1, BUFFER_BYTES);
	int fd = dial();
	if (fd < 0)
		fail("cannot connect: %s", strerror(errno));
	while (!stopping) {
		ssize_t n = send(fd, buffer, options.size, MSG_NOSIGNAL);
		if (n < 0)
			fail("a stream ended early: %s", strerror(errno));
		s->sent += (uint64_t)n;
	}
	uint64_t received = 0;
	shutdown(fd, SHUT_WR);
	if (recv(fd, &received, sizeof(received), MSG_WAITALL) != sizeof(received) || received != s->sent)
		fail("%" PRIu64 " bytes were sent and %" PRIu64 " received", (uint64_t)s->sent, received);
	close(fd);
	free(buffer);
	return NULL;
}

static void remember_sent(void)
{
	for (int i = 0; i < options.connections; i++)
		streams[i].sent_before = streams[i].sent;
}

int run_stream(void)
{
	struct cpu readings[2];
	uint64_t bytes = 0;
	streams = calloc((size_t)options.connections, sizeof(*streams));
	run_phases(write_stream, streams, sizeof(*streams), remember_sent, readings);
	for (int i = 0; i < options.connections; i++)
		bytes += streams[i].sent - streams[i].sent_before;
	printf("{\"bytes\":%" PRIu64 ",\"seconds\":%.6f,", bytes, readings[1].at - readings[0].at);
	cpu_print(readings[0], readings[1]);
	printf("}\n");
	return 0;
}
