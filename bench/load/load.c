// SPDX-License-Identifier: Apache-2.0
// Load for the benchmark: one program, both ends. Results are one line of JSON on standard output.
//
//   load serve MODE:PORT...                        sink, echo, once, or byte=C (see serve.c)
//   load stream|roundtrip|connect|hold ADDRESS PORT [--seconds S] [--warmup S] [--connections N] [--size BYTES]
//   load change ADDRESS PORT --to FILE --count N --pause MS FILE=SEEN FILE=SEEN
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct options options = { .seconds = 3, .warmup = 0.5, .connections = 1, .size = 64 * 1024 };
atomic_bool measuring;
atomic_bool stopping;

uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

double now(void)
{
	return (double)now_ns() / 1e9;
}

void sleep_ns(uint64_t ns)
{
	struct timespec t = { .tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u) };
	nanosleep(&t, NULL);
}

void fail(const char *what, ...)
{
	va_list arguments;
	va_start(arguments, what);
	fputs("load: ", stderr);
	vfprintf(stderr, what, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(1);
}

int dial(void)
{
	int on = 1;
	struct timeval limit = { .tv_sec = 10 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&options.target, sizeof(options.target)) == 0)
		return fd;
	close(fd);
	return -1;
}

void run_phases(void *(*worker)(void *), void *state, size_t state_size, void (*at_measuring)(void),
		struct cpu readings[2])
{
	pthread_t threads[options.connections];
	for (int i = 0; i < options.connections; i++)
		if (pthread_create(&threads[i], NULL, worker, (char *)state + (size_t)i * state_size) != 0)
			fail("cannot start thread %d of %d", i + 1, options.connections);
	sleep_ns((uint64_t)(options.warmup * 1e9));
	if (at_measuring)
		at_measuring();
	readings[0] = cpu_read();
	measuring = true;
	sleep_ns((uint64_t)(options.seconds * 1e9));
	stopping = true;
	for (int i = 0; i < options.connections; i++)
		pthread_join(threads[i], NULL);
	readings[1] = cpu_read();
}

static void parse_target(const char *address, const char *port)
{
	options.target.sin_family = AF_INET;
	options.target.sin_port = htons((uint16_t)atoi(port));
	if (inet_pton(AF_INET, address, &options.target.sin_addr) != 1)
		fail("\"%s\" is no IPv4 address", address);
}

static void parse_options(int argc, char **argv)
{
	for (int i = 0; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seconds") == 0)
			options.seconds = atof(argv[i + 1]);
		else if (strcmp(argv[i], "--warmup") == 0)
			options.warmup = atof(argv[i + 1]);
		else if (strcmp(argv[i], "--connections") == 0)
			options.connections = atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--size") == 0)
			options.size = (size_t)atol(argv[i + 1]);
		else
			fail("unknown option \"%s\"", argv[i]);
	}
	if (options.connections < 1 || options.size < 1 || options.size > BUFFER_BYTES)
		fail("--connections must be at least 1 and --size between 1 and %d", BUFFER_BYTES);
}

int main(int argc, char **argv)
{
	if (argc >= 3 && strcmp(argv[1], "serve") == 0)
		return run_serve(argc - 2, argv + 2);
	if (argc < 4)
		fail("usage: load serve MODE:PORT... | load stream|roundtrip|connect|hold|change ADDRESS PORT ...");
	parse_target(argv[2], argv[3]);
	if (strcmp(argv[1], "change") == 0)
		return run_change(argc - 4, argv + 4);
	parse_options(argc - 4, argv + 4);
	if (strcmp(argv[1], "stream") == 0)
		return run_stream();
	if (strcmp(argv[1], "roundtrip") == 0)
		return run_roundtrip();
	if (strcmp(argv[1], "connect") == 0)
		return run_connect();
	if (strcmp(argv[1], "hold") == 0)
		return run_hold();
	fail("there is no mode \"%s\"", argv[1]);
}
