/* SPDX-License-Identifier: MIT */
/* Commands that ask the daemon or the store one thing and print it. */
#include "zorac-cli/zcli_cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/zc_buf.h"
#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zorac-cli/zcli_input.h"
#include "zorac-cli/zcli_term.h"

static enum zcli_exit usage(const char *text)
{
    zcli_term_error("usage: zorac %s", text);
    zcli_term_error("(a prompt that begins with that word stands behind --: zorac -- %.*s ...)",
                    (int)strcspn(text, " "), text);
    return ZCLI_USAGE;
}

static enum zcli_exit failed(int r, const struct zc_diag *dg)
{
    zcli_term_error("%s", dg->text);
    return zcli_exit_of_error(r);
}

/* One call; the result in ret_body (owned by the caller) when it returns ZCLI_DONE. */
static enum zcli_exit call(const struct zcli_opts *o, const char *method, json_t *params,
                           json_t **ret_body)
{
    struct zcli_conn *c;
    struct zcli_msg m = {0};
    struct zc_diag dg = {0};
    enum zcli_exit status = ZCLI_DONE;
    int r = zcli_conn_open(&c, o->socket, &dg);

    if (r < 0)
        return failed(r, &dg);
    if ((r = zcli_conn_call(c, method, params, &m, &dg)) < 0) {
        status = failed(r, &dg);
    } else if (m.code[0]) {
        zcli_term_error("%s", m.message);
        status = zcli_exit_of_code(m.code);
    } else {
        *ret_body = json_incref(m.body);
    }
    zcli_msg_release(&m);
    zcli_conn_close(c);
    return status;
}

static int print_json(const json_t *v, struct zc_diag *dg)
{
    char *s = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | ZCLI_JSON_REALS);

    if (!s)
        return zc_diag(dg, ZC_EINTERNAL, "no JSON of the answer");
    int r = zcli_term_line(s, dg);
    zc_free(s);
    return r;
}

