/* SPDX-License-Identifier: MIT */
/* --bench: what the kernels do at the shapes of a 1B model, with all threads. For comparing two
 * states of the tree on one machine; zorac-bench measures whole steps. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/kcheck/kcheck_mat.h"

struct bench {
    struct zk_dev *dev;
    float *y;
    struct zk_act x, out;
    struct zk_mat m[8]; /* several, so that a decode reads memory and not a cache */
    int next, n_mats, rows;
    struct zk_attn a;
    struct zk_batch b;
    struct zk_kv kv;
    float *qkv;
};

static void product(void *arg)
{
    struct bench *b = arg;
    const struct zk_mat *m = &b->m[b->next++ % b->n_mats];
    b->dev->ops->matmul(b->dev, b->y, m->d.n, &b->x, m, NULL, b->rows, false);
}

static void attend(void *arg)
{
    struct bench *b = arg;
    b->dev->ops->attn(b->dev, b->y, b->qkv, &b->b, &b->a, &b->kv);
}

static void *dev_mem(struct zk_dev *dev, size_t bytes)
{
    void *p = NULL;
    if (dev->ops->alloc(dev, &p, bytes, NULL) < 0)
        kc_fail("no memory");
    return p;
}

static void bench_product(struct zk_dev *dev, enum zk_form form, int n, int k, int rows)
{
    struct bench b = {.dev = dev, .rows = rows, .n_mats = rows == 1 ? 8 : 1};
    struct zk_mat_desc d = {
        .form = form, .n = n, .k = k, .group = 128, .type = ZK_BF16, .has_zero = form == ZK_W4A};
    struct kc_mat src;
    kc_mat_make(&src, &d, KC_RANDOM);
    for (int i = 0; i < b.n_mats; i++) {
        b.m[i] = (struct zk_mat){.d = d, .bytes = dev->ops->mat_bytes(dev, &d)};
        b.m[i].data = dev_mem(dev, b.m[i].bytes);
        dev->ops->mat_pack(dev, &b.m[i], src.part, src.n_parts, NULL);
    }
    float *x = kc_mem((size_t)rows * (size_t)k * 4);
    kc_fill(x, (size_t)rows * (size_t)k, KC_RANDOM);
    b.x = kc_act(dev, b.m[0].act, rows, k);
    dev->ops->to_act(dev, &b.x, x, k, rows, k, NULL);
    b.y = kc_mem((size_t)rows * (size_t)n * 4);
    double s = kc_time(product, &b);
    printf("  form %d %5dx%-5d %4d rows %9.1f us %7.1f GB/s %7.1f Gmac/s\n", form, n, k, rows,
           s * 1e6, (double)b.m[0].bytes / s * 1e-9, (double)n * k * rows / s * 1e-9);
    for (int i = 0; i < b.n_mats; i++)
        dev->ops->free(dev, b.m[i].data, b.m[i].bytes);
    kc_release();
}

static void bench_attention(struct zk_dev *dev, int D, int pos0, int rows)
{
    struct bench b = {.dev = dev, .rows = rows};
    b.a = (struct zk_attn){.heads = 32, .kv_heads = 8, .head_dim = D, .rot_dim = D, .scale = 0.1f};
    int all = pos0 + rows, n_pages = (all + ZK_PAGE - 1) / ZK_PAGE;
    size_t row = (size_t)(48 * D),
           bytes = (size_t)n_pages * dev->ops->kv_page_bytes(dev, ZK_KV_F16, 8, D);
    int32_t *pages = kc_mem((size_t)n_pages * sizeof *pages);
    float *cs = kc_mem((size_t)(all * D) * 4);
    for (int i = 0; i < n_pages; i++)
        pages[i] = i;
    b.kv.base = dev_mem(dev, bytes);
    b.qkv = kc_mem((size_t)all * row * 4);
    b.y = kc_mem((size_t)all * row * 4);
    kc_fill(b.qkv, (size_t)all * row, KC_RANDOM);
    struct zk_seq s = {.pages = pages, .n_rows = all};
    b.b = (struct zk_batch){.rows = all, .n_seqs = 1, .seqs = &s};
    dev->ops->rope_store(dev, b.qkv, cs, &b.b, &b.a, &b.kv);
    s.n_rows = rows, s.pos0 = pos0;
    b.b.rows = rows;
    double t = kc_time(attend, &b), pairs = (double)rows * (pos0 + (rows + 1) / 2.0) * 32;
    printf("  attention D %d, %d rows at %d %9.1f us %7.1f Gmac/s\n", D, rows, pos0, t * 1e6,
           pairs * 2 * D / t * 1e-9);
    dev->ops->free(dev, b.kv.base, bytes);
    kc_release();
}

void kc_test_bench(void)
{
    for (int l = 0; l < kc_n_levels; l++) {
        struct zk_cpu_opts o = {.caps = kc_levels[l].caps, .huge_pages = true};
        struct zk_dev *dev;
        if (zk_cpu_open(&dev, &o, NULL) < 0)
            continue;
        printf("%s: reads %.1f GB/s, peak %.1f (int8) %.1f (float) Gmac/s\n", dev->label,
               zk_probe_memory(dev, (size_t)256 << 20, 3) * 1e-9,
               dev->ops->probe_peak(dev, ZK_ACT_Q8, 100) * 1e-9,
               dev->ops->probe_peak(dev, ZK_ACT_F32, 100) * 1e-9);
        for (int form = ZK_W4A; form <= ZK_W16; form++) {
            bench_product(dev, (enum zk_form)form, 8192, 2048, 1);
            if (kc_levels[l].caps == ZK_CAP_PORTABLE)
                continue;
            bench_product(dev, (enum zk_form)form, 2048, 8192, 1);
            bench_product(dev, (enum zk_form)form, 2048, 2048, 8);
            bench_product(dev, (enum zk_form)form, 2048, 2048, 512);
        }
        bench_attention(dev, 64, 0, 512);
        bench_attention(dev, 64, 4000, 1);
        bench_attention(dev, 128, 4000, 1);
        dev->ops->close(dev);
    }
}
