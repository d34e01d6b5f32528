/* SPDX-License-Identifier: MIT */
/* Mistral's tekken.json: the tokens' bytes by rank, a pattern, and control tokens in front of them.
 * There are no merges in it: tiktoken joins any two neighbours that together are a token, the token
 * of lowest rank first. Written as pairs with that rank it is the BPE of zt_bpe.h, over the
 * byte-level alphabet. */
#include <stdio.h>
#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/text/zt_json.h"
#include "zoracd/text/zt_tok_internal.h"
#include "common/zc_utf8.h"

#define MAX_SPECIALS 65536
#define MAX_BYTES    ((size_t)1 << 20) /* of a string in the file */
#define MAX_TOKEN    1024              /* bytes: looking for its pairs takes their square */

/* What the first versions of the format had without saying so, by id. */
static const char *const first_specials[] = {
    "<unk>",
    "<s>",
    "</s>",
    "[INST]",
    "[/INST]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
    "[TOOL_CALLS]",
    "[IMG]",
    "<pad>",
    "[IMG_BREAK]",
    "[IMG_END]",
    "[PREFIX]",
    "[MIDDLE]",
    "[SUFFIX]",
    "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]",
    "[TOOL_CONTENT]",
};
#define N_FIRST (sizeof first_specials / sizeof first_specials[0])

struct tekken {
    struct zt_tok *tok;
    json_t *config, *specials;
    struct zt_json vocab; /* where it begins; p NULL if missing */
    int64_t n_specials, n_ids;
    struct zc_diag *dg;
};

/* ---- the file's parts --------------------------------------------------------------------- */

static int take_apart(struct tekken *t, struct zt_json *j)
{
    struct zc_buf key;
    int first = 1;

    zc_buf_init(&key, MAX_BYTES);
    int r = zt_json_enter(j, '{');
    while (r >= 0 && (r = zt_json_next(j, '}', &first)) > 0) {
        if ((r = zt_json_key(j, &key)) < 0)
            break;
        const char *k = zc_buf_str(&key);
        json_t **tree = strcmp(k, "config") == 0           ? &t->config
                        : strcmp(k, "special_tokens") == 0 ? &t->specials
                                                           : NULL;
        if (tree) {
            json_decref(*tree);
            *tree = NULL;
            r = zt_json_tree(j, tree);
            continue;
        }
        zt_json_peek(j);
        if (strcmp(k, "vocab") == 0)
            t->vocab = *j;
        r = zt_json_skip(j);
    }
    zc_buf_release(&key);
    return r < 0 ? r : zt_json_end(j);
}

/* "v7" and its like; the first files had none. */
static int read_version(const json_t *v)
{
    const char *text = json_string_value(v);
    int version = 3;

    if (text && (sscanf(text, "v%d", &version) != 1 || version < 1))
        version = 999; /* refused by its number where the format is needed */
    return version;
}

static int read_config(struct tekken *t)
{
    const json_t *pattern = json_object_get(t->config, "pattern");
    const json_t *total = json_object_get(t->config, "default_vocab_size");
    const json_t *specials = json_object_get(t->config, "default_num_special_tokens");

    t->n_ids = json_integer_value(total);
    t->n_specials = json_integer_value(specials);
    if (!json_is_string(pattern) || !json_is_integer(total) || !json_is_integer(specials))
        return zc_diag(t->dg, ZC_EFORMAT,
                       "config: pattern, default_vocab_size and "
                       "default_num_special_tokens are needed");
    if (t->n_specials < 0 || t->n_specials > MAX_SPECIALS || t->n_ids < t->n_specials ||
        t->n_ids > ZT_VOCAB_MAX_ID)
        return zc_diag(t->dg, ZC_ELIMIT, "config: %lld ids, %lld special ones", (long long)t->n_ids,
                       (long long)t->n_specials);
    t->tok->tekken_version = read_version(json_object_get(t->config, "version"));
    t->tok->decoder.kind = ZT_DECODER_BYTES;
    t->tok->bpe.ignore_merges = true; /* a piece that is a token is that token */
    return zt_pre_init_pattern(&t->tok->pre, json_string_value(pattern),
                               json_string_length(pattern), t->dg);
}

