/* SPDX-License-Identifier: MIT */
/* Renders the snippets of tests/golden/templates.jsonl and, where it is there, the conformance
 * data: real chat templates with fixtures, and more snippets. Each result is compared byte for byte
 * with what jinja2 made of it. Usage: t_render [-v] [FOLDER]; -v prints each difference. It skips
 * (77) without the conformance data unless our own failed. `t_render -` renders the rows of
 * standard input, {"template", "context"}, one answer {"text"} or {"error"} per line, for
 * comparisons elsewhere. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/text/zt_json.h"
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
static void check(struct tally *t, const char *id, const char *src, size_t len,
                  struct zt_tmpl_in in, const char *want, size_t want_len, bool must)
{
    struct zt_tmpl *tmpl = NULL;
    struct zc_diag dg = {""};
    struct zt_text out;

    in.now = FROZEN_NOW;
    t->n++;
    zt_text_init(&out, 16 << 20);
    int r = zt_tmpl_new(&tmpl, id, src, len, &dg);
    if (r == ZC_OK)
        r = zt_tmpl_render(tmpl, &in, &out, &dg);
    bool same = want && r == ZC_OK && out.buf.len == want_len &&
                memcmp(zc_buf_str(&out.buf), want, want_len) == 0;
    if (want) {
        t->equal += same;
        t->failed += !same;
        if (!same)
            complain(id, r < 0 ? dg.text : "differs", zc_buf_str(&out.buf), want);
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

/* Calls row for each line of the file. */
static void each_row(const char *name, struct tally *t,
                     void (*row)(struct tally *, const char *line, size_t len))
{
    char path[4096], *line = NULL;
    size_t cap = 0;
    ssize_t len;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    while ((len = getline(&line, &cap, f)) > 0)
        row(t, line, (size_t)len);
    free(line);
    fclose(f);
    printf("%s: %d rows; %d of %d texts equal; %d of %d required errors; %d of %d other errors\n",
           name, t->n, t->equal, t->equal + t->failed, t->raised, t->must_raise, t->lenient_errors,
           t->lenient);
    shown = 0;
}

static json_t *parse_row(const char *line, size_t len)
{
    json_error_t err;
    json_t *row = json_loadb(line, len, JSON_ALLOW_NUL, &err);

    if (!row) {
        fprintf(stderr, "a row: %s\n", err.text);
        exit(EXIT_FAILURE);
    }
    return row;
}

static json_t *manifest, *fixtures;

static void chat_row(struct tally *t, const char *line, size_t line_len)
{
    json_t *row = parse_row(line, line_len);
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
    check(t, name, src, len, (struct zt_tmpl_in){.vars = vars, .trusted_vars = trusted},
          json_string_value(want), json_string_length(want), strcmp(class, "raise") == 0);
    json_decref(vars);
    json_decref(trusted);
    json_decref(row);
    free(src);
}

static void upstream_row(struct tally *t, const char *line, size_t line_len)
{
    json_t *row = parse_row(line, line_len);
    const char *id = json_string_value(json_object_get(row, "template"));
    const json_t *entry = by_id(manifest, id);
    const json_t *want = json_object_get(json_object_get(row, "jinja2"), "text");
    char path[4096];
    size_t len;

    snprintf(path, sizeof path, "templates/%s", json_string_value(json_object_get(entry, "file")));
    char *src = read_file(path, &len);
    check(t, id, src, len, (struct zt_tmpl_in){.vars = json_object_get(row, "context")},
          json_string_value(want), json_string_length(want), false);
    free(src);
    json_decref(row);
}

/* The members of a row whose context the JSON library could not hold. */
struct snippet {
    struct zc_buf id, template, text;
    const char *context;
    size_t context_len;
    bool has_text;
};

