/* SPDX-License-Identifier: MIT */
/* Inside of the CPU back-end: the device, the pool, and the table of what is compiled once per
 * instruction set. Internal to the kernels.
 *
 * Two layers. The operations of zk.h (zk_cpu.c, zk_matmul.c, zk_attn.c) cut the work among the
 * threads and walk over it; they are compiled once, for any processor. The loops that cost time
 * are struct zk_isa's, compiled per instruction set from zk_elem.c, zk_f32.c, zk_attn_v.c (written
 * in zk_simd.h) and one zk_q8_*.c each. Whatever the cut, a result's bits are the same: each is
 * computed by one thread with one order of operations. */
#ifndef KERNELS_CPU_ZK_CPU_H
#define KERNELS_CPU_ZK_CPU_H

#include <stdatomic.h>

#include "common/zc_err.h"
#include "kernels/zk.h"
#include "kernels/zk_pack.h"

/* Rows of prepared activations lie in groups of 16 (the last group has what is left):
 *   Q8   per group [kp/32] chunks: int8 [w][32], float d [w], float d * sum of the int8 [w]
 *   F32  row-major, kp floats a row, zeros past k */
#define ZK_ROW_GROUP 16
#define ZK_Q8_BYTES  (ZK_ACT_BLOCK + 2 * (int)sizeof(float)) /* of one row in a chunk */
#define ZK_MAX_BLOCK 256 /* rows that a panel is multiplied with in one go */
#define ZK_STRETCH   256 /* positions whose softmax is computed together */
#define ZK_ATTN_TILE 16  /* queries (rows x heads of a kv head) that are */

struct zk_panel {
    const uint8_t *scales, *zeros, *codes; /* zeros: NULL for a constant */
    const struct zk_table *table;          /* W4L */
    const struct zk_layout *lo;
    enum zk_form form;
    enum zk_type type; /* of scales, or of W16's numbers */
    int k;
};

/* Queries that look at one kv head in one stretch. */
struct zk_attn_tile {
    int n;                        /* <= ZK_ATTN_TILE */
    const float *q[ZK_ATTN_TILE]; /* [D] */
    int pos[ZK_ATTN_TILE];
    int first, last; /* the least visible and the greatest position of them all */
    int D, Dp;       /* head width, and rounded up to 16 */
    float scale;
    int window;
    enum zk_kv_type type;
    const uint8_t *base; /* of page 0 of this kv head */
    size_t page_bytes;
    const int32_t *pages;
};

/* Softmax of one stretch, not yet divided: o = sum exp(s - m) v, l = sum exp(s - m). */
struct zk_attn_part {
    float m[ZK_ATTN_TILE], l[ZK_ATTN_TILE];
    float *o; /* [n][Dp] */
};

/* What is compiled once per instruction set. */
struct zk_isa {
    const char *name;

    /* out[n][16]: rows r0 .. r0 + n (r0 a multiple of 16) of the prepared x, of `rows` rows in
     * all, times the panel's 16 rows. n <= ZK_MAX_BLOCK. */
    void (*mm_q8)(float *out, const struct zk_panel *p, const uint8_t *x, int rows, int r0, int n);
    /* the same for floats, rows ldx apart */
    void (*mm_f32)(float *out, const struct zk_panel *p, const float *x, size_t ldx, int n);

    /* Row t of a group of w rows: quantizes n floats into the chunks from `chunk` on. */
    void (*quantize)(uint8_t *chunk, int w, int t, const float *x, int n);
    float (*rms_inv)(const float *x, float eps, int n); /* 1 / sqrt(mean of squares + eps) */
    void (*scale)(float *y, const float *x, const float *w, float inv, int n); /* w (x inv) */
    void (*swiglu)(float *y, const float *g, const float *u, int n);
    void (*widen)(float *y, const void *x, enum zk_type type, size_t n); /* F16 or BF16 */
    /* One head: norm if any, rotation, in place. */
    void (*rope)(float *x, const float *cs, const struct zk_attn *a, const float *norm);
    /* Keys and values [D] of one kv head into slot `slot` of its part of a page; 0, or ZC_ELIMIT
     * if a number had to be replaced by 0. */
    int (*kv_store)(uint8_t *head, int slot, const float *k, const float *v, int D,
                    enum zk_kv_type type);

