/* SPDX-License-Identifier: MIT */
/* Positions and attention: rotating and storing keys and values, then softmax over the pages. */
#include "kernels/cuda/zkc_attn.cuh"

#include "kernels/cuda/zkc_attn_call.cuh"

#define ROPE_THREADS 128
#define TILE         32 /* positions that a warp scores at once */
#define ATTN_WARPS   4

size_t zkc_kv_page_bytes(const struct zk_dev *dev, enum zk_kv_type type, int kv_heads, int head_dim)
{
    size_t bytes = 2 * (size_t)kv_heads * ZK_PAGE * (size_t)head_dim * (type == ZK_KV_F16 ? 2 : 4);
    return (bytes + 255) / 256 * 256;
}

static struct zkc_geometry geometry_of(const struct zk_dev *dev, const struct zk_batch *b,
                                       const struct zk_attn *a)
{
    struct zkc_geometry g = {};
    g.H = a->heads, g.K = a->kv_heads, g.D = a->head_dim, g.rot = a->rot_dim;
    g.window = a->window, g.kv_type = a->kv_type, g.n_seqs = b->n_seqs;
    g.scale = a->scale, g.eps = a->norm_eps;
    g.page_bytes = zkc_kv_page_bytes(dev, a->kv_type, a->kv_heads, a->head_dim);
    g.q_norm = a->q_norm, g.k_norm = a->k_norm;
    return g;
}

static bool is_sound(const struct zk_attn *a)
{
    return a->head_dim >= 1 && a->head_dim <= ZK_MAX_HEAD_DIM && a->rot_dim % 2 == 0 &&
           a->rot_dim <= a->head_dim && a->kv_heads >= 1 && a->heads % a->kv_heads == 0;
}

/* Element 0 of position pos of a kv head: keys (which = 0) or values (1), in elements. */
ZKC_DEV char *kv_at(void *base, const struct zkc_geometry *g, const int32_t *pages, int pos,
                    int which, int head)
{
    const size_t size = g->kv_type == ZK_KV_F16 ? 2 : 4;
    const size_t slot = ((size_t)(which * g->K + head) * ZK_PAGE + pos % ZK_PAGE) * g->D;
    return (char *)base + (size_t)pages[pos / ZK_PAGE] * g->page_bytes + slot * size;
}

/* ---- rotation and storing ------------------------------------------------------------------ */

/* One head of a row: norm if there is one, rotation; into y. x and y may be the same. */
ZKC_DEV void rope_head(float *y, const float *x, const float *cs, const struct zkc_geometry *g,
                       const float *norm, float *part, float *head)
{
    const int D = g->D, h = g->rot / 2;
    float inv = 1.0f;
    if (norm) {
        float sum = 0;
        for (int i = threadIdx.x; i < D; i += ROPE_THREADS)
            sum += x[i] * x[i];
        inv = 1.0f / sqrtf(zkc_block_sum<ROPE_THREADS / 32>(sum, part) / (float)D + g->eps);
    }
    for (int i = threadIdx.x; i < D; i += ROPE_THREADS)
        head[i] = norm ? norm[i] * (x[i] * inv) : x[i];
    __syncthreads();
    for (int i = threadIdx.x; i < D; i += ROPE_THREADS) {
        if (i < h)
            y[i] = head[i] * cs[i] - head[i + h] * cs[h + i];
        else if (i < 2 * h)
            y[i] = head[i] * cs[i - h] + head[i - h] * cs[i];
        else
            y[i] = head[i];
    }
}

/* A key or value to its slot, by the thread that made it. */
ZKC_DEV void kv_put(char *to, int type, int i, float v, uint32_t *status)
{
    const float limit = type == ZK_KV_F16 ? 65504.0f : 3.402823466e38f;
    if (!(fabsf(v) <= limit)) {
        zkc_fault(status, ZKC_STATUS_KV);
        v = 0;
    }
    if (type == ZK_KV_F16)
        reinterpret_cast<__half *>(to)[i] = __float2half_rn(v);
    else
        reinterpret_cast<float *>(to)[i] = v;
}

/* Grid: rows x (H + 2K) heads; a block is one head of one row. q and k are normalized and rotated
 * in place, k and v go to their slots. */
__global__ void __launch_bounds__(ROPE_THREADS)
    rope_store_kernel(float *qkv, const float *cs, const struct zk_seq *seqs, struct zkc_geometry g,
                      void *base, uint32_t *status)
{
    ZKC_SHARED(float, part, [ROPE_THREADS / 32]);
    ZKC_SHARED(float, head, [ZK_MAX_HEAD_DIM]);
    const int row = blockIdx.x, at = blockIdx.y;
    float *x = qkv + ((size_t)row * (g.H + 2 * g.K) + at) * g.D;
    if (at < g.H + g.K)
        rope_head(x, x, cs + (size_t)row * g.rot, &g, at < g.H ? g.q_norm : g.k_norm, part, head);
    if (at < g.H)
        return;
    const struct zk_seq *s = zkc_seq_of(seqs, g.n_seqs, row);
    if (zkc_is_padding(s))
        return;
    const int which = at >= g.H + g.K, h = at - g.H - which * g.K;
    char *to = kv_at(base, &g, s->pages, s->pos0 + row - s->first_row, which, h);
    for (int i = threadIdx.x; i < g.D; i += ROPE_THREADS)
        kv_put(to, g.kv_type, i, x[i], status);
}

