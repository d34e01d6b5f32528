/* SPDX-License-Identifier: MIT */
/* The one header that brings CUDA into a .cu file: the toolkit's, or, built with CUDASIM by an
 * ordinary compiler, the simulator's of tests/cudasim. Shared memory and launches go through the
 * names below in both, so that the simulator can bound, fill and watch them. */
#ifndef KERNELS_CUDA_ZKC_GPU_CUH
#define KERNELS_CUDA_ZKC_GPU_CUH

#ifdef CUDASIM
#include <cudasim.h>
#else
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <cstdint>
#include <cstring>

/* ZKC_SHARED(float, part, [4][32]); declares shared memory of a fixed size,
 * ZKC_SHARED_DYN(float, p); points to that of the launch. */
#define ZKC_SHARED(T, name, ...) __shared__ T name __VA_ARGS__
#define ZKC_SHARED_DYN(T, name)                                   \
    extern __shared__ __align__(128) unsigned char zkc_dynamic[]; \
    T *const name = reinterpret_cast<T *>(zkc_dynamic)

/* Shared memory for the largest launch of a kernel so far; never less again, because a recorded
 * launch keeps the size that it was recorded with. The default is 48 KiB less what is static. */
inline cudaError_t zkc_make_room(const void *kernel, size_t smem)
{
    cudaFuncAttributes now;
    cudaError_t e = cudaFuncGetAttributes(&now, kernel);
    if (e != cudaSuccess || (size_t)now.maxDynamicSharedSizeBytes >= smem)
        return e;
    return cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)smem);
}

template <class... P, class... A>
inline cudaError_t zkc_launch_as(cudaLaunchAttribute *attributes, unsigned n_attributes,
                                 void (*kernel)(P...), dim3 grid, dim3 block, size_t smem,
                                 cudaStream_t stream, A... args)
{
    cudaError_t e = smem > 0 ? zkc_make_room((const void *)kernel, smem) : cudaSuccess;
    if (e != cudaSuccess)
        return e;
    cudaLaunchConfig_t config = {};
    config.gridDim = grid;
    config.blockDim = block;
    config.dynamicSmemBytes = smem;
    config.stream = stream;
    config.attrs = attributes;
    config.numAttrs = n_attributes;
    return cudaLaunchKernelEx(&config, kernel, static_cast<P>(args)...);
}

/* zkc_launch(kernel, grid, block, bytes of dynamic shared memory, stream, arguments...) */
template <class... P, class... A>
inline cudaError_t zkc_launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t smem,
                              cudaStream_t stream, A... args)
{
    return zkc_launch_as(NULL, 0, kernel, grid, block, smem, stream, static_cast<P>(args)...);
}

/* As zkc_launch, for a kernel that may start while those before it still run (cc 90 and later):
 * each of its threads calls zkc_grid_wait() before it touches anything that a kernel before it
 * reads or writes, and before it ends. Shared memory is taken from L1 to the full, for all of these
 * alike: kernels that want it divided differently can't be on an SM together. */
template <class... P, class... A>
inline cudaError_t zkc_launch_early(int cc, void (*kernel)(P...), dim3 grid, dim3 block,
                                    size_t smem, cudaStream_t stream, A... args)
{
    cudaError_t e =
        cudaFuncSetAttribute((const void *)kernel, cudaFuncAttributePreferredSharedMemoryCarveout,
                             cudaSharedmemCarveoutMaxShared);
    if (e != cudaSuccess)
        return e;
    cudaLaunchAttribute early = {};
    early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    early.val.programmaticStreamSerializationAllowed = 1;
    return zkc_launch_as(&early, cc >= 90, kernel, grid, block, smem, stream,
                         static_cast<P>(args)...);
}
#endif

#endif
