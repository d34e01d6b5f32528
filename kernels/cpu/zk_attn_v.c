/* SPDX-License-Identifier: MIT */
/* Attention of a few queries over one stretch of positions. Compiled once per instruction set.
 *
 * A page of one kv head is keys [D][16], then values [16][Dp], then, for F8, scales of the keys
 * [16] and of the values [16]: sixteen scores are a vector, and so are sixteen numbers of a value.
 * Scales are powers of two, so it changes no bit that they multiply scores and weights instead of
 * codes. Each query has its own chains of operations, in the order of dimensions for a score and of
 * positions for the sum, so that it does not matter which other queries share the tile; positions a
 * query does not see have weight zero, which changes no sum. */
#include "kernels/cpu/zk_isa.h"

#include <math.h>

#define NV      (ZK_PAGE / ZK_VL)
#define MQ      (ZK_VL == 16 ? 8 : ZK_VL == 8 ? 4 : 2) /* queries per load of keys */
#define PQ      4                                      /* queries per load of values */
#define PV      (ZK_VL == 16 ? 4 : ZK_VL == 8 ? 2 : 1) /* vectors of a value at a time */
#define NO_PART (-1e30f)                               /* maximum of a stretch without positions */

/* F8: code / 256 */
static inline vf load_kv(const uint8_t *p, size_t i, enum zk_kv_type type)
{
    return type == ZK_KV_F8    ? v_load_f8(p + i)
           : type == ZK_KV_F16 ? v_load_f16((const uint16_t *)(const void *)p + i)
                               : v_load((const float *)(const void *)p + i);
}

/* 256 times the scales of an F8 page's keys (which = 0) or values (1), ZK_VL from position j on. */
static inline vf load_scale(const uint8_t *page, const struct zk_attn_tile *t, int which, int j)
{
    const void *scales = page + ZK_PAGE * (t->D + t->Dp);
    return v_mul(v_load_f16((const uint16_t *)scales + which * ZK_PAGE + j), v_set1(256));
}

static inline const uint8_t *page_at(const struct zk_attn_tile *t, int page)
{
    return t->base + (size_t)t->pages[page] * t->page_bytes;
}

/* Scores of n queries with the 16 keys of a page. */
static inline __attribute__((always_inline)) void score_page(const int n, float *scores,
                                                             const struct zk_attn_tile *t, int m,
                                                             const uint8_t *keys,
                                                             enum zk_kv_type type)
{
    vf acc[MQ][NV];
    const float *q[MQ];
    ZK_UNROLL
    for (int a = 0; a < n; a++) {
        q[a] = t->q[m + a];
        ZK_UNROLL
        for (int i = 0; i < NV; i++)
            acc[a][i] = v_zero();
    }
    for (int d = 0; d < t->D; d++) {
        vf k[NV];
        ZK_UNROLL
        for (int i = 0; i < NV; i++)
            k[i] = load_kv(keys, (size_t)(d * ZK_PAGE + i * ZK_VL), type);
        ZK_UNROLL
        for (int a = 0; a < n; a++) {
            vf qd = v_set1(q[a][d]);
            ZK_UNROLL
            for (int i = 0; i < NV; i++)
                acc[a][i] = v_fma(k[i], qd, acc[a][i]);
        }
    }
    ZK_UNROLL
    for (int i = 0; i < NV; i++) {
        vf scale = v_set1(t->scale);
        if (type == ZK_KV_F8)
            scale = v_mul(scale, load_scale(keys, t, 0, i * ZK_VL));
        ZK_UNROLL
        for (int a = 0; a < n; a++)
            v_store(scores + (m + a) * ZK_STRETCH + i * ZK_VL, v_mul(acc[a][i], scale));
    }
}

static inline __attribute__((always_inline)) void score_pages(float *scores,
                                                              const struct zk_attn_tile *t,
                                                              int page0, int n_pages,
                                                              enum zk_kv_type type)
{
    for (int p = 0; p < n_pages; p++, scores += ZK_PAGE) {
        const uint8_t *keys = page_at(t, page0 + p);
        int m = 0;
        for (; m + MQ <= t->n; m += MQ)
            score_page(MQ, scores, t, m, keys, type);
        if (MQ > 4 && m + 4 <= t->n) {
            score_page(4, scores, t, m, keys, type);
            m += 4;
        }
        if (MQ > 2 && m + 2 <= t->n) {
            score_page(2, scores, t, m, keys, type);
            m += 2;
        }
        if (m < t->n)
            score_page(1, scores, t, m, keys, type);
    }
}

/* Scores of query m, n of them from position j0 on, to weights; its maximum and their sum. */
static inline void softmax(struct zk_attn_part *part, const struct zk_attn_tile *t, int m, float *s,
                           int j0, int n)
{
    int lo = t->window > 0 ? t->pos[m] - t->window + 1 - j0 : 0, hi = t->pos[m] + 1 - j0;
    for (int j = 0; j < n && j < lo; j++)
        s[j] = -INFINITY;
    for (int j = hi > 0 ? hi : 0; j < n; j++)
        s[j] = -INFINITY;
    vf max = v_set1(NO_PART), sum[NV];
    for (int j = 0; j < n; j += ZK_VL)
        max = v_max(max, v_load(s + j));
    part->m[m] = v_hmax(max);
    max = v_set1(part->m[m]);
    ZK_UNROLL
    for (int i = 0; i < NV; i++)
        sum[i] = v_zero();
    for (int j = 0; j < n; j += ZK_PAGE)
        ZK_UNROLL
    for (int i = 0; i < NV; i++) {
        vf e = v_exp(v_sub(v_load(s + j + i * ZK_VL), max));
        v_store(s + j + i * ZK_VL, e);
        sum[i] = v_add(sum[i], e);
    }
    for (int i = 1; i < NV; i++)
        sum[0] = v_add(sum[0], sum[i]);
    part->l[m] = v_hsum(sum[0]);
}

