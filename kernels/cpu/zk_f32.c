/* SPDX-License-Identifier: MIT */
/* Matrix products with float activations, for every form: exact mode, and unquantized weights.
 * Compiled once per instruction set.
 *
 * A strip of at most 128 columns of a panel is widened to floats in the first-level cache (codes
 * minus zero, so that one multiplication by the scale at the strip's end is exact work), then
 * multiplied with a few rows at a time; for one row, numbers that lie as they are multiplied are
 * widened on the way. One element's sum is: over strips, out = s * p + out, p the chain of the
 * strip's multiply-adds in the order of the columns; where a vector holds all rows of a panel, the
 * sum of two chains, of every other column each: a single row would else wait for its own
 * additions.
 */
#include "kernels/cpu/zk_isa.h"

#define CHAINS (NV == 1 ? 2 : 1)
#define STRIP  128
#define NV     (ZK_TILE / ZK_VL)
#define ROWS   (ZK_VL == 16 ? 8 : ZK_VL == 8 ? 4 : 2) /* that share a load of weights */

static inline void load16(vf *v, const void *p, enum zk_type type)
{
    ZK_UNROLL
    for (int i = 0; i < NV; i++)
        v[i] = type == ZK_F32    ? v_load((const float *)p + i * ZK_VL)
               : type == ZK_BF16 ? v_load_bf16((const uint16_t *)p + i * ZK_VL)
                                 : v_load_f16((const uint16_t *)p + i * ZK_VL);
}

static inline void zeros16(float *z, const struct zk_panel *p, int g)
{
    const uint8_t *src = p->zeros;
    for (int i = 0; i < ZK_TILE; i++) {
        if (p->zeros == NULL)
            z[i] = p->form == ZK_W4A ? 8 : 128;
        else if (p->form == ZK_W8A)
            z[i] = src[g * ZK_TILE + i];
        else
            z[i] = (float)(src[g * 8 + (i & 7)] >> (i & 8 ? 4 : 0) & 15);
    }
}

/* Columns k0 .. k0 + n of a panel of codes as [n][16] code - zero; k0 is a multiple of 32. A lane
 * of 32 bits holds four columns of a row, 4-bit codes those sixteen columns further on too. */
static void strip_codes(float *w, const struct zk_panel *p, int k0, int n)
{
    const bool w4 = p->form == ZK_W4A;
    const int mask = w4 ? 15 : 255;
    float zeros[ZK_TILE];
    vf z[NV];
    zeros16(zeros, p, k0 / p->lo->group);
    for (int i = 0; i < NV; i++)
        z[i] = v_load(zeros + i * ZK_VL);
    for (int j = 0; j < n; j += 4, w += 4 * ZK_TILE) {
        int q = j % 32 / 4, b = (k0 + j) / 32, shift = w4 && q >= 4 ? 4 : 0;
        const uint8_t *src = p->codes + (w4 ? b * 256 + q % 4 * 64 : b * 512 + q * 64);
        for (int i = 0; i < NV; i++, src += 4 * ZK_VL) {
            ZK_UNROLL
            for (int e = 0; e < 4; e++)
                v_store(w + e * ZK_TILE + i * ZK_VL,
                        v_sub(v_load_bits(src, 8 * e + shift, mask), z[i]));
        }
    }
}

/* The same of 4-bit codes: the numbers of a table. */
static void strip_table(float *w, const struct zk_panel *p, int k0, int n)
{
    for (int j = 0; j < n; j += 4, w += 4 * ZK_TILE) {
        int q = j % 32 / 4, shift = q >= 4 ? 4 : 0;
        const uint8_t *src = p->codes + (k0 + j) / 32 * 256 + q % 4 * 64;
        for (int i = 0; i < NV; i++, src += 4 * ZK_VL) {
            ZK_UNROLL
            for (int e = 0; e < 4; e++)
                v_store(w + e * ZK_TILE + i * ZK_VL, v_lookup(src, 8 * e + shift, p->table->value));
        }
    }
}

static void strip_f8(float *w, const struct zk_panel *p, int k0, int n)
{
    const uint8_t *src = p->codes + (size_t)k0 * ZK_TILE;
    for (int j = 0; j < n * ZK_TILE; j += ZK_VL)
        v_store(w + j, v_mul(v_load_f8(src + j), v_set1(256.0f)));
}

static void strip_halves(float *w, const struct zk_panel *p, int k0, int n)
{
    const uint16_t *src = (const uint16_t *)(const void *)p->codes + (size_t)k0 * ZK_TILE;
    for (int j = 0; j < n * ZK_TILE; j += ZK_TILE)
        for (int i = 0; i < ZK_TILE; i += ZK_VL)
            v_store(w + j + i,
                    p->type == ZK_BF16 ? v_load_bf16(src + j + i) : v_load_f16(src + j + i));
}

/* out = s * (sum of the chains) + out, for T rows. */
static inline __attribute__((always_inline)) void finish(const int T, float *out,
                                                         vf (*acc)[ROWS][NV], const vf *s)
{
    ZK_UNROLL
    for (int t = 0; t < T; t++)
        ZK_UNROLL
    for (int i = 0; i < NV; i++) {
        float *o = out + t * ZK_TILE + i * ZK_VL;
        vf p = CHAINS == 1 ? acc[0][t][i] : v_add(acc[0][t][i], acc[CHAINS - 1][t][i]);
        v_store(o, v_fma(s[i], p, v_load(o)));
    }
}

