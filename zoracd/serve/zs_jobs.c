/* SPDX-License-Identifier: MIT */
/* The front's side of jobs: made for a request, sent to the threads, answered and freed when they
 * come back. Every way a request can end comes through finish(). */
#include "zoracd/serve/zs_internal.h"

#include <string.h>

#include "common/zc_log.h"
#include "common/zc_mem.h"

#define TURN_EVENTS 2048 /* of the engine, taken in one turn */

/* ---- the list of a connection ------------------------------------------------------------- */

static void link_job(struct zs_conn *c, struct zs_job *job)
{
    job->conn = c;
    job->next = c->jobs;
    if (c->jobs)
        c->jobs->prev = job;
    c->jobs = job;
    c->n_jobs++;
}

static void unlink_job(struct zs_job *job)
{
    struct zs_conn *c = job->conn;

    if (!c)
        return;
    if (job->prev)
        job->prev->next = job->next;
    else
        c->jobs = job->next;
    if (job->next)
        job->next->prev = job->prev;
    job->prev = job->next = NULL;
    job->conn = NULL;
    c->n_jobs--;
    /* A connection that only waited for this may close now. */
    zs_conn_wrote(c);
}

struct zs_job *zs_jobs_find(const struct zs_conn *c, int64_t id)
{
    struct zs_job *job = c->jobs;
    while (job && job->id != id)
        job = job->next;
    return job;
}

int zs_jobs_new(struct zs_conn *c, int64_t id, enum zc_method method, struct zs_job **ret_job,
                struct zc_diag *dg)
{
    struct zs_front *f = c->front;
    const struct zs_limits *lim = &f->config->limits;

    if (c->n_jobs >= lim->requests_per_connection)
        return zc_diag(dg, ZC_ELIMIT,
                       "this connection has %zu requests running, which is the limit", c->n_jobs);
    int r = zs_user_check_jobs(c->user, f->n_jobs, lim, dg);
    if (r < 0)
        return r;
    struct zs_job *job = zs_job_new();
    job->id = id;
    job->method = method;
    job->user = c->user;
    job->root = zs_user_root(c->user);
    job->user->n_jobs++;
    f->n_jobs++;
    link_job(c, job);
    *ret_job = job;
    return ZC_OK;
}

int zs_jobs_charge(struct zs_job *job, const struct zs_limits *lim, struct zc_diag *dg)
{
    size_t n = zs_job_input_bytes(job);

    if (job->user->input_bytes + n > lim->input_per_user_bytes)
        return zc_diag(dg, ZC_ELIMIT, "this user's requests would hold %zu bytes, the limit is %zu",
                       job->user->input_bytes + n, lim->input_per_user_bytes);
    job->user->input_bytes += n;
    job->charged = n;
    return ZC_OK;
}

/* Gives a session its transcript back: with the reply if there is one, otherwise as it was. */
static void return_transcript(struct zs_front *f, struct zs_job *job)
{
    struct zs_transcript *t = job->transcript;
    const struct zs_reply *r = job->replies;

    if (!job->session)
        return;
    bool kept = r && job->error == ZC_OK && (r->text.len > 0 || r->finish == ZS_FINISH_STOP);
    if (kept) {
        const struct zt_ids *ids = &r->ids;
        kept = zs_transcript_add_reply(t, zc_buf_str(&r->text), r->text.len, ids->data,
                                       r->ids_are_text ? ids->len : 0, NULL) == ZC_OK;
    }
    if (!kept)
        zs_transcript_truncate(t, job->n_before);
    zs_session_return(job->session, t, &f->config->limits);
    job->session = NULL;
    job->transcript = NULL;
}

void zs_jobs_drop(struct zs_job *job, void *front)
{
    struct zs_front *f = front;

    return_transcript(f, job);
    unlink_job(job);
    job->user->n_jobs--;
    job->user->input_bytes -= job->charged;
    zs_user_tidy(job->user);
    f->n_jobs--;
    zs_job_free(job);
}

/* ---- answers ------------------------------------------------------------------------------ */

static double ms_between(zs_usec from, zs_usec to)
{
    return from && to > from ? (double)(to - from) / 1000.0 : 0;
}

/* Tokens of all its replies. */
static size_t n_generated(const struct zs_job *job)
{
    size_t n = 0;

    for (int i = 0; job->replies && i < job->params.n; i++)
        n += job->replies[i].ids.len;
    return n;
}

static void pack_logprobs(msgpack_packer *pk, const struct zs_reply *r)
{
    zc_rpc_kv_array(pk, "logprobs", r->n_logprobs);
    pk->callback(pk->data, zc_buf_str(&r->logprobs), r->logprobs.len);
}

