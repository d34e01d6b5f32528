/* SPDX-License-Identifier: MIT */
/* The device's table of operations is exchanged for one whose operations mark their beginning and
 * end and call the device's own. Nothing else of a step is touched; a step that would be replayed
 * as a whole is asked for operation by operation, so gaps are larger than in an ordinary step. */
#include "zoracd/tools/zb_profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "common/zc_err.h"

#define MAX_KINDS 64
#define MAX_CALLS (ZK_MAX_MARKS / 2)

/* Operations of one name and shape. */
struct kind {
    char name[64];
    long calls;
    double seconds, bytes, flops; /* of all calls */
};

static struct {
    const struct zk_ops *inner;
    struct zk_ops ops;
    bool could_record;
    struct kind kind[MAX_KINDS];
    int n_kinds;
    int call_kind[MAX_CALLS]; /* of this step's calls */
    int n_calls;
    double call_seconds[MAX_CALLS]; /* by the clock */
    double begin;
    long steps;
    double step_seconds;
} p;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static struct kind *kind_of(const char *name)
{
    for (int i = 0; i < p.n_kinds; i++)
        if (strcmp(p.kind[i].name, name) == 0)
            return &p.kind[i];
    if (p.n_kinds == MAX_KINDS)
        return &p.kind[MAX_KINDS - 1];
    snprintf(p.kind[p.n_kinds].name, sizeof p.kind[0].name, "%s", name);
    return &p.kind[p.n_kinds++];
}

/* Before an operation that reads so much and multiplies so often. */
static void enter(struct zk_dev *dev, const char *name, double bytes, double flops)
{
    if (p.n_calls == MAX_CALLS)
        return;
    struct kind *k = kind_of(name);
    k->calls++;
    k->bytes += bytes;
    k->flops += flops;
    p.call_kind[p.n_calls] = (int)(k - p.kind);
    if (p.inner->mark)
        p.inner->mark(dev, 2 * p.n_calls);
    p.begin = now();
}

static int leave(struct zk_dev *dev, int r)
{
    if (p.n_calls == MAX_CALLS)
        return r;
    p.call_seconds[p.n_calls] = now() - p.begin;
    if (p.inner->mark && r == ZC_OK)
        r = p.inner->mark(dev, 2 * p.n_calls + 1);
    p.n_calls++;
    return r;
}

/* ---- the operations ------------------------------------------------------------------------ */

static int p_embed(struct zk_dev *dev, float *y, const void *table, enum zk_type type, int V, int C,
                   const int32_t *ids, int rows)
{
    enter(dev, "embed", 6.0 * rows * C, 0);
    return leave(dev, p.inner->embed(dev, y, table, type, V, C, ids, rows));
}

static int p_rms_norm(struct zk_dev *dev, struct zk_act *y, const float *x, const float *w,
                      float eps, int rows, int C, const int32_t *perm)
{
    enter(dev, "rms_norm", 6.0 * rows * C, 0);
    return leave(dev, p.inner->rms_norm(dev, y, x, w, eps, rows, C, perm));
}

static int p_to_act(struct zk_dev *dev, struct zk_act *y, const float *x, int ldx, int rows, int k,
                    const int32_t *perm)
{
    enter(dev, "to_act", 6.0 * rows * k, 0);
    return leave(dev, p.inner->to_act(dev, y, x, ldx, rows, k, perm));
}

static int p_swiglu(struct zk_dev *dev, struct zk_act *y, const float *g, const float *u, int ld,
                    int rows, int F, const int32_t *perm)
{
    enter(dev, "swiglu", 10.0 * rows * F, 0);
    return leave(dev, p.inner->swiglu(dev, y, g, u, ld, rows, F, perm));
}

/* A product: the matrix as it lies in memory. */
static void enter_product(struct zk_dev *dev, const char *what, const struct zk_mat *w, int rows)
{
    static const char *const forms[] = {[ZK_W4A] = "w4a", [ZK_W8A] = "w8a", [ZK_W4L] = "w4l",
                                        [ZK_W8F] = "w8f", [ZK_W16] = "w16", [ZK_W32] = "w32"};
    char name[64];

    snprintf(name, sizeof name, "%s %d x %d %s", what, w->d.n, w->d.k, forms[w->d.form]);
    enter(dev, name, (double)w->bytes, 2.0 * w->d.n * w->d.k * rows);
}

static int p_matmul(struct zk_dev *dev, float *y, int ldy, const struct zk_act *x,
                    const struct zk_mat *w, const float *bias, int rows, bool add)
{
    enter_product(dev, "matmul", w, rows);
    return leave(dev, p.inner->matmul(dev, y, ldy, x, w, bias, rows, add));
}

static int p_matmul_swiglu(struct zk_dev *dev, struct zk_act *y, const struct zk_act *x,
                           const struct zk_mat *w, const float *bias, int rows, const int32_t *perm)
{
    enter_product(dev, "matmul_swiglu", w, rows);
    return leave(dev, p.inner->matmul_swiglu(dev, y, x, w, bias, rows, perm));
}

