/* SPDX-License-Identifier: MIT */
/* The vector of zk_simd.h with AVX2, FMA and F16C: 8 lanes. Include zk_simd.h, not this. */
#ifndef KERNELS_CPU_ZK_SIMD_AVX2_H
#define KERNELS_CPU_ZK_SIMD_AVX2_H

#ifdef __AVX2__ /* nothing without the flags of its archive */
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define ZK_VL       8
#define ZK_V(name)  zk_avx2_##name
#define ZK_ISA_NAME "avx2"

typedef __m256 vf;

static inline vf v_zero(void)
{
    return _mm256_setzero_ps();
}
static inline vf v_set1(float f)
{
    return _mm256_set1_ps(f);
}
static inline vf v_load(const float *p)
{
    return _mm256_loadu_ps(p);
}
static inline void v_store(float *p, vf a)
{
    _mm256_storeu_ps(p, a);
}
static inline vf v_add(vf a, vf b)
{
    return _mm256_add_ps(a, b);
}
static inline vf v_sub(vf a, vf b)
{
    return _mm256_sub_ps(a, b);
}
static inline vf v_mul(vf a, vf b)
{
    return _mm256_mul_ps(a, b);
}
static inline vf v_div(vf a, vf b)
{
    return _mm256_div_ps(a, b);
}
static inline vf v_max(vf a, vf b)
{
    return _mm256_max_ps(a, b);
}
static inline vf v_min(vf a, vf b)
{
    return _mm256_min_ps(a, b);
}
static inline vf v_abs(vf a)
{
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}
/* a * b + c and c - a * b */
static inline vf v_fma(vf a, vf b, vf c)
{
    return _mm256_fmadd_ps(a, b, c);
}
static inline vf v_fnma(vf a, vf b, vf c)
{
    return _mm256_fnmadd_ps(a, b, c);
}
/* to the nearest integer, ties to even */
static inline vf v_round(vf a)
{
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
/* a * 2^n for integral n of -126..127 */
static inline vf v_scale2(vf a, vf n)
{
    __m256i e = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_mul_ps(a, _mm256_castsi256_ps(_mm256_slli_epi32(e, 23)));
}
/* a < b ? x : y */
static inline vf v_select_lt(vf a, vf b, vf x, vf y)
{
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
static inline float v_hsum(vf a)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}
static inline float v_hmax(vf a)
{
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}
static inline vf v_load_f16(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}
/* e4m3, divided by 256: its bits at the place of fp16's */
static inline vf v_load_f8(const uint8_t *p)
{
    __m128i c = _mm_slli_epi16(_mm_cvtepi8_epi16(_mm_loadl_epi64((const __m128i *)p)), 7);
    return _mm256_cvtph_ps(_mm_and_si128(c, _mm_set1_epi16((short)0xbf80)));
}
static inline vf v_load_bf16(const uint16_t *p)
{
    __m256i u = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(u, 16));
}
static inline vf v_load_u8(const uint8_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}
/* of each 32-bit lane, bits from shift on, as a number */
static inline vf v_load_bits(const uint8_t *p, int shift, int mask)
{
    __m256i u = _mm256_srli_epi32(_mm256_loadu_si256((const __m256i *)(const void *)p), shift);
    return _mm256_cvtepi32_ps(_mm256_and_si256(u, _mm256_set1_epi32(mask)));
}
/* table[the four bits from shift on] of each 32-bit lane */
static inline vf v_lookup(const uint8_t *p, int shift, const float table[16])
{
    __m256i i = _mm256_srli_epi32(_mm256_loadu_si256((const __m256i *)(const void *)p), shift);
    __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), i);
    __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table + 8), i);
    return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(i, 28)));
}
static inline void v_store_f16(uint16_t *p, vf a)
{
    _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}
/* integral values of -128..127 */
static inline void v_store_i8(int8_t *p, vf a)
{
    __m256i i = _mm256_cvtps_epi32(a);
    __m128i w = _mm_packs_epi32(_mm256_castsi256_si128(i), _mm256_extracti128_si256(i, 1));
    _mm_storel_epi64((__m128i *)p, _mm_packs_epi16(w, w));
}

#endif
#endif
