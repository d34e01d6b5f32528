/* SPDX-License-Identifier: MIT */
/* Continuous batching. Each turn of the engine thread: take what came in, end what was canceled,
 * admit from the queue, then one step in which every decoding sequence computes one token and a
 * bounded number of prompt rows is computed beside them. Users take turns, each user's requests are
 * first come first served, and no request waits for another one to finish unless memory does.
 *
 * What is computed for one sequence never depends on its company: the engine promises it for any
 * cut of a prompt, or for cuts at the plan's units, which are then the only ones made here; random
 * numbers are counted by (seed, token). */
#include "config.h"

#include "zoracd/serve/zs_sched_internal.h"

#include <string.h>

#include "common/zc_log.h"
#include "common/zc_mem.h"
#include "zoracd/serve/zs_limits.h"

#define PREFILL_GRAIN   32     /* rows: a prompt is cut at multiples of it, or of the plan's unit */
#define PREFILL_US      100000 /* what a prompt may take of a step that others wait for, */
#define ALONE_US        500000 /* and of one that only newcomers, cancel and stop wait for */
#define PROGRESS_US     200000 /* between two progress events of one prompt */
#define EVENT_RING_SIZE 16384
_Static_assert(EVENT_RING_SIZE >= ZS_MAX_JOBS * (ZS_JOB_CREDIT + 2),
               "credit, started and finished of every job fit");

/* ---- statistics --------------------------------------------------------------------------- */

static void publish(struct zs_sched *s)
{
    uint64_t v[sizeof s->now / sizeof(uint64_t)];
    struct ze_kv_stats kv;
    struct zs_choice *c;

    ze_engine_kv_stats(s->m->engine, &kv);
    s->now.pages = kv.pages;
    s->now.pages_used = kv.pages_used;
    s->now.pages_cached = kv.pages_cached;
    s->now.pages_free = kv.pages_free;
    s->now.running = (uint64_t)s->n_running;
    s->now.queued = 0;
    TAILQ_FOREACH(c, &s->queue, link)
    s->now.queued++;
    memcpy(v, &s->now, sizeof v);
    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        atomic_store_explicit(&s->shown[i], v[i], memory_order_relaxed);
}

/* Before a step, so that one that never ends is not taken for sleep. */
static void publish_busy(struct zs_sched *s)
{
    size_t i = offsetof(struct zs_sched_stats, is_idle) / sizeof(uint64_t);

    atomic_store_explicit(&s->shown[i], 0, memory_order_relaxed);
}

void zs_sched_stats(const struct zs_sched *s, struct zs_sched_stats *ret)
{
    uint64_t v[sizeof *ret / sizeof(uint64_t)];

    for (size_t i = 0; i < sizeof v / sizeof *v; i++)
        v[i] = atomic_load_explicit(&s->shown[i], memory_order_relaxed);
    memcpy(ret, v, sizeof *ret);
}

/* ---- jobs in and out ---------------------------------------------------------------------- */

static void accept_job(struct zs_sched *s, struct zs_job *job)
{
    size_t n = (size_t)job->params.n;
    struct zs_sched_job *sj = zc_xcalloc(1, sizeof *sj + n * sizeof *sj->choices);

    sj->job = job;
    sj->n_live = job->params.n;
    sj->next = s->jobs;
    s->jobs = sj;
    job->context = s->context;
    zs_job_make_replies(job);
    for (int i = 0; i < job->params.n; i++) {
        job->replies[i].ids_are_text = true;
        sj->choices[i] = (struct zs_choice){
            .job = job, .reply = &job->replies[i], .index = i, .state = ZS_CH_WAITING};
    }
    sj->choices[0].state = ZS_CH_QUEUED;
    TAILQ_INSERT_TAIL(&s->queue, &sj->choices[0], link);
}

/* The other choices come when the first has computed the prompt: then they find it in the cache. */
static void queue_siblings(struct zs_sched *s, struct zs_choice *first)
{
    struct zs_choice *choices = first - first->index;

    for (int i = first->job->params.n - 1; i > 0; i--) {
        if (choices[i].state != ZS_CH_WAITING)
            continue;
        choices[i].state = ZS_CH_QUEUED;
        TAILQ_INSERT_HEAD(&s->queue, &choices[i], link);
    }
}

