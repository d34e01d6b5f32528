/* SPDX-License-Identifier: MIT */
/* Products of prepared activations with packed matrices, cut among the threads by panels: a thread
 * reads a panel once per block of rows, and the block's activations stay in its cache. */
#include "kernels/cpu/zk_cpu.h"

#include <string.h>

#define CACHE_BYTES (512 * 1024) /* of activations, in the second-level cache */
#define STORE_ROWS  64           /* between two storings of products; a multiple of 16 */
#define SWIGLU_COLS 32           /* outputs that are computed together: a block of ZK_ACT_Q8 */

struct mm_job {
    struct zk_cpu *c;
    const struct zk_act *x;
    const struct zk_mat *w;
    const float *bias;
    struct zk_layout lo;
    int rows;
    int block;         /* rows in a block */
    int outputs, unit; /* tiles, or columns of gate and up; a piece is a multiple of unit */
    atomic_long next;  /* the first output that nobody has taken, counted through the blocks */
    float *y;          /* matmul */
    int ldy;
    bool add;
    struct zk_act *act; /* matmul_swiglu */
    float *flat;        /* or: [rows][F], for an activation order */
    int row0;           /* first row of flat */
};

/* Multiplies rows r0 .. r0 + n with a panel. */
static void product(const struct mm_job *j, float *out, int tile, int r0, int n)
{
    const uint8_t *data = (const uint8_t *)j->w->data + (size_t)tile * j->lo.panel;
    struct zk_panel p = {.scales = data,
                         .zeros = j->lo.zeros > 0 ? data + j->lo.zeros : NULL,
                         .codes = data + j->lo.codes,
                         .table = (const void *)((const uint8_t *)j->w->data + j->lo.table),
                         .lo = &j->lo,
                         .form = j->w->d.form,
                         .type = zk_scale_type(&j->w->d),
                         .k = j->w->d.k};
    if (j->x->kind == ZK_ACT_Q8) {
        j->c->isa->mm_q8(out, &p, j->x->data, j->x->rows, r0, n);
    } else {
        size_t ldx = zk_act_row_bytes(ZK_ACT_F32, j->x->k) / sizeof(float);
        j->c->isa->mm_f32(out, &p, (const float *)j->x->data + (size_t)r0 * ldx, ldx, n);
    }
}

/* n outputs of a row. */
static inline void store_row(float *restrict y, const float *restrict out,
                             const float *restrict bias, int n, bool add)
{
    float v[ZK_TILE];
    memcpy(v, out, (size_t)n * sizeof(float));
    if (bias != NULL)
        for (int i = 0; i < n; i++)
            v[i] += bias[i];
    if (add)
        for (int i = 0; i < n; i++)
            v[i] = y[i] + v[i];
    memcpy(y, v, (size_t)n * sizeof(float));
}

static void store_tile(const struct mm_job *j, const float *out, int tile, int r0, int n)
{
    int i0 = tile * ZK_TILE, cols = j->w->d.n - i0;
    const float *bias = j->bias ? j->bias + i0 : NULL;
    float *y = j->y + (size_t)r0 * (size_t)j->ldy + i0;
    for (int r = 0; r < n; r++, out += ZK_TILE, y += j->ldy)
        if (cols >= ZK_TILE) /* said twice, so that the compiler knows one of the lengths */
            store_row(y, out, bias, ZK_TILE, j->add);
        else
            store_row(y, out, bias, cols, j->add);
}

/* Asks for the lines that store_tile will write: one in each of many pages, far apart, which no
 * cache has and no prefetcher foresees. They come while the product is computed. */
static void fetch_tile(const struct mm_job *j, int tile, int r0, int n)
{
    const float *y = j->y + (size_t)r0 * (size_t)j->ldy + (size_t)tile * ZK_TILE;
    for (int r = 0; n > 1 && r < n; r++, y += j->ldy)
        __builtin_prefetch(y, 1, 2);
}

/* Threads take pieces of the work as they come to it: so many outputs of one block of rows. Which
 * thread computes a piece leaves no trace in it, and a processor that is slow, or late because it
 * slept, or busy with something else, does less. Pieces become smaller towards the end of a block,
 * so that nobody waits long for the last. */
static void pieces_init(struct mm_job *j, int outputs, int unit)
{
    j->outputs = outputs;
    j->unit = unit;
    atomic_store_explicit(&j->next, 0, memory_order_relaxed);
}

/* The next piece: outputs a .. b of rows r0 .. r0 + n; false when there is none left. */
static bool pieces_next(struct mm_job *j, int *ret_a, int *ret_b, int *ret_r0, int *ret_n)
{
    long at = atomic_load_explicit(&j->next, memory_order_relaxed), size;
    int a, r0;
    do {
        r0 = (int)(at / j->outputs) * j->block;
        a = (int)(at % j->outputs);
        if (r0 >= j->rows)
            return false;
        size = (j->outputs - a) / (4 * j->c->threads) / j->unit * j->unit;
        if (size < j->unit)
            size = j->outputs - a < j->unit ? j->outputs - a : j->unit;
    } while (!atomic_compare_exchange_weak_explicit(&j->next, &at, at + size, memory_order_relaxed,
                                                    memory_order_relaxed));
    *ret_r0 = j->row0 + r0;
    *ret_n = j->rows - r0 < j->block ? j->rows - r0 : j->block;
    *ret_a = a;
    *ret_b = a + (int)size;
    return true;
}

static void matmul_task(void *arg, int th, int nth)
{
    struct mm_job *j = arg;
    float *out = j->c->scratch[th].out[0];
    int a, b, r0, n;
    while (pieces_next(j, &a, &b, &r0, &n))
        for (int tile = a; tile < b; tile++)
            for (int r = r0, m; r < r0 + n; r += m) {
                m = r0 + n - r < STORE_ROWS ? r0 + n - r : STORE_ROWS;
                fetch_tile(j, tile, r, m);
                product(j, out, tile, r, m);
                store_tile(j, out, tile, r, m);
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
    pieces_init(&j, j.lo.tiles, 1);
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
    struct mm_job *j = arg;
    struct zk_scratch *s = &j->c->scratch[th];
    int F = j->outputs, a, b, r0, n;
    while (pieces_next(j, &a, &b, &r0, &n))
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
        pieces_init(j, F, SWIGLU_COLS);
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
    pieces_init(&j, w->d.n / 2, SWIGLU_COLS);
    zk_cpu_run(j.c, swiglu_task, &j, (size_t)rows * j.lo.bytes > 16384);
    return ZC_OK;
}
