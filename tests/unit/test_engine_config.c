/* SPDX-License-Identifier: MIT */
/* Unit tests of ze_config.c and ze_rope.c: what the families' files say, what is refused, and the
 * published formulas of the rotation on vectors computed elsewhere. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/zc_mem.h"
#include "tests/unit/t_unit.h"
#include "zoracd/engine/ze_config.h"
#include "zoracd/engine/ze_internal.h"

static struct ze_config c;
static struct zc_diag dg;

static int parse_two(const char *config, const char *generation)
{
    json_t *j = NULL, *g = NULL;

    dg.text[0] = '\0';
    int r = ze_config_json(&j, config, strlen(config), "config.json", &dg);
    if (r == ZC_OK && generation)
        r = ze_config_json(&g, generation, strlen(generation), "generation_config.json", &dg);
    if (r == ZC_OK)
        r = ze_config_parse(&c, j, g, &dg);
    json_decref(j);
    json_decref(g);
    return r;
}

static int parse(const char *config)
{
    return parse_two(config, NULL);
}

/* A small Llama, with members put before (the first of two equal keys would be refused). */
#define SIZES                                                                    \
    "\"hidden_size\": 64, \"num_hidden_layers\": 3, \"num_attention_heads\": 8," \
    "\"intermediate_size\": 100, \"vocab_size\": 512, \"max_position_embeddings\": 2048"
#define LLAMA(more) "{\"architectures\": [\"LlamaForCausalLM\"], " SIZES more "}"

/* Expects success, and frees. */
static void ok(const char *config)
{
    t_assert_err(parse(config), ZC_OK, &dg);
}

static void refused(const char *config, int err, const char *word)
{
    t_assert_err(parse(config), err, &dg);
    ck_assert_msg(strstr(dg.text, word), "\"%s\" does not name %s", dg.text, word);
}

START_TEST(a_plain_llama_gets_its_defaults)
{
    ok(LLAMA(""));
    ck_assert_int_eq(c.family, ZE_LLAMA);
    ck_assert_str_eq(c.architecture, "LlamaForCausalLM");
    ck_assert_int_eq(c.D, 8);
    ck_assert_int_eq(c.K, 8);
    ck_assert_float_eq(c.norm_eps, 1e-6F);
    ck_assert_double_eq(c.rope.theta, 1e4);
    ck_assert_int_eq(c.rope.type, ZE_ROPE_DEFAULT);
    ck_assert_int_eq(c.rope.rot_dim, 8);
    ck_assert(!c.qkv_bias && !c.o_bias && !c.mlp_bias && !c.qk_norm && !c.tied);
    ck_assert_int_eq(c.window, 0);
    ck_assert_int_eq(c.bos, -1);
    ck_assert_int_eq(c.n_eos, 0);
    ck_assert_double_lt(c.gen.temperature, 0);
    ck_assert_int_eq(c.gen.do_sample, -1);
    ze_config_release(&c);
}
END_TEST

START_TEST(head_dim_may_be_given_null_or_absent)
{
    ok(LLAMA(", \"head_dim\": 16"));
    ck_assert_int_eq(c.D, 16);
    ze_config_release(&c);
    ok(LLAMA(", \"head_dim\": null"));
    ck_assert_int_eq(c.D, 8);
    ze_config_release(&c);
    ok("{\"architectures\": [\"Qwen3ForCausalLM\"], " SIZES "}");
    ck_assert_int_eq(c.D, 128);
    ck_assert(c.qk_norm && !c.qkv_bias);
    ze_config_release(&c);
}
END_TEST

START_TEST(biases_follow_the_family)
{
    ok("{\"model_type\": \"qwen2\", " SIZES "}");
    ck_assert(c.qkv_bias && !c.o_bias && !c.mlp_bias);
    ze_config_release(&c);
    ok(LLAMA(", \"attention_bias\": true, \"mlp_bias\": true"));
    ck_assert(c.qkv_bias && c.o_bias && c.mlp_bias);
    ze_config_release(&c);
}
END_TEST

