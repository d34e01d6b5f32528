/* SPDX-License-Identifier: MIT */
/* One message: which method it is, whether this user may call it, whether its parameters are what
 * the table says; then the method's handler. A client's mistake is answered and changes nothing
 * else. */
#include "zoracd/serve/zs_internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/zc_utf8.h"

static zs_handler *const handlers[ZC_N_METHODS] = {
    [ZC_M_HELLO] = zs_cmd_hello,
    [ZC_M_GENERATE] = zs_cmd_generate,
    [ZC_M_CANCEL] = zs_cmd_cancel,
    [ZC_M_SESSION_OPEN] = zs_cmd_session_open,
    [ZC_M_SESSION_LIST] = zs_cmd_session_list,
    [ZC_M_SESSION_FORK] = zs_cmd_session_fork,
    [ZC_M_SESSION_TRUNCATE] = zs_cmd_session_truncate,
    [ZC_M_SESSION_CLOSE] = zs_cmd_session_close,
    [ZC_M_TOKENIZE] = zs_cmd_tokenize,
    [ZC_M_DETOKENIZE] = zs_cmd_detokenize,
    [ZC_M_RENDER] = zs_cmd_render,
    [ZC_M_STATUS] = zs_cmd_status,
    [ZC_M_STATS] = zs_cmd_stats,
    [ZC_M_SHUTDOWN] = zs_cmd_shutdown,
};

/* The sentence may quote bytes of the client's that are no UTF-8; what we send is. */
static void respond_error(struct zs_conn *c, int64_t id, const char *code, const char *text,
                          const struct zc_buf *data)
{
    msgpack_packer pk;
    struct zc_diag clean;

    snprintf(clean.text, sizeof clean.text, "%s", text);
    if (!zc_utf8_is_valid(text, strlen(text)))
        for (char *p = clean.text; *p; p++)
            if ((unsigned char)*p >= 0x80)
                *p = '?';
    zc_rpc_packer(&pk, zs_conn_out(c));
    zc_rpc_error(&pk, id, code, clean.text, data);
    zs_conn_wrote(c);
}

void zs_respond_error(struct zs_conn *c, int64_t id, int err, const struct zc_diag *dg,
                      const struct zc_buf *data)
{
    /* The only things that handlers look for and do not find are sessions. */
    const char *code = err == ZC_ENOTFOUND ? "unknown_session" : zc_err_name(err);
    respond_error(c, id, code, dg->text, data);
}

bool zs_dispatch_is_owner(const struct zs_conn *c)
{
    return c->peer.uid == 0 || c->peer.uid == geteuid();
}

static int check_allowed(const struct zs_conn *c, enum zc_method m, struct zc_diag *dg)
{
    const struct zc_wire_method *w = &zc_wire_methods[m];

    if (w->who == ZC_WHO_OWNER && !zs_dispatch_is_owner(c))
        return zc_diag(dg, ZC_EPERM, "%s is for root and the daemon's own user", w->name);
    if (w->when == ZC_WHEN_READY &&
        (c->front->state == ZS_STOPPING || c->front->state == ZS_FAILED))
        return zc_diag(dg, ZC_EBUSY, "the daemon is stopping");
    return ZC_OK;
}

/* An answer with the running request's id would pass for that one's. */
static void refuse_id(struct zs_conn *c, int64_t id)
{
    struct zc_diag dg;
    struct zc_buf data;
    msgpack_packer pk;

    zc_diag(&dg, 0, "a request with id %lld is running on this connection", (long long)id);
    zc_buf_init(&data, 64);
    zc_rpc_packer(&pk, &data);
    msgpack_pack_map(&pk, 1);
    zc_rpc_kv_int(&pk, "id", id);
    zs_respond_error(c, -1, ZC_EINVAL, &dg, &data);
    zc_buf_release(&data);
}

static void dispatch_request(struct zs_conn *c, const struct zc_rpc *rpc)
{
    struct zc_wire_args args;
    struct zc_diag dg = {.text = ""};
    enum zc_method m;

    if (zc_wire_find(rpc->method, rpc->method_len, &m) < 0) {
        int n = rpc->method_len < 64 ? (int)rpc->method_len : 64;
        zc_diag(&dg, ZC_ENOTFOUND, "there is no method '%.*s'", n, rpc->method);
        c->front->count.refused++;
        respond_error(c, rpc->id, "unknown_method", dg.text, NULL);
        return;
    }
    if (zs_jobs_find(c, rpc->id)) {
        c->front->count.refused++;
        refuse_id(c, rpc->id);
        return;
    }
    int r = check_allowed(c, m, &dg);
    if (r == ZC_OK)
        r = zc_wire_check(&args, m, rpc->params, &dg);
    if (r == ZC_OK)
        r = handlers[m](c, rpc->id, &args, &dg);
    if (r < 0) {
        c->front->count.refused++;
        zs_respond_error(c, rpc->id, r, &dg, NULL);
    }
}

void zs_dispatch(struct zs_conn *c, const char *msg, size_t n)
{
    struct zc_rpc rpc;
    struct zc_diag dg = {.text = ""};

    int r = zc_rpc_read(&rpc, msg, n, &dg);
    if (r == ZC_OK && rpc.type != ZC_RPC_REQUEST)
        r = zc_diag(&dg, ZC_EFORMAT, "the daemon takes requests (type 0), not type %d",
                    (int)rpc.type);
    if (r == ZC_OK) {
        dispatch_request(c, &rpc);
    } else {
        c->front->count.refused++;
        zs_respond_error(c, rpc.id, r, &dg, NULL);
    }
    zc_rpc_release(&rpc);
}
