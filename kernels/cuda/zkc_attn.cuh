/* SPDX-License-Identifier: MIT */
/* What the attention kernels share: the geometry of a pass, where keys and values lie, tiles of
 * fp16 keys and values in shared memory, and softmax over them with tensor cores. */
#ifndef KERNELS_CUDA_ZKC_ATTN_CUH
#define KERNELS_CUDA_ZKC_ATTN_CUH

#include "kernels/cuda/zkc_dev.cuh"

struct zkc_geometry {
    int H, K, D, rot, window, kv_type, n_seqs;
    float scale, eps;
    size_t page_bytes;
    const float *q_norm, *k_norm;
};

/* The sequence that a row belongs to. */
ZKC_DEV const struct zk_seq *zkc_seq_of(const struct zk_seq *seqs, int n_seqs, int row)
{
    int low = 0, high = n_seqs - 1;
    while (low < high) {
        int mid = (low + high + 1) / 2;
        if (seqs[mid].first_row <= row)
            low = mid;
        else
            high = mid - 1;
    }
    return &seqs[low];
}

ZKC_DEV bool zkc_is_padding(const struct zk_seq *s)
{
    return s->pages == NULL;
}

/* The first position that a position sees. */
ZKC_DEV int zkc_first_seen(const struct zkc_geometry *g, int pos)
{
    return g->window > 0 && pos >= g->window ? pos - g->window + 1 : 0;
}

/* Where page number `page` keeps the keys (which = 0) or values (1) of a kv head, in fp16. */
ZKC_DEV const char *zkc_page16(const void *base, const struct zkc_geometry *g, int page, int which,
                               int head)
{
    return static_cast<const char *>(base) + (size_t)page * g->page_bytes +
           (size_t)(which * g->K + head) * ZK_PAGE * g->D * 2;
}

/* ---- a page in shared memory --------------------------------------------------------------- */

/* Rows of D halves; the 16-byte chunk c of row r lies at chunk c ^ (r & 7), so that eight rows of
 * one column of chunks are in eight different groups of banks. */
template <int D> ZKC_DEV int zkc_tile_at(int row, int chunk)
{
    return row * (D * 2) + ((chunk ^ (row & 7)) * 16);
}

/* Copies a page (16 x D halves) to `to`, by the lanes of one warp; zeros if it is not there. */
template <int D> ZKC_DEV void zkc_page_copy(zkc_smem to, const char *from, bool is_there = true)
{
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int i = 0; i < D / 16; i++) {
        const int at = i * 32 + lane, row = at / (D / 8), chunk = at % (D / 8);
        zkc_cp_async16(to + zkc_tile_at<D>(row, chunk), from + at * 16, is_there ? 16 : 0);
    }
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

/* s[t] += Q K^T for the 16 positions of a page: s[t][i] is query g + 8 (i >> 1), position
 * 8 t + 2 q + (i & 1). qa: the D / 16 fragments of 16 queries. */
template <int D>
ZKC_DEV void zkc_page_scores(float (&s)[2][4], const uint32_t (&qa)[D / 16][4], zkc_smem keys)
{
    const int lane = threadIdx.x % 32, i = lane / 8;
    const int row = (i >> 1) * 8 + lane % 8;
#pragma unroll
    for (int k = 0; k < D / 16; k++) {
        uint32_t b[4];
        zkc_ldmatrix_x4(b, keys + zkc_tile_at<D>(row, 2 * k + (i & 1)));
        const uint32_t b0[2] = {b[0], b[1]}, b1[2] = {b[2], b[3]};
        zkc_mma_f16(s[0], qa[k], b0, s[0]);
        zkc_mma_f16(s[1], qa[k], b1, s[1]);
    }
}

/* o[t] += P V for the 16 positions of a page: o[t][i] is query g + 8 (i >> 1), dimension
 * 8 t + 2 q + (i & 1). */
template <int D>
ZKC_DEV void zkc_page_values(float (&o)[D / 8][4], const uint32_t (&p)[4], zkc_smem values)
{
    const int lane = threadIdx.x % 32, i = lane / 8;
    const int row = (i & 1) * 8 + lane % 8;
#pragma unroll
    for (int t = 0; t < D / 8; t += 2) {
        uint32_t b[4];
        zkc_ldmatrix_x4_trans(b, values + zkc_tile_at<D>(row, t + (i >> 1)));
        const uint32_t b0[2] = {b[0], b[1]}, b1[2] = {b[2], b[3]};
        zkc_mma_f16(o[t], p, b0, o[t]);
        zkc_mma_f16(o[t + 1], p, b1, o[t + 1]);
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
