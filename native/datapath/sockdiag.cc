// SPDX-License-Identifier: Apache-2.0
#include "sockdiag.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "error.h"
#include "netlink.h"
#include "netns.h"

namespace weir
{

namespace
{

enum state { LISTEN = 10, NEW_SYN_RECV = 12 };
/* ESTABLISHED, SYN_SENT, SYN_RECV, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK, CLOSING, NEW_SYN_RECV */
constexpr uint32_t connection_states = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 8 | 1 << 9 | 1 << 11 |
				       1 << NEW_SYN_RECV;

struct Request {
	nlmsghdr header;
	inet_diag_req_v2 body;
};

Request request_for(uint16_t type, uint16_t flags, uint8_t family)
{
	Request request = {};

	request.header.nlmsg_len = sizeof(request);
	request.header.nlmsg_type = type;
	request.header.nlmsg_flags = NLM_F_REQUEST | flags;
	request.body.sdiag_family = family;
	request.body.sdiag_protocol = IPPROTO_TCP;
	return request;
}

struct address address_from(uint8_t family, const __be32 (&words)[4])
{
	struct address address = {};

	if (family == AF_INET) {
		address.word[2] = htonl(0xffff);
		address.word[3] = words[0];
	} else {
		memcpy(address.word, words, sizeof(address.word));
	}
	return address;
}

bool is_ipv4(const struct address &address)
{
	return !address.word[0] && !address.word[1] && address.word[2] == htonl(0xffff);
}

void add_tcp_info(TcpSocket *socket, const char *data, size_t length)
{
	tcp_info info = {};

	memcpy(&info, data, length < sizeof(info) ? length : sizeof(info));
	socket->bytes_acked = info.tcpi_bytes_acked;
	socket->bytes_received = info.tcpi_bytes_received;
	socket->rtt_us = info.tcpi_rtt;
	socket->retransmits = info.tcpi_total_retrans;
}

TcpSocket socket_from(const nlmsghdr *message)
{
	const auto *body = static_cast<const inet_diag_msg *>(NLMSG_DATA(message));
	const inet_diag_sockid &id = body->id;
	TcpSocket socket = {};

	socket.connection = id.idiag_cookie[0] | static_cast<uint64_t>(id.idiag_cookie[1]) << 32;
	socket.local = address_from(body->idiag_family, id.idiag_src);
	socket.remote = address_from(body->idiag_family, id.idiag_dst);
	socket.local_port = ntohs(id.idiag_sport);
	socket.remote_port = ntohs(id.idiag_dport);
	socket.device = id.idiag_if;
	socket.state = body->idiag_state;
	for_each_attribute(body + 1, message->nlmsg_len - NLMSG_LENGTH(sizeof(*body)),
			   [&](int type, const char *data, size_t length) {
				   if (type == INET_DIAG_INFO)
					   add_tcp_info(&socket, data, length);
			   });
	return socket;
}

std::vector<TcpSocket> dump(int netns, uint32_t states, bool info)
{
	Netlink netlink(open_socket_in(netns, AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG));
	std::vector<TcpSocket> sockets;

	for (uint8_t family : { AF_INET, AF_INET6 }) {
		Request request = request_for(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, family);
		request.body.idiag_states = states;
		request.body.idiag_ext = info ? 1 << (INET_DIAG_INFO - 1) : 0;
		int error = netlink.request(&request.header, [&](const nlmsghdr *message) {
			if (message->nlmsg_len >= NLMSG_LENGTH(sizeof(inet_diag_msg)))
				sockets.push_back(socket_from(message));
		});
		if (error)
			throw Failure("list the TCP sockets of a pod", error,
				      "This needs the kernel option INET_TCP_DIAG.");
	}
	return sockets;
}

/* Asked for by its IPv4 address, a socket is found whichever family it was made for. */
Request destroy_request(const TcpSocket &socket)
{
	bool ipv4 = is_ipv4(socket.local) && is_ipv4(socket.remote);
	Request request = request_for(SOCK_DESTROY, NLM_F_ACK, ipv4 ? AF_INET : AF_INET6);
	inet_diag_sockid &id = request.body.id;
	size_t skip = ipv4 ? 3 : 0;

	memcpy(id.idiag_src, socket.local.word + skip, sizeof(struct address) - skip * sizeof(__be32));
	memcpy(id.idiag_dst, socket.remote.word + skip, sizeof(struct address) - skip * sizeof(__be32));
	id.idiag_sport = htons(socket.local_port);
	id.idiag_dport = htons(socket.remote_port);
	id.idiag_if = socket.device;
	id.idiag_cookie[0] = static_cast<uint32_t>(socket.connection);
	id.idiag_cookie[1] = static_cast<uint32_t>(socket.connection >> 32);
	request.body.idiag_states = ~0U;
	return request;
}

}

std::vector<TcpSocket> connections_in(int netns)
{
	return dump(netns, connection_states, true);
}

std::vector<TcpSocket> listeners_in(int netns)
{
	return dump(netns, 1 << LISTEN, false);
}

size_t destroy_sockets(int netns, const std::vector<TcpSocket> &sockets)
{
	Netlink netlink(open_socket_in(netns, AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG));
	size_t destroyed = 0;

	for (const TcpSocket &socket : sockets) {
		Request request = destroy_request(socket);
		int error = netlink.request(&request.header, [](const nlmsghdr *) {});
		if (!error)
			destroyed++;
		else if (error != ENOENT && error != ESTALE)
			throw Failure("destroy a TCP socket of a pod", error,
				      error == EOPNOTSUPP ? "This needs the kernel option INET_DIAG_DESTROY." : "");
	}
	return destroyed;
}

}
