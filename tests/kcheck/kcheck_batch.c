/* SPDX-License-Identifier: MIT */
/* The same bits, whatever runs beside a row: rows alone and together, one to three threads, a
 * prompt whole, in pieces and token by token, pages in any order. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/kcheck/kcheck_mat.h"

#define MAX_THREADS 3

/* ---- products ---------------------------------------------------------------------------- */

struct batch_case {
    const struct kc_level *lv;
    struct kc_mat rows, pairs; /* two matrices with the same k */
    int B;
    bool exact;
    const float *x, *norm;
};

/* rms_norm, both products, and the prepared result of the second, for rows r0 .. r0 + n. */
static int chain(struct zk_dev *dev, float *y, float *h, const struct batch_case *c, int r0, int n)
{
    struct zk_mat a, b;
    int k = c->rows.d.k, F = c->pairs.d.n / 2, N = c->rows.d.n, r;
    if ((r = kc_mat_pack(dev, &a, &c->rows)) < 0 || (r = kc_mat_pack(dev, &b, &c->pairs)) < 0)
        return r;
    struct zk_act x = kc_act(dev, a.act, n, k), out = kc_act(dev, a.act, n, F);
    if ((r = dev->ops->rms_norm(dev, &x, c->x + r0 * k, c->norm, 1e-5f, n, k, NULL)) < 0)
        return r;
    if ((r = dev->ops->matmul(dev, y, N, &x, &a, NULL, n, false)) < 0)
        return r;
    if ((r = dev->ops->matmul_swiglu(dev, &out, &x, &b, NULL, n, NULL)) < 0)
        return r;
    if ((r = kc_read_act(dev, h, &out)) < 0)
        return r;
    return dev->ops->sync(dev, NULL);
}

static bool batch_check(void *arg)
{
    struct batch_case *c = arg;
    int F = c->pairs.d.n / 2, N = c->rows.d.n;
    float *y[MAX_THREADS + 1], *h[MAX_THREADS + 1];
    bool ok = true;
    for (int t = 0; t <= MAX_THREADS; t++) {
        y[t] = kc_mem((size_t)(c->B * N) * 4);
        h[t] = kc_mem((size_t)(c->B * F) * 4);
        struct zk_dev *dev = kc_with_threads(c->lv, t > 0 ? t : 2, c->exact);
        if (dev == NULL)
            return false;
        if (t > 0)
            ok = ok && chain(dev, y[t], h[t], c, 0, c->B) == ZC_OK;
        for (int r = 0, n; t == 0 && r < c->B; r += n) { /* alone, or two or three together */
            n = c->B - r < 3 ? 1 : r % 3 + 1;
            ok = ok && chain(dev, y[0] + r * N, h[0] + r * F, c, r, n) == ZC_OK;
        }
        dev->ops->close(dev);
        if (!ok)
            return kc_fail("refused");
        if (t > 0 && (!kc_equal(y[t], y[0], (size_t)(c->B * N)) ||
                      !kc_equal(h[t], h[0], (size_t)(c->B * F))))
            return false;
    }
    return true;
}

void kc_test_batch(void)
{
    static const int sizes[][4] = {
        {50, 96, 64, 5}, {70, 130, 320, 37}, {33, 64, 1056, 19}, {16, 64, 8192, 80}};
    for (int s = 0; s < 4; s++)
        for (int v = 0; v < (s == 3 ? 4 : 2 * ZK_N_FORMS); v++) {
            enum zk_form form = (enum zk_form)(v % ZK_N_FORMS);
            struct zk_mat_desc d = {.form = form,
                                    .n = sizes[s][0],
                                    .k = sizes[s][2],
                                    .group = v & 4 ? 128 : 32,
                                    .type = ZK_BF16};
            struct batch_case c = {.B = sizes[s][3], .exact = v >= ZK_N_FORMS};
            if (kc_is_over(20.0 * c.B * d.k * d.n))
                continue;
            char what[100];
            d.has_zero = form <= ZK_W8A;
            if (form == ZK_W32)
                d.type = ZK_F32;
            kc_mat_make(&c.rows, &d, KC_RANDOM);
            d.n = sizes[s][1];
            d.join = ZK_JOIN_PAIRS;
            kc_mat_make(&c.pairs, &d, KC_RANDOM);
            float *x = kc_mem((size_t)(c.B * d.k) * 4), *norm = kc_mem((size_t)d.k * 4);
            kc_fill(x, (size_t)(c.B * d.k), KC_RANDOM);
            kc_fill(norm, (size_t)d.k, KC_RANDOM);
            c.x = x, c.norm = norm;
            snprintf(what, sizeof what, "form %d, %d columns, %d rows%s", form, d.k, c.B,
                     c.exact ? ", exact" : "");
            for (int l = 0; l < kc_n_levels; l++) {
                c.lv = &kc_levels[l];
                kc_run(c.lv, what, batch_check, &c);
            }
            kc_release();
        }
}

