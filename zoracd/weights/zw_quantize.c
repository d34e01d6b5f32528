/* SPDX-License-Identifier: MIT */
/* Plain weights to 8 bits. The inner loops are written for the vectorizer: integers for the
 * largest magnitude, conversions without calls, no branch in them. */
#include "config.h"

#include "zoracd/weights/zw_quantize.h"

#include <string.h>

#include "common/zc_err.h"

#define GROUP ZW_W8A_GROUP

/* The conversions of kernels/zk.h, inline: six hundred million of them make a head. fp16 by way of
 * the exponent's offset, exact for subnormals; infinities become 65536 and more, which no fp16
 * number is. */
static inline float f16_value(uint16_t h)
{
    uint32_t bits = (uint32_t)(h & 0x7fff) << 13;
    float f;

    memcpy(&f, &bits, sizeof f);
    f *= 0x1p112f;
    memcpy(&bits, &f, sizeof f);
    bits |= (uint32_t)(h & 0x8000) << 16;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline float bf16_value(uint16_t h)
{
    uint32_t bits = (uint32_t)h << 16;
    float f;

    memcpy(&f, &bits, sizeof f);
    return f;
}

/* n <= GROUP weights from element `first` on. */
static void load_group(float *v, const void *w, enum zk_type type, size_t first, int n)
{
    const uint16_t *h = (const uint16_t *)w + first;

    if (type == ZK_F32)
        memcpy(v, (const float *)w + first, (size_t)n * sizeof *v);
    else if (type == ZK_F16)
        for (int i = 0; i < n; i++)
            v[i] = f16_value(h[i]);
    else
        for (int i = 0; i < n; i++)
            v[i] = bf16_value(h[i]);
}

/* The largest magnitude, as the bits of a float: they order as integers, infinities and NaN being
 * above all numbers. */
static int32_t max_magnitude(const float *v, int n)
{
    int32_t bits[GROUP], max = 0;

    memcpy(bits, v, (size_t)n * sizeof *v);
    for (int i = 0; i < n; i++) {
        int32_t b = bits[i] & 0x7fffffff;
        max = b > max ? b : max;
    }
    return max;
}

/* The fp16 scale for a group of that magnitude: the nearest one that 127 steps of reach it. */
static uint16_t group_scale(float amax)
{
    uint16_t h = zk_f32_to_f16(amax / 127.0f);

    return zk_f16_to_f32(h) * 127.0f < amax ? (uint16_t)(h + 1) : h;
}

static void quantize_group(uint8_t *q, const float *v, int n, float scale)
{
    const float inv = scale > 0 ? 1.0f / scale : 0.0f;

    for (int i = 0; i < n; i++) {
        /* Truncation of a positive number: 128.5 makes it round half up. The bounds matter for
         * the last bit of inv only. */
        int c = (int)(v[i] * inv + 128.5f);
        c = c < 1 ? 1 : c;
        q[i] = (uint8_t)(c > 255 ? 255 : c);
    }
}

int zw_quantize_rows(uint8_t *q, uint16_t *scales, const void *w, enum zk_type type, int rows,
                     int k, struct zc_diag *dg)
{
    const float limit = type == ZK_F16 ? 65504.0f : 65504.0f * 127.0f;
    const int groups = (k + GROUP - 1) / GROUP;
    float v[GROUP], amax;

    for (int row = 0; row < rows; row++) {
        for (int g = 0; g < groups; g++) {
            const size_t first = (size_t)row * (size_t)k + (size_t)g * GROUP;
            const int n = k - g * GROUP < GROUP ? k - g * GROUP : GROUP;
            load_group(v, w, type, first, n);
            const int32_t bits = max_magnitude(v, n);
            memcpy(&amax, &bits, sizeof amax);
            if (!(amax <= limit))
                return zc_diag(dg, ZC_EFORMAT,
                               "a weight near row %d, column %d is infinite, not a number or too "
                               "large to quantize",
                               row, g * GROUP);
            uint16_t h = group_scale(amax);
            scales[(size_t)row * (size_t)groups + (size_t)g] = h;
            quantize_group(q + first, v, n, zk_f16_to_f32(h));
        }
    }
    return ZC_OK;
}

void zw_quantize_desc(struct zk_mat_desc *ret_d, int n, int k)
{
    *ret_d = (struct zk_mat_desc){.form = ZK_W8A,
                                  .n = n,
                                  .k = k,
                                  .group = k < GROUP ? k : GROUP,
                                  .type = ZK_F16,
                                  .join = ZK_JOIN_ROWS};
}
