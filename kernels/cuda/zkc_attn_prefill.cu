/* SPDX-License-Identifier: MIT */
/* Attention of a run of rows over fp16 pages, limited by the tensor cores.
 *
 * The query heads of one kv head and the rows of a sequence are one list of queries (row by row,
 * its heads side by side): a block takes 128 of them, 16 a warp, and walks over tiles of 64
 * positions from the first that its lowest row sees to its highest row, two tiles in shared memory.
 * Queries and weights are fp16, sums fp32. What is wholly masked for a warp is skipped by it.
 *
 * Shared memory: 2 tiles x 64 positions x 4 D bytes, 64 KiB at D = 128. Not measured on a device
 * yet. */
#include "kernels/cuda/zkc_attn.cuh"

#include "kernels/cuda/zkc_attn_call.cuh"

#define WARPS   8
#define QUERIES (WARPS * 16)
#define PAGES   4 /* of a tile */
#define TILE    (PAGES * ZK_PAGE)

namespace
{
struct prefill_args {
    float *o;
    const float *qkv;
    const struct zk_seq *seqs;
    struct zkc_geometry g;
    const void *base;
    uint32_t *status;
};

/* What a block works at: queries first .. of a sequence; n_queries: the sequence's. */
struct piece {
    const struct zk_seq *s;
    int first, n_queries;
};

/* Block number `at` of all sequences' blocks; s is NULL past the last. */
ZKC_DEV struct piece find_piece(const struct zk_seq *seqs, int n_seqs, int G, int at)
{
    struct piece p = {};
    for (int i = 0; i < n_seqs; i++) {
        const int n = seqs[i].n_rows * G, blocks = (n + QUERIES - 1) / QUERIES;
        if (at < blocks) {
            p.s = &seqs[i];
            p.first = (blocks - 1 - at) * QUERIES; /* the longest first */
            p.n_queries = n;
            return p;
        }
        at -= blocks;
    }
    return p;
}

/* Two rows of the warp's tile, for this lane. */
template <int D> struct queries {
    uint32_t a[1][D / 16][4];
    int row[2], head[2], pos[2]; /* row: of the pass, -1 for none */
};

template <int D, int TYPE>
ZKC_DEV void load_queries(struct queries<D> *q, const struct prefill_args *a, const struct piece *p,
                          int kv_head)
{
    const struct zkc_geometry *g = &a->g;
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, G = g->H / g->K;
    const float scale = g->scale * 1.4426950408889634f;
#pragma unroll
    for (int h = 0; h < 2; h++) {
        const int at = p->first + warp * 16 + lane / 4 + 8 * h;
        const bool is_there = at < p->n_queries;
        q->row[h] = is_there ? p->s->first_row + at / G : -1;
        q->pos[h] = p->s->pos0 + (is_there ? at : p->n_queries - 1) / G;
        q->head[h] = kv_head * G + at % G;
        const float *from =
            a->qkv + ((size_t)max(q->row[h], 0) * (g->H + 2 * g->K) + q->head[h]) * D;
#pragma unroll
        for (int k = 0; k < D / 16; k++)
#pragma unroll
            for (int i = 0; i < 2; i++) {
                const int d = zkc_query_dim<TYPE>(k, 2 * i);
                const float x = is_there ? from[d] * scale : 0.0f;
                const float y = is_there ? from[d + 1] * scale : 0.0f;
                if (!(fmaxf(fabsf(x), fabsf(y)) < 65504.0f))
                    zkc_fault(a->status, ZKC_STATUS_ACT);
                q->a[0][k][2 * i + h] = zkc_pack_f16(x, y);
            }
    }
}

/* Scores of a tile to weights: s becomes 2^(s - max), o and sum shrink to the new max. */
template <int D>
ZKC_DEV void soften(float (&s)[2 * PAGES][4], float (&o)[D / 8][4], float (&max)[2],
                    float (&sum)[2])
{
#pragma unroll
    for (int h = 0; h < 2; h++) {
        float top = -INFINITY;
#pragma unroll
        for (int t = 0; t < 2 * PAGES; t++)
            top = fmaxf(top, fmaxf(s[t][2 * h], s[t][2 * h + 1]));
        top = fmaxf(max[h], zkc_quad_max(top));
        const float shrink = zkc_ex2(max[h] - top);
        max[h] = top;
        sum[h] *= shrink;
#pragma unroll
        for (int t = 0; t < D / 8; t++) {
            o[t][2 * h] *= shrink;
            o[t][2 * h + 1] *= shrink;
        }
#pragma unroll
        for (int t = 0; t < 2 * PAGES; t++)
#pragma unroll
            for (int i = 0; i < 2; i++) {
                const float p = zkc_ex2(s[t][2 * h + i] - top);
                s[t][2 * h + i] = p;
                sum[h] += p;
            }
    }
}

/* One tile of positions j0 .. for a warp. */
template <int D, int TYPE>
ZKC_DEV void take_tile(const struct queries<D> *q, const struct zkc_geometry *g, int j0,
                       const char *at, float (&o)[D / 8][4], float (&max)[2], float (&sum)[2])
{
    constexpr int page = zkc_tile<D, TYPE>::bytes;
    const zkc_smem tile = zkc_smem_addr(at);
    const int lane = threadIdx.x % 32;
    float s[2 * PAGES][4] = {};
#pragma unroll
    for (int p = 0; p < PAGES; p++) {
        float part[2][4];
        zkc_page_scores<D, TYPE, 1>(part, q->a, tile + 2 * p * page, at + 2 * p * page);
#pragma unroll
        for (int i = 0; i < 8; i++) {
            const int h = i % 4 >> 1;
            const int j = j0 + p * ZK_PAGE + 8 * (i / 4) + 2 * (lane % 4) + (i & 1);
            const bool is_seen = j <= q->pos[h] && j >= zkc_first_seen(g, q->pos[h]);
            s[2 * p + i / 4][i % 4] = is_seen ? part[i / 4][i % 4] : -INFINITY;
        }
    }
    soften<D>(s, o, max, sum);
#pragma unroll
    for (int p = 0; p < PAGES; p++) {
        const int values = (2 * p + 1) * page;
        const uint32_t w[1][4] = {{zkc_pack_f16(s[2 * p][0], s[2 * p][1]),
                                   zkc_pack_f16(s[2 * p][2], s[2 * p][3]),
                                   zkc_pack_f16(s[2 * p + 1][0], s[2 * p + 1][1]),
                                   zkc_pack_f16(s[2 * p + 1][2], s[2 * p + 1][3])}};
        zkc_page_values<D, TYPE, 1>(o, w, tile + values, at + values);
    }
}

/* Grid: blocks of queries x kv heads. */
template <int D, int TYPE>
__global__ void __launch_bounds__(WARPS * 32, 1) prefill_kernel(const prefill_args a)
{
    ZKC_SHARED_DYN(char, smem);
    constexpr int page = zkc_tile<D, TYPE>::bytes, tile_bytes = 2 * PAGES * page;
    const struct zkc_geometry *g = &a.g;
    const int warp = threadIdx.x / 32, G = g->H / g->K;
    const int head = blockIdx.y;
    const struct piece piece = find_piece(a.seqs, g->n_seqs, G, blockIdx.x);
    if (piece.s == NULL)
        return;
    const int last = min(piece.first + QUERIES, piece.n_queries) - 1;
    const int low = piece.s->pos0 + piece.first / G, high = piece.s->pos0 + last / G;
    const int from = zkc_first_seen(g, low) / TILE, to = high / TILE;
    const zkc_smem tiles = zkc_smem_addr(smem);

    /* warp w copies half w % 2 (keys, values) of page w / 2 of a tile; what is past the end is zero
     */
    const auto fetch = [&](int t, int stage) {
        const int p = t * PAGES + warp / 2;
        if (t <= to) {
            const bool is_there = p <= high / ZK_PAGE;
            const int number = is_there ? piece.s->pages[p] : 0;
            zkc_page_copy<D, TYPE>(tiles + stage * tile_bytes + warp * page, a.base, g, number,
                                   warp % 2, head, is_there);
        }
        zkc_cp_async_commit();
    };
    fetch(from, 0);
    struct queries<D> q;
    load_queries<D, TYPE>(&q, &a, &piece, head);
    float o[D / 8][4] = {}, max[2] = {-1e30f, -1e30f}, sum[2] = {0, 0};
    /* the warp's own range of positions: its first and its last query */
    const int top = piece.s->pos0 + (piece.first + warp * 16 + 15) / G;
    const int bottom = zkc_first_seen(g, piece.s->pos0 + (piece.first + warp * 16) / G);
    for (int t = from; t <= to; t++) {
        const int stage = (t - from) % 2;
        fetch(t + 1, stage ^ 1);
        zkc_cp_async_wait<1>();
        __syncthreads();
        if (t * TILE <= top && t * TILE + TILE > bottom)
            take_tile<D, TYPE>(&q, g, t * TILE, smem + stage * tile_bytes, o, max, sum);
        __syncthreads();
    }
    zkc_cp_async_wait<0>();
#pragma unroll
    for (int h = 0; h < 2; h++) {
        const float inv = 1.0f / zkc_quad_sum(sum[h]);
        if (q.row[h] < 0)
            continue;
        float *out = a.o + ((size_t)q.row[h] * g->H + q.head[h]) * D;
#pragma unroll
        for (int t = 0; t < D / 8; t++)
#pragma unroll
            for (int i = 0; i < 2; i++)
                out[zkc_out_dim<TYPE>(t, i)] = o[t][2 * h + i] * inv;
    }
}

} /* namespace */