/* "model.name: text" for each leaf. */
static void print_leaves(json_t *v, const char *prefix)
{
    const char *key;
    json_t *x;

    json_object_foreach (v, key, x) {
        char *path = zc_xasprintf("%s%s%s", prefix, *prefix ? "." : "", key);
        if (json_is_object(x)) {
            print_leaves(x, path);
        } else {
            char *s = json_is_string(x) ? zc_xstrdup(json_string_value(x))
                                        : json_dumps(x, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
            printf("%-22s ", path);
            fflush(stdout);
            zcli_term_text(s, strlen(s), NULL);
            zcli_term_line("", NULL);
            zc_free(s);
        }
        zc_free(path);
    }
}

static enum zcli_exit print_answer(const struct zcli_opts *o, json_t *body)
{
    struct zc_diag dg = {0};
    int r = ZC_OK;

    if (o->json)
        r = print_json(body, &dg);
    else
        print_leaves(body, "");
    return r < 0 ? failed(r, &dg) : ZCLI_DONE;
}

static enum zcli_exit ask_and_print(const struct zcli_opts *o, const char *method)
{
    json_t *body = NULL;
    enum zcli_exit status = call(o, method, NULL, &body);

    if (status == ZCLI_DONE)
        status = print_answer(o, body);
    json_decref(body);
    return status;
}

/* Of what status says, the parts about the model and what computes it. */
static enum zcli_exit cmd_model(const struct zcli_opts *o, int argc, char **argv)
{
    static const char *const parts[] = {"model", "device", "plan", "load"};
    json_t *body = NULL, *shown = json_object();

    (void)argv;
    if (argc) {
        json_decref(shown);
        return usage("model");
    }
    enum zcli_exit status = call(o, "status", NULL, &body);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (json_object_get(body, parts[i]))
            json_object_set(shown, parts[i], json_object_get(body, parts[i]));
    if (status == ZCLI_DONE)
        status = print_answer(o, shown);
    json_decref(shown);
    json_decref(body);
    return status;
}

static enum zcli_exit cmd_status(const struct zcli_opts *o, int argc, char **argv)
{
    (void)argv;
    return argc ? usage("status") : ask_and_print(o, "status");
}

static enum zcli_exit cmd_stats(const struct zcli_opts *o, int argc, char **argv)
{
    (void)argv;
    return argc ? usage("stats") : ask_and_print(o, "stats");
}

static enum zcli_exit cmd_tokens(const struct zcli_opts *o, int argc, char **argv)
{
    struct zc_diag dg = {0};
    char *text;
    int r = zcli_input_read(argc, argv, &text, &dg);

    if (r < 0)
        return failed(r, &dg);
    if (!text)
        return usage("tokens [TEXT...], or text on standard input");
    json_t *params = json_pack("{s:s}", "text", text);
    json_t *body = NULL;
    enum zcli_exit status = call(o, "tokenize", params, &body);
    if (status == ZCLI_DONE) {
        if (o->json)
            status = print_answer(o, body);
        else
            printf("%lld\n", (long long)json_integer_value(json_object_get(body, "count")));
    }
    json_decref(body);
    json_decref(params);
    zc_free(text);
    return status;
}

/* ---- sessions ----------------------------------------------------------------------------- */

static int list_sessions(struct zcli_store *s, const struct zcli_opts *o, char **argv,
                         struct zc_diag *dg)
{
    json_t *list, *c;
    size_t i;
    int r = zcli_store_list(s, &list, dg);

    (void)argv;
    if (r < 0)
        return r;
    json_array_foreach (list, i, c) {
        if (o->json) {
            if ((r = print_json(c, dg)) < 0)
                break;
            continue;
        }
        time_t t = (time_t)json_integer_value(json_object_get(c, "updated"));
        struct tm tm;
        char when[32], begins[64];
        localtime_r(&t, &tm);
        strftime(when, sizeof when, "%Y-%m-%d %H:%M", &tm);
        snprintf(begins, sizeof begins, "%.48s", json_string_value(json_object_get(c, "begins")));
        begins[strcspn(begins, "\n")] = '\0';
        struct zc_diag line; /* cuts at a whole character, takes control characters out */
        zc_diag(&line, 0, "%-24s %s %4lld  %s", json_string_value(json_object_get(c, "name")), when,
                (long long)json_integer_value(json_object_get(c, "messages")), begins);
        puts(line.text);
    }
    json_decref(list);
    return r;
}

static int show_session(struct zcli_store *s, const struct zcli_opts *o, char **argv,
                        struct zc_diag *dg)
{
    struct zcli_conv conv;
    json_t *messages, *m;
    size_t i;
    int r = zcli_store_find(s, argv[0], &conv, dg);

    if (r < 0 || (r = zcli_store_record(s, conv.id, &messages, dg)) < 0)
        return r;
    json_array_foreach (messages, i, m) {
        if (o->json) {
            if ((r = print_json(m, dg)) < 0)
                break;
            continue;
        }
        const char *note = json_string_value(json_object_get(m, "note"));
        printf("%s%s%s%s%s:%s ", zcli_term_bold(), json_string_value(json_object_get(m, "role")),
               note ? " (" : "", note ? note : "", note ? ")" : "", zcli_term_reset());
        fflush(stdout);
        json_t *content = json_object_get(m, "content");
        zcli_term_text(json_string_value(content), json_string_length(content), NULL);
        zcli_term_end_line();
    }
    json_decref(messages);
    return r;
}

static int rename_session(struct zcli_store *s, const struct zcli_opts *o, char **argv,
                          struct zc_diag *dg)
{
    (void)o;
    return zcli_store_rename(s, argv[0], argv[1], dg);
}

static int delete_session(struct zcli_store *s, const struct zcli_opts *o, char **argv,
                          struct zc_diag *dg)
{
    (void)o;
    return zcli_store_delete(s, argv[0], dg);
}

static int trim_session(struct zcli_store *s, const struct zcli_opts *o, char **argv,
                        struct zc_diag *dg)
{
    struct zcli_conv conv;
    int64_t turns = -1;
    size_t all, left_out;
    int r = argv[1] ? zcli_input_turns(argv[1], &turns, dg) : ZC_OK;

    if (r < 0 || (r = zcli_store_find(s, argv[0], &conv, dg)) < 0 ||
        (r = zcli_store_trim(s, conv.id, turns, dg)) < 0 ||
        (r = zcli_store_count(s, conv.id, &all, &left_out, dg)) < 0)
        return r;
    if (o->json)
        printf("{\"messages\":%zu,\"left_out\":%zu}\n", all, left_out);
    else
        printf("%zu of %zu messages are left out of what the model gets; they stay stored\n",
               left_out, all);
    return ZC_OK;
}

#define SESSIONS_ARGS "[list | show NAME | rename OLD NEW | trim NAME [TURNS] | delete NAME]"

/* What can be done with them; argv ends with NULL. */
static const struct verb {
    const char *name;
    int min, max; /* words behind it */
    int (*run)(struct zcli_store *s, const struct zcli_opts *o, char **argv, struct zc_diag *dg);
} verbs[] = {
    {"list", 0, 0, list_sessions},    {"show", 1, 1, show_session},
    {"rename", 2, 2, rename_session}, {"trim", 1, 2, trim_session},
    {"delete", 1, 1, delete_session},
};

static enum zcli_exit cmd_sessions(const struct zcli_opts *o, int argc, char **argv)
{
    static char list[] = "list", *no_words[] = {list, NULL};
    const struct verb *v = NULL;
    struct zcli_store *s;
    struct zc_diag dg = {0};

    if (argc == 0) {
        argc = 1;
        argv = no_words;
    }
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(argv[0], verbs[i].name) == 0)
            v = &verbs[i];
    if (!v || argc - 1 < v->min || argc - 1 > v->max)
        return usage("sessions " SESSIONS_ARGS);
    int r = zcli_store_open(&s, NULL, &dg);
    if (r < 0)
        return failed(r, &dg);
    r = v->run(s, o, argv + 1, &dg);
    zcli_store_close(s);
    if (r == ZC_OK)
        return ZCLI_DONE;
    zcli_term_error("%s", dg.text);
    return r == ZC_EINVAL ? ZCLI_USAGE : ZCLI_FAILED; /* 3 would say that there is no daemon */
}

