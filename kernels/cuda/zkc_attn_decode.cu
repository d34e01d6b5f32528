/* SPDX-License-Identifier: MIT */
/* Attention of single rows over fp16 and e4m3 pages, limited by reading the pages once.
 *
 * A sequence is cut at multiples of ZKC_SPLIT positions, whatever the batch is; a block computes
 * one split for the query heads of one kv head (at most 16, the rows of the tensor cores' tile), a
 * second kernel joins the splits in their order. So a row's bits depend on its sequence alone.
 *
 * A block has four warps; each takes every fourth page of the split and keeps its own softmax, fed
 * by its own ring of STAGES pages (keys and values), so that no warp waits for another until the
 * end. Queries and weights are split into two fp16 numbers each, which keeps what fp32 would give:
 * the tensor cores are idle anyway. Codes of 8 bits become fp16 on the way to them.
 *
 * Limit: memory. A warp has (STAGES - 1) pages of 4 D bytes x 16 in flight, of e4m3 half of that:
 * at D = 128 a block 64 or 32 KiB. Not measured on a device yet. */
#include "kernels/cuda/zkc_attn.cuh"

#include "kernels/cuda/zkc_attn_call.cuh"

#define WARPS       4
#define STAGES      3
#define ON_SM       4 /* blocks for each SM, where sequences are long enough */
#define SPLIT_PAGES (ZKC_SPLIT / ZK_PAGE)
#define JOIN        4 /* groups of threads that join splits */

namespace
{
struct decode_args {
    const float *qkv;
    const struct zk_seq *seqs;
    struct zkc_geometry g;
    const void *base;
    float *part; /* [units][splits][G][D], unnormalized */
    float *ml;   /* [units][splits][G][2]: largest score (times log2 e), sum */
    uint32_t *status;
    int unit0;  /* unit = row * K + kv head: the first of this launch */
    int splits; /* of the longest sequence */
};

template <int D, int TYPE> struct decode_smem {
    static constexpr int page = zkc_tile<D, TYPE>::bytes;
    static constexpr int ring = STAGES * 2 * page; /* of a warp */
    static constexpr int sums = WARPS * 16 * D * 4;
    static constexpr int bytes = WARPS * ring > sums ? WARPS *ring : sums;
};

/* The softmax that a warp has so far; two rows of the tile a lane. */
template <int D> struct running {
    float o[D / 8][4], max[2], sum[2];
};

/* Adds a page whose scores are s. */
template <int D, int TYPE>
ZKC_DEV void take_page(struct running<D> *r, float (&s)[2][4], zkc_smem values, const char *at)
{
    uint32_t weights[2][4]; /* rounded, and what that took away */
#pragma unroll
    for (int h = 0; h < 2; h++) {
        float top = fmaxf(fmaxf(s[0][2 * h], s[0][2 * h + 1]), fmaxf(s[1][2 * h], s[1][2 * h + 1]));
        top = fmaxf(r->max[h], zkc_quad_max(top));
        const float shrink = zkc_ex2(r->max[h] - top);
        r->max[h] = top;
        r->sum[h] *= shrink;
#pragma unroll
        for (int t = 0; t < D / 8; t++) {
            r->o[t][2 * h] *= shrink;
            r->o[t][2 * h + 1] *= shrink;
        }
#pragma unroll
        for (int t = 0; t < 2; t++) {
            const float p0 = zkc_ex2(s[t][2 * h] - top), p1 = zkc_ex2(s[t][2 * h + 1] - top);
            r->sum[h] += p0 + p1;
            weights[0][2 * t + h] = zkc_pack_f16(p0, p1);
            weights[1][2 * t + h] = zkc_pack_rest(p0, p1);
        }
    }
    zkc_page_values<D, TYPE, 2>(r->o, weights, values, at);
}

/* Queries of the group, scaled so that 2^score is the weight: rounded, and what that took away. */
template <int D, int TYPE>
ZKC_DEV void load_queries(uint32_t (&qa)[2][D / 16][4], const float *q, int G, float scale,
                          uint32_t *status)
{
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int k = 0; k < D / 16; k++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            const int head = lane / 4 + 8 * (i & 1), at = zkc_query_dim<TYPE>(k, i);
            const float x = head < G ? q[head * D + at] * scale : 0.0f;
            const float y = head < G ? q[head * D + at + 1] * scale : 0.0f;
            if (!(fmaxf(fabsf(x), fabsf(y)) < 65504.0f))
                zkc_fault(status, ZKC_STATUS_ACT);
            qa[0][k][i] = zkc_pack_f16(x, y);
            qa[1][k][i] = zkc_pack_rest(x, y);
        }
}

