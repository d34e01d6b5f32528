/* SPDX-License-Identifier: MIT */
/* Reads compressed-tensors' config groups in their several spellings and keeps those that are
 * integer weight-only, pack-quantized; all others are refused by name. kv_cache_scheme is read by
 * nobody: how keys and values are kept is this daemon's own decision. */
#include "config.h"

#include "zoracd/weights/zw_ct.h"

#include <string.h>
#include <strings.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"

#define MAX_GROUPS 256

/* A preset stands for a scheme: the groups may name it instead of spelling it out. W8A16 meant one
 * scale per row in the library's older versions and groups of 128 in newer ones. */
static const struct {
    const char *name;
    int bits;
    bool symmetric, or_row;
} presets[] = {
    {"W4A16", 4, true, false}, {"W4A16_ASYM", 4, false, false}, {"W8A16", 8, true, true}};
#define PRESET_GROUP 128

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

static int check_format(const char *format, struct zc_diag *dg)
{
    if (strcmp(format, "pack-quantized"))
        return zc_diag(dg, ZC_EUNSUPPORTED,
                       "compressed-tensors format %s is not supported (pack-quantized is)", format);
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

/* The "weights" object of a group. */
static int parse_weights(struct zw_scheme *s, const json_t *w, struct zc_diag *dg)
{
    const json_t *bits = json_object_get(w, "num_bits");
    const json_t *symmetric = json_object_get(w, "symmetric");
    const char *type;
    int r;

    if (!json_is_object(w))
        return zc_diag(dg, ZC_EFORMAT, "weights is not an object");
    if ((r = get_string(&type, w, "type", "int", dg)) < 0)
        return r;
    if (strcmp(type, "int"))
        return zc_diag(dg, ZC_EUNSUPPORTED, "weights of type %s are not supported (int is)", type);
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
    if (json_is_true(json_object_get(w, "dynamic")))
        return zc_diag(dg, ZC_EUNSUPPORTED, "dynamic weight quantization is not supported");
    s->bits = (int)n_bits;
    s->symmetric = !json_is_false(symmetric);
    if ((r = parse_actorder(&s->act_order, json_object_get(w, "actorder"), dg)) < 0)
        return r;
    return parse_strategy(&s->group, w, dg);
}

/* A group that is spelled out. */
static int parse_group(struct zw_ct_group *g, const json_t *j, const char *format,
                       struct zc_diag *dg)
{
    static const char *const activations[] = {"input_activations", "output_activations"};
    const char *own;
    int r;

    if (!json_is_object(j))
        return zc_diag(dg, ZC_EFORMAT, "it is not an object");
    for (int i = 0; i < 2; i++)
        if (!is_absent(json_object_get(j, activations[i])))
            return zc_diag(dg, ZC_EUNSUPPORTED, "%s: quantized activations are not supported",
                           activations[i]);
    if ((r = get_string(&own, j, "format", format, dg)) < 0 || (r = check_format(own, dg)) < 0 ||
        (r = parse_weights(&g->scheme, json_object_get(j, "weights"), dg)) < 0)
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
        g->scheme.bits = presets[i].bits;
        g->scheme.symmetric = presets[i].symmetric;
        g->scheme.or_row = presets[i].or_row;
        g->scheme.group = PRESET_GROUP;
        return zw_match_init(&g->targets, targets, "targets", dg);
    }
    return zc_diag(dg, ZC_EUNSUPPORTED,
                   "preset %s is not supported (W4A16, W4A16_ASYM and W8A16 are)", name);
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

int zw_ct_parse(struct zw_ct *ct, const json_t *config, struct zc_diag *dg)
{
    json_t *groups = json_object_get(config, "config_groups"), *v;
    const char *key, *format;
    void *mem = NULL;
    int r;

    memset(ct, 0, sizeof *ct);
    if ((r = refuse_config(config, "sparsity_config", dg)) < 0 ||
        (r = refuse_config(config, "transform_config", dg)) < 0 ||
        (r = get_string(&format, config, "format", "pack-quantized", dg)) < 0)
        return r;
    if (strcmp(format, "mixed-precision") && (r = check_format(format, dg)) < 0)
        return r;
    if (!strcmp(format, "mixed-precision"))
        format = "pack-quantized"; /* of a group that does not say; the tensors must agree */
    if (!json_is_object(groups) || json_object_size(groups) == 0)
        return zc_diag(dg, ZC_EFORMAT, "config_groups is no object with groups");
    if ((r = zc_try_calloc(&mem, json_object_size(groups), sizeof *ct->groups,
                           MAX_GROUPS * sizeof *ct->groups)) < 0)
        return zc_diag(dg, r, "config_groups has %zu groups: too many", json_object_size(groups));
    ct->groups = mem;
    json_object_foreach (groups, key, v) {
        struct zw_ct_group *g = &ct->groups[ct->n_groups++];
        g->scheme.layout = ZW_CT_PACKED;
        r = json_is_array(v) ? parse_preset(g, key, v, dg) : parse_group(g, v, format, dg);
        if (r < 0)
            return zc_diag_prefix(dg, r, "config_groups.%s", key);
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
