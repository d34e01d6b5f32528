/* SPDX-License-Identifier: MIT */
/* What the device can do at most: how fast all SMs read memory, and how many multiply-adds their
 * tensor cores do on registers with fp32 sums. zorac-bench divides by these. */
#include "kernels/cuda/zkc_dev.cuh"

#include <time.h>

#define THREADS 256
#define AHEAD   8 /* 16-byte loads of a thread in flight: 64 KiB per SM of two blocks */
#define CHAINS  8 /* independent sums of a warp */

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

namespace
{
/* Every byte once, 512 consecutive ones per warp and load. n: 16-byte pieces, a multiple of a
 * grid's AHEAD loads. out is written if all were zero, which they are not: so that they must be
 * read. */
__global__ void __launch_bounds__(THREADS) read_kernel(const uint4 *p, size_t n, uint32_t *out)
{
    const size_t step = (size_t)gridDim.x * THREADS;
    uint32_t any = 0;
    for (size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x; i < n; i += step * AHEAD) {
        uint4 v[AHEAD];
#pragma unroll
        for (int a = 0; a < AHEAD; a++)
            v[a] = zkc_ld_stream16(p + i + a * step);
#pragma unroll
        for (int a = 0; a < AHEAD; a++)
            any |= v[a].x | v[a].y | v[a].z | v[a].w;
    }
    if (any == 0)
        atomicAdd(out, 1u);
}

/* Two numbers from 0.5 to 1 of either sign, that differ from lane to lane: what is multiplied
 * decides how much power it takes, and thereby the clock. */
template <int KIND> ZKC_DEV uint32_t some_operand(uint32_t i)
{
    const uint32_t h = (i + 1) * 2654435761u;
    if (KIND == ZK_ACT_F16)
        return (h & 0x83ff83ffu) | 0x38003800u;
    return (h & 0x807f807fu) | 0x3f003f00u;
}

/* n times CHAINS products per warp. */
template <int KIND> __global__ void __launch_bounds__(THREADS) peak_kernel(int n, float *out)
{
    const uint32_t i0 = threadIdx.x * 6;
    const uint32_t a[4] = {some_operand<KIND>(i0), some_operand<KIND>(i0 + 1),
                           some_operand<KIND>(i0 + 2), some_operand<KIND>(i0 + 3)};
    const uint32_t b[2] = {some_operand<KIND>(i0 + 4), some_operand<KIND>(i0 + 5)};
    float sum[CHAINS][4] = {};
    for (int i = 0; i < n; i++)
#pragma unroll
        for (int c = 0; c < CHAINS; c++)
            if (KIND == ZK_ACT_F16)
                zkc_mma_f16(sum[c], a, b, sum[c]);
            else
                zkc_mma_bf16(sum[c], a, b, sum[c]);
    float all = 0;
#pragma unroll
    for (int c = 0; c < CHAINS; c++)
        all += sum[c][0] + sum[c][1] + sum[c][2] + sum[c][3];
    if (all == -1234.5f) /* never, but who knows */
        atomicAdd(out, all);
}

} /* namespace */

/* Seconds of `times` passes over the memory, 0 if that fails. */
static double time_reads(struct zkc_dev *d, const void *p, size_t n, int blocks, int times)
{
    cudaStreamSynchronize(d->stream);
    const double t = now();
    for (int i = 0; i < times; i++)
        if (zkc_check(d, zkc_launch(read_kernel, dim3((unsigned)blocks), dim3(THREADS), 0,
                                    d->stream, (const uint4 *)p, n, (uint32_t *)d->work)) < 0)
            return 0;
    return cudaStreamSynchronize(d->stream) == cudaSuccess ? now() - t : 0;
}

int zkc_fill(struct zk_dev *dev, void *p, int value, size_t bytes)
{
    struct zkc_dev *d = zkc_of(dev);
    return zkc_check(d, cudaMemsetAsync(p, value, bytes, d->stream));
}

/* Four times: a launch is little beside that. */
double zkc_probe_read(struct zk_dev *dev, const void *p, size_t bytes)
{
    struct zkc_dev *d = zkc_of(dev);
    const int blocks = d->sms * 2, times = 4;
    const size_t grid = (size_t)blocks * THREADS * AHEAD * sizeof(uint4);
    const size_t whole = bytes / grid * grid;
    const double t = whole > 0 ? time_reads(d, p, whole / sizeof(uint4), blocks, times) : 0;
    return t > 0 ? (double)whole * times / t : 0;
}

static double time_peak(struct zkc_dev *d, enum zk_act_kind kind, int n, int blocks)
{
    auto kernel = kind == ZK_ACT_F16 ? peak_kernel<ZK_ACT_F16> : peak_kernel<ZK_ACT_BF16>;
    cudaStreamSynchronize(d->stream);
    const double t = now();
    if (zkc_check(d, zkc_launch(kernel, dim3((unsigned)blocks), dim3(THREADS), 0, d->stream, n,
                                (float *)d->work)) < 0)
        return 0;
    return cudaStreamSynchronize(d->stream) == cudaSuccess ? now() - t : 0;
}

double zkc_probe_peak(struct zk_dev *dev, enum zk_act_kind kind, int ms)
{
    struct zkc_dev *d = zkc_of(dev);
    const int blocks = d->sms * 2;
    int n = 16;
    double t = 0;

    if (kind != ZK_ACT_F16 && kind != ZK_ACT_BF16)
        return 0;
    while ((t = time_peak(d, kind, n, blocks)) > 0 && t * 1000 < ms && n < 1 << 28)
        n *= 2;
    return t > 0 ? (double)n * CHAINS * 2048 * blocks * (THREADS / 32) / t : 0;
}
