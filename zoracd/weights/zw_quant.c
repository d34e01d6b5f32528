/* SPDX-License-Identifier: MIT */
/* Which quantization method a model has, and AutoAWQ's configuration; that of compressed-tensors is
 * in zw_ct.c. */
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

enum method { METHOD_PLAIN, METHOD_CT, METHOD_AWQ };

struct zw_quant {
    enum method method;
    struct zw_ct ct;
    struct zw_scheme awq;
    struct zw_match awq_skip; /* parts of paths */
    char text[256];           /* for people */
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
    q->awq.bits = bits;
    q->awq.group = group < 0 ? 0 : group;
    q->awq.symmetric = json_is_false(zero);
    if ((r = awq_layout(&q->awq.layout, j, dg)) < 0)
        return r;
    return zw_match_init(&q->awq_skip, json_object_get(j, "modules_to_not_convert"),
                         "modules_to_not_convert", dg);
}

/* One scheme in words: "W4A16 asymmetric, group 128". */
static void describe_scheme(struct zc_buf *b, const struct zw_scheme *s)
{
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
        zc_buf_addf(&b, "AWQ %s ", awq[q->awq.layout]);
        describe_scheme(&b, &q->awq);
    } else {
        zc_buf_adds(&b, "compressed-tensors pack-quantized ");
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
    if (strcmp(method, "compressed-tensors"))
        return zc_diag(dg, ZC_EUNSUPPORTED,
                       "quantization method %s is not supported (compressed-tensors and awq are)",
                       method);
    q->method = METHOD_CT;
    return zw_ct_parse(&q->ct, j, dg);
}

int zw_quant_new(struct zw_quant **ret_q, const json_t *config, const char *dir, struct zc_diag *dg)
{
    struct zw_quant *q = zc_xcalloc(1, sizeof *q);
    const char *key;
    const json_t *block = find_block(config, &key);
    int r = ZC_OK;

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
    zw_match_release(&q->awq_skip);
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
           !zw_match_has_part(&q->awq_skip, module);
}

int zw_quant_scheme(const struct zw_scheme **ret_scheme, const struct zw_quant *q,
                    const char *module, struct zc_diag *dg)
{
    *ret_scheme = NULL;
    if (q->method == METHOD_CT)
        return zw_ct_find(ret_scheme, &q->ct, module, dg);
    if (q->method == METHOD_AWQ && is_awq_target(q, module))
        *ret_scheme = &q->awq;
    return ZC_OK;
}
