/* SPDX-License-Identifier: MIT */
/* Tokenizers against what Hugging Face's library (tiktoken for tekken.json, SentencePiece for
 * tokenizer.model) answered for the same files: ids, decodings, the chunks of streams, ids of
 * rendered chats. Rows whose text has characters that are newer than the library's tables
 * ("unassigned") are counted apart and do not fail. Arguments: names of tokenizers to look at (all
 * without), -v shows each row that differs. ZORAC_CONFORMANCE: another place of such data, as
 * tests/reference/make_conformance.py writes it. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/zc_buf.h"
#include "common/zc_err.h"
#include "zoracd/text/zt_tok.h"

static const char *const names[] = {
    "deepseek_v3",     "gpt2",          "gpt_neox",   "gpt_oss",
    "llama2",          "llama3.2",      "gemma3",     "mistral_7b_v0.1",
    "mistral_7b_v0.3", "mistral_nemo",  "qwen2.5",    "qwen3",
    "stories260K",     "tekken_240718", "mistral_v1", "mistral_v2",
    "mistral_v3",      "mistral_v7",    NULL};

static char root[3000];  /* of the data */
static json_t *texts;    /* corpus: id to row */
static json_t *rendered; /* "template\nfixture" to text */
static bool is_verbose;
static long n_failed, n_passed, n_soft;

/* Counts one comparison. */
static void check(bool is_equal, bool is_soft, const char *what, const char *name, const char *row)
{
    n_passed += is_equal;
    n_soft += !is_equal && is_soft;
    n_failed += !is_equal && !is_soft;
    if (!is_equal && (is_verbose || !is_soft))
        printf("%s: %s: %s differs%s\n", name, row, what, is_soft ? " (unassigned)" : "");
}

/* ---- the data ----------------------------------------------------------------------------- */

/* A file of the data, unpacked when only name.gz is there; NULL if neither is. */
static FILE *open_data(const char *dir, const char *name)
{
    char path[4096], command[4200];

    snprintf(path, sizeof path, "%s/%s/%s", root, dir, name);
    if (access(path, R_OK) == 0)
        return fopen(path, "r");
    strcat(path, ".gz");
    if (access(path, R_OK) != 0)
        return NULL;
    snprintf(command, sizeof command, "gzip -dc '%s'", path);
    return popen(command, "r");
}

/* The next row of a jsonl file, NULL at the end. */
static json_t *next_row(FILE *f)
{
    static char *line;
    static size_t cap;

    ssize_t n = getline(&line, &cap, f);
    return n > 0 ? json_loadb(line, (size_t)n, JSON_ALLOW_NUL, NULL) : NULL;
}

static const char *member(const json_t *row, const char *key)
{
    const char *s = json_string_value(json_object_get(row, key));
    return s ? s : "";
}

static bool has_corpus(void)
{
    FILE *f = open_data("fixtures", "corpus.open.jsonl");
    json_t *row;

    if (!f)
        return false;
    texts = json_object();
    while ((row = next_row(f)))
        json_object_set_new(texts, member(row, "id"), row);
    fclose(f);
    return true;
}

static void load_rendered(void)
{
    FILE *f = open_data("expected/open", "chat_render.jsonl");
    json_t *row;
    char key[1000];

    rendered = json_object();
    while (f && (row = next_row(f))) {
        snprintf(key, sizeof key, "%s\n%s", member(row, "template"), member(row, "fixture"));
        json_object_set(rendered, key, json_object_get(row, "text"));
        json_decref(row);
    }
    if (f)
        fclose(f);
}

/* The tokenizer of a name; NULL if it is not part of the data. */
static struct zt_tok *open_tokenizer(const char *name)
{
    typedef int (*load_fn)(struct zt_tok **, const char *, size_t, struct zc_diag *);
    static const struct {
        const char *suffix;
        load_fn load;
    } kinds[] = {{"tokenizer.json", zt_tok_new},
                 {"model", zt_tok_new_spm},
                 {"reconstructed.json", zt_tok_new_tekken}};
    char file[200];
    load_fn load = zt_tok_new;
    struct zc_diag dg = {""};
    struct zt_tok *tok = NULL;
    char *text = NULL;
    size_t n = 0;