START_TEST(windows_follow_the_family)
{
    ok("{\"architectures\": [\"MistralForCausalLM\"], " SIZES "}");
    ck_assert_int_eq(ze_config_window(&c, 0), 4096);
    ze_config_release(&c);
    ok("{\"architectures\": [\"MistralForCausalLM\"], \"sliding_window\": null, " SIZES "}");
    ck_assert_int_eq(ze_config_window(&c, 0), 0);
    ze_config_release(&c);
    ok("{\"architectures\": [\"Qwen2ForCausalLM\"], \"use_sliding_window\": true, "
       "\"sliding_window\": 32, \"max_window_layers\": 2, " SIZES "}");
    ck_assert_int_eq(ze_config_window(&c, 1), 0);
    ck_assert_int_eq(ze_config_window(&c, 2), 32);
    ze_config_release(&c);
    ok("{\"architectures\": [\"Qwen2ForCausalLM\"], \"use_sliding_window\": false, "
       "\"sliding_window\": 32, \"max_window_layers\": 0, " SIZES "}");
    ck_assert_int_eq(ze_config_window(&c, 2), 0);
    ze_config_release(&c);
    ok("{\"architectures\": [\"Qwen3ForCausalLM\"], \"use_sliding_window\": true, "
       "\"sliding_window\": 32, \"layer_types\": [\"sliding_attention\", \"full_attention\", "
       "\"sliding_attention\"], " SIZES "}");
    ck_assert_int_eq(ze_config_window(&c, 0), 32);
    ck_assert_int_eq(ze_config_window(&c, 1), 0);
    ze_config_release(&c);
}
END_TEST

START_TEST(both_spellings_of_the_rotation_are_read)
{
    ok(LLAMA(", \"rope_theta\": 500000.0, \"rope_scaling\": {\"type\": \"linear\", \"factor\": "
             "2}"));
    ck_assert_int_eq(c.rope.type, ZE_ROPE_LINEAR);
    ck_assert_double_eq(c.rope.theta, 5e5);
    ze_config_release(&c);
    ok(LLAMA(", \"dtype\": \"bfloat16\", \"rope_parameters\": {\"rope_theta\": 1000000, "
             "\"rope_type\": \"linear\", \"factor\": 2.5, \"partial_rotary_factor\": 0.5}"));
    ck_assert_double_eq(c.rope.theta, 1e6);
    ck_assert_double_eq(c.rope.factor, 2.5);
    ck_assert_int_eq(c.rope.rot_dim, 4);
    ze_config_release(&c);
}
END_TEST

START_TEST(a_wrapped_text_model_is_entered)
{
    ok("{\"architectures\": [\"Mistral3ForConditionalGeneration\"], \"eos_token_id\": 2, "
       "\"tie_word_embeddings\": true, \"vision_config\": {\"hidden_size\": 7}, \"text_config\": "
       "{\"model_type\": \"mistral\", \"head_dim\": 16, " SIZES "}}");
    ck_assert_int_eq(c.family, ZE_MISTRAL);
    ck_assert_int_eq(c.C, 64);
    ck_assert_int_eq(c.D, 16);
    ck_assert_int_eq(c.window, 0);
    ck_assert_double_eq(c.rope.theta, 1e9);
    ck_assert_int_eq(c.n_eos, 1);
    ck_assert(c.tied);
    ze_config_release(&c);
    refused("{\"architectures\": [\"Mistral3ForConditionalGeneration\"], \"text_config\": "
            "{\"model_type\": \"ministral3\", " SIZES "}}",
            ZC_EUNSUPPORTED, "ministral3");
    refused("{\"architectures\": [\"Mistral3ForConditionalGeneration\"], " SIZES "}", ZC_EFORMAT,
            "text_config");
}
END_TEST

