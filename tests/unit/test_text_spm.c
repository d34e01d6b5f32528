/* SPDX-License-Identifier: MIT */
/* SentencePiece's tokenizer.model: every option against answers of the reference
 * (text_spm_vectors.json), trust, streams, bad files; and the reader of protobuf under it. */
#include "config.h"

#include <jansson.h>
#include <string.h>

#include "common/zc_mem.h"
#include "tests/unit/t_tok.h"
#include "tests/unit/t_unit.h"
#include "zoracd/text/zt_proto.h"
#include "zoracd/text/zt_spm_norm.h"
#include "zoracd/text/zt_tok.h"

static struct zc_diag dg;

static struct zt_tok *make(void)
{
    struct zt_tok *tok = NULL;
    size_t n;
    char *model = t_tok_spm_model("", 0, &n);

    t_assert_err(zt_tok_new_spm(&tok, model, n, &dg), ZC_OK, &dg);
    free(model);
    return tok;
}

/* What loading the small model with more fields behind it gives; the diagnostic is in dg. */
static int load_with(const char *tail, size_t n_tail)
{
    struct zt_tok *tok = NULL;
    size_t n;
    char *model = t_tok_spm_model(tail, n_tail, &n);

    dg.text[0] = '\0';
    int r = zt_tok_new_spm(&tok, model, n, &dg);
    zt_tok_free(r < 0 ? NULL : tok);
    free(model);
    return r;
}

/* ---- the reference's answers -------------------------------------------------------------- */

static void check_ids(const struct zt_tok *tok, const json_t *row, const char *name)
{
    const json_t *text = json_object_get(row, "text"), *hex = json_object_get(row, "hex");
    const json_t *want = json_object_get(row, "ids");
    struct zt_ids ids;
    size_t n = json_string_length(text);

    if (!text && !hex)
        return;
    char *bytes = hex ? t_tok_unhex(hex, &n) : NULL;
    zt_ids_init(&ids, 10000);
    t_assert_err(zt_tok_encode_bytes(tok, hex ? bytes : json_string_value(text), n, 0, &ids, &dg),
                 ZC_OK, &dg);
    bool is_equal = ids.len == json_array_size(want);
    for (size_t i = 0; i < ids.len && is_equal; i++)
        is_equal = ids.data[i] == json_integer_value(json_array_get(want, i));
    ck_assert_msg(is_equal, "%s: ids of '%s'", name, json_string_value(hex ? hex : text));
    zt_ids_release(&ids);
    zc_free(bytes);
}

/* Decoding, at once and as a stream. */
static void check_text(const struct zt_tok *tok, const json_t *row, const char *name)
{
    const json_t *want = json_object_get(row, "dec"), *list = json_object_get(row, "ids");
    int32_t ids[1000];
    size_t n = json_array_size(list);
    struct zt_detok *d;
    struct zc_buf out;

    if (!want)
        return;
    ck_assert_uint_le(n, sizeof ids / sizeof ids[0]);
    for (size_t i = 0; i < n; i++)
        ids[i] = (int32_t)json_integer_value(json_array_get(list, i));
    for (int streamed = 0; streamed < 2; streamed++) {
        zc_buf_init(&out, 100000);
        zt_detok_new(&d, tok, ZT_SPECIAL_KEEP);
        for (size_t i = 0; i < n && streamed; i++)
            t_assert_err(zt_detok_push(d, ids[i], &out), ZC_OK, &dg);
        int r = streamed ? zt_detok_flush(d, &out)
                         : zt_tok_decode(tok, ids, n, ZT_SPECIAL_KEEP, &out, &dg);
        t_assert_err(r, ZC_OK, &dg);
        ck_assert_msg(out.len == json_string_length(want) &&
                          memcmp(zc_buf_str(&out), json_string_value(want), out.len) == 0,
                      "%s: '%s' instead of '%s'", name, zc_buf_str(&out), json_string_value(want));
        zt_detok_free(d);
        zc_buf_release(&out);
    }
}

START_TEST(every_option_is_the_references)
{
    json_t *cases = t_tok_vectors("text_spm_vectors.json"), *one, *row;
    size_t i, k, n;

    ck_assert_msg(json_array_size(cases) > 0, "no vectors");
    json_array_foreach (cases, i, one) {
        const char *name = json_string_value(json_object_get(one, "name"));
        char *model = t_tok_unhex(json_object_get(one, "model"), &n);
        struct zt_tok *tok = NULL;
        t_assert_err(zt_tok_new_spm(&tok, model, n, &dg), ZC_OK, &dg);
        json_array_foreach (json_object_get(one, "rows"), k, row) {
            check_ids(tok, row, name);
            check_text(tok, row, name);
        }
        zt_tok_free(tok);
        zc_free(model);
    }
    json_decref(cases);
}
END_TEST

