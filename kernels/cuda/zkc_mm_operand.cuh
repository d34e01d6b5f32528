/* SPDX-License-Identifier: MIT */
/* From packed codes (zkc_mm.h) to operands of an mma, in registers: shared by every kernel that
 * reads packed matrices. What a step of W4A costs a lane, for 8 codes: fp16 4 lop3, 1 shift,
 * 4 fma; bf16 4 lop3, 3 shifts, 4 fma. The integers (q - zero) are exact in both types; scales
 * are applied to fp32 sums afterwards (decode) or to the operand (dequantisation).
 *
 * W4L, any type: a number is looked up as two bytes, each in a table of 16 by two prmt (8 entries
 * of 4 codes each) and a lop3 that chooses by the codes' upper bits: 21 instructions. All of them
 * are for the unit that gives a scheduler 16 lanes per clock: 2700 clocks for the block of each of
 * its two warps, where the memory of 3090, 4090, 5090, H100, H200 delivers them in 5300, 11700,
 * 8200, 2500, 1750. A table of pairs in shared memory would be read 12.7 to 16 bytes per clock,
 * too, and takes the room of the rings (a copy for each bank is 32 KiB). On an H200 W4L is bound by
 * this.
 *
 * W8F: an e4m3 number is one of fp16, with a smaller exponent, by shifting: 7 instructions for two
 * registers; times 2^8, which the scale takes. In bf16 times 2^120, which is a multiplication: sums
 * must not become denormal. The conversion that sm_89 has would be 2, and another text for sm_80.
 */
#ifndef KERNELS_CUDA_ZKC_MM_OPERAND_CUH
#define KERNELS_CUDA_ZKC_MM_OPERAND_CUH

#include "kernels/cuda/zkc_mm.h"
#include "kernels/cuda/zkc_ptx.cuh"

/* What the forms differ in, at compile time: rows of a panel, 16-byte vectors per lane, 16 rows
 * and block, and steps in such a vector. */
template <int FORM> struct zkc_mm_form {
    static constexpr int panel = FORM == ZK_W4A || FORM == ZK_W4L   ? 64
                                 : FORM == ZK_W8A || FORM == ZK_W8F ? 32
                                                                    : 16;
    static constexpr bool has_zeros = FORM == ZK_W4A || FORM == ZK_W8A;
    static constexpr int tiles = panel / 16;
    static constexpr int vectors = 8 / tiles;
    static constexpr int steps = 8 / vectors;
};

/* One number twice in a register, and two numbers of 16 bits in it. */
template <int TYPE> ZKC_DEV uint32_t zkc_pair(float a, float b)
{
    uint32_t r;
    if (TYPE == ZK_F16) {
        __half2 h = __floats2half2_rn(a, b);
        memcpy(&r, &h, 4);
    } else {
        __nv_bfloat162 h = __floats2bfloat162_rn(a, b);
        memcpy(&r, &h, 4);
    }
    return r;
}

/* The two numbers of 16 bits in a register. */
template <int TYPE> ZKC_DEV float2 zkc_unpair(uint32_t u)
{
    if (TYPE == ZK_F16) {
        __half2 h;
        memcpy(&h, &u, 4);
        return __half22float2(h);
    }
    return make_float2(__uint_as_float(u << 16), __uint_as_float(u & 0xffff0000u));
}

/* a * b + c on the two halves, each rounded once. */
template <int TYPE> ZKC_DEV uint32_t zkc_fma2(uint32_t a, uint32_t b, uint32_t c)
{
    if (TYPE == ZK_F16) {
        __half2 x, y, z;
        memcpy(&x, &a, 4);
        memcpy(&y, &b, 4);
        memcpy(&z, &c, 4);
        x = __hfma2(x, y, z);
        memcpy(&a, &x, 4);
    } else {
        __nv_bfloat162 x, y, z;
        memcpy(&x, &a, 4);
        memcpy(&y, &b, 4);
        memcpy(&z, &c, 4);
        x = __hfma2(x, y, z);
        memcpy(&a, &x, 4);
    }
    return a;
}

template <int TYPE>
ZKC_DEV void zkc_mma(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2] ZKC_SITE)
{
#ifdef CUDASIM
    if (TYPE == ZK_F16)
        zkc_mma_f16(d, a, b, d, site);
    else
        zkc_mma_bf16(d, a, b, d, site);
#else
    if (TYPE == ZK_F16)
        zkc_mma_f16(d, a, b, d);
    else
        zkc_mma_bf16(d, a, b, d);
#endif
}

/* ---- zeros ------------------------------------------------------------------------------- */

/* What is added to the raw numbers of rows g (even registers) and g + 8 (odd ones). */
struct zkc_mm_zero {
    uint32_t even, odd;
};

/* W4A: raw numbers are 1024 + q in even registers and, after a multiplication by 1/16, 64 + q in
 * odd ones (fp16), or 128 + q (bf16). W8A: 1024 + q (fp16), or 2^23 + q as floats (bf16). */
