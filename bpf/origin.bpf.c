// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * What comes out of a pod, on the host side of its veth: only its own address as the source, only SYNs that a connect
 * hook saw, only ARP and ND claims that are true. On the other ports of its bridge: no address of a captured pod.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "address.h"
#include "counter.h"
#include "maps.h"

char LICENSE[] SEC("license") = "GPL";

#define TC_ACT_UNSPEC -1 /* the next program, or the stack */
#define TC_ACT_SHOT 2
#define NEXTHDR_HOP 0
#define NEXTHDR_TCP 6
#define NEXTHDR_ROUTING 43
#define NEXTHDR_FRAGMENT 44
#define NEXTHDR_ICMP 58
#define NEXTHDR_DEST 60
#define EXTENSION_HEADERS_MAX 6
#define ND_ROUTER_ADVERTISEMENT 134
#define ND_NEIGHBOUR_ADVERTISEMENT 136
#define ND_REDIRECT 137
#define ARP_SENDER_IP 14
#define VLAN_ID_MASK 0xfff
#define ND_TARGET 8
#define TCP_SYN 0x02
#define TCP_ACK 0x10

struct packet {
	struct __sk_buff *skb;
	const struct guard *guard;
	struct tuple tuple;
	__u32 transport; /* offset of the transport header */
	__u8 protocol;
	bool fragment; /* not the first */
};

static __always_inline int drop(__u32 counter)
{
	count(counter);
	return TC_ACT_SHOT;
}

/* A pod may use its own addresses; a neighbour any but a captured pod's. */
static __always_inline bool owns(const struct guard *guard, const struct address *address)
{
	struct workload *workload;

	if (guard->workload && !address_is_zero(address) &&
	    (address_equal(address, &guard->ipv4) || address_equal(address, &guard->ipv6)))
		return true;
	workload = bpf_map_lookup_elem(&workloads, address);
	if (guard->workload)
		return workload && workload->workload == guard->workload;
	return !workload || !(workload->flags & WORKLOAD_LOCAL) || !(workload->flags & WORKLOAD_CAPTURED);
}

static __always_inline int check_arp(struct __sk_buff *skb, const struct guard *guard)
{
	struct address sender;
	__u32 ip;

	if (bpf_skb_load_bytes(skb, ETH_HLEN + ARP_SENDER_IP, &ip, sizeof(ip)))
		return drop(COUNTER_NEIGHBOUR_SPOOFED);
	address_from_ipv4(&sender, ip);
	return ip == 0 || owns(guard, &sender) ? TC_ACT_UNSPEC : drop(COUNTER_NEIGHBOUR_SPOOFED);
}

static __always_inline int check_nd(struct packet *packet)
{
	struct address target;
	__u8 type;

	if (bpf_skb_load_bytes(packet->skb, packet->transport, &type, sizeof(type)))
		return TC_ACT_UNSPEC;
	if (packet->guard->workload && (type == ND_ROUTER_ADVERTISEMENT || type == ND_REDIRECT))
		return drop(COUNTER_NEIGHBOUR_SPOOFED);
	if (type != ND_NEIGHBOUR_ADVERTISEMENT)
		return TC_ACT_UNSPEC;
	if (bpf_skb_load_bytes(packet->skb, packet->transport + ND_TARGET, &target, sizeof(target)))
		return drop(COUNTER_NEIGHBOUR_SPOOFED);
	if (address_is_link_local(&target) || owns(packet->guard, &target))
		return TC_ACT_UNSPEC;
	return drop(COUNTER_NEIGHBOUR_SPOOFED);
}

/* A SYN that no connect hook saw comes from a raw socket, a nested namespace or a virtual machine. */
static __always_inline int check_syn(struct packet *packet)
{
	struct tuple *tuple = &packet->tuple;
	struct workload *destination;
	struct {
		__u16 source_port;
		__u16 destination_port;
		__u8 numbers[9];
		__u8 flags;
	} head;

	if (bpf_skb_load_bytes(packet->skb, packet->transport, &head, sizeof(head)))
		return drop(COUNTER_ORIGIN_UNKNOWN_SYN); /* a header cut in two would hide its flags */
	if ((head.flags & (TCP_SYN | TCP_ACK)) != TCP_SYN)
		return TC_ACT_UNSPEC;
	tuple->source_port = bpf_ntohs(head.source_port);
	tuple->destination_port = bpf_ntohs(head.destination_port);
	destination = bpf_map_lookup_elem(&workloads, &tuple->destination);
	tuple->netns = destination && destination->netns ? destination->netns : packet->guard->netns;
	return bpf_map_lookup_elem(&admitted, tuple) ? TC_ACT_UNSPEC : drop(COUNTER_ORIGIN_UNKNOWN_SYN);
}

