/* SPDX-License-Identifier: MIT */
/* The tokenizer: every kind of step against answers of the reference (text_tok_vectors.json),
 * trust, limits, bad files, streams. */
#include "config.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/zc_mem.h"
#include "tests/unit/t_tok.h"
#include "tests/unit/t_unit.h"
#include "zoracd/text/zt_bpe.h"
#include "zoracd/text/zt_json.h"
#include "zoracd/text/zt_regex.h"
#include "zoracd/text/zt_tok.h"
#include "common/zc_utf8.h"

static struct zc_diag dg;

/* A tokenizer of t_tok.h; frees json. */
static struct zt_tok *make(char *json)
{
    struct zt_tok *tok = NULL;

    t_assert_err(zt_tok_new(&tok, json, strlen(json), &dg), ZC_OK, &dg);
    free(json);
    return tok;
}

/* The file of a loop test: 0 byte-level, 1 SentencePiece-style, 2 tekken.json. */
static char *file_of(int i)
{
    return i == 0   ? t_tok_bytes_json(T_TOK_ADDED("<y>", "true"))
           : i == 1 ? t_tok_meta_json("")
                    : t_tok_tekken_json();
}

static int load_as(struct zt_tok **ret_tok, bool is_tekken, const char *json, size_t n)
{
    dg.text[0] = '\0';
    return is_tekken ? zt_tok_new_tekken(ret_tok, json, n, &dg) : zt_tok_new(ret_tok, json, n, &dg);
}

/* What loading the text gives; the diagnostic is in dg. */
static int try_load(bool is_tekken, const char *json, size_t n)
{
    struct zt_tok *tok = NULL;

    int r = load_as(&tok, is_tekken, json, n);
    zt_tok_free(r < 0 ? NULL : tok);
    return r;
}

static int load(const char *json, size_t n)
{
    return try_load(false, json, n);
}

/* The ids of a text as words, "1 2 3". */
static const char *ids_of(const struct zt_tok *tok, const struct zt_text *text, unsigned flags)
{
    static char out[4096];
    struct zt_ids ids;
    size_t n = 0;

    zt_ids_init(&ids, 1000);
    t_assert_err(zt_tok_encode(tok, text, flags, &ids, &dg), ZC_OK, &dg);
    out[0] = '\0';
    for (size_t i = 0; i < ids.len; i++)
        n += (size_t)snprintf(out + n, sizeof out - n, "%s%d", i ? " " : "", ids.data[i]);
    zt_ids_release(&ids);
    return out;
}

/* The same of a text in pieces: "t:..." trusted, "u:..." untrusted, NULL at the end. */
static const char *ids_of_spans(const struct zt_tok *tok, unsigned flags, const char *const *spans)
{
    struct zt_text text;

    zt_text_init(&text, 1 << 20);
    for (; *spans; spans++)
        zt_text_add(&text, *spans + 2, strlen(*spans + 2), **spans == 't');
    const char *out = ids_of(tok, &text, flags);
    zt_text_release(&text);
    return out;
}

#define SPANS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- against the reference ---------------------------------------------------------------- */

static void assert_text(const struct zc_buf *got, const json_t *want, const char *what, size_t row)
{
    ck_assert_msg(got->len == json_string_length(want) &&
                      memcmp(zc_buf_str(got), json_string_value(want), got->len) == 0,
                  "row %zu: %s: got '%s', want '%s'", row, what, zc_buf_str(got),
                  json_string_value(want));
}

static void check_chunks(const struct zt_tok *tok, const int32_t *ids, const json_t *chunks,
                         size_t row)
{
    struct zt_detok *d;
    struct zc_buf out;
    size_t i;
    json_t *want;

    zc_buf_init(&out, 1 << 20);
    zt_detok_new(&d, tok, ZT_SPECIAL_KEEP);
    json_array_foreach (chunks, i, want) {
        zc_buf_clear(&out);
        ck_assert_int_eq(zt_detok_push(d, ids[i], &out), ZC_OK);
        if (json_is_string(want))
            assert_text(&out, want, "chunk", row);
        else
            ck_assert_uint_eq(out.len, 0);
    }
    zt_detok_free(d);
    zc_buf_release(&out);
}

/* [text, ids with what is put around, how many are in front, decoded, without specials, chunks] */
static void check_row(const struct zt_tok *tok, const json_t *one, size_t row)
{
    const json_t *text = json_array_get(one, 0), *want = json_array_get(one, 1);
    size_t front = (size_t)json_integer_value(json_array_get(one, 2));
    struct zt_ids ids;
    struct zc_buf out;

    zt_ids_init(&ids, 1000);
    zc_buf_init(&out, 1 << 20);
    t_assert_err(zt_tok_encode_bytes(tok, json_string_value(text), json_string_length(text),
                                     ZT_TOK_ADD_SPECIAL | ZT_TOK_PARSE_SPECIAL, &ids, &dg),
                 ZC_OK, &dg);
    ck_assert_msg(ids.len == json_array_size(want), "row %zu: %zu ids, want %zu", row, ids.len,
                  json_array_size(want));
    for (size_t i = 0; i < ids.len; i++)
        ck_assert_msg(ids.data[i] == json_integer_value(json_array_get(want, i)),
                      "row %zu: id %zu is %d", row, i, ids.data[i]);
    const int32_t *plain = ids.len ? ids.data + front : NULL;
    for (size_t skip = 0; skip < 2; skip++) {
        zc_buf_clear(&out);
        t_assert_err(zt_tok_decode(tok, plain, ids.len - front,
                                   skip ? ZT_SPECIAL_SKIP : ZT_SPECIAL_KEEP, &out, &dg),
                     ZC_OK, &dg);
        assert_text(&out, json_array_get(one, 3 + skip), "decoded", row);
    }
    if (json_is_array(json_array_get(one, 5)))
        check_chunks(tok, plain, json_array_get(one, 5), row);
    zt_ids_release(&ids);
    zc_buf_release(&out);
}

START_TEST(every_step_is_the_references)
{
    json_t *vectors = t_tok_vectors("text_tok_vectors.json"), *one, *row;
    size_t i, k, n = 0;

    ck_assert_msg(vectors != NULL, "no vectors");
    json_array_foreach (json_object_get(vectors, "cases"), i, one) {
        struct zt_tok *tok = make(t_tok_case(vectors, one));
        json_array_foreach (json_object_get(one, "rows"), k, row) {
            check_row(tok, row, i * 100 + k);
            n++;
        }
        zt_tok_free(tok);
    }
    ck_assert_uint_gt(n, 800);
    json_decref(vectors);
}
END_TEST

/* ---- BPE ---------------------------------------------------------------------------------- */

#define N_MADE 60

static struct {
    int32_t left, right, into;
} made[N_MADE]; /* the merges of random_bpe, by rank */

