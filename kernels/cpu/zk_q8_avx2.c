/* SPDX-License-Identifier: MIT */
/* Matrix products with int8 activations, AVX2.
 *
 * 4-bit codes: vpmaddubsw multiplies unsigned codes with signed activations and adds pairs to 16
 * bits; eight of them, a block of 32 columns, are at most 8 * 2 * 15 * 127 = 30480, so they add up
 * in 16 bits and are widened once. 8-bit codes would saturate there: they are taken as signed
 * (minus 128, and so are the zeros), |code| times the activation with the code's sign, which is at
 * most 2 * 128 * 127 = 32512, and widened after each.
 *
 * One row (decode) unpacks in registers. For more, a strip of a panel, at most four blocks, is
 * unpacked into the first-level cache and multiplied with all rows, four at a time.
 *
 * One element is: over groups, out = s * (p - z * S) + out, where p is the chain of d_b * dot_b
 * over the group's blocks and S that of d_b * sum_b; both ways do just that.
 *
 * Limit: two multiplications a cycle, 4-bit; memory, one row. Measured (EPYC 9004 at 3.4 GHz, one
 * core, its neighbour busy, 2026-11): 124 Gmac/s with 192 rows, 70 % of probe_peak; one row
 * takes 40 GB/s of 4-bit codes from the second-level cache. */
#include "kernels/cpu/zk_isa.h"

#include <immintrin.h>

#define STRIP 4  /* blocks */
#define SPAN  64 /* rows whose sums stay in the first-level cache */

/* Asks for n bytes into the first-level cache. A macro: the compiler takes a function that does
 * nothing but prefetch for one without effect, and drops its calls. */
#define FETCH(p, n)                                                 \
    do {                                                            \
        for (size_t fetch_i = 0; fetch_i < (n); fetch_i += 64)      \
            _mm_prefetch((const char *)(p) + fetch_i, _MM_HINT_T0); \
    } while (0)

/* Of W4L: times the unit of the table's codes. */
static inline void load_scales(__m256 *s, const struct zk_panel *p, int g)
{
    const uint8_t *src = p->scales + (size_t)(g * ZK_TILE * p->lo->scale_size);
    ZK_UNROLL
    for (int h = 0; h < 2; h++) {
        const uint8_t *at = src + h * 8 * p->lo->scale_size;
        s[h] = p->type == ZK_F16    ? v_load_f16((const uint16_t *)(const void *)at)
               : p->type == ZK_BF16 ? v_load_bf16((const uint16_t *)(const void *)at)
                                    : v_load((const float *)(const void *)at);
        if (p->form == ZK_W4L)
            s[h] = _mm256_mul_ps(s[h], _mm256_set1_ps(p->table->unit));
    }
}

/* Of 8-bit codes: minus 128, as the codes are; W4L's codes have signs and no zero. */
static inline void load_zeros(__m256 *z, const struct zk_panel *p, int g)
{
    const uint8_t *src = p->zeros;
    if (p->zeros == NULL) {
        z[0] = z[1] = _mm256_set1_ps(p->form == ZK_W4A ? 8 : 0);
    } else if (p->form == ZK_W8A) {
        ZK_UNROLL
        for (int h = 0; h < 2; h++)
            z[h] = _mm256_sub_ps(v_load_u8(src + g * ZK_TILE + h * 8), _mm256_set1_ps(128));
    } else {
        __m128i b = _mm_loadl_epi64((const __m128i *)(const void *)(src + g * 8));
        const __m128i low = _mm_set1_epi8(15);
        __m128i hi = _mm_and_si128(_mm_srli_epi16(b, 4), low);
        z[0] = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_and_si128(b, low)));
        z[1] = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(hi));
    }
}

static inline __m256i load32(const uint8_t *p)
{
    return _mm256_load_si256((const __m256i *)(const void *)p);
}

static inline __m256i four(const int8_t *q)
{
    int32_t x;
    memcpy(&x, q, 4);
    return _mm256_set1_epi32(x);
}

/* sum + x, in this order: left alone, the compiler makes a tree of a block's additions, and every
 * product of it must be kept until then. */
static inline __m256i add16(__m256i sum, __m256i x)
{
    sum = _mm256_add_epi16(sum, x);
    __asm__("" : "+x"(sum));
    return sum;
}

static inline __m256 widen16(__m256i sum)
{
    return _mm256_cvtepi32_ps(_mm256_madd_epi16(sum, _mm256_set1_epi16(1)));
}

static inline __m256i add32(__m256i sum, __m256i x)
{
    sum = _mm256_add_epi32(sum, x);
    __asm__("" : "+x"(sum));
    return sum;
}

