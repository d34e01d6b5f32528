/* SPDX-License-Identifier: MIT */
/* Who gets a place in the steps: users take turns, each user's requests are first come first
 * served, and a place is taken away only from who does not use it, or where memory is short. Engine
 * thread.
 */
#include "config.h"

#include "zoracd/serve/zs_sched_internal.h"

#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"

static void tell_started(struct zs_sched *s, struct zs_choice *c)
{
    struct zs_job *job = c->job;

    if (c->index != 0 || c->was_preempted)
        return;
    job->admitted = zs_now();
    job->cached_tokens = ze_seq_cached(c->seq);
    job->max_tokens = c->limit - job->ids.len;
    s->now.prompt_tokens += job->ids.len;
    s->now.cached_tokens += job->cached_tokens;
    zs_choice_push(&s->env, &(struct zs_event){.job = job,
                                               .kind = ZS_EV_STARTED,
                                               .done = job->cached_tokens,
                                               .total = job->ids.len});
}

static int check_length(const struct zs_sched *s, const struct zs_job *job, struct zc_diag *dg)
{
    if (job->ids.len >= s->context)
        return zc_diag(dg, ZC_ELIMIT,
                       "the prompt has %zu tokens, and the context holds %zu with the reply",
                       job->ids.len, s->context);
    return ZC_OK;
}

/* Everything that the sequence computes: the prompt, and what was generated before it was preempted
 * (NULL where nothing was: the prompt's own list does). */
static int all_ids(int32_t **ret_ids, const struct zs_choice *c)
{
    const struct zt_ids *a = &c->job->ids, *b = &c->reply->ids;
    void *p;

    if (b->len == 0) {
        *ret_ids = NULL;
        return ZC_OK;
    }
    int r = zc_try_malloc(&p, a->len + b->len, sizeof **ret_ids, SIZE_MAX);
    if (r < 0)
        return r;
    *ret_ids = p;
    memcpy(*ret_ids, a->data, a->len * sizeof **ret_ids);
    memcpy(*ret_ids + a->len, b->data, b->len * sizeof **ret_ids);
    return ZC_OK;
}

/* Tries to give a queued choice its pages. ZC_EBUSY: not now. */
static int admit_choice(struct zs_sched *s, struct zs_choice *c, struct zc_diag *dg)
{
    struct zs_job *job = c->job;
    size_t n = job->ids.len + c->reply->ids.len;
    int32_t *ids;

    int r = check_length(s, job, dg);
    if (r == ZC_OK)
        r = zs_choice_start(c, &s->env, dg);
    if (r < 0)
        return r;
    c->limit = s->context;
    if (job->params.max_tokens && job->params.max_tokens < s->context - job->ids.len)
        c->limit = job->ids.len + job->params.max_tokens;
    size_t reserve = c->limit - n;
    if (!job->params.max_tokens && reserve > ZS_RESERVE_STEP)
        reserve = ZS_RESERVE_STEP;
    if ((r = all_ids(&ids, c)) < 0)
        return zc_diag(dg, r, "no memory for the tokens of a reply");
    r = ze_seq_new(&c->seq, s->m->engine, job->root, ids ? ids : job->ids.data, n, reserve, dg);
    zc_free(ids);
    if (r < 0)
        return r;
    c->reserved = n + reserve;
    c->order = s->order++;
    c->state = ZS_CH_PREFILL;
    TAILQ_REMOVE(&s->queue, c, link);
    s->running[s->n_running++] = c;
    tell_started(s, c);
    return ZC_OK;
}

/* How far a user is behind the one who was served last: the smallest is next. */
uint64_t zs_admit_turns(uint64_t root, uint64_t last)
{
    return root - last - 1;
}

/* How many replies of a user are being computed. */
static int n_running_of(const struct zs_sched *s, uint64_t root)
{
    int n = 0;

    for (int i = 0; i < s->n_running; i++)
        n += s->running[i]->job->root == root;
    return n;
}