/* A vocabulary that grows from two letters by merges chosen at random. */
static void random_bpe(struct zt_bpe *b, unsigned seed)
{
    char tokens[2 + N_MADE][32] = {"a", "b"}, joined[64];
    int32_t n = 2;

    srand(seed);
    zt_bpe_init(b);
    zt_vocab_add(&b->vocab, "a", 1, 0, NULL);
    zt_vocab_add(&b->vocab, "b", 1, 1, NULL);
    for (int i = 0; i < N_MADE;) {
        int32_t left = rand() % n, right = rand() % n;
        snprintf(joined, sizeof joined, "%s%s", tokens[left], tokens[right]);
        if (strlen(joined) > 14)
            continue;
        if (zt_vocab_add(&b->vocab, joined, strlen(joined), n, NULL) == ZC_OK)
            snprintf(tokens[n++], sizeof tokens[0], "%s", joined);
        made[i].left = left;
        made[i].right = right;
        made[i++].into = zt_vocab_find(&b->vocab, joined, strlen(joined));
        ck_assert_int_eq(zt_bpe_merge(b, tokens[left], strlen(tokens[left]), tokens[right],
                                      strlen(tokens[right]), &dg),
                         ZC_OK);
    }
    zt_bpe_finish(b);
}

/* The rank of a pair: of two equal merges the later one counts. */
static int rank_of(int32_t left, int32_t right)
{
    for (int i = N_MADE - 1; i >= 0; i--) {
        if (made[i].left == left && made[i].right == right)
            return i;
    }
    return N_MADE;
}

/* The definition, literally: of all neighbours the pair of lowest rank, leftmost. */
static size_t merge_plainly(int32_t *ids, size_t n)
{
    for (;;) {
        int best = N_MADE;
        size_t at = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            int r = rank_of(ids[i], ids[i + 1]);
            if (r < best) {
                best = r;
                at = i;
            }
        }
        if (best == N_MADE)
            return n;
        ids[at] = made[best].into;
        n--;
        memmove(&ids[at + 1], &ids[at + 2], (n - at - 1) * sizeof *ids);
    }
}

START_TEST(short_and_long_words_merge_by_the_definition)
{
    char text[400];
    int32_t want[400];

    for (unsigned seed = 1; seed <= 300; seed++) {
        struct zt_bpe b;
        struct zt_bpe_work w = {0};
        struct zt_ids ids;
        random_bpe(&b, seed);
        zt_ids_init(&ids, 1000);
        size_t n = 1 + (size_t)rand() % (seed % 2 ? 40 : sizeof text - 1);
        for (size_t i = 0; i < n; i++)
            text[i] = (char)('a' + (want[i] = rand() % 2));
        ck_assert_int_eq(zt_bpe_encode(&b, &w, text, n, &ids), ZC_OK);
        size_t m = merge_plainly(want, n);
        ck_assert_uint_eq(ids.len, m);
        ck_assert_mem_eq(ids.data, want, m * sizeof *want);
        zt_ids_release(&ids);
        zt_bpe_work_release(&w);
        zt_bpe_release(&b);
    }
}
END_TEST

/* ---- trust -------------------------------------------------------------------------------- */

#define SPECIALS                                                                    \
    T_TOK_ADDED("<|x|>", "true")                                                    \
    "," T_TOK_ADDED("<y>", "true") "," T_TOK_ADDED("<z>", "false") "," T_TOK_ADDED( \
        "<|m|>", "false") "," T_TOK_ADDED("<y><z>", "true")
/* 256 bytes, 8 merges: 264 <|x|>, 265 <y>, 266 <z>, 267 <|m|>, 268 <y><z> */

START_TEST(control_tokens_match_in_trusted_text_only)
{
    struct zt_tok *tok = make(t_tok_bytes_json(SPECIALS));

    ck_assert_str_eq(ids_of_spans(tok, 0, SPANS("t:<|x|>", "u:a", "t:<y>")), "264 97 265");
    ck_assert_str_eq(ids_of_spans(tok, 0, SPANS("u:<y>")), "60 121 62");
    ck_assert_str_eq(ids_of_spans(tok, ZT_TOK_PARSE_SPECIAL, SPANS("u:<y>")), "265");
    /* put together from both: not trusted */
    ck_assert_str_eq(ids_of_spans(tok, 0, SPANS("t:<", "u:y", "t:>")), "60 121 62");
    ck_assert_str_eq(ids_of_spans(tok, 0, SPANS("t:<y", "u:>")), "60 121 62");
    ck_assert_str_eq(ids_of_spans(tok, 0, SPANS("u:<", "t:y>")), "60 121 62");
    /* the longer one reaches into untrusted text, the shorter does not */
    ck_assert_str_eq(ids_of_spans(tok, 0, SPANS("t:<y>", "u:<z>")), "265 266");
    ck_assert_str_eq(ids_of_spans(tok, 0, SPANS("t:<y><z>")), "268");
    /* not special: everywhere, unless it looks like control */
    ck_assert_str_eq(ids_of_spans(tok, 0, SPANS("u:<z>")), "266");
    ck_assert_str_eq(ids_of_spans(tok, 0, SPANS("u:<|m|>")), "60 124 109 124 62");
    ck_assert_str_eq(ids_of_spans(tok, 0, SPANS("t:<|m|>")), "267");
    zt_tok_free(tok);
}
END_TEST

START_TEST(spans_do_not_cut_words)
{
    struct zt_tok *tok = make(t_tok_bytes_json(""));

    ck_assert_str_eq(ids_of_spans(tok, 0, SPANS("t:t", "u:h", "t:e", "u: the")), "257 258");
    zt_tok_free(tok);
}
END_TEST

/* Replaces a member of a tokenizer's text. */
static char *with(char *json, const char *key, const char *value)
{
    json_t *top = json_loads(json, JSON_ALLOW_NUL, NULL), *v;

    v = json_loads(value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    ck_assert(top && v);
    json_t *model = json_object_get(top, "model");
    json_object_set_new(json_object_get(top, key) || !json_object_get(model, key) ? top : model,
                        key, v);
    free(json);
    char *out = json_dumps(top, JSON_ENSURE_ASCII);
    json_decref(top);
    return out;
}

/* How often a word is in a text. */
static int count(const char *text, const char *word)
{
    int n = 0;

    while ((text = strstr(text, word)) != NULL) {
        text += strlen(word);
        n++;
    }
    return n;
}

START_TEST(trust_survives_the_normalizer)
{
    static const char added[] =
        "[{\"id\":0,\"content\":\"<\\u00e9>\",\"special\":true,\"normalized\":true}]";
    static const char *const steps[] = {
        "{\"type\":\"NFC\"}",
        "{\"type\":\"NFD\"}",
        "{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"bcd\"}",
        "{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":true}",
        ("{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Replace\",\"pattern\":{\"Regex\":"
         "\"[a ]\"},\"content\":\"\"},{\"type\":\"NFC\"}]}"),
    };

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        char *json = with(t_tok_bytes_json(""), "normalizer", steps[i]);
        struct zt_tok *tok = make(with(json, "added_tokens", added));
        const char *got =
            ids_of_spans(tok, 0, SPANS("u:aa  ", "t:<\u00e9>", "u:aa e\u0301", "t:<e\u0301>"));
        bool has_form = i < 2 || i == 4; /* both spellings are the token */
        ck_assert_msg(count(got, "264") == (has_form ? 2 : 1), "%zu: %s", i, got);
        got = ids_of_spans(
            tok, 0, SPANS("t:aa", "u: <\u00e9>", "t:e", "u:\u0301", "t:<", "u:e\u0301", "t:>"));
        ck_assert_msg(count(got, "264") == 0, "%zu: %s", i, got);
        zt_tok_free(tok);
    }
}
END_TEST

