/* SPDX-License-Identifier: MIT */
/* See t_safetensors.h. Slow and plain on purpose. */
#include "config.h"

#include "tests/unit/t_safetensors.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/zc_mem.h"
#include "tests/unit/t_unit.h"

/* ---- directories -------------------------------------------------------------------------- */

char *t_dir_new(void)
{
    char dir[T_DIR];

    t_dir(dir);
    return zc_xstrdup(dir);
}

void t_dir_remove(char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;

    ck_assert_ptr_nonnull(d);
    while ((e = readdir(d)))
        unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
    rmdir(dir);
    zc_free(dir);
}

void t_dir_write(const char *dir, const char *name, const void *bytes, size_t n)
{
    char *path = zc_xasprintf("%s/%s", dir, name);
    FILE *f = fopen(path, "wb");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(n ? fwrite(bytes, 1, n, f) : 0, n);
    ck_assert_int_eq(fclose(f), 0);
    zc_free(path);
}

void t_dir_write_text(const char *dir, const char *name, const char *text)
{
    t_dir_write(dir, name, text, strlen(text));
}

uint8_t *t_dir_read(const char *dir, const char *name, size_t *ret_n)
{
    char *path = zc_xasprintf("%s/%s", dir, name);
    FILE *f = fopen(path, "rb");

    ck_assert_msg(f != NULL, "%s", path);
    ck_assert_int_eq(fseek(f, 0, SEEK_END), 0);
    size_t n = (size_t)ftell(f);
    rewind(f);
    uint8_t *p = zc_xmalloc(n + 1);
    ck_assert_uint_eq(fread(p, 1, n, f), n);
    fclose(f);
    zc_free(path);
    *ret_n = n;
    return p;
}

/* ---- safetensors -------------------------------------------------------------------------- */

void t_st_init(struct t_st *st)
{
    memset(st, 0, sizeof *st);
    st->header = json_object();
}

void t_st_add(struct t_st *st, const char *name, const char *dtype, uint64_t d0, uint64_t d1,
              const void *bytes, size_t n)
{
    json_t *shape = json_array();

    json_array_append_new(shape, json_integer((json_int_t)d0));
    if (d1)
        json_array_append_new(shape, json_integer((json_int_t)d1));
    json_object_set_new(st->header, name,
                        json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype, "shape", shape,
                                  "data_offsets", (json_int_t)st->n, (json_int_t)(st->n + n)));
    if (st->n + n > st->cap) {
        st->cap = 2 * (st->n + n);
        st->data = zc_xreallocarray(st->data, st->cap, 1);
    }
    if (n)
        memcpy(st->data + st->n, bytes, n);
    st->n += n;
}

uint8_t *t_st_take(struct t_st *st, size_t *ret_n)
{
    char *text = json_dumps(st->header, JSON_COMPACT);
    size_t len = strlen(text);
    uint8_t *p = zc_xmalloc(8 + len + st->n + 1);

    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)((uint64_t)len >> 8 * i);
    memcpy(p + 8, text, len);
    if (st->n)
        memcpy(p + 8 + len, st->data, st->n);
    *ret_n = 8 + len + st->n;
    free(text);
    json_decref(st->header);
    zc_free(st->data);
    memset(st, 0, sizeof *st);
    return p;
}

void t_st_write(struct t_st *st, const char *dir, const char *name)
{
    size_t n;
    uint8_t *p = t_st_take(st, &n);

    t_dir_write(dir, name, p, n);
    zc_free(p);
}

/* ---- matrices ----------------------------------------------------------------------------- */

uint32_t t_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static size_t type_size(enum zk_type type)
{
    return type == ZK_F32 ? 4 : 2;
}

static void set_float(void *p, enum zk_type type, size_t i, float v)
{
    if (type == ZK_F32)
        ((float *)p)[i] = v;
    else
        ((uint16_t *)p)[i] = type == ZK_F16 ? zk_f32_to_f16(v) : zk_f32_to_bf16(v);
}

static float get_float(const void *p, enum zk_type type, size_t i)
{
    if (type == ZK_F32)
        return ((const float *)p)[i];
    return type == ZK_F16 ? zk_f16_to_f32(((const uint16_t *)p)[i])
                          : zk_bf16_to_f32(((const uint16_t *)p)[i]);
}

