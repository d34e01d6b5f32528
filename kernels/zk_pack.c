/* SPDX-License-Identifier: MIT */
/* From canonical matrices to the packed layout of the CPU variants and back. Packing is exact:
 * codes, zeros and scales are moved, never computed with. */
#include "kernels/zk_pack.h"

#include <math.h>
#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"

static size_t round_up(size_t v, size_t to)
{
    return (v + to - 1) / to * to;
}

bool zk_form_is_affine(enum zk_form form)
{
    return form == ZK_W4A || form == ZK_W8A;
}

bool zk_form_is_coded(enum zk_form form)
{
    return zk_form_is_affine(form) || form == ZK_W4L || form == ZK_W8F;
}

/* Two codes in a byte. */
static bool is_4bit(enum zk_form form)
{
    return form == ZK_W4A || form == ZK_W4L;
}

enum zk_type zk_scale_type(const struct zk_mat_desc *d)
{
    return d->form == ZK_W4L || d->form == ZK_W8F ? ZK_F32 : d->type;
}

size_t zk_type_size(enum zk_type type)
{
    return type == ZK_F32 ? 4 : 2;
}

float zk_load(const void *p, enum zk_type type, size_t i)
{
    if (type == ZK_F32)
        return ((const float *)p)[i];
    uint16_t h = ((const uint16_t *)p)[i];
    return type == ZK_F16 ? zk_f16_to_f32(h) : zk_bf16_to_f32(h);
}

static int desc_check(const struct zk_mat_desc *d, struct zc_diag *dg)
{
    if (d->n < 1 || d->k < 1 || d->n > ZK_MAX_DIM || d->k > ZK_MAX_DIM)
        return zc_diag(dg, ZC_EINVAL, "matrix of %d x %d: each side must be 1 to %d", d->n, d->k,
                       ZK_MAX_DIM);
    if (zk_form_is_coded(d->form) &&
        (d->group < 1 || (d->group < d->k && d->group % ZK_ACT_BLOCK != 0)))
        return zc_diag(dg, ZC_EINVAL, "group of %d columns: must be a multiple of %d", d->group,
                       ZK_ACT_BLOCK);
    if ((d->form == ZK_W16 && d->type == ZK_F32) || (d->form == ZK_W32 && d->type != ZK_F32))
        return zc_diag(dg, ZC_EINVAL, "matrix form and element type disagree");
    if (d->has_zero && !zk_form_is_affine(d->form))
        return zc_diag(dg, ZC_EINVAL, "zero points of a matrix whose form has none");
    if (d->join == ZK_JOIN_PAIRS && d->n % 2 != 0)
        return zc_diag(dg, ZC_EINVAL, "paired matrices with an odd number of rows, %d", d->n);
    return ZC_OK;
}

/* Offsets inside a panel: it is read from its beginning to its end. */
static void coded_offsets(struct zk_layout *lo, const struct zk_mat_desc *d, size_t codes)
{
    lo->group = d->group < d->k ? d->group : lo->kp;
    lo->groups = (lo->kp + lo->group - 1) / lo->group;
    lo->scale_size = (int)zk_type_size(zk_scale_type(d));
    size_t end = (size_t)lo->groups * ZK_TILE * (size_t)lo->scale_size;
    if (d->has_zero) {
        lo->zeros = end;
        end += (size_t)lo->groups * (d->form == ZK_W4A ? ZK_TILE / 2 : ZK_TILE);
    }
    lo->codes = round_up(end, 64);
    lo->panel = lo->codes + codes;
}

