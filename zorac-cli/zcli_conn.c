/* SPDX-License-Identifier: MIT */
/* The client's end of the socket. SIGINT is blocked except inside ppoll, so that it is noticed
 * wherever we wait and nowhere else. */
#include "config.h"

#include "zorac-cli/zcli_conn.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <msgpack.h>

#include "common/zc_buf.h"
#include "common/zc_err.h"
#include "common/zc_json.h"
#include "common/zc_mem.h"
#include "common/zc_rpc.h"
#include "common/zc_scan.h"
#include "common/zc_sock.h"

#define MAX_MESSAGE ((size_t)64 << 20)
#define HELLO_ID    0

struct zcli_conn {
    int fd;
    int64_t next_id;
    struct zc_buf out; /* not sent yet */
    struct zc_buf in;  /* received, from the start of a message on */
    size_t scanned;    /* of in */
    struct zc_scan scan;
    char *notice; /* hello's; NULL: none, or not heard yet */
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
    (void)sig;
    interrupted = 1;
}

void zcli_conn_catch_interrupt(void)
{
    struct sigaction sa = {.sa_handler = on_interrupt};
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigaction(SIGINT, &sa, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

void zcli_conn_release_interrupt(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

void zcli_conn_default_interrupt(void)
{
    signal(SIGINT, SIG_DFL);
    zcli_conn_release_interrupt();
}

int zcli_conn_wait(int fd, short events, struct zc_diag *dg)
{
    static const struct timespec moment = {.tv_nsec = 50 * 1000 * 1000};
    struct pollfd p = {.fd = fd, .events = events};
    sigset_t open;

    sigprocmask(SIG_BLOCK, NULL, &open);
    sigdelset(&open, SIGINT);
    while (!interrupted) {
        if (ppoll(&p, 1, fd < 0 ? &moment : NULL, &open) >= 0)
            return ZC_OK;
        if (errno != EINTR)
            return zc_diag_sys(dg, "cannot wait");
    }
    return zc_diag(dg, ZC_ECANCELED, "interrupted");
}

bool zcli_conn_has_interrupt(void)
{
    /* One that arrived while blocked is still pending: let it in. */
    sigset_t set, old;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_UNBLOCK, &set, &old);
    sigprocmask(SIG_SETMASK, &old, NULL);
    bool was = interrupted;
    interrupted = 0;
    return was;
}

/* The hello that goes out with the first request. */
static void queue_hello(struct zcli_conn *c)
{
    msgpack_packer pk;

    zc_rpc_packer(&pk, &c->out);
    zc_rpc_request(&pk, HELLO_ID, "hello", 3);
    zc_rpc_kv_str(&pk, "client", PACKAGE_STRING);
    zc_rpc_kv_int(&pk, "version_min", ZC_RPC_VERSION);
    zc_rpc_kv_int(&pk, "version_max", ZC_RPC_VERSION);
}

int zcli_conn_open(struct zcli_conn **ret_c, const char *path, struct zc_diag *dg)
{
    static const struct zc_scan_limits limits = {
        .bytes = MAX_MESSAGE, .items = 1 << 24, .str = MAX_MESSAGE, .depth = ZC_SCAN_MAX_DEPTH};
    char found[ZC_SOCK_MAX];
    int fd;
    int r;

    while ((r = zc_sock_find(path, &fd, found, dg)) == ZC_EAGAIN)
        if ((r = zcli_conn_wait(-1, 0, dg)) < 0)
            return r;
    if (r == ZC_ENOTFOUND) {
        struct zc_diag why = *dg;
        return zc_diag(dg, r, "%s; start one with: zoracd", why.text);
    }
    if (r < 0)
        return r;
    struct zcli_conn *c = zc_xcalloc(1, sizeof *c);
    c->fd = fd;
    c->next_id = HELLO_ID + 1;
    zc_buf_init(&c->out, MAX_MESSAGE);
    zc_buf_init(&c->in, MAX_MESSAGE + 65536);
    zc_scan_init(&c->scan, &limits);
    queue_hello(c);
    *ret_c = c;
    return ZC_OK;
}

void zcli_conn_close(struct zcli_conn *c)
{
    if (!c)
        return;
    close(c->fd);
    zc_buf_release(&c->out);
    zc_buf_release(&c->in);
    zc_free(c->notice);
    zc_free(c);
}

static int flush(struct zcli_conn *c, struct zc_diag *dg)
{
    size_t off = 0;
    int r = ZC_OK;

    while (r == ZC_OK && off < c->out.len) {
        ssize_t n = send(c->fd, c->out.data + off, c->out.len - off, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0)
            off += (size_t)n;
        else if (errno == EAGAIN)
            r = zcli_conn_wait(c->fd, POLLOUT, dg);
        else if (errno != EINTR)
            r = zc_diag_sys(dg, "the connection to the daemon is gone");
    }
    zc_buf_drain(&c->out, off);
    return r;
}

/* Waits for bytes and appends them. */
static int receive(struct zcli_conn *c, struct zc_diag *dg)
{
    char bytes[65536];
    int r = zcli_conn_wait(c->fd, POLLIN, dg);

    if (r < 0)
        return r;
    ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return ZC_OK;
    if (n < 0)
        return zc_diag_sys(dg, "the connection to the daemon is gone");
    if (n == 0)
        return zc_diag(dg, ZC_ESYS, "the daemon has closed the connection");
    r = zc_buf_add(&c->in, bytes, (size_t)n);
    return r < 0 ? zc_diag(dg, r, "no room for the daemon's answer") : r;
}

/* Receives until a whole message stands at the front of c->in; its length in ret_len. */
static int wait_message(struct zcli_conn *c, size_t *ret_len, struct zc_diag *dg)
{
    for (;;) {
        size_t used = 0;
        int r = ZC_EAGAIN;
        if (c->scanned < c->in.len)
            r = zc_scan_feed(&c->scan, c->in.data + c->scanned, c->in.len - c->scanned, &used, dg);
        if (r == ZC_OK) {
            *ret_len = c->scanned + used;
            return ZC_OK;
        }
        if (r != ZC_EAGAIN)
            return zc_diag_prefix(dg, r, "the daemon's answer cannot be read");
        c->scanned = c->in.len;
        if ((r = receive(c, dg)) < 0)
            return r;
    }
}

static void copy_text(char *dst, size_t size, const msgpack_object *o, const char *key)
{
    size_t n;
    const char *s = zc_rpc_get_str(o, key, &n);
    snprintf(dst, size, "%.*s", s ? (int)n : 0, s ? s : "");
}

static int to_msg(const struct zc_rpc *m, struct zcli_msg *ret, struct zc_diag *dg)
{
    const msgpack_object *body = m->type == ZC_RPC_NOTIFICATION ? m->params : m->result;

    *ret = (struct zcli_msg){.id = m->id};
    if (m->type == ZC_RPC_NOTIFICATION) {
        snprintf(ret->name, sizeof ret->name, "%.*s", (int)m->method_len, m->method);
        ret->event = ret->name;
        ret->id = zc_rpc_get_int(body, "id", -1);
    } else if (m->error) {
        copy_text(ret->code, sizeof ret->code, m->error, "code");
        copy_text(ret->message, sizeof ret->message, m->error, "message");
        if (!ret->code[0])
            snprintf(ret->code, sizeof ret->code, "internal");
        body = zc_rpc_get(m->error, "data");
        if (!body)
            return ZC_OK;
    }
    if (!body) {
        ret->body = json_object();
        return ZC_OK;
    }
    return zc_json_unpack(&ret->body, body, "answer", dg);
}

const char *zcli_conn_notice(const struct zcli_conn *c)
{
    return c->notice;
}

static int hear_hello(struct zcli_conn *c, const struct zcli_msg *m, struct zc_diag *dg)
{
    const char *notice = json_string_value(json_object_get(m->body, "notice"));

    if (m->code[0])
        return zc_diag(dg, ZC_EVERSION, "%s", m->message);
    if (notice && !c->notice)
        c->notice = zc_xstrdup(notice);
    return ZC_OK;
}

/* Takes one message out of the stream; hello's answer is heard and dropped (*ret_skip). */
static int next_message(struct zcli_conn *c, struct zcli_msg *ret_m, bool *ret_skip,
                        struct zc_diag *dg)
{
    struct zc_rpc m;
    size_t len = 0;
    int r = wait_message(c, &len, dg);

    if (r < 0)
        return r;
    if ((r = zc_rpc_read(&m, c->in.data, len, dg)) == ZC_OK)
        r = to_msg(&m, ret_m, dg);
    zc_rpc_release(&m);
    zc_buf_drain(&c->in, len);
    c->scanned = 0;
    if (r < 0)
        return r;
    if (!ret_m->event && ret_m->id < 0) {
        r = zc_diag(dg, zc_err_from_name(ret_m->code), "%s", ret_m->message);
        zcli_msg_release(ret_m);
        return r;
    }
    *ret_skip = !ret_m->event && ret_m->id == HELLO_ID;
    if (*ret_skip) {
        r = hear_hello(c, ret_m, dg);
        zcli_msg_release(ret_m);
    }
    return r;
}

int zcli_conn_next(struct zcli_conn *c, struct zcli_msg *ret_m, struct zc_diag *dg)
{
    bool skip = true;
    int r = ZC_OK;

    while (r == ZC_OK && skip)
        r = next_message(c, ret_m, &skip, dg);
    return r;
}

/* Nothing can be sent any more: why, if the daemon said so before it closed the connection. */
static int last_words(struct zcli_conn *c, struct zc_diag *dg)
{
    struct zc_diag said;
    int r = ZC_OK;

    while (r == ZC_OK) {
        struct zcli_msg m;
        if ((r = zcli_conn_next(c, &m, &said)) == ZC_OK)
            zcli_msg_release(&m);
    }
    return r == ZC_ESYS ? r : zc_diag(dg, r, "%s", said.text);
}

int zcli_conn_send(struct zcli_conn *c, const char *method, json_t *params, int64_t *ret_id,
                   struct zc_diag *dg)
{
    size_t before = c->out.len;
    msgpack_packer pk;
    const char *key;
    json_t *v;
    int r = ZC_OK;

    zc_rpc_packer(&pk, &c->out);
    zc_rpc_request(&pk, c->next_id, method, params ? json_object_size(params) : 0);
    if (params)
        json_object_foreach (params, key, v) {
            zc_rpc_put_str(&pk, key);
            if ((r = zc_json_pack(&pk, v, dg)) < 0)
                break;
        }
    if (r == ZC_OK && zc_buf_error(&c->out) < 0)
        r = zc_diag(dg, ZC_ELIMIT, "the request is over %zu bytes", MAX_MESSAGE);
    if (r < 0) {
        c->out.error = ZC_OK;
        zc_buf_truncate(&c->out, before);
        return r;
    }
    r = flush(c, dg);
    if (r == ZC_ESYS)
        return last_words(c, dg);
    if (r < 0)
        return r;
    *ret_id = c->next_id++;
    return ZC_OK;
}

int zcli_conn_call(struct zcli_conn *c, const char *method, json_t *params, struct zcli_msg *ret_m,
                   struct zc_diag *dg)
{
    int64_t id;
    int r = zcli_conn_send(c, method, params, &id, dg);

    while (r == ZC_OK) {
        struct zcli_msg m;
        if ((r = zcli_conn_next(c, &m, dg)) < 0)
            break;
        if (m.id == id && !m.event) {
            *ret_m = m;
            break;
        }
        zcli_msg_release(&m);
    }
    return r;
}

void zcli_msg_release(struct zcli_msg *m)
{
    json_decref(m->body);
    m->body = NULL;
}
