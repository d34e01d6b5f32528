/* SPDX-License-Identifier: MIT */
/* Unit tests of layers whose codes are floats: fp8 with its three kinds of scales, bitsandbytes'
 * tables; every contradiction in them, every byte cut off, every allocation failing. */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/zc_mem.h"
#include "tests/unit/t_safetensors.h"
#include "tests/unit/t_unit.h"
#include "zoracd/weights/zw_decode.h"
#include "zoracd/weights/zw_linear.h"

static char *dir;
static struct zw_store *store;
static struct zw_quant *quant;
static struct zc_diag dg;

static void setup(void)
{
    dir = t_dir_new();
    store = NULL;
    quant = NULL;
    dg.text[0] = '\0';
}

static void close_model(void)
{
    zw_store_free(store);
    zw_quant_free(quant);
    store = NULL;
    quant = NULL;
}

static void teardown(void)
{
    close_model();
    t_dir_remove(dir);
}

/* Opens the file in the making with a quantization_config in text, ' for ", of a bf16 model. */
static void open_model(struct t_st *st, const char *config)
{
    char text[512];

    close_model();
    t_st_write(st, dir, "model.safetensors");
    snprintf(text, sizeof text, "{'torch_dtype':'bfloat16','quantization_config':%s}", config);
    for (char *p = text; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    json_t *root = json_loads(text, 0, NULL);
    ck_assert_msg(root != NULL, "%s", text);
    t_assert_err(zw_store_open(&store, dir, &dg), ZC_OK, &dg);
    t_assert_err(zw_quant_new(&quant, root, NULL, &dg), ZC_OK, &dg);
    json_decref(root);
}

static struct zw_linear l; /* the table of what was decoded is in it */

static int decode(struct zw_canon *c, int n, int k)
{
    const struct zw_reader rd = {.store = store};
    int r;

    if ((r = zw_linear_probe(&l, store, quant, "x", n, k, &dg)) < 0)
        return r;
    return zw_decode_linear(c, &rd, &l, &dg);
}

static void refuse(struct t_st *st, const char *config, int n, int k, int want, const char *says)
{
    struct zw_canon c;

    open_model(st, config);
    t_assert_err(decode(&c, n, k), want, &dg);
    ck_assert_msg(strstr(dg.text, says) != NULL, "%s: want \"%s\"", dg.text, says);
}

/* ---- fp8 ---------------------------------------------------------------------------------- */

#define FP8     "{'quant_method':'fp8','activation_scheme':'dynamic'}"
#define BLOCK32 "{'quant_method':'fp8','weight_block_size':[48,32]}"
#define CT8(s)                                                                              \
    "{'quant_method':'compressed-tensors','format':'float-quantized','config_groups':{'g':" \
    "{'targets':['Linear'],'weights':{'num_bits':8,'type':'float'," s "}}}}"

/* Codes 0 .. 255 over and over, those that are no numbers left out. */
static void add_codes(struct t_st *st, int n, int k)
{
    uint8_t *q = zc_xmalloc((size_t)(n * k));

    for (int i = 0; i < n * k; i++)
        q[i] = (uint8_t)((i & 0x7f) == 0x7f ? 0 : i);
    t_st_add(st, "x.weight", "F8_E4M3", (uint64_t)n, (uint64_t)k, q, (size_t)(n * k));
    zc_free(q);
}

/* What code i of add_codes and the scales stand for, by the definition of E4M3. */
static double value_of(int i)
{
    const int code = (i & 0x7f) == 0x7f ? 0 : i & 0xff, exp = code >> 3 & 15, man = code & 7;
    const double v = exp ? ldexp(8 + man, exp - 10) : ldexp(man, -9);

    return code & 0x80 ? -v : v;
}

static void assert_values(const struct zk_canon *c, const float *scale, int rows, int cols)
{
    const int groups = (c->k + c->group - 1) / c->group, wide = (c->k + cols - 1) / cols;

    ck_assert_int_eq(c->form, ZK_W8F);
    ck_assert_int_eq(c->type, ZK_BF16);
    for (int i = 0; i < c->n; i++)
        for (int j = 0; j < c->k; j++) {
            const float s = ((const float *)c->scale)[i * groups + j / c->group];
            const double got = (double)(zk_f8_to_f32(c->q[i * c->k + j]) * s);
            const double want = value_of(i * c->k + j) * (double)scale[i / rows * wide + j / cols];
            if (fabs(got - want) > 1e-6 * fabs(want))
                ck_abort_msg("(%d, %d): %g, want %g", i, j, got, want);
        }
}

/* One scale for a matrix, with and without a shape, under both names; also that of
 * compressed-tensors. What is said of activations changes nothing. */
START_TEST(fp8_with_one_scale)
{
    static const float scale[1] = {0.375f}, input[1] = {3};
    struct zw_canon c;

    for (int i = 0; i < 6; i++) {
        struct t_st st;
        t_st_init(&st);
        add_codes(&st, 16, 48);
        const char *name = i / 2 == 2 ? "x.weight_scale_inv" : "x.weight_scale";
        t_st_add(&st, name, "F32", 1, i % 2, scale, sizeof scale);
        if (i / 2 == 1)
            t_st_add(&st, "x.input_scale", "F32", 1, 0, input, sizeof input);
        if (i / 2 == 2)
            json_object_set_new(json_object_get(st.header, name), "shape", json_array());
        open_model(&st, i % 2 ? CT8("'strategy':'tensor'") : FP8);
        t_assert_err(decode(&c, 16, 48), ZC_OK, &dg);
        ck_assert_int_eq(c.c.group, 48);
        assert_values(&c.c, scale, 16, 48);
        zw_canon_release(&c);
    }
}
END_TEST

START_TEST(fp8_with_a_scale_per_row)
{
    uint16_t half[20];
    float scale[20];
    struct zw_canon c;

    for (int i = 0; i < 20; i++) {
        half[i] = zk_f32_to_bf16((float)(i + 1) * 0.125f);
        scale[i] = zk_bf16_to_f32(half[i]);
    }
    for (int i = 0; i < 4; i++) {
        struct t_st st;
        t_st_init(&st);
        add_codes(&st, 20, 33);
        t_st_add(&st, "x.weight_scale", "BF16", 20, i % 2, half, sizeof half);
        open_model(&st, i / 2 ? CT8("'strategy':'channel'") : FP8);
        t_assert_err(decode(&c, 20, 33), ZC_OK, &dg);
        assert_values(&c.c, scale, 1, 33);
        zw_canon_release(&c);
    }
}
END_TEST

/* Blocks that are cut off at both ends. weight_scale_inv multiplies, whatever its name. */
START_TEST(fp8_with_blocks)
{
    static const float scale[3 * 4] = {0.5f, 1, 2, 4, 0.25f, 3, 5, 7, 0.125f, 9, 11, 13};
    struct zw_canon c;

    for (int i = 0; i < 2; i++) {
        struct t_st st;
        t_st_init(&st);
        add_codes(&st, 100, 112);
        t_st_add(&st, i ? "x.weight_scale" : "x.weight_scale_inv", "F32", 3, 4, scale,
                 sizeof scale);
        open_model(&st, i ? CT8("'strategy':'block','block_structure':[48,32]") : BLOCK32);
        t_assert_err(decode(&c, 100, 112), ZC_OK, &dg);
        ck_assert_int_eq(c.c.group, 32);
        assert_values(&c.c, scale, 48, 32);
        zw_canon_release(&c);
    }
}
END_TEST

static struct t_st with_scale(const char *name, const char *dtype, uint64_t d0, uint64_t d1)
{
    static const uint8_t bytes[4096];
    const size_t n = (size_t)(d0 * (d1 ? d1 : 1)) * (strcmp(dtype, "F32") ? 2 : 4);
    struct t_st st;

    t_st_init(&st);
    add_codes(&st, 64, 64);
    t_st_add(&st, name, dtype, d0, d1, bytes, n);
    return st;
}

START_TEST(fp8_that_contradicts_itself)
{
    static const struct {
        const char *name, *dtype, *config, *says;
        int d0, d1, want;
    } bad[] = {
        {"x.other", "F32", FP8, "none of weight_scale", 1, 0, ZC_EFORMAT},
        {"x.weight_scale", "I16", FP8, "x.weight_scale", 1, 0, ZC_EFORMAT},
        {"x.weight_scale", "F32", FP8, "x.weight_scale", 2, 0, ZC_EFORMAT},
        {"x.weight_scale", "F32", FP8, "x.weight_scale", 2, 2, ZC_EFORMAT},
        {"x.weight_scale", "F32", FP8, "x.weight_scale", 1, 64, ZC_EFORMAT},
        {"x.weight_scale", "F32", CT8("'strategy':'tensor'"), "x.weight_scale", 64, 1, ZC_EFORMAT},
        {"x.weight_scale", "F32", CT8("'strategy':'channel'"), "x.weight_scale", 1, 1, ZC_EFORMAT},
        {"x.weight_scale_inv", "F32", BLOCK32, "2 x 2", 2, 3, ZC_EFORMAT},
        {"x.weight_scale_inv", "F32", BLOCK32, "2 x 2", 4, 0, ZC_EFORMAT},
        {"x.weight_scale_inv", "F32", "{'quant_method':'fp8','weight_block_size':[32,48]}",
         "48 columns", 2, 2, ZC_EUNSUPPORTED},
        {"x.weight_scale", "F32", "{'quant_method':'awq'}", "fp8", 1, 0, ZC_EFORMAT},
        {"x.weight_scale", "F32", "{'quant_method':'fp8','ignored_layers':['x']}", "fp8", 1, 0,
         ZC_EFORMAT},
    };
    struct t_st st;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        st = with_scale(bad[i].name, bad[i].dtype, (uint64_t)bad[i].d0, (uint64_t)bad[i].d1);
        refuse(&st, bad[i].config, 64, 64, bad[i].want, bad[i].says);
    }
    st = with_scale("x.weight_scale", "F32", 1, 0);
    t_st_add(&st, "x.weight_scale_inv", "F32", 1, 0, "\0\0\0\0", 4);
    refuse(&st, FP8, 64, 64, ZC_EFORMAT, "both");
    st = with_scale("x.weight_scale", "F32", 1, 0);
    refuse(&st, FP8, 64, 32, ZC_EFORMAT, "x.weight is 64 x 64");
    st = with_scale("x.weight_scale", "F32", 1, 0);
    st.data[5 * 64 + 9] = 0xff; /* the first tensor */
    refuse(&st, FP8, 64, 64, ZC_EFORMAT, "x.weight, row 5, column 9");
    t_st_init(&st);
    t_st_add(&st, "x.weight", "BF16", 4, 2, "0123456789abcdef", 16);
    refuse(&st, FP8, 4, 2, ZC_EFORMAT, "stored plain");
}
END_TEST

