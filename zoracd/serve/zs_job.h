/* SPDX-License-Identifier: MIT */
/* A job: one request that can't be answered at once. It has one owner at a time, the thread that
 * last took it out of a mailbox: front (while it waits) -> text (render, encode, count) -> front ->
 * engine (generate) -> front, which frees it. Cancelling, finishing, failing and losing the client
 * all end in the job's coming back to the front: there is one clean-up path.
 *
 * Only two things of a job are looked at by a thread that does not own it: whether it is canceled,
 * and its credit of unsent events. */
#ifndef ZORACD_SERVE_ZS_JOB_H
#define ZORACD_SERVE_ZS_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/zc_buf.h"
#include "common/zc_err.h"
#include "common/zc_wire.h"
#include "zoracd/serve/zs_params.h"
#include "zoracd/serve/zs_transcript.h"
#include "zoracd/text/zt_text.h"

struct zs_conn;
struct zs_session;
struct zs_user;
struct zs_job_sync;

/* Microseconds of a clock that only goes forward. */
typedef uint64_t zs_usec;
zs_usec zs_now(void);

enum zs_finish {
    ZS_FINISH_NONE,
    ZS_FINISH_STOP,
    ZS_FINISH_LENGTH,
    ZS_FINISH_CANCELED,
    ZS_FINISH_ERROR,
    ZS_N_FINISHES
};
const char *zs_finish_name(enum zs_finish f);

/* What one reply came to; filled by the engine thread. */
struct zs_reply {
    struct zc_buf text;     /* whole characters; ends before a stop text */
    struct zt_ids ids;      /* generated, without the end token */
    bool ids_are_text;      /* no stop text cut it: ids say what text says */
    struct zc_buf logprobs; /* packed maps, one after another */
    size_t n_logprobs;
    enum zs_finish finish;
};

struct zs_job {
    /* ---- front thread only ---- */
    struct zs_job *prev, *next; /* of its connection */
    struct zs_job *wait_next;   /* of those that wait for the model */
    struct zs_conn *conn;       /* NULL: the client is gone */
    struct zs_user *user;
    struct zs_session *session;
    int owed;         /* events taken from the engine whose credit has not been given back */
    size_t charged;   /* bytes of it in the user's account */
    bool in_pipeline; /* at the text or engine thread */

    /* ---- the request; constant while it is away ---- */
    int64_t id;
    enum zc_method method;
    uint64_t root;                    /* whose cache: equal prefixes are shared within one root */
    struct zs_transcript *transcript; /* the session's, or its own; NULL for a raw prompt */
    size_t n_before;                  /* messages that were there before this request */
    json_t *tools, *vars;             /* owned; NULL: none */
    char *text; /* owned, not terminated: prompt of generate, text of tokenize; NULL: ids */
    size_t text_len;
    bool parse_special, add_special, skip_special;
    struct zs_params params;
    struct zt_ids ids; /* the prompt; given, or made by the text thread */

    /* ---- the result ---- */
    int error;                /* ZC_OK, or why there is none */
    struct zc_diag dg;        /* the sentence */
    struct zc_buf out;        /* tokenize, detokenize, render: the whole packed response */
    struct zs_reply *replies; /* [params.n] */
    size_t cached_tokens, context, max_tokens;
    zs_usec created, admitted, prefilled, finished;

    struct zs_job_sync *sync; /* private: the two things that cross */
};

#define ZS_JOB_MAX_OUT      (64u << 20) /* bytes of one response */
#define ZS_JOB_MAX_LOGPROBS (32u << 20) /* of these, packed logprobs of all replies */

/* A new job with nothing in it. */
struct zs_job *zs_job_new(void);
void zs_job_free(struct zs_job *job);

/* The memory that what the request brought takes, about. */
size_t zs_job_input_bytes(const struct zs_job *job);

/* Makes the replies of a generate, when params.n is known. */
void zs_job_make_replies(struct zs_job *job);

/* ---- what crosses: any thread ---- */

void zs_job_cancel(struct zs_job *job);
bool zs_job_is_canceled(const struct zs_job *job);

#define ZS_JOB_CREDIT 30 /* events that may be on their way to a client */
/* Engine: takes one; ZC_EBUSY: none left, the job rests. */
int zs_job_take_credit(struct zs_job *job);
bool zs_job_has_credit(const struct zs_job *job);
/* Front: gives n back. 1: the job was resting on it and its thread must be rung, else 0. */
int zs_job_give_credit(struct zs_job *job, int n);

/* ---- events: engine to front ---- */

enum zs_event_kind { ZS_EV_STARTED, ZS_EV_PROGRESS, ZS_EV_DELTA, ZS_EV_FINISHED };
enum zs_phase { ZS_PHASE_LOAD, ZS_PHASE_QUEUE, ZS_PHASE_PROMPT, ZS_N_PHASES };
const char *zs_phase_name(enum zs_phase phase);

#define ZS_EVENT_TEXT 88
struct zs_event {
    struct zs_job *job; /* FINISHED: owned by the front again */
    uint8_t kind, choice, phase;
    uint32_t len;   /* DELTA: of text */
    char *logprobs; /* DELTA: packed maps, owned by the event; NULL: none */
    uint32_t n_logprobs, logprob_len;
    uint64_t done, total; /* STARTED: cached and prompt tokens; PROGRESS: so much of that */
    char text[ZS_EVENT_TEXT];
};

#endif
