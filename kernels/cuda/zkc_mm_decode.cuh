/* SPDX-License-Identifier: MIT */
/* y = W x for few rows of activations: the product of a decode step, which is nothing but reading
 * W once at the speed of the memory.
 *
 *     y[r][i] = (add ? y[r][i] : 0) + bias[i] + sum_j W[i][j] x[r][j], or silu(gate) * up of pairs
 *
 * Who does what. A warp owns a panel (64, 32 or 16 rows of W) and walks its blocks of 128 columns:
 * 4 KiB of codes and their scales come by cp.async through a ring of its own, so that there is no
 * barrier of the block of threads anywhere; the activations come from L1 straight into the operand
 * registers, those of the next block as soon as a register is free; q - zero goes into
 * mma.m16n8k16 as exact integers, and the fp32 sums of a group of columns are multiplied by its
 * scale. The warps of a block of threads take panels side by side over the same columns, so that L1
 * serves the activations of all but one of them. For more than 32 rows two warps share a ring, each
 * with half of 64 rows: W is read once for them.
 *
 * Partition (stream-K). All (panels side by side, block) units lie in one line; each of `workers`
 * blocks of threads takes an equal stretch of it. A panel that a stretch does not hold whole is
 * left in `part` in fp32, and who comes last adds the pieces in the order of their columns.
 * Stretches depend on the shape and the device only, a column of an mma only on its own row: so the
 * bits of a row are the same for 1 to any number of rows (NT, RG and row blocks in gridDim.x only
 * repeat it).
 *
 * Launched while the kernel before it ends (sm_90, sm_120): rings are filled before the wait.
 *
 * Shared memory: rings * stages * (4096 + meta). Registers: 16 NT accumulators per lane of W4A,
 * half as many for a group, 16 NT for activations.
 *
 * Limit: the memory bus. Reckoned, not measured:
 *   Bytes in flight. Little's law asks for 5 to 8 KiB per SM on consumer cards, 17 on H100, 25 on
 *   H200 (700 ns); 8 rings of 2 stages have 34 to 68 KiB, of 4 (sm_80, 90) 100 to 136.
 *   Issue. A block costs a warp about 440 (fp16) or 500 (bf16) instructions at NT = 1 on sm_90, of
 *   which 224 and 352 make operands; two warps of a scheduler take 1000 slots for what the memory
 *   of 3090, 4090, 5090, H100, H200 delivers in 5000, 11000, 7700, 2350, 1650 clocks.
 *   Tensor cores, fp32 sums: an mma keeps one busy for 8 clocks on sm_80 and 90, for 32 on sm_86,
 *   89 and 120. So 32 rows take 4096 clocks a warp's block there and 64 rows 8192, where the memory
 *   delivers two such blocks (of the scheduler's two warps) in 5000, 11000, 7700: from 20, 43 and
 *   30 rows on the tensor cores are the limit, whoever reads W how often. On an H100 it is 37 rows
 *   of mma.sync, on an H200 26.
 *   The end. Pieces of a panel go through L2: a store, a barrier of the device's memory, an atomic,
 *   a load: about 1.5 us, and 0.25 for every further four pieces (o on a 4090: 14). Hence a weak
 *   barrier, loads in flight together, and only the rows that are there: 512 bytes of a panel's
 *   piece at batch 1, which would otherwise be 2 KiB, 4 MB of o's 11 in all.
 * Why 4 KiB: a warp's turn should outlast the latency of its loads, yet 8 rings of 2 fit into the
 * 99 KiB of sm_86, 89 and 120, and leave registers for 32 rows of activations. */
#ifndef KERNELS_CUDA_ZKC_MM_DECODE_CUH
#define KERNELS_CUDA_ZKC_MM_DECODE_CUH

#include "kernels/cuda/zkc_mm_block.cuh"
#include "kernels/cuda/zkc_mm_call.cuh"
#include "kernels/cuda/zkc_mm_tune.h"

