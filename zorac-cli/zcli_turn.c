/* SPDX-License-Identifier: MIT */
/* A conversation between the store and the daemon's session. */
#include "zorac-cli/zcli_turn.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "common/zc_utf8.h"

struct zcli_turns {
    const struct zcli_opts *o;
    struct zcli_store *store;
    struct zcli_conn *conn; /* NULL: lost */
    struct zcli_conv conv;
    bool opened; /* the daemon holds this conversation's session */
};

/* Two clients may be in the same conversation: the session's name is this process's alone, so that
 * they never find each other's half-written turn in it. */
static void session_name(const struct zcli_turns *t, char *name, size_t size)
{
    snprintf(name, size, "zorac-%ld-%lld", (long)getpid(), (long long)t->conv.id);
}

int zcli_turns_open(struct zcli_turns **ret_t, const struct zcli_opts *o, struct zc_diag *dg)
{
    struct zcli_turns *t = zc_xcalloc(1, sizeof *t);
    int r;

    t->o = o;
    zcli_conn_catch_interrupt();
    if ((r = zcli_store_open(&t->store, NULL, dg)) < 0 ||
        (r = zcli_conn_open(&t->conn, o->socket, dg)) < 0)
        goto out;
    r = zcli_store_enter(t->store, o->session, o->system, &t->conv, dg);
out:
    if (r < 0)
        zcli_turns_close(t);
    else
        *ret_t = t;
    return r;
}

/* The session is closed behind us: nobody else knows its name. */
static void close_session(struct zcli_turns *t)
{
    char name[64];
    struct zcli_msg m;
    struct zc_diag dg;

    if (!t->conn || !t->opened)
        return;
    session_name(t, name, sizeof name);
    json_t *params = json_pack("{s:s}", "session", name);
    if (zcli_conn_call(t->conn, "session.close", params, &m, &dg) == ZC_OK)
        zcli_msg_release(&m);
    json_decref(params);
    t->opened = false;
}

void zcli_turns_close(struct zcli_turns *t)
{
    if (!t)
        return;
    close_session(t);
    zcli_conn_close(t->conn);
    zcli_store_close(t->store);
    zc_free(t);
}

static void drop(struct zcli_turns *t)
{
    t->opened = false;
    zcli_conn_close(t->conn);
    t->conn = NULL;
}

static int connect_again(struct zcli_turns *t, struct zc_diag *dg)
{
    drop(t);
    return zcli_conn_open(&t->conn, t->o->socket, dg);
}

/* Gives the daemon the record as a session. */
static int open_session(struct zcli_turns *t, const char *name, struct zc_diag *dg)
{
    struct zcli_msg m;
    json_t *messages;
    int r = zcli_store_messages(t->store, t->conv.id, &messages, dg);

    if (r < 0)
        return r;
    json_t *params = json_pack("{s:s, s:o}", "session", name, "messages", messages);
    r = zcli_conn_call(t->conn, "session.open", params, &m, dg);
    json_decref(params);
    if (r < 0)
        return r;
    if (m.code[0])
        r = zc_diag(dg, zc_err_from_name(m.code), "%s", m.message);
    t->opened = r == ZC_OK;
    zcli_msg_release(&m);
    return r;
}

/* Makes sure that the daemon holds the session. A connection that broke since the last turn (the
 * daemon was restarted) shows itself here and is made once more. */
static int prepare(struct zcli_turns *t, const char *name, struct zc_diag *dg)
{
    int r = ZC_ESYS;

    if (t->conn && t->opened) {
        struct zcli_msg m;
        r = zcli_conn_call(t->conn, "hello", NULL, &m, dg);
        if (r == ZC_OK) {
            zcli_msg_release(&m);
            return ZC_OK;
        }
    } else if (t->conn) {
        r = open_session(t, name, dg);
    }
    if (r == ZC_ESYS && (r = connect_again(t, dg)) == ZC_OK)
        r = open_session(t, name, dg);
    if (r == ZC_ECANCELED)
        drop(t); /* half a request may be on its way */
    return r;
}