/* How a number lies in a panel of [k][16]. */
enum kind { KIND_F8, KIND_F16, KIND_BF16, KIND_F32 };

static inline vf load_kind(const enum kind kind, const uint8_t *p, size_t i)
{
    const void *at = p + i * (kind == KIND_F8 ? 1 : kind == KIND_F32 ? 4 : 2);
    return kind == KIND_F8     ? v_mul(v_load_f8(at), v_set1(256.0f))
           : kind == KIND_F16  ? v_load_f16(at)
           : kind == KIND_BF16 ? v_load_bf16(at)
                               : v_load(at);
}

/* T rows times n columns of w: out[t] = s * (sum over them) + out[t]. */
static inline __attribute__((always_inline)) void rows_strip(const int T, const enum kind kind,
                                                             float *out, const uint8_t *w,
                                                             const vf *s, const float *x,
                                                             size_t ldx, int n)
{
    vf acc[CHAINS][ROWS][NV];
    ZK_UNROLL
    for (int c = 0; c < CHAINS; c++)
        ZK_UNROLL
    for (int t = 0; t < T; t++)
        ZK_UNROLL
    for (int i = 0; i < NV; i++)
        acc[c][t][i] = v_zero();
    for (int j = 0; j < n; j += CHAINS)
        ZK_UNROLL
    for (int c = 0; c < CHAINS; c++) {
        vf wj[NV];
        if (j + c >= n)
            break;
        ZK_UNROLL
        for (int i = 0; i < NV; i++)
            wj[i] = load_kind(kind, w, (size_t)((j + c) * ZK_TILE + i * ZK_VL));
        ZK_UNROLL
        for (int t = 0; t < T; t++) {
            vf xj = v_set1(x[(size_t)t * ldx + (size_t)(j + c)]);
            ZK_UNROLL
            for (int i = 0; i < NV; i++)
                acc[c][t][i] = v_fma(wj[i], xj, acc[c][t][i]);
        }
    }
    finish(T, out, acc, s);
}

static void all_rows(float *out, const float *strip, const vf *s, const float *x, size_t ldx, int n,
                     int len)
{
    const uint8_t *w = (const uint8_t *)(const void *)strip;
    int r = 0;
    for (; r + ROWS <= n; r += ROWS)
        rows_strip(ROWS, KIND_F32, out + r * ZK_TILE, w, s, x + (size_t)r * ldx, ldx, len);
    for (; r < n; r++)
        rows_strip(1, KIND_F32, out + r * ZK_TILE, w, s, x + (size_t)r * ldx, ldx, len);
}

/* One row, of the panel as it is. */
static void direct(float *out, const struct zk_panel *p, const vf *s, const float *x, int k0, int n)
{
    const uint8_t *w = p->codes;
    const size_t at = (size_t)k0 * ZK_TILE;
    if (p->form == ZK_W8F)
        rows_strip(1, KIND_F8, out, w + at, s, x, 0, n);
    else if (p->form == ZK_W32)
        rows_strip(1, KIND_F32, out, w + at * 4, s, x, 0, n);
    else if (p->type == ZK_F16)
        rows_strip(1, KIND_F16, out, w + at * 2, s, x, 0, n);
    else
        rows_strip(1, KIND_BF16, out, w + at * 2, s, x, 0, n);
}

static const float *make_strip(float *strip, const struct zk_panel *p, int k0, int n)
{
    if (p->form == ZK_W32)
        return (const float *)(const void *)p->codes + (size_t)k0 * ZK_TILE;
    if (p->form == ZK_W16)
        strip_halves(strip, p, k0, n);
    else if (p->form == ZK_W4L)
        strip_table(strip, p, k0, n);
    else if (p->form == ZK_W8F)
        strip_f8(strip, p, k0, n);
    else
        strip_codes(strip, p, k0, n);
    return strip;
}

void ZK_V(mm_f32)(float *out, const struct zk_panel *p, const float *x, size_t ldx, int n)
{
    const bool coded = p->form <= ZK_W8F;
    const int group = coded ? p->lo->group : p->k;
    float strip[STRIP * ZK_TILE] __attribute__((aligned(64)));

    memset(out, 0, (size_t)n * ZK_TILE * sizeof(float));
    for (int k0 = 0, len; k0 < p->k; k0 += len) {
        int left = group - k0 % group;
        len = left < STRIP ? left : STRIP;
        len = len < p->k - k0 ? len : p->k - k0;
        vf s[NV];
        ZK_UNROLL
        for (int i = 0; i < NV; i++)
            s[i] = v_set1(1.0f);
        if (coded)
            load16(s, p->scales + (size_t)(k0 / group * ZK_TILE * p->lo->scale_size), p->type);
        if (n == 1 && p->form >= ZK_W8F)
            direct(out, p, s, x + k0, k0, len);
        else
            all_rows(out, make_strip(strip, p, k0, len), s, x + k0, ldx, n, len);
    }
}
