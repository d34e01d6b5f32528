/* SPDX-License-Identifier: MIT */
/* The verbs about text: tokenize, detokenize, speed, render. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/zc_buf.h"
#include "common/zc_file.h"
#include "common/zc_mem.h"
#include "zoracd/text/zt_chat.h"
#include "zoracd/text/zt_tmpl.h"
#include "zoracd/text/zt_tok.h"
#include "zoracd/tools/zi.h"

#define MAX_TEXT (256u << 20)
#define MAX_IDS  (1u << 26)

/* ---- tokenize ------------------------------------------------------------------------------ */

struct tokenizer {
    struct zt_tok *tok;
    const struct zi_options *o;
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* "text", or the bytes of "hex". */
static int input_bytes(struct zc_buf *b, const json_t *line, struct zc_diag *dg)
{
    const json_t *text = json_object_get(line, "text"), *hex = json_object_get(line, "hex");

    if (json_is_string(text))
        return zc_buf_add(b, json_string_value(text), json_string_length(text));
    if (!json_is_string(hex) || json_string_length(hex) % 2 != 0)
        return zc_diag(dg, ZC_EFORMAT, "neither \"text\" nor \"hex\"");
    const char *p = json_string_value(hex);
    for (size_t i = 0; i < json_string_length(hex); i += 2) {
        int high = hex_digit(p[i]), low = hex_digit(p[i + 1]);
        if (high < 0 || low < 0)
            return zc_diag(dg, ZC_EFORMAT, "\"hex\" is not hexadecimal at %zu", i);
        zc_buf_addc(b, (char)(high << 4 | low));
    }
    return zc_buf_error(b);
}

static json_t *ids_json(const struct zt_ids *ids)
{
    json_t *list = json_array();

    for (size_t i = 0; i < ids->len; i++)
        json_array_append_new(list, json_integer(ids->data[i]));
    return list;
}

static unsigned encode_flags(const struct zi_options *o)
{
    return (o->parse_special ? ZT_TOK_PARSE_SPECIAL : 0u) |
           (o->add_special ? ZT_TOK_ADD_SPECIAL : 0u);
}

static int tokenize(void *state, const json_t *line, json_t **ret_answer, struct zc_diag *dg)
{
    const struct tokenizer *t = state;
    struct zc_buf bytes;
    struct zt_ids ids;

    zc_buf_init(&bytes, MAX_TEXT);
    zt_ids_init(&ids, MAX_IDS);
    int r = input_bytes(&bytes, line, dg);
    if (r == ZC_OK)
        r = zt_tok_encode_bytes(t->tok, zc_buf_str(&bytes), bytes.len, encode_flags(t->o), &ids,
                                dg);
    if (r == ZC_OK)
        *ret_answer = json_pack("{s:o}", "ids", ids_json(&ids));
    zt_ids_release(&ids);
    zc_buf_release(&bytes);
    return r;
}

static int detokenize(void *state, const json_t *line, json_t **ret_answer, struct zc_diag *dg)
{
    const struct tokenizer *t = state;
    struct zc_buf text;
    int32_t *ids;
    size_t n;
    int r;

    if ((r = zi_ids(line, &ids, &n, dg)) < 0)
        return r;
    zc_buf_init(&text, MAX_TEXT);
    r = zt_tok_decode(t->tok, ids, n, t->o->skip_special ? ZT_SPECIAL_SKIP : ZT_SPECIAL_KEEP, &text,
                      dg);
    if (r == ZC_OK)
        *ret_answer = json_pack("{s:s%}", "text", zc_buf_str(&text), text.len);
    zc_buf_release(&text);
    zc_free(ids);
    return r;
}

static int run(const struct zi_options *o, zi_answer *answer)
{
    struct tokenizer t = {.o = o};
    struct zc_diag dg = {""};
    int r = zt_tok_open(&t.tok, o->model, &dg);

    if (r < 0)
        return zo_fail(r, o->model, &dg);
    int status = zi_each_line(answer, &t);
    zt_tok_free(t.tok);
    return status;
}

int zi_tokenize(const struct zi_options *o)
{
    return run(o, tokenize);
}

int zi_detokenize(const struct zi_options *o)
{
    return run(o, detokenize);
}

/* ---- speed --------------------------------------------------------------------------------- */

#define SPEED_RUNS 5

/* Processor seconds of this thread so far. */
static double cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The best of a few runs, and how many tokens it gave. */
static int time_encoding(const struct zt_tok *tok, unsigned flags, const char *text, size_t len,
                         double *ret_s, size_t *ret_tokens, struct zc_diag *dg)
{
    double best = 0;
    int r = ZC_OK;

    for (int i = 0; i < SPEED_RUNS && r == ZC_OK; i++) {
        struct zt_ids ids;
        zt_ids_init(&ids, MAX_IDS);
        double start = cpu_s();
        r = zt_tok_encode_bytes(tok, text, len, flags, &ids, dg);
        double took = cpu_s() - start;
        best = i == 0 || took < best ? took : best;
        *ret_tokens = ids.len;
        zt_ids_release(&ids);
    }
    *ret_s = best;
    return r;
}

int zi_speed(const struct zi_options *o)
{
    struct zc_diag dg = {""};
    struct zt_tok *tok = NULL;
    char *text = NULL;
    size_t len = 0, tokens = 0;
    double start = cpu_s(), load_s = 0, encode_s = 0;

    int r = zt_tok_open(&tok, o->model, &dg);
    load_s = cpu_s() - start;
    if (r == ZC_OK && (r = zc_file_read_pipe(&text, &len, o->file, MAX_TEXT, &dg)) == ZC_OK)
        r = time_encoding(tok, encode_flags(o), text, len, &encode_s, &tokens, &dg);
    if (r == ZC_OK)
        zi_print(json_pack("{s:I, s:I, s:f, s:f}", "bytes", (json_int_t)len, "tokens",
                           (json_int_t)tokens, "load_s", load_s, "encode_s", encode_s));
    int status = r < 0 ? zo_fail(r, o->model, &dg) : ZO_OK;
    zt_tok_free(tok);
    zc_free(text);
    return status;
}

/* ---- render -------------------------------------------------------------------------------- */

struct renderer {
    const struct zt_chat *chat;
    const struct zi_options *o;
};

/* With a model the ids, too. */
static int add_ids(const struct renderer *s, const struct zt_text *text, json_t *answer,
                   struct zc_diag *dg)
{
    struct zt_ids ids;

