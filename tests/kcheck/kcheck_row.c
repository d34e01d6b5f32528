/* SPDX-License-Identifier: MIT */
/* Operations that go row by row: norms, activations, SwiGLU, embedding, gathering, rotations. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/kcheck/kcheck_mat.h"

struct row_case {
    const struct kc_level *lv;
    enum zk_act_kind kind;
    int rows, k, op;
    enum kc_fill fill;
    const float *x, *w, *u;
    const int32_t *perm;
    const float *h; /* [rows][k]: the floats that are prepared, by the reference */
    double *err;    /* [rows][k]: what a variant may differ from them before it prepares */
};

enum { TO_ACT, NORM, SWIGLU };

/* An activation order as the device has it: of a packed matrix of one row. */
static const int32_t *packed_perm(struct zk_dev *dev, const int32_t *perm, int k)
{
    if (perm == NULL)
        return NULL;
    struct zk_canon c = {.form = ZK_W32, .n = 1, .k = k, .w = kc_mem((size_t)k * 4), .perm = perm};
    struct kc_mat src = {
        .d = {.form = ZK_W32, .n = 1, .k = k, .has_perm = true}, .n_parts = 1, .part = {c}};
    struct zk_mat m;
    return kc_mat_pack(dev, &m, &src) < 0 ? NULL : m.perm;
}

static int prepare(struct zk_dev *dev, struct zk_act *a, const struct row_case *c, int op)
{
    const int32_t *perm = packed_perm(dev, c->perm, c->k);
    int k = c->k;
    if (op == NORM)
        return dev->ops->rms_norm(dev, a, c->x, c->w, 1e-6f, c->rows, k, perm);
    if (op == SWIGLU)
        return dev->ops->swiglu(dev, a, c->x, c->u, k, c->rows, k, perm);
    return dev->ops->to_act(dev, a, c->x, k, c->rows, k, perm);
}

/* The prepared rows as floats; and again, the same bits. */
static bool prepared(struct zk_dev *dev, float *y, const struct row_case *c, int op)
{
    size_t total = (size_t)c->rows * (size_t)c->k;
    float *again = kc_mem(total * 4);
    for (int i = 0; i < 2; i++) {
        struct zk_act a = kc_act(dev, c->kind, c->rows, c->k);
        if (kc_result(dev, prepare(dev, &a, c, op)) < 0 || kc_read_act(dev, i ? again : y, &a) < 0)
            return kc_fail("refused");
    }
    return kc_equal(again, y, total);
}

/* An int8 is within half a step of its float: a step is its block's largest over 127. */
static void add_steps(double *bound, const struct row_case *c)
{
    for (int r = 0; r < c->rows; r++)
        for (int j0 = 0; j0 < c->k; j0 += ZK_ACT_BLOCK) {
            double amax = 0;
            int end = j0 + ZK_ACT_BLOCK < c->k ? j0 + ZK_ACT_BLOCK : c->k;
            for (int j = j0; j < end; j++)
                amax = fmax(amax, fabs((double)c->h[r * c->k + j]));
            for (int j = j0; j < end; j++)
                bound[r * c->k + j] += amax < 0x1p-99 ? amax : amax / 127 * 0.5001;
        }
}

static bool close_enough(float *y, const struct row_case *c)
{
    size_t total = (size_t)c->rows * (size_t)c->k;
    double *want = kc_mem(total * sizeof *want), *bound = kc_mem(total * sizeof *bound);
    for (size_t i = 0; i < total; i++) {
        want[i] = (double)c->h[i];
        bound[i] = c->err[i];
    }
    if (c->kind == ZK_ACT_Q8)
        add_steps(bound, c);
    for (size_t i = 0; i < total && c->kind == ZK_ACT_F16; i++)
        bound[i] += fabs(want[i]) * 0x1p-11 + 0x1p-25;
    for (size_t i = 0; i < total && c->kind == ZK_ACT_BF16; i++)
        bound[i] += fabs(want[i]) * 0x1p-8 + 0x1p-133;
    return kc_within(y, want, bound, total);
}

static bool to_act_check(void *arg)
{
    struct row_case *c = arg;
    size_t total = (size_t)c->rows * (size_t)c->k;
    float *y = kc_mem(total * 4), *want = kc_mem(total * 4);
    if (!prepared(c->lv->dev[0], y, c, TO_ACT) || !prepared(kc_ref[0], want, c, TO_ACT))
        return false;
    return kc_equal(y, want, total) && close_enough(y, c);
}

