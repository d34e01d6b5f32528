/* SPDX-License-Identifier: MIT */
/* A vector of floats, in three spellings: what the files compiled once per instruction set are
 * written in. ZK_VL lanes; ZK_V(name) gives an exported name the set's own prefix. Every function
 * here is static inline, so that no copy compiled for a newer processor can be linked into code
 * for an older one.
 *
 * Rounding: v_fma rounds once where the set has the instruction and twice in the portable
 * spelling; everything else rounds as the scalar operation does. */
#ifndef KERNELS_CPU_ZK_SIMD_H
#define KERNELS_CPU_ZK_SIMD_H

#if defined(__AVX512VNNI__) && defined(__AVX512BW__)
#include "kernels/cpu/zk_simd_avx512.h"
#elif defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#include "kernels/cpu/zk_simd_avx2.h"
#else
#include "kernels/cpu/zk_simd_c.h"
#endif

/* Before a loop of few and constant turns whose array is to stay in registers. */
#ifdef __clang__
#define ZK_UNROLL _Pragma("clang loop unroll(full)")
#else
#define ZK_UNROLL _Pragma("GCC unroll 32")
#endif

/* e^x to 2 ulp for x <= 88; 0 below -87; exactly 1 at 0. Cut as 2^n e^r, |r| <= ln 2 / 2, the
 * polynomial for (e^r - 1 - r) / r^2 fitted for least relative error on that stretch. */
static inline vf v_exp(vf x)
{
    const vf log2e = v_set1(0x1.715476p+0f), ln2_hi = v_set1(0x1.62e400p-1f),
             ln2_lo = v_set1(0x1.7f7d1cp-20f);
    vf n = v_round(v_mul(x, log2e));
    vf r = v_fnma(n, ln2_lo, v_fnma(n, ln2_hi, x));
    vf p = v_set1(0x1.6a2352p-10f);
    p = v_fma(p, r, v_set1(0x1.123a6cp-7f));
    p = v_fma(p, r, v_set1(0x1.5558f4p-5f));
    p = v_fma(p, r, v_set1(0x1.555490p-3f));
    p = v_fma(p, r, v_set1(0x1.fffffcp-2f));
    p = v_fma(v_mul(r, r), p, r);
    vf e = v_scale2(v_add(p, v_set1(1.0f)), n);
    return v_select_lt(x, v_set1(-87.0f), v_zero(), e);
}

/* v / (1 + e^-v); 0 below -88, where the true value is under 1e-36. */
static inline vf v_silu(vf v)
{
    vf e = v_exp(v_min(v_sub(v_zero(), v), v_set1(88.0f)));
    return v_select_lt(v, v_set1(-88.0f), v_zero(), v_div(v, v_add(v_set1(1.0f), e)));
}

#endif
