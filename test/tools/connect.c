// SPDX-License-Identifier: Apache-2.0
// Every way an app may make a TCP connection.
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dial.h"

#ifndef TCP_FASTOPEN_NO_COOKIE
#define TCP_FASTOPEN_NO_COOKIE 34
#endif

static void bind_source(int fd, int family)
{
	struct sockaddr_storage source;
	const char *any = family == AF_INET6 ? "::" : "0.0.0.0";
	const char *address = options.bind_address ? options.bind_address : any;
	if (!options.bind_address && options.bind_port == 0)
		return;
	socklen_t length = parse_endpoint(address, options.bind_port, options.mapped && options.bind_address, &source);
	if (bind(fd, (struct sockaddr *)&source, length) != 0) {
		fprintf(stderr, "cannot bind %s port %d: %s\n", address, options.bind_port, strerror(errno));
		exit(2);
	}
}

static int make_socket(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, options.mptcp ? IPPROTO_MPTCP : 0);
	if (fd < 0)
		return -1;
	if (options.reuse)
		set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
	if (options.mark)
		set_option(fd, SOL_SOCKET, SO_MARK, options.mark, "SO_MARK");
	if (options.window) {
		set_option(fd, SOL_SOCKET, SO_RCVBUF, options.window / 2, "SO_RCVBUF");
		set_option(fd, SOL_SOCKET, SO_SNDBUF, options.window / 2, "SO_SNDBUF");
	}
	if (options.device &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, options.device, (socklen_t)strlen(options.device)) != 0) {
		fprintf(stderr, "cannot bind to device %s: %s\n", options.device, strerror(errno));
		exit(2);
	}
	if (options.no_cookie)
		set_option(fd, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1, "TCP_FASTOPEN_NO_COOKIE");
	if (options.via == VIA_FASTOPEN_CONNECT)
		set_option(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1, "TCP_FASTOPEN_CONNECT");
	struct timeval limit = { .tv_sec = options.timeout_ms / 1000, .tv_usec = options.timeout_ms % 1000 * 1000 };
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	bind_source(fd, family);
	return fd;
}

void dial_remember_peer(int fd, char text[ENDPOINT_TEXT])
{
	struct sockaddr_storage endpoint;
	socklen_t length = sizeof(endpoint);
	memset(&endpoint, 0, sizeof(endpoint));
	if (getpeername(fd, (struct sockaddr *)&endpoint, &length) == 0)
		format_endpoint(&endpoint, text);
}

// Uses the socket once for another destination, and takes it back with connect(AF_UNSPEC).
static void use_before(struct dial *d)
{
	struct sockaddr_storage before;
	struct sockaddr unspecified = { .sa_family = AF_UNSPEC };
	socklen_t length = parse_endpoint(options.before_address, options.before_port, options.mapped, &before);
	if (connect(d->fd, (struct sockaddr *)&before, length) == 0)
		dial_remember_peer(d->fd, d->before_peer);
	if (connect(d->fd, &unspecified, sizeof(unspecified)) != 0)
		dial_finish(d, "unspec", errno, "never");
}

static int start_connect(struct dial *d)
{
	const struct sockaddr *to = (const struct sockaddr *)&d->destination;
	if (options.via == VIA_URING)
		return uring_connect(d->fd, to, d->destination_length);
	if (options.via == VIA_FASTOPEN) {
		size_t length = 64;
		const uint8_t *bytes = pattern_at(0, &length);
		if ((long long)length > options.send)
			length = (size_t)options.send;
		ssize_t n = sendto(d->fd, bytes, length, MSG_FASTOPEN | MSG_NOSIGNAL, to, d->destination_length);
		if (n > 0)
			d->sent = (uint64_t)n;
		return n < 0 ? errno : 0;
	}
	return connect(d->fd, to, d->destination_length) == 0 ? 0 : errno;
}

void dial_start(struct dial *d)
{
	*d = (struct dial){ .fd = -1, .exact = true, .step = "ok", .end = "open", .started_us = now_us() };
	strcpy(d->peer, "none");
	strcpy(d->local, "none");
	d->destination_length = parse_endpoint(options.address, options.port, options.mapped, &d->destination);
	d->fd = make_socket(d->destination.ss_family);
	if (d->fd < 0)
		return dial_finish(d, "socket", errno, "never");
	if (options.before_address)
		use_before(d);
	if (d->phase == DONE)
		return;
	d->started_us = now_us();
	if (options.via == VIA_NONBLOCKING)
		set_nonblocking(d->fd);
	int error = start_connect(d);
	if (error == EINPROGRESS && options.via == VIA_NONBLOCKING)
		return;
	if (error)
		return dial_finish(d, "connect", error == EINPROGRESS ? ETIMEDOUT : error, "never");
	dial_connected(d);
}

void dial_connected(struct dial *d)
{
	int error = 0;
	socklen_t length = sizeof(error);
	getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &error, &length);
	if (error)
		return dial_finish(d, "connect", error, "never");
	d->connected_us = now_us();
	if (options.delay_ms)
		usleep((useconds_t)options.delay_ms * 1000);
	set_nonblocking(d->fd);
	if (!options.mptcp)
		set_option(d->fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
	struct sockaddr_storage local;
	length = sizeof(local);
	memset(&local, 0, sizeof(local));
	getsockname(d->fd, (struct sockaddr *)&local, &length);
	format_endpoint(&local, d->local);
	dial_remember_peer(d->fd, d->peer);
	d->to_send = (uint64_t)(options.every_ms ? options.chunk : options.send);
	d->next_chunk_us = now_us() + (uint64_t)options.every_ms * 1000;
	d->phase = STREAMING;
}