START_TEST(a_hidden_token_is_never_a_piece)
{
    /* ignore_merges would take the piece [y] for the token of that name in the vocabulary */
    char *json = with(t_tok_bytes_json(T_TOK_ADDED("th", "true")), "ignore_merges", "true");
    struct zt_tok *tok = make(json);

    ck_assert_str_eq(ids_of_spans(tok, 0, SPANS("t:th")), "256");
    ck_assert_str_eq(ids_of_spans(tok, 0, SPANS("u:the")), "257");
    zt_tok_free(tok);
}
END_TEST

/* ---- looking up --------------------------------------------------------------------------- */

START_TEST(tokens_are_found_both_ways)
{
    struct zt_tok *tok = make(t_tok_bytes_json(SPECIALS));
    size_t n;

    ck_assert_int_eq(zt_tok_vocab_size(tok), 269);
    ck_assert_int_eq(zt_tok_find(tok, "<|x|>", 5), 264);
    ck_assert_int_eq(zt_tok_find(tok, "the", 3), 257);
    ck_assert_int_eq(zt_tok_find(tok, "no such", 7), -1);
    ck_assert(zt_tok_is_special(tok, 264));
    ck_assert(!zt_tok_is_special(tok, 266));
    ck_assert(!zt_tok_is_special(tok, -1));
    ck_assert(!zt_tok_is_special(tok, 269));
    ck_assert_mem_eq(zt_tok_content(tok, 264, &n), "<|x|>", 5);
    ck_assert_uint_eq(n, 5);
    ck_assert_ptr_null(zt_tok_content(tok, 269, &n));
    zt_tok_free(tok);
}
END_TEST

/* ---- limits and bad text ------------------------------------------------------------------ */

START_TEST(the_maximum_of_ids_holds)
{
    struct zt_tok *tok = make(t_tok_bytes_json(""));
    struct zt_ids ids;

    zt_ids_init(&ids, 3);
    ck_assert_int_eq(zt_ids_add(&ids, 7), ZC_OK);
    t_assert_err(zt_tok_encode_bytes(tok, "xyz", 3, 0, &ids, &dg), ZC_ELIMIT, &dg);
    ck_assert_str_eq(dg.text, "the text has more than 3 tokens");
    ck_assert_uint_eq(ids.len, 1);
    t_assert_err(zt_tok_encode_bytes(tok, "xy", 2, 0, &ids, &dg), ZC_OK, &dg);
    ck_assert_uint_eq(ids.len, 3);
    zt_ids_release(&ids);
    zt_tok_free(tok);
}
END_TEST

START_TEST(a_regex_that_backtracks_is_stopped_and_named)
{
    struct zt_tok *tok =
        make(with(t_tok_bytes_json(""), "pre_tokenizer",
                  "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a+a+)+(?=b)\"},\"behavior\":"
                  "\"Isolated\",\"invert\":false}"));
    struct zt_ids ids;
    char text[2000];

    memset(text, 'a', sizeof text);
    zt_ids_init(&ids, 10000);
    t_assert_err(zt_tok_encode_bytes(tok, text, sizeof text, 0, &ids, &dg), ZC_ELIMIT, &dg);
    ck_assert_ptr_nonnull(strstr(dg.text, "(a+a+)+(?=b)"));
    ck_assert_uint_eq(ids.len, 0);
    zt_ids_release(&ids);
    zt_tok_free(tok);
}
END_TEST

/* Nothing that PCRE2 counts, and the whole text at every place. The limit is such that each machine
 * reaches it. */
/* U+1FAE8 came with Unicode 15, U+10D8E (no So) and U+1CC00 with 16. */
START_TEST(a_regex_knows_newer_symbols)
{
    static const char text[] = "a\xf0\x9f\xab\xa8 \xf0\x90\xb6\x8e,\xf0\x9c\xb0\x80";
    static const struct {
        const char *pattern;
        size_t start, end;
    } rows[] = {
        {"\\p{S}", 1, 5},     {"[b\\p{S}]", 1, 5},  {"\\p{Sm}", 6, 10},   {"[^a\\p{So}]", 5, 6},
        {"\\p{So}$", 11, 15}, {" \\P{So}+", 5, 11}, {"\\p{^S}{2}", 0, 0}, {" \\P{^S}", 5, 10},
    };
    struct zt_regex_work w = {0};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct zt_regex *re;
        t_assert_err(zt_regex_new(&re, rows[i].pattern, strlen(rows[i].pattern), false, &dg), ZC_OK,
                     &dg);
        struct zt_regex_scan scan = {.re = re, .p = text, .n = sizeof text - 1};
        ck_assert_int_eq(zt_regex_next(&scan, &w, &dg), rows[i].end > 0);
        ck_assert_uint_eq(scan.start, rows[i].start);
        ck_assert_uint_eq(scan.end, rows[i].end);
        zt_regex_free(re);
    }
    zt_regex_work_release(&w);
}
END_TEST

START_TEST(a_regex_that_looks_far_everywhere_is_stopped)
{
    static const char pattern[] = "(?<!b)a+[bc]", far[] = "[0-9]";
    const size_t n = 400000;
    char *text = zc_xmalloc(n);
    struct zt_regex_work w = {.limit_ns = 1000000};
    struct zt_regex *re;

    memset(text, 'a', n);
    t_assert_err(zt_regex_new(&re, pattern, sizeof pattern - 1, false, &dg), ZC_OK, &dg);
    struct zt_regex_scan scan = {.re = re, .p = text, .n = n};
    t_assert_err(zt_regex_next(&scan, &w, &dg), ZC_ELIMIT, &dg);
    ck_assert_str_eq(dg.text, "regular expression '(?<!b)a+[bc]': match limit exceeded at byte 0 "
                              "of a text");
    zt_regex_free(re);

    /* What is far away is found, and a character is not cut by the places that are tried first. */
    for (size_t i = 0; i + 3 <= n; i += 3)
        memcpy(text + i, "\u4e2d", 3);
    text[n - 1] = '7';
    w.limit_ns = 0;
    t_assert_err(zt_regex_new(&re, far, sizeof far - 1, false, &dg), ZC_OK, &dg);
    scan = (struct zt_regex_scan){.re = re, .p = text, .n = n};
    ck_assert_int_eq(zt_regex_next(&scan, &w, &dg), 1);
    ck_assert_uint_eq(scan.start, n - 1);
    ck_assert_int_eq(zt_regex_next(&scan, &w, &dg), 0);
    zt_regex_free(re);
    zt_regex_work_release(&w);
    zc_free(text);
}
END_TEST

