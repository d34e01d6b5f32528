/* SPDX-License-Identifier: MIT */
/* The vector of zk_simd.h in the compiler's own vectors of four lanes, which any processor has or
 * imitates. Include zk_simd.h, not this. */
#ifndef KERNELS_CPU_ZK_SIMD_C_H
#define KERNELS_CPU_ZK_SIMD_C_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "kernels/zk.h"

#define ZK_VL       4
#define ZK_V(name)  zk_c_##name
#define ZK_ISA_NAME "portable"

typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi __attribute__((vector_size(16)));

static inline vf v_set1(float f)
{
    return (vf){f, f, f, f};
}
static inline vf v_zero(void)
{
    return v_set1(0);
}
static inline vf v_load(const float *p)
{
    vf a;
    memcpy(&a, p, sizeof a);
    return a;
}
static inline void v_store(float *p, vf a)
{
    memcpy(p, &a, sizeof a);
}
static inline vf v_add(vf a, vf b)
{
    return a + b;
}
static inline vf v_sub(vf a, vf b)
{
    return a - b;
}
static inline vf v_mul(vf a, vf b)
{
    return a * b;
}
static inline vf v_div(vf a, vf b)
{
    return a / b;
}
/* mask ? x : y, lane by lane */
static inline vf v_pick(vi mask, vf x, vf y)
{
    return (vf)((mask & (vi)x) | (~mask & (vi)y));
}
static inline vf v_max(vf a, vf b)
{
    return v_pick(a > b, a, b);
}
static inline vf v_min(vf a, vf b)
{
    return v_pick(a < b, a, b);
}
static inline vf v_abs(vf a)
{
    return (vf)((vi)a & 0x7fffffff);
}
/* a * b + c and c - a * b */
static inline vf v_fma(vf a, vf b, vf c)
{
    return a * b + c;
}
static inline vf v_fnma(vf a, vf b, vf c)
{
    return c - a * b;
}
/* to the nearest integer, ties to even, for |a| < 2^22: the sum has no room for a fraction */
static inline vf v_round(vf a)
{
    const vf magic = v_set1(0x1.8p23f);
    return (a + magic) - magic;
}
/* a * 2^n for integral n of -126..127 */
static inline vf v_scale2(vf a, vf n)
{
    vi e = (vi)(n + v_set1(0x1.8p23f)) - 0x4b400000 + 127; /* the sum's low bits are the integer */
    return a * (vf)(e << 23);
}
/* a < b ? x : y */
static inline vf v_select_lt(vf a, vf b, vf x, vf y)
{
    return v_pick(a < b, x, y);
}
static inline float v_hsum(vf a)
{
    return (a[0] + a[2]) + (a[1] + a[3]);
}
static inline float v_hmax(vf a)
{
    return fmaxf(fmaxf(a[0], a[1]), fmaxf(a[2], a[3]));
}
/* finite values only: subnormals come right through the multiplication */
static inline vf v_load_f16(const uint16_t *p)
{
    vi h = {p[0], p[1], p[2], p[3]};
    vf f = (vf)((h & 0x7fff) << 13) * v_set1(0x1p112f);
    return (vf)((vi)f | (h & 0x8000) << 16);
}
/* e4m3, divided by 256 */
static inline vf v_load_f8(const uint8_t *p)
{
    const uint16_t h[4] = {(uint16_t)((p[0] & 0x80) << 8 | (p[0] & 0x7f) << 7),
                           (uint16_t)((p[1] & 0x80) << 8 | (p[1] & 0x7f) << 7),
                           (uint16_t)((p[2] & 0x80) << 8 | (p[2] & 0x7f) << 7),
                           (uint16_t)((p[3] & 0x80) << 8 | (p[3] & 0x7f) << 7)};
    return v_load_f16(h);
}
static inline vf v_load_bf16(const uint16_t *p)
{
    vi h = {p[0], p[1], p[2], p[3]};
    return (vf)(h << 16);
}
/* of each 32-bit lane, bits from shift on, as a number */
static inline vf v_load_bits(const uint8_t *p, int shift, int mask)
{
    uint32_t u[4];
    memcpy(u, p, sizeof u);
    for (int i = 0; i < 4; i++)
        u[i] = u[i] >> shift & (uint32_t)mask;
    return (vf){(float)(int)u[0], (float)(int)u[1], (float)(int)u[2], (float)(int)u[3]};
}
/* table[the four bits from shift on] of each 32-bit lane */
static inline vf v_lookup(const uint8_t *p, int shift, const float table[16])
{
    uint32_t u[4];
    memcpy(u, p, sizeof u);
    for (int i = 0; i < 4; i++)
        u[i] = u[i] >> shift & 15;
    return (vf){table[u[0]], table[u[1]], table[u[2]], table[u[3]]};
}
static inline void v_store_f16(uint16_t *p, vf a)
{
    for (int i = 0; i < 4; i++)
        p[i] = zk_f32_to_f16(a[i]);
}
/* integral values of -128..127 */
static inline void v_store_i8(int8_t *p, vf a)
{
    for (int i = 0; i < 4; i++)
        p[i] = (int8_t)a[i];
}

#endif
