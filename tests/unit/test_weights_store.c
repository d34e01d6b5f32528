/* SPDX-License-Identifier: MIT */
/* Unit tests of the tensor files: headers, shards, reading. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/zc_mem.h"
#include "tests/unit/t_safetensors.h"
#include "tests/unit/t_unit.h"
#include "zoracd/weights/zw_read.h"
#include "zoracd/weights/zw_store.h"

/* ---- headers ------------------------------------------------------------------------------ */

/* What a zw_header_cb saw. */
struct seen {
    int n;
    uint64_t end;
    char names[256];
};

static int see(const struct zw_tensor *t, void *arg, struct zc_diag *dg)
{
    struct seen *s = arg;

    (void)dg;
    ck_assert_uint_eq(t->offset, s->end);
    s->end += t->bytes;
    s->n++;
    if (strlen(s->names) + strlen(t->name) + 2 < sizeof s->names)
        strcat(strcat(s->names, t->name), " ");
    return ZC_OK;
}

/* A file of header text and n zero bytes of data, parsed. */
static int parse(const char *text, size_t n, struct seen *s, struct zc_diag *dg)
{
    size_t len = strlen(text);
    uint8_t *p = zc_xcalloc(8 + len + n, 1);

    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)((uint64_t)len >> 8 * i);
    memcpy(p + 8, text, len);
    *s = (struct seen){.end = 8 + len};
    int r = zw_header_parse(p, 8 + len + n, 8 + len + n, see, s, dg);
    zc_free(p);
    return r;
}

START_TEST(header_takes_what_the_format_allows)
{
    static const struct {
        const char *text;
        size_t bytes;
        int n;
    } good[] = {
        {"{}", 0, 0},
        {"{\"__metadata__\":{\"format\":\"pt\"}}", 0, 0},
        {"  \n{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}   ", 8, 1},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, 1},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3,0,7],\"data_offsets\":[0,0]}}", 0, 1},
        {"{\"a\":{\"dtype\":\"F4\",\"shape\":[3,2],\"data_offsets\":[0,3]}}", 3, 1},
        {"{\"a\":{\"dtype\":\"F6_E2M3\",\"shape\":[4],\"data_offsets\":[0,3]}}", 3, 1},
        {"{\"a\":{\"dtype\":\"C64\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8, 1},
        {"{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[4,5]},"
         "\"a\":{\"data_offsets\":[0,4],\"shape\":[1,1,1],\"dtype\":\"I32\"},"
         "\"z\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[4,4]}}",
         5, 3},
    };
    struct zc_diag dg = {""};
    struct seen s;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        t_assert_err(parse(good[i].text, good[i].bytes, &s, &dg), ZC_OK, &dg);
        ck_assert_int_eq(s.n, good[i].n);
    }
    ck_assert_str_eq(s.names, "a z b ");
}
END_TEST

START_TEST(header_rejects_what_contradicts_itself)
{
    static const struct {
        const char *text;
        size_t bytes;
        const char *says;
    } bad[] = {
        {"", 0, "JSON"},
        {"{", 0, "JSON"},
        {"\xff", 0, "JSON"},
        {"[]", 0, "not an object"},
        {"{}x", 0, "JSON"},
        {"{\"a\\u0000b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "JSON"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 3, "end at"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 2, "end at"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2,18446744073709551614],\"data_offsets\":[0,1]}}", 1,
         "JSON"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0,
         "overflows"},
        {"{\"a\":{\"dtype\":\"F64\",\"shape\":[2305843009213693952],\"data_offsets\":[0,0]}}", 0,
         "overflows"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[-1],\"data_offsets\":[0,1]}}", 1, "shape[0]"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1.0],\"data_offsets\":[0,1]}}", 1, "shape[0]"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":\"1\",\"data_offsets\":[0,1]}}", 1, "shape"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,1]}}", 1, "fit"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[4,5]}}", 5, "begins at"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,0]}}", 1, "fit"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", 1, "data_offsets"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,2]}}", 1, "data_offsets"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[5,6]}}",
         6, "begins at"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
         3, "begins at"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
         "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
         1, "JSON"},
        {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
         "JSON"},
        {"{\"a\":{\"dtype\":\"Q9\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "Q9"},
        {"{\"a\":{\"dtype\":3,\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "dtype"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, "other keys"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"x\":1}}", 1,
         "other keys"},
        {"{\"a\":[]}", 0, "not an object"},
        {"{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 1, "whole bytes"},
        {"{\"__metadata__\":{\"a\":1}}", 0, "__metadata__"},
        {"{\"__metadata__\":[]}", 0, "__metadata__"},
    };
    struct zc_diag dg;
    struct seen s;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        t_assert_err(parse(bad[i].text, bad[i].bytes, &s, &dg), ZC_EFORMAT, &dg);
        ck_assert_msg(strstr(dg.text, bad[i].says) != NULL, "%s: %s", bad[i].text, dg.text);
        ck_assert_int_eq(s.n, 0);
    }
}
END_TEST