static bool norm_check(void *arg)
{
    struct row_case *c = arg;
    float *y = kc_mem((size_t)c->rows * (size_t)c->k * 4);
    return prepared(c->lv->dev[0], y, c, NORM) && close_enough(y, c);
}

static bool swiglu_check(void *arg)
{
    struct row_case *c = arg;
    float *y = kc_mem((size_t)c->rows * (size_t)c->k * 4);
    return prepared(c->lv->dev[0], y, c, SWIGLU) && close_enough(y, c);
}

/* Whether fp16 does not hold all that is prepared. */
static bool has_too_large(const struct row_case *c)
{
    for (size_t i = 0; c->kind == ZK_ACT_F16 && i < (size_t)c->rows * (size_t)c->k; i++)
        if (fabs((double)c->h[i]) > 65500)
            return true;
    return false;
}

/* Then it is said, once, and nothing infinite is left behind. */
static bool overflow_check(void *arg)
{
    struct row_case *c = arg;
    struct zk_dev *dev = c->lv->dev[0];
    size_t total = (size_t)c->rows * (size_t)c->k;
    struct zk_act a = kc_act(dev, c->kind, c->rows, c->k);
    float *y = kc_mem(total * 4);
    if (kc_result(dev, prepare(dev, &a, c, c->op)) != ZC_ELIMIT)
        return kc_fail("what fp16 does not hold is not refused");
    if (kc_read_act(dev, y, &a) < 0 || dev->ops->sync(dev, NULL) < 0)
        return kc_fail("the failure is reported twice");
    for (size_t i = 0; i < total; i++)
        if (!isfinite(y[i]))
            return kc_fail("an infinity is left");
    return true;
}

/* The floats that an operation prepares, from the reference, and how far a variant may be off. */
static void expect(struct row_case *c, int op)
{
    size_t total = (size_t)c->rows * (size_t)c->k;
    struct row_case f = *c;
    f.kind = ZK_ACT_F32;
    float *h = kc_mem(total * 4);
    c->err = kc_mem(total * sizeof(double));
    prepared(kc_ref[1], h, &f, op);
    c->h = h;
    for (size_t i = 0; i < total; i++) {
        size_t j =
            c->perm ? i / (size_t)c->k * (size_t)c->k + (size_t)c->perm[i % (size_t)c->k] : i;
        double scale = fabs((double)h[i]);
        if (op == NORM) /* inv, times x, times w */
            c->err[i] = 4 * KC_EPS * scale + 0x1p-148;
        if (op == SWIGLU) /* e^-g is off by g's rounding at most; saturation is worth 1e-36 */
            c->err[i] = 12 * KC_EPS * scale + 1e-36 * (1 + fabs((double)c->u[j]));
        if (op == TO_ACT)
            c->err[i] = c->kind == ZK_ACT_Q8 ? 2 * KC_EPS * scale : 0;
    }
}

static int32_t *make_perm(int k)
{
    int32_t *perm = kc_mem((size_t)k * sizeof *perm);
    for (int i = 0; i < k; i++) {
        int at = kc_int(0, i);
        perm[i] = perm[at];
        perm[at] = i;
    }
    return perm;
}

static float *filled(size_t n, enum kc_fill fill)
{
    float *x = kc_buf(n * 4);
    kc_fill(x, n, fill);
    return x;
}

static void one_case(int op, int k, int rows, enum kc_fill fill, enum zk_act_kind kind, bool perm)
{
    static const char *const names[] = {"to_act", "rms_norm", "swiglu"};
    static bool (*const checks[])(void *) = {to_act_check, norm_check, swiglu_check};
    static const char *const kinds[] = {"float", "int8", "fp16", "bf16"};
    struct row_case c = {.kind = kind, .rows = rows, .k = k, .op = op, .fill = fill};
    char what[120];
    c.x = filled((size_t)rows * (size_t)k, fill);
    c.w = filled((size_t)k, KC_RANDOM);
    c.u = filled((size_t)rows * (size_t)k, KC_RANDOM);
    if (op == SWIGLU && fill == KC_RANDOM)
        for (int i = 0; i < rows * k; i++)
            ((float *)(uintptr_t)c.x)[i] *= 20;
    c.perm = perm ? make_perm(k) : NULL;
    expect(&c, op);
    snprintf(what, sizeof what, "%s %d rows of %d, %s, %s%s", names[op], rows, k,
             kc_fill_name(fill), kinds[kind], perm ? ", order" : "");
    for (int l = 0; l < kc_n_levels; l++) {
        c.lv = &kc_levels[l];
        kc_run(c.lv, what, has_too_large(&c) ? overflow_check : checks[op], &c);
    }
    kc_release();
}

