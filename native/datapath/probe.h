// SPDX-License-Identifier: Apache-2.0
/* What this kernel can do, found by trying each thing. */
#pragma once

#include <string>
#include <vector>

namespace weir
{

struct Probe {
	std::string feature;
	bool available;
	std::string detail; /* a sentence */
};

std::vector<Probe> probe_kernel();

}
