// SPDX-License-Identifier: Apache-2.0
#include "interfaces.h"

#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "error.h"
#include "netlink.h"

namespace weir
{

namespace
{

constexpr int dump_attempts = 3;

Netlink open_route_socket()
{
	Fd opened(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));

	if (!opened)
		throw Failure("open a netlink socket", errno);
	return Netlink(std::move(opened));
}

std::string text_in(const char *data, size_t length)
{
	return std::string(data, strnlen(data, length));
}

Interface interface_from(const nlmsghdr *message)
{
	const auto *body = static_cast<const ifinfomsg *>(NLMSG_DATA(message));
	Interface found = {};

	found.index = static_cast<uint32_t>(body->ifi_index);
	found.peer_namespace = -1;
	auto visit_info = [&](int type, const char *data, size_t length) {
		if (type == IFLA_INFO_KIND)
			found.kind = text_in(data, length);
	};
	auto visit = [&](int type, const char *data, size_t length) {
		if (type == IFLA_IFNAME)
			found.name = text_in(data, length);
		else if (type == IFLA_MASTER)
			found.master = number_in<uint32_t>(data, length);
		else if (type == IFLA_LINK_NETNSID)
			found.peer_namespace = number_in<int32_t>(data, length);
		else if (type == IFLA_LINKINFO)
			for_each_attribute(data, length, visit_info);
	};
	for_each_attribute(reinterpret_cast<const char *>(body) + NLMSG_ALIGN(sizeof(*body)),
			   message->nlmsg_len - NLMSG_SPACE(sizeof(*body)), visit);
	return found;
}

}

std::vector<Interface> list_interfaces()
{
	Netlink netlink = open_route_socket();
	std::vector<Interface> interfaces;

	for (int attempt = 1;; attempt++) {
		struct {
			nlmsghdr header;
			ifinfomsg body;
		} request = {};
		bool interrupted = false;

		interfaces.clear();
		request.header.nlmsg_len = sizeof(request);
		request.header.nlmsg_type = RTM_GETLINK;
		request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
		int error = netlink.request(&request.header, [&](const nlmsghdr *message) {
			interrupted |= (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
			if (message->nlmsg_type == RTM_NEWLINK && message->nlmsg_len >= NLMSG_SPACE(sizeof(ifinfomsg)))
				interfaces.push_back(interface_from(message));
		});
		if (error)
			throw Failure("list the network interfaces", error);
		if (!interrupted || attempt == dump_attempts)
			return interfaces;
	}
}

int32_t namespace_id(int netns)
{
	Netlink netlink = open_route_socket();
	struct {
		nlmsghdr header;
		rtgenmsg body;
		char padding[NLMSG_ALIGN(sizeof(rtgenmsg)) - sizeof(rtgenmsg)];
		nlattr attribute;
		int32_t netns;
	} request = {};
	int32_t id = -1;

	request.header.nlmsg_len = sizeof(request);
	request.header.nlmsg_type = RTM_GETNSID;
	request.header.nlmsg_flags = NLM_F_REQUEST;
	request.attribute.nla_type = NETNSA_FD;
	request.attribute.nla_len = NLA_HDRLEN + sizeof(request.netns);
	request.netns = netns;
	int error = netlink.request(&request.header, [&](const nlmsghdr *message) {
		constexpr size_t fixed = NLMSG_SPACE(sizeof(rtgenmsg));
		const char *attributes = reinterpret_cast<const char *>(message) + fixed;

		if (message->nlmsg_type != RTM_NEWNSID || message->nlmsg_len < fixed)
			return;
		for_each_attribute(attributes, message->nlmsg_len - fixed,
				   [&](int type, const char *data, size_t length) {
					   if (type == NETNSA_NSID)
						   id = number_in<int32_t>(data, length);
				   });
	});
	if (error)
		throw Failure("ask for the id of a pod's network namespace", error);
	return id;
}

}
