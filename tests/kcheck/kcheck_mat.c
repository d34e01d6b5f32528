/* SPDX-License-Identifier: MIT */
/* Packing, and products of prepared activations with packed matrices. */
#include "tests/kcheck/kcheck_mat.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/zk_pack.h"

/* ---- making matrices --------------------------------------------------------------------- */

static void put(void *p, enum zk_type type, size_t i, float v)
{
    if (type == ZK_F32)
        ((float *)p)[i] = v;
    else
        ((uint16_t *)p)[i] = type == ZK_F16 ? zk_f32_to_f16(v) : zk_f32_to_bf16(v);
}

static bool is_4bit(enum zk_form form)
{
    return form == ZK_W4A || form == ZK_W4L;
}

/* NF4's numbers or any others: without an order, of several sizes, one of them zero. */
static const float *make_table(void)
{
    static const float nf4[16] = {-1,           -0.69619280F, -0.52507305F, -0.39491749F,
                                  -0.28444138F, -0.18477343F, -0.09105004F, 0,
                                  0.07958030F,  0.16093020F,  0.24611230F,  0.33791524F,
                                  0.44070983F,  0.56261700F,  0.72295684F,  1};
    float *t = kc_mem(16 * sizeof *t);
    for (int i = 0; i < 16; i++)
        t[i] = kc_int(0, 1) ? nf4[i] : kc_unit() * 1.5f;
    t[kc_int(0, 15)] = 0;
    return t;
}

static void make_part(struct zk_canon *c, const struct zk_mat_desc *d, int n, enum kc_fill fill)
{
    size_t k = (size_t)d->k, rows = (size_t)n;
    *c = (struct zk_canon){.form = d->form, .n = n, .k = d->k, .group = d->group, .type = d->type};
    if (!zk_form_is_coded(d->form)) {
        float *f = kc_mem(rows * k * 4);
        void *w = kc_mem(rows * k * 4);
        kc_fill(f, rows * k, fill);
        for (size_t i = 0; i < rows * k; i++)
            put(w, d->type, i, f[i]);
        c->w = w;
        return;
    }
    size_t groups = d->group < d->k ? (k + (size_t)d->group - 1) / (size_t)d->group : 1;
    size_t codes = is_4bit(d->form) ? rows * ((k + 1) / 2) : rows * k;
    uint8_t *q = kc_mem(codes), *zero = kc_mem(rows * groups);
    void *scale = kc_mem(rows * groups * 4);
    for (size_t i = 0; i < codes; i++)
        do
            q[i] = (uint8_t)(kc_rand() >> 13);
        while (d->form == ZK_W8F && (q[i] & 0x7f) == 0x7f);
    for (size_t i = 0; i < rows * groups; i++) {
        zero[i] = (uint8_t)(d->form == ZK_W4A ? kc_int(0, 15) : kc_int(0, 255));
        float u = kc_unit() * 0.04f; /* away from 0, so that each code matters */
        put(scale, zk_scale_type(d), i, fill == KC_ZEROS ? 0 : u < 0 ? u - 0.01f : u + 0.01f);
    }
    c->q = q;
    c->zero = d->has_zero ? zero : NULL;
    c->scale = scale;
}

void kc_mat_make(struct kc_mat *m, const struct zk_mat_desc *d, enum kc_fill fill)
{
    int first = d->join == ZK_JOIN_PAIRS ? d->n / 2 : d->n > 2 ? kc_int(1, d->n) : d->n;
    *m = (struct kc_mat){.d = *d, .n_parts = first < d->n ? 2 : 1};
    make_part(&m->part[0], d, first, fill);
    if (m->n_parts == 2)
        make_part(&m->part[1], d, d->n - first, fill);
    if (d->form == ZK_W4L)
        m->part[0].table = m->part[1].table = make_table();
    if (!d->has_perm)
        return;
    int32_t *perm = kc_mem((size_t)d->k * sizeof *perm);
    for (int i = 0; i < d->k; i++) {
        int at = kc_int(0, i);
        perm[i] = perm[at];
        perm[at] = i;
    }
    m->part[0].perm = m->part[1].perm = perm;
}

