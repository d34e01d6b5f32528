/* SPDX-License-Identifier: MIT */
/* Unit tests of linear layers: every layout to the canonical form, and every contradiction found.
 */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/zc_mem.h"
#include "tests/unit/t_safetensors.h"
#include "tests/unit/t_unit.h"
#include "zoracd/weights/zw_decode.h"
#include "zoracd/weights/zw_linear.h"

/* ---- a model of some tensors and a config ------------------------------------------------- */

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

/* Opens the file in the making with a quantization_config in text. */
static void open_model(struct t_st *st, const char *config)
{
    close_model();
    t_st_write(st, dir, "model.safetensors");
    json_t *block = json_loads(config, JSON_DECODE_ANY, NULL);
    ck_assert_msg(block != NULL, "%s", config);
    json_t *root = json_pack("{s:o}", "quantization_config", block);
    t_assert_err(zw_store_open(&store, dir, &dg), ZC_OK, &dg);
    t_assert_err(zw_quant_new(&quant, root, NULL, &dg), ZC_OK, &dg);
    json_decref(root);
}

/* The config for compressed-tensors with these bits, group (0: channel) and symmetry. */
static const char *ct_config(int bits, int group, bool is_symmetric, const char *more)
{
    static char text[512];
    char size[64] = "\"strategy\":\"channel\"";

    if (group)
        snprintf(size, sizeof size, "\"strategy\":\"group\",\"group_size\":%d", group);
    snprintf(text, sizeof text,
             "{\"quant_method\":\"compressed-tensors\",\"format\":\"pack-quantized\","
             "\"ignore\":[\"lm_head\"],\"config_groups\":{\"group_0\":{\"targets\":[\"Linear\"],"
             "\"weights\":{\"num_bits\":%d,\"symmetric\":%s,%s%s}}}}",
             bits, is_symmetric ? "true" : "false", size, more);
    return text;
}

static const char *awq_config(const char *version, int group, bool has_zero)
{
    static char text[256];

    snprintf(text, sizeof text,
             "{\"quant_method\":\"awq\",\"bits\":4,\"version\":\"%s\",\"group_size\":%d,"
             "\"zero_point\":%s}",
             version, group ? group : -1, has_zero ? "true" : "false");
    return text;
}

static int decode(struct zw_canon *c, const char *name, int n, int k)
{
    const struct zw_reader rd = {.store = store};
    struct zw_linear l;
    int r;

    if ((r = zw_linear_probe(&l, store, quant, name, n, k, &dg)) < 0)
        return r;
    return zw_decode_linear(c, &rd, &l, &dg);
}

/* ---- comparing ---------------------------------------------------------------------------- */

/* The canonical form holds the matrix' very integers and scales, columns in groups. */
static void assert_same(const struct zk_canon *c, const struct t_mat *m)
{
    const size_t k = (size_t)m->k, groups = (size_t)m->groups;
    const size_t row = m->bits == 4 ? (k + 1) / 2 : k;

    ck_assert_int_eq(c->form, m->bits == 4 ? ZK_W4A : ZK_W8A);
    ck_assert_int_eq(c->n, m->n);
    ck_assert_int_eq(c->k, m->k);
    ck_assert_int_eq(c->group, m->group < m->k ? m->group : m->k);
    ck_assert_int_eq(c->type, m->type);
    ck_assert_mem_eq(c->scale, m->scale, (size_t)m->n * groups * (m->type == ZK_F32 ? 4 : 2));
    ck_assert_int_eq(c->zero != NULL, m->zero != NULL);
    if (m->zero)
        ck_assert_mem_eq(c->zero, m->zero, (size_t)m->n * groups);
    for (size_t i = 0; i < (size_t)m->n; i++)
        for (size_t j = 0; j < k; j++) {
            const uint8_t byte = c->q[i * row + (m->bits == 4 ? j / 2 : j)];
            const int q = m->bits == 8 ? byte : j % 2 ? byte >> 4 : byte & 15;
            const size_t from = c->perm ? (size_t)c->perm[j] : j;
            if (q != m->q[i * k + from]) /* ck_assert itself is too slow for each element */
                ck_abort_msg("row %zu, column %zu: %d, want %d", i, j, q, m->q[i * k + from]);
        }
    for (size_t i = 0; m->bits == 4 && k % 2 && i < (size_t)m->n; i++)
        ck_assert_int_eq(c->q[i * row + row - 1] >> 4, 0);
}

