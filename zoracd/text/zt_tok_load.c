/* SPDX-License-Identifier: MIT */
/* tokenizer.json into a tokenizer. The file is gone through once for where its parts are; the two
 * big ones, vocab and merges, are read in place (zt_json.h says why), the others become trees that
 * their own readers take (zt_norm, zt_pre, zt_decoder, and here: model, added tokens,
 * post-processor). Nothing of the file or of a tree outlives loading. */
#include <stdlib.h>
#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/text/zt_json.h"
#include "zoracd/text/zt_tok_internal.h"

/* The parts of the file. */
struct parts {
    json_t *top;                  /* members of the file but model */
    json_t *model;                /* members of model but vocab and merges */
    struct zt_json vocab, merges; /* where these begin; p NULL if missing */
};

/* ---- taking the file apart ---------------------------------------------------------------- */

/* One member whose key has been read: a place to come back to, or a tree. */
static int take_member(struct zt_json *j, const char *key, struct zt_json *place, json_t *trees)
{
    json_t *tree;

    if (place ? place->p != NULL : json_object_get(trees, key) != NULL)
        return zc_diag(j->dg, ZC_EFORMAT, "'%s' is there twice", key);
    if (place) {
        zt_json_peek(j);
        *place = *j;
        return zt_json_skip(j);
    }
    int r = zt_json_tree(j, &tree);
    if (r < 0)
        return zc_diag_prefix(j->dg, r, "'%s'", key);
    return json_object_set_new(trees, key, tree) < 0
               ? zc_diag(j->dg, ZC_ENOMEM, "no memory for '%s'", key)
               : ZC_OK;
}

static int take_model(struct zt_json *j, struct parts *parts, struct zc_buf *key)
{
    int first = 1, r = zt_json_enter(j, '{');

    while (r >= 0 && (r = zt_json_next(j, '}', &first)) > 0) {
        if ((r = zt_json_key(j, key)) < 0)
            break;
        const char *k = zc_buf_str(key);
        struct zt_json *place = strcmp(k, "vocab") == 0    ? &parts->vocab
                                : strcmp(k, "merges") == 0 ? &parts->merges
                                                           : NULL;
        r = take_member(j, k, place, parts->model);
    }
    return r;
}

static int take_apart(struct zt_json *j, struct parts *parts)
{
    struct zc_buf key;
    bool has_model = false;
    int first = 1;

    zc_buf_init(&key, ZT_TOK_MAX_FILE);
    int r = zt_json_enter(j, '{');
    while (r >= 0 && (r = zt_json_next(j, '}', &first)) > 0) {
        if ((r = zt_json_key(j, &key)) < 0)
            break;
        bool is_model = strcmp(zc_buf_str(&key), "model") == 0;
        if (!is_model)
            r = take_member(j, zc_buf_str(&key), NULL, parts->top);
        else if (has_model)
            r = zc_diag(j->dg, ZC_EFORMAT, "'model' is there twice");
        else
            r = take_model(j, parts, &key);
        has_model |= is_model;
    }
    zc_buf_release(&key);
    return r < 0 ? r : zt_json_end(j);
}

/* ---- the model ---------------------------------------------------------------------------- */

static int read_vocab(struct zt_tok *tok, struct zt_json j)
{
    struct zc_buf key;
    int64_t id;
    int first = 1;

    zc_buf_init(&key, ZT_TOK_MAX_FILE);
    int r = zt_json_enter(&j, '{');
    while (r >= 0 && (r = zt_json_next(&j, '}', &first)) > 0) {
        if ((r = zt_json_key(&j, &key)) < 0 || (r = zt_json_int(&j, &id)) < 0)
            break;
        r = zt_vocab_add(&tok->bpe.vocab, zc_buf_str(&key), key.len, id, j.dg);
    }
    zc_buf_release(&key);
    return r < 0 ? zc_diag_prefix(j.dg, r, "vocab") : ZC_OK;
}

/* Merges on their way into the table, a few at a time: their tokens are looked up all at once,
 * which is most of the time that loading takes. */
struct batch {
    struct zc_buf text; /* the strings, one after another */
    size_t start[ZT_VOCAB_WARM], len[ZT_VOCAB_WARM];
    size_t n; /* strings, two of a merge */
};

