/* SPDX-License-Identifier: MIT */
/* What a warp does with one block of a panel, and with the sums of a whole one: shared by the
 * kernels for few and for many rows of activations. Both have activations of NT * 8 rows in
 * registers, and fp32 sums of a panel's rows with them. */
#ifndef KERNELS_CUDA_ZKC_MM_BLOCK_CUH
#define KERNELS_CUDA_ZKC_MM_BLOCK_CUH

#include "kernels/cuda/zkc_dev.cuh"
#include "kernels/cuda/zkc_mm_operand.cuh"

/* A product, as kernels get it. */
struct zkc_mm_args {
    const uint8_t *w;
    size_t panel_bytes;
    int panels, blocks;
    int n;
    struct zkc_mm_meta meta;
    const uint8_t *table; /* W4L */

    const uint16_t *x; /* (rows, ldx) of the operand's type */
    int ldx, rows;
    const float *bias; /* (n), or NULL */

    float *y; /* (rows, ldy); NULL: act instead */
    int ldy;
    bool add;

    void *act; /* (rows, lda): silu(gate) * up, n / 2 of them, then zeros */
    int lda;
    enum zk_act_kind act_kind;
    const int32_t *inverse; /* output i goes to inverse[i]; NULL: to i */
    uint32_t *status;
};

/* Activations of a block: of 32 columns u and 8 rows t, the operand registers of two steps. */
template <int NT> struct zkc_mm_acts {
    uint4 v[4][NT];
};

/* The sums of a warp: 16 rows of W, 8 of activations, a lane's four of an accumulator. */
template <int FORM, int NT> struct zkc_mm_sums {
    float v[zkc_mm_form<FORM>::tiles][NT][4];
};

/* total += the block at `codes` (its meta at `meta`) times x. The sums of a set of columns are of
 * exact products; the set's scale is applied to them. At most two tiles are done at a time: so
 * there are chains enough of dependent instructions, and few registers for the sets' sums.
 * used(u) is called when x.v[u] may be filled again.
 * ONE_SET says that m.mask is 3 (groups of 128 and more, W16): without branches, a fifth less. */
template <int FORM, int TYPE, int NT, bool ONE_SET, class USED>
ZKC_DEV void zkc_mm_block(zkc_mm_sums<FORM, NT> &total, const zkc_mm_meta &m,
                          const zkc_mm_table<FORM> &table, const uint8_t *codes,
                          const uint8_t *meta, zkc_mm_acts<NT> &x, int lane, USED used)
{
    using F = zkc_mm_form<FORM>;
    constexpr int together = F::tiles < 2 ? F::tiles : 2;
    const int g = lane / 4;
#pragma unroll
    for (int i0 = 0; i0 < F::tiles; i0 += together) {
        float group[together][NT][4];
        zkc_mm_zero zero[together];
        uint4 vec[together];
#pragma unroll
        for (int s = 0; s < 8; s++) {
            const int mask = ONE_SET ? 3 : m.mask;
            const int u = s / 2, set = mask == 3 ? 0 : mask == 1 ? u / 2 : u;
            const bool begins = s % 2 == 0 && (u & mask) == 0;
            const bool ends = s % 2 == 1 && (u & mask) == mask;
            if (FORM != ZK_W16 && begins) {
                if constexpr (F::has_zeros)
                    zkc_mm_zeros<FORM, TYPE>(zero, meta, m, set, i0, g);
#pragma unroll
                for (int i = 0; i < together * NT * 4; i++)
                    group[i / 4 / NT][i / 4 % NT][i % 4] = 0;
            }
#pragma unroll
            for (int i = 0; i < together; i++) {
                if (s % F::steps == 0)
                    vec[i] = *reinterpret_cast<const uint4 *>(
                        codes + ((i0 + i) * F::vectors + s / F::steps) * 512 + lane * 16);
                uint32_t a[4];
                zkc_mm_operand<FORM, TYPE>(a, vec[i], s % F::steps, zero[i], table);
#pragma unroll
                for (int t = 0; t < NT; t++) {
                    const uint4 &v = x.v[u][t];
                    const uint32_t b[2] = {s % 2 ? v.z : v.x, s % 2 ? v.w : v.y};
                    if (FORM == ZK_W16)
                        zkc_mma<TYPE>(total.v[i0 + i][t], a, b);
                    else
                        zkc_mma<TYPE>(group[i][t], a, b);
                }
            }
            if (s % 2 == 1 && i0 + together == F::tiles)
                used(u);
            if (FORM == ZK_W16 || !ends)
                continue;
            float2 scale[together];
            zkc_mm_scales<FORM, TYPE>(scale, meta, m, set, i0, g);
#pragma unroll
            for (int i = 0; i < together * NT * 4; i++) {
                const int tile = i / 4 / NT, t = i / 4 % NT, c = i % 4;
                total.v[i0 + tile][t][c] =
                    fmaf(group[tile][t][c], c < 2 ? scale[tile].x : scale[tile].y,
                         total.v[i0 + tile][t][c]);
            }
        }
    }
}