void zs_sched_leave_running(struct zs_sched *s, struct zs_choice *c)
{
    for (int i = 0; i < s->n_running; i++) {
        if (s->running[i] == c) {
            memmove(&s->running[i], &s->running[i + 1],
                    (size_t)(s->n_running - i - 1) * sizeof *s->running);
            s->n_running--;
            return;
        }
    }
}

/* Ends a choice wherever it is. */
static void end_choice(struct zs_sched *s, struct zs_choice *c, enum zs_finish finish)
{
    if (c->state == ZS_CH_QUEUED)
        TAILQ_REMOVE(&s->queue, c, link);
    else if (c->state == ZS_CH_PREFILL || c->state == ZS_CH_DECODE)
        zs_sched_leave_running(s, c);
    zs_choice_end(c, finish);
}

static void end_job(struct zs_sched *s, struct zs_sched_job *sj, enum zs_finish finish)
{
    for (int i = 0; i < sj->job->params.n; i++)
        end_choice(s, &sj->choices[i], finish);
}

/* A failure of one choice is the failure of its request, and of nothing else. */
void zs_sched_fail(struct zs_sched *s, struct zs_choice *c, int err, const struct zc_diag *dg)
{
    if (c->job->error == ZC_OK) {
        c->job->error = err;
        c->job->dg = *dg;
    }
    end_job(s, zs_sched_job_of(c), ZS_FINISH_ERROR);
}

/* ---- one step ----------------------------------------------------------------------------- */

static struct zs_choice *youngest(const struct zs_sched *s)
{
    struct zs_choice *best = s->running[0];
    for (int i = 1; i < s->n_running; i++)
        if (s->running[i]->order > best->order)
            best = s->running[i];
    return best;
}

/* Pages for the token that this step computes and the one that it samples, which is appended at
 * once. The oldest always gets them in the end. */
static int ensure_pages(struct zs_sched *s, struct zs_choice *c)
{
    size_t need = ze_seq_len(c->seq) + 1, want = need + ZS_RESERVE_STEP;
    int r;

    if (need > c->limit)
        need = c->limit;
    if (want > c->limit)
        want = c->limit;
    if (need <= c->reserved)
        return ZC_OK;
    while ((r = ze_seq_reserve(c->seq, want)) == ZC_EBUSY) {
        struct zs_choice *victim = youngest(s);
        zs_admit_preempt(s, victim);
        if (victim == c)
            return ZC_EBUSY;
    }
    if (r == ZC_OK)
        c->reserved = want;
    return r;
}

static void add_work(struct zs_sched *s, int *n, struct zs_choice *c, int rows, bool last)
{
    s->works[*n] = (struct ze_work){
        .seq = c->seq,
        .n_rows = rows,
        .is_prompt = c->state == ZS_CH_PREFILL,
        .want_logits = last,
        .sampler = c->sampler,
        .index = c->n_sampled,
        .drawn = -1,
    };
    s->work_choices[(*n)++] = c;
    c->in_step = true;
}

/* Every decoding sequence that is not resting: one row. */
static int add_decode(struct zs_sched *s)
{
    struct zc_diag dg;
    int n = 0;

    for (int i = 0; i < s->n_running; i++) {
        struct zs_choice *c = s->running[i];
        if (c->state != ZS_CH_DECODE || c->resting)
            continue;
        uint64_t before = s->now.preemptions;
        int r = ensure_pages(s, c);
        if (r < 0 && r != ZC_EBUSY) {
            zc_diag(&dg, r, "no pages for the reply");
            zs_sched_fail(s, c, r, &dg);
        }
        if (r < 0 || s->now.preemptions != before)
            i = -1; /* the list has changed: begin again with what is left */
    }
    for (int i = 0; i < s->n_running; i++)
        if (s->running[i]->state == ZS_CH_DECODE && !s->running[i]->resting)
            add_work(s, &n, s->running[i], 1, true);
    return n;
}

/* Rows of prompts in this step: what takes about as long as those who wait for it can bear, at
 * most a chunk, in whole grains: time decides how many of them, never where one ends. */