static int flush(struct zt_tok *tok, struct batch *batch, struct zc_diag *dg)
{
    const char *p[ZT_VOCAB_WARM];
    int r = ZC_OK;

    for (size_t i = 0; i < batch->n; i++)
        p[i] = zc_buf_str(&batch->text) + batch->start[i];
    zt_vocab_warm(&tok->bpe.vocab, p, batch->len, batch->n);
    for (size_t i = 0; i + 1 < batch->n && r >= 0; i += 2)
        r = zt_bpe_merge(&tok->bpe, p[i], batch->len[i], p[i + 1], batch->len[i + 1], dg);
    zc_buf_clear(&batch->text);
    batch->n = 0;
    return r;
}

static int put(struct batch *batch, const char *p, size_t n)
{
    batch->start[batch->n] = batch->text.len;
    batch->len[batch->n++] = n;
    return zc_buf_add(&batch->text, p, n);
}

/* "left right" */
static int put_line(struct batch *batch, const char *p, size_t n, struct zc_diag *dg)
{
    const char *space = memchr(p, ' ', n);

    if (n >= 8 && memcmp(p, "#version", 8) == 0)
        return ZC_OK;
    if (!space || memchr(space + 1, ' ', n - (size_t)(space + 1 - p)))
        return zc_diag(dg, ZC_EFORMAT, "'%.*s' is not two tokens with a space between",
                       (int)(n < 60 ? n : 60), p);
    put(batch, p, (size_t)(space - p));
    return put(batch, space + 1, n - (size_t)(space + 1 - p));
}

/* The next element: a line, or ["left", "right"]. */
static int read_merge(struct batch *batch, struct zt_json *j, struct zc_buf *text)
{
    int first = 1, r;

    if (zt_json_peek(j) == '"') {
        r = zt_json_string(j, text);
        return r < 0 ? r : put_line(batch, zc_buf_str(text), text->len, j->dg);
    }
    if ((r = zt_json_enter(j, '[')) < 0)
        return r;
    for (int i = 0; i < 2; i++) {
        if ((r = zt_json_next(j, ']', &first)) < 0 || (r = zt_json_string(j, text)) < 0 ||
            (r = put(batch, zc_buf_str(text), text->len)) < 0)
            return r;
    }
    r = zt_json_next(j, ']', &first);
    return r > 0 ? zc_diag(j->dg, ZC_EFORMAT, "a merge of more than two tokens") : r;
}

static int read_merges(struct zt_tok *tok, struct zt_json j)
{
    struct batch batch = {.n = 0};
    struct zc_buf text;
    int first = 1;

    zc_buf_init(&text, ZT_TOK_MAX_FILE);
    zc_buf_init(&batch.text, ZT_TOK_MAX_FILE);
    int r = zt_json_enter(&j, '[');
    while (r >= 0 && (r = zt_json_next(&j, ']', &first)) > 0) {
        if ((r = read_merge(&batch, &j, &text)) >= 0 && batch.n == ZT_VOCAB_WARM)
            r = flush(tok, &batch, j.dg);
    }
    if (r >= 0)
        r = flush(tok, &batch, j.dg);
    zc_buf_release(&text);
    zc_buf_release(&batch.text);
    return r < 0 ? zc_diag_prefix(j.dg, r, "merges") : ZC_OK;
}

/* What the model does that is not done here, by name. */
static int refuse_model(const json_t *model, struct zc_diag *dg)
{
    const json_t *type = json_object_get(model, "type");
    const json_t *dropout = json_object_get(model, "dropout");
    const json_t *prefix = json_object_get(model, "continuing_subword_prefix");

    if (type && !json_is_string(type))
        return zc_diag(dg, ZC_EFORMAT, "model: 'type' must be a string");
    if (type && strcmp(json_string_value(type), "BPE") != 0)
        return zc_diag(dg, ZC_EUNSUPPORTED, "model '%s' is not supported", json_string_value(type));
    if (json_number_value(dropout) != 0.0)
        return zc_diag(dg, ZC_EUNSUPPORTED, "model: dropout is not supported");
    if (json_string_length(prefix) > 0)
        return zc_diag(dg, ZC_EUNSUPPORTED,
                       "model: continuing_subword_prefix '%s' is not supported",
                       json_string_value(prefix));
    return ZC_OK;
}

