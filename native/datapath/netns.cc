// SPDX-License-Identifier: Apache-2.0
#include "netns.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "error.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

namespace weir
{

namespace
{

/* In another network namespace from construction to destruction. */
class Inside
{
public:
	explicit Inside(int netns) : home(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC))
	{
		if (!home)
			throw Failure("open the agent's own network namespace", errno, "Is /proc mounted?");
		if (setns(netns, CLONE_NEWNET))
			throw Failure("enter a pod's network namespace", errno, "This needs CAP_SYS_ADMIN.");
	}
	~Inside()
	{
		if (setns(home.get(), CLONE_NEWNET)) {
			perror("weir: cannot return to the agent's network namespace");
			abort();
		}
	}
	Inside(const Inside &) = delete;
	Inside &operator=(const Inside &) = delete;

private:
	Fd home;
};

}

Fd open_namespace(const std::string &path)
{
	Fd netns(open(path.c_str(), O_RDONLY | O_CLOEXEC));

	if (!netns)
		throw Failure("open the network namespace " + path, errno);
	if (ioctl(netns.get(), NS_GET_NSTYPE) != CLONE_NEWNET)
		throw Failure("use " + path, 0, "It is not a network namespace.");
	return netns;
}

Fd open_socket_in(int netns, int domain, int type, int protocol)
{
	Inside inside(netns);
	Fd opened(socket(domain, type | SOCK_CLOEXEC, protocol));

	if (!opened)
		throw Failure("open a socket in a pod's network namespace", errno);
	return opened;
}

uint64_t cookie_of_socket(int socket)
{
	uint64_t cookie = 0;
	socklen_t length = sizeof(cookie);

	if (getsockopt(socket, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length))
		throw Failure("read a network namespace cookie", errno, "This needs Linux 5.14.");
	return cookie;
}

uint64_t cookie_of_namespace(int netns)
{
	return cookie_of_socket(open_socket_in(netns, AF_INET, SOCK_DGRAM, 0).get());
}

}
