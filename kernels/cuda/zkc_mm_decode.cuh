/* SPDX-License-Identifier: MIT */
/* y = W x for few rows of activations: the product of a decode step, which is nothing but reading
 * W once at the speed of the memory.
 *
 *     y[r][i] = (add ? y[r][i] : 0) + bias[i] + sum_j W[i][j] x[r][j], or silu(gate) * up of pairs
 *
 * Who does what. A warp owns a panel (64, 32 or 16 rows of W) and walks its blocks of 128 columns:
 * 4 KiB of codes and their scales come by cp.async through a ring of its own, so that there is no
 * barrier of the block of threads anywhere; the activations come from L1 straight into the operand
 * registers; q - zero goes into mma.m16n8k16 as exact integers, and the fp32 sums of a group of
 * columns are multiplied by its scale. The warps of a block of threads take panels side by side
 * over the same columns, so that L1 serves the activations of all but one of them.
 *
 * Partition (stream-K). All (panels side by side, block) units lie in one line; each of `workers`
 * blocks of threads takes an equal stretch of it. A panel that a stretch does not hold whole is
 * left in `part` in fp32, and who comes last adds the pieces in the order of their columns.
 * Stretches depend on the shape and the device only, a column of an mma only on its own row: so the
 * bits of a row are the same for 1 to any number of rows (NT, and row blocks in gridDim.x, only
 * repeat it).
 *
 * Shared memory: warps * stages * (4096 + meta). Registers: 16 NT accumulators per lane of W4A,
 * as many for a group, 16 NT for activations, 16 NT more to fetch them a block ahead (NT <= 2).
 *
 * Limit: the memory bus. Little's law asks for 5 to 8 KiB in flight per SM on consumer cards, 17 on
 * H100, 25 on H200 (700 ns); 8 warps with 2 stages have 34 to 68 KiB, with 4 (sm_80, 90) 100 to
 * 136. A block costs a warp about 480 instructions at NT = 1 (bf16, groups of 128: 431 from the
 * first mma to the last), and two chains of 16 mma; so two warps keep a scheduler busy, and the
 * four of an SM eat 34 bytes per clock, where the memory of 3090, 4090, 5090, H100, H200 delivers
 * 7, 3, 4, 14, 21. Why 4 KiB: a warp's turn should outlast the latency of its loads, yet 8 rings of
 * 2 fit into the 99 KiB of sm_86, 89 and 120, and leave registers for 32 rows of activations. */
#ifndef KERNELS_CUDA_ZKC_MM_DECODE_CUH
#define KERNELS_CUDA_ZKC_MM_DECODE_CUH

#include "kernels/cuda/zkc_mm_block.cuh"
#include "kernels/cuda/zkc_mm_call.cuh"

#define WARPS_ON_SM 8

