/* SPDX-License-Identifier: MIT */
/* Sizes as people write them, the same on every command line and in every file. Any thread. */
#ifndef COMMON_ZC_SIZE_H
#define COMMON_ZC_SIZE_H

#include <stdint.h>

/* Bytes of "6GiB": digits, then nothing, or KiB, MiB, GiB or TiB, or the first letter of these, in
 * either case. ZC_EINVAL: it is none, or over 64 bits. */
int zc_size_parse(const char *text, uint64_t *ret_bytes);

#endif
