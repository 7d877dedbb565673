// SPDX-License-Identifier: Apache-2.0
/* Which ports of captured pods have listeners. sockops keeps the rows; here they get seeded and held to the truth. */
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "keys.h"
#include "table.h"

namespace weir
{

class Listening
{
public:
	using Ports = std::map<uint16_t, uint32_t>; /* port -> listening sockets */

	Listening(int listening, int listeners) : rows("listening", listening), slots("listeners", listeners) {}

	/* Writes the rows of a pod that has just been captured. */
	void seed(uint64_t cookie, uint32_t slot, int netns);
	/* Every row, by cookie. */
	std::map<uint64_t, Ports> all() const;
	/* Puts rows right; answers the ports that had a listener and no row, whose clients were refused. */
	std::vector<uint16_t> repair(uint64_t cookie, uint32_t slot, int netns, const Ports &before);
	void remove(uint64_t cookie);

private:
	Ports truth(uint32_t slot, int netns) const;
	void write(uint64_t cookie, uint16_t port, uint32_t sockets);

	Table<listening_key, uint32_t> rows;
	Table<uint32_t, uint64_t> slots; /* of a SOCKMAP: reading one answers the socket's cookie */
};

}