/* From the session, or where the daemon does not know it (any more), from the record. */
static int ask(struct zcli_turns *t, const char *prompt, const struct zcli_keep *keep,
               struct zcli_outcome *ret_o, struct zc_diag *dg)
{
    char name[64];
    int r;

    session_name(t, name, sizeof name);
    for (int attempt = 0;; attempt++) {
        if ((r = prepare(t, name, dg)) < 0) {
            ret_o->too_long = r == ZC_ELIMIT;
            return r;
        }
        json_t *params = json_pack("{s:s, s:[{s:s, s:s}]}", "session", name, "messages", "role",
                                   "user", "content", prompt);
        r = zcli_reply_run(t->conn, t->o, params, keep, ret_o, dg);
        json_decref(params);
        if (r < 0)
            drop(t); /* the session's state is unknown */
        else if (ret_o->code[0])
            t->opened = false; /* what the daemon keeps of a failed turn is not relied on */
        if (r < 0 || attempt > 0 || strcmp(ret_o->code, "unknown_session") != 0)
            return r;
    }
}

int zcli_turns_run(struct zcli_turns *t, const char *prompt, struct zcli_outcome *ret_o,
                   struct zc_diag *dg)
{
    struct zcli_keep keep = {.store = t->store};
    size_t all, left_out;
    int r;

    if (!zc_utf8_is_valid(prompt, strlen(prompt)))
        return zc_diag(dg, ZC_EFORMAT, "the prompt is not UTF-8 text");
    if ((r = zcli_store_turn_begin(t->store, t->conv.id, prompt, &keep.reply, dg)) < 0)
        return r;
    r = ask(t, prompt, &keep, ret_o, dg);
    /* The pieces that came, if any did, are the reply. */
    if (r < 0 || ret_o->code[0])
        zcli_store_turn_end(t->store, keep.reply, NULL, r < 0 ? "lost" : "error", NULL);
    /* A prompt that is too long by itself is not the conversation's fault. */
    if (ret_o->too_long && zcli_turns_count(t, &all, &left_out, NULL) == ZC_OK)
        ret_o->too_long = all > left_out;
    return r;
}

int zcli_turns_switch(struct zcli_turns *t, const char *name, struct zc_diag *dg)
{
    struct zcli_conv conv;
    int r = zcli_store_find(t->store, name, &conv, dg);

    if (r < 0)
        return r;
    close_session(t);
    t->conv = conv;
    return ZC_OK;
}

int zcli_turns_new(struct zcli_turns *t, const char *name, struct zc_diag *dg)
{
    struct zcli_conv conv;
    int r;

    if ((r = zcli_store_create(t->store, name, NULL, &conv, dg)) < 0)
        return r;
    close_session(t);
    t->conv = conv;
    return ZC_OK;
}

int zcli_turns_trim(struct zcli_turns *t, int64_t turns, struct zc_diag *dg)
{
    close_session(t); /* it is opened again from what is sent from now on */
    return zcli_store_trim(t->store, t->conv.id, turns, dg);
}

int zcli_turns_count(struct zcli_turns *t, size_t *ret_all, size_t *ret_left_out,
                     struct zc_diag *dg)
{
    return zcli_store_count(t->store, t->conv.id, ret_all, ret_left_out, dg);
}

const char *zcli_turns_notice(const struct zcli_turns *t)
{
    return t->conn ? zcli_conn_notice(t->conn) : NULL;
}

const char *zcli_turns_name(const struct zcli_turns *t)
{
    return t->conv.name;
}

int zcli_turns_messages(struct zcli_turns *t, json_t **ret_messages, struct zc_diag *dg)
{
    return zcli_store_messages(t->store, t->conv.id, ret_messages, dg);
}

struct zcli_store *zcli_turns_store(struct zcli_turns *t)
{
    return t->store;
}
