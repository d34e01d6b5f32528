/* SPDX-License-Identifier: MIT */
/* Checks a safetensors header: the length, the JSON, each entry by itself, then all of them
 * together: sorted by offset they must fill the data exactly, without hole, overlap or rest. */
#include "config.h"

#include "zoracd/weights/zw_header.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/weights/zw_json.h"

/* Tensor entries hold up to 3 + ZW_MAX_RANK values; metadata is a flat map. */
static const struct zw_json_limits header_limits = {
    .bytes = ZW_MAX_HEADER_BYTES, .values = 8u * ZW_MAX_FILE_TENSORS, .depth = 3};

static const struct {
    const char *name;
    unsigned bits;
    enum zw_dtype dtype;
} dtypes[] = {
    {"BF16", 16, ZW_BF16},
    {"F16", 16, ZW_F16},
    {"F32", 32, ZW_F32},
    {"I32", 32, ZW_I32},
    {"I64", 64, ZW_I64},
    {"I16", 16, ZW_I16},
    {"U8", 8, ZW_U8},
    {"I8", 8, ZW_I8},
    {"F8_E4M3", 8, ZW_F8_E4M3},
    {"F8_E5M2", 8, ZW_F8_E5M2},
    {"BOOL", 8, ZW_BOOL},
    {"U16", 16, ZW_U16},
    {"U32", 32, ZW_U32},
    {"U64", 64, ZW_U64},
    {"F64", 64, ZW_F64},
    {"C64", 64, ZW_OTHER},
    {"F8_E8M0", 8, ZW_OTHER},
    {"F8_E4M3FNUZ", 8, ZW_OTHER},
    {"F8_E5M2FNUZ", 8, ZW_OTHER},
    {"F6_E2M3", 6, ZW_OTHER},
    {"F6_E3M2", 6, ZW_OTHER},
    {"F4", 4, ZW_OTHER},
};

int zw_header_length(uint64_t *ret_len, const uint8_t *p, size_t n, uint64_t file_size,
                     struct zc_diag *dg)
{
    uint64_t len = 0;

    if (file_size < 8 || n < 8)
        return zc_diag(dg, file_size < 8 ? ZC_EFORMAT : ZC_EAGAIN,
                       "%llu bytes are no safetensors file", (unsigned long long)file_size);
    if (!memcmp(p, "GGUF", 4))
        return zc_diag(dg, ZC_EUNSUPPORTED, "this is a GGUF file, which is not read yet");
    for (int i = 7; i >= 0; i--)
        len = len << 8 | p[i];
    if (len > ZW_MAX_HEADER_BYTES)
        return zc_diag(dg, ZC_EFORMAT, "header of %llu bytes, the format's limit is %lu",
                       (unsigned long long)len, ZW_MAX_HEADER_BYTES);
    if (len > file_size - 8)
        return zc_diag(dg, ZC_EFORMAT, "header of %llu bytes in a file of %llu",
                       (unsigned long long)len, (unsigned long long)file_size);
    *ret_len = len;
    return ZC_OK;
}

/* dtype and size of an element. */
static int parse_dtype(struct zw_tensor *t, unsigned *ret_bits, const json_t *j, struct zc_diag *dg)
{
    const char *name = json_string_value(j);

    if (!name)
        return zc_diag(dg, ZC_EFORMAT, "dtype is not a string");
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        if (strcmp(dtypes[i].name, name))
            continue;
        t->dtype = dtypes[i].dtype;
        t->dtype_name = dtypes[i].name;
        *ret_bits = dtypes[i].bits;
        return ZC_OK;
    }
    return zc_diag(dg, ZC_EFORMAT, "unknown dtype \"%s\"", name);
}

/* A JSON array of n non-negative integers. */
static int parse_sizes(uint64_t *v, const json_t *j, size_t n, const char *key, struct zc_diag *dg)
{
    if (!json_is_array(j) || json_array_size(j) != n)
        return zc_diag(dg, ZC_EFORMAT, "%s is not an array of %zu numbers", key, n);
    for (size_t i = 0; i < n; i++) {
        const json_t *x = json_array_get(j, i);
        if (!json_is_integer(x) || json_integer_value(x) < 0)
            return zc_diag(dg, ZC_EFORMAT, "%s[%zu] is not a size", key, i);
        v[i] = (uint64_t)json_integer_value(x);
    }
    return ZC_OK;
}

/* Bytes that the shape asks for. */
static int shape_bytes(uint64_t *ret_bytes, const struct zw_tensor *t, unsigned bits,
                       struct zc_diag *dg)
{
    uint64_t n = bits;
    bool is_empty = false;

    for (int i = 0; i < t->rank; i++) {
        if (t->shape[i] == 0)
            is_empty = true;
        else if (__builtin_mul_overflow(n, t->shape[i], &n))
            return zc_diag(dg, ZC_EFORMAT, "the shape's size overflows");
    }
    if (is_empty)
        n = 0;
    if (n % 8)
        return zc_diag(dg, ZC_EFORMAT, "%llu bits are no whole bytes", (unsigned long long)n);
    *ret_bytes = n / 8;
    return ZC_OK;
}

