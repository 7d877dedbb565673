// SPDX-License-Identifier: Apache-2.0
// A TCP client that can connect in every way an app may, and says exactly what it saw, one JSON line a connection.
//
//   dial ADDRESS PORT [options]
//
// How to connect:    --via connect|nonblocking|fastopen|fastopen-connect|io_uring  --mptcp  --mapped (AF_INET6 to IPv4)
//                    --bind ADDRESS --bind-port PORT --reuse --device NAME --mark N --window BYTES
//                    --no-cookie --delay MS (before the first write) --before ADDRESS:PORT (then connect(AF_UNSPEC))
// What to carry:     --send N (of the pattern)  --chunk N --every MS (a chunk at a time)  --line (first line is text)
//                    --after-end N (more, once the other side has ended)
// How to end:        --end write|read|close|reset  --hold MS (before ending)  --timeout MS (of the whole connection)
// How many:          --count N --concurrency N --rate N (new ones a second) --each (a line for every one of them)
//
// Received bytes, after the first line with --line, are compared with the pattern: "exact".
#define _GNU_SOURCE
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "dial.h"

struct options options = { .timeout_ms = 10000, .count = 1, .concurrency = 1 };

static int poller;
static int outcomes[256]; // by errno; 0 counts what went well
static int inexact, open_now, open_peak;
static uint32_t *connect_us;

static void print_text(const char *name, const char *text)
{
	printf(",\"%s\":\"", name);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	putchar('"');
}

static void report(const struct dial *d)
{
	printf("{\"result\":\"%s\",\"errno\":\"%s\"", d->step, errno_name(d->error));
	print_text("peer", d->peer);
	print_text("local", d->local);
	if (options.before_address)
		print_text("beforePeer", d->before_peer);
	if (options.first_line)
		print_text("line", d->line);
	uint64_t connected = d->connected_us ? d->connected_us : now_us();
	printf(",\"sent\":%llu,\"received\":%llu,\"exact\":%s,\"end\":\"%s\",\"connectUs\":%llu,\"totalUs\":%llu}\n",
	       (unsigned long long)d->sent, (unsigned long long)d->received, d->exact ? "true" : "false", d->end,
	       (unsigned long long)(connected - d->started_us), (unsigned long long)(now_us() - d->started_us));
	fflush(stdout);
}

static int by_value(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
	return left < right ? -1 : left > right;
}

static void summarize(uint64_t started_us)
{
	int ok = outcomes[0], samples = ok ? ok : 1;
	const char *comma = "";
	qsort(connect_us, (size_t)ok, sizeof(*connect_us), by_value);
	printf("{\"count\":%d,\"ok\":%d,\"errors\":{", options.count, ok);
	for (int error = 1; error < 256; error++)
		if (outcomes[error]) {
			printf("%s\"%s\":%d", comma, errno_name(error), outcomes[error]);
			comma = ",";
		}
	printf("},\"inexact\":%d,\"peakOpen\":%d,\"connectUs\":{\"p50\":%u,\"p99\":%u,\"max\":%u},\"totalUs\":%llu}\n",
	       inexact, open_peak, connect_us[samples / 2], connect_us[samples * 99 / 100], connect_us[samples - 1],
	       (unsigned long long)(now_us() - started_us));
}

static void settle(struct dial *d)
{
	open_now--;
	if (d->error == 0)
		connect_us[outcomes[0]] = (uint32_t)(d->connected_us - d->started_us);
	outcomes[d->error & 255]++;
	inexact += !d->exact;
	if (options.count == 1 || options.each)
		report(d);
}

static void advance(struct dial *d, uint32_t events)
{
	if (d->phase == CONNECTING && events)
		dial_connected(d);
	if (d->phase == CONNECTING && now_us() - d->started_us > (uint64_t)options.timeout_ms * 1000)
		dial_finish(d, "connect", 110, "never");
	if (d->phase == STREAMING || d->phase == HOLDING)
		dial_stream(d);
	if (d->phase == DONE)
		return settle(d);
	bool wants_out = d->phase == CONNECTING || d->sent < d->to_send;
	struct epoll_event event = { .events = (d->their_end ? 0 : EPOLLIN) | (wants_out ? EPOLLOUT : 0),
				     .data.ptr = d };
	epoll_ctl(poller, EPOLL_CTL_MOD, d->fd, &event);
}

static void start(struct dial *d)
{
	if (++open_now > open_peak)
		open_peak = open_now;
	dial_start(d);
	if (d->phase == DONE)
		return settle(d);
	struct epoll_event event = { .events = 0, .data.ptr = d };
	epoll_ctl(poller, EPOLL_CTL_ADD, d->fd, &event);
	advance(d, 0);
}

static int allowed_by_rate(uint64_t started_us, int begun)
{
	if (!options.rate)
		return options.count - begun;
	return (int)((now_us() - started_us) * (uint64_t)options.rate / 1000000) + 1 - begun;
}