START_TEST(ends_come_from_both_files)
{
    t_assert_err(parse_two(LLAMA(", \"bos_token_id\": 1, \"eos_token_id\": [2, 7]"),
                           "{\"eos_token_id\": [7, 9], \"temperature\": 0.15, \"top_k\": 20, "
                           "\"top_p\": 0.8, \"repetition_penalty\": 1.05, \"do_sample\": true, "
                           "\"transformers_version\": \"4\"}"),
                 ZC_OK, &dg);
    ck_assert_int_eq(c.bos, 1);
    ck_assert_int_eq(c.n_eos, 3);
    ck_assert_int_eq(c.eos[0], 2);
    ck_assert_int_eq(c.eos[2], 9);
    ck_assert_double_eq(c.gen.temperature, 0.15);
    ck_assert_double_eq(c.gen.repetition_penalty, 1.05);
    ck_assert_double_lt(c.gen.min_p, 0);
    ck_assert_int_eq(c.gen.top_k, 20);
    ck_assert_int_eq(c.gen.do_sample, 1);
    ze_config_release(&c);
}
END_TEST

START_TEST(what_is_not_done_is_refused_by_name)
{
    refused("{\"architectures\": [\"MambaForCausalLM\"], " SIZES "}", ZC_EUNSUPPORTED,
            "MambaForCausalLM");
    refused("{\"model_type\": \"gemma2\", " SIZES "}", ZC_EUNSUPPORTED, "gemma2");
    refused(LLAMA(", \"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2}"), ZC_EUNSUPPORTED,
            "dynamic");
    refused(LLAMA(", \"rope_scaling\": {\"rope_type\": \"longrope\", \"factor\": 2}"),
            ZC_EUNSUPPORTED, "longrope");
    refused(LLAMA(", \"rope_parameters\": {\"full_attention\": {}}"), ZC_EUNSUPPORTED, "layer");
    refused(LLAMA(", \"hidden_act\": \"gelu\""), ZC_EUNSUPPORTED, "gelu");
    refused(LLAMA(", \"num_local_experts\": 8"), ZC_EUNSUPPORTED, "num_local_experts");
    refused(LLAMA(", \"layer_types\": [\"chunked_attention\", \"full_attention\", "
                  "\"full_attention\"]"),
            ZC_EUNSUPPORTED, "chunked_attention");
    ok(LLAMA(", \"num_local_experts\": 0, \"use_mrope\": false, \"logit_scale\": 1.0"));
    ze_config_release(&c);
}
END_TEST

START_TEST(every_number_has_a_range)
{
    refused("{\"architectures\": [\"LlamaForCausalLM\"]}", ZC_EFORMAT, "hidden_size");
    refused(LLAMA(", \"num_key_value_heads\": 3"), ZC_EFORMAT, "num_key_value_heads");
    refused(LLAMA(", \"head_dim\": 15"), ZC_EFORMAT, "head_dim");
    refused(LLAMA(", \"head_dim\": 4294967296"), ZC_EFORMAT, "head_dim");
    refused(LLAMA(", \"head_dim\": -16"), ZC_EFORMAT, "head_dim");
    refused(LLAMA(", \"head_dim\": \"16\""), ZC_EFORMAT, "head_dim");
    refused(LLAMA(", \"head_dim\": 16.0"), ZC_EFORMAT, "head_dim");
    refused(LLAMA(", \"rms_norm_eps\": -1"), ZC_EFORMAT, "rms_norm_eps");
    refused(LLAMA(", \"rms_norm_eps\": true"), ZC_EFORMAT, "rms_norm_eps");
    refused(LLAMA(", \"attention_bias\": 1"), ZC_EFORMAT, "attention_bias");
    refused(LLAMA(", \"eos_token_id\": 512"), ZC_EFORMAT, "eos_token_id");
    refused(LLAMA(", \"eos_token_id\": [2, \"x\"]"), ZC_EFORMAT, "eos_token_id");
    refused(LLAMA(", \"bos_token_id\": -5"), ZC_EFORMAT, "bos_token_id");
    refused(LLAMA(", \"layer_types\": []"), ZC_EFORMAT, "layer_types");
    refused(LLAMA(", \"rope_scaling\": 3"), ZC_EFORMAT, "rope_scaling");
    refused(LLAMA(", \"rope_scaling\": {\"type\": \"linear\"}"), ZC_EFORMAT, "factor");
    refused(LLAMA(", \"rope_theta\": 0"), ZC_EFORMAT, "rope_theta");
    refused(LLAMA(", \"partial_rotary_factor\": 0.4"), ZC_EUNSUPPORTED, "partial_rotary_factor");
    refused("{\"architectures\": \"LlamaForCausalLM\", " SIZES "}", ZC_EFORMAT, "architectures");
    refused("{\"architectures\": [\"LlamaForCausalLM\"], \"hidden_size\": 8, "
            "\"num_hidden_layers\": 2000000000}",
            ZC_EFORMAT, "num_hidden_layers");
    refused("[]", ZC_EFORMAT, "object");
}
END_TEST

