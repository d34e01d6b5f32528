/* SPDX-License-Identifier: MIT */
/* What every operation means: plain loops, double-precision sums, one thread. Never optimised.
 *
 * Its layouts are the plainest there are: a matrix is float [n][k] in the order of its rows (then
 * perm; a W4L one twice, as its product takes the table and as it is given), prepared activations
 * are double [rows][k], a page is float keys [K][16][D], then values, rounded as the type says. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "kernels/zk.h"
#include "kernels/zk_pack.h"

struct ref_dev {
    struct zk_dev dev;
    enum zk_ref_like like;
    int status; /* the first failure since the last sync */
    float row[ZK_MAX_DIM];
};

/* ---- sizes and matrices ------------------------------------------------------------------ */

static size_t ref_mat_bytes(const struct zk_dev *dev, const struct zk_mat_desc *d)
{
    struct zk_layout lo;
    if (zk_layout_init(&lo, d, NULL) < 0)
        return 0;
    size_t perm = d->has_perm ? (size_t)d->k * sizeof(int32_t) : 0,
           times = d->form == ZK_W4L ? 2 : 1;
    return times * (size_t)d->n * (size_t)d->k * sizeof(float) + perm;
}

static size_t ref_act_bytes(const struct zk_dev *dev, enum zk_act_kind kind, int rows, int k)
{
    return (size_t)rows * (size_t)k * sizeof(double);
}

static size_t ref_kv_page_bytes(const struct zk_dev *dev, enum zk_kv_type type, int kv_heads,
                                int head_dim)
{
    return 2 * (size_t)kv_heads * ZK_PAGE * (size_t)head_dim * sizeof(float);
}

static enum zk_act_kind ref_act_kind(const struct zk_dev *dev, const struct zk_mat_desc *d)
{
    enum zk_ref_like like = ((const struct ref_dev *)dev)->like;

    if (like == ZK_REF_HALF && d->form != ZK_W32)
        return d->type == ZK_F16 ? ZK_ACT_F16 : d->type == ZK_BF16 ? ZK_ACT_BF16 : ZK_ACT_F32;
    return like == ZK_REF_INT8 && d->form <= ZK_W4L ? ZK_ACT_Q8 : ZK_ACT_F32;
}

/* The numbers that a product with such activations takes for those of a table. */
static void act_table(float ret_table[16], const float *table, enum zk_act_kind kind)
{
    int8_t code[16];
    float unit = kind == ZK_ACT_Q8 ? zk_table_to_q8(code, table) : 0;
    for (int i = 0; i < 16; i++)
        ret_table[i] = kind == ZK_ACT_Q8     ? unit * (float)code[i]
                       : kind == ZK_ACT_F16  ? zk_f16_to_f32(zk_f32_to_f16(table[i]))
                       : kind == ZK_ACT_BF16 ? zk_bf16_to_f32(zk_f32_to_bf16(table[i]))
                                             : table[i];
}

static float *put_rows(float *w, const struct zk_mat *m, const struct zk_canon *parts,
                       const float *table)
{
    for (int row = 0; row < m->d.n; row++) {
        int i;
        struct zk_canon c = *zk_parts_row(parts, row, &i);
        c.table = table;
        for (int j = 0; j < m->d.k; j++)
            *w++ = zk_canon_at(&c, i, j);
    }
    return w;
}

static int ref_mat_pack(struct zk_dev *dev, struct zk_mat *m, const struct zk_canon *parts,
                        int n_parts, struct zc_diag *dg)
{
    struct zk_layout lo;
    int r;

    if ((r = zk_layout_init(&lo, &m->d, dg)) < 0)
        return r;
    if ((r = zk_parts_check(&m->d, parts, n_parts, dg)) < 0)
        return r;
    if (m->data == NULL || m->bytes < ref_mat_bytes(dev, &m->d))
        return zc_diag(dg, ZC_EINVAL, "packed matrix has too little room, %zu bytes", m->bytes);
    float *w = m->data, table[16];
    m->act = ref_act_kind(dev, &m->d);
    if (m->d.form == ZK_W4L) {
        act_table(table, parts[0].table, m->act);
        w = put_rows(w, m, parts, table);
    }
    w = put_rows(w, m, parts, parts[0].table);
    m->perm = NULL;
    if (m->d.has_perm) {
        m->perm = (int32_t *)w;
        memcpy(m->perm, parts[0].perm, (size_t)m->d.k * sizeof m->perm[0]);
    }
    return ZC_OK;
}

