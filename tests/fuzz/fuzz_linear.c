/* SPDX-License-Identifier: MIT */
/* A layer in a file: found, checked, decoded. First byte: which quantization config; second and
 * third: n and k; the rest is the file behind its length (header and data). What passes the checks
 * is decoded within its memory, and its codes, zero points and order are in range. */
#include "config.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/zc_err.h"
#include "zoracd/weights/zw_decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define CT(args) "{\"compression_config\":{\"config_groups\":{" args "}}}"
#define G(w)     "\"g\":{\"targets\":[\"Linear\"],\"weights\":{" w "}}"
#define AWQ(v)   "{\"quantization_config\":{\"quant_method\":\"awq\",\"group_size\":32," v "}}"

static const char *const configs[] = {
    "{}",
    CT(G("\"num_bits\":4,\"group_size\":32,\"symmetric\":false")),
    CT(G("\"num_bits\":4,\"group_size\":-1,\"symmetric\":false")),
    CT(G("\"num_bits\":4,\"group_size\":32,\"actorder\":\"group\"")),
    CT("\"W8A16\":[\"Linear\"]"),
    AWQ("\"version\":\"gemm\""),
    AWQ("\"version\":\"gemv\""),
    AWQ("\"version\":\"gemv_fast\""),
    "{\"quantization_config\":{\"load_in_4bit\":true,\"bnb_4bit_quant_type\":\"nf4\"}}",
    "{\"quantization_config\":{\"quant_method\":\"fp8\"}}",
    "{\"quantization_config\":{\"quant_method\":\"fp8\",\"weight_block_size\":[48,32]}}",
    CT("\"FP8_DYNAMIC\":[\"Linear\"]"),
};
#define N_CONFIGS (sizeof configs / sizeof configs[0])

static char dir[] = "/tmp/zorac-fuzz-XXXXXX", path[sizeof dir + 32];

static void clean(void)
{
    unlink(path);
    rmdir(dir);
}

/* Touches every byte that a kernel would read. */
static void touch(const void *p, size_t n)
{
    uint8_t sum = 0;

    for (size_t i = 0; p && i < n; i++)
        sum ^= ((const uint8_t *)p)[i];
    __asm__ volatile("" : : "r"(sum)); /* used, as far as the compiler knows */
}

static void check(const struct zk_canon *c)
{
    const bool is_4bit = c->form == ZK_W4A || c->form == ZK_W4L;
    const size_t n = (size_t)c->n, k = (size_t)c->k;
    const size_t size = c->type == ZK_F32 || c->form == ZK_W4L || c->form == ZK_W8F ? 4 : 2;
    const size_t groups = c->group ? (k + (size_t)c->group - 1) / (size_t)c->group : 0;

    touch(c->q, n * (is_4bit ? (k + 1) / 2 : k));
    touch(c->table, 16 * sizeof(float));
    touch(c->scale, n * groups * size);
    touch(c->w, n * k * size);
    for (size_t i = 0; c->zero && i < n * groups; i++)
        if (c->form == ZK_W4A && c->zero[i] > 15)
            abort();
    for (size_t i = 0; c->form == ZK_W8F && i < n * k; i++)
        if ((c->q[i] & 0x7f) == 0x7f)
            abort();
    for (size_t i = 0; c->perm && i < k; i++)
        if (c->perm[i] < 0 || (size_t)c->perm[i] >= k)
            abort();
}

static void write_file(const uint8_t *p, size_t n)
{
    if (!path[0]) {
        if (!mkdtemp(dir))
            abort();
        snprintf(path, sizeof path, "%s/model.safetensors", dir);
        atexit(clean);
    }
    const uint8_t *end = memchr(p, '\n', n); /* header, newline, data */
    const uint64_t len = end ? (uint64_t)(end - p) + 1 : n;
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(&len, 8, 1, f) != 1 || (n && fwrite(p, n, 1, f) != 1) || fclose(f))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct zw_store *s = NULL;
    struct zw_quant *q = NULL;
    struct zc_diag dg = {""};
    struct zw_linear l;
    struct zw_canon c;

    if (n < 3 || p[1] == 0 || p[2] == 0)
        return 0;
    json_t *config = json_loads(configs[p[0] % N_CONFIGS], 0, NULL);
    write_file(p + 3, n - 3);
    if (zw_quant_new(&q, config, NULL, &dg) < 0)
        abort();
    if (zw_store_open(&s, dir, &dg) == ZC_OK &&
        zw_linear_probe(&l, s, q, "x", p[1], p[2], &dg) == ZC_OK &&
        zw_decode_linear(&c, &(struct zw_reader){.store = s}, &l, &dg) == ZC_OK) {
        check(&c.c);
        zw_canon_release(&c);
    }
    zw_store_free(s);
    zw_quant_free(q);
    json_decref(config);
    return 0;
}