static void pack_choices(msgpack_packer *pk, const struct zs_job *job)
{
    zc_rpc_kv_array(pk, "choices", (size_t)job->params.n);
    for (int i = 0; i < job->params.n; i++) {
        const struct zs_reply *r = &job->replies[i];
        bool has_logprobs = job->params.s.logprobs >= 0;
        msgpack_pack_map(pk, has_logprobs ? 4 : 3);
        zc_rpc_kv_int(pk, "index", i);
        zc_rpc_kv_strn(pk, "text", zc_buf_str(&r->text), r->text.len);
        zc_rpc_kv_str(pk, "finish_reason", zs_finish_name(r->finish));
        if (has_logprobs)
            pack_logprobs(pk, r);
    }
}

static void pack_usage(msgpack_packer *pk, const struct zs_job *job)
{
    size_t completion = n_generated(job);

    zc_rpc_kv_map(pk, "usage", 3);
    zc_rpc_kv_int(pk, "prompt_tokens", (int64_t)job->ids.len);
    zc_rpc_kv_int(pk, "cached_tokens", (int64_t)job->cached_tokens);
    zc_rpc_kv_int(pk, "completion_tokens", (int64_t)completion);

    double decode_ms = ms_between(job->prefilled, job->finished);
    zc_rpc_kv_map(pk, "timings", 4);
    zc_rpc_kv_num(pk, "queue_ms",
                  ms_between(job->created, job->admitted ? job->admitted : job->finished));
    zc_rpc_kv_num(pk, "prompt_ms", ms_between(job->admitted, job->prefilled));
    zc_rpc_kv_num(pk, "decode_ms", decode_ms);
    zc_rpc_kv_num(pk, "tokens_per_s", decode_ms > 0 ? (double)completion * 1000.0 / decode_ms : 0);
}

/* The ledger of the context window, as the longest reply left it. */
static void pack_context(msgpack_packer *pk, const struct zs_front *f, const struct zs_job *job)
{
    size_t longest = 0, limit = job->context;

    for (int i = 0; job->replies && i < job->params.n; i++)
        if (job->replies[i].ids.len > longest)
            longest = job->replies[i].ids.len;
    size_t used = job->ids.len + longest;
    if (limit == 0 && f->model) /* canceled before the engine had it */
        limit = (size_t)ze_engine_plan(f->model->engine)->context;
    zc_rpc_kv_map(pk, "context", 3);
    zc_rpc_kv_int(pk, "limit", (int64_t)limit);
    zc_rpc_kv_int(pk, "used", (int64_t)used);
    zc_rpc_kv_int(pk, "left", limit > used ? (int64_t)(limit - used) : 0);
}

/* A reply, or what there is of it. One that was canceled before it began has no text. */
static void respond_generate(struct zs_conn *c, const struct zs_job *job)
{
    static const struct zs_reply none = {.finish = ZS_FINISH_CANCELED};
    const struct zs_reply *r = job->replies ? job->replies : &none;
    bool many = job->replies && job->params.n > 1;
    bool has_logprobs = job->replies && job->params.s.logprobs >= 0;
    msgpack_packer pk;

    zc_rpc_packer(&pk, zs_conn_out(c));
    zc_rpc_result(&pk, job->id, 5u + many + has_logprobs + (job->replies ? 1 : 0));
    zc_rpc_kv_strn(&pk, "text", zc_buf_str(&r->text), r->text.len);
    zc_rpc_kv_str(&pk, "finish_reason", zs_finish_name(r->finish));
    if (many)
        pack_choices(&pk, job);
    if (has_logprobs)
        pack_logprobs(&pk, r);
    pack_usage(&pk, job);
    pack_context(&pk, c->front, job);
    if (job->replies) {
        zc_rpc_put_str(&pk, "params");
        zs_params_pack(&pk, &job->params, job->max_tokens);
    }
    zs_conn_wrote(c);
}

static void respond_failure(struct zs_conn *c, const struct zs_job *job)
{
    struct zc_buf data;
    msgpack_packer pk;

    zc_buf_init(&data, 256);
    if (job->error == ZC_ELIMIT && job->context) {
        zc_rpc_packer(&pk, &data);
        msgpack_pack_map(&pk, 2);
        zc_rpc_kv_int(&pk, "prompt_tokens", (int64_t)job->ids.len);
        zc_rpc_kv_int(&pk, "context", (int64_t)job->context);
    }
    zs_respond_error(c, job->id, job->error, &job->dg, &data);
    zc_buf_release(&data);
}

static void count(struct zs_front *f, const struct zs_job *job)
{
    if (job->error < 0)
        f->count.failed++;
    else if (zs_job_is_canceled(job))
        f->count.canceled++;
    else
        f->count.finished++;
}

