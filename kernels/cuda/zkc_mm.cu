/* SPDX-License-Identifier: MIT */
/* Matrices for the tensor cores (zkc_mm.h) as a form of the back-end: packing from the host, and
 * which kernel multiplies. */
#include "kernels/cuda/zkc_mm_block.cuh"
#include "kernels/cuda/zkc_mm_call.cuh"
#include "kernels/cuda/zkc_mm_tune.h"

extern "C" {
#include "common/zc_mem.h"
}

/* From so many rows on, a unit's product goes to the kernel for many, and to cuBLAS (see there for
 * where the crossover should be): units are all of one length. Everything else takes the way of
 * decode, in turns if it is many, so that a row's bits do not depend on how many there are. */
#define TILE_FROM ZKC_TUNE_TILE_FROM
#define BLAS_FROM ZKC_TUNE_BLAS_FROM

static size_t round_up(size_t v, size_t to)
{
    return (v + to - 1) / to * to;
}

static size_t mm_bytes(const struct zk_mat_desc *desc)
{
    struct zkc_mm_layout lo;
    return zkc_mm_layout_init(&lo, desc) < 0 ? 0 : round_up(lo.bytes, 256);
}

/* ---- packing ----------------------------------------------------------------------------- */

namespace
{
/* The arrays of a part, and how many bytes of each make a row. */
struct source {
    const uint8_t *at[3]; /* codes or weights, scales, zeros; NULL: none */
    size_t row[3];
};

} /* namespace */

static struct source source_of(const struct zk_canon *c)
{
    const size_t k = (size_t)c->k;
    struct source s = {};
    if (c->form == ZK_W16) {
        s.at[0] = (const uint8_t *)c->w;
        s.row[0] = k * zk_type_size(c->type);
        return s;
    }
    const size_t groups = c->group < c->k ? (k + (size_t)c->group - 1) / (size_t)c->group : 1;
    s.at[0] = c->q;
    s.row[0] = c->form == ZK_W4A || c->form == ZK_W4L ? (k + 1) / 2 : k;
    s.at[1] = (const uint8_t *)c->scale;
    s.row[1] = groups * (zk_form_is_affine(c->form) ? zk_type_size(c->type) : sizeof(float));
    s.at[2] = c->zero;
    s.row[2] = c->zero ? groups : 0;
    return s;
}

/* Some rows of a part, from the host through a slot that holds them. */
static int pack_rows(struct zkc_dev *d, struct zk_mat *m, const struct zkc_mm_layout *lo,
                     const struct source *s, int from, struct zkc_mm_rows *rows, int group,
                     const struct zkc_slot *slot)
{
    const uint8_t *at[3] = {};
    size_t used = 0;
    for (int i = 0; i < 3; i++) {
        const size_t bytes = (size_t)rows->n * s->row[i];
        if (s->at[i] == NULL)
            continue;
        memcpy(slot->host + used, s->at[i] + (size_t)from * s->row[i], bytes);
        at[i] = slot->device + used;
        used += round_up(bytes, 256);
    }
    rows->codes = at[0];
    rows->scales = at[1];
    rows->zeros = at[2];
    int r = zkc_check(
        d, cudaMemcpyAsync(slot->device, slot->host, used, cudaMemcpyHostToDevice, d->stream));
    if (r == ZC_OK && rows->first == 0)
        r = zkc_check(d, cudaMemsetAsync(m->data, 0, lo->table, d->stream));
    return r < 0 ? r : zkc_mm_repack(d, lo, group, (uint8_t *)m->data, rows);
}

/* All rows of a part, which are rows first .. of the matrix. */
static int pack_part(struct zkc_dev *d, struct zk_mat *m, const struct zkc_mm_layout *lo,
                     const struct zk_canon *part, int first, struct zkc_slot **ret_last,
                     struct zc_diag *dg)
{
    const struct source s = source_of(part);
    int r = ZC_OK;
    for (int from = 0; from < part->n && r == ZC_OK;) {
        struct zkc_mm_rows rows = {};
        struct zkc_slot *slot;
        size_t bytes;
        if ((r = zkc_ring_take(d, &slot, &bytes, dg)) < 0)
            return r;
        const size_t fit = (bytes - 3 * 256) / (s.row[0] + s.row[1] + s.row[2]);
        const int most = fit < 65535 ? (int)fit : 65535;
        rows.first = first + from;
        rows.n = part->n - from < most ? part->n - from : most;
        r = most == 0 ? ZC_EINTERNAL : pack_rows(d, m, lo, &s, from, &rows, part->group, slot);
        const int given = zkc_ring_give(d, slot);
        r = r < 0 ? r : given;
        *ret_last = slot;
        from += rows.n;
    }
    return r;
}

static int mm_pack(struct zkc_dev *d, struct zk_mat *m, const struct zk_canon *parts, int n_parts,
                   struct zc_diag *dg)
{
    struct zkc_mm_layout lo;
    struct zkc_slot *last = NULL;
    int r = zkc_mm_layout_init(&lo, &m->d), first = 0;