int zk_layout_init(struct zk_layout *lo, const struct zk_mat_desc *d, struct zc_diag *dg)
{
    int r = desc_check(d, dg);
    if (r < 0)
        return r;
    *lo = (struct zk_layout){.kp = (int)round_up((size_t)d->k, ZK_ACT_BLOCK)};
    size_t kp = (size_t)lo->kp, k = (size_t)d->k;
    if (d->join == ZK_JOIN_PAIRS)
        lo->tiles = 2 * ((d->n / 2 + ZK_TILE - 1) / ZK_TILE);
    else
        lo->tiles = (d->n + ZK_TILE - 1) / ZK_TILE;
    if (zk_form_is_coded(d->form))
        coded_offsets(lo, d, kp * (is_4bit(d->form) ? ZK_TILE / 2 : ZK_TILE));
    else
        lo->panel = round_up(k * ZK_TILE * zk_type_size(d->type), 64);
    lo->bytes = lo->panel * (size_t)lo->tiles;
    if (d->form == ZK_W4L) {
        lo->table = lo->bytes;
        lo->bytes += sizeof(struct zk_table);
    }
    if (d->has_perm) {
        lo->perm = lo->bytes;
        lo->bytes += round_up(k * sizeof(int32_t), 64);
    }
    return ZC_OK;
}

/* ---- checks ------------------------------------------------------------------------------ */

static int perm_check(const int32_t *perm, int k, struct zc_diag *dg)
{
    void *p;
    int r = zc_try_calloc(&p, (size_t)k, 1, ZK_MAX_DIM);
    if (r < 0)
        return zc_diag(dg, r, "no memory to check an activation order of %d", k);
    unsigned char *seen = p;
    for (int j = 0; j < k && r == ZC_OK; j++) {
        if (perm[j] < 0 || perm[j] >= k || seen[perm[j]])
            r = zc_diag(dg, ZC_EINVAL, "activation order: entry %d is %d, out of range or twice", j,
                        (int)perm[j]);
        else
            seen[perm[j]] = 1;
    }
    zc_free(p);
    return r;
}

static int zeros_check(const struct zk_canon *c, struct zc_diag *dg)
{
    if (c->form != ZK_W4A || c->zero == NULL)
        return ZC_OK;
    int groups = c->group < c->k ? (c->k + c->group - 1) / c->group : 1;
    size_t n = (size_t)c->n * (size_t)groups;
    for (size_t i = 0; i < n; i++)
        if (c->zero[i] > 15)
            return zc_diag(dg, ZC_EINVAL, "4-bit zero point %d of row %zu is over 15", c->zero[i],
                           i / (size_t)groups);
    return ZC_OK;
}

static int table_check(const float *table, struct zc_diag *dg)
{
    if (table == NULL)
        return zc_diag(dg, ZC_EINVAL, "a matrix of codes has no table");
    for (int i = 0; i < 16; i++)
        if (!(fabsf(table[i]) <= 65504.0f))
            return zc_diag(dg, ZC_EINVAL, "number %d of a table of codes is %g", i,
                           (double)table[i]);
    return ZC_OK;
}

static int f8_check(const struct zk_canon *c, struct zc_diag *dg)
{
    const size_t k = (size_t)c->k, n = (size_t)c->n * k;
    for (size_t i = 0; i < n; i++)
        if ((c->q[i] & 0x7f) == 0x7f)
            return zc_diag(dg, ZC_EINVAL, "weight (%zu, %zu) is not a number", i / k, i % k);
    return ZC_OK;
}

/* What a part says in numbers, by itself. */
static int content_check(const struct zk_canon *c, struct zc_diag *dg)
{
    if (c->form == ZK_W4L)
        return table_check(c->table, dg);
    return c->form == ZK_W8F ? f8_check(c, dg) : zeros_check(c, dg);
}

int zk_parts_check(const struct zk_mat_desc *d, const struct zk_canon *parts, int n_parts,
                   struct zc_diag *dg)
{
    int n = 0, r;

