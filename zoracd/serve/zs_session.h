/* SPDX-License-Identifier: MIT */
/* Sessions: conversations with a name, of one user. A session is a cache: the longest idle one is
 * forgotten when a user has too many, and the client opens it again from its own transcript. While
 * a request works on it, its transcript is lent to the job and nobody else can touch it. Front
 * thread. */
#ifndef ZORACD_SERVE_ZS_SESSION_H
#define ZORACD_SERVE_ZS_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "zoracd/serve/zs_job.h"
#include "zoracd/serve/zs_limits.h"
#include "zoracd/serve/zs_transcript.h"
#include "zoracd/serve/zs_user.h"

struct zc_diag;

#define ZS_SESSION_NAME 128

struct zs_session {
    TAILQ_ENTRY(zs_session) link;
    struct zs_user *user;
    char name[ZS_SESSION_NAME + 1];
    struct zs_transcript *transcript; /* NULL: lent, the session is busy */
    size_t n_messages, bytes;         /* as they were when it was last at home */
    zs_usec used_at;
};

/* The user's session of that name. ZC_ENOTFOUND names it. */
int zs_session_find(struct zs_user *u, const char *name, size_t len, struct zs_session **ret_s,
                    struct zc_diag *dg);
/* The session of that name (NULL: a name is made up) with transcript t, which it takes over on
 * success; what it held before is forgotten. ZC_EBUSY: it is at work, or all are. ZC_EINVAL: the
 * name is no printable UTF-8. */
int zs_session_put(struct zs_user *u, const struct zs_limits *lim, const char *name, size_t len,
                   struct zs_transcript *t, struct zs_session **ret_s, struct zc_diag *dg);
/* Forgets it. Not while it is busy. */
void zs_session_close(struct zs_session *s);

bool zs_session_is_busy(const struct zs_session *s);
/* ZC_EBUSY with a sentence if it is. */
int zs_session_check_idle(const struct zs_session *s, struct zc_diag *dg);
/* Takes the transcript out, and gives it back. */
struct zs_transcript *zs_session_lend(struct zs_session *s);
void zs_session_return(struct zs_session *s, struct zs_transcript *t, const struct zs_limits *lim);
/* Notes that the transcript at home has changed. */
void zs_session_note(struct zs_session *s);

#endif
