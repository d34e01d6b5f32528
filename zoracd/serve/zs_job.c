/* SPDX-License-Identifier: MIT */
/* Life of a job, and the two atomics by which threads that do not own it see or change it. */
#include "zoracd/serve/zs_job.h"

#include <stdatomic.h>
#include <time.h>

#include "common/zc_mem.h"
#include "zoracd/serve/zs_limits.h"
#include "zoracd/serve/zs_prompt.h"

struct zs_job_sync {
    atomic_bool canceled;
    atomic_int credit;
};

zs_usec zs_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (zs_usec)ts.tv_sec * 1000000 + (zs_usec)ts.tv_nsec / 1000;
}

const char *zs_finish_name(enum zs_finish f)
{
    static const char *const names[ZS_N_FINISHES] = {"none", "stop", "length", "canceled", "error"};
    return names[f];
}

const char *zs_phase_name(enum zs_phase phase)
{
    static const char *const names[ZS_N_PHASES] = {"load", "queue", "prompt"};
    return names[phase];
}

struct zs_job *zs_job_new(void)
{
    struct zs_job *job = zc_xcalloc(1, sizeof *job);

    job->sync = zc_xcalloc(1, sizeof *job->sync);
    atomic_init(&job->sync->canceled, false);
    atomic_init(&job->sync->credit, ZS_JOB_CREDIT);
    zt_ids_init(&job->ids, ZS_PROMPT_MAX_IDS);
    zc_buf_init(&job->out, ZS_JOB_MAX_OUT);
    job->created = zs_now();
    return job;
}

size_t zs_job_input_bytes(const struct zs_job *job)
{
    return job->text_len + job->ids.len * sizeof *job->ids.data +
           (job->transcript ? job->transcript->bytes : 0) +
           (job->tools ? zs_json_bytes(job->tools) : 0) +
           (job->vars ? zs_json_bytes(job->vars) : 0);
}

void zs_job_make_replies(struct zs_job *job)
{
    job->replies = zc_xcalloc((size_t)job->params.n, sizeof *job->replies);
    for (int i = 0; i < job->params.n; i++) {
        zc_buf_init(&job->replies[i].text, SIZE_MAX / 4);
        zc_buf_init(&job->replies[i].logprobs, ZS_JOB_MAX_LOGPROBS / (size_t)job->params.n);
        zt_ids_init(&job->replies[i].ids, INT32_MAX);
    }
}

void zs_job_free(struct zs_job *job)
{
    if (!job)
        return;
    for (int i = 0; job->replies && i < job->params.n; i++) {
        zc_buf_release(&job->replies[i].text);
        zc_buf_release(&job->replies[i].logprobs);
        zt_ids_release(&job->replies[i].ids);
    }
    zc_free(job->replies);
    zs_params_release(&job->params);
    zs_transcript_free(job->transcript);
    json_decref(job->tools);
    json_decref(job->vars);
    zc_free(job->text);
    zt_ids_release(&job->ids);
    zc_buf_release(&job->out);
    zc_free(job->sync);
    zc_free(job);
}

void zs_job_cancel(struct zs_job *job)
{
    atomic_store(&job->sync->canceled, true);
}

bool zs_job_is_canceled(const struct zs_job *job)
{
    return atomic_load(&job->sync->canceled);
}

/* Zero credit and the wish for more are one value: the taker leaves -1, so that the giver knows
 * that somebody rests on it. */
int zs_job_take_credit(struct zs_job *job)
{
    int have = atomic_load(&job->sync->credit);

    do {
        if (have < 0)
            return ZC_EBUSY;
    } while (!atomic_compare_exchange_weak(&job->sync->credit, &have, have - 1));
    return have > 0 ? ZC_OK : ZC_EBUSY;
}

bool zs_job_has_credit(const struct zs_job *job)
{
    return atomic_load(&job->sync->credit) > 0;
}

int zs_job_give_credit(struct zs_job *job, int n)
{
    int have = atomic_load(&job->sync->credit);
    int base;

    do
        base = have < 0 ? 0 : have;
    while (!atomic_compare_exchange_weak(&job->sync->credit, &have, base + n));
    return have < 0 ? 1 : 0;
}
