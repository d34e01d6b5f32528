/* SPDX-License-Identifier: MIT */
/* The CPU as a device: opening and closing, memory, and the operations that go row by row. */
#include "config.h"

#include "kernels/cpu/zk_cpu.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "common/zc_mem.h"

#define HUGE_PAGE ((size_t)2 << 20)
#define SMALL     ((size_t)64 << 10) /* below this, memory comes from the allocator */
#define CHUNK     512                /* columns that go through a row's scratch at a time */

void zk_cpu_run(struct zk_cpu *c, zk_task_fn fn, void *arg, bool parallel)
{
    if (parallel)
        zk_pool_run(c->pool, fn, arg);
    else
        fn(arg, 0, 1);
}

void zk_cpu_fail(struct zk_cpu *c, int err)
{
    int none = ZC_OK;
    atomic_compare_exchange_strong(&c->status, &none, err);
}

/* ---- sizes and matrices ------------------------------------------------------------------ */

static size_t cpu_mat_bytes(const struct zk_dev *dev, const struct zk_mat_desc *d)
{
    struct zk_layout lo;
    return zk_layout_init(&lo, d, NULL) < 0 ? 0 : lo.bytes;
}

size_t zk_act_row_bytes(enum zk_act_kind kind, int k)
{
    size_t blocks = ((size_t)k + ZK_ACT_BLOCK - 1) / ZK_ACT_BLOCK;
    return blocks * (kind == ZK_ACT_Q8 ? ZK_Q8_BYTES : ZK_ACT_BLOCK * sizeof(float));
}

static size_t cpu_act_bytes(const struct zk_dev *dev, enum zk_act_kind kind, int rows, int k)
{
    if (kind != ZK_ACT_F32 && kind != ZK_ACT_Q8)
        return 0;
    return ((size_t)rows * zk_act_row_bytes(kind, k) + 63) / 64 * 64;
}

static enum zk_act_kind cpu_act_kind(const struct zk_dev *dev, const struct zk_mat_desc *d)
{
    return !dev->exact && d->form <= ZK_W4L ? ZK_ACT_Q8 : ZK_ACT_F32;
}

static int cpu_mat_pack(struct zk_dev *dev, struct zk_mat *m, const struct zk_canon *parts,
                        int n_parts, struct zc_diag *dg)
{
    m->act = cpu_act_kind(dev, &m->d);
    return zk_pack(m, parts, n_parts, dg);
}

static int cpu_mat_unpack_row(const struct zk_dev *dev, const struct zk_mat *m, int row, float *w)
{
    return zk_unpack_row(m, row, w);
}

/* ---- rows -------------------------------------------------------------------------------- */

void zk_act_put(struct zk_cpu *c, struct zk_act *y, int r, int j0, const float *x, int n)
{
    size_t row_bytes = zk_act_row_bytes(y->kind, y->k);
    if (y->kind == ZK_ACT_F32) {
        float *dst = (float *)(void *)((uint8_t *)y->data + (size_t)r * row_bytes) + j0;
        memcpy(dst, x, (size_t)n * sizeof(float));
        if (n % ZK_ACT_BLOCK != 0)
            memset(dst + n, 0, (size_t)(ZK_ACT_BLOCK - n % ZK_ACT_BLOCK) * sizeof(float));
        return;
    }
    int first = r / ZK_ROW_GROUP * ZK_ROW_GROUP;
    int w = y->rows - first < ZK_ROW_GROUP ? y->rows - first : ZK_ROW_GROUP;
    uint8_t *chunk = (uint8_t *)y->data + (size_t)first * row_bytes +
                     (size_t)(j0 / ZK_ACT_BLOCK) * (size_t)(w * ZK_Q8_BYTES);
    c->isa->quantize(chunk, w, r - first, x, n);
}

/* What the row by row operations share. */
struct row_job {
    struct zk_cpu *c;
    struct zk_act *act;
    float *y;
    const float *x, *w;
    const void *table;
    enum zk_type type;
    const int32_t *ids, *perm;
    float eps, mscale;
    int ld, rows, n;
};

/* Columns j .. j + n of a vector in the order of perm: in place, or gathered into tmp. */
static const float *ordered(const struct row_job *j, const float *x, int at, int n, float *tmp)
{
    if (j->perm == NULL)
        return x + at;
    for (int i = 0; i < n; i++)
        tmp[i] = x[j->perm[at + i]];
    return tmp;
}

static void norm_row(const struct row_job *j, int r)
{
    const float *x = j->x + (size_t)r * (size_t)j->n;
    float inv = j->c->isa->rms_inv(x, j->eps, j->n);
    for (int at = 0; at < j->n; at += CHUNK) {
        float y[CHUNK], tx[CHUNK], tw[CHUNK];
        int n = j->n - at < CHUNK ? j->n - at : CHUNK;
        j->c->isa->scale(y, ordered(j, x, at, n, tx), ordered(j, j->w, at, n, tw), inv, n);
        zk_act_put(j->c, j->act, r, at, y, n);
    }
}

