// SPDX-License-Identifier: Apache-2.0
// What an attacker with CAP_NET_RAW sends past every socket hook, and whether anybody answers.
//
//   spoof syn DEVICE DESTINATION-MAC SOURCE DESTINATION PORT      a bare SYN; prints syn-ack, rst or none
//   spoof claim DEVICE ADDRESS [TARGET]                           "ADDRESS is at my MAC": ARP reply or neighbour advertisement
//
// With --tagged before all that, in two VLAN tags of no VLAN, which the stack takes off again.
// Prints one JSON line. Exit 0 when it could send.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "net.h"

struct wire {
	int fd;
	bool tagged;
	struct sockaddr_ll to;
	uint8_t mac[6];
};

static void die(const char *what)
{
	fprintf(stderr, "spoof: %s: %s\n", what, strerror(errno));
	exit(2);
}

static struct wire open_wire(const char *device)
{
	struct wire wire = { .fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL)) };
	struct ifreq request;
	memset(&request, 0, sizeof(request));
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	if (wire.fd < 0 || ioctl(wire.fd, SIOCGIFHWADDR, &request) != 0)
		die(device);
	memcpy(wire.mac, request.ifr_hwaddr.sa_data, 6);
	wire.to.sll_family = AF_PACKET;
	wire.to.sll_ifindex = (int)if_nametoindex(device);
	wire.to.sll_halen = 6;
	return wire;
}

static void send_frame(struct wire *wire, const char *mac, uint16_t protocol, const void *bytes, size_t length)
{
	unsigned int part[6];
	if (sscanf(mac, "%x:%x:%x:%x:%x:%x", &part[0], &part[1], &part[2], &part[3], &part[4], &part[5]) != 6)
		die(mac);
	for (int i = 0; i < 6; i++)
		wire->to.sll_addr[i] = (uint8_t)part[i];
	uint16_t tags[4] = { 0, htons(ETH_P_8021Q), 0, htons(protocol) };
	uint8_t frame[256];
	size_t prefix = wire->tagged ? sizeof(tags) : 0;
	memcpy(frame, tags, prefix);
	memcpy(frame + prefix, bytes, length);
	wire->to.sll_protocol = htons(wire->tagged ? ETH_P_8021Q : protocol);
	if (sendto(wire->fd, frame, prefix + length, 0, (struct sockaddr *)&wire->to, sizeof(wire->to)) < 0)
		die("cannot send");
}

