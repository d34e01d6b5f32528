/* SPDX-License-Identifier: MIT */
/* Continuous batching. Each turn of the engine thread: take what came in, end what was canceled,
 * admit from the queue, then one step in which every decoding sequence computes one token and a
 * bounded number of prompt rows is computed beside them. Users take turns, each user's requests are
 * first come first served, and no request waits for another one to finish unless memory does.
 *
 * What is computed for one sequence never depends on its company: the engine promises it for any
 * cut of a prompt, and random numbers are counted by (seed, token). */
#include "config.h"

#include "zoracd/serve/zs_sched.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "common/zc_mem.h"
#include "zoracd/serve/zs_choice.h"
#include "zoracd/serve/zs_limits.h"
#include "zoracd/serve/zs_mailbox.h"

#define RESERVE_STEP    256    /* tokens reserved at a time where max_tokens is not given */
#define PREFILL_GRAIN   32     /* rows: a prompt is cut at multiples of it */
#define PREFILL_US      100000 /* what a prompt may take of a step that others wait for, */
#define ALONE_US        500000 /* and of one that only newcomers, cancel and stop wait for */
#define PROGRESS_US     200000 /* between two progress events of one prompt */
#define EVENT_RING_SIZE 16384
_Static_assert(EVENT_RING_SIZE >= ZS_MAX_JOBS * (ZS_JOB_CREDIT + 2),
               "credit, started and finished of every job fit");

TAILQ_HEAD(choice_queue, zs_choice);

/* A job and its choices while the engine thread owns it. */
struct sched_job {
    struct sched_job *next;
    struct zs_job *job;
    int n_live; /* choices that are not DONE */
    bool queued_told;
    struct zs_choice choices[];
};

struct zs_sched {
    pthread_t thread;
    const struct zs_model *m;
    struct zs_mailbox *in;  /* struct zs_job *; NULL ends the thread */
    struct zs_mailbox *out; /* struct zs_event */
    struct zs_choice_env env;
    int max_running, chunk;
    size_t context;
    struct sched_job *jobs;
    struct choice_queue queue;
    struct zs_choice **running; /* [max_running] */
    int n_running;
    struct ze_work *works;                    /* [max_running] */
    struct zs_choice **work_choices;          /* [max_running] */
    uint64_t order, queue_turn, prefill_turn; /* the user who was served last */
    double us_per_row, decode_us; /* a row of prefill; a step of decode; 0: not yet measured */
    bool stop;
    struct zs_sched_stats now; /* the thread's own copy */
    _Atomic uint64_t shown[sizeof(struct zs_sched_stats) / sizeof(uint64_t)];
};
_Static_assert(sizeof(struct zs_sched_stats) % sizeof(uint64_t) == 0, "counters only");

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
    struct sched_job *sj = zc_xcalloc(1, sizeof *sj + n * sizeof *sj->choices);

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

static void leave_running(struct zs_sched *s, struct zs_choice *c)
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
        leave_running(s, c);
    zs_choice_end(c, finish);
}

static void end_job(struct zs_sched *s, struct sched_job *sj, enum zs_finish finish)
{
    for (int i = 0; i < sj->job->params.n; i++)
        end_choice(s, &sj->choices[i], finish);
}

/* Choices lie in their job, in order. */
static struct sched_job *job_of(struct zs_choice *c)
{
    return (struct sched_job *)((char *)(c - c->index) - offsetof(struct sched_job, choices));
}

/* A failure of one choice is the failure of its request, and of nothing else. */
static void fail_job(struct zs_sched *s, struct zs_choice *c, int err, const struct zc_diag *dg)
{
    if (c->job->error == ZC_OK) {
        c->job->error = err;
        c->job->dg = *dg;
    }
    end_job(s, job_of(c), ZS_FINISH_ERROR);
}

/* ---- admission ---------------------------------------------------------------------------- */

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
static int32_t *all_ids(const struct zs_choice *c)
{
    const struct zt_ids *a = &c->job->ids, *b = &c->reply->ids;

    if (b->len == 0)
        return NULL;
    int32_t *ids = zc_xmalloc((a->len + b->len) * sizeof *ids);
    memcpy(ids, a->data, a->len * sizeof *ids);
    memcpy(ids + a->len, b->data, b->len * sizeof *ids);
    return ids;
}

