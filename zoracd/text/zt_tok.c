/* SPDX-License-Identifier: MIT */
/* The way of a text to ids: added tokens are cut out of it as it is, the rest is normalized, added
 * tokens are cut out of that, the rest goes through the pre-tokenizer, and each piece through BPE.
 * A tokenizer is const here; what a call works in, it owns. */
#include "zoracd/text/zt_tok.h"

#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/text/zt_tok_internal.h"
#include "common/zc_utf8.h"

/* ---- looking into it ---------------------------------------------------------------------- */

int32_t zt_tok_vocab_size(const struct zt_tok *tok)
{
    return tok->bpe.vocab.n_ids;
}

const struct zt_added_token *zt_tok_added(const struct zt_tok *tok, int32_t id)
{
    size_t lo = 0, hi = tok->n_added;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (tok->added[mid].id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < tok->n_added && tok->added[lo].id == id ? &tok->added[lo] : NULL;
}

int32_t zt_tok_find(const struct zt_tok *tok, const char *content, size_t len)
{
    int32_t i = zt_vocab_find(&tok->added_names, content, len);

    return i >= 0 ? tok->added[i].id : zt_vocab_find(&tok->bpe.vocab, content, len);
}

const char *zt_tok_content(const struct zt_tok *tok, int32_t id, size_t *ret_len)
{
    const struct zt_added_token *t = zt_tok_added(tok, id);

    if (!t)
        return zt_vocab_get(&tok->bpe.vocab, id, ret_len);
    *ret_len = t->n_content;
    return t->content;
}

bool zt_tok_is_added(const struct zt_tok *tok, int32_t id)
{
    return id >= 0 && id < tok->bpe.vocab.n_ids && tok->flags[id] & ZT_TOK_ADDED;
}

bool zt_tok_is_special(const struct zt_tok *tok, int32_t id)
{
    return id >= 0 && id < tok->bpe.vocab.n_ids && tok->flags[id] & ZT_TOK_SPECIAL;
}

int zt_tok_tekken_version(const struct zt_tok *tok)
{
    return tok->tekken_version;
}

/* ---- encoding ----------------------------------------------------------------------------- */

struct work {
    const struct zt_tok *tok;
    bool all; /* control tokens match in untrusted text */
    struct zt_ids *ids;
    struct zc_diag *dg;
    bool at_start; /* the piece between two added tokens begins where the text begins */
    struct zt_bpe_work bpe;
    struct zt_regex_work regex;
    struct zt_pre_work pre;
    struct zt_text norm, tmp;
};

static void work_init(struct work *w, const struct zt_tok *tok, unsigned flags, size_t len,
                      struct zt_ids *ids, struct zc_diag *dg)
{
    size_t max = ((size_t)64 << 20) + 8 * len; /* of a text that a step writes */

    *w = (struct work){.tok = tok, .all = flags & ZT_TOK_PARSE_SPECIAL, .ids = ids, .dg = dg};
    zt_pre_work_init(&w->pre, &w->regex, max);
    zt_text_init(&w->norm, max);
    zt_text_init(&w->tmp, max);
}

static void work_release(struct work *w)
{
    zt_bpe_work_release(&w->bpe);
    zt_pre_work_release(&w->pre);
    zt_regex_work_release(&w->regex);
    zt_text_release(&w->norm);
    zt_text_release(&w->tmp);
}

static int encode_error(struct work *w, int r)
{
    if (r == ZC_ELIMIT)
        return zc_diag(w->dg, r, "the text has more than %zu tokens", w->ids->max);
    return zc_diag(w->dg, r, "no memory to encode the text");
}

static int add_ids(struct work *w, const int32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int r = zt_ids_add(w->ids, ids[i]);
        if (r < 0)
            return encode_error(w, r);
    }
    return ZC_OK;
}

static int on_piece(void *arg, const char *p, size_t n)
{
    struct work *w = arg;

    int r = zt_bpe_encode(&w->tok->bpe, &w->bpe, p, n, w->ids);
    return r < 0 ? encode_error(w, r) : ZC_OK;
}

typedef int (*segment_fn)(struct work *w, const struct zt_text *t, size_t start, size_t end);