static int read_model(struct zt_tok *tok, const struct parts *parts, struct zc_diag *dg)
{
    const json_t *model = parts->model;
    const json_t *unk = json_object_get(model, "unk_token");
    const json_t *suffix = json_object_get(model, "end_of_word_suffix");
    struct zt_bpe *bpe = &tok->bpe;

    int r = refuse_model(model, dg);
    if (r < 0)
        return r;
    if (!parts->vocab.p || !parts->merges.p)
        return zc_diag(dg, ZC_EFORMAT, "model: no '%s'", parts->vocab.p ? "merges" : "vocab");
    if (json_string_length(suffix) > ZT_BPE_MAX_SUFFIX)
        return zc_diag(dg, ZC_ELIMIT, "model: end_of_word_suffix is longer than %d",
                       ZT_BPE_MAX_SUFFIX);
    if (json_string_length(suffix) > 0)
        bpe->suffix = zc_xstrdup(json_string_value(suffix));
    bpe->fuse_unk = json_is_true(json_object_get(model, "fuse_unk"));
    bpe->byte_fallback = json_is_true(json_object_get(model, "byte_fallback"));
    bpe->ignore_merges = json_is_true(json_object_get(model, "ignore_merges"));
    if ((r = read_vocab(tok, parts->vocab)) < 0 || (r = read_merges(tok, parts->merges)) < 0)
        return zc_diag_prefix(dg, r, "model");
    if (json_is_string(unk))
        bpe->unk = zt_vocab_find(&bpe->vocab, json_string_value(unk), json_string_length(unk));
    zt_bpe_finish(bpe);
    return ZC_OK;
}

/* ---- added tokens ------------------------------------------------------------------------- */

/* special: whatever the description says. */
static int read_added_token(struct zt_tok *tok, const json_t *spec, const char *content, size_t n,
                            bool special, int32_t *next, struct zc_diag *dg)
{
    char *text = zc_xstrndup(content, n);
    struct zt_added_token like = {
        .content = text,
        .n_content = n,
        .special = special || json_is_true(json_object_get(spec, "special")),
        .normalized = json_is_true(json_object_get(spec, "normalized")),
        .lstrip = json_is_true(json_object_get(spec, "lstrip")),
        .rstrip = json_is_true(json_object_get(spec, "rstrip")),
        .single_word = json_is_true(json_object_get(spec, "single_word")),
    };
    int r = zt_tok_added_put(tok, &like, next, dg);
    zc_free(text);
    return r;
}

/* What tokenizer_config.json calls special is so, if it is a token here; one that was none of the
 * added tokens becomes one. */
static int read_more_specials(struct zt_tok *tok, const json_t *more, struct zc_diag *dg)
{
    const char *content;
    json_t *spec;
    int32_t none = 0;
    int r = ZC_OK;

    json_object_foreach ((json_t *)(uintptr_t)more, content, spec) {
        size_t n = strlen(content);
        int32_t i = zt_vocab_find(&tok->added_names, content, n);
        if (i >= 0) {
            tok->added[i].special = tok->added[i].control = true;
        } else if (zt_vocab_find(&tok->bpe.vocab, content, n) >= 0) {
            r = read_added_token(tok, spec, content, n, true, &none, dg);
            if (r < 0)
                break;
        }
    }
    return r;
}

static int read_added(struct zt_tok *tok, const json_t *list, const json_t *more,
                      struct zc_diag *dg)
{
    int32_t next = tok->bpe.vocab.count;
    const json_t *one;
    size_t i;

    if (list && !json_is_array(list) && !json_is_null(list))
        return zc_diag(dg, ZC_EFORMAT, "added_tokens: not a list");
    int r = zt_tok_added_reserve(tok, json_array_size(list) + json_object_size(more), dg);
    if (r < 0)
        return r;
    json_array_foreach (list, i, one) {
        const json_t *content = json_object_get(one, "content");
        if (!json_is_string(content))
            return zc_diag(dg, ZC_EFORMAT, "added_tokens: a token without content");
        r = read_added_token(tok, one, json_string_value(content), json_string_length(content),
                             false, &next, dg);
        if (r < 0)
            return zc_diag_prefix(dg, r, "added_tokens");
    }
    if ((r = read_more_specials(tok, more, dg)) < 0)
        return zc_diag_prefix(dg, r, "tokenizer_config.json");
    return zt_tok_added_finish(tok, dg);
}

/* ---- the post-processor ------------------------------------------------------------------- */

