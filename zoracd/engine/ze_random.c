/* SPDX-License-Identifier: MIT */
/* Weights made up in place, of the forms that a config.json says: what zorac-bench --shape
 * measures. Codes are random, scales are such that activations keep their size through any number
 * of layers. Nothing but speed is to be learnt from such a model. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/engine/ze_internal.h"
#include "zoracd/engine/ze_model.h"

/* What a file of that scheme would hold of a matrix; 0 where its form says that already. */
static uint64_t file_bytes(const struct zw_scheme *s, uint64_t n, uint64_t k)
{
    if (s->layout == ZW_BNB) {
        const uint64_t blocks = n * k / (uint64_t)s->group;
        return n * k / 2 + (s->is_nested ? blocks + blocks / 64 : blocks * 4);
    }
    if (s->layout != ZW_FP8)
        return 0;
    const uint64_t rows = s->group_rows > 0 ? (uint64_t)s->group_rows : n;
    const uint64_t cols = s->group > 0 ? (uint64_t)s->group : k;
    return n * k + (n + rows - 1) / rows * ((k + cols - 1) / cols) * 4;
}

/* Whether those who make files of that scheme leave the head as it is, without saying so. */
static bool is_left_out(const struct zw_scheme *s)
{
    return s->layout == ZW_BNB || s->layout == ZW_FP8;
}

int ze_random_probe(struct zw_linear *ret_l, const struct zw_quant *q, const char *name, int n,
                    int k, struct zc_diag *dg)
{
    struct zw_linear l = {.desc = {.form = ZK_W16, .n = n, .k = k, .type = ZK_BF16}};
    const struct zw_scheme *s;
    int r;

    if ((r = zw_quant_scheme(&s, q, name, dg)) < 0)
        return r;
    snprintf(l.name, sizeof l.name, "%s", name);
    if (s && !(strstr(name, "lm_head") && is_left_out(s))) {
        l.layout = s->layout;
        l.file_bytes = file_bytes(s, (uint64_t)n, (uint64_t)k);
        l.desc.type = s->layout == ZW_FP8 ? s->type : ZK_BF16;
        l.desc.form = zw_quant_form(s);
        l.desc.group = s->group > 0 && s->group < k ? s->group : k;
        l.desc.has_zero = l.desc.form <= ZK_W8A && !s->symmetric;
    }
    *ret_l = l;
    return ZC_OK;
}

/* As bitsandbytes' nf4; of fp4 the speed is the same. */
static const float nf4[16] = {-1,           -0.69619280F, -0.52507305F, -0.39491749F,
                              -0.28444138F, -0.18477343F, -0.09105004F, 0,
                              0.07958030F,  0.16093020F,  0.24611230F,  0.33791524F,
                              0.44070983F,  0.56261700F,  0.72295684F,  1};

static size_t code_bytes(const struct zk_mat_desc *d)
{
    switch (d->form) {
    case ZK_W4A:
    case ZK_W4L:
        return (size_t)d->n * (((size_t)d->k + 1) / 2);
    case ZK_W8A:
    case ZK_W8F:
        return (size_t)d->n * (size_t)d->k;
    case ZK_W16:
        return (size_t)d->n * (size_t)d->k * 2;
    case ZK_W32:
    case ZK_N_FORMS:
        break;
    }
    return (size_t)d->n * (size_t)d->k * 4;
}

static size_t n_groups(const struct zk_mat_desc *d)
{
    return d->group > 0 ? ((size_t)d->k + (size_t)d->group - 1) / (size_t)d->group : 0;
}

static size_t scale_size(const struct zk_mat_desc *d)
{
    return d->form == ZK_W4L || d->form == ZK_W8F ? sizeof(float) : sizeof(uint16_t);
}

/* Memory for the largest part of all: codes, then zeros, then scales. */
uint64_t ze_random_staging(const struct ze_model *m)
{
    uint64_t most = 0;

    for (int i = 0; i < m->n_linears; i++) {
        const struct zk_mat_desc *d = &m->linears[i]->mat.d;
        uint64_t bytes = code_bytes(d) + (uint64_t)d->n * n_groups(d) * (1 + scale_size(d));
        most = bytes > most ? bytes : most;
    }
    uint64_t embed = m->embed_on_host ? 0 : ze_model_embed_bytes(m);
    return embed > most ? embed : most;
}

static void fill_random(void *p, size_t n, uint64_t seed)
{
    uint64_t x = seed * 0x9E3779B97F4A7C15 | 1;
    char *at = p;

    for (; n >= 8; n -= 8, at += 8) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        memcpy(at, &x, 8);
    }
    memset(at, 7, n);
}