    FILE *f = strcmp(name, "stories260K") == 0
                  ? open_data("models/open/stories260K-hf-f32", "tokenizer.json")
                  : NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !f; i++) {
        snprintf(file, sizeof file, "%s.%s", name, kinds[i].suffix);
        f = open_data("tokenizers", file);
        load = kinds[i].load;
    }
    if (!f)
        return NULL;
    FILE *whole = open_memstream(&text, &n);
    for (int c; (c = getc(f)) != EOF;)
        putc(c, whole);
    fclose(whole);
    fclose(f);
    int r = load(&tok, text, n, &dg);
    free(text);
    if (r < 0)
        printf("%s: %s\n", name, dg.text);
    check(r >= 0, false, "loading", name, "");
    return r < 0 ? NULL : tok;
}

/* ---- comparing ---------------------------------------------------------------------------- */

static bool is_ids(const int32_t *ids, size_t n, const json_t *want)
{
    if (n != json_array_size(want))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (ids[i] != json_integer_value(json_array_get(want, i)))
            return false;
    }
    return true;
}

static bool is_text(const struct zc_buf *got, const json_t *want)
{
    return got->len == json_string_length(want) &&
           memcmp(zc_buf_str(got), json_string_value(want), got->len) == 0;
}

static void show_ids(const struct zt_ids *got, const json_t *want)
{
    if (!is_verbose)
        return;
    printf("  got ");
    for (size_t i = 0; i < got->len; i++)
        printf(" %d", got->data[i]);
    printf("\n  want");
    for (size_t i = 0; i < json_array_size(want); i++)
        printf(" %lld", (long long)json_integer_value(json_array_get(want, i)));
    printf("\n");
}

static void check_encode(const struct zt_tok *tok, const char *name, const char *row,
                         const json_t *text, const json_t *want, unsigned flags, bool is_soft)
{
    struct zt_ids ids;
    struct zc_diag dg;

    zt_ids_init(&ids, 1 << 20);
    int r = zt_tok_encode_bytes(tok, json_string_value(text), json_string_length(text), flags, &ids,
                                &dg);
    bool is_equal = r >= 0 && is_ids(ids.data, ids.len, want);
    check(is_equal, is_soft, "encoding", name, row);
    if (!is_equal && !is_soft)
        show_ids(&ids, want);
    zt_ids_release(&ids);
}