static __always_inline int check_source(struct packet *packet)
{
	const struct address *source = &packet->tuple.source;

	if (!owns(packet->guard, source)) {
		bool nd = packet->protocol == NEXTHDR_ICMP &&
			  (address_is_zero(source) || address_is_link_local(source));

		if (!nd && !(address_is_link_local(source) && !address_is_ipv4(source)))
			return drop(COUNTER_ORIGIN_SPOOFED);
	}
	if (packet->fragment)
		return TC_ACT_UNSPEC;
	if (packet->protocol == NEXTHDR_ICMP)
		return check_nd(packet);
	if (packet->protocol == NEXTHDR_TCP && packet->guard->workload)
		return check_syn(packet);
	return TC_ACT_UNSPEC;
}

static __always_inline int check_ipv4(struct packet *packet)
{
	struct iphdr ip;

	if (bpf_skb_load_bytes(packet->skb, ETH_HLEN, &ip, sizeof(ip)))
		return drop(COUNTER_ORIGIN_SPOOFED);
	address_from_ipv4(&packet->tuple.source, ip.saddr);
	address_from_ipv4(&packet->tuple.destination, ip.daddr);
	packet->protocol = ip.protocol == NEXTHDR_ICMP ? 0 : ip.protocol; /* ICMPv6 over IPv4 is nothing */
	packet->fragment = (bpf_ntohs(ip.frag_off) & 0x1fff) != 0;
	packet->transport = ETH_HLEN + ip.ihl * 4;
	return check_source(packet);
}

static __always_inline int check_ipv6(struct packet *packet)
{
	struct ipv6hdr ip;

	if (bpf_skb_load_bytes(packet->skb, ETH_HLEN, &ip, sizeof(ip)))
		return drop(COUNTER_ORIGIN_SPOOFED);
	__builtin_memcpy(&packet->tuple.source, &ip.saddr, sizeof(struct address));
	__builtin_memcpy(&packet->tuple.destination, &ip.daddr, sizeof(struct address));
	packet->protocol = ip.nexthdr;
	packet->transport = ETH_HLEN + sizeof(ip);
	for (int i = 0; i < EXTENSION_HEADERS_MAX; i++) {
		struct {
			__u8 next;
			__u8 length;
			__u16 offset; /* fragment header only */
		} extension;

		if (packet->protocol != NEXTHDR_HOP && packet->protocol != NEXTHDR_ROUTING &&
		    packet->protocol != NEXTHDR_DEST && packet->protocol != NEXTHDR_FRAGMENT)
			return check_source(packet);
		if (bpf_skb_load_bytes(packet->skb, packet->transport, &extension, sizeof(extension)))
			return drop(COUNTER_ORIGIN_SPOOFED);
		if (packet->protocol == NEXTHDR_FRAGMENT) {
			packet->fragment = (bpf_ntohs(extension.offset) & 0xfff8) != 0;
			packet->transport += 8;
		} else {
			packet->transport += (extension.length + 1) * 8;
		}
		packet->protocol = extension.next;
		if (packet->fragment)
			return check_source(packet);
	}
	return drop(COUNTER_ORIGIN_SPOOFED); /* nobody needs that many */
}

SEC("tc")
int weir_origin(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex;
	struct guard *guard = bpf_map_lookup_elem(&guards, &ifindex);
	struct packet packet = { .skb = skb, .guard = guard };

	if (!guard)
		return TC_ACT_UNSPEC;
	switch (bpf_ntohs(skb->protocol)) {
	case ETH_P_ARP:
		return check_arp(skb, guard);
	case ETH_P_IP:
		return check_ipv4(&packet);
	case ETH_P_IPV6:
		return check_ipv6(&packet);
	case ETH_P_8021Q:
	case ETH_P_8021AD:
		/* A second tag. After a first one of no VLAN the stack takes it off, too, and sees what we did not. */
		return skb->vlan_tci & VLAN_ID_MASK ? TC_ACT_UNSPEC : drop(COUNTER_ORIGIN_SPOOFED);
	default:
		return TC_ACT_UNSPEC;
	}
}
