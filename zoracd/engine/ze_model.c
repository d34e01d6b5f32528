/* SPDX-License-Identifier: MIT */
/* Binding, placing, loading. Names of the files occur here and nowhere else in the engine. */
#include "zoracd/engine/ze_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/engine/ze_internal.h"

#define ALIGNMENT 64

void *ze_arena_take(struct ze_arena *a, uint64_t bytes)
{
    uint64_t at = a->used;

    a->used += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return a->base ? a->base + at : NULL;
}

/* ---- binding: names ------------------------------------------------------------------------ */

/* What the functions of binding pass around. */
struct binder {
    struct ze_model *m;
    int head_bits;
    struct zc_diag *dg;
};

static void layer_name(char *name, size_t cap, const struct ze_model *m, int layer,
                       const char *suffix)
{
    snprintf(name, cap, "%slayers.%d.%s", m->prefix, layer, suffix);
}

/* Where the language model's names begin, by what holds the embedding. */
static int find_prefix(struct binder *b)
{
    static const char *const prefixes[] = {"model.", "language_model.model.",
                                           "model.language_model."};
    struct ze_model *m = b->m;
    char name[64];

    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        snprintf(m->prefix, sizeof m->prefix, "%s", prefixes[i]);
        snprintf(name, sizeof name, "%sembed_tokens.weight", prefixes[i]);
        if (!m->store || (m->embed_tensor = zw_store_find(m->store, name)))
            return ZC_OK;
    }
    return zc_diag(b->dg, ZC_EFORMAT, "tensor model.embed_tokens.weight is missing");
}

static int bind_vector(struct binder *b, const char *name, int n, float **slot)
{
    struct ze_model *m = b->m;
    struct ze_vector *v = &m->vectors[m->n_vectors++];
    const struct zw_tensor *t;

    snprintf(v->name, sizeof v->name, "%s", name);
    v->n = n;
    v->slot = slot;
    if (!m->store)
        return ZC_OK;
    if (!(t = zw_store_find(m->store, name)))
        return zc_diag(b->dg, ZC_EFORMAT, "tensor %s is missing", name);
    if (t->rank != 1 || t->shape[0] != (uint64_t)n)
        return zc_diag(b->dg, ZC_EFORMAT, "tensor %s has %llu elements, config.json says %d", name,
                       t->rank == 1 ? (unsigned long long)t->shape[0] : 0ull, n);
    return ZC_OK;
}

static int bind_layer_vector(struct binder *b, int layer, const char *suffix, int n, float **slot)
{
    char name[192];

    layer_name(name, sizeof name, b->m, layer, suffix);
    return bind_vector(b, name, n, slot);
}

/* ---- binding: matrices --------------------------------------------------------------------- */

static int probe(struct binder *b, struct zw_linear *l, const char *name, int n, int k)
{
    if (!b->m->store)
        return ze_random_probe(l, b->m->quant, name, n, k, b->dg);
    return zw_linear_probe(l, b->m->store, b->m->quant, name, n, k, b->dg);
}

/* A module of a layer: n rows of k, with a bias where the architecture has one and only there. */
static int probe_in_layer(struct binder *b, struct zw_linear *l, int layer, const char *module,
                          int n, int k, bool has_bias)
{
    char name[192];
    int r;

    layer_name(name, sizeof name, b->m, layer, module);
    r = probe(b, l, name, n, k);
    if (r == ZC_ENOTFOUND) /* of a tensor: the model is there, and not whole */
        return ZC_EFORMAT;
    if (r < 0 || !b->m->store)
        return r;
    if (has_bias && !l->bias)
        return zc_diag(b->dg, ZC_EFORMAT, "tensor %s.bias is missing", name);
    if (!has_bias && l->bias)
        return zc_diag(b->dg, ZC_EFORMAT, "tensor %s has no place in %s with this config.json",
                       l->bias->name, b->m->c.architecture);
    return ZC_OK;
}

