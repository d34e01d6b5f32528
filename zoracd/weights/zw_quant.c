/* SPDX-License-Identifier: MIT */
/* Which quantization method a model has, and the configurations of AutoAWQ, bitsandbytes and fp8;
 * that of compressed-tensors is in zw_ct.c. */
#include "config.h"

#include "zoracd/weights/zw_quant.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/zc_buf.h"
#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/weights/zw_ct.h"
#include "zoracd/weights/zw_json.h"
#include "zoracd/weights/zw_match.h"

#define AWQ_SIDE_FILE  "quant_config.json"
#define GPTQ_SIDE_FILE "quantize_config.json"

static const struct zw_json_limits side_limits = {.bytes = 1u << 20, .values = 65536, .depth = 16};

#define BNB_BLOCK 64 /* what nobody changes; each matrix says its own */
#define MAX_BLOCK 65536

enum method { METHOD_PLAIN, METHOD_CT, METHOD_AWQ, METHOD_BNB, METHOD_FP8 };

struct zw_quant {
    enum method method;
    enum zk_type type; /* what the checkpoint computes in */
    struct zw_ct ct;
    struct zw_scheme scheme; /* of the other methods: one for all */
    /* modules that are plain: AWQ: parts of paths; BNB, FP8: components of paths, and of FP8
     * regular expressions, too */
    struct zw_match skip[3];
    char text[256]; /* for people */
};

static bool is_absent(const json_t *j)
{
    return !j || json_is_null(j);
}

/* The quantization object of config.json, NULL if there is none. */
static const json_t *find_block(const json_t *config, const char **ret_key)
{
    static const char *const keys[] = {"quantization_config", "compression_config"};
    const json_t *places[] = {config, json_object_get(config, "text_config")};

    for (int p = 0; p < 2; p++)
        for (int k = 0; k < 2; k++) {
            const json_t *j = json_object_get(places[p], keys[k]);
            *ret_key = keys[k];
            if (!is_absent(j))
                return j;
        }
    return NULL;
}

/* An integer under either of two keys, or fallback. */
static int get_int(int *ret_v, const json_t *j, const char *key, const char *legacy, int fallback,
                   struct zc_diag *dg)
{
    const json_t *v = json_object_get(j, key);

    if (is_absent(v))
        v = json_object_get(j, legacy);
    if (!is_absent(v) &&
        (!json_is_integer(v) || json_integer_value(v) < -1 || json_integer_value(v) > 1 << 20))
        return zc_diag(dg, ZC_EFORMAT, "%s is not a number in range", key);
    *ret_v = is_absent(v) ? fallback : (int)json_integer_value(v);
    return ZC_OK;
}

/* The layout that "version" (or the keys that other packers write instead) names. */
static int awq_layout(enum zw_layout *ret_layout, const json_t *j, struct zc_diag *dg)
{
    static const char *const keys[] = {"version", "checkpoint_format", "format"};
    static const struct {
        const char *name;
        enum zw_layout layout;
    } known[] = {{"gemm", ZW_AWQ_GEMM},
                 {"exllama", ZW_AWQ_GEMM}, /* differs at run time only */
                 {"gemv", ZW_AWQ_GEMV},
                 {"gemv_fast", ZW_AWQ_GEMV_FAST},
                 {"llm-awq", ZW_AWQ_GEMV_FAST}};
    const char *backend = json_string_value(json_object_get(j, "backend"));
    const char *name = "gemm";

    for (int i = 0; i < 3; i++) {
        const json_t *v = json_object_get(j, keys[i]);
        if (is_absent(v))
            continue;
        if (!json_is_string(v))
            return zc_diag(dg, ZC_EFORMAT, "%s is not a string", keys[i]);
        name = json_string_value(v);
        break;
    }
    if (backend && !strcasecmp(backend, "llm-awq"))
        name = "llm-awq";
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (!strcasecmp(known[i].name, name)) {
            *ret_layout = known[i].layout;
            return ZC_OK;
        }
    return zc_diag(dg, ZC_EUNSUPPORTED,
                   "AWQ version %s is not supported (gemm, gemv, gemv_fast and llm-awq are)", name);
}