/* ---- bitsandbytes ------------------------------------------------------------------------- */

#define NF4 "{'quant_method':'bitsandbytes','load_in_4bit':true,'bnb_4bit_quant_type':'nf4'}"

static const float nf4[16] = {-1.0f,
                              -0.6961928009986877f,
                              -0.5250730514526367f,
                              -0.39491748809814453f,
                              -0.28444138169288635f,
                              -0.18477343022823334f,
                              -0.09105003625154495f,
                              0.0f,
                              0.07958029955625534f,
                              0.16093020141124725f,
                              0.24611230194568634f,
                              0.33791524171829224f,
                              0.44070982933044434f,
                              0.5626170039176941f,
                              0.7229568362236023f,
                              1.0f};

/* The object of the format's own packer, with these sides and block. */
static const char *state_of(int n, int k, int block, bool is_nested)
{
    static char text[512];
    int at = snprintf(text, sizeof text,
                      "{\"quant_type\": \"nf4\", \"blocksize\": %d, \"dtype\": \"bfloat16\", "
                      "\"shape\": [%d, %d]",
                      block, n, k);

    if (is_nested)
        at += snprintf(text + at, sizeof text - (size_t)at,
                       ", \"nested_blocksize\": 256, \"nested_dtype\": \"float32\", "
                       "\"nested_offset\": 0.125");
    snprintf(text + at, sizeof text - (size_t)at, "}");
    return text;
}

