/* SPDX-License-Identifier: MIT */
/* Opening a model on a device, what it is then, and what a step of it costs at least. Nothing is
 * allocated after opening. */
#include "zoracd/engine/ze_engine.h"

#include <stdio.h>
#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/engine/ze_engine_internal.h"

/* ---- opening ------------------------------------------------------------------------------- */

/* "auto" takes a GPU if there is one; if not, the CPU, and keeps why. */
static int open_device(struct ze_engine *e, const struct ze_opts *o, struct zc_diag *dg)
{
    const struct zk_cuda_opts cuda = {.device = o->device, .exact = o->exact, .strict = o->strict};
    const struct zk_cpu_opts cpu = {
        .caps = o->caps,
        .threads = o->threads,
        .exact = o->exact,
        .huge_pages = true,
    };
    const char *backend = o->backend ? o->backend : "auto";
    struct zc_diag why = {""};

    if (strcmp(backend, "cuda") == 0)
        return zk_cuda_open(&e->dev, &cuda, dg);
    if (strcmp(backend, "auto") != 0 && strcmp(backend, "cpu") != 0)
        return zc_diag(dg, ZC_EINVAL, "the back-end is auto, cpu or cuda, not %.60s", backend);
    if (strcmp(backend, "auto") == 0) {
        if (zk_cuda_open(&e->dev, &cuda, &why) == ZC_OK)
            return ZC_OK;
        snprintf(e->notice, sizeof e->notice, "backend auto: no GPU serves, the CPU does: %s",
                 why.text);
    }
    return zk_cpu_open(&e->dev, &cpu, dg);
}

/* What opts mean together: exact keeps the head as it is stored. */
static struct ze_opts settled(const struct ze_opts *opts)
{
    struct ze_opts o = *opts;
    o.head_bits = o.exact ? 16 : o.head_bits;
    return o;
}

/* Device, bound model, plan: everything that opening checks before it allocates. */
static int prepare(struct ze_engine *e, const struct ze_opts *o, const struct zw_load_opts *load,
                   struct zc_diag *dg)
{
    int r;

    if ((r = open_device(e, o, dg)) < 0 ||
        (r = ze_model_bind(&e->m, o->dir, o->random_weights, o->head_bits, e->dev, dg)) < 0)
        return r;
    return ze_plan_make(&e->plan, o, e->m, load, dg);
}

void ze_engine_add_notice(struct ze_engine *e, const char *what, const char *why)
{
    const size_t n = strlen(e->notice);
    snprintf(e->notice + n, sizeof e->notice - n, "%s%s: %s", n ? "; " : "", what, why);
}

/* The embedding's memory, where that is the host's; if there is none, the device keeps it, and the
 * plan is made again. */
static int take_host(struct ze_engine *e, const struct ze_opts *o, const struct zw_load_opts *load,
                     struct zc_diag *dg)
{
    const bool was_planned = e->plan.embed_on_host;
    struct zc_diag why = {""};

    if (!e->dev->embeds_from_host)
        return ZC_OK;
    if (was_planned && ze_model_take_host(e->m, &why) == ZC_OK)
        return ZC_OK;
    if (!was_planned)
        zc_diag(&why, ZC_ENOMEM, "main memory has %.1f MiB left",
                (double)e->plan.host_had / (1 << 20));
    ze_engine_add_notice(
        e, "the embedding lies in the GPU's memory, where it takes the room of context", why.text);
    return was_planned ? ze_plan_make(&e->plan, o, e->m, load, dg) : ZC_OK;
}

/* Weights to the device; if it is lost on the way, with what it says itself. */
static int load_model(struct ze_engine *e, const struct zw_load_opts *load, struct zc_diag *dg)
{
    struct zc_diag own = {""};
    const int r = ze_model_load(e->m, load, dg);

    if (r != ZC_EDEVICE || !dg || e->dev->ops->sync(e->dev, &own) == ZC_OK)
        return r;
    const struct zc_diag what = *dg;
    *dg = own;
    return zc_diag_prefix(dg, r, "%s", what.text);
}

