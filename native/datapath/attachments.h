// SPDX-License-Identifier: Apache-2.0
/* The pinned BPF links of a node: which program runs at which hook. */
#pragma once

#include <linux/bpf.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "fd.h"

namespace weir
{

/* Linux 6.6; the headers of Debian 12 do not know it. */
constexpr auto attach_type_tcx_ingress = static_cast<bpf_attach_type>(46);

class Attachments
{
public:
	explicit Attachments(std::string directory) : directory(std::move(directory)) {}

	/* Opens every link that is pinned in the directory. */
	void adopt();
	/* The directory was renamed. */
	void moved(std::string to) { directory = std::move(to); }

	/*
	 * Makes `program` run at the hook under this name: a live link is swapped to it in place, a missing or dead one
	 * made anew. `target` is a descriptor of the cgroup or namespace, or the interface's index for tcx.
	 */
	void put(const std::string &name, int program, int target, bpf_attach_type type);
	/* Swaps a live link to another program, answers whether it was alive. */
	bool update(const std::string &name, int program);
	void remove(const std::string &name);

	/* Attached to something that exists. */
	bool alive(const std::string &name) const;
	/* The id of the program that runs there; 0 when there is none. */
	uint32_t program(const std::string &name) const;
	/* Alive, pinned, and running the program with this id. */
	bool in_place(const std::string &name, uint32_t program) const;
	std::vector<std::string> names(const std::string &prefix = "") const;
	bool has(const std::string &name) const { return links.contains(name); }

private:
	bool pinned(const std::string &name) const;
	std::string path(const std::string &name) const { return directory + "/" + name; }
	void pin(const std::string &name);

	std::string directory;
	std::map<std::string, Fd> links;
};

uint32_t program_id(int program);

/*
 * Swaps a set of live links to new programs, and all of them back unless it is told that everything went well. Links
 * whose hook is gone are left alone.
 */
class Swap
{
public:
	explicit Swap(Attachments &attachments) : attachments(attachments) {}
	~Swap();
	Swap(const Swap &) = delete;
	Swap &operator=(const Swap &) = delete;

	/* Answers whether there was a live link. */
	bool to(const std::string &name, int program);
	void commit() { undo.clear(); }

private:
	Attachments &attachments;
	std::vector<std::pair<std::string, Fd>> undo;
};

}