/* ---- trust -------------------------------------------------------------------------------- */

static void assert_ids(const struct zt_tok *tok, const struct zt_text *text, unsigned flags,
                       const char *want)
{
    char got[400] = "";
    struct zt_ids ids;
    size_t n = 0;

    zt_ids_init(&ids, 1000);
    t_assert_err(zt_tok_encode(tok, text, flags, &ids, &dg), ZC_OK, &dg);
    for (size_t i = 0; i < ids.len; i++)
        n += (size_t)snprintf(got + n, sizeof got - n, "%s%d", i ? " " : "", ids.data[i]);
    ck_assert_str_eq(got, want);
    zt_ids_release(&ids);
}

START_TEST(control_pieces_come_out_of_trusted_text_only)
{
    struct zt_tok *tok = make();
    struct zt_text text;

    zt_text_init(&text, 100);
    zt_text_add(&text, "</s>", 4, true);
    zt_text_add(&text, "e", 1, false);
    assert_ids(tok, &text, ZT_TOK_ADD_SPECIAL, "1 2 260 263");
    zt_text_clear(&text);
    zt_text_add(&text, "</s>", 4, false);
    assert_ids(tok, &text, 0, "260 64 51 119 66"); /* the bytes of the four characters */
    assert_ids(tok, &text, ZT_TOK_PARSE_SPECIAL, "2");
    zt_text_clear(&text);
    zt_text_add(&text, "e<mark><0x41><unk>", 18, false);
    assert_ids(tok, &text, 0, "260 263 3 64 52 124 56 53 66 64 121 114 111 66");
    ck_assert_int_eq(zt_tok_find(tok, "</s>", 4), 2);
    ck_assert(zt_tok_is_special(tok, 2) && !zt_tok_is_special(tok, 3));
    zt_text_release(&text);
    zt_tok_free(tok);
}
END_TEST