/* perm is a permutation that puts each group together, in the columns' own order. */
static void assert_perm(const int32_t *perm, const struct t_mat *m)
{
    for (int j = 0; j < m->k; j++) {
        ck_assert_int_ge(perm[j], 0);
        ck_assert_int_lt(perm[j], m->k);
        ck_assert_int_eq(m->g_idx[perm[j]], j / m->group);
        if (j % m->group)
            ck_assert_int_gt(perm[j], perm[j - 1]);
    }
}

/* ---- golden words ------------------------------------------------------------------------- */

/* Writes a module of one row of groups whose codes are the given words. */
static void assert_codes(const struct zw_canon *c, int row, const uint8_t *want, int n)
{
    const size_t row_bytes = ((size_t)c->c.k + 1) / 2;

    for (int j = 0; j < n; j++) {
        const uint8_t byte = c->c.q[(size_t)row * row_bytes + (size_t)j / 2];
        ck_assert_int_eq(j % 2 ? byte >> 4 : byte & 15, want[j]);
    }
}

START_TEST(golden_words_of_compressed_tensors)
{
    static const uint32_t words[4] = {0x76543210, 0xfedcba98, 0x88888888, 0};
    static const uint8_t want[32] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
                                     8, 8, 8, 8, 8, 8, 8, 8, 0, 0, 0,  0,  0,  0,  0,  0};
    static const uint32_t zeros[1] = {0xfedcba95};
    static const uint16_t scale[1] = {0x3c00};
    static const int64_t shape[2] = {1, 32};
    struct zw_canon c;
    struct t_st st;

    t_st_init(&st);
    t_st_add(&st, "x.weight_packed", "I32", 1, 4, words, sizeof words);
    t_st_add(&st, "x.weight_scale", "F16", 1, 1, scale, sizeof scale);
    t_st_add(&st, "x.weight_zero_point", "I32", 1, 1, zeros, sizeof zeros);
    t_st_add(&st, "x.weight_shape", "I64", 2, 0, shape, sizeof shape);
    open_model(&st, ct_config(4, 32, false, ""));
    t_assert_err(decode(&c, "x", 1, 32), ZC_OK, &dg);
    assert_codes(&c, 0, want, 32);
    ck_assert_int_eq(c.c.zero[0], 5); /* row 0 is the lowest nibble */
    ck_assert_mem_eq(c.c.scale, scale, sizeof scale);
    zw_canon_release(&c);
}
END_TEST

START_TEST(golden_words_of_awq_gemm)
{
    uint32_t words[32][2], zeros[2] = {0x75316420, 0x8ace9bdf};
    uint16_t scales[16];
    struct zw_canon c;
    struct t_st st;

    for (int i = 0; i < 32; i++) {
        words[i][0] = 0x75316420; /* columns 0 .. 7 hold 0 .. 7 */
        words[i][1] = 0x8ace9bdf; /* columns 8 .. 15 hold 15 .. 8 */
    }
    for (int i = 0; i < 16; i++)
        scales[i] = (uint16_t)(0x3c00 + i);
    t_st_init(&st);
    t_st_add(&st, "x.qweight", "I32", 32, 2, words, sizeof words);
    t_st_add(&st, "x.qzeros", "I32", 1, 2, zeros, sizeof zeros);
    t_st_add(&st, "x.scales", "F16", 1, 16, scales, sizeof scales);
    open_model(&st, awq_config("gemm", 32, true));
    t_assert_err(decode(&c, "x", 16, 32), ZC_OK, &dg);
    for (int i = 0; i < 16; i++) {
        uint8_t want[32];
        memset(want, i < 8 ? i : 23 - i, sizeof want);
        assert_codes(&c, i, want, 32);
        ck_assert_int_eq(c.c.zero[i], i < 8 ? i : 23 - i);
    }
    ck_assert_mem_eq(c.c.scale, scales, sizeof scales);
    zw_canon_release(&c);
}
END_TEST

/* ---- round trips -------------------------------------------------------------------------- */