/* The warps' results, one after the other, into the split's part. */
template <int D, int TYPE>
ZKC_DEV void join_warps(const struct decode_args *a, const struct running<D> *r, float *sums,
                        float (*ml)[WARPS][16], int split, int G)
{
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
#pragma unroll
    for (int h = 0; h < 2; h++) {
        const int row = lane / 4 + 8 * h;
        const float sum = zkc_quad_sum(r->sum[h]);
        if (row >= G)
            continue;
        if (lane % 4 == 0) {
            ml[0][warp][row] = r->max[h];
            ml[1][warp][row] = sum;
        }
#pragma unroll
        for (int t = 0; t < D / 8; t++)
#pragma unroll
            for (int i = 0; i < 2; i++)
                sums[(warp * 16 + row) * D + zkc_out_dim<TYPE>(t, i)] = r->o[t][2 * h + i];
    }
    __syncthreads();
    const size_t slot = ((size_t)blockIdx.y * a->splits + split) * G;
    for (int i = threadIdx.x; i < G * D; i += WARPS * 32) {
        const int row = i / D;
        float max = -INFINITY, sum = 0, o = 0;
#pragma unroll
        for (int w = 0; w < WARPS; w++)
            max = fmaxf(max, ml[0][w][row]);
#pragma unroll
        for (int w = 0; w < WARPS; w++) {
            const float weight = zkc_ex2(ml[0][w][row] - max); /* 0 for a warp that had no page */
            sum += weight * ml[1][w][row];
            o += weight * sums[(w * 16 + row) * D + i % D];
        }
        a->part[slot * D + i] = o;
        if (i % D == 0) {
            a->ml[(slot + row) * 2] = max;
            a->ml[(slot + row) * 2 + 1] = sum;
        }
    }
}

/* One split of one kv head of a row. smem: a ring of pages for each warp, then their results. Pages
 * before the pass's own positions are as they were when it began: the first of them are fetched
 * before the kernels before this one have ended. */
