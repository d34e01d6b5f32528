/* SPDX-License-Identifier: MIT */
/* Unit tests of quantization configs: every spelling that is read, and the name in every refusal.
 */
#include "config.h"

#include <string.h>

#include "common/zc_mem.h"
#include "tests/unit/t_safetensors.h"
#include "tests/unit/t_unit.h"
#include "zoracd/weights/zw_quant.h"

/* The quantization config in text, with ' for ", as the model's. */
static int make(struct zw_quant **ret_q, const char *text, struct zc_diag *dg)
{
    char *s = zc_xstrdup(text);
    json_error_t e;

    for (char *p = s; *p; p++)
        if (*p == '\'')
            *p = '"';
    json_t *j = json_loads(s, 0, &e);
    ck_assert_msg(j != NULL, "%s: %s", s, e.text);
    int r = zw_quant_new(ret_q, j, NULL, dg);
    json_decref(j);
    zc_free(s);
    return r;
}

#define CT(rest)       "{'quantization_config':{'quant_method':'compressed-tensors'," rest "}}"
#define GROUP(weights) "'config_groups':{'group_0':{'targets':['Linear'],'weights':{" weights "}}}"
#define FP8(rest)      "{'quantization_config':{'quant_method':'fp8'" rest "}}"
#define BNB(rest)      "{'quantization_config':{'quant_method':'bitsandbytes'" rest "}}"
#define F8             "'num_bits':8,'type':'float','symmetric':true,"
#define ACT8           ",'input_activations':{'num_bits':8,'type':'float','dynamic':true}"
#define W4             "'num_bits':4,'type':'int','strategy':'group','group_size':128"