/* ---- attention --------------------------------------------------------------------------- */

struct chunk_case {
    const struct kc_level *lv;
    struct zk_attn a;
    int T;             /* positions */
    const float *qkv;  /* [T][(H+2K)*D] */
    const float *cs;   /* [T][rot_dim] */
    int32_t *pages[2]; /* two orders; the company's pages come after */
};

/* The sequence in a first piece of `lead` rows, then pieces of `step` (1: token by token), beside a
 * second sequence that grows at another pace when `company`. */
static int in_pieces(struct zk_dev *dev, float *o, const struct chunk_case *c, int lead, int step,
                     const int32_t *pages, bool company)
{
    const struct zk_attn *a = &c->a;
    size_t F = (size_t)((a->heads + 2 * a->kv_heads) * a->head_dim),
           W = (size_t)(a->heads * a->head_dim);
    int n_pages = (c->T + ZK_PAGE - 1) / ZK_PAGE, r;
    size_t page = dev->ops->kv_page_bytes(dev, a->kv_type, a->kv_heads, a->head_dim);
    struct zk_kv kv = {kc_mem(page * (size_t)n_pages * 2 + 64)};
    kv.base = (void *)(((uintptr_t)kv.base + 63) & ~(uintptr_t)63);
    int32_t *other = kc_mem((size_t)n_pages * sizeof *other);
    for (int i = 0; i < n_pages; i++)
        other[i] = n_pages + i;
    int friends = company ? 5 : 0, friend_pos = 0, most = step > lead ? step : lead;
    float *qkv = kc_mem((size_t)(most + friends) * F * 4);
    float *cs = kc_mem((size_t)((most + friends) * a->rot_dim) * 4);
    float *out = kc_mem((size_t)(most + friends) * W * 4);
    struct zk_seq *s = kc_mem(2 * sizeof *s);
    for (int pos = 0, n; pos < c->T; pos += n) {
        n = pos == 0 && lead > 0 ? lead : c->T - pos < step ? c->T - pos : step;
        int m = friend_pos + friends <= c->T ? friends : 0;
        memcpy(qkv, c->qkv + (size_t)friend_pos * F, (size_t)m * F * 4);
        memcpy(qkv + (size_t)m * F, c->qkv + (size_t)pos * F, (size_t)n * F * 4);
        memcpy(cs, c->cs + friend_pos * a->rot_dim, (size_t)(m * a->rot_dim) * 4);
        memcpy(cs + m * a->rot_dim, c->cs + pos * a->rot_dim, (size_t)(n * a->rot_dim) * 4);
        s[0] = (struct zk_seq){other, 0, m, friend_pos};
        s[1] = (struct zk_seq){pages, m, n, pos};
        struct zk_batch b = {.rows = m + n, .n_seqs = m ? 2 : 1, .seqs = m ? s : s + 1};
        b.last_pos = c->T - 1;
        if ((r = dev->ops->rope_store(dev, qkv, cs, &b, a, &kv)) < 0 ||
            (r = dev->ops->attn(dev, out, qkv, &b, a, &kv)) < 0 ||
            (r = dev->ops->sync(dev, NULL)) < 0)
            return r;
        memcpy(o + (size_t)pos * W, out + (size_t)m * W, (size_t)n * W * 4);
        friend_pos += m;
    }
    return dev->ops->sync(dev, NULL);
}

static bool chunk_check(void *arg)
{
    struct chunk_case *c = arg;
    static const struct {
        int step, threads, order, tail; /* tail: how many go by steps, 0 for all */
        bool company;
    } ways[] = {{100000, 1, 0, 0, false}, {1, 1, 0, 100, false},    {1, 3, 1, 30, true},
                {7, 2, 1, 100, false},    {100000, 3, 1, 0, false}, {100, 3, 0, 0, true},
                {33, 2, 0, 0, true},      {1, 2, 0, 40, false}};
    size_t total = (size_t)c->T * (size_t)(c->a.heads * c->a.head_dim);
    float *first = kc_mem(total * 4), *o = kc_mem(total * 4);
    for (int i = 0; i < 8; i++) {
        struct zk_dev *dev = kc_with_threads(c->lv, ways[i].threads, false);
        if (dev == NULL)
            return false;
        int step = ways[i].step < c->T ? ways[i].step : c->T;
        int lead = ways[i].tail > 0 ? c->T - ways[i].tail : 0;
        int r = in_pieces(dev, i == 0 ? first : o, c, lead, step, c->pages[ways[i].order],
                          ways[i].company);
        dev->ops->close(dev);
        if (r < 0)
            return kc_fail("refused");
        if (i > 0 && !kc_equal(o, first, total))
            return false;
    }
    return true;
}

/* So long a sequence, with heads so wide, that the parts of a row's stretches do not all fit into
 * the scratch of a device: 16 heads of 512, 129 stretches. */