static int ref_mat_unpack_row(const struct zk_dev *dev, const struct zk_mat *m, int row, float *w)
{
    if (row < 0 || row >= m->d.n)
        return ZC_EINVAL;
    size_t at = (size_t)row + (m->d.form == ZK_W4L ? (size_t)m->d.n : 0);
    const float *src = (const float *)m->data + at * (size_t)m->d.k;
    for (int j = 0; j < m->d.k; j++)
        w[m->perm ? m->perm[j] : j] = src[j];
    return ZC_OK;
}

/* ---- activations ------------------------------------------------------------------------- */

/* One block of at most 32 values through int8, as ZK_ACT_Q8 says. */
static void quantize_block(double *y, const float *x, int n)
{
    float amax = 0;
    for (int i = 0; i < n; i++)
        amax = fmaxf(amax, fabsf(x[i]));
    for (int i = 0; i < n; i++) {
        float d = amax / 127.0f, inv = 127.0f / amax;
        y[i] = amax < 0x1p-100f ? 0.0 : (double)d * (double)nearbyintf(x[i] * inv);
    }
}

/* A number through the kind's type, if that is one of 16 bits. */
static double round_act(struct ref_dev *rd, enum zk_act_kind kind, float x)
{
    if (kind == ZK_ACT_BF16)
        return (double)zk_bf16_to_f32(zk_f32_to_bf16(x));
    if (kind != ZK_ACT_F16)
        return (double)x;
    float h = zk_f16_to_f32(zk_f32_to_f16(x));
    if (isfinite(h))
        return (double)h;
    rd->status = ZC_ELIMIT;
    return 0;
}

/* Row r of y from k floats in the order of the inputs. */
static void put_act(struct zk_dev *dev, struct zk_act *y, int r, const float *x,
                    const int32_t *perm)
{
    double *out = (double *)y->data + (size_t)r * (size_t)y->k;
    for (int j0 = 0; j0 < y->k; j0 += ZK_ACT_BLOCK) {
        float block[ZK_ACT_BLOCK];
        int n = y->k - j0 < ZK_ACT_BLOCK ? y->k - j0 : ZK_ACT_BLOCK;
        for (int j = 0; j < n; j++)
            block[j] = x[perm ? perm[j0 + j] : j0 + j];
        if (y->kind == ZK_ACT_Q8)
            quantize_block(out + j0, block, n);
        else
            for (int j = 0; j < n; j++)
                out[j0 + j] = round_act((struct ref_dev *)dev, y->kind, block[j]);
    }
}

static int ref_begin(struct zk_dev *dev, enum zk_phase phase, int record, bool *ret_done)
{
    *ret_done = false;
    return record == 0 ? ZC_OK : ZC_EINVAL;
}

static int ref_end(struct zk_dev *dev, int r, struct zc_diag *dg)
{
    return r;
}

static int ref_embed(struct zk_dev *dev, float *y, const void *table, enum zk_type type, int V,
                     int C, const int32_t *ids, int rows)
{
    for (int r = 0; r < rows; r++) {
        if (ids[r] != ZK_PADDING && (ids[r] < 0 || ids[r] >= V))
            return ZC_EINVAL;
        for (int i = 0; i < C; i++)
            y[(size_t)r * (size_t)C + (size_t)i] =
                ids[r] == ZK_PADDING ? 0
                                     : zk_load(table, type, (size_t)ids[r] * (size_t)C + (size_t)i);
    }
    return ZC_OK;
}

/* Room for one row of floats, for the length of an operation. */
static float *row_of(struct zk_dev *dev)
{
    return ((struct ref_dev *)dev)->row;
}

static int ref_rms_norm(struct zk_dev *dev, struct zk_act *y, const float *x, const float *w,
                        float eps, int rows, int C, const int32_t *perm)
{
    float *row = row_of(dev);
    y->rows = rows;
    for (int r = 0; r < rows; r++, x += C) {
        double sum = 0;
        for (int i = 0; i < C; i++)
            sum += (double)x[i] * (double)x[i];
        double inv = 1 / sqrt(sum / C + (double)eps);
        for (int i = 0; i < C; i++)
            row[i] = (float)((double)w[i] * ((double)x[i] * inv));
        put_act(dev, y, r, row, perm);
    }
    return ZC_OK;
}

static int ref_to_act(struct zk_dev *dev, struct zk_act *y, const float *x, int ldx, int rows,
                      int k, const int32_t *perm)
{
    y->rows = rows;
    for (int r = 0; r < rows; r++)
        put_act(dev, y, r, x + (size_t)r * (size_t)ldx, perm);
    return ZC_OK;
}

