/* SPDX-License-Identifier: MIT */
/* Positions and attention: rotating and storing keys and values, then softmax over the pages. */
#include "kernels/cuda/zkc_attn.cuh"

#include "kernels/cuda/zkc_attn_call.cuh"

#define ROPE_THREADS 128
#define TILE         32 /* positions that a warp scores at once */
#define ATTN_WARPS   4

size_t zkc_kv_page_bytes(const struct zk_dev *dev, enum zk_kv_type type, int kv_heads, int head_dim)
{
    size_t head =
        type == ZK_KV_F8 ? (size_t)head_dim + 2 : (size_t)head_dim * (type == ZK_KV_F16 ? 2 : 4);
    return (2 * (size_t)kv_heads * ZK_PAGE * head + 255) / 256 * 256;
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

/* The key (which = 0) or value (1) of a position and kv head, and its scale (F8 has one). */
struct kv_slot {
    char *at;
    __half *scale;
};

ZKC_DEV struct kv_slot kv_at(void *base, const struct zkc_geometry *g, const int32_t *pages,
                             int pos, int which, int head)
{
    const int page = __ldcg(&pages[pos / ZK_PAGE]), i = pos % ZK_PAGE;
    char *b = static_cast<char *>(base);
    struct kv_slot slot = {
        b + zkc_page_at(g, page, which, head) + (size_t)i * g->D * zkc_kv_size(g->kv_type), NULL};
    if (g->kv_type == ZK_KV_F8)
        slot.scale = reinterpret_cast<__half *>(b + zkc_scales_at(g, page, which, head)) + i;
    return slot;
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

/* A number as a page of the type may hold it: what is over the limit is told, and is 0. */
ZKC_DEV float kv_within(int type, float v, uint32_t *status)
{
    const float limit = type == ZK_KV_F16  ? 65504.0f
                        : type == ZK_KV_F8 ? 57344.0f
                                           : 3.402823466e38f;
    if (fabsf(v) <= limit)
        return v;
    zkc_fault(status, ZKC_STATUS_KV);
    return 0;
}

/* |f| <= 448 to e4m3, nearest even: zk_f32_to_f8 */
ZKC_DEV unsigned char f8_of(float f)
{
    uint32_t u = __float_as_uint(f), sign = u >> 24 & 0x80;
    u &= 0x7fffffff;
    if (u < 0x3c800000) /* below 2^-6: a multiple of 2^-9, rounded by the addition */
        return (unsigned char)(sign |
                               (__float_as_uint(__uint_as_float(u) + 16384.0f) - 0x46800000));
    u += 0x7ffff + (u >> 20 & 1);
    return (unsigned char)(sign | (u - 0x3c000000) >> 20);
}

/* A head to its slot as codes and a scale: by all threads of the block. */
ZKC_DEV void kv_put_f8(const struct kv_slot *to, const float *x, int D, float *part,
                       uint32_t *status)
{
    float amax = 0;
    for (int i = threadIdx.x; i < D; i += ROPE_THREADS)
        amax = fmaxf(amax, fabsf(kv_within(ZK_KV_F8, x[i], status)));
    amax = zkc_warp_max(amax);
    __syncthreads();
    if (threadIdx.x % 32 == 0)
        part[threadIdx.x / 32] = amax;
    __syncthreads();
    amax = fmaxf(fmaxf(part[0], part[1]), fmaxf(part[2], part[3]));
    const uint32_t u = __float_as_uint(amax); /* zk_f8_exponent */
    const int least = (int)(u >> 23) - 126 - ((u & 0x7fffff) <= 0x600000 ? 9 : 8);
    const int e = max(-15, min(7, least));
    const float inv = __uint_as_float((uint32_t)(127 - e) << 23);
    for (int i = threadIdx.x; i < D; i += ROPE_THREADS)
        to->at[i] = (char)f8_of(kv_within(ZK_KV_F8, x[i], status) * inv);
    if (threadIdx.x == 0)
        *to->scale = __float2half_rn(__uint_as_float((uint32_t)(127 + e) << 23));
}

/* A key or value to its slot, by the threads that made it. */
ZKC_DEV void kv_put(const struct kv_slot *to, int type, const float *x, int D, float *part,
                    uint32_t *status)
{
    if (type == ZK_KV_F8) {
        kv_put_f8(to, x, D, part, status);
        return;
    }
    for (int i = threadIdx.x; i < D; i += ROPE_THREADS) {
        const float v = kv_within(type, x[i], status);
        if (type == ZK_KV_F16)
            reinterpret_cast<__half *>(to->at)[i] = __float2half_rn(v);
        else
            reinterpret_cast<float *>(to->at)[i] = v;
    }
}

/* Grid: rows x (H + 2K) heads; a block is one head of one row. q and k are normalized and rotated
 * in place, k and v go to their slots. */
__global__ void __launch_bounds__(ROPE_THREADS)
    rope_store_kernel(float *qkv, const float *cs, const struct zk_seq *seqs, struct zkc_geometry g,
                      void *base, uint32_t *status)
{
    ZKC_SHARED(float, part, [ROPE_THREADS / 32]);
    ZKC_SHARED(float, head, [ZK_MAX_HEAD_DIM]);
    zkc_grid_trigger();
    const int row = blockIdx.x, at = blockIdx.y;
    struct kv_slot to = {};
    if (at >= g.H) { /* a key or value: where to, before there is one */
        const struct zk_seq s = zkc_seq_of(seqs, g.n_seqs, row);
        const int which = at >= g.H + g.K, h = at - g.H - which * g.K;
        if (!zkc_is_padding(s))
            to = kv_at(base, &g, s.pages, s.pos0 + row - s.first_row, which, h);
    }
    zkc_grid_wait();
    float *x = qkv + ((size_t)row * (g.H + 2 * g.K) + at) * g.D;
    if (at < g.H + g.K)
        rope_head(x, x, cs + (size_t)row * g.rot, &g, at < g.H ? g.q_norm : g.k_norm, part, head);
    if (to.at)
        kv_put(&to, g.kv_type, x, g.D, part, status);
}

int zkc_rope_store(struct zk_dev *dev, float *qkv, const float *cs, const struct zk_batch *b,
                   const struct zk_attn *a, const struct zk_kv *kv)
{
    struct zkc_dev *d = zkc_of(dev);
    if (!is_sound(a))
        return ZC_EINVAL;
    return zkc_check(d, zkc_launch_early(d->early_cc, rope_store_kernel,
                                         dim3(b->rows, a->heads + 2 * a->kv_heads),
                                         dim3(ROPE_THREADS), 0, d->stream, qkv, cs, b->seqs,
                                         geometry_of(dev, b, a), kv->base, d->status));
}

/* ---- attention, any shape ------------------------------------------------------------------ */

/* Number i of a slot; for F8 the code / 256 alone. */
ZKC_DEV float kv_get(const struct kv_slot *from, int type, int i)
{
    if (type == ZK_KV_F8) {
        const uint32_t c = (uint32_t)(unsigned char)from->at[i] << 8;
        return __half2float(__ushort_as_half((unsigned short)zkc_f8_to_f16(c)));
    }
    return zkc_load(from->at, type == ZK_KV_F16 ? ZK_F16 : ZK_F32, i);
}

/* What its numbers are to be multiplied with. */
ZKC_DEV float kv_scale(const struct kv_slot *from)
{
    return from->scale ? 256.0f * __half2float(*from->scale) : 1.0f;
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
    zkc_grid_trigger();
    zkc_grid_wait();
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int row = blockIdx.x, h = blockIdx.y * ATTN_WARPS + warp;
    if (h >= g.H)
        return;
    const struct zk_seq s = zkc_seq_of(seqs, g.n_seqs, row);
    const int pos = zkc_is_padding(s) ? -1 : s.pos0 + row - s.first_row, kh = h / (g.H / g.K);
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
            const struct kv_slot k = kv_at(base, &g, s.pages, j, 0, kh);
            score = 0;
            for (int i = 0; i < g.D; i++)
                score += query[warp][i] * kv_get(&k, g.kv_type, i);
            score *= g.scale * kv_scale(&k);
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
            const struct kv_slot v = kv_at(base, &g, s.pages, j0 + t, 1, kh);
            const float w = weight[warp][t] * kv_scale(&v);
#pragma unroll
            for (int i = 0; i < ZK_MAX_HEAD_DIM / 32; i++)
                if (i * 32 + lane < g.D)
                    acc[i] += w * kv_get(&v, g.kv_type, i * 32 + lane);
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
    return zkc_check(d, zkc_launch_early(d->early_cc, attn_kernel,
                                         dim3(b->rows, (a->heads + ATTN_WARPS - 1) / ATTN_WARPS),
                                         dim3(ATTN_WARPS * 32), 0, d->stream, o, qkv, b->seqs, g,
                                         kv->base));
}
