/* SPDX-License-Identifier: MIT */
/* From a row of logits to bytes on their way to the client. */
#include "zoracd/serve/zs_choice.h"

#include <math.h>
#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "common/zc_rpc.h"

#define PRIME_IDS 16 /* of a raw prompt's end: they decide about a leading space */

int zs_choice_start(struct zs_choice *c, const struct zs_choice_env *env, struct zc_diag *dg)
{
    struct zs_job *job = c->job;
    struct ze_sample_params params = job->params.s;

    if (c->sampler)
        return ZC_OK;
    params.seed += (uint64_t)c->index;
    int r = ze_sampler_new(&c->sampler, &params, env->config->V, job->ids.data, job->ids.len);
    if (r == ZC_OK)
        r = zt_detok_new(&c->detok, env->tok, ZT_SPECIAL_SKIP);
    /* A raw prompt is continued, with its space; a message's reply begins a text of its own. */
    if (r == ZC_OK && !job->transcript) {
        size_t n = job->ids.len < PRIME_IDS ? job->ids.len : PRIME_IDS;
        r = zt_detok_prime(c->detok, job->ids.data + job->ids.len - n, n);
    }
    return r < 0 ? zc_diag(dg, r, "no memory for a sampler") : r;
}

void zs_choice_release(struct zs_choice *c)
{
    ze_seq_free(c->seq);
    ze_sampler_free(c->sampler);
    zt_detok_free(c->detok);
    c->seq = NULL;
    c->sampler = NULL;
    c->detok = NULL;
}

/* ---- logprobs ----------------------------------------------------------------------------- */

/* {id, text, logprob: the three entries that chosen and alternatives share. text: as it stands
 * behind other text, bytes that are no character as U+FFFD. */
static void pack_token(msgpack_packer *pk, const struct zs_choice_env *env, int32_t id, float lp)
{
    struct zc_buf text;

    zc_buf_init(&text, 4096);
    zt_detok_prime(env->scratch, &id, 1);
    zt_detok_push(env->scratch, id, &text);
    zt_detok_flush(env->scratch, &text);
    zc_rpc_kv_int(pk, "id", id);
    zc_rpc_kv_strn(pk, "text", zc_buf_str(&text), text.len);
    zc_rpc_kv_num(pk, "logprob", isfinite(lp) ? (double)lp : -1e9);
    zc_buf_release(&text);
}

static int add_logprobs(struct zs_choice *c, const struct zs_choice_env *env,
                        const struct ze_sampled *s, struct zc_diag *dg)
{
    size_t before = c->reply->logprobs.len;
    msgpack_packer pk;

    zc_rpc_packer(&pk, &c->reply->logprobs);
    msgpack_pack_map(&pk, 4);
    pack_token(&pk, env, s->id, s->logprob);
    zc_rpc_kv_array(&pk, "top", (size_t)s->n_top);
    for (int i = 0; i < s->n_top; i++) {
        msgpack_pack_map(&pk, 3);
        pack_token(&pk, env, s->top_id[i], s->top_logprob[i]);
    }
    int r = zc_buf_error(&c->reply->logprobs);
    if (r < 0) { /* what is there stays whole maps */
        zc_buf_truncate(&c->reply->logprobs, before);
        return zc_diag(dg, r, "the logprobs of a reply are over the limit of %zu bytes",
                       c->reply->logprobs.max);
    }
    c->reply->n_logprobs++;
    return ZC_OK;
}

/* ---- tokens to text ----------------------------------------------------------------------- */

static bool is_end_token(const struct zs_choice *c, const struct zs_choice_env *env, int32_t id)
{
    if (c->job->params.ignore_eos)
        return false;
    for (int i = 0; i < env->config->n_eos; i++)
        if (env->config->eos[i] == id)
            return true;
    return false;
}

/* Looks for stop texts in what is new; 1 if the reply ends by one. */
static int cut_at_stop(struct zs_choice *c)
{
    struct zs_reply *r = c->reply;

    if (c->job->params.n_stops == 0) {
        c->safe = r->text.len;
        return 0;
    }
    int found = zs_stop_find(c->job->params.stops, c->job->params.n_stops, &c->stop_state,
                             zc_buf_str(&r->text), r->text.len, &c->safe);
    if (found) {
        zc_buf_truncate(&r->text, c->safe);
        r->ids_are_text = false;
    }
    return found;
}

