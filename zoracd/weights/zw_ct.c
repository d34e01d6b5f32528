/* SPDX-License-Identifier: MIT */
/* Reads compressed-tensors' config groups in their several spellings and keeps those that are
 * integer weight-only, pack-quantized, or fp8, whatever was meant for the activations; all others
 * are refused by name. kv_cache_scheme is read by nobody: how keys and values are kept is this
 * daemon's own decision. */
#include "config.h"

#include "zoracd/weights/zw_ct.h"

#include <string.h>
#include <strings.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"

#define MAX_GROUPS 256

/* A preset stands for a scheme: the groups may name it instead of spelling it out. W8A16 meant one
 * scale per row in the library's older versions and groups of 128 in newer ones. */
#define PRESET_GROUP 128
static const struct {
    const char *name;
    struct zw_scheme scheme;
} presets[] = {
    {"W4A16", {.layout = ZW_CT_PACKED, .bits = 4, .symmetric = true, .group = PRESET_GROUP}},
    {"W4A16_ASYM", {.layout = ZW_CT_PACKED, .bits = 4, .group = PRESET_GROUP}},
    {"W8A16",
     {.layout = ZW_CT_PACKED, .bits = 8, .symmetric = true, .group = PRESET_GROUP, .or_row = true}},
    {"FP8", {.layout = ZW_FP8, .bits = 8, .is_for_act8 = true}},
    {"FP8_DYNAMIC", {.layout = ZW_FP8, .bits = 8, .group_rows = 1, .is_for_act8 = true}},
    {"FP8_BLOCK",
     {.layout = ZW_FP8, .bits = 8, .group = 128, .group_rows = 128, .is_for_act8 = true}},
};

static bool is_absent(const json_t *j)
{
    return !j || json_is_null(j);
}

/* The string of a key, or fallback where it is absent. */
static int get_string(const char **ret_s, const json_t *j, const char *key, const char *fallback,
                      struct zc_diag *dg)
{
    const json_t *v = json_object_get(j, key);

    if (!is_absent(v) && !json_is_string(v))
        return zc_diag(dg, ZC_EFORMAT, "%s is not a string", key);
    *ret_s = is_absent(v) ? fallback : json_string_value(v);
    return ZC_OK;
}

/* naive-quantized: the weights' own type tells what that is. */
static bool is_float_format(const char *format)
{
    return !strcmp(format, "float-quantized") || !strcmp(format, "naive-quantized");
}

static int check_format(const char *format, struct zc_diag *dg)
{
    if (strcmp(format, "pack-quantized") && !is_float_format(format))
        return zc_diag(dg, ZC_EUNSUPPORTED,
                       "compressed-tensors format %s is not supported (pack-quantized and "
                       "float-quantized are)",
                       format);
    return ZC_OK;
}

/* actorder: absent, false, "weight" or "static" change nothing in the file; true, "group" or
 * "dynamic" put X.weight_g_idx there. */
static int parse_actorder(bool *ret_on, const json_t *v, struct zc_diag *dg)
{
    const char *s = json_string_value(v);

    if (is_absent(v) || json_is_boolean(v))
        *ret_on = json_is_true(v);
    else if (s && (!strcmp(s, "group") || !strcmp(s, "dynamic")))
        *ret_on = true;
    else if (s && (!strcmp(s, "weight") || !strcmp(s, "static")))
        *ret_on = false;
    else
        return zc_diag(dg, ZC_EUNSUPPORTED, "actorder \"%s\" is not supported", s ? s : "?");
    return ZC_OK;
}

