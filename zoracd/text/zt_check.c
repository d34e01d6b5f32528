/* SPDX-License-Identifier: MIT */
/* The checks of zt_check.h. The template is asked by rendering: what it does with a system message
 * or with tools is seen in the text that comes out. */
#include "config.h"

#include "zoracd/text/zt_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "common/zc_utf8.h"

#define MAX_TEXT ((size_t)4 << 20) /* of a rendered probe */

struct check {
    const struct zt_chat *chat;
    const struct zt_check_model *model;
    zt_check_cb *cb;
    void *arg;
    json_t *told; /* names that are no tokens */
    int n_bad;
};

__attribute__((format(printf, 3, 4))) static void tell(struct check *c, enum zt_grade grade,
                                                       const char *fmt, ...)
{
    char text[600];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    c->n_bad += grade == ZT_BAD;
    c->cb(c->arg, grade, text);
}

enum { MAX_SHOWN = 60 };

/* A name as a finding shows it: whole characters, so many as there is room for. */
struct shown {
    char text[MAX_SHOWN + 1];
};

static struct shown shown(const char *p, size_t n)
{
    struct shown s = {""};
    size_t len = n < MAX_SHOWN ? n : MAX_SHOWN;

    len -= len < n ? zc_utf8_tail(p, len) : 0;
    for (size_t i = 0; i < len; i++) /* a finding is one line */
        s.text[i] = (unsigned char)p[i] < ' ' ? '?' : p[i];
    return s;
}

static struct shown shown_token(const struct check *c, int32_t id)
{
    size_t n = 0;
    const char *p = zt_tok_content(c->chat->tok, id, &n);

    return shown(p ? p : "", n);
}

/* Where a rendered text has these n bytes, NULL: nowhere. It may hold a NUL. */
static const char *find(const struct zt_text *text, const char *p, size_t n)
{
    return memmem(zc_buf_str(&text->buf), text->buf.len, p, n);
}

/* ---- numbers of tokens -------------------------------------------------------------------- */

static void check_size(struct check *c)
{
    int32_t n = zt_tok_vocab_size(c->chat->tok), V = c->model->vocab, ordinary = 0;

    for (int32_t id = V; id < n; id++)
        ordinary += !zt_tok_is_added(c->chat->tok, id);
    if (ordinary > 0)
        tell(c, ZT_BAD,
             "the tokenizer has %d tokens and the model only %d: they are not of the same model; "
             "take both from one repository",
             n, V);
    else if (n > V)
        tell(c, ZT_NOTE,
             "%d added tokens of the tokenizer have no row in the model (%d): prompts with one of "
             "them will be refused; nothing to do unless the template needs them",
             n - V, V);
    else if (n < V / 2)
        tell(
            c, ZT_NOTE,
            "the tokenizer has %d tokens and the model %d: perhaps they are not of the same model; "
            "take both from one repository if answers make no sense",
            n, V);
    else
        tell(c, ZT_GOOD, "%d tokens for %d rows of the model", n, V);
}

/* ---- where a reply ends ------------------------------------------------------------------- */

static bool is_eos(const struct check *c, int32_t id)
{
    bool is = false;

    for (size_t i = 0; i < c->model->n_eos; i++)
        is |= c->model->eos[i] == id;
    return is;
}

static void check_end(struct check *c, int32_t id)
{
    const struct zt_tok *tok = c->chat->tok;
    size_t n;

    if (!zt_tok_content(tok, id, &n))
        tell(c, ZT_BAD,
             "eos_token_id %d is no token of the tokenizer: config.json or generation_config.json "
             "is of another model; fetch both again from the model's repository",
             id);
    else if (!zt_tok_is_special(tok, id))
        tell(c, ZT_NOTE,
             "eos_token_id %d is the ordinary token '%s': a reply ends wherever it has that text; "
             "correct it in generation_config.json if replies end too early",
             id, shown_token(c, id).text);
    else
        tell(c, ZT_GOOD, "replies end at %s (%d)", shown_token(c, id).text, id);
}

/* The eos_token of tokenizer_config.json, -1 if it has none. */
static int32_t configured_eos(const struct check *c)
{
    const json_t *eos = json_object_get(c->chat->trusted, "eos_token");

    return json_is_string(eos)
               ? zt_tok_find(c->chat->tok, json_string_value(eos), json_string_length(eos))
               : -1;
}

static void check_ends(struct check *c)
{
    for (size_t i = 0; i < c->model->n_eos; i++)
        check_end(c, c->model->eos[i]);
    if (c->model->n_eos == 0)
        tell(c, ZT_NOTE,
             "neither config.json nor generation_config.json has an eos_token_id: replies go on to "
             "max_tokens; add it to generation_config.json");
    int32_t id = configured_eos(c);
    if (id >= 0 && c->model->n_eos > 0 && !is_eos(c, id))
        tell(c, ZT_NOTE,
             "tokenizer_config.json ends replies with %s (%d), which is no eos_token_id: add it "
             "to generation_config.json if replies do not end",
             shown_token(c, id).text, id);
}