START_TEST(describes_what_it_reads)
{
    static const struct {
        const char *config, *text;
    } good[] = {
        {"{}", "unquantized"},
        {"{'quantization_config':null}", "unquantized"},
        {CT("'format':'pack-quantized'," GROUP(W4 ",'symmetric':false")),
         "compressed-tensors pack-quantized W4A16 asymmetric, group 128"},
        {CT("'format':'pack-quantized','quantization_status':'compressed','kv_cache_scheme':null,"
            "'global_compression_ratio':1.2,'sparsity_config':{},'transform_config':{},"
            "'version':'0.12.2','ignore':['lm_head'],'config_groups':{'group_0':{"
            "'format':'pack-quantized','input_activations':null,'output_activations':null,"
            "'targets':['Linear'],'weights':{'actorder':null,'block_structure':null,'dynamic':"
            "false,"
            "'group_size':128,'num_bits':4,'observer':'minmax','observer_kwargs':{},'scale_dtype':"
            "null,'strategy':'group','symmetric':false,'type':'int','zp_dtype':'torch.int8'}}}"),
         "compressed-tensors pack-quantized W4A16 asymmetric, group 128"},
        {CT(GROUP(W4)), "compressed-tensors pack-quantized W4A16 symmetric, group 128"},
        {CT("'sparsity_config':{'format':'dense','ignore':[]}," GROUP(W4 ",'symmetric':true")),
         "compressed-tensors pack-quantized W4A16 symmetric, group 128"},
        {CT(GROUP("'num_bits':8,'strategy':'channel'")),
         "compressed-tensors pack-quantized W8A16 symmetric, one scale per row"},
        {CT(GROUP("'group_size':-1")),
         "compressed-tensors pack-quantized W8A16 symmetric, one scale per row"},
        {CT(GROUP("'num_bits':4,'group_size':32,'actorder':'group'")),
         "compressed-tensors pack-quantized W4A16 symmetric, group 32, activation order"},
        {CT(GROUP(W4 ",'actorder':'dynamic'")),
         "compressed-tensors pack-quantized W4A16 symmetric, group 128, activation order"},
        {CT(GROUP(W4 ",'actorder':true")),
         "compressed-tensors pack-quantized W4A16 symmetric, group 128, activation order"},
        {CT(GROUP(W4 ",'actorder':'weight'")),
         "compressed-tensors pack-quantized W4A16 symmetric, group 128"},
        {CT(GROUP(W4 ",'actorder':'static'")),
         "compressed-tensors pack-quantized W4A16 symmetric, group 128"},
        {CT("'config_groups':{'W4A16':['Linear']}"),
         "compressed-tensors pack-quantized W4A16 symmetric, group 128"},
        {CT("'config_groups':{'W4A16_ASYM':['Linear']}"),
         "compressed-tensors pack-quantized W4A16 asymmetric, group 128"},
        {CT("'config_groups':{'w8a16':['Linear']}"),
         "compressed-tensors pack-quantized W8A16 symmetric, group 128 or one scale per row"},
        {CT("'format':'mixed-precision','config_groups':{"
            "'a':{'targets':['re:.*down'],'format':'pack-quantized','weights':{'num_bits':8,"
            "'group_size':-1}},'b':{'targets':['Linear'],'weights':{" W4 "}}}"),
         "compressed-tensors pack-quantized W8A16 symmetric, one scale per row; W4A16 symmetric, "
         "group 128"},
        {"{'compression_config':{" GROUP(W4) "}}",
         "compressed-tensors pack-quantized W4A16 symmetric, group 128"},
        {"{'text_config':{'quantization_config':{'quant_method':'awq','bits':4,'group_size':64,"
         "'version':'gemm','zero_point':true,'modules_to_not_convert':null}}}",
         "AWQ gemm W4A16 asymmetric, group 64"},
        {"{'quantization_config':{'quant_method':'awq','w_bit':4,'q_group_size':-1,"
         "'zero_point':false}}",
         "AWQ gemm W4A16 symmetric, one scale per row"},
        {"{'quantization_config':{'quant_method':'awq','version':'GEMM'}}",
         "AWQ gemm W4A16 asymmetric, group 128"},
        {"{'quantization_config':{'quant_method':'awq','version':'exllama'}}",
         "AWQ gemm W4A16 asymmetric, group 128"},
        {"{'quantization_config':{'quant_method':'awq','version':'gemv'}}",
         "AWQ gemv W4A16 asymmetric, group 128"},
        {"{'quantization_config':{'quant_method':'awq','version':'gemv_fast'}}",
         "AWQ gemv_fast W4A16 asymmetric, group 128"},
        {"{'quantization_config':{'quant_method':'awq','checkpoint_format':'llm-awq'}}",
         "AWQ gemv_fast W4A16 asymmetric, group 128"},
        {"{'quantization_config':{'quant_method':'awq','version':'gemm','backend':'llm-awq'}}",
         "AWQ gemv_fast W4A16 asymmetric, group 128"},
        {BNB(",'load_in_4bit':true,'load_in_8bit':false,'bnb_4bit_quant_type':'nf4',"
             "'bnb_4bit_use_double_quant':true,'bnb_4bit_compute_dtype':'bfloat16',"
             "'llm_int8_skip_modules':null"),
         "bitsandbytes 4-bit nf4, scales in 8 bits"},
        {"{'quantization_config':{'load_in_4bit':true}}", "bitsandbytes 4-bit fp4"},
        {FP8(""), "fp8 (E4M3), one scale per matrix or row, activations not rounded to 8 bits"},
        {FP8(",'activation_scheme':'static','ignored_layers':['lm_head'],'kv_cache_scheme':null"),
         "fp8 (E4M3), one scale per matrix or row, activations not rounded to 8 bits"},
        {FP8(",'activation_scheme':'dynamic','fmt':'e4m3','weight_block_size':[128,128]"),
         "fp8 (E4M3), one scale per 128 x 128, activations not rounded to 8 bits"},
        {CT("'format':'float-quantized'," GROUP(F8 "'strategy':'tensor'")),
         "compressed-tensors float-quantized fp8 (E4M3), one scale per matrix"},
        {CT("'format':'naive-quantized'," GROUP(F8 "'strategy':'channel'")),
         "compressed-tensors float-quantized fp8 (E4M3), one scale per row"},
        {CT("'config_groups':{'g':{'targets':['Linear'],'weights':{" F8
            "'strategy':'block','block_structure':[128,64]}" ACT8 "}}"),
         "compressed-tensors float-quantized fp8 (E4M3), one scale per 128 x 64, activations not "
         "rounded to 8 bits"},
        {CT("'config_groups':{'FP8_DYNAMIC':['Linear']}"),
         "compressed-tensors float-quantized fp8 (E4M3), one scale per row, activations not "
         "rounded to 8 bits"},
        {CT("'format':'mixed-precision','config_groups':{"
            "'a':{'targets':['re:.*down'],'format':'float-quantized','weights':{" F8
            "'strategy':'channel'}},'b':{'targets':['Linear'],'weights':{" W4 "}}}"),
         "compressed-tensors float-quantized fp8 (E4M3), one scale per row; W4A16 symmetric, group "
         "128"},
    };
    struct zc_diag dg = {""};
    struct zw_quant *q = NULL;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        t_assert_err(make(&q, good[i].config, &dg), ZC_OK, &dg);
        ck_assert_str_eq(zw_quant_describe(q), good[i].text);
        zw_quant_free(q);
    }
}
END_TEST

