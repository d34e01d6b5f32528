/* SPDX-License-Identifier: MIT */
/* Rotation, pages of keys and values, attention. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/kcheck/kcheck.h"

struct attn_case {
    const struct kc_level *lv;
    struct zk_attn a;
    int pos0, rows;
    enum kc_fill fill;
    enum zk_phase phase; /* of the rows that attend */
    float *qkv;          /* [pos0 + rows][(H+2K)*D] */
    float *cs;           /* [pos0 + rows][rot_dim] */
    int32_t *pages;
    float *want; /* [rows][H*D] */
    double *bound;
};

static size_t row_floats(const struct zk_attn *a)
{
    return (size_t)((a->heads + 2 * a->kv_heads) * a->head_dim);
}

/* Stores all rows and attends with the last ones, as two calls of one sequence. qkv: a copy. */
static int store_and_attend(struct zk_dev *dev, float *o, float *qkv, const struct attn_case *c)
{
    int all = c->pos0 + c->rows, r;
    int n_pages = (all + ZK_PAGE - 1) / ZK_PAGE;
    size_t page = dev->ops->kv_page_bytes(dev, c->a.kv_type, c->a.kv_heads, c->a.head_dim);
    struct zk_kv kv = {kc_buf((page * (size_t)n_pages + 63) / 64 * 64)};
    struct zk_seq *s = kc_mem(2 * sizeof *s);
    struct zk_batch b = {.rows = all, .n_seqs = 1, .last_pos = all - 1, .seqs = s};
    s[0] = (struct zk_seq){.pages = c->pages, .n_rows = all};
    s[1] = (struct zk_seq){.pages = c->pages, .n_rows = c->rows, .pos0 = c->pos0};
    if ((r = dev->ops->rope_store(dev, qkv, c->cs, &b, &c->a, &kv)) < 0)
        return r;
    struct zk_batch tail = {.rows = c->rows, .n_seqs = 1, .last_pos = all - 1, .seqs = s + 1};
    const float *q = qkv + (size_t)c->pos0 * row_floats(&c->a);
    bool done;
    if ((r = dev->ops->begin(dev, c->phase, 0, &done)) < 0)
        return r;
    r = dev->ops->end(dev, dev->ops->attn(dev, o, q, &tail, &c->a, &kv), NULL);
    return kc_result(dev, r);
}

static float *copy(const float *x, size_t n)
{
    float *y = kc_buf(n * 4);
    memcpy(y, x, n * 4);
    return y;
}

/* ---- rotation ---------------------------------------------------------------------------- */

static bool rope_check(void *arg)
{
    struct attn_case *c = arg;
    int all = c->pos0 + c->rows, D = c->a.head_dim, H = c->a.heads, K = c->a.kv_heads;
    size_t n = (size_t)all * row_floats(&c->a);
    float *o = kc_buf((size_t)(c->rows * H * D) * 4), *x = copy(c->qkv, n), *want = copy(c->qkv, n);
    if (store_and_attend(c->lv->dev[0], o, x, c) < 0 || store_and_attend(kc_ref[0], o, want, c) < 0)
        return kc_fail("refused");
    for (int r = 0; r < all; r++)
        for (int i = 0; i < (H + K) * D; i++) {
            size_t at = (size_t)r * row_floats(&c->a) + (size_t)i;
            double largest = 0; /* of the head: a rotation mixes two of its numbers */
            for (int d = 0; d < D; d++)
                largest = fmax(largest, fabs((double)want[at - (size_t)(i % D) + (size_t)d]));
            double err = fabs((double)x[at] - (double)want[at]);
            if (!(err <= 8 * KC_EPS * largest + 0x1p-148))
                return kc_fail("row %d number %d is %.9g, not %.9g", r, i, (double)x[at],
                               (double)want[at]);
        }
    return true;
}