static void put(const char *dir, const char *name, const char *p, size_t n)
{
    char path[300];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(p, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
}

START_TEST(other_files_add_tokens)
{
    static const char added[] = "{\"<extra>\":273,\"t\":9}";
    static const char config[] =
        "{\"added_tokens_decoder\":{\"3\":{\"content\":\"<mark>\",\"special\":true},"
        "\"272\":{\"content\":\"<|im_start|>\",\"special\":true}}}";
    char dir[T_DIR], command[T_DIR + 16];
    struct zt_tok *tok = NULL;
    struct zt_text text;
    size_t n;
    char *model = t_tok_spm_model("", 0, &n);

    t_dir(dir);
    put(dir, "tokenizer.model", model, n);
    put(dir, "added_tokens.json", added, sizeof added - 1);
    put(dir, "tokenizer_config.json", config, sizeof config - 1);
    t_assert_err(zt_tok_open(&tok, dir, &dg), ZC_OK, &dg);
    ck_assert_int_eq(zt_tok_vocab_size(tok), 274);
    ck_assert(zt_tok_is_special(tok, 272) && zt_tok_is_special(tok, 3) &&
              !zt_tok_is_special(tok, 273));
    zt_text_init(&text, 100);
    zt_text_add(&text, "<|im_start|>t<mark><extra>", 26, true);
    assert_ids(tok, &text, 0, "272 260 261 3 273");
    zt_text_clear(&text);
    zt_text_add(&text, "<mark><extra>", 13, false);
    assert_ids(tok, &text, 0, "260 64 113 264 118 111 66 273");
    zt_text_release(&text);
    zt_tok_free(tok);
    put(dir, "added_tokens.json", "{", 1);
    t_assert_err(zt_tok_open(&tok, dir, &dg), ZC_EFORMAT, &dg);
    ck_assert_ptr_nonnull(strstr(dg.text, "added_tokens.json:1"));
    snprintf(command, sizeof command, "rm -r %s", dir);
    ck_assert_int_eq(system(command), 0);
    free(model);
}
END_TEST

/* ---- bad files ---------------------------------------------------------------------------- */

START_TEST(what_is_not_done_is_refused_by_name)
{
    static const struct {
        const char *tail, *says;
        size_t n;
        int err;
    } cases[] = {
        {"\x12\x02\x18\x01", "type Unigram", 4, ZC_EUNSUPPORTED},
        {"\x12\x02\x18\x03", "type Word", 4, ZC_EUNSUPPORTED},
        {"\x12\x02\x18\x04", "type Char", 4, ZC_EUNSUPPORTED},
        {"\x12\x02\x18\x09", "type unknown", 4, ZC_EUNSUPPORTED},
        {"\x2a\x03\x12\x01x", "denormalizer", 5, ZC_EUNSUPPORTED},
        {"\x0a\x06\x0a\x02tt\x18\x05", "unused pieces", 8, ZC_EUNSUPPORTED},
        {"\x0a\x05\x0a\x01z\x18\x05", "unused pieces", 7, ZC_EUNSUPPORTED},
        {"\x0a\x04\x0a\x02tz", "one of its characters is no piece", 6, ZC_EUNSUPPORTED},
        {"\x0a\x03\x0a\x01t", "'t' is there twice", 5, ZC_EFORMAT},
        {"\x0a\x07\x0a\x03</s\x18\x02", "second unknown piece", 9, ZC_EFORMAT},
        {"\x0a\x08\x0a\x04</s>\x18\x03", "is there twice", 10, ZC_EFORMAT},
        {"\x0a\x05\x0a\x01y\x18\x06", "no byte of its own", 7, ZC_EFORMAT},
        {"\x0a\x05\x0a\x01y\x18\x07", "type 7 is unknown", 7, ZC_EFORMAT},
        {"\x0a\x02\x0a\x00", "piece 272: not a text", 4, ZC_EFORMAT},
        {"\x0a\x03\x0a\x01\xff", "piece 272: not a text", 5, ZC_EFORMAT},
        {"\x0a\x08\x0a\x01y\x15\x00\x00\xc0\x7f", "piece 272: not a text", 10, ZC_EFORMAT},
        {"\x12\x03\x98\x02\x00", "byte_fallback is off", 5, ZC_EFORMAT},
        {"\x1a\x03\x12\x01x", "precompiled_charsmap", 5, ZC_EFORMAT},
        {"\x0a\x02\x08\x01", "another type", 4, ZC_EFORMAT},
        {"\x10\x01", "another type", 2, ZC_EFORMAT},
        {"\x0a\x7f", "longer than its message", 2, ZC_EFORMAT},
        {"\x0b", "unknown type", 1, ZC_EFORMAT},
        {"\x02\x00", "without a number", 2, ZC_EFORMAT},
    };

    ck_assert_int_eq(load_with("\x0a\x08\x0a\x04what\x18\x05", 10), ZC_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int r = load_with(cases[i].tail, cases[i].n);
        ck_assert_msg(r == cases[i].err && strstr(dg.text, cases[i].says), "%zu: %s: %s", i,
                      zc_err_name(r), dg.text);
    }
    dg.text[0] = '\0';
    ck_assert_int_eq(zt_tok_new_spm(&(struct zt_tok *){NULL}, "", 0, &dg), ZC_EFORMAT);
    ck_assert_ptr_nonnull(strstr(dg.text, "not a SentencePiece model"));
}
END_TEST

/* Control pieces are no text in the reference; who has to tell lists of ids apart sees them. */
START_TEST(control_pieces_are_no_text)
{
    static const struct {
        enum zt_special special;
        const char *want;
    } rows[] = {
        {ZT_SPECIAL_KEEP, "the<mark> the"},
        {ZT_SPECIAL_SKIP, "the<mark> the"},
        {ZT_SPECIAL_SHOW, "<s> the<mark> the</s>"},
    };
    size_t n;
    char *model = t_tok_spm_model("", 0, &n);
    struct zt_tok *tok;
    struct zc_buf out;

    t_assert_err(zt_tok_new_spm(&tok, model, n, &dg), ZC_OK, &dg);
    int32_t the = zt_tok_find(tok, "\u2581the", 6);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        zc_buf_init(&out, 1000);
        t_assert_err(
            zt_tok_decode(tok, (int32_t[]){1, the, 3, the, 2}, 5, rows[i].special, &out, &dg),
            ZC_OK, &dg);
        ck_assert_str_eq(zc_buf_str(&out), rows[i].want);
        zc_buf_release(&out);
    }
    zt_tok_free(tok);
    free(model);
}
END_TEST

START_TEST(a_file_cut_anywhere_is_no_other_model)
{
    size_t n, loaded = 0;
    char *model = t_tok_spm_model("", 0, &n);

    for (size_t cut = 0; cut < n; cut++) {
        struct zt_tok *tok = NULL;
        char *part = zc_xmalloc(cut + 1); /* its own allocation, for the sanitizer */
        memcpy(part, model, cut);
        dg.text[0] = '\0';
        int r = zt_tok_new_spm(&tok, part, cut, &dg);
        zc_free(part);
        if (r < 0 && !dg.text[0])
            ck_abort_msg("cut at %zu: %d without a word", cut, r);
        loaded += r == ZC_OK;
        zt_tok_free(r < 0 ? NULL : tok);
    }
    /* Fields may be left out: without the normalizer_spec it is a model. */
    ck_assert_uint_eq(loaded, 1);
    free(model);
}
END_TEST

