// SPDX-License-Identifier: Apache-2.0
#include "netlink.h"

#include <sys/socket.h>

#include <cerrno>

namespace weir
{

/* The kernel fills at most 32 KiB of it in one go, and the more it fills the fewer calls a dump takes. */
constexpr size_t receive_bytes = 64 * 1024;

Netlink::Netlink(Fd socket) : socket(std::move(socket)), buffer(receive_bytes) {}

int Netlink::request(nlmsghdr *message, const std::function<void(const nlmsghdr *)> &visit)
{
	message->nlmsg_seq = ++sequence;
	if (send(socket.get(), message, message->nlmsg_len, 0) < 0)
		return errno;
	for (bool done = false; !done;) {
		int error = receive(visit, &done);
		if (error)
			return error;
	}
	return 0;
}

int Netlink::receive(const std::function<void(const nlmsghdr *)> &visit, bool *done)
{
	ssize_t length = recv(socket.get(), buffer.data(), buffer.size(), 0);

	if (length < 0)
		return errno == EINTR ? 0 : errno;
	int left = static_cast<int>(length);
	for (auto *message = reinterpret_cast<nlmsghdr *>(buffer.data()); NLMSG_OK(message, left);
	     message = NLMSG_NEXT(message, left)) {
		if (message->nlmsg_seq != sequence)
			continue;
		if (message->nlmsg_type == NLMSG_ERROR) {
			*done = true;
			return -reinterpret_cast<nlmsgerr *>(NLMSG_DATA(message))->error;
		}
		if (message->nlmsg_type == NLMSG_DONE) {
			*done = true;
			return message->nlmsg_len >= NLMSG_LENGTH(sizeof(int))
				       ? -*static_cast<int *>(NLMSG_DATA(message))
				       : 0;
		}
		visit(message);
		if (!(message->nlmsg_flags & NLM_F_MULTI))
			*done = true;
	}
	return 0;
}

}
