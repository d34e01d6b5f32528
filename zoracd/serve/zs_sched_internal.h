/* SPDX-License-Identifier: MIT */
/* What the two files of the engine thread's scheduler share: zs_admit.c decides who gets a place
 * and who gives one up, zs_sched.c computes and looks after the jobs. Engine thread only. */
#ifndef ZORACD_SERVE_ZS_SCHED_INTERNAL_H
#define ZORACD_SERVE_ZS_SCHED_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/queue.h>

#include "zoracd/serve/zs_choice.h"
#include "zoracd/serve/zs_mailbox.h"
#include "zoracd/serve/zs_sched.h"

#define ZS_RESERVE_STEP 256 /* tokens reserved at a time where max_tokens is not given */

TAILQ_HEAD(zs_choice_queue, zs_choice);

/* A job and its choices while the engine thread owns it. */
struct zs_sched_job {
    struct zs_sched_job *next;
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
    int max_running, chunk, grain;
    size_t context;
    struct zs_sched_job *jobs;
    struct zs_choice_queue queue;
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

/* Choices lie in their job, in order. */
static inline struct zs_sched_job *zs_sched_job_of(struct zs_choice *c)
{
    return (struct zs_sched_job *)((char *)(c - c->index) - offsetof(struct zs_sched_job, choices));
}

/* ---- zs_sched.c ---------------------------------------------------------------------------- */

/* Takes it out of those that are computed, if it is one. */
void zs_sched_leave_running(struct zs_sched *s, struct zs_choice *c);
/* A failure of one choice is the failure of its request, and of nothing else. */
void zs_sched_fail(struct zs_sched *s, struct zs_choice *c, int err, const struct zc_diag *dg);

/* ---- zs_admit.c ---------------------------------------------------------------------------- */

/* Gives places and pages to those in the queue, as far as they go; tells the others that they wait.
 */
void zs_admit(struct zs_sched *s);
/* The next to admit; NULL if there is none, or none that is in a hurry. */
struct zs_choice *zs_admit_next(const struct zs_sched *s);
/* Takes the pages of a choice away; it goes to the head of the queue and is computed again. */
void zs_admit_preempt(struct zs_sched *s, struct zs_choice *c);
/* How far a user is behind the one who was served last: the smallest is next. */
uint64_t zs_admit_turns(uint64_t root, uint64_t last);

#endif
