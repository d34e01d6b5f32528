/* SPDX-License-Identifier: MIT */
/* The added tokens of a tokenizer while it is loaded: their ids, which of them text may never
 * become, and the tables for finding them. */
#include <stdlib.h>
#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/text/zt_tok_internal.h"

#define MAX_ADDED (1 << 20)
#define MAX_TEXT  ((size_t)1 << 20) /* of a token, between two steps of the normalizer */

/* Whether a token is markup by its looks: <|user|> and its kin. Some files do not call all of them
 * special, and yet no message may contain one. */
static bool is_markup(const char *p, size_t n)
{
    static const char *const around[][2] = {{"<|", "|>"}, {"<\xef\xbd\x9c", "\xef\xbd\x9c>"}};

    for (size_t i = 0; i < sizeof around / sizeof around[0]; i++) {
        size_t a = strlen(around[i][0]), b = strlen(around[i][1]);
        if (n > a + b && memcmp(p, around[i][0], a) == 0 && memcmp(p + n - b, around[i][1], b) == 0)
            return true;
    }
    return false;
}

/* The token's text as it is after the normalizer. */
static int make_pattern(struct zt_tok *tok, struct zt_added_token *t, struct zc_diag *dg)
{
    struct zt_text text, out, tmp;
    struct zt_regex_work work = {0};
    int r = ZC_OK;

    if (!t->normalized || tok->norm.n_steps == 0) {
        t->pattern = zc_xstrndup(t->content, t->n_content);
        t->n_pattern = t->n_content;
        return ZC_OK;
    }
    zt_text_init(&text, MAX_TEXT);
    zt_text_init(&out, MAX_TEXT);
    zt_text_init(&tmp, MAX_TEXT);
    if ((r = zt_text_add(&text, t->content, t->n_content, true)) >= 0)
        r = zt_norm_run(&tok->norm, &work, &text, 0, t->n_content, &out, &tmp, dg);
    if (r >= 0 && out.buf.len > ZT_TOK_MAX_CONTENT)
        r = zc_diag(dg, ZC_ELIMIT, "a token of %zu bytes when normalized, at most %d are allowed",
                    out.buf.len, ZT_TOK_MAX_CONTENT);
    if (r >= 0 && out.buf.len == 0)
        r = zc_diag(dg, ZC_EUNSUPPORTED,
                    "added token '%.60s': nothing is left of it when normalized, which is not "
                    "supported",
                    t->content);
    if (r >= 0) {
        t->pattern = zc_xstrndup(zc_buf_str(&out.buf), out.buf.len);
        t->n_pattern = out.buf.len;
    }
    zt_text_release(&text);
    zt_text_release(&out);
    zt_text_release(&tmp);
    zt_regex_work_release(&work);
    return r;
}

/* Which id a new token gets: the model's, or the next that is free. The file's own number counts as
 * little as it does in the reference. */
static int name_added(struct zt_tok *tok, struct zt_added_token *t, int32_t *next,
                      struct zc_diag *dg)
{
    t->id = zt_vocab_find(&tok->bpe.vocab, t->content, t->n_content);
    if (t->id < 0) {
        t->id = (*next)++;
        int r = zt_vocab_name(&tok->bpe.vocab, t->content, t->n_content, t->id, dg);
        if (r < 0)
            return r;
    }
    return zt_vocab_add(&tok->added_names, t->content, t->n_content, (int64_t)tok->n_added, dg);
}

int zt_tok_added_reserve(struct zt_tok *tok, size_t n, struct zc_diag *dg)
{
    void *p;

    if (n > MAX_ADDED)
        return zc_diag(dg, ZC_ELIMIT, "more than %d added tokens", MAX_ADDED);
    int r = zc_try_calloc(&p, n + 1, sizeof *tok->added, SIZE_MAX);
    if (r < 0)
        return zc_diag(dg, r, "no memory for the added tokens");
    tok->added = p;
    return ZC_OK;
}

int zt_tok_added_put(struct zt_tok *tok, const struct zt_added_token *like, int32_t *next,
                     struct zc_diag *dg)
{
    size_t n = like->n_content;
    int r = ZC_OK;

    if (n == 0)
        return ZC_OK;
    if (n > ZT_TOK_MAX_CONTENT)
        return zc_diag(dg, ZC_ELIMIT, "a token of %zu bytes, at most %d are allowed", n,
                       ZT_TOK_MAX_CONTENT);
    int32_t i = zt_vocab_find(&tok->added_names, like->content, n);
    struct zt_added_token *t = &tok->added[i >= 0 ? (size_t)i : tok->n_added];
    if (i < 0) {
        *t = (struct zt_added_token){.content = zc_xstrndup(like->content, n), .n_content = n};
        r = name_added(tok, t, next, dg);
        tok->n_added++; /* also after an error: zt_tok_free frees it */
    }
    t->special |= like->special;
    t->normalized = like->normalized;
    t->lstrip = like->lstrip;
    t->rstrip = like->rstrip;
    t->single_word = like->single_word;
    t->control = t->special || is_markup(t->content, n);
    zc_free(t->pattern);
    t->pattern = NULL;
    return r < 0 ? r : make_pattern(tok, t, dg);
}

static int by_id(const void *a, const void *b)
{
    const struct zt_added_token *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

int zt_tok_added_finish(struct zt_tok *tok, struct zc_diag *dg)
{
    void *p;
    int r;

    qsort(tok->added, tok->n_added, sizeof *tok->added, by_id);
    zt_vocab_release(&tok->added_names);
    zt_vocab_init(&tok->added_names);
    for (size_t i = 0; i < tok->n_added; i++) {
        r = zt_vocab_add(&tok->added_names, tok->added[i].content, tok->added[i].n_content,
                         (int64_t)i, dg);
        if (r < 0)
            return r;
    }
    r = zc_try_calloc(&p, (size_t)tok->bpe.vocab.n_ids + 1, 1, SIZE_MAX);
    if (r < 0)
        return zc_diag(dg, r, "no memory for the vocabulary");
    tok->flags = p;
    tok->bpe.flags = p;
    for (size_t i = 0; i < tok->n_added; i++) {
        const struct zt_added_token *t = &tok->added[i];
        tok->flags[t->id] |= ZT_TOK_ADDED;
        if (t->special)
            tok->flags[t->id] |= ZT_TOK_SPECIAL;
        if (t->control)
            tok->flags[t->id] |= ZT_BPE_HIDDEN;
    }
    if ((r = zt_added_set_init(&tok->raw, tok->added, tok->n_added, false, dg)) < 0)
        return r;
    return zt_added_set_init(&tok->normalized, tok->added, tok->n_added, true, dg);
}