void zs_choice_end(struct zs_choice *c, enum zs_finish finish)
{
    if (c->state == ZS_CH_ENDING || c->state == ZS_CH_DONE)
        return;
    if (c->detok) {
        zt_detok_flush(c->detok, &c->reply->text);
        if (cut_at_stop(c) && finish == ZS_FINISH_LENGTH)
            finish = ZS_FINISH_STOP;
    }
    c->safe = c->reply->text.len;
    c->reply->finish = finish;
    c->state = ZS_CH_ENDING;
    ze_seq_free(c->seq);
    c->seq = NULL;
}

int zs_choice_sample(struct zs_choice *c, struct zs_choice_env *env, const struct ze_work *w,
                     struct zc_diag *dg)
{
    struct zs_reply *reply = c->reply;
    struct ze_sampled s;
    int r = ZC_OK;

    if (w->drawn >= 0)
        ze_sampler_take(c->sampler, w->drawn, &s);
    else
        r = ze_sampler_draw(c->sampler, w->logits, c->n_sampled, &s, dg);
    if (r < 0)
        return r;
    c->n_sampled++;
    if (c->job->params.s.logprobs >= 0 && (r = add_logprobs(c, env, &s, dg)) < 0)
        return r;
    if (is_end_token(c, env, s.id)) {
        zs_choice_end(c, ZS_FINISH_STOP);
        return ZC_OK;
    }
    if (zt_ids_add(&reply->ids, s.id) < 0 || zt_detok_push(c->detok, s.id, &reply->text) < 0)
        return zc_diag(dg, ZC_ENOMEM, "no memory for the reply");
    if (cut_at_stop(c)) {
        /* What is behind the stop text, in the detokenizer too, is not part of the reply. */
        zt_detok_free(c->detok);
        c->detok = NULL;
        zs_choice_end(c, ZS_FINISH_STOP);
    } else if (c->job->ids.len + reply->ids.len >= c->limit) {
        zs_choice_end(c, ZS_FINISH_LENGTH);
    } else {
        r = ze_seq_append(c->seq, s.id);
        if (r < 0)
            return zc_diag(dg, r, "the sequence takes no more tokens");
    }
    return ZC_OK;
}

/* ---- text to events ----------------------------------------------------------------------- */

void zs_choice_push(struct zs_choice_env *env, const struct zs_event *ev)
{
    ZC_BUG_ON(zs_mailbox_push(env->out, ev) < 0);
    env->rang = true;
}

/* How much of p[0 .. n) fits an event without cutting a character. */
static size_t whole_characters(const char *p, size_t n)
{
    if (n <= ZS_EVENT_TEXT)
        return n;
    n = ZS_EVENT_TEXT;
    while (n > 0 && ((unsigned char)p[n] & 0xc0) == 0x80)
        n--;
    return n;
}

/* The logprobs of the tokens since the last event travel with the next one. */
static void attach_logprobs(struct zs_choice *c, struct zs_event *ev)
{
    const struct zs_reply *r = c->reply;
    size_t n = r->n_logprobs - c->n_lp_emitted;

    if (n == 0)
        return;
    ev->logprob_len = (uint32_t)(r->logprobs.len - c->lp_emitted);
    ev->logprobs = zc_xmalloc(ev->logprob_len);
    memcpy(ev->logprobs, r->logprobs.data + c->lp_emitted, ev->logprob_len);
    ev->n_logprobs = (uint32_t)n;
    c->lp_emitted = r->logprobs.len;
    c->n_lp_emitted = r->n_logprobs;
}

/* Text, or at the end logprobs of tokens that have none (a special token, what a stop text cut). */
static bool has_more(const struct zs_choice *c)
{
    return c->emitted < c->safe ||
           (c->state == ZS_CH_ENDING && c->n_lp_emitted < c->reply->n_logprobs);
}

void zs_choice_emit(struct zs_choice *c, struct zs_choice_env *env)
{
    c->resting = false;
    while (c->job->params.stream && has_more(c)) {
        if (zs_job_take_credit(c->job) < 0) {
            c->resting = true;
            return;
        }
        struct zs_event ev = {.job = c->job, .kind = ZS_EV_DELTA, .choice = (uint8_t)c->index};
        const char *p = zc_buf_str(&c->reply->text) + c->emitted;
        ev.len = (uint32_t)whole_characters(p, c->safe - c->emitted);
        memcpy(ev.text, p, ev.len);
        attach_logprobs(c, &ev);
        zs_choice_push(env, &ev);
        c->emitted += ev.len;
    }
    if (c->state == ZS_CH_ENDING)
        c->state = ZS_CH_DONE;
}