static void read_snippet(struct snippet *s, const char *line, size_t len)
{
    struct zt_json j;
    struct zc_buf key;
    int first = 1;

    memset(s, 0, sizeof *s);
    zc_buf_init(&key, len);
    zc_buf_init(&s->id, len);
    zc_buf_init(&s->template, len);
    zc_buf_init(&s->text, len);
    zt_json_init(&j, line, len, NULL);
    zt_json_enter(&j, '{');
    while (zt_json_next(&j, '}', &first) > 0) {
        zt_json_key(&j, &key);
        const char *name = zc_buf_str(&key);
        struct zc_buf *to = strcmp(name, "id") == 0         ? &s->id
                            : strcmp(name, "template") == 0 ? &s->template
                            : strcmp(name, "text") == 0     ? &s->text
                                                            : NULL;
        s->has_text |= to == &s->text;
        zt_json_peek(&j);
        const char *start = j.p;
        if (to)
            zt_json_string(&j, to);
        else
            zt_json_skip(&j);
        if (strcmp(name, "context") == 0) {
            s->context = start;
            s->context_len = (size_t)(j.p - start);
        }
    }
    zc_buf_release(&key);
}

static void release_snippet(struct snippet *s)
{
    zc_buf_release(&s->id);
    zc_buf_release(&s->template);
    zc_buf_release(&s->text);
}

static void syntax_row(struct tally *t, const char *line, size_t len)
{
    struct snippet s;

    read_snippet(&s, line, len);
    check(t, zc_buf_str(&s.id), zc_buf_str(&s.template), s.template.len,
          (struct zt_tmpl_in){.json = s.context, .json_len = s.context_len},
          s.has_text ? zc_buf_str(&s.text) : NULL, s.text.len, true);
    release_snippet(&s);
}

/* Standard input to standard output. */
static int render_rows(void)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;

    while ((len = getline(&line, &cap, stdin)) > 0) {
        struct zt_tmpl *tmpl = NULL;
        struct zc_diag dg = {""};
        struct zt_text out;
        struct snippet s;
        read_snippet(&s, line, (size_t)len);
        struct zt_tmpl_in in = {.json = s.context, .json_len = s.context_len, .now = FROZEN_NOW};
        zt_text_init(&out, 16 << 20);
        int r = zt_tmpl_new(&tmpl, "t", zc_buf_str(&s.template), s.template.len, &dg);
        if (r == ZC_OK)
            r = zt_tmpl_render(tmpl, &in, &out, &dg);
        json_t *answer = r < 0 ? json_pack("{ss}", "error", dg.text)
                               : json_pack("{ss%}", "text", zc_buf_str(&out.buf), out.buf.len);
        json_dumpf(answer, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(answer);
        zt_tmpl_free(tmpl);
        zt_text_release(&out);
        release_snippet(&s);
    }
    free(line);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    char def[4096], *top = getenv("top_srcdir");
    struct tally own = {0}, chat = {0}, upstream = {0}, syntax = {0};

    verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
    setenv("TZ", "UTC", 1);
    if (argc == 2 && strcmp(argv[1], "-") == 0)
        return render_rows();
    snprintf(def, sizeof def, "%s", top ? top : ".");
    folder = def;
    each_row("tests/golden/templates.jsonl", &own, syntax_row);
    snprintf(def, sizeof def, "%s/../shared/conformance", top ? top : ".");
    folder = argc > 1 + verbose ? argv[1 + verbose] : def;
    FILE *f = fopen(strcat(strcpy((char[5000]){0}, folder), "/README.md"), "r");
    if (!f) {
        printf("skipped: no conformance data in %s\n", folder);
        return n_bad ? EXIT_FAILURE : 77;
    }
    fclose(f);
    manifest = load("templates/manifest.open.json");
    fixtures = load("fixtures/chat.open.json");
    each_row("expected/open/chat_render.jsonl", &chat, chat_row);
    each_row("expected/open/chat_render_upstream.jsonl", &upstream, upstream_row);
    each_row("expected/open/jinja_syntax.jsonl", &syntax, syntax_row);
    json_decref(manifest);
    json_decref(fixtures);
    return n_bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
