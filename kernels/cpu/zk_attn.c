/* SPDX-License-Identifier: MIT */
/* Attention and the pages: cuts a batch into tiles (some rows of one sequence, the query heads of
 * one kv head) that the threads take as they come to them. When there are fewer tiles than would
 * keep the threads busy (decode), the stretches of each tile are dealt instead and added up
 * afterwards, in the same order and with the same operations: the bits do not show which way it
 * went. */
#include "kernels/cpu/zk_cpu.h"

#include <string.h>

struct attn_job {
    struct zk_cpu *c;
    float *o;
    float *qkv;
    const float *cs;
    const struct zk_batch *b;
    const struct zk_attn *a;
    uint8_t *base;
    size_t page_bytes, head_bytes;
    int group;      /* query heads of a kv head */
    int tile_heads; /* of them in a tile */
    int tile_rows;
    int Dp;
    atomic_long next;  /* tile that nobody has taken */
    long unit0, unit1; /* stretches of this round, counted over all tiles */
    float *parts;      /* of this round */
    size_t part_floats;
};

size_t zk_cpu_kv_page_bytes(const struct zk_dev *dev, enum zk_kv_type type, int kv_heads,
                            int head_dim)
{
    size_t D = (size_t)head_dim, Dp = (D + 15) / 16 * 16;
    if (type == ZK_KV_F8) /* and two scales */
        return (size_t)kv_heads * ZK_PAGE * (D + Dp + 2 * sizeof(uint16_t));
    return (size_t)kv_heads * ZK_PAGE * (D + Dp) * (type == ZK_KV_F16 ? 2 : 4);
}

static int geometry_check(const struct zk_attn *a)
{
    bool ok = a->head_dim >= 1 && a->head_dim <= ZK_MAX_HEAD_DIM && a->kv_heads >= 1 &&
              a->heads >= 1 && a->heads % a->kv_heads == 0 && a->rot_dim >= 0 &&
              a->rot_dim % 2 == 0 && a->rot_dim <= a->head_dim && a->kv_type < ZK_N_KV_TYPES;
    return ok ? ZC_OK : ZC_EINVAL;
}

static void job_init(struct attn_job *j, struct zk_cpu *c, const struct zk_batch *b,
                     const struct zk_attn *a, const struct zk_kv *kv)
{
    *j = (struct attn_job){.c = c, .b = b, .a = a, .base = kv->base};
    j->page_bytes = zk_cpu_kv_page_bytes(&c->dev, a->kv_type, a->kv_heads, a->head_dim);
    j->head_bytes = j->page_bytes / (size_t)a->kv_heads;
    j->group = a->heads / a->kv_heads;
    j->tile_heads = j->group < ZK_ATTN_TILE ? j->group : ZK_ATTN_TILE;
    j->tile_rows = ZK_ATTN_TILE / j->tile_heads;
    j->Dp = (a->head_dim + 15) / 16 * 16;
}

/* ---- rotation and storing ---------------------------------------------------------------- */

static int store_row(const struct attn_job *j, const struct zk_seq *s, int i)
{
    const struct zk_attn *a = j->a;
    int D = a->head_dim, H = a->heads, K = a->kv_heads, pos = s->pos0 + i, r = ZC_OK;
    size_t row = (size_t)(s->first_row + i);
    float *x = j->qkv + row * (size_t)((H + 2 * K) * D);
    const float *cs = j->cs + row * (size_t)a->rot_dim;
    uint8_t *page = j->base + (size_t)s->pages[pos / ZK_PAGE] * j->page_bytes;

    for (int h = 0; h < H + K; h++)
        j->c->isa->rope(x + h * D, cs, a, h < H ? a->q_norm : a->k_norm);
    for (int h = 0; h < K; h++)
        r |= j->c->isa->kv_store(page + (size_t)h * j->head_bytes, pos % ZK_PAGE, x + (H + h) * D,
                                 x + (H + K + h) * D, D, a->kv_type);
    return r;
}

static void rope_task(void *arg, int th, int nth)
{
    const struct attn_job *j = arg;
    int r = ZC_OK;
    for (int s = 0, row = 0; s < j->b->n_seqs; s++)
        for (int i = 0; i < j->b->seqs[s].n_rows; i++, row++)
            if (row % nth == th)
                r |= store_row(j, &j->b->seqs[s], i);
    if (r != ZC_OK)
        zk_cpu_fail(j->c, ZC_ELIMIT);
}