int kc_mat_pack(struct zk_dev *dev, struct zk_mat *m, const struct kc_mat *src)
{
    struct zc_diag dg = {""};
    *m = (struct zk_mat){.d = src->d, .bytes = dev->ops->mat_bytes(dev, &src->d)};
    m->data = kc_buf((m->bytes + 63) / 64 * 64);
    int r = dev->ops->mat_pack(dev, m, src->part, src->n_parts, &dg);
    if (r < 0)
        kc_fail("mat_pack: %s", dg.text);
    return r;
}

/* |code| + |zero| that a product calculates with, at most: with int8, a table's codes may be taken
 * as 128 more, and 128 off again. */
static double code_size(const struct zk_canon *c, const int8_t *table_q8, size_t i, size_t j,
                        size_t g)
{
    const size_t k = (size_t)c->k;
    if (c->form == ZK_W8A)
        return c->q[i * k + j] + (c->zero ? c->zero[g] : 128) + 128;
    int q = c->q[i * ((k + 1) / 2) + j / 2] >> (j % 2 * 4) & 15;
    return c->form == ZK_W4L ? abs(table_q8[q]) + 256 : q + (c->zero ? c->zero[g] : 8);
}

double kc_mat_magnitude(const struct kc_mat *m, int row, enum zk_act_kind kind, const double *a)
{
    int i, k = m->d.k;
    const struct zk_canon *c = zk_parts_row(m->part, row, &i);
    size_t groups = m->d.group < k ? (size_t)((k + m->d.group - 1) / m->d.group) : 1;
    bool is_table = c->form == ZK_W4L && kind == ZK_ACT_Q8;
    int8_t q8[16] = {0};
    double unit = is_table ? (double)zk_table_to_q8(q8, c->table) : 1, sum = 0;
    for (size_t j = 0; j < (size_t)k; j++) {
        if (!zk_form_is_affine(c->form) && !is_table) {
            sum += fabs((double)zk_canon_at(c, i, (int)j) * a[j]);
            continue;
        }
        size_t g = (size_t)i * groups + (groups > 1 ? j / (size_t)m->d.group : 0);
        sum += fabs((double)zk_load(c->scale, zk_scale_type(&m->d), g)) * unit *
               code_size(c, q8, (size_t)i, j, g) * fabs(a[j]);
    }
    return sum;
}

double kc_mat_roundings(const struct zk_mat_desc *d, enum zk_act_kind kind)
{
    int group = zk_form_is_coded(d->form) && d->group < d->k ? d->group : d->k;
    double groups = ceil((double)d->k / group), in_group = ceil(group / 32.0);
    if (kind == ZK_ACT_Q8)
        return in_group + groups + 7;
    return (group < 128 ? group : 128) + groups * ceil(group / 128.0) + 6;
}

/* ---- pack and unpack --------------------------------------------------------------------- */

struct pack_case {
    const struct kc_mat *src;
    const struct kc_level *lv;
};

static bool pack_check(void *arg)
{
    const struct pack_case *p = arg;
    struct zk_dev *dev = p->lv->dev[0];
    struct zk_mat m;
    int k = p->src->d.k;
    float *w = kc_buf((size_t)k * 4), *want = kc_mem((size_t)k * 4);

    if (kc_mat_pack(dev, &m, p->src) < 0)
        return false;
    for (int row = 0; row < p->src->d.n; row++) {
        int i;
        const struct zk_canon *c = zk_parts_row(p->src->part, row, &i);
        for (int j = 0; j < k; j++)
            want[c->perm ? c->perm[j] : j] = zk_canon_at(c, i, j);
        if (dev->ops->mat_unpack_row(dev, &m, row, w) < 0)
            return kc_fail("row %d can't be unpacked", row);
        if (!kc_equal(w, want, (size_t)k))
            return false;
    }
    return true;
}

static const int shapes[][2] = {{1, 1},   {2, 31},   {15, 32},  {16, 33},  {17, 64},
                                {30, 96}, {33, 129}, {64, 172}, {48, 256}, {100, 300}};
#define N_SHAPES ((int)(sizeof shapes / sizeof shapes[0]))