static int allocate_device(struct ze_engine *e, struct zc_diag *dg)
{
    struct zk_dev *dev = e->dev;
    struct ze_arena arena = {0};
    struct ze_limits max;
    int r;

    ze_plan_limits(&e->plan, &max);
    if ((r = dev->ops->alloc(dev, &e->kv_base, e->plan.kv, dg)) < 0 ||
        (r = dev->ops->alloc(dev, &e->scratch_base, e->plan.scratch, dg)) < 0)
        return r;
    uint64_t layer_bytes = e->plan.kv / (uint64_t)e->m->c.L;
    for (int l = 0; l < e->m->c.L; l++) {
        e->m->layers[l].attn.kv_type = e->plan.kv_type;
        e->m->layers[l].kv.base = (char *)e->kv_base + (uint64_t)l * layer_bytes;
    }
    arena.base = e->scratch_base;
    ze_scratch_place(&e->scratch, e->m, &max, &arena);
    ZC_BUG_ON(arena.used != e->plan.scratch);
    return ZC_OK;
}

static int allocate_host(struct ze_engine *e, struct zc_diag *dg)
{
    struct zk_dev *dev = e->dev;
    struct ze_limits max;
    void *p;
    int r;

    ze_plan_limits(&e->plan, &max);
    e->logits = e->scratch.logits;
    if (!dev->is_host) {
        if ((r = dev->ops->host_alloc(dev, &p, ze_plan_logit_bytes(&e->plan, e->m), dg)) < 0)
            return r;
        e->logits = e->logits_host = p;
    }
    if (dev->ops->draw) {
        if ((r = dev->ops->host_alloc(dev, &p, ze_plan_drawn_bytes(&e->plan), dg)) < 0)
            return r;
        e->drawn = p;
    }
    e->batch_bytes = ze_batch_bytes(&max);
    if ((r = dev->ops->host_alloc(dev, &p, e->batch_bytes, dg)) < 0)
        return r;
    e->batch_host = p;
    ze_batch_init(&e->batch, &max, e->batch_host, e->scratch.meta);
    if ((r = ze_kv_new(&e->kv, e->plan.kv_pages)) < 0)
        return zc_diag(dg, r, "no host memory for the book of %d pages", e->plan.kv_pages);
    return ZC_OK;
}

int ze_engine_open(struct ze_engine **ret_e, const struct ze_opts *opts, ze_progress_cb *progress,
                   void *arg, const atomic_bool *cancel, struct zc_diag *dg)
{
    const struct zw_load_opts load = {
        .threads = opts->threads,
        .progress = progress,
        .arg = arg,
        .cancel = cancel,
    };
    const struct ze_opts o = settled(opts);
    struct ze_engine *e = zc_xcalloc(1, sizeof *e);
    int r;

    if ((r = prepare(e, &o, &load, dg)) < 0 || (r = take_host(e, &o, &load, dg)) < 0 ||
        (r = load_model(e, &load, dg)) < 0 || (r = allocate_device(e, dg)) < 0 ||
        (r = allocate_host(e, dg)) < 0 || (r = e->dev->ops->sync(e->dev, dg)) < 0 ||
        (r = ze_engine_make_ready(e, dg)) < 0) {
        ze_engine_free(e);
        return r;
    }
    *ret_e = e;
    return ZC_OK;
}

int ze_engine_check(const struct ze_opts *opts, struct ze_plan *ret_plan, struct zc_diag *dg)
{
    const struct zw_load_opts load = {.threads = opts->threads};
    const struct ze_opts o = settled(opts);
    struct ze_engine *e = zc_xcalloc(1, sizeof *e);
    int r = prepare(e, &o, &load, dg);

    if (ret_plan && (r == ZC_OK || r == ZC_ELIMIT))
        *ret_plan = e->plan;
    ze_engine_free(e);
    return r;
}

void ze_engine_free(struct ze_engine *e)
{
    if (!e)
        return;
    ZC_BUG_ON(e->n_seqs != 0);
    ze_kv_free(e->kv);
    if (e->logits_host)
        e->dev->ops->host_free(e->dev, e->logits_host, ze_plan_logit_bytes(&e->plan, e->m));
    if (e->drawn)
        e->dev->ops->host_free(e->dev, e->drawn, ze_plan_drawn_bytes(&e->plan));
    if (e->batch_host)
        e->dev->ops->host_free(e->dev, e->batch_host, e->batch_bytes);
    if (e->kv_base)
        e->dev->ops->free(e->dev, e->kv_base, e->plan.kv);
    if (e->scratch_base)
        e->dev->ops->free(e->dev, e->scratch_base, e->plan.scratch);
    ze_model_free(e->m);
    if (e->dev)
        e->dev->ops->close(e->dev);
    zc_free(e);
}