/* Cuts the added tokens of set out of bytes start .. end; fn gets what is between them. */
static int cut(struct work *w, const struct zt_added_set *set, const struct zt_text *t,
               size_t start, size_t end, segment_fn fn)
{
    struct zt_added_hit hit = {.next = start};
    size_t done = start;
    int r = ZC_OK;

    while (r >= 0 && zt_added_find(set, t, start, done, hit.next, end, w->all, &hit)) {
        if (hit.start > done)
            r = fn(w, t, done, hit.start);
        /* A token in white space that the one before took (rstrip) counts, too, unless it is left
         * without a byte. */
        if (r >= 0 && hit.start < hit.end)
            r = add_ids(w, &hit.token->id, 1);
        w->at_start = false;
        done = hit.end;
    }
    return r >= 0 && done < end ? fn(w, t, done, end) : r;
}

static int pre_tokenize(struct work *w, const struct zt_text *t, size_t start, size_t end)
{
    int r = zt_pre_run(&w->tok->pre, &w->pre, t->buf.data + start, end - start, w->at_start,
                       on_piece, w, w->dg);
    w->at_start = false;
    return r;
}

static int normalize(struct work *w, const struct zt_text *t, size_t start, size_t end)
{
    w->at_start = start == 0;
    if (w->tok->norm.n_steps == 0)
        return cut(w, &w->tok->normalized, t, start, end, pre_tokenize);
    int r = zt_norm_run(&w->tok->norm, &w->regex, t, start, end - start, &w->norm, &w->tmp, w->dg);
    if (r < 0)
        return r;
    return cut(w, &w->tok->normalized, &w->norm, 0, w->norm.buf.len, pre_tokenize);
}

/* The text as UTF-8: itself, or a copy in clean with U+FFFD for what is none. */
static int make_valid(const struct zt_text *text, struct zt_text *clean,
                      const struct zt_text **ret_text)
{
    const char *p = zc_buf_str(&text->buf);
    size_t n = text->buf.len, i = 0;
    bool trusted;

    *ret_text = text;
    if (zc_utf8_valid(p, n) == n)
        return ZC_OK;
    *ret_text = clean;
    while (i < n) {
        size_t ok = zc_utf8_valid(p + i, n - i);
        int r = zt_text_copy(clean, text, i, ok);
        i += ok;
        if (r < 0 || i == n)
            return r;
        int len = zc_utf8_step(p + i, n - i);
        size_t bad = len < 0 ? (size_t)-len : n - i;
        zt_text_run(text, i, bad, &trusted);
        if ((r = zt_text_add(clean, ZC_UTF8_REPLACEMENT, 3, trusted)) < 0)
            return r;
        i += bad;
    }
    return ZC_OK;
}

int zt_tok_encode(const struct zt_tok *tok, const struct zt_text *text, unsigned flags,
                  struct zt_ids *ids, struct zc_diag *dg)
{
    struct zt_text clean;
    struct work w;
    size_t mark = ids->len;

    work_init(&w, tok, flags, text->buf.len, ids, dg);
    zt_text_init(&clean, 3 * text->buf.len);
    int r = tok->takes_bytes ? ZC_OK : make_valid(text, &clean, &text);
    if (r < 0)
        zc_diag(dg, r, "no memory to encode the text");
    if (r >= 0 && flags & ZT_TOK_ADD_SPECIAL)
        r = add_ids(&w, tok->before, tok->n_before);
    if (r >= 0)
        r = cut(&w, &tok->raw, text, 0, text->buf.len, normalize);
    if (r >= 0 && flags & ZT_TOK_ADD_SPECIAL)
        r = add_ids(&w, tok->after, tok->n_after);
    if (r < 0)
        ids->len = mark;
    zt_text_release(&clean);
    work_release(&w);
    return r;
}

int zt_tok_encode_bytes(const struct zt_tok *tok, const char *p, size_t n, unsigned flags,
                        struct zt_ids *ids, struct zc_diag *dg)
{
    struct zt_text text;

    zt_text_init(&text, n);
    int r = zt_text_add(&text, p, n, false);
    r = r < 0 ? zc_diag(dg, r, "no memory to encode the text")
              : zt_tok_encode(tok, &text, flags, ids, dg);
    zt_text_release(&text);
    return r;
}