/* Description number v of a form and shape: walks through groups, types, zeros, orders, joins. */
static struct zk_mat_desc describe(enum zk_form form, int n, int k, int v)
{
    static const int groups[] = {32, 64, 128, 1 << 20};
    struct zk_mat_desc d = {.form = form, .n = n, .k = k, .group = groups[v % 4]};
    if (form == ZK_W32)
        d.type = ZK_F32;
    else
        d.type = form == ZK_W16 ? (v % 2 ? ZK_F16 : ZK_BF16) : (enum zk_type)(v % 3);
    d.has_zero = zk_form_is_affine(form) && v / 2 % 2;
    d.has_perm = v % 5 == 4;
    d.join = n % 2 == 0 && v % 3 == 1 ? ZK_JOIN_PAIRS : ZK_JOIN_ROWS;
    return d;
}

static const char *name_of(const struct zk_mat_desc *d, int rows, enum kc_fill fill)
{
    static const char *const forms[] = {"w4a", "w8a", "w4l", "w8f", "w16", "w32"};
    static const char *const types[] = {"f32", "f16", "bf16"};
    static char text[160];
    snprintf(text, sizeof text, "%s %dx%d group %d %s%s%s%s, %d rows, %s", forms[d->form], d->n,
             d->k, d->group, types[d->type], d->has_zero ? " zero" : "", d->has_perm ? " perm" : "",
             d->join == ZK_JOIN_PAIRS ? " pairs" : "", rows, kc_fill_name(fill));
    return text;
}

void kc_test_pack(void)
{
    for (int form = 0; form < ZK_N_FORMS; form++)
        for (int s = 0; s < N_SHAPES; s++)
            for (int v = 0; v < 12; v += form < ZK_W16 ? 1 : 4) {
                struct zk_mat_desc d = describe((enum zk_form)form, shapes[s][0], shapes[s][1], v);
                struct kc_mat src;
                kc_mat_make(&src, &d, KC_RANDOM);
                for (int l = 0; l < kc_n_levels; l++) {
                    struct pack_case p = {&src, &kc_levels[l]};
                    kc_run(&kc_levels[l], name_of(&d, 0, KC_RANDOM), pack_check, &p);
                }
                kc_release();
            }
}

/* ---- products ---------------------------------------------------------------------------- */

struct mm_case {
    struct kc_mat src;
    int rows;
    bool add, exact;
    enum kc_fill fill;
    const float *x;       /* [rows][k] */
    const float *bias;    /* [n] or NULL */
    const float *y0;      /* [rows][n], what is added to */
    double *want, *bound; /* [rows][n] */
    float *float_want;    /* [rows][n], with float activations */
    const struct kc_level *lv;
};

/* The product on a device, with rows ldy apart, into y [rows][n]. */
static int multiply(struct zk_dev *dev, float *y, const struct mm_case *c, enum zk_phase phase)
{
    struct zk_mat m;
    int n = c->src.d.n, k = c->src.d.k, ldy = n + 3, r;
    if ((r = kc_mat_pack(dev, &m, &c->src)) < 0)
        return r;
    struct zk_act a = kc_act(dev, m.act, c->rows, k);
    size_t bytes = ((size_t)(c->rows - 1) * (size_t)ldy + (size_t)n) * 4;
    float *wide = kc_buf(bytes);
    for (int i = 0; i < c->rows; i++)
        memcpy(wide + i * ldy, c->y0 + i * n, (size_t)n * 4);
    float *x = kc_buf((size_t)c->rows * (size_t)k * 4);
    memcpy(x, c->x, (size_t)c->rows * (size_t)k * 4);
    if ((r = dev->ops->to_act(dev, &a, x, k, c->rows, k, m.perm)) < 0)
        return r;
    bool done;
    if ((r = dev->ops->begin(dev, phase, 0, &done)) < 0)
        return r;
    r = dev->ops->matmul(dev, wide, ldy, &a, &m, c->bias, c->rows, c->add);
    r = kc_result(dev, dev->ops->end(dev, r, NULL));
    for (int i = 0; i < c->rows; i++)
        memcpy(y + i * n, wide + i * ldy, (size_t)n * 4);
    return r;
}