static bool table_check(void *arg)
{
    struct attn_case *c = arg;
    int32_t *pos = kc_mem(6 * sizeof *pos);
    float *inv = kc_mem(32 * 4), *y = kc_buf(6 * 64 * 4), want[6 * 64];
    memcpy(pos, (int32_t[]){0, 1, 17, 4095, 131071, 1000000}, 6 * sizeof *pos);
    for (int i = 0; i < 32; i++)
        inv[i] = powf(10000, (float)-i / 32);
    struct zk_dev *dev = c->lv->dev[0];
    if (dev->ops->rope_table(dev, y, pos, 6, inv, 64, 1.25f) < 0)
        return kc_fail("refused");
    kc_ref[0]->ops->rope_table(kc_ref[0], want, pos, 6, inv, 64, 1.25f);
    return kc_equal(y, want, 6 * 64);
}

static void make_case(struct attn_case *c, int H, int K, int D, int pos0, int rows)
{
    size_t all = (size_t)(pos0 + rows);
    int n_pages = (int)((all + ZK_PAGE - 1) / ZK_PAGE);
    *c = (struct attn_case){.pos0 = pos0, .rows = rows};
    c->a = (struct zk_attn){.heads = H, .kv_heads = K, .head_dim = D, .norm_eps = 1e-6f};
    c->a.scale = 1 / sqrtf((float)D);
    c->qkv = kc_mem(all * row_floats(&c->a) * 4);
    kc_fill(c->qkv, all * row_floats(&c->a), KC_RANDOM);
    c->pages = kc_mem((size_t)n_pages * sizeof *c->pages);
    for (int i = 0; i < n_pages; i++) { /* in scrambled order */
        int at = kc_int(0, i);
        c->pages[i] = c->pages[at];
        c->pages[at] = i;
    }
}

/* Angles at random, unless the rotation is to change nothing. */
static void make_angles(struct attn_case *c, int rot_dim, bool turn)
{
    int all = c->pos0 + c->rows, h = rot_dim / 2;
    c->a.rot_dim = rot_dim;
    c->cs = kc_mem((size_t)(all * rot_dim + 1) * 4);
    for (int r = 0; r < all; r++)
        for (int i = 0; i < h; i++) {
            double angle = turn ? (double)kc_unit() * 3 : 0;
            c->cs[r * rot_dim + i] = (float)cos(angle);
            c->cs[r * rot_dim + h + i] = (float)sin(angle);
        }
}

void kc_test_rope(void)
{
    static const int dims[][4] = {
        {1, 1, 2, 2},   {2, 1, 8, 8},     {4, 2, 16, 8},    {3, 3, 12, 10},  {8, 2, 64, 64},
        {4, 4, 80, 32}, {4, 1, 128, 128}, {2, 2, 256, 256}, {2, 1, 512, 64}, {4, 2, 33, 0}};
    struct attn_case c;
    for (int s = 0; s < 10; s++)
        for (int v = 0; v < 6; v++) {
            char what[100];
            make_case(&c, dims[s][0], dims[s][1], dims[s][2], 0, v % 2 ? 19 : 1);
            make_angles(&c, dims[s][3], true);
            c.a.kv_type = (enum zk_kv_type)(v / 2 % 3);
            float *norm = kc_buf((size_t)dims[s][2] * 4);
            kc_fill(norm, (size_t)dims[s][2], KC_RANDOM);
            c.a.q_norm = v > 2 ? norm : NULL;
            c.a.k_norm = v > 3 ? norm : NULL;
            snprintf(what, sizeof what, "rope %d/%d heads of %d, %d turning, variant %d",
                     dims[s][0], dims[s][1], dims[s][2], dims[s][3], v);
            for (int l = 0; l < kc_n_levels; l++) {
                c.lv = &kc_levels[l];
                kc_run(c.lv, what, rope_check, &c);
            }
            kc_release();
        }
    for (int l = 0; l < kc_n_levels; l++) {
        c.lv = &kc_levels[l];
        kc_run(c.lv, "table of angles", table_check, &c);
    }
}

/* ---- attention --------------------------------------------------------------------------- */

