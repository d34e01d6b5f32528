/* SPDX-License-Identifier: MIT */
/* Renders the conformance data: real chat templates with fixtures, and snippets of the language,
 * each compared byte for byte with what jinja2 made of it. Usage: t_render [-v] [FOLDER]; -v prints
 * each difference. Without the data it skips (77). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/text/zt_tmpl.h"

enum { N_SHOWN = 5, FROZEN_NOW = 1768480496 /* 2026-01-15 12:34:56 UTC */ };

struct tally {
    int n, equal, raised, failed; /* rows; of those rendered; that must raise; the rest */
    int must_raise, lenient, lenient_errors;
};

static const char *folder;
static bool verbose;
static int shown, n_bad;

static json_t *load(const char *name)
{
    char path[4096];
    json_error_t err;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    json_t *j = json_load_file(path, JSON_ALLOW_NUL, &err);
    if (!j) {
        fprintf(stderr, "%s:%d: %s\n", path, err.line, err.text);
        exit(EXIT_FAILURE);
    }
    return j;
}

static char *read_file(const char *name, size_t *ret_len)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    size_t cap = 1 << 20;
    char *p = malloc(cap);
    *ret_len = fread(p, 1, cap, f);
    fclose(f);
    return p;
}

static const json_t *by_id(const json_t *list, const char *id)
{
    size_t i;
    json_t *item;

    json_array_foreach(list, i, item) if (strcmp(json_string_value(json_object_get(item, "id")),
                                                 id) == 0) return item;
    fprintf(stderr, "no '%s'\n", id);
    exit(EXIT_FAILURE);
}

static void complain(const char *id, const char *what, const char *got, const char *want)
{
    n_bad++;
    if (!verbose && shown++ >= N_SHOWN)
        return;
    size_t i = 0;
    while (got[i] && got[i] == want[i])
        i++;
    size_t from = i > 40 ? i - 40 : 0;
    printf("  %s: %s\n    got  ...%.120s\n    want ...%.120s\n", id, what, got + from, want + from);
}

/* Renders and compares. want NULL: an error is right; must: the error is required. */
static void check(struct tally *t, const char *id, const char *src, size_t len, json_t *vars,
                  json_t *trusted, const json_t *want, bool must)
{
    struct zt_tmpl *tmpl = NULL;
    struct zc_diag dg = {""};
    struct zt_text out;
    struct zt_tmpl_in in = {.vars = vars, .trusted_vars = trusted, .now = FROZEN_NOW};

    t->n++;
    zt_text_init(&out, 16 << 20);
    int r = zt_tmpl_new(&tmpl, id, src, len, &dg);
    if (r == ZC_OK)
        r = zt_tmpl_render(tmpl, &in, &out, &dg);
    bool same = want && r == ZC_OK && out.buf.len == json_string_length(want) &&
                memcmp(zc_buf_str(&out.buf), json_string_value(want), out.buf.len) == 0;
    if (want) {
        t->equal += same;
        t->failed += !same;
        if (!same)
            complain(id, r < 0 ? dg.text : "differs", zc_buf_str(&out.buf),
                     json_string_value(want));
    } else {
        t->must_raise += must;
        t->raised += must && r < 0;
        t->lenient += !must;
        t->lenient_errors += !must && r < 0;
        if (must && r == ZC_OK)
            complain(id, "must be an error", zc_buf_str(&out.buf), "");
        else if (verbose && r == ZC_OK)
            printf("  %s: an error in the reference, none here: %.200s\n", id,
                   zc_buf_str(&out.buf));
    }
    zt_text_release(&out);
    zt_tmpl_free(tmpl);
}