/* Of one user: who lost pages, and who belongs to a reply that has begun, before the others. */
static bool is_hurried(const struct zs_choice *c)
{
    return c->was_preempted || c->index > 0;
}

/* The next to admit: of the user with the fewest replies in work, users in turn where that is
 * equal. One whose reader takes nothing is not in a hurry. */
struct zs_choice *zs_admit_next(const struct zs_sched *s)
{
    struct zs_choice *c, *best = NULL;
    uint64_t root = 0;
    int n = -1, best_n = 0;

    TAILQ_FOREACH(c, &s->queue, link)
    {
        if (c->resting)
            continue;
        if (n < 0 || c->job->root != root)
            n = n_running_of(s, root = c->job->root);
        bool better = !best || n < best_n;
        if (best && root == best->job->root)
            better = is_hurried(c) && !is_hurried(best);
        else if (best && n == best_n)
            better = zs_admit_turns(root, s->queue_turn) <
                     zs_admit_turns(best->job->root, s->queue_turn);
        if (better) {
            best = c;
            best_n = n;
        }
    }
    return best;
}

/* Who has to wait is told so, once. */
static void tell_queued(struct zs_sched *s)
{
    struct zs_choice *c;
    uint64_t ahead = 0;

    TAILQ_FOREACH(c, &s->queue, link)
    {
        struct zs_sched_job *sj = zs_sched_job_of(c);
        if (!sj->queued_told && c->index == 0 && c->job->params.stream &&
            zs_job_take_credit(c->job) == ZC_OK)
            zs_choice_push(&s->env, &(struct zs_event){.job = c->job,
                                                       .kind = ZS_EV_PROGRESS,
                                                       .phase = ZS_PHASE_QUEUE,
                                                       .total = ahead});
        sj->queued_told = true;
        ahead++;
    }
}

/* Takes the pages of a choice away; it goes to the head of the queue and is computed again. */
void zs_admit_preempt(struct zs_sched *s, struct zs_choice *c)
{
    zs_sched_leave_running(s, c);
    ze_seq_free(c->seq);
    c->seq = NULL;
    c->state = ZS_CH_QUEUED;
    c->was_preempted = true;
    TAILQ_INSERT_HEAD(&s->queue, c, link);
    s->now.preemptions++;
}

/* A reply that rests on its reader holds a place and pages: somebody who can use them gets them, or
 * a client that does not read would stall everybody. Whether there was one. */
static bool preempt_resting(struct zs_sched *s)
{
    for (int i = s->n_running - 1; i >= 0; i--) {
        if (s->running[i]->resting) {
            zs_admit_preempt(s, s->running[i]);
            return true;
        }
    }
    return false;
}

/* Places and pages are shared out among users: whoever has over one reply more in work than the
 * user of c gives up the youngest of them. Whether there was one. */
static bool preempt_greedy(struct zs_sched *s, const struct zs_choice *c)
{
    struct zs_choice *young = NULL;
    int most = n_running_of(s, c->job->root) + 1;

    for (int i = 0; i < s->n_running; i++) {
        struct zs_choice *r = s->running[i];
        int n = n_running_of(s, r->job->root);
        if (n > most || (young && n == most && r->order > young->order)) {
            most = n;
            young = r;
        }
    }
    if (young)
        zs_admit_preempt(s, young);
    return young;
}

void zs_admit(struct zs_sched *s)
{
    struct zc_diag dg;
    struct zs_choice *c;

    while ((c = zs_admit_next(s))) {
        dg.text[0] = '\0';
        int r = s->n_running < s->max_running ? admit_choice(s, c, &dg) : ZC_EBUSY;
        if (r == ZC_EBUSY && (preempt_resting(s) || preempt_greedy(s, c)))
            continue;
        /* With nothing running, nothing will ever be given back. */
        if (r == ZC_EBUSY && s->n_running > 0)
            break;
        if (r < 0)
            zs_sched_fail(s, c, r == ZC_EBUSY ? ZC_ELIMIT : r, &dg);
        else
            s->queue_turn = c->job->root;
    }
    tell_queued(s);
}