START_TEST(header_rejects_ten_tensors_in_one_place)
{
    char text[2048] = "{";
    struct zc_diag dg;
    struct seen s;

    for (int i = 0; i < 10; i++)
        sprintf(text + strlen(text),
                "%s\"t%d\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}", i ? "," : "",
                i);
    strcat(text, "}");
    t_assert_err(parse(text, 8, &s, &dg), ZC_EFORMAT, &dg);
}
END_TEST

START_TEST(header_length_is_checked_before_memory_is_taken)
{
    static const struct {
        uint8_t head[8];
        uint64_t file_size;
        int want;
    } cases[] = {
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 8, ZC_EFORMAT},
        {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, UINT64_MAX, ZC_EFORMAT},
        {{60}, 8, ZC_EFORMAT},
        {{0, 0, 0, 0, 1}, (1ull << 32) + 8, ZC_EFORMAT}, /* 4 GiB of header, and a file for it */
        {{1, 0xe1, 0xf5, 0x05}, 1ull << 40, ZC_EFORMAT}, /* one over the format's limit */
        {{0, 0xe1, 0xf5, 0x05}, 100000008, ZC_OK},       /* at the limit */
        {{2}, 10, ZC_OK},
        {{'G', 'G', 'U', 'F', 3}, 1000, ZC_EUNSUPPORTED},
    };
    struct zc_diag dg = {""};
    uint64_t len;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        t_assert_err(zw_header_length(&len, cases[i].head, 8, cases[i].file_size, &dg),
                     cases[i].want, &dg);
    t_assert_err(zw_header_length(&len, cases[0].head, 0, 0, &dg), ZC_EFORMAT, &dg);
    t_assert_err(zw_header_length(&len, cases[0].head, 7, 7, &dg), ZC_EFORMAT, &dg);
    t_assert_err(zw_header_length(&len, cases[6].head, 7, 10, &dg), ZC_EAGAIN, &dg);
    t_assert_err(zw_header_parse(cases[6].head, 8, 10, see, NULL, &dg), ZC_EAGAIN, &dg);
}
END_TEST

/* text repeated n times between head and tail. */
static char *repeat(const char *head, const char *text, size_t n, const char *tail)
{
    char *s = zc_xmalloc(strlen(head) + n * strlen(text) + strlen(tail) + 1);
    char *p = stpcpy(s, head);

    for (size_t i = 0; i < n; i++)
        p = stpcpy(p, text);
    strcpy(p, tail);
    return s;
}

START_TEST(header_limits_are_kept)
{
    struct zc_diag dg;
    struct seen s;
    char *text = repeat("{\"", "n", ZW_MAX_NAME,
                        "\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}");

    t_assert_err(parse(text, 1, &s, &dg), ZC_OK, &dg);
    zc_free(text);
    text = repeat("{\"", "n", ZW_MAX_NAME + 1,
                  "\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}");
    t_assert_err(parse(text, 1, &s, &dg), ZC_ELIMIT, &dg);
    zc_free(text);
    text = repeat("{\"a\":{\"dtype\":\"U8\",\"shape\":[1", ",1", ZW_MAX_RANK,
                  "],\"data_offsets\":[0,1]}}");
    t_assert_err(parse(text, 1, &s, &dg), ZC_ELIMIT, &dg);
    zc_free(text);
    text = repeat("{\"a\":", "[", 3, "");
    t_assert_err(parse(text, 0, &s, &dg), ZC_ELIMIT, &dg);
    ck_assert_ptr_nonnull(strstr(dg.text, "nested deeper than 3"));
    zc_free(text);
    text = repeat("[", "{},", 2000000, "1]");
    t_assert_err(parse(text, 0, &s, &dg), ZC_ELIMIT, &dg);
    zc_free(text);
    text = repeat("{\"__metadata__\":{\"a\":\"", ",[{", 3000000, "\"}}");
    t_assert_err(parse(text, 0, &s, &dg), ZC_OK, &dg); /* inside a string nothing counts */
    zc_free(text);
}
END_TEST

