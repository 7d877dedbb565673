// SPDX-License-Identifier: Apache-2.0
// Addresses and the byte pattern that both test tools speak.
#ifndef WEIR_TOOLS_NET_H
#define WEIR_TOOLS_NET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

// Room for "[v6 address]:port".
#define ENDPOINT_TEXT 64

// Parses an address; with `mapped`, IPv4 becomes ::ffff:a.b.c.d in a sockaddr_in6. Exits with a sentence when it is neither family.
socklen_t parse_endpoint(const char *address, int port, bool mapped, struct sockaddr_storage *out);

// "a.b.c.d:port" or "[v6]:port"; mapped addresses are shown as they are, so that tests see which family was used.
const char *format_endpoint(const struct sockaddr_storage *endpoint, char text[ENDPOINT_TEXT]);

// The name of an errno, "OK" for 0.
const char *errno_name(int error);

// CLOCK_MONOTONIC in microseconds.
uint64_t now_us(void);

void set_nonblocking(int fd);
void set_option(int fd, int level, int option, int value, const char *name);

// Bytes as a function of their position, so that a receiver can tell a lost, doubled or moved byte anywhere.
// Points at `length` bytes of the pattern from `offset`, cut to what lies in one piece.
const uint8_t *pattern_at(uint64_t offset, size_t *length);
// True when `bytes` are what stands at `offset`.
bool pattern_matches(uint64_t offset, const uint8_t *bytes, size_t length);

#endif
