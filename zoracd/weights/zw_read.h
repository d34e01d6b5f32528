/* SPDX-License-Identifier: MIT */
/* Reading tensors: vectors as floats, and long stretches in pieces that somebody watches. */
#ifndef ZORACD_WEIGHTS_ZW_READ_H
#define ZORACD_WEIGHTS_ZW_READ_H

#include <stddef.h>
#include <stdint.h>

#include "zoracd/weights/zw_store.h"

struct zc_diag;

#define ZW_READ_PIECE (4u << 20)

/* Where bytes come from and who is told. step (NULL allowed) hears of each piece of at most
 * ZW_READ_PIECE bytes that was read; its negative value ends the reading. */
struct zw_reader {
    const struct zw_store *store;
    int (*step)(uint64_t bytes, void *arg, struct zc_diag *dg);
    void *arg;
};

/* zw_store_read in pieces, the system being told of the piece behind. Of a tensor of
 * floats, off and len are whole ones, and what is infinite or not a number is ZC_EFORMAT. Errors
 * name the tensor. */
int zw_read_range(const struct zw_reader *rd, const struct zw_tensor *t, uint64_t off, void *dst,
                  uint64_t len, struct zc_diag *dg);

/* n * size bytes for weights on their way, in huge pages where the system has them (zc_free).
 * `what` is named if there is no memory. */
int zw_read_alloc(void **ret_p, size_t n, size_t size, const char *what, struct zc_diag *dg);

/* The whole tensor into memory that is the caller's (zc_free). */
int zw_read_all(const struct zw_reader *rd, const struct zw_tensor *t, void **ret_p,
                struct zc_diag *dg);

/* Reads a plain tensor of n elements (16 or 32 bits; its shape is exactly [n]) as floats: norms,
 * biases. ZC_ENOTFOUND if there is none. */
int zw_read_vector(float *dst, const struct zw_store *s, const char *name, uint64_t n,
                   struct zc_diag *dg);

#endif
