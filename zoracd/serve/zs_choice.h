/* SPDX-License-Identifier: MIT */
/* One reply under way: sampled tokens become text, text is looked through for stop texts and given
 * out as events. Knows one sequence and one job, not the batch. Engine thread. */
#ifndef ZORACD_SERVE_ZS_CHOICE_H
#define ZORACD_SERVE_ZS_CHOICE_H

#include <sys/queue.h>

#include "zoracd/engine/ze_engine.h"
#include "zoracd/serve/zs_job.h"
#include "zoracd/serve/zs_mailbox.h"
#include "zoracd/text/zt_tok.h"

struct zc_diag;

/* QUEUED -> PREFILL -> DECODE -> ENDING -> DONE; any -> ENDING when it is canceled or fails;
 * PREFILL, DECODE -> QUEUED when its pages are taken away; ENDING: the rest of its text is still
 * to be given out. */
enum zs_choice_state {
    ZS_CH_WAITING,
    ZS_CH_QUEUED,
    ZS_CH_PREFILL,
    ZS_CH_DECODE,
    ZS_CH_ENDING,
    ZS_CH_DONE
};

struct zs_choice {
    TAILQ_ENTRY(zs_choice) link; /* of the queue */
    struct zs_job *job;
    struct zs_reply *reply;
    int index;
    enum zs_choice_state state;
    bool resting; /* no credit: waits for its reader */
    bool in_step;
    bool was_preempted;
    uint64_t order; /* of admission: the oldest is never preempted */
    struct ze_seq *seq;
    struct ze_sampler *sampler;
    struct zt_detok *detok;
    size_t n_sampled, reserved, limit; /* tokens of the sequence: pages for, end at */
    struct zs_stop_state stop_state;
    size_t safe, emitted; /* bytes of reply->text */
    size_t lp_emitted, n_lp_emitted;
    zs_usec progress_at;
};

/* What the choices of all jobs share. */
struct zs_choice_env {
    const struct zt_tok *tok;
    const struct ze_config *config;
    struct zs_mailbox *out;   /* struct zs_event */
    struct zt_detok *scratch; /* texts of single tokens */
    bool rang;                /* something was pushed since the bell was rung */
};

/* Makes sampler and detokenizer, once, for the first admission. */
int zs_choice_start(struct zs_choice *c, const struct zs_choice_env *env, struct zc_diag *dg);
/* Frees them and the sequence. */
void zs_choice_release(struct zs_choice *c);

/* Takes in the token that the device drew, or samples one from the logits. Afterwards the choice is
 * in ENDING (end token, stop text, limit), or its sequence has one more token to compute. */
int zs_choice_sample(struct zs_choice *c, struct zs_choice_env *env, const struct ze_work *w,
                     struct zc_diag *dg);
/* Ends it: what was held back is text now. */
void zs_choice_end(struct zs_choice *c, enum zs_finish finish);
/* Gives out what can be given out. An ENDING choice that has given out all is DONE. */
void zs_choice_emit(struct zs_choice *c, struct zs_choice_env *env);

/* Pushes one event; there is always room. */
void zs_choice_push(struct zs_choice_env *env, const struct zs_event *ev);

#endif