/* ---- control tokens that the template writes ---------------------------------------------- */

/* The first to say so of each. */
static bool is_missing(struct check *c, const char *p, size_t n)
{
    char *name = zc_xstrndup(p, n);
    bool is = zt_tok_find(c->chat->tok, p, n) < 0 && !json_object_get(c->told, name);

    if (is)
        json_object_set_new(c->told, name, json_true());
    zc_free(name);
    return is;
}

/* Those that tokenizer_config.json gives the template. */
static void check_variables(struct check *c, const struct zt_text *text)
{
    static const char *const keys[] = {"bos_token", "eos_token"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *v = json_object_get(c->chat->trusted, keys[i]);
        const char *p = json_string_value(v);
        size_t n = json_string_length(v);
        if (n > 0 && find(text, p, n) && is_missing(c, p, n))
            tell(c, ZT_BAD,
                 "the template writes the %s %s, which is no token of the tokenizer: "
                 "tokenizer_config.json is of another model; fetch it again from the model's "
                 "repository",
                 keys[i], shown(p, n).text);
    }
}

/* All <|...|> in bytes that the template wrote. */
static void check_markup(struct check *c, const char *p, size_t n)
{
    const char *end = p + n, *from;

    while ((from = memmem(p, (size_t)(end - p), "<|", 2))) {
        const char *to = memmem(from + 2, (size_t)(end - from - 2), "|>", 2);
        if (!to)
            break;
        /* Longer ones, and those with a space, are no markup. */
        size_t len = (size_t)(to + 2 - from);
        if (len < MAX_SHOWN && !memchr(from, ' ', len) && is_missing(c, from, len))
            tell(c, ZT_NOTE,
                 "the template writes %s, which is no token: the model reads it letter by "
                 "letter. A few were trained so; else template and tokenizer are of two models: "
                 "fetch both again from one repository",
                 shown(from, len).text);
        p = to + 2;
    }
}

/* ---- conversations ------------------------------------------------------------------------ */

/* Words that no template has. */
#define SYSTEM "zqsystemqz"
#define USER   "zquserqz"
#define REPLY  "zqreplyqz"
#define TOOL   "zqtoolqz"
#define OPEN   ",\"add_generation_prompt\":true"

static const struct probe {
    const char *what, *json;
} probes[] = {
    {"a question", "{\"messages\":[{\"role\":\"user\",\"content\":\"" USER "\"}]" OPEN "}"},
    {"a system message",
     "{\"messages\":[{\"role\":\"system\",\"content\":\"" SYSTEM "\"},{\"role\":\"user\","
     "\"content\":\"" USER "\"}]" OPEN "}"},
    {"a second question",
     "{\"messages\":[{\"role\":\"user\",\"content\":\"" USER "\"},{\"role\":\"assistant\","
     "\"content\":\"" REPLY "\"},{\"role\":\"user\",\"content\":\"" USER "\"}]" OPEN "}"},
    {"tools",
     "{\"messages\":[{\"role\":\"user\",\"content\":\"" USER "\"}],\"tools\":[{\"type\":"
     "\"function\",\"function\":{\"name\":\"" TOOL "\",\"description\":\"-\",\"parameters\":{"
     "\"type\":\"object\",\"properties\":{}}}}]" OPEN "}"},
};
enum { QUESTION, SYSTEM_MESSAGE, SECOND, TOOLS, N_PROBES };

static int render(const struct check *c, int i, struct zt_text *out, struct zc_diag *dg)
{
    struct zt_tmpl_in in = {
        .json = probes[i].json,
        .json_len = strlen(probes[i].json),
        .now = time(NULL),
    };

    return zt_chat_render(c->chat, in, out, dg);
}

static bool says(const struct zt_text *text, const char *word)
{
    return find(text, word, strlen(word)) != NULL;
}

static void check_names(struct check *c, const struct zt_text *text)
{
    check_variables(c, text);
    for (size_t i = 0; i < text->n_spans; i++) {
        if (text->spans[i].trusted)
            check_markup(c, text->buf.data + text->spans[i].off, text->spans[i].len);
    }
}

/* What it means when a probe's own word is not in the text, or the template refuses. */
static void judge(struct check *c, int i, const struct zt_text *text, int r, const char *why)
{
    static const char again[] = "fetch chat_template.jinja or tokenizer_config.json again from the "
                                "model's repository";
    static const struct {
        const char *word, *left_out, *advice;
    } on[N_PROBES] = {
        {USER, "the question", again},
        {SYSTEM, "system messages", "give instructions in the question"},
        {REPLY, "earlier replies", "begin a new conversation for each question"},
        {TOOL, "tools", "take a model that was trained for tools where requests have some"},
    };
    enum zt_grade grade = i == QUESTION ? ZT_BAD : ZT_NOTE;

    if (r < 0)
        tell(c, grade, "the template refuses %s: %s; %s", probes[i].what, why, on[i].advice);
    else if (text->buf.len == 0)
        tell(c, grade, "the template is empty, or writes nothing for %s; %s", probes[i].what,
             again);
    else if (!says(text, on[i].word))
        tell(c, grade, "the template leaves out %s, which the model then never sees; %s",
             on[i].left_out, on[i].advice);
    else if (!says(text, USER))
        tell(c, grade, "the template leaves out the question beside %s; %s", probes[i].what, again);
    else if (i != QUESTION)
        tell(c, ZT_GOOD, "the template takes %s", probes[i].what);
}