START_TEST(what_is_not_utf8_is_read_as_replacement_characters)
{
    struct zt_tok *tok = make(t_tok_bytes_json(""));
    static const struct {
        const char *bad, *clean;
    } cases[] = {
        {"a\xff", "a\ufffd"},
        {"\xe4\xb8", "\ufffd"},
        {"\xe4\xb8x\xf0\x9f\x98", "\ufffdx\ufffd"},
        {"\xc0\x80\xed\xa0\x80", "\ufffd\ufffd\ufffd\ufffd\ufffd"},
        {"\xf4\x90\x80\x80z", "\ufffd\ufffd\ufffd\ufffdz"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char bad[128];
        struct zt_text text;
        zt_text_init(&text, 100);
        zt_text_add(&text, cases[i].bad, strlen(cases[i].bad), i % 2);
        snprintf(bad, sizeof bad, "%s", ids_of(tok, &text, 0));
        zt_text_clear(&text);
        zt_text_add(&text, cases[i].clean, strlen(cases[i].clean), false);
        ck_assert_str_eq(bad, ids_of(tok, &text, 0));
        zt_text_release(&text);
    }
    zt_tok_free(tok);
}
END_TEST

START_TEST(decoding_names_an_id_out_of_range)
{
    struct zt_tok *tok = make(t_tok_bytes_json(""));
    struct zc_buf out;

    zc_buf_init(&out, 100);
    zc_buf_adds(&out, "kept");
    t_assert_err(zt_tok_decode(tok, (int32_t[]){104, 105, 264}, 3, ZT_SPECIAL_KEEP, &out, &dg),
                 ZC_EINVAL, &dg);
    ck_assert_str_eq(dg.text, "id 264 at 2: the vocabulary has 264 ids");
    ck_assert_str_eq(zc_buf_str(&out), "kept");
    zc_buf_release(&out);
    zt_tok_free(tok);
}
END_TEST

/* ---- tekken.json -------------------------------------------------------------------------- */

START_TEST(tekken_joins_what_is_a_token)
{
    char *json = t_tok_tekken_json();
    struct zt_tok *tok = NULL;
    struct zc_buf out;

    t_assert_err(load_as(&tok, true, json, strlen(json)), ZC_OK, &dg);
    ck_assert_int_eq(zt_tok_vocab_size(tok), 268);
    ck_assert_str_eq(ids_of_spans(tok, 0, SPANS("u:the the")), "263 264");
    ck_assert_str_eq(ids_of_spans(tok, 0, SPANS("u:thing")), "261 266");
    ck_assert_str_eq(ids_of_spans(tok, 0, SPANS("u:\u00e9<s>")), "267 65 120 67");
    ck_assert_str_eq(ids_of_spans(tok, ZT_TOK_ADD_SPECIAL, SPANS("t:</s><SPECIAL_4>")), "1 2 4");
    zc_buf_init(&out, 100);
    t_assert_err(zt_tok_decode(tok, (int32_t[]){1, 263, 264, 3}, 4, ZT_SPECIAL_KEEP, &out, &dg),
                 ZC_OK, &dg);
    ck_assert_str_eq(zc_buf_str(&out), "<s>the the<SPECIAL_3>");
    zc_buf_release(&out);
    zt_tok_free(tok);
    free(json);
}
END_TEST

START_TEST(a_bad_tekken_is_explained)
{
#define CONFIG                                                 \
    "{\"config\":{\"pattern\":\"a\",\"default_vocab_size\":3," \
    "\"default_num_special_tokens\":2}"
    static const struct {
        const char *json, *says;
        int err;
    } cases[] = {
        {"{}", "config: pattern", ZC_EFORMAT},
        {CONFIG "}", "no 'vocab'", ZC_EFORMAT},
        {CONFIG ",\"vocab\":[]}", "0 tokens where 1 are due", ZC_EFORMAT},
        {CONFIG ",\"vocab\":[{\"rank\":1}]}", "rank 1 where 0 is due", ZC_EFORMAT},
        {CONFIG ",\"vocab\":[{\"rank\":0}]}", "token_bytes: empty", ZC_EFORMAT},
        {CONFIG ",\"vocab\":[{\"rank\":0,\"token_bytes\":\"Y*==\"}]}", "not base64", ZC_EFORMAT},
        {CONFIG ",\"special_tokens\":[{\"rank\":2,\"token_str\":\"x\"}],\"vocab\":[]}",
         "no rank of its own", ZC_EFORMAT},
        {CONFIG ",\"special_tokens\":[{\"rank\":0,\"token_str\":\"x\"},{\"rank\":1,"
                "\"token_str\":\"x\"}],\"vocab\":[]}",
         "there twice", ZC_EFORMAT},
        {"{\"config\":{\"pattern\":\"a\",\"default_vocab_size\":1,\"default_num_special_tokens\":"
         "2}}",
         "config: 1 ids, 2 special", ZC_ELIMIT},
    };
#undef CONFIG

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int r = try_load(true, cases[i].json, strlen(cases[i].json));
        ck_assert_msg(r == cases[i].err && strstr(dg.text, cases[i].says), "%zu: %s: %s", i,
                      zc_err_name(r), dg.text);
    }
}
END_TEST

/* ---- streams ------------------------------------------------------------------------------ */

/* The chunks of ids as one text, with '|' behind each id; the last chunk is the flush's. */
static const char *chunks_of(struct zt_detok *d, const int32_t *ids, size_t n)
{
    static struct zc_buf out;

    zc_buf_release(&out);
    zc_buf_init(&out, 1000);
    for (size_t i = 0; i < n; i++) {
        ck_assert_int_eq(zt_detok_push(d, ids[i], &out), ZC_OK);
        zc_buf_addc(&out, '|');
    }
    ck_assert_int_eq(zt_detok_flush(d, &out), ZC_OK);
    return zc_buf_str(&out);
}

#define CHUNKS(d, ...) \
    chunks_of(d, (const int32_t[]){__VA_ARGS__}, sizeof(int32_t[]){__VA_ARGS__} / sizeof(int32_t))