template <int FORM, int TYPE> ZKC_DEV zkc_mm_zero zkc_mm_zero_of(uint32_t even, uint32_t odd)
{
    if (FORM == ZK_W8A && TYPE == ZK_BF16)
        return {0xcb000000u + even, 0xcb000000u + odd}; /* -(2^23 + zero) */
    if (FORM == ZK_W8A)
        return {0xe400e400u + even * 0x00010001u, 0xe400e400u + odd * 0x00010001u};
    if (TYPE == ZK_F16)
        return {0xe400e400u + even * 0x00010001u, 0xd400d400u + odd * 0x00100010u};
    return {0xc300c300u + even * 0x00010001u, 0xc300c300u + odd * 0x00010001u};
}

/* ---- operands ---------------------------------------------------------------------------- */

constexpr uint32_t zkc_one_f16 = 0x3c003c00, zkc_one_bf16 = 0x3f803f80;

/* Two bytes of w (chosen by the low digits of sel) less a zero: exact in bf16, whose numbers are
 * the upper halves of floats. */
ZKC_DEV uint32_t zkc_bytes_bf16(uint32_t w, uint32_t sel0, uint32_t sel1, uint32_t zero)
{
    float z, f0, f1;
    uint32_t u0 = zkc_prmt(w, 0x4b000000u, sel0), u1 = zkc_prmt(w, 0x4b000000u, sel1);
    memcpy(&z, &zero, 4);
    memcpy(&f0, &u0, 4);
    memcpy(&f1, &u1, 4);
    f0 += z;
    f1 += z;
    memcpy(&u0, &f0, 4);
    memcpy(&u1, &f1, 4);
    return zkc_prmt(u0, u1, 0x7632);
}

/* The table of W4L: low and high bytes of 16 numbers. */
template <int FORM> struct zkc_mm_table {
};
template <> struct zkc_mm_table<ZK_W4L> {
    uint4 low, high;
};

template <int FORM> ZKC_DEV zkc_mm_table<FORM> zkc_mm_table_at(const uint8_t *p)
{
    zkc_mm_table<FORM> t;
    if constexpr (FORM == ZK_W4L) {
        t.low = *reinterpret_cast<const uint4 *>(p + 64);
        t.high = *reinterpret_cast<const uint4 *>(p + 80);
    }
    return t;
}

/* Of four codes, a nibble each without its upper bit, the bytes; upper: 0xff where that bit is. */
ZKC_DEV uint32_t zkc_lookup(const uint4 &bytes, uint32_t codes, uint32_t upper)
{
    return zkc_lop3<0xca>(upper, zkc_prmt(bytes.z, bytes.w, codes),
                          zkc_prmt(bytes.x, bytes.y, codes));
}

/* Eight codes of w to four registers, two numbers each. */
ZKC_DEV void zkc_lookup8(uint32_t (&a)[4], const zkc_mm_table<ZK_W4L> &t, uint32_t w)
{
#pragma unroll
    for (int r = 0; r < 4; r += 2) {
        const uint32_t codes = (w & 0x77777777u) >> (8 * r);
        const uint32_t upper = zkc_prmt(w, w << 4, r ? 0xbfae : 0x9d8c);
        const uint32_t low = zkc_lookup(t.low, codes, upper);
        const uint32_t high = zkc_lookup(t.high, codes, upper);
        a[r] = zkc_prmt(low, high, 0x5140);
        a[r + 1] = zkc_prmt(low, high, 0x7362);
    }
}

/* Two e4m3 numbers in the upper bytes of the halves of h. */
template <int TYPE> ZKC_DEV uint32_t zkc_f8_pair(uint32_t h)
{
    if (TYPE == ZK_F16)
        return zkc_lop3<0xea>(h, 0x80008000u, h >> 1 & 0x3f803f80u);
    return zkc_fma2<ZK_BF16>(zkc_lop3<0xea>(h, 0x80008000u, h >> 4 & 0x07f007f0u), 0x7b807b80u,
                             0x80008000u);
}

/* The four operand registers of step s of a vector's steps: q - zero, the table's number, the e4m3
 * number (of fp16: by 2^8 too small), or the weight (W16). */