static void act_row(const struct row_job *j, int r)
{
    const float *x = j->x + (size_t)r * (size_t)j->ld;
    for (int at = 0; at < j->n; at += CHUNK) {
        float tx[CHUNK];
        int n = j->n - at < CHUNK ? j->n - at : CHUNK;
        zk_act_put(j->c, j->act, r, at, ordered(j, x, at, n, tx), n);
    }
}

static void swiglu_row(const struct row_job *j, int r)
{
    const float *g = j->x + (size_t)r * (size_t)j->ld, *u = j->w + (size_t)r * (size_t)j->ld;
    for (int at = 0; at < j->n; at += CHUNK) {
        float y[CHUNK], tg[CHUNK], tu[CHUNK];
        int n = j->n - at < CHUNK ? j->n - at : CHUNK;
        j->c->isa->swiglu(y, ordered(j, g, at, n, tg), ordered(j, u, at, n, tu), n);
        zk_act_put(j->c, j->act, r, at, y, n);
    }
}

static void embed_row(const struct row_job *j, int r)
{
    float *y = j->y + (size_t)r * (size_t)j->n;
    const uint8_t *src =
        (const uint8_t *)j->table + (size_t)j->ids[r] * (size_t)j->n * zk_type_size(j->type);
    if (j->type == ZK_F32)
        memcpy(y, src, (size_t)j->n * sizeof(float));
    else
        j->c->isa->widen(y, src, j->type, (size_t)j->n);
}

static void rope_table_row(const struct row_job *j, int r)
{
    int h = j->n / 2;
    float *cs = j->y + (size_t)r * (size_t)j->n;
    for (int i = 0; i < h; i++) {
        double angle = (double)((float)j->ids[r] * j->w[i]);
        cs[i] = (float)((double)j->mscale * cos(angle));
        cs[h + i] = (float)((double)j->mscale * sin(angle));
    }
}

static void gather_row(const struct row_job *j, int r)
{
    memcpy(j->y + (size_t)r * (size_t)j->n, j->x + (size_t)j->ids[r] * (size_t)j->n,
           (size_t)j->n * sizeof(float));
}

/* Each task is a loop over one of the functions above: a thread takes every nth row. */
#define ROW_TASK(name)                                  \
    static void name##_task(void *arg, int th, int nth) \
    {                                                   \
        const struct row_job *j = arg;                  \
        for (int r = th; r < j->rows; r += nth)         \
            name##_row(j, r);                           \
    }
ROW_TASK(norm)
ROW_TASK(act)
ROW_TASK(swiglu)
ROW_TASK(embed)
ROW_TASK(rope_table)
ROW_TASK(gather)

/* Splitting one row is not worth a round of the pool: a row is a microsecond. */
static int run_rows(struct row_job *j, zk_task_fn fn)
{
    zk_cpu_run(j->c, fn, j, j->rows > 1 && (size_t)j->rows * (size_t)j->n >= 8192);
    return ZC_OK;
}

static int cpu_begin(struct zk_dev *dev, enum zk_phase phase, int record, bool *ret_done)
{
    *ret_done = false;
    return record == 0 ? ZC_OK : ZC_EINVAL;
}

static int cpu_end(struct zk_dev *dev, int r, struct zc_diag *dg)
{
    return r;
}

static int cpu_embed(struct zk_dev *dev, float *y, const void *table, enum zk_type type, int V,
                     int C, const int32_t *ids, int rows)
{
    struct row_job j = {.c = zk_cpu_of(dev),
                        .y = y,
                        .table = table,
                        .type = type,
                        .ids = ids,
                        .rows = rows,
                        .n = C};
    for (int r = 0; r < rows; r++)
        if (ids[r] < 0 || ids[r] >= V)
            return ZC_EINVAL;
    return run_rows(&j, embed_task);
}

static int cpu_rms_norm(struct zk_dev *dev, struct zk_act *y, const float *x, const float *w,
                        float eps, int rows, int C, const int32_t *perm)
{
    struct row_job j = {.c = zk_cpu_of(dev),
                        .act = y,
                        .x = x,
                        .w = w,
                        .eps = eps,
                        .perm = perm,
                        .rows = rows,
                        .n = C};
    y->rows = rows;
    return y->k != C ? ZC_EINVAL : run_rows(&j, norm_task);
}