START_TEST(a_stream_gives_whole_characters)
{
    struct zt_tok *tok = make(t_tok_bytes_json(T_TOK_ADDED("<y>", "true")));
    struct zt_detok *d;

    zt_detok_new(&d, tok, ZT_SPECIAL_SKIP);
    ck_assert_str_eq(CHUNKS(d, 97, 0xe4, 0xb8, 0xad, 98), "a|||\u4e2d|b|");
    ck_assert_str_eq(CHUNKS(d, 0xe4, 264, 0xb8, 0xad), "|||\u4e2d|"); /* across a special token */
    ck_assert_str_eq(CHUNKS(d, 0xe4, 97), "|\ufffda|");
    ck_assert_str_eq(CHUNKS(d, 0xff, 0xf0, 0x9f), "\ufffd|||\ufffd");
    ck_assert_int_eq(zt_detok_push(d, 265, NULL), ZC_EINVAL);
    /* a prompt that ended within a character */
    ck_assert_int_eq(zt_detok_prime(d, (int32_t[]){97, 0xe4, 0xb8}, 3), ZC_OK);
    ck_assert_str_eq(CHUNKS(d, 0xad, 98), "\u4e2d|b|");
    zt_detok_free(d);
    zt_tok_free(tok);
}
END_TEST

START_TEST(a_stream_decides_about_the_leading_space)
{
    struct zt_tok *tok = make(t_tok_meta_json(""));
    struct zt_detok *d;
    int32_t the = zt_tok_find(tok, "\u2581the", 6), space = zt_tok_find(tok, "\u2581", 3);

    zt_detok_new(&d, tok, ZT_SPECIAL_SKIP);
    ck_assert_str_eq(CHUNKS(d, the, the), "the| the|");
    ck_assert_str_eq(CHUNKS(d, 1, space, the), "|| the|"); /* a special one does not count */
    ck_assert_int_eq(zt_detok_prime(d, (int32_t[]){1, the}, 2), ZC_OK);
    ck_assert_str_eq(CHUNKS(d, the), " the|");
    /* bytes: <0x20> is the space, a run that is no UTF-8 is bad from there on */
    ck_assert_str_eq(CHUNKS(d, 3 + 0x20, 3 + 0xc3, 3 + 0xa9), "||\u00e9|");
    ck_assert_str_eq(CHUNKS(d, 3 + 0xc3, 3 + 0xa9, 3 + 0xff, 3 + 0x41, the),
                     "|\u00e9|\ufffd|\ufffd| the|");
    ck_assert_str_eq(CHUNKS(d, 3 + 0xe2, 3 + 0x96, the), "||\ufffd\ufffd the|");
    ck_assert_str_eq(CHUNKS(d, 3 + 0xe2, 3 + 0x96), "||\ufffd\ufffd");
    zt_detok_free(d);
    zt_tok_free(tok);
}
END_TEST

START_TEST(a_stream_of_halves_holds_back_little)
{
    /* each token ends the character before and begins another: text must come out all the same */
    struct zt_tok *tok = make(with(t_tok_bytes_json(""), "added_tokens",
                                   "[{\"id\":0,\"content\":\"\\u00a9xyz\\u00c3\"}]"));
    struct zt_detok *d;
    struct zc_buf out;

    zt_detok_new(&d, tok, ZT_SPECIAL_SKIP);
    zc_buf_init(&out, 1 << 20);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(zt_detok_push(d, 264, &out), ZC_OK);
    ck_assert_uint_gt(out.len, 4900);
    zt_detok_flush(d, &out);
    ck_assert_uint_eq(zc_utf8_valid(out.data, out.len), out.len);
    zc_buf_release(&out);
    zt_detok_free(d);
    zt_tok_free(tok);
}
END_TEST

/* ---- bad files ---------------------------------------------------------------------------- */