/* Makes one matrix of n parts that are probed already, and lists it. */
static int add_linear(struct binder *b, struct ze_linear *x, int n, enum zk_join join,
                      bool has_bias)
{
    const struct zw_linear *parts[ZW_MAX_PARTS];
    int r;

    for (int i = 0; i < n; i++)
        parts[i] = &x->part[i];
    if ((r = zw_linear_join(&x->mat.d, parts, n, join, b->dg)) < 0)
        return r;
    x->n_parts = n;
    x->has_bias = has_bias;
    b->m->linears[b->m->n_linears++] = x;
    return ZC_OK;
}

/* One matrix of all n parts (in x[0]) where their forms allow it, else n matrices. Returns how many
 * in *ret_n. */
static int add_joined(struct binder *b, struct ze_linear *x, int n, enum zk_join join,
                      bool has_bias, int *ret_n)
{
    int r = add_linear(b, x, n, join, has_bias);

    *ret_n = 1;
    if (r != ZC_EUNSUPPORTED)
        return r;
    *ret_n = n;
    for (int i = 1; i < n; i++)
        x[i].part[0] = x[0].part[i];
    for (int i = 0; i < n; i++)
        if ((r = add_linear(b, &x[i], 1, ZK_JOIN_ROWS, has_bias)) < 0)
            return r;
    return ZC_OK;
}

static int bind_attention(struct binder *b, struct ze_layer *y, int l)
{
    const struct ze_config *c = &b->m->c;
    struct zw_linear *q = &y->qkv[0].part[0], *k = &y->qkv[0].part[1], *v = &y->qkv[0].part[2];
    int r;

    if ((r = bind_layer_vector(b, l, "input_layernorm.weight", c->C, &y->attn_norm)) < 0)
        return r;
    if (c->qk_norm &&
        ((r = bind_layer_vector(b, l, "self_attn.q_norm.weight", c->D, &y->q_norm)) < 0 ||
         (r = bind_layer_vector(b, l, "self_attn.k_norm.weight", c->D, &y->k_norm)) < 0))
        return r;
    if ((r = probe_in_layer(b, q, l, "self_attn.q_proj", c->H * c->D, c->C, c->qkv_bias)) < 0 ||
        (r = probe_in_layer(b, k, l, "self_attn.k_proj", c->K * c->D, c->C, c->qkv_bias)) < 0 ||
        (r = probe_in_layer(b, v, l, "self_attn.v_proj", c->K * c->D, c->C, c->qkv_bias)) < 0 ||
        (r = add_joined(b, y->qkv, 3, ZK_JOIN_ROWS, c->qkv_bias, &y->n_qkv)) < 0 ||
        (r = probe_in_layer(b, &y->o.part[0], l, "self_attn.o_proj", c->C, c->H * c->D,
                            c->o_bias)) < 0)
        return r;
    return add_linear(b, &y->o, 1, ZK_JOIN_ROWS, c->o_bias);
}

static int bind_ffn(struct binder *b, struct ze_layer *y, int l)
{
    const struct ze_config *c = &b->m->c;
    struct zw_linear *gate = &y->gate_up[0].part[0], *up = &y->gate_up[0].part[1];
    bool bias = c->mlp_bias;
    int r;

    if ((r = bind_layer_vector(b, l, "post_attention_layernorm.weight", c->C, &y->ffn_norm)) < 0 ||
        (r = probe_in_layer(b, gate, l, "mlp.gate_proj", c->F, c->C, bias)) < 0 ||
        (r = probe_in_layer(b, up, l, "mlp.up_proj", c->F, c->C, bias)) < 0 ||
        (r = add_joined(b, y->gate_up, 2, ZK_JOIN_PAIRS, bias, &y->n_gate_up)) < 0 ||
        (r = probe_in_layer(b, &y->down.part[0], l, "mlp.down_proj", c->C, c->F, bias)) < 0)
        return r;
    return add_linear(b, &y->down, 1, ZK_JOIN_ROWS, bias);
}