static void add_state(struct t_st *st, const char *state)
{
    t_st_add(st, "x.weight.quant_state.bitsandbytes__nf4", "U8", strlen(state), 0, state,
             strlen(state));
}

/* n x k codes of one byte over and over, and scales 1, 2, ... per block; or codes of them. */
static struct t_st bnb_file(int n, int k, int block, bool is_nested, const char *state)
{
    static const float nested[16] = {2, 4, 8, 16};
    const size_t bytes = (size_t)(n * k) / 2,
                 blocks = ((size_t)(n * k) + (size_t)block - 1) / (size_t)block;
    float map[256], *absmax = zc_xcalloc(blocks, sizeof *absmax);
    uint8_t *codes = zc_xmalloc(bytes), *short_absmax = zc_xcalloc(blocks, 1);
    struct t_st st;

    for (size_t i = 0; i < bytes; i++)
        codes[i] = (uint8_t)(i * 37 + 0x8f);
    for (size_t i = 0; i < blocks; i++) {
        absmax[i] = (float)(i + 2);
        short_absmax[i] = (uint8_t)(i * 3 + 1);
    }
    for (int i = 0; i < 256; i++)
        map[i] = (float)(i - 127) / 128;
    t_st_init(&st);
    t_st_add(&st, "x.weight", "U8", bytes, 1, codes, bytes);
    t_st_add(&st, "x.weight.quant_map", "F32", 16, 0, nf4, sizeof nf4);
    if (is_nested) {
        const size_t n_nested = (blocks + 255) / 256;
        t_st_add(&st, "x.weight.absmax", "U8", blocks, 0, short_absmax, blocks);
        t_st_add(&st, "x.weight.nested_absmax", "F32", n_nested, 0, nested, n_nested * 4);
        t_st_add(&st, "x.weight.nested_quant_map", "F32", 256, 0, map, sizeof map);
    } else {
        t_st_add(&st, "x.weight.absmax", "F32", blocks, 0, absmax, blocks * 4);
    }
    add_state(&st, state);
    zc_free(absmax);
    zc_free(codes);
    zc_free(short_absmax);
    return st;
}

