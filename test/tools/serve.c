// SPDX-License-Identifier: Apache-2.0
// A TCP server that does one simple thing to each connection. One process, one epoll, tens of thousands of connections.
//
//   serve [-a ADDRESS] [-p PORT] [-b BACKLOG] [-w WINDOW] [-n N] [--mptcp] [--v6only] [--join] [--quiet] MODE
//
// --join asks to share the port with whoever listens there already (SO_REUSEPORT).
//
// Modes:
//   echo       sends back what comes, ends when the client has ended and all is sent back
//   discard    reads and forgets
//   verify     reads the pattern until the client ends, then answers "BYTES exact" or "BYTES differs"
//   source     sends N bytes of the pattern, ends its own side, then reads to the end
//   hello      speaks first: who it believes its peer is, one JSON line; then echoes
//   once       as hello, but closes after the line
//   halfclose  ends its own side at once, then verifies what still comes
//   hold       accepts and leaves the connection alone
//   slow       reads N bytes every 10 ms
//   reset      answers the first bytes with a reset
//   http       answers each request with N bytes, keep-alive
//
// Prints READY PORT when it listens, and one JSON line for each end of a connection unless --quiet.
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "net.h"

enum mode { ECHO, DISCARD, VERIFY, SOURCE, HELLO, ONCE, HALFCLOSE, HOLD, SLOW, RESET, HTTP };

static const char *const mode_names[] = { "echo",      "discard", "verify", "source", "hello", "once",
					  "halfclose", "hold",    "slow",   "reset",  "http" };

struct connection {
	int fd;
	uint64_t received;
	uint64_t sent;
	bool exact;
	bool peer_ended;
	size_t pending; // bytes in buffer not written yet
	size_t written; // of them
	uint64_t pause_until_us;
	char accepted[ENDPOINT_TEXT];
	uint8_t *buffer;
	struct connection *next_slow;
};

#define BUFFER_BYTES 65536

static enum mode mode;
static long long amount = 1024;
static bool quiet, join;
static int poller;
static struct connection *slow_connections;

static void watch(struct connection *c, uint32_t events, int operation)
{
	struct epoll_event event = { .events = events, .data.ptr = c };
	epoll_ctl(poller, operation, c->fd, &event);
}

static void finish(struct connection *c, const char *end)
{
	if (!quiet) {
		printf("{\"peer\":\"%s\",\"received\":%llu,\"exact\":%s,\"end\":\"%s\"}\n", c->accepted,
		       (unsigned long long)c->received, c->exact ? "true" : "false", end);
		fflush(stdout);
	}
	for (struct connection **at = &slow_connections; *at; at = &(*at)->next_slow)
		if (*at == c) {
			*at = c->next_slow;
			break;
		}
	close(c->fd);
	free(c->buffer);
	free(c);
}

// Writes what is pending. False when the connection is gone.
static bool flush_pending(struct connection *c)
{
	while (c->written < c->pending) {
		ssize_t n = send(c->fd, c->buffer + c->written, c->pending - c->written, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			watch(c, EPOLLOUT, EPOLL_CTL_MOD);
			return true;
		}
		if (n < 0) {
			finish(c, errno_name(errno));
			return false;
		}
		c->written += (size_t)n;
		c->sent += (size_t)n;
	}
	c->pending = c->written = 0;
	return true;
}

static bool say(struct connection *c, const char *text, size_t length)
{
	memcpy(c->buffer, text, length);
	c->pending = length;
	c->written = 0;
	return flush_pending(c);
}

static bool say_who(struct connection *c)
{
	struct sockaddr_storage endpoint;
	char peer[ENDPOINT_TEXT], local[ENDPOINT_TEXT], line[256];
	socklen_t length = sizeof(endpoint);
	memset(&endpoint, 0, sizeof(endpoint));
	getpeername(c->fd, (struct sockaddr *)&endpoint, &length);
	format_endpoint(&endpoint, peer);
	length = sizeof(endpoint);
	getsockname(c->fd, (struct sockaddr *)&endpoint, &length);
	int n = snprintf(line, sizeof(line), "{\"accept\":\"%s\",\"getpeername\":\"%s\",\"getsockname\":\"%s\"}\n",
			 c->accepted, peer, format_endpoint(&endpoint, local));
	return say(c, line, (size_t)n);
}

