/* SPDX-License-Identifier: MIT */
/* What the attention kernels share: the geometry of a pass, where keys and values lie, pages of
 * fp16 or e4m3 keys and values in shared memory, and products with them on tensor cores.
 *
 * TYPE is ZK_KV_F16 or ZK_KV_F8. Codes of 8 bits become fp16 in registers, exactly: a code's bits
 * at the place of fp16's are the code / 256, and 256 times its scale is a power of two. A lane
 * finds four neighbouring codes where it would find two fp16 numbers, so the dimensions of a
 * fragment are in another order: zkc_query_dim and zkc_out_dim say which. */
#ifndef KERNELS_CUDA_ZKC_ATTN_CUH
#define KERNELS_CUDA_ZKC_ATTN_CUH

#include "kernels/cuda/zkc_dev.cuh"

struct zkc_geometry {
    int H, K, D, rot, window, kv_type, n_seqs;
    float scale, eps;
    size_t page_bytes;
    const float *q_norm, *k_norm;
};

/* The sequence that a row belongs to; in a pass of decode, number `row`. What the host has sent for
 * the pass may be read before zkc_grid_wait(): past L1, which may hold what was there before. */
ZKC_DEV struct zk_seq zkc_seq_of(const struct zk_seq *seqs, int n_seqs, int row)
{
    int low = 0, high = n_seqs - 1;
    if (row < n_seqs && __ldcg(&seqs[row].first_row) == row)
        low = high = row;
    while (low < high) {
        int mid = (low + high + 1) / 2;
        if (__ldcg(&seqs[mid].first_row) <= row)
            low = mid;
        else
            high = mid - 1;
    }
    struct zk_seq s;
    s.pages = reinterpret_cast<const int32_t *>(
        __ldcg(reinterpret_cast<const unsigned long long *>(&seqs[low].pages)));
    s.first_row = __ldcg(&seqs[low].first_row);
    s.n_rows = __ldcg(&seqs[low].n_rows);
    s.pos0 = __ldcg(&seqs[low].pos0);
    return s;
}

ZKC_DEV bool zkc_is_padding(const struct zk_seq &s)
{
    return s.pages == NULL;
}

/* The first position that a position sees. */
ZKC_DEV int zkc_first_seen(const struct zkc_geometry *g, int pos)
{
    return g->window > 0 && pos >= g->window ? pos - g->window + 1 : 0;
}

ZKC_DEV size_t zkc_kv_size(int type)
{
    return type == ZK_KV_F16 ? 2 : type == ZK_KV_F32 ? 4 : 1;
}

/* Where page number `page` keeps the keys (which = 0) or values (1) of a kv head. */
ZKC_DEV size_t zkc_page_at(const struct zkc_geometry *g, int page, int which, int head)
{
    return (size_t)page * g->page_bytes +
           (size_t)(which * g->K + head) * ZK_PAGE * g->D * zkc_kv_size(g->kv_type);
}

/* Where an F8 page keeps the 16 scales of them. */
ZKC_DEV size_t zkc_scales_at(const struct zkc_geometry *g, int page, int which, int head)
{
    return (size_t)page * g->page_bytes + (size_t)2 * g->K * ZK_PAGE * g->D +
           (size_t)(which * g->K + head) * ZK_PAGE * sizeof(__half);
}

/* ---- a page in shared memory --------------------------------------------------------------- */

/* The keys or the values of a page: 16 rows of D numbers, then the scales of F8. */
template <int D, int TYPE> struct zkc_tile {
    static constexpr int row = TYPE == ZK_KV_F8 ? D : 2 * D;
    static constexpr int bytes = ZK_PAGE * row + (TYPE == ZK_KV_F8 ? 2 * ZK_PAGE : 0);
};

/* The 16-byte chunk c of row r lies at chunk c ^ (r & 7), or, with four chunks in a row, c ^
 * (r / 2 & 3), so that eight rows of one column of chunks are in eight different groups of banks.
 */
template <int D, int TYPE> ZKC_DEV int zkc_tile_at(int row, int chunk)
{
    constexpr int bytes = zkc_tile<D, TYPE>::row;
    return row * bytes + ((chunk ^ (bytes >= 128 ? row & 7 : row >> 1 & 3)) * 16);
}

/* Copies the keys or values of a page to `to`, by the lanes of one warp; zeros if it is not there.
 */