/* ---- what becomes of the sums ------------------------------------------------------------ */

template <int FORM, int NT>
ZKC_DEV void zkc_mm_write_rows(const zkc_mm_args &p, const zkc_mm_sums<FORM, NT> &total, int panel,
                               int row0, int lane)
{
    using F = zkc_mm_form<FORM>;
#pragma unroll
    for (int i = 0; i < F::tiles; i++)
#pragma unroll
        for (int t = 0; t < NT; t++)
#pragma unroll
            for (int c = 0; c < 4; c++) {
                int row = row0 + t * 8 + lane % 4 * 2 + c % 2;
                int n = panel * F::panel + i * 16 + lane / 4 + c / 2 * 8;
                if (row >= p.rows || n >= p.n)
                    continue;
                float *y = p.y + (size_t)row * p.ldy + n;
                float v = total.v[i][t][c] + (p.bias ? p.bias[n] : 0.0f);
                *y = p.add ? v + *y : v;
            }
}

ZKC_DEV void zkc_mm_store_act(const zkc_mm_args &p, int row, int i, float v)
{
    const size_t at = (size_t)row * p.lda + i;
    ZKC_BY_KIND(p.act_kind, zkc_act_store<KIND>(p.act, at, v, p.status));
}

/* silu(gate) * up; a lane has both. After the last output of a row come zeros, up to lda: they are
 * written with the last panel. */
template <int FORM, int NT>
ZKC_DEV void zkc_mm_write_act(const zkc_mm_args &p, const zkc_mm_sums<FORM, NT> &total, int panel,
                              int row0, int lane)
{
    using F = zkc_mm_form<FORM>;
    const int half = p.n / 2;
#pragma unroll
    for (int i = 0; i < F::tiles; i++)
#pragma unroll
        for (int t = 0; t < NT; t++)
#pragma unroll
            for (int c = 0; c < 2; c++) {
                int row = row0 + t * 8 + lane % 4 * 2 + c;
                int f = (panel * F::panel + i * 16) / 2 + lane / 4;
                if (row >= p.rows || f >= half)
                    continue;
                float gate = total.v[i][t][c] + (p.bias ? p.bias[f] : 0.0f);
                float up = total.v[i][t][c + 2] + (p.bias ? p.bias[half + f] : 0.0f);
                zkc_mm_store_act(p, row, p.inverse ? p.inverse[f] : f, zkc_silu(gate) * up);
            }
    if (panel != p.panels - 1)
        return;
    for (int row = row0; row < p.rows && row < row0 + NT * 8; row++)
        for (int f = half + lane; f < p.lda; f += 32)
            zkc_mm_store_act(p, row, f, 0);
}

template <int FORM, int NT>
ZKC_DEV void zkc_mm_write(const zkc_mm_args &p, const zkc_mm_sums<FORM, NT> &total, int panel,
                          int row0, int lane)
{
    if (p.y)
        zkc_mm_write_rows<FORM, NT>(p, total, panel, row0, lane);
    else
        zkc_mm_write_act<FORM, NT>(p, total, panel, row0, lane);
}

/* ---- the host's side --------------------------------------------------------------------- */

struct zkc_mm_call;
zkc_mm_args zkc_mm_args_of(const struct zkc_dev *d, const struct zkc_mm_call *c);

#endif
