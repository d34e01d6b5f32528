/* SPDX-License-Identifier: MIT */
/* The scheduler over an engine that is made up here: pages are counted and next tokens follow from
 * the last one, so that every run has one right answer. The tokenizer is the demo model's. */
#include <poll.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/zc_mem.h"
#include "tests/unit/t_unit.h"
#include "zoracd/serve/zs_sched.h"

/* ---- the made-up engine ------------------------------------------------------------------- */

#define VOCAB 300
#define PAGE  16

#define END_TOKEN 2 /* the demo model's: a special token, which is no text */

struct ze_engine {
    struct ze_config config;
    struct ze_plan plan;
};
struct ze_seq {
    int32_t ids[4096];
    size_t n, computed, pages, cap;
};
struct ze_sampler {
    int unused;
};

static struct {
    struct ze_engine e;
    atomic_int pages_used;
    int32_t poison;       /* a step with this id in it fails; -1: none */
    int err;              /* so */
    uint64_t silent_from; /* from this token on, only tokens without text; 0: none */
    atomic_bool gated;    /* each step waits for one post */
    sem_t gate;
    atomic_bool in_step;
    atomic_int steps, max_works;
    atomic_int cuts;          /* pieces of prompts that another follows, where there is a unit */
    atomic_int shared, alone; /* steps with pieces of prompts: beside decoding, without it */
} fake;

const struct ze_config *ze_engine_config(const struct ze_engine *e)
{
    return &e->config;
}
const struct ze_plan *ze_engine_plan(const struct ze_engine *e)
{
    return &e->plan;
}
void ze_engine_kv_stats(const struct ze_engine *e, struct ze_kv_stats *ret)
{
    *ret = (struct ze_kv_stats){.pages = (size_t)e->plan.kv_pages,
                                .pages_used = (size_t)fake.pages_used};
}

static int take_pages(struct ze_seq *s, size_t tokens)
{
    size_t want = (tokens + PAGE - 1) / PAGE;

    if (want > (size_t)fake.e.plan.kv_pages)
        return ZC_ELIMIT;
    if (want > s->pages && (size_t)fake.pages_used + want - s->pages > (size_t)fake.e.plan.kv_pages)
        return ZC_EBUSY;
    if (want > s->pages) {
        fake.pages_used += (int)(want - s->pages);
        s->pages = want;
    }
    if (tokens > s->cap)
        s->cap = tokens;
    return ZC_OK;
}

int ze_seq_new(struct ze_seq **ret_s, struct ze_engine *e, uint64_t root, const int32_t *ids,
               size_t n, size_t reserve, struct zc_diag *dg)
{
    struct ze_seq *s = zc_xcalloc(1, sizeof *s);
    int r = take_pages(s, n + reserve);

    if (r < 0) {
        zc_free(s);
        return zc_diag(dg, r, "no pages");
    }
    memcpy(s->ids, ids, n * sizeof *ids);
    s->n = n;
    *ret_s = s;
    return ZC_OK;
}
void ze_seq_free(struct ze_seq *s)
{
    if (s)
        fake.pages_used -= (int)s->pages;
    zc_free(s);
}
int ze_seq_reserve(struct ze_seq *s, size_t n_tokens)
{
    return take_pages(s, n_tokens);
}
int ze_seq_append(struct ze_seq *s, int32_t id)
{
    if (s->n >= s->cap)
        return ZC_ELIMIT;
    s->ids[s->n++] = id;
    return ZC_OK;
}
size_t ze_seq_len(const struct ze_seq *s)
{
    return s->n;
}
size_t ze_seq_computed(const struct ze_seq *s)
{
    return s->computed;
}
size_t ze_seq_cached(const struct ze_seq *s)
{
    return 0;
}

static bool is_poisoned(const struct ze_work *w)
{
    return fake.poison >= 0 && w->seq->ids[0] == fake.poison;
}