static int prefill_budget(const struct zs_sched *s, int n_decode)
{
    if (s->us_per_row <= 0)
        return s->grain;
    double rows = (n_decode > 0 ? PREFILL_US : ALONE_US) / s->us_per_row;
    if (rows >= s->chunk)
        return s->chunk;
    int grains = (int)rows / s->grain;
    return (grains > 0 ? grains : 1) * s->grain;
}

static struct zs_choice *next_prefill(const struct zs_sched *s)
{
    struct zs_choice *best = NULL;

    for (int i = 0; i < s->n_running; i++) {
        struct zs_choice *c = s->running[i];
        if (c->state != ZS_CH_PREFILL || c->in_step)
            continue;
        uint64_t t = zs_admit_turns(c->job->root, s->prefill_turn);
        uint64_t u = best ? zs_admit_turns(best->job->root, s->prefill_turn) : 0;
        if (!best || t < u || (t == u && c->order < best->order))
            best = c;
    }
    return best;
}

static int add_prefill(struct zs_sched *s, int n)
{
    int budget = prefill_budget(s, n);
    struct zs_choice *c;

    while (budget > 0 && (c = next_prefill(s))) {
        size_t done = ze_seq_computed(c->seq), left = ze_seq_len(c->seq) - done;
        int rows = left < (size_t)budget ? (int)left : budget;
        if ((size_t)rows < left) /* cut at a multiple of the grain, counted from the start */
            rows -= (int)((done + (size_t)rows) % (size_t)s->grain);
        if (rows <= 0)
            break;
        add_work(s, &n, c, rows, (size_t)rows == left);
        s->prefill_turn = c->job->root;
        budget -= rows;
    }
    return n;
}

static void tell_progress(struct zs_sched *s, struct zs_choice *c, zs_usec now)
{
    if (c->index != 0 || now - c->progress_at < PROGRESS_US || !c->job->params.stream ||
        zs_job_take_credit(c->job) < 0)
        return;
    c->progress_at = now;
    zs_choice_push(&s->env, &(struct zs_event){.job = c->job,
                                               .kind = ZS_EV_PROGRESS,
                                               .phase = ZS_PHASE_PROMPT,
                                               .done = ze_seq_computed(c->seq),
                                               .total = ze_seq_len(c->seq)});
}

/* What a computed work means for its choice. */
static void take_result(struct zs_sched *s, struct zs_choice *c, const struct ze_work *w)
{
    struct zc_diag dg;
    zs_usec now = zs_now();

    if (!w->want_logits) {
        tell_progress(s, c, now);
        return;
    }
    if (c->state == ZS_CH_PREFILL) {
        c->state = ZS_CH_DECODE;
        /* Once: not when it lost its pages afterwards. It may have lost them before, too. */
        if (c->index == 0 && c->job->prefilled == 0) {
            c->job->prefilled = now;
            queue_siblings(s, c);
        }
    }
    dg.text[0] = '\0';
    int r = zs_choice_sample(c, &s->env, w, &dg);
    s->now.generated_tokens++;
    if (r < 0)
        zs_sched_fail(s, c, r, &dg);
    else if (c->state == ZS_CH_ENDING)
        zs_sched_leave_running(s, c);
    zs_choice_emit(c, &s->env);
}

/* Computes works[from .. to). If a step of many fails, each is computed alone, so that only the one
 * that can't be computed fails. */
static void run_works(struct zs_sched *s, int from, int to)
{
    struct zc_diag dg;

    dg.text[0] = '\0';
    int r = ze_step(s->m->engine, s->works + from, to - from, &dg);
    if (r == ZC_EDEVICE) {
        if (!s->now.device_lost)
            zc_log(ZC_LOG_ERROR, "the device is lost: %s", dg.text);
        s->now.device_lost = 1;
    }
    for (int i = from; i < to; i++) {
        struct zs_choice *c = s->work_choices[i];
        /* A sibling's failure may have ended it since the step was put together. */
        bool gone = c->state != ZS_CH_PREFILL && c->state != ZS_CH_DECODE;
        if (gone)
            continue;
        if (r == ZC_OK)
            take_result(s, c, &s->works[i]);
        else if (to - from > 1 && r != ZC_EDEVICE)
            run_works(s, i, i + 1);
        else
            zs_sched_fail(s, c, r, &dg);
    }
}