namespace
{

/* ---- the partition ----------------------------------------------------------------------- */

/* All units (panels side by side, block) in one line, in `workers` stretches. */
struct split {
    int supers; /* groups of `warps` panels, which a block of threads takes side by side */
    int blocks; /* of a panel */
    int warps;
    int workers;
};

struct decode_args {
    zkc_mm_args m;
    split s;
    int stages;      /* of a warp's ring, 2 to 4 */
    float *part;     /* (row blocks, workers, 2, warps, a panel's sums) */
    uint32_t *locks; /* (row blocks, workers, warps) */
};

ZKC_DEV int split_start(const split &s, int worker)
{
    return (int)((long long)worker * s.supers * s.blocks / s.workers);
}

/* The worker that has a unit. */
ZKC_DEV int split_owner(const split &s, int unit)
{
    return (int)((((long long)unit + 1) * s.workers - 1) / ((long long)s.supers * s.blocks));
}

/* ---- the ring ---------------------------------------------------------------------------- */

/* A place in a warp's walk: which panels, which block of them. */
struct walk {
    int super, block;
};

ZKC_DEV void walk_next(walk &w, int blocks)
{
    if (++w.block == blocks) {
        w.block = 0;
        w.super++;
    }
}

/* Asks for one block of the warp's panel; nothing if there is no such panel. */
ZKC_DEV void fetch(const decode_args &p, const walk &w, int warp, int lane, uint8_t *stage)
{
    int panel = w.super * p.s.warps + warp;
    if (panel >= p.m.panels)
        return;
    const uint8_t *base = p.m.w + (size_t)panel * p.m.panel_bytes;
    const uint8_t *codes = base + (size_t)w.block * ZKC_MM_CODES;
    zkc_smem dst = zkc_smem_addr(stage);
#pragma unroll
    for (int i = 0; i < ZKC_MM_CODES; i += 512)
        zkc_cp_async16(dst + i + lane * 16, codes + i + lane * 16);
    const uint8_t *meta = base + (size_t)p.s.blocks * ZKC_MM_CODES;
    meta += (size_t)w.block * p.m.meta.bytes;
    for (int i = lane * 16; i < p.m.meta.bytes; i += 512)
        zkc_cp_async16(dst + ZKC_MM_CODES + i, meta + i);
}

ZKC_DEV void fetch_wait(int stages)
{
    if (stages == 2)
        zkc_cp_async_wait<1>();
    else if (stages == 3)
        zkc_cp_async_wait<2>();
    else
        zkc_cp_async_wait<3>();
    __syncwarp();
}

/* ---- activations ------------------------------------------------------------------------- */

template <int NT>
ZKC_DEV void acts_load(zkc_mm_acts<NT> &a, const zkc_mm_args &p, int row0, int block, int lane)
{
#pragma unroll
    for (int t = 0; t < NT; t++) {
        int row = row0 + t * 8 + lane / 4;
        const uint16_t *x = p.x + (size_t)row * p.ldx + block * ZKC_MM_K + lane % 4 * 8;
#pragma unroll
        for (int u = 0; u < 4; u++)
            a.v[u][t] = row < p.rows ? *reinterpret_cast<const uint4 *>(x + u * 32)
                                     : make_uint4(0, 0, 0, 0);
    }
}

/* ---- pieces ------------------------------------------------------------------------------ */

/* A piece of a panel: put down, and who puts down the last takes up all, in order. Returns whether
 * the sums are whole now. */
template <int FORM, int NT>
ZKC_DEV bool join(const decode_args &p, zkc_mm_sums<FORM, NT> &total, int worker, int super,
                  int warp, int lane)
{
    using F = zkc_mm_form<FORM>;
    constexpr int floats = F::tiles * NT * 4 * 32;
    const int first = super * p.s.blocks;
    const int from = split_owner(p.s, first);
    const int to = split_owner(p.s, first + p.s.blocks - 1);
    const size_t row_block = blockIdx.x;
    float *part = p.part + row_block * p.s.workers * 2 * p.s.warps * floats;

    /* Of a worker's two places the first is for a panel that began before its stretch. */
    float *mine =
        part +
        ((size_t)(worker * 2 + (split_start(p.s, worker) <= first)) * p.s.warps + warp) * floats;
#pragma unroll
    for (int i = 0; i < F::tiles * NT; i++)
        reinterpret_cast<float4 *>(mine)[i * 32 + lane] =
            *reinterpret_cast<float4 *>(total.v[i / NT][i % NT]);
    __threadfence();
    __syncwarp();
    /* The first worker of a panel in pieces is that of no other. */
    uint32_t *count = p.locks + (row_block * p.s.workers + from) * p.s.warps + warp;
    uint32_t before = 0;
    if (lane == 0)
        before = atomicAdd(count, 1u);
    before = __shfl_sync(0xffffffffu, before, 0);
    if (before != (uint32_t)(to - from))
        return false;
    __threadfence();
#pragma unroll
    for (int i = 0; i < F::tiles * NT; i++)
        *reinterpret_cast<float4 *>(total.v[i / NT][i % NT]) = make_float4(0, 0, 0, 0);
    for (int v = from; v <= to; v++) {
        const float4 *piece = reinterpret_cast<const float4 *>(
            part + ((size_t)(v * 2 + (split_start(p.s, v) <= first)) * p.s.warps + warp) * floats);
#pragma unroll
        for (int i = 0; i < F::tiles * NT; i++) {
            float4 f = __ldcg(piece + i * 32 + lane);
            float *sum = total.v[i / NT][i % NT];
            sum[0] += f.x;
            sum[1] += f.y;
            sum[2] += f.z;
            sum[3] += f.w;
        }
    }
    if (lane == 0)
        *count = 0;
    return true;
}

/* ---- the kernel -------------------------------------------------------------------------- */

template <int FORM, int TYPE, int NT, bool ONE_SET>
__global__ void __launch_bounds__(128, WARPS_ON_SM / 4) mm_decode_kernel(const decode_args p)
{
    ZKC_SHARED_DYN(uint8_t, shared);
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int worker = blockIdx.y, row0 = blockIdx.x * NT * 8;
    const int stage_bytes = ZKC_MM_CODES + p.m.meta.bytes;
    uint8_t *ring = shared + warp * p.stages * stage_bytes;

    const int start = split_start(p.s, worker), end = split_start(p.s, worker + 1);
    walk at = {start / p.s.blocks, start % p.s.blocks}, ahead = at;
    zkc_grid_trigger();
    for (int i = 0; i < p.stages; i++) {
        if (start + i < end)
            fetch(p, ahead, warp, lane, ring + i * stage_bytes);
        walk_next(ahead, p.s.blocks);
        zkc_cp_async_commit();
    }
    zkc_grid_wait(); /* weights do not depend on the kernel before; the activations do */

    zkc_mm_acts<NT> x, next;
    if (NT <= 2)
        acts_load<NT>(next, p.m, row0, at.block, lane);
    zkc_mm_sums<FORM, NT> total = {};
    int begun = at.block; /* where the piece of this panel begins */
    for (int unit = start, slot = 0; unit < end; unit++) {
        const int panel = at.super * p.s.warps + warp, block = at.block;
        walk then = at;
        walk_next(then, p.s.blocks);
        fetch_wait(p.stages);
        if (NT <= 2) {
            x = next;
            if (unit + 1 < end)
                acts_load<NT>(next, p.m, row0, then.block, lane);
        } else {
            acts_load<NT>(x, p.m, row0, block, lane);
        }
        if (panel < p.m.panels)
            zkc_mm_block<FORM, TYPE, NT, ONE_SET>(total, p.m.meta, ring + slot * stage_bytes,
                                                  ring + slot * stage_bytes + ZKC_MM_CODES, x,
                                                  lane);
        __syncwarp();
        if (unit + p.stages < end)
            fetch(p, ahead, warp, lane, ring + slot * stage_bytes);
        walk_next(ahead, p.s.blocks);
        zkc_cp_async_commit();
        slot = slot + 1 == p.stages ? 0 : slot + 1;

        if (block == p.s.blocks - 1 || unit == end - 1) {
            bool whole = begun == 0 && block == p.s.blocks - 1;
            if (panel < p.m.panels &&
                (whole || join<FORM, NT>(p, total, worker, at.super, warp, lane))) {
                zkc_mm_write<FORM, NT>(p.m, total, panel, row0, lane);
            }
            total = {};
            begun = 0;
        }
        at = then;
    }
}

/* ---- launching --------------------------------------------------------------------------- */

/* The same for every number of rows: it decides the order of the sums. */
static split split_of(const struct zkc_dev *d, const zkc_mm_layout *lo, int *ret_stages)
{
    const size_t stage = ZKC_MM_CODES + (size_t)lo->meta;
    split s = {};
    s.warps = lo->panels >= 16 ? 4 : 1;
    s.supers = (lo->panels + s.warps - 1) / s.warps;
    s.blocks = lo->blocks;
    const int per_sm = WARPS_ON_SM / s.warps;
    const long long units = (long long)s.supers * s.blocks;
    s.workers = (int)(units < d->sms * per_sm ? units : d->sms * per_sm);
    int stages = 4;
    while (stages > 2 && per_sm * (s.warps * stages * stage + 1024) > d->smem_max + 1024)
        stages--;
    *ret_stages = stages;
    return s;
}

/* Rows of activations in blocks of NT * 8; as many blocks at a time as work and locks serve. */
template <int FORM, int TYPE, int NT> static int launch(struct zkc_dev *d, decode_args a)
{
    const int block = NT * 8, rows = a.m.rows, locks = a.s.workers * a.s.warps;
    const size_t piece = (size_t)zkc_mm_form<FORM>::tiles * NT * 4 * 32 * sizeof(float);
    const size_t smem = (size_t)a.s.warps * a.stages * (ZKC_MM_CODES + a.m.meta.bytes);
    const size_t work = (size_t)locks * 2 * piece;
    int most = (int)(d->work_bytes / work < 64 ? d->work_bytes / work : 64);
    most = most < ZKC_N_LOCKS / locks ? most : ZKC_N_LOCKS / locks;
    if (most == 0)
        return ZC_EINTERNAL;
    auto kernel = mm_decode_kernel<FORM, TYPE, NT, true>;
    if (FORM != ZK_W16 && a.m.meta.mask != 3)
        kernel = mm_decode_kernel<FORM, TYPE, NT, FORM == ZK_W16>;
    for (int row = 0; row < rows; row += a.m.rows) {
        a.m.rows = rows - row < most * block ? rows - row : most * block;
        dim3 grid((unsigned)((a.m.rows + block - 1) / block), (unsigned)a.s.workers);
        int r = zkc_check(
            d, zkc_launch(kernel, grid, dim3((unsigned)a.s.warps * 32), smem, d->stream, a));
        if (r < 0)
            return r;
        a.m.x += (size_t)a.m.rows * a.m.ldx;
        if (a.m.y)
            a.m.y += (size_t)a.m.rows * a.m.ldy;
        else
            a.m.act = (char *)a.m.act + a.m.rows * a.m.lda * zkc_act_size(a.m.act_kind);
    }
    return ZC_OK;
}

template <int FORM, int TYPE> static int launch_rows(struct zkc_dev *d, const decode_args &a)
{
    if (a.m.rows <= 8)
        return launch<FORM, TYPE, 1>(d, a);
    if (a.m.rows <= 16)
        return launch<FORM, TYPE, 2>(d, a);
    return launch<FORM, TYPE, 4>(d, a);
}

template <int FORM> static int decode_form(struct zkc_dev *d, const struct zkc_mm_call *c)
{
    decode_args a = {};
    a.m = zkc_mm_args_of(d, c);
    a.s = split_of(d, c->lo, &a.stages);
    a.part = (float *)d->work;
    a.locks = d->locks;
    return c->type == ZK_F16 ? launch_rows<FORM, ZK_F16>(d, a) : launch_rows<FORM, ZK_BF16>(d, a);
}

} /* namespace */

#endif