static double silu(double v)
{
    return v / (1 + exp(-v));
}

static int ref_swiglu(struct zk_dev *dev, struct zk_act *y, const float *g, const float *u, int ld,
                      int rows, int F, const int32_t *perm)
{
    float *row = row_of(dev);
    y->rows = rows;
    for (int r = 0; r < rows; r++, g += ld, u += ld) {
        for (int i = 0; i < F; i++)
            row[i] = (float)(silu((double)g[i]) * (double)u[i]);
        put_act(dev, y, r, row, perm);
    }
    return ZC_OK;
}

/* ---- products ---------------------------------------------------------------------------- */

static double dot(const struct zk_mat *w, int i, const struct zk_act *x, int r)
{
    const float *a = (const float *)w->data + (size_t)i * (size_t)w->d.k;
    const double *b = (const double *)x->data + (size_t)r * (size_t)x->k;
    double sum = 0;
    for (int j = 0; j < w->d.k; j++)
        sum += (double)a[j] * b[j];
    return sum;
}

static int ref_matmul(struct zk_dev *dev, float *y, int ldy, const struct zk_act *x,
                      const struct zk_mat *w, const float *bias, int rows, bool add)
{
    if (x->k != w->d.k || x->kind != w->act || x->rows != rows || w->d.join == ZK_JOIN_PAIRS)
        return ZC_EINVAL;
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < w->d.n; i++) {
            float *out = &y[(size_t)r * (size_t)ldy + (size_t)i];
            double v = dot(w, i, x, r) + (bias ? (double)bias[i] : 0.0);
            *out = (float)(v + (add ? (double)*out : 0.0));
        }
    return ZC_OK;
}

static int ref_matmul_swiglu(struct zk_dev *dev, struct zk_act *y, const struct zk_act *x,
                             const struct zk_mat *w, const float *bias, int rows,
                             const int32_t *perm)
{
    int F = w->d.n / 2;
    if (x->k != w->d.k || x->kind != w->act || x->rows != rows || w->d.join != ZK_JOIN_PAIRS ||
        y->k != F)
        return ZC_EINVAL;
    float *row = row_of(dev);
    y->rows = rows;
    for (int r = 0; r < rows; r++) {
        for (int i = 0; i < F; i++) {
            double g = dot(w, i, x, r) + (bias ? (double)bias[i] : 0.0);
            double u = dot(w, F + i, x, r) + (bias ? (double)bias[F + i] : 0.0);
            row[i] = (float)(silu(g) * u);
        }
        put_act(dev, y, r, row, perm);
    }
    return ZC_OK;
}

/* ---- positions --------------------------------------------------------------------------- */

static int ref_rope_table(struct zk_dev *dev, float *cs, const int32_t *pos, int rows,
                          const float *inv_freq, int rot_dim, float mscale)
{
    int h = rot_dim / 2;
    for (int r = 0; r < rows; r++, cs += rot_dim)
        for (int i = 0; i < h; i++) {
            float angle = (float)pos[r] * inv_freq[i];
            cs[i] = (float)((double)mscale * cos((double)angle));
            cs[h + i] = (float)((double)mscale * sin((double)angle));
        }
    return ZC_OK;
}

/* One head in place: norm, then rotation. */
static void rope_head(float *x, const float *cs, const struct zk_attn *a, const float *norm)
{
    double t[ZK_MAX_HEAD_DIM], sum = 0;
    int D = a->head_dim, h = a->rot_dim / 2;
    for (int i = 0; i < D; i++)
        sum += (double)x[i] * (double)x[i];
    double inv = 1 / sqrt(sum / D + (double)a->norm_eps);
    for (int i = 0; i < D; i++)
        t[i] = norm ? (double)norm[i] * ((double)x[i] * inv) : (double)x[i];
    for (int i = 0; i < h; i++) {
        double c = (double)cs[i], s = (double)cs[h + i];
        x[i] = (float)(t[i] * c - t[i + h] * s);
        x[i + h] = (float)(t[i + h] * c + t[i] * s);
    }
    for (int i = 2 * h; i < D; i++)
        x[i] = (float)t[i];
}

/* Keys (which = 0) or values (1) of a position and kv head. */
static float *kv_at(const struct zk_kv *kv, const struct zk_attn *a, const int32_t *pages, int pos,
                    int which, int head)
{
    size_t half = (size_t)a->kv_heads * ZK_PAGE * (size_t)a->head_dim;
    float *page = (float *)kv->base + (size_t)pages[pos / ZK_PAGE] * 2 * half;
    return page + (size_t)which * half +
           ((size_t)head * ZK_PAGE + (size_t)(pos % ZK_PAGE)) * (size_t)a->head_dim;
}