START_TEST(hostile_json_is_refused)
{
    char deep[5000];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    refused(deep, ZC_EFORMAT, "nested");
    refused(LLAMA(", \"vocab_size\": 3"), ZC_EFORMAT, "duplicate");
    refused(LLAMA(", \"rope_theta\": NaN"), ZC_EFORMAT, "config.json:");
    refused(LLAMA(", \"rope_theta\": 1e999"), ZC_EFORMAT, "config.json:");
    refused(LLAMA(", \"head_dim\": 99999999999999999999999"), ZC_EFORMAT, "config.json:");
    refused("", ZC_EFORMAT, "config.json:");
    refused("{\"architectures\": [\"\xff\xfe\"]}", ZC_EFORMAT, "config.json:");
}
END_TEST

static const char sample[] =
    LLAMA(", \"num_key_value_heads\": 4, \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": "
          "8.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, "
          "\"original_max_position_embeddings\": 8192}, \"eos_token_id\": [2, 3]");

START_TEST(a_file_cut_at_any_byte_is_an_error)
{
    for (size_t n = 0; n < sizeof sample - 1; n++) {
        json_t *j = NULL;
        ck_assert_int_eq(ze_config_json(&j, sample, n, "config.json", &dg), ZC_EFORMAT);
        ck_assert_ptr_null(j);
    }
}
END_TEST

START_TEST(flipped_bits_give_an_error_or_a_sane_config)
{
    char text[sizeof sample];

    for (size_t bit = 0; bit < 8 * (sizeof sample - 1); bit++) {
        memcpy(text, sample, sizeof sample);
        text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
        json_t *j = NULL;
        if (ze_config_json(&j, text, sizeof sample - 1, "config.json", &dg) < 0)
            continue;
        if (ze_config_parse(&c, j, NULL, &dg) == ZC_OK) {
            ck_assert_int_eq(c.H % c.K, 0);
            ck_assert_int_le(c.rope.rot_dim, c.D);
            ze_config_release(&c);
        } else {
            ck_assert_str_ne(dg.text, "");
        }
        json_decref(j);
    }
}
END_TEST

START_TEST(failing_memory_is_an_error)
{
    json_t *j = NULL;
    ck_assert_int_eq(ze_config_json(&j, sample, sizeof sample - 1, "config.json", &dg), ZC_OK);
    zc_mem_fail_at(1);
    ck_assert_int_eq(ze_config_parse(&c, j, NULL, &dg), ZC_ENOMEM);
    zc_mem_fail_at(0);
    json_decref(j);
}
END_TEST

/* ---- rotation ------------------------------------------------------------------------------ */

static double inv[64];

static float frequencies(const char *rope)
{
    char text[1024];
    snprintf(text, sizeof text,
             "{\"architectures\": [\"LlamaForCausalLM\"], \"head_dim\": 128, " SIZES ", %s}", rope);
    ok(text);
    float scale = ze_rope_frequencies(&c, inv);
    ze_config_release(&c);
    return scale;
}