/* Element i of the flattened matrix that bnb_file makes. */
static float bnb_value(size_t i, int block, bool is_nested)
{
    const uint8_t byte = (uint8_t)(i / 2 * 37 + 0x8f), code = i % 2 ? byte & 15 : byte >> 4;
    const size_t b = i / (size_t)block;
    float absmax = (float)(b + 2);

    if (is_nested) {
        absmax = (float)((int)(uint8_t)(b * 3 + 1) - 127) / 128 * (float)(2 << b / 256);
        absmax += 0.125f;
    }
    return nf4[code] * absmax;
}

static void assert_bnb(const struct zk_canon *c, int block, bool is_nested)
{
    const size_t k = (size_t)c->k, group = (size_t)c->group, groups = (k + group - 1) / group;

    ck_assert_int_eq(c->form, ZK_W4L);
    ck_assert_int_eq(c->type, ZK_BF16);
    for (size_t i = 0; i < (size_t)c->n; i++)
        for (size_t j = 0; j < k; j++) {
            const uint8_t byte = c->q[i * (k / 2) + j / 2];
            const float got = c->table[j % 2 ? byte >> 4 : byte & 15] *
                              ((const float *)c->scale)[i * groups + j / group];
            const float want = bnb_value(i * k + j, block, is_nested);
            if (got != want)
                ck_abort_msg("(%zu, %zu): %.9g, want %.9g", i, j, (double)got, (double)want);
        }
}

/* Byte 0x8f, scale 2: code 8, then code 15. */
START_TEST(golden_words_of_bitsandbytes)
{
    struct t_st st = bnb_file(2, 64, 64, false, state_of(2, 64, 64, false));
    struct zw_canon c;

    open_model(&st, NF4);
    t_assert_err(decode(&c, 2, 64), ZC_OK, &dg);
    ck_assert_int_eq(c.c.q[0], 0xf8); /* the first in the low nibble, here */
    ck_assert_float_eq_tol(c.c.table[8] * ((const float *)c.c.scale)[0], 0.159160599f, 1e-9f);
    ck_assert(c.c.table[15] * ((const float *)c.c.scale)[0] == 2);
    assert_bnb(&c.c, 64, false);
    zw_canon_release(&c);
}
END_TEST