START_TEST(compressed_tensors_round_trips)
{
    static const struct {
        int n, k, group, bits;
        enum zk_type type;
        bool has_zero;
    } cases[] = {
        {512, 1024, 128, 4, ZK_BF16, true}, {512, 1024, 128, 4, ZK_BF16, false},
        {512, 1024, 0, 4, ZK_F16, true},    {512, 1024, 32, 4, ZK_F32, true},
        {128, 33, 0, 4, ZK_BF16, true},     {128, 33, 32, 4, ZK_F16, true},
        {100, 64, 32, 4, ZK_BF16, true},    {100, 64, 64, 4, ZK_BF16, false},
        {1, 1, 0, 4, ZK_F16, true},         {7, 300, 128, 4, ZK_F16, true},
        {512, 1024, 128, 8, ZK_BF16, true}, {512, 1024, 0, 8, ZK_BF16, false},
        {99, 33, 32, 8, ZK_F16, true},      {3, 2, 0, 8, ZK_F32, true},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct zw_canon c;
        struct t_mat m;
        struct t_st st;
        t_mat_random(&m, cases[i].n, cases[i].k, cases[i].group, cases[i].bits, cases[i].type,
                     cases[i].has_zero, (uint32_t)i + 1);
        t_st_init(&st);
        t_mat_add_ct(&st, "model.layers.0.mlp.up_proj", &m);
        open_model(&st, ct_config(m.bits, cases[i].group, !cases[i].has_zero, ""));
        t_assert_err(decode(&c, "model.layers.0.mlp.up_proj", m.n, m.k), ZC_OK, &dg);
        assert_same(&c.c, &m);
        ck_assert_ptr_null(c.c.perm);
        zw_canon_release(&c);
        t_mat_release(&m);
    }
}
END_TEST

/* The name alone does not tell: the library changed what it means. */
START_TEST(the_preset_of_8_bits_means_what_the_scales_say)
{
    for (int group = 0; group <= 128; group += 128) {
        struct zw_canon c;
        struct t_mat m;
        struct t_st st;
        t_mat_random(&m, 8, 256, group, 8, ZK_BF16, false, 1);
        t_st_init(&st);
        t_mat_add_ct(&st, "x", &m);
        open_model(&st, "{\"quant_method\":\"compressed-tensors\",\"config_groups\":{"
                        "\"W8A16\":[\"Linear\"]}}");
        t_assert_err(decode(&c, "x", m.n, m.k), ZC_OK, &dg);
        assert_same(&c.c, &m);
        zw_canon_release(&c);
        t_mat_release(&m);
    }
}
END_TEST

START_TEST(the_same_matrix_in_all_layouts)
{
    static const struct {
        int n, k, group;
        bool has_zero;
    } cases[] = {{128, 256, 128, true}, {72, 192, 64, true},    {136, 1152, 32, true},
                 {8, 64, 0, true},      {200, 512, 128, false}, {264, 2048, 64, true},
                 {8, 4480, 64, true},   {512, 4096, 128, true}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const int group = cases[i].group;
        struct t_mat m;
        t_mat_random(&m, cases[i].n, cases[i].k, group, 4, ZK_F16, cases[i].has_zero,
                     (uint32_t)i + 100);
        for (int layout = 0; layout < 5; layout++) {
            struct zw_canon c;
            struct t_st st;
            t_st_init(&st);
            if (layout == 0) {
                t_mat_add_ct(&st, "x", &m);
                open_model(&st, ct_config(4, group, !m.zero, ""));
            } else if (layout == 1) {
                t_mat_add_awq_gemm(&st, "x", &m);
                open_model(&st, awq_config("gemm", group, m.zero));
            } else if (layout == 2) {
                t_mat_add_awq_gemv(&st, "x", &m);
                open_model(&st, awq_config("gemv", group, m.zero));
            } else {
                t_mat_add_awq_fast(&st, "x", &m, layout == 3 ? "qzeros" : "scaled_zeros");
                open_model(&st, awq_config(layout == 3 ? "gemv_fast" : "llm-awq", group, m.zero));
            }
            t_assert_err(decode(&c, "x", m.n, m.k), ZC_OK, &dg);
            assert_same(&c.c, &m);
            zw_canon_release(&c);
        }
        t_mat_release(&m);
    }
}
END_TEST