template <int D, int TYPE>
ZKC_DEV void one_split(const decode_args &a, const struct zk_seq &s, int pos, int split, int row,
                       int head, char *smem, float (*ml)[WARPS][16])
{
    const struct zkc_geometry *g = &a.g;
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, G = g->H / g->K;
    const int first = zkc_first_seen(g, pos), end = pos / ZK_PAGE;
    const int from = max(split * SPLIT_PAGES, first / ZK_PAGE);
    const int to = min(split * SPLIT_PAGES + SPLIT_PAGES - 1, end);
    if (from > to)
        return;

    constexpr int page = decode_smem<D, TYPE>::page;
    const char *const at = smem + warp * decode_smem<D, TYPE>::ring;
    const zkc_smem ring = zkc_smem_addr(at);
    /* page p belongs to warp p % 4: the same warp wherever a window begins */
    const int mine = from + (warp - from % WARPS + WARPS) % WARPS, last = mine + lane * WARPS;
    const int numbers = lane < SPLIT_PAGES / WARPS && last <= to ? __ldcg(&s.pages[last]) : 0;
    const auto fetch =
        [&](int i, int stage) { /* number i of the warp's pages */
                                const int number = __shfl_sync(ZKC_ALL_LANES, numbers, i);
                                if (mine + i * WARPS <= to) {
                                    const zkc_smem to = ring + stage * 2 * page;
                                    zkc_page_copy<D, TYPE>(to, a.base, g, number, 0, head);
                                    zkc_page_copy<D, TYPE>(to + page, a.base, g, number, 1, head);
                                }
                                zkc_cp_async_commit();
        };
    if (min(to, mine + (STAGES - 2) * WARPS) >= s.pos0 / ZK_PAGE)
        zkc_grid_wait();
#pragma unroll
    for (int i = 0; i < STAGES - 1; i++)
        fetch(i, i);
    zkc_grid_wait();

    uint32_t qa[2][D / 16][4];
    struct running<D> r = {
    };
    r.max[0] = r.max[1] = -1e30f; /* less than any score, and no NaN in differences */
    load_queries<D, TYPE>(qa, a.qkv + ((size_t)row * (g->H + 2 * g->K) + head * G) * D, G,
                          g->scale * 1.4426950408889634f, a.status);
    for (int i = 0, stage = 0; mine + i * WARPS <= to; i++, stage = (stage + 1) % STAGES) {
        zkc_cp_async_wait<STAGES - 2>();
        __syncwarp();
        fetch(i + STAGES - 1, (stage + STAGES - 1) % STAGES);
        const int p = mine + i * WARPS, keys = stage * 2 * page, values = keys + page;
        float score[2][4];
        zkc_page_scores<D, TYPE, 2>(score, qa, ring + keys, at + keys);
#pragma unroll
        for (int c = 0; c < 8; c++) {
            const int j = p * ZK_PAGE + 8 * (c / 4) + 2 * (lane % 4) + (c & 1);
            if (j < first || j > pos)
                score[c / 4][c % 4] = -INFINITY;
        }
        take_page<D, TYPE>(&r, score, ring + values, at + values);
    }
    zkc_cp_async_wait<0>();
    __syncthreads();
    join_warps<D, TYPE>(&a, &r, (float *)smem, ml, split, G);
}

/* Grid: some x units. The blocks of a unit take its splits in turns, so that a recorded step, which
 * must reckon with the longest sequence, has no more blocks than the device has room for. */
template <int D, int TYPE>
__global__ void __launch_bounds__(WARPS * 32) decode_kernel(const decode_args a)
{
    ZKC_SHARED_DYN(char, smem);
    ZKC_SHARED(float, ml, [2][WARPS][16]);
    zkc_grid_trigger();
#pragma unroll 1
    for (int split = blockIdx.x; split < a.splits; split += gridDim.x) {
        /* found each time: there are no registers to keep it in */
        const int unit = a.unit0 + blockIdx.y, row = unit / a.g.K;
        const struct zk_seq s = zkc_seq_of(a.seqs, a.g.n_seqs, row);
        const int pos = zkc_is_padding(s) ? -1 : s.pos0 + row - s.first_row;
        if (split * ZKC_SPLIT > pos)
            break;
        one_split<D, TYPE>(a, s, pos, split, row, unit % a.g.K, smem, ml);
        __syncthreads();
    }
    zkc_grid_wait(); /* also where there was nothing to do */
}

/* o[row][head] = the splits of a row joined: JOIN groups of threads, each over every JOIN-th split
 * in order, then the groups in order. Grid: units x heads of a unit; a thread of a group is a
 * dimension. Limit: latency, of two rounds of loads from the L2 cache per 32 splits. */