    if (n_parts < 1 || (d->join == ZK_JOIN_PAIRS && n_parts != 2))
        return zc_diag(dg, ZC_EINVAL, "%d parts for a joined matrix", n_parts);
    for (int p = 0; p < n_parts; p++) {
        const struct zk_canon *c = &parts[p];
        if (c->form != d->form || c->k != d->k || c->type != d->type ||
            (zk_form_is_coded(d->form) && c->group != d->group) ||
            (c->zero != NULL && !d->has_zero) || (c->perm != NULL) != d->has_perm || c->n < 1 ||
            c->n > d->n - n)
            return zc_diag(dg, ZC_EINVAL, "part %d does not fit the matrix it is joined to", p);
        if (d->join == ZK_JOIN_PAIRS && c->n != d->n / 2)
            return zc_diag(dg, ZC_EINVAL, "paired matrices of %d and %d rows", c->n, d->n - c->n);
        if (d->has_perm && p == 0 && (r = perm_check(c->perm, d->k, dg)) < 0)
            return r;
        if (d->has_perm && p > 0 &&
            memcmp(c->perm, parts[0].perm, (size_t)d->k * sizeof c->perm[0]) != 0)
            return zc_diag(dg, ZC_EINVAL, "joined parts have different activation orders");
        if ((r = content_check(c, dg)) < 0)
            return r;
        if (d->form == ZK_W4L && memcmp(c->table, parts[0].table, 16 * sizeof(float)) != 0)
            return zc_diag(dg, ZC_EINVAL, "joined parts have different tables of codes");
        n += c->n;
    }
    if (n != d->n)
        return zc_diag(dg, ZC_EINVAL, "parts have %d rows, the matrix %d", n, d->n);
    return ZC_OK;
}

const struct zk_canon *zk_parts_row(const struct zk_canon *parts, int row, int *ret_i)
{
    while (row >= parts->n)
        row -= parts++->n;
    *ret_i = row;
    return parts;
}

float zk_canon_at(const struct zk_canon *c, int i, int j)
{
    size_t at = (size_t)i * (size_t)c->k + (size_t)j;
    if (!zk_form_is_coded(c->form))
        return zk_load(c->w, c->type, at);
    int groups = c->group < c->k ? (c->k + c->group - 1) / c->group : 1;
    size_t g = (size_t)i * (size_t)groups + (size_t)(groups > 1 ? j / c->group : 0);
    if (c->form == ZK_W8F)
        return zk_f8_to_f32(c->q[at]) * ((const float *)c->scale)[g];
    int q = c->q[c->form == ZK_W8A ? at : (size_t)i * (size_t)((c->k + 1) / 2) + (size_t)j / 2];
    if (c->form != ZK_W8A)
        q = j % 2 ? q >> 4 : q & 15;
    if (c->form == ZK_W4L)
        return c->table[q] * ((const float *)c->scale)[g];
    int zero = c->zero ? c->zero[g] : c->form == ZK_W4A ? 8 : 128;
    return (float)(q - zero) * zk_load(c->scale, c->type, g);
}

/* ---- packing ----------------------------------------------------------------------------- */

/* Four codes of two bytes, low nibble first, to four bytes. */
static uint32_t spread(const uint8_t *s)
{
    uint32_t x = (uint32_t)s[0] | (uint32_t)s[1] << 8;
    return (x & 0xf) | (x & 0xf0) << 4 | (x & 0xf00) << 8 | (x & 0xf000) << 12;
}

static void pack_row_w4(uint8_t *codes, const struct zk_canon *c, int i, int lane, int kp)
{
    const uint8_t *src = c->q + (size_t)i * (size_t)((c->k + 1) / 2);
    for (int k0 = 0; k0 < kp; k0 += 32) {
        uint8_t tail[16] = {0};
        const uint8_t *s = src + k0 / 2;
        if (k0 + 32 > c->k) {
            memcpy(tail, s, (size_t)((c->k - k0 + 1) / 2));
            if (c->k % 2)
                tail[(c->k - k0) / 2] &= 15;
            s = tail;
        }
        for (int q = 0; q < 4; q++) {
            uint32_t w = spread(s + 2 * q) | spread(s + 2 * q + 8) << 4;
            memcpy(codes + (size_t)k0 * 8 + (size_t)q * 64 + (size_t)lane * 4, &w, 4);
        }
    }
}