/* lm_head where there is one, whatever config.json says of tying; else the embedding. */
static int bind_head(struct binder *b)
{
    static const char *const names[] = {"lm_head", "language_model.lm_head"};
    struct ze_model *m = b->m;
    struct ze_linear *x = &m->head;
    char name[64];
    int r = ZC_ENOTFOUND;

    for (size_t i = 0; i < sizeof names / sizeof *names && r == ZC_ENOTFOUND; i++)
        if (m->store || !m->c.tied)
            r = probe(b, &x->part[0], names[i], m->c.V, m->c.C);
    m->c.tied = r == ZC_ENOTFOUND;
    if (r == ZC_ENOTFOUND) {
        snprintf(name, sizeof name, "%sembed_tokens", m->prefix);
        r = probe(b, &x->part[0], name, m->c.V, m->c.C);
    }
    if (r < 0 || (r = add_linear(b, x, 1, ZK_JOIN_ROWS, x->part[0].bias != NULL)) < 0)
        return r;
    x->quantize_w8a = b->head_bits == 8 && x->part[0].layout == ZW_PLAIN;
    if (x->quantize_w8a)
        zw_quantize_desc(&x->mat.d, m->c.V, m->c.C);
    return ZC_OK;
}

static int bind_embedding(struct binder *b)
{
    const struct ze_config *c = &b->m->c;
    const struct zw_tensor *t = b->m->embed_tensor;

    b->m->embed_type = ZK_BF16;
    if (!t)
        return ZC_OK;
    if (t->rank != 2 || t->shape[0] != (uint64_t)c->V || t->shape[1] != (uint64_t)c->C)
        return zc_diag(b->dg, ZC_EFORMAT,
                       "tensor %s is %llu x %llu, config.json says %d x %d (vocab_size x "
                       "hidden_size)",
                       t->name, t->rank > 0 ? (unsigned long long)t->shape[0] : 0ull,
                       t->rank > 1 ? (unsigned long long)t->shape[1] : 0ull, c->V, c->C);
    if (t->dtype != ZW_F16 && t->dtype != ZW_BF16 && t->dtype != ZW_F32)
        return zc_diag(b->dg, ZC_EUNSUPPORTED, "tensor %s is %s, not F16, BF16 or F32", t->name,
                       t->dtype_name);
    b->m->embed_type = t->dtype == ZW_F16 ? ZK_F16 : t->dtype == ZW_BF16 ? ZK_BF16 : ZK_F32;
    return ZC_OK;
}

static void set_attention(struct ze_model *m, struct ze_layer *y, int l)
{
    const struct ze_config *c = &m->c;

    y->attn = (struct zk_attn){
        .heads = c->H,
        .kv_heads = c->K,
        .head_dim = c->D,
        .rot_dim = c->rope.rot_dim,
        .scale = (float)(1 / __builtin_sqrt(c->D)),
        .window = ze_config_window(c, l),
        .norm_eps = c->norm_eps,
    };
}

/* ---- binding: nothing is left over --------------------------------------------------------- */

/* Parts of names that carry no weight of the language model: other towers, tables that are computed
 * here, scales of activations and caches that are not quantized here. */
static bool is_ignorable(const char *name)
{
    static const char *const parts[] = {
        "vision_tower.", "vision_model.", "visual.",      "multi_modal_projector.",
        "patch_merger.", "rotary_emb.",   "k_scale",      "v_scale",
        "q_scale",       "input_scale",   "output_scale", "activation_scale",
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strstr(name, parts[i]))
            return true;
    return false;
}

static int by_address(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t) * (const void *const *)a, y = (uintptr_t) * (const void *const *)b;
    return x < y ? -1 : x > y;
}