    /* scores: scratch [ZK_ATTN_TILE][ZK_STRETCH]. */
    void (*attn_stretch)(struct zk_attn_part *part, const struct zk_attn_tile *t, int stretch,
                         float *scores);
    /* Adds a part to the running sum of the stretches before it. */
    void (*attn_merge)(struct zk_attn_part *sum, const struct zk_attn_part *part, int n, int Dp);

    double (*probe_read)(const void *p, size_t bytes);   /* a sum, so that it is not left out */
    double (*probe_peak)(enum zk_act_kind kind, long n); /* multiply-adds done in n rounds */
};

extern const struct zk_isa zk_c_isa, zk_avx2_isa, zk_avx512_isa;

/* ---- the pool ---------------------------------------------------------------------------- */

struct zk_pool;

/* Does part `th` of `n`. Each part is done once, by any thread. */
typedef void (*zk_task_fn)(void *arg, int th, int n);

int zk_pool_new(struct zk_pool **ret_pool, int threads, struct zc_diag *dg);
void zk_pool_free(struct zk_pool *pool);
/* Runs fn for as many parts as the pool has threads, on those that come, the caller among them, and
 * returns when all are done. One caller at a time. */
void zk_pool_run(struct zk_pool *pool, zk_task_fn fn, void *arg);

/* ---- the device -------------------------------------------------------------------------- */

/* Scratch of one part of a round. */
struct zk_scratch {
    float out[2][ZK_MAX_BLOCK * 2 * ZK_TILE]; /* products of two pairs of panels */
    float scores[ZK_ATTN_TILE * ZK_STRETCH];
    float o[2][ZK_ATTN_TILE * ZK_MAX_HEAD_DIM];
};

struct zk_cpu {
    struct zk_dev dev;
    const struct zk_isa *isa;
    struct zk_pool *pool;
    int threads;
    bool huge_pages;
    atomic_int status;          /* the first failure since the last sync */
    struct zk_scratch *scratch; /* [threads] */
    float *split;               /* [split_floats], attention over few rows */
    size_t split_floats;
};

static inline struct zk_cpu *zk_cpu_of(struct zk_dev *dev)
{
    return (struct zk_cpu *)dev;
}

/* Runs fn on the pool if there is enough to do, else on the caller alone. */
void zk_cpu_run(struct zk_cpu *c, zk_task_fn fn, void *arg, bool parallel);
void zk_cpu_fail(struct zk_cpu *c, int err);

/* Bytes of a row in a prepared buffer, and where the chunks of its group begin. */
size_t zk_act_row_bytes(enum zk_act_kind kind, int k);
/* Floats j0 .. j0 + n of row r, in the order of the product, into y (j0 a multiple of 32). */
void zk_act_put(struct zk_cpu *c, struct zk_act *y, int r, int j0, const float *x, int n);

size_t zk_cpu_kv_page_bytes(const struct zk_dev *dev, enum zk_kv_type type, int kv_heads,
                            int head_dim);

/* Operations of zk.h. */
int zk_cpu_matmul(struct zk_dev *dev, float *y, int ldy, const struct zk_act *x,
                  const struct zk_mat *w, const float *bias, int rows, bool add);
int zk_cpu_matmul_swiglu(struct zk_dev *dev, struct zk_act *y, const struct zk_act *x,
                         const struct zk_mat *w, const float *bias, int rows, const int32_t *perm);
int zk_cpu_rope_store(struct zk_dev *dev, float *qkv, const float *cs, const struct zk_batch *b,
                      const struct zk_attn *a, const struct zk_kv *kv);
int zk_cpu_fill(struct zk_dev *dev, void *p, int value, size_t bytes);
double zk_cpu_probe_read(struct zk_dev *dev, const void *p, size_t bytes);
double zk_cpu_probe_peak(struct zk_dev *dev, enum zk_act_kind kind, int ms);
int zk_cpu_attn(struct zk_dev *dev, float *o, const float *qkv, const struct zk_batch *b,
                const struct zk_attn *a, const struct zk_kv *kv);

#endif
