/* SPDX-License-Identifier: MIT */
/* The layout in which matrices lie on the device, for products by tensor cores, and the launchers
 * of the kernels that read it. Host code; included by C and by .cu files.
 *
 * The weights are the 16-row operand of mma.m16n8k16, the rows of activations its 8 columns: so
 * one row of activations wastes an eighth of what it would as the 16-row operand.
 *
 * Panels and blocks. The rows of the matrix (after joining, see "rows") are cut into panels of 64
 * (W4A, W4L), 32 (W8A, W8F) or 16 (W16) rows; the columns into blocks of 128, the last filled up. A
 * block of a panel is 4096 bytes of codes in every form: the unit that a warp fetches and
 * multiplies. A panel is first the codes of its blocks in order, then their metas, padded to 128
 * bytes.
 *
 * Codes of a block: for every 16 rows i of the panel and every 16-byte vector v, 32 lanes of 16
 * bytes: offset (i * V + v) * 512 + lane * 16, V = 2 (4 bits), 4 (8 bits), 8 (16 bits). So a warp
 * reads 512 consecutive bytes with one 16-byte load per lane. What they are: the 128 columns are 8
 * steps (one mma each); lane = 4 g + q holds of step s the operand registers r = 0..3, half h = 0,
 * 1:
 *
 *     row    16 i + g + 8 (r & 1)
 *     column 32 (s / 2) + 8 q + 4 (s & 1) + 2 (r >> 1) + h
 *
 * The instruction would put other columns there; the order of columns inside a product does not
 * matter as long as both operands agree, and in this one the activations that a lane needs for two
 * steps are 8 consecutive numbers of one row: 16 bytes, straight from memory into the registers.
 *
 *     W4A  word s % 4 of vector s / 4; nibble r + 4 h (0 is the lowest). So word & 0x000f000f is
 *          register 0, & 0x00f000f0 register 1, and the same of word >> 8 registers 2 and 3
 *     W4L  the same word; nibble 2 r + h
 *     W8A, W8F  word 2 (s % 2) + (r >> 1) of vector s / 2; byte (r & 1) + 2 h
 *     W16  word r of vector s; half h
 *
 * Meta of a block (not W16): 1, 2 or 4 sets, for 128, 64 or 32 columns each (the largest that
 * divides the group; a group of more than 128 columns repeats its set in every block). A set:
 * scales as given (2 bytes, or floats), then, with has_zero, zeros. Of a panel of 16 I rows, the
 * scale of row 16 i + g + 8 b is number 2 (I g + i) + b: a lane's side by side. Zeros, W4A: byte I
 * g + i, b = 0 in the low nibble; W8A: byte 2 (I g + i) + b. All scales of a block come before all
 * zeros.
 *
 * Rows. JOIN_ROWS: as given. JOIN_PAIRS: row i of the first part is at 16 (i / 8) + i % 8, that of
 * the second 8 further: a lane of an accumulator has gate and up of the same output.
 *
 * Table of W4L: behind the last panel the 16 floats, then, for products, the 16 low bytes and the
 * 16 high bytes of them rounded to the type of the activations.
 *
 * What is not there (rows past n, columns past k) has code 0, scale 0 and zero 0. */
#ifndef KERNELS_CUDA_ZKC_MM_H
#define KERNELS_CUDA_ZKC_MM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#include "kernels/zk.h"
#ifdef __cplusplus
}
#endif

#define ZKC_MM_K     128  /* columns of a block */
#define ZKC_MM_CODES 4096 /* bytes of its codes */

struct zkc_mm_layout {
    enum zk_form form;
    enum zk_type type;
    int n, k; /* as in the description */
    bool pairs, has_zero;
    int panel;      /* rows of a panel */
    int panels;     /* of the matrix */
    int blocks;     /* of a panel */
    int sets;       /* of a block; 0: W16 */
    int scale_size; /* bytes */
    int zero_off;   /* of the zeros in a meta */
    int meta;       /* bytes of a meta, a multiple of 16 */
    size_t panel_bytes;
    size_t table; /* W4L: where it begins; else the end of the panels, too */
    size_t bytes; /* of all; an activation order is not in them */
};

#ifdef __cplusplus
extern "C" {
#endif

/* Whether this layout takes the matrix: every form but W32, with groups as in zk.h; and if so, its
 * layout. ZC_EUNSUPPORTED for others and for sides out of range. */
int zkc_mm_layout_init(struct zkc_mm_layout *ret_lo, const struct zk_mat_desc *d);

/* Where row i of the joined matrix lies: its number among all rows of all panels. */
int zkc_mm_row(const struct zkc_mm_layout *lo, int i);

/* The reference packer, on the host: parts (checked by the caller) to dst of lo->bytes. EXACT. */
void zkc_mm_pack(const struct zkc_mm_layout *lo, const struct zk_canon *parts, uint8_t *dst);

#define ZKC_MM_TABLE 96 /* bytes of a table */

/* The table of a W4L matrix to dst of ZKC_MM_TABLE bytes. */
void zkc_mm_pack_table(const struct zkc_mm_layout *lo, const float *table, uint8_t *dst);

/* Row i of a packed matrix as floats, (q - zero) * scale or value * scale rounded once; w[k] in the
 * order of the packed columns. In host memory: panel, number zkc_mm_row(lo, i) / lo->panel; table,
 * the 16 floats of W4L, or NULL. */
void zkc_mm_unpack_row(const struct zkc_mm_layout *lo, const uint8_t *panel, const float *table,
                       int i, float *w);

#ifdef __cplusplus
}
#endif

#endif