static bool attn_check(void *arg)
{
    struct attn_case *c = arg;
    size_t n = (size_t)(c->pos0 + c->rows) * row_floats(&c->a);
    size_t total = (size_t)(c->rows * c->a.heads * c->a.head_dim);
    float *o = kc_buf(total * 4), *again = kc_buf(total * 4);
    struct zk_dev *dev = c->lv->dev[0];
    if (store_and_attend(dev, o, copy(c->qkv, n), c) < 0 ||
        store_and_attend(dev, again, copy(c->qkv, n), c) < 0)
        return kc_fail("refused");
    if (!kc_equal(again, o, total))
        return false;
    if (c->pos0 + c->rows == 1) /* one position: its value, unchanged */
        return kc_equal(o, c->want, total);
    double *want = kc_mem(total * sizeof *want);
    for (size_t i = 0; i < total; i++)
        want[i] = (double)c->want[i];
    if (!kc_within(o, want, c->bound, total))
        return false;
    double most = c->phase == ZK_PREFILL && dev->prefill_alone ? 1e-6 : 1e-11;
    if (c->fill == KC_RANDOM && total >= 64 && kc_nmse(o, c->want, total) > most)
        return kc_fail("NMSE %.3g", kc_nmse(o, c->want, total));
    return true;
}

/* A weight is off by its score's error, which lives at sum |q k| scale; their sum and the values'
 * are chains of at most the visible positions, and what comes out lives at the largest value. */
static void bounds(struct attn_case *c)
{
    const struct zk_attn *a = &c->a;
    int D = a->head_dim, H = a->heads, K = a->kv_heads;
    size_t total = (size_t)(c->rows * H * D);
    c->bound = kc_mem(total * sizeof *c->bound);
    for (int r = 0; r < c->rows; r++)
        for (int h = 0; h < H; h++) {
            int pos = c->pos0 + r, first = a->window > 0 ? pos - a->window + 1 : 0;
            const float *q = c->qkv + (size_t)pos * row_floats(a) + (size_t)(h * D);
            double score = 0, value = 0;
            for (int j = first > 0 ? first : 0; j <= pos; j++) {
                const float *k =
                    c->qkv + (size_t)j * row_floats(a) + (size_t)((H + h / (H / K)) * D);
                double s = 0;
                for (int d = 0; d < D; d++) {
                    s += fabs((double)q[d] * (double)k[d]);
                    value = fmax(value, fabs((double)k[K * D + d]));
                }
                score = fmax(score, s * fabs((double)a->scale));
            }
            double eps = KC_EPS * ((D + 4) * 2 * score + 2 * ZK_PAGE * 16 + pos / 16.0 + 40);
            if (c->phase == ZK_PREFILL) /* queries and weights in fp16 */
                eps += 0x1p-11 * (2 * score + 2);
            for (int d = 0; d < D; d++)
                c->bound[(r * H + h) * D + d] = eps * value + 0x1p-140;
        }
}

/* Numbers that fp16 holds exactly, so that keys and values are the same everywhere. */
static void round_to_f16(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = zk_f16_to_f32(zk_f32_to_f16(x[i]));
}

static const char *const type_names[] = {
    [ZK_KV_F16] = "f16", [ZK_KV_F32] = "f32", [ZK_KV_F8] = "f8"};

/* v chooses the numbers. F8: the same codes everywhere, since nothing turns. */
static void attn_case(int H, int K, int D, int pos0, int rows, int window, enum zk_kv_type type,
                      int v, enum zk_phase phase)
{
    static const enum kc_fill fills[] = {KC_RANDOM, KC_SPIKE, KC_ZEROS, KC_EQUAL, KC_TINY};
    struct attn_case c;
    char what[120];
    if (kc_is_over(30.0 * H * D * rows * (pos0 + rows)))
        return;
    make_case(&c, H, K, D, pos0, rows);
    make_angles(&c, D / 2 * 2, false);
    c.a.window = window;
    c.a.kv_type = type;
    c.fill = fills[v % 5];
    c.phase = phase;
    size_t n = (size_t)(pos0 + rows) * row_floats(&c.a);
    kc_fill(c.qkv, n, c.fill);
    if (c.a.kv_type == ZK_KV_F16)
        round_to_f16(c.qkv, n);
    c.want = kc_mem((size_t)(rows * H * D) * 4);
    store_and_attend(kc_ref[0], c.want, copy(c.qkv, n), &c);
    bounds(&c);
    snprintf(what, sizeof what, "%d/%d heads of %d, %d rows at %d, window %d, %s, %s%s", H, K, D,
             rows, pos0, window, type_names[type], kc_fill_name(c.fill),
             phase == ZK_PREFILL ? ", prefill" : "");
    for (int l = 0; l < kc_n_levels; l++) {
        c.lv = &kc_levels[l];
        kc_run(c.lv, what, attn_check, &c);
    }
    kc_release();
}