static uint8_t *small_file(size_t *ret_n)
{
    static const uint8_t data[24] = {1, 2, 3};
    struct t_st st;

    t_st_init(&st);
    t_st_add(&st, "model.a.weight", "F16", 2, 4, data, 16);
    t_st_add(&st, "model.\xc3\xa9.bias", "F32", 2, 0, data, 8);
    t_st_add(&st, "empty", "BF16", 0, 0, data, 0);
    return t_st_take(&st, ret_n);
}

START_TEST(header_cut_at_every_byte)
{
    size_t n;
    uint8_t *p = small_file(&n);
    struct zc_diag dg;

    for (size_t cut = 0; cut < n; cut++) {
        struct seen s = {0};
        uint8_t *q = zc_xmalloc(cut ? cut : 1); /* at its own end, for the sanitizer */
        memcpy(q, p, cut);
        t_assert_err(zw_header_parse(q, cut, cut, see, &s, &dg), ZC_EFORMAT, &dg);
        ck_assert_int_eq(s.n, 0);
        zc_free(q);
    }
    zc_free(p);
}
END_TEST

/* Whatever a flipped bit makes of the header, what is accepted still fills the file exactly. */
START_TEST(header_with_any_bit_flipped)
{
    size_t n;
    uint8_t *p = small_file(&n);
    uint64_t header = 8 + p[0];

    for (size_t bit = 0; bit < header * 8; bit++) {
        struct seen s = {.end = header};
        struct zc_diag dg = {""};
        p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        int r = zw_header_parse(p, n, n, see, &s, &dg);
        ck_assert(r == ZC_OK || r == ZC_EFORMAT || r == ZC_ELIMIT);
        if (r == ZC_OK)
            ck_assert_uint_eq(s.end, n);
        else
            ck_assert_str_ne(dg.text, "");
        p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    zc_free(p);
}
END_TEST

/* ---- the store ---------------------------------------------------------------------------- */

static char *dir;

static void setup(void)
{
    dir = t_dir_new();
}

static void teardown(void)
{
    t_dir_remove(dir);
}

/* Opens the store, wants an error that says a word. */
static void refuse(int want, const char *says)
{
    struct zw_store *s = NULL;
    struct zc_diag dg = {""};

    t_assert_err(zw_store_open(&s, dir, &dg), want, &dg);
    ck_assert_ptr_null(s);
    ck_assert_msg(strstr(dg.text, says) != NULL, "%s", dg.text);
}

START_TEST(store_reads_a_single_file)
{
    struct zw_store *s;
    struct zc_diag dg = {""};
    uint8_t got[3];
    size_t n;
    uint8_t *p = small_file(&n);

    t_dir_write(dir, "model.safetensors", p, n);
    t_assert_err(zw_store_open(&s, dir, &dg), ZC_OK, &dg);
    ck_assert_uint_eq(zw_store_n_tensors(s), 3);
    ck_assert_uint_eq(zw_store_total_bytes(s), 24);
    ck_assert_ptr_null(zw_store_find(s, "model.a.weigh"));
    const struct zw_tensor *t = zw_store_find(s, "model.a.weight");
    ck_assert_ptr_nonnull(t);
    ck_assert_int_eq(t->dtype, ZW_F16);
    ck_assert_int_eq(t->rank, 2);
    ck_assert_uint_eq(t->shape[1], 4);
    ck_assert_str_eq(zw_store_file_name(s, t->file), "model.safetensors");
    t_assert_err(zw_store_read(s, t, 1, got, 2, &dg), ZC_OK, &dg);
    ck_assert_int_eq(got[0], 2);
    ck_assert_int_eq(got[1], 3);
    zw_store_free(s);
    zc_free(p);
}
END_TEST

/* One byte tensor of a name in a file of a name. */
static void write_shard(const char *file, const char *name, uint8_t value)
{
    struct t_st st;

    t_st_init(&st);
    t_st_add(&st, name, "U8", 1, 0, &value, 1);
    t_st_write(&st, dir, file);
}

START_TEST(store_reads_shards)
{
    struct zw_store *s;
    struct zc_diag dg = {""};
    struct t_st st;
    uint8_t got;

    write_shard("model-1.safetensors", "a", 10);
    t_st_init(&st);
    t_st_add(&st, "a", "U8", 1, 0, "x", 1); /* the index says that it is in the other shard */
    t_st_add(&st, "b", "U8", 1, 0, "\x14", 1);
    t_st_add(&st, "extra", "U8", 1, 0, "x", 1);
    t_st_write(&st, dir, "model-2.safetensors");
    t_dir_write_text(dir, "model.safetensors.index.json",
                     "{\"metadata\":{\"total_size\":3.0e9},\"weight_map\":"
                     "{\"b\":\"model-2.safetensors\",\"a\":\"model-1.safetensors\"}}");
    t_assert_err(zw_store_open(&s, dir, &dg), ZC_OK, &dg);
    ck_assert_uint_eq(zw_store_n_tensors(s), 2);
    ck_assert_uint_eq(zw_store_n_ignored(s), 2);
    ck_assert_ptr_null(zw_store_find(s, "extra"));
    t_assert_err(zw_store_read(s, zw_store_find(s, "a"), 0, &got, 1, &dg), ZC_OK, &dg);
    ck_assert_int_eq(got, 10);
    t_assert_err(zw_store_read(s, zw_store_find(s, "b"), 0, &got, 1, &dg), ZC_OK, &dg);
    ck_assert_int_eq(got, 20);
    zw_store_free(s);
}
END_TEST

START_TEST(store_rejects_a_bad_index)
{
    static const struct {
        const char *index;
        const char *says;
    } bad[] = {
        {"{", "JSON"},
        {"[]", "weight_map"},
        {"{}", "weight_map"},
        {"{\"weight_map\":{}}", "weight_map"},
        {"{\"weight_map\":[\"a\"]}", "weight_map"},
        {"{\"weight_map\":{\"a\":1}}", "no name of a shard"},
        {"{\"weight_map\":{\"a\":\"\"}}", "no name of a shard"},
        {"{\"weight_map\":{\"a\":\"../model-1.safetensors\"}}", "no name of a shard"},
        {"{\"weight_map\":{\"a\":\"..\"}}", "no name of a shard"},
        {"{\"weight_map\":{\"a\":\"/etc/passwd\"}}", "no name of a shard"},
        {"{\"weight_map\":{\"a\":\"x\\\\y\"}}", "no name of a shard"},
        {"{\"weight_map\":{\"a\":\"x\\u0000y\"}}", "JSON"},
        {"{\"weight_map\":{\"a\":\"model-3.safetensors\"}}", "missing"},
        {"{\"weight_map\":{\"b\":\"model-1.safetensors\"}}", "tensor b is missing"},
        {"{\"weight_map\":{\"a\":\"model-1.safetensors\",\"a\":\"model-1.safetensors\"}}", "JSON"},
    };

    write_shard("model-1.safetensors", "a", 10);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        t_dir_write_text(dir, "model.safetensors.index.json", bad[i].index);
        refuse(ZC_EFORMAT, bad[i].says);
    }
}
END_TEST