/* One line for each request that ended: who, which, how much; never what. */
static void log_end(const struct zs_job *job)
{
    const struct zc_log_about about = {.uid = (unsigned)job->user->uid,
                                       .request = job->id,
                                       .session = job->session ? job->session->name : NULL};

    if (job->error < 0)
        zc_log_about(ZC_LOG_INFO, &about, "request %lld of uid %u: %s after %.0f ms: %s",
                     (long long)job->id, about.uid, zc_wire_methods[job->method].name,
                     ms_between(job->created, zs_now()), zc_err_name(job->error));
    else
        zc_log_about(ZC_LOG_INFO, &about, "request %lld of uid %u: %s done in %.0f ms, %zu tokens",
                     (long long)job->id, about.uid, zc_wire_methods[job->method].name,
                     ms_between(job->created, zs_now()), job->ids.len + n_generated(job));
}

/* The end of every job: answered if somebody is there to hear it, counted, freed. */
static void finish(struct zs_front *f, struct zs_job *job)
{
    struct zs_conn *c = job->conn;

    count(f, job);
    log_end(job);
    if (c && job->error < 0) {
        respond_failure(c, job);
    } else if (c && job->method == ZC_M_GENERATE) {
        respond_generate(c, job);
    } else if (c && zs_job_is_canceled(job)) {
        zc_diag(&job->dg, ZC_ECANCELED, "canceled");
        zs_respond_error(c, job->id, ZC_ECANCELED, &job->dg, NULL);
    } else if (c) {
        zc_buf_add(zs_conn_out(c), zc_buf_str(&job->out), job->out.len);
        zs_conn_wrote(c);
    }
    zs_jobs_drop(job, f);
}

static void fail(struct zs_front *f, struct zs_job *job, int err, const struct zc_diag *dg)
{
    job->error = err;
    job->dg = *dg;
    finish(f, job);
}

/* ---- on their way ------------------------------------------------------------------------- */

static void send_to_text(struct zs_front *f, struct zs_job *job)
{
    struct zc_diag dg;

    if (zs_text_submit(f->text, job) < 0) {
        zc_diag(&dg, ZC_EBUSY, "too many texts are waiting");
        fail(f, job, ZC_EBUSY, &dg);
        return;
    }
    job->in_pipeline = true;
}

static void send_to_engine(struct zs_front *f, struct zs_job *job)
{
    struct zc_diag dg;

    if (zs_sched_submit(f->sched, job) < 0) {
        zc_diag(&dg, ZC_EBUSY, "too many requests are waiting");
        fail(f, job, ZC_EBUSY, &dg);
        return;
    }
    job->in_pipeline = true;
}

void zs_jobs_submit(struct zs_front *f, struct zs_job *job)
{
    f->count.started++;
    if (f->text) {
        send_to_text(f, job);
        return;
    }
    job->wait_next = NULL;
    *f->waiting_end = job;
    f->waiting_end = &job->wait_next;
}

/* Takes a job out of those that wait for the model. */
static void leave_waiting(struct zs_front *f, struct zs_job *job)
{
    struct zs_job **at = &f->waiting;

    while (*at && *at != job)
        at = &(*at)->wait_next;
    if (!*at)
        return;
    *at = job->wait_next;
    if (f->waiting_end == &job->wait_next)
        f->waiting_end = at;
}

/* What a model that can't be loaded is to those who wait for it: the daemon's own trouble. Its file
 * may be over a limit or malformed; their requests are not. */
static int trouble_of_load(int err)
{
    switch (err) {
    case ZC_ENOMEM:
    case ZC_EDEVMEM:
    case ZC_EDEVICE:
    case ZC_EUNSUPPORTED:
    case ZC_EINTERNAL:
        return err;
    default:
        return ZC_ESYS;
    }
}

void zs_jobs_release_waiting(struct zs_front *f, int err, const struct zc_diag *dg)
{
    struct zs_job *job;

    while ((job = f->waiting)) {
        leave_waiting(f, job);
        if (err < 0)
            fail(f, job, trouble_of_load(err), dg);
        else
            send_to_text(f, job);
    }
}

void zs_jobs_cancel(struct zs_front *f, struct zs_job *job)
{
    zs_job_cancel(job);
    if (job->in_pipeline) {
        f->ring_sched = true;
        return;
    }
    leave_waiting(f, job);
    finish(f, job);
}

void zs_jobs_cancel_all(struct zs_front *f)
{
    struct zs_conn *c;
    struct zs_job *job, *next;

    TAILQ_FOREACH(c, &f->conns, link)
    {
        for (job = c->jobs; job; job = next) {
            next = job->next;
            zs_jobs_cancel(f, job);
        }
    }
}

