/* SPDX-License-Identifier: MIT */
/* The model, readable top to bottom: Mistral, Llama, Qwen2 and Qwen3 are one pass that differs in
 * what is NULL. Every line is an operation of kernels/zk.h, which says what it computes; nothing
 * here knows a name, a file or a machine. Shapes: B rows, C width, H heads, K key/value heads, D
 * head width, F feed-forward width, V vocabulary, R rows of logits. */
#include "zoracd/engine/ze_forward.h"

#include "common/zc_err.h"

#define TRY(call)           \
    do {                    \
        int try_r = (call); \
        if (try_r < 0)      \
            return try_r;   \
    } while (0)

/* Whether two matrices eat the same preparation of the same rows. */
static bool eats_the_same(const struct ze_linear *a, const struct ze_linear *b)
{
    return a->mat.act == b->mat.act && !a->mat.perm && !b->mat.perm;
}

/* y (B, n of w) += or = W x + bias, n columns of y apart by ldy */
static int product(const struct ze_model *m, float *y, int ldy, const struct zk_act *x,
                   const struct ze_linear *w, int B, bool add)
{
    return m->dev->ops->matmul(m->dev, y, ldy, x, &w->mat, w->bias, B, add);
}

/* y (B, all n) = norm(x (B, C)) times each of n_parts matrices, side by side */
static int norm_and_products(const struct ze_model *m, const struct ze_scratch *s, float *const *y,
                             int ldy, const float *x, const float *norm, const struct ze_linear *w,
                             int n_parts, int B)
{
    struct zk_act in = {.k = m->c.C, .data = s->in};

    for (int i = 0; i < n_parts; i++) {
        if (i == 0 || !eats_the_same(&w[i - 1], &w[i])) {
            in.kind = w[i].mat.act;
            TRY(m->dev->ops->rms_norm(m->dev, &in, x, norm, m->c.norm_eps, B, m->c.C,
                                      w[i].mat.perm));
        }
        TRY(product(m, y[i], ldy, &in, &w[i], B, false));
    }
    return ZC_OK;
}

/* qkv (B, (H + 2K) * D) = W_qkv norm(x), q and k rotated, k and v in their pages */
static int queries_keys_values(const struct ze_model *m, const struct ze_scratch *s,
                               const struct ze_layer *y, const struct zk_batch *b)
{
    const int H = m->c.H, K = m->c.K, D = m->c.D;
    float *const qkv[] = {s->qkv, s->qkv + (size_t)H * D, s->qkv + (size_t)(H + K) * D};

    TRY(norm_and_products(m, s, qkv, (H + 2 * K) * D, s->x, y->attn_norm, y->qkv, y->n_qkv,
                          b->rows));
    return m->dev->ops->rope_store(m->dev, s->qkv, s->cs, b, &y->attn, &y->kv);
}

/* x (B, C) += W_o heads (B, H * D) */
static int attention_output(const struct ze_model *m, const struct ze_scratch *s,
                            const struct ze_layer *y, float *x, const float *heads, int B)
{
    const int width = m->c.H * m->c.D;
    struct zk_act in = {.kind = y->o.mat.act, .k = width, .data = s->in};

    TRY(m->dev->ops->to_act(m->dev, &in, heads, width, B, width, y->o.mat.perm));
    return product(m, x, m->c.C, &in, &y->o, B, true);
}

/* x (B, C) += W_down (silu(W_gate norm(x)) * (W_up norm(x))) */
static int feed_forward(const struct ze_model *m, const struct ze_scratch *s,
                        const struct ze_layer *y, float *x, int B)
{
    const struct zk_ops *ops = m->dev->ops;
    const int C = m->c.C, F = m->c.F;
    const struct ze_linear *pair = &y->gate_up[0];
    float *const apart[] = {s->gate, s->up};
    struct zk_act in = {.kind = pair->mat.act, .k = C, .data = s->in};
    struct zk_act hidden = {.kind = y->down.mat.act, .k = F, .data = s->hidden}; /* (B, F) */

    if (y->n_gate_up == 1) {
        TRY(ops->rms_norm(m->dev, &in, x, y->ffn_norm, m->c.norm_eps, B, C, NULL));
        TRY(ops->matmul_swiglu(m->dev, &hidden, &in, &pair->mat, pair->bias, B, y->down.mat.perm));
    } else {
        TRY(norm_and_products(m, s, apart, F, x, y->ffn_norm, y->gate_up, 2, B));
        TRY(ops->swiglu(m->dev, &hidden, s->gate, s->up, F, B, F, y->down.mat.perm));
    }
    return product(m, x, C, &hidden, &y->down, B, true);
}