/* The ids of a special token in a template, into ids. */
static int read_special(const struct zt_tok *tok, const json_t *specials, const char *name,
                        int32_t *ids, size_t *n, struct zc_diag *dg)
{
    const json_t *list = json_object_get(json_object_get(specials, name), "ids"), *one;
    size_t i;

    if (!json_is_array(list))
        return zc_diag(dg, ZC_EFORMAT, "post_processor: no ids for '%.60s'", name);
    json_array_foreach (list, i, one) {
        json_int_t id = json_integer_value(one);
        if (!json_is_integer(one) || id < 0 || id >= tok->bpe.vocab.n_ids)
            return zc_diag(dg, ZC_EFORMAT, "post_processor: '%.60s' has no id of the vocabulary",
                           name);
        if (*n == ZT_TOK_AROUND_MAX)
            return zc_diag(dg, ZC_ELIMIT, "post_processor: more than %d tokens around a text",
                           ZT_TOK_AROUND_MAX);
        ids[(*n)++] = (int32_t)id;
    }
    return ZC_OK;
}

/* Puts ids around what is around a text already: in a sequence a later step is the outer one. */
static int put_around(struct zt_tok *tok, const int32_t *before, size_t n_before,
                      const int32_t *after, size_t n_after, struct zc_diag *dg)
{
    if (n_before + tok->n_before > ZT_TOK_AROUND_MAX || n_after + tok->n_after > ZT_TOK_AROUND_MAX)
        return zc_diag(dg, ZC_ELIMIT, "post_processor: more than %d tokens around a text",
                       ZT_TOK_AROUND_MAX);
    memmove(tok->before + n_before, tok->before, tok->n_before * sizeof *before);
    memcpy(tok->before, before, n_before * sizeof *before);
    tok->n_before += n_before;
    memcpy(tok->after + tok->n_after, after, n_after * sizeof *after);
    tok->n_after += n_after;
    return ZC_OK;
}

static int read_template(struct zt_tok *tok, const json_t *spec, struct zc_diag *dg)
{
    const json_t *specials = json_object_get(spec, "special_tokens"), *one;
    int32_t before[ZT_TOK_AROUND_MAX], after[ZT_TOK_AROUND_MAX];
    size_t i, n_before = 0, n_after = 0;
    bool has_text = false;

    json_array_foreach (json_object_get(spec, "single"), i, one) {
        const char *name =
            json_string_value(json_object_get(json_object_get(one, "SpecialToken"), "id"));
        int r = ZC_OK;
        if (name)
            r = has_text ? read_special(tok, specials, name, after, &n_after, dg)
                         : read_special(tok, specials, name, before, &n_before, dg);
        else if (json_object_get(one, "Sequence") && !has_text)
            has_text = true;
        else
            r = zc_diag(dg, ZC_EUNSUPPORTED, "post_processor: a template that is not one text");
        if (r < 0)
            return r;
    }
    return has_text ? put_around(tok, before, n_before, after, n_after, dg)
                    : zc_diag(dg, ZC_EFORMAT, "post_processor: a template without a text");
}

/* The [name, id] that BertProcessing and RobertaProcessing have for each side. */
static int read_side(const struct zt_tok *tok, const json_t *spec, const char *key, int32_t *ret_id,
                     struct zc_diag *dg)
{
    const json_t *id = json_array_get(json_object_get(spec, key), 1);

    if (!json_is_integer(id) || json_integer_value(id) < 0 ||
        json_integer_value(id) >= tok->bpe.vocab.n_ids)
        return zc_diag(dg, ZC_EFORMAT, "post_processor: '%s' has no id of the vocabulary", key);
    *ret_id = (int32_t)json_integer_value(id);
    return ZC_OK;
}

static int read_sides(struct zt_tok *tok, const json_t *spec, struct zc_diag *dg)
{
    int32_t cls, sep;
    int r;

    if ((r = read_side(tok, spec, "cls", &cls, dg)) < 0 ||
        (r = read_side(tok, spec, "sep", &sep, dg)) < 0)
        return r;
    return put_around(tok, &cls, 1, &sep, 1, dg);
}

static int read_post(struct zt_tok *tok, const json_t *spec, int depth, struct zc_diag *dg)
{
    const char *type = json_string_value(json_object_get(spec, "type"));
    const json_t *list = json_object_get(spec, "processors"), *one;
    size_t i;

    if (!spec || json_is_null(spec))
        return ZC_OK;
    if (!type || depth > 8)
        return zc_diag(dg, ZC_EFORMAT, "post_processor: %s", type ? "nested too deep" : "no type");
    if (strcmp(type, "ByteLevel") == 0) /* offsets only */
        return ZC_OK;
    if (strcmp(type, "TemplateProcessing") == 0)
        return read_template(tok, spec, dg);
    if (strcmp(type, "BertProcessing") == 0 || strcmp(type, "RobertaProcessing") == 0)
        return read_sides(tok, spec, dg);
    if (strcmp(type, "Sequence") != 0 || !json_is_array(list))
        return zc_diag(dg, ZC_EUNSUPPORTED, "post_processor '%s' is not supported", type);
    json_array_foreach (list, i, one) {
        int r = read_post(tok, one, depth + 1, dg);
        if (r < 0)
            return r;
    }
    return ZC_OK;
}