static uint32_t add(uint32_t sum, const void *bytes, size_t length)
{
	const uint8_t *at = bytes;
	for (; length > 1; at += 2, length -= 2)
		sum += (uint32_t)(at[0] << 8 | at[1]);
	return length ? sum + (uint32_t)(at[0] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

// The address part of a sockaddr and its length.
static const void *raw(const struct sockaddr_storage *endpoint, size_t *length)
{
	*length = endpoint->ss_family == AF_INET ? 4 : 16;
	return endpoint->ss_family == AF_INET ? (const void *)&((const struct sockaddr_in *)endpoint)->sin_addr
					      : (const void *)&((const struct sockaddr_in6 *)endpoint)->sin6_addr;
}

static uint32_t pseudo_header(const struct sockaddr_storage *from, const struct sockaddr_storage *to, uint8_t protocol,
			      size_t payload)
{
	size_t length;
	const void *bytes = raw(from, &length);
	uint32_t sum = add(0, bytes, length);
	bytes = raw(to, &length);
	return add(sum, bytes, length) + protocol + (uint32_t)payload;
}

static size_t ip_header(uint8_t *out, const struct sockaddr_storage *from, const struct sockaddr_storage *to,
			uint8_t protocol, uint8_t hops, size_t payload)
{
	size_t length;
	memset(out, 0, 40);
	if (from->ss_family == AF_INET) {
		struct iphdr *ip = (struct iphdr *)out;
		*ip = (struct iphdr){ .version = 4,
				      .ihl = 5,
				      .ttl = hops,
				      .protocol = protocol,
				      .tot_len = htons((uint16_t)(20 + payload)) };
		memcpy(&ip->saddr, raw(from, &length), 4);
		memcpy(&ip->daddr, raw(to, &length), 4);
		ip->check = fold(add(0, ip, 20));
		return 20;
	}
	struct ip6_hdr *ip = (struct ip6_hdr *)out;
	ip->ip6_flow = htonl(6u << 28);
	ip->ip6_plen = htons((uint16_t)payload);
	ip->ip6_nxt = protocol;
	ip->ip6_hlim = hops;
	memcpy(&ip->ip6_src, raw(from, &length), 16);
	memcpy(&ip->ip6_dst, raw(to, &length), 16);
	return 40;
}

// Waits a second for a TCP answer from PORT to our source port.
static const char *await_answer(int fd, uint16_t port, uint16_t source_port)
{
	uint8_t frame[2048];
	uint64_t until = now_us() + 1000000;
	while (now_us() < until) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		if (poll(&ready, 1, 50) <= 0)
			continue;
		ssize_t n = recv(fd, frame, sizeof(frame), 0);
		size_t header = n > 0 && frame[0] >> 4 == 4 ? 20 : 40;
		if (n < (ssize_t)(header + sizeof(struct tcphdr)))
			continue;
		struct tcphdr *tcp = (struct tcphdr *)(frame + header);
		uint8_t protocol = header == 20 ? frame[9] : frame[6];
		if (protocol != IPPROTO_TCP || ntohs(tcp->source) != port || ntohs(tcp->dest) != source_port)
			continue;
		if (tcp->syn && tcp->ack)
			return "syn-ack";
		if (tcp->rst)
			return "rst";
	}
	return "none";
}

static void send_syn(struct wire *wire, const char *mac, const char *source, const char *destination, int port)
{
	struct sockaddr_storage from, to;
	uint8_t packet[128];
	uint16_t source_port = (uint16_t)(20000 + getpid() % 20000);
	parse_endpoint(source, 0, false, &from);
	parse_endpoint(destination, 0, false, &to);
	size_t header = ip_header(packet, &from, &to, IPPROTO_TCP, 64, sizeof(struct tcphdr));
	struct tcphdr *tcp = (struct tcphdr *)(packet + header);
	*tcp = (struct tcphdr){ .source = htons(source_port),
				.dest = htons((uint16_t)port),
				.seq = htonl(1),
				.doff = 5,
				.syn = 1,
				.window = htons(64000) };
	tcp->check = fold(add(pseudo_header(&from, &to, IPPROTO_TCP, sizeof(*tcp)), tcp, sizeof(*tcp)));
	send_frame(wire, mac, from.ss_family == AF_INET ? ETH_P_IP : ETH_P_IPV6, packet, header + sizeof(*tcp));
	printf("{\"answer\":\"%s\",\"sourcePort\":%u}\n", await_answer(wire->fd, (uint16_t)port, source_port),
	       source_port);
}

static void claim_v4(struct wire *wire, const char *address, const char *target)
{
	struct ether_arp arp = { .ea_hdr = { htons(ARPHRD_ETHER), htons(ETH_P_IP), 6, 4, htons(ARPOP_REPLY) } };
	memcpy(arp.arp_sha, wire->mac, 6);
	inet_pton(AF_INET, address, arp.arp_spa);
	memset(arp.arp_tha, 0xff, 6);
	inet_pton(AF_INET, target ? target : address, arp.arp_tpa);
	send_frame(wire, "ff:ff:ff:ff:ff:ff", ETH_P_ARP, &arp, sizeof(arp));
	arp.ea_hdr.ar_op = htons(ARPOP_REQUEST); // gratuitous, the other way a neighbour entry is overwritten
	inet_pton(AF_INET, address, arp.arp_tpa);
	send_frame(wire, "ff:ff:ff:ff:ff:ff", ETH_P_ARP, &arp, sizeof(arp));
}

static void claim_v6(struct wire *wire, const char *address)
{
	struct {
		struct nd_neighbor_advert advert;
		uint8_t type, units, mac[6];
	} body = { .type = 2, .units = 1 };
	struct sockaddr_storage from, everyone;
	uint8_t packet[128];
	parse_endpoint(address, 0, false, &from);
	parse_endpoint("ff02::1", 0, false, &everyone);
	body.advert.nd_na_hdr.icmp6_type = ND_NEIGHBOR_ADVERT;
	body.advert.nd_na_flags_reserved = ND_NA_FLAG_OVERRIDE;
	inet_pton(AF_INET6, address, &body.advert.nd_na_target);
	memcpy(body.mac, wire->mac, 6);
	body.advert.nd_na_hdr.icmp6_cksum = fold(
		add(pseudo_header(&from, &everyone, IPPROTO_ICMPV6, sizeof(body)), &body, sizeof(body)));
	size_t header = ip_header(packet, &from, &everyone, IPPROTO_ICMPV6, 255, sizeof(body));
	memcpy(packet + header, &body, sizeof(body));
	send_frame(wire, "33:33:00:00:00:01", ETH_P_IPV6, packet, header + sizeof(body));
}

int main(int argc, char **argv)
{
	bool tagged = argc > 1 && strcmp(argv[1], "--tagged") == 0;
	argc -= tagged;
	argv += tagged;
	if (argc == 7 && strcmp(argv[1], "syn") == 0) {
		struct wire wire = open_wire(argv[2]);
		wire.tagged = tagged;
		send_syn(&wire, argv[3], argv[4], argv[5], atoi(argv[6]));
		return 0;
	}
	if ((argc == 4 || argc == 5) && strcmp(argv[1], "claim") == 0) {
		struct wire wire = open_wire(argv[2]);
		wire.tagged = tagged;
		if (strchr(argv[3], ':'))
			claim_v6(&wire, argv[3]);
		else
			claim_v4(&wire, argv[3], argc == 5 ? argv[4] : NULL);
		printf("{\"claimed\":\"%s\"}\n", argv[3]);
		return 0;
	}
	fprintf(stderr, "spoof: see the head of spoof.c\n");
	return 2;
}
