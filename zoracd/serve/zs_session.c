/* SPDX-License-Identifier: MIT */
/* The sessions of a user, ordered by their last use. */
#include "zoracd/serve/zs_session.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "common/zc_mem.h"
#include "common/zc_utf8.h"

int zs_session_find(struct zs_user *u, const char *name, size_t len, struct zs_session **ret_s,
                    struct zc_diag *dg)
{
    struct zs_session *s;

    TAILQ_FOREACH(s, &u->sessions, link)
    {
        if (strlen(s->name) == len && memcmp(s->name, name, len) == 0) {
            *ret_s = s;
            return ZC_OK;
        }
    }
    return zc_diag(dg, ZC_ENOTFOUND, "there is no session '%.*s'", (int)len, name);
}

static int check_name(const char *name, size_t len, struct zc_diag *dg)
{
    bool ok = len > 0 && len <= ZS_SESSION_NAME && zc_utf8_is_valid(name, len);

    for (size_t i = 0; ok && i < len; i++)
        ok = (unsigned char)name[i] >= 0x20 && name[i] != 0x7f;
    return ok ? ZC_OK
              : zc_diag(dg, ZC_EINVAL,
                        "a session's name is 1 to %d bytes of UTF-8 without control characters",
                        ZS_SESSION_NAME);
}

static int make_name(struct zs_user *u, char name[ZS_SESSION_NAME + 1], struct zc_diag *dg)
{
    uint64_t v;
    struct zs_session *s;

    do {
        if (getrandom(&v, sizeof v, 0) != sizeof v)
            return zc_diag_sys(dg, "no random name");
        snprintf(name, ZS_SESSION_NAME + 1, "s-%016llx", (unsigned long long)v);
    } while (zs_session_find(u, name, strlen(name), &s, NULL) == ZC_OK);
    return ZC_OK;
}

/* Forgets idle sessions, the longest idle first, until one more of `bytes` bytes has room. */
static int make_room(struct zs_user *u, const struct zs_limits *lim, const struct zs_session *keep,
                     size_t n_new, size_t bytes, struct zc_diag *dg)
{
    struct zs_session *s, *next;

    for (s = TAILQ_FIRST(&u->sessions);
         s && (u->n_sessions + n_new > lim->sessions_per_user ||
               u->transcript_bytes + bytes > lim->transcripts_per_user_bytes);
         s = next) {
        next = TAILQ_NEXT(s, link);
        if (s != keep && !zs_session_is_busy(s))
            zs_session_close(s);
    }
    if (u->n_sessions + n_new > lim->sessions_per_user)
        return zc_diag(dg, ZC_EBUSY, "all %zu sessions of this user are busy",
                       lim->sessions_per_user);
    return ZC_OK;
}

static void set_transcript(struct zs_session *s, struct zs_transcript *t)
{
    s->transcript = t;
    s->bytes = 0; /* of the old one, which its user is no longer charged for */
    zs_session_note(s);
}

void zs_session_note(struct zs_session *s)
{
    s->user->transcript_bytes += s->transcript->bytes;
    s->user->transcript_bytes -= s->bytes;
    if (s->transcript->bytes < s->bytes)
        zs_user_charge(s->user, s->bytes - s->transcript->bytes);
    s->bytes = s->transcript->bytes;
    s->n_messages = zs_transcript_len(s->transcript);
    s->used_at = zs_now();
    TAILQ_REMOVE(&s->user->sessions, s, link);
    TAILQ_INSERT_TAIL(&s->user->sessions, s, link);
}

int zs_session_put(struct zs_user *u, const struct zs_limits *lim, const char *name, size_t len,
                   struct zs_transcript *t, struct zs_session **ret_s, struct zc_diag *dg)
{
    struct zs_session *s = NULL;
    char made[ZS_SESSION_NAME + 1];
    int r = name ? check_name(name, len, dg) : make_name(u, made, dg);

    if (r < 0)
        return r;
    if (!name) {
        name = made;
        len = strlen(made);
    }
    if (zs_session_find(u, name, len, &s, NULL) == ZC_OK) {
        r = zs_session_check_idle(s, dg);
        if (r < 0)
            return r;
    }
    if (s) { /* what it held is free for what it will hold */
        u->transcript_bytes -= s->bytes;
        zs_user_charge(u, s->bytes);
        s->bytes = 0;
    }
    r = make_room(u, lim, s, s ? 0 : 1, t->bytes, dg);
    if (r < 0) /* only if all sessions are busy and this would be another one */
        return r;
    if (s) {
        zs_transcript_free(s->transcript);
    } else {
        s = zc_xcalloc(1, sizeof *s);
        s->user = u;
        memcpy(s->name, name, len);
        TAILQ_INSERT_TAIL(&u->sessions, s, link);
        u->n_sessions++;
    }
    set_transcript(s, t);
    *ret_s = s;
    return ZC_OK;
}

void zs_session_close(struct zs_session *s)
{
    ZC_BUG_ON(!s->transcript);
    zs_user_charge(s->user, s->bytes);
    s->user->transcript_bytes -= s->bytes;
    s->user->n_sessions--;
    TAILQ_REMOVE(&s->user->sessions, s, link);
    zs_transcript_free(s->transcript);
    zc_free(s);
}

bool zs_session_is_busy(const struct zs_session *s)
{
    return !s->transcript;
}

int zs_session_check_idle(const struct zs_session *s, struct zc_diag *dg)
{
    if (!zs_session_is_busy(s))
        return ZC_OK;
    return zc_diag(dg, ZC_EBUSY, "session '%s' is at work on a reply", s->name);
}

struct zs_transcript *zs_session_lend(struct zs_session *s)
{
    struct zs_transcript *t = s->transcript;

    ZC_BUG_ON(!t);
    s->transcript = NULL;
    s->user->transcript_bytes -= s->bytes;
    return t;
}

void zs_session_return(struct zs_session *s, struct zs_transcript *t, const struct zs_limits *lim)
{
    set_transcript(s, t);
    make_room(s->user, lim, s, 0, 0, NULL);
}