int ze_step(struct ze_engine *e, struct ze_work *works, int n, struct zc_diag *dg)
{
    static float logits[64];
    int rows = 0, n_decode = 0, n_prefill = 0;

    fake.in_step = true;
    if (fake.gated)
        sem_wait(&fake.gate);
    fake.in_step = false;
    ck_assert_int_le(n, e->plan.max_seqs);
    for (int i = 0; i < n; i++)
        if (is_poisoned(&works[i]))
            return zc_diag(dg, fake.err, "poison");
    for (int i = 0; i < n; i++) {
        struct ze_seq *s = works[i].seq;
        rows += works[i].n_rows;
        *(works[i].is_prompt ? &n_prefill : &n_decode) += 1;
        ck_assert(works[i].is_prompt || works[i].n_rows == 1);
        s->computed += (size_t)works[i].n_rows;
        if (works[i].is_prompt && e->plan.prefill_unit > 0 && s->computed < s->n) {
            ck_assert_uint_eq(s->computed % (size_t)e->plan.prefill_unit, 0);
            fake.cuts++;
        }
        ck_assert_uint_le(s->computed, s->n);
        ck_assert_uint_le(s->computed, s->pages * PAGE);
        logits[i] = (float)((s->ids[s->computed - 1] * 7 + 11) % 200 + 50);
        works[i].logits = works[i].want_logits ? &logits[i] : NULL;
    }
    fake.steps++;
    if (n_prefill > 0)
        *(n_decode > 0 ? &fake.shared : &fake.alone) += 1;
    if (n > fake.max_works)
        fake.max_works = n;
    ck_assert_int_le(rows, e->plan.prefill_chunk + e->plan.max_seqs);
    return ZC_OK;
}

int ze_sampler_new(struct ze_sampler **ret_s, const struct ze_sample_params *p, int vocab,
                   const int32_t *prompt, size_t n)
{
    *ret_s = zc_xcalloc(1, sizeof **ret_s);
    return ZC_OK;
}
void ze_sampler_free(struct ze_sampler *s)
{
    zc_free(s);
}
int ze_sampler_draw(struct ze_sampler *s, const float *logits, uint64_t index,
                    struct ze_sampled *ret, struct zc_diag *dg)
{
    bool silent = fake.silent_from && index >= fake.silent_from;
    *ret = (struct ze_sampled){.id = silent ? END_TOKEN : (int32_t)*logits};
    return ZC_OK;
}
void ze_sampler_take(struct ze_sampler *s, int32_t id, struct ze_sampled *ret)
{
    *ret = (struct ze_sampled){.id = id};
}
void ze_sample_params_init(struct ze_sample_params *p)
{
    *p = (struct ze_sample_params){.temperature = 1};
}
int ze_sample_params_check(const struct ze_sample_params *p, int vocab, struct zc_diag *dg)
{
    return ZC_OK;
}

/* ---- jobs --------------------------------------------------------------------------------- */

static struct zs_model model;
static struct zs_sched *sched;
static struct zc_diag dg;

static void setup(void)
{
    char path[512];
    const char *top = getenv("top_srcdir");

    snprintf(path, sizeof path, "%s/zoracd/demo/model", top ? top : ".");
    t_assert_err(zt_tok_open(&model.tok, path, &dg), ZC_OK, &dg);
    memset(&fake, 0, sizeof fake);
    sem_init(&fake.gate, 0, 0);
    fake.poison = -1;
    fake.e.config.V = VOCAB;
    fake.e.plan =
        (struct ze_plan){.context = 2048, .kv_pages = 1000, .max_seqs = 8, .prefill_chunk = 64};
    model.engine = &fake.e;
}

static void start(void)
{
    t_assert_err(zs_sched_start(&sched, &model, &dg), ZC_OK, &dg);
}

static void free_job(struct zs_job *job, void *arg)
{
    if (arg)
        ++*(int *)arg;
    zs_job_free(job);
}

static void teardown(void)
{
    zs_sched_stop(sched, free_job, NULL);
    sched = NULL;
    ck_assert_int_eq(fake.pages_used, 0);
    zt_tok_free(model.tok);
}

/* A job of user `root` whose prompt is n ids that begin with first. */
static struct zs_job *new_job(uint64_t root, int32_t first, size_t n, size_t max_tokens)
{
    struct zs_job *job = zs_job_new();

    job->method = ZC_M_GENERATE;
    job->root = root;
    job->params.n = 1;
    job->params.stream = true;
    job->params.ignore_eos = true;
    job->params.s.logprobs = -1;
    job->params.max_tokens = max_tokens;
    for (size_t i = 0; i < n; i++)
        zt_ids_add(&job->ids, first + (int32_t)(i % 50));
    ck_assert_int_eq(zs_sched_submit(sched, job), ZC_OK);
    return job;
}