/* What stands around a text, from the inner step of a sequence to the outer one. */
START_TEST(every_post_processor_goes_around_the_text)
{
#define BERT(type) "{\"type\":\"" type "\",\"cls\":[\"a\",0],\"sep\":[\"b\",1]}"
#define AROUND                                                                                    \
    "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"c\"}},"             \
    "{\"Sequence\":{\"id\":\"A\"}},{\"SpecialToken\":{\"id\":\"c\"}}],\"special_tokens\":{\"c\":" \
    "{\"ids\":[2,1]}}}"
    static const struct {
        const char *spec, *want;
    } rows[] = {
        {"null", "3"},
        {BERT("BertProcessing"), "031"},
        {BERT("RobertaProcessing"), "031"},
        {AROUND, "21321"},
        {"{\"type\":\"Sequence\",\"processors\":[{\"type\":\"ByteLevel\"}," AROUND "]}", "21321"},
        {"{\"type\":\"Sequence\",\"processors\":[" BERT("BertProcessing") "," AROUND "]}",
         "2103121"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char json[1000], got[20] = "";
        struct zt_tok *tok;
        struct zt_ids ids;
        snprintf(json, sizeof json,
                 "{\"post_processor\":%s,\"model\":{\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"d\":3},"
                 "\"merges\":[]}}",
                 rows[i].spec);
        t_assert_err(zt_tok_new(&tok, json, strlen(json), &dg), ZC_OK, &dg);
        zt_ids_init(&ids, sizeof got - 1);
        t_assert_err(zt_tok_encode_bytes(tok, "d", 1, ZT_TOK_ADD_SPECIAL, &ids, &dg), ZC_OK, &dg);
        for (size_t k = 0; k < ids.len; k++)
            got[k] = (char)('0' + ids.data[k]);
        got[ids.len] = '\0';
        ck_assert_str_eq(got, rows[i].want);
        zt_ids_release(&ids);
        zt_tok_free(tok);
    }
}
END_TEST

START_TEST(what_is_not_done_is_refused_by_name)
{
    static const struct {
        const char *key, *value, *says;
    } cases[] = {
        {"type", "\"Unigram\"", "'Unigram'"},
        {"type", "\"WordPiece\"", "'WordPiece'"},
        {"dropout", "0.1", "dropout"},
        {"continuing_subword_prefix", "\"##\"", "continuing_subword_prefix '##'"},
        {"normalizer", "{\"type\":\"BertNormalizer\"}", "'BertNormalizer'"},
        {"pre_tokenizer", "{\"type\":\"UnicodeScripts\"}", "'UnicodeScripts'"},
        {"post_processor", "{\"type\":\"OtherProcessing\"}", "'OtherProcessing'"},
        {"decoder", "{\"type\":\"CTC\"}", "'CTC'"},
        {"decoder",
         "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Fuse\"},{\"type\":\"ByteFallback\"}]}",
         "'ByteFallback' in this place"},
        {"version", "\"2.0\"", "version"},
        {"pre_tokenizer",
         "{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":\"[a[b]]\"}}",
         "a class in a class"},
        {"pre_tokenizer",
         "{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":\"[a&&b]\"}}",
         "an intersection"},
        {"pre_tokenizer",
         "{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":\"a{1,2}+\"}}",
         "{n,m}+"},
        {"pre_tokenizer",
         "{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":\"\\\\pL\"}}",
         "without a brace"},
        {"pre_tokenizer",
         "{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":\"\\\\p{Emoji}\"}}",
         "a property that is"},
        {"pre_tokenizer",
         "{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{\"Regex\":\"(?i:'ST)\"}}",
         "one character in the other case"},
        {"normalizer",
         "{\"type\":\"Replace\",\"content\":\"\",\"pattern\":{\"Regex\":\"\\\\Qa\\\\E\"}}",
         "an escape"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool is_model = i < 4;
        char *json = t_tok_bytes_json("");
        json_t *top = json_loads(json, JSON_ALLOW_NUL, NULL);
        json_t *v = json_loads(cases[i].value, JSON_DECODE_ANY, NULL);
        free(json);
        json_object_set_new(is_model ? json_object_get(top, "model") : top, cases[i].key, v);
        json = json_dumps(top, JSON_ENSURE_ASCII);
        json_decref(top);
        int r = load(json, strlen(json));
        ck_assert_msg(r == ZC_EUNSUPPORTED && strstr(dg.text, cases[i].says), "%zu: %s: %s", i,
                      zc_err_name(r), dg.text);
        free(json);
    }
}
END_TEST

/* Parts that are done one by one, and whose meaning together is not. */
START_TEST(what_is_not_done_together_is_refused_by_name)
{
#define ADDED(content) "{\"content\":\"" content "\",\"normalized\":true}"
#define MODEL          "\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}}"
#define REPLACE(from, to)                                                                          \
    "\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\"" from "\"},\"content\":\"" to \
    "\"},"
    static const char *const cases[][2] = {
        {"{\"added_tokens\":[" ADDED("xx") "]," REPLACE("x", "") MODEL, "nothing is left of it"},
        {"{\"added_tokens\":[" ADDED("x") "," ADDED("y") "]," REPLACE("x", "y") MODEL,
         "'x' and 'y' are the same when normalized"},
        {"{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":"
         "\"first\"}," REPLACE("x", "") MODEL,
         "Metaspace 'first' after a normalizer"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int r = load(cases[i][0], strlen(cases[i][0]));
        ck_assert_msg(r == ZC_EUNSUPPORTED && strstr(dg.text, cases[i][1]), "%zu: %s: %s", i,
                      zc_err_name(r), dg.text);
    }
}
END_TEST

START_TEST(a_bad_file_is_explained)
{
    static const struct {
        const char *json, *says;
        int err;
    } cases[] = {
        {"", "'{' expected", ZC_EFORMAT},
        {"[]", "'{' expected", ZC_EFORMAT},
        {"{}", "no 'vocab'", ZC_EFORMAT},
        {"{\"model\":{\"vocab\":{}}}", "no 'merges'", ZC_EFORMAT},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[]}} x", "more text", ZC_EFORMAT},
        {"{\"model\":{\"vocab\":{\"a\":0,\"a\":1},\"merges\":[]}}", "'a' is there twice",
         ZC_EFORMAT},
        {"{\"model\":{\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}", "id 0 is another token's",
         ZC_EFORMAT},
        {"{\"model\":{\"vocab\":{\"a\":-1},\"merges\":[]}}", "id -1", ZC_ELIMIT},
        {"{\"model\":{\"vocab\":{\"a\":4294967296},\"merges\":[]}}", "id 4294967296", ZC_ELIMIT},
        {"{\"model\":{\"vocab\":{\"a\":99999999999999999999},\"merges\":[]}}", "too big",
         ZC_EFORMAT},
        {"{\"model\":{\"vocab\":{\"a\":1.5},\"merges\":[]}}", "whole number", ZC_EFORMAT},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[\"a\"]}}", "not two tokens", ZC_EFORMAT},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}}", "the second is", ZC_EFORMAT},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[[\"b\",\"a\"]]}}", "the first is",
         ZC_EFORMAT},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[[\"a\",\"a\"]]}}", "both together",
         ZC_EFORMAT},
        {"{\"model\":{\"vocab\":{\"a\":0},\"merges\":[[\"a\",\"a\",\"a\"]]}}", "more than two",
         ZC_EFORMAT},
        {"{\"model\":{},\"model\":{}}", "'model' is there twice", ZC_EFORMAT},
        {"{\"decoder\":null,\"decoder\":null}", "'decoder' is there twice", ZC_EFORMAT},
        {"{\"model\":{\"vocab\":{\"a\xff\":0}}}", "byte 21: not UTF-8", ZC_EFORMAT},
        {"{\"added_tokens\":[{\"id\":0}],\"model\":{\"vocab\":{},\"merges\":[]}}",
         "without content", ZC_EFORMAT},
        {"{\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":"
         "{\"id\":\"x\"}}],\"special_tokens\":{\"x\":{\"ids\":[5]}}},\"model\":{\"vocab\":{\"a\":"
         "0},\"merges\":[]}}",
         "no id of the vocabulary", ZC_EFORMAT},
        {"{\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"a\",0]},\"model\":{\"vocab\":"
         "{"
         "\"a\":0},\"merges\":[]}}",
         "'sep' has no id of the vocabulary", ZC_EFORMAT},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int r = load(cases[i].json, strlen(cases[i].json));
        ck_assert_msg(r == cases[i].err && strstr(dg.text, cases[i].says), "%zu: %s: %s", i,
                      zc_err_name(r), dg.text);
    }
}
END_TEST

/* Writes a file of a directory; n = 0 removes it. */
static void put(const char *dir, const char *name, const char *text, size_t n)
{
    char path[300];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (n == 0) {
        remove(path);
        return;
    }
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
}

static int open_size(const char *path)
{
    struct zt_tok *tok = NULL;

    int r = zt_tok_open(&tok, path, &dg);
    if (r < 0)
        return r;
    r = zt_tok_vocab_size(tok);
    zt_tok_free(tok);
    return r;
}