    if (!s->chat->tok)
        return ZC_OK;
    zt_ids_init(&ids, MAX_IDS);
    int r = zt_tok_encode(s->chat->tok, text, 0, &ids, dg);
    if (r == ZC_OK)
        json_object_set_new(answer, "ids", ids_json(&ids));
    zt_ids_release(&ids);
    return r;
}

static int render(void *state, const char *line, size_t len, json_t **ret_answer,
                  struct zc_diag *dg)
{
    const struct renderer *s = state;
    struct zt_tmpl_in in = {.json = line, .json_len = len, .now = s->o->now};
    struct zt_text text;

    zt_text_init(&text, MAX_TEXT);
    int r = zt_chat_render(s->chat, in, &text, dg);
    if (r == ZC_OK) {
        json_t *answer = json_pack("{s:s%}", "text", zc_buf_str(&text.buf), text.buf.len);
        if ((r = add_ids(s, &text, answer, dg)) == ZC_OK)
            *ret_answer = answer;
        else
            json_decref(answer);
    }
    zt_text_release(&text);
    return r;
}

static int open_template(struct zt_chat *chat, const struct zi_options *o, struct zc_diag *dg)
{
    char *src = NULL;
    size_t len;
    int r;

    if ((r = zc_file_read_pipe(&src, &len, o->template_file, MAX_TEXT, dg)) == ZC_OK)
        r = zt_tmpl_new(&chat->tmpl, o->template_file, src, len, dg);
    zc_free(src);
    return r;
}

int zi_render(const struct zi_options *o)
{
    struct zc_diag dg = {""};
    struct zt_chat chat = {0};
    struct renderer s = {.chat = &chat, .o = o};

    int r = o->template_file ? open_template(&chat, o, &dg) : zt_chat_open(&chat, o->model, &dg);
    if (r < 0)
        return zo_fail(r, o->template_file ? "--template" : o->model, &dg);
    int status = zi_each_text(render, &s);
    zt_chat_release(&chat);
    return status;
}