int zk_cpu_rope_store(struct zk_dev *dev, float *qkv, const float *cs, const struct zk_batch *b,
                      const struct zk_attn *a, const struct zk_kv *kv)
{
    struct attn_job j;
    int r = geometry_check(a);
    if (r < 0)
        return r;
    job_init(&j, zk_cpu_of(dev), b, a, kv);
    j.qkv = qkv;
    j.cs = cs;
    zk_cpu_run(j.c, rope_task, &j, b->rows > 1);
    return ZC_OK;
}

/* ---- tiles ------------------------------------------------------------------------------- */

/* Rows i0 .. i0 + n of a sequence, heads h0 .. h0 + nh of a kv head's group. */
static void tile_init(struct zk_attn_tile *t, const struct attn_job *j, const struct zk_seq *s,
                      int i0, int n, int kv_head, int h0, int nh)
{
    const struct zk_attn *a = j->a;
    size_t row_floats = (size_t)((a->heads + 2 * a->kv_heads) * a->head_dim);
    t->n = 0;
    for (int i = i0; i < i0 + n; i++)
        for (int h = h0; h < h0 + nh; h++, t->n++) {
            t->pos[t->n] = s->pos0 + i;
            t->q[t->n] = j->qkv + (size_t)(s->first_row + i) * row_floats +
                         (size_t)((kv_head * j->group + h) * a->head_dim);
        }
    t->last = s->pos0 + i0 + n - 1;
    t->first = a->window > 0 && s->pos0 + i0 >= a->window ? s->pos0 + i0 - a->window + 1 : 0;
    t->D = a->head_dim;
    t->Dp = j->Dp;
    t->scale = a->scale;
    t->window = a->window;
    t->type = a->kv_type;
    t->base = j->base + (size_t)kv_head * j->head_bytes;
    t->page_bytes = j->page_bytes;
    t->pages = s->pages;
}

/* Walks over the tiles of a batch. */
struct tile_walk {
    int seq, i0, kv_head, h0;
};

/* The tile at the walk's place, or false at the end; moves on. */
static bool tile_next(struct tile_walk *w, const struct attn_job *j, struct zk_attn_tile *t,
                      float **ret_o)
{
    while (w->seq < j->b->n_seqs && w->i0 >= j->b->seqs[w->seq].n_rows)
        w->seq++, w->i0 = 0;
    if (w->seq == j->b->n_seqs)
        return false;
    const struct zk_seq *s = &j->b->seqs[w->seq];
    int n = s->n_rows - w->i0 < j->tile_rows ? s->n_rows - w->i0 : j->tile_rows;
    int nh = j->group - w->h0 < j->tile_heads ? j->group - w->h0 : j->tile_heads;
    tile_init(t, j, s, w->i0, n, w->kv_head, w->h0, nh);
    *ret_o = j->o + ((size_t)(s->first_row + w->i0) * (size_t)j->a->heads +
                     (size_t)(w->kv_head * j->group + w->h0)) *
                        (size_t)j->a->head_dim;
    w->h0 += nh;
    if (w->h0 == j->group)
        w->h0 = 0, w->kv_head++;
    if (w->kv_head == j->a->kv_heads)
        w->kv_head = 0, w->i0 += n;
    return true;
}

static int tile_stretches(const struct zk_attn_tile *t)
{
    return t->last / ZK_STRETCH - t->first / ZK_STRETCH + 1;
}

static void sum_init(struct zk_attn_part *sum, int n, int Dp)
{
    for (int m = 0; m < n; m++)
        sum->m[m] = -1e30f, sum->l[m] = 0;
    memset(sum->o, 0, (size_t)n * (size_t)Dp * sizeof(float));
}

/* Divides, and writes each query's place: heads of a row are neighbours, rows H * D apart. */
static void tile_write(const struct attn_job *j, const struct zk_attn_tile *t,
                       const struct zk_attn_part *sum, float *o)
{
    int D = j->a->head_dim, nh = 1;
    while (nh < t->n && t->pos[nh] == t->pos[0])
        nh++;
    for (int m = 0; m < t->n; m++) {
        float *dst = o + (size_t)(m / nh) * (size_t)(j->a->heads * D) + (m % nh) * D;
        const float *src = sum->o + m * j->Dp;
        float inv = 1 / sum->l[m];
        for (int d = 0; d < D; d++)
            dst[d] = src[d] * inv + 0.0f; /* a zero's sign may tell of the tile: drop it */
    }
}

/* ---- many tiles: each is whoever's comes to it
 * ---------------------------------------------------- */

