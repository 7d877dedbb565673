/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Addresses in one 16-byte form, and which of them are never the mesh's business. */
#ifndef WEIR_ADDRESS_H
#define WEIR_ADDRESS_H

#include "abi.h"

#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

static __always_inline void address_from_ipv4(struct address *address, __u32 ip)
{
	address->word[0] = 0;
	address->word[1] = 0;
	address->word[2] = bpf_htonl(0xffff);
	address->word[3] = ip;
}

static __always_inline bool address_is_ipv4(const struct address *address)
{
	return address->word[0] == 0 && address->word[1] == 0 && address->word[2] == bpf_htonl(0xffff);
}

static __always_inline bool address_is_zero(const struct address *address)
{
	return (address->word[0] | address->word[1] | address->word[2] | address->word[3]) == 0;
}

static __always_inline bool address_equal(const struct address *a, const struct address *b)
{
	return a->word[0] == b->word[0] && a->word[1] == b->word[1] && a->word[2] == b->word[2] &&
	       a->word[3] == b->word[3];
}

static __always_inline bool address_is_loopback(const struct address *address)
{
	if (address_is_ipv4(address))
		return (bpf_ntohl(address->word[3]) >> 24) == 127;
	return address->word[0] == 0 && address->word[1] == 0 && address->word[2] == 0 &&
	       address->word[3] == bpf_htonl(1);
}

static __always_inline bool address_is_link_local(const struct address *address)
{
	if (address_is_ipv4(address))
		return (bpf_ntohl(address->word[3]) >> 16) == 0xa9fe;
	return (bpf_ntohl(address->word[0]) >> 22) == 0x3fa;
}

/* Unspecified (connect() takes it for loopback), loopback, link-local, multicast, broadcast. */
static __always_inline bool address_is_out_of_scope(const struct address *address)
{
	if (address_is_loopback(address) || address_is_link_local(address) || address_is_zero(address))
		return true;
	if (address_is_ipv4(address)) {
		__u32 ip = bpf_ntohl(address->word[3]);
		return ip == 0 || ip >> 28 == 0xe || ip == 0xffffffff;
	}
	return bpf_ntohl(address->word[0]) >> 24 == 0xff;
}

#endif
