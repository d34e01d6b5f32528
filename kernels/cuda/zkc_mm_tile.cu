/* SPDX-License-Identifier: MIT */
/* y = W x for many rows of activations, from packed weights: prefill up to the crossover where
 * dequantising once and cuBLAS wins, and everything where there is no cuBLAS.
 *
 * A block of threads computes two panels times 128 rows: eight warps, a panel times 32 rows each.
 * Per block of 128 columns, codes and metas of both panels and the 128 rows' activations come to
 * shared memory through two stages of cp.async; each warp turns its panel's codes into operands
 * itself, four times over in all, which costs less than handing them around: of W4A, a lane's 8
 * codes are 9 to 11 instructions, the 4 mma that eat them keep a scheduler's tensor core busy for
 * 32 clocks (sm_80, 90) or 64 (sm_86, 89, 120 with fp32 sums). Sums and scales are exact as in
 * decode.
 *
 * Where there are fewer tiles than SMs, gridDim.z cuts the columns; pieces go to `part` in fp32,
 * and the block that comes last adds them in the order of their columns: the same bits every time.
 *
 * Shared memory: 2 * (2 * (4096 + meta) + 32 KiB), 82 KiB of W4A: one block on an SM of 99 KiB.
 * Activations there: 16-byte chunk c of row r is at chunk c ^ 4 (r % 2), so that the 8 lanes of a
 * 128-byte access, which want 64 bytes of each of two rows, meet no bank twice.
 * Limit: the tensor cores; shared memory is read 12 KiB per 128 mma. */
#include "kernels/cuda/zkc_mm_block.cuh"
#include "kernels/cuda/zkc_mm_call.cuh"

#define WARPS       8
#define TILE_ROWS   128
#define TILE_PANELS 2
#define NT          4
#define X_BYTES     (TILE_ROWS * ZKC_MM_K * 2)

namespace
{
struct tile_args {
    zkc_mm_args m;
    int slices;
    float *part;     /* (panel pairs, row tiles, slices, WARPS, a panel's sums) */
    uint32_t *locks; /* (panel pairs, row tiles) */
};

/* ---- to shared memory -------------------------------------------------------------------- */

ZKC_DEV void fetch_weights(const tile_args &p, int panel0, int block, uint8_t *stage, int thread)
{
    const int bytes = ZKC_MM_CODES + p.m.meta.bytes;
    for (int i = 0; i < TILE_PANELS && panel0 + i < p.m.panels; i++) {
        const uint8_t *base = p.m.w + (size_t)(panel0 + i) * p.m.panel_bytes;
        const uint8_t *meta = base + (size_t)p.m.blocks * ZKC_MM_CODES;
        zkc_smem dst = zkc_smem_addr(stage + i * bytes);
        zkc_cp_async16(dst + thread * 16, base + (size_t)block * ZKC_MM_CODES + thread * 16);
        if (thread * 16 < p.m.meta.bytes)
            zkc_cp_async16(dst + ZKC_MM_CODES + thread * 16,
                           meta + (size_t)block * p.m.meta.bytes + thread * 16);
    }
}

ZKC_DEV void fetch_acts(const tile_args &p, int row0, int block, uint8_t *x, int thread)
{
#pragma unroll
    for (int i = 0; i < X_BYTES / 16 / (WARPS * 32); i++) {
        const int row = i * (WARPS * 2) + thread / 16, chunk = thread % 16;
        const bool is_there = row0 + row < p.m.rows;
        const uint16_t *src = p.m.x + (size_t)(is_there ? row0 + row : 0) * p.m.ldx;
        zkc_cp_async16(zkc_smem_addr(x + row * 256 + (chunk ^ (row % 2 * 4)) * 16),
                       src + block * ZKC_MM_K + chunk * 8, is_there ? 16 : 0);
    }
}

ZKC_DEV void acts_read(zkc_mm_acts<NT> &a, const uint8_t *x, int row0, int lane)
{
    const int g = lane / 4, q = lane % 4;
#pragma unroll
    for (int t = 0; t < NT; t++)
#pragma unroll
        for (int u = 0; u < 4; u++)
            a.v[u][t] = *reinterpret_cast<const uint4 *>(x + (row0 + t * 8 + g) * 256 +
                                                         ((u * 4 + q) ^ (g % 2 * 4)) * 16);
}

/* ---- pieces ------------------------------------------------------------------------------ */

/* Whether this block has the sums of all slices now. */
template <int FORM>
ZKC_DEV bool join(const tile_args &p, zkc_mm_sums<FORM, NT> &total, int warp, int lane)
{
    constexpr int fours = zkc_mm_form<FORM>::tiles * NT;
    ZKC_SHARED(uint32_t, before, [1]);
    const size_t tile = (size_t)blockIdx.y * gridDim.x + blockIdx.x;
    float4 *piece = reinterpret_cast<float4 *>(p.part) +
                    ((tile * p.slices + blockIdx.z) * WARPS + warp) * fours * 32 + lane;
#pragma unroll
    for (int i = 0; i < fours; i++)
        piece[i * 32] = *reinterpret_cast<float4 *>(total.v[i / NT][i % NT]);
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0)
        before[0] = atomicAdd(&p.locks[tile], 1u);
    __syncthreads();
    if (before[0] != (uint32_t)(p.slices - 1))
        return false;
    __threadfence();
    piece -= (size_t)blockIdx.z * WARPS * fours * 32;
    total = {};
    for (int z = 0; z < p.slices; z++, piece += (size_t)WARPS * fours * 32)
#pragma unroll
        for (int i = 0; i < fours; i++) {
            float4 f = __ldcg(piece + i * 32);
            float *sum = total.v[i / NT][i % NT];
            sum[0] += f.x;
            sum[1] += f.y;
            sum[2] += f.z;
            sum[3] += f.w;
        }
    if (threadIdx.x == 0)
        p.locks[tile] = 0;
    return true;
}