/* ---- the tokens --------------------------------------------------------------------------- */

static int value_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *hit = c ? strchr(digits, c) : NULL;

    return hit ? (int)(hit - digits) : -1;
}

/* Base64 to the byte-level characters of the bytes. */
static int decode_token(struct tekken *t, const struct zc_buf *in, struct zc_buf *out)
{
    size_t n = in->len;
    uint32_t bits = 0;
    int n_bits = 0;
    char utf8[4];

    zc_buf_clear(out);
    if (n > (MAX_TOKEN + 2) / 3 * 4)
        return zc_diag(t->dg, ZC_ELIMIT, "token_bytes: more than %d bytes", MAX_TOKEN);
    while (n > 0 && in->data[n - 1] == '=')
        n--;
    for (size_t i = 0; i < n; i++) {
        int v = value_of(in->data[i]);
        if (v < 0)
            return zc_diag(t->dg, ZC_EFORMAT, "token_bytes '%.60s': not base64", in->data);
        bits = bits << 6 | (uint32_t)v;
        n_bits += 6;
        if (n_bits < 8)
            continue;
        n_bits -= 8;
        unsigned cp = zt_pre_char_of_byte((unsigned char)(bits >> n_bits));
        int r = zc_buf_add(out, utf8, (size_t)zc_utf8_put(utf8, cp));
        if (r < 0)
            return zc_diag(t->dg, r, "no memory for a token");
    }
    return out->len ? ZC_OK : zc_diag(t->dg, ZC_EFORMAT, "token_bytes: empty");
}

/* One element {"rank": n, "token_bytes": "..."}; text is room. */
static int read_token(struct tekken *t, struct zt_json *j, int64_t want, struct zc_buf *key,
                      struct zc_buf *text)
{
    struct zc_buf bytes;
    int64_t rank = -1;
    int first = 1;

    zc_buf_init(&bytes, MAX_BYTES);
    int r = zt_json_enter(j, '{');
    while (r >= 0 && (r = zt_json_next(j, '}', &first)) > 0) {
        if ((r = zt_json_key(j, key)) < 0)
            break;
        if (strcmp(zc_buf_str(key), "rank") == 0)
            r = zt_json_int(j, &rank);
        else if (strcmp(zc_buf_str(key), "token_bytes") == 0)
            r = zt_json_string(j, &bytes);
        else
            r = zt_json_skip(j);
    }
    if (r >= 0 && rank != want)
        r = zc_diag(t->dg, ZC_EFORMAT, "rank %lld where %lld is due", (long long)rank,
                    (long long)want);
    if (r >= 0 && (r = decode_token(t, &bytes, text)) >= 0)
        r = zt_vocab_add(&t->tok->bpe.vocab, text->data, text->len, rank + t->n_specials, t->dg);
    zc_buf_release(&bytes);
    return r;
}

/* The tokens by rank, as many as the model has. */
static int read_vocab(struct tekken *t)
{
    struct zt_json j = t->vocab;
    struct zc_buf key, text;
    int64_t rank = 0;
    int first = 1;

    if (!j.p)
        return zc_diag(t->dg, ZC_EFORMAT, "no 'vocab'");
    zc_buf_init(&key, MAX_BYTES);
    zc_buf_init(&text, MAX_BYTES);
    int r = zt_json_enter(&j, '[');
    while (r >= 0 && (r = zt_json_next(&j, ']', &first)) > 0 && rank + t->n_specials < t->n_ids)
        r = read_token(t, &j, rank++, &key, &text);
    if (r == 0 && rank + t->n_specials < t->n_ids)
        r = zc_diag(t->dg, ZC_EFORMAT, "%lld tokens where %lld are due", (long long)rank,
                    (long long)(t->n_ids - t->n_specials));
    zc_buf_release(&key);
    zc_buf_release(&text);
    return r < 0 ? zc_diag_prefix(t->dg, r, "vocab") : ZC_OK;
}