/* Tries to give a queued choice its pages. ZC_EBUSY: not now. */
static int admit_choice(struct zs_sched *s, struct zs_choice *c, struct zc_diag *dg)
{
    struct zs_job *job = c->job;
    size_t n = job->ids.len + c->reply->ids.len;

    int r = check_length(s, job, dg);
    if (r == ZC_OK)
        r = zs_choice_start(c, &s->env, dg);
    if (r < 0)
        return r;
    c->limit = s->context;
    if (job->params.max_tokens && job->params.max_tokens < s->context - job->ids.len)
        c->limit = job->ids.len + job->params.max_tokens;
    size_t reserve = c->limit - n;
    if (!job->params.max_tokens && reserve > RESERVE_STEP)
        reserve = RESERVE_STEP;
    int32_t *ids = all_ids(c);
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
static uint64_t turns_until(uint64_t root, uint64_t last)
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
static struct zs_choice *next_queued(const struct zs_sched *s)
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
            better = turns_until(root, s->queue_turn) < turns_until(best->job->root, s->queue_turn);
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
        struct sched_job *sj = job_of(c);
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
static void preempt(struct zs_sched *s, struct zs_choice *c)
{
    leave_running(s, c);
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
            preempt(s, s->running[i]);
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
        preempt(s, young);
    return young;
}

static void admit(struct zs_sched *s)
{
    struct zc_diag dg;
    struct zs_choice *c;

    while ((c = next_queued(s))) {
        dg.text[0] = '\0';
        int r = s->n_running < s->max_running ? admit_choice(s, c, &dg) : ZC_EBUSY;
        if (r == ZC_EBUSY && (preempt_resting(s) || preempt_greedy(s, c)))
            continue;
        /* With nothing running, nothing will ever be given back. */
        if (r == ZC_EBUSY && s->n_running > 0)
            break;
        if (r < 0)
            fail_job(s, c, r == ZC_EBUSY ? ZC_ELIMIT : r, &dg);
        else
            s->queue_turn = c->job->root;
    }
    tell_queued(s);
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
    size_t need = ze_seq_len(c->seq) + 1, want = need + RESERVE_STEP;
    int r;

    if (need > c->limit)
        need = c->limit;
    if (want > c->limit)
        want = c->limit;
    if (need <= c->reserved)
        return ZC_OK;
    while ((r = ze_seq_reserve(c->seq, want)) == ZC_EBUSY) {
        struct zs_choice *victim = youngest(s);
        preempt(s, victim);
        if (victim == c)
            return ZC_EBUSY;
    }
    if (r == ZC_OK)
        c->reserved = want;
    return r;
}

static void add_work(struct zs_sched *s, int *n, struct zs_choice *c, int rows, bool last)
{
    s->works[*n] = (struct ze_work){.seq = c->seq, .n_rows = rows, .want_logits = last};
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
            fail_job(s, c, r, &dg);
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
 * most a chunk. */
static int prefill_budget(const struct zs_sched *s, int n_decode)
{
    if (s->us_per_row <= 0)
        return PREFILL_GRAIN;
    double rows = (n_decode > 0 ? PREFILL_US : ALONE_US) / s->us_per_row;
    if (rows >= s->chunk)
        return s->chunk;
    int grains = (int)rows / PREFILL_GRAIN;
    return (grains > 0 ? grains : 1) * PREFILL_GRAIN;
}

static struct zs_choice *next_prefill(const struct zs_sched *s)
{
    struct zs_choice *best = NULL;

    for (int i = 0; i < s->n_running; i++) {
        struct zs_choice *c = s->running[i];
        if (c->state != ZS_CH_PREFILL || c->in_step)
            continue;
        uint64_t t = turns_until(c->job->root, s->prefill_turn);
        uint64_t u = best ? turns_until(best->job->root, s->prefill_turn) : 0;
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
            rows -= (int)((done + (size_t)rows) % PREFILL_GRAIN);
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
    int r = zs_choice_sample(c, &s->env, w->logits, &dg);
    s->now.generated_tokens++;
    if (r < 0)
        fail_job(s, c, r, &dg);
    else if (c->state == ZS_CH_ENDING)
        leave_running(s, c);
    zs_choice_emit(c, &s->env);
}

/* Computes works[from .. to). If a step of many fails, each is computed alone, so that only the one
 * that can't be computed fails. */
static void run_works(struct zs_sched *s, int from, int to)
{
    struct zc_diag dg;

    dg.text[0] = '\0';
    int r = ze_step(s->m->engine, s->works + from, to - from, &dg);
    if (r == ZC_EDEVICE)
        s->now.device_lost = 1;
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
            fail_job(s, c, r, &dg);
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
    struct sched_job **link = &s->jobs, *sj;

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
        admit(s);
        int n = step(s);
        look_after_jobs(s);
        s->now.is_idle = n == 0;
        publish(s);
        ring_front(s);
        /* Jobs may have ended unrun above and made room for queued ones: only a turn that had
         * nothing to compute, nothing to admit and learnt nothing of the end may sleep. */
        if (!s->stop && n == 0 && (s->n_running > 0 || !next_queued(s)))
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
        r = zt_detok_new(&s->env.scratch, m->tok, false) < 0
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
    struct sched_job *sj;

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
