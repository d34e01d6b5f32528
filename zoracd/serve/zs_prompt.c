/* SPDX-License-Identifier: MIT */
/* Rendering and splicing.
 *
 * A reply was sampled token by token; the tokenizer may cut the same text differently, and then
 * nothing after that place would be found in the cache. So the generated ids are put back where the
 * reply's text stands in the rendered prompt. Replies are looked for in order, each message behind
 * the one before, in untrusted bytes only. The proof that a splice changed nothing is that both
 * lists of ids decode to the same text; without it the plain encoding is used. */
#include "config.h"

#include "zoracd/serve/zs_prompt.h"

#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"

/* A variable that we set ourselves would be dropped without a word: it is refused by its name. */
static int check_vars(const struct zs_model *m, json_t *vars, struct zc_diag *dg)
{
    static const char *const ours[] = {"messages", "tools", "add_generation_prompt"};
    const char *key;
    json_t *v;

    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (json_object_get(vars, ours[i]))
            return zc_diag(dg, ZC_EINVAL, "template_vars: '%s' cannot be set there", ours[i]);
    json_object_foreach (m->chat.trusted, key, v)
        if (json_object_get(vars, key))
            return zc_diag(dg, ZC_EINVAL, "template_vars: '%s' is the model's own", key);
    return ZC_OK;
}

int zs_prompt_render(const struct zs_model *m, json_t *messages, json_t *tools, json_t *vars,
                     int64_t now, struct zt_text *out, struct zc_diag *dg)
{
    int r = check_vars(m, vars, dg);
    if (r < 0)
        return r;
    json_t *all = vars ? json_copy(vars) : json_object();
    struct zt_tmpl_in in = {.vars = all, .now = now};

    if (!all)
        return zc_diag(dg, ZC_ENOMEM, "no memory for the template's variables");
    json_object_set(all, "messages", messages);
    if (tools)
        json_object_set(all, "tools", tools);
    json_object_set_new(all, "add_generation_prompt", json_true());
    r = zt_chat_render(&m->chat, in, out, dg);
    json_decref(all);
    return r;
}

/* A reply's place in the rendered text. */
struct splice {
    size_t off, len;
    const struct zs_reply_ids *ids;
};

#define NEAR  65536 /* bytes in which a message is looked for in any case */
#define SPARE 16    /* times the text: what may be looked through in vain beyond that */

/* Where the search for the messages is. Behind a message that the template rewrote the whole rest
 * of the text is looked through; when that has happened often, only what is near. So the time is
 * bounded by the text, however many messages there are. */
struct finder {
    const struct zt_text *text;
    size_t from, span; /* the place, and the first span that reaches beyond it */
    size_t spare;      /* bytes */
};

/* The first place of needle at or behind f->from where all bytes are untrusted; -1 if there is
 * none. Neighbouring spans differ in kind, so that such a place lies within one span. */
static ptrdiff_t find_untrusted(struct finder *f, const char *needle, size_t len)
{
    const struct zt_text *text = f->text;
    const char *base = zc_buf_str(&text->buf);
    size_t reach = f->from + len + NEAR + f->spare, looked = 0;

    for (; f->span < text->n_spans; f->span++)
        if (text->spans[f->span].off + text->spans[f->span].len > f->from)
            break;
    for (size_t i = f->span; i < text->n_spans && text->spans[i].off < reach; i++) {
        size_t end = text->spans[i].off + text->spans[i].len;
        size_t off = text->spans[i].off > f->from ? text->spans[i].off : f->from;
        end = end < reach ? end : reach;
        if (text->spans[i].trusted || off >= end)
            continue;
        const char *hit = memmem(base + off, end - off, needle, len);
        if (hit)
            return hit - base;
        looked += end - off;
    }
    f->spare -= looked < f->spare ? looked : f->spare;
    return -1;
}

/* Finds the replies that have ids. Other messages only move the place from where on the next reply
 * is looked for, so that a user who quotes a reply is not taken for it. */
static size_t find_splices(const struct zt_text *text, const struct zs_transcript *t,
                           struct splice *splices)
{
    struct finder f = {.text = text, .spare = SPARE * text->buf.len};
    size_t n = 0, len = zs_transcript_len(t);

    for (size_t i = 0; i < len; i++) {
        const json_t *content = json_object_get(json_array_get(t->messages, i), "content");
        size_t bytes = json_string_length(content);
        if (bytes == 0)
            continue;
        ptrdiff_t off = find_untrusted(&f, json_string_value(content), bytes);
        if (off < 0)
            continue;
        f.from = (size_t)off + bytes;
        if (t->reply[i].n)
            splices[n++] = (struct splice){(size_t)off, bytes, &t->reply[i]};
    }
    return n;
}

