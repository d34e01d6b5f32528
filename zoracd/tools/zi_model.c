/* SPDX-License-Identifier: MIT */
/* The verbs that run a model: logits, perplexity. */
#include <math.h>
#include <stdio.h>

#include "common/zc_file.h"
#include "common/zc_mem.h"
#include "zoracd/text/zt_tok.h"
#include "zoracd/tools/zi.h"

#define MAX_TEXT   (256u << 20)
#define MAX_IDS    (1u << 26)
#define LOGIT_ROWS 32

static int open_engine(struct ze_engine **ret_e, const struct zi_options *o, struct zc_diag *dg)
{
    struct ze_opts opts = o->engine;

    opts.dir = o->model;
    opts.max_seqs = 1;
    opts.logit_rows = LOGIT_ROWS;
    return ze_engine_open(ret_e, &opts, NULL, NULL, NULL, dg);
}

/* ---- logits -------------------------------------------------------------------------------- */

static int logits(void *state, const json_t *line, json_t **ret_answer, struct zc_diag *dg)
{
    struct ze_engine *e = state;
    struct ze_seq *s = NULL;
    int32_t *ids;
    size_t n;
    int r;

    if ((r = zi_ids(line, &ids, &n, dg)) < 0)
        return r;
    r = ze_seq_new(&s, e, 0, ids, n, 0, dg);
    zc_free(ids);
    if (r < 0)
        return r;
    struct ze_work w = {
        .seq = s,
        .is_prompt = true,
        .n_rows = (int)(n - ze_seq_computed(s)),
        .want_logits = true,
    };
    if ((r = ze_step(e, &w, 1, dg)) == ZC_OK) {
        json_t *list = json_array();
        for (int i = 0; i < ze_engine_config(e)->V; i++)
            json_array_append_new(list, json_real((double)w.logits[i]));
        *ret_answer = json_pack("{s:o}", "logits", list);
    }
    ze_seq_free(s);
    return r;
}

int zi_logits(const struct zi_options *o)
{
    struct zc_diag dg = {""};
    struct ze_engine *e;
    int r = open_engine(&e, o, &dg);

    if (r < 0)
        return zo_fail(r, o->model, &dg);
    int status = zi_each_line(logits, e);
    ze_engine_free(e);
    return status;
}

/* ---- perplexity ---------------------------------------------------------------------------- */

/* -log p of id */
static double surprise(const float *x, int V, int32_t id)
{
    float max = x[0];
    double sum = 0;

    for (int i = 1; i < V; i++)
        max = x[i] > max ? x[i] : max;
    for (int i = 0; i < V; i++)
        sum += exp((double)x[i] - max);
    return log(sum) + max - x[id];
}

/* The sum over all but the first of n ids, each told the ones before it. */
static int add_window(struct ze_engine *e, const int32_t *ids, int n, double *nll,
                      struct zc_diag *dg)
{
    const int V = ze_engine_config(e)->V;
    struct ze_seq *s;
    int r;

    if ((r = ze_seq_new(&s, e, 0, ids, (size_t)n, 0, dg)) < 0)
        return r;
    for (int at = 0; at < n - 1 && r == ZC_OK; at += LOGIT_ROWS) {
        int rows = n - 1 - at < LOGIT_ROWS ? n - 1 - at : LOGIT_ROWS;
        struct ze_work w = {.seq = s, .n_rows = rows, .is_prompt = true, .want_all = true};
        if ((r = ze_step(e, &w, 1, dg)) < 0)
            break;
        for (int i = 0; i < rows; i++)
            *nll += surprise(w.logits + (size_t)i * (size_t)V, V, ids[at + i + 1]);
    }
    ze_seq_free(s);
    return r;
}

static int encode_file(const struct zi_options *o, struct zt_ids *ids, struct zc_diag *dg)
{
    struct zt_tok *tok = NULL;
    char *text = NULL;
    size_t len;
    int r;

    if ((r = zt_tok_open(&tok, o->model, dg)) == ZC_OK &&
        (r = zc_file_read_pipe(&text, &len, o->file, MAX_TEXT, dg)) == ZC_OK)
        r = zt_tok_encode_bytes(tok, text, len, ZT_TOK_ADD_SPECIAL, ids, dg);
    if (r == ZC_OK && ids->len < 2)
        r = zc_diag(dg, ZC_EINVAL, "%s has only %zu tokens", o->file, ids->len);
    zt_tok_free(tok);
    zc_free(text);
    return r;
}

/* Windows side by side, each from an empty context; the first token of each is not counted. */
static int measure(struct ze_engine *e, const struct zi_options *o, const struct zt_ids *ids,
                   struct zc_diag *dg)
{
    size_t window = (size_t)ze_engine_plan(e)->context, tokens = 0;
    double nll = 0;
    int r = ZC_OK;

    if (o->window > 0 && (size_t)o->window < window)
        window = (size_t)o->window;
    for (size_t at = 0; at + 1 < ids->len && r == ZC_OK; at += window) {
        size_t n = ids->len - at < window ? ids->len - at : window;
        r = add_window(e, ids->data + at, (int)n, &nll, dg);
        tokens += n - 1;
    }
    if (r == ZC_OK)
        zi_print(json_pack("{s:I, s:f, s:f}", "tokens", (json_int_t)tokens, "nll", nll,
                           "perplexity", exp(nll / (double)tokens)));
    return r;
}

int zi_perplexity(const struct zi_options *o)
{
    struct zc_diag dg = {""};
    struct ze_engine *e = NULL;
    struct zt_ids ids;
    int r;

    zt_ids_init(&ids, MAX_IDS);
    if ((r = encode_file(o, &ids, &dg)) == ZC_OK && (r = open_engine(&e, o, &dg)) == ZC_OK)
        r = measure(e, o, &ids, &dg);
    int status = r < 0 ? zo_fail(r, o->model, &dg) : ZO_OK;
    ze_engine_free(e);
    zt_ids_release(&ids);
    return status;
}
