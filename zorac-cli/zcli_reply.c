/* SPDX-License-Identifier: MIT */
/* The life of one reply on the client's side. */
#include "zorac-cli/zcli_reply.h"

#include <stdio.h>
#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zorac-cli/zcli_term.h"

enum zcli_exit zcli_exit_of_code(const char *code)
{
    static const char *const refused[] = {"busy", "limit", "permission"};

    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strcmp(code, refused[i]) == 0)
            return ZCLI_REFUSED;
    return strcmp(code, "canceled") == 0 ? ZCLI_INTERRUPTED : ZCLI_FAILED;
}

enum zcli_exit zcli_exit_of_error(int err)
{
    switch (err) {
    case ZC_OK:
        return ZCLI_DONE;
    case ZC_ENOTFOUND:
        return ZCLI_NO_DAEMON;
    case ZC_EPERM:
    case ZC_ELIMIT:
    case ZC_EBUSY:
        return ZCLI_REFUSED;
    case ZC_EINVAL:
        return ZCLI_USAGE;
    case ZC_ECANCELED:
        return ZCLI_INTERRUPTED;
    default:
        return ZCLI_FAILED;
    }
}

int zcli_reply_print_json(const struct zcli_msg *m, struct zc_diag *dg)
{
    json_t *line;

    if (m->code[0])
        line = json_pack("{s:{s:s, s:s, s:O*}}", "error", "code", m->code, "message", m->message,
                         "data", m->body);
    else
        line = json_pack("{s:O}", m->event ? m->event : "result", m->body);
    char *s = line ? json_dumps(line, JSON_COMPACT | ZCLI_JSON_REALS) : NULL;
    int r = s ? zcli_term_line(s, dg) : zc_diag(dg, ZC_EINTERNAL, "no JSON of the answer");
    zc_free(s);
    json_decref(line);
    return r;
}

/* A delta: printed, and kept before anything else can go wrong. */
static int take_delta(const struct zcli_opts *o, const struct zcli_msg *m,
                      const struct zcli_keep *keep, struct zcli_outcome *out, struct zc_diag *dg)
{
    json_t *text = json_object_get(m->body, "text");
    const char *p = json_string_value(text);
    size_t n = json_string_length(text);

    if (!p || n == 0)
        return ZC_OK;
    out->any_text = true;
    if (keep->store) {
        int r = zcli_store_turn_append(keep->store, keep->reply, p, n, dg);
        if (r < 0)
            return r;
    }
    if (o->json || o->no_stream || out->interrupted)
        return ZC_OK;
    return zcli_term_text(p, n, dg);
}

/* The response. Its text is the whole reply: it replaces the pieces in the store. What an error
 * means for the store, the caller knows: it may ask once more. */
static int take_end(const struct zcli_opts *o, const struct zcli_msg *m,
                    const struct zcli_keep *keep, struct zcli_outcome *out, struct zc_diag *dg)
{
    if (m->code[0]) {
        snprintf(out->code, sizeof out->code, "%s", m->code);
        out->too_long = json_object_get(m->body, "context") != NULL;
        zc_diag(dg, 0, "%s", m->message);
        return ZC_OK;
    }
    const json_t *context = json_object_get(m->body, "context");
    json_t *text = json_object_get(m->body, "text");
    const char *finish = json_string_value(json_object_get(m->body, "finish_reason"));
    int r = ZC_OK;

    snprintf(out->finish, sizeof out->finish, "%s", finish ? finish : "");
    out->too_long = strcmp(out->finish, "length") == 0 &&
                    json_integer_value(json_object_get(context, "left")) == 0;
    if (keep->store)
        r = zcli_store_turn_end(keep->store, keep->reply, json_string_value(text), out->finish, dg);
    if (r == ZC_OK && !o->json && o->no_stream && !out->muted && json_is_string(text))
        r = zcli_term_text(json_string_value(text), json_string_length(text), dg);
    return r;
}

/* A message about our request: kept, then printed. */
static int take(const struct zcli_opts *o, const struct zcli_msg *m, const struct zcli_keep *keep,
                struct zcli_outcome *out, struct zc_diag *dg)
{
    int r = ZC_OK;

    if (!m->event)
        r = take_end(o, m, keep, out, dg);
    else if (strcmp(m->event, "delta") == 0)
        r = take_delta(o, m, keep, out, dg);
    if (r == ZC_OK && o->json && !out->muted)
        r = zcli_reply_print_json(m, dg);
    out->muted = out->muted || r == ZC_ECANCELED;
    return r;
}

/* The first Ctrl-C asks the daemon to stop (id < 0: it has); it answers with what there is. A
 * second one, while that answer is awaited, gives up waiting. */
static int interrupt(struct zcli_conn *c, int64_t id, struct zcli_outcome *out, struct zc_diag *dg)
{
    int64_t cancel_id;

    if (out->interrupted)
        return zc_diag(dg, ZC_ECANCELED, "interrupted");
    out->interrupted = true;
    if (id < 0)
        return ZC_OK;
    json_t *params = json_pack("{s:I}", "id", (json_int_t)id);
    int r = zcli_conn_send(c, "cancel", params, &cancel_id, dg);
    json_decref(params);
    return r;
}

int zcli_reply_run(struct zcli_conn *c, const struct zcli_opts *o, json_t *params,
                   const struct zcli_keep *keep, struct zcli_outcome *ret_o, struct zc_diag *dg)
{
    struct zcli_outcome out = {0};
    bool ended = false;
    int64_t id;
    int r;

    json_object_update_missing(params, o->sampling);
    /* A store needs the pieces: a kill may come before the end. */
    if (o->no_stream && !o->json && !keep->store)
        json_object_set_new(params, "stream", json_false());
    r = zcli_conn_send(c, "generate", params, &id, dg);
    while (r == ZC_OK && !ended) {
        struct zcli_msg m;
        if ((r = zcli_conn_next(c, &m, dg)) == ZC_OK) {
            ended = m.id == id && !m.event;
            if (m.id == id)
                r = take(o, &m, keep, &out, dg);
            zcli_msg_release(&m);
        }
        if (r == ZC_ECANCELED && zcli_conn_has_interrupt())
            r = interrupt(c, ended ? -1 : id, &out, dg);
    }
    if (!o->json)
        zcli_term_end_line();
    *ret_o = out;
    return r;
}