static void pack_row_w8(uint8_t *codes, const struct zk_canon *c, int i, int lane)
{
    const uint8_t *src = c->q + (size_t)i * (size_t)c->k;
    size_t k = (size_t)c->k, whole = k / 4 * 4;
    uint8_t *dst = codes + (size_t)lane * 4;
    for (size_t j = 0; j < whole; j += 4)
        memcpy(dst + j * ZK_TILE, src + j, 4);
    memcpy(dst + whole * ZK_TILE, src + whole, k - whole);
}

static void pack_row_f8(uint8_t *codes, const struct zk_canon *c, int i, int lane)
{
    const uint8_t *src = c->q + (size_t)i * (size_t)c->k;
    for (size_t j = 0; j < (size_t)c->k; j++)
        codes[j * ZK_TILE + (size_t)lane] = src[j];
}

static void pack_row_plain(uint8_t *panel, const struct zk_canon *c, int i, int lane)
{
    size_t k = (size_t)c->k, row = (size_t)i * k;
    if (c->type == ZK_F32) {
        const float *src = (const float *)c->w + row;
        float *dst = (float *)(void *)panel + lane;
        for (size_t j = 0; j < k; j++)
            dst[j * ZK_TILE] = src[j];
    } else {
        const uint16_t *src = (const uint16_t *)c->w + row;
        uint16_t *dst = (uint16_t *)(void *)panel + lane;
        for (size_t j = 0; j < k; j++)
            dst[j * ZK_TILE] = src[j];
    }
}

static void pack_scales(uint8_t *panel, const struct zk_layout *lo, const struct zk_canon *c, int i,
                        int lane)
{
    size_t size = (size_t)lo->scale_size, row = (size_t)i * (size_t)lo->groups;
    for (size_t g = 0; g < (size_t)lo->groups; g++) {
        memcpy(panel + (g * ZK_TILE + (size_t)lane) * size,
               (const uint8_t *)c->scale + (row + g) * size, size);
        if (lo->zeros == 0)
            continue;
        uint8_t zero = c->zero ? c->zero[row + g] : c->form == ZK_W4A ? 8 : 128;
        if (c->form == ZK_W8A)
            panel[lo->zeros + g * ZK_TILE + (size_t)lane] = zero;
        else
            panel[lo->zeros + g * 8 + (size_t)(lane & 7)] |= (uint8_t)(zero << (lane & 8 ? 4 : 0));
    }
}

static void pack_row(uint8_t *panel, const struct zk_layout *lo, const struct zk_canon *c, int i,
                     int lane)
{
    if (is_4bit(c->form))
        pack_row_w4(panel + lo->codes, c, i, lane, lo->kp);
    else if (c->form == ZK_W8A)
        pack_row_w8(panel + lo->codes, c, i, lane);
    else if (c->form == ZK_W8F)
        pack_row_f8(panel + lo->codes, c, i, lane);
    else
        pack_row_plain(panel, c, i, lane);
    if (zk_form_is_coded(c->form))
        pack_scales(panel, lo, c, i, lane);
}

static void pack_table(struct zk_table *t, const float *table)
{
    memcpy(t->value, table, sizeof t->value);
    t->unit = zk_table_to_q8(t->code, table);
}

/* Where a row of the joined matrix lies: its panel, and its lane there. */
static uint8_t *row_panel(const struct zk_mat *m, const struct zk_layout *lo, int row,
                          int *ret_lane)
{
    int half = m->d.n / 2, tile;
    if (m->d.join != ZK_JOIN_PAIRS)
        tile = row / ZK_TILE, *ret_lane = row % ZK_TILE;
    else
        tile = row % half / ZK_TILE * 2 + row / half, *ret_lane = row % half % ZK_TILE;
    return (uint8_t *)m->data + (size_t)tile * lo->panel;
}