static void tiles_task(void *arg, int th, int nth)
{
    struct attn_job *j = arg;
    struct zk_scratch *s = &j->c->scratch[th];
    struct zk_attn_part sum = {.o = s->o[0]}, part = {.o = s->o[1]};
    struct tile_walk w = {0};
    struct zk_attn_tile t;
    float *o;

    long mine = atomic_fetch_add_explicit(&j->next, 1, memory_order_relaxed);
    for (long i = 0; tile_next(&w, j, &t, &o); i++) {
        if (i != mine)
            continue;
        mine = atomic_fetch_add_explicit(&j->next, 1, memory_order_relaxed);
        int first = t.first / ZK_STRETCH, n = tile_stretches(&t);
        sum_init(&sum, t.n, t.Dp);
        for (int k = first; k < first + n; k++) {
            j->c->isa->attn_stretch(&part, &t, k, s->scores);
            j->c->isa->attn_merge(&sum, &part, t.n, t.Dp);
        }
        tile_write(j, &t, &sum, o);
    }
}

/* ---- few tiles: the stretches are dealt -------------------------------------------------- */

/* One part in scratch: the struct, then its o. */
static struct zk_attn_part *part_at(const struct attn_job *j, size_t i)
{
    struct zk_attn_part *p = (struct zk_attn_part *)(void *)(j->parts + i * j->part_floats);
    p->o = (float *)(p + 1);
    return p;
}

static void stretches_task(void *arg, int th, int nth)
{
    const struct attn_job *j = arg;
    struct tile_walk w = {0};
    struct zk_attn_tile t;
    float *o;
    long unit = 0;

    while (unit < j->unit1 && tile_next(&w, j, &t, &o)) {
        int first = t.first / ZK_STRETCH, n = tile_stretches(&t);
        for (int k = 0; k < n; k++, unit++)
            if (unit >= j->unit0 && unit < j->unit1 && unit % nth == th)
                j->c->isa->attn_stretch(part_at(j, (size_t)(unit - j->unit0)), &t, first + k,
                                        j->c->scratch[th].scores);
    }
}

/* Adds this round's parts to the sum of the tile that is being summed up, which is in scratch
 * across rounds; writes tiles that are complete. */
static void merge_round(const struct attn_job *j, struct zk_attn_part *sum)
{
    struct tile_walk w = {0};
    struct zk_attn_tile t;
    float *o;
    long unit = 0;

    while (unit < j->unit1 && tile_next(&w, j, &t, &o)) {
        int n = tile_stretches(&t);
        for (int k = 0; k < n; k++, unit++) {
            if (unit < j->unit0 || unit >= j->unit1)
                continue;
            if (k == 0)
                sum_init(sum, t.n, t.Dp);
            j->c->isa->attn_merge(sum, part_at(j, (size_t)(unit - j->unit0)), t.n, t.Dp);
            if (k == n - 1)
                tile_write(j, &t, sum, o);
        }
    }
}

static void by_stretches(struct attn_job *j, long units)
{
    struct zk_attn_part sum = {.o = j->c->scratch[0].o[0]};
    size_t o_floats = (size_t)(j->tile_heads * j->tile_rows * j->Dp);
    j->part_floats = (sizeof(struct zk_attn_part) / sizeof(float) + o_floats + 15) / 16 * 16;
    j->parts = j->c->split;
    long fit = (long)(j->c->split_floats / j->part_floats);
    for (j->unit0 = 0; j->unit0 < units; j->unit0 = j->unit1) {
        j->unit1 = units - j->unit0 < fit ? units : j->unit0 + fit;
        zk_cpu_run(j->c, stretches_task, j, true);
        merge_round(j, &sum);
    }
}

int zk_cpu_attn(struct zk_dev *dev, float *o, const float *qkv, const struct zk_batch *b,
                const struct zk_attn *a, const struct zk_kv *kv)
{
    struct attn_job j;
    struct tile_walk w = {0};
    struct zk_attn_tile t;
    float *unused;
    long tiles = 0, units = 0;
    int r = geometry_check(a);
    if (r < 0)
        return r;
    job_init(&j, zk_cpu_of(dev), b, a, kv);
    j.qkv = (float *)(uintptr_t)qkv; /* only read here */
    j.o = o;
    while (tiles < 4L * j.c->threads && tile_next(&w, &j, &t, &unused))
        tiles++, units += tile_stretches(&t);
    if (j.c->threads == 1 || tiles == 4L * j.c->threads || units == tiles)
        zk_cpu_run(j.c, tiles_task, &j, units > 1);
    else
        by_stretches(&j, units);
    return ZC_OK;
}