/* Waits for the next event; 0 if none comes in ms. */
static int next_event(struct zs_event *ev, int ms)
{
    struct pollfd p = {.fd = zs_sched_fd(sched), .events = POLLIN};

    for (;;) {
        zs_sched_quiet(sched);
        if (zs_sched_take(sched, ev))
            return 1;
        if (poll(&p, 1, ms) == 0)
            return zs_sched_take(sched, ev);
    }
}

/* Takes events, gives their credit back, until the job is home. */
static void finish(struct zs_job *job)
{
    struct zs_event ev;

    for (;;) {
        ck_assert_msg(next_event(&ev, 20000), "a job never ended");
        if (ev.kind == ZS_EV_FINISHED && ev.job == job)
            return;
        if (ev.kind != ZS_EV_STARTED && zs_job_give_credit(ev.job, 1))
            zs_sched_ring(sched);
        zc_free(ev.logprobs);
    }
}

/* What the made-up model says after `last`. */
static void check_reply(const struct zs_job *job, size_t n)
{
    const struct zt_ids *ids = &job->replies[0].ids;
    int32_t last = job->ids.data[job->ids.len - 1];

    ck_assert_uint_eq(ids->len, n);
    for (size_t i = 0; i < n; i++) {
        last = (last * 7 + 11) % 200 + 50;
        ck_assert_int_eq(ids->data[i], last);
    }
}

/* The counters, once the thread has nothing to do: they are published after the last event. */
static void wait_until_idle(struct zs_sched_stats *ret)
{
    for (int i = 0; i < 20000; i++) {
        zs_sched_stats(sched, ret);
        if (ret->is_idle)
            return;
        usleep(1000);
    }
    ck_abort_msg("the thread never sleeps");
}

/* ---- tests -------------------------------------------------------------------------------- */

START_TEST(a_job_comes_home_with_its_reply)
{
    start();
    struct zs_job *job = new_job(1, 60, 10, 20);
    finish(job);
    check_reply(job, 20);
    ck_assert_int_eq(job->error, ZC_OK);
    ck_assert_int_eq(job->replies[0].finish, ZS_FINISH_LENGTH);
    ck_assert_uint_gt(job->replies[0].text.len, 0);
    ck_assert_uint_eq(job->max_tokens, 20);
    zs_job_free(job);
}
END_TEST

START_TEST(the_thread_ends_while_it_sleeps_and_while_it_works)
{
    for (int i = 0; i < 200; i++) {
        int n = 0;
        start();
        if (i % 4 == 1) {
            struct zs_job *job = new_job(1, 60, 3, 1);
            finish(job);
            zs_job_free(job);
        }
        if (i % 4 >= 2)
            new_job(1, 60, 100, 0);
        zs_sched_stop(sched, free_job, &n);
        ck_assert_int_eq(n, i % 4 >= 2 ? 1 : 0);
    }
    start();
}
END_TEST

/* n jobs to their ends, in any order. */
static void finish_any(int n, size_t max_tokens)
{
    for (int i = 0; i < n; i++) {
        struct zs_event ev;
        do
            ck_assert(next_event(&ev, 20000));
        while (ev.kind != ZS_EV_FINISHED &&
               (ev.kind == ZS_EV_STARTED || !zs_job_give_credit(ev.job, 1) ||
                (zs_sched_ring(sched), true)));
        check_reply(ev.job, max_tokens);
        zs_job_free(ev.job);
    }
}

/* What is in the way and how long steps take decides when units come, never where one ends. */
START_TEST(prompts_are_cut_at_whole_units)
{
    fake.e.plan.prefill_unit = fake.e.plan.prefill_chunk;
    start();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 4; i++)
            new_job(1, 50 + i, (size_t)(64 * i + (round == 1 ? 1 : 40 * i + 7)), 30);
        finish_any(4, 30);
    }
    ck_assert_int_eq(fake.cuts, (1 + 3 + 4) + (1 + 2 + 3) + (1 + 3 + 4));
}
END_TEST

START_TEST(jobs_share_steps_and_do_not_change_each_other)
{
    fake.gated = true;
    start();
    for (int i = 0; i < 8; i++)
        new_job((uint64_t)i % 3 + 1, 50 + i, 5 + (size_t)i * 20, 40);
    for (int i = 0; i < 1000; i++)
        sem_post(&fake.gate);
    finish_any(8, 40);
    ck_assert_int_eq(fake.max_works, 8);
    ck_assert_int_lt(fake.steps, 8 * 40);
}
END_TEST

