/* SPDX-License-Identifier: MIT */
/* `zorac PROMPT`: one answer, then exit. Without -s it has no memory and opens no store: nothing
 * stands between exec and the request but the connection. */
#include <string.h>

#include "common/zc_buf.h"
#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zorac-cli/zcli_reply.h"
#include "zorac-cli/zcli_term.h"
#include "zorac-cli/zcli_turn.h"

/* Characters that no shell reads anything into. */
#define SAFE "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@,+"

static enum zcli_exit report(int r, const struct zcli_opts *o, const struct zcli_outcome *out,
                             const struct zc_diag *dg)
{
    if (r < 0) {
        if (r != ZC_ECANCELED)
            zcli_term_error("%s", dg->text);
        return r == ZC_ECANCELED ? ZCLI_INTERRUPTED : zcli_exit_of_error(r);
    }
    if (out->code[0]) {
        if (!o->json)
            zcli_term_error("%s", dg->text);
        return out->interrupted ? ZCLI_INTERRUPTED : zcli_exit_of_code(out->code);
    }
    if (out->interrupted)
        return ZCLI_INTERRUPTED;
    if (out->too_long && !o->json)
        zcli_term_error("the reply ends here: the context is full");
    if (strcmp(out->finish, "error") == 0)
        return ZCLI_FAILED;
    return strcmp(out->finish, "canceled") == 0 ? ZCLI_REFUSED : ZCLI_DONE;
}

/* A word for the shell: as it is where that is safe, else between single quotes. */
static void quote(struct zc_buf *b, const char *word)
{
    if (*word && word[strspn(word, SAFE)] == '\0') {
        zc_buf_adds(b, word);
        return;
    }
    zc_buf_addc(b, '\'');
    for (const char *p = word; *p; p++)
        zc_buf_adds(b, *p == '\'' ? "'\\''" : (const char[]){*p, '\0'});
    zc_buf_addc(b, '\'');
}

static void say_too_long(const char *session)
{
    struct zc_buf b;

    zc_buf_init(&b, 4096);
    quote(&b, session);
    zcli_term_error("the conversation is too long: -s with another name begins a new one, and this "
                    "leaves the oldest half of it out:");
    zcli_term_error("  zorac sessions trim %s", zc_buf_str(&b));
    zc_buf_release(&b);
}

static enum zcli_exit ask_in_session(const struct zcli_opts *o, const char *prompt)
{
    struct zcli_turns *t = NULL;
    struct zcli_outcome out = {0};
    struct zc_diag dg = {0};

    int r = zcli_turns_open(&t, o, &dg);
    if (r == ZC_OK)
        r = zcli_turns_run(t, prompt, &out, &dg);
    zcli_turns_close(t);
    enum zcli_exit status = report(r, o, &out, &dg);
    if (out.too_long && (r < 0 || out.code[0]) && !o->json)
        say_too_long(o->session);
    return status;
}

enum zcli_exit zcli_ask(const struct zcli_opts *o, const char *prompt)
{
    struct zcli_conn *c = NULL;
    struct zcli_outcome out = {0};
    struct zcli_keep nowhere = {0};
    struct zc_diag dg = {0};

    if (o->session)
        return ask_in_session(o, prompt);
    zcli_conn_catch_interrupt();
    int r = zcli_conn_open(&c, o->socket, &dg);
    if (r == ZC_OK) {
        json_t *messages = json_array();
        if (o->system)
            json_array_append_new(messages,
                                  json_pack("{s:s, s:s}", "role", "system", "content", o->system));
        json_array_append_new(messages, json_pack("{s:s, s:s}", "role", "user", "content", prompt));
        json_t *params = json_pack("{s:o}", "messages", messages);
        r = zcli_reply_run(c, o, params, &nowhere, &out, &dg);
        json_decref(params);
    }
    zcli_conn_close(c);
    return report(r, o, &out, &dg);
}