/* One entry; offset is relative to the data still. */
static int parse_tensor(struct zw_tensor *t, const json_t *j, struct zc_diag *dg)
{
    const json_t *shape = json_object_get(j, "shape");
    uint64_t range[2], bytes = 0;
    unsigned bits = 0;
    int r;

    if (!json_is_object(j))
        return zc_diag(dg, ZC_EFORMAT, "the entry is not an object");
    if (json_object_size(j) != 3 || !shape || !json_object_get(j, "dtype") ||
        !json_object_get(j, "data_offsets"))
        return zc_diag(dg, ZC_EFORMAT, "the entry has other keys than dtype, shape, data_offsets");
    if ((r = parse_dtype(t, &bits, json_object_get(j, "dtype"), dg)) < 0)
        return r;
    if (json_array_size(shape) > ZW_MAX_RANK)
        return zc_diag(dg, ZC_ELIMIT, "more than %d dimensions", ZW_MAX_RANK);
    t->rank = (int)json_array_size(shape);
    if ((r = parse_sizes(t->shape, shape, (size_t)t->rank, "shape", dg)) < 0 ||
        (r = parse_sizes(range, json_object_get(j, "data_offsets"), 2, "data_offsets", dg)) < 0 ||
        (r = shape_bytes(&bytes, t, bits, dg)) < 0)
        return r;
    if (range[0] > range[1] || range[1] - range[0] != bytes)
        return zc_diag(
            dg, ZC_EFORMAT, "data_offsets %llu to %llu do not fit the shape's %llu bytes",
            (unsigned long long)range[0], (unsigned long long)range[1], (unsigned long long)bytes);
    t->offset = range[0];
    t->bytes = bytes;
    return ZC_OK;
}

/* All entries of the object; *ret_n of at most json_object_size(root). */
static int parse_entries(struct zw_tensor *tensors, size_t *ret_n, json_t *root, struct zc_diag *dg)
{
    const char *key;
    json_t *v, *meta;
    size_t n = 0;
    int r;

    json_object_foreach (root, key, v) {
        if (!strcmp(key, "__metadata__"))
            continue;
        if (strlen(key) > ZW_MAX_NAME)
            return zc_diag(dg, ZC_ELIMIT, "a tensor's name has %zu bytes, the limit is %d",
                           strlen(key), ZW_MAX_NAME);
        tensors[n].name = key;
        if ((r = parse_tensor(&tensors[n], v, dg)) < 0)
            return zc_diag_prefix(dg, r, "tensor %s", key);
        n++;
    }
    meta = json_object_get(root, "__metadata__");
    if (meta && !json_is_object(meta))
        return zc_diag(dg, ZC_EFORMAT, "__metadata__ is not an object");
    json_object_foreach (meta, key, v) {
        if (!json_is_string(v))
            return zc_diag(dg, ZC_EFORMAT, "__metadata__.%s is not a string", key);
    }
    *ret_n = n;
    return ZC_OK;
}

static int by_offset(const void *pa, const void *pb)
{
    const struct zw_tensor *a = pa, *b = pb;

    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* The sorted entries fill the data exactly; makes their offsets absolute. */
static int check_contiguous(struct zw_tensor *tensors, size_t n, uint64_t data, uint64_t file_size,
                            struct zc_diag *dg)
{
    uint64_t end = 0;

    for (size_t i = 0; i < n; i++) {
        if (tensors[i].offset != end)
            return zc_diag(dg, ZC_EFORMAT,
                           "tensor %s begins at data byte %llu, the one before "
                           "ends at %llu",
                           tensors[i].name, (unsigned long long)tensors[i].offset,
                           (unsigned long long)end);
        end += tensors[i].bytes;
        tensors[i].offset += data;
    }
    if (end != file_size - data)
        return zc_diag(dg, ZC_EFORMAT, "the tensors end at data byte %llu, the file at %llu",
                       (unsigned long long)end, (unsigned long long)(file_size - data));
    return ZC_OK;
}

int zw_header_parse(const uint8_t *p, size_t n, uint64_t file_size, zw_header_cb *cb, void *arg,
                    struct zc_diag *dg)
{
    json_t *root = NULL;
    void *mem = NULL;
    uint64_t len;
    size_t count = 0;
    int r;

    if ((r = zw_header_length(&len, p, n, file_size, dg)) < 0)
        return r;
    if (n - 8 < len)
        return zc_diag(dg, ZC_EAGAIN, "%zu bytes of a header of %llu", n, (unsigned long long)len);
    if ((r = zw_json_parse(&root, (const char *)p + 8, len, &header_limits, dg)) < 0)
        return zc_diag_prefix(dg, r, "header");
    if (!json_is_object(root)) {
        r = zc_diag(dg, ZC_EFORMAT, "the header is not an object");
        goto out;
    }
    if ((r = zc_try_malloc(&mem, json_object_size(root), sizeof(struct zw_tensor),
                           (ZW_MAX_FILE_TENSORS + 1) * sizeof(struct zw_tensor))) < 0) {
        zc_diag(dg, r, "no memory for %zu tensors in one file", json_object_size(root));
        goto out;
    }
    struct zw_tensor *tensors = memset(mem, 0, json_object_size(root) * sizeof *tensors);
    if ((r = parse_entries(tensors, &count, root, dg)) < 0)
        goto out;
    qsort(tensors, count, sizeof *tensors, by_offset);
    if ((r = check_contiguous(tensors, count, 8 + len, file_size, dg)) < 0)
        goto out;
    for (size_t i = 0; i < count && r >= 0; i++)
        r = cb(&tensors[i], arg, dg);
    r = r < 0 ? r : ZC_OK;
out:
    zc_free(mem);
    json_decref(root);
    return r;
}
