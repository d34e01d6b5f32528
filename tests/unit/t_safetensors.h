/* SPDX-License-Identifier: MIT */
/* Model files made by tests: a writer of safetensors, and packers of random matrices for every
 * layout that the weights room reads. The packers are plain loops after the layouts' definitions
 * and share nothing with the decoders. Failures abort the test. */
#ifndef TESTS_UNIT_T_SAFETENSORS_H
#define TESTS_UNIT_T_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "kernels/zk.h"

/* ---- directories -------------------------------------------------------------------------- */

/* A fresh temporary directory (free with t_dir_remove, which removes its files too). */
char *t_dir_new(void);
void t_dir_remove(char *dir);
void t_dir_write(const char *dir, const char *name, const void *bytes, size_t n);
void t_dir_write_text(const char *dir, const char *name, const char *text);
/* The whole file; the caller frees it. */
uint8_t *t_dir_read(const char *dir, const char *name, size_t *ret_n);

/* ---- safetensors -------------------------------------------------------------------------- */

/* A file in the making. */
struct t_st {
    json_t *header;
    uint8_t *data;
    size_t n, cap;
};

void t_st_init(struct t_st *st);
/* Adds a tensor of up to two dimensions (d1 = 0: a vector of d0); bytes are copied. */
void t_st_add(struct t_st *st, const char *name, const char *dtype, uint64_t d0, uint64_t d1,
              const void *bytes, size_t n);
/* The file as bytes (free); header and data as they are, st is emptied. */
uint8_t *t_st_take(struct t_st *st, size_t *ret_n);
/* Writes dir/name and empties st. */
void t_st_write(struct t_st *st, const char *dir, const char *name);

/* ---- matrices ----------------------------------------------------------------------------- */

/* A quantized matrix, one value per element. Column j is in group g_idx[j], or j / group without.
 */
struct t_mat {
    int n, k, group, bits;
    int groups;
    enum zk_type type;
    uint8_t *q;     /* [n][k] */
    uint8_t *zero;  /* [n][groups], or NULL: symmetric */
    void *scale;    /* [n][groups] of type */
    int32_t *g_idx; /* [k] or NULL */
};

/* Random codes and zero points over their whole range (both ends included), scales of 0.001 to
 * 0.1. group 0: the whole row. */
void t_mat_random(struct t_mat *m, int n, int k, int group, int bits, enum zk_type type,
                  bool has_zero, uint32_t seed);
/* Gives it a random activation order. */
void t_mat_shuffle(struct t_mat *m, uint32_t seed);
void t_mat_release(struct t_mat *m);

/* Packs it as module `name`. */
void t_mat_add_ct(struct t_st *st, const char *name, const struct t_mat *m);
void t_mat_add_awq_gemm(struct t_st *st, const char *name, const struct t_mat *m);
void t_mat_add_awq_gemv(struct t_st *st, const char *name, const struct t_mat *m);
/* zeros: "qzeros", or llm-awq's "scaled_zeros". */
void t_mat_add_awq_fast(struct t_st *st, const char *name, const struct t_mat *m,
                        const char *zeros);

/* xorshift32; the state must not be 0. */
uint32_t t_random(uint32_t *state);

#endif