static size_t get_ids(const json_t *list, int32_t *ids, size_t max)
{
    size_t n = json_array_size(list);

    for (size_t i = 0; i < n && i < max; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
    return n < max ? n : max;
}

static int32_t room[1 << 16];

static void check_decode(const struct zt_tok *tok, const char *name, const char *row,
                         const json_t *list, const json_t *want, bool skip_special)
{
    struct zc_buf out;
    struct zc_diag dg;

    zc_buf_init(&out, 1 << 24);
    size_t n = get_ids(list, room, sizeof room / sizeof room[0]);
    int r =
        zt_tok_decode(tok, room, n, skip_special ? ZT_SPECIAL_SKIP : ZT_SPECIAL_KEEP, &out, &dg);
    bool is_equal = r >= 0 && is_text(&out, want);
    check(is_equal, false, skip_special ? "decoding without specials" : "decoding", name, row);
    if (!is_equal && is_verbose)
        printf("  got  %s\n  want %s\n", zc_buf_str(&out), json_string_value(want));
    zc_buf_release(&out);
}

/* A stream's chunks: one for each id, null for none. */
static void check_chunks(const struct zt_tok *tok, const char *name, const json_t *row, bool skip)
{
    const json_t *chunks = json_object_get(row, "chunks");
    struct zt_detok *d;
    struct zc_buf out;
    bool is_equal = true;

    zc_buf_init(&out, 1 << 24);
    zt_detok_new(&d, tok, skip ? ZT_SPECIAL_SKIP : ZT_SPECIAL_KEEP);
    size_t n = get_ids(json_object_get(row, "ids"), room, sizeof room / sizeof room[0]);
    for (size_t i = 0; i < n; i++) {
        const json_t *want = json_array_get(chunks, i);
        zc_buf_clear(&out);
        is_equal &= zt_detok_push(d, room[i], &out) == ZC_OK;
        is_equal &= json_is_string(want) ? is_text(&out, want) : out.len == 0;
    }
    check(is_equal, false, "stream", name, member(row, "id"));
    zt_detok_free(d);
    zc_buf_release(&out);
}

/* ---- the kinds of rows -------------------------------------------------------------------- */

/* What ADD_SPECIAL puts around a text. */
static void check_around(const struct zt_tok *tok, const char *name, const json_t *meta)
{
    const json_t *prefix = json_object_get(meta, "add_special_prefix");
    const json_t *suffix = json_object_get(meta, "add_special_suffix");
    struct zt_ids ids;
    struct zc_diag dg;

    zt_ids_init(&ids, 1000);
    int r = zt_tok_encode_bytes(tok, "", 0, ZT_TOK_ADD_SPECIAL, &ids, &dg);
    size_t n = json_array_size(prefix);
    check(r >= 0 && ids.len == n + json_array_size(suffix) && is_ids(ids.data, n, prefix) &&
              (ids.len == n || is_ids(ids.data + n, ids.len - n, suffix)),
          false, "what is put around", name, "");
    zt_ids_release(&ids);
}

static void check_tokens(const struct zt_tok *tok, const char *name)
{
    char file[200];
    json_t *row;

    snprintf(file, sizeof file, "hf_%s.jsonl", name);
    FILE *f = open_data("expected/open/tokens", file);
    for (; f && (row = next_row(f)); json_decref(row)) {
        const json_t *meta = json_object_get(row, "meta"), *ids = json_object_get(row, "ids");
        if (meta) {
            check_around(tok, name, meta);
            continue;
        }
        const json_t *source = json_object_get(texts, member(row, "id"));
        const json_t *text = json_object_get(source, "text");
        const json_t *dec = json_object_get(row, "dec"), *skip = json_object_get(row, "dec_skip");
        if (text) /* else ids that no text gives */
            check_encode(tok, name, member(row, "id"), text, ids, ZT_TOK_PARSE_SPECIAL,
                         json_is_true(json_object_get(source, "unassigned")));
        check_decode(tok, name, member(row, "id"), ids, dec ? dec : text, false);
        check_decode(tok, name, member(row, "id"), ids, skip ? skip : dec ? dec : text, true);
    }
    if (f)
        fclose(f);
}

/* tiktoken's answers: no text is a special token there, and every text comes back. */
static void check_tekken(const struct zt_tok *tok, const char *name)
{
    char file[200];
    json_t *row;

    snprintf(file, sizeof file, "tiktoken_%s.jsonl", name);
    FILE *f = open_data("expected/open/tokens", file);
    for (; f && (row = next_row(f)); json_decref(row)) {
        const json_t *source = json_object_get(texts, member(row, "id"));
        const json_t *text = json_object_get(source, "text"), *ids = json_object_get(row, "ids");
        if (!ids)
            continue;
        const json_t *dec = json_object_get(row, "dec");
        if (text)
            check_encode(tok, name, member(row, "id"), text, ids, 0,
                         json_is_true(json_object_get(source, "unassigned")));
        check_decode(tok, name, member(row, "id"), ids, dec ? dec : text, false);
    }
    if (f)
        fclose(f);
}

/* The bytes of "hex", as a string that jansson would not take for text. */
static json_t *bytes_of(const json_t *hex)
{
    size_t n = json_string_length(hex) / 2;
    char *bytes = malloc(n + 1);

    for (size_t i = 0; i < n; i++)
        sscanf(json_string_value(hex) + 2 * i, "%2hhx", (unsigned char *)&bytes[i]);
    json_t *text = json_stringn_nocheck(bytes, n);
    free(bytes);
    return text;
}

/* SentencePiece's answers: no text is a control token there, bytes that are no UTF-8 are taken. */
static void check_spm(const struct zt_tok *tok, const char *name)
{
    char file[200];
    json_t *row;

    snprintf(file, sizeof file, "spm_%s.jsonl", name);
    FILE *f = open_data("expected/open/tokens", file);
    for (; f && (row = next_row(f)); json_decref(row)) {
        const json_t *source = json_object_get(texts, member(row, "id"));
        const json_t *hex = json_object_get(source, "hex");
        const json_t *ids = json_object_get(row, "ids"), *dec = json_object_get(row, "dec");
        if (!ids)
            continue;
        json_t *text = hex ? bytes_of(hex) : json_incref(json_object_get(source, "text"));
        if (text)
            check_encode(tok, name, member(row, "id"), text, ids, 0, false);
        check_decode(tok, name, member(row, "id"), ids, dec ? dec : text, false);
        json_decref(text);
    }
    if (f)
        fclose(f);
}

static void check_streams(const struct zt_tok *tok, const char *name)
{
    char file[200];
    bool skip = true;
    json_t *row;

    snprintf(file, sizeof file, "hf_%s.jsonl", name);
    FILE *f = open_data("expected/open/stream", file);
    for (; f && (row = next_row(f)); json_decref(row)) {
        const json_t *meta = json_object_get(row, "meta");
        if (meta)
            skip = json_is_true(json_object_get(meta, "skip_special_tokens"));
        else
            check_chunks(tok, name, row, skip);
    }
    if (f)
        fclose(f);
}

static void check_chats(const struct zt_tok *tok, const char *name)
{
    FILE *f = open_data("expected/open", "chat_tokens.jsonl");
    char key[1000];
    json_t *row;

    for (; f && (row = next_row(f)); json_decref(row)) {
        snprintf(key, sizeof key, "%s\n%s", member(row, "template"), member(row, "fixture"));
        const json_t *text = json_object_get(rendered, key);
        if (strcmp(member(row, "tokenizer"), name) == 0 && text)
            check_encode(tok, name, key, text, json_object_get(row, "ids"), ZT_TOK_PARSE_SPECIAL,
                         false);
    }
    if (f)
        fclose(f);
}

static void check_all(const char *name)
{
    long passed = n_passed, failed = n_failed, soft = n_soft;
    struct zt_tok *tok = open_tokenizer(name);

    if (!tok)
        return;
    check_tokens(tok, name);
    check_streams(tok, name);
    check_chats(tok, name);
    check_tekken(tok, name);
    check_spm(tok, name);
    zt_tok_free(tok);
    printf("%-16s %5ld equal, %ld differ, %ld differ in unassigned characters\n", name,
           n_passed - passed, n_failed - failed, n_soft - soft);
}

int main(int argc, char **argv)
{
    const char *top = getenv("top_srcdir"), *other = getenv("ZORAC_CONFORMANCE");
    const char *const *wanted = (const char *const *)argv + 1;

    is_verbose = argc > 1 && strcmp(argv[1], "-v") == 0;
    wanted += is_verbose;
    snprintf(root, sizeof root, "%s%s",
             other ? other
             : top ? top
                   : ".",
             other ? "" : "/../shared/conformance");
    if (!has_corpus()) {
        printf("skipped: no %s\n", root);
        return 77;
    }
    load_rendered();
    for (const char *const *name = *wanted ? wanted : names; *name; name++)
        check_all(*name);
    json_decref(texts);
    json_decref(rendered);
    return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
