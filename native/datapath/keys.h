// SPDX-License-Identifier: Apache-2.0
/* bpf/abi.h, whose keys compare by their bytes: padding is always spelled out there and always zero. */
#pragma once

#include <cstring>

extern "C" {
#include "abi.h"
}

namespace weir
{

template <typename Row>
bool same(const Row &a, const Row &b)
{
	return !memcmp(&a, &b, sizeof(Row));
}

/* Orders keys in containers. */
template <typename Key>
struct Bytes {
	bool operator()(const Key &a, const Key &b) const { return memcmp(&a, &b, sizeof(Key)) < 0; }
};

}
