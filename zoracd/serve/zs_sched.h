/* SPDX-License-Identifier: MIT */
/* The engine thread: admits jobs, computes steps, samples, gives text out. Everything here is
 * called by the front thread; the engine thread sees jobs only between submit and their FINISHED
 * event. */
#ifndef ZORACD_SERVE_ZS_SCHED_H
#define ZORACD_SERVE_ZS_SCHED_H

#include <stdbool.h>
#include <stdint.h>

#include "zoracd/serve/zs_job.h"
#include "zoracd/serve/zs_model.h"

struct zc_diag;
struct zs_sched;

int zs_sched_start(struct zs_sched **ret_s, const struct zs_model *m, struct zc_diag *dg);
/* Ends the thread after its step. Jobs that it still has are given to free_job. */
void zs_sched_stop(struct zs_sched *s, void (*free_job)(struct zs_job *job, void *arg), void *arg);

/* Hands a generate job with its ids over. ZC_EBUSY: too many; the job stays with the caller. */
int zs_sched_submit(struct zs_sched *s, struct zs_job *job);
/* Something about a job changed (canceled, credit): look again. */
void zs_sched_ring(struct zs_sched *s);

/* Events: readable descriptor, quiet before draining, 1 and an event or 0. */
int zs_sched_fd(const struct zs_sched *s);
void zs_sched_quiet(struct zs_sched *s);
int zs_sched_take(struct zs_sched *s, struct zs_event *ret_ev);

/* A picture of the last step's end. */
struct zs_sched_stats {
    uint64_t running, queued;
    uint64_t pages, pages_used, pages_cached, pages_free;
    uint64_t prompt_tokens, cached_tokens, generated_tokens;
    uint64_t steps, busy_us, decode_rows, prefill_rows, preemptions;
    uint64_t is_idle;     /* sleeping, with nothing to do */
    uint64_t device_lost; /* no step will succeed again */
};
void zs_sched_stats(const struct zs_sched *s, struct zs_sched_stats *ret);

#endif