/* ---- raw ---------------------------------------------------------------------------------- */

static enum zcli_exit cmd_raw(const struct zcli_opts *o, int argc, char **argv)
{
    struct zcli_conn *c = NULL;
    struct zc_diag dg = {0};
    json_error_t where;
    json_t *params = NULL;
    enum zcli_exit status = ZCLI_DONE;
    bool ended = false;
    int64_t id;

    if (argc < 1 || argc > 2)
        return usage("raw METHOD [JSON]");
    if (argc == 2 && !(params = json_loads(argv[1], JSON_REJECT_DUPLICATES, &where))) {
        zcli_term_error("the parameters are not JSON: %s (column %d)", where.text, where.column);
        return ZCLI_USAGE;
    }
    if (params && !json_is_object(params)) {
        zcli_term_error("the parameters of a method are one JSON object");
        json_decref(params);
        return ZCLI_USAGE;
    }
    int r = zcli_conn_open(&c, o->socket, &dg);
    if (r == ZC_OK)
        r = zcli_conn_send(c, argv[0], params, &id, &dg);
    while (r == ZC_OK && !ended) {
        struct zcli_msg m;
        if ((r = zcli_conn_next(c, &m, &dg)) < 0)
            break;
        if (m.id == id) {
            ended = !m.event;
            r = zcli_reply_print_json(&m, &dg);
            if (m.code[0])
                status = zcli_exit_of_code(m.code);
        }
        zcli_msg_release(&m);
    }
    if (r < 0)
        status = failed(r, &dg);
    zcli_conn_close(c);
    json_decref(params);
    return status;
}

static enum zcli_exit cmd_chat(const struct zcli_opts *o, int argc, char **argv)
{
    (void)argv;
    return argc ? usage("chat") : zcli_chat(o);
}

const struct zcli_cmd zcli_cmds[] = {
    {"chat", "", "talk; goes on with the last conversation (also: zorac alone)", cmd_chat},
    {"sessions", SESSIONS_ARGS, "the stored conversations", cmd_sessions},
    {"status", "", "what the daemon is doing", cmd_status},
    {"stats", "", "its counters", cmd_stats},
    {"model", "", "which model it serves, on what, in how much memory", cmd_model},
    {"tokens", "[TEXT...]", "how many tokens a text has", cmd_tokens},
    {"raw", "METHOD [JSON]", "any method of the protocol; prints JSON", cmd_raw},
    {NULL, NULL, NULL, NULL},
};