START_TEST(store_names_what_it_does_not_read)
{
    static const struct {
        const char *file;
        const char *says;
    } foreign[] = {
        {"model-q4_0.gguf", "GGUF"},
        {"consolidated.safetensors", "Mistral"},
        {"consolidated.00.pth", "PyTorch"},
        {"pytorch_model.bin", "PyTorch"},
        {"pytorch_model-00001-of-00002.bin", "PyTorch"},
        {"tf_model.h5", "TensorFlow"},
        {"flax_model.msgpack", "Flax"},
        {"model-00001-of-00002.safetensors", "index"},
        {"weights.safetensors", "not called"},
    };

    refuse(ZC_ENOTFOUND, "holds no");
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        t_dir_write_text(dir, foreign[i].file, "x");
        refuse(ZC_EUNSUPPORTED, foreign[i].says);
        char *path = zc_xasprintf("%s/%s", dir, foreign[i].file);
        unlink(path);
        zc_free(path);
    }
}
END_TEST

START_TEST(store_refuses_odd_paths)
{
    struct zw_store *s = NULL;
    struct zc_diag dg;
    char *path = zc_xasprintf("%s/model.gguf", dir);

    t_dir_write_text(dir, "model.gguf", "GGUF");
    t_assert_err(zw_store_open(&s, path, &dg), ZC_EUNSUPPORTED, &dg);
    ck_assert_ptr_nonnull(strstr(dg.text, "GGUF"));
    zc_free(path);
    t_assert_err(zw_store_open(&s, "/nonexistent/model", &dg), ZC_ENOTFOUND, &dg);
    path = zc_xasprintf("%s/model.safetensors", dir);
    ck_assert_int_eq(mkfifo(path, 0600), 0); /* opening it must not wait for a writer */
    refuse(ZC_EFORMAT, "regular");
    unlink(path);
    ck_assert_int_eq(symlink("nowhere", path), 0);
    refuse(ZC_ENOTFOUND, "no such file");
    zc_free(path);
}
END_TEST