/* strategy and group_size to columns per scale, 0 for one scale per row. */
static int parse_strategy(int *ret_group, const json_t *w, struct zc_diag *dg)
{
    const json_t *size = json_object_get(w, "group_size");
    const char *strategy;
    json_int_t g = -1;
    int r;

    if (!is_absent(size)) {
        if (!json_is_integer(size))
            return zc_diag(dg, ZC_EFORMAT, "group_size is not a number");
        g = json_integer_value(size);
        if (g < -1 || g == 0 || g > 1 << 20)
            return zc_diag(dg, ZC_EFORMAT, "group_size %lld is none", (long long)g);
    }
    const char *guess = g > 0 ? "group" : is_absent(size) ? "tensor" : "channel";
    if ((r = get_string(&strategy, w, "strategy", guess, dg)) < 0)
        return r;
    if (!strcmp(strategy, "group") && g > 0)
        *ret_group = (int)g;
    else if (!strcmp(strategy, "channel") && g <= 0)
        *ret_group = 0;
    else if (!strcmp(strategy, "group") || !strcmp(strategy, "channel"))
        return zc_diag(dg, ZC_EFORMAT, "strategy %s with group_size %lld", strategy, (long long)g);
    else
        return zc_diag(dg, ZC_EUNSUPPORTED, "strategy %s is not supported (group and channel are)",
                       strategy);
    return ZC_OK;
}

/* strategy and block_structure of fp8 weights. */
static int parse_float_strategy(struct zw_scheme *s, const json_t *w, struct zc_diag *dg)
{
    const json_t *block = json_object_get(w, "block_structure");
    const char *strategy;
    int r;

    if ((r = get_string(&strategy, w, "strategy", "tensor", dg)) < 0)
        return r;
    if (!strcmp(strategy, "tensor"))
        return ZC_OK;
    s->group_rows = 1;
    if (!strcmp(strategy, "channel"))
        return ZC_OK;
    if (strcmp(strategy, "block"))
        return zc_diag(dg, ZC_EUNSUPPORTED,
                       "strategy %s of fp8 is not supported (tensor, channel and block are)",
                       strategy);
    for (size_t i = 0; i < 2; i++) {
        const json_t *side = json_array_get(block, i);
        const json_int_t n = json_integer_value(side);
        if (json_array_size(block) != 2 || !json_is_integer(side) || n < 1 || n > 65536)
            return zc_diag(dg, ZC_EFORMAT, "block_structure is not two numbers of 1 to 65536");
        *(i ? &s->group : &s->group_rows) = (int)n;
    }
    return ZC_OK;
}

/* fp8 weights: E4M3, which is the library's only float of 8 bits. */
static int parse_float_weights(struct zw_scheme *s, const json_t *w, struct zc_diag *dg)
{
    const json_t *bits = json_object_get(w, "num_bits");
    const json_t *symmetric = json_object_get(w, "symmetric");

    if (!is_absent(bits) && json_integer_value(bits) != 8)
        return zc_diag(dg, ZC_EUNSUPPORTED,
                       "weights of type float are supported with 8 bits alone");
    if (!is_absent(symmetric) && !json_is_true(symmetric))
        return zc_diag(dg, ZC_EUNSUPPORTED, "fp8 weights with zero points are not supported");
    s->layout = ZW_FP8;
    s->bits = 8;
    return parse_float_strategy(s, w, dg);
}

/* Integers of a group: bits, symmetry, order, strategy. */
static int parse_int_weights(struct zw_scheme *s, const json_t *w, struct zc_diag *dg)
{
    const json_t *bits = json_object_get(w, "num_bits");
    const json_t *symmetric = json_object_get(w, "symmetric");
    int r;

    if (!json_is_integer(bits) && !is_absent(bits))
        return zc_diag(dg, ZC_EFORMAT, "num_bits is not a number");
    json_int_t n_bits = is_absent(bits) ? 8 : json_integer_value(bits);
    if (n_bits == 3 || (n_bits >= 5 && n_bits <= 7))
        return zc_diag(dg, ZC_EUNSUPPORTED,
                       "%lld-bit weights are not supported: how they are packed is ambiguous",
                       (long long)n_bits);
    if (n_bits != 4 && n_bits != 8)
        return zc_diag(dg, ZC_EUNSUPPORTED, "%lld-bit weights are not supported (4 and 8 are)",
                       (long long)n_bits);
    if (!is_absent(symmetric) && !json_is_boolean(symmetric))
        return zc_diag(dg, ZC_EFORMAT, "symmetric is not true or false");
    s->layout = ZW_CT_PACKED;
    s->bits = (int)n_bits;
    s->symmetric = !json_is_false(symmetric);
    if ((r = parse_actorder(&s->act_order, json_object_get(w, "actorder"), dg)) < 0)
        return r;
    return parse_strategy(&s->group, w, dg);
}