/* systemd's watchdog is fed while the thread is idle: a step that never ends must not look so. */
START_TEST(a_thread_in_its_first_step_is_not_idle)
{
    struct zs_sched_stats st;

    start();
    wait_until_idle(&st);
    fake.gated = true;
    struct zs_job *job = new_job(1, 60, 5, 3);
    while (!fake.in_step)
        usleep(1000);
    zs_sched_stats(sched, &st);
    ck_assert_uint_eq(st.is_idle, 0);
    fake.gated = false;
    sem_post(&fake.gate);
    finish(job);
    zs_job_free(job);
    wait_until_idle(&st);
}
END_TEST

START_TEST(a_long_prompt_stalls_nobody)
{
    struct zs_event ev;

    fake.gated = true;
    start();
    struct zs_job *talker = new_job(1, 60, 4, 500);
    for (int i = 0; i < 4; i++)
        sem_post(&fake.gate);
    do
        ck_assert(next_event(&ev, 20000));
    while (ev.kind != ZS_EV_DELTA);
    struct zs_job *reader = new_job(2, 70, 1500, 1);
    fake.alone = 0;
    /* The talker goes on beside each piece of the other's prompt. A step at a time, its events
     * taken before the next, so that the talker never rests for want of credit. */
    do {
        int before = fake.steps;
        sem_post(&fake.gate);
        while ((next_event(&ev, 10) || fake.steps == before) && ev.kind != ZS_EV_FINISHED)
            if (ev.kind != ZS_EV_STARTED && zs_job_give_credit(ev.job, 1))
                zs_sched_ring(sched);
    } while (ev.kind != ZS_EV_FINISHED);
    fake.gated = false;
    sem_post(&fake.gate);
    ck_assert_int_ge(fake.shared, 1500 / 64);
    ck_assert_int_eq(fake.alone, 0);
    struct zs_job *other = ev.job == reader ? talker : reader;
    zs_job_free(ev.job);
    finish(other);
    zs_job_free(other);
}
END_TEST

START_TEST(pages_run_out_and_everybody_still_finishes)
{
    struct zs_job *a, *b, *c;
    struct zs_sched_stats st;

    fake.e.plan.kv_pages = 40; /* 640 tokens; three of them want 400 each, step by step */
    fake.e.plan.context = 410;
    start();
    a = new_job(1, 60, 10, 0);
    b = new_job(2, 61, 10, 0);
    c = new_job(3, 62, 10, 0);
    for (int i = 0; i < 3; i++) {
        struct zs_event ev;
        for (;;) {
            ck_assert_msg(next_event(&ev, 20000), "stuck");
            if (ev.kind == ZS_EV_FINISHED)
                break;
            if (ev.kind != ZS_EV_STARTED && zs_job_give_credit(ev.job, 1))
                zs_sched_ring(sched);
        }
        ck_assert(ev.job == a || ev.job == b || ev.job == c);
        check_reply(ev.job, 400);
        zs_job_free(ev.job);
    }
    wait_until_idle(&st);
    ck_assert_uint_gt(st.preemptions, 0);
}
END_TEST

START_TEST(a_prompt_over_the_context_is_refused_with_both_numbers)
{
    fake.e.plan.context = 100;
    start();
    struct zs_job *job = new_job(1, 60, 100, 5);
    finish(job);
    ck_assert_int_eq(job->error, ZC_ELIMIT);
    ck_assert_msg(strstr(job->dg.text, "100 tokens") && strstr(job->dg.text, "holds 100"), "%s",
                  job->dg.text);
    ck_assert_uint_eq(job->context, 100);
    zs_job_free(job);
    job = new_job(1, 60, 90, 500); /* clamped, and said so */
    finish(job);
    check_reply(job, 10);
    ck_assert_uint_eq(job->max_tokens, 10);
    zs_job_free(job);
}
END_TEST

START_TEST(one_that_cannot_be_computed_fails_alone)
{
    fake.poison = 99;
    fake.err = ZC_ELIMIT;
    start();
    struct zs_job *good = new_job(1, 60, 5, 50);
    struct zs_job *bad = new_job(1, 99, 5, 50);
    struct zs_job *first = bad, *second = good;
    finish(first);
    ck_assert_int_eq(first->error, ZC_ELIMIT);
    ck_assert_str_eq(first->dg.text, "poison");
    zs_job_free(first);
    finish(second);
    check_reply(second, 50);
    zs_job_free(second);
}
END_TEST