/* BOS comes from the template alone when messages are encoded. */
static void check_bos(struct check *c, const struct zt_ids *ids)
{
    struct zt_ids around;

    zt_ids_init(&around, 16);
    if (zt_tok_encode_bytes(c->chat->tok, "", 0, ZT_TOK_ADD_SPECIAL, &around, NULL) == ZC_OK &&
        around.len > 0 && ids->len > 0 && ids->data[0] != around.data[0])
        tell(c, ZT_NOTE,
             "the template does not begin with %s, which the tokenizer puts before plain text; "
             "if answers are poor, compare the template with that of the model's repository",
             shown_token(c, around.data[0]).text);
    zt_ids_release(&around);
}

/* A token without a row in the model, in a question that has nothing but what the template writes
 * around it. */
static void check_rows(struct check *c, const struct zt_ids *ids)
{
    size_t i = 0;

    while (i < ids->len && ids->data[i] < c->model->vocab)
        i++;
    if (i == ids->len)
        return;
    tell(c, ZT_BAD,
         "the template writes %s (%d), and the model has only %d rows: every conversation would "
         "be refused; fetch the model's files again from one repository",
         shown_token(c, ids->data[i]).text, ids->data[i], c->model->vocab);
}

static void check_ids(struct check *c, const struct zt_text *text)
{
    struct zt_ids ids;

    zt_ids_init(&ids, MAX_TEXT);
    if (zt_tok_encode(c->chat->tok, text, 0, &ids, NULL) == ZC_OK) {
        check_bos(c, &ids);
        if (c->model)
            check_rows(c, &ids);
    }
    zt_ids_release(&ids);
}

/* A special token that the template puts behind a reply is what the model ends it with. */
static void check_turn_end(struct check *c, const struct zt_text *text)
{
    const struct zt_tok *tok = c->chat->tok;
    const char *all = zc_buf_str(&text->buf), *reply = find(text, REPLY, strlen(REPLY));
    size_t off = reply ? (size_t)(reply - all) + strlen(REPLY) : text->buf.len;
    struct zt_text rest;
    struct zt_ids ids;

    while (off < text->buf.len && (all[off] == ' ' || all[off] == '\n'))
        off++;
    zt_text_init(&rest, MAX_TEXT);
    zt_ids_init(&ids, MAX_TEXT);
    if (zt_text_copy(&rest, text, off, text->buf.len - off) == ZC_OK)
        zt_tok_encode(tok, &rest, 0, &ids, NULL);
    if (ids.len > 0 && zt_tok_is_special(tok, ids.data[0]) && !is_eos(c, ids.data[0]) &&
        ids.data[0] != configured_eos(c))
        tell(c, ZT_NOTE,
             "the template ends a reply with %s (%d), which is no eos_token_id: add it to "
             "generation_config.json if replies do not end",
             shown_token(c, ids.data[0]).text, ids.data[0]);
    zt_ids_release(&ids);
    zt_text_release(&rest);
}

static void check_probes(struct check *c)
{
    for (int i = 0; i < N_PROBES; i++) {
        struct zc_diag dg = {""};
        struct zt_text text;
        zt_text_init(&text, MAX_TEXT);
        int r = render(c, i, &text, &dg);
        judge(c, i, &text, r, dg.text);
        if (r == ZC_OK && c->chat->tok)
            check_names(c, &text);
        if (r == ZC_OK && c->chat->tok && i == QUESTION)
            check_ids(c, &text);
        if (r == ZC_OK && c->chat->tok && c->model && c->model->n_eos > 0 && i == SECOND)
            check_turn_end(c, &text);
        bool is_useless = r < 0 || text.buf.len == 0;
        zt_text_release(&text);
        if (is_useless && i == QUESTION)
            break; /* nor would it take the others, for the same reason */
    }
}

int zt_check(const struct zt_chat *chat, const struct zt_check_model *model, zt_check_cb *cb,
             void *arg)
{
    struct check c = {.chat = chat, .model = model, .cb = cb, .arg = arg, .told = json_object()};

    if (chat->tok && model) {
        check_size(&c);
        check_ends(&c);
    }
    if (chat->tmpl || chat->mistral)
        check_probes(&c);
    json_decref(c.told);
    return c.n_bad;
}