/* ---- all of it ---------------------------------------------------------------------------- */

static int read_parts(struct zt_tok *tok, const struct parts *parts, const json_t *more,
                      struct zc_diag *dg)
{
    const json_t *top = parts->top;
    const json_t *version = json_object_get(top, "version");
    int r;

    if (version && (!json_is_string(version) || strcmp(json_string_value(version), "1.0") != 0))
        return zc_diag(dg, ZC_EUNSUPPORTED, "version is not 1.0");
    if ((r = read_model(tok, parts, dg)) < 0 ||
        (r = zt_norm_init(&tok->norm, json_object_get(top, "normalizer"), dg)) < 0 ||
        (r = zt_pre_init(&tok->pre, json_object_get(top, "pre_tokenizer"), dg)) < 0 ||
        (r = zt_decoder_init(&tok->decoder, json_object_get(top, "decoder"), dg)) < 0 ||
        (r = read_added(tok, json_object_get(top, "added_tokens"), more, dg)) < 0)
        return r;
    /* The reference asks where a character stood before it was normalized. */
    if (zt_norm_can_cut_start(&tok->norm) && zt_pre_has_first(&tok->pre))
        return zc_diag(dg, ZC_EUNSUPPORTED,
                       "Metaspace 'first' after a normalizer that takes characters away is not "
                       "supported");
    return read_post(tok, json_object_get(top, "post_processor"), 0, dg);
}

int zt_tok_read(struct zt_tok *tok, const char *p, size_t n, const json_t *more, struct zc_diag *dg)
{
    struct parts parts = {.top = json_object(), .model = json_object()};
    struct zt_json j;
    int r = parts.top && parts.model ? zt_json_init_file(&j, p, n, dg)
                                     : zc_diag(dg, ZC_ENOMEM, "no memory");

    if (r >= 0)
        r = take_apart(&j, &parts);
    if (r >= 0)
        r = read_parts(tok, &parts, more, dg);
    json_decref(parts.top);
    json_decref(parts.model);
    return r;
}

int zt_tok_new_from(struct zt_tok **ret_tok, const char *p, size_t len, zt_tok_read_fn *read,
                    const json_t *more, struct zc_diag *dg)
{
    struct zt_tok *tok = zc_xcalloc(1, sizeof *tok);

    zt_bpe_init(&tok->bpe);
    zt_vocab_init(&tok->added_names);
    int r = len > ZT_TOK_MAX_FILE
                ? zc_diag(dg, ZC_ELIMIT, "%zu bytes, at most %zu are allowed", len, ZT_TOK_MAX_FILE)
                : read(tok, p, len, more, dg);
    if (r < 0) {
        zt_tok_free(tok);
        return r;
    }
    *ret_tok = tok;
    return ZC_OK;
}

int zt_tok_new(struct zt_tok **ret_tok, const char *json, size_t len, struct zc_diag *dg)
{
    return zt_tok_new_from(ret_tok, json, len, zt_tok_read, NULL, dg);
}

int zt_tok_new_tekken(struct zt_tok **ret_tok, const char *json, size_t len, struct zc_diag *dg)
{
    return zt_tok_new_from(ret_tok, json, len, zt_tekken_read, NULL, dg);
}

int zt_tok_new_spm(struct zt_tok **ret_tok, const char *bytes, size_t len, struct zc_diag *dg)
{
    return zt_tok_new_from(ret_tok, bytes, len, zt_spm_read, NULL, dg);
}

void zt_tok_free(struct zt_tok *tok)
{
    if (!tok)
        return;
    for (size_t i = 0; i < tok->n_added; i++) {
        zc_free(tok->added[i].content);
        zc_free(tok->added[i].pattern);
    }
    zc_free(tok->added);
    zc_free(tok->flags);
    zt_vocab_release(&tok->added_names);
    zt_added_set_release(&tok->raw);
    zt_added_set_release(&tok->normalized);
    zt_norm_release(&tok->norm);
    zt_pre_release(&tok->pre);
    zt_decoder_release(&tok->decoder);
    zt_bpe_release(&tok->bpe);
    zc_free(tok);
}
