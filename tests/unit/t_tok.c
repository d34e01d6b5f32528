/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tests/unit/t_tok.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/zc_err.h"
#include "zoracd/text/zt_tok.h"
#include "common/zc_utf8.h"

/* Text that grows; it fits by construction. */
struct text {
    char *p;
    size_t n;
};

static void add_bytes(struct text *t, const char *s, size_t len)
{
    t->p = realloc(t->p, t->n + len + 1);
    if (!t->p)
        abort();
    memcpy(t->p + t->n, s, len);
    t->n += len;
    t->p[t->n] = '\0';
}

static void add(struct text *t, const char *s)
{
    add_bytes(t, s, strlen(s));
}

/* One member of vocab; id counts. */
static void add_token(struct text *t, const char *content, int *id)
{
    char line[128];

    snprintf(line, sizeof line, "%s\"%s\":%d", *id ? "," : "", content, *id);
    add(t, line);
    (*id)++;
}

/* The byte-level character of a byte, escaped for JSON. */
static void byte_char(char *out, size_t max, int byte)
{
    int cp = byte;

    if (byte <= 0x20)
        cp = 0x100 + byte;
    else if (byte >= 0x7f && byte <= 0xa0)
        cp = 0x121 + byte - 0x7f;
    else if (byte == 0xad)
        cp = 0x143;
    snprintf(out, max, "\\u%04x", (unsigned)cp);
}

/* Pairs that make the tokens th, the, _the, in, ing, and doubled spaces; _ is the space's sign. */
static void add_merges(struct text *t, const char *space, int *id, bool is_vocab)
{
    static const char *const pairs[][2] = {{"t", "h"},  {"th", "e"}, {"_", "the"}, {"i", "n"},
                                           {"in", "g"}, {"_", "_"},  {"__", "__"}, {"a", "a"}};

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct text left = {0}, right = {0}, line = {0};
        for (int side = 0; side < 2; side++) {
            for (const char *c = pairs[i][side]; *c; c++) {
                char one[2] = {*c, '\0'};
                add(side ? &right : &left, *c == '_' ? space : one);
            }
        }
        add(&line, left.p);
        if (!is_vocab)
            add(&line, "\",\"");
        add(&line, right.p);
        if (is_vocab) {
            add_token(t, line.p, id);
        } else {
            add(t, i ? ",[\"" : "[\"");
            add(t, line.p);
            add(t, "\"]");
        }
        free(left.p);
        free(right.p);
        free(line.p);
    }
}

char *t_tok_bytes_json(const char *added)
{
    struct text t = {0};
    char c[16];
    int id = 0;

    add(&t, "{\"version\":\"1.0\",\"added_tokens\":[");
    add(&t, added);
    add(&t, "],\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":"
            "false},\"post_processor\":null,\"decoder\":{\"type\":\"ByteLevel\"},"
            "\"model\":{\"type\":\"BPE\",\"vocab\":{");
    for (int byte = 0; byte < 256; byte++) {
        byte_char(c, sizeof c, byte);
        add_token(&t, c, &id);
    }
    add_merges(&t, "\\u0120", &id, true);
    add(&t, "},\"merges\":[");
    add_merges(&t, "\\u0120", &id, false);
    add(&t, "]}}");
    return t.p;
}

char *t_tok_meta_json(const char *added)
{
    static const char *const first[] = {"<unk>", "<s>", "</s>"};
    struct text t = {0};
    char c[16];
    int id = 0;

    add(&t, "{\"version\":\"1.0\",\"added_tokens\":[" T_TOK_ADDED("<unk>", "true") "," T_TOK_ADDED(
                "<s>", "true") "," T_TOK_ADDED("</s>", "true"));
    add(&t, *added ? "," : "");
    add(&t, added);
    add(&t, "],\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\","
            "\"prepend\":\"\\u2581\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},"
            "\"content\":\"\\u2581\"}]},\"pre_tokenizer\":null,\"post_processor\":{\"type\":"
            "\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\"}},{\"Sequence\":"
            "{\"id\":\"A\"}}],\"special_tokens\":{\"<s>\":{\"ids\":[1]}}},\"decoder\":{\"type\":"
            "\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":\"\\u2581\"},"
            "\"content\":\" \"},{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},{\"type\":"
            "\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}]},\"model\":{\"type\":\"BPE\","
            "\"unk_token\":\"<unk>\",\"fuse_unk\":true,\"byte_fallback\":true,\"vocab\":{");
    for (int i = 0; i < 3; i++)
        add_token(&t, first[i], &id);
    for (int byte = 0; byte < 256; byte++) {
        snprintf(c, sizeof c, "<0x%02X>", (unsigned)byte);
        add_token(&t, c, &id);
    }
    add_token(&t, "\\u2581", &id);
    for (const char *letter = "aeghint"; *letter; letter++) {
        char one[2] = {*letter, '\0'};
        add_token(&t, one, &id);
    }
    add_merges(&t, "\\u2581", &id, true);
    add(&t, "},\"merges\":[");
    add_merges(&t, "\\u2581", &id, false);
    add(&t, "]}}");
    return t.p;
}

