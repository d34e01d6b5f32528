/* SPDX-License-Identifier: MIT */
/* Products of prepared activations with packed matrices, cut among the threads by panels: a thread
 * reads its panels once per block of rows, and the block's activations stay in its cache. */
#include "kernels/cpu/zk_cpu.h"

#include <string.h>

#define CACHE_BYTES (512 * 1024) /* of activations, in the second-level cache */
#define SWIGLU_COLS 32           /* outputs that are computed together: a block of ZK_ACT_Q8 */

struct mm_job {
    struct zk_cpu *c;
    const struct zk_act *x;
    const struct zk_mat *w;
    const float *bias;
    struct zk_layout lo;
    int rows;
    int block; /* rows in a block */
    float *y;  /* matmul */
    int ldy;
    bool add;
    struct zk_act *act; /* matmul_swiglu */
    float *flat;        /* or: [rows][F], for an activation order */
    int row0;           /* first row of flat */
};

/* A range of n things for thread th of nth, in whole multiples of unit. */
static void my_range(int n, int unit, int th, int nth, int *ret_a, int *ret_b)
{
    long units = (n + unit - 1) / unit;
    long a = units * th / nth * unit, b = units * (th + 1) / nth * unit;
    *ret_a = (int)a;
    *ret_b = b < n ? (int)b : n;
}

/* Multiplies rows r0 .. r0 + n with a panel. */
static void product(const struct mm_job *j, float *out, int tile, int r0, int n)
{
    const uint8_t *data = (const uint8_t *)j->w->data + (size_t)tile * j->lo.panel;
    struct zk_panel p = {.scales = data,
                         .zeros = j->lo.zeros > 0 ? data + j->lo.zeros : NULL,
                         .codes = data + j->lo.codes,
                         .lo = &j->lo,
                         .form = j->w->d.form,
                         .type = j->w->d.type,
                         .k = j->w->d.k};
    if (j->x->kind == ZK_ACT_Q8) {
        j->c->isa->mm_q8(out, &p, j->x->data, j->x->rows, r0, n);
    } else {
        size_t ldx = zk_act_row_bytes(ZK_ACT_F32, j->x->k) / sizeof(float);
        j->c->isa->mm_f32(out, &p, (const float *)j->x->data + (size_t)r0 * ldx, ldx, n);
    }
}

static void store_tile(const struct mm_job *j, const float *out, int tile, int r0, int n)
{
    int i0 = tile * ZK_TILE, cols = j->w->d.n - i0 < ZK_TILE ? j->w->d.n - i0 : ZK_TILE;
    for (int r = 0; r < n; r++, out += ZK_TILE) {
        float *y = j->y + (size_t)(r0 + r) * (size_t)j->ldy + i0;
        for (int i = 0; i < cols; i++) {
            float v = j->bias ? out[i] + j->bias[i0 + i] : out[i];
            y[i] = j->add ? y[i] + v : v;
        }
    }
}

static void matmul_task(void *arg, int th, int nth)
{
    const struct mm_job *j = arg;
    float *out = j->c->scratch[th].out[0];
    int a, b;
    my_range(j->lo.tiles, 1, th, nth, &a, &b);
    for (int r0 = 0; r0 < j->rows; r0 += j->block) {
        int n = j->rows - r0 < j->block ? j->rows - r0 : j->block;
        for (int tile = a; tile < b; tile++) {
            product(j, out, tile, r0, n);
            store_tile(j, out, tile, r0, n);
        }
    }
}

/* Rows of a block: so many that their activations stay in the cache, a multiple of 16. */
static int block_rows(const struct zk_act *x)
{
    size_t n = CACHE_BYTES / zk_act_row_bytes(x->kind, x->k);
    n = n / ZK_ROW_GROUP * ZK_ROW_GROUP;
    if (n < ZK_ROW_GROUP)
        return ZK_ROW_GROUP;
    return n > ZK_MAX_BLOCK ? ZK_MAX_BLOCK : (int)n;
}

/* What both products check; fills the job. */
static int job_init(struct mm_job *j, struct zk_dev *dev, const struct zk_act *x,
                    const struct zk_mat *w, const float *bias, int rows, enum zk_join join)
{
    *j = (struct mm_job){
        .c = zk_cpu_of(dev), .x = x, .w = w, .bias = bias, .rows = rows, .block = block_rows(x)};
    if (x->k != w->d.k || x->kind != w->act || x->rows != rows ||
        (w->d.join == ZK_JOIN_PAIRS) != (join == ZK_JOIN_PAIRS))
        return ZC_EINVAL;
    return zk_layout_init(&j->lo, &w->d, NULL);
}