template <int D, int TYPE>
ZKC_DEV void zkc_page_copy(zkc_smem to, const void *base, const struct zkc_geometry *g, int page,
                           int which, int head, bool is_there = true)
{
    constexpr int row_bytes = zkc_tile<D, TYPE>::row, chunks = row_bytes / 16;
    const int lane = threadIdx.x % 32;
    const char *from = static_cast<const char *>(base) + zkc_page_at(g, page, which, head);
#pragma unroll
    for (int i = 0; i < chunks / 2; i++) {
        const int at = i * 32 + lane, row = at / chunks, chunk = at % chunks;
        zkc_cp_async16(to + zkc_tile_at<D, TYPE>(row, chunk), from + at * 16, is_there ? 16 : 0);
    }
    if (TYPE == ZK_KV_F8 && lane < 2) {
        const char *scales =
            static_cast<const char *>(base) + zkc_scales_at(g, page, which, head) + lane * 16;
        zkc_cp_async16(to + ZK_PAGE * row_bytes + lane * 16, scales, is_there ? 16 : 0);
    }
}

/* ---- 8-bit numbers ------------------------------------------------------------------------- */

/* Two codes, each in the upper byte of a half, to fp16 / 256. */
ZKC_DEV uint32_t zkc_f8_to_f16(uint32_t c)
{
    return (c & 0x80008000u) | (c >> 1 & 0x3f803f80u);
}

/* Two products in fp16, on packed pairs. */
ZKC_DEV uint32_t zkc_mul_f16(uint32_t x, __half2 y)
{
    const __half2 h = __hmul2(__halves2half2(__ushort_as_half((unsigned short)x),
                                             __ushort_as_half((unsigned short)(x >> 16))),
                              y);
    return (uint32_t)__half_as_ushort(h.x) | (uint32_t)__half_as_ushort(h.y) << 16;
}

/* 256 times the scales of positions 8 h + 2 q and the next. */
ZKC_DEV __half2 zkc_scale_pair(const char *tile_scales, int h)
{
    const __half *s = reinterpret_cast<const __half *>(tile_scales) + 8 * h + 2 * (threadIdx.x % 4);
    return __hmul2(__halves2half2(s[0], s[1]), __half2half2(__float2half_rn(256.0f)));
}

/* The first of the two neighbouring dimensions of queries in register i of k-step k. */
template <int TYPE> ZKC_DEV int zkc_query_dim(int k, int i)
{
    const int q = threadIdx.x % 4;
    return 16 * k + (TYPE == ZK_KV_F8 ? 4 * q + 2 * (i >> 1) : 2 * q + 8 * (i >> 1));
}

/* The dimension of number i (of 0, 1) of a row in tile t of the results. */
template <int TYPE> ZKC_DEV int zkc_out_dim(int t, int i)
{
    const int q = threadIdx.x % 4;
    return TYPE == ZK_KV_F8 ? 16 * (t / 2) + 2 * (2 * q + i) + t % 2 : 8 * t + 2 * q + i;
}

/* ---- queries in registers ------------------------------------------------------------------ */

ZKC_DEV uint32_t zkc_pack_f16(float x, float y)
{
    __half2 h = __floats2half2_rn(x, y);
    return (uint32_t)__half_as_ushort(h.x) | (uint32_t)__half_as_ushort(h.y) << 16;
}

/* What rounding to fp16 took away, itself in fp16. */
ZKC_DEV uint32_t zkc_pack_rest(float x, float y)
{
    __half2 h = __floats2half2_rn(x, y);
    return zkc_pack_f16(x - __half2float(h.x), y - __half2float(h.y));
}

/* ---- one page ------------------------------------------------------------------------------ */

/* Fragments of keys for k-steps k and k + 1 (k even): b[step][positions 8 t ..]. */
template <int D, int TYPE> ZKC_DEV void zkc_keys_pair(uint32_t (&b)[2][2][2], zkc_smem keys, int k)
{
    const int lane = threadIdx.x % 32, i = lane / 8;
    const int row = (i >> 1) * 8 + lane % 8;
    uint32_t c[4];
    if constexpr (TYPE == ZK_KV_F8) {
        zkc_ldmatrix_x4(c, keys + zkc_tile_at<D, TYPE>(row, k + (i & 1)));
#pragma unroll
        for (int j = 0; j < 4; j++) {
            b[j & 1][j >> 1][0] = zkc_f8_to_f16(zkc_prmt(c[j], 0, 0x1404));
            b[j & 1][j >> 1][1] = zkc_f8_to_f16(zkc_prmt(c[j], 0, 0x3424));
        }
    } else {
#pragma unroll
        for (int step = 0; step < 2; step++) {
            zkc_ldmatrix_x4(c, keys + zkc_tile_at<D, TYPE>(row, 2 * (k + step) + (i & 1)));
#pragma unroll
            for (int j = 0; j < 4; j++)
                b[step][j >> 1][j & 1] = c[j];
        }
    }
}