static int parse_awq(struct zw_quant *q, const json_t *j, struct zc_diag *dg)
{
    const json_t *zero = json_object_get(j, "zero_point");
    int bits, group, r;

    if ((r = get_int(&bits, j, "bits", "w_bit", 4, dg)) < 0 ||
        (r = get_int(&group, j, "group_size", "q_group_size", 128, dg)) < 0)
        return r;
    if (bits != 4)
        return zc_diag(dg, ZC_EUNSUPPORTED, "AWQ with %d bits is not supported (4 is)", bits);
    if (group == 0)
        return zc_diag(dg, ZC_EFORMAT, "group_size 0 is none");
    if (!is_absent(zero) && !json_is_boolean(zero))
        return zc_diag(dg, ZC_EFORMAT, "zero_point is not true or false");
    q->method = METHOD_AWQ;
    q->scheme.bits = bits;
    q->scheme.group = group < 0 ? 0 : group;
    q->scheme.symmetric = json_is_false(zero);
    if ((r = awq_layout(&q->scheme.layout, j, dg)) < 0)
        return r;
    return zw_match_init(&q->skip[0], json_object_get(j, "modules_to_not_convert"),
                         "modules_to_not_convert", dg);
}

/* ---- bitsandbytes ------------------------------------------------------------------------ */

/* A boolean of a key; false where it is absent. */
static int get_bool(bool *ret_v, const json_t *j, const char *key, struct zc_diag *dg)
{
    const json_t *v = json_object_get(j, key);

    if (!is_absent(v) && !json_is_boolean(v))
        return zc_diag(dg, ZC_EFORMAT, "%s is not true or false", key);
    *ret_v = json_is_true(v);
    return ZC_OK;
}

/* Block, table and scales are each matrix' own matter (zw_bnb.h). */
static int parse_bnb(struct zw_quant *q, const json_t *j, struct zc_diag *dg)
{
    const json_t *v = json_object_get(j, "bnb_4bit_quant_type");
    const char *type = is_absent(v) ? "fp4" : json_string_value(v);
    bool is_4bit, is_8bit;
    int r;

    if ((r = get_bool(&is_4bit, j, "load_in_4bit", dg)) < 0 ||
        (r = get_bool(&is_8bit, j, "load_in_8bit", dg)) < 0 ||
        (r = get_bool(&q->scheme.is_nested, j, "bnb_4bit_use_double_quant", dg)) < 0)
        return r;
    if (!is_4bit || is_8bit)
        return zc_diag(dg, ZC_EUNSUPPORTED, "bitsandbytes in 8 bits is not supported (4 bits are)");
    if (!type)
        return zc_diag(dg, ZC_EFORMAT, "bnb_4bit_quant_type is not a string");
    if (strcmp(type, "nf4") && strcmp(type, "fp4"))
        return zc_diag(dg, ZC_EUNSUPPORTED,
                       "bitsandbytes type %s is not supported (nf4 and fp4 are)", type);
    q->method = METHOD_BNB;
    q->scheme.layout = ZW_BNB;
    q->scheme.bits = 4;
    q->scheme.group = BNB_BLOCK;
    q->scheme.is_nf4 = !strcmp(type, "nf4");
    return zw_match_init(&q->skip[0], json_object_get(j, "llm_int8_skip_modules"),
                         "llm_int8_skip_modules", dg);
}

/* ---- fp8 --------------------------------------------------------------------------------- */