/* ---- embedding and gathering ------------------------------------------------------------- */

struct embed_case {
    const struct kc_level *lv;
    enum zk_type type;
    int C;
    const void *table; /* [7][C] */
    const int32_t *ids;
};

static bool embed_check(void *arg)
{
    struct embed_case *c = arg;
    size_t total = 5 * (size_t)c->C;
    float *y = kc_buf(total * 4), *want = kc_mem(total * 4), *g = kc_buf(3 * (size_t)c->C * 4);
    int32_t *rows = kc_mem(3 * sizeof *rows), *wrong = kc_mem(2 * sizeof *wrong);
    struct zk_dev *dev = c->lv->dev[0], *ref = kc_ref[0];

    rows[0] = rows[2] = 4;
    wrong[0] = 7, wrong[1] = -2;
    if (dev->ops->embed(dev, y, c->table, c->type, 7, c->C, c->ids, 5) < 0 ||
        dev->ops->gather(dev, g, y, rows, 3, c->C) < 0)
        return kc_fail("refused");
    ref->ops->embed(ref, want, c->table, c->type, 7, c->C, c->ids, 5);
    if (!kc_equal(y, want, total))
        return false;
    for (int i = 0; i < 3; i++)
        if (!kc_equal(g + i * c->C, want + rows[i] * c->C, (size_t)c->C))
            return false;
    for (int i = 0; i < 2; i++)
        if (kc_result(dev, dev->ops->embed(dev, y, c->table, c->type, 7, c->C, wrong + i, 1)) !=
            ZC_EINVAL)
            return kc_fail("an id outside the table is not refused");
    return true;
}

static void embed_cases(void)
{
    static const int widths[] = {1, 3, 16, 31, 64, 129, 2048};
    for (int i = 0; i < 7; i++)
        for (int type = ZK_F32; type <= ZK_BF16; type++) {
            int32_t *ids = kc_mem(5 * sizeof *ids);
            memcpy(ids, (int32_t[]){6, 0, 3, kc_cuda ? ZK_PADDING : 3, 5}, 5 * sizeof *ids);
            struct embed_case c = {.type = (enum zk_type)type, .C = widths[i], .ids = ids};
            size_t size = type == ZK_F32 ? 4 : 2, n = 7 * (size_t)c.C;
            uint8_t *table = kc_buf(n * size);
            for (size_t j = 0; j < n; j++) {
                float f = kc_unit() * (j % 3 ? 1 : 1e-6f);
                uint16_t h = type == ZK_F16 ? zk_f32_to_f16(f) : zk_f32_to_bf16(f);
                memcpy(table + j * size, type == ZK_F32 ? (void *)&f : (void *)&h, size);
            }
            c.table = table;
            for (int l = 0; l < kc_n_levels; l++) {
                char what[60];
                snprintf(what, sizeof what, "embed type %d width %d", type, c.C);
                c.lv = &kc_levels[l];
                kc_run(c.lv, what, embed_check, &c);
            }
            kc_release();
        }
}

void kc_test_rows(void)
{
    static const int widths[] = {1, 2, 31, 32, 33, 64, 172, 288, 520, 1030};
    for (int op = TO_ACT; op <= SWIGLU; op++)
        for (int i = 0; i < 10; i++)
            for (int fill = 0; fill < KC_N_FILLS; fill++)
                if (!kc_is_over((i % 3 == 0 ? 17.0 : i % 3) * widths[i] * widths[i] * 2))
                    one_case(op, widths[i], i % 3 == 0 ? 17 : i % 3, (enum kc_fill)fill,
                             kc_kinds[(fill + i) % kc_n_kinds], kc_int(0, 3) == 0);
    embed_cases();
}

/* ---- gate and up ------------------------------------------------------------------------- */

struct swiglu_case {
    struct kc_mat src;
    struct row_case row; /* what comes out: h, err, kind */
    int rows;
    bool exact;
    const float *x, *bias;
};

static int gate_up(struct zk_dev *dev, float *y, enum zk_act_kind kind, const struct swiglu_case *c)
{
    struct zk_mat m;
    int k = c->src.d.k, r;
    if ((r = kc_mat_pack(dev, &m, &c->src)) < 0)
        return r;
    struct zk_act a = kc_act(dev, m.act, c->rows, k), out = kc_act(dev, kind, c->rows, c->row.k);
    if ((r = dev->ops->to_act(dev, &a, c->x, k, c->rows, k, m.perm)) < 0)
        return r;
    const int32_t *perm = packed_perm(dev, c->row.perm, c->row.k);
    if ((r = dev->ops->matmul_swiglu(dev, &out, &a, &m, c->bias, c->rows, perm)) < 0)
        return r;
    if ((r = kc_read_act(dev, y, &out)) < 0)
        return r;
    return dev->ops->sync(dev, NULL);
}