static int cpu_to_act(struct zk_dev *dev, struct zk_act *y, const float *x, int ldx, int rows,
                      int k, const int32_t *perm)
{
    struct row_job j = {
        .c = zk_cpu_of(dev), .act = y, .x = x, .ld = ldx, .perm = perm, .rows = rows, .n = k};
    y->rows = rows;
    return y->k != k ? ZC_EINVAL : run_rows(&j, act_task);
}

static int cpu_swiglu(struct zk_dev *dev, struct zk_act *y, const float *g, const float *u, int ld,
                      int rows, int F, const int32_t *perm)
{
    struct row_job j = {.c = zk_cpu_of(dev),
                        .act = y,
                        .x = g,
                        .w = u,
                        .ld = ld,
                        .perm = perm,
                        .rows = rows,
                        .n = F};
    y->rows = rows;
    return y->k != F ? ZC_EINVAL : run_rows(&j, swiglu_task);
}

static int cpu_rope_table(struct zk_dev *dev, float *cs, const int32_t *pos, int rows,
                          const float *inv_freq, int rot_dim, float mscale)
{
    struct row_job j = {.c = zk_cpu_of(dev),
                        .y = cs,
                        .ids = pos,
                        .w = inv_freq,
                        .mscale = mscale,
                        .rows = rows,
                        .n = rot_dim};
    return run_rows(&j, rope_table_task);
}

static int cpu_gather(struct zk_dev *dev, float *y, const float *x, const int32_t *rows, int n,
                      int C)
{
    struct row_job j = {.c = zk_cpu_of(dev), .y = y, .x = x, .ids = rows, .rows = n, .n = C};
    return run_rows(&j, gather_task);
}

/* ---- memory ------------------------------------------------------------------------------ */

/* Small pieces: 64 aligned bytes inside an allocation whose start is kept just before them. */
static int alloc_small(void **ret_p, size_t bytes)
{
    void *raw;
    int r = zc_try_calloc(&raw, bytes + 128, 1, SIZE_MAX);
    if (r < 0)
        return r;
    uintptr_t at = ((uintptr_t)raw + sizeof raw + 63) & ~(uintptr_t)63;
    memcpy((void *)(at - sizeof raw), &raw, sizeof raw);
    *ret_p = (void *)at;
    return ZC_OK;
}