/* Blocks that divide a row, that are cut by rows' ends, that hold several rows; scales in 8 bits,
 * of which more than one block; and a storage type that means nothing. */
START_TEST(bitsandbytes_in_all_shapes)
{
    static const struct {
        int n, k, block, group;
    } shapes[] = {{3, 64, 64, 64},  {2, 256, 64, 64},  {4, 96, 64, 32},   {8, 32, 64, 32},
                  {6, 64, 128, 64}, {5, 160, 64, 32},  {2, 128, 32, 32},  {3, 4096, 4096, 4096},
                  {9, 16, 32, 16},  {1, 64, 4096, 64}, {64, 320, 64, 64}, {4, 9600, 64, 64}};
    struct zw_canon c;

    for (size_t i = 0; i < 2 * sizeof shapes / sizeof shapes[0]; i++) {
        const int n = shapes[i / 2].n, k = shapes[i / 2].k, block = shapes[i / 2].block;
        struct t_st st = bnb_file(n, k, block, i % 2, state_of(n, k, block, i % 2));
        if (i % 2 && n * k % 8 == 0) {
            json_t *w = json_object_get(st.header, "x.weight");
            json_object_set_new(w, "dtype", json_string("BF16"));
            json_object_set_new(w, "shape", json_pack("[i, i]", n * k / 4, 1));
        }
        open_model(&st, NF4);
        t_assert_err(decode(&c, n, k), ZC_OK, &dg);
        ck_assert_int_eq(c.c.group, shapes[i / 2].group);
        assert_bnb(&c.c, block, i % 2);
        zw_canon_release(&c);
    }
}
END_TEST

/* A tensor of the file replaced by n zeros of a dtype, or left out. */
static void replace(struct t_st *st, const char *name, const char *dtype, size_t n)
{
    static const uint8_t zeros[1024];
    struct t_st old = *st;
    const char *key;
    json_t *v;

    t_st_init(st);
    json_object_foreach (old.header, key, v) {
        json_int_t d0, begin, end;
        const char *type;
        json_unpack(v, "{s:s, s:[I, I]}", "dtype", &type, "data_offsets", &begin, &end);
        json_unpack(v, "{s:[I]}", "shape", &d0);
        if (strcmp(key, name))
            t_st_add(st, key, type, (uint64_t)d0, json_array_size(json_object_get(v, "shape")) == 2,
                     old.data + begin, (size_t)(end - begin));
    }
    if (dtype)
        t_st_add(st, name, dtype, n, 0, zeros, n * (strcmp(dtype, "F32") ? 1 : 4));
    json_decref(old.header);
    zc_free(old.data);
}

START_TEST(bitsandbytes_that_contradicts_itself)
{
    static const struct {
        const char *tensor, *dtype;
        size_t n;
        const char *says;
    } bad[] = {
        {"x.weight.absmax", NULL, 0, "x.weight.absmax"}, /* known by its quant_map */
        {"x.weight.absmax", "U8", 2, "x.weight.absmax"},
        {"x.weight.absmax", "F32", 4, "x.weight.absmax"},
        {"x.weight.quant_map", NULL, 0, "x.weight.quant_map"},
        {"x.weight.quant_map", "F32", 8, "x.weight.quant_map"},
        {"x.weight.nested_absmax", NULL, 0, "x.weight.nested_absmax"},
        {"x.weight.nested_absmax", "F32", 2, "x.weight.nested_absmax"},
        {"x.weight.nested_quant_map", "F32", 255, "x.weight.nested_quant_map"},
        {"x.weight", "U8", 95, "x.weight"},
        {"x.weight.quant_state.bitsandbytes__nf4", NULL, 0, "bitsandbytes__nf4"},
        {"x.weight.quant_state.bitsandbytes__nf4", "U8", 9, "bitsandbytes__nf4"},
    };
    struct t_st st;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        st = bnb_file(3, 64, 64, true, state_of(3, 64, 64, true));
        replace(&st, bad[i].tensor, bad[i].dtype, bad[i].n);
        refuse(&st, NF4, 3, 64, ZC_EFORMAT, bad[i].says);
    }
    st = bnb_file(3, 64, 64, false, state_of(3, 64, 64, false));
    refuse(&st, NF4, 3, 32, ZC_EFORMAT, "3 x 64, not 3 x 32");
    st = bnb_file(3, 64, 64, false, state_of(3, 64, 64, false));
    refuse(&st, "{'quant_method':'fp8'}", 3, 64, ZC_EFORMAT, "bitsandbytes");
    st = bnb_file(3, 64, 64, false, state_of(3, 64, 64, false));
    refuse(&st, "{'load_in_4bit':true}", 3, 64, ZC_EFORMAT, "bitsandbytes__fp4");
    st = bnb_file(4, 80, 64, false, state_of(4, 80, 64, false));
    refuse(&st, NF4, 4, 80, ZC_EUNSUPPORTED, "blocks of 64 over rows of 80");
}
END_TEST

