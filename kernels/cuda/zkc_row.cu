/* SPDX-License-Identifier: MIT */
/* Operations that go row by row: embedding, norm, preparing activations, SwiGLU, gathering, the
 * table of angles. With few rows all are bound by latency: so a row has as many threads as give
 * each few elements, whose loads are under way together; each kernel is launched while those before
 * it still run, and lets the next come at once, which, if it is a product, fetches its first
 * weights meanwhile. */
#include "kernels/cuda/zkc_dev.cuh"

#define THREADS 256
#define NORM    512 /* threads of a norm */
#define AT_ONCE 4   /* elements of a thread, where a row has several blocks */

/* Blocks for a row of n elements. */
static unsigned blocks_of(int n)
{
    return (unsigned)((n + THREADS * AT_ONCE - 1) / (THREADS * AT_ONCE));
}

size_t zkc_act_bytes(const struct zk_dev *dev, enum zk_act_kind kind, int rows, int k)
{
    if (kind == ZK_ACT_Q8)
        return 0;
    return ((size_t)rows * (size_t)zkc_kp(k) * zkc_act_size(kind) + 255) / 256 * 256;
}

/* ---- preparing ---------------------------------------------------------------------------- */

/* y[r][i] = f(perm[i]) for i < k, zero up to kp: what the three operations below share. */
template <int KIND, class F>
ZKC_DEV void put_row(void *y, int k, const int32_t *perm, uint32_t *status, F f)
{
    const int kp = (k + 127) / 128 * 128;
    const size_t row = (size_t)blockIdx.x * kp;
#pragma unroll 4
    for (int i = blockIdx.y * blockDim.x + threadIdx.x; i < kp; i += gridDim.y * blockDim.x)
        zkc_act_store<KIND>(y, row + i, i < k ? f(perm ? perm[i] : i) : 0.0f, status);
}

/* y[r] = act(x[r * ldx ..]); grid: rows x blocks_of. */
template <int KIND>
__global__ void __launch_bounds__(THREADS)
    to_act_kernel(void *y, const float *x, int ldx, int k, const int32_t *perm, uint32_t *status)
{
    zkc_grid_trigger();
    zkc_grid_wait();
    const float *row = x + (size_t)blockIdx.x * ldx;
    put_row<KIND>(y, k, perm, status, [&](int i) { return row[i]; });
}

/* y[r] = act(w x / rms(x)); grid: rows. Squares are summed by each thread over its columns, then by
 * a butterfly in the warp, then over the warps in order: the same for any number of rows. Of rows
 * up to NORM * EACH a thread keeps its elements, and has its weights before there is anything to
 * weigh; EACH = 0: rows of any length, which are read twice. */
template <int KIND, int EACH>
__global__ void __launch_bounds__(NORM)
    rms_norm_kernel(void *y, const float *x, const float *w, float eps, int C, const int32_t *perm,
                    uint32_t *status)
{
    ZKC_SHARED(float, part, [NORM / 32]);
    const float *row = x + (size_t)blockIdx.x * C;
    const int kp = (C + 127) / 128 * 128;
    float weight[EACH > 0 ? EACH : 1], v[EACH > 0 ? EACH : 1];
    int from[EACH > 0 ? EACH : 1];
    float sum = 0;
    zkc_grid_trigger();
#pragma unroll
    for (int e = 0; e < EACH; e++) {
        const int i = e * NORM + threadIdx.x;
        from[e] = i >= C ? -1 : perm ? perm[i] : i;
        weight[e] = from[e] < 0 ? 0.0f : w[from[e]];
    }
    zkc_grid_wait();
#pragma unroll
    for (int e = 0; e < EACH; e++) {
        v[e] = from[e] < 0 ? 0.0f : row[from[e]];
        sum += v[e] * v[e];
    }
    for (int i = threadIdx.x; EACH == 0 && i < C; i += NORM)
        sum += row[i] * row[i];
    const float inv = 1.0f / sqrtf(zkc_block_sum<NORM / 32>(sum, part) / (float)C + eps);
    if (EACH == 0)
        put_row<KIND>(y, C, perm, status, [&](int i) { return w[i] * (row[i] * inv); });
#pragma unroll
    for (int e = 0; e < EACH; e++) {
        const int i = e * NORM + threadIdx.x;
        if (i < kp)
            zkc_act_store<KIND>(y, (size_t)blockIdx.x * kp + i, weight[e] * (v[e] * inv), status);
    }
}

/* y[r] = act(silu(g[r]) u[r]); grid: rows x blocks_of. */
template <int KIND>
__global__ void __launch_bounds__(THREADS)
    swiglu_kernel(void *y, const float *g, const float *u, int ld, int F, const int32_t *perm,
                  uint32_t *status)
{
    zkc_grid_trigger();
    zkc_grid_wait();
    const size_t row = (size_t)blockIdx.x * ld;
    put_row<KIND>(y, F, perm, status, [&](int i) { return zkc_silu(g[row + i]) * u[row + i]; });
}

int zkc_to_act(struct zk_dev *dev, struct zk_act *y, const float *x, int ldx, int rows, int k,
               const int32_t *perm)
{
    struct zkc_dev *d = zkc_of(dev);
    cudaError_t e;
    if (y->k != k || rows < 1 || y->kind == ZK_ACT_Q8)
        return ZC_EINVAL;
    y->rows = rows;
    ZKC_BY_KIND(y->kind, e = zkc_launch_early(d->early_cc, to_act_kernel<KIND>,
                                              dim3(rows, blocks_of(k)), dim3(THREADS), 0, d->stream,
                                              y->data, x, ldx, k, perm, d->status));
    return zkc_check(d, e);
}

