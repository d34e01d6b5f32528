/* SPDX-License-Identifier: MIT */
/* One linear layer as a checkpoint stores it, whatever the packer was: found, and every shape and
 * dtype checked against the others, the configuration and the architecture. Decoding: zw_decode.h.
 */
#ifndef ZORACD_WEIGHTS_ZW_LINEAR_H
#define ZORACD_WEIGHTS_ZW_LINEAR_H

#include <stdint.h>

#include "kernels/zk.h"
#include "zoracd/weights/zw_bnb.h"
#include "zoracd/weights/zw_quant.h"
#include "zoracd/weights/zw_store.h"

struct zc_diag;

#define ZW_MAX_PARTS 3

/* Enough to plan the memory of a layer. Tensors are borrowed from the store. */
struct zw_linear {
    char name[192]; /* module path, without .weight */
    enum zw_layout layout;
    struct zk_mat_desc desc; /* of this part alone; join ROWS */
    const struct zw_tensor *weight, *scale, *zero, *g_idx, *bias; /* NULL where absent */
    /* BNB: its state, the numbers of the codes, and of scales that are codes themselves their
     * scales and numbers */
    struct zw_bnb bnb;
    float table[16];
    const struct zw_tensor *nested_scale, *nested_table;
    int block_rows, block_cols; /* FP8: of weights with a common scale, cut off at n and k */
    uint64_t file_bytes;        /* that decoding reads: all but the bias */
};

/* Finds the tensors of module `name` (the whole path, as the file and the ignore lists spell it),
 * checks every shape and dtype against the others, against the configuration and against n, k (what
 * the architecture asks). ZC_ENOTFOUND if no such module. A tied head is probed as the embedding's
 * module: plain. Beyond headers it reads weight_shape, quant_state, quant_map and g_idx: an order
 * that changes nothing is no order (g_idx NULL). */
int zw_linear_probe(struct zw_linear *ret_l, const struct zw_store *s, const struct zw_quant *q,
                    const char *name, int n, int k, struct zc_diag *dg);

/* The description of the matrix that 1 .. ZW_MAX_PARTS parts make together. ZC_EUNSUPPORTED if they
 * cannot be one (another form, k, group, type or table; or an activation order, which each part has
 * for itself): then the caller keeps them apart. A symmetric part joins asymmetric ones. */
int zw_linear_join(struct zk_mat_desc *ret_d, const struct zw_linear *const *parts, int n_parts,
                   enum zk_join join, struct zc_diag *dg);

#endif
