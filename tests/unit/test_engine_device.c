/* SPDX-License-Identifier: MIT */
/* The memory of an engine on a GPU, on the simulator: what is planned is what is taken, on the
 * device and beside it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/t_engine.h"
#include "tests/unit/t_safetensors.h"
#include "tests/unit/t_tiny.h"
#include "tests/unit/t_unit.h"

#define LEN 37
#define V   96

static struct zc_diag dg;
static int32_t prompt[LEN];

static struct ze_opts options(const char *dir)
{
    struct ze_opts o = t_engine_options(dir);
    o.backend = "cuda";
    return o;
}

/* ---- the embedding ------------------------------------------------------------------------- */

/* Logits after the prompt. */
static void compute(struct ze_engine *e, float *ret)
{
    struct ze_work w = {.seq = t_engine_seq(e, 1, prompt, LEN), .n_rows = LEN, .want_logits = true};
    w.is_prompt = true;
    t_engine_run(e, &w, 1);
    memcpy(ret, w.logits, V * sizeof *ret);
    ze_seq_free(w.seq);
}

/* In host memory, beside the limit; where that is not to be had, in the device's, which is said,
 * with the same bits. Tied or not, the head is a matrix of its own on the device. */
START_TEST(the_embedding_is_in_host_memory)
{
    struct ze_plan planned, kept;
    float want[V], got[V];
    struct t_tiny tiny;

    t_tiny_init(&tiny);
    tiny.tied = _i & 1;
    tiny.wide = _i & 2 ? "embed_tokens" : NULL;
    t_engine_ids(prompt, LEN, V, 7);
    char *dir = t_tiny_write(&tiny);
    struct ze_opts o = options(dir);
    o.head_bits = _i & 1 ? 16 : 8;
    t_assert_err(ze_engine_check(&o, &planned, &dg), ZC_OK, &dg);
    struct ze_engine *e = t_engine_open(&o);
    ck_assert_mem_eq(ze_engine_plan(e), &planned, sizeof planned);
    ck_assert_ptr_null(ze_engine_notice(e));
    ck_assert(planned.host_apart && planned.embed_on_host);
    ck_assert_uint_eq(planned.embedding, (uint64_t)V * 64 * (_i & 2 ? 4 : 2));
    ck_assert_uint_ge(planned.host, planned.embedding);
    ck_assert_uint_eq(planned.total, planned.weights + planned.kv + planned.scratch);
    compute(e, want);
    ze_engine_free(e);

    ck_assert_int_eq(setenv("CUDASIM_FAIL", "pinned:2", 1), 0); /* the first is the device's own */
    e = t_engine_open(&o);
    kept = *ze_engine_plan(e);
    ck_assert(!kept.embed_on_host);
    ck_assert_ptr_nonnull(strstr(ze_engine_notice(e), "the embedding lies in the GPU's memory"));
    ck_assert_ptr_nonnull(strstr(ze_engine_notice(e), "can't be pinned"));
    ck_assert_uint_eq(kept.weights, planned.weights + planned.embedding);
    ck_assert_uint_eq(kept.host, planned.host - planned.embedding);
    compute(e, got);
    ck_assert_mem_eq(got, want, sizeof want);
    ze_engine_free(e);
    t_dir_remove(dir);
}
END_TEST

/* Neither here nor there: refused, before anything else is taken. */
START_TEST(no_room_for_the_embedding_is_refused)
{
    struct ze_engine *e = NULL;
    struct ze_plan planned;
    struct t_tiny tiny;

    t_tiny_init(&tiny);
    char *dir = t_tiny_write(&tiny);
    struct ze_opts o = options(dir);
    o.max_seqs = 1;
    t_assert_err(ze_engine_check(&o, &planned, &dg), ZC_OK, &dg);
    o.memory_limit = planned.total;
    t_assert_err(ze_engine_check(&o, NULL, &dg), ZC_OK, &dg);
    ck_assert_int_eq(setenv("CUDASIM_FAIL", "pinned:2", 1), 0);
    t_assert_err(ze_engine_open(&e, &o, NULL, NULL, NULL, &dg), ZC_ELIMIT, &dg);
    ck_assert_ptr_nonnull(strstr(dg.text, "the model does not fit"));
    t_dir_remove(dir);
}
END_TEST

/* A table as large as tables get, 128 GiB: where main memory has no room for it, the plan keeps it
 * on the device. */
START_TEST(the_plan_knows_main_memory)
{
    struct ze_plan p;
    struct ze_opts o = options(NULL);
    char *dir = t_dir_new(), path[4096];

    t_dir_write_text(dir, "shape.json",
                     "{\"architectures\": [\"LlamaForCausalLM\"], \"model_type\": \"llama\","
                     " \"hidden_size\": 65536, \"num_hidden_layers\": 1, \"vocab_size\": 1048576,"
                     " \"num_attention_heads\": 1, \"num_key_value_heads\": 1, \"head_dim\": 64,"
                     " \"intermediate_size\": 64, \"max_position_embeddings\": 1024,"
                     " \"rms_norm_eps\": 1e-5, \"hidden_act\": \"silu\"}");
    snprintf(path, sizeof path, "%s/shape.json", dir);
    ck_assert_int_eq(setenv("CUDASIM_MEMORY", "4000000", 1), 0);
    o.dir = path;
    o.random_weights = true;
    o.memory_limit = 0;
    t_assert_err(ze_engine_check(&o, &p, &dg), ZC_OK, &dg);
    const uint64_t host = p.host + (p.embed_on_host ? 0 : p.embedding);
    ck_assert_uint_eq(p.embedding, 1ull << 37);
    ck_assert_int_eq(p.embed_on_host, p.host_had == 0);
    ck_assert(p.embed_on_host || host + p.staging > p.host_had);
    ck_assert_uint_eq(p.weights_form[ZK_W16] >> 37, !p.embed_on_host);
    t_dir_remove(dir);
}
END_TEST

static Suite *engine_device_suite(void)
{
    Suite *s = suite_create("engine-device");
    TCase *t = tcase_create("memory");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, the_embedding_is_in_host_memory, 0, 4);
    tcase_add_test(t, no_room_for_the_embedding_is_refused);
    tcase_add_test(t, the_plan_knows_main_memory);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    const char *build = getenv("top_builddir");
    char dir[4096], file[4200];

    snprintf(dir, sizeof dir, "%s/tests/cudasim/plain", build ? build : ".");
    snprintf(file, sizeof file, "%s/libzorac-cuda.so", dir);
    if (access(file, R_OK) != 0) {
        puts("no C++ compiler: the CUDA simulator is not built");
        return 77;
    }
    setenv("ZORAC_PLUGINS", dir, 1);
    return t_run(engine_device_suite());
}