START_TEST(refuses_by_name)
{
    static const struct {
        const char *config, *name;
    } bad[] = {
        {"{'quantization_config':{'quant_method':'gptq','bits':4}}", "gptq"},
        {"{'quantization_config':{'quant_method':'bitsandbytes'}}", "bitsandbytes"},
        {BNB(",'load_in_4bit':true,'load_in_8bit':true"), "8 bits"},
        {BNB(",'load_in_4bit':true,'bnb_4bit_quant_type':'int4'"), "int4"},
        {FP8(",'activation_scheme':'other'"), "other"},
        {FP8(",'fmt':'e5m2'"), "e5m2"},
        {"{'quantization_config':{'quant_method':'hqq'}}", "hqq"},
        {"{'quantization_config':{'quant_method':'awq','bits':3}}", "3 bits"},
        {"{'quantization_config':{'quant_method':'awq','version':'marlin'}}", "marlin"},
        {CT("'format':'float-quantized'," GROUP("'num_bits':8")), "float-quantized"},
        {CT("'format':'pack-quantized'," GROUP(F8 "'strategy':'channel'")), "pack-quantized"},
        {CT("'format':'float-quantized'," GROUP("'num_bits':4,'type':'float'")), "8 bits"},
        {CT(GROUP("'num_bits':8,'type':'float','symmetric':false")), "zero points"},
        {CT(GROUP(F8 "'strategy':'group','group_size':128")), "strategy group"},
        {CT(GROUP(F8 "'dynamic':true")), "dynamic"},
        {CT("'config_groups':{'g':{'targets':['Linear'],'weights':{" F8 "'strategy':'channel'},"
            "'input_activations':{'num_bits':8,'type':'int'}}}"),
         "input_activations"},
        {CT("'config_groups':{'g':{'targets':['Linear'],'weights':{" W4 "}" ACT8 "}}"),
         "input_activations"},
        {CT("'config_groups':{'g':{'targets':['Linear'],'weights':{" F8 "'strategy':'channel'},"
            "'output_activations':{'num_bits':8,'type':'float'}}}"),
         "output_activations"},
        {CT("'format':'nvfp4-pack-quantized'," GROUP("'num_bits':4,'type':'float'")),
         "nvfp4-pack-quantized"},
        {CT("'format':'mxfp4-pack-quantized'," GROUP(W4)), "mxfp4-pack-quantized"},
        {CT("'format':'int-quantized'," GROUP("'num_bits':8")), "int-quantized"},
        {CT("'format':'naive-quantized'," GROUP("'num_bits':8")), "naive-quantized"},
        {CT("'format':'marlin-24'," GROUP(W4)), "marlin-24"},
        {CT("'format':'sparse-24-bitmask'," GROUP(W4)), "sparse-24-bitmask"},
        {CT("'format':'dense'," GROUP(W4)), "dense"},
        {CT("'format':'mixed-precision','config_groups':{'g':{'format':'int-quantized',"
            "'targets':['Linear'],'weights':{'num_bits':8}}}"),
         "int-quantized"},
        {CT("'sparsity_config':{'format':'sparse-24-bitmask'}," GROUP(W4)), "sparsity_config"},
        {CT("'sparsity_config':{'sparsity_structure':'2:4'}," GROUP(W4)), "sparsity_config"},
        {CT("'transform_config':{'config_groups':{'u':{}}}," GROUP(W4)), "transform_config"},
        {CT("'config_groups':{'W8A8':['Linear']}"), "W8A8"},
        {CT("'config_groups':{'NVFP4A16':['Linear']}"), "NVFP4A16"},
        {CT(GROUP("'num_bits':3,'group_size':128")), "3-bit"},
        {CT(GROUP("'num_bits':5,'group_size':128")), "5-bit"},
        {CT(GROUP("'num_bits':6,'group_size':128")), "6-bit"},
        {CT(GROUP("'num_bits':7,'group_size':128")), "7-bit"},
        {CT(GROUP("'num_bits':2,'group_size':128")), "2-bit"},
        {CT(GROUP("'num_bits':4,'type':'float','group_size':128")), "float"},
        {CT(GROUP("'num_bits':4")), "tensor"},
        {CT(GROUP("'num_bits':4,'strategy':'block','block_structure':[128,128]")), "block"},
        {CT(GROUP(W4 ",'dynamic':true")), "dynamic"},
        {CT(GROUP(W4 ",'actorder':'other'")), "other"},
        {CT("'config_groups':{'g':{'targets':['Linear'],'weights':{" W4 "},'input_activations':"
            "{'num_bits':8,'type':'int'}}}"),
         "input_activations"},
    };
    struct zc_diag dg = {""};
    struct zw_quant *q = NULL;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        t_assert_err(make(&q, bad[i].config, &dg), ZC_EUNSUPPORTED, &dg);
        ck_assert_msg(strstr(dg.text, bad[i].name) != NULL, "%s: %s", bad[i].config, dg.text);
    }
    ck_assert_ptr_null(q);
}
END_TEST

