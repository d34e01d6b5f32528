/* SPDX-License-Identifier: MIT */
/* Canonical matrices: what is checked of them, how their values read, and the packed layout that
 * every CPU variant shares. Internal to the kernels.
 *
 * Packed layout. Rows are cut into tiles of 16; a tile is one contiguous panel, aligned to 64:
 *   W4A  scales [G][16]; with has_zero, zeros [G][8]: row j low, row j+8 high; then, at a multiple
 *        of 64, codes [kp/32][4][16][4]: byte (c, i, e) of a block of 32 columns holds column
 *        4c+e of row i in its low nibble and column 4(c+4)+e in its high one, so that a 32-bit
 *        lane is four consecutive columns of one row
 *   W8A  scales [G][16]; zeros [G][16]; codes [kp/32][8][16][4]: column 4c+e of row i
 *   W4L  as W4A without zeros, scales float; behind the last panel, one struct zk_table
 *   W8F  scales [G][16], float; codes [kp][16]
 *   W16  [k][16] halves; W32 [k][16] floats
 * kp is k rounded up to 32. What is not there (rows past n, columns past k) has code 0 and scale 0.
 * JOIN_PAIRS: tiles alternate, 16 rows of the first part, the same 16 of the second. */
#ifndef KERNELS_ZK_PACK_H
#define KERNELS_ZK_PACK_H

#include "kernels/zk.h"

#define ZK_TILE 16 /* rows of a panel */

struct zk_table {
    float value[16];
    float unit; /* of code */
    int8_t code[16];
    uint8_t padding[44];
};

struct zk_layout {
    int kp;     /* columns with padding */
    int groups; /* G */
    int group;  /* columns per scale, at most kp */
    int tiles;
    int scale_size; /* bytes of one scale */
    size_t zeros;   /* offset in the panel, after the scales; 0: constant */
    size_t codes;   /* offset in the panel */
    size_t panel;   /* bytes of a panel */
    size_t table;   /* offset in data, 0: none */
    size_t perm;    /* offset in data, 0: none */
    size_t bytes;   /* of everything */
};

/* Whether a form has codes and scales; zeros, too; the type of its scales, or of its numbers. */
bool zk_form_is_coded(enum zk_form form);
bool zk_form_is_affine(enum zk_form form);
enum zk_type zk_scale_type(const struct zk_mat_desc *d);

/* The layout of a described matrix; ZC_EINVAL if the description is none that we pack. */
int zk_layout_init(struct zk_layout *lo, const struct zk_mat_desc *d, struct zc_diag *dg);

/* Whether the parts make up d, and their codes and permutation are in range. */
int zk_parts_check(const struct zk_mat_desc *d, const struct zk_canon *parts, int n_parts,
                   struct zc_diag *dg);
/* The part that holds a row of the joined matrix, and the row's number in it. */
const struct zk_canon *zk_parts_row(const struct zk_canon *parts, int row, int *ret_i);
/* Element (i, j) of a part, as a float rounded once. */
float zk_canon_at(const struct zk_canon *c, int i, int j);
/* Element i of an array of 16-bit or 32-bit floats. */
float zk_load(const void *p, enum zk_type type, size_t i);
size_t zk_type_size(enum zk_type type);

/* mat_pack and mat_unpack_row of the CPU variants. */
int zk_pack(struct zk_mat *m, const struct zk_canon *parts, int n_parts, struct zc_diag *dg);
int zk_unpack_row(const struct zk_mat *m, int row, float *w);

#endif