/* AWQ gemm with one scale per row knows no multiple for K. */
START_TEST(awq_gemm_with_an_odd_k)
{
    struct zw_canon c;
    struct t_mat m;
    struct t_st st;

    t_mat_random(&m, 16, 133, 0, 4, ZK_F16, true, 5);
    t_st_init(&st);
    t_mat_add_awq_gemm(&st, "x", &m);
    open_model(&st, awq_config("gemm", 0, true));
    t_assert_err(decode(&c, "x", m.n, m.k), ZC_OK, &dg);
    assert_same(&c.c, &m);
    zw_canon_release(&c);
    t_mat_release(&m);
}
END_TEST

START_TEST(activation_order_groups_columns)
{
    static const struct {
        int n, k, group, bits;
    } cases[] = {{64, 256, 64, 4}, {33, 300, 128, 4}, {5, 65, 32, 4}, {64, 256, 64, 8}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct zw_canon c;
        struct t_mat m;
        struct t_st st;
        t_mat_random(&m, cases[i].n, cases[i].k, cases[i].group, cases[i].bits, ZK_BF16, true,
                     (uint32_t)i + 7);
        t_mat_shuffle(&m, (uint32_t)i + 1);
        t_st_init(&st);
        t_mat_add_ct(&st, "x", &m);
        open_model(&st, ct_config(m.bits, m.group, false, ",\"actorder\":\"group\""));
        t_assert_err(decode(&c, "x", m.n, m.k), ZC_OK, &dg);
        ck_assert_ptr_nonnull(c.c.perm);
        assert_perm(c.c.perm, &m);
        assert_same(&c.c, &m);
        zw_canon_release(&c);
        t_mat_release(&m);
    }
}
END_TEST

START_TEST(activation_order_that_changes_nothing)
{
    for (int variant = 0; variant < 2; variant++) {
        struct zw_canon c;
        struct t_mat m;
        struct t_st st;
        t_mat_random(&m, 8, 128, 32, 4, ZK_BF16, true, 3);
        m.g_idx = zc_xcalloc((size_t)m.k, sizeof *m.g_idx);
        for (int j = 0; j < m.k; j++)
            m.g_idx[j] = variant ? j / 32 : -1;
        t_st_init(&st);
        t_mat_add_ct(&st, "x", &m);
        open_model(&st, ct_config(4, 32, false, ",\"actorder\":\"weight\""));
        t_assert_err(decode(&c, "x", m.n, m.k), ZC_OK, &dg);
        ck_assert_ptr_null(c.c.perm);
        assert_same(&c.c, &m);
        zw_canon_release(&c);
        t_mat_release(&m);
    }
}
END_TEST

START_TEST(plain_weights_are_copied)
{
    static const char *const dtypes[] = {"F32", "F16", "BF16"};
    static const enum zk_type types[] = {ZK_F32, ZK_F16, ZK_BF16};
    uint8_t bytes[5 * 7 * 4];
    uint32_t state = 1;

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(t_random(&state) >> 8);
    for (int i = 0; i < 3; i++) {
        const size_t n = i ? sizeof bytes / 2 : sizeof bytes;
        struct zw_canon c;
        struct t_st st;
        t_st_init(&st);
        t_st_add(&st, "x.weight", dtypes[i], 5, 7, bytes, n);
        t_st_add(&st, "x.bias", dtypes[i], 5, 0, bytes, n / 7);
        open_model(&st, "null");
        t_assert_err(decode(&c, "x", 5, 7), ZC_OK, &dg);
        ck_assert_int_eq(c.c.form, i ? ZK_W16 : ZK_W32);
        ck_assert_int_eq(c.c.type, types[i]);
        ck_assert_mem_eq(c.c.w, bytes, n);
        zw_canon_release(&c);
    }
}
END_TEST

/* ---- contradictions ----------------------------------------------------------------------- */

/* Probing module x of the file in the making must fail and name something. */
static void refuse(struct t_st *st, const char *config, int n, int k, int want, const char *says)
{
    struct zw_canon c;

    open_model(st, config);
    t_assert_err(decode(&c, "x", n, k), want, &dg);
    ck_assert_msg(strstr(dg.text, says) != NULL, "%s: want \"%s\"", dg.text, says);
}

/* A file with one compressed-tensors module, without the tensor `without`. */
static struct t_st ct_without(const struct t_mat *m, const char *without)
{
    struct t_st whole, st;
    const char *key;
    json_t *v;