START_TEST(rejects_malformed_configs)
{
    static const char *const bad[] = {
        "{'quantization_config':[]}",
        "{'quantization_config':{}}",
        "{'quantization_config':{'quant_method':4}}",
        "{'quantization_config':{'quant_method':'awq','bits':'4'}}",
        "{'quantization_config':{'quant_method':'awq','group_size':0}}",
        "{'quantization_config':{'quant_method':'awq','group_size':1e30}}",
        "{'quantization_config':{'quant_method':'awq','zero_point':1}}",
        "{'quantization_config':{'quant_method':'awq','version':1}}",
        "{'quantization_config':{'quant_method':'awq','modules_to_not_convert':'lm_head'}}",
        "{'quantization_config':{'quant_method':'awq','modules_to_not_convert':[1]}}",
        BNB(",'load_in_4bit':1"),
        BNB(",'load_in_4bit':true,'bnb_4bit_quant_type':4"),
        BNB(",'load_in_4bit':true,'bnb_4bit_use_double_quant':'yes'"),
        BNB(",'load_in_4bit':true,'llm_int8_skip_modules':'lm_head'"),
        FP8(",'weight_block_size':128"),
        FP8(",'weight_block_size':[128]"),
        FP8(",'weight_block_size':[128,0]"),
        FP8(",'weight_block_size':[128,128.0]"),
        FP8(",'ignored_layers':'lm_head'"),
        FP8(",'ignore_patterns':['re:(']"),
        FP8(",'ignore_patterns':[3]"),
        CT(GROUP(F8 "'strategy':'block'")),
        CT(GROUP(F8 "'strategy':'block','block_structure':[128,-1]")),
        CT("'config_groups':{}"),
        CT("'config_groups':[]"),
        CT("'config_groups':{'g':1}"),
        CT("'config_groups':{'g':{'targets':['Linear']}}"),
        CT("'config_groups':{'g':{'targets':'Linear','weights':{" W4 "}}}"),
        CT("'ignore':{'a':1}," GROUP(W4)),
        CT("'ignore':['re:(']," GROUP(W4)),
        CT("'format':7," GROUP(W4)),
        CT(GROUP("'num_bits':'4'")),
        CT(GROUP("'num_bits':4,'strategy':'group'")),
        CT(GROUP("'num_bits':4,'strategy':'channel','group_size':128")),
        CT(GROUP("'num_bits':4,'group_size':0")),
        CT(GROUP("'num_bits':4,'group_size':-2")),
        CT(GROUP("'num_bits':4,'group_size':4611686018427387904")),
        CT(GROUP(W4 ",'symmetric':1")),
    };
    struct zc_diag dg = {""};
    struct zw_quant *q = NULL;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        t_assert_err(make(&q, bad[i], &dg), ZC_EFORMAT, &dg);
}
END_TEST

