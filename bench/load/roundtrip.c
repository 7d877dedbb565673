// SPDX-License-Identifier: Apache-2.0
// Round trips of one byte on connections that stay, and whole short connections: connect, a byte each way, close.
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct worker {
	struct histogram histogram;
	uint64_t errors;
	int last_errno;
};

static void *exchange(void *argument)
{
	struct worker *w = argument;
	char byte = 'w';
	int fd = dial();
	if (fd < 0)
		fail("cannot connect: %s", strerror(errno));
	uint64_t before = now_ns();
	while (!stopping) {
		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 || recv(fd, &byte, 1, 0) != 1)
			fail("a connection ended early: %s", strerror(errno));
		uint64_t after = now_ns();
		if (measuring)
			histogram_record(&w->histogram, after - before);
		before = after;
	}
	close(fd);
	return NULL;
}

// The server closes first; waiting for its end leaves no TIME_WAIT here, which would use up the client's ports.
static bool connect_once(void)
{
	char byte = 'w';
	int fd = dial();
	if (fd < 0)
		return false;
	bool whole = send(fd, &byte, 1, MSG_NOSIGNAL) == 1 && recv(fd, &byte, 1, 0) == 1 && recv(fd, &byte, 1, 0) == 0;
	int error = errno;
	close(fd);
	errno = error;
	return whole;
}

static void *connect_often(void *argument)
{
	struct worker *w = argument;
	while (!stopping) {
		uint64_t before = now_ns();
		bool whole = connect_once();
		if (!measuring)
			continue;
		if (whole) {
			histogram_record(&w->histogram, now_ns() - before);
		} else {
			w->errors++;
			w->last_errno = errno;
		}
	}
	return NULL;
}

static int run(void *(*worker)(void *))
{
	struct cpu readings[2];
	struct worker *workers = calloc((size_t)options.connections, sizeof(*workers));
	run_phases(worker, workers, sizeof(*workers), NULL, readings);
	for (int i = 1; i < options.connections; i++) {
		histogram_add(&workers[0].histogram, &workers[i].histogram);
		workers[0].errors += workers[i].errors;
		if (workers[i].errors)
			workers[0].last_errno = workers[i].last_errno;
	}
	const struct histogram *h = &workers[0].histogram;
	printf("{\"count\":%" PRIu64 ",\"seconds\":%.6f,\"errors\":%" PRIu64 ",\"lastError\":\"%s\",", h->count,
	       readings[1].at - readings[0].at, workers[0].errors,
	       workers[0].errors ? strerror(workers[0].last_errno) : "");
	printf("\"p50\":%" PRIu64 ",\"p90\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"max\":%" PRIu64 ",", histogram_at(h, 0.5),
	       histogram_at(h, 0.9), histogram_at(h, 0.99), h->max);
	cpu_print(readings[0], readings[1]);
	printf("}\n");
	return 0;
}

int run_roundtrip(void)
{
	return run(exchange);
}

int run_connect(void)
{
	return run(connect_often);
}