START_TEST(the_file_of_a_directory_is_chosen)
{
    char dir[T_DIR], path[300];
    char *json = t_tok_bytes_json(""), *tekken = t_tok_tekken_json();
    size_t n_model;
    char *model = t_tok_spm_model("", 0, &n_model);

    t_dir(dir);
    ck_assert_int_eq(open_size(dir), ZC_ENOTFOUND);
    put(dir, "tokenizer.model", "x", 1);
    ck_assert_int_eq(open_size(dir), ZC_EFORMAT);
    ck_assert_ptr_nonnull(strstr(dg.text, "tokenizer.model: byte 1"));
    put(dir, "tokenizer.model", model, n_model);
    ck_assert_int_eq(open_size(dir), 272);
    put(dir, "tekken.json", tekken, strlen(tekken));
    ck_assert_int_eq(open_size(dir), 268);
    put(dir, "tokenizer.json", json, strlen(json));
    ck_assert_int_eq(open_size(dir), 264);
    snprintf(path, sizeof path, "%s/tekken.json", dir);
    ck_assert_int_eq(open_size(path), 268);
    put(dir, "tokenizer.json", "{", 1);
    ck_assert_int_eq(open_size(dir), ZC_EFORMAT);
    ck_assert_ptr_nonnull(strstr(dg.text, "/tokenizer.json: byte 1"));
    for (const char *const *name = SPANS("tokenizer.json", "tekken.json", "tokenizer.model"); *name;
         name++)
        put(dir, *name, NULL, 0);
    rmdir(dir);
    free(json);
    free(tekken);
    free(model);
}
END_TEST

/* What tokenizer_config.json calls special: named, listed, or described. Tokens for padding are not
 * asked, and what is no token of the vocabulary does not become one. */
START_TEST(special_tokens_of_the_configuration_are_special)
{
    static const struct {
        const char *config;
        const char *special; /* which of <a> <b> <c> */
    } rows[] = {
        {NULL, "c"},
        {"{}", "c"},
        {"{\"eos_token\":\"<a>\"}", "ac"},
        {"{\"eos_token\":\"<a>\",\"model_max_length\":1000000000000000019884624838656,"
         "\"x\":\"\\u0000\"}",
         "ac"},
        {"{\"bos_token\":{\"content\":\"<b>\"},\"eos_token\":null}", "bc"},
        {"{\"additional_special_tokens\":[\"<a>\",{\"content\":\"<b>\"}]}", "abc"},
        {"{\"extra_special_tokens\":{\"image\":\"<b>\"}}", "bc"},
        {"{\"extra_special_tokens\":[\"<a>\",5]}", "ac"},
        {"{\"added_tokens_decoder\":{\"1\":{\"content\":\"<a>\",\"special\":true},"
         "\"2\":{\"content\":\"<c>\",\"special\":false}}}",
         "ac"},
        {"{\"pad_token\":\"<a>\",\"unk_token\":\"<b>\",\"eos_token\":\"<other>\"}", "c"},
    };
    char dir[T_DIR];
    char *json = t_tok_bytes_json(T_TOK_ADDED("<a>", "false") "," T_TOK_ADDED("<b>", "false") "," //
                                  T_TOK_ADDED("<c>", "true"));
    struct zt_tok *tok;

    t_dir(dir);
    put(dir, "tokenizer.json", json, strlen(json));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char got[4] = "", name[4] = "<a>";
        if (rows[i].config)
            put(dir, "tokenizer_config.json", rows[i].config, strlen(rows[i].config));
        t_assert_err(zt_tok_open(&tok, dir, &dg), ZC_OK, &dg);
        for (name[1] = 'a'; name[1] <= 'c'; name[1]++) {
            if (zt_tok_is_special(tok, zt_tok_find(tok, name, 3)))
                got[strlen(got)] = name[1];
        }
        ck_assert_msg(strcmp(got, rows[i].special) == 0, "%zu: %s", i, got);
        ck_assert_int_eq(zt_tok_vocab_size(tok), 267);
        zt_tok_free(tok);
    }
    /* One that was an ordinary token is an added one then. */
    put(dir, "tokenizer_config.json", "{\"eos_token\":\"ing\"}", 19);
    t_assert_err(zt_tok_open(&tok, dir, &dg), ZC_OK, &dg);
    ck_assert(zt_tok_is_added(tok, zt_tok_find(tok, "ing", 3)));
    ck_assert_int_eq(zt_tok_vocab_size(tok), 267);
    zt_tok_free(tok);
    put(dir, "tokenizer_config.json", "{", 1);
    t_assert_err(zt_tok_open(&tok, dir, &dg), ZC_EFORMAT, &dg);
    ck_assert_ptr_nonnull(strstr(dg.text, "tokenizer_config.json:1:"));
    put(dir, "tokenizer.json", NULL, 0);
    put(dir, "tokenizer_config.json", NULL, 0);
    rmdir(dir);
    free(json);
}
END_TEST

START_TEST(a_long_added_token_is_refused)
{
    char json[2000];

    snprintf(json, sizeof json,
             "{\"added_tokens\":[{\"content\":\"%0600d\"}],\"model\":{\"vocab\":{\"a\":0},"
             "\"merges\":[]}}",
             0);
    t_assert_err(load(json, strlen(json)), ZC_ELIMIT, &dg);
    ck_assert_ptr_nonnull(strstr(dg.text, "a token of 600 bytes"));
}
END_TEST

START_TEST(a_long_tekken_token_is_refused)
{
    char json[3000];

    snprintf(
        json, sizeof json,
        "{\"config\":{\"pattern\":\"a\",\"default_vocab_size\":3,"
        "\"default_num_special_tokens\":2},\"vocab\":[{\"rank\":0,\"token_bytes\":\"%01400d\"}]}",
        0);
    t_assert_err(try_load(true, json, strlen(json)), ZC_ELIMIT, &dg);
    ck_assert_ptr_nonnull(strstr(dg.text, "more than 1024 bytes"));
}
END_TEST

START_TEST(deep_nesting_is_refused)
{
    char json[4000];

    memset(json, '[', sizeof json);
    memcpy(json, "{\"x\":", 5);
    t_assert_err(load(json, sizeof json), ZC_ELIMIT, &dg);
    ck_assert_ptr_nonnull(strstr(dg.text, "nested deeper than 64"));
}
END_TEST

START_TEST(a_file_cut_anywhere_is_an_error)
{
    char *json = file_of(_i);
    size_t n = strlen(json);

    for (size_t cut = 0; cut < n; cut++) {
        char *part = zc_xmalloc(cut + 1); /* its own allocation, for the sanitizer */
        memcpy(part, json, cut);
        int r = try_load(_i == 2, part, cut);
        zc_free(part);
        if (r >= 0 || !dg.text[0])
            ck_abort_msg("cut at %zu: %d", cut, r);
    }
    ck_assert_int_eq(try_load(_i == 2, json, n), ZC_OK);
    free(json);
}
END_TEST

START_TEST(a_file_with_a_bit_turned_is_read_or_refused)
{
    char *json = file_of(_i);
    size_t n = strlen(json);

    for (size_t i = 0; i < n * 8; i += 37) {
        json[i / 8] ^= (char)(1 << i % 8);
        int r = try_load(_i == 2, json, n);
        ck_assert_msg(r == ZC_OK || (r < 0 && r != ZC_EINTERNAL && dg.text[0]), "bit %zu: %s", i,
                      dg.text);
        json[i / 8] ^= (char)(1 << i % 8);
    }
    free(json);
}
END_TEST

