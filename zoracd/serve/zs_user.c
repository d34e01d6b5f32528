/* SPDX-License-Identifier: MIT */
/* The list of users. Short: people and services with an account on one machine. */
#include "zoracd/serve/zs_user.h"

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/serve/zs_limits.h"
#include "zoracd/serve/zs_session.h"

struct zs_user *zs_user_get(struct zs_user_list *users, uid_t uid)
{
    struct zs_user *u;

    LIST_FOREACH(u, users, link)
    if (u->uid == uid)
        return u;
    u = zc_xcalloc(1, sizeof *u);
    u->uid = uid;
    TAILQ_INIT(&u->sessions);
    LIST_INSERT_HEAD(users, u, link);
    return u;
}

int zs_user_check_jobs(const struct zs_user *u, size_t all, const struct zs_limits *lim,
                       struct zc_diag *dg)
{
    if (u->n_jobs >= lim->requests_per_user)
        return zc_diag(dg, ZC_ELIMIT, "this user has %zu requests running, which is the limit",
                       u->n_jobs);
    if (u->n_jobs >= ZS_MAX_JOBS - all)
        return zc_diag(dg, ZC_EBUSY,
                       "%zu of %d requests are running, %zu of them this user's: no user has more "
                       "than are free",
                       all, ZS_MAX_JOBS, u->n_jobs);
    return ZC_OK;
}

void zs_user_charge(struct zs_user *u, size_t n)
{
    u->taken += n;
}

void zs_user_tidy(struct zs_user *u)
{
    if (u->n_conns == 0 && u->n_jobs == 0 && u->n_sessions == 0)
        zs_user_free(u);
}

void zs_user_free(struct zs_user *u)
{
    struct zs_session *s;

    while ((s = TAILQ_FIRST(&u->sessions)))
        zs_session_close(s);
    LIST_REMOVE(u, link);
    zc_free(u);
}

uint64_t zs_user_root(const struct zs_user *u)
{
    return (uint64_t)u->uid + 1;
}