static void reference(struct mm_case *c)
{
    int n = c->src.d.n, k = c->src.d.k;
    size_t total = (size_t)c->rows * (size_t)n;
    struct zk_dev *ref = kc_ref[c->exact];
    float *y = kc_mem(total * 4), *xq = kc_mem((size_t)k * 4);
    double *a = kc_mem((size_t)k * sizeof *a);
    enum zk_act_kind kind = ref->ops->act_kind(ref, &c->src.d);
    double c_roundings = kc_mat_roundings(&c->src.d, kind) * KC_EPS;

    c->want = kc_mem(total * sizeof(double));
    c->bound = kc_mem(total * sizeof(double));
    c->float_want = kc_mem(total * 4);
    multiply(ref, y, c, ZK_DECODE);
    multiply(kc_ref[1], c->float_want, c, ZK_DECODE);
    for (int r = 0; r < c->rows; r++) {
        const int32_t *perm = c->src.part[0].perm;
        for (int j = 0; j < k; j++) /* an int8 is no larger than the value by more than rounding */
            a[j] = (double)c->x[(size_t)r * (size_t)k + (size_t)(perm ? perm[j] : j)];
        if (kind == ZK_ACT_Q8)
            for (int j = 0; j < k; j++) {
                double amax = 0;
                for (int i = j / 32 * 32; i < k && i < j / 32 * 32 + 32; i++)
                    amax = fmax(amax, fabs(a[i]));
                xq[j] = (float)amax;
            }
        for (int j = 0; j < k && kind == ZK_ACT_Q8; j++)
            a[j] = fabs(a[j]) + (double)xq[j] / 254;
        for (int i = 0; i < n; i++) {
            size_t at = (size_t)r * (size_t)n + (size_t)i;
            double mag =
                kc_mat_magnitude(&c->src, i, kind, a) + (c->bias ? fabs((double)c->bias[i]) : 0);
            mag += c->add ? fabs((double)c->y0[at]) : 0;
            c->want[at] = (double)y[at];
            c->bound[at] = c_roundings * mag + (double)k * 0x1p-149;
        }
    }
}

static bool mm_check(void *arg)
{
    const struct mm_case *c = arg;
    size_t total = (size_t)c->rows * (size_t)c->src.d.n;
    float *y = kc_mem(total * 4), *again = kc_mem(total * 4);
    struct zk_dev *dev = c->lv->dev[c->exact];

    for (int phase = dev->prefill_alone ? ZK_UNIT : ZK_DECODE; phase >= ZK_DECODE; phase--) {
        if (multiply(dev, y, c, (enum zk_phase)phase) < 0 ||
            multiply(dev, again, c, (enum zk_phase)phase) < 0)
            return kc_fail("refused");
        if (!kc_within(y, c->want, c->bound, total) || !kc_equal(again, y, total))
            return false;
    }
    double nmse = kc_nmse(y, c->float_want, total);
    if (c->fill == KC_RANDOM && c->src.d.k >= 64 && total >= 64 && nmse > 5e-4)
        return kc_fail("NMSE %.3g against float activations", nmse);
    return true;
}

static void mm_make(struct mm_case *c, const struct zk_mat_desc *d, int rows, enum kc_fill fill,
                    int v)
{
    size_t total = (size_t)rows * (size_t)d->n;
    if (fill == KC_HUGE && kc_cuda && d->type == ZK_F16)
        fill = KC_SPIKE; /* fp16 holds no more: kc_test_limit */
    *c = (struct mm_case){.rows = rows, .fill = fill, .exact = v % 2, .add = v / 2 % 2};
    kc_mat_make(&c->src, d, fill == KC_HUGE ? KC_RANDOM : fill);
    float *x = kc_mem((size_t)rows * (size_t)d->k * 4), *y0 = kc_mem(total * 4);
    kc_fill(x, (size_t)rows * (size_t)d->k, fill);
    kc_fill(y0, total, fill);
    c->x = x;
    c->y0 = y0;
    if (v / 4 % 2) {
        float *bias = kc_buf((size_t)d->n * 4);
        kc_fill(bias, (size_t)d->n, fill);
        c->bias = bias;
    }
}