void kc_test_attn(void)
{
    static const int dims[][3] = {{1, 1, 1},  {2, 1, 8},   {4, 2, 16},  {3, 3, 12},  {8, 2, 64},
                                  {6, 2, 80}, {4, 1, 128}, {20, 1, 40}, {2, 2, 256}, {2, 1, 512},
                                  {7, 1, 33}, {32, 8, 64}, {32, 8, 128}};
    static const int at[][3] = {{0, 1, 0},     {0, 3, 0},    {0, 17, 5},   {15, 1, 0},
                                {16, 2, 16},   {255, 1, 0},  {250, 12, 0}, {256, 1, 3},
                                {600, 5, 300}, {1000, 1, 0}, {100, 9, 1},  {513, 18, 255}};
    for (int s = 0; s < 13; s++)
        for (int i = 0; i < 12; i++)
            if (dims[s][0] * dims[s][2] <= 2048 || i < 6)
                for (int v = 0; v < (s < 8 ? 3 : 1); v++)
                    attn_case(dims[s][0], dims[s][1], dims[s][2], at[i][0], at[i][1], at[i][2],
                              (enum zk_kv_type)((v + s) % 3), i % 5, ZK_DECODE);
    /* shapes of the GPU's own kernels, in both phases: groups that fill tiles and that do not */
    static const int tiles[][5] = {{4, 1, 64, 0, 1},    {4, 1, 64, 300, 1},  {16, 1, 64, 40, 2},
                                   {6, 2, 128, 130, 5}, {2, 2, 64, 0, 150},  {8, 2, 64, 17, 70},
                                   {3, 1, 128, 255, 2}, {1, 1, 128, 511, 1}, {4, 4, 128, 600, 3},
                                   {20, 1, 64, 70, 9},  {8, 1, 64, 1000, 2}};
    for (int s = 0; kc_cuda && s < 11; s++)
        for (int v = 0; v < 24; v++)
            attn_case(tiles[s][0], tiles[s][1], tiles[s][2], tiles[s][3], tiles[s][4],
                      (int[]){0, 5, 100}[v % 3], v < 12 ? ZK_KV_F16 : ZK_KV_F8, v % 12 / 4,
                      v % 2 ? ZK_PREFILL : ZK_DECODE);
}

/* ---- numbers that do not fit a page ------------------------------------------------------ */

static bool limit_check(void *arg)
{
    struct attn_case *c = arg;
    struct zk_dev *dev = c->lv->dev[0];
    size_t n = row_floats(&c->a), total = (size_t)(c->a.heads * c->a.head_dim);
    const float bad[] = {70000, -65520, INFINITY, NAN};
    float *o = kc_buf(total * 4);
    for (int i = 0; i < 8; i++) {
        float *x = copy(c->qkv, n);
        bool f32 = c->a.kv_type == ZK_KV_F32;
        x[n - 1 - (size_t)(i % 2) * (size_t)c->a.head_dim] = bad[i / 2];
        int want = f32 && i < 4 ? ZC_OK : ZC_ELIMIT;
        if (store_and_attend(dev, o, x, c) != want)
            return kc_fail("%g gives no %s", (double)bad[i / 2], zc_err_name(want));
        for (size_t j = 0; j < total; j++)
            if (!isfinite(o[j]))
                return kc_fail("%g makes the result infinite", (double)bad[i / 2]);
    }
    if (store_and_attend(dev, o, copy(c->qkv, n), c) != ZC_OK)
        return kc_fail("the failure is reported twice");
    return true;
}

void kc_test_limit(void)
{
    for (int type = 0; type < ZK_N_KV_TYPES; type++) {
        struct attn_case c;
        make_case(&c, 2, 1, 24, 0, 1);
        make_angles(&c, 24, false);
        c.a.kv_type = (enum zk_kv_type)type;
        for (int l = 0; l < kc_n_levels; l++) {
            c.lv = &kc_levels[l];
            kc_run(c.lv, type_names[type], limit_check, &c);
        }
        kc_release();
    }
}
