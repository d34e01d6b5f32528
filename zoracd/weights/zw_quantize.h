/* SPDX-License-Identifier: MIT */
/* The one place of this room that rounds weights: a plain matrix to symmetric 8 bits, for the head.
 * Per row and group of 128 columns: an fp16 scale of absmax / 127 (rounded up where 127 steps would
 * not reach absmax), codes round(w / scale) + 128, no zero points. */
#ifndef ZORACD_WEIGHTS_ZW_QUANTIZE_H
#define ZORACD_WEIGHTS_ZW_QUANTIZE_H

#include <stdint.h>

#include "kernels/zk.h"

struct zc_diag;

#define ZW_W8A_GROUP 128

/* Rows of k columns of type to codes q[rows][k] and scales[rows][ceil(k / 128)]. ZC_EFORMAT: a
 * weight is infinite, not a number, or too large for an fp16 scale. */
int zw_quantize_rows(uint8_t *q, uint16_t *scales, const void *w, enum zk_type type, int rows,
                     int k, struct zc_diag *dg);

/* What zw_decode_w8a makes of an n x k matrix. */
void zw_quantize_desc(struct zk_mat_desc *ret_d, int n, int k);

#endif