#define WARPS_ON_SM ZKC_TUNE_WARPS
#define MAX_STAGES  ZKC_TUNE_STAGES

namespace
{

/* ---- the partition ----------------------------------------------------------------------- */

/* All units (panels side by side, block) in one line, in `workers` stretches of `each` units; the
 * first `more` have one more. */
struct split {
    int supers; /* groups of `warps` panels, which a block of threads takes side by side */
    int blocks; /* of a panel */
    int warps;
    int workers;
    int each, more;
};

struct decode_args {
    zkc_mm_args m;
    split s;
    int stages;      /* of a ring, 2 to MAX_STAGES */
    float *part;     /* (row blocks, workers, 2, warps, a panel's sums) */
    uint32_t *locks; /* (row blocks, workers, warps) */
};

ZKC_DEV int split_start(const split &s, int worker)
{
    return worker * s.each + (worker < s.more ? worker : s.more);
}

/* The worker that has a unit. */
ZKC_DEV int split_owner(const split &s, int unit)
{
    const unsigned longer = (unsigned)s.more * (s.each + 1), u = (unsigned)unit;
    return (int)(u < longer ? u / (s.each + 1) : s.more + (u - longer) / s.each);
}

/* ---- the ring ---------------------------------------------------------------------------- */

/* What a ring's threads fetch next: a thread's first bytes of codes and meta. */
struct ahead {
    const uint8_t *codes, *meta;
    int panel, left; /* blocks left of it */
};

ZKC_DEV ahead ahead_at(const decode_args &p, int panel, int block, int thread)
{
    const uint8_t *base = p.m.w + (size_t)panel * p.m.panel_bytes + thread * 16;
    return {base + (size_t)block * ZKC_MM_CODES,
            base + (size_t)p.s.blocks * ZKC_MM_CODES + (size_t)block * p.m.meta.bytes, panel,
            p.s.blocks - block};
}

ZKC_DEV void ahead_next(ahead &a, const decode_args &p, int thread)
{
    a.codes += ZKC_MM_CODES;
    a.meta += p.m.meta.bytes;
    if (--a.left == 0)
        a = ahead_at(p, a.panel + p.s.warps, 0, thread);
}

/* Asks for a block, by THREADS threads; nothing if there is no such panel. Metas have up to 72
 * vectors, those of ONE_SET up to 18. */
template <int THREADS, bool ONE_SET>
ZKC_DEV void fetch(const decode_args &p, const ahead &a, bool is_wanted, zkc_smem stage, int thread,
                   zkc_policy policy)
{
    const zkc_smem dst = stage + thread * 16;
    is_wanted = is_wanted && a.panel < p.m.panels;
#pragma unroll
    for (int i = 0; i < ZKC_MM_CODES; i += THREADS * 16)
        zkc_cp_async16_as(dst + i, a.codes + i, is_wanted, policy);
#pragma unroll
    for (int i = 0; i < (ONE_SET ? 18 : 72) * 16; i += THREADS * 16)
        zkc_cp_async16_as(dst + ZKC_MM_CODES + i, a.meta + i,
                          is_wanted && i + thread * 16 < p.m.meta.bytes, policy);
}

/* The threads of a ring: a warp, or one of each group of rows. */
template <int RG> ZKC_DEV void ring_sync(int ring)
{
    if (RG == 1)
        __syncwarp();
    else
        zkc_bar_sync(1 + ring, RG * 32);
}

template <int RG> ZKC_DEV void ring_wait(int stages, int ring)
{
    if (stages == 2)
        zkc_cp_async_wait<1>();
    else if (stages == 3)
        zkc_cp_async_wait<2>();
    else
        zkc_cp_async_wait<3>();
    ring_sync<RG>(ring);
}

/* ---- activations ------------------------------------------------------------------------- */

/* A lane's activations for steps 2 u and 2 u + 1: 8 columns of row t * 8, from x on; rows that are
 * not there (from n on) stay as they are. */
template <int NT>
ZKC_DEV void acts_load(zkc_mm_acts<NT> &a, int u, const uint16_t *x, int ldx, int n)
{
#pragma unroll
    for (int t = 0; t < NT; t++)
        if (t * 8 < n)
            a.v[u][t] = *reinterpret_cast<const uint4 *>(x + (size_t)(t * 8) * ldx + u * 32);
}

/* ---- pieces ------------------------------------------------------------------------------ */

/* A worker's sums of a panel in `part`: of its two places, the first is for a panel that began
 * before its stretch. A lane's fours are 8 lanes apart from those of its next two rows, so that few
 * rows are few lines. */
template <int FORM, int NT>
ZKC_DEV float4 *piece_at(const decode_args &p, int row_block, int worker, bool begins, int ring,
                         int lane)
{
    constexpr int fours = zkc_mm_form<FORM>::tiles * NT * 32;
    const size_t place = ((size_t)row_block * p.s.workers + worker) * 2 + begins;
    return reinterpret_cast<float4 *>(p.part) + (place * p.s.warps + ring) * fours + lane % 4 * 8 +
           lane / 4;
}

/* A piece of a panel: put down, and who puts down the last takes up all, in order, as many at a
 * time as registers hold. there: rows from the lane's first on. Returns whether the sums are whole
 * now. */
template <int FORM, int NT>
ZKC_DEV bool join(const decode_args &p, zkc_mm_sums<FORM, NT> &total, int row_block, int worker,
                  int super, int ring, int lane, int there)
{
    constexpr int tiles = zkc_mm_form<FORM>::tiles, together = 16 / (tiles * NT);
    constexpr int at_once = together < 1 ? 1 : together > 4 ? 4 : together;
    const int first = super * p.s.blocks;
    const int from = split_owner(p.s, first), to = split_owner(p.s, first + p.s.blocks - 1);

    float4 *mine = piece_at<FORM, NT>(p, row_block, worker, worker == from, ring, lane);
#pragma unroll
    for (int i = 0; i < tiles * NT; i++)
        if (i % NT * 8 < there)
            mine[i * 32] = *reinterpret_cast<float4 *>(total.v[i / NT][i % NT]);
    __syncwarp();
    /* The first worker of a panel in pieces is that of no other. */
    uint32_t *count = p.locks + ((size_t)row_block * p.s.workers + from) * p.s.warps + ring;
    uint32_t before = 0;
    if (lane == 0)
        before = zkc_atom_add(count, 1);
    before = __shfl_sync(ZKC_ALL_LANES, before, 0);
    if (before != (uint32_t)(to - from))
        return false;
    __syncwarp();
    total = {};
    for (int v = from; v <= to; v += at_once) {
        float4 f[at_once][tiles * NT];
#pragma unroll
        for (int j = 0; j < at_once; j++) {
            const float4 *piece =
                piece_at<FORM, NT>(p, row_block, v + j, v + j == from, ring, lane);
#pragma unroll
            for (int i = 0; i < tiles * NT; i++)
                f[j][i] = v + j <= to && i % NT * 8 < there ? __ldcg(piece + i * 32)
                                                            : make_float4(0, 0, 0, 0);
        }
#pragma unroll
        for (int i = 0; i < at_once * tiles * NT; i++) {
            const float4 &g = f[i / (tiles * NT)][i % (tiles * NT)];
            float *sum = total.v[i % (tiles * NT) / NT][i % NT];
            sum[0] += g.x;
            sum[1] += g.y;
            sum[2] += g.z;
            sum[3] += g.w;
        }
    }
    if (lane == 0)
        *count = 0;
    return true;
}

/* ---- the kernel -------------------------------------------------------------------------- */

template <int FORM, int TYPE, int NT, int RG, bool ONE_SET>
__global__ void __launch_bounds__(128 * RG, WARPS_ON_SM / (4 * RG))
    mm_decode_kernel(const decode_args p)
{
    ZKC_SHARED_DYN(uint8_t, shared);
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, worker = blockIdx.y;
    const int ring = RG == 1 ? warp : warp % p.s.warps, group = RG == 1 ? 0 : warp / p.s.warps;
    const int row_block = blockIdx.x * RG + group, row0 = row_block * NT * 8;
    const int thread = group * 32 + lane;
    const int stage_bytes = ZKC_MM_CODES + p.m.meta.bytes, ring_bytes = p.stages * stage_bytes;
    const uint8_t *const stages = shared + ring * ring_bytes;
    const zkc_smem stages_at = zkc_smem_addr(stages);
    const zkc_policy once = zkc_policy_once();
    const zkc_mm_table<FORM> table = zkc_mm_table_at<FORM>(p.m.table);

    const int start = split_start(p.s, worker), end = split_start(p.s, worker + 1);
    int super = start / p.s.blocks, block = start % p.s.blocks;
    ahead next = ahead_at(p, super * p.s.warps + ring, block, thread);
    zkc_grid_trigger();
#pragma unroll 1
    for (int i = 0; i < p.stages; i++) {
        fetch<RG * 32, ONE_SET>(p, next, start + i < end, stages_at + i * stage_bytes, thread,
                                once);
        zkc_cp_async_commit();
        ahead_next(next, p, thread);
    }
    zkc_grid_wait(); /* weights do not depend on the kernel before; the activations do */

    for (int unit = start, slot = 0; unit < end; block = 0, super++) {
        const int panel = super * p.s.warps + ring;
        const bool is_there = panel < p.m.panels && row0 < p.m.rows;
        const bool is_whole = block == 0 && end - unit >= p.s.blocks;
        const int stop = end - unit < p.s.blocks - block ? end : unit + p.s.blocks - block;
        const int row = zkc_here(row0) + lane / 4, x_rows = p.m.rows - row;
        const uint16_t *x_at = p.m.x + (size_t)row * p.m.ldx + block * ZKC_MM_K + lane % 4 * 8;
        zkc_mm_acts<NT> x = {};
#pragma unroll
        for (int u = 0; u < 4; u++)
            acts_load<NT>(x, u, x_at, p.m.ldx, x_rows);
        zkc_mm_sums<FORM, NT> total = {};
        for (; unit < stop; unit++) {
            const int n = unit + 1 < stop ? x_rows : 0; /* there is a next block */
            x_at += ZKC_MM_K;
            ring_wait<RG>(p.stages, ring);
            if (is_there)
                zkc_mm_block<FORM, TYPE, NT, ONE_SET>(
                    total, p.m.meta, table, stages + slot, stages + slot + ZKC_MM_CODES, x, lane,
                    [&](int u) { acts_load<NT>(x, u, x_at, p.m.ldx, n); });
            ring_sync<RG>(ring);
            fetch<RG * 32, ONE_SET>(p, next, unit + p.stages < end, stages_at + slot, thread, once);
            zkc_cp_async_commit();
            ahead_next(next, p, thread);
            slot = slot + stage_bytes == ring_bytes ? 0 : slot + stage_bytes;
        }
        const int out = zkc_here(row0);
        if (is_there && (is_whole || join<FORM, NT>(p, total, row_block, blockIdx.y, super, ring,
                                                    lane, p.m.rows - out - lane % 4 * 2)))
            zkc_mm_write<FORM, NT>(p.m, total, panel, out, lane);
    }
}

/* ---- launching --------------------------------------------------------------------------- */

/* The same for every number of rows: it decides the order of the sums. */
static split split_of(const struct zkc_dev *d, const zkc_mm_layout *lo)
{
    split s = {};
    s.warps = lo->panels >= 16 ? 4 : 1;
    s.supers = (lo->panels + s.warps - 1) / s.warps;
    s.blocks = lo->blocks;
    /* A lock for each warp of two groups of rows: that serves 256 SMs, a larger GPU in part. */
    const int locks = ZKC_N_LOCKS / (2 * s.warps), all = d->sms * (WARPS_ON_SM / s.warps);
    const int units = s.supers * s.blocks, most = all < locks ? all : locks;
    s.workers = units < most ? units : most;
    s.each = units / s.workers;
    s.more = units % s.workers;
    return s;
}

/* As many as fit beside the other blocks of an SM; each takes 1 KiB more than it asks for. */
static int stages_of(const struct zkc_dev *d, const decode_args &a, int groups)
{
    const size_t blocks = (size_t)(WARPS_ON_SM / (a.s.warps * groups));
    const size_t stage = (size_t)a.s.warps * (ZKC_MM_CODES + (size_t)a.m.meta.bytes);
    int stages = MAX_STAGES;
    while (stages > 2 && blocks * ((size_t)stages * stage + 1024) > d->smem_max + 1024)
        stages--;
    return stages;
}

/* Rows of activations in blocks of RG groups of NT * 8; as many at a time as work and locks serve.
 */
template <int FORM, int TYPE, int NT, int RG> static int launch(struct zkc_dev *d, decode_args a)
{
    const int block = RG * NT * 8, rows = a.m.rows, locks = RG * a.s.workers * a.s.warps;
    const size_t piece = (size_t)zkc_mm_form<FORM>::tiles * NT * 4 * 32 * sizeof(float);
    a.stages = stages_of(d, a, RG);
    const size_t smem = (size_t)(a.s.warps * a.stages) * (ZKC_MM_CODES + (size_t)a.m.meta.bytes);
    const size_t work = (size_t)locks * 2 * piece;
    int most = (int)(d->work_bytes / work < 64 ? d->work_bytes / work : 64);
    most = most < ZKC_N_LOCKS / locks ? most : ZKC_N_LOCKS / locks;
    if (most == 0)
        return ZC_EINTERNAL;
    auto kernel = mm_decode_kernel<FORM, TYPE, NT, RG, true>;
    if (FORM != ZK_W16 && a.m.meta.mask != 3)
        kernel = mm_decode_kernel<FORM, TYPE, NT, RG, FORM == ZK_W16>;
    for (int row = 0; row < rows; row += a.m.rows) {
        a.m.rows = rows - row < most * block ? rows - row : most * block;
        const dim3 grid((unsigned)((a.m.rows + block - 1) / block), (unsigned)a.s.workers);
        const dim3 threads((unsigned)(RG * a.s.warps * 32));
        int r =
            zkc_check(d, zkc_launch_early(d->early_cc, kernel, grid, threads, smem, d->stream, a));
        if (r < 0)
            return r;
        a.m.x += (size_t)a.m.rows * a.m.ldx;
        if (a.m.y)
            a.m.y += (size_t)a.m.rows * a.m.ldy;
        else
            a.m.act =
                (char *)a.m.act + (size_t)a.m.rows * (size_t)a.m.lda * zkc_act_size(a.m.act_kind);
    }
    return ZC_OK;
}

template <int FORM, int TYPE> static int launch_rows(struct zkc_dev *d, const decode_args &a)
{
    if (a.m.rows <= 8)
        return launch<FORM, TYPE, 1, 1>(d, a);
    if (a.m.rows <= 16)
        return launch<FORM, TYPE, 2, 1>(d, a);
    if (a.m.rows <= 32)
        return launch<FORM, TYPE, 4, 1>(d, a);
    return launch<FORM, TYPE, 4, 2>(d, a);
}

template <int FORM> static int decode_form(struct zkc_dev *d, const struct zkc_mm_call *c)
{
    decode_args a = {};
    a.m = zkc_mm_args_of(d, c);
    a.s = split_of(d, c->lo);
    a.part = (float *)d->work;
    a.locks = d->locks;
    return c->type == ZK_F16 ? launch_rows<FORM, ZK_F16>(d, a) : launch_rows<FORM, ZK_BF16>(d, a);
}

} /* namespace */

#endif