START_TEST(a_file_with_a_bit_turned_is_read_or_refused)
{
    size_t n;
    char *model = t_tok_spm_model("", 0, &n);

    for (size_t i = 0; i < n * 8; i += 7) {
        model[i / 8] ^= (char)(1 << i % 8);
        t_tok_check_file((const uint8_t *)model, n, zt_tok_new_spm);
        model[i / 8] ^= (char)(1 << i % 8);
    }
    free(model);
}
END_TEST

START_TEST(failing_memory_is_an_error_everywhere)
{
    static const char text[] = "the <mark> that e\xff \u00e9\u4e2d the the";
    size_t len;
    char *model = t_tok_spm_model("", 0, &len);
    struct zt_tok *tok = NULL;
    struct zt_ids ids;
    long n = 0;
    int r;

    do {
        zc_mem_fail_at(++n);
        r = zt_tok_new_spm(&tok, model, len, &dg);
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
    zt_tok_free(tok);
    free(model);
}
END_TEST

/* A table whose one state leads to itself, and one whose value lies outside: nothing is found. */
START_TEST(a_hostile_charsmap_ends)
{
    static const char loop[] = "\x08\0\0\0"
                               "\x00\x01\0\0"
                               "\x61\x05\0\0"
                               "x";
    static const char outside[] = "\x08\0\0\0"
                                  "\x00\x80\x00\0"
                                  "\x61\x81\x00\x40"
                                  "x";
    struct zt_text in, out;

    for (int i = 0; i < 2; i++) {
        struct zt_spm_norm s = {0};
        t_assert_err(zt_spm_norm_charsmap(&s, i ? outside : loop, sizeof loop, &dg), ZC_OK, &dg);
        zt_text_init(&in, 100);
        zt_text_init(&out, 100);
        zt_text_add(&in, "aaaabc", 6, false);
        t_assert_err(zt_spm_norm_run(&s, &in, &out), ZC_OK, &dg);
        ck_assert_uint_ge(out.buf.len, 3);
        zt_text_release(&in);
        zt_text_release(&out);
        zt_spm_norm_release(&s);
    }
}
END_TEST

/* ---- protobuf ----------------------------------------------------------------------------- */

START_TEST(fields_come_as_they_stand)
{
    static const char bytes[] = "\x08\x96\x01\x12\x02hi\x1d\x00\x00\x80\x3f\x21"
                                "12345678\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    struct zt_proto r;
    const char *p;
    int32_t v = 0;
    float f = 0;
    size_t n;
    bool b;

    zt_proto_init(&r, bytes, sizeof bytes - 1, &dg);
    ck_assert_int_eq(zt_proto_next(&r), 1);
    ck_assert(r.field == 1 && zt_proto_int(&r, &v) == ZC_OK && v == 150);
    ck_assert_int_eq(zt_proto_bytes(&r, &p, &n), ZC_EFORMAT);
    ck_assert_int_eq(zt_proto_next(&r), 1);
    ck_assert(r.field == 2 && zt_proto_bytes(&r, &p, &n) == ZC_OK && n == 2 && *p == 'h');
    ck_assert_int_eq(zt_proto_bool(&r, &b), ZC_EFORMAT);
    ck_assert_int_eq(zt_proto_next(&r), 1);
    ck_assert(r.field == 3 && zt_proto_float(&r, &f) == ZC_OK && f == 1.0f);
    ck_assert_int_eq(zt_proto_next(&r), 1);
    ck_assert(r.field == 4 && r.number == 0x3837363534333231);
    ck_assert_int_eq(zt_proto_next(&r), 1);
    ck_assert(zt_proto_int(&r, &v) == ZC_OK && v == -1);
    ck_assert_int_eq(zt_proto_next(&r), 0);
    for (size_t cut = 1; cut < sizeof bytes - 1; cut++) {
        int e = 1;
        zt_proto_init(&r, bytes, cut, &dg);
        while (e > 0)
            e = zt_proto_next(&r);
        bool is_whole = cut == 3 || cut == 7 || cut == 12 || cut == 21;
        ck_assert_msg(e == (is_whole ? 0 : ZC_EFORMAT), "cut at %zu", cut);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("text_spm");
    TCase *tc = tcase_create("model");

    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, every_option_is_the_references);
    tcase_add_test(tc, control_pieces_come_out_of_trusted_text_only);
    tcase_add_test(tc, other_files_add_tokens);
    tcase_add_test(tc, what_is_not_done_is_refused_by_name);
    tcase_add_test(tc, control_pieces_are_no_text);
    tcase_add_test(tc, a_file_cut_anywhere_is_no_other_model);
    tcase_add_test(tc, a_file_with_a_bit_turned_is_read_or_refused);
    tcase_add_test(tc, failing_memory_is_an_error_everywhere);
    tcase_add_test(tc, a_hostile_charsmap_ends);
    tcase_add_test(tc, fields_come_as_they_stand);
    suite_add_tcase(s, tc);
    return t_run(s);
}