static bool gate_up_check(void *arg)
{
    struct swiglu_case *c = arg;
    struct zk_dev *dev = c->row.lv->dev[c->exact];
    size_t total = (size_t)c->rows * (size_t)c->row.k;
    float *y = kc_mem(total * 4), *again = kc_mem(total * 4);
    if (gate_up(dev, y, c->row.kind, c) < 0 || gate_up(dev, again, c->row.kind, c) < 0)
        return kc_fail("refused");
    return kc_equal(again, y, total) && close_enough(y, &c->row);
}

/* Errors of gate and up go through the product; silu's slope is at most 1.1. */
static void expect_gate_up(struct swiglu_case *c)
{
    int F = c->row.k, k = c->src.d.k;
    size_t total = (size_t)c->rows * (size_t)F;
    float *h = kc_mem(total * 4), *xq = kc_mem((size_t)c->rows * (size_t)k * 4);
    double *a = kc_mem((size_t)k * sizeof *a);
    struct zk_dev *ref = kc_ref[c->exact];
    enum zk_act_kind kind = ref->ops->act_kind(ref, &c->src.d);
    double rounds = kc_mat_roundings(&c->src.d, kind) * KC_EPS;
    struct zk_act x = kc_act(ref, kind, c->rows, k);

    ref->ops->to_act(ref, &x, c->x, k, c->rows, k, c->src.part[0].perm);
    kc_read_act(ref, xq, &x);
    gate_up(ref, h, ZK_ACT_F32, c);
    c->row.h = h;
    c->row.err = kc_mem(total * sizeof(double));
    for (int r = 0; r < c->rows; r++) {
        for (int j = 0; j < k; j++)
            a[j] = (double)xq[r * k + j];
        for (int j = 0; j < F; j++) {
            int i = c->row.perm ? c->row.perm[j] : j;
            double g = kc_mat_magnitude(&c->src, i, kind, a);
            double u = kc_mat_magnitude(&c->src, F + i, kind, a);
            g += c->bias ? fabs((double)c->bias[i]) : 0;
            u += c->bias ? fabs((double)c->bias[F + i]) : 0;
            c->row.err[r * F + j] = (2.2 * rounds + 12 * KC_EPS) * g * u + 1e-30;
        }
    }
}

void kc_test_swiglu(void)
{
    static const int dims[][3] = {{2, 33, 1},   {62, 64, 5},    {64, 160, 16},
                                  {344, 64, 3}, {130, 300, 33}, {1024, 512, 2}};
    for (int s = 0; s < 6; s++)
        for (int v = 0; v < 24; v++) {
            struct zk_mat_desc d = {.form = (enum zk_form)(v % ZK_N_FORMS),
                                    .n = dims[s][0],
                                    .k = dims[s][1],
                                    .group = v & 4 ? 32 : 128,
                                    .join = ZK_JOIN_PAIRS};
            struct swiglu_case c = {.rows = dims[s][2], .exact = v / ZK_N_FORMS % 2};
            char what[100];
            if (kc_is_over(2.0 * c.rows * d.n * (d.n + d.k)))
                continue;
            d.type = d.form == ZK_W32 ? ZK_F32 : ZK_BF16;
            d.has_zero = d.form <= ZK_W8A && v & 8;
            d.has_perm = v == 12 || v == 13 || v == 20;
            kc_mat_make(&c.src, &d, KC_RANDOM);
            c.row = (struct row_case){.kind = kc_kinds[v / 8 ? 1 + v % (kc_n_kinds - 1) : 0],
                                      .rows = c.rows,
                                      .k = d.n / 2};
            c.row.perm = v % 5 == 3 ? make_perm(d.n / 2) : NULL;
            c.x = filled((size_t)c.rows * (size_t)d.k, v == 5 ? KC_SPIKE : KC_RANDOM);
            c.bias = v % 3 == 0 ? filled((size_t)d.n, KC_RANDOM) : NULL;
            expect_gate_up(&c);
            snprintf(what, sizeof what, "gate and up, form %d, %dx%d, %d rows, variant %d", d.form,
                     d.n, d.k, c.rows, v);
            for (int l = 0; l < kc_n_levels; l++) {
                c.row.lv = &kc_levels[l];
                kc_run(c.row.lv, what, gate_up_check, &c);
            }
            kc_release();
        }
}
