/* SPDX-License-Identifier: MIT */
/* What bitsandbytes writes beside a 4-bit matrix: a small JSON object. Private to this room. */
#ifndef ZORACD_WEIGHTS_ZW_BNB_H
#define ZORACD_WEIGHTS_ZW_BNB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/zk.h"

struct zc_diag;

#define ZW_BNB_MAX_STATE 4096 /* bytes of such an object */

struct zw_bnb {
    bool is_nf4; /* else fp4: the numbers themselves are in a tensor */
    int block;   /* elements per scale, over the flattened matrix */
    enum zk_type type;
    uint64_t n, k;
    int nested_block; /* scales per scale of theirs; 0: scales are stored as floats */
    float nested_offset;
};

/* Reads the object in n bytes. Every key must be known, of its type and in its range; a block is a
 * power of two from 32 to 4096. */
int zw_bnb_parse(struct zw_bnb *ret_b, const char *p, size_t n, struct zc_diag *dg);

#endif
