// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// A prime number of bytes: no power of two, page or segment size divides it, so moved blocks never match by accident.
#define PATTERN_BYTES 65521

static uint8_t pattern[PATTERN_BYTES];

__attribute__((constructor)) static void fill_pattern(void)
{
	uint64_t state = 0x9e3779b97f4a7c15ull;
	for (size_t i = 0; i < PATTERN_BYTES; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		pattern[i] = (uint8_t)state;
	}
}

const uint8_t *pattern_at(uint64_t offset, size_t *length)
{
	size_t start = offset % PATTERN_BYTES;
	if (*length > PATTERN_BYTES - start)
		*length = PATTERN_BYTES - start;
	return pattern + start;
}

bool pattern_matches(uint64_t offset, const uint8_t *bytes, size_t length)
{
	while (length > 0) {
		size_t piece = length;
		const uint8_t *expected = pattern_at(offset, &piece);
		if (memcmp(expected, bytes, piece) != 0)
			return false;
		offset += piece;
		bytes += piece;
		length -= piece;
	}
	return true;
}

socklen_t parse_endpoint(const char *address, int port, bool mapped, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	char text[INET6_ADDRSTRLEN + 8];
	memset(out, 0, sizeof(*out));
	if (!mapped && inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		return sizeof(*v4);
	}
	snprintf(text, sizeof(text), "%s%s", mapped && !strchr(address, ':') ? "::ffff:" : "", address);
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1) {
		fprintf(stderr, "%s is not an IPv4 or IPv6 address\n", address);
		exit(2);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons((uint16_t)port);
	return sizeof(*v6);
}

const char *format_endpoint(const struct sockaddr_storage *endpoint, char text[ENDPOINT_TEXT])
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)endpoint;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)endpoint;
	char address[INET6_ADDRSTRLEN] = "";
	if (endpoint->ss_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, address, sizeof(address));
		snprintf(text, ENDPOINT_TEXT, "%s:%u", address, ntohs(v4->sin_port));
	} else if (endpoint->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &v6->sin6_addr, address, sizeof(address));
		snprintf(text, ENDPOINT_TEXT, "[%s]:%u", address, ntohs(v6->sin6_port));
	} else {
		snprintf(text, ENDPOINT_TEXT, "none");
	}
	return text;
}

const char *errno_name(int error)
{
	const char *name = error == 0 ? "OK" : strerrorname_np(error);
	return name ? name : "UNKNOWN";
}

uint64_t now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void set_nonblocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void set_option(int fd, int level, int option, int value, const char *name)
{
	if (setsockopt(fd, level, option, &value, sizeof(value)) != 0) {
		fprintf(stderr, "cannot set %s to %d: %s\n", name, value, strerror(errno));
		exit(2);
	}
}
