/* SPDX-License-Identifier: MIT */
/* A layer from its file to the canonical form of kernels/zk.h. Integers and scales are copied bit
 * for bit; nothing is requantized, but for zw_decode_w8a, which says so. */
#ifndef ZORACD_WEIGHTS_ZW_DECODE_H
#define ZORACD_WEIGHTS_ZW_DECODE_H

#include <stdint.h>

#include "kernels/zk.h"
#include "zoracd/weights/zw_linear.h"
#include "zoracd/weights/zw_read.h"

struct zc_diag;

/* A canonical matrix with the memory it borrows; its table is the layer's. */
struct zw_canon {
    struct zk_canon c;
    void *mem[4]; /* weights, scales, zeros, perm */
};
void zw_canon_release(struct zw_canon *c);

/* Reads and decodes the layer. Thread: any; the memory is the caller's, to be released. */
int zw_decode_linear(struct zw_canon *ret_c, const struct zw_reader *rd, const struct zw_linear *l,
                     struct zc_diag *dg);

/* Reads a plain layer and quantizes it as zw_quantize.h says, a few rows at a time. */
int zw_decode_w8a(struct zw_canon *ret_c, const struct zw_reader *rd, const struct zw_linear *l,
                  struct zc_diag *dg);

/* Gives a symmetric matrix explicit zero points, so that it can join asymmetric ones. */
int zw_decode_fill_zero(struct zw_canon *c, struct zc_diag *dg);

/* Host memory that the canonical form takes, and reading it on the way. */
uint64_t zw_decode_staging(const struct zw_linear *l);

#endif
