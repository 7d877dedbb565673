// SPDX-License-Identifier: Apache-2.0
// How long a change of configuration takes: renames a file into place and connects until a connection obeys it.
//
//   --to FILE --count N --pause MS FILE=SEEN FILE=SEEN
//
// The files take turns. SEEN is what a connection meets once the change is in force: x for refused, else the byte the
// server says. Time runs from just before rename(2) to the end of the first connection that obeys. After it, connections
// go on for the pause; one that disobeys then counts as a relapse.
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_NS 10000000000ull
#define PROBE_PAUSE_NS 500000ull
#define LATER_PROBE_PAUSE_NS 10000000ull

struct variant {
	char *content;
	size_t length;
	char seen;
};

static struct variant variants[2];
static const char *destination;
static char temporary[4096];
static int count = 200;
static int pause_ms = 100;

static void read_variant(struct variant *v, char *argument)
{
	char *equals = strrchr(argument, '=');
	if (!equals)
		fail("expected FILE=SEEN, got \"%s\"", argument);
	*equals = 0;
	v->seen = equals[1];
	v->content = malloc(BUFFER_BYTES);
	FILE *file = fopen(argument, "r");
	if (!file || !v->content)
		fail("cannot read %s: %s", argument, strerror(errno));
	v->length = fread(v->content, 1, BUFFER_BYTES, file);
	fclose(file);
}

static void parse(int argc, char **argv)
{
	int variant = 0;
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--to") == 0 && i + 1 < argc)
			destination = argv[++i];
		else if (strcmp(argv[i], "--count") == 0 && i + 1 < argc)
			count = atoi(argv[++i]);
		else if (strcmp(argv[i], "--pause") == 0 && i + 1 < argc)
			pause_ms = atoi(argv[++i]);
		else if (variant < 2)
			read_variant(&variants[variant++], argv[i]);
		else
			fail("unknown argument \"%s\"", argv[i]);
	}
	if (!destination || variant != 2 || count < 1)
		fail("usage: load change ADDRESS PORT --to FILE --count N --pause MS FILE=SEEN FILE=SEEN");
	// Not a manifest by name, and in the same directory, as rename(2) wants it.
	snprintf(temporary, sizeof(temporary), "%s.new", destination);
}

static char probe(void)
{
	char byte = 'x';
	int fd = dial();
	if (fd < 0)
		return 'x';
	ssize_t n = recv(fd, &byte, 1, 0);
	close(fd);
	return n == 1 ? byte : 'x';
}

static uint64_t change(const struct variant *v)
{
	FILE *file = fopen(temporary, "w");
	if (!file || fwrite(v->content, 1, v->length, file) != v->length || fclose(file) != 0)
		fail("cannot write %s: %s", temporary, strerror(errno));
	uint64_t start = now_ns();
	if (rename(temporary, destination) != 0)
		fail("cannot rename to %s: %s", destination, strerror(errno));
	for (;;) {
		char seen = probe();
		uint64_t elapsed = now_ns() - start;
		if (seen == v->seen)
			return elapsed;
		if (elapsed > PATIENCE_NS)
			fail("after %" PRIu64 " s connections still meet '%c' where the file asks for '%c'",
			     elapsed / 1000000000u, seen, v->seen);
		sleep_ns(PROBE_PAUSE_NS);
	}
}

// Pauses of different lengths, so that no timer of the agent beats in step with the changes.
static int watch_for_relapses(char seen)
{
	int relapses = 0;
	uint64_t until = now_ns() + (uint64_t)(pause_ms + rand() % (pause_ms + 1)) * 1000000u;
	while (now_ns() < until) {
		relapses += probe() != seen;
		sleep_ns(LATER_PROBE_PAUSE_NS);
	}
	return relapses;
}

int run_change(int argc, char **argv)
{
	struct histogram *h = calloc(1, sizeof(*h));
	int relapses = 0;
	parse(argc, argv);
	change(&variants[1]);
	watch_for_relapses(variants[1].seen);
	for (int i = 0; i < count; i++) {
		histogram_record(h, change(&variants[i % 2]));
		relapses += watch_for_relapses(variants[i % 2].seen);
	}
	printf("{\"count\":%d,\"relapses\":%d,\"p50\":%" PRIu64 ",\"p90\":%" PRIu64 ",\"p99\":%" PRIu64
	       ",\"max\":%" PRIu64 "}\n",
	       count, relapses, histogram_at(h, 0.5), histogram_at(h, 0.9), histogram_at(h, 0.99), h->max);
	return 0;
}