static void answer_end(struct connection *c)
{
	c->peer_ended = true;
	if (mode == VERIFY) {
		char line[64];
		int n = snprintf(line, sizeof(line), "%llu %s\n", (unsigned long long)c->received,
				 c->exact ? "exact" : "differs");
		if (!say(c, line, (size_t)n))
			return;
	}
	if (c->pending == 0)
		finish(c, "eof");
}

static void pump_source(struct connection *c)
{
	while ((long long)c->sent < amount) {
		size_t length = (size_t)(amount - (long long)c->sent);
		const uint8_t *bytes = pattern_at(c->sent, &length);
		ssize_t n = send(c->fd, bytes, length, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return watch(c, EPOLLOUT, EPOLL_CTL_MOD);
		if (n < 0)
			return finish(c, errno_name(errno));
		c->sent += (size_t)n;
	}
	shutdown(c->fd, SHUT_WR);
	watch(c, EPOLLIN, EPOLL_CTL_MOD);
}

// One answer for every request head that ends in this read; good enough for clients that do not split heads.
static bool answer_http(struct connection *c, size_t length)
{
	static uint8_t reply[BUFFER_BYTES];
	static size_t reply_length;
	if (reply_length == 0) {
		reply_length = (size_t)snprintf((char *)reply, sizeof(reply),
						"HTTP/1.1 200 OK\r\nContent-Length: %lld\r\n\r\n", amount);
		memset(reply + reply_length, 'x', (size_t)amount);
		reply_length += (size_t)amount;
	}
	bool complete = length >= 4 && memcmp(c->buffer + length - 4, "\r\n\r\n", 4) == 0;
	return complete ? say(c, (const char *)reply, reply_length) : true;
}

static void read_some(struct connection *c)
{
	size_t room = mode == SLOW && amount < BUFFER_BYTES ? (size_t)amount : BUFFER_BYTES;
	ssize_t n = recv(c->fd, c->buffer, room, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0)
		return finish(c, errno_name(errno));
	if (n == 0)
		return answer_end(c);
	c->exact = c->exact && pattern_matches(c->received, c->buffer, (size_t)n);
	c->received += (uint64_t)n;
	if (mode == RESET) {
		struct linger now = { .l_onoff = 1 };
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		return finish(c, "reset");
	}
	if (mode == HTTP) {
		answer_http(c, (size_t)n);
	} else if (mode == SLOW) {
		c->pause_until_us = now_us() + 10000;
		watch(c, 0, EPOLL_CTL_MOD);
	} else if (mode == ECHO || mode == HELLO) {
		c->pending = (size_t)n;
		flush_pending(c);
	}
}

static void serve_connection(struct connection *c, uint32_t events)
{
	if (mode == HOLD)
		return finish(c, "hangup");
	if (mode == SOURCE && (events & EPOLLOUT))
		return pump_source(c);
	if (events & EPOLLOUT) {
		if (!flush_pending(c) || c->pending > 0)
			return;
		if (c->peer_ended)
			return finish(c, "eof");
		return watch(c, EPOLLIN, EPOLL_CTL_MOD);
	}
	read_some(c);
}

static void greet(struct connection *c)
{
	if (mode == SOURCE)
		pump_source(c);
	else if (mode == HALFCLOSE)
		shutdown(c->fd, SHUT_WR);
	else if (mode == ONCE && say_who(c))
		finish(c, "said");
	else if (mode == HELLO)
		say_who(c);
}

static void accept_all(int listener)
{
	struct sockaddr_storage peer;
	for (;;) {
		socklen_t length = sizeof(peer);
		memset(&peer, 0, sizeof(peer));
		int fd = accept4(listener, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		struct connection *c = calloc(1, sizeof(*c));
		c->fd = fd;
		c->exact = true;
		c->buffer = mode == HOLD ? NULL : malloc(BUFFER_BYTES);
		format_endpoint(&peer, c->accepted);
		if (mode == SLOW) {
			c->next_slow = slow_connections;
			slow_connections = c;
		}
		set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
		watch(c, mode == HOLD ? EPOLLRDHUP : EPOLLIN, EPOLL_CTL_ADD);
		greet(c);
	}
}

static void wake_slow(void)
{
	uint64_t now = now_us();
	for (struct connection *c = slow_connections; c; c = c->next_slow)
		if (c->pause_until_us && c->pause_until_us <= now) {
			c->pause_until_us = 0;
			watch(c, EPOLLIN, EPOLL_CTL_MOD);
		}
}

static int listen_on(const char *address, int port, int backlog, int window, bool mptcp, bool v6only)
{
	struct sockaddr_storage endpoint;
	char text[ENDPOINT_TEXT];
	socklen_t length = parse_endpoint(address, port, false, &endpoint);
	int fd = socket(endpoint.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, mptcp ? IPPROTO_MPTCP : 0);
	if (fd < 0) {
		fprintf(stderr, "cannot make a socket: %s\n", strerror(errno));
		exit(1);
	}
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
	set_option(fd, SOL_SOCKET, SO_REUSEPORT, join, "SO_REUSEPORT");
	if (window > 0) {
		set_option(fd, SOL_SOCKET, SO_RCVBUF, window / 2, "SO_RCVBUF");
		set_option(fd, SOL_SOCKET, SO_SNDBUF, window / 2, "SO_SNDBUF");
	}
	if (endpoint.ss_family == AF_INET6)
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6only, "IPV6_V6ONLY");
	if (!mptcp)
		set_option(fd, IPPROTO_TCP, TCP_FASTOPEN, 256, "TCP_FASTOPEN");
	if (bind(fd, (struct sockaddr *)&endpoint, length) != 0 || listen(fd, backlog) != 0) {
		fprintf(stderr, "cannot listen on %s: %s\n", format_endpoint(&endpoint, text), strerror(errno));
		exit(1);
	}
	length = sizeof(endpoint);
	getsockname(fd, (struct sockaddr *)&endpoint, &length);
	printf("READY %u\n", ntohs(((struct sockaddr_in *)&endpoint)->sin_port));
	fflush(stdout);
	return fd;
}

static int parse_mode(const char *name)
{
	for (size_t i = 0; name && i < sizeof(mode_names) / sizeof(mode_names[0]); i++)
		if (strcmp(name, mode_names[i]) == 0)
			return (int)i;
	fprintf(stderr, "serve: %s is not a mode; see the head of serve.c\n", name ? name : "nothing");
	exit(2);
}

int main(int argc, char **argv)
{
	static const struct option longs[] = { { "mptcp", no_argument, 0, 'm' },
					       { "v6only", no_argument, 0, '6' },
					       { "join", no_argument, 0, 'j' },
					       { "quiet", no_argument, 0, 'q' },
					       { 0 } };
	const char *address = "::";
	int port = 0, backlog = 4096, window = 0, option;
	bool mptcp = false, v6only = false;
	while ((option = getopt_long(argc, argv, "a:p:b:w:n:", longs, NULL)) != -1) {
		// clang-format off
		switch (option) {
		case 'a': address = optarg; break;
		case 'p': port = atoi(optarg); break;
		case 'b': backlog = atoi(optarg); break;
		case 'w': window = atoi(optarg); break;
		case 'n': amount = atoll(optarg); break;
		case 'm': mptcp = true; break;
		case '6': v6only = true; break;
		case 'j': join = true; break;
		case 'q': quiet = true; break;
		default: return 2;
		}
		// clang-format on
	}
	mode = (enum mode)parse_mode(argv[optind]);
	if (mode == HTTP && amount > BUFFER_BYTES - 256) {
		fprintf(stderr, "serve: http answers with at most %d bytes\n", BUFFER_BYTES - 256);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	poller = epoll_create1(EPOLL_CLOEXEC);
	int listener = listen_on(address, port, backlog, window, mptcp, v6only);
	struct epoll_event watched = { .events = EPOLLIN }, events[256];
	epoll_ctl(poller, EPOLL_CTL_ADD, listener, &watched);
	for (;;) {
		int count = epoll_wait(poller, events, 256, slow_connections ? 5 : -1);
		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr)
				serve_connection(events[i].data.ptr, events[i].events);
			else
				accept_all(listener);
		}
		wake_slow();
	}
}