void t_mat_random(struct t_mat *m, int n, int k, int group, int bits, enum zk_type type,
                  bool has_zero, uint32_t seed)
{
    uint32_t state = seed * 2654435761u + 1;

    if (group == 0)
        group = k;
    const int groups = (k + group - 1) / group;
    const size_t n_scales = (size_t)n * (size_t)groups;
    *m = (struct t_mat){
        .n = n, .k = k, .group = group, .bits = bits, .groups = groups, .type = type};
    m->q = zc_xmalloc((size_t)n * (size_t)k);
    m->scale = zc_xcalloc(n_scales, type_size(type));
    if (has_zero)
        m->zero = zc_xmalloc(n_scales);
    for (size_t i = 0; i < (size_t)n * (size_t)k; i++)
        m->q[i] = (uint8_t)(t_random(&state) >> 8 & ((1u << bits) - 1));
    for (size_t i = 0; i < n_scales; i++) {
        set_float(m->scale, type, i, 0.001f + 0.099f * (float)(t_random(&state) >> 8) / 0x1p24f);
        if (has_zero)
            m->zero[i] = (uint8_t)(t_random(&state) >> 8 & ((1u << bits) - 1));
    }
    if (has_zero) {
        m->zero[0] = 0;
        m->zero[n_scales - 1] = (uint8_t)((1u << bits) - 1);
    }
}

void t_mat_shuffle(struct t_mat *m, uint32_t seed)
{
    uint32_t state = seed * 2654435761u + 1;

    m->g_idx = zc_xcalloc((size_t)m->k, sizeof *m->g_idx);
    for (int j = 0; j < m->k; j++)
        m->g_idx[j] = j / m->group;
    for (int j = m->k - 1; j > 0; j--) {
        const int i = (int)(t_random(&state) % (uint32_t)(j + 1));
        const int32_t t = m->g_idx[i];
        m->g_idx[i] = m->g_idx[j];
        m->g_idx[j] = t;
    }
}

void t_mat_release(struct t_mat *m)
{
    zc_free(m->q);
    zc_free(m->zero);
    zc_free(m->scale);
    zc_free(m->g_idx);
    memset(m, 0, sizeof *m);
}

/* Adds module.suffix. */
static void add(struct t_st *st, const char *module, const char *suffix, const char *dtype,
                uint64_t d0, uint64_t d1, const void *bytes, size_t n)
{
    char *name = zc_xasprintf("%s.%s", module, suffix);

    t_st_add(st, name, dtype, d0, d1, bytes, n);
    zc_free(name);
}

static const char *type_name(enum zk_type type)
{
    return type == ZK_F32 ? "F32" : type == ZK_F16 ? "F16" : "BF16";
}

void t_mat_add_ct(struct t_st *st, const char *name, const struct t_mat *m)
{
    const size_t n = (size_t)m->n, k = (size_t)m->k, groups = (size_t)m->groups;
    const size_t per_word = 32 / (size_t)m->bits;
    const size_t words = (k + per_word - 1) / per_word, zero_rows = (n + per_word - 1) / per_word;
    const int64_t shape[2] = {m->n, m->k};
    uint32_t *packed = zc_xcalloc(n * words, 4);
    uint32_t *zeros = zc_xcalloc(zero_rows * groups, 4);

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < k; j++)
            packed[i * words + j / per_word] |= (uint32_t)m->q[i * k + j]
                                                << (j % per_word * (size_t)m->bits);
    for (size_t i = 0; i < n && m->zero; i++)
        for (size_t g = 0; g < groups; g++)
            zeros[i / per_word * groups + g] |= (uint32_t)m->zero[i * groups + g]
                                                << (i % per_word * (size_t)m->bits);
    add(st, name, "weight_packed", "I32", n, words, packed, n * words * 4);
    add(st, name, "weight_scale", type_name(m->type), n, groups, m->scale,
        n * groups * type_size(m->type));
    if (m->zero)
        add(st, name, "weight_zero_point", "I32", zero_rows, groups, zeros, zero_rows * groups * 4);
    add(st, name, "weight_shape", "I64", 2, 0, shape, sizeof shape);
    if (m->g_idx)
        add(st, name, "weight_g_idx", "I32", k, 0, m->g_idx, k * 4);
    zc_free(packed);
    zc_free(zeros);
}

/* scale[rows][n], rows behind the groups being zero: how the transposed layouts keep them. */
static void *transposed_scales(const struct t_mat *m, size_t rows)
{
    const size_t n = (size_t)m->n, groups = (size_t)m->groups, size = type_size(m->type);
    char *t = zc_xcalloc(rows * n, size);

    for (size_t i = 0; i < n; i++)
        for (size_t g = 0; g < groups; g++)
            memcpy(t + (g * n + i) * size, (char *)m->scale + (i * groups + g) * size, size);
    return t;
}