/* n queries, PV vectors of the values from dimension d on. */
static inline __attribute__((always_inline)) void weigh(const int n, const int nv,
                                                        struct zk_attn_part *part,
                                                        const struct zk_attn_tile *t, int m, int d,
                                                        const float *s, int page0, int n_pages,
                                                        enum zk_kv_type type)
{
    vf acc[PQ][PV];
    ZK_UNROLL
    for (int a = 0; a < n; a++)
        ZK_UNROLL
    for (int i = 0; i < nv; i++)
        acc[a][i] = v_zero();
    for (int p = 0; p < n_pages; p++) {
        const uint8_t *page = page_at(t, page0 + p);
        const float *w = s + m * ZK_STRETCH + p * ZK_PAGE;
        for (int j = 0; j < ZK_PAGE; j++, w++) {
            vf v[PV];
            ZK_UNROLL
            for (int i = 0; i < nv; i++)
                v[i] = load_kv(page, (size_t)(t->D * ZK_PAGE + j * t->Dp + d + i * ZK_VL), type);
            ZK_UNROLL
            for (int a = 0; a < n; a++) {
                vf wj = v_set1(w[a * ZK_STRETCH]);
                ZK_UNROLL
                for (int i = 0; i < nv; i++)
                    acc[a][i] = v_fma(wj, v[i], acc[a][i]);
            }
        }
    }
    ZK_UNROLL
    for (int a = 0; a < n; a++)
        ZK_UNROLL
    for (int i = 0; i < nv; i++)
        v_store(part->o + (m + a) * t->Dp + d + i * ZK_VL, acc[a][i]);
}

static inline __attribute__((always_inline)) void weigh_all(struct zk_attn_part *part,
                                                            const struct zk_attn_tile *t,
                                                            const float *s, int page0, int n_pages,
                                                            enum zk_kv_type type)
{
    for (int d = 0; d < t->Dp;) {
        int full = d + PV * ZK_VL <= t->Dp, m = 0;
        if (full) {
            for (; m + PQ <= t->n; m += PQ)
                weigh(PQ, PV, part, t, m, d, s, page0, n_pages, type);
            for (; m < t->n; m++)
                weigh(1, PV, part, t, m, d, s, page0, n_pages, type);
            d += PV * ZK_VL;
        } else {
            for (; m + PQ <= t->n; m += PQ)
                weigh(PQ, 1, part, t, m, d, s, page0, n_pages, type);
            for (; m < t->n; m++)
                weigh(1, 1, part, t, m, d, s, page0, n_pages, type);
            d += ZK_VL;
        }
    }
}

/* Weights of all queries, for codes of values instead of values. */
static void scale_weights(float *scores, const struct zk_attn_tile *t, int page0, int n_pages)
{
    for (int p = 0; p < n_pages; p++)
        for (int j = 0; j < ZK_PAGE; j += ZK_VL) {
            vf scale = load_scale(page_at(t, page0 + p), t, 1, j);
            for (int m = 0; m < t->n; m++) {
                float *w = scores + m * ZK_STRETCH + p * ZK_PAGE + j;
                v_store(w, v_mul(v_load(w), scale));
            }
        }
}

/* One stretch of pages of a type, a constant. */
static inline __attribute__((always_inline)) void stretch_of(struct zk_attn_part *part,
                                                             const struct zk_attn_tile *t,
                                                             float *scores, int begin, int n_pages,
                                                             enum zk_kv_type type)
{
    const int page0 = begin / ZK_PAGE;

    score_pages(scores, t, page0, n_pages, type);
    for (int m = 0; m < t->n; m++)
        softmax(part, t, m, scores + m * ZK_STRETCH, begin, n_pages * ZK_PAGE);
    if (type == ZK_KV_F8)
        scale_weights(scores, t, page0, n_pages);
    weigh_all(part, t, scores, page0, n_pages, type);
}

void ZK_V(attn_stretch)(struct zk_attn_part *part, const struct zk_attn_tile *t, int stretch,
                        float *scores)
{
    int begin = stretch * ZK_STRETCH, end = begin + ZK_STRETCH;
    if (end > t->last + 1)
        end = t->last + 1;
    if (begin < t->first)
        begin = t->first / ZK_PAGE * ZK_PAGE;
    int n_pages = (end + ZK_PAGE - 1) / ZK_PAGE - begin / ZK_PAGE;

    if (t->type == ZK_KV_F16)
        stretch_of(part, t, scores, begin, n_pages, ZK_KV_F16);
    else if (t->type == ZK_KV_F32)
        stretch_of(part, t, scores, begin, n_pages, ZK_KV_F32);
    else
        stretch_of(part, t, scores, begin, n_pages, ZK_KV_F8);
}

void ZK_V(attn_merge)(struct zk_attn_part *sum, const struct zk_attn_part *part, int n, int Dp)
{
    for (int m = 0; m < n; m++) {
        float max = fmaxf(sum->m[m], part->m[m]), w[2][ZK_VL];
        v_store(w[0], v_exp(v_set1(sum->m[m] - max)));
        v_store(w[1], v_exp(v_set1(part->m[m] - max)));
        float *o = sum->o + m * Dp;
        const float *po = part->o + m * Dp;
        for (int d = 0; d < Dp; d += ZK_VL)
            v_store(o + d,
                    v_fma(v_load(po + d), v_set1(w[1][0]), v_mul(v_load(o + d), v_set1(w[0][0]))));
        sum->l[m] = sum->l[m] * w[0][0] + part->l[m] * w[1][0];
        sum->m[m] = max;
    }
}