int ze_forward(const struct ze_model *m, const struct ze_scratch *s, const struct ze_pass *p,
               float *logits)
{
    const struct zk_ops *ops = m->dev->ops;
    const struct ze_config *c = &m->c;
    const int C = c->C, R = p->n_out;
    float *x = s->x, *heads = s->heads;
    int B = p->batch.rows;
    struct zk_act out = {.kind = m->head.mat.act, .k = C, .data = s->in};

    TRY(ops->embed(m->dev, x, m->embed, m->embed_type, c->V, C, p->ids, B)); /* (B, C) */
    TRY(ops->rope_table(m->dev, s->cs, p->batch.pos, B, m->inv_freq, c->rope.rot_dim,
                        m->rope_scale));
    for (int l = 0; l < c->L; l++) {
        const struct ze_layer *y = &m->layers[l];
        const bool is_last = l == c->L - 1;

        TRY(queries_keys_values(m, s, y, &p->batch));
        if (is_last && R == 0) /* all that later tokens need of these is in the pages */
            return ZC_OK;
        TRY(ops->attn(m->dev, heads, s->qkv, &p->batch, &y->attn, &y->kv)); /* (B, H * D) */
        if (is_last && R < B) { /* from here on only the rows whose logits are wanted */
            TRY(ops->gather(m->dev, s->last, x, p->out_rows, R, C));
            TRY(ops->gather(m->dev, s->qkv, heads, p->out_rows, R, c->H * c->D));
            x = s->last;
            heads = s->qkv;
            B = R;
        }
        TRY(attention_output(m, s, y, x, heads, B));
        TRY(feed_forward(m, s, y, x, B));
    }
    TRY(ops->rms_norm(m->dev, &out, x, m->norm, c->norm_eps, R, C, m->head.mat.perm));
    return product(m, logits, c->V, &out, &m->head, R, false); /* (R, V) */
}

/* ---- scratch ------------------------------------------------------------------------------- */

/* Room for rows of k, prepared in whatever way a matrix may want them. */
static uint64_t act_bytes(const struct ze_model *m, int rows, int k)
{
    uint64_t most = 0;

    for (int kind = 0; kind < ZK_N_ACT_KINDS; kind++) {
        uint64_t bytes = m->dev->ops->act_bytes(m->dev, (enum zk_act_kind)kind, rows, k);
        most = bytes > most ? bytes : most;
    }
    return most;
}

static bool has_gate_apart(const struct ze_model *m)
{
    for (int l = 0; l < m->c.L; l++)
        if (m->layers[l].n_gate_up > 1)
            return true;
    return false;
}

void ze_scratch_place(struct ze_scratch *s, const struct ze_model *m, const struct ze_limits *max,
                      struct ze_arena *a)
{
    const struct ze_config *c = &m->c;
    const uint64_t B = (uint64_t)max->rows, R = (uint64_t)max->logit_rows, f = sizeof(float);
    const int widest = c->C > c->H * c->D ? c->C : c->H * c->D;

    s->max = *max;
    s->x = ze_arena_take(a, B * (uint64_t)c->C * f);
    s->qkv = ze_arena_take(a, B * (uint64_t)(c->H + 2 * c->K) * (uint64_t)c->D * f);
    s->heads = ze_arena_take(a, B * (uint64_t)(c->H * c->D) * f);
    s->gate = s->up = NULL;
    if (has_gate_apart(m)) {
        s->gate = ze_arena_take(a, B * (uint64_t)c->F * f);
        s->up = ze_arena_take(a, B * (uint64_t)c->F * f);
    }
    s->in = ze_arena_take(
        a, act_bytes(m, max->rows > max->logit_rows ? max->rows : max->logit_rows, widest));
    s->hidden = ze_arena_take(a, act_bytes(m, max->rows, c->F));
    s->cs = ze_arena_take(a, B * (uint64_t)c->rope.rot_dim * f);
    s->last = ze_arena_take(a, R * (uint64_t)c->C * f);
    s->logits = ze_arena_take(a, R * (uint64_t)c->V * f);
    s->meta = ze_arena_take(a, ze_batch_bytes(max));
}