/* Encodes bytes [off, end) of text with their kinds. span: one that is not behind off; moves on. */
static int encode_part(const struct zs_model *m, const struct zt_text *text, size_t off, size_t end,
                       size_t *span, struct zt_ids *ids, struct zc_diag *dg)
{
    struct zt_text part;
    int r = ZC_OK;

    if (off == end)
        return ZC_OK;
    zt_text_init(&part, ZS_PROMPT_MAX_BYTES);
    while (*span + 1 < text->n_spans && text->spans[*span + 1].off <= off)
        ++*span;
    for (size_t i = *span; r == ZC_OK && i < text->n_spans && text->spans[i].off < end; i++) {
        const struct zt_span *s = &text->spans[i];
        size_t a = s->off > off ? s->off : off;
        size_t b = s->off + s->len < end ? s->off + s->len : end;
        if (a < b)
            r = zt_text_add(&part, zc_buf_str(&text->buf) + a, b - a, s->trusted);
    }
    if (r == ZC_OK)
        r = zt_tok_encode(m->tok, &part, 0, ids, dg);
    else
        zc_diag(dg, r, "no memory for a part of the prompt");
    zt_text_release(&part);
    return r;
}

static int encode_spliced(const struct zs_model *m, const struct zt_text *text,
                          const struct splice *splices, size_t n, struct zt_ids *ids,
                          struct zc_diag *dg)
{
    size_t off = 0, span = 0;
    int r;

    for (size_t i = 0; i < n; i++) {
        r = encode_part(m, text, off, splices[i].off, &span, ids, dg);
        for (size_t k = 0; r == ZC_OK && k < splices[i].ids->n; k++)
            r = zt_ids_add(ids, splices[i].ids->ids[k]);
        if (r < 0)
            return r;
        off = splices[i].off + splices[i].len;
    }
    return encode_part(m, text, off, text->buf.len, &span, ids, dg);
}

/* Whether two lists of ids say the same text, control tokens included. */
static bool is_same_text(const struct zs_model *m, const struct zt_ids *a, const struct zt_ids *b)
{
    struct zc_buf ta, tb;

    zc_buf_init(&ta, 4 * (size_t)ZS_PROMPT_MAX_BYTES);
    zc_buf_init(&tb, 4 * (size_t)ZS_PROMPT_MAX_BYTES);
    bool same = zt_tok_decode(m->tok, a->data, a->len, ZT_SPECIAL_SHOW, &ta, NULL) == ZC_OK &&
                zt_tok_decode(m->tok, b->data, b->len, ZT_SPECIAL_SHOW, &tb, NULL) == ZC_OK &&
                ta.len == tb.len && memcmp(zc_buf_str(&ta), zc_buf_str(&tb), ta.len) == 0;
    zc_buf_release(&ta);
    zc_buf_release(&tb);
    return same;
}

static int append_all(struct zt_ids *to, const struct zt_ids *from)
{
    int r = ZC_OK;
    for (size_t i = 0; r == ZC_OK && i < from->len; i++)
        r = zt_ids_add(to, from->data[i]);
    return r;
}

int zs_prompt_encode(const struct zs_model *m, const struct zt_text *text,
                     const struct zs_transcript *t, struct zt_ids *ids, struct zc_diag *dg)
{
    void *splices = NULL;
    struct zt_ids plain, spliced;
    size_t n = 0, len = t ? zs_transcript_len(t) : 0;

    zt_ids_init(&plain, ids->max);
    zt_ids_init(&spliced, ids->max);
    int r = zt_tok_encode(m->tok, text, 0, &plain, dg);
    /* Without memory for the places of replies the plain encoding does, too. */
    if (r == ZC_OK && len && zc_try_calloc(&splices, len, sizeof(struct splice), SIZE_MAX) == ZC_OK)
        n = find_splices(text, t, splices);
    if (r == ZC_OK && n && encode_spliced(m, text, splices, n, &spliced, NULL) == ZC_OK &&
        is_same_text(m, &plain, &spliced))
        r = append_all(ids, &spliced);
    else if (r == ZC_OK)
        r = append_all(ids, &plain);
    zt_ids_release(&plain);
    zt_ids_release(&spliced);
    zc_free(splices);
    return r;
}