/* The "weights" object of a group. format: NULL where nobody says one. */
static int parse_weights(struct zw_scheme *s, const json_t *w, const char *format,
                         struct zc_diag *dg)
{
    const char *type;
    int r;

    if (!json_is_object(w))
        return zc_diag(dg, ZC_EFORMAT, "weights is not an object");
    if (json_is_true(json_object_get(w, "dynamic")))
        return zc_diag(dg, ZC_EUNSUPPORTED, "dynamic weight quantization is not supported");
    if ((r = get_string(&type, w, "type", "int", dg)) < 0)
        return r;
    const bool is_float = !strcmp(type, "float");
    if (!is_float && strcmp(type, "int"))
        return zc_diag(dg, ZC_EUNSUPPORTED,
                       "weights of type %s are not supported (int and float are)", type);
    if (format && is_float != is_float_format(format))
        return zc_diag(dg, ZC_EUNSUPPORTED, "weights of type %s in format %s are not supported",
                       type, format);
    return is_float ? parse_float_weights(s, w, dg) : parse_int_weights(s, w, dg);
}

/* Activations in fp8 are a way to compute and change no weight: with weights in fp8 they are left
 * as they are. Others would be another model. */
static int check_activations(struct zw_scheme *s, const json_t *j, struct zc_diag *dg)
{
    const json_t *in = json_object_get(j, "input_activations");
    const char *type = json_string_value(json_object_get(in, "type"));

    if (!is_absent(json_object_get(j, "output_activations")))
        return zc_diag(dg, ZC_EUNSUPPORTED,
                       "output_activations: quantized activations are not supported");
    if (is_absent(in))
        return ZC_OK;
    if (s->layout != ZW_FP8 || !type || strcmp(type, "float") ||
        json_integer_value(json_object_get(in, "num_bits")) != 8)
        return zc_diag(dg, ZC_EUNSUPPORTED,
                       "input_activations: quantized activations are not supported (but 8-bit "
                       "floats beside fp8 weights)");
    s->is_for_act8 = true;
    return ZC_OK;
}

/* A group that is spelled out. */
static int parse_group(struct zw_ct_group *g, const json_t *j, const char *format,
                       struct zc_diag *dg)
{
    const char *own;
    int r;

    if (!json_is_object(j))
        return zc_diag(dg, ZC_EFORMAT, "it is not an object");
    if ((r = get_string(&own, j, "format", format, dg)) < 0 ||
        (own && (r = check_format(own, dg)) < 0) ||
        (r = parse_weights(&g->scheme, json_object_get(j, "weights"), own, dg)) < 0 ||
        (r = check_activations(&g->scheme, j, dg)) < 0)
        return r;
    return zw_match_init(&g->targets, json_object_get(j, "targets"), "targets", dg);
}

/* A group that is a preset's name and its targets. */
static int parse_preset(struct zw_ct_group *g, const char *name, const json_t *targets,
                        struct zc_diag *dg)
{
    for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++) {
        if (strcasecmp(presets[i].name, name))
            continue;
        g->scheme = presets[i].scheme;
        return zw_match_init(&g->targets, targets, "targets", dg);
    }
    return zc_diag(dg, ZC_EUNSUPPORTED,
                   "preset %s is not supported (W4A16, W4A16_ASYM, W8A16, FP8, FP8_DYNAMIC and "
                   "FP8_BLOCK are)",
                   name);
}

