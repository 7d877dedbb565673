// SPDX-License-Identifier: Apache-2.0
#include "cgroup.h"

#include <fcntl.h>

#include <cerrno>
#include <fstream>
#include <sstream>

#include "error.h"

namespace weir
{

/* A line: 41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:1 - cgroup2 cgroup2 rw */
std::string find_cgroup_root()
{
	std::ifstream mounts("/proc/self/mountinfo");
	std::string line;

	while (std::getline(mounts, line)) {
		size_t type = line.find(" - cgroup2 ");
		if (type == std::string::npos)
			continue;
		std::istringstream fields(line);
		std::string id, parent, device, root, where;
		fields >> id >> parent >> device >> root >> where;
		if (root == "/")
			return where;
	}
	return "";
}

Fd open_cgroup_root()
{
	std::string root = find_cgroup_root();

	if (root.empty())
		throw Failure("find the cgroup2 root", 0,
			      "No cgroup2 file system is mounted; mount one, for example at /sys/fs/cgroup/unified.");
	Fd cgroup(open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (!cgroup)
		throw Failure("open the cgroup2 root " + root, errno);
	return cgroup;
}

}