template <int FORM, int TYPE>
ZKC_DEV void zkc_mm_operand(uint32_t (&a)[4], const uint4 &vec, int s, const zkc_mm_zero &z,
                            const zkc_mm_table<FORM> &table)
{
    const uint32_t v[4] = {vec.x, vec.y, vec.z, vec.w};
    if constexpr (FORM == ZK_W4L) {
        zkc_lookup8(a, table, v[s]);
    } else if (FORM == ZK_W16) {
#pragma unroll
        for (int r = 0; r < 4; r++)
            a[r] = v[r];
    } else if (FORM == ZK_W8F) {
#pragma unroll
        for (int r = 0; r < 4; r++) {
            const uint32_t w = v[2 * s + r / 2];
            a[r] = zkc_f8_pair<TYPE>(r & 1 ? w : w << 8);
        }
    } else if (FORM == ZK_W8A) {
#pragma unroll
        for (int r = 0; r < 4; r++) {
            uint32_t w = v[2 * s + r / 2], zero = r & 1 ? z.odd : z.even;
            if (TYPE == ZK_F16)
                a[r] = zkc_fma2<ZK_F16>(zkc_prmt(w, 0x64646464u, r & 1 ? 0x5351 : 0x5250),
                                        zkc_one_f16, zero);
            else
                a[r] = zkc_bytes_bf16(w, r & 1 ? 0x7541 : 0x7540, r & 1 ? 0x7543 : 0x7542, zero);
        }
    } else if (TYPE == ZK_F16) {
        uint32_t w = v[s];
#pragma unroll
        for (int r = 0; r < 4; r += 2, w >>= 8) {
            uint32_t lo = zkc_lop3<0xea>(w, 0x000f000fu, 0x64006400u);
            uint32_t hi = zkc_lop3<0xea>(w, 0x00f000f0u, 0x64006400u);
            a[r] = zkc_fma2<ZK_F16>(lo, zkc_one_f16, z.even);
            a[r + 1] = zkc_fma2<ZK_F16>(hi, 0x2c002c00u, z.odd);
        }
    } else {
#pragma unroll
        for (int r = 0; r < 4; r++) {
            uint32_t raw = zkc_lop3<0xea>(v[s] >> (4 * r), 0x000f000fu, 0x43004300u);
            a[r] = zkc_fma2<ZK_BF16>(raw, zkc_one_bf16, r & 1 ? z.odd : z.even);
        }
    }
}

/* ---- meta -------------------------------------------------------------------------------- */

/* How scales and zeros lie in a meta. */
struct zkc_mm_meta {
    int bytes;
    int zero_off; /* 0: no zeros */
    bool is_wide; /* scales are floats; else of the operand's type */
    int mask;     /* sets are of mask + 1 steps of 32 columns */
};

/* N words that lie side by side, aligned to all of them. */
template <int N> ZKC_DEV void zkc_mm_words(uint32_t (&u)[N], const uint8_t *p)
{
    if (N == 2) {
        const uint2 v = *reinterpret_cast<const uint2 *>(p);
        u[0] = v.x;
        u[N - 1] = v.y;
    } else {
#pragma unroll
        for (int i = 0; i < N; i++)
            u[i] = reinterpret_cast<const uint32_t *>(p)[i];
    }
}

/* A lane's scales of TILES tiles from `tile` on, rows g and g + 8 of each: side by side in a set.
 */
template <int FORM, int TYPE, int TILES>
ZKC_DEV void zkc_mm_scales(float2 (&scale)[TILES], const uint8_t *meta, const zkc_mm_meta &m,
                           int set, int tile, int g)
{
    const int i = set * zkc_mm_form<FORM>::panel / 2 + g * zkc_mm_form<FORM>::tiles + tile;
    uint32_t u[TILES];
    if (FORM == ZK_W4L || FORM == ZK_W8F || m.is_wide) {
#pragma unroll
        for (int t = 0; t < TILES; t++) {
            scale[t] = reinterpret_cast<const float2 *>(meta)[i + t];
            if (FORM == ZK_W8F && TYPE == ZK_F16) {
                scale[t].x *= 256;
                scale[t].y *= 256;
            }
        }
        return;
    }
    zkc_mm_words<TILES>(u, meta + i * 4);
#pragma unroll
    for (int t = 0; t < TILES; t++)
        scale[t] = zkc_unpair<TYPE>(u[t]);
}

/* The same of zeros, where the form has any. */
template <int FORM, int TYPE, int TILES>
ZKC_DEV void zkc_mm_zeros(zkc_mm_zero (&zero)[TILES], const uint8_t *meta, const zkc_mm_meta &m,
                          int set, int tile, int g)
{
    const int i = set * zkc_mm_form<FORM>::panel / 2 + g * zkc_mm_form<FORM>::tiles + tile;
    constexpr uint32_t middle = FORM == ZK_W4A ? 8 : 128;
#pragma unroll
    for (int t = 0; t < TILES; t++) {
        uint32_t even = middle, odd = middle;
        if (m.zero_off && FORM == ZK_W4A) {
            const uint32_t b = meta[m.zero_off + i + t];
            even = b & 15;
            odd = b >> 4;
        } else if (m.zero_off) {
            const uint32_t b = reinterpret_cast<const uint16_t *>(meta + m.zero_off)[i + t];
            even = b & 255;
            odd = b >> 8;
        }
        zero[t] = zkc_mm_zero_of<FORM, TYPE>(even, odd);
    }
}

#endif