static void mm_all_levels(struct mm_case *c)
{
    if (kc_is_over((double)c->rows * c->src.d.n * c->src.d.k)) {
        kc_release();
        return;
    }
    reference(c);
    for (int l = 0; l < kc_n_levels; l++) {
        c->lv = &kc_levels[l];
        kc_run(c->lv, name_of(&c->src.d, c->rows, c->fill), mm_check, c);
    }
    kc_release();
}

void kc_test_matmul(void)
{
    static const int rows[] = {1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 70};
    static const int big[][3] = {{2048, 8192, 1}, {8192, 2048, 1}, {512, 2048, 19},
                                 {4096, 5120, 1}, {256, 5120, 3},  {96, 32768, 2}};
    struct mm_case c;
    int v = 0;
    for (int form = 0; form < ZK_N_FORMS; form++)
        for (int s = 0; s < N_SHAPES; s++)
            for (int i = 0; i < 13; i++, v++) {
                struct zk_mat_desc d =
                    describe((enum zk_form)form, shapes[s][0], shapes[s][1], kc_int(0, 59));
                d.join = ZK_JOIN_ROWS;
                mm_make(&c, &d, rows[i], (enum kc_fill)(v % KC_N_FILLS), kc_int(0, 7));
                mm_all_levels(&c);
            }
    for (size_t i = 0; i < sizeof big / sizeof big[0]; i++)
        for (int form = 0; form < ZK_W16; form++) {
            struct zk_mat_desc d = {.form = (enum zk_form)form,
                                    .n = big[i][0],
                                    .k = big[i][1],
                                    .group = 128,
                                    .type = ZK_BF16,
                                    .has_zero = form == ZK_W4A};
            mm_make(&c, &d, big[i][2], KC_RANDOM, 0);
            mm_all_levels(&c);
        }
}

/* ---- one input at a time ----------------------------------------------------------------- */

/* The numbers of a W4L table as the product with such activations takes them. */
static const float *product_table(const float *table, enum zk_act_kind kind)
{
    float *t = kc_mem(16 * sizeof *t);
    int8_t code[16];
    float unit = zk_table_to_q8(code, table);
    for (int i = 0; i < 16; i++)
        t[i] = kind == ZK_ACT_Q8     ? unit * (float)code[i]
               : kind == ZK_ACT_F16  ? zk_f16_to_f32(zk_f32_to_f16(table[i]))
               : kind == ZK_ACT_BF16 ? zk_bf16_to_f32(zk_f32_to_bf16(table[i]))
                                     : table[i];
    return t;
}

/* x = e_j gives column j: each weight is where it belongs. */
static bool onehot_check(void *arg)
{
    struct mm_case *c = arg;
    int n = c->src.d.n, k = c->src.d.k;
    struct zk_dev *dev = c->lv->dev[c->exact];
    struct zk_canon part;
    float *y = kc_mem((size_t)k * (size_t)n * 4);
    const float *table = c->src.part[0].table;
    if (table)
        table = product_table(table, dev->ops->act_kind(dev, &c->src.d));
    if (multiply(dev, y, c, ZK_DECODE) < 0)
        return kc_fail("refused");
    for (int i = 0; i < n; i++) {
        int at;
        part = *zk_parts_row(c->src.part, i, &at);
        part.table = table;
        for (int j = 0; j < k; j++) {
            int col = part.perm ? part.perm[j] : j;
            double want = (double)zk_canon_at(&part, at, j), got = (double)y[col * n + i];
            if (fabs(want - got) > 1e-4 * (fabs(want) + 0.05))
                return kc_fail("weight (%d, %d) is %.9g, not %.9g", i, col, got, want);
        }
    }
    return true;
}

