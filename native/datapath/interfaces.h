// SPDX-License-Identifier: Apache-2.0
/* Network interfaces of the agent's own namespace: which belong to a pod, and which share a bridge with them. */
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weir
{

struct Interface {
	uint32_t index;
	std::string name;
	std::string kind;       /* "veth", "bridge", ...; empty for hardware */
	uint32_t master;        /* index of its bridge; 0 without */
	int32_t peer_namespace; /* id of the namespace that has its other end; -1 when that is here or nowhere */
};

std::vector<Interface> list_interfaces();

/* The id by which this namespace knows another one; -1 when no interface leads there. */
int32_t namespace_id(int netns);

}