/* The group size that the config gives a module, -1 for plain. */
static int group_of(const struct zw_quant *q, const char *module)
{
    const struct zw_scheme *s;
    struct zc_diag dg = {""};

    t_assert_err(zw_quant_scheme(&s, q, module, &dg), ZC_OK, &dg);
    return s ? s->group : -1;
}

START_TEST(modules_are_matched_as_the_reference_does)
{
    struct zc_diag dg = {""};
    struct zw_quant *q = NULL;

    t_assert_err(make(&q,
                      CT("'ignore':['lm_head','re:model.layers.1.mlp','re:up_proj'],"
                         "'config_groups':{'a':{'targets':['Linear'],'weights':{'num_bits':4,"
                         "'group_size':128}},'b':{'targets':['model.layers.0.mlp.down_proj',"
                         "'re:.*k_proj$'],'weights':{'num_bits':4,'group_size':64}}}"),
                      &dg),
                 ZC_OK, &dg);
    ck_assert_int_eq(group_of(q, "model.layers.0.self_attn.q_proj"), 128);
    ck_assert_int_eq(group_of(q, "model.layers.0.self_attn.k_proj"), 64); /* path before class */
    ck_assert_int_eq(group_of(q, "model.layers.0.mlp.down_proj"), 64);
    ck_assert_int_eq(group_of(q, "lm_head"), -1);
    ck_assert_int_eq(group_of(q, "model.lm_head"), 128); /* exact, not a part */
    ck_assert_int_eq(group_of(q, "model.layers.1.mlp.gate_proj"), -1);
    ck_assert_int_eq(group_of(q, "model.layers.10.mlp.gate_proj"), 128); /* "." is a character */
    ck_assert_int_eq(group_of(q, "model.layers.2.mlp.up_proj"), 128);    /* anchored at the start */
    ck_assert_int_eq(group_of(q, "model.embed_tokens"), -1);             /* no Linear */
    zw_quant_free(q);
    t_assert_err(make(&q, CT("'ignore':['re:.*lm_head']," GROUP(W4)), &dg), ZC_OK, &dg);
    ck_assert_int_eq(group_of(q, "model.lm_head"), -1);
    zw_quant_free(q);
    t_assert_err(make(&q, CT("'ignore':['re:lm_head']," GROUP(W4)), &dg), ZC_OK, &dg);
    ck_assert_int_eq(group_of(q, "model.lm_head"), 128);
    ck_assert_int_eq(group_of(q, "lm_head"), -1);
    zw_quant_free(q);
    t_assert_err(make(&q,
                      "{'quantization_config':{'quant_method':'awq',"
                      "'modules_to_not_convert':['mlp.gate']}}",
                      &dg),
                 ZC_OK, &dg);
    ck_assert_int_eq(group_of(q, "model.layers.0.mlp.up_proj"), 128);
    ck_assert_int_eq(group_of(q, "model.layers.0.mlp.gate_proj"), -1);
    ck_assert_int_eq(group_of(q, "lm_head"), -1);
    zw_quant_free(q);
}
END_TEST