START_TEST(failing_memory_is_an_error_everywhere)
{
    char *json = file_of(_i);
    static const char text[] = "the <y> thing e\xff \u00e9\u4e2d thing thing aaaaaaaaaaaaaaaaaaaa"
                               "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    struct zt_tok *tok = NULL;
    struct zt_ids ids;
    struct zc_buf out;
    long n = 0;
    int r;

    do {
        zc_mem_fail_at(++n);
        r = load_as(&tok, _i == 2, json, strlen(json));
        ck_assert_msg(zc_mem_fail_at(0) > 0 || r == ZC_ENOMEM || r == ZC_OK, "%ld: %s", n, dg.text);
    } while (r < 0);
    ck_assert_int_gt(n, 10);
    n = 0;
    do {
        zt_ids_init(&ids, 1000);
        zc_mem_fail_at(++n);
        r = zt_tok_encode_bytes(tok, text, sizeof text - 1, 0, &ids, &dg);
        zc_mem_fail_at(0);
        ck_assert_msg(r == ZC_OK || (r == ZC_ENOMEM && ids.len == 0), "%ld: %s", n, dg.text);
        zt_ids_release(&ids);
    } while (r < 0 || n < 20);
    zt_ids_init(&ids, 1000);
    t_assert_err(zt_tok_encode_bytes(tok, text, sizeof text - 1, 0, &ids, &dg), ZC_OK, &dg);
    n = 0;
    do {
        zc_buf_init(&out, 1000);
        zc_mem_fail_at(++n);
        r = zt_tok_decode(tok, ids.data, ids.len, ZT_SPECIAL_KEEP, &out, &dg);
        zc_mem_fail_at(0);
        ck_assert_msg(r == ZC_OK || (r == ZC_ENOMEM && out.len == 0), "%ld: %s", n, dg.text);
        zc_buf_release(&out);
    } while (r < 0);
    zt_ids_release(&ids);
    zt_tok_free(tok);
    free(json);
}
END_TEST

/* ---- UTF-8 -------------------------------------------------------------------------------- */

START_TEST(utf8_steps_give_a_verdict)
{
    static const struct {
        const char *p;
        int want;
    } cases[] = {
        {"a", 1},          {"\xc2\x80", 2},       {"\xe0\xa0\x80", 3},  {"\xf4\x8f\xbf\xbf", 4},
        {"\xc2", 0},       {"\xe0\xa0", 0},       {"\xf0\x90\x80", 0},  {"\x80", -1},
        {"\xc1\x80", -1},  {"\xe0\x9f\x80", -1},  {"\xed\xa0\x80", -1}, {"\xf5", -1},
        {"\xe1\x80z", -2}, {"\xf1\x80\x80z", -3}, {"\xf4\x90", -1}};
    char p[4];
    uint32_t got;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(zc_utf8_step(cases[i].p, strlen(cases[i].p)) == cases[i].want, "case %zu", i);
    for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
        int n = zc_utf8_put(p, cp), step = zc_utf8_step(p, (size_t)n);
        bool is_right = cp >= 0xd800 && cp < 0xe000
                            ? step < 0
                            : step == n && zc_utf8_get(p, &got) == n && got == cp &&
                                  zc_utf8_tail(p, (size_t)n) == 0;
        for (int cut = 1; step > 0 && cut < n; cut++)
            is_right &= zc_utf8_tail(p, (size_t)cut) == (size_t)cut;
        if (!is_right) /* not an assertion for each: Check writes every one to a file */
            ck_abort_msg("U+%04X", cp);
    }
}
END_TEST

START_TEST(json_strings_are_unescaped)
{
    static const char text[] =
        "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\\ud83dx\\udc00\\u0000\"";
    struct zt_json j;
    struct zc_buf out;

    zc_buf_init(&out, 100);
    zt_json_init(&j, text, sizeof text - 1, &dg);
    t_assert_err(zt_json_string(&j, &out), ZC_OK, &dg);
    ck_assert_mem_eq(out.data, "\"\\/\b\f\n\r\t\u00e9\U0001f600\ufffdx\ufffd\0", out.len);
    ck_assert_uint_eq(out.len, 22);
    t_assert_err(zt_json_end(&j), ZC_OK, &dg);
    zc_buf_release(&out);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("text_tok");
    TCase *tc = tcase_create("tokenizer");

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, every_step_is_the_references);
    tcase_add_test(tc, short_and_long_words_merge_by_the_definition);
    tcase_add_test(tc, control_tokens_match_in_trusted_text_only);
    tcase_add_test(tc, spans_do_not_cut_words);
    tcase_add_test(tc, trust_survives_the_normalizer);
    tcase_add_test(tc, a_hidden_token_is_never_a_piece);
    tcase_add_test(tc, tokens_are_found_both_ways);
    tcase_add_test(tc, the_maximum_of_ids_holds);
    tcase_add_test(tc, a_regex_that_backtracks_is_stopped_and_named);
    tcase_add_test(tc, a_regex_knows_newer_symbols);
    tcase_add_test(tc, a_regex_that_looks_far_everywhere_is_stopped);
    tcase_add_test(tc, what_is_not_utf8_is_read_as_replacement_characters);
    tcase_add_test(tc, decoding_names_an_id_out_of_range);
    tcase_add_test(tc, tekken_joins_what_is_a_token);
    suite_add_tcase(s, tc);
    tc = tcase_create("streams");
    tcase_add_test(tc, a_stream_gives_whole_characters);
    tcase_add_test(tc, a_stream_decides_about_the_leading_space);
    tcase_add_test(tc, a_stream_of_halves_holds_back_little);
    suite_add_tcase(s, tc);
    tc = tcase_create("bad files");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, every_post_processor_goes_around_the_text);
    tcase_add_test(tc, what_is_not_done_is_refused_by_name);
    tcase_add_test(tc, what_is_not_done_together_is_refused_by_name);
    tcase_add_test(tc, a_bad_file_is_explained);
    tcase_add_test(tc, a_bad_tekken_is_explained);
    tcase_add_test(tc, the_file_of_a_directory_is_chosen);
    tcase_add_test(tc, special_tokens_of_the_configuration_are_special);
    tcase_add_test(tc, a_long_added_token_is_refused);
    tcase_add_test(tc, a_long_tekken_token_is_refused);
    tcase_add_test(tc, deep_nesting_is_refused);
    tcase_add_loop_test(tc, a_file_cut_anywhere_is_an_error, 0, 3);
    tcase_add_loop_test(tc, a_file_with_a_bit_turned_is_read_or_refused, 0, 3);
    tcase_add_loop_test(tc, failing_memory_is_an_error_everywhere, 0, 3);
    tcase_add_test(tc, utf8_steps_give_a_verdict);
    tcase_add_test(tc, json_strings_are_unescaped);
    suite_add_tcase(s, tc);
    return t_run(s);
}
