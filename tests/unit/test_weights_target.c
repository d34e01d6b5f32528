/* SPDX-License-Identifier: MIT */
/* The model that the daemon is built around, from its headers alone: every shape of its packed
 * layers, without its fourteen gigabytes. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/zc_mem.h"
#include "tests/unit/t_safetensors.h"
#include "tests/unit/t_unit.h"
#include "zoracd/weights/zw_linear.h"

#define HIDDEN 5120
#define FFN    32768

static const struct {
    const char *name;
    int n, k;
} target[] = {
    {"self_attn.q_proj", 4096, HIDDEN}, {"self_attn.k_proj", 1024, HIDDEN},
    {"self_attn.v_proj", 1024, HIDDEN}, {"self_attn.o_proj", HIDDEN, 4096},
    {"mlp.gate_proj", FFN, HIDDEN},     {"mlp.up_proj", FFN, HIDDEN},
    {"mlp.down_proj", HIDDEN, FFN},
};
#define N_TARGET (sizeof target / sizeof target[0])
#define LAYERS   40

/* Adds a tensor to the header alone; *ret_at gets its offset in the data. */
static void add_hole(json_t *header, uint64_t *end, const char *module, const char *suffix,
                     const char *dtype, int d0, int d1, uint64_t size, uint64_t *ret_at)
{
    char *name = zc_xasprintf("%s.%s", module, suffix);
    const uint64_t bytes = (uint64_t)d0 * (uint64_t)(d1 ? d1 : 1) * size;
    json_t *shape = d1 ? json_pack("[i, i]", d0, d1) : json_pack("[i]", d0);

    json_object_set_new(header, name,
                        json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype, "shape", shape,
                                  "data_offsets", (json_int_t)*end, (json_int_t)(*end + bytes)));
    *ret_at = *end;
    *end += bytes;
    zc_free(name);
}

/* The target's linear layers as compressed-tensors writes them: a header, and a hole of 11.5 GB. */
static void make_target(const char *dir)
{
    json_t *header = json_object();
    uint64_t end = 0, at, shape_at[LAYERS * N_TARGET];
    char module[96];

    for (int i = 0; i < LAYERS; i++)
        for (size_t t = 0; t < N_TARGET; t++) {
            const int n = target[t].n, k = target[t].k;
            snprintf(module, sizeof module, "model.layers.%d.%s", i, target[t].name);
            add_hole(header, &end, module, "weight_shape", "I64", 2, 0, 8,
                     &shape_at[(size_t)i * N_TARGET + t]);
            add_hole(header, &end, module, "weight_packed", "I32", n, k / 8, 4, &at);
            add_hole(header, &end, module, "weight_scale", "BF16", n, k / 128, 2, &at);
            add_hole(header, &end, module, "weight_zero_point", "I32", n / 8, k / 128, 4, &at);
        }
    char *text = json_dumps(header, JSON_COMPACT);
    const uint64_t len = strlen(text);
    char *path = zc_xasprintf("%s/model.safetensors", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, &len, 8, 0), 8);
    ck_assert_int_eq(pwrite(fd, text, len, 8), (ssize_t)len);
    for (size_t i = 0; i < LAYERS * N_TARGET; i++) {
        const int64_t shape[2] = {target[i % N_TARGET].n, target[i % N_TARGET].k};
        ck_assert_int_eq(pwrite(fd, shape, 16, (off_t)(8 + len + shape_at[i])), 16);
    }
    ck_assert_int_eq(ftruncate(fd, (off_t)(8 + len + end)), 0);
    close(fd);
    free(text);
    json_decref(header);
    zc_free(path);
}

START_TEST(the_target_is_probed_from_its_header)
{
    /* rows and columns of packed words, scales and zero points */
    static const int shapes[N_TARGET][6] = {
        {4096, 640, 4096, 40, 512, 40},    {1024, 640, 1024, 40, 128, 40},
        {1024, 640, 1024, 40, 128, 40},    {5120, 512, 5120, 32, 640, 32},
        {32768, 640, 32768, 40, 4096, 40}, {32768, 640, 32768, 40, 4096, 40},
        {5120, 4096, 5120, 256, 640, 256},
    };
    char *dir = t_dir_new(), module[96];
    struct zc_diag dg = {""};
    struct zw_store *store;
    struct zw_quant *quant;
    uint64_t bytes = 0;

    make_target(dir);
    json_t *root = json_loads("{\"quantization_config\":{\"quant_method\":\"compressed-tensors\","
                              "\"ignore\":[\"lm_head\"],\"config_groups\":{"
                              "\"W4A16_ASYM\":[\"Linear\"]}}}",
                              0, NULL);
    t_assert_err(zw_store_open(&store, dir, &dg), ZC_OK, &dg);
    t_assert_err(zw_quant_new(&quant, root, NULL, &dg), ZC_OK, &dg);
    json_decref(root);
    for (int i = 0; i < LAYERS; i++)
        for (size_t t = 0; t < N_TARGET; t++) {
            struct zw_linear l;
            snprintf(module, sizeof module, "model.layers.%d.%s", i, target[t].name);
            t_assert_err(zw_linear_probe(&l, store, quant, module, target[t].n, target[t].k, &dg),
                         ZC_OK, &dg);
            const struct zw_tensor *parts[3] = {l.weight, l.scale, l.zero};
            for (int p = 0; p < 6; p++)
                ck_assert_uint_eq(parts[p / 2]->shape[p % 2], (uint64_t)shapes[t][p]);
            ck_assert_int_eq(l.desc.form, ZK_W4A);
            ck_assert_int_eq(l.desc.group, 128);
            ck_assert_int_eq(l.desc.type, ZK_BF16);
            ck_assert(l.desc.has_zero && !l.desc.has_perm);
            bytes += l.file_bytes;
        }
    ck_assert_uint_eq(bytes, 22229811200ull * 133 / 256); /* 4.15625 bits each */
    zw_store_free(store);
    zw_quant_free(quant);
    t_dir_remove(dir);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("weights: the target");
    TCase *tc = tcase_create("target");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, the_target_is_probed_from_its_header);
    suite_add_tcase(s, tc);
    return t_run(s);
}