START_TEST(plain_modules_of_bitsandbytes_and_fp8)
{
    static const struct {
        const char *config, *plain, *quantized;
    } cases[] = {
        {BNB(",'load_in_4bit':true,'llm_int8_skip_modules':['lm_head','mlp.gate','model.layers.1'"
             "]"),
         "lm_head", "model.layers.0.mlp.gate_proj"},
        {BNB(",'load_in_4bit':true,'llm_int8_skip_modules':['mlp.gate','model.layers.1']"),
         "model.layers.1.mlp.up_proj", "model.layers.10.mlp.up_proj"},
        {BNB(",'load_in_4bit':true"), "model.embed_tokens", "lm_head"},
        {FP8(",'modules_to_not_convert':['layers.0.mlp.gate']"), "model.layers.0.mlp.gate",
         "model.layers.0.mlp.gate_proj"},
        {FP8(",'ignored_layers':['q_proj']"), "model.layers.0.self_attn.q_proj",
         "model.layers.0.self_attn.k_proj"},
        {FP8(",'ignore_patterns':['re:lm_he','up_proj']"), "lm_head", "model.layers.0.up"},
        {FP8(",'ignore_patterns':['re:down|head$']"), "model.layers.0.mlp.down_proj",
         "model.heads"},
    };
    struct zc_diag dg = {""};
    struct zw_quant *q = NULL;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct zw_scheme *s;
        t_assert_err(make(&q, cases[i].config, &dg), ZC_OK, &dg);
        t_assert_err(zw_quant_scheme(&s, q, cases[i].plain, &dg), ZC_OK, &dg);
        ck_assert_msg(s == NULL, "%s", cases[i].plain);
        t_assert_err(zw_quant_scheme(&s, q, cases[i].quantized, &dg), ZC_OK, &dg);
        ck_assert_msg(s != NULL, "%s", cases[i].quantized);
        ck_assert_int_eq(zw_quant_form(s), s->layout == ZW_BNB ? ZK_W4L : ZK_W8F);
        zw_quant_free(q);
    }
}
END_TEST

START_TEST(a_regex_that_explodes_is_stopped)
{
    const struct zw_scheme *scheme;
    struct zc_diag dg = {""};
    struct zw_quant *q = NULL;

    t_assert_err(make(&q, CT("'ignore':['re:(a|aa)+(a|aa)+(a|aa)+$']," GROUP(W4)), &dg), ZC_OK,
                 &dg);
    t_assert_err(
        zw_quant_scheme(&scheme, q, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", &dg),
        ZC_ELIMIT, &dg);
    ck_assert_ptr_nonnull(strstr(dg.text, "takes too long"));
    zw_quant_free(q);
}
END_TEST

START_TEST(side_files_of_older_packers_are_read)
{
    struct zc_diag dg = {""};
    struct zw_quant *q = NULL;
    char *dir = t_dir_new();
    json_t *config = json_object();

    t_dir_write_text(dir, "quant_config.json",
                     "{\"zero_point\": true, \"q_group_size\": 64, \"w_bit\": 4, "
                     "\"version\": \"GEMM\"}");
    t_assert_err(zw_quant_new(&q, config, dir, &dg), ZC_OK, &dg);
    ck_assert_str_eq(zw_quant_describe(q), "AWQ gemm W4A16 asymmetric, group 64");
    zw_quant_free(q);
    t_dir_write_text(dir, "quant_config.json", "{\"w_bit\": 4,");
    t_assert_err(zw_quant_new(&q, config, dir, &dg), ZC_EFORMAT, &dg);
    t_dir_remove(dir);

    dir = t_dir_new();
    t_dir_write_text(dir, "quantize_config.json", "{\"bits\": 4}");
    t_assert_err(zw_quant_new(&q, config, dir, &dg), ZC_EUNSUPPORTED, &dg);
    ck_assert_ptr_nonnull(strstr(dg.text, "gptq"));
    t_dir_remove(dir);
    json_decref(config);
}
END_TEST

START_TEST(config_survives_failing_memory)
{
    struct zc_diag dg = {""};
    struct zw_quant *q = NULL;
    long at = 0;
    int r;

    do {
        zc_mem_fail_at(++at);
        r = make(&q, CT("'ignore':['lm_head','re:.*x']," GROUP(W4)), &dg);
        zc_mem_fail_at(0);
        ck_assert(r == ZC_OK || r == ZC_ENOMEM);
    } while (r != ZC_OK);
    ck_assert_int_gt(at, 3);
    zw_quant_free(q);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("weights: quantization configs");
    TCase *tc = tcase_create("quant");

    tcase_add_test(tc, describes_what_it_reads);
    tcase_add_test(tc, refuses_by_name);
    tcase_add_test(tc, rejects_malformed_configs);
    tcase_add_test(tc, modules_are_matched_as_the_reference_does);
    tcase_add_test(tc, plain_modules_of_bitsandbytes_and_fp8);
    tcase_add_test(tc, a_regex_that_explodes_is_stopped);
    tcase_add_test(tc, side_files_of_older_packers_are_read);
    tcase_add_test(tc, config_survives_failing_memory);
    suite_add_tcase(s, tc);
    return t_run(s);
}
