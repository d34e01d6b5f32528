/* SPDX-License-Identifier: MIT */
/* The session methods. Each touches only the sessions of the connection's own user. */
#include "zoracd/serve/zs_internal.h"

#include <string.h>

static int find(struct zs_conn *c, const msgpack_object *name, struct zs_session **ret_s,
                struct zc_diag *dg)
{
    int r = zs_session_find(c->user, name->via.str.ptr, name->via.str.size, ret_s, dg);
    return r < 0 ? r : zs_session_check_idle(*ret_s, dg);
}

/* The answer of open and fork. */
static int respond_session(struct zs_conn *c, int64_t id, const struct zs_session *s)
{
    msgpack_packer pk;

    zc_rpc_packer(&pk, zs_conn_out(c));
    zc_rpc_result(&pk, id, 2);
    zc_rpc_kv_str(&pk, "session", s->name);
    zc_rpc_kv_int(&pk, "messages", (int64_t)s->n_messages);
    zs_conn_wrote(c);
    return ZC_OK;
}

/* Gives t a name (NULL: one is made up) and answers; frees it if that fails. */
static int put(struct zs_conn *c, int64_t id, const msgpack_object *name, struct zs_transcript *t,
               struct zc_diag *dg)
{
    struct zs_session *s;

    zs_user_charge(c->user, t->bytes);
    int r = zs_session_put(c->user, &c->front->config->limits, name ? name->via.str.ptr : NULL,
                           name ? name->via.str.size : 0, t, &s, dg);
    if (r < 0) {
        zs_transcript_free(t);
        return r;
    }
    return respond_session(c, id, s);
}

int zs_cmd_session_open(struct zs_conn *c, int64_t id, const struct zc_wire_args *args,
                        struct zc_diag *dg)
{
    const msgpack_object *name = args->v[ZC_P_SESSION_OPEN_session];
    const msgpack_object *messages = args->v[ZC_P_SESSION_OPEN_messages];
    struct zs_transcript *t;
    struct zs_session *s;

    /* Without a transcript, one that is there is kept as it is. */
    if (name && !messages &&
        zs_session_find(c->user, name->via.str.ptr, name->via.str.size, &s, NULL) == ZC_OK)
        return respond_session(c, id, s);
    int r = zs_transcript_new(&t, c->front->config->limits.transcript_bytes);
    if (r < 0)
        return zc_diag(dg, r, "no memory for a session");
    r = zs_transcript_append(t, messages, dg);
    if (r < 0) {
        zs_transcript_free(t);
        return r;
    }
    return put(c, id, name, t, dg);
}

int zs_cmd_session_list(struct zs_conn *c, int64_t id, const struct zc_wire_args *args,
                        struct zc_diag *dg)
{
    struct zs_session *s;
    msgpack_packer pk;
    zs_usec now = zs_now();

    zc_rpc_packer(&pk, zs_conn_out(c));
    zc_rpc_result(&pk, id, 1);
    zc_rpc_kv_array(&pk, "sessions", c->user->n_sessions);
    TAILQ_FOREACH(s, &c->user->sessions, link)
    {
        msgpack_pack_map(&pk, 5);
        zc_rpc_kv_str(&pk, "session", s->name);
        zc_rpc_kv_int(&pk, "messages", (int64_t)s->n_messages);
        zc_rpc_kv_int(&pk, "bytes", (int64_t)s->bytes);
        zc_rpc_kv_num(&pk, "idle_s", (double)(now - s->used_at) / 1e6);
        zc_rpc_kv_bool(&pk, "busy", zs_session_is_busy(s));
    }
    zs_conn_wrote(c);
    return ZC_OK;
}

int zs_cmd_session_fork(struct zs_conn *c, int64_t id, const struct zc_wire_args *args,
                        struct zc_diag *dg)
{
    const msgpack_object *as = args->v[ZC_P_SESSION_FORK_as];
    struct zs_session *s, *other;
    struct zs_transcript *t;

    int r = find(c, args->v[ZC_P_SESSION_FORK_session], &s, dg);
    if (r < 0)
        return r;
    if (as && zs_session_find(c->user, as->via.str.ptr, as->via.str.size, &other, NULL) == ZC_OK)
        return zc_diag(dg, ZC_EINVAL, "there is a session '%s' already", other->name);
    r = zs_transcript_copy(&t, s->transcript);
    if (r < 0)
        return zc_diag(dg, r, "no memory for a copy of '%s'", s->name);
    return put(c, id, as, t, dg);
}

int zs_cmd_session_truncate(struct zs_conn *c, int64_t id, const struct zc_wire_args *args,
                            struct zc_diag *dg)
{
    size_t n = (size_t)zc_wire_int(args->v[ZC_P_SESSION_TRUNCATE_messages], 0);
    struct zs_session *s;
    msgpack_packer pk;

    int r = find(c, args->v[ZC_P_SESSION_TRUNCATE_session], &s, dg);
    if (r < 0)
        return r;
    zs_transcript_truncate(s->transcript, n);
    zs_session_note(s);
    zc_rpc_packer(&pk, zs_conn_out(c));
    zc_rpc_result(&pk, id, 1);
    zc_rpc_kv_int(&pk, "messages", (int64_t)s->n_messages);
    zs_conn_wrote(c);
    return ZC_OK;
}

int zs_cmd_session_close(struct zs_conn *c, int64_t id, const struct zc_wire_args *args,
                         struct zc_diag *dg)
{
    struct zs_session *s;
    msgpack_packer pk;

    int r = find(c, args->v[ZC_P_SESSION_CLOSE_session], &s, dg);
    if (r < 0)
        return r;
    zs_session_close(s);
    zc_rpc_packer(&pk, zs_conn_out(c));
    zc_rpc_result(&pk, id, 1);
    zc_rpc_kv_bool(&pk, "closed", true);
    zs_conn_wrote(c);
    return ZC_OK;
}
