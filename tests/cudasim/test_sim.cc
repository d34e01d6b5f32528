/* SPDX-License-Identifier: MIT */
/* The simulator itself: a kernel for each kind of mistake, which it must find and name, and one
 * without, which it must pass. What a checker does not find when it is there proves nothing when
 * it is not. Built with the memory checker. */
#include "kernels/cuda/zkc_ptx.cuh"

#include <cstdio>

static constexpr int N = 128;

__global__ void right(int *p)
{
    ZKC_SHARED(int, s, [N]);
    s[threadIdx.x] = p[threadIdx.x];
    __syncthreads();
    p[threadIdx.x] = s[N - 1 - threadIdx.x] + __shfl_xor_sync(0xffffffffu, 1, 1);
}
__global__ void no_barrier(int *p)
{
    ZKC_SHARED(int, s, [N]);
    s[threadIdx.x] = p[threadIdx.x];
    __syncthreads();
    s[threadIdx.x] += 1;
    p[threadIdx.x] = s[N - 1 - threadIdx.x];
}
__global__ void no_wait(int *p)
{
    ZKC_SHARED(int4, s, [N]);
    zkc_cp_async16(zkc_smem_addr(&s[threadIdx.x]), p);
    zkc_cp_async_commit();
    p[threadIdx.x + 4] = s[threadIdx.x].x;
    zkc_cp_async_wait<0>();
}
__global__ void never_waited(int *p)
{
    ZKC_SHARED(int4, s, [N]);
    zkc_cp_async16(zkc_smem_addr(&s[threadIdx.x]), p);
    zkc_cp_async_commit();
}
__global__ void unaligned(int *p)
{
    ZKC_SHARED(int4, s, [N]);
    zkc_cp_async16(zkc_smem_addr(&s[threadIdx.x]), p + 1);
    zkc_cp_async_wait<0>();
}
__global__ void past_the_end(int *p)
{
    p[threadIdx.x + N] = 1;
}
__global__ void past_shared(int *p)
{
    ZKC_SHARED(int, s, [N]);
    s[threadIdx.x + 1] = p[0];
}
__global__ void not_written(int *p)
{
    ZKC_SHARED(int, s, [N]);
    p[threadIdx.x] = s[threadIdx.x];
}
__global__ void blocks_race(int *p)
{
    if (threadIdx.x == 0)
        p[0] = (int)blockIdx.x;
}
__global__ void half_a_barrier(int *p)
{
    if (threadIdx.x < 64)
        __syncthreads();
}
__global__ void two_barriers(int *p)
{
    if (threadIdx.x < 64)
        __syncthreads();
    else
        __syncthreads();
}
__global__ void lane_missing(int *p)
{
    if (threadIdx.x % 32 < 16)
        p[threadIdx.x] = __shfl_sync(0xffffffffu, p[threadIdx.x], 20);
}
__global__ void spins_alone(int *p)
{
    zkc_bar_sync(1, N + 32);
}
__global__ void host_memory(int *p, const int *host)
{
    p[threadIdx.x] = host[0];
}

static int n_failed;

/* says: part of the error, or NULL for none. */
template <class... A> static void expect(const char *name, const char *says, cudaError_t e, A...)
{
    const char *text = e == cudaSuccess ? "" : cudaGetErrorString(e);
    bool ok = says ? e != cudaSuccess && strstr(text, says) : e == cudaSuccess;
    printf("%s %s%s%s\n", ok ? "ok  " : "FAIL", name, *text ? ": " : "", text);
    n_failed += !ok;
    cudaGetLastError();
}

int main()
{
    int *p;
    const dim3 one(1), many(4), block(N);
    if (cudaMalloc((void **)&p, N * sizeof *p) != cudaSuccess)
        return 1;
    cudaMemset(p, 0, N * sizeof *p);
#define RUN(KERNEL, GRID, SAYS) \
    expect(#KERNEL, SAYS, zkc_launch(KERNEL, GRID, block, 0, nullptr, p))
    RUN(right, one, nullptr);
    RUN(no_barrier, one, "race");
    RUN(no_wait, one, "cp.async not waited for");
    RUN(never_waited, one, "never waited for");
    RUN(unaligned, one, "global address");
    RUN(past_the_end, one, "no device allocation");
    RUN(past_shared, one, "shared memory out of bounds");
    RUN(not_written, one, "uninitialised read");
    RUN(blocks_race, many, "another block");
    RUN(half_a_barrier, one, "__syncthreads");
    RUN(two_barriers, one, "different __syncthreads");
    RUN(lane_missing, one, "__shfl_sync");
    RUN(spins_alone, one, "deadlock");
    expect("host_memory", "no device allocation",
           zkc_launch(host_memory, one, block, 0, nullptr, p, (const int *)malloc(4)));
    expect("too much shared memory", "bad grid, block or shared memory",
           zkc_launch(right, one, block, 1 << 20, nullptr, p));
    RUN(right, one, nullptr);
    printf("%d failed\n", n_failed);
    return n_failed != 0;
}