    t_st_init(&whole);
    t_mat_add_ct(&whole, "x", m);
    t_st_init(&st);
    json_object_foreach (whole.header, key, v) {
        json_int_t d0, d1 = 0, begin, end;
        const char *dtype;
        if (!strcmp(key + 2, without))
            continue;
        json_unpack(v, "{s:s, s:[I], s:[I, I]}", "dtype", &dtype, "shape", &d0, "data_offsets",
                    &begin, &end);
        json_unpack(v, "{s:[I, I]}", "shape", &d0, &d1);
        t_st_add(&st, key, dtype, (uint64_t)d0, (uint64_t)d1, whole.data + begin,
                 (size_t)(end - begin));
    }
    json_decref(whole.header);
    zc_free(whole.data);
    return st;
}

START_TEST(compressed_tensors_that_contradict_themselves)
{
    static const int64_t wrong[2] = {16, 128};
    struct t_mat m, sym;
    struct t_st st;

    t_mat_random(&m, 16, 64, 32, 4, ZK_BF16, true, 1);
    t_mat_random(&sym, 16, 64, 32, 4, ZK_BF16, false, 1);
    const char *asym_config = zc_xstrdup(ct_config(4, 32, false, ""));
    const char *sym_config = zc_xstrdup(ct_config(4, 32, true, ""));

    st = ct_without(&sym, "");
    refuse(&st, asym_config, 16, 64, ZC_EFORMAT, "x.weight_zero_point is missing");
    st = ct_without(&m, "");
    refuse(&st, sym_config, 16, 64, ZC_EFORMAT, "says symmetric");
    st = ct_without(&m, "weight_scale");
    refuse(&st, asym_config, 16, 64, ZC_EFORMAT, "x.weight_scale is missing");
    st = ct_without(&m, "weight_shape");
    refuse(&st, asym_config, 16, 64, ZC_EFORMAT, "weight_shape is missing");
    st = ct_without(&m, "weight_packed");
    refuse(&st, asym_config, 16, 64, ZC_ENOTFOUND, "no weights of x");
    st = ct_without(&m, "weight_shape");
    t_st_add(&st, "x.weight_shape", "I64", 2, 0, wrong, sizeof wrong);
    refuse(&st, asym_config, 16, 64, ZC_EFORMAT, "says 16 x 128");
    st = ct_without(&m, "weight_shape");
    t_st_add(&st, "x.weight_shape", "F32", 2, 0, wrong, 8);
    refuse(&st, asym_config, 16, 64, ZC_EFORMAT, "not two integers");
    st = ct_without(&m, "");
    refuse(&st, asym_config, 16, 128, ZC_EFORMAT, "not 16 x 16"); /* the architecture's K */
    st = ct_without(&m, "");
    refuse(&st, asym_config, 32, 64, ZC_EFORMAT, "not 32 x 8");
    st = ct_without(&m, "");
    refuse(&st, ct_config(4, 64, false, ""), 16, 64, ZC_EFORMAT, "x.weight_scale is 16 x 2");
    st = ct_without(&m, "");
    refuse(&st, ct_config(4, 0, false, ""), 16, 64, ZC_EFORMAT, "x.weight_scale is 16 x 2");
    st = ct_without(&m, "");
    refuse(&st, ct_config(8, 32, false, ""), 16, 64, ZC_EFORMAT, "not 16 x 16");
    st = ct_without(&m, "");
    refuse(&st, ct_config(4, 32, false, ",\"actorder\":\"group\""), 16, 64, ZC_EFORMAT,
           "weight_g_idx is missing");
    st = ct_without(&m, "");
    refuse(&st, ct_config(4, 16, false, ""), 16, 64, ZC_EUNSUPPORTED, "groups of 16");
    st = ct_without(&m, "");
    refuse(&st, "null", 16, 64, ZC_EFORMAT, "does not say so");
    st = ct_without(&m, "");
    refuse(&st, awq_config("gemm", 32, true), 16, 64, ZC_EFORMAT, "does not say so");
    st = ct_without(&m, "");
    t_st_add(&st, "x.weight", "U8", 1, 1, wrong, 1);
    refuse(&st, asym_config, 16, 64, ZC_EFORMAT, "two forms");
    t_mat_release(&m);
    t_mat_release(&sym);
    zc_free((char *)(uintptr_t)asym_config);
    zc_free((char *)(uintptr_t)sym_config);
}
END_TEST