/* s[t] = Q K^T for the 16 positions of a page: s[t][i] is query g + 8 (i >> 1), position
 * 8 t + 2 q + (i & 1). qa: N sets of the D / 16 fragments of 16 queries, whose products are added
 * up. The keys are at `keys`, which `at` points to. */
template <int D, int TYPE, int N>
ZKC_DEV void zkc_page_scores(float (&s)[2][4], const uint32_t (&qa)[N][D / 16][4], zkc_smem keys,
                             const char *at)
{
#pragma unroll
    for (int i = 0; i < 8; i++)
        s[i / 4][i % 4] = 0;
#pragma unroll
    for (int k = 0; k < D / 16; k += 2) {
        uint32_t b[2][2][2];
        zkc_keys_pair<D, TYPE>(b, keys, k);
#pragma unroll
        for (int i = 0; i < 4 * N; i++)
            zkc_mma_f16(s[i & 1], qa[i / 4][k + (i >> 1 & 1)], b[i >> 1 & 1][i & 1], s[i & 1]);
    }
    if (TYPE == ZK_KV_F8)
#pragma unroll
        for (int t = 0; t < 2; t++) {
            const float2 f = __half22float2(zkc_scale_pair(at + ZK_PAGE * D, t));
            s[t][0] *= f.x, s[t][1] *= f.y, s[t][2] *= f.x, s[t][3] *= f.y;
        }
}

/* Fragments of values for the tiles t .. t + 3 of the results. factor: of F8, for positions 2 q and
 * 8 + 2 q. */
template <int D, int TYPE>
ZKC_DEV void zkc_values_quad(uint32_t (&b)[4][2], zkc_smem values, int t,
                             const __half2 (&factor)[2])
{
    const int lane = threadIdx.x % 32, i = lane / 8;
    const int row = (i & 1) * 8 + lane % 8;
    uint32_t c[4];
    if constexpr (TYPE == ZK_KV_F8) {
        zkc_ldmatrix_x4_trans(c, values + zkc_tile_at<D, TYPE>(row, t / 2 + (i >> 1)));
#pragma unroll
        for (int j = 0; j < 4; j++) {
            b[j & 2][j & 1] = zkc_mul_f16(zkc_f8_to_f16(c[j] << 8), factor[j & 1]);
            b[(j & 2) + 1][j & 1] = zkc_mul_f16(zkc_f8_to_f16(c[j]), factor[j & 1]);
        }
    } else {
#pragma unroll
        for (int half = 0; half < 4; half += 2) {
            zkc_ldmatrix_x4_trans(c, values + zkc_tile_at<D, TYPE>(row, t + half + (i >> 1)));
#pragma unroll
            for (int j = 0; j < 4; j++)
                b[half + (j >> 1)][j & 1] = c[j];
        }
    }
}

/* o[t] += P V for the 16 positions of a page, p being N sets of weights: o[t][i] is query
 * g + 8 (i >> 1), dimension zkc_out_dim(t, i & 1). */
template <int D, int TYPE, int N>
ZKC_DEV void zkc_page_values(float (&o)[D / 8][4], const uint32_t (&p)[N][4], zkc_smem values,
                             const char *at)
{
    __half2 factor[2] = {};
    if (TYPE == ZK_KV_F8) {
        factor[0] = zkc_scale_pair(at + ZK_PAGE * D, 0);
        factor[1] = zkc_scale_pair(at + ZK_PAGE * D, 1);
    }
#pragma unroll
    for (int t = 0; t < D / 8; t += 4) {
        uint32_t b[4][2];
        zkc_values_quad<D, TYPE>(b, values, t, factor);
#pragma unroll
        for (int i = 0; i < 4 * N; i++)
            zkc_mma_f16(o[t + i % 4], p[i / 4], b[i % 4], o[t + i % 4]);
    }
}

/* The largest of a row of scores over the four lanes that share it. */
ZKC_DEV float zkc_quad_max(float v)
{
    v = fmaxf(v, __shfl_xor_sync(ZKC_ALL_LANES, v, 1));
    return fmaxf(v, __shfl_xor_sync(ZKC_ALL_LANES, v, 2));
}

ZKC_DEV float zkc_quad_sum(float v)
{
    v += __shfl_xor_sync(ZKC_ALL_LANES, v, 1);
    return v + __shfl_xor_sync(ZKC_ALL_LANES, v, 2);
}

#endif