int zkc_rope_store(struct zk_dev *dev, float *qkv, const float *cs, const struct zk_batch *b,
                   const struct zk_attn *a, const struct zk_kv *kv)
{
    struct zkc_dev *d = zkc_of(dev);
    if (!is_sound(a))
        return ZC_EINVAL;
    return zkc_check(d, zkc_launch(rope_store_kernel, dim3(b->rows, a->heads + 2 * a->kv_heads),
                                   dim3(ROPE_THREADS), 0, d->stream, qkv, cs, b->seqs,
                                   geometry_of(dev, b, a), kv->base, d->status));
}

/* ---- attention, any shape ------------------------------------------------------------------ */

ZKC_DEV float kv_get(const char *from, int type, int i)
{
    return zkc_load(from, type == ZK_KV_F16 ? ZK_F16 : ZK_F32, i);
}

/* o[r][h] = softmax(scale q k) v. Grid: rows x ceil(H / ATTN_WARPS); a warp is one head of one row.
 * It walks over tiles of 32 positions that begin at multiples of 32: each lane scores one position,
 * then each lane adds up its dimensions over them. Shared: a head's query and the tile's weights.
 * Simple; it serves the shapes and types that zkc_attn_decode and zkc_attn_prefill do not take. */
__global__ void __launch_bounds__(ATTN_WARPS * 32)
    attn_kernel(float *o, const float *qkv, const struct zk_seq *seqs, struct zkc_geometry g,
                void *base)
{
    ZKC_SHARED(float, query, [ATTN_WARPS][ZK_MAX_HEAD_DIM]);
    ZKC_SHARED(float, weight, [ATTN_WARPS][TILE]);
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int row = blockIdx.x, h = blockIdx.y * ATTN_WARPS + warp;
    if (h >= g.H)
        return;
    const struct zk_seq *s = zkc_seq_of(seqs, g.n_seqs, row);
    const int pos = zkc_is_padding(s) ? -1 : s->pos0 + row - s->first_row, kh = h / (g.H / g.K);
    const int first = zkc_first_seen(&g, pos);
    const float *q = qkv + ((size_t)row * (g.H + 2 * g.K) + h) * g.D;
    float acc[ZK_MAX_HEAD_DIM / 32] = {}, max = -INFINITY, sum = 0;
    for (int i = lane; i < g.D; i += 32)
        query[warp][i] = q[i];
    __syncwarp();
    for (int j0 = first / TILE * TILE; j0 <= pos; j0 += TILE) {
        const int j = j0 + lane;
        float score = -INFINITY;
        if (j >= first && j <= pos) {
            const char *k = kv_at(base, &g, s->pages, j, 0, kh);
            score = 0;
            for (int i = 0; i < g.D; i++)
                score += query[warp][i] * kv_get(k, g.kv_type, i);
            score *= g.scale;
        }
        const float top = fmaxf(max, zkc_warp_max(score)), shrink = expf(max - top);
        const float p = expf(score - top);
        sum = sum * shrink + zkc_warp_sum(p);
        max = top;
        weight[warp][lane] = p;
        __syncwarp();
        const int n = pos - j0 < TILE - 1 ? pos - j0 + 1 : TILE;
        for (int i = 0; i < ZK_MAX_HEAD_DIM / 32; i++)
            acc[i] *= shrink;
        for (int t = first > j0 ? first - j0 : 0; t < n; t++) {
            const char *v = kv_at(base, &g, s->pages, j0 + t, 1, kh);
#pragma unroll
            for (int i = 0; i < ZK_MAX_HEAD_DIM / 32; i++)
                if (i * 32 + lane < g.D)
                    acc[i] += weight[warp][t] * kv_get(v, g.kv_type, i * 32 + lane);
        }
        __syncwarp();
    }
#pragma unroll
    for (int i = 0; i < ZK_MAX_HEAD_DIM / 32; i++)
        if (i * 32 + lane < g.D)
            o[((size_t)row * g.H + h) * g.D + i * 32 + lane] = sum > 0 ? acc[i] / sum : 0.0f;
}

int zkc_attn(struct zk_dev *dev, float *o, const float *qkv, const struct zk_batch *b,
             const struct zk_attn *a, const struct zk_kv *kv)
{
    struct zkc_dev *d = zkc_of(dev);
    if (!is_sound(a))
        return ZC_EINVAL;
    const struct zkc_geometry g = geometry_of(dev, b, a);
    if (d->is_prefill && zkc_attn_prefill_takes(&g))
        return zkc_attn_prefill(d, o, qkv, b, &g, kv);
    if (zkc_attn_decode_takes(&g))
        return zkc_attn_decode(d, o, qkv, b, &g, kv);
    return zkc_check(
        d, zkc_launch(attn_kernel, dim3(b->rows, (a->heads + ATTN_WARPS - 1) / ATTN_WARPS),
                      dim3(ATTN_WARPS * 32), 0, d->stream, o, qkv, b->seqs, g, kv->base));
}