static void base64(char *out, const char *p, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < n; i += 3) {
        unsigned v = 0;
        for (size_t k = 0; k < 3; k++)
            v = v << 8 | (i + k < n ? (unsigned char)p[i + k] : 0);
        for (size_t k = 0; k < 4; k++)
            *out++ = i + k > n ? '=' : digits[v >> (18 - 6 * k) & 63];
    }
    *out = '\0';
}

char *t_tok_tekken_json(void)
{
    static const char *const words[] = {"th", "he", "the", " the", "in", "ing", "\xc3\xa9"};
    const int n_words = sizeof words / sizeof words[0];
    struct text t = {0};
    char line[128], code[64];

    snprintf(line, sizeof line,
             "{\"config\":{\"pattern\":\" ?\\\\p{L}+|\\\\s+(?!\\\\S)|[^\\\\p{L}]\","
             "\"default_vocab_size\":%d,",
             5 + 256 + n_words);
    add(&t, line);
    add(&t, "\"default_num_special_tokens\":5},\"special_tokens\":[{\"rank\":1,\"token_str\":"
            "\"<s>\"},{\"rank\":0,\"token_str\":\"<unk>\"},{\"rank\":2,\"token_str\":\"</s>\"}],"
            "\"vocab\":[");
    for (int rank = 0; rank < 256 + n_words; rank++) {
        char byte = (char)rank;
        const char *p = rank < 256 ? &byte : words[rank - 256];
        base64(code, p, rank < 256 ? 1 : strlen(p));
        snprintf(line, sizeof line, "%s{\"rank\":%d,\"token_bytes\":\"%s\",\"token_str\":null}",
                 rank ? "," : "", rank, code);
        add(&t, line);
    }
    add(&t, "]}");
    return t.p;
}

/* ---- tokenizer.model ---------------------------------------------------------------------- */

/* Field 1 of the file: a piece's text, score and type. */
static void add_piece(struct text *t, const char *content, float score, char type)
{
    char head[] = {0x0a, 0, 0x0a, 0}, tail[] = {0x15, 0, 0, 0, 0, 0x18, type};
    size_t n = strlen(content);

    head[1] = (char)(n + 9);
    head[3] = (char)n;
    memcpy(tail + 1, &score, 4);
    add_bytes(t, head, sizeof head);
    add_bytes(t, content, n);
    add_bytes(t, tail, sizeof tail);
}

char *t_tok_spm_model(const char *tail, size_t n_tail, size_t *ret_n)
{
    static const char *const pieces[] = {"\u2581", "t",  "h",  "e",        "a",         "\u00e9",
                                         "th",     "he", "at", "\u2581th", "\u2581the", "that"};
    /* trainer_spec: BPE, byte_fallback; normalizer_spec: white space stays as it is */
    static const char specs[] = "\x12\x05\x18\x02\x98\x02\x01\x1a\x02\x20\x00";
    struct text t = {0};
    char name[8];

    add_piece(&t, "<unk>", 0, 2);
    add_piece(&t, "<s>", 0, 3);
    add_piece(&t, "</s>", 0, 3);
    add_piece(&t, "<mark>", 0, 4);
    for (unsigned i = 0; i < 256; i++) {
        snprintf(name, sizeof name, "<0x%02X>", i);
        add_piece(&t, name, 0, 6);
    }
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
        add_piece(&t, pieces[i], -(float)i, 1);
    add_bytes(&t, specs, sizeof specs - 1);
    add_bytes(&t, tail, n_tail);
    *ret_n = t.n;
    return t.p;
}

/* ---- for fuzz targets --------------------------------------------------------------------- */

