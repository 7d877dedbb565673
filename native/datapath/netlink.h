// SPDX-License-Identifier: Apache-2.0
/* Requests and answers over a netlink socket, and the attributes in them. */
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>

#include "fd.h"

namespace weir
{

class Netlink
{
public:
	explicit Netlink(Fd socket);

	/*
	 * Sends one request (header filled but for its sequence) and hands each answer to `visit` until the end of the
	 * dump or the acknowledgement. Answers an error number, 0 when all is well.
	 */
	int request(nlmsghdr *message, const std::function<void(const nlmsghdr *)> &visit);

private:
	int receive(const std::function<void(const nlmsghdr *)> &visit, bool *done);

	Fd socket;
	uint32_t sequence = 0;
	std::vector<char> buffer;
};

/* Calls `visit(type, data, length)` for each attribute in a run of them. */
template <typename Visit>
void for_each_attribute(const void *run, size_t length, Visit visit)
{
	const char *at = static_cast<const char *>(run);

	while (length >= NLA_HDRLEN) {
		nlattr attribute;
		memcpy(&attribute, at, sizeof(attribute));
		if (attribute.nla_len < NLA_HDRLEN || attribute.nla_len > length)
			return;
		visit(attribute.nla_type & NLA_TYPE_MASK, at + NLA_HDRLEN, attribute.nla_len - NLA_HDRLEN);
		size_t step = NLA_ALIGN(attribute.nla_len);
		if (step >= length)
			return;
		at += step;
		length -= step;
	}
}

/* Reads a number out of an attribute; 0 when it is too short. */
template <typename Number>
Number number_in(const char *data, size_t length)
{
	Number number = 0;

	if (length >= sizeof(number))
		memcpy(&number, data, sizeof(number));
	return number;
}

}