/* Large ones: mapped; from 2 MiB on at a multiple of it, so that huge pages fit. */
static int alloc_large(struct zk_cpu *c, void **ret_p, size_t bytes, struct zc_diag *dg)
{
    size_t slack = bytes >= HUGE_PAGE ? HUGE_PAGE : 0;
    bytes = (bytes + 4095) & ~(size_t)4095;
    if (bytes + slack < bytes)
        return zc_diag(dg, ZC_ELIMIT, "no memory for %zu bytes", bytes);
    uint8_t *p =
        mmap(NULL, bytes + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return zc_diag(dg, ZC_ENOMEM, "no memory for %zu bytes", bytes);
    if (slack > 0) {
        size_t head = (size_t) - (uintptr_t)p & (HUGE_PAGE - 1);
        if (head > 0)
            munmap(p, head);
        p += head;
        if (head < slack)
            munmap(p + bytes, slack - head);
        if (c->huge_pages)
            madvise(p, bytes, MADV_HUGEPAGE); /* a hint: nothing is lost without */
    }
    *ret_p = p;
    return ZC_OK;
}

static int cpu_alloc(struct zk_dev *dev, void **ret_p, size_t bytes, struct zc_diag *dg)
{
    if (bytes >= SMALL)
        return alloc_large(zk_cpu_of(dev), ret_p, bytes, dg);
    int r = alloc_small(ret_p, bytes);
    return r < 0 ? zc_diag(dg, r, "no memory for %zu bytes", bytes) : r;
}

static void cpu_free(struct zk_dev *dev, void *p, size_t bytes)
{
    void *raw;
    if (p == NULL)
        return;
    if (bytes >= SMALL) {
        munmap(p, (bytes + 4095) & ~(size_t)4095);
        return;
    }
    memcpy(&raw, (uint8_t *)p - sizeof raw, sizeof raw);
    zc_free(raw);
}

static int cpu_copy(struct zk_dev *dev, void *dst, const void *src, size_t bytes)
{
    memcpy(dst, src, bytes);
    return ZC_OK;
}

static int cpu_pin(struct zk_dev *dev, void *p, size_t bytes, struct zc_diag *dg)
{
    return ZC_OK;
}

static void cpu_unpin(struct zk_dev *dev, void *p)
{
}

static void cpu_memory(struct zk_dev *dev, uint64_t *ret_free, uint64_t *ret_total)
{
    *ret_free = *ret_total = 0;
}

static int cpu_sync(struct zk_dev *dev, struct zc_diag *dg)
{
    int r = atomic_exchange(&zk_cpu_of(dev)->status, ZC_OK);
    if (r == ZC_ELIMIT)
        return zc_diag(dg, r, "a key or value does not fit the type of the pages");
    return r;
}

/* ---- opening and closing ----------------------------------------------------------------- */

static void cpu_close(struct zk_dev *dev)
{
    struct zk_cpu *c = zk_cpu_of(dev);
    zk_pool_free(c->pool);
    cpu_free(dev, c->scratch, (size_t)c->threads * sizeof *c->scratch);
    cpu_free(dev, c->split, c->split_floats * sizeof(float));
    zc_free(c);
}

/* One table for each instruction set; they differ in nothing but name and isa. */
#define CPU_OPS(the_name)                                                                          \
    {                                                                                              \
        .name = the_name, .mat_bytes = cpu_mat_bytes, .act_bytes = cpu_act_bytes,                  \
        .kv_page_bytes = zk_cpu_kv_page_bytes, .act_kind = cpu_act_kind, .mat_pack = cpu_mat_pack, \
        .mat_unpack_row = cpu_mat_unpack_row, .begin = cpu_begin, .end = cpu_end,                  \
        .embed = cpu_embed, .rms_norm = cpu_rms_norm, .to_act = cpu_to_act, .swiglu = cpu_swiglu,  \
        .matmul = zk_cpu_matmul, .matmul_swiglu = zk_cpu_matmul_swiglu,                            \
        .rope_table = cpu_rope_table, .rope_store = zk_cpu_rope_store, .attn = zk_cpu_attn,        \
        .gather = cpu_gather, .alloc = cpu_alloc, .free = cpu_free, .upload = cpu_copy,            \
        .download = cpu_copy, .send = cpu_copy, .host_alloc = cpu_alloc, .host_free = cpu_free,    \
        .pin = cpu_pin, .unpin = cpu_unpin, .memory = cpu_memory, .fill = zk_cpu_fill,             \
        .sync = cpu_sync, .probe_read = zk_cpu_probe_read, .probe_peak = zk_cpu_probe_peak,        \
        .close = cpu_close,                                                                        \
    }

static const struct {
    unsigned cap;
    const struct zk_isa *isa;
    struct zk_ops ops;
} levels[] = {
    {ZK_CAP_PORTABLE, &zk_c_isa, CPU_OPS("portable")},
#ifdef HAVE_AVX2
    {ZK_CAP_AVX2, &zk_avx2_isa, CPU_OPS("avx2")},
#endif
#ifdef HAVE_AVX512
    {ZK_CAP_AVX512, &zk_avx512_isa, CPU_OPS("avx512")},
#endif
};

static int cpu_init(struct zk_cpu *c, const struct zk_cpu_opts *opts, struct zc_diag *dg)
{
    unsigned caps = opts->caps & zk_caps_detect();
    void *p;
    int r;

    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        if (caps & levels[i].cap)
            c->isa = levels[i].isa, c->dev.ops = &levels[i].ops;
    c->dev.exact = opts->exact;
    c->dev.is_host = true;
    c->huge_pages = opts->huge_pages;
    c->threads = opts->threads > 0 ? opts->threads : zk_cpu_threads_default();
    snprintf(c->dev.label, sizeof c->dev.label, "cpu %s, %d thread%s", c->isa->name, c->threads,
             c->threads > 1 ? "s" : "");
    if ((r = zk_pool_new(&c->pool, c->threads, dg)) < 0)
        return r;
    if ((r = cpu_alloc(&c->dev, &p, (size_t)c->threads * sizeof *c->scratch, dg)) < 0)
        return r;
    c->scratch = p;
    /* Attention parts: 32 a thread at common shapes; for an activation order, 16 rows of 65536. */
    c->split_floats = (size_t)1 << 20;
    while (c->split_floats < (size_t)c->threads * 32 * 1024)
        c->split_floats *= 2;
    if ((r = cpu_alloc(&c->dev, &p, c->split_floats * sizeof(float), dg)) < 0)
        return r;
    c->split = p;
    return ZC_OK;
}

int zk_cpu_open(struct zk_dev **ret_dev, const struct zk_cpu_opts *opts, struct zc_diag *dg)
{
    void *p;

    if (!(opts->caps & ZK_CAP_PORTABLE))
        return zk_ref_open(ret_dev, opts->exact ? ZK_REF_EXACT : ZK_REF_INT8, dg);
    if (zc_try_calloc(&p, 1, sizeof(struct zk_cpu), SIZE_MAX) < 0)
        return zc_diag(dg, ZC_ENOMEM, "no memory for the CPU back-end");
    struct zk_cpu *c = p;
    int r = cpu_init(c, opts, dg);
    if (r < 0) {
        cpu_close(&c->dev);
        return r;
    }
    *ret_dev = &c->dev;
    return ZC_OK;
}