static int p_rope_table(struct zk_dev *dev, float *cs, const int32_t *pos, int rows,
                        const float *inv_freq, int rot_dim, float mscale)
{
    enter(dev, "rope_table", 4.0 * rows * rot_dim, 0);
    return leave(dev, p.inner->rope_table(dev, cs, pos, rows, inv_freq, rot_dim, mscale));
}

static int p_rope_store(struct zk_dev *dev, float *qkv, const float *cs, const struct zk_batch *b,
                        const struct zk_attn *a, const struct zk_kv *kv)
{
    enter(dev, "rope_store", 8.0 * b->rows * (a->heads + 2.0 * a->kv_heads) * a->head_dim, 0);
    return leave(dev, p.inner->rope_store(dev, qkv, cs, b, a, kv));
}

/* Sequences of one length, or one sequence: what zorac-bench measures. */
static int p_attn(struct zk_dev *dev, float *o, const float *qkv, const struct zk_batch *b,
                  const struct zk_attn *a, const struct zk_kv *kv)
{
    const double page = (double)p.inner->kv_page_bytes(dev, a->kv_type, a->kv_heads, a->head_dim);
    double seen = b->last_pos + 1.0, new_rows = (double)b->rows / b->n_seqs;

    if (a->window > 0 && seen > a->window + new_rows)
        seen = a->window + new_rows;
    enter(dev, "attn", b->n_seqs * seen * page / ZK_PAGE,
          4.0 * a->heads * a->head_dim * b->rows * (seen - (new_rows - 1) / 2));
    return leave(dev, p.inner->attn(dev, o, qkv, b, a, kv));
}

static int p_gather(struct zk_dev *dev, float *y, const float *x, const int32_t *rows, int n, int C)
{
    enter(dev, "gather", 8.0 * n * C, 0);
    return leave(dev, p.inner->gather(dev, y, x, rows, n, C));
}

static int p_draw(struct zk_dev *dev, int32_t *ids, float *logits, const struct zk_draw *draws,
                  const struct zk_seen *seen, int rows, int V)
{
    enter(dev, "draw", 4.0 * rows * V, 0);
    return leave(dev, p.inner->draw(dev, ids, logits, draws, seen, rows, V));
}

/* ---- taking and printing ------------------------------------------------------------------- */

void zb_profile_start(struct zk_dev *dev)
{
    memset(&p, 0, sizeof p);
    p.inner = dev->ops;
    p.could_record = dev->can_record;
    p.ops = *dev->ops;
    p.ops.embed = p_embed;
    p.ops.rms_norm = p_rms_norm;
    p.ops.to_act = p_to_act;
    p.ops.swiglu = p_swiglu;
    p.ops.matmul = p_matmul;
    p.ops.matmul_swiglu = p_matmul_swiglu;
    p.ops.rope_table = p_rope_table;
    p.ops.rope_store = p_rope_store;
    p.ops.attn = p_attn;
    p.ops.gather = p_gather;
    p.ops.draw = p.inner->draw ? p_draw : NULL;
    dev->ops = &p.ops;
    dev->can_record = false;
}

void zb_profile_step(struct zk_dev *dev, double seconds)
{
    for (int i = 0; i < p.n_calls; i++)
        p.kind[p.call_kind[i]].seconds +=
            p.inner->mark ? p.inner->between(dev, 2 * i, 2 * i + 1) : p.call_seconds[i];
    p.n_calls = 0;
    p.steps++;
    p.step_seconds += seconds;
}

static int longest_first(const void *a, const void *b)
{
    const struct kind *x = a, *y = b;
    return (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

static void print_kind(const struct kind *k, const char *what, const struct zb_rates *rates,
                       bool json)
{
    double read = k->bytes / rates->bytes, compute = k->flops / rates->flops;
    double bound = read > compute ? read : compute, us = 1e6 * k->seconds / (double)k->calls;
    double share = k->seconds / p.step_seconds, calls = (double)k->calls / (double)p.steps;

    if (!json) {
        printf(
            "  %-32s %6.1f x %9.1f us  %5.1f %% of the step  %5.1f %% of its bound  %8.1f GB/s\n",
            k->name, calls, us, 100 * share, 100 * bound / k->seconds, k->bytes / k->seconds / 1e9);
        return;
    }
    json_t *o = json_pack("{s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:f}", "kind", "profile",
                          "line", what, "operation", k->name, "calls", calls, "us", us, "share",
                          share, "fraction", bound / k->seconds, "bytes",
                          k->bytes / (double)k->calls, "flops", k->flops / (double)k->calls);
    json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(o);
}

void zb_profile_stop(struct zk_dev *dev, const char *what, const struct zb_rates *rates, bool json)
{
    double sum = 0;

    dev->ops = p.inner;
    dev->can_record = p.could_record;
    qsort(p.kind, (size_t)p.n_kinds, sizeof p.kind[0], longest_first);
    for (int i = 0; i < p.n_kinds && what; i++) {
        sum += p.kind[i].seconds;
        print_kind(&p.kind[i], what, rates, json);
    }
    if (what && !json)
        printf("  between them, and the host         %17.1f us  %5.1f %% of the step\n",
               1e6 * (p.step_seconds - sum) / (double)p.steps, 100 * (1 - sum / p.step_seconds));
    fflush(stdout);
}
