/* SPDX-License-Identifier: MIT */
/* Where drawing a token on a device and on the host must agree to the bit: the weight of a logit,
 * the change that penalties make, and sums. Floats are added and multiplied one operation at a
 * time, each rounded (the project is built with -ffp-contract=off; on a device by __fadd_rn and
 * the like). Sums are of integers, so that they do not depend on the order in which anybody adds.
 * C and CUDA. */
#ifndef KERNELS_ZK_DRAW_H
#define KERNELS_ZK_DRAW_H

#include <stdint.h>
#include <string.h>

#ifdef __CUDACC__
#define ZK_DRAW_FN static __host__ __device__ inline
#else
#define ZK_DRAW_FN static inline
#endif

/* A weight of 1 as an integer; smaller weights are nothing. A sum of 2^22 of them fits. */
#define ZK_DRAW_ONE (1ll << 40)

/* How one token is drawn. Penalties first, then temperature, top-k, top-p, min-p. */
struct zk_draw {
    uint64_t random; /* 64 bits for this one token */
    int32_t is_wanted;
    float temperature;                     /* 0: the largest */
    int32_t top_k;                         /* 0: off */
    float top_p, min_p;                    /* 1, 0: off */
    float repetition, presence, frequency; /* 1, 0, 0: off */
    int32_t first_seen, n_seen;            /* its part of the list of tokens that are penalized */
};

/* A token of prompt or reply, and how often it is in the reply. An id occurs once for a row. */
struct zk_seen {
    int32_t id;
    uint32_t times;
};

#if defined(__CUDACC__) && defined(__CUDA_ARCH__)
ZK_DRAW_FN float zk_draw_mul(float a, float b)
{
    return __fmul_rn(a, b);
}
ZK_DRAW_FN float zk_draw_add(float a, float b)
{
    return __fadd_rn(a, b);
}
ZK_DRAW_FN float zk_draw_div(float a, float b)
{
    return __fdiv_rn(a, b);
}
#else
ZK_DRAW_FN float zk_draw_mul(float a, float b)
{
    return a * b;
}
ZK_DRAW_FN float zk_draw_add(float a, float b)
{
    return a + b;
}
ZK_DRAW_FN float zk_draw_div(float a, float b)
{
    return a / b;
}
#endif

/* e^x for x <= 0 within 2 units of the last place; 0 where a sum would not see it. Powers of two
 * are taken out (ln 2 in two pieces, the first of which keeps products exact), the rest is the
 * first eight terms of the series. */
ZK_DRAW_FN float zk_draw_exp(float x)
{
    if (!(x > -27.5f))
        return 0;
    const float big = 12582912.0f; /* 1.5 * 2^23: what is added to it is rounded to a whole */
    const float n = zk_draw_add(zk_draw_add(zk_draw_mul(x, 1.44269504f), big), -big);
    float r = zk_draw_add(x, zk_draw_mul(n, -0.693359375f));
    r = zk_draw_add(r, zk_draw_mul(n, 2.12194440e-4f));
    float y = zk_draw_add(zk_draw_mul(r, 1.0f / 5040), 1.0f / 720);
    y = zk_draw_add(zk_draw_mul(r, y), 1.0f / 120);
    y = zk_draw_add(zk_draw_mul(r, y), 1.0f / 24);
    y = zk_draw_add(zk_draw_mul(r, y), 1.0f / 6);
    y = zk_draw_add(zk_draw_mul(r, y), 0.5f);
    y = zk_draw_add(zk_draw_mul(r, y), 1.0f);
    y = zk_draw_add(zk_draw_mul(r, y), 1.0f);
    const uint32_t bits = (uint32_t)(127 + (int32_t)n) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return zk_draw_mul(y, power);
}

/* The weight of a logit beside the largest, 1 for that one. */
ZK_DRAW_FN float zk_draw_weight(float logit, float max, float temperature)
{
    return zk_draw_exp(zk_draw_div(zk_draw_add(logit, -max), temperature));
}

/* A weight as sums see it. */
ZK_DRAW_FN uint64_t zk_draw_units(float weight)
{
    return (uint64_t)(int64_t)zk_draw_mul(weight, (float)ZK_DRAW_ONE);
}

/* A share of a sum, at least 1. */
ZK_DRAW_FN uint64_t zk_draw_share(uint64_t sum, float share)
{
    const uint64_t part = (uint64_t)((double)sum * (double)share);
    return part > 0 ? part : 1;
}

/* Where a random number falls in a sum: less than the sum. */
ZK_DRAW_FN uint64_t zk_draw_target(uint64_t random, uint64_t sum)
{
#if defined(__CUDACC__) && defined(__CUDA_ARCH__)
    return __umul64hi(random, sum);
#else
    return (uint64_t)((unsigned __int128)random * sum >> 64);
#endif
}

/* A logit under the penalties. */
ZK_DRAW_FN float zk_draw_change(float v, uint32_t times, float repetition, float presence,
                                float frequency)
{
    v = v > 0 ? zk_draw_div(v, repetition) : zk_draw_mul(v, repetition);
    if (times > 0)
        v = zk_draw_add(v, -zk_draw_add(presence, zk_draw_mul(frequency, (float)times)));
    return v;
}

/* Rises with the value; the two zeros are one. */
ZK_DRAW_FN uint32_t zk_draw_order(float value)
{
    uint32_t u;
    value = zk_draw_add(value, 0.0f);
    memcpy(&u, &value, sizeof u);
    return u & 0x80000000u ? ~u : u | 0x80000000u;
}

#endif
