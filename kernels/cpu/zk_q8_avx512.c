/* SPDX-License-Identifier: MIT */
/* Matrix products with int8 activations, AVX-512 with VNNI.
 *
 * A register of codes is 16 rows x 4 columns, unsigned; vpdpbusd multiplies it with 4 activations
 * of a row, broadcast from memory, and adds each row's four products to its lane. Eight of these
 * are a block of 32 columns. With T rows at a time the eight registers of codes are unpacked once:
 * 8 T vpdpbusd against 12 operations of unpacking, one conversion and one multiply-add per row.
 *
 * One element is: over groups, out = s * (p - z * S) + out, where p is the chain of d_b * dot_b
 * over the group's blocks and S that of d_b * sum_b; T changes nothing of it.
 *
 * Limit: one vpdpbusd a cycle; memory, one row. Measured (EPYC 9004 at 3.4 GHz, one core, its
 * neighbour busy, 2026-11): 172 Gmac/s with 192 rows, 79 % of probe_peak; one row takes 60 GB/s
 * of 4-bit codes from the second-level cache. */
#include "kernels/cpu/zk_isa.h"

#include <immintrin.h>

/* Asks for n bytes into the first-level cache. A macro: the compiler takes a function that does
 * nothing but prefetch for one without effect, and drops its calls. */
#define FETCH(p, n)                                                 \
    do {                                                            \
        for (size_t fetch_i = 0; fetch_i < (n); fetch_i += 64)      \
            _mm_prefetch((const char *)(p) + fetch_i, _MM_HINT_T0); \
    } while (0)

/* Rows that are multiplied together: where their part of the first chunk is. */
struct rows {
    const int8_t *q; /* [T][32] */
    const float *d;  /* [T] */
    const float *ds; /* [T] */
    size_t stride;   /* bytes between chunks */
};

/* Of W4L: times the unit of the table's codes. */
static inline __m512 load_scales(const struct zk_panel *p, int g)
{
    const uint8_t *s = p->scales + (size_t)(g * ZK_TILE * p->lo->scale_size);
    if (p->type == ZK_F16)
        return v_load_f16((const uint16_t *)(const void *)s);
    if (p->type == ZK_BF16)
        return v_load_bf16((const uint16_t *)(const void *)s);
    __m512 v = v_load((const float *)(const void *)s);
    return p->form == ZK_W4L ? _mm512_mul_ps(v, _mm512_set1_ps(p->table->unit)) : v;
}

static inline __m512 load_zeros(const struct zk_panel *p, int g)
{
    const uint8_t *z = p->zeros;
    if (p->zeros == NULL)
        return _mm512_set1_ps(p->form == ZK_W4A ? 8 : 128);
    if (p->form == ZK_W8A)
        return v_load_u8(z + g * ZK_TILE);
    __m128i b = _mm_loadl_epi64((const __m128i *)(const void *)(z + g * 8));
    b = _mm_unpacklo_epi64(b, _mm_srli_epi16(b, 4));
    b = _mm_and_si128(b, _mm_set1_epi8(15));
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(b));
}

/* The codes of a block of 32 columns: w[c] holds columns 4c .. 4c+3. With few rows W4A's high
 * nibbles stay where they are, 16 times their value: shifting the sums back (dot32) is less work.
 * W4L's become what table says. */
static inline void load_codes(__m512i *w, const uint8_t *src, enum zk_form form, bool shift,
                              __m512i table)
{
    if (form == ZK_W8A) {
        ZK_UNROLL
        for (int c = 0; c < 8; c++)
            w[c] = _mm512_load_si512(src + c * 64);
        return;
    }
    const __m512i low = _mm512_set1_epi8(15), high = _mm512_set1_epi8((char)0xf0);
    ZK_UNROLL
    for (int c = 0; c < 4; c++) {
        __m512i b = _mm512_load_si512(src + c * 64);
        w[c] = _mm512_and_si512(b, low);
        w[c + 4] =
            shift ? _mm512_and_si512(_mm512_srli_epi16(b, 4), low) : _mm512_and_si512(b, high);
    }
    ZK_UNROLL
    for (int c = 0; c < 8 && form == ZK_W4L; c++)
        w[c] = _mm512_shuffle_epi8(table, w[c]);
}

