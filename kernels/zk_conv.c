/* SPDX-License-Identifier: MIT */
/* 8-bit and 16-bit floats to 32 bits and back, in integer arithmetic: the host side of what the
 * kernels do with instructions. */
#include "kernels/zk.h"

#include <math.h>
#include <string.h>

static uint32_t bits_of(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static float float_of(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

float zk_f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exp = (h >> 10) & 31, man = h & 0x3ff;

    if (exp == 31)
        return float_of(sign | 0x7f800000 | man << 13);
    if (exp != 0)
        return float_of(sign | (exp + 112) << 23 | man << 13);
    float f = (float)man * 0x1p-24f; /* exact: subnormals are multiples of 2^-24 */
    return sign ? -f : f;
}

uint16_t zk_f32_to_f16(float f)
{
    uint32_t u = bits_of(f), sign = (u >> 16) & 0x8000;
    u &= 0x7fffffff;
    if (u > 0x7f800000)
        return (uint16_t)(sign | 0x7e00 | ((u >> 13) & 0x3ff));
    if (u >= 0x477ff000) /* 65520: half way to the number after the largest */
        return (uint16_t)(sign | 0x7c00);
    if (u < 0x38800000) { /* below 2^-14: a multiple of 2^-24, rounded by the addition */
        float m = float_of(u) + 0.5f;
        return (uint16_t)(sign | (bits_of(m) - 0x3f000000));
    }
    u += 0xfff + ((u >> 13) & 1); /* nearest, ties to even; a carry moves the exponent */
    return (uint16_t)(sign | (u - 0x38000000) >> 13);
}

float zk_bf16_to_f32(uint16_t h)
{
    return float_of((uint32_t)h << 16);
}

uint16_t zk_f32_to_bf16(float f)
{
    uint32_t u = bits_of(f);

    if ((u & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7fff + ((u >> 16) & 1)) >> 16);
}

/* 448 = 0.875 * 2^9 */
int zk_f8_exponent(float amax)
{
    uint32_t u = bits_of(amax);
    int e = (int)(u >> 23) - 126 - ((u & 0x7fffff) <= 0x600000 ? 9 : 8);
    return e < -15 ? -15 : e > 7 ? 7 : e;
}

uint8_t zk_f32_to_f8(float f)
{
    uint32_t u = bits_of(f), sign = (u >> 24) & 0x80;
    u &= 0x7fffffff;
    if (u < 0x3c800000) { /* below 2^-6: a multiple of 2^-9, rounded by the addition */
        float m = float_of(u) + 0x1p14f;
        return (uint8_t)(sign | (bits_of(m) - 0x46800000));
    }
    u += 0x7ffff + ((u >> 20) & 1); /* nearest, ties to even; a carry moves the exponent */
    return (uint8_t)(sign | (u - 0x3c000000) >> 20);
}

float zk_f8_to_f32(uint8_t c)
{
    uint32_t exp = (c >> 3) & 15, man = c & 7;
    float f = exp ? float_of((exp + 120) << 23 | man << 20) : (float)man * 0x1p-9f;
    return c & 0x80 ? -f : f;
}

/* One try of m: the codes, and the sum of squared errors in units. */
static double table_codes(int8_t code[16], const float table[16], double max, int m)
{
    double sum = 0;
    for (int i = 0; i < 16; i++) {
        double t = (double)table[i] / max * m, c = nearbyint(t);
        code[i] = (int8_t)c;
        sum += (t - c) * (t - c) / m / m;
    }
    return sum;
}

float zk_table_to_q8(int8_t ret_code[16], const float table[16])
{
    double max = 0, least = INFINITY;
    int best = 1;
    for (int i = 0; i < 16; i++)
        max = fmax(max, fabs((double)table[i]));
    memset(ret_code, 0, 16);
    if (max == 0)
        return 0;
    for (int m = 127; m >= 1; m--) {
        double sum = table_codes(ret_code, table, max, m);
        if (sum < least)
            least = sum, best = m;
    }
    table_codes(ret_code, table, max, best);
    return (float)(max / best);
}
