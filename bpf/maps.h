/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Every map: key -> value, who writes it, who reads it. All are pinned by name, so that an agent that starts finds
 * the state of the one before it, and so that the per-pod lookup programs share them.
 */
#ifndef WEIR_MAPS_H
#define WEIR_MAPS_H

#include "abi.h"

#define PINNED __uint(pinning, LIBBPF_PIN_BY_NAME)

/* Network namespace cookie -> captured pod. Written by the datapath; read by every hook. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct pod);
	PINNED;
} pods SEC(".maps") __weak;

/* Address -> who it is. Written by the datapath; read by connect, sockops, lookup and origin. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct address);
	__type(value, struct workload);
	PINNED;
} workloads SEC(".maps") __weak;

/* Service address and port -> endpoint list. Written by the datapath; read by connect. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct service_key);
	__type(value, struct service);
	PINNED;
} services SEC(".maps") __weak;

/* (group, index) -> endpoint. Written by the datapath before the Service row that names the group; read by connect. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct endpoint_key);
	__type(value, struct endpoint);
	PINNED;
} endpoints SEC(".maps") __weak;

/* (client, service) -> endpoint it keeps. Written and read by connect. A lost row is a new choice. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct affinity_key);
	__type(value, struct affinity);
	PINNED;
} affinities SEC(".maps") __weak;

/* Cached verdicts. Written by the node proxy; read by connect, sockops and lookup. A lost row is a miss. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct verdict_key);
	__type(value, struct verdict);
	PINNED;
} verdicts SEC(".maps") __weak;

/* SYNs that may pass. Written by sockops; read by lookup and origin. Never LRU: no pod may evict another's row. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct tuple);
	__type(value, struct admission);
	PINNED;
} admitted SEC(".maps") __weak;

/* Connections on their way to the node proxy. Written by sockops; read by lookup and sockops. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct tuple);
	__type(value, struct origin);
	PINNED;
} redirected SEC(".maps") __weak;

/* Pod slot -> its rows in admitted. Written and read by sockops. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u32);
	PINNED;
} quotas SEC(".maps") __weak;

/* (network namespace cookie, port) -> listening sockets. Written by sockops and the datapath; read by lookup. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct listening_key);
	__type(value, __u32);
	PINNED;
} listening SEC(".maps") __weak;

/* Host-side ifindex -> who is behind it. Written by the datapath; read by origin. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct guard);
	PINNED;
} guards SEC(".maps") __weak;

/* Slot -> the node proxy's listener in a pod's namespace. Written by the node proxy; read by connect and lookup. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 2048);
	__type(key, __u32);
	__type(value, __u64);
	PINNED;
} listeners SEC(".maps") __weak;

/* When the node proxy last said it was alive. Written by the node proxy's own threads; read by connect and lookup. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
	PINNED;
} heartbeat SEC(".maps") __weak;

/* Written by the datapath; read by connect, sockops and lookup. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct settings);
	PINNED;
} settings SEC(".maps") __weak;

/* Written by every hook; read by the datapath. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTER_MAX);
	__type(key, __u32);
	__type(value, __u64);
	PINNED;
} counters SEC(".maps") __weak;

/* struct record. Written by connect and sockops; read by the datapath. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 2 * 1024 * 1024);
	PINNED;
} records SEC(".maps") __weak;

/* Client sockets -> what they dialled. Written by connect; read by peername and sockops. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct dialled);
	PINNED;
} sk_dialled SEC(".maps") __weak;

/* Sockets an app accepted -> who the client is. Written by sockops; read by peername and sockops. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct accepted);
	PINNED;
} sk_accepted SEC(".maps") __weak;

/* Sockets the node proxy accepted -> where they were going. Written by sockops; read by the node proxy by descriptor. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct origin);
	PINNED;
} sk_origin SEC(".maps") __weak;

/* The node proxy's own sockets. Written by the node proxy by descriptor; cloned from its listeners to what they accept. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct exemption);
	PINNED;
} sk_exempt SEC(".maps") __weak;

#endif