void zs_jobs_orphan(struct zs_conn *c)
{
    struct zs_front *f = c->front;
    struct zs_job *job;

    while ((job = c->jobs)) {
        unlink_job(job);
        /* Nobody reads any more, so that nothing is owed to a reader; what is still on its way is
         * given back as it comes in. */
        if (job->owed)
            zs_job_give_credit(job, job->owed);
        job->owed = 0;
        zs_jobs_cancel(f, job);
    }
}

void zs_jobs_give_credit(struct zs_conn *c)
{
    for (struct zs_job *job = c->jobs; job; job = job->next) {
        if (job->owed && zs_job_give_credit(job, job->owed))
            c->front->ring_sched = true;
        job->owed = 0;
    }
}

/* ---- events ------------------------------------------------------------------------------- */

static void pack_progress(struct zs_job *job, enum zs_phase phase, uint64_t done, uint64_t total)
{
    msgpack_packer pk;

    zc_rpc_packer(&pk, zs_conn_out(job->conn));
    zc_rpc_event(&pk, "progress", job->id, 3);
    zc_rpc_kv_str(&pk, "phase", zs_phase_name(phase));
    zc_rpc_kv_int(&pk, "done", (int64_t)done);
    zc_rpc_kv_int(&pk, "total", (int64_t)total);
    zs_conn_wrote(job->conn);
}

void zs_jobs_tell_loading(struct zs_front *f)
{
    uint64_t done, total;

    if (!f->loader)
        return;
    zs_loader_progress(f->loader, &done, &total);
    for (struct zs_job *job = f->waiting; job; job = job->wait_next) {
        if (!job->params.stream || zs_job_take_credit(job) < 0)
            continue;
        pack_progress(job, ZS_PHASE_LOAD, done, total);
        job->owed++;
    }
}

static void pack_started(struct zs_job *job, const struct zs_event *ev)
{
    msgpack_packer pk;

    zc_rpc_packer(&pk, zs_conn_out(job->conn));
    zc_rpc_event(&pk, "started", job->id, 3);
    zc_rpc_kv_int(&pk, "prompt_tokens", (int64_t)ev->total);
    zc_rpc_kv_int(&pk, "cached_tokens", (int64_t)ev->done);
    zc_rpc_put_str(&pk, "params");
    zs_params_pack(&pk, &job->params, job->max_tokens);
    zs_conn_wrote(job->conn);
}

static void pack_delta(struct zs_job *job, const struct zs_event *ev)
{
    msgpack_packer pk;

    zc_rpc_packer(&pk, zs_conn_out(job->conn));
    zc_rpc_event(&pk, "delta", job->id, ev->logprobs ? 3 : 2);
    zc_rpc_kv_int(&pk, "choice", ev->choice);
    zc_rpc_kv_strn(&pk, "text", ev->text, ev->len);
    if (ev->logprobs) {
        zc_rpc_kv_array(&pk, "logprobs", ev->n_logprobs);
        pk.callback(pk.data, ev->logprobs, ev->logprob_len);
    }
    zs_conn_wrote(job->conn);
}

static void take_event(struct zs_front *f, const struct zs_event *ev)
{
    struct zs_job *job = ev->job;

    if (ev->kind == ZS_EV_FINISHED) {
        finish(f, job);
        return;
    }
    if (ev->kind == ZS_EV_DELTA)
        f->count.deltas++;
    if (!job->conn) { /* an orphan's credit never runs out */
        if (ev->kind != ZS_EV_STARTED && zs_job_give_credit(job, 1))
            f->ring_sched = true;
        return;
    }
    if (ev->kind == ZS_EV_STARTED && job->params.stream)
        pack_started(job, ev);
    else if (ev->kind == ZS_EV_PROGRESS)
        pack_progress(job, (enum zs_phase)ev->phase, ev->done, ev->total);
    else if (ev->kind == ZS_EV_DELTA)
        pack_delta(job, ev);
    if (ev->kind != ZS_EV_STARTED)
        job->owed++;
}

void zs_jobs_take_events(struct zs_front *f)
{
    struct zs_event ev;
    int n = 0;

    zs_sched_quiet(f->sched);
    while (n < TURN_EVENTS && zs_sched_take(f->sched, &ev)) {
        take_event(f, &ev);
        zc_free(ev.logprobs);
        n++;
    }
    if (n == TURN_EVENTS) /* the bell was quieted: there may be more */
        event_active(f->sched_ev, 0, 0);
}

void zs_jobs_take_text(struct zs_front *f, int i)
{
    struct zs_job *job;

    zs_text_quiet(f->text, i);
    while (zs_text_take(f->text, i, &job)) {
        job->in_pipeline = false;
        if (job->error == ZC_OK && job->method == ZC_M_GENERATE && !zs_job_is_canceled(job))
            send_to_engine(f, job);
        else
            finish(f, job);
    }
}