int zk_pack(struct zk_mat *m, const struct zk_canon *parts, int n_parts, struct zc_diag *dg)
{
    struct zk_layout lo;
    int r;

    if ((r = zk_layout_init(&lo, &m->d, dg)) < 0)
        return r;
    if ((r = zk_parts_check(&m->d, parts, n_parts, dg)) < 0)
        return r;
    if (m->data == NULL || m->bytes < lo.bytes)
        return zc_diag(dg, ZC_EINVAL, "packed matrix has room for %zu bytes and needs %zu",
                       m->bytes, lo.bytes);
    memset(m->data, 0, lo.bytes);
    for (int row = 0; row < m->d.n; row++) {
        int i, lane;
        const struct zk_canon *c = zk_parts_row(parts, row, &i);
        uint8_t *panel = row_panel(m, &lo, row, &lane);
        pack_row(panel, &lo, c, i, lane);
    }
    if (m->d.form == ZK_W4L)
        pack_table((struct zk_table *)(void *)((uint8_t *)m->data + lo.table), parts[0].table);
    m->perm = NULL;
    if (m->d.has_perm) {
        m->perm = (int32_t *)((uint8_t *)m->data + lo.perm);
        memcpy(m->perm, parts[0].perm, (size_t)m->d.k * sizeof m->perm[0]);
    }
    return ZC_OK;
}

/* ---- and back ---------------------------------------------------------------------------- */

static int code_at(const struct zk_mat *m, const uint8_t *codes, int lane, int j)
{
    if (m->d.form == ZK_W8A)
        return codes[(size_t)(j / 4) * 64 + (size_t)lane * 4 + (size_t)(j % 4)];
    if (m->d.form == ZK_W8F)
        return codes[(size_t)j * ZK_TILE + (size_t)lane];
    int q = j % 32 / 4;
    uint8_t b =
        codes[(size_t)(j / 32) * 256 + (size_t)(q % 4) * 64 + (size_t)lane * 4 + (size_t)(j % 4)];
    return q < 4 ? b & 15 : b >> 4;
}

static int zero_at(const struct zk_mat *m, const struct zk_layout *lo, const uint8_t *panel,
                   int lane, int g)
{
    if (lo->zeros == 0)
        return m->d.form == ZK_W4A ? 8 : 128;
    if (m->d.form == ZK_W8A)
        return panel[lo->zeros + (size_t)g * ZK_TILE + (size_t)lane];
    return panel[lo->zeros + (size_t)g * 8 + (size_t)(lane & 7)] >> (lane & 8 ? 4 : 0) & 15;
}

static float coded_at(const struct zk_mat *m, const struct zk_layout *lo, const uint8_t *panel,
                      int lane, int j)
{
    const int g = j / lo->group, q = code_at(m, panel + lo->codes, lane, j);
    const float s = zk_load(panel, zk_scale_type(&m->d), (size_t)(g * ZK_TILE + lane));
    if (m->d.form == ZK_W8F)
        return zk_f8_to_f32((uint8_t)q) * s;
    if (m->d.form == ZK_W4L)
        return ((const struct zk_table *)(const void *)((uint8_t *)m->data + lo->table))->value[q] *
               s;
    return (float)(q - zero_at(m, lo, panel, lane, g)) * s;
}

int zk_unpack_row(const struct zk_mat *m, int row, float *w)
{
    struct zk_layout lo;
    int lane, r;

    if ((r = zk_layout_init(&lo, &m->d, NULL)) < 0)
        return r;
    if (row < 0 || row >= m->d.n)
        return ZC_EINVAL;
    const uint8_t *panel = row_panel(m, &lo, row, &lane);
    for (int j = 0; j < m->d.k; j++) {
        float v = zk_form_is_coded(m->d.form)
                      ? coded_at(m, &lo, panel, lane, j)
                      : zk_load(panel, m->d.type, (size_t)j * ZK_TILE + (size_t)lane);
        w[m->perm ? m->perm[j] : j] = v;
    }
    return ZC_OK;
}