/* Calls row for each line of the file; lines that the JSON library cannot hold are counted. */
static void each_row(const char *name, struct tally *t, void (*row)(struct tally *, json_t *))
{
    char path[4096], *line = NULL;
    size_t cap = 0;
    ssize_t len;
    int unreadable = 0;

    snprintf(path, sizeof path, "%s/expected/open/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    while ((len = getline(&line, &cap, f)) > 0) {
        json_t *j = json_loadb(line, (size_t)len, JSON_ALLOW_NUL, NULL);
        if (j)
            row(t, j);
        else
            unreadable++;
        json_decref(j);
    }
    free(line);
    fclose(f);
    printf("%s: %d rows; %d of %d texts equal; %d of %d required errors; %d of %d other errors",
           name, t->n, t->equal, t->equal + t->failed, t->raised, t->must_raise, t->lenient_errors,
           t->lenient);
    if (unreadable)
        printf("; %d not readable here", unreadable);
    printf("\n");
    shown = 0;
}

static json_t *manifest, *fixtures;

static void chat_row(struct tally *t, json_t *row)
{
    const char *id = json_string_value(json_object_get(row, "template"));
    const char *fid = json_string_value(json_object_get(row, "fixture"));
    const char *class = json_string_value(json_object_get(row, "class"));
    const json_t *entry = by_id(manifest, id), *fx = by_id(fixtures, fid);
    char path[4096], name[300];
    size_t len;

    snprintf(path, sizeof path, "templates/%s", json_string_value(json_object_get(entry, "file")));
    snprintf(name, sizeof name, "%s %s", id, fid);
    char *src = read_file(path, &len);
    json_t *tools = json_object_get(fx, "tools"), *kwargs = json_object_get(fx, "kwargs");
    json_t *vars = json_pack("{sO sO sn sO}", "messages", json_object_get(fx, "messages"), "tools",
                             tools ? tools : json_null(), "documents", "add_generation_prompt",
                             json_object_get(fx, "add_generation_prompt"));
    if (kwargs)
        json_object_update(vars, kwargs);
    json_t *trusted = json_pack("{sO sO}", "bos_token", json_object_get(entry, "bos_token"),
                                "eos_token", json_object_get(entry, "eos_token"));
    const json_t *want = strcmp(class, "ok") == 0 ? json_object_get(row, "text") : NULL;
    check(t, name, src, len, vars, trusted, want, strcmp(class, "raise") == 0);
    json_decref(vars);
    json_decref(trusted);
    free(src);
}

static void upstream_row(struct tally *t, json_t *row)
{
    const char *id = json_string_value(json_object_get(row, "template"));
    const json_t *entry = by_id(manifest, id), *ref = json_object_get(row, "jinja2");
    char path[4096];
    size_t len;

    snprintf(path, sizeof path, "templates/%s", json_string_value(json_object_get(entry, "file")));
    char *src = read_file(path, &len);
    check(t, id, src, len, json_object_get(row, "context"), NULL, json_object_get(ref, "text"),
          false);
    free(src);
}

static void syntax_row(struct tally *t, json_t *row)
{
    const json_t *src = json_object_get(row, "template");

    check(t, json_string_value(json_object_get(row, "id")), json_string_value(src),
          json_string_length(src), json_object_get(row, "context"), NULL,
          json_object_get(row, "text"), true);
}

int main(int argc, char **argv)
{
    char def[4096], *top = getenv("top_srcdir");
    struct tally chat = {0}, upstream = {0}, syntax = {0};

    verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
    snprintf(def, sizeof def, "%s/../shared/conformance", top ? top : ".");
    folder = argc > 1 + verbose ? argv[1 + verbose] : def;
    setenv("TZ", "UTC", 1);
    FILE *f = fopen(strcat(strcpy((char[5000]){0}, folder), "/README.md"), "r");
    if (!f) {
        printf("skipped: no conformance data in %s\n", folder);
        return 77;
    }
    fclose(f);
    manifest = load("templates/manifest.open.json");
    fixtures = load("fixtures/chat.open.json");
    each_row("chat_render.jsonl", &chat, chat_row);
    each_row("chat_render_upstream.jsonl", &upstream, upstream_row);
    each_row("jinja_syntax.jsonl", &syntax, syntax_row);
    json_decref(manifest);
    json_decref(fixtures);
    return n_bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
