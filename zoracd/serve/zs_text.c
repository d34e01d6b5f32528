/* SPDX-License-Identifier: MIT */
/* The text threads and what they do to a job of each kind. Tokenizer and template are const. */
#include "config.h"

#include "zoracd/serve/zs_text.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "common/zc_mem.h"
#include "common/zc_rpc.h"
#include "zoracd/serve/zs_limits.h"
#include "zoracd/serve/zs_mailbox.h"
#include "zoracd/serve/zs_prompt.h"

#define LONG_BYTES 32768 /* from here on a text is the second thread's */

struct worker {
    pthread_t thread;
    const struct zs_model *m;
    struct zs_mailbox *in, *out; /* struct zs_job *; NULL in `in` ends the thread */
    struct zs_job *queue[ZS_MAX_JOBS];
    int n;         /* of them */
    uint64_t turn; /* the user who was served last */
};

struct zs_text {
    struct worker workers[ZS_TEXT_THREADS];
};

/* ---- the work ----------------------------------------------------------------------------- */

/* A prompt's ids must be of the model, wherever they came from. */
static int check_ids(const struct zs_model *m, const struct zt_ids *ids, const char *what,
                     struct zc_diag *dg)
{
    int32_t V = ze_engine_config(m->engine)->V;

    for (size_t i = 0; i < ids->len; i++)
        if (ids->data[i] < 0 || ids->data[i] >= V)
            return zc_diag(dg, ZC_EINVAL, "%s[%zu]: the vocabulary of %d has no token %d", what, i,
                           V, ids->data[i]);
    return ZC_OK;
}

/* Messages or text to ids. rendered gets the prompt's text where there is a template. */
static int make_ids(const struct zs_model *m, struct zs_job *job, struct zt_text *rendered)
{
    unsigned flags = (job->add_special ? ZT_TOK_ADD_SPECIAL : 0u) |
                     (job->parse_special ? ZT_TOK_PARSE_SPECIAL : 0u);
    int r = ZC_OK;

    if (job->transcript) {
        r = zs_prompt_render(m, job->transcript->messages, job->tools, job->vars, time(NULL),
                             rendered, &job->dg);
        if (r == ZC_OK && !zs_job_is_canceled(job))
            r = zs_prompt_encode(m, rendered, job->transcript, &job->ids, &job->dg);
    } else if (job->text) {
        r = zt_tok_encode_bytes(m->tok, job->text, job->text_len, flags, &job->ids, &job->dg);
    }
    return r < 0 ? r : check_ids(m, &job->ids, "prompt", &job->dg);
}

static int prepare_generate(const struct zs_model *m, struct zs_job *job)
{
    struct zt_text rendered;

    zt_text_init(&rendered, ZS_PROMPT_MAX_BYTES);
    int r = zs_params_resolve(&job->params, ze_engine_config(m->engine), &job->dg);
    if (r == ZC_OK)
        r = make_ids(m, job, &rendered);
    if (r == ZC_OK && job->ids.len == 0 && !zs_job_is_canceled(job))
        r = zc_diag(&job->dg, ZC_EINVAL, "the prompt has no tokens");
    zt_text_release(&rendered);
    return r;
}

static void pack_ids(msgpack_packer *pk, const struct zt_ids *ids)
{
    zc_rpc_kv_array(pk, "ids", ids->len);
    for (size_t i = 0; i < ids->len; i++)
        msgpack_pack_int32(pk, ids->data[i]);
}

static int do_tokenize(const struct zs_model *m, struct zs_job *job)
{
    msgpack_packer pk;
    unsigned flags = (job->add_special ? ZT_TOK_ADD_SPECIAL : 0u) |
                     (job->parse_special ? ZT_TOK_PARSE_SPECIAL : 0u);

    int r = zt_tok_encode_bytes(m->tok, job->text, job->text_len, flags, &job->ids, &job->dg);
    if (r < 0)
        return r;
    zc_rpc_packer(&pk, &job->out);
    zc_rpc_result(&pk, job->id, 2);
    pack_ids(&pk, &job->ids);
    zc_rpc_kv_int(&pk, "count", (int64_t)job->ids.len);
    return ZC_OK;
}

static int do_detokenize(const struct zs_model *m, struct zs_job *job)
{
    msgpack_packer pk;
    struct zc_buf text;

    zc_buf_init(&text, ZS_PROMPT_MAX_BYTES);
    int r = zt_tok_decode(m->tok, job->ids.data, job->ids.len,
                          job->skip_special ? ZT_SPECIAL_SKIP : ZT_SPECIAL_KEEP, &text, &job->dg);
    if (r == ZC_OK) {
        zc_rpc_packer(&pk, &job->out);
        zc_rpc_result(&pk, job->id, 1);
        zc_rpc_kv_strn(&pk, "text", zc_buf_str(&text), text.len);
    }
    zc_buf_release(&text);
    return r;
}

static int do_render(const struct zs_model *m, struct zs_job *job)
{
    msgpack_packer pk;
    struct zt_text rendered;

    zt_text_init(&rendered, ZS_PROMPT_MAX_BYTES);
    int r = make_ids(m, job, &rendered);
    if (r == ZC_OK) {
        zc_rpc_packer(&pk, &job->out);
        zc_rpc_result(&pk, job->id, 2);
        zc_rpc_kv_strn(&pk, "text", zc_buf_str(&rendered.buf), rendered.buf.len);
        pack_ids(&pk, &job->ids);
    }
    zt_text_release(&rendered);
    return r;
}