/* weight_block_size: rows and columns per scale; none: one scale, or one per row. */
static int parse_block_size(struct zw_scheme *s, const json_t *v, struct zc_diag *dg)
{
    json_int_t side[2];

    s->or_row = is_absent(v);
    if (is_absent(v))
        return ZC_OK;
    for (size_t i = 0; i < 2; i++) {
        const json_t *n = json_array_get(v, i);
        side[i] = json_integer_value(n);
        if (json_array_size(v) != 2 || !json_is_integer(n) || side[i] < 1 || side[i] > MAX_BLOCK)
            return zc_diag(dg, ZC_EFORMAT, "weight_block_size is not two numbers of 1 to %d",
                           MAX_BLOCK);
    }
    s->group_rows = (int)side[0];
    s->group = (int)side[1];
    return ZC_OK;
}

/* AutoFP8's patterns are searched for, ours begin where the path begins. */
static int parse_ignore_patterns(struct zw_match *m, const json_t *list, struct zc_diag *dg)
{
    const json_t *v;
    size_t i;
    int r;

    if (!json_is_array(list))
        return zw_match_init(m, list, "ignore_patterns", dg);
    json_t *moved = json_array();
    json_array_foreach (list, i, v) {
        const char *s = json_string_value(v);
        if (s && !strncmp(s, "re:", 3))
            json_array_append_new(moved, json_sprintf("re:.*(?:%s)", s + 3));
        else
            json_array_append(moved, (json_t *)(uintptr_t)v);
    }
    r = zw_match_init(m, moved, "ignore_patterns", dg);
    json_decref(moved);
    return r;
}

static int parse_fp8(struct zw_quant *q, const json_t *j, struct zc_diag *dg)
{
    static const char *const lists[] = {"ignored_layers", "modules_to_not_convert"};
    const json_t *v = json_object_get(j, "activation_scheme");
    const char *activations = json_string_value(v), *format;
    int r;

    if (!is_absent(v) &&
        (!activations || (strcmp(activations, "dynamic") && strcmp(activations, "static"))))
        return zc_diag(dg, ZC_EUNSUPPORTED,
                       "activation_scheme %s is not supported (dynamic and static are)",
                       activations ? activations : "?");
    v = json_object_get(j, "fmt");
    format = json_string_value(v);
    if (!is_absent(v) && (!format || strcmp(format, "e4m3")))
        return zc_diag(dg, ZC_EUNSUPPORTED, "fp8 of fmt %s is not supported (e4m3 is)",
                       format ? format : "?");
    q->method = METHOD_FP8;
    q->scheme.layout = ZW_FP8;
    q->scheme.bits = 8;
    q->scheme.type = q->type;
    q->scheme.is_for_act8 = true;
    if ((r = parse_block_size(&q->scheme, json_object_get(j, "weight_block_size"), dg)) < 0)
        return r;
    for (int i = 0; i < 2; i++)
        if ((r = zw_match_init(&q->skip[i], json_object_get(j, lists[i]), lists[i], dg)) < 0)
            return r;
    return parse_ignore_patterns(&q->skip[2], json_object_get(j, "ignore_patterns"), dg);
}

/* ---- in words ---------------------------------------------------------------------------- */

static void describe_fp8(struct zc_buf *b, const struct zw_scheme *s)
{
    zc_buf_adds(b, "fp8 (E4M3), one scale per ");
    if (s->group_rows > 1)
        zc_buf_addf(b, "%d x %d", s->group_rows, s->group);
    else
        zc_buf_adds(b, s->or_row ? "matrix or row" : s->group_rows ? "row" : "matrix");
    if (s->is_for_act8)
        zc_buf_adds(b, ", activations not rounded to 8 bits");
}

/* One scheme in words: "W4A16 asymmetric, group 128". */
static void describe_scheme(struct zc_buf *b, const struct zw_scheme *s)
{
    if (s->layout == ZW_FP8) {
        describe_fp8(b, s);
        return;
    }
    zc_buf_addf(b, "W%dA16 %s, ", s->bits, s->symmetric ? "symmetric" : "asymmetric");
    if (s->group > 0)
        zc_buf_addf(b, "group %d%s", s->group, s->or_row ? " or one scale per row" : "");
    else
        zc_buf_adds(b, "one scale per row");
    if (s->act_order)
        zc_buf_adds(b, ", activation order");
}