#define STATE(more) \
    "{\"quant_type\":\"nf4\",\"blocksize\":64,\"dtype\":\"float16\",\"shape\":[2,32]" more "}"

START_TEST(states_are_read_strictly)
{
    static const struct {
        const char *text;
        int want;
        const char *says;
    } bad[] = {
        {"[]", ZC_EFORMAT, "object"},
        {"{}", ZC_EUNSUPPORTED, "quant_type"},
        {STATE(",\"blocksize\":64"), ZC_EFORMAT, "blocksize"},
        {STATE(",\"other\":1"), ZC_EUNSUPPORTED, "other"},
        {STATE(",\"nested_blocksize\":256"), ZC_EFORMAT, "nested"},
        {STATE(",\"nested_offset\":0.5"), ZC_EFORMAT, "nested"},
        {STATE(",\"nested_blocksize\":256,\"nested_dtype\":\"float32\",\"nested_offset\":1e300"),
         ZC_EFORMAT, "nested_offset"},
        {STATE(",\"nested_blocksize\":100,\"nested_dtype\":\"float32\",\"nested_offset\":1"),
         ZC_EFORMAT, "nested"},
        {STATE(",\"nested_blocksize\":256,\"nested_dtype\":\"float16\",\"nested_offset\":1"),
         ZC_EUNSUPPORTED, "float16"},
        {"{\"quant_type\":\"int4\",\"blocksize\":64,\"dtype\":\"float16\",\"shape\":[2,32]}",
         ZC_EUNSUPPORTED, "int4"},
        {"{\"quant_type\":\"nf4\",\"blocksize\":48,\"dtype\":\"float16\",\"shape\":[2,32]}",
         ZC_EFORMAT, "48"},
        {"{\"quant_type\":\"nf4\",\"blocksize\":8192,\"dtype\":\"float16\",\"shape\":[2,32]}",
         ZC_EFORMAT, "8192"},
        {"{\"quant_type\":\"nf4\",\"blocksize\":\"64\",\"dtype\":\"float16\",\"shape\":[2,32]}",
         ZC_EFORMAT, "blocksize"},
        {"{\"quant_type\":\"nf4\",\"blocksize\":64,\"dtype\":\"int8\",\"shape\":[2,32]}",
         ZC_EUNSUPPORTED, "int8"},
        {"{\"quant_type\":\"nf4\",\"blocksize\":64,\"dtype\":\"float16\",\"shape\":[64]}",
         ZC_EFORMAT, "shape"},
        {"{\"quant_type\":\"nf4\",\"blocksize\":64,\"dtype\":\"float16\",\"shape\":[2,-32]}",
         ZC_EFORMAT, "shape"},
        {"{\"quant_type\":\"nf4\",\"blocksize\":64,\"dtype\":\"float16\"}", ZC_EFORMAT, "shape"},
    };
    struct zw_bnb b;

    t_assert_err(zw_bnb_parse(&b, STATE(""), strlen(STATE("")), &dg), ZC_OK, &dg);
    ck_assert(b.is_nf4 && b.block == 64 && b.type == ZK_F16 && b.n == 2 && b.k == 32);
    ck_assert_int_eq(b.nested_block, 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        t_assert_err(zw_bnb_parse(&b, bad[i].text, strlen(bad[i].text), &dg), bad[i].want, &dg);
        ck_assert_msg(strstr(dg.text, bad[i].says) != NULL, "%s: %s", bad[i].text, dg.text);
    }
}
END_TEST