static bool long_check(void *arg)
{
    const struct kc_level *lv = arg;
    enum { H = 16, D = 512, STEP = 128, T = 129 * 256 - 5 };
    const struct zk_attn a = {.heads = H, .kv_heads = 1, .head_dim = D, .scale = 0.02f};
    const size_t row = (H + 2) * D;
    const int n_pages = (T + ZK_PAGE - 1) / ZK_PAGE;
    float *qkv = kc_mem(STEP * row * 4), *o[2] = {kc_buf(H * D * 4), kc_buf(H * D * 4)};
    int32_t *pages = kc_mem((size_t)n_pages * sizeof *pages);
    struct zk_seq *s = kc_mem(sizeof *s);
    struct zk_dev *dev[2] = {kc_with_threads(lv, 1, false), kc_with_threads(lv, 3, false)};
    if (dev[0] == NULL || dev[1] == NULL)
        return false;
    struct zk_kv kv = {
        kc_buf(dev[0]->ops->kv_page_bytes(dev[0], ZK_KV_F16, 1, D) * (size_t)n_pages)};
    int r = ZC_OK;
    for (int i = 0; i < n_pages; i++)
        pages[i] = n_pages - 1 - i;
    kc_fill(qkv, STEP * row, KC_RANDOM);
    for (int pos = 0; pos < T && r == ZC_OK; pos += STEP) { /* the same rows again and again */
        *s = (struct zk_seq){pages, 0, T - pos < STEP ? T - pos : STEP, pos};
        struct zk_batch b = {.rows = s->n_rows, .n_seqs = 1, .last_pos = T - 1, .seqs = s};
        qkv[(size_t)H * D] = (float)(pos % 977);
        r = kc_result(dev[0], dev[0]->ops->rope_store(dev[0], qkv, o[0], &b, &a, &kv));
    }
    *s = (struct zk_seq){pages, 0, 1, T - 1};
    struct zk_batch b = {.rows = 1, .n_seqs = 1, .last_pos = T - 1, .seqs = s};
    for (int i = 0; i < 2; i++) {
        if (r == ZC_OK)
            r = kc_result(dev[i], dev[i]->ops->attn(dev[i], o[i], qkv, &b, &a, &kv));
        dev[i]->ops->close(dev[i]);
    }
    return r < 0 ? kc_fail("refused") : kc_equal(o[1], o[0], H * D);
}

void kc_test_chunks(void)
{
    for (int l = 0; l < kc_n_levels && !kc_is_over(16 * 512 * 129 * 256); l++)
        kc_run(&kc_levels[l], "129 stretches of 16 heads of 512", long_check, &kc_levels[l]);
    kc_release();

    static const int dims[][5] = {{4, 2, 16, 600, 0},
                                  {8, 2, 64, 530, 0},
                                  {4, 4, 8, 300, 0},
                                  {4, 2, 16, 560, 100},
                                  {20, 1, 12, 270, 0}};
    for (int s = 0; s < 5; s++)
        for (int type = 0; type < ZK_N_KV_TYPES; type++) {
            struct chunk_case c = {.T = dims[s][3]};
            if (kc_is_over(32.0 * dims[s][0] * dims[s][2] * c.T * c.T))
                continue;
            int n_pages = (c.T + ZK_PAGE - 1) / ZK_PAGE;
            char what[100];
            c.a = (struct zk_attn){.heads = dims[s][0],
                                   .kv_heads = dims[s][1],
                                   .head_dim = dims[s][2],
                                   .rot_dim = dims[s][2] / 2,
                                   .scale = 0.5f,
                                   .window = dims[s][4],
                                   .kv_type = (enum zk_kv_type)type};
            size_t n = (size_t)c.T * (size_t)((c.a.heads + 2 * c.a.kv_heads) * c.a.head_dim);
            size_t turns = (size_t)(c.T * c.a.rot_dim);
            float *qkv = kc_mem(n * 4), *cs = kc_mem(turns * 4);
            kc_fill(qkv, n, KC_RANDOM);
            kc_fill(cs, turns, KC_RANDOM);
            c.qkv = qkv, c.cs = cs;
            for (int order = 0; order < 2; order++) {
                c.pages[order] = kc_mem((size_t)n_pages * sizeof(int32_t));
                for (int i = 0; i < n_pages; i++) {
                    int at = order ? kc_int(0, i) : i;
                    c.pages[order][i] = c.pages[order][at];
                    c.pages[order][at] = i;
                }
            }
            snprintf(what, sizeof what, "%d/%d heads of %d, %d positions, window %d, type %d",
                     c.a.heads, c.a.kv_heads, c.a.head_dim, c.T, c.a.window, type);
            for (int l = 0; l < kc_n_levels; l++) {
                c.lv = &kc_levels[l];
                kc_run(c.lv, what, chunk_check, &c);
            }
            kc_release();
        }
}
