// SPDX-License-Identifier: Apache-2.0
#include "pins.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "error.h"
#include "fd.h"

namespace weir
{

namespace
{

constexpr size_t longest_node_name = 253;

/* The BPF file system refuses dots in names; node names are DNS names, which have no underscores. */
std::string directory_name(const std::string &node)
{
	auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; };

	if (node.empty() || node.size() > longest_node_name || !std::all_of(node.begin(), node.end(), allowed))
		throw Failure(
			"use \"" + node + "\" as a node name", 0,
			"A node name is up to 253 lower case letters, digits, dashes and dots, as in Kubernetes.");
	std::string name = node;
	std::replace(name.begin(), name.end(), '.', '_');
	return name;
}

void make_directory(const std::string &path)
{
	if (mkdir(path.c_str(), 0700) && errno != EEXIST)
		throw Failure("make the directory " + path, errno);
}

/* BPFFS/weir/NODE and what is in it. */
void make_directories(const std::string &path)
{
	make_directory(path.substr(0, path.rfind('/')));
	make_directory(path);
	make_directory(path + "/maps");
	make_directory(path + "/links");
}

std::string remove_link(const std::string &path)
{
	Fd link(bpf_obj_get(path.c_str()));

	/* Unpinning is not enough while an agent still holds the link open. */
	if (link)
		bpf_link_detach(link.get());
	if (unlink(path.c_str()) && errno != ENOENT)
		throw Failure("remove " + path, errno);
	return "Detached the program at " + path + ".";
}

std::string remove_map(const std::string &path)
{
	if (unlink(path.c_str()) && errno != ENOENT)
		throw Failure("remove " + path, errno);
	return "Removed the table " + path + ".";
}

}

Pins::Pins(const std::string &node, const std::string &bpffs)
{
	std::string name = directory_name(node);

	mount_bpffs(bpffs);
	final_directory = bpffs + "/weir/" + name;
	staging_directory = bpffs + "/weir/_" + name;
}

void Pins::stage() const
{
	remove_pins(staging_directory);
	make_directories(staging_directory);
}

void Pins::restore() const
{
	make_directories(final_directory);
}

void Pins::commit() const
{
	if (rename(staging_directory.c_str(), final_directory.c_str()))
		throw Failure("rename " + staging_directory + " to " + final_directory, errno);
}

bool exists(const std::string &path)
{
	struct stat found;

	return !stat(path.c_str(), &found);
}

std::vector<std::string> names_in(const std::string &directory)
{
	std::unique_ptr<DIR, int (*)(DIR *)> entries(opendir(directory.c_str()), closedir);
	std::vector<std::string> names;

	if (!entries)
		return names;
	while (const dirent *entry = readdir(entries.get()))
		if (entry->d_name[0] != '.')
			names.emplace_back(entry->d_name);
	return names;
}

std::vector<std::string> remove_pins(const std::string &directory)
{
	std::vector<std::string> removed;

	for (const std::string &name : names_in(directory + "/links"))
		removed.push_back(remove_link(directory + "/links/" + name));
	for (const std::string &name : names_in(directory + "/maps"))
		removed.push_back(remove_map(directory + "/maps/" + name));
	for (const char *part : { "/links", "/maps", "" }) {
		std::string path = directory + part;
		if (rmdir(path.c_str()) && errno != ENOENT)
			throw Failure("remove the directory " + path, errno);
	}
	return removed;
}

std::vector<std::string> uninstall(const std::string &node, const std::string &bpffs)
{
	std::string name = directory_name(node);
	std::vector<std::string> removed = remove_pins(bpffs + "/weir/" + name);
	std::vector<std::string> staged = remove_pins(bpffs + "/weir/_" + name);

	removed.insert(removed.end(), staged.begin(), staged.end());
	rmdir((bpffs + "/weir").c_str()); /* other nodes may still be there */
	return removed;
}

bool mount_bpffs(const std::string &bpffs)
{
	struct statfs found;

	if (!statfs(bpffs.c_str(), &found) && found.f_type == BPF_FS_MAGIC)
		return false;
	make_directory(bpffs);
	if (mount("bpf", bpffs.c_str(), "bpf", 0, "mode=0700"))
		throw Failure("mount the BPF file system at " + bpffs, errno,
			      "Mount it on the host, or run the agent with CAP_SYS_ADMIN.");
	return true;
}

}