static void describe(struct zw_quant *q)
{
    static const char *const awq[ZW_N_LAYOUTS] = {
        [ZW_AWQ_GEMM] = "gemm", [ZW_AWQ_GEMV] = "gemv", [ZW_AWQ_GEMV_FAST] = "gemv_fast"};
    struct zc_buf b;

    zc_buf_init(&b, sizeof q->text - 1);
    if (q->method == METHOD_PLAIN) {
        zc_buf_adds(&b, "unquantized");
    } else if (q->method == METHOD_AWQ) {
        zc_buf_addf(&b, "AWQ %s ", awq[q->scheme.layout]);
        describe_scheme(&b, &q->scheme);
    } else if (q->method == METHOD_BNB) {
        zc_buf_addf(&b, "bitsandbytes 4-bit %s%s", q->scheme.is_nf4 ? "nf4" : "fp4",
                    q->scheme.is_nested ? ", scales in 8 bits" : "");
    } else if (q->method == METHOD_FP8) {
        describe_scheme(&b, &q->scheme);
    } else {
        zc_buf_addf(&b, "compressed-tensors %s ",
                    q->ct.groups[0].scheme.layout == ZW_FP8 ? "float-quantized" : "pack-quantized");
        for (size_t i = 0; i < q->ct.n_groups; i++) {
            zc_buf_adds(&b, i ? "; " : "");
            describe_scheme(&b, &q->ct.groups[i].scheme);
        }
    }
    snprintf(q->text, sizeof q->text, "%s", zc_buf_str(&b));
    zc_buf_release(&b);
}

/* A model without a quantization block: the side files of older packers. */
static int parse_side_file(struct zw_quant *q, const char *dir, struct zc_diag *dg)
{
    json_t *j = NULL;
    int r;

    r = zw_json_read(&j, dir, AWQ_SIDE_FILE, &side_limits, dg);
    if (r == ZC_OK) {
        if ((r = parse_awq(q, j, dg)) < 0)
            zc_diag_prefix(dg, r, AWQ_SIDE_FILE);
    } else if (r == ZC_ENOTFOUND) {
        r = zw_json_read(&j, dir, GPTQ_SIDE_FILE, &side_limits, dg);
        if (r != ZC_ENOTFOUND)
            r = zc_diag(dg, ZC_EUNSUPPORTED,
                        GPTQ_SIDE_FILE ": quantization method gptq is not supported");
        else
            r = ZC_OK;
    }
    json_decref(j);
    return r;
}

static int parse_block(struct zw_quant *q, const json_t *j, const char *key, struct zc_diag *dg)
{
    const json_t *v = json_object_get(j, "quant_method");
    const char *method = json_string_value(v);

    if (!json_is_object(j))
        return zc_diag(dg, ZC_EFORMAT, "it is not an object");
    if (!is_absent(v) && !method)
        return zc_diag(dg, ZC_EFORMAT, "quant_method is not a string");
    if (!method && !strcmp(key, "compression_config"))
        method = "compressed-tensors";
    if (!method && (json_object_get(j, "load_in_4bit") || json_object_get(j, "load_in_8bit")))
        method = "bitsandbytes";
    if (!method)
        return zc_diag(dg, ZC_EFORMAT, "quant_method is missing");
    if (!strcmp(method, "awq"))
        return parse_awq(q, j, dg);
    if (!strcmp(method, "bitsandbytes"))
        return parse_bnb(q, j, dg);
    if (!strcmp(method, "fp8"))
        return parse_fp8(q, j, dg);
    if (strcmp(method, "compressed-tensors"))
        return zc_diag(dg, ZC_EUNSUPPORTED,
                       "quantization method %s is not supported (compressed-tensors, awq, "
                       "bitsandbytes and fp8 are)",
                       method);
    q->method = METHOD_CT;
    return zw_ct_parse(&q->ct, j, q->type, dg);
}

