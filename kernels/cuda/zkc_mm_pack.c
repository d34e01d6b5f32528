/* SPDX-License-Identifier: MIT */
/* The layout of zkc_mm.h on the host, element by element: what the packing on the device is
 * compared with, and how a packed row is read back. Never optimised. */
#include "kernels/cuda/zkc_mm.h"

#include <string.h>

#include "common/zc_err.h"
#include "kernels/zk_pack.h"

static size_t round_up(size_t v, size_t to)
{
    return (v + to - 1) / to * to;
}

static int sets_of(const struct zk_mat_desc *d)
{
    if (d->form == ZK_W16)
        return 0;
    if (d->group >= d->k || d->group % 128 == 0)
        return 1;
    return d->group % 64 == 0 ? 2 : 4;
}

static bool is_two_in_a_byte(enum zk_form form)
{
    return form == ZK_W4A || form == ZK_W4L;
}

int zkc_mm_layout_init(struct zkc_mm_layout *ret_lo, const struct zk_mat_desc *d)
{
    const bool is_coded = zk_form_is_coded(d->form), is_4bit = is_two_in_a_byte(d->form);
    if (d->n < 1 || d->k < 1 || d->n > ZK_MAX_DIM || d->k > ZK_MAX_DIM)
        return ZC_EUNSUPPORTED;
    if (!is_coded && (d->form != ZK_W16 || d->type == ZK_F32))
        return ZC_EUNSUPPORTED;
    if (is_coded && (d->group < 1 || (d->group < d->k && d->group % 32 != 0)))
        return ZC_EUNSUPPORTED;
    struct zkc_mm_layout lo = {
        .form = d->form,
        .type = d->type,
        .n = d->n,
        .k = d->k,
        .pairs = d->join == ZK_JOIN_PAIRS,
        .has_zero = zk_form_is_affine(d->form) && d->has_zero,
        .panel = is_4bit    ? 64
                 : is_coded ? 32
                            : 16,
        .blocks = (d->k + ZKC_MM_K - 1) / ZKC_MM_K,
        .sets = sets_of(d),
        .scale_size = is_coded ? (int)zk_type_size(zk_scale_type(d)) : 0,
    };
    int rows = lo.pairs ? (d->n / 2 + 7) / 8 * 16 : d->n;
    lo.panels = (rows + lo.panel - 1) / lo.panel;
    lo.zero_off = lo.sets * lo.panel * lo.scale_size;
    int zeros = lo.has_zero ? lo.sets * lo.panel * (d->form == ZK_W4A ? 1 : 2) / 2 : 0;
    lo.meta = lo.zero_off + zeros;
    lo.panel_bytes =
        (size_t)lo.blocks * ZKC_MM_CODES + round_up((size_t)lo.blocks * (size_t)lo.meta, 128);
    lo.table = (size_t)lo.panels * lo.panel_bytes;
    lo.bytes = lo.table + (d->form == ZK_W4L ? ZKC_MM_TABLE : 0);
    *ret_lo = lo;
    return ZC_OK;
}

int zkc_mm_row(const struct zkc_mm_layout *lo, int i)
{
    if (!lo->pairs)
        return i;
    int second = i >= lo->n / 2, j = second ? i - lo->n / 2 : i;
    return j / 8 * 16 + second * 8 + j % 8;
}

/* ---- where things are -------------------------------------------------------------------- */

/* An element's place in a panel: the byte its code starts in, and the shift there. */
struct place {
    size_t byte;
    int shift;
};

/* Row within the panel and column of the matrix to the place of the code. */
static struct place code_place(const struct zkc_mm_layout *lo, int row, int col)
{
    int i = row / 16, g = row % 8, c = col % ZKC_MM_K;
    int u = c / 32, q = c / 8 % 4, s = 2 * u + c / 4 % 2, h = c % 2;
    int r = row / 8 % 2 + 2 * (c / 2 % 2);
    size_t block = (size_t)(col / ZKC_MM_K) * ZKC_MM_CODES, lane = (size_t)(4 * g + q) * 16;
    switch (lo->form) {
    case ZK_W4A:
        block += (size_t)(i * 2 + s / 4) * 512 + lane + (size_t)(s % 4) * 4;
        return (struct place){block + (size_t)(r + 4 * h) / 2, (r + 4 * h) % 2 * 4};
    case ZK_W4L:
        block += (size_t)(i * 2 + s / 4) * 512 + lane + (size_t)(s % 4) * 4;
        return (struct place){block + (size_t)r, h * 4};
    case ZK_W8A:
    case ZK_W8F:
        block += (size_t)(i * 4 + s / 2) * 512 + lane + (size_t)(2 * (s % 2) + (r >> 1)) * 4;
        return (struct place){block + (size_t)((r & 1) + 2 * h), 0};
    default:
        block += (size_t)(i * 8 + s) * 512 + lane;
        return (struct place){block + (size_t)(r * 4 + h * 2), 0};
    }
}

/* The number of a row's scale among those of a set. */
static int scale_index(const struct zkc_mm_layout *lo, int row)
{
    return 2 * (row % 8 * (lo->panel / 16) + row / 16) + row / 8 % 2;
}

