/* SPDX-License-Identifier: MIT */
/* Row by row work: norms, rotations, SwiGLU, quantized activations, keys and values into pages.
 * Compiled once per instruction set. */
#include "kernels/cpu/zk_cpu.h"
#include "kernels/cpu/zk_isa.h"
#include "kernels/cpu/zk_simd.h"

#include <math.h>

/* One block of 32 floats to int8; d and d times the sum of the int8 beside it. */
static inline void quantize_block(int8_t *q, float *d, float *ds, const float *x)
{
    vf amax = v_zero(), sum = v_zero();
    for (int i = 0; i < ZK_ACT_BLOCK; i += ZK_VL)
        amax = v_max(amax, v_abs(v_load(x + i)));
    float a = v_hmax(amax);
    if (a < 0x1p-100f) {
        memset(q, 0, ZK_ACT_BLOCK);
        *d = *ds = 0;
        return;
    }
    vf inv = v_set1(127.0f / a);
    for (int i = 0; i < ZK_ACT_BLOCK; i += ZK_VL) {
        vf v = v_round(v_mul(v_load(x + i), inv));
        v_store_i8(q + i, v);
        sum = v_add(sum, v);
    }
    *d = a / 127.0f;
    *ds = *d * v_hsum(sum); /* the sum is exact: at most 32 * 127 */
}

void ZK_V(quantize)(uint8_t *chunk, int w, int t, const float *x, int n)
{
    for (int j = 0; j < n; j += ZK_ACT_BLOCK, chunk += w * ZK_Q8_BYTES) {
        float tail[ZK_ACT_BLOCK] = {0};
        const float *src = x + j;
        if (n - j < ZK_ACT_BLOCK) {
            memcpy(tail, src, (size_t)(n - j) * sizeof(float));
            src = tail;
        }
        float *d = (float *)(void *)(chunk + w * ZK_ACT_BLOCK);
        quantize_block((int8_t *)chunk + t * ZK_ACT_BLOCK, &d[t], &d[w + t], src);
    }
}