int zk_cpu_matmul(struct zk_dev *dev, float *y, int ldy, const struct zk_act *x,
                  const struct zk_mat *w, const float *bias, int rows, bool add)
{
    struct mm_job j;
    int r = job_init(&j, dev, x, w, bias, rows, ZK_JOIN_ROWS);
    if (r < 0)
        return r;
    j.y = y;
    j.ldy = ldy;
    j.add = add;
    zk_cpu_run(j.c, matmul_task, &j, (size_t)rows * j.lo.bytes > 16384);
    return ZC_OK;
}

/* ---- gate and up ------------------------------------------------------------------------- */

static void add_bias(float *out, const float *bias, int n, int cols)
{
    for (int r = 0; r < n; r++, out += ZK_TILE)
        for (int i = 0; i < cols; i++)
            out[i] += bias[i];
}

/* h[r][32] of rows r0 .. r0 + n: outputs i0 .. i0 + 32 (or fewer), from one or two pairs. */
static void swiglu_cols(const struct mm_job *j, struct zk_scratch *s, int i0, int cols, int r0,
                        int n)
{
    int F = j->w->d.n / 2;
    float *h = s->out[1], *gate = s->out[0], *up = s->out[0] + ZK_MAX_BLOCK * ZK_TILE;
    for (int i = 0; i < cols; i += ZK_TILE) {
        int tile = (i0 + i) / ZK_TILE * 2, m = cols - i < ZK_TILE ? cols - i : ZK_TILE;
        product(j, gate, tile, r0, n);
        product(j, up, tile + 1, r0, n);
        if (j->bias != NULL) {
            add_bias(gate, j->bias + i0 + i, n, m);
            add_bias(up, j->bias + F + i0 + i, n, m);
        }
        for (int r = 0; r < n; r++)
            j->c->isa->swiglu(h + r * SWIGLU_COLS + i, gate + r * ZK_TILE, up + r * ZK_TILE, m);
    }
}

static void swiglu_task(void *arg, int th, int nth)
{
    const struct mm_job *j = arg;
    struct zk_scratch *s = &j->c->scratch[th];
    int F = j->w->d.n / 2, a, b;
    my_range(F, SWIGLU_COLS, th, nth, &a, &b);
    for (int r0 = j->row0; r0 < j->row0 + j->rows; r0 += j->block) {
        int n = j->row0 + j->rows - r0 < j->block ? j->row0 + j->rows - r0 : j->block;
        for (int i0 = a; i0 < b; i0 += SWIGLU_COLS) {
            int cols = F - i0 < SWIGLU_COLS ? F - i0 : SWIGLU_COLS;
            swiglu_cols(j, s, i0, cols, r0, n);
            const float *h = s->out[1];
            for (int r = 0; r < n; r++, h += SWIGLU_COLS)
                if (j->flat != NULL)
                    memcpy(j->flat + (size_t)(r0 + r - j->row0) * (size_t)F + i0, h,
                           (size_t)cols * sizeof(float));
                else
                    zk_act_put(j->c, j->act, r0 + r, i0, h, cols);
        }
    }
}

/* An activation order wants whole rows first: a group of rows at a time, through scratch. */
static int swiglu_permuted(struct mm_job *j, int rows, const int32_t *perm)
{
    int F = j->w->d.n / 2;
    size_t fit = j->c->split_floats / (size_t)F;
    int step = fit > ZK_ROW_GROUP ? ZK_ROW_GROUP : (int)fit;
    if (step < ZK_ROW_GROUP && step < rows)
        return ZC_ELIMIT;
    j->flat = j->c->split;
    for (j->row0 = 0; j->row0 < rows; j->row0 += step) {
        j->rows = rows - j->row0 < step ? rows - j->row0 : step;
        zk_cpu_run(j->c, swiglu_task, j, true);
        for (int r = 0; r < j->rows; r++)
            for (int j0 = 0; j0 < F; j0 += ZK_ACT_BLOCK) {
                float block[ZK_ACT_BLOCK];
                int n = F - j0 < ZK_ACT_BLOCK ? F - j0 : ZK_ACT_BLOCK;
                for (int i = 0; i < n; i++)
                    block[i] = j->flat[(size_t)r * (size_t)F + (size_t)perm[j0 + i]];
                zk_act_put(j->c, j->act, j->row0 + r, j0, block, n);
            }
    }
    return ZC_OK;
}

int zk_cpu_matmul_swiglu(struct zk_dev *dev, struct zk_act *y, const struct zk_act *x,
                         const struct zk_mat *w, const float *bias, int rows, const int32_t *perm)
{
    struct mm_job j;
    int r = job_init(&j, dev, x, w, bias, rows, ZK_JOIN_PAIRS);
    if (r < 0 || y->k != w->d.n / 2)
        return r < 0 ? r : ZC_EINVAL;
    y->rows = rows;
    j.act = y;
    if (perm != NULL)
        return swiglu_permuted(&j, rows, perm);
    zk_cpu_run(j.c, swiglu_task, &j, (size_t)rows * j.lo.bytes > 16384);
    return ZC_OK;
}
