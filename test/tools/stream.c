// SPDX-License-Identifier: Apache-2.0
// What a connection carries once it is open: a first line of text if asked for, then the pattern, both ways.
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "dial.h"

void dial_finish(struct dial *d, const char *step, int error, const char *end)
{
	d->step = step;
	d->error = error;
	d->end = end;
	d->phase = DONE;
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}

static const char *end_of(int error)
{
	return error == ECONNRESET || error == EPIPE ? "reset" : "error";
}

static void take(struct dial *d, const uint8_t *bytes, size_t length)
{
	while (options.first_line && !d->line_done && length > 0) {
		char next = (char)*bytes++;
		length--;
		d->line_done = next == '\n';
		if (!d->line_done && d->line_length < sizeof(d->line) - 1)
			d->line[d->line_length++] = next;
	}
	d->exact = d->exact && pattern_matches(d->received, bytes, length);
	d->received += length;
}

// True while there may be more to read.
static bool read_some(struct dial *d)
{
	static uint8_t buffer[256 * 1024];
	ssize_t n = recv(d->fd, buffer, sizeof(buffer), 0);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n < 0) {
		dial_finish(d, "receive", errno, end_of(errno));
		return false;
	}
	if (n == 0) {
		d->their_end = true;
		d->to_send += (uint64_t)options.after_end;
		return false;
	}
	take(d, buffer, (size_t)n);
	return true;
}

static void write_some(struct dial *d)
{
	while (d->sent < d->to_send) {
		size_t length = (size_t)(d->to_send - d->sent);
		const uint8_t *bytes = pattern_at(d->sent, &length);
		ssize_t n = send(d->fd, bytes, length, MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			return dial_finish(d, "send", errno, end_of(errno));
		d->sent += (uint64_t)n;
	}
}

static void add_chunk(struct dial *d)
{
	uint64_t all = (uint64_t)options.send;
	if (!options.every_ms || d->to_send >= all || now_us() < d->next_chunk_us)
		return;
	d->to_send = d->to_send + (uint64_t)options.chunk < all ? d->to_send + (uint64_t)options.chunk : all;
	d->next_chunk_us += (uint64_t)options.every_ms * 1000;
}

static bool all_sent(const struct dial *d)
{
	uint64_t all = (uint64_t)options.send + (d->their_end ? (uint64_t)options.after_end : 0);
	return d->sent >= all;
}

// Holds the connection for as long as asked, once.
static bool still_holding(struct dial *d)
{
	if (options.hold_ms && !d->hold_until_us)
		d->hold_until_us = now_us() + (uint64_t)options.hold_ms * 1000;
	return now_us() < d->hold_until_us;
}

// With Fast Open there is no peer when connect(2) returns; it must be asked for before the connection ends.
static bool knows_peer(struct dial *d)
{
	if (strcmp(d->peer, "none") == 0)
		dial_remember_peer(d->fd, d->peer);
	return strcmp(d->peer, "none") != 0;
}

static void decide_end(struct dial *d)
{
	if (!knows_peer(d) && !d->their_end)
		return;
	bool line_missing = options.first_line && !d->line_done && !d->their_end;
	if (!all_sent(d) || (line_missing && options.ending != END_WRITE))
		return;
	if (options.ending == END_CLOSE && d->received < d->sent && !d->their_end)
		return;
	if (!d->their_end && still_holding(d)) {
		d->phase = HOLDING;
		return;
	}
	d->phase = STREAMING;
	if (options.ending == END_RESET) {
		struct linger now = { .l_onoff = 1 };
		setsockopt(d->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		return dial_finish(d, "ok", 0, "we reset");
	}
	if (options.ending == END_CLOSE)
		return dial_finish(d, "ok", 0, d->their_end ? "eof" : "we closed");
	bool they_first = options.ending == END_READ || options.after_end > 0;
	if (!d->our_end && (!they_first || d->their_end)) {
		d->our_end = true;
		shutdown(d->fd, SHUT_WR);
	}
	if (d->their_end)
		dial_finish(d, "ok", 0, "eof");
}

void dial_stream(struct dial *d)
{
	add_chunk(d);
	if (!d->our_end)
		write_some(d);
	while (d->phase != DONE && !d->their_end && read_some(d))
		;
	if (d->phase != DONE && d->their_end && !d->our_end)
		write_some(d);
	if (d->phase != DONE)
		decide_end(d);
	if (d->phase != DONE && now_us() - d->started_us > (uint64_t)options.timeout_ms * 1000)
		dial_finish(d, "timeout", ETIMEDOUT, "open");
}