/* W4L's codes, plus 128, in every 16 bytes. */
static inline __m512i load_table(const struct zk_panel *p)
{
    __m128i code = _mm_loadu_si128((const __m128i *)(const void *)p->table->code);
    return _mm512_broadcast_i32x4(_mm_xor_si128(code, _mm_set1_epi8(-128)));
}

/* Two chains, for few rows; shifted: the codes are not 16 times their value. */
static inline __m512i dot32(const __m512i *w, const int8_t *q, bool shifted)
{
    __m512i a = _mm512_setzero_si512(), b = a;
    ZK_UNROLL
    for (int c = 0; c < 4; c++) {
        int32_t lo, hi;
        memcpy(&lo, q + 4 * c, 4);
        memcpy(&hi, q + 4 * c + 16, 4);
        a = _mm512_dpbusd_epi32(a, w[c], _mm512_set1_epi32(lo));
        b = _mm512_dpbusd_epi32(b, w[c + 4], _mm512_set1_epi32(hi));
    }
    return _mm512_add_epi32(a, shifted ? b : _mm512_srai_epi32(b, 4));
}

static inline __m512i dot32_chain(const __m512i *w, const int8_t *q)
{
    __m512i a = _mm512_setzero_si512();
    ZK_UNROLL
    for (int c = 0; c < 8; c++) {
        int32_t x;
        memcpy(&x, q + 4 * c, 4);
        a = _mm512_dpbusd_epi32(a, w[c], _mm512_set1_epi32(x));
    }
    return a;
}

/* The processor's own prefetcher stops at the end of each page; a few lines of the page after the
 * next, in the second-level cache, make it start earlier there (2 % of memory bandwidth). More
 * lines, nearer ones, or into the first cache make it slower: they keep the prefetcher from seeing
 * the sequence. Once per page; *page is the last one. */
static inline void fetch_page(const uint8_t *src, uintptr_t *page)
{
    if ((uintptr_t)src / 4096 == *page)
        return;
    *page = (uintptr_t)src / 4096;
    for (uintptr_t i = 0; i < 512; i += 64)
        _mm_prefetch((const char *)((*page + 2) * 4096 + i), _MM_HINT_T1);
}

/* T rows times a panel; last: it is not wanted for other rows after these. */
static inline __attribute__((always_inline)) void tile(const int T, const enum zk_form form,
                                                       float *out, const struct zk_panel *p,
                                                       struct rows x, bool last)
{
    const struct zk_layout *lo = p->lo;
    const uint8_t *src = p->codes;
    const int bytes = form == ZK_W8A ? 512 : 256, blocks = lo->kp / 32, per_group = lo->group / 32;
    const __mmask16 mask = (__mmask16)((1u << T) - 1);
    const bool few = T < 8; /* then there are registers enough for what is summed over groups */
    const bool shift = form != ZK_W4A || !few;
    const __m512i table = form == ZK_W4L ? load_table(p) : _mm512_setzero_si512();
    __m512 total[4];
    uintptr_t page = 0;

