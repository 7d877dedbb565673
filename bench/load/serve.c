// SPDX-License-Identifier: Apache-2.0
// The server of all rows but HTTP. Two threads, as many as the machine has cores to give.
//
//   sink     reads until the end, then answers how many bytes came (8 bytes, this machine's order) and closes
//   echo     answers what it gets
//   once     answers one byte to the first byte, then closes: the side that closes first, here, keeps the TIME_WAIT
//   byte=C   says C to whoever connects, then closes
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define WORKERS 2
#define EVENTS 256

enum mode { NONE, SINK, ECHO, ONCE, BYTE };

struct connection {
	enum mode mode;
	bool listener;
	char byte;
	uint64_t received;
};

static struct connection *connections; // by descriptor
static int epolls[WORKERS];
static atomic_uint accepted;

static void watch(int epoll, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		fail("cannot watch a socket: %s", strerror(errno));
}

static void end(int fd)
{
	connections[fd].mode = NONE;
	close(fd);
}

// Streams are shared out evenly, short connections stay with the thread that accepted them.
static void accept_one(int listener, int self)
{
	int on = 1;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	struct connection *c = &connections[listener];
	if (c->mode == BYTE) {
		(void)!write(fd, &c->byte, 1);
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	connections[fd] = (struct connection){ .mode = c->mode };
	watch(epolls[c->mode == ONCE ? self : (int)(accepted++ % WORKERS)], fd, EPOLLIN);
}

static void serve_one(int fd, char *buffer)
{
	struct connection *c = &connections[fd];
	ssize_t n = recv(fd, buffer, BUFFER_BYTES, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n == 0 && c->mode == SINK)
		(void)!send(fd, &c->received, sizeof(c->received), MSG_NOSIGNAL);
	if (n <= 0)
		return end(fd);
	c->received += (uint64_t)n;
	if (c->mode == SINK)
		return;
	if (send(fd, buffer, c->mode == ONCE ? 1 : (size_t)n, MSG_NOSIGNAL) <= 0 || c->mode == ONCE)
		end(fd);
}

static void *work(void *argument)
{
	int self = (int)(intptr_t)argument;
	char *buffer = malloc(BUFFER_BYTES);
	struct epoll_event events[EVENTS];
	for (;;) {
		int n = epoll_wait(epolls[self], events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (connections[fd].listener)
				accept_one(fd, self);
			else
				serve_one(fd, buffer);
		}
	}
	return NULL;
}

static void listen_on(const char *what)
{
	const char *colon = strrchr(what, ':');
	enum mode mode = strncmp(what, "sink:", 5) == 0   ? SINK
			 : strncmp(what, "echo:", 5) == 0 ? ECHO
			 : strncmp(what, "once:", 5) == 0 ? ONCE
			 : strncmp(what, "byte=", 5) == 0 ? BYTE
							  : NONE;
	if (mode == NONE || !colon)
		fail("cannot serve \"%s\": expected sink:PORT, echo:PORT, once:PORT or byte=C:PORT", what);
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon + 1)) };
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) != 0 || listen(fd, 4096) != 0)
		fail("cannot listen on port %s: %s", colon + 1, strerror(errno));
	connections[fd] = (struct connection){ .mode = mode, .listener = true, .byte = what[5] };
	for (int i = 0; i < WORKERS; i++)
		watch(epolls[i], fd, EPOLLIN | EPOLLEXCLUSIVE);
}

int run_serve(int argc, char **argv)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	connections = calloc(limit.rlim_cur, sizeof(*connections));
	if (!connections)
		fail("no memory for %llu connections", (unsigned long long)limit.rlim_cur);
	for (int i = 0; i < WORKERS; i++)
		epolls[i] = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 0; i < argc; i++)
		listen_on(argv[i]);
	printf("READY\n");
	fflush(stdout);
	for (int i = 1; i < WORKERS; i++) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, work, (void *)(intptr_t)i) != 0)
			fail("cannot start a thread");
	}
	work((void *)0);
	return 0;
}