void t_mat_add_awq_gemm(struct t_st *st, const char *name, const struct t_mat *m)
{
    static const int column_nibble[8] = {0, 4, 1, 5, 2, 6, 3, 7};
    const size_t n = (size_t)m->n, k = (size_t)m->k, groups = (size_t)m->groups;
    uint32_t *q = zc_xcalloc(k * n / 8, 4), *z = zc_xcalloc(groups * n / 8, 4);
    void *scales = transposed_scales(m, groups);

    for (size_t i = 0; i < n; i++) {
        const int shift = 4 * column_nibble[i % 8];
        for (size_t j = 0; j < k; j++)
            q[j * (n / 8) + i / 8] |= (uint32_t)m->q[i * k + j] << shift;
        for (size_t g = 0; g < groups && m->zero; g++)
            z[g * (n / 8) + i / 8] |= (uint32_t)m->zero[i * groups + g] << shift;
    }
    add(st, name, "qweight", "I32", k, n / 8, q, k * n / 2);
    if (m->zero)
        add(st, name, "qzeros", "I32", groups, n / 8, z, groups * n / 2);
    add(st, name, "scales", type_name(m->type), groups, n, scales, groups * n * type_size(m->type));
    zc_free(q);
    zc_free(z);
    zc_free(scales);
}

/* Words of zero points per row. */
static size_t zero_words(const struct t_mat *m)
{
    const size_t mult = m->group >= 128 ? 1 : m->group == 64 ? 2 : 4;
    const size_t words = ((size_t)m->groups + 7) / 8;

    return (words + mult - 1) / mult * mult;
}

void t_mat_add_awq_gemv(struct t_st *st, const char *name, const struct t_mat *m)
{
    const size_t n = (size_t)m->n, k = (size_t)m->k, groups = (size_t)m->groups;
    const size_t wz = zero_words(m), size = type_size(m->type);
    uint32_t *q = zc_xcalloc(n * k / 8, 4), *z = zc_xcalloc(n * wz, 4);
    char *scales = zc_xcalloc(n * wz * 8, size);

    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < k; j++)
            q[i * (k / 8) + j / 8] |= (uint32_t)m->q[i * k + j] << 4 * (j % 8);
        for (size_t g = 0; g < groups; g++) {
            if (m->zero)
                z[i * wz + g / 8] |= (uint32_t)m->zero[i * groups + g] << 4 * (g % 8);
            memcpy(scales + (i * wz * 8 + g) * size, (char *)m->scale + (i * groups + g) * size,
                   size);
        }
    }
    add(st, name, "qweight", "I32", n, k / 8, q, n * k / 2);
    if (m->zero)
        add(st, name, "qzeros", "I32", n, wz, z, n * wz * 4);
    add(st, name, "scales", type_name(m->type), n, wz * 8, scales, n * wz * 8 * size);
    zc_free(q);
    zc_free(z);
    zc_free(scales);
}

void t_mat_add_awq_fast(struct t_st *st, const char *name, const struct t_mat *m, const char *zeros)
{
    const size_t n = (size_t)m->n, k = (size_t)m->k, groups = (size_t)m->groups;
    const size_t rows = zero_words(m) * 8;
    uint16_t *q = zc_xcalloc(n / 4 * k, 2);
    char *zs = zc_xcalloc(rows * n, type_size(m->type));
    void *scales = transposed_scales(m, rows);

    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < k; j++) {
            const size_t word = 64 * (j / 64) + 16 * (i % 4) + 8 * (j / 32 % 2) + j % 8;
            q[i / 4 * k + word] |= (uint16_t)(m->q[i * k + j] << 4 * (j / 8 % 4));
        }
        for (size_t g = 0; g < groups && m->zero; g++)
            set_float(zs, m->type, g * n + i,
                      -get_float(m->scale, m->type, i * groups + g) * m->zero[i * groups + g]);
    }
    add(st, name, "qweight", "I16", n / 4, k, q, n / 4 * k * 2);
    if (m->zero)
        add(st, name, zeros, type_name(m->type), rows, n, zs, rows * n * type_size(m->type));
    add(st, name, "scales", type_name(m->type), rows, n, scales, rows * n * type_size(m->type));
    zc_free(q);
    zc_free(zs);
    zc_free(scales);
}
