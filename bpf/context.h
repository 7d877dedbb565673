/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
#ifndef WEIR_CONTEXT_H
#define WEIR_CONTEXT_H

#include <stddef.h>

/*
 * Reads a 32-bit context field at its fixed offset. In plain C, clang merges such reads over branches into one read at
 * a computed offset, which the verifier refuses ("dereference of modified ctx ptr").
 */
#define context_word(ctx, field)                                                                \
	({                                                                                      \
		__u32 word;                                                                     \
		asm volatile("%[word] = *(u32 *)(%[base] + %[offset])"                          \
			     : [word] "=r"(word)                                                \
			     : [base] "r"(ctx), [offset] "i"(offsetof(typeof(*(ctx)), field))); \
		word;                                                                           \
	})

#endif