/* An object that changes the mathematics unless it is empty or says "dense". */
static int refuse_config(const json_t *config, const char *key, struct zc_diag *dg)
{
    const json_t *j = json_object_get(config, key);
    const char *format = json_string_value(json_object_get(j, "format"));

    if (is_absent(j) || (json_is_object(j) && json_object_size(j) == 0) ||
        (format && !strcmp(format, "dense")))
        return ZC_OK;
    return zc_diag(dg, ZC_EUNSUPPORTED, "%s%s%s is not supported", key, format ? " " : "",
                   format ? format : "");
}

int zw_ct_parse(struct zw_ct *ct, const json_t *config, enum zk_type type, struct zc_diag *dg)
{
    json_t *groups = json_object_get(config, "config_groups"), *v;
    const char *key, *format;
    void *mem = NULL;
    int r;

    memset(ct, 0, sizeof *ct);
    if ((r = refuse_config(config, "sparsity_config", dg)) < 0 ||
        (r = refuse_config(config, "transform_config", dg)) < 0 ||
        (r = get_string(&format, config, "format", NULL, dg)) < 0)
        return r;
    if (format && !strcmp(format, "mixed-precision"))
        format = NULL; /* of a group that does not say: its type does, and the tensors must agree */
    if (format && (r = check_format(format, dg)) < 0)
        return r;
    if (!json_is_object(groups) || json_object_size(groups) == 0)
        return zc_diag(dg, ZC_EFORMAT, "config_groups is no object with groups");
    if ((r = zc_try_calloc(&mem, json_object_size(groups), sizeof *ct->groups,
                           MAX_GROUPS * sizeof *ct->groups)) < 0)
        return zc_diag(dg, r, "config_groups has %zu groups: too many", json_object_size(groups));
    ct->groups = mem;
    json_object_foreach (groups, key, v) {
        struct zw_ct_group *g = &ct->groups[ct->n_groups++];
        r = json_is_array(v) ? parse_preset(g, key, v, dg) : parse_group(g, v, format, dg);
        if (r < 0)
            return zc_diag_prefix(dg, r, "config_groups.%s", key);
        g->scheme.type = type;
    }
    return zw_match_init(&ct->ignore, json_object_get(config, "ignore"), "ignore", dg);
}

void zw_ct_release(struct zw_ct *ct)
{
    for (size_t i = 0; i < ct->n_groups; i++)
        zw_match_release(&ct->groups[i].targets);
    zc_free(ct->groups);
    zw_match_release(&ct->ignore);
    memset(ct, 0, sizeof *ct);
}

/* The class of a module in the reference implementation: whoever asks about the embedding asks for
 * the head that is tied to it. */
static const char *class_of(const char *module)
{
    const char *dot = strrchr(module, '.');

    return strcmp(dot ? dot + 1 : module, "embed_tokens") ? "Linear" : "Embedding";
}

int zw_ct_find(const struct zw_scheme **ret_scheme, const struct zw_ct *ct, const char *module,
               struct zc_diag *dg)
{
    const char *class_name = class_of(module);
    bool hit = false;
    int r;

    *ret_scheme = NULL;
    if ((r = zw_match_path(&hit, &ct->ignore, module, dg)) < 0)
        return zc_diag_prefix(dg, r, "quantization_config.ignore");
    if (hit || zw_match_has_class(&ct->ignore, class_name))
        return ZC_OK;
    for (size_t i = 0; i < ct->n_groups && !*ret_scheme; i++) {
        if ((r = zw_match_path(&hit, &ct->groups[i].targets, module, dg)) < 0)
            return zc_diag_prefix(dg, r, "quantization_config.config_groups");
        if (hit)
            *ret_scheme = &ct->groups[i].scheme;
    }
    for (size_t i = 0; i < ct->n_groups && !*ret_scheme; i++)
        if (zw_match_has_class(&ct->groups[i].targets, class_name))
            *ret_scheme = &ct->groups[i].scheme;
    return ZC_OK;
}