/* A head through e4m3: numbers of 4 significant bits from 2^-6 on, multiples of 2^-9 below. */
static void round_to_f8(float *x, int D)
{
    double amax = 0, scale = 0x1p-15;
    for (int i = 0; i < D; i++)
        amax = fmax(amax, fabs((double)x[i]));
    while (448 * scale < amax)
        scale *= 2;
    for (int i = 0; i < D; i++) {
        double v = (double)x[i] / scale, step = 0x1p-9;
        while (fabs(v) >= 16 * step)
            step *= 2;
        x[i] = (float)(nearbyint(v / step) * step * scale);
    }
}

static void store_head(struct ref_dev *rd, float *dst, const float *x, const struct zk_attn *a)
{
    static const double limits[] = {
        [ZK_KV_F16] = 65504, [ZK_KV_F32] = 3.4028234663852886e38, [ZK_KV_F8] = 57344};
    for (int i = 0; i < a->head_dim; i++) {
        float v = x[i];
        if (!(fabs((double)v) <= limits[a->kv_type])) {
            rd->status = ZC_ELIMIT;
            v = 0;
        }
        dst[i] = a->kv_type == ZK_KV_F16 ? zk_f16_to_f32(zk_f32_to_f16(v)) : v;
    }
    if (a->kv_type == ZK_KV_F8)
        round_to_f8(dst, a->head_dim);
}

static int ref_rope_store(struct zk_dev *dev, float *qkv, const float *cs, const struct zk_batch *b,
                          const struct zk_attn *a, const struct zk_kv *kv)
{
    int D = a->head_dim, H = a->heads, K = a->kv_heads;
    if (D < 1 || D > ZK_MAX_HEAD_DIM || a->rot_dim % 2 != 0 || a->rot_dim > D || H % K != 0)
        return ZC_EINVAL;
    for (int s = 0; s < b->n_seqs; s++)
        for (int i = 0; i < b->seqs[s].n_rows; i++) {
            int r = b->seqs[s].first_row + i, pos = b->seqs[s].pos0 + i;
            float *row = qkv + (size_t)r * (size_t)((H + 2 * K) * D);
            const float *c = cs + (size_t)r * (size_t)a->rot_dim;
            for (int h = 0; h < H + K; h++)
                rope_head(row + h * D, c, a, h < H ? a->q_norm : a->k_norm);
            for (int h = 0; h < K; h++)
                for (int which = 0; which < 2; which++)
                    store_head((struct ref_dev *)dev, kv_at(kv, a, b->seqs[s].pages, pos, which, h),
                               row + (H + which * K + h) * D, a);
        }
    return ZC_OK;
}

/* ---- attention --------------------------------------------------------------------------- */

static double score(const float *q, const float *k, const struct zk_attn *a)
{
    double sum = 0;
    for (int i = 0; i < a->head_dim; i++)
        sum += (double)q[i] * (double)k[i];
    return sum * (double)a->scale;
}

/* One row and head: the largest score first, then the weighted sum. */
static void attend(float *o, const float *q, const struct zk_attn *a, const struct zk_kv *kv,
                   const int32_t *pages, int pos, int head)
{
    double acc[ZK_MAX_HEAD_DIM] = {0}, max = -INFINITY, sum = 0;
    int first = a->window > 0 && pos >= a->window ? pos - a->window + 1 : 0;
    for (int j = first; j <= pos; j++)
        max = fmax(max, score(q, kv_at(kv, a, pages, j, 0, head), a));
    for (int j = first; j <= pos; j++) {
        double p = exp(score(q, kv_at(kv, a, pages, j, 0, head), a) - max);
        const float *v = kv_at(kv, a, pages, j, 1, head);
        sum += p;
        for (int i = 0; i < a->head_dim; i++)
            acc[i] += p * (double)v[i];
    }
    for (int i = 0; i < a->head_dim; i++)
        o[i] = (float)(acc[i] / sum);
}

static int ref_attn(struct zk_dev *dev, float *o, const float *qkv, const struct zk_batch *b,
                    const struct zk_attn *a, const struct zk_kv *kv)
{
    int D = a->head_dim, H = a->heads, K = a->kv_heads;
    for (int s = 0; s < b->n_seqs; s++)
        for (int i = 0; i < b->seqs[s].n_rows; i++) {
            size_t r = (size_t)(b->seqs[s].first_row + i);
            for (int h = 0; h < H; h++)
                attend(o + (r * (size_t)H + (size_t)h) * (size_t)D,
                       qkv + (r * (size_t)(H + 2 * K) + (size_t)h) * (size_t)D, a, kv,
                       b->seqs[s].pages, b->seqs[s].pos0 + i, h / (H / K));
        }
    return ZC_OK;
}

