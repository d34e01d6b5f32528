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
__global__ void writes(int *p)
{
    p[threadIdx.x] = (int)threadIdx.x;
}
__global__ void waits(int *p)
{
    zkc_grid_trigger();
    zkc_grid_wait();
    p[threadIdx.x] += 1;
}
__global__ void never_waits(int *p)
{
    if (threadIdx.x != 5)
        zkc_grid_wait();
}
__global__ void reads_early(int *p)
{
    const int v = p[threadIdx.x];
    zkc_grid_wait();
    p[threadIdx.x] = v;
}
__global__ void writes_early(int *p)
{
    p[threadIdx.x] = 1;
    zkc_grid_wait();
}
__global__ void unaligned_vector(int *p)
{
    uint4 v = *reinterpret_cast<const uint4 *>(p + 1);
    if (threadIdx.x == 0)
        *reinterpret_cast<uint4 *>(p + 9) = v;
}
__global__ void unaligned_stream(int *p)
{
    if (threadIdx.x == 0)
        p[0] = (int)zkc_ld_stream16(p + 1).x;
}
__global__ void stream_of_own(int *p)
{
    p[threadIdx.x] = 1;
    __syncthreads();
    if (threadIdx.x == 0)
        p[8] = (int)zkc_ld_stream16(p + 4).x;
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

/* What must not be called while a stream is recorded breaks the recording. */
template <class F> static void breaks(const char *name, bool is_broken, F call)
{
    cudaStream_t s;
    cudaGraph_t g = nullptr;
    cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking);
    cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal);
    call(s);
    const cudaError_t e = cudaStreamEndCapture(s, &g);
    expect(name, is_broken ? "" : nullptr, e);
    if (g)
        cudaGraphDestroy(g);
    cudaStreamDestroy(s);
}

static void recordings(int *device)
{
    void *p, *host = malloc(16), *pinned;
    cudaHostAlloc(&pinned, 16, 0);
    breaks("recorded: a launch", false,
           [&](cudaStream_t s) { (void)zkc_launch(writes, dim3(1), dim3(N), 0, s, device); });
    breaks("recorded: a copy from pinned memory", false,
           [&](cudaStream_t s) { cudaMemcpyAsync(device, pinned, 16, cudaMemcpyHostToDevice, s); });
    breaks("recorded: a copy from other memory", true,
           [&](cudaStream_t s) { cudaMemcpyAsync(device, host, 16, cudaMemcpyHostToDevice, s); });
    breaks("recorded: cudaMalloc", true, [&](cudaStream_t) { cudaMalloc(&p, 16); });
    breaks("recorded: cudaHostAlloc", true, [&](cudaStream_t) { cudaHostAlloc(&p, 16, 0); });
    breaks("recorded: a wait", true, [&](cudaStream_t s) { cudaStreamSynchronize(s); });
    cudaFreeHost(pinned);
    free(host);
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
    RUN(unaligned_vector, one, "misaligned");
    RUN(unaligned_stream, one, "ld.global.nc");
    RUN(stream_of_own, one, "what this kernel writes");
#define RUN_EARLY(KERNEL, SAYS) \
    expect(#KERNEL, SAYS, zkc_launch_early(90, KERNEL, one, block, 0, nullptr, p))
    RUN(writes, one, nullptr);
    RUN_EARLY(waits, nullptr);
    RUN_EARLY(never_waits, "without zkc_grid_wait");
    RUN_EARLY(reads_early, "of what a kernel before wrote");
    RUN_EARLY(writes_early, "before zkc_grid_wait");
    cudaDeviceSynchronize();
    RUN_EARLY(reads_early, nullptr); /* nothing is under way */
    recordings(p);
    expect("host_memory", "no device allocation",
           zkc_launch(host_memory, one, block, 0, nullptr, p, (const int *)malloc(4)));
    expect("too much shared memory", "bad grid, block or shared memory",
           zkc_launch(right, one, block, 1 << 20, nullptr, p));
    RUN(right, one, nullptr);
    printf("%d failed\n", n_failed);
    return n_failed != 0;
}
