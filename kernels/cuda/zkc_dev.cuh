/* SPDX-License-Identifier: MIT */
/* Device functions that several kernels share: sums in a fixed order, numbers of several types,
 * storing prepared activations. */
#ifndef KERNELS_CUDA_ZKC_DEV_CUH
#define KERNELS_CUDA_ZKC_DEV_CUH

#include "kernels/cuda/zkc.cuh"
#include "kernels/cuda/zkc_ptx.cuh"

#define ZKC_ALL_LANES 0xffffffffu

/* Butterfly: every lane has the sum, the same bits. */
ZKC_DEV float zkc_warp_sum(float v)
{
#pragma unroll
    for (int o = 16; o > 0; o >>= 1)
        v += __shfl_xor_sync(ZKC_ALL_LANES, v, o);
    return v;
}

ZKC_DEV float zkc_warp_max(float v)
{
#pragma unroll
    for (int o = 16; o > 0; o >>= 1)
        v = fmaxf(v, __shfl_xor_sync(ZKC_ALL_LANES, v, o));
    return v;
}

/* Sum over a block of WARPS warps, for every thread. part: [WARPS] in shared memory. */
template <int WARPS> ZKC_DEV float zkc_block_sum(float v, float *part)
{
    v = zkc_warp_sum(v);
    if (threadIdx.x % 32 == 0)
        part[threadIdx.x / 32] = v;
    __syncthreads();
    float sum = 0;
#pragma unroll
    for (int w = 0; w < WARPS; w++)
        sum += part[w];
    return sum;
}

/* Element i of an array of a type that is known at run time only. */
ZKC_DEV float zkc_load(const void *p, enum zk_type type, size_t i)
{
    if (type == ZK_F32)
        return static_cast<const float *>(p)[i];
    unsigned short h = static_cast<const unsigned short *>(p)[i];
    if (type == ZK_F16)
        return __half2float(__ushort_as_half(h));
    return __uint_as_float((uint32_t)h << 16);
}

ZKC_DEV void zkc_fault(uint32_t *status, enum zkc_status what)
{
    atomicExch(&status[what], 1u);
}

/* Element i of prepared activations. */
template <int KIND> ZKC_DEV float zkc_act_load(const void *p, size_t i)
{
    return zkc_load(p, KIND == ZK_ACT_F32 ? ZK_F32 : KIND == ZK_ACT_F16 ? ZK_F16 : ZK_BF16, i);
}

template <int KIND> ZKC_DEV void zkc_act_store(void *p, size_t i, float v, uint32_t *status)
{
    if (KIND == ZK_ACT_F32) {
        static_cast<float *>(p)[i] = v;
    } else if (KIND == ZK_ACT_BF16) {
        static_cast<__nv_bfloat16 *>(p)[i] = __float2bfloat16_rn(v);
    } else {
        __half h = __float2half_rn(v);
        if ((__half_as_ushort(h) & 0x7fff) >= 0x7c00) {
            zkc_fault(status, ZKC_STATUS_ACT);
            h = __ushort_as_half(0);
        }
        static_cast<__half *>(p)[i] = h;
    }
}

ZKC_DEV float zkc_silu(float v)
{
    return v / (1.0f + expf(-v));
}

/* Runs EXPR with KIND, a constant, equal to kind. */
#define ZKC_BY_KIND(kind, EXPR)               \
    do {                                      \
        if ((kind) == ZK_ACT_F16) {           \
            constexpr int KIND = ZK_ACT_F16;  \
            EXPR;                             \
        } else if ((kind) == ZK_ACT_BF16) {   \
            constexpr int KIND = ZK_ACT_BF16; \
            EXPR;                             \
        } else {                              \
            constexpr int KIND = ZK_ACT_F32;  \
            EXPR;                             \
        }                                     \
    } while (0)

#endif
