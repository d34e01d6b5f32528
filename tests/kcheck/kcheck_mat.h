/* SPDX-License-Identifier: MIT */
/* Made-up matrices and products: shared by the tests that need one. */
#ifndef TESTS_KCHECK_KCHECK_MAT_H
#define TESTS_KCHECK_KCHECK_MAT_H

#include "tests/kcheck/kcheck.h"

/* A matrix in canonical form, of one part, or two (pairs, or rows of different lengths). */
struct kc_mat {
    struct zk_mat_desc d;
    int n_parts;
    struct zk_canon part[2];
};

/* Memory lives until kc_release. */
void kc_mat_make(struct kc_mat *m, const struct zk_mat_desc *d, enum kc_fill fill);
/* Packed on a device, into guarded memory. */
int kc_mat_pack(struct zk_dev *dev, struct zk_mat *m, const struct kc_mat *src);

/* Sum over the columns of what the roundings of output (row i, activations a of k, in the order of
 * the product, of that kind) live at: |scale| (code + zero) |a| for integer codes, |w| |a| else. */
double kc_mat_magnitude(const struct kc_mat *m, int i, enum zk_act_kind kind, const double *a);
/* How many roundings, at most, an element's chain has. */
double kc_mat_roundings(const struct zk_mat_desc *d, enum zk_act_kind kind);

#endif