/* The tensors that binding has found, sorted. */
static size_t gather_used(const struct ze_model *m, const void **used)
{
    size_t n = 0;

    used[n++] = m->embed_tensor;
    for (int i = 0; i < m->n_vectors; i++)
        used[n++] = zw_store_find(m->store, m->vectors[i].name);
    for (int i = 0; i < m->n_linears; i++) {
        for (int p = 0; p < m->linears[i]->n_parts; p++) {
            const struct zw_linear *l = &m->linears[i]->part[p];
            const void *tensors[] = {l->weight, l->scale,        l->zero,        l->g_idx,
                                     l->bias,   l->nested_scale, l->nested_table};
            for (size_t t = 0; t < sizeof tensors / sizeof *tensors; t++)
                if (tensors[t])
                    used[n++] = tensors[t];
        }
    }
    qsort(used, n, sizeof *used, by_address);
    return n;
}

/* A tensor that nobody asked for means that config.json is of another model. What stands beside a
 * packed matrix (its shape, its state, an order that changes nothing) the weights room has looked
 * at. */
static int refuse_strangers(struct binder *b)
{
    const struct ze_model *m = b->m;
    void *mem;
    int r = zc_try_malloc(&mem, (size_t)m->n_vectors + 7 * ZW_MAX_PARTS * (size_t)m->n_linears + 1,
                          sizeof(void *), SIZE_MAX);
    if (r < 0)
        return zc_diag(b->dg, r, "no memory for the names of tensors");
    size_t n = gather_used(m, mem);
    for (size_t i = 0; i < zw_store_n_tensors(m->store) && r == ZC_OK; i++) {
        const void *t = zw_store_tensor(m->store, i);
        const char *name = ((const struct zw_tensor *)t)->name;
        if (bsearch(&t, mem, n, sizeof(void *), by_address) || is_ignorable(name) ||
            strstr(name, ".weight_shape") || strstr(name, "g_idx") ||
            strstr(name, ".weight.quant_"))
            continue;
        r = zc_diag(b->dg, ZC_EFORMAT, "tensor %s has no place in %s with this config.json", name,
                    m->c.architecture);
    }
    zc_free(mem);
    return r;
}

/* ---- binding: whole ------------------------------------------------------------------------ */

static int bind_all(struct binder *b)
{
    struct ze_model *m = b->m;
    int r;

    m->layers = zc_xcalloc((size_t)m->c.L, sizeof *m->layers);
    m->vectors = zc_xcalloc((size_t)m->c.L * 4 + 1, sizeof *m->vectors);
    m->linears = zc_xcalloc((size_t)m->c.L * 7 + 1, sizeof *m->linears);
    if ((r = find_prefix(b)) < 0 || (r = bind_embedding(b)) < 0)
        return r;
    for (int l = 0; l < m->c.L; l++) {
        set_attention(m, &m->layers[l], l);
        if ((r = bind_attention(b, &m->layers[l], l)) < 0 ||
            (r = bind_ffn(b, &m->layers[l], l)) < 0)
            return r;
    }
    char name[64];
    snprintf(name, sizeof name, "%snorm.weight", m->prefix);
    if ((r = bind_vector(b, name, m->c.C, &m->norm)) < 0 || (r = bind_head(b)) < 0)
        return r;
    return m->store ? refuse_strangers(b) : ZC_OK;
}

/* config.json of a directory with its weights, or by itself. */
static int open_files(struct ze_model *m, const char *dir, bool random_weights, struct zc_diag *dg)
{
    json_t *config = NULL;
    int r;

    if (!random_weights) {
        if ((r = ze_config_read(&m->c, dir, &config, dg)) < 0 ||
            (r = zw_quant_new(&m->quant, config, dir, dg)) < 0)
            goto out;
        r = zw_store_open(&m->store, dir, dg);
    } else {
        if ((r = ze_config_json_file(&config, dir, dg)) < 0 ||
            (r = ze_config_parse(&m->c, config, NULL, dg)) < 0)
            goto out;
        r = zw_quant_new(&m->quant, config, NULL, dg);
    }
out:
    json_decref(config);
    return r;
}