const struct ze_config *ze_engine_config(const struct ze_engine *e)
{
    return &e->m->c;
}

const struct ze_plan *ze_engine_plan(const struct ze_engine *e)
{
    return &e->plan;
}

const char *ze_engine_device(const struct ze_engine *e)
{
    return e->dev->label;
}

const char *ze_engine_backend(const struct ze_engine *e)
{
    return strcmp(e->dev->ops->name, "cuda") == 0 ? "cuda" : "cpu";
}

const char *ze_engine_notice(const struct ze_engine *e)
{
    return e->notice[0] ? e->notice : NULL;
}

struct zk_dev *ze_engine_zk_dev(struct ze_engine *e)
{
    return e->dev;
}

enum zk_act_kind ze_engine_act_kind(const struct ze_engine *e)
{
    return e->m->layers[0].gate_up[0].mat.act;
}

void ze_engine_kv_stats(const struct ze_engine *e, struct ze_kv_stats *ret)
{
    ret->pages = (size_t)ze_kv_n_pages(e->kv);
    ret->pages_free = (size_t)ze_kv_n_free(e->kv);
    ret->pages_cached = (size_t)ze_kv_n_idle(e->kv);
    ret->pages_used = ret->pages - ret->pages_free - ret->pages_cached;
    ret->pages_promised = (size_t)ze_kv_n_promised(e->kv);
}

/* ---- cost ---------------------------------------------------------------------------------- */

/* Of forms whose scales may be fewer, or smaller, in a file than in memory: what the file has. */
static double file_bits(const struct ze_linear *x)
{
    double bytes = 0;

    for (int i = 0; i < x->n_parts; i++)
        bytes += (double)x->part[i].file_bytes;
    return 8 * bytes / ((double)x->mat.d.n * x->mat.d.k);
}

static double bits_per_weight(const struct ze_linear *x)
{
    const struct zk_mat_desc *d = &x->mat.d;
    double scale = d->type == ZK_F32 ? 32 : 16;

    switch (d->form) {
    case ZK_W4A:
        return 4 + (scale + (d->has_zero ? 4 : 0)) / d->group;
    case ZK_W8A:
        return 8 + (scale + (d->has_zero ? 8 : 0)) / d->group;
    case ZK_W4L:
    case ZK_W8F:
        return file_bits(x);
    case ZK_W16:
        return 16;
    case ZK_W32:
    case ZK_N_FORMS:
        break;
    }
    return 32;
}

/* Whether a matrix is needed for the rows alone whose logits are wanted: the head, and what follows
 * the keys and values of the last layer. */
static bool is_for_logits(const struct ze_model *m, const struct ze_linear *x)
{
    const struct ze_layer *last = &m->layers[m->c.L - 1];
    return x == &m->head || x == &last->o || x == &last->gate_up[0] || x == &last->gate_up[1] ||
           x == &last->down;
}

struct ze_cost ze_engine_cost(const struct ze_engine *e, int n_seqs, int n_rows, int depth)
{
    const struct ze_config *c = &e->m->c;
    const double rows = (double)n_seqs * n_rows;
    /* what all rows see: the depth, and of the new tokens those up to themselves */
    const double seen = rows * depth + n_seqs * ((double)n_rows * (n_rows + 1) / 2);
    const double head = e->plan.kv_type == ZK_KV_F32  ? 4.0 * c->D
                        : e->plan.kv_type == ZK_KV_F8 ? c->D + 2.0
                                                      : 2.0 * c->D;
    struct ze_cost cost = {0};

    for (int i = 0; i < e->m->n_linears; i++) {
        const struct ze_linear *x = e->m->linears[i];
        double weights = (double)x->mat.d.n * x->mat.d.k;
        cost.bytes += weights * bits_per_weight(x) / 8;
        cost.flops += 2 * weights * (is_for_logits(e->m, x) ? n_seqs : rows);
    }
    cost.bytes += 2.0 * c->L * c->K * head * n_seqs * (depth + n_rows);
    cost.flops += 4.0 * c->L * c->H * c->D * seen;
    return cost;
}