static double smooth(double old, double us)
{
    return old > 0 ? 0.7 * old + 0.3 * us : us;
}

/* Learns from a step how long steps take. */
static void learn(struct zs_sched *s, double us, int n_decode, uint64_t prefill_rows)
{
    if (prefill_rows == 0)
        s->decode_us = smooth(s->decode_us, us);
    if (prefill_rows < PREFILL_GRAIN)
        return;
    if (n_decode > 0) /* never all of it: the estimate may be of other sequences */
        us = us > 2 * s->decode_us ? us - s->decode_us : us / 2;
    s->us_per_row = smooth(s->us_per_row, us / (double)prefill_rows);
}

static int step(struct zs_sched *s)
{
    int n_decode = add_decode(s);
    int n = add_prefill(s, n_decode);
    uint64_t prefill_rows = 0;

    if (n == 0)
        return 0;
    publish_busy(s);
    for (int i = 0; i < n; i++)
        if (i >= n_decode)
            prefill_rows += (uint64_t)s->works[i].n_rows;
    zs_usec t0 = zs_now();
    run_works(s, 0, n);
    uint64_t us = zs_now() - t0;
    for (int i = 0; i < n; i++)
        s->work_choices[i]->in_step = false;
    s->now.steps++;
    s->now.busy_us += us;
    s->now.decode_rows += (uint64_t)n_decode;
    s->now.prefill_rows += prefill_rows;
    learn(s, (double)us, n_decode, prefill_rows);
    return n;
}

/* ---- the turn ----------------------------------------------------------------------------- */

static void take_mail(struct zs_sched *s)
{
    struct zs_job *job;

    while (!s->stop && zs_mailbox_pop(s->in, &job)) {
        if (job)
            accept_job(s, job);
        else
            s->stop = true;
    }
}

/* Ends what was canceled, lets rested choices go on, sends finished jobs home. */
static void look_after_jobs(struct zs_sched *s)
{
    struct zs_sched_job **link = &s->jobs, *sj;

    while ((sj = *link)) {
        struct zs_job *job = sj->job;
        if (zs_job_is_canceled(job))
            end_job(s, sj, ZS_FINISH_CANCELED);
        for (int i = 0; i < job->params.n; i++) {
            struct zs_choice *c = &sj->choices[i];
            if (c->state == ZS_CH_ENDING || (c->resting && zs_job_has_credit(job)))
                zs_choice_emit(c, &s->env);
            if (c->state == ZS_CH_DONE && c->reply) {
                zs_choice_release(c);
                c->reply = NULL;
                sj->n_live--;
            }
        }
        if (sj->n_live > 0) {
            link = &sj->next;
            continue;
        }
        *link = sj->next;
        job->finished = zs_now();
        zs_choice_push(&s->env, &(struct zs_event){.job = job, .kind = ZS_EV_FINISHED});
        zc_free(sj);
    }
}

static void ring_front(struct zs_sched *s)
{
    if (s->env.rang)
        zs_mailbox_ring(s->out);
    s->env.rang = false;
}

static void *engine_thread(void *arg)
{
    struct zs_sched *s = arg;

    while (!s->stop) {
        take_mail(s);
        look_after_jobs(s);
        zs_admit(s);
        int n = step(s);
        look_after_jobs(s);
        s->now.is_idle = n == 0;
        publish(s);
        ring_front(s);
        /* Jobs may have ended unrun above and made room for queued ones: only a turn that had
         * nothing to compute, nothing to admit and learnt nothing of the end may sleep. */
        if (!s->stop && n == 0 && (s->n_running > 0 || !zs_admit_next(s)))
            zs_mailbox_wait(s->in, -1);
    }
    return NULL;
}

/* ---- front thread ------------------------------------------------------------------------- */

