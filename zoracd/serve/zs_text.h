/* SPDX-License-Identifier: MIT */
/* The text threads: they render templates, encode prompts, count and decode, so that a megabyte of
 * text stalls nobody. Two of them: long texts have their own, so that a short one never waits
 * behind one. Called by the front thread. */
#ifndef ZORACD_SERVE_ZS_TEXT_H
#define ZORACD_SERVE_ZS_TEXT_H

#include "zoracd/serve/zs_job.h"
#include "zoracd/serve/zs_model.h"

struct zc_diag;
struct zs_text;

int zs_text_start(struct zs_text **ret_t, const struct zs_model *m, struct zc_diag *dg);
/* Ends both threads after what they are at; jobs still in the mailboxes are given to free_job. */
void zs_text_stop(struct zs_text *t, void (*free_job)(struct zs_job *job, void *arg), void *arg);

/* Hands a job over. It comes back with its ids (generate) or its response (the others), or with an
 * error. ZC_EBUSY: too many are waiting; the job stays with the caller. */
int zs_text_submit(struct zs_text *t, struct zs_job *job);

#define ZS_TEXT_THREADS 2
/* The descriptor that is readable when thread i has brought something back. */
int zs_text_fd(const struct zs_text *t, int i);
void zs_text_quiet(struct zs_text *t, int i);
/* 1 and a job that is the caller's again, or 0. */
int zs_text_take(struct zs_text *t, int i, struct zs_job **ret_job);

#endif