int zkc_rms_norm(struct zk_dev *dev, struct zk_act *y, const float *x, const float *w, float eps,
                 int rows, int C, const int32_t *perm)
{
    struct zkc_dev *d = zkc_of(dev);
    cudaError_t e;
    if (y->k != C || rows < 1 || y->kind == ZK_ACT_Q8)
        return ZC_EINVAL;
    y->rows = rows;
    ZKC_BY_KIND(y->kind, e = zkc_launch_early(d->early_cc,
                                              C <= NORM * 4    ? rms_norm_kernel<KIND, 4>
                                              : C <= NORM * 16 ? rms_norm_kernel<KIND, 16>
                                                               : rms_norm_kernel<KIND, 0>,
                                              dim3(rows), dim3(NORM), 0, d->stream, y->data, x, w,
                                              eps, C, perm, d->status));
    return zkc_check(d, e);
}

int zkc_swiglu(struct zk_dev *dev, struct zk_act *y, const float *g, const float *u, int ld,
               int rows, int F, const int32_t *perm)
{
    struct zkc_dev *d = zkc_of(dev);
    cudaError_t e;
    if (y->k != F || rows < 1 || y->kind == ZK_ACT_Q8)
        return ZC_EINVAL;
    y->rows = rows;
    ZKC_BY_KIND(y->kind, e = zkc_launch_early(d->early_cc, swiglu_kernel<KIND>,
                                              dim3(rows, blocks_of(F)), dim3(THREADS), 0, d->stream,
                                              y->data, g, u, ld, F, perm, d->status));
    return zkc_check(d, e);
}

/* ---- looking up --------------------------------------------------------------------------- */

/* y[r] = table[ids[r]], zeros for padding; grid: rows x blocks_of. The table may be host memory. */
__global__ void __launch_bounds__(THREADS)
    embed_kernel(float *y, const void *table, enum zk_type type, int V, int C, const int32_t *ids,
                 uint32_t *status)
{
    zkc_grid_trigger();
    zkc_grid_wait();
    const int32_t id = ids[blockIdx.x];
    const bool is_known = id >= 0 && id < V;
    if (!is_known && id != ZK_PADDING && threadIdx.x + blockIdx.y == 0)
        zkc_fault(status, ZKC_STATUS_ID);
    const size_t from = (size_t)(is_known ? id : 0) * C, to = (size_t)blockIdx.x * C;
#pragma unroll 4
    for (int i = blockIdx.y * THREADS + threadIdx.x; i < C; i += gridDim.y * THREADS)
        y[to + i] = is_known ? zkc_load(table, type, from + i) : 0.0f;
}

/* y[r] = x[rows[r]]; grid: rows x blocks_of. */
__global__ void __launch_bounds__(THREADS)
    gather_kernel(float *y, const float *x, const int32_t *rows, int C)
{
    zkc_grid_trigger();
    zkc_grid_wait();
    const size_t from = (size_t)rows[blockIdx.x] * C, to = (size_t)blockIdx.x * C;
#pragma unroll 4
    for (int i = blockIdx.y * THREADS + threadIdx.x; i < C; i += gridDim.y * THREADS)
        y[to + i] = x[from + i];
}

/* cs[r][2][half]: mscale times cosine and sine of pos[r] * inv_freq[i]; grid: rows. In double, so
 * that large positions lose nothing: once per step. */
__global__ void __launch_bounds__(THREADS)
    rope_table_kernel(float *cs, const int32_t *pos, const float *inv_freq, int half, float mscale)
{
    zkc_grid_trigger();
    zkc_grid_wait();
    float *row = cs + (size_t)blockIdx.x * 2 * half;
    for (int i = threadIdx.x; i < half; i += THREADS) {
        const double angle = (double)((float)pos[blockIdx.x] * inv_freq[i]);
        row[i] = (float)((double)mscale * cos(angle));
        row[half + i] = (float)((double)mscale * sin(angle));
    }
}

int zkc_embed(struct zk_dev *dev, float *y, const void *table, enum zk_type type, int V, int C,
              const int32_t *ids, int rows)
{
    struct zkc_dev *d = zkc_of(dev);
    return zkc_check(d, zkc_launch_early(d->early_cc, embed_kernel, dim3(rows, blocks_of(C)),
                                         dim3(THREADS), 0, d->stream, y, table, type, V, C, ids,
                                         d->status));
}

int zkc_gather(struct zk_dev *dev, float *y, const float *x, const int32_t *rows, int n, int C)
{
    struct zkc_dev *d = zkc_of(dev);
    return zkc_check(d, zkc_launch_early(d->early_cc, gather_kernel, dim3(n, blocks_of(C)),
                                         dim3(THREADS), 0, d->stream, y, x, rows, C));
}

int zkc_rope_table(struct zk_dev *dev, float *cs, const int32_t *pos, int rows,
                   const float *inv_freq, int rot_dim, float mscale)
{
    struct zkc_dev *d = zkc_of(dev);
    if (rot_dim == 0)
        return ZC_OK;
    return zkc_check(d, zkc_launch_early(d->early_cc, rope_table_kernel, dim3(rows), dim3(THREADS),
                                         0, d->stream, cs, pos, inv_freq, rot_dim / 2, mscale));
}
