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

/* zkc_launch(kernel, grid, block, bytes of dynamic shared memory, stream, arguments...) */
template <class... P, class... A>
inline cudaError_t zkc_launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t smem,
                              cudaStream_t stream, A... args)
{
    if (smem > 48 * 1024) {
        cudaError_t e = cudaFuncSetAttribute(
            (const void *)kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)smem);
        if (e != cudaSuccess)
            return e;
    }
    kernel<<<grid, block, smem, stream>>>(static_cast<P>(args)...);
    return cudaPeekAtLastError();
}

/* As zkc_launch, for a kernel that may start while the one before it ends (cc 90 and later): it
 * calls zkc_grid_wait() before it touches anything that a kernel before it reads or writes. Shared
 * memory is taken from L1 to the full, so that as many blocks fit as its launcher reckons with. */
template <class... P, class... A>
inline cudaError_t zkc_launch_early(int cc, void (*kernel)(P...), dim3 grid, dim3 block,
                                    size_t smem, cudaStream_t stream, A... args)
{
    cudaFuncSetAttribute((const void *)kernel, cudaFuncAttributePreferredSharedMemoryCarveout,
                         cudaSharedmemCarveoutMaxShared);
    cudaError_t e = cudaFuncSetAttribute((const void *)kernel,
                                         cudaFuncAttributeMaxDynamicSharedMemorySize, (int)smem);
    if (e != cudaSuccess)
        return e;
    cudaLaunchAttribute early = {};
    early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    early.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config = {};
    config.gridDim = grid;
    config.blockDim = block;
    config.dynamicSmemBytes = smem;
    config.stream = stream;
    config.attrs = &early;
    config.numAttrs = cc >= 90;
    return cudaLaunchKernelEx(&config, kernel, static_cast<P>(args)...);
}
#endif

#endif