int ze_model_bind(struct ze_model **ret_m, const char *dir, bool random_weights, int head_bits,
                  struct zk_dev *dev, struct zc_diag *dg)
{
    struct ze_model *m = zc_xcalloc(1, sizeof *m);
    struct binder b = {.m = m, .head_bits = head_bits, .dg = dg};
    int r;

    m->dev = dev;
    m->embed_on_host = dev->embeds_from_host;
    if ((r = open_files(m, dir, random_weights, dg)) < 0 || (r = bind_all(&b)) < 0) {
        ze_model_free(m);
        return r;
    }
    *ret_m = m;
    return ZC_OK;
}

/* ---- placing ------------------------------------------------------------------------------- */

uint64_t ze_model_embed_bytes(const struct ze_model *m)
{
    return (uint64_t)m->c.V * (uint64_t)m->c.C * (m->embed_type == ZK_F32 ? 4 : 2);
}

void ze_model_place(struct ze_model *m, struct ze_arena *a)
{
    memset(m->form_bytes, 0, sizeof m->form_bytes);
    for (int i = 0; i < m->n_linears; i++) {
        struct ze_linear *x = m->linears[i];
        x->mat.bytes = m->dev->ops->mat_bytes(m->dev, &x->mat.d);
        x->mat.data = ze_arena_take(a, x->mat.bytes);
        x->bias = x->has_bias ? ze_arena_take(a, (uint64_t)x->mat.d.n * sizeof(float)) : NULL;
        m->form_bytes[x->mat.d.form] += x->mat.bytes;
    }
    for (int i = 0; i < m->n_vectors; i++)
        *m->vectors[i].slot = ze_arena_take(a, (uint64_t)m->vectors[i].n * sizeof(float));
    m->inv_freq = ze_arena_take(a, (uint64_t)m->c.rope.rot_dim / 2 * sizeof(float));
    if (!m->embed_on_host) {
        m->embed = ze_arena_take(a, ze_model_embed_bytes(m));
        m->form_bytes[m->embed_type == ZK_F32 ? ZK_W32 : ZK_W16] += ze_model_embed_bytes(m);
    }
    for (int l = 0; l < m->c.L; l++) {
        m->layers[l].attn.q_norm = m->layers[l].q_norm;
        m->layers[l].attn.k_norm = m->layers[l].k_norm;
    }
}

/* ---- loading ------------------------------------------------------------------------------- */

/* All matrices and the embedding, as jobs for the loader. The caller frees. */
static struct zw_load_job *make_jobs(const struct ze_model *m, int *ret_n)
{
    struct zw_load_job *jobs = zc_xcalloc((size_t)m->n_linears + 1, sizeof *jobs);
    int n = 0;

    for (int i = 0; i < m->n_linears; i++) {
        struct ze_linear *x = m->linears[i];
        struct zw_load_job *j = &jobs[n++];
        j->mat = &x->mat;
        j->n_parts = x->n_parts;
        j->quantize_w8a = x->quantize_w8a;
        for (int p = 0; p < x->n_parts; p++)
            j->parts[p] = &x->part[p];
    }
    jobs[n++] = (struct zw_load_job){
        .raw = m->embed_tensor,
        .raw_dst = m->embed,
        .raw_is_host = m->embed_on_host || m->dev->is_host,
    };
    *ret_n = n;
    return jobs;
}

uint64_t ze_model_staging(const struct ze_model *m, const struct zw_load_opts *opts)
{
    int n;

    if (!m->store)
        return ze_random_staging(m);
    struct zw_load_job *jobs = make_jobs(m, &n);
    uint64_t bytes = zw_load_staging(jobs, n, opts);
    zc_free(jobs);
    return bytes;
}

/* One vector, by way of host memory. */
static int load_vector(struct ze_model *m, const struct ze_vector *v, float *host,
                       struct zc_diag *dg)
{
    int r = ZC_OK;

    if (m->store)
        r = zw_read_vector(host, m->store, v->name, (uint64_t)v->n, dg);
    else
        for (int i = 0; i < v->n; i++)
            host[i] = 1;
    if (r < 0)
        return r;
    return m->dev->ops->upload(m->dev, *v->slot, host, (size_t)v->n * sizeof *host);
}