static void run(struct dial *dials)
{
	struct epoll_event events[256];
	uint64_t started_us = now_us(), swept_us = 0;
	int begun = 0, settled_before = 0;
	while (begun < options.count || open_now > 0) {
		int room = allowed_by_rate(started_us, begun);
		while (begun < options.count && open_now < options.concurrency && room-- > 0)
			start(&dials[begun++]);
		int count = epoll_wait(poller, events, 256, 1);
		for (int i = 0; i < count; i++)
			if (((struct dial *)events[i].data.ptr)->phase != DONE)
				advance(events[i].data.ptr, events[i].events);
		// Timers: chunks, holds and deadlines. Often for few connections, rarely for many.
		if (now_us() - swept_us < (open_now > 100 ? 50000 : 1000))
			continue;
		swept_us = now_us();
		while (settled_before < begun && dials[settled_before].phase == DONE)
			settled_before++;
		for (int i = settled_before; i < begun; i++)
			if (dials[i].phase != DONE)
				advance(&dials[i], 0);
	}
	if (options.count > 1)
		summarize(started_us);
}

static int choose(const char *text, const char *const *names, const char *what)
{
	for (int i = 0; names[i]; i++)
		if (strcmp(text, names[i]) == 0)
			return i;
	fprintf(stderr, "dial: %s is no %s\n", text, what);
	exit(2);
}

static void split_before(char *text)
{
	char *colon = strrchr(text, ':');
	if (!colon) {
		fprintf(stderr, "dial: --before wants ADDRESS:PORT\n");
		exit(2);
	}
	*colon = 0;
	options.before_address = text;
	options.before_port = atoi(colon + 1);
}

static void set_from_flag(int flag, char *value)
{
	static const char *const vias[] = {
		"connect", "nonblocking", "fastopen", "fastopen-connect", "io_uring", NULL
	};
	static const char *const endings[] = { "write", "read", "close", "reset", NULL };
	// clang-format off
	switch (flag) {
	case 'v': options.via = (enum via)choose(value, vias, "way to connect"); break;
	case 'm': options.mptcp = true; break;
	case '6': options.mapped = true; break;
	case 'b': options.bind_address = value; break;
	case 'p': options.bind_port = atoi(value); break;
	case 'r': options.reuse = true; break;
	case 'd': options.device = value; break;
	case 'M': options.mark = (int)strtol(value, NULL, 0); break;
	case 'w': options.window = atoi(value); break;
	case 'k': options.no_cookie = true; break;
	case 'D': options.delay_ms = atoi(value); break;
	case 'B': split_before(value); break;
	case 's': options.send = atoll(value); break;
	case 'c': options.chunk = atoll(value); break;
	case 'y': options.every_ms = atoi(value); break;
	case 'l': options.first_line = true; break;
	case 'a': options.after_end = atoll(value); break;
	case 'e': options.ending = (enum ending)choose(value, endings, "way to end"); break;
	case 'h': options.hold_ms = atoi(value); break;
	case 't': options.timeout_ms = atoi(value); break;
	case 'n': options.count = atoi(value); break;
	case 'C': options.concurrency = atoi(value); break;
	case 'R': options.rate = atoi(value); break;
	case 'E': options.each = true; break;
	default: exit(2);
	}
	// clang-format on
}

int main(int argc, char **argv)
{
	static const struct option longs[] = { { "via", 1, 0, 'v' },
					       { "mptcp", 0, 0, 'm' },
					       { "mapped", 0, 0, '6' },
					       { "bind", 1, 0, 'b' },
					       { "bind-port", 1, 0, 'p' },
					       { "reuse", 0, 0, 'r' },
					       { "device", 1, 0, 'd' },
					       { "mark", 1, 0, 'M' },
					       { "window", 1, 0, 'w' },
					       { "no-cookie", 0, 0, 'k' },
					       { "delay", 1, 0, 'D' },
					       { "before", 1, 0, 'B' },
					       { "send", 1, 0, 's' },
					       { "chunk", 1, 0, 'c' },
					       { "every", 1, 0, 'y' },
					       { "line", 0, 0, 'l' },
					       { "after-end", 1, 0, 'a' },
					       { "end", 1, 0, 'e' },
					       { "hold", 1, 0, 'h' },
					       { "timeout", 1, 0, 't' },
					       { "count", 1, 0, 'n' },
					       { "concurrency", 1, 0, 'C' },
					       { "rate", 1, 0, 'R' },
					       { "each", 0, 0, 'E' },
					       { 0 } };
	int flag;
	while ((flag = getopt_long(argc, argv, "", longs, NULL)) != -1)
		set_from_flag(flag, optarg);
	if (argc - optind != 2) {
		fprintf(stderr, "dial: ADDRESS and PORT are needed\n");
		return 2;
	}
	options.address = argv[optind];
	options.port = atoi(argv[optind + 1]);
	if (options.count > 1 && options.via == VIA_CONNECT)
		options.via = VIA_NONBLOCKING;
	signal(SIGPIPE, SIG_IGN);
	poller = epoll_create1(EPOLL_CLOEXEC);
	struct dial *dials = calloc((size_t)options.count, sizeof(*dials));
	connect_us = calloc((size_t)options.count + 1, sizeof(*connect_us));
	if (!dials || !connect_us)
		return 1;
	run(dials);
	return outcomes[0] == options.count && inexact == 0 ? 0 : 1;
}
