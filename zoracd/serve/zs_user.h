/* SPDX-License-Identifier: MIT */
/* Who connects: one entry per uid, with what the uid holds, so that limits are per user and nobody
 * sees another's sessions. Front thread. */
#ifndef ZORACD_SERVE_ZS_USER_H
#define ZORACD_SERVE_ZS_USER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

struct zc_diag;
struct zs_limits;
struct zs_session;
TAILQ_HEAD(zs_session_list, zs_session);

struct zs_user {
    LIST_ENTRY(zs_user) link;
    uid_t uid;
    size_t n_conns, n_jobs, n_sessions;
    uint64_t turn;                   /* of the front, in which something of it was last taken, */
    size_t taken;                    /* and how much, in bytes: of messages, and of copies */
    size_t input_bytes;              /* of unfinished messages and running requests */
    size_t unsent_bytes;             /* of all connections */
    size_t transcript_bytes;         /* of sessions that are not lent */
    struct zs_session_list sessions; /* longest idle first */
};
LIST_HEAD(zs_user_list, zs_user);

/* The user's entry, made at the first call. */
struct zs_user *zs_user_get(struct zs_user_list *users, uid_t uid);
/* Whether the user may have one more request, `all` being those of everybody: within the user's own
 * limit (ZC_ELIMIT), and no more than are free beside them (ZC_EBUSY). So one user gets half of
 * what there is, two get a third each, and whoever comes always finds room. */
int zs_user_check_jobs(const struct zs_user *u, size_t all, const struct zs_limits *lim,
                       struct zc_diag *dg);
/* Counts work of n bytes that a message of the user causes beside being read: copying, freeing. It
 * is part of what the user gets of a turn. */
void zs_user_charge(struct zs_user *u, size_t n);
/* Frees the entry if it holds nothing any more. */
void zs_user_tidy(struct zs_user *u);
/* Frees it with its sessions, none of which may be busy. */
void zs_user_free(struct zs_user *u);

/* The number under which the engine keeps this user's cache. */
uint64_t zs_user_root(const struct zs_user *u);

#endif