/* Every way to make a token of two others, with the token's rank. */
static int add_pairs(struct tekken *t, int32_t id)
{
    struct zt_bpe *bpe = &t->tok->bpe;
    size_t n;
    const char *p = zt_vocab_get(&bpe->vocab, id, &n);

    for (size_t cut = (size_t)zc_utf8_step(p, n); cut < n;
         cut += (size_t)zc_utf8_step(p + cut, n - cut)) {
        int32_t left = zt_vocab_find(&bpe->vocab, p, cut);
        int32_t right = left < 0 ? -1 : zt_vocab_find(&bpe->vocab, p + cut, n - cut);
        if (right < 0)
            continue;
        int r = zt_bpe_pair(bpe, left, right, (uint32_t)id, id, t->dg);
        if (r < 0)
            return r;
    }
    return ZC_OK;
}

/* ---- the control tokens ------------------------------------------------------------------- */

/* The names that the file gives, by id; NULL where it gives none. */
static int read_names(const struct tekken *t, const char **names)
{
    const json_t *one;
    size_t i;

    json_array_foreach (t->specials, i, one) {
        const char *name = json_string_value(json_object_get(one, "token_str"));
        json_int_t rank = json_integer_value(json_object_get(one, "rank"));
        if (!name || rank < 0 || rank >= t->n_specials || names[rank])
            return zc_diag(t->dg, ZC_EFORMAT, "special_tokens: element %zu has no rank of its own",
                           i);
        names[rank] = name;
    }
    for (i = 0; !json_is_array(t->specials) && i < N_FIRST && (int64_t)i < t->n_specials; i++)
        names[i] = first_specials[i];
    return ZC_OK;
}

static int add_special(struct tekken *t, int32_t id, const char *name)
{
    char made[32];
    int32_t next = id;

    snprintf(made, sizeof made, "<SPECIAL_%d>", id);
    char *content = zc_xstrdup(name ? name : made);
    struct zt_added_token like = {
        .content = content, .n_content = strlen(content), .special = true};
    int r = zt_tok_added_put(t->tok, &like, &next, t->dg);
    if (r >= 0 && next == id)
        r = zc_diag(t->dg, ZC_EFORMAT, "special token '%.60s' is empty or there twice", content);
    zc_free(content);
    return r;
}

/* Before the vocabulary is read: a token of the same bytes is another one, with its own id. */
static int add_specials(struct tekken *t)
{
    void *names;

    int r = zt_tok_added_reserve(t->tok, (size_t)t->n_specials, t->dg);
    if (r < 0)
        return r;
    if ((r = zc_try_calloc(&names, (size_t)t->n_specials + 1, sizeof(char *), SIZE_MAX)) < 0)
        return zc_diag(t->dg, r, "no memory for the special tokens");
    r = read_names(t, names);
    for (int32_t id = 0; id < t->n_specials && r >= 0; id++)
        r = add_special(t, id, ((const char **)names)[id]);
    zc_free(names);
    return r;
}

static void add_bos(struct zt_tok *tok)
{
    int32_t bos = zt_tok_find(tok, "<s>", 3);

    if (bos >= 0 && zt_tok_is_special(tok, bos))
        tok->before[tok->n_before++] = bos;
}

/* more is not looked at: the file says all of its tokens itself. */
int zt_tekken_read(struct zt_tok *tok, const char *p, size_t n, const json_t *more,
                   struct zc_diag *dg)
{
    struct tekken t = {.tok = tok, .dg = dg};
    struct zt_json j;
    int r = zt_json_init_file(&j, p, n, dg);

    if (r >= 0 && (r = take_apart(&t, &j)) >= 0 && (r = read_config(&t)) >= 0 &&
        (r = add_specials(&t)) >= 0)
        r = read_vocab(&t);
    for (int64_t id = t.n_specials; r >= 0 && id < t.n_ids; id++)
        r = add_pairs(&t, (int32_t)id);
    if (r >= 0) {
        zt_bpe_finish(&tok->bpe);
        r = zt_tok_added_finish(tok, t.dg);
    }
    if (r >= 0)
        add_bos(tok);
    json_decref(t.config);
    json_decref(t.specials);
    return r;
}
