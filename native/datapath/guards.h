// SPDX-License-Identifier: Apache-2.0
/* The origin program on the host side of captured pods' veths, and on the other ports of their bridges. */
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "attachments.h"
#include "interfaces.h"
#include "keys.h"
#include "table.h"

namespace weir
{

class Guards
{
public:
	Guards(Attachments &attachments, int guards, int origin)
		: attachments(attachments), rows("guards", guards), origin(origin)
	{
	}

	struct Guarded {
		uint32_t ifindex;               /* 0: the pod has no veth that ends in this namespace */
		std::string unguarded;          /* why forged packets cannot be dropped; empty when they can */
		std::vector<std::string> fixed; /* what was not as it should be, a sentence each */
	};

	/* Guards the host ends of a pod's veths. Called again, it puts right what is missing. */
	Guarded guard(uint64_t cookie, const struct pod &pod, int netns, const std::vector<Interface> &interfaces);
	void release(uint64_t cookie);
	/* Guards the neighbours of captured pods and no others; answers what was missing. */
	std::vector<std::string> guard_neighbours(const std::vector<Interface> &interfaces);

private:
	/* Answers whether anything was missing. */
	bool ensure(uint32_t ifindex, const struct guard &row);
	void remove(uint32_t ifindex);

	Attachments &attachments;
	Table<uint32_t, struct guard> rows;
	int origin;
};

}
