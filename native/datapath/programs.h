// SPDX-License-Identifier: Apache-2.0
/* The BPF objects, which are part of this library: opened, given their maps, loaded. */
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "fd.h"

struct weir_bpf;

namespace weir
{

/* The hooks that are loaded once (all but the lookup program), and every shared map. */
class Programs
{
public:
	Programs();
	~Programs();
	Programs(const Programs &) = delete;
	Programs &operator=(const Programs &) = delete;

	std::vector<std::string> map_names() const;
	/* Takes over a pinned map; answers what differs from ours, or nothing when it fits. Before load. */
	std::string reuse(const std::string &name, int map);
	void load();
	void pin_maps(const std::string &directory) const;

	int map(const std::string &name) const;
	int program(const std::string &name) const;

	/* A lookup program for one pod, on the same maps. */
	Fd load_lookup(uint64_t cookie, uint32_t slot) const;

private:
	weir_bpf *skeleton;
};

}
