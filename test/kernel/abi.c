// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
// Names everything of bpf/abi.h that somebody restates, so that the compiler writes its layout down as BTF.
#include "abi.h"

struct record record;
struct verdict verdict;
struct verdict_key verdict_key;
struct origin origin;
struct exemption exemption;
struct pod pod;
struct workload workload;
struct guard guard;
enum action action;
enum reason reason;
enum path_kind path_kind;
enum record_kind record_kind;
enum end end;
enum record_flag record_flag;
enum counter counter;
enum workload_flag workload_flag;