bool zkc_attn_prefill_takes(const struct zkc_geometry *g)
{
    return g->kv_type != ZK_KV_F32 && (g->D == 64 || g->D == 128);
}

template <int D, int TYPE>
static cudaError_t launch(struct zkc_dev *d, const struct prefill_args *a, int blocks)
{
    return zkc_launch(prefill_kernel<D, TYPE>, dim3(blocks, a->g.K), dim3(WARPS * 32),
                      4 * PAGES * zkc_tile<D, TYPE>::bytes, d->stream, *a);
}

int zkc_attn_prefill(struct zkc_dev *d, float *o, const float *qkv, const struct zk_batch *b,
                     const struct zkc_geometry *g, const struct zk_kv *kv)
{
    const int G = g->H / g->K, blocks = b->rows * G / QUERIES + b->n_seqs;
    struct prefill_args a = {};
    a.o = o, a.qkv = qkv, a.seqs = b->seqs, a.g = *g, a.base = kv->base, a.status = d->status;
    if (g->kv_type == ZK_KV_F8)
        return zkc_check(d, g->D == 64 ? launch<64, ZK_KV_F8>(d, &a, blocks)
                                       : launch<128, ZK_KV_F8>(d, &a, blocks));
    return zkc_check(d, g->D == 64 ? launch<64, ZK_KV_F16>(d, &a, blocks)
                                   : launch<128, ZK_KV_F16>(d, &a, blocks));
}
