// SPDX-License-Identifier: Apache-2.0
/* TCP sockets of a namespace, seen and destroyed from outside (NETLINK_SOCK_DIAG). */
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

extern "C" {
#include "abi.h"
}

namespace weir
{

struct TcpSocket {
	uint64_t connection; /* socket cookie */
	struct address local;
	struct address remote;
	uint64_t bytes_acked;
	uint64_t bytes_received;
	uint32_t rtt_us; /* smoothed */
	uint32_t retransmits;
	uint32_t device; /* ifindex the socket is bound to; the kernel does not find it again without */
	uint16_t local_port;
	uint16_t remote_port;
	uint8_t state; /* TCP_ESTABLISHED = 1, ... */
};

/* Every socket but listeners and those that only wait out TIME_WAIT: nobody holds these any more. */
std::vector<TcpSocket> connections_in(int netns);

std::vector<TcpSocket> listeners_in(int netns);

/* Destroys sockets (both the app and its peer see a reset); answers how many were still there. */
size_t destroy_sockets(int netns, const std::vector<TcpSocket> &sockets);

}