static int ref_gather(struct zk_dev *dev, float *y, const float *x, const int32_t *rows, int n,
                      int C)
{
    for (int i = 0; i < n; i++)
        memcpy(y + (size_t)i * (size_t)C, x + (size_t)rows[i] * (size_t)C,
               (size_t)C * sizeof(float));
    return ZC_OK;
}

/* ---- memory ------------------------------------------------------------------------------ */

static int ref_alloc(struct zk_dev *dev, void **ret_p, size_t bytes, struct zc_diag *dg)
{
    int r = zc_try_calloc(ret_p, bytes, 1, SIZE_MAX);
    if (r < 0)
        return zc_diag(dg, r, "no memory for %zu bytes", bytes);
    return ZC_OK;
}

static void ref_free(struct zk_dev *dev, void *p, size_t bytes)
{
    zc_free(p);
}

static int ref_copy(struct zk_dev *dev, void *dst, const void *src, size_t bytes)
{
    memcpy(dst, src, bytes);
    return ZC_OK;
}

static void ref_memory(struct zk_dev *dev, uint64_t *ret_free, uint64_t *ret_total)
{
    *ret_free = *ret_total = 0;
}

static int ref_fill(struct zk_dev *dev, void *p, int value, size_t bytes)
{
    memset(p, value, bytes);
    return ZC_OK;
}

static double ref_probe_read(struct zk_dev *dev, const void *p, size_t bytes)
{
    return 0;
}

static double ref_probe_peak(struct zk_dev *dev, enum zk_act_kind kind, int ms)
{
    return 0;
}

static int ref_sync(struct zk_dev *dev, struct zc_diag *dg)
{
    struct ref_dev *rd = (struct ref_dev *)dev;
    int r = rd->status;
    rd->status = ZC_OK;
    if (r == ZC_ELIMIT)
        return zc_diag(dg, r, "a key, value or activation does not fit its type");
    return r;
}

static void ref_close(struct zk_dev *dev)
{
    zc_free(dev);
}

static int ref_pin(struct zk_dev *dev, void *p, size_t bytes, struct zc_diag *dg)
{
    return ZC_OK;
}

static void ref_unpin(struct zk_dev *dev, void *p)
{
}

static const struct zk_ops ref_ops = {
    .name = "reference",
    .mat_bytes = ref_mat_bytes,
    .act_bytes = ref_act_bytes,
    .kv_page_bytes = ref_kv_page_bytes,
    .act_kind = ref_act_kind,
    .mat_pack = ref_mat_pack,
    .mat_unpack_row = ref_mat_unpack_row,
    .begin = ref_begin,
    .end = ref_end,
    .embed = ref_embed,
    .rms_norm = ref_rms_norm,
    .to_act = ref_to_act,
    .swiglu = ref_swiglu,
    .matmul = ref_matmul,
    .matmul_swiglu = ref_matmul_swiglu,
    .rope_table = ref_rope_table,
    .rope_store = ref_rope_store,
    .attn = ref_attn,
    .gather = ref_gather,
    .alloc = ref_alloc,
    .free = ref_free,
    .upload = ref_copy,
    .download = ref_copy,
    .send = ref_copy,
    .host_alloc = ref_alloc,
    .host_free = ref_free,
    .pin = ref_pin,
    .unpin = ref_unpin,
    .memory = ref_memory,
    .fill = ref_fill,
    .probe_read = ref_probe_read,
    .probe_peak = ref_probe_peak,
    .sync = ref_sync,
    .close = ref_close,
};

int zk_ref_open(struct zk_dev **ret_dev, enum zk_ref_like like, struct zc_diag *dg)
{
    void *p;
    if (zc_try_calloc(&p, 1, sizeof(struct ref_dev), SIZE_MAX) < 0)
        return zc_diag(dg, ZC_ENOMEM, "no memory for the reference device");
    struct ref_dev *rd = p;
    rd->dev.ops = &ref_ops;
    rd->like = like;
    rd->dev.exact = like == ZK_REF_EXACT;
    rd->dev.is_host = true;
    snprintf(rd->dev.label, sizeof rd->dev.label, "cpu reference, 1 thread");
    *ret_dev = &rd->dev;
    return ZC_OK;
}
