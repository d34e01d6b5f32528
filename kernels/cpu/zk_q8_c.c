/* SPDX-License-Identifier: MIT */
/* Matrix products with int8 activations for processors without AVX2: the same sums as the fast
 * variants in plain loops, which the compiler may vectorise. */
#include "kernels/cpu/zk_isa.h"

static void group_ends(float *out, const struct zk_panel *p, const float *sum, float ds, int g)
{
    for (int i = 0; i < ZK_TILE; i++) {
        const uint8_t *zeros = p->zeros;
        int zero = p->form == ZK_W4A ? 8 : p->form == ZK_W8A ? 128 : 0;
        if (p->zeros != NULL)
            zero = p->form == ZK_W8A ? zeros[g * ZK_TILE + i]
                                     : zeros[g * 8 + (i & 7)] >> (i & 8 ? 4 : 0) & 15;
        float s = zk_load(p->scales, p->type, (size_t)(g * ZK_TILE + i));
        if (p->form == ZK_W4L)
            s *= p->table->unit;
        out[i] += s * (sum[i] - (float)zero * ds);
    }
}

/* Sixteen dots of a block's 32 columns. */
static void block_w4(int32_t *dot, const uint8_t *w, const int8_t *x)
{
    for (int c = 0; c < 4; c++)
        for (int i = 0; i < ZK_TILE; i++)
            for (int e = 0; e < 4; e++) {
                int b = w[c * 64 + i * 4 + e];
                dot[i] += (b & 15) * x[c * 4 + e] + (b >> 4) * x[16 + c * 4 + e];
            }
}

static void block_w4l(int32_t *dot, const uint8_t *w, const int8_t *x, const int8_t code[16])
{
    for (int c = 0; c < 4; c++)
        for (int i = 0; i < ZK_TILE; i++)
            for (int e = 0; e < 4; e++) {
                int b = w[c * 64 + i * 4 + e];
                dot[i] += code[b & 15] * x[c * 4 + e] + code[b >> 4] * x[16 + c * 4 + e];
            }
}

static void block_w8(int32_t *dot, const uint8_t *w, const int8_t *x)
{
    for (int c = 0; c < 8; c++)
        for (int i = 0; i < ZK_TILE; i++)
            for (int e = 0; e < 4; e++)
                dot[i] += w[c * 64 + i * 4 + e] * x[c * 4 + e];
}

/* One row: x is its int8 in the first chunk, d its scale there; chunks are `stride` apart. */
static void one_row(float *out, const struct zk_panel *p, const uint8_t *x, const uint8_t *d,
                    const uint8_t *ds, size_t stride)
{
    const struct zk_layout *lo = p->lo;
    int bytes = p->form == ZK_W8A ? 512 : 256;

    memset(out, 0, ZK_TILE * sizeof(float));
    for (int g = 0, b = 0; g < lo->groups; g++) {
        float sum[ZK_TILE] = {0}, sums = 0;
        for (; b * 32 < lo->kp && b * 32 < (g + 1) * lo->group; b++) {
            int32_t dot[ZK_TILE] = {0};
            float db, dsb;
            const uint8_t *w = p->codes + (size_t)b * (size_t)bytes;
            if (p->form == ZK_W4A)
                block_w4(dot, w, (const int8_t *)x + (size_t)b * stride);
            else if (p->form == ZK_W4L)
                block_w4l(dot, w, (const int8_t *)x + (size_t)b * stride, p->table->code);
            else
                block_w8(dot, w, (const int8_t *)x + (size_t)b * stride);
            memcpy(&db, d + (size_t)b * stride, sizeof db);
            memcpy(&dsb, ds + (size_t)b * stride, sizeof dsb);
            for (int i = 0; i < ZK_TILE; i++)
                sum[i] += db * (float)dot[i];
            sums += dsb;
        }
        group_ends(out, p, sum, sums, g);
    }
}

void ZK_V(mm_q8)(float *out, const struct zk_panel *p, const uint8_t *x, int rows, int r0, int n)
{
    size_t row_bytes = zk_act_row_bytes(ZK_ACT_Q8, p->k);
    for (int r = r0; r < r0 + n; r++, out += ZK_TILE) {
        int first = r / ZK_ROW_GROUP * ZK_ROW_GROUP, t = r - first;
        int w = rows - first < ZK_ROW_GROUP ? rows - first : ZK_ROW_GROUP;
        const uint8_t *chunk = x + (size_t)first * row_bytes;
        const uint8_t *d = chunk + w * ZK_ACT_BLOCK + t * 4;
        one_row(out, p, chunk + t * ZK_ACT_BLOCK, d, d + w * 4, (size_t)(w * ZK_Q8_BYTES));
    }
}

/* Multiply-adds of one panel's block over and over. */
double ZK_V(probe_q8)(long n)
{
    uint8_t w[256];
    int8_t x[32];
    int32_t dot[ZK_TILE] = {0};
    memset(w, 0x35, sizeof w);
    memset(x, 1, sizeof x);
    for (long r = 0; r < n; r++) {
        x[r & 31] = (int8_t)(dot[r & 15] & 1);
        block_w4(dot, w, x);
    }
    return dot[0] == -1 ? 0 : (double)n * 32 * ZK_TILE;
}