/* ---- the kernel -------------------------------------------------------------------------- */

template <int FORM, int TYPE, bool ONE_SET>
__global__ void __launch_bounds__(WARPS * 32, 1) mm_tile_kernel(const tile_args p)
{
    ZKC_SHARED_DYN(uint8_t, shared);
    const int thread = threadIdx.x, lane = thread % 32, warp = thread / 32;
    const int panel0 = blockIdx.y * TILE_PANELS, panel = panel0 + warp / 4;
    const int tile_row = blockIdx.x * TILE_ROWS, row0 = warp % 4 * (NT * 8);
    const int weights = ZKC_MM_CODES + p.m.meta.bytes;
    const int stage_bytes = X_BYTES + TILE_PANELS * weights;
    const int first = (int)((long long)blockIdx.z * p.m.blocks / p.slices);
    const int end = (int)((long long)(blockIdx.z + 1) * p.m.blocks / p.slices);

    const zkc_mm_table<FORM> table = zkc_mm_table_at<FORM>(p.m.table);
    zkc_grid_wait();
    zkc_mm_sums<FORM, NT> total = {};
    for (int b = first; b < first + 2; b++) {
        uint8_t *stage = shared + (b - first) * stage_bytes;
        if (b < end) {
            fetch_acts(p, tile_row, b, stage, thread);
            fetch_weights(p, panel0, b, stage + X_BYTES, thread);
        }
        zkc_cp_async_commit();
    }
    for (int b = first; b < end; b++) {
        uint8_t *stage = shared + (b - first) % 2 * stage_bytes;
        const uint8_t *codes = stage + X_BYTES + warp / 4 * weights;
        zkc_cp_async_wait<1>();
        __syncthreads();
        if (panel < p.m.panels) {
            zkc_mm_acts<NT> x;
            acts_read(x, stage, row0, lane);
            zkc_mm_block<FORM, TYPE, NT, ONE_SET>(total, p.m.meta, table, codes,
                                                  codes + ZKC_MM_CODES, x, lane, [](int) {});
        }
        __syncthreads();
        if (b + 2 < end) {
            fetch_acts(p, zkc_here(tile_row), b + 2, stage, thread);
            fetch_weights(p, zkc_here(panel0), b + 2, stage + X_BYTES, thread);
        }
        zkc_cp_async_commit();
    }
    if (p.slices > 1 && !join<FORM>(p, total, warp, lane))
        return;
    if (panel < p.m.panels)
        zkc_mm_write<FORM, NT>(p.m, total, panel, zkc_here(tile_row) + row0, lane);
}

/* ---- launching --------------------------------------------------------------------------- */

/* Slices of the columns, so that most SMs have something to do: a slice has 8 blocks at least. */
static int slices_of(const struct zkc_dev *d, const zkc_mm_args &m, int tiles, size_t tile_bytes)
{
    int s = d->sms / tiles;
    s = s < m.blocks / 8 ? s : m.blocks / 8;
    if (s < 2 || tiles > ZKC_N_LOCKS || (size_t)tiles * (size_t)s * tile_bytes > d->work_bytes)
        return 1;
    return s;
}

template <int FORM, int TYPE> static int launch(struct zkc_dev *d, tile_args a)
{
    const size_t weights = (size_t)TILE_PANELS * (ZKC_MM_CODES + a.m.meta.bytes);
    const size_t sums = (size_t)WARPS * zkc_mm_form<FORM>::tiles * NT * 32 * sizeof(float4);
    const int x = (a.m.rows + TILE_ROWS - 1) / TILE_ROWS;
    const int y = (a.m.panels + TILE_PANELS - 1) / TILE_PANELS;
    a.slices = slices_of(d, a.m, x * y, sums);
    auto kernel = mm_tile_kernel<FORM, TYPE, true>;
    if (FORM != ZK_W16 && a.m.meta.mask != 3)
        kernel = mm_tile_kernel<FORM, TYPE, FORM == ZK_W16>;
    return zkc_check(d, zkc_launch(kernel, dim3((unsigned)x, (unsigned)y, (unsigned)a.slices),
                                   dim3(WARPS * 32), 2 * (X_BYTES + weights), d->stream, a));
}

template <int FORM> static int launch_type(struct zkc_dev *d, enum zk_type type, const tile_args &a)
{
    return type == ZK_F16 ? launch<FORM, ZK_F16>(d, a) : launch<FORM, ZK_BF16>(d, a);
}

} /* namespace */

int zkc_mm_tile(struct zkc_dev *d, const struct zkc_mm_call *c)
{
    tile_args a = {};
    a.m = zkc_mm_args_of(d, c);
    a.part = (float *)d->work;
    a.locks = d->locks;
    switch (c->lo->form) {
    case ZK_W4A:
        return launch_type<ZK_W4A>(d, c->type, a);
    case ZK_W8A:
        return launch_type<ZK_W8A>(d, c->type, a);
    case ZK_W4L:
        return launch_type<ZK_W4L>(d, c->type, a);
    case ZK_W8F:
        return launch_type<ZK_W8F>(d, c->type, a);
    case ZK_W16:
        return launch_type<ZK_W16>(d, c->type, a);
    default:
        return ZC_EINTERNAL;
    }
}