START_TEST(store_notices_a_file_that_shrinks)
{
    struct zw_store *s;
    struct zc_diag dg = {""};
    uint8_t got[24];
    size_t n;
    uint8_t *p = small_file(&n);
    char *path = zc_xasprintf("%s/model.safetensors", dir);

    t_dir_write(dir, "model.safetensors", p, n);
    t_assert_err(zw_store_open(&s, dir, &dg), ZC_OK, &dg);
    ck_assert_int_eq(truncate(path, (off_t)n - 20), 0);
    t_assert_err(zw_store_read(s, zw_store_find(s, "model.a.weight"), 0, got, 16, &dg), ZC_EFORMAT,
                 &dg);
    ck_assert_ptr_nonnull(strstr(dg.text, "model.safetensors: tensor model.a.weight"));
    zw_store_free(s);
    zc_free(path);
    zc_free(p);
}
END_TEST

START_TEST(store_file_cut_at_every_byte)
{
    size_t n;
    uint8_t *p = small_file(&n);

    for (size_t cut = 0; cut < n; cut++) {
        t_dir_write(dir, "model.safetensors", p, cut);
        refuse(ZC_EFORMAT, "model.safetensors");
    }
    zc_free(p);
}
END_TEST

START_TEST(store_survives_failing_memory)
{
    struct zw_store *s = NULL;
    struct zc_diag dg = {""};
    long at = 0;
    int r;

    write_shard("model-1.safetensors", "a", 1);
    write_shard("model-2.safetensors", "b", 2);
    t_dir_write_text(dir, "model.safetensors.index.json",
                     "{\"weight_map\":"
                     "{\"b\":\"model-2.safetensors\",\"a\":\"model-1.safetensors\"}}");
    do {
        zc_mem_fail_at(++at);
        r = zw_store_open(&s, dir, &dg);
        zc_mem_fail_at(0);
        ck_assert(r == ZC_OK || r == ZC_ENOMEM);
    } while (r != ZC_OK);
    ck_assert_int_gt(at, 5);
    zw_store_free(s);
}
END_TEST

START_TEST(vectors_become_floats)
{
    static const float f32[3] = {1.5f, -2.25f, 1e-30f};
    static const uint16_t f16[3] = {0x3e00, 0xc080, 0x0001}, bf16[3] = {0x3fc0, 0xc010, 0x0da2};
    struct zc_diag dg = {""};
    struct zw_store *s;
    struct t_st st;
    float got[3];

    t_st_init(&st);
    t_st_add(&st, "f32", "F32", 3, 0, f32, sizeof f32);
    t_st_add(&st, "f16", "F16", 3, 0, f16, sizeof f16);
    t_st_add(&st, "bf16", "BF16", 3, 0, bf16, sizeof bf16);
    t_st_add(&st, "i32", "I32", 3, 0, f32, sizeof f32);
    t_st_add(&st, "matrix", "F32", 1, 3, f32, sizeof f32);
    t_st_write(&st, dir, "model.safetensors");
    t_assert_err(zw_store_open(&s, dir, &dg), ZC_OK, &dg);
    t_assert_err(zw_read_vector(got, s, "f32", 3, &dg), ZC_OK, &dg);
    ck_assert_mem_eq(got, f32, sizeof f32);
    t_assert_err(zw_read_vector(got, s, "f16", 3, &dg), ZC_OK, &dg);
    ck_assert(got[0] == 1.5f && got[1] == -2.25f && got[2] == 0x1p-24f);
    t_assert_err(zw_read_vector(got, s, "bf16", 3, &dg), ZC_OK, &dg);
    ck_assert(got[0] == 1.5f && got[1] == -2.25f && got[2] > 0.99e-30f && got[2] < 1.01e-30f);
    t_assert_err(zw_read_vector(got, s, "f32", 2, &dg), ZC_EFORMAT, &dg);
    t_assert_err(zw_read_vector(got, s, "matrix", 3, &dg), ZC_EFORMAT, &dg);
    t_assert_err(zw_read_vector(got, s, "i32", 3, &dg), ZC_EFORMAT, &dg);
    t_assert_err(zw_read_vector(got, s, "none", 3, &dg), ZC_ENOTFOUND, &dg);
    zw_store_free(s);
}
END_TEST