START_TEST(cancel_ends_it_within_a_step)
{
    struct zs_event ev;

    fake.gated = true;
    start();
    struct zs_job *job = new_job(1, 60, 5, 1000);
    for (int i = 0; i < 5; i++)
        sem_post(&fake.gate);
    for (int i = 0; i < 4; i++)
        ck_assert(next_event(&ev, 20000));
    int before = fake.steps;
    zs_job_cancel(job);
    zs_sched_ring(sched);
    sem_post(&fake.gate);
    sem_post(&fake.gate);
    finish(job);
    ck_assert_int_le(fake.steps - before, 3);
    ck_assert_int_eq(job->replies[0].finish, ZS_FINISH_CANCELED);
    ck_assert_uint_gt(job->replies[0].ids.len, 0);
    zs_job_free(job);
    fake.gated = false;
    sem_post(&fake.gate);
}
END_TEST

START_TEST(a_job_without_credit_rests_and_goes_on)
{
    struct zs_event ev;
    int deltas = 0;

    start();
    struct zs_job *slow = new_job(1, 60, 5, 200);
    while (deltas < ZS_JOB_CREDIT) {
        ck_assert(next_event(&ev, 20000));
        deltas += ev.kind == ZS_EV_DELTA;
    }
    ck_assert_int_eq(next_event(&ev, 100), 0);
    struct zs_job *other = new_job(2, 61, 5, 100);
    finish(other); /* nobody waits for the slow one */
    check_reply(other, 100);
    zs_job_free(other);
    ck_assert_int_eq(zs_job_give_credit(slow, ZS_JOB_CREDIT), 1);
    zs_sched_ring(sched);
    finish(slow);
    check_reply(slow, 200);
    zs_job_free(slow);
}
END_TEST

START_TEST(logprobs_of_tokens_without_text_arrive_too)
{
    struct zs_event ev;
    uint32_t n = 0;

    fake.silent_from = 15;
    start();
    struct zs_job *job = zs_job_new();
    job->root = 1;
    job->params = (struct zs_params){.n = 1, .stream = true, .ignore_eos = true, .max_tokens = 20};
    zt_ids_add(&job->ids, 60);
    ck_assert_int_eq(zs_sched_submit(sched, job), ZC_OK);
    do {
        ck_assert(next_event(&ev, 20000));
        n += ev.n_logprobs;
        zc_free(ev.logprobs);
    } while (ev.kind != ZS_EV_FINISHED);
    ck_assert_uint_eq(job->replies[0].n_logprobs, 20);
    ck_assert_uint_eq(n, 20);
    zs_job_free(job);
}
END_TEST

START_TEST(choices_follow_the_first_and_end_together)
{
    start();
    struct zs_job *job = zs_job_new();
    job->root = 1;
    job->params = (struct zs_params){.n = 5, .ignore_eos = true, .max_tokens = 30};
    job->params.s.logprobs = -1;
    for (int i = 0; i < 40; i++)
        zt_ids_add(&job->ids, 60 + i);
    ck_assert_int_eq(zs_sched_submit(sched, job), ZC_OK);
    finish(job);
    for (int i = 0; i < 5; i++) {
        ck_assert_uint_eq(job->replies[i].ids.len, 30);
        ck_assert_int_eq(job->replies[i].finish, ZS_FINISH_LENGTH);
    }
    zs_job_free(job);
}
END_TEST

START_TEST(readers_that_take_nothing_stall_nobody)
{
    struct zs_job *slow[8];
    struct zs_event ev;
    int deltas = 0;

    start(); /* 8 places, and 8 replies that rest in them */
    for (int i = 0; i < 8; i++)
        slow[i] = new_job(1, 60 + i, 5, 200);
    while (deltas < 8 * ZS_JOB_CREDIT) {
        ck_assert(next_event(&ev, 20000));
        deltas += ev.kind == ZS_EV_DELTA;
    }
    ck_assert_int_eq(next_event(&ev, 100), 0);
    struct zs_job *other = new_job(2, 70, 5, 100);
    finish(other);
    check_reply(other, 100);
    zs_job_free(other);
    for (int i = 0; i < 8; i++)
        zs_job_give_credit(slow[i], ZS_JOB_CREDIT);
    zs_sched_ring(sched);
    for (int done = 0; done < 8;) {
        ck_assert_msg(next_event(&ev, 20000), "stuck after %d", done);
        if (ev.kind == ZS_EV_FINISHED) {
            check_reply(ev.job, 200);
            zs_job_free(ev.job);
            done++;
        } else if (ev.kind != ZS_EV_STARTED && zs_job_give_credit(ev.job, 1)) {
            zs_sched_ring(sched);
        }
    }
}
END_TEST