/* No beginning of a state is one, and whatever a flipped bit makes of it is in range or refused. */
START_TEST(states_cut_at_every_byte_and_with_every_bit_flipped)
{
    char *text = zc_xstrdup(state_of(6, 640, 64, true));
    const size_t n = strlen(text);
    struct zw_bnb b;

    for (size_t i = 0; i < n; i++) {
        char *exact = zc_xmalloc(i + 1);
        memcpy(exact, text, i);
        ck_assert_int_lt(zw_bnb_parse(&b, exact, i, &dg), 0);
        zc_free(exact);
    }
    for (size_t bit = 0; bit < 8 * n; bit++) {
        text[bit / 8] ^= (char)(1 << bit % 8);
        if (zw_bnb_parse(&b, text, n, &dg) == ZC_OK)
            ck_assert(b.block >= 32 && b.block <= 4096 && b.n > 0 && b.k > 0 &&
                      isfinite(b.nested_offset) && b.nested_block >= 0);
        text[bit / 8] ^= (char)(1 << bit % 8);
    }
    zc_free(text);
}
END_TEST

/* ---- both --------------------------------------------------------------------------------- */

START_TEST(tables_that_differ_are_not_joined)
{
    struct t_st st = bnb_file(3, 64, 64, false, state_of(3, 64, 64, false));
    struct zw_linear other;
    const struct zw_linear *parts[2] = {&l, &other};
    struct zk_mat_desc d;

    open_model(&st, NF4);
    t_assert_err(zw_linear_probe(&l, store, quant, "x", 3, 64, &dg), ZC_OK, &dg);
    other = l;
    t_assert_err(zw_linear_join(&d, parts, 2, ZK_JOIN_PAIRS, &dg), ZC_OK, &dg);
    other.table[3] += 0.5f;
    t_assert_err(zw_linear_join(&d, parts, 2, ZK_JOIN_PAIRS, &dg), ZC_EUNSUPPORTED, &dg);
}
END_TEST

START_TEST(decoding_survives_failing_memory)
{
    for (int v = 0; v < 2; v++) {
        struct t_st st = bnb_file(64, 64, 64, true, state_of(64, 64, 64, true));
        struct zw_canon c;
        long at = 0;
        int r;
        if (v == 1) {
            json_decref(st.header);
            zc_free(st.data);
            st = with_scale("x.weight_scale_inv", "F32", 2, 2);
        }
        open_model(&st, v ? BLOCK32 : NF4);
        do {
            zc_mem_fail_at(++at);
            r = decode(&c, 64, 64);
            zc_mem_fail_at(0);
            ck_assert(r == ZC_OK || r == ZC_ENOMEM);
        } while (r != ZC_OK);
        ck_assert_int_gt(at, 3);
        zw_canon_release(&c);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("weights: codes that are floats");
    TCase *tc = tcase_create("floats");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, fp8_with_one_scale);
    tcase_add_test(tc, fp8_with_a_scale_per_row);
    tcase_add_test(tc, fp8_with_blocks);
    tcase_add_test(tc, fp8_that_contradicts_itself);
    tcase_add_test(tc, golden_words_of_bitsandbytes);
    tcase_add_test(tc, bitsandbytes_in_all_shapes);
    tcase_add_test(tc, bitsandbytes_that_contradicts_itself);
    tcase_add_test(tc, states_are_read_strictly);
    tcase_add_test(tc, states_cut_at_every_byte_and_with_every_bit_flipped);
    tcase_add_test(tc, tables_that_differ_are_not_joined);
    tcase_add_test(tc, decoding_survives_failing_memory);
    suite_add_tcase(s, tc);
    return t_run(s);
}