#define assert_inv(i, want) ck_assert_double_eq_tol(inv[i] / (want), 1, 2e-9)

START_TEST(default_rotation_matches_the_vectors)
{
    ck_assert_float_eq(frequencies("\"rope_theta\": 1e8"), 1);
    assert_inv(0, 1);
    assert_inv(1, 7.498942093e-01);
    assert_inv(2, 5.623413252e-01);
    assert_inv(32, 1e-04);
    assert_inv(63, 1.333521432e-08);
    frequencies("\"rope_theta\": 1e9");
    assert_inv(1, 7.233941627e-01);
    assert_inv(32, 3.162277660e-05);
    assert_inv(63, 1.382372227e-09);
}
END_TEST

START_TEST(linear_rotation_divides)
{
    frequencies("\"rope_theta\": 1e8, \"rope_scaling\": {\"type\": \"linear\", \"factor\": 4.0}");
    assert_inv(1, 7.498942093e-01 / 4);
    assert_inv(63, 1.333521432e-08 / 4);
}
END_TEST

START_TEST(llama3_rotation_matches_the_vectors)
{
    frequencies("\"rope_theta\": 5e5, \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8, "
                "\"low_freq_factor\": 1, \"high_freq_factor\": 4, "
                "\"original_max_position_embeddings\": 8192}");
    assert_inv(28, 3.211445995e-03);
    assert_inv(29, 2.166570764e-03);
    assert_inv(32, 5.248461610e-04);
    assert_inv(34, 1.785078128e-04);
    assert_inv(35, 9.556212354e-05);
}
END_TEST

START_TEST(yarn_rotation_matches_the_vectors)
{
    float a = frequencies("\"rope_theta\": 1e6, \"rope_scaling\": {\"type\": \"yarn\", \"factor\": "
                          "4, \"original_max_position_embeddings\": 32768}");
    ck_assert_float_eq_tol(a, 1.138629436F, 1e-6F);
    assert_inv(24, 5.375321491e-03);
    assert_inv(31, 8.029597275e-04);
    assert_inv(40, 4.445698525e-05);
    a = frequencies("\"rope_theta\": 1e6, \"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4, "
                    "\"attention_factor\": 0.5, \"original_max_position_embeddings\": 32768}");
    ck_assert_float_eq(a, 0.5F);
    a = frequencies("\"rope_theta\": 1e6, \"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4, "
                    "\"mscale\": 1, \"mscale_all_dim\": 1, "
                    "\"original_max_position_embeddings\": 32768}");
    ck_assert_float_eq(a, 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("engine config");
    TCase *t = tcase_create("config");
    tcase_add_test(t, a_plain_llama_gets_its_defaults);
    tcase_add_test(t, head_dim_may_be_given_null_or_absent);
    tcase_add_test(t, biases_follow_the_family);
    tcase_add_test(t, windows_follow_the_family);
    tcase_add_test(t, both_spellings_of_the_rotation_are_read);
    tcase_add_test(t, a_wrapped_text_model_is_entered);
    tcase_add_test(t, ends_come_from_both_files);
    tcase_add_test(t, what_is_not_done_is_refused_by_name);
    tcase_add_test(t, every_number_has_a_range);
    suite_add_tcase(s, t);

    t = tcase_create("hostile");
    tcase_add_test(t, hostile_json_is_refused);
    tcase_add_test(t, a_file_cut_at_any_byte_is_an_error);
    tcase_add_test(t, flipped_bits_give_an_error_or_a_sane_config);
    tcase_add_test(t, failing_memory_is_an_error);
    suite_add_tcase(s, t);

    t = tcase_create("rope");
    tcase_add_test(t, default_rotation_matches_the_vectors);
    tcase_add_test(t, linear_rotation_divides);
    tcase_add_test(t, llama3_rotation_matches_the_vectors);
    tcase_add_test(t, yarn_rotation_matches_the_vectors);
    suite_add_tcase(s, t);
    return t_run(s);
}
