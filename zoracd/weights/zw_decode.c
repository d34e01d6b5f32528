/* SPDX-License-Identifier: MIT */
/* The decoders, one per layout. Words along K in natural order are the canonical form already and
 * are read in place; AutoAWQ's gemm is transposed in tiles; activation order moves columns. Shapes
 * are zw_linear_probe's promise. All words are little-endian, as this build's processors are. */
#include "config.h"

#include "zoracd/weights/zw_decode.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/weights/zw_quantize.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the files are little-endian");

enum { MEM_WEIGHTS, MEM_SCALES, MEM_ZEROS, MEM_PERM };

/* What the functions below pass around while they decode one layer. */
struct decode {
    struct zw_canon *out;
    const struct zw_reader *rd;
    const struct zw_linear *l;
    struct zc_diag *dg;
    size_t n, k, groups;
    size_t row_bytes; /* of a canonical row of codes */
};

void zw_canon_release(struct zw_canon *c)
{
    for (size_t i = 0; i < sizeof c->mem / sizeof c->mem[0]; i++)
        zc_free(c->mem[i]);
    memset(c, 0, sizeof *c);
}

static int alloc(void **ret_p, struct decode *d, size_t n, size_t size)
{
    return zw_read_alloc(ret_p, n, size, d->l->name, d->dg);
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Rows of `bytes` bytes that are read together: a piece's worth, in whole multiples of mult. */
static size_t rows_per_piece(size_t bytes, size_t mult)
{
    size_t rows = ZW_READ_PIECE / bytes / mult * mult;

    return rows ? rows : mult;
}

/* dst[c][r] = src[r][c], 16-bit elements, in tiles that stay in the first cache. */
static void transpose16(uint16_t *dst, const uint16_t *src, size_t rows, size_t cols)
{
    enum { TILE = 32 };

    for (size_t r0 = 0; r0 < rows; r0 += TILE)
        for (size_t c0 = 0; c0 < cols; c0 += TILE)
            for (size_t c = c0; c < min_size(c0 + TILE, cols); c++)
                for (size_t r = r0; r < min_size(r0 + TILE, rows); r++)
                    dst[c * rows + r] = src[r * cols + c];
}

static void transpose32(uint32_t *dst, const uint32_t *src, size_t rows, size_t cols)
{
    enum { TILE = 16 };

    for (size_t r0 = 0; r0 < rows; r0 += TILE)
        for (size_t c0 = 0; c0 < cols; c0 += TILE)
            for (size_t c = c0; c < min_size(c0 + TILE, cols); c++)
                for (size_t r = r0; r < min_size(r0 + TILE, rows); r++)
                    dst[c * rows + r] = src[r * cols + c];
}

static size_t type_size(enum zk_type type)
{
    return type == ZK_F32 ? 4 : 2;
}

/* dst[cols][keep] = the first keep rows of src[rows][cols], for elements of type. */
static void transpose_scales(void *dst, const void *src, enum zk_type type, size_t keep,
                             size_t cols)
{
    if (type == ZK_F32)
        transpose32(dst, src, keep, cols);
    else
        transpose16(dst, src, keep, cols);
}

/* ---- codes along K in natural order: compressed-tensors, AWQ gemv ------------------------- */

/* Rows of whole words to canonical rows, which may be shorter; the unused nibble becomes 0. */
static int read_padded_rows(struct decode *d, uint8_t *q, size_t file_row)
{
    const struct zw_tensor *t = d->l->weight;
    const size_t step = rows_per_piece(file_row, 1);
    void *buf = NULL;
    int r;

    if ((r = alloc(&buf, d, min_size(step, d->n), file_row)) < 0)
        return r;
    for (size_t n0 = 0; n0 < d->n && r >= 0; n0 += step) {
        const size_t rows = min_size(step, d->n - n0);
        if ((r = zw_read_range(d->rd, t, n0 * file_row, buf, rows * file_row, d->dg)) < 0)
            break;
        for (size_t i = 0; i < rows; i++) {
            uint8_t *row = q + (n0 + i) * d->row_bytes;
            memcpy(row, (uint8_t *)buf + i * file_row, d->row_bytes);
            if (d->l->desc.form == ZK_W4A && d->k % 2)
                row[d->row_bytes - 1] &= 0x0f;
        }
    }
    zc_free(buf);
    return r;
}

static int read_natural(struct decode *d)
{
    const size_t file_row = d->l->weight->bytes / d->n;
    void **q = &d->out->mem[MEM_WEIGHTS];
    int r;

    if ((r = alloc(q, d, d->n, d->row_bytes)) < 0)
        return r;
    d->out->c.q = *q;
    if (file_row == d->row_bytes)
        return zw_read_range(d->rd, d->l->weight, 0, *q, d->l->weight->bytes, d->dg);
    return read_padded_rows(d, *q, file_row);
}

/* ---- compressed-tensors ------------------------------------------------------------------- */

/* Zero points are packed along N: row n is field n % per_word of word row n / per_word. */
static int read_ct_zeros(struct decode *d)
{
    const unsigned bits = d->l->desc.form == ZK_W4A ? 4 : 8, per_word = 32 / bits;
    const uint32_t mask = (1u << bits) - 1;
    void **zeros = &d->out->mem[MEM_ZEROS], *raw = NULL;
    int r;

    if ((r = alloc(zeros, d, d->n, d->groups)) < 0 ||
        (r = zw_read_all(d->rd, d->l->zero, &raw, d->dg)) < 0)
        return r;
    for (size_t n = 0; n < d->n; n++) {
        const uint32_t *words = (const uint32_t *)raw + n / per_word * d->groups;
        const unsigned shift = (unsigned)(n % per_word) * bits;
        uint8_t *z = (uint8_t *)*zeros + n * d->groups;
        for (size_t g = 0; g < d->groups; g++)
            z[g] = (uint8_t)(words[g] >> shift & mask);
    }
    zc_free(raw);
    d->out->c.zero = *zeros;
    return ZC_OK;
}

/* perm = the columns sorted by group, those of a group in their own order. */
static int make_perm(struct decode *d)
{
    const size_t group = (size_t)d->l->desc.group;
    void **perm = &d->out->mem[MEM_PERM], *idx = NULL, *next = NULL;
    int r;

    if ((r = alloc(perm, d, d->k, sizeof(int32_t))) < 0 ||
        (r = alloc(&next, d, d->groups, sizeof(size_t))) < 0 ||
        (r = zw_read_all(d->rd, d->l->g_idx, &idx, d->dg)) < 0)
        goto out;
    for (size_t g = 0; g < d->groups; g++)
        ((size_t *)next)[g] = g * group;
    for (size_t j = 0; j < d->k; j++) {
        /* The file may have changed since it was probed. */
        const int32_t g = ((const int32_t *)idx)[j];
        if (g < 0 || (size_t)g >= d->groups ||
            ((size_t *)next)[g] == min_size(((size_t)g + 1) * group, d->k)) {
            r = zc_diag(d->dg, ZC_EFORMAT, "tensor %s changed while it was read",
                        d->l->g_idx->name);
            goto out;
        }
        ((int32_t *)*perm)[((size_t *)next)[g]++] = (int32_t)j;
    }
    d->out->c.perm = *perm;
out:
    zc_free(idx);
    zc_free(next);
    return r;
}

/* Moves the columns of all rows: new column j is old column perm[j]. */
static int permute_columns(struct decode *d)
{
    const bool is_nibbles = d->l->desc.form == ZK_W4A;
    const int32_t *perm = d->out->c.perm;
    void *mem = NULL;
    int r;

    if ((r = alloc(&mem, d, d->k + 1, 2)) < 0)
        return r;
    uint8_t *wide = mem, *moved = wide + d->k + 1;
    moved[d->k] = 0;
    for (size_t n = 0; n < d->n; n++) {
        uint8_t *row = (uint8_t *)d->out->mem[MEM_WEIGHTS] + n * d->row_bytes;
        if (!is_nibbles)
            memcpy(wide, row, d->k);
        for (size_t i = 0; is_nibbles && i < d->row_bytes; i++) {
            wide[2 * i] = row[i] & 0x0f;
            wide[2 * i + 1] = row[i] >> 4;
        }
        for (size_t j = 0; j < d->k; j++)
            moved[j] = wide[perm[j]];
        if (!is_nibbles)
            memcpy(row, moved, d->k);
        for (size_t i = 0; is_nibbles && i < d->row_bytes; i++)
            row[i] = (uint8_t)(moved[2 * i] | moved[2 * i + 1] << 4);
    }
    zc_free(mem);
    return ZC_OK;
}

static int decode_ct(struct decode *d)
{
    int r;

    if ((r = read_natural(d)) < 0 ||
        (r = zw_read_all(d->rd, d->l->scale, &d->out->mem[MEM_SCALES], d->dg)) < 0)
        return r;
    d->out->c.scale = d->out->mem[MEM_SCALES];
    if (d->l->zero && (r = read_ct_zeros(d)) < 0)
        return r;
    if (!d->l->g_idx)
        return ZC_OK;
    if ((r = make_perm(d)) < 0)
        return r;
    return permute_columns(d);
}

/* ---- AWQ gemm: [K][N/8], transposed, columns interleaved in their word -------------------- */

/* Nibble i of a word is column 8c + awq_order[i]. */
static const uint8_t awq_order[8] = {0, 2, 4, 6, 1, 3, 5, 7};

#define TILE_WORDS 16  /* words of a file row (a cache line) per tile: 128 columns n */
#define TILE_K     512 /* rows k per tile: wide runs of the canonical rows, which lie far apart */

/* Exchanges the bits of *b under mask with those of *a under mask << shift. */
static inline void swap_bits(uint32_t *a, uint32_t *b, unsigned shift, uint32_t mask)
{
    uint32_t t = (*a >> shift ^ *b) & mask;

    *b ^= t;
    *a ^= t << shift;
}

/* Transposes 8 x 8 nibbles, for TILE_WORDS columns of words at once: nibble i of m[j] becomes
 * nibble j of m[i]. */
static void transpose_nibbles(uint32_t m[8][TILE_WORDS])
{
    for (int i = 0; i < 4; i++)
        for (int c = 0; c < TILE_WORDS; c++)
            swap_bits(&m[i][c], &m[i + 4][c], 16, 0x0000ffff);
    for (int half = 0; half < 8; half += 4)
        for (int i = half; i < half + 2; i++)
            for (int c = 0; c < TILE_WORDS; c++)
                swap_bits(&m[i][c], &m[i + 2][c], 8, 0x00ff00ff);
    for (int i = 0; i < 8; i += 2)
        for (int c = 0; c < TILE_WORDS; c++)
            swap_bits(&m[i][c], &m[i + 1][c], 4, 0x0f0f0f0f);
}

/* One tile: up to TILE_K rows of src (stride words each), up to TILE_WORDS words, to canonical rows
 * n0 .. at column k0. */
static void decode_gemm_tile(struct decode *d, const uint32_t *src, size_t stride, size_t rows,
                             size_t word0, size_t k0)
{
    uint32_t out[TILE_WORDS * 8][TILE_K / 8]; /* [column n][word along k] */
    const size_t words = min_size(TILE_WORDS, stride - word0);

    for (size_t j0 = 0; j0 < rows; j0 += 8) {
        uint32_t m[8][TILE_WORDS] = {{0}};
        for (size_t j = j0; j < min_size(j0 + 8, rows); j++)
            memcpy(m[j - j0], src + j * stride + word0, words * sizeof m[0][0]);
        transpose_nibbles(m);
        for (size_t c = 0; c < words; c++)
            for (int i = 0; i < 8; i++)
                out[c * 8 + awq_order[i]][j0 / 8] = m[i][c];
    }
    for (size_t n = 0; n < words * 8; n++)
        memcpy((uint8_t *)d->out->mem[MEM_WEIGHTS] + (word0 * 8 + n) * d->row_bytes + k0 / 2,
               out[n], (rows + 1) / 2);
}

static int read_gemm_codes(struct decode *d)
{
    const size_t stride = d->n / 8, row = stride * 4, step = rows_per_piece(row, TILE_K);
    void **q = &d->out->mem[MEM_WEIGHTS], *buf = NULL;
    int r;

    if ((r = alloc(q, d, d->n, d->row_bytes)) < 0 ||
        (r = alloc(&buf, d, min_size(step, d->k), row)) < 0)
        return r;
    for (size_t k0 = 0; k0 < d->k; k0 += step) {
        const size_t rows = min_size(step, d->k - k0);
        if ((r = zw_read_range(d->rd, d->l->weight, k0 * row, buf, rows * row, d->dg)) < 0)
            break;
        for (size_t i = 0; i < rows; i += TILE_K)
            for (size_t w = 0; w < stride; w += TILE_WORDS)
                decode_gemm_tile(d, (uint32_t *)buf + i * stride, stride,
                                 min_size(TILE_K, rows - i), w, k0 + i);
    }
    zc_free(buf);
    d->out->c.q = *q;
    return r;
}

/* scales[rows >= G][N] of a transposed layout. */
static int read_transposed_scales(struct decode *d)
{
    void **scales = &d->out->mem[MEM_SCALES], *raw = NULL;
    int r;

    if ((r = alloc(scales, d, d->n * d->groups, type_size(d->l->desc.type))) < 0 ||
        (r = zw_read_all(d->rd, d->l->scale, &raw, d->dg)) < 0)
        return r;
    transpose_scales(*scales, raw, d->l->desc.type, d->groups, d->n);
    zc_free(raw);
    d->out->c.scale = *scales;
    return ZC_OK;
}

static int decode_awq_gemm(struct decode *d)
{
    void **zeros = &d->out->mem[MEM_ZEROS], *raw = NULL;
    int r;

    if ((r = read_gemm_codes(d)) < 0 || (r = read_transposed_scales(d)) < 0)
        return r;
    if (!d->l->zero)
        return ZC_OK;
    if ((r = alloc(zeros, d, d->n, d->groups)) < 0 ||
        (r = zw_read_all(d->rd, d->l->zero, &raw, d->dg)) < 0)
        return r;
    for (size_t g = 0; g < d->groups; g++)
        for (size_t c = 0; c < d->n / 8; c++) {
            const uint32_t word = ((const uint32_t *)raw)[g * (d->n / 8) + c];
            for (unsigned i = 0; i < 8; i++)
                ((uint8_t *)*zeros)[(c * 8 + awq_order[i]) * d->groups + g] =
                    (uint8_t)(word >> 4 * i & 15);
        }
    zc_free(raw);
    d->out->c.zero = *zeros;
    return ZC_OK;
}

/* ---- AWQ gemv: natural order, rows of scales and zeros padded ----------------------------- */

static int decode_awq_gemv(struct decode *d)
{
    const size_t size = type_size(d->l->desc.type), file_row = d->l->scale->bytes / d->n;
    void **scales = &d->out->mem[MEM_SCALES], **zeros = &d->out->mem[MEM_ZEROS], *raw = NULL;
    int r;

    if ((r = read_natural(d)) < 0 || (r = alloc(scales, d, d->n * d->groups, size)) < 0 ||
        (r = zw_read_all(d->rd, d->l->scale, &raw, d->dg)) < 0)
        return r;
    for (size_t n = 0; n < d->n; n++)
        memcpy((char *)*scales + n * d->groups * size, (char *)raw + n * file_row,
               d->groups * size);
    zc_free(raw);
    d->out->c.scale = *scales;
    if (!d->l->zero)
        return ZC_OK;
    if ((r = alloc(zeros, d, d->n, d->groups)) < 0 ||
        (r = zw_read_all(d->rd, d->l->zero, &raw, d->dg)) < 0)
        return r;
    const size_t words = d->l->zero->bytes / d->n / 4;
    for (size_t n = 0; n < d->n; n++)
        for (size_t g = 0; g < d->groups; g++)
            ((uint8_t *)*zeros)[n * d->groups + g] =
                (uint8_t)(((uint32_t *)raw)[n * words + g / 8] >> 4 * (g % 8) & 15);
    zc_free(raw);
    d->out->c.zero = *zeros;
    return ZC_OK;
}

/* ---- AWQ gemv_fast: four rows interleaved, zero points as products with the scale --------- */

/* 32 codes of one row: code 8m + i is nibble m of u[i]. */
static void decode_fast_run(uint8_t *dst, const uint16_t *u)
{
    for (unsigned m = 0; m < 4; m++) {
        uint32_t word = 0;
        for (unsigned i = 0; i < 8; i++)
            word |= (uint32_t)(u[i] >> 4 * m & 15) << 4 * i;
        memcpy(dst + 4 * m, &word, sizeof word);
    }
}

static int read_fast_codes(struct decode *d)
{
    const size_t row = d->k * 2, step = rows_per_piece(row, 1); /* of four n each */
    void **q = &d->out->mem[MEM_WEIGHTS], *buf = NULL;
    int r;

    if ((r = alloc(q, d, d->n, d->row_bytes)) < 0 ||
        (r = alloc(&buf, d, min_size(step, d->n / 4), row)) < 0)
        return r;
    for (size_t b0 = 0; b0 < d->n / 4; b0 += step) {
        const size_t rows = min_size(step, d->n / 4 - b0);
        if ((r = zw_read_range(d->rd, d->l->weight, b0 * row, buf, rows * row, d->dg)) < 0)
            break;
        for (size_t b = 0; b < rows; b++)
            for (size_t run = 0; run < d->k / 8; run++) {
                /* eight words: row b * 4 + run / 2 % 4, half run % 2 of 64 columns run / 8 */
                const size_t n = (b0 + b) * 4 + run / 2 % 4, k = run / 8 * 64 + run % 2 * 32;
                decode_fast_run((uint8_t *)*q + n * d->row_bytes + k / 2,
                                (uint16_t *)buf + b * d->k + run * 8);
            }
    }
    zc_free(buf);
    d->out->c.q = *q;
    return r;
}

static float to_float(const void *p, enum zk_type type, size_t i)
{
    if (type == ZK_F32)
        return ((const float *)p)[i];
    return type == ZK_F16 ? zk_f16_to_f32(((const uint16_t *)p)[i])
                          : zk_bf16_to_f32(((const uint16_t *)p)[i]);
}

/* The integer that the product zs = -scale * zero was rounded from. A tenth is more than rounding
 * of 15 times a scale can do, in bf16 too. */
static int recover_zero(uint8_t *ret_z, float scale, float zs)
{
    const float z = scale != 0 ? -zs / scale : 0;
    const float whole = rintf(z);

    if (!(whole >= 0 && whole <= 15) || fabsf(z - whole) > 0.1f || (scale == 0 && zs != 0))
        return ZC_EFORMAT;
    *ret_z = (uint8_t)whole;
    return ZC_OK;
}

static int decode_awq_fast(struct decode *d)
{
    void **zeros = &d->out->mem[MEM_ZEROS], *raw = NULL;
    const enum zk_type type = d->l->desc.type;
    int r;

    if ((r = read_fast_codes(d)) < 0 || (r = read_transposed_scales(d)) < 0)
        return r;
    if (!d->l->zero)
        return ZC_OK;
    if ((r = alloc(zeros, d, d->n, d->groups)) < 0 ||
        (r = zw_read_all(d->rd, d->l->zero, &raw, d->dg)) < 0)
        return r;
    for (size_t n = 0; n < d->n && r >= 0; n++)
        for (size_t g = 0; g < d->groups && r >= 0; g++) {
            const size_t i = n * d->groups + g;
            const float s = to_float(d->out->c.scale, type, i);
            const float zs = to_float(raw, type, g * d->n + n);
            if ((r = recover_zero((uint8_t *)*zeros + i, s, zs)) < 0)
                zc_diag(d->dg, r, "tensor %s, row %zu, column %zu: %g is no multiple of scale %g",
                        d->l->zero->name, g, n, (double)zs, (double)s);
        }
    zc_free(raw);
    d->out->c.zero = *zeros;
    return r;
}

/* ---- fp8: codes as they are, a scale for each row and group ------------------------------- */

static int decode_fp8(struct decode *d)
{
    const struct zw_linear *l = d->l;
    const size_t rows = (size_t)l->block_rows;
    const enum zk_type type = l->scale->dtype == ZW_F32   ? ZK_F32
                              : l->scale->dtype == ZW_F16 ? ZK_F16
                                                          : ZK_BF16;
    void **scales = &d->out->mem[MEM_SCALES], *raw = NULL;
    int r;

    if ((r = read_natural(d)) < 0 || (r = alloc(scales, d, d->n * d->groups, sizeof(float))) < 0 ||
        (r = zw_read_all(d->rd, l->scale, &raw, d->dg)) < 0)
        return r;
    for (size_t n = 0; n < d->n; n++)
        for (size_t g = 0; g < d->groups; g++)
            ((float *)*scales)[n * d->groups + g] = to_float(raw, type, n / rows * d->groups + g);
    zc_free(raw);
    d->out->c.scale = *scales;
    return ZC_OK;
}

/* ---- bitsandbytes: the high nibble first, scales in blocks of the flattened matrix --------- */

/* The scales of all blocks, the second level undone: in float, as the packer does it. */
static int read_absmax(struct decode *d, float *absmax, size_t blocks)
{
    const struct zw_linear *l = d->l;
    const size_t nested = (size_t)l->bnb.nested_block;
    void *codes = NULL, *scale = NULL;
    float table[256];
    int r;

    if (nested == 0)
        return zw_read_range(d->rd, l->scale, 0, absmax, blocks * sizeof *absmax, d->dg);
    if ((r = zw_read_all(d->rd, l->scale, &codes, d->dg)) < 0 ||
        (r = zw_read_all(d->rd, l->nested_scale, &scale, d->dg)) < 0 ||
        (r = zw_read_range(d->rd, l->nested_table, 0, table, sizeof table, d->dg)) < 0)
        goto out;
    for (size_t i = 0; i < blocks; i++) {
        absmax[i] = table[((uint8_t *)codes)[i]] * ((float *)scale)[i / nested];
        absmax[i] += l->bnb.nested_offset;
    }
out:
    zc_free(codes);
    zc_free(scale);
    return r;
}

static int read_bnb_scales(struct decode *d)
{
    const size_t block = (size_t)d->l->bnb.block, group = (size_t)d->l->desc.group;
    const size_t blocks = (d->n * d->k + block - 1) / block;
    void **scales = &d->out->mem[MEM_SCALES], *absmax = NULL;
    int r;

    if ((r = alloc(scales, d, d->n * d->groups, sizeof(float))) < 0 ||
        (r = alloc(&absmax, d, blocks, sizeof(float))) < 0)
        return r;
    r = read_absmax(d, absmax, blocks);
    /* groups divide rows, so they follow each other as the weights do */
    for (size_t i = 0; i < d->n * d->groups && r == ZC_OK; i++)
        ((float *)*scales)[i] = ((float *)absmax)[i * group / block];
    zc_free(absmax);
    d->out->c.scale = *scales;
    return r;
}

static int decode_bnb(struct decode *d)
{
    struct zw_tensor bytes = *d->l->weight;
    void **q = &d->out->mem[MEM_WEIGHTS];
    int r;

    bytes.dtype = ZW_U8; /* whatever it is said to be */
    if ((r = alloc(q, d, d->n, d->row_bytes)) < 0 ||
        (r = zw_read_range(d->rd, &bytes, 0, *q, bytes.bytes, d->dg)) < 0)
        return r;
    for (size_t i = 0; i < d->n * d->row_bytes; i++) {
        const unsigned b = ((uint8_t *)*q)[i];
        ((uint8_t *)*q)[i] = (uint8_t)(b >> 4 | b << 4);
    }
    d->out->c.q = *q;
    d->out->c.table = d->l->table;
    return read_bnb_scales(d);
}

/* ---------------------------------------------------------------------------------------- */

static int decode_plain(struct decode *d)
{
    int r = zw_read_all(d->rd, d->l->weight, &d->out->mem[MEM_WEIGHTS], d->dg);

    d->out->c.w = d->out->mem[MEM_WEIGHTS];
    return r;
}

static struct decode begin(struct zw_canon *out, const struct zw_reader *rd,
                           const struct zw_linear *l, struct zc_diag *dg)
{
    const struct zk_mat_desc *m = &l->desc;
    struct decode d = {.out = out, .rd = rd, .l = l, .dg = dg};

    d.n = (size_t)m->n;
    d.k = (size_t)m->k;
    d.groups = m->group ? (d.k + (size_t)m->group - 1) / (size_t)m->group : 0;
    d.row_bytes = m->form == ZK_W4A || m->form == ZK_W4L ? (d.k + 1) / 2 : d.k;
    memset(out, 0, sizeof *out);
    out->c = (struct zk_canon){
        .form = m->form, .n = m->n, .k = m->k, .group = m->group, .type = m->type};
    return d;
}

int zw_decode_linear(struct zw_canon *ret_c, const struct zw_reader *rd, const struct zw_linear *l,
                     struct zc_diag *dg)
{
    static int (*const decoders[ZW_N_LAYOUTS])(struct decode *) = {
        [ZW_PLAIN] = decode_plain,
        [ZW_CT_PACKED] = decode_ct,
        [ZW_AWQ_GEMM] = decode_awq_gemm,
        [ZW_AWQ_GEMV] = decode_awq_gemv,
        [ZW_AWQ_GEMV_FAST] = decode_awq_fast,
        [ZW_BNB] = decode_bnb,
        [ZW_FP8] = decode_fp8,
    };
    struct zw_canon out;
    struct decode d = begin(&out, rd, l, dg);
    int r = decoders[l->layout](&d);

    if (r < 0)
        zw_canon_release(&out);
    else
        *ret_c = out;
    return r;
}

int zw_decode_w8a(struct zw_canon *ret_c, const struct zw_reader *rd, const struct zw_linear *l,
                  struct zc_diag *dg)
{
    struct zw_canon c;
    struct decode d = begin(&c, rd, l, dg);
    const size_t row = d.k * type_size(l->desc.type), step = rows_per_piece(row, 1);
    void *buf = NULL;
    struct zk_mat_desc m;
    int r;

    ZC_BUG_ON(l->layout != ZW_PLAIN);
    zw_quantize_desc(&m, l->desc.n, l->desc.k);
    d.groups = (d.k + (size_t)m.group - 1) / (size_t)m.group;
    c.c = (struct zk_canon){.form = m.form, .n = m.n, .k = m.k, .group = m.group, .type = m.type};
    if ((r = alloc(&c.mem[MEM_WEIGHTS], &d, d.n, d.k)) < 0 ||
        (r = alloc(&c.mem[MEM_SCALES], &d, d.n * d.groups, sizeof(uint16_t))) < 0 ||
        (r = alloc(&buf, &d, min_size(step, d.n), row)) < 0)
        goto out;
    c.c.q = c.mem[MEM_WEIGHTS];
    c.c.scale = c.mem[MEM_SCALES];
    for (size_t n0 = 0; n0 < d.n && r >= 0; n0 += step) {
        const size_t rows = min_size(step, d.n - n0);
        if ((r = zw_read_range(rd, l->weight, n0 * row, buf, rows * row, dg)) < 0)
            break;
        r = zw_quantize_rows((uint8_t *)c.mem[MEM_WEIGHTS] + n0 * d.k,
                             (uint16_t *)c.mem[MEM_SCALES] + n0 * d.groups, buf, l->desc.type,
                             (int)rows, m.k, dg);
        if (r < 0)
            zc_diag_prefix(dg, r, "tensor %s, from row %zu", l->weight->name, n0);
    }
out:
    zc_free(buf);
    if (r < 0)
        zw_canon_release(&c);
    else
        *ret_c = c;
    return r;
}

int zw_decode_fill_zero(struct zw_canon *c, struct zc_diag *dg)
{
    const size_t groups = ((size_t)c->c.k + (size_t)c->c.group - 1) / (size_t)c->c.group;
    int r;

    ZC_BUG_ON(c->c.zero);
    if ((r = zc_try_malloc(&c->mem[MEM_ZEROS], (size_t)c->c.n, groups, SIZE_MAX)) < 0)
        return zc_diag(dg, r, "no memory for %d x %zu zero points", c->c.n, groups);
    memset(c->mem[MEM_ZEROS], c->c.form == ZK_W4A ? 8 : 128, (size_t)c->c.n * groups);
    c->c.zero = c->mem[MEM_ZEROS];
    return ZC_OK;
}

uint64_t zw_decode_staging(const struct zw_linear *l)
{
    /* The file's bytes and the canonical ones are about as many; a piece that is being decoded. */
    const uint64_t piece = l->file_bytes < ZW_READ_PIECE ? l->file_bytes : ZW_READ_PIECE;
    uint64_t scales = 0;

    if (l->layout == ZW_BNB || l->layout == ZW_FP8) /* more scales than the file has, as floats */
        scales = (uint64_t)l->desc.n *
                 (((uint64_t)l->desc.k + (uint64_t)l->desc.group - 1) / (uint64_t)l->desc.group) *
                 2 * sizeof(float);
    return l->file_bytes + l->file_bytes / 8 + scales + 2 * piece;
}