START_TEST(activation_orders_that_do_not_add_up)
{
    static const struct {
        int column, group;
    } bad[] = {{0, 4}, {0, 1}, {5, -7}, {63, 1 << 30}};
    struct t_mat m;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        t_mat_random(&m, 8, 128, 32, 4, ZK_BF16, true, 1);
        m.g_idx = zc_xcalloc((size_t)m.k, sizeof *m.g_idx);
        for (int j = 0; j < m.k; j++)
            m.g_idx[j] = (m.k - 1 - j) / 32;
        m.g_idx[bad[i].column] = bad[i].group;
        struct t_st st = ct_without(&m, "");
        refuse(&st, ct_config(4, 32, false, ",\"actorder\":\"group\""), 8, 128, ZC_EFORMAT,
               "x.weight_g_idx: column");
        t_mat_release(&m);
    }
    t_mat_random(&m, 8, 80, 32, 4, ZK_BF16, true, 1);
    m.g_idx = zc_xcalloc((size_t)m.k, sizeof *m.g_idx);
    for (int j = 0; j < m.k; j++)
        m.g_idx[j] = j < 16 ? 0 : j < 48 ? 1 : 2; /* the short group is not the last */
    struct t_st st = ct_without(&m, "");
    refuse(&st, ct_config(4, 32, false, ""), 8, 80, ZC_EFORMAT, "unequal size");
    t_mat_release(&m);
}
END_TEST

START_TEST(awq_that_contradicts_itself)
{
    uint32_t words[64 * 2] = {0};
    struct t_mat m;
    struct t_st st;

    t_mat_random(&m, 16, 64, 32, 4, ZK_F16, true, 1);
    t_st_init(&st);
    t_mat_add_awq_gemm(&st, "x", &m);
    refuse(&st, awq_config("gemm", 32, false), 16, 64, ZC_EFORMAT, "zero_point false");
    t_st_init(&st);
    t_mat_add_awq_gemm(&st, "x", &m);
    refuse(&st, awq_config("gemm", 64, true), 16, 64, ZC_EFORMAT, "x.scales is 2 x 16");
    t_st_init(&st);
    t_mat_add_awq_gemm(&st, "x", &m);
    refuse(&st, awq_config("gemv", 32, true), 16, 64, ZC_EFORMAT, "x.qweight is 64 x 2");
    t_st_init(&st);
    t_mat_add_awq_gemm(&st, "x", &m);
    refuse(&st, ct_config(4, 32, false, ""), 16, 64, ZC_EFORMAT, "not say awq");
    t_st_init(&st);
    t_mat_add_awq_gemm(&st, "x", &m);
    refuse(&st, "null", 16, 64, ZC_EFORMAT, "AWQ or GPTQ");
    t_st_init(&st);
    t_st_add(&st, "x.qweight", "I32", 64, 1, words, 256);
    refuse(&st, awq_config("gemm", 32, true), 12, 64, ZC_EFORMAT, "N a multiple of 8");
    t_st_init(&st);
    t_st_add(&st, "x.qweight", "I32", 48, 2, words, 48 * 8);
    refuse(&st, awq_config("gemm", 32, true), 16, 48, ZC_EFORMAT, "K of 1 and of the group");
    t_st_init(&st);
    t_st_add(&st, "x.qweight", "F32", 64, 2, words, sizeof words);
    t_st_add(&st, "x.qzeros", "I32", 2, 2, words, 16);
    t_st_add(&st, "x.scales", "F16", 2, 16, words, 64);
    refuse(&st, awq_config("gemm", 32, true), 16, 64, ZC_EFORMAT, "x.qweight is F32");
    t_mat_release(&m);
}
END_TEST

START_TEST(awq_products_that_are_no_zero_points)
{
    static const float bad[] = {0.3f, -16.0f, -0.5f, NAN, -INFINITY};
    struct t_mat m;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct t_st st;
        t_mat_random(&m, 8, 64, 64, 4, ZK_F16, true, 1);
        for (int row = 0; row < 8; row++)
            ((uint16_t *)m.scale)[row] = 0x3c00;
        t_st_init(&st);
        t_mat_add_awq_fast(&st, "x", &m, "qzeros");
        json_int_t begin;
        json_unpack(json_object_get(st.header, "x.qzeros"), "{s:[I]}", "data_offsets", &begin);
        const uint16_t h = zk_f32_to_f16(bad[i]);
        memcpy(st.data + begin + 3 * 2, &h, 2);
        refuse(&st, awq_config("gemv_fast", 64, true), 8, 64, ZC_EFORMAT,
               "x.qzeros, row 0, column 3");
        t_mat_release(&m);
    }
}
END_TEST

