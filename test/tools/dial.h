// SPDX-License-Identifier: Apache-2.0
// What one run of dial is asked to do, and one connection of it.
#ifndef WEIR_TOOLS_DIAL_H
#define WEIR_TOOLS_DIAL_H

#include "net.h"

enum via { VIA_CONNECT, VIA_NONBLOCKING, VIA_FASTOPEN, VIA_FASTOPEN_CONNECT, VIA_URING };

enum ending {
	END_WRITE, // end our side when all is sent, then read to the end
	END_READ,  // wait for the other side to end first
	END_CLOSE, // close as soon as what was sent came back
	END_RESET, // close with a reset when all is sent
};

struct options {
	const char *address;
	int port;
	enum via via;
	bool mptcp, mapped, no_cookie, reuse, first_line, each;
	const char *bind_address, *device;
	int bind_port, mark, window;
	const char *before_address; // connect there, then connect(AF_UNSPEC), then the real destination
	int before_port;
	int delay_ms, hold_ms, timeout_ms;
	long long send, after_end, chunk;
	int every_ms;
	enum ending ending;
	int count, concurrency, rate;
};

extern struct options options;

enum phase { CONNECTING, STREAMING, HOLDING, DONE };

struct dial {
	int fd;
	enum phase phase;
	uint64_t started_us, connected_us, next_chunk_us, hold_until_us;
	uint64_t sent, received;
	uint64_t to_send; // grows with chunks and after the other side's end
	bool exact, our_end, their_end, line_done;
	const char *step; // what failed, "ok" when nothing did
	int error;
	const char *end; // how the connection ended
	char line[512];
	size_t line_length;
	char peer[ENDPOINT_TEXT], local[ENDPOINT_TEXT], before_peer[ENDPOINT_TEXT];
	struct sockaddr_storage destination;
	socklen_t destination_length;
};

// Makes the socket and starts to connect. The phase says how far it got; on failure it is DONE.
void dial_start(struct dial *d);
// Goes on after EPOLLOUT of a connect in progress.
void dial_connected(struct dial *d);
// Reads and writes what can be, decides about the end.
void dial_stream(struct dial *d);
// Marks the connection finished.
void dial_finish(struct dial *d, const char *step, int error, const char *end);

// Writes what getpeername says now; leaves the text alone when there is no peer.
void dial_remember_peer(int fd, char text[ENDPOINT_TEXT]);

// connect(2) through io_uring; answers 0 or an errno.
int uring_connect(int fd, const struct sockaddr *address, socklen_t length);

#endif
