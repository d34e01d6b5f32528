/* SPDX-License-Identifier: MIT */
/* The vector of zk_simd.h with AVX-512: 16 lanes. Include zk_simd.h, not this. */
#ifndef KERNELS_CPU_ZK_SIMD_AVX512_H
#define KERNELS_CPU_ZK_SIMD_AVX512_H

#ifdef __AVX512VNNI__ /* nothing without the flags of its archive */
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define ZK_VL       16
#define ZK_V(name)  zk_avx512_##name
#define ZK_ISA_NAME "avx512"

typedef __m512 vf;

static inline vf v_zero(void)
{
    return _mm512_setzero_ps();
}
static inline vf v_set1(float f)
{
    return _mm512_set1_ps(f);
}
static inline vf v_load(const float *p)
{
    return _mm512_loadu_ps(p);
}
static inline void v_store(float *p, vf a)
{
    _mm512_storeu_ps(p, a);
}
static inline vf v_add(vf a, vf b)
{
    return _mm512_add_ps(a, b);
}
static inline vf v_sub(vf a, vf b)
{
    return _mm512_sub_ps(a, b);
}
static inline vf v_mul(vf a, vf b)
{
    return _mm512_mul_ps(a, b);
}
static inline vf v_div(vf a, vf b)
{
    return _mm512_div_ps(a, b);
}
static inline vf v_max(vf a, vf b)
{
    return _mm512_max_ps(a, b);
}
static inline vf v_min(vf a, vf b)
{
    return _mm512_min_ps(a, b);
}
static inline vf v_abs(vf a)
{
    return _mm512_abs_ps(a);
}
/* a * b + c and c - a * b */
static inline vf v_fma(vf a, vf b, vf c)
{
    return _mm512_fmadd_ps(a, b, c);
}
static inline vf v_fnma(vf a, vf b, vf c)
{
    return _mm512_fnmadd_ps(a, b, c);
}
/* to the nearest integer, ties to even */
static inline vf v_round(vf a)
{
    return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/* a * 2^n for integral n */
static inline vf v_scale2(vf a, vf n)
{
    return _mm512_scalef_ps(a, n);
}
/* a < b ? x : y */
static inline vf v_select_lt(vf a, vf b, vf x, vf y)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}
static inline float v_hsum(vf a)
{
    return _mm512_reduce_add_ps(a);
}
static inline float v_hmax(vf a)
{
    return _mm512_reduce_max_ps(a);
}
static inline vf v_load_f16(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
/* e4m3, divided by 256: its bits at the place of fp16's */
static inline vf v_load_f8(const uint8_t *p)
{
    __m256i c = _mm256_slli_epi16(_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)p)), 7);
    return _mm512_cvtph_ps(_mm256_and_si256(c, _mm256_set1_epi16((short)0xbf80)));
}
static inline vf v_load_bf16(const uint16_t *p)
{
    __m512i u = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(u, 16));
}
static inline vf v_load_u8(const uint8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)));
}
/* of each 32-bit lane, bits from shift on, as a number */
static inline vf v_load_bits(const uint8_t *p, int shift, int mask)
{
    __m512i u = _mm512_srli_epi32(_mm512_loadu_si512(p), (unsigned)shift);
    return _mm512_cvtepi32_ps(_mm512_and_si512(u, _mm512_set1_epi32(mask)));
}
/* table[the four bits from shift on] of each 32-bit lane */
static inline vf v_lookup(const uint8_t *p, int shift, const float table[16])
{
    __m512i i = _mm512_srli_epi32(_mm512_loadu_si512(p), (unsigned)shift);
    return _mm512_permutexvar_ps(i, _mm512_loadu_ps(table));
}
static inline void v_store_f16(uint16_t *p, vf a)
{
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}
/* integral values of -128..127 */
static inline void v_store_i8(int8_t *p, vf a)
{
    _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(a)));
}

#endif
#endif