/* Infinity and NaN, of either sign, behind the first piece and block too; the largest number is
 * one. */
START_TEST(what_is_no_number_is_named)
{
    enum { N = ZW_READ_PIECE / 2 + 100 };
    static const struct {
        uint16_t h;
        const char *dtype;
        int error;
    } cases[] = {{0x7f80, "BF16", ZC_EFORMAT}, {0xff80, "BF16", ZC_EFORMAT},
                 {0x7fff, "BF16", ZC_EFORMAT}, {0x7f7f, "BF16", ZC_OK},
                 {0x7c00, "F16", ZC_EFORMAT},  {0xfe01, "F16", ZC_EFORMAT},
                 {0xfbff, "F16", ZC_OK},       {0x7fff, "I16", ZC_OK}};
    static const uint32_t f32[3] = {0x7f7fffff, 0, 0xff800000};
    uint16_t *v = zc_xcalloc(N, sizeof *v);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct zc_diag dg = {""};
        struct zw_store *s;
        struct t_st st;
        void *got = NULL;
        float f[3];

        v[N - 3] = cases[i].h;
        t_st_init(&st);
        t_st_add(&st, "t", cases[i].dtype, N / 4, 4, v, N * sizeof *v);
        t_st_add(&st, "f", "F32", 3, 0, f32, sizeof f32);
        t_st_write(&st, dir, "model.safetensors");
        t_assert_err(zw_store_open(&s, dir, &dg), ZC_OK, &dg);
        const struct zw_reader rd = {.store = s};
        t_assert_err(zw_read_vector(f, s, "f", 3, &dg), ZC_EFORMAT, &dg);
        ck_assert_str_eq(dg.text,
                         "model.safetensors: tensor f, element 2: infinite or not a number");
        t_assert_err(zw_read_all(&rd, zw_store_find(s, "t"), &got, &dg), cases[i].error, &dg);
        if (cases[i].error < 0)
            ck_assert_ptr_nonnull(strstr(dg.text, "tensor t, row 524312, column 1: infinite"));
        zc_free(got);
        zw_store_free(s);
    }
    zc_free(v);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("weights: store");
    TCase *header = tcase_create("header"), *store = tcase_create("store");

    tcase_set_timeout(header, 60);
    tcase_add_test(header, header_takes_what_the_format_allows);
    tcase_add_test(header, header_rejects_what_contradicts_itself);
    tcase_add_test(header, header_rejects_ten_tensors_in_one_place);
    tcase_add_test(header, header_length_is_checked_before_memory_is_taken);
    tcase_add_test(header, header_limits_are_kept);
    tcase_add_test(header, header_cut_at_every_byte);
    tcase_add_test(header, header_with_any_bit_flipped);
    suite_add_tcase(s, header);
    tcase_add_checked_fixture(store, setup, teardown);
    tcase_add_test(store, store_reads_a_single_file);
    tcase_add_test(store, store_reads_shards);
    tcase_add_test(store, store_rejects_a_bad_index);
    tcase_add_test(store, store_names_what_it_does_not_read);
    tcase_add_test(store, store_refuses_odd_paths);
    tcase_add_test(store, store_notices_a_file_that_shrinks);
    tcase_add_test(store, store_file_cut_at_every_byte);
    tcase_add_test(store, store_survives_failing_memory);
    tcase_add_test(store, vectors_become_floats);
    tcase_add_test(store, what_is_no_number_is_named);
    suite_add_tcase(s, store);
    return t_run(s);
}
