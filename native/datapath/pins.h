// SPDX-License-Identifier: Apache-2.0
/*
 * Where a node's kernel state lives in the BPF file system:
 *
 *   BPFFS/weir/NODE/maps/NAME   every map of bpf/maps.h, and `agent`, which is ours alone
 *   BPFFS/weir/NODE/links/NAME  connect4 ..., lookup-COOKIE, origin-IFINDEX
 *   BPFFS/weir/_NODE            the same while a first start is under way; one rename makes it real
 */
#pragma once

#include <string>
#include <vector>

namespace weir
{

constexpr const char *default_bpffs = "/sys/fs/bpf";

class Pins
{
public:
	/* Checks the node's name and mounts the BPF file system where it is not. */
	Pins(const std::string &node, const std::string &bpffs);

	const std::string & final() const { return final_directory; }
	const std::string &staging() const { return staging_directory; }

	/* Makes an empty staging directory; what an interrupted start left there goes. */
	void stage() const;
	/* Turns the staging directory into the final one. */
	void commit() const;
	/* Makes the final directories again where somebody removed them. */
	void restore() const;

private:
	std::string final_directory;
	std::string staging_directory;
};

bool exists(const std::string &path);
std::vector<std::string> names_in(const std::string &directory);

/* Detaches the links and removes the maps pinned in a directory; answers what was removed, a sentence each. */
std::vector<std::string> remove_pins(const std::string &directory);

/* Removes everything of a node, whether or not its agent runs. */
std::vector<std::string> uninstall(const std::string &node, const std::string &bpffs);

/* Mounts a BPF file system unless there is one; answers whether it had to. */
bool mount_bpffs(const std::string &bpffs);

}