/* The parts' biases, one after the other. */
static int load_bias(struct ze_model *m, const struct ze_linear *x, float *host, struct zc_diag *dg)
{
    float *at = host;

    memset(host, 0, (size_t)x->mat.d.n * sizeof *host);
    for (int i = 0; i < x->n_parts; i++) {
        const struct zw_linear *p = &x->part[i];
        int r =
            p->bias ? zw_read_vector(at, m->store, p->bias->name, (uint64_t)p->desc.n, dg) : ZC_OK;
        if (r < 0)
            return r;
        at += p->desc.n;
    }
    return m->dev->ops->upload(m->dev, x->bias, host, (size_t)x->mat.d.n * sizeof *host);
}

static int load_rope(struct ze_model *m, float *host)
{
    int half = m->c.rope.rot_dim / 2;
    double inv[256];

    m->rope_scale = ze_rope_frequencies(&m->c, inv);
    for (int i = 0; i < half; i++)
        host[i] = (float)inv[i];
    return m->dev->ops->upload(m->dev, m->inv_freq, host, (size_t)half * sizeof *host);
}

static int load_vectors(struct ze_model *m, struct zc_diag *dg)
{
    int largest = m->c.C > 256 ? m->c.C : 256;
    void *mem;
    int r;

    for (int i = 0; i < m->n_linears; i++)
        if (m->linears[i]->has_bias && m->linears[i]->mat.d.n > largest)
            largest = m->linears[i]->mat.d.n;
    if ((r = zc_try_malloc(&mem, (size_t)largest, sizeof(float), SIZE_MAX)) < 0)
        return zc_diag(dg, r, "no memory for %d floats", largest);
    for (int i = 0; i < m->n_vectors && r == ZC_OK; i++)
        r = load_vector(m, &m->vectors[i], mem, dg);
    for (int i = 0; i < m->n_linears && r == ZC_OK; i++)
        if (m->linears[i]->has_bias)
            r = load_bias(m, m->linears[i], mem, dg);
    if (r == ZC_OK)
        r = load_rope(m, mem);
    zc_free(mem);
    return r;
}

int ze_model_take_host(struct ze_model *m, struct zc_diag *dg)
{
    if (!m->embed_on_host)
        return ZC_OK;
    int r = m->dev->ops->host_alloc(m->dev, &m->embed, ze_model_embed_bytes(m), dg);
    m->embed_on_host = r == ZC_OK;
    return r;
}

int ze_model_load(struct ze_model *m, const struct zw_load_opts *opts, struct zc_diag *dg)
{
    struct ze_arena arena = {0};
    int n, r;

    ze_model_place(m, &arena);
    m->block_bytes = arena.used;
    if ((r = m->dev->ops->alloc(m->dev, &m->block, m->block_bytes, dg)) < 0)
        return r;
    arena = (struct ze_arena){.base = m->block};
    ze_model_place(m, &arena);
    ZC_BUG_ON(arena.used != m->block_bytes);
    if ((r = load_vectors(m, dg)) < 0)
        return r;
    if (!m->store)
        return ze_random_fill(m, opts, dg);
    struct zw_load_job *jobs = make_jobs(m, &n);
    r = zw_load_run(jobs, n, m->store, m->dev, opts, dg);
    zc_free(jobs);
    return r;
}

void ze_model_free(struct ze_model *m)
{
    if (!m)
        return;
    if (m->block)
        m->dev->ops->free(m->dev, m->block, m->block_bytes);
    if (m->embed_on_host && m->embed)
        m->dev->ops->host_free(m->dev, m->embed, ze_model_embed_bytes(m));
    zw_store_free(m->store);
    zw_quant_free(m->quant);
    ze_config_release(&m->c);
    zc_free(m->layers);
    zc_free(m->vectors);
    zc_free(m->linears);
    zc_free(m);
}