    if (few) /* scales and zeros first: memory is then read in one sequence, without holes */
        FETCH(p->scales, (size_t)(p->codes - p->scales));
    ZK_UNROLL
    for (int t = 0; t < T; t++)
        if (few)
            total[t] = _mm512_setzero_ps();
        else
            _mm512_storeu_ps(out + t * ZK_TILE, _mm512_setzero_ps());
    for (int g = 0, b = 0; g < lo->groups; g++) {
        int end = b + per_group < blocks ? b + per_group : blocks;
        __m512 sum[16], sums = _mm512_setzero_ps();
        float S[16] = {0};
        if (few)
            fetch_page(src, &page);
        ZK_UNROLL
        for (int t = 0; t < T; t++)
            sum[t] = _mm512_setzero_ps();
        for (; b < end; b++, src += bytes) {
            __m512i w[8];
            load_codes(w, src, form, shift, table);
            if (T == 2 || T == 4) /* more lines on their way than the processor sees ahead */
                FETCH(src + bytes, (size_t)bytes);
            else if (T >= 8 && last) /* what comes after this panel has until the end of it */
                FETCH(src + lo->panel, (size_t)bytes);
            ZK_UNROLL
            for (int t = 0; t < T; t++) {
                __m512i dot = few ? dot32(w, x.q + t * 32, shift) : dot32_chain(w, x.q + t * 32);
                sum[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), _mm512_set1_ps(x.d[t]), sum[t]);
            }
            if (T == 1)
                S[0] += x.ds[0];
            else
                sums = _mm512_add_ps(sums, _mm512_maskz_loadu_ps(mask, x.ds));
            x.q += x.stride;
            x.d = (const float *)(const void *)((const uint8_t *)x.d + x.stride);
            x.ds = (const float *)(const void *)((const uint8_t *)x.ds + x.stride);
        }
        __m512 s = load_scales(p, g), z = load_zeros(p, g);
        if (T > 1)
            _mm512_storeu_ps(S, sums);
        ZK_UNROLL
        for (int t = 0; t < T; t++) {
            __m512 v = _mm512_fnmadd_ps(z, _mm512_set1_ps(S[t]), sum[t]);
            float *o = out + t * ZK_TILE;
            if (few)
                total[t] = _mm512_fmadd_ps(s, v, total[t]);
            else
                _mm512_storeu_ps(o, _mm512_fmadd_ps(s, v, _mm512_loadu_ps(o)));
        }
    }
    ZK_UNROLL
    for (int t = 0; few && t < T; t++)
        _mm512_storeu_ps(out + t * ZK_TILE, total[t]);
}

static inline __attribute__((always_inline)) void tiles(const enum zk_form form, float *out,
                                                        const struct zk_panel *p, const uint8_t *x,
                                                        int rows, int r0, int n)
{
    size_t row_bytes = zk_act_row_bytes(ZK_ACT_Q8, p->k);
    for (int r = r0, T; r < r0 + n; r += T, out += T * ZK_TILE) {
        int first = r / ZK_ROW_GROUP * ZK_ROW_GROUP, t = r - first, left = r0 + n - r;
        int w = rows - first < ZK_ROW_GROUP ? rows - first : ZK_ROW_GROUP;
        const uint8_t *chunk = x + (size_t)first * row_bytes;
        const float *d = (const float *)(const void *)(chunk + w * ZK_ACT_BLOCK) + t;
        struct rows g = {(const int8_t *)chunk + t * ZK_ACT_BLOCK, d, d + w,
                         (size_t)(w * ZK_Q8_BYTES)};
        bool last = left <= ZK_ROW_GROUP;
        left = w - t < left ? w - t : left;
        T = left >= 16 ? 16 : left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
        if (T == 16)
            tile(16, form, out, p, g, last);
        else if (T == 8)
            tile(8, form, out, p, g, last);
        else if (T == 4)
            tile(4, form, out, p, g, last);
        else if (T == 2)
            tile(2, form, out, p, g, last);
        else
            tile(1, form, out, p, g, last);
    }
}

void ZK_V(mm_q8)(float *out, const struct zk_panel *p, const uint8_t *x, int rows, int r0, int n)
{
    if (p->form == ZK_W4A)
        tiles(ZK_W4A, out, p, x, rows, r0, n);
    else if (p->form == ZK_W4L)
        tiles(ZK_W4L, out, p, x, rows, r0, n);
    else
        tiles(ZK_W8A, out, p, x, rows, r0, n);
}

/* Sixteen chains of vpdpbusd that stay in registers. */
double ZK_V(probe_q8)(long n)
{
    __m512i a[16], w = _mm512_set1_epi8(3), x = _mm512_set1_epi8(1);
    ZK_UNROLL
    for (int i = 0; i < 16; i++)
        a[i] = _mm512_set1_epi32(i);
    for (long r = 0; r < n; r++)
        ZK_UNROLL
    for (int i = 0; i < 16; i++)
        a[i] = _mm512_dpbusd_epi32(a[i], w, x);
    __m512i s = a[0];
    for (int i = 1; i < 16; i++)
        s = _mm512_xor_si512(s, a[i]);
    return _mm512_reduce_add_epi32(s) == -1 ? 0 : (double)n * 16 * 64;
}
