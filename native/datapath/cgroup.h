// SPDX-License-Identifier: Apache-2.0
/* The root of the cgroup2 hierarchy, which every process of the machine is under. */
#pragma once

#include <string>

#include "fd.h"

namespace weir
{

/* Where cgroup2 is mounted, by /proc/self/mountinfo; empty when nowhere. */
std::string find_cgroup_root();

Fd open_cgroup_root();

}