/* What the checkpoint computes in. Models in fp8 are those of this decade, made of bf16 ones, where
 * config.json says nothing. */
static enum zk_type compute_type(const json_t *config)
{
    static const char *const keys[] = {"dtype", "torch_dtype"};
    const json_t *places[] = {config, json_object_get(config, "text_config")};

    for (int p = 0; p < 2; p++)
        for (int k = 0; k < 2; k++) {
            const char *s = json_string_value(json_object_get(places[p], keys[k]));
            if (s)
                return !strcmp(s, "float16") ? ZK_F16 : !strcmp(s, "float32") ? ZK_F32 : ZK_BF16;
        }
    return ZK_BF16;
}

int zw_quant_new(struct zw_quant **ret_q, const json_t *config, const char *dir, struct zc_diag *dg)
{
    struct zw_quant *q = zc_xcalloc(1, sizeof *q);
    const char *key;
    const json_t *block = find_block(config, &key);
    int r = ZC_OK;

    q->type = compute_type(config);
    if (block && (r = parse_block(q, block, key, dg)) < 0)
        zc_diag_prefix(dg, r, "%s", key);
    else if (!block && dir)
        r = parse_side_file(q, dir, dg);
    if (r < 0) {
        zw_quant_free(q);
        return r;
    }
    describe(q);
    *ret_q = q;
    return ZC_OK;
}

void zw_quant_free(struct zw_quant *q)
{
    if (!q)
        return;
    zw_ct_release(&q->ct);
    for (size_t i = 0; i < sizeof q->skip / sizeof q->skip[0]; i++)
        zw_match_release(&q->skip[i]);
    zc_free(q);
}

const char *zw_quant_describe(const struct zw_quant *q)
{
    return q->text;
}

/* AutoAWQ converts the linear layers of the decoder and never the head. */
static bool is_awq_target(const struct zw_quant *q, const char *module)
{
    const char *dot = strrchr(module, '.');
    const char *last = dot ? dot + 1 : module;

    return strcmp(last, "lm_head") && strcmp(last, "embed_tokens") &&
           !zw_match_has_part(&q->skip[0], module);
}

/* bitsandbytes and fp8 convert linear layers, the head among them if nobody says otherwise. */
static int find_target(bool *ret_is, const struct zw_quant *q, const char *module,
                       struct zc_diag *dg)
{
    const char *dot = strrchr(module, '.');
    bool skip = !strcmp(dot ? dot + 1 : module, "embed_tokens");
    int r = ZC_OK;

    for (size_t i = 0; i < sizeof q->skip / sizeof q->skip[0] && !skip; i++)
        skip = zw_match_has_component(&q->skip[i], module);
    if (!skip && (r = zw_match_path(&skip, &q->skip[2], module, dg)) < 0)
        return zc_diag_prefix(dg, r, "quantization_config.ignore_patterns");
    *ret_is = !skip;
    return r;
}

int zw_quant_scheme(const struct zw_scheme **ret_scheme, const struct zw_quant *q,
                    const char *module, struct zc_diag *dg)
{
    bool is_target = false;
    int r = ZC_OK;

    *ret_scheme = NULL;
    if (q->method == METHOD_CT)
        return zw_ct_find(ret_scheme, &q->ct, module, dg);
    if (q->method == METHOD_AWQ)
        is_target = is_awq_target(q, module);
    else if (q->method != METHOD_PLAIN)
        r = find_target(&is_target, q, module, dg);
    if (r == ZC_OK && is_target)
        *ret_scheme = &q->scheme;
    return r;
}

enum zk_form zw_quant_form(const struct zw_scheme *s)
{
    if (s->layout == ZW_BNB || s->layout == ZW_FP8)
        return s->layout == ZW_BNB ? ZK_W4L : ZK_W8F;
    return s->bits == 4 ? ZK_W4A : ZK_W8A;
}