int zs_sched_start(struct zs_sched **ret_s, const struct zs_model *m, struct zc_diag *dg)
{
    const struct ze_plan *plan = ze_engine_plan(m->engine);
    struct zs_sched *s = zc_xcalloc(1, sizeof *s);

    s->m = m;
    s->max_running = plan->max_seqs;
    s->chunk = plan->prefill_chunk;
    s->grain = plan->prefill_unit > 0 ? plan->prefill_unit : PREFILL_GRAIN;
    s->context = (size_t)plan->context;
    s->env.tok = m->tok;
    s->env.config = ze_engine_config(m->engine);
    TAILQ_INIT(&s->queue);
    s->running = zc_xcalloc((size_t)s->max_running, sizeof *s->running);
    s->works = zc_xcalloc((size_t)s->max_running, sizeof *s->works);
    s->work_choices = zc_xcalloc((size_t)s->max_running, sizeof *s->work_choices);
    int r = zs_mailbox_new(&s->in, 2 * ZS_MAX_JOBS, sizeof(struct zs_job *), dg);
    if (r == ZC_OK)
        r = zs_mailbox_new(&s->out, EVENT_RING_SIZE, sizeof(struct zs_event), dg);
    if (r == ZC_OK)
        r = zt_detok_new(&s->env.scratch, m->tok, ZT_SPECIAL_SHOW) < 0
                ? zc_diag(dg, ZC_ENOMEM, "no memory for a detokenizer")
                : ZC_OK;
    s->env.out = s->out;
    publish(s);
    if (r == ZC_OK && pthread_create(&s->thread, NULL, engine_thread, s) != 0)
        r = zc_diag(dg, ZC_ESYS, "no thread for the engine");
    if (r == ZC_OK)
        pthread_setname_np(s->thread, "zoracd-engine");
    if (r < 0) {
        zs_mailbox_free(s->in);
        s->in = NULL;
        zs_sched_stop(s, NULL, NULL);
        return r;
    }
    *ret_s = s;
    return ZC_OK;
}

/* Jobs that the thread had when it ended, and those on their way in or out. */
static void give_jobs_back(struct zs_sched *s, void (*free_job)(struct zs_job *, void *), void *arg)
{
    struct zs_job *job;
    struct zs_event ev;
    struct zs_sched_job *sj;

    while (zs_mailbox_pop(s->out, &ev)) {
        zc_free(ev.logprobs);
        if (ev.kind == ZS_EV_FINISHED)
            free_job(ev.job, arg);
    }
    while ((sj = s->jobs)) {
        s->jobs = sj->next;
        for (int i = 0; i < sj->job->params.n; i++)
            zs_choice_release(&sj->choices[i]);
        free_job(sj->job, arg);
        zc_free(sj);
    }
    while (zs_mailbox_pop(s->in, &job))
        if (job)
            free_job(job, arg);
}

void zs_sched_stop(struct zs_sched *s, void (*free_job)(struct zs_job *, void *), void *arg)
{
    struct zs_job *end = NULL;

    if (!s)
        return;
    if (s->in) {
        ZC_BUG_ON(zs_mailbox_push(s->in, &end) < 0);
        zs_mailbox_ring(s->in);
        pthread_join(s->thread, NULL);
        give_jobs_back(s, free_job, arg);
    }
    zs_mailbox_free(s->in);
    zs_mailbox_free(s->out);
    zt_detok_free(s->env.scratch);
    zc_free(s->running);
    zc_free(s->works);
    zc_free(s->work_choices);
    zc_free(s);
}

int zs_sched_submit(struct zs_sched *s, struct zs_job *job)
{
    int r = zs_mailbox_push(s->in, &job);
    if (r == ZC_OK)
        zs_mailbox_ring(s->in);
    return r;
}

void zs_sched_ring(struct zs_sched *s)
{
    zs_mailbox_ring(s->in);
}

int zs_sched_fd(const struct zs_sched *s)
{
    return zs_mailbox_fd(s->out);
}

void zs_sched_quiet(struct zs_sched *s)
{
    zs_mailbox_quiet(s->out);
}

int zs_sched_take(struct zs_sched *s, struct zs_event *ret_ev)
{
    return zs_mailbox_pop(s->out, ret_ev);
}