    zkc_enter(d);
    for (int i = 0; i < n_parts && r == ZC_OK; i++) {
        r = pack_part(d, m, &lo, &parts[i], first, &last, dg);
        first += parts[i].n;
    }
    if (r == ZC_OK && lo.form == ZK_W4L) {
        uint8_t table[ZKC_MM_TABLE];
        zkc_mm_pack_table(&lo, parts[0].table, table);
        r = zkc_put(d, (uint8_t *)m->data + lo.table, table, sizeof table);
    }
    if (r == ZC_OK && last) /* products look at weights before the kernel before them has ended */
        r = zkc_check(d, cudaEventSynchronize(last->done));
    if (r == ZC_ENOMEM) /* the ring has said of what */
        return r;
    return r < 0 ? zc_diag(dg, r, "a matrix could not be copied to the device") : r;
}

static int mm_unpack_row(struct zkc_dev *d, const struct zk_mat *m, int row, float *w)
{
    struct zkc_mm_layout lo;
    void *panel;
    int r;

    if ((r = zkc_mm_layout_init(&lo, &m->d)) < 0 ||
        (r = zc_try_malloc(&panel, lo.panel_bytes, 1, SIZE_MAX)) < 0)
        return r;
    const size_t at = (size_t)(zkc_mm_row(&lo, row) / lo.panel) * lo.panel_bytes;
    float table[16];
    r = zkc_get(d, panel, (const uint8_t *)m->data + at, lo.panel_bytes);
    if (r == ZC_OK && lo.form == ZK_W4L)
        r = zkc_get(d, table, (const uint8_t *)m->data + lo.table, sizeof table);
    if (r == ZC_OK)
        zkc_mm_unpack_row(&lo, (const uint8_t *)panel, table, row, w);
    zc_free(panel);
    return r;
}

/* ---- calling ----------------------------------------------------------------------------- */

zkc_mm_args zkc_mm_args_of(const struct zkc_dev *d, const struct zkc_mm_call *c)
{
    const struct zkc_mm_layout *lo = c->lo;
    zkc_mm_args a = {};
    a.w = c->w;
    a.panel_bytes = lo->panel_bytes;
    a.panels = lo->panels;
    a.blocks = lo->blocks;
    a.n = lo->n;
    a.meta.bytes = lo->meta;
    a.meta.zero_off = lo->has_zero ? lo->zero_off : 0;
    a.table = c->w + lo->table;
    a.meta.is_wide = lo->scale_size == 4;
    a.meta.mask = lo->sets ? 4 / lo->sets - 1 : 3;
    a.x = c->x;
    a.ldx = zkc_kp(lo->k);
    a.rows = c->rows;
    a.bias = c->bias;
    a.y = c->y;
    a.ldy = c->ldy;
    a.add = c->add;
    a.act = c->act;
    a.lda = zkc_kp(lo->n / 2);
    a.act_kind = c->act_kind;
    a.inverse = c->inverse;
    a.status = d->status;
    return a;
}

int zkc_mm_decode(struct zkc_dev *d, const struct zkc_mm_call *c)
{
    switch (c->lo->form) {
    case ZK_W4A:
        return zkc_mm_decode_w4a(d, c);
    case ZK_W8A:
        return zkc_mm_decode_w8a(d, c);
    case ZK_W4L:
        return zkc_mm_decode_w4l(d, c);
    case ZK_W8F:
        return zkc_mm_decode_w8f(d, c);
    case ZK_W16:
        return zkc_mm_decode_w16(d, c);
    default:
        return ZC_EINTERNAL;
    }
}

size_t zkc_mm_work_bytes(int sms)
{
    return (size_t)sms * 512 * 1024;
}

/* ---- products ---------------------------------------------------------------------------- */

static int multiply(struct zkc_dev *d, struct zkc_mm_call *c, const struct zk_act *x,
                    const struct zk_mat *w)
{
    struct zkc_mm_layout lo;
    int r = zkc_mm_layout_init(&lo, &w->d);
    if (r < 0)
        return r;
    c->lo = &lo;
    c->w = (const uint8_t *)w->data;
    c->type = x->kind == ZK_ACT_F16 ? ZK_F16 : ZK_BF16;
    c->x = (const uint16_t *)x->data;
    c->rows = x->rows;
    if (d->is_unit && c->rows >= BLAS_FROM && (r = zkc_mm_blas(d, c)) != ZC_EUNSUPPORTED)
        return r;
    if (d->is_unit && c->rows >= TILE_FROM)
        return zkc_mm_tile(d, c);
    return zkc_mm_decode(d, c);
}

static int mm_matmul(struct zkc_dev *d, float *y, int ldy, const struct zk_act *x,
                     const struct zk_mat *w, const float *bias, int rows, bool add)
{
    struct zkc_mm_call c = {};
    c.y = y;
    c.ldy = ldy;
    c.bias = bias;
    c.add = add;
    return multiply(d, &c, x, w);
}

/* perm is of a matrix of ours: its inverse lies behind it (zkc_mat.cu). */
static int mm_swiglu(struct zkc_dev *d, struct zk_act *y, const struct zk_act *x,
                     const struct zk_mat *w, const float *bias, int rows, const int32_t *perm)
{
    struct zkc_mm_call c = {};
    c.act = y->data;
    c.act_kind = y->kind;
    c.inverse = perm ? perm + y->k : NULL;
    c.bias = bias;
    return multiply(d, &c, x, w);
}

const struct zkc_form zkc_mm = {mm_bytes, mm_pack, mm_unpack_row, mm_matmul, mm_swiglu};