START_TEST(scales_that_are_no_numbers)
{
    static const uint16_t bad[] = {0x7f80, 0x7fff};
    struct t_mat m;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct t_st st;
        t_mat_random(&m, 16, 64, 32, 4, ZK_BF16, true, 1);
        ((uint16_t *)m.scale)[5] = bad[i];
        t_st_init(&st);
        t_mat_add_ct(&st, "x", &m);
        refuse(&st, ct_config(4, 32, false, ""), 16, 64, ZC_EFORMAT,
               "x.weight_scale, row 2, column 1");
        t_mat_release(&m);
    }
}
END_TEST

/* Whatever the ignore list calls it. */
START_TEST(a_plain_head_is_taken)
{
    static const uint16_t w[16];
    struct zw_canon c;
    struct t_st st;

    t_st_init(&st);
    t_st_add(&st, "language_model.lm_head.weight", "BF16", 4, 4, w, sizeof w);
    open_model(&st, ct_config(4, 32, false, ""));
    t_assert_err(decode(&c, "language_model.lm_head", 4, 4), ZC_OK, &dg);
    ck_assert_int_eq(c.c.form, ZK_W16);
    zw_canon_release(&c);
}
END_TEST

/* A scale of 0 makes every weight 0, whatever the zero point: a product beside it is a mistake. */
START_TEST(awq_product_beside_a_scale_of_0)
{
    struct t_mat m;
    struct t_st st;

    t_mat_random(&m, 8, 64, 64, 4, ZK_F16, true, 1);
    t_st_init(&st);
    t_mat_add_awq_fast(&st, "x", &m, "qzeros");
    json_int_t scales, zeros;
    json_unpack(json_object_get(st.header, "x.scales"), "{s:[I]}", "data_offsets", &scales);
    json_unpack(json_object_get(st.header, "x.qzeros"), "{s:[I]}", "data_offsets", &zeros);
    memset(st.data + scales + 5 * 2, 0, 2);
    memcpy(st.data + zeros + 5 * 2, &(uint16_t){0x3c00}, 2);
    refuse(&st, awq_config("gemv_fast", 64, true), 8, 64, ZC_EFORMAT, "x.qzeros, row 0, column 5");
    t_mat_release(&m);
}
END_TEST

/* What lies behind the last column of a row is nobody's business. */
START_TEST(the_tail_of_a_packed_row_is_not_kept)
{
    struct zw_canon c;
    struct t_mat m;
    struct t_st st;
    json_int_t begin;

    t_mat_random(&m, 3, 33, 0, 4, ZK_BF16, true, 1);
    t_st_init(&st);
    t_mat_add_ct(&st, "x", &m);
    json_unpack(json_object_get(st.header, "x.weight_packed"), "{s:[I]}", "data_offsets", &begin);
    for (int row = 0; row < 3; row++) {
        st.data[begin + row * 20 + 16] |= 0xf0;
        memset(st.data + begin + row * 20 + 17, 0xff, 3);
    }
    open_model(&st, ct_config(4, 0, false, ""));
    t_assert_err(decode(&c, "x", 3, 33), ZC_OK, &dg);
    assert_same(&c.c, &m);
    zw_canon_release(&c);
    t_mat_release(&m);
}
END_TEST