void kc_test_onehot(void)
{
    static const int dims[][2] = {{33, 160}, {50, 96}, {16, 257}};
    for (int form = 0; form < ZK_N_FORMS; form++)
        for (int s = 0; s < 3; s++)
            for (int v = 0; v < 10; v++) {
                struct zk_mat_desc d = describe((enum zk_form)form, dims[s][0], dims[s][1], v);
                struct mm_case c;
                d.join = ZK_JOIN_ROWS;
                if (kc_is_over((double)d.n * d.k * d.k))
                    continue;
                mm_make(&c, &d, d.k, KC_ZEROS, v % 2);
                kc_mat_make(&c.src, &d, KC_RANDOM);
                for (int j = 0; j < d.k; j++)
                    ((float *)(uintptr_t)c.x)[j * d.k + j] = 1;
                for (int l = 0; l < kc_n_levels; l++) {
                    c.lv = &kc_levels[l];
                    kc_run(c.lv, name_of(&d, d.k, KC_ZEROS), onehot_check, &c);
                }
                kc_release();
            }
}

/* ---- negative control -------------------------------------------------------------------- */

enum { SWAP_CODES, SWAP_SCALES, WRONG_ZERO, SWAP_INPUTS, WRONG_TABLE, N_DAMAGES };

static void damage(struct mm_case *c, int which)
{
    struct zk_canon *p = &c->src.part[0];
    uint8_t *q = (uint8_t *)(uintptr_t)p->q, *zero = (uint8_t *)(uintptr_t)p->zero;
    const enum zk_type type = zk_scale_type(&c->src.d);
    uint8_t *scale = (uint8_t *)(uintptr_t)p->scale, t[4];
    float *table = (float *)(uintptr_t)p->table;
    int32_t *perm = (int32_t *)(uintptr_t)p->perm;
    if (which == SWAP_CODES) {
        int other = 1;
        /* most numbers of fp8 are small beside the few that are large */
        while (q[other] == q[0] ||
               (p->form == ZK_W8F && fabsf(zk_f8_to_f32(q[other]) - zk_f8_to_f32(q[0])) < 64))
            other++;
        q[0] ^= q[other], q[other] ^= q[0], q[0] ^= q[other];
    } else if (which == SWAP_SCALES) {
        const size_t size = zk_type_size(type);
        size_t other = 1;
        while (fabsf(zk_load(scale, type, 0) - zk_load(scale, type, other)) < 0.005f)
            other++;
        memcpy(t, scale, size);
        memcpy(scale, scale + other * size, size);
        memcpy(scale + other * size, t, size);
    } else if (which == WRONG_ZERO) {
        zero[0] ^= 1;
    } else if (which == WRONG_TABLE) {
        table[q[0] & 15] += 0.05f;
    } else {
        int32_t first = perm[0];
        perm[0] = perm[1], perm[1] = first;
    }
}

/* A product with a damaged matrix must not pass: else passing would prove nothing. */
static bool control_check(void *arg)
{
    struct mm_case *c = arg;
    size_t total = (size_t)c->rows * (size_t)c->src.d.n;
    float *y = kc_mem(total * 4);
    if (multiply(c->lv->dev[c->exact], y, c, ZK_DECODE) < 0)
        return kc_fail("refused");
    if (kc_within(y, c->want, c->bound, total))
        return kc_fail("the damage was not noticed");
    return true;
}

void kc_test_control(void)
{
    for (int which = 0; which < N_DAMAGES; which++)
        for (int form = 0; form < ZK_W16; form++)
            for (int exact = 0; exact < 2; exact++) {
                struct zk_mat_desc d = {.form = (enum zk_form)form,
                                        .n = 40,
                                        .k = 512,
                                        .group = 128,
                                        .type = ZK_F16,
                                        .has_zero = form <= ZK_W8A,
                                        .has_perm = which == SWAP_INPUTS};
                struct mm_case c;
                if ((which == WRONG_ZERO && !d.has_zero) ||
                    (which == WRONG_TABLE && form != ZK_W4L))
                    continue;
                mm_make(&c, &d, 6, KC_RANDOM, exact);
                reference(&c);
                damage(&c, which);
                for (int l = 0; l < kc_n_levels; l++) {
                    c.lv = &kc_levels[l];
                    kc_run(c.lv, name_of(&d, 6, KC_RANDOM), control_check, &c);
                }
                kc_release();
            }
}