START_TEST(choices_follow_a_first_that_lost_its_pages_before_it_was_computed)
{
    struct zs_sched_stats st;
    struct zs_event ev;

    fake.gated = true;
    fake.e.plan.kv_pages = 40; /* 640 tokens: a prompt of 350 and a reply that grows to 400 */
    fake.e.plan.context = 410;
    start();
    struct zs_job *old = new_job(1, 60, 10, 0);
    ck_assert(next_event(&ev, 20000) && ev.kind == ZS_EV_STARTED);
    struct zs_job *many = zs_job_new();
    many->root = 2;
    many->params = (struct zs_params){.n = 2, .ignore_eos = true, .max_tokens = 10};
    many->params.s.logprobs = -1;
    for (int i = 0; i < 350; i++)
        zt_ids_add(&many->ids, 60 + i % 50);
    /* The old one needs more pages at its 267th token, just when the long prompt has begun. */
    for (int i = 0; i < 255; i++)
        sem_post(&fake.gate);
    while (fake.steps < 255) {
        while (next_event(&ev, 10))
            zs_job_give_credit(old, ev.kind != ZS_EV_STARTED);
        zs_sched_ring(sched);
    }
    ck_assert_int_eq(zs_sched_submit(sched, many), ZC_OK);
    fake.gated = false;
    sem_post(&fake.gate);
    for (int done = 0; done < 2;) {
        ck_assert_msg(next_event(&ev, 20000), "stuck after %d", done);
        if (ev.kind == ZS_EV_FINISHED)
            done++;
        else if (ev.kind != ZS_EV_STARTED && zs_job_give_credit(ev.job, 1))
            zs_sched_ring(sched);
    }
    wait_until_idle(&st);
    ck_assert_uint_gt(st.preemptions, 0);
    ck_assert_uint_eq(many->replies[1].ids.len, 10);
    zs_job_free(old);
    zs_job_free(many);
}
END_TEST

START_TEST(many_jobs_wait_in_the_queue_and_all_finish)
{
    enum { N = 100 };
    int done = 0;
    struct zs_event ev;

    start();
    for (int i = 0; i < N; i++)
        new_job((uint64_t)(i % 7), 50 + i % 40, 1 + (size_t)i, 10);
    while (done < N) {
        ck_assert_msg(next_event(&ev, 20000), "stuck after %d", done);
        if (ev.kind == ZS_EV_FINISHED) {
            check_reply(ev.job, 10);
            zs_job_free(ev.job);
            done++;
        } else if (ev.kind != ZS_EV_STARTED && zs_job_give_credit(ev.job, 1)) {
            zs_sched_ring(sched);
        }
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("scheduler");
    TCase *tc = tcase_create("scheduler");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_job_comes_home_with_its_reply);
    tcase_add_test(tc, the_thread_ends_while_it_sleeps_and_while_it_works);
    tcase_add_test(tc, jobs_share_steps_and_do_not_change_each_other);
    tcase_add_test(tc, prompts_are_cut_at_whole_units);
    tcase_add_test(tc, a_thread_in_its_first_step_is_not_idle);
    tcase_add_test(tc, a_long_prompt_stalls_nobody);
    tcase_add_test(tc, pages_run_out_and_everybody_still_finishes);
    tcase_add_test(tc, a_prompt_over_the_context_is_refused_with_both_numbers);
    tcase_add_test(tc, one_that_cannot_be_computed_fails_alone);
    tcase_add_test(tc, cancel_ends_it_within_a_step);
    tcase_add_test(tc, a_job_without_credit_rests_and_goes_on);
    tcase_add_test(tc, logprobs_of_tokens_without_text_arrive_too);
    tcase_add_test(tc, choices_follow_the_first_and_end_together);
    tcase_add_test(tc, many_jobs_wait_in_the_queue_and_all_finish);
    tcase_add_test(tc, readers_that_take_nothing_stall_nobody);
    tcase_add_test(tc, choices_follow_a_first_that_lost_its_pages_before_it_was_computed);
    suite_add_tcase(s, tc);
    return t_run(s);
}