/* Sum of squares in double, so that no float is too large or too small for it. */
static inline double sum_squares(const float *x, int n)
{
    double s[16] = {0};
    int i = 0;
    for (; i + 16 <= n; i += 16)
        for (int l = 0; l < 16; l++)
            s[l] += (double)x[i + l] * (double)x[i + l];
    for (; i < n; i++)
        s[i % 16] += (double)x[i] * (double)x[i];
    for (int half = 8; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            s[l] += s[l + half];
    return s[0];
}

float ZK_V(rms_inv)(const float *x, float eps, int n)
{
    return (float)(1 / sqrt(sum_squares(x, n) / n + (double)eps));
}

void ZK_V(scale)(float *y, const float *x, const float *w, float inv, int n)
{
    for (int i = 0; i < n; i++)
        y[i] = w[i] * (x[i] * inv);
}

void ZK_V(swiglu)(float *y, const float *g, const float *u, int n)
{
    int i = 0;
    for (; i + ZK_VL <= n; i += ZK_VL)
        v_store(y + i, v_mul(v_silu(v_load(g + i)), v_load(u + i)));
    if (i < n) {
        float a[ZK_VL] = {0}, b[ZK_VL] = {0};
        size_t bytes = (size_t)(n - i) * sizeof(float);
        memcpy(a, g + i, bytes);
        memcpy(b, u + i, bytes);
        v_store(a, v_mul(v_silu(v_load(a)), v_load(b)));
        memcpy(y + i, a, bytes);
    }
}

void ZK_V(widen)(float *y, const void *x, enum zk_type type, size_t n)
{
    const uint16_t *h = x;
    size_t i = 0;
    if (type == ZK_BF16)
        for (; i + ZK_VL <= n; i += ZK_VL)
            v_store(y + i, v_load_bf16(h + i));
    else
        for (; i + ZK_VL <= n; i += ZK_VL)
            v_store(y + i, v_load_f16(h + i));
    for (; i < n; i++)
        y[i] = zk_load(x, type, i);
}

void ZK_V(rope)(float *x, const float *cs, const struct zk_attn *a, const float *norm)
{
    int h = a->rot_dim / 2;
    if (norm != NULL)
        ZK_V(scale)(x, x, norm, ZK_V(rms_inv)(x, a->norm_eps, a->head_dim), a->head_dim);
    float *restrict lo = x, *restrict hi = x + h;
    for (int i = 0; i < h; i++) {
        float l = lo[i], u = hi[i], c = cs[i], s = cs[h + i];
        lo[i] = l * c - u * s;
        hi[i] = u * c + l * s;
    }
}

/* Whether every number fits, in absolute value, under the limit; NaN does not. */
static inline int fits(const float *x, int n, float limit)
{
    int bad = 0;
    for (int i = 0; i < n; i++)
        bad |= !(fabsf(x[i]) <= limit);
    return !bad;
}

static const float *clean(float *tmp, const float *x, int n, float limit)
{
    for (int i = 0; i < n; i++)
        tmp[i] = fabsf(x[i]) <= limit ? x[i] : 0;
    return tmp;
}

/* To fp16, rounding to nearest even; D is padded to 16 in dst. */
static inline void narrow(uint16_t *dst, const float *x, int D)
{
    int i = 0;
    for (; i + ZK_VL <= D; i += ZK_VL)
        v_store_f16(dst + i, v_load(x + i));
    for (; i < D; i++)
        dst[i] = zk_f32_to_f16(x[i]);
}

/* Codes of a head into places `step` apart; its scale. */
static void narrow_f8(uint8_t *dst, int step, uint16_t *scale, const float *x, int D)
{
    float amax = 0;
    for (int i = 0; i < D; i++)
        amax = fabsf(x[i]) > amax ? fabsf(x[i]) : amax;
    const int e = zk_f8_exponent(amax);
    const float inv = ldexpf(1, -e);
    for (int i = 0; i < D; i++)
        dst[i * step] = zk_f32_to_f8(x[i] * inv);
    *scale = zk_f32_to_f16(ldexpf(1, e));
}

int ZK_V(kv_store)(uint8_t *head, int slot, const float *k, const float *v, int D,
                   enum zk_kv_type type)
{
    float limit = type == ZK_KV_F16 ? 65504.0f : type == ZK_KV_F8 ? 57344.0f : 0x1.fffffep127f;
    float tmp_k[ZK_MAX_HEAD_DIM], tmp_v[ZK_MAX_HEAD_DIM];
    int Dp = (D + 15) / 16 * 16, r = ZC_OK;

    if (!fits(k, D, limit) || !fits(v, D, limit)) {
        r = ZC_ELIMIT;
        k = clean(tmp_k, k, D, limit);
        v = clean(tmp_v, v, D, limit);
    }
    if (type == ZK_KV_F8) {
        uint16_t *scales = (uint16_t *)(void *)(head + ZK_PAGE * (D + Dp));
        narrow_f8(head + slot, ZK_PAGE, &scales[slot], k, D);
        narrow_f8(head + D * ZK_PAGE + slot * Dp, 1, &scales[ZK_PAGE + slot], v, D);
    } else if (type == ZK_KV_F16) {
        uint16_t half[ZK_MAX_HEAD_DIM], *keys = (uint16_t *)(void *)head;
        narrow(half, k, D);
        for (int i = 0; i < D; i++)
            keys[i * ZK_PAGE + slot] = half[i];
        narrow(keys + D * ZK_PAGE + slot * Dp, v, D);
    } else {
        float *keys = (float *)(void *)head;
        for (int i = 0; i < D; i++)
            keys[i * ZK_PAGE + slot] = k[i];
        memcpy(keys + D * ZK_PAGE + slot * Dp, v, (size_t)D * sizeof(float));
    }
    return r;
}