static void stream(const struct zt_tok *tok, const struct zt_ids *ids)
{
    struct zt_detok *d;
    struct zc_buf out;

    zc_buf_init(&out, 1 << 20);
    zt_detok_new(&d, tok, ZT_SPECIAL_KEEP);
    for (size_t i = 0; i < ids->len && i < 1000; i++) {
        if (zt_detok_push(d, ids->data[i], &out) == ZC_EINVAL ||
            zc_utf8_valid(zc_buf_str(&out), out.len) != out.len)
            abort();
    }
    zt_detok_free(d);
    zc_buf_release(&out);
}

json_t *t_tok_vectors(const char *name)
{
    const char *top = getenv("top_srcdir");
    char path[4096];

    snprintf(path, sizeof path, "%s/tests/unit/%s", top ? top : ".", name);
    return json_load_file(path, JSON_ALLOW_NUL, NULL);
}

char *t_tok_case(const json_t *vectors, const json_t *one)
{
    const char *base = json_string_value(json_object_get(one, "base")), *key;
    json_t *spec = json_deep_copy(json_object_get(json_object_get(vectors, "bases"), base));
    json_t *changes = json_object_get(one, "changes"), *value;

    json_object_foreach (changes, key, value) {
        if (strcmp(key, "model") == 0)
            json_object_update(json_object_get(spec, key), value);
        else
            json_object_set(spec, key, value);
    }
    char *json = json_dumps(spec, JSON_ENSURE_ASCII);
    json_decref(spec);
    return json;
}

char *t_tok_unhex(const json_t *hex, size_t *ret_n)
{
    const char *p = json_string_value(hex);
    char *out = malloc(json_string_length(hex) / 2 + 1);

    *ret_n = json_string_length(hex) / 2;
    for (size_t i = 0; i < *ret_n; i++)
        if (!out || sscanf(p + 2 * i, "%2hhx", (unsigned char *)&out[i]) != 1)
            abort();
    return out;
}

void t_tok_check_file(const uint8_t *p, size_t n, t_tok_load load)
{
    static const char text[] =
        "Hello  w\u00f6rld \u4e2d<s>[INST] 12\n\n\te\u0301 aab<mark> \xff the";
    struct zc_diag dg = {""};
    struct zt_tok *tok;
    struct zt_ids ids;
    struct zc_buf out;

    if (load(&tok, (const char *)p, n, &dg) < 0) {
        if (!dg.text[0])
            abort();
        return;
    }
    zt_ids_init(&ids, 1 << 20);
    zc_buf_init(&out, 1 << 20);
    int r = zt_tok_encode_bytes(tok, text, sizeof text - 1,
                                ZT_TOK_PARSE_SPECIAL | ZT_TOK_ADD_SPECIAL, &ids, &dg);
    if (r >= 0 && zt_tok_decode(tok, ids.data, ids.len, ZT_SPECIAL_KEEP, &out, &dg) == ZC_EINVAL)
        abort();
    if (zc_utf8_valid(zc_buf_str(&out), out.len) != out.len)
        abort();
    stream(tok, &ids);
    zt_ids_release(&ids);
    zc_buf_release(&out);
    zt_tok_free(tok);
}

static bool has_special(const struct zt_tok *tok, const struct zt_ids *ids)
{
    bool special = false;

    for (size_t i = 0; i < ids->len; i++)
        special |= zt_tok_is_special(tok, ids->data[i]);
    return special;
}

void t_tok_check_text(const struct zt_tok *tok, bool is_meta, const char *p, size_t n, size_t step)
{
    struct zt_text text;
    struct zt_ids ids;
    struct zc_buf want, got;

    zt_text_init(&text, n);
    zt_ids_init(&ids, 1 << 20);
    zc_buf_init(&want, 4 * n + 16);
    zc_buf_init(&got, 16 * n + 16);
    for (size_t i = 0; i < n; i += step)
        zt_text_add(&text, p + i, n - i < step ? n - i : step, step < 64 && (i / step) % 2);
    if (zt_tok_encode(tok, &text, 0, &ids, NULL) < 0 ||
        zt_tok_decode(tok, ids.data, ids.len, ZT_SPECIAL_KEEP, &got, NULL) < 0)
        abort();
    bool special = has_special(tok, &ids);
    zc_utf8_lossy(&want, p, n);
    /* SentencePiece's sign comes back as a space, and there is one behind a special token */
    bool is_exact = !is_meta || (!special && !memmem(p, n, "\u2581", 3));
    if ((special && step >= 64) ||
        (is_exact && (got.len != want.len || memcmp(zc_buf_str(&got), zc_buf_str(&want), got.len))))
        abort();
    zt_text_release(&text);
    zt_ids_release(&ids);
    zc_buf_release(&want);
    zc_buf_release(&got);
}