static size_t scale_place(const struct zkc_mm_layout *lo, int row, int block, int set)
{
    return (size_t)lo->blocks * ZKC_MM_CODES + (size_t)block * (size_t)lo->meta +
           (size_t)(set * lo->panel + scale_index(lo, row)) * (size_t)lo->scale_size;
}

static struct place zero_place(const struct zkc_mm_layout *lo, int row, int block, int set)
{
    int index = set * lo->panel + scale_index(lo, row);
    size_t base =
        (size_t)lo->blocks * ZKC_MM_CODES + (size_t)block * (size_t)lo->meta + (size_t)lo->zero_off;
    if (lo->form == ZK_W8A)
        return (struct place){base + (size_t)index, 0};
    return (struct place){base + (size_t)index / 2, index % 2 * 4};
}

/* ---- there and back ---------------------------------------------------------------------- */

static void put_codes(const struct zkc_mm_layout *lo, const struct zk_canon *c, int i,
                      uint8_t *panel, int row)
{
    for (int j = 0; j < lo->k; j++) {
        struct place p = code_place(lo, row, j);
        size_t at = (size_t)i * (size_t)lo->k + (size_t)j;
        if (lo->form == ZK_W16) {
            memcpy(panel + p.byte, (const uint8_t *)c->w + 2 * at, 2);
        } else if (!is_two_in_a_byte(lo->form)) {
            panel[p.byte] = c->q[at];
        } else {
            size_t line = (size_t)i * (size_t)((lo->k + 1) / 2);
            int code = c->q[line + (size_t)j / 2] >> (j % 2 * 4) & 15;
            panel[p.byte] |= (uint8_t)(code << p.shift);
        }
    }
}

static void put_meta(const struct zkc_mm_layout *lo, const struct zk_canon *c, int i,
                     uint8_t *panel, int row)
{
    int groups = c->group < c->k ? (c->k + c->group - 1) / c->group : 1;
    size_t size = (size_t)lo->scale_size;
    for (int b = 0; b < lo->blocks; b++)
        for (int s = 0; s < lo->sets; s++) {
            int col = b * ZKC_MM_K + s * (ZKC_MM_K / lo->sets);
            if (col >= lo->k)
                continue;
            size_t g = (size_t)i * (size_t)groups + (size_t)(groups > 1 ? col / c->group : 0);
            memcpy(panel + scale_place(lo, row, b, s), (const uint8_t *)c->scale + g * size, size);
            if (!lo->has_zero)
                continue;
            int zero = c->zero ? c->zero[g] : lo->form == ZK_W4A ? 8 : 128;
            struct place p = zero_place(lo, row, b, s);
            panel[p.byte] |= (uint8_t)(zero << p.shift);
        }
}

void zkc_mm_pack(const struct zkc_mm_layout *lo, const struct zk_canon *parts, uint8_t *dst)
{
    memset(dst, 0, lo->bytes);
    for (int i = 0; i < lo->n; i++) {
        int in_part, row = zkc_mm_row(lo, i);
        const struct zk_canon *c = zk_parts_row(parts, i, &in_part);
        uint8_t *panel = dst + (size_t)(row / lo->panel) * lo->panel_bytes;
        put_codes(lo, c, in_part, panel, row % lo->panel);
        if (lo->sets > 0)
            put_meta(lo, c, in_part, panel, row % lo->panel);
    }
    if (lo->form == ZK_W4L)
        zkc_mm_pack_table(lo, parts->table, dst + lo->table);
}

void zkc_mm_pack_table(const struct zkc_mm_layout *lo, const float *table, uint8_t *dst)
{
    memcpy(dst, table, 16 * sizeof *table);
    for (int i = 0; i < 16; i++) {
        const uint16_t h = lo->type == ZK_F16 ? zk_f32_to_f16(table[i]) : zk_f32_to_bf16(table[i]);
        dst[64 + i] = (uint8_t)h;
        dst[80 + i] = (uint8_t)(h >> 8);
    }
}

/* The number that a code stands for, without its scale. */
static float number(const struct zkc_mm_layout *lo, const uint8_t *panel, const float *table,
                    int code, struct place zero)
{
    if (lo->form == ZK_W4L)
        return table[code & 15];
    if (lo->form == ZK_W8F)
        return zk_f8_to_f32((uint8_t)code);
    const int mask = lo->form == ZK_W4A ? 15 : 255, middle = lo->form == ZK_W4A ? 8 : 128;
    return (float)((code & mask) - (lo->has_zero ? panel[zero.byte] >> zero.shift & mask : middle));
}

void zkc_mm_unpack_row(const struct zkc_mm_layout *lo, const uint8_t *panel, const float *table,
                       int i, float *w)
{
    const int row = zkc_mm_row(lo, i) % lo->panel;
    const enum zk_type scale = lo->scale_size == 4 ? ZK_F32 : lo->type;
    for (int j = 0; j < lo->k; j++) {
        struct place p = code_place(lo, row, j);
        if (lo->form == ZK_W16) {
            w[j] = zk_load(panel + p.byte, lo->type, 0);
            continue;
        }
        int b = j / ZKC_MM_K, s = j % ZKC_MM_K / (ZKC_MM_K / lo->sets);
        w[j] = number(lo, panel, table, panel[p.byte] >> p.shift, zero_place(lo, row, b, s)) *
               zk_load(panel + scale_place(lo, row, b, s), scale, 0);
    }
}