START_TEST(weights_under_a_plain_name_that_are_not)
{
    static const uint8_t bytes[64];
    struct t_st st;

    t_st_init(&st);
    t_st_add(&st, "x.weight", "F8_E4M3", 4, 4, bytes, 16);
    refuse(&st, "null", 4, 4, ZC_EFORMAT, "fp8");
    t_st_init(&st);
    t_st_add(&st, "x.weight", "F8_E5M2", 4, 4, bytes, 16);
    refuse(&st, "null", 4, 4, ZC_EUNSUPPORTED, "E5M2");
    t_st_init(&st);
    t_st_add(&st, "x.weight", "I8", 4, 4, bytes, 16);
    refuse(&st, "null", 4, 4, ZC_EUNSUPPORTED, "int-quantized");
    t_st_init(&st);
    t_st_add(&st, "x.weight", "U8", 8, 1, bytes, 8);
    t_st_add(&st, "x.weight.absmax", "F32", 1, 0, bytes, 4);
    refuse(&st, "null", 4, 4, ZC_EFORMAT, "bitsandbytes");
    t_st_init(&st);
    t_st_add(&st, "x.weight", "BF16", 4, 4, bytes, 32);
    t_st_add(&st, "x.weight_scale", "BF16", 4, 1, bytes, 8);
    refuse(&st, "null", 4, 4, ZC_EUNSUPPORTED, "scales beside");
    t_st_init(&st);
    t_st_add(&st, "x.weight", "I16", 4, 4, bytes, 32);
    refuse(&st, "null", 4, 4, ZC_EFORMAT, "I16");
    t_st_init(&st);
    t_st_add(&st, "x.weight", "BF16", 4, 4, bytes, 32);
    refuse(&st, ct_config(4, 32, false, ""), 4, 4, ZC_EFORMAT, "stored plain");
    t_st_init(&st);
    t_st_add(&st, "x.weight", "BF16", 4, 4, bytes, 32);
    t_st_add(&st, "x.bias", "BF16", 3, 0, bytes, 6);
    refuse(&st, "null", 4, 4, ZC_EFORMAT, "x.bias");
}
END_TEST

/* ---- memory ------------------------------------------------------------------------------- */

START_TEST(decoding_survives_failing_memory)
{
    static const char *const versions[] = {"ct", "gemm", "gemv", "gemv_fast"};
    struct t_mat m;

    t_mat_random(&m, 16, 128, 32, 4, ZK_F16, true, 1);
    for (int v = 0; v < 4; v++) {
        struct zw_canon c;
        struct t_st st;
        long at = 0;
        int r;
        if (v == 0)
            t_mat_shuffle(&m, 3);
        t_st_init(&st);
        (v == 0   ? t_mat_add_ct
         : v == 1 ? t_mat_add_awq_gemm
                  : t_mat_add_awq_gemv)(&st, v == 3 ? "other" : "x", &m);
        if (v == 3)
            t_mat_add_awq_fast(&st, "x", &m, "qzeros");
        open_model(&st, v ? awq_config(versions[v], 32, true)
                          : ct_config(4, 32, false, ",\"actorder\":\"group\""));
        do {
            zc_mem_fail_at(++at);
            r = decode(&c, "x", m.n, m.k);
            zc_mem_fail_at(0);
            ck_assert(r == ZC_OK || r == ZC_ENOMEM);
        } while (r != ZC_OK);
        ck_assert_int_gt(at, 4);
        zw_canon_release(&c);
    }
    t_mat_release(&m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("weights: linear layers");
    TCase *tc = tcase_create("linear");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, golden_words_of_compressed_tensors);
    tcase_add_test(tc, golden_words_of_awq_gemm);
    tcase_add_test(tc, compressed_tensors_round_trips);
    tcase_add_test(tc, the_preset_of_8_bits_means_what_the_scales_say);
    tcase_add_test(tc, the_same_matrix_in_all_layouts);
    tcase_add_test(tc, awq_gemm_with_an_odd_k);
    tcase_add_test(tc, activation_order_groups_columns);
    tcase_add_test(tc, activation_order_that_changes_nothing);
    tcase_add_test(tc, plain_weights_are_copied);
    tcase_add_test(tc, compressed_tensors_that_contradict_themselves);
    tcase_add_test(tc, activation_orders_that_do_not_add_up);
    tcase_add_test(tc, awq_that_contradicts_itself);
    tcase_add_test(tc, awq_products_that_are_no_zero_points);
    tcase_add_test(tc, awq_product_beside_a_scale_of_0);
    tcase_add_test(tc, the_tail_of_a_packed_row_is_not_kept);
    tcase_add_test(tc, scales_that_are_no_numbers);
    tcase_add_test(tc, a_plain_head_is_taken);
    tcase_add_test(tc, weights_under_a_plain_name_that_are_not);
    tcase_add_test(tc, decoding_survives_failing_memory);
    suite_add_tcase(s, tc);
    return t_run(s);
}