/* bf16 between 0.5 and 2 times size in magnitude. */
static void fill_bf16(uint16_t *p, size_t n, float size, uint64_t seed)
{
    uint16_t base = zk_f32_to_bf16(size);

    fill_random(p, n * sizeof *p, seed);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint16_t)((base & 0x7f80) | (p[i] & 0x807f));
}

/* fp8 between 0.5 and 1 in magnitude. */
static void fill_f8(uint8_t *p, size_t n, uint64_t seed)
{
    fill_random(p, n, seed);
    for (size_t i = 0; i < n; i++)
        p[i] = (p[i] & 0x87) | 0x30;
}

/* The scales that make numbers, of about `size` without them, right in size. */
static void fill_scales(void *p, const struct zk_mat_desc *d, size_t n, float size)
{
    const uint16_t s = d->type == ZK_F16 ? zk_f32_to_f16(size) : zk_f32_to_bf16(size);

    for (size_t i = 0; i < n; i++)
        memcpy((char *)p + i * scale_size(d), scale_size(d) == 4 ? (const void *)&size : &s,
               scale_size(d));
}

/* A whole matrix of m's description as one canonical part. The pieces are in mem. */
static struct zk_canon make_canon(const struct zk_mat_desc *d, char *mem, uint64_t seed)
{
    static const float sizes[ZK_N_FORMS] = {
        [ZK_W4A] = 8, [ZK_W8A] = 128, [ZK_W4L] = 0.5F, [ZK_W8F] = 0.75F};
    struct zk_canon c = {.form = d->form, .n = d->n, .k = d->k, .group = d->group, .type = d->type};
    size_t codes = code_bytes(d), groups = (size_t)d->n * n_groups(d);
    float size = 1 / sqrtf((float)d->k);

    if (d->form == ZK_W16) {
        fill_bf16((uint16_t *)(void *)mem, codes / 2, size, seed);
        c.w = mem;
        return c;
    }
    char *zero = mem + codes;
    void *scale = mem + (codes + groups + 3) / 4 * 4;
    if (d->form == ZK_W8F)
        fill_f8((uint8_t *)mem, codes, seed);
    else
        fill_random(mem, codes, seed);
    fill_random(zero, groups, seed + 1);
    for (size_t i = 0; i < groups && d->form == ZK_W4A; i++)
        zero[i] &= 15;
    for (size_t i = 0; i < groups && d->form == ZK_W8A; i++)
        zero[i] = (char)128;
    fill_scales(scale, d, groups, size / sizes[d->form]);
    c.table = nf4;
    c.q = (const uint8_t *)mem;
    c.zero = d->has_zero ? (const uint8_t *)zero : NULL;
    c.scale = scale;
    return c;
}

/* The parts of a matrix, all from the same codes. */
static int fill_linear(struct ze_model *m, struct ze_linear *x, char *mem, uint64_t seed,
                       struct zc_diag *dg)
{
    struct zk_canon parts[ZW_MAX_PARTS];

    struct zk_mat_desc d = x->mat.d;

    d.n = 0;
    for (int i = 0; i < x->n_parts; i++)
        d.n = x->part[i].desc.n > d.n ? x->part[i].desc.n : d.n;
    struct zk_canon largest = make_canon(&d, mem, seed);
    for (int i = 0; i < x->n_parts; i++) {
        parts[i] = largest;
        parts[i].n = x->part[i].desc.n;
    }
    return m->dev->ops->mat_pack(m->dev, &x->mat, parts, x->n_parts, dg);
}

int ze_random_fill(struct ze_model *m, const struct zw_load_opts *opts, struct zc_diag *dg)
{
    size_t n_embed = (size_t)m->c.V * (size_t)m->c.C;
    void *mem;
    int r;

    if ((r = zc_try_malloc(&mem, ze_random_staging(m) + 4, 1, SIZE_MAX)) < 0)
        return zc_diag(dg, r, "no memory to make up weights in");
    fill_bf16(m->embed_on_host ? m->embed : mem, n_embed, 0.5F, 1);
    if (!m->embed_on_host)
        r = m->dev->ops->upload(m->dev, m->embed, mem, n_embed * 2);
    for (int i = 0; i < m->n_linears && r == ZC_OK; i++) {
        r = fill_linear(m, m->linears[i], mem, (uint64_t)i + 2, dg);
        if (opts->progress)
            opts->progress((uint64_t)i + 1, (uint64_t)m->n_linears, opts->arg);
    }
    zc_free(mem);
    return r;
}