/* The dots of four signed columns of 8 rows. */
static inline __m256i dot_signed(__m256i w, __m256i x)
{
    __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

static inline void finish(float *out, const float *sum, const __m256 *s, const __m256 *z, float S)
{
    ZK_UNROLL
    for (int h = 0; h < 2; h++) {
        __m256 v = _mm256_fnmadd_ps(z[h], _mm256_set1_ps(S), _mm256_loadu_ps(sum + h * 8));
        float *o = out + h * 8;
        _mm256_storeu_ps(o, _mm256_fmadd_ps(s[h], v, _mm256_loadu_ps(o)));
    }
}

/* ---- one row ----------------------------------------------------------------------------- */

static inline void block_w4(__m256 *dot, const uint8_t *w, const int8_t *q)
{
    const __m256i low = _mm256_set1_epi8(15);
    __m256i sum[2][2];
    ZK_UNROLL
    for (int c = 0; c < 4; c++) {
        __m256i x = four(q + 4 * c), y = four(q + 4 * c + 16);
        ZK_UNROLL
        for (int h = 0; h < 2; h++) {
            __m256i b = load32(w + c * 64 + h * 32);
            __m256i lo = _mm256_maddubs_epi16(_mm256_and_si256(b, low), x);
            __m256i hi = _mm256_maddubs_epi16(_mm256_and_si256(_mm256_srli_epi16(b, 4), low), y);
            sum[h][0] = c == 0 ? lo : add16(sum[h][0], lo);
            sum[h][1] = c == 0 ? hi : add16(sum[h][1], hi);
        }
    }
    ZK_UNROLL
    for (int h = 0; h < 2; h++)
        dot[h] = widen16(_mm256_add_epi16(sum[h][0], sum[h][1]));
}

static inline __m256i load_table(const struct zk_panel *p)
{
    return _mm256_broadcastsi128_si256(
        _mm_loadu_si128((const __m128i *)(const void *)p->table->code));
}

static inline void block_w4l(__m256 *dot, const uint8_t *w, const int8_t *q, __m256i table)
{
    const __m256i low = _mm256_set1_epi8(15);
    __m256i sum[2];
    ZK_UNROLL
    for (int c = 0; c < 4; c++) {
        __m256i x = four(q + 4 * c), y = four(q + 4 * c + 16);
        ZK_UNROLL
        for (int h = 0; h < 2; h++) {
            __m256i b = load32(w + c * 64 + h * 32);
            __m256i lo = _mm256_and_si256(b, low);
            __m256i hi = _mm256_and_si256(_mm256_srli_epi16(b, 4), low);
            lo = dot_signed(_mm256_shuffle_epi8(table, lo), x);
            hi = dot_signed(_mm256_shuffle_epi8(table, hi), y);
            sum[h] = c == 0 ? lo : add32(sum[h], lo);
            sum[h] = add32(sum[h], hi);
        }
    }
    ZK_UNROLL
    for (int h = 0; h < 2; h++)
        dot[h] = _mm256_cvtepi32_ps(sum[h]);
}

static inline void block_w8(__m256 *dot, const uint8_t *w, const int8_t *q)
{
    const __m256i flip = _mm256_set1_epi8(-128);
    __m256i sum[2];
    ZK_UNROLL
    for (int c = 0; c < 8; c++) {
        __m256i x = four(q + 4 * c);
        ZK_UNROLL
        for (int h = 0; h < 2; h++) {
            __m256i v = dot_signed(_mm256_xor_si256(load32(w + c * 64 + h * 32), flip), x);
            sum[h] = c == 0 ? v : add32(sum[h], v);
        }
    }
    ZK_UNROLL
    for (int h = 0; h < 2; h++)
        dot[h] = _mm256_cvtepi32_ps(sum[h]);
}

static inline __attribute__((always_inline)) void one_row(const enum zk_form form, float *out,
                                                          const struct zk_panel *p,
                                                          const uint8_t *chunk, int w, int t)
{
    const struct zk_layout *lo = p->lo;
    const uint8_t *src = p->codes;
    const __m256i table = form == ZK_W4L ? load_table(p) : _mm256_setzero_si256();
    const int bytes = form == ZK_W8A ? 512 : 256, blocks = lo->kp / 32, per_group = lo->group / 32;

    memset(out, 0, ZK_TILE * sizeof(float));
    for (int g = 0, b = 0; g < lo->groups; g++) {
        int end = b + per_group < blocks ? b + per_group : blocks;
        __m256 sum[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()}, dot[2], s[2], z[2];
        float S = 0, both[ZK_TILE];
        for (; b < end; b++, src += bytes, chunk += w * ZK_Q8_BYTES) {
            const int8_t *q = (const int8_t *)chunk + t * ZK_ACT_BLOCK;
            const float *d = (const float *)(const void *)(chunk + w * ZK_ACT_BLOCK) + t;
            FETCH(src + bytes, (size_t)bytes); /* more lines than the processor sees ahead */
            if (form == ZK_W4A)
                block_w4(dot, src, q);
            else if (form == ZK_W4L)
                block_w4l(dot, src, q, table);
            else
                block_w8(dot, src, q);
            ZK_UNROLL
            for (int h = 0; h < 2; h++)
                sum[h] = _mm256_fmadd_ps(dot[h], _mm256_set1_ps(d[0]), sum[h]);
            S += d[w];
        }
        load_scales(s, p, g);
        load_zeros(z, p, g);
        _mm256_storeu_ps(both, sum[0]);
        _mm256_storeu_ps(both + 8, sum[1]);
        finish(out, both, s, z, S);
    }
}

/* ---- several rows ------------------------------------------------------------------------ */

/* Blocks to [n][8][64] codes, a byte each: unsigned 4-bit ones of W4A, signed 8-bit ones else. */
static inline void unpack(uint8_t *dst, const uint8_t *src, int n, enum zk_form form, __m256i table)
{
    const __m256i low = _mm256_set1_epi8(15), flip = _mm256_set1_epi8(-128);
    const int bytes = form == ZK_W8A ? 512 : 256;
    for (int b = 0; b < n; b++, dst += 512, src += bytes)
        for (int i = 0; i < bytes; i += 32) {
            __m256i v = load32(src + i), *at = (__m256i *)(void *)(dst + i);
            if (form == ZK_W8A) {
                _mm256_store_si256(at, _mm256_xor_si256(v, flip));
                continue;
            }
            __m256i lo = _mm256_and_si256(v, low);
            __m256i hi = _mm256_and_si256(_mm256_srli_epi16(v, 4), low);
            if (form == ZK_W4L) {
                lo = _mm256_shuffle_epi8(table, lo);
                hi = _mm256_shuffle_epi8(table, hi);
            }
            _mm256_store_si256(at, lo);
            _mm256_store_si256(at + 8, hi);
        }
}

/* Adds n blocks to the sums of T rows: sum[T][16], S[T]. chunk is the first block's. */
static inline __attribute__((always_inline)) void strip_rows(const int T, const bool w4, float *sum,
                                                             float *S, const uint8_t *strip, int n,
                                                             const uint8_t *chunk, int w, int t0)
{
    for (int b = 0; b < n; b++, strip += 512, chunk += w * ZK_Q8_BYTES) {
        const int8_t *q = (const int8_t *)chunk + t0 * ZK_ACT_BLOCK;
        const float *d = (const float *)(const void *)(chunk + w * ZK_ACT_BLOCK) + t0;
        __m256i acc[4][2];
        ZK_UNROLL
        for (int c = 0; c < 8; c++) {
            __m256i w0 = load32(strip + c * 64), w1 = load32(strip + c * 64 + 32);
            ZK_UNROLL
            for (int t = 0; t < T; t++) {
                __m256i x = four(q + t * ZK_ACT_BLOCK + 4 * c);
                __m256i v0 = w4 ? _mm256_maddubs_epi16(w0, x) : dot_signed(w0, x);
                __m256i v1 = w4 ? _mm256_maddubs_epi16(w1, x) : dot_signed(w1, x);
                acc[t][0] = c == 0 ? v0 : w4 ? add16(acc[t][0], v0) : add32(acc[t][0], v0);
                acc[t][1] = c == 0 ? v1 : w4 ? add16(acc[t][1], v1) : add32(acc[t][1], v1);
            }
        }
        ZK_UNROLL
        for (int t = 0; t < T; t++)
            ZK_UNROLL
        for (int h = 0; h < 2; h++) {
            float *at = sum + t * ZK_TILE + h * 8;
            __m256 dot = w4 ? widen16(acc[t][h]) : _mm256_cvtepi32_ps(acc[t][h]);
            _mm256_storeu_ps(at, _mm256_fmadd_ps(dot, _mm256_set1_ps(d[t]), _mm256_loadu_ps(at)));
        }
        if (T == 4)
            _mm_storeu_ps(S, _mm_add_ps(_mm_loadu_ps(S), _mm_loadu_ps(d + w)));
        else
            for (int t = 0; t < T; t++)
                S[t] += d[w + t];
        /* the sums stay in memory: in registers they would push out the block's */
        __asm__ volatile("" ::: "memory");
    }
}

/* Block b's chunk of the group that row r is in; its width, and the row's place. */
static inline const uint8_t *chunk_of(const uint8_t *x, size_t row_bytes, int rows, int r, int b,
                                      int *ret_w, int *ret_t)
{
    int first = r / ZK_ROW_GROUP * ZK_ROW_GROUP;
    int w = rows - first < ZK_ROW_GROUP ? rows - first : ZK_ROW_GROUP;
    *ret_w = w;
    *ret_t = r - first;
    return x + (size_t)first * row_bytes + (size_t)b * (size_t)(w * ZK_Q8_BYTES);
}

/* Rows r0 .. r0 + n, n <= SPAN. */
static inline __attribute__((always_inline)) void span(const enum zk_form form, float *out,
                                                       const struct zk_panel *p, const uint8_t *x,
                                                       int rows, int r0, int n)
{
    const struct zk_layout *lo = p->lo;
    const int blocks = lo->kp / 32, per_group = lo->group / 32;
    const size_t row_bytes = zk_act_row_bytes(ZK_ACT_Q8, p->k);
    const __m256i table = form == ZK_W4L ? load_table(p) : _mm256_setzero_si256();
    const bool w4 = form == ZK_W4A;
    uint8_t strip[STRIP * 512] __attribute__((aligned(64)));
    float sum[SPAN * ZK_TILE] __attribute__((aligned(64))), S[SPAN];

    memset(out, 0, (size_t)n * ZK_TILE * sizeof(float));
    for (int g = 0, b = 0; g < lo->groups; g++) {
        int end = b + per_group < blocks ? b + per_group : blocks, m;
        memset(sum, 0, (size_t)n * ZK_TILE * sizeof(float));
        memset(S, 0, (size_t)n * sizeof(float));
        for (; b < end; b += m) {
            m = end - b < STRIP ? end - b : STRIP;
            const uint8_t *src = p->codes + (size_t)b * (form == ZK_W8A ? 512 : 256);
            unpack(strip, src, m, form, table);
            for (int i = 0, T, w, t; i < n; i += T) {
                const uint8_t *chunk = chunk_of(x, row_bytes, rows, r0 + i, b, &w, &t);
                T = w - t < n - i ? w - t : n - i;
                T = T >= 4 ? 4 : T >= 2 ? 2 : 1;
                if (T == 4)
                    strip_rows(4, w4, sum + i * ZK_TILE, S + i, strip, m, chunk, w, t);
                else if (T == 2)
                    strip_rows(2, w4, sum + i * ZK_TILE, S + i, strip, m, chunk, w, t);
                else
                    strip_rows(1, w4, sum + i * ZK_TILE, S + i, strip, m, chunk, w, t);
            }
        }
        __m256 s[2], z[2];
        load_scales(s, p, g);
        load_zeros(z, p, g);
        for (int i = 0; i < n; i++)
            finish(out + i * ZK_TILE, sum + i * ZK_TILE, s, z, S[i]);
    }
}

static inline __attribute__((always_inline)) void spans(const enum zk_form form, float *out,
                                                        const struct zk_panel *p, const uint8_t *x,
                                                        int rows, int r0, int n)
{
    if (n == 1) {
        int w, t;
        const uint8_t *chunk = chunk_of(x, zk_act_row_bytes(ZK_ACT_Q8, p->k), rows, r0, 0, &w, &t);
        one_row(form, out, p, chunk, w, t);
        return;
    }
    for (int i = 0; i < n; i += SPAN)
        span(form, out + i * ZK_TILE, p, x, rows, r0 + i, n - i < SPAN ? n - i : SPAN);
}

void ZK_V(mm_q8)(float *out, const struct zk_panel *p, const uint8_t *x, int rows, int r0, int n)
{
    if (p->form == ZK_W4A)
        spans(ZK_W4A, out, p, x, rows, r0, n);
    else if (p->form == ZK_W4L)
        spans(ZK_W4L, out, p, x, rows, r0, n);
    else
        spans(ZK_W8A, out, p, x, rows, r0, n);
}

/* The inner step of 4-bit products on registers: vpmaddubsw and vpaddw, twelve chains; like the
 * real one, widened every eight. */
double ZK_V(probe_q8)(long n)
{
    __m256i w = _mm256_set1_epi8(3), x = _mm256_set1_epi8(1), total = _mm256_setzero_si256();
    for (long r = 0; r < n; r++) {
        __m256i a[8];
        ZK_UNROLL
        for (int i = 0; i < 8; i++)
            a[i] = _mm256_maddubs_epi16(w, x);
        for (int k = 0; k < 7; k++)
            ZK_UNROLL
        for (int i = 0; i < 8; i++) {
            __asm__("" : "+x"(x)); /* or the compiler would multiply once */
            a[i] = _mm256_add_epi16(a[i], _mm256_maddubs_epi16(w, x));
        }
        ZK_UNROLL
        for (int i = 0; i < 8; i++)
            total = _mm256_add_epi32(total, _mm256_madd_epi16(a[i], _mm256_set1_epi16(1)));
    }
    int32_t lane[8];
    memcpy(lane, &total, sizeof lane);
    return lane[0] == -1 ? 0 : (double)n * 8 * 8 * 32;
}