template <int D> __global__ void __launch_bounds__(JOIN *D) join_kernel(float *o, decode_args a)
{
    ZKC_SHARED(float, tops, [JOIN * D / 32]);
    ZKC_SHARED(float, sums, [2][JOIN][D]);
    zkc_grid_trigger();
    const struct zkc_geometry *g = &a.g;
    const int G = g->H / g->K, unit = a.unit0 + blockIdx.x, row = unit / g->K;
    const int group = threadIdx.x / D, dim = threadIdx.x % D;
    const struct zk_seq s = zkc_seq_of(a.seqs, g->n_seqs, row);
    const int pos = s.pos0 + row - s.first_row;
    const int from = zkc_first_seen(g, pos) / ZKC_SPLIT, to = pos / ZKC_SPLIT;
    const size_t slot = (size_t)blockIdx.x * a.splits * G + blockIdx.y;
    const float2 *ml = reinterpret_cast<const float2 *>(a.ml) + slot;
    const float *part = a.part + slot * D + dim;
    float top = -INFINITY, sum = 0, out = 0;
    zkc_grid_wait();
    o += ((size_t)row * g->H + unit % g->K * G + blockIdx.y) * D + dim;
    if (zkc_is_padding(s)) {
        if (group == 0)
            *o = 0;
        return;
    }
    for (int t = from + threadIdx.x; t <= to; t += JOIN * D)
        top = fmaxf(top, ml[(size_t)t * G].x);
    top = zkc_warp_max(top);
    if (threadIdx.x % 32 == 0)
        tops[threadIdx.x / 32] = top;
    __syncthreads();
#pragma unroll
    for (int w = 0; w < JOIN * D / 32; w++)
        top = fmaxf(top, tops[w]);
#pragma unroll 8
    for (int t = from + group; t <= to; t += JOIN) {
        const float2 m = ml[(size_t)t * G];
        const float weight = zkc_ex2(m.x - top);
        sum += weight * m.y;
        out += weight * part[(size_t)t * G * D];
    }
    sums[0][group][dim] = sum;
    sums[1][group][dim] = out;
    __syncthreads();
    if (group > 0)
        return;
#pragma unroll
    for (int i = 1; i < JOIN; i++) {
        sum += sums[0][i][dim];
        out += sums[1][i][dim];
    }
    *o = out / sum;
}

} /* namespace */

/* ---- launching ----------------------------------------------------------------------------- */

bool zkc_attn_decode_takes(const struct zkc_geometry *g)
{
    return g->kv_type != ZK_KV_F32 && (g->D == 64 || g->D == 128) && g->H / g->K <= 16;
}

template <int D, int TYPE>
static cudaError_t launch_splits(struct zkc_dev *d, const struct decode_args *a, int n)
{
    const int some = min(a->splits, (ON_SM * d->sms + n - 1) / n);
    return zkc_launch_early(d->early_cc, decode_kernel<D, TYPE>, dim3(some, n), dim3(WARPS * 32),
                            decode_smem<D, TYPE>::bytes, d->stream, *a);
}

template <int D>
static cudaError_t launch_join(struct zkc_dev *d, float *o, const struct decode_args *a, int n)
{
    return zkc_launch_early(d->early_cc, join_kernel<D>, dim3(n, a->g.H / a->g.K), dim3(JOIN * D),
                            0, d->stream, o, *a);
}

int zkc_attn_decode(struct zkc_dev *d, float *o, const float *qkv, const struct zk_batch *b,
                    const struct zkc_geometry *g, const struct zk_kv *kv)
{
    const int splits = b->last_pos / ZKC_SPLIT + 1, units = b->rows * g->K, G = g->H / g->K;
    const size_t each = (size_t)splits * G * (g->D + 2) * sizeof(float);
    const int most = (int)min(d->work_bytes / each, (size_t)32768);
    if (most < 1)
        return ZC_EINTERNAL;
    struct decode_args a = {};
    a.qkv = qkv, a.seqs = b->seqs, a.g = *g, a.base = kv->base, a.status = d->status;
    a.part = (float *)d->work, a.splits = splits;
    for (a.unit0 = 0; a.unit0 < units; a.unit0 += most) {
        const int n = min(most, units - a.unit0);
        cudaError_t e;
        a.ml = a.part + (size_t)n * splits * G * g->D;
        if (g->kv_type == ZK_KV_F8)
            e = g->D == 64 ? launch_splits<64, ZK_KV_F8>(d, &a, n)
                           : launch_splits<128, ZK_KV_F8>(d, &a, n);
        else
            e = g->D == 64 ? launch_splits<64, ZK_KV_F16>(d, &a, n)
                           : launch_splits<128, ZK_KV_F16>(d, &a, n);
        if (e == cudaSuccess)
            e = g->D == 64 ? launch_join<64>(d, o, &a, n) : launch_join<128>(d, o, &a, n);
        if (e != cudaSuccess)
            return zkc_check(d, e);
    }
    return ZC_OK;
}
