// SPDX-License-Identifier: Apache-2.0
#include "listening.h"

#include "sockdiag.h"

namespace weir
{

namespace
{

constexpr int seed_attempts = 5;

listening_key key_of(uint64_t cookie, uint16_t port)
{
	listening_key key = {};

	key.netns = cookie;
	key.port = port;
	return key;
}

uint32_t sockets_on(const Listening::Ports &ports, uint16_t port)
{
	auto found = ports.find(port);

	return found == ports.end() ? 0 : found->second;
}

}

/* A socket may start or stop listening between looking and writing, so look until twice the same was seen. */
void Listening::seed(uint64_t cookie, uint32_t slot, int netns)
{
	Ports written;

	for (int attempt = 0; attempt < seed_attempts; attempt++) {
		Ports now = truth(slot, netns);
		if (attempt > 0 && now == written)
			return;
		for (const auto &[port, sockets] : written)
			if (!now.contains(port))
				write(cookie, port, 0);
		for (const auto &[port, sockets] : now)
			write(cookie, port, sockets);
		written = now;
	}
}

std::map<uint64_t, Listening::Ports> Listening::all() const
{
	std::map<uint64_t, Ports> found;

	for (const auto &[key, sockets] : rows.rows())
		found[key.netns][key.port] = sockets;
	return found;
}

std::vector<uint16_t> Listening::repair(uint64_t cookie, uint32_t slot, int netns, const Ports &before)
{
	std::vector<uint16_t> missing;
	Ports first = truth(slot, netns);

	if (first == before)
		return missing;
	/* Only what is wrong twice is wrong: sockops may have been between two writes. */
	Ports second = truth(slot, netns);
	Ports either = before;
	either.insert(second.begin(), second.end());
	for (const auto &[port, sockets] : either) {
		uint32_t now = sockets_on(second, port);
		uint32_t row = rows.get(key_of(cookie, port)).value_or(0);
		if (now == row || now != sockets_on(first, port) || row != sockets_on(before, port))
			continue;
		if (!row)
			missing.push_back(port);
		write(cookie, port, now);
	}
	return missing;
}

void Listening::remove(uint64_t cookie)
{
	for (const auto &[key, sockets] : rows.rows())
		if (key.netns == cookie)
			rows.remove(key);
}

/* The node proxy's listeners are nobody's business; they are those in the pod's slots. */
Listening::Ports Listening::truth(uint32_t slot, int netns) const
{
	uint64_t ipv4 = slots.get(2 * slot).value_or(0);
	uint64_t ipv6 = slots.get(2 * slot + 1).value_or(0);
	Ports ports;

	for (const TcpSocket &socket : listeners_in(netns))
		if (socket.connection != ipv4 && socket.connection != ipv6)
			ports[socket.local_port]++;
	return ports;
}

void Listening::write(uint64_t cookie, uint16_t port, uint32_t sockets)
{
	if (sockets)
		rows.put(key_of(cookie, port), sockets);
	else
		rows.remove(key_of(cookie, port));
}

}