static void work_on(const struct zs_model *m, struct zs_job *job)
{
    job->dg.text[0] = '\0';
    switch (job->method) {
    case ZC_M_GENERATE:
        job->error = prepare_generate(m, job);
        break;
    case ZC_M_TOKENIZE:
        job->error = do_tokenize(m, job);
        break;
    case ZC_M_DETOKENIZE:
        job->error = do_detokenize(m, job);
        break;
    case ZC_M_RENDER:
        job->error = do_render(m, job);
        break;
    default:
        ZC_BUG_ON("a method that has no text");
    }
    if (job->error == ZC_OK && zc_buf_error(&job->out) < 0)
        job->error = zc_diag(&job->dg, zc_buf_error(&job->out),
                             "the answer is over the limit of %zu bytes", job->out.max);
    if (job->error < 0 && job->dg.text[0] == '\0')
        zc_diag(&job->dg, job->error, "%s", zc_err_name(job->error));
}

/* Takes what came in; whether the end is among it. */
static bool drain(struct worker *w)
{
    struct zs_job *job;
    bool is_end = false;

    while (w->n < ZS_MAX_JOBS && zs_mailbox_pop(w->in, &job)) {
        if (job)
            w->queue[w->n++] = job;
        else
            is_end = true;
    }
    return is_end;
}

/* The oldest job of the user whose turn it is: nobody waits for all of another's texts. */
static struct zs_job *next_job(struct worker *w)
{
    int best = 0;

    for (int i = 1; i < w->n; i++)
        if (w->queue[i]->root - w->turn - 1 < w->queue[best]->root - w->turn - 1)
            best = i;
    struct zs_job *job = w->queue[best];
    memmove(&w->queue[best], &w->queue[best + 1], (size_t)(--w->n - best) * sizeof *w->queue);
    w->turn = job->root;
    return job;
}

static void *text_thread(void *arg)
{
    struct worker *w = arg;
    bool is_end = false;

    while (!is_end || w->n > 0) {
        if (w->n == 0)
            zs_mailbox_wait(w->in, -1);
        is_end = drain(w) || is_end;
        if (w->n == 0)
            continue;
        struct zs_job *job = next_job(w);
        if (!zs_job_is_canceled(job))
            work_on(w->m, job);
        /* As many places as jobs may exist: it can't be full. */
        ZC_BUG_ON(zs_mailbox_push(w->out, &job) < 0);
        zs_mailbox_ring(w->out);
    }
    return NULL;
}

/* ---- the threads -------------------------------------------------------------------------- */

static int start_worker(struct worker *w, const struct zs_model *m, const char *name,
                        struct zc_diag *dg)
{
    w->m = m;
    int r = zs_mailbox_new(&w->in, 2 * ZS_MAX_JOBS, sizeof(struct zs_job *), dg);
    if (r == ZC_OK)
        r = zs_mailbox_new(&w->out, 2 * ZS_MAX_JOBS, sizeof(struct zs_job *), dg);
    if (r == ZC_OK && pthread_create(&w->thread, NULL, text_thread, w) != 0)
        r = zc_diag(dg, ZC_ESYS, "no thread for texts");
    if (r < 0) {
        zs_mailbox_free(w->in);
        zs_mailbox_free(w->out);
        *w = (struct worker){0};
    } else {
        pthread_setname_np(w->thread, name);
    }
    return r;
}

int zs_text_start(struct zs_text **ret_t, const struct zs_model *m, struct zc_diag *dg)
{
    static const char *const names[ZS_TEXT_THREADS] = {"zoracd-texts", "zoracd-long"};
    struct zs_text *t = zc_xcalloc(1, sizeof *t);
    int r = ZC_OK;

    for (int i = 0; r == ZC_OK && i < ZS_TEXT_THREADS; i++)
        r = start_worker(&t->workers[i], m, names[i], dg);
    if (r < 0)
        zs_text_stop(t, NULL, NULL);
    else
        *ret_t = t;
    return r;
}

static void stop_worker(struct worker *w, void (*free_job)(struct zs_job *, void *), void *arg)
{
    struct zs_job *job = NULL;

    if (!w->in)
        return;
    ZC_BUG_ON(zs_mailbox_push(w->in, &job) < 0);
    zs_mailbox_ring(w->in);
    pthread_join(w->thread, NULL);
    while (zs_mailbox_pop(w->out, &job))
        free_job(job, arg);
    zs_mailbox_free(w->in);
    zs_mailbox_free(w->out);
}

void zs_text_stop(struct zs_text *t, void (*free_job)(struct zs_job *, void *), void *arg)
{
    if (!t)
        return;
    for (int i = 0; i < ZS_TEXT_THREADS; i++)
        stop_worker(&t->workers[i], free_job, arg);
    zc_free(t);
}

int zs_text_submit(struct zs_text *t, struct zs_job *job)
{
    struct worker *w = &t->workers[zs_job_input_bytes(job) < LONG_BYTES ? 0 : 1];

    int r = zs_mailbox_push(w->in, &job);
    if (r == ZC_OK)
        zs_mailbox_ring(w->in);
    return r;
}

int zs_text_fd(const struct zs_text *t, int i)
{
    return zs_mailbox_fd(t->workers[i].out);
}

void zs_text_quiet(struct zs_text *t, int i)
{
    zs_mailbox_quiet(t->workers[i].out);
}

int zs_text_take(struct zs_text *t, int i, struct zs_job **ret_job)
{
    return zs_mailbox_pop(t->workers[i].out, ret_job);
}
