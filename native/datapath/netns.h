// SPDX-License-Identifier: Apache-2.0
/* Network namespaces of pods. Nothing here keeps one alive for longer than a call. */
#pragma once

#include <cstdint>
#include <string>

#include "fd.h"

namespace weir
{

/* Opens a namespace by path, for example /run/netns/a. */
Fd open_namespace(const std::string &path);

/*
 * Opens a socket in another namespace. A socket stays where it was made, so the calling thread is there for that one
 * system call only; if the kernel then refuses the way back the process ends, because every later socket of this
 * thread would be in the wrong place.
 */
Fd open_socket_in(int netns, int domain, int type, int protocol);

/* The cookie of the namespace a socket is in (SO_NETNS_COOKIE): never used twice while the machine is up. */
uint64_t cookie_of_socket(int socket);
uint64_t cookie_of_namespace(int netns);

}
