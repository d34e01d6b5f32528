/* SPDX-License-Identifier: MIT */
/* config.json to struct ze_config: both generations of spellings, text_config nesting, defaults of
 * the four families as transformers has them. Every number has a range, and a key that changes the
 * mathematics in a way that the forward pass does not do is refused by its name. The rotation's
 * part is in ze_rope.c. Any thread. */
#include "zoracd/engine/ze_config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/zc_err.h"
#include "common/zc_file.h"
#include "common/zc_mem.h"
#include "kernels/zk.h"
#include "zoracd/engine/ze_internal.h"
#include "zoracd/weights/zw_json.h"

#define MAX_FILE   (4u << 20)
#define MAX_DEPTH  32
#define MAX_VALUES 262144 /* of one file */

/* ---- which architecture ------------------------------------------------------------------ */

static const struct {
    const char *architecture, *model_type;
    enum ze_family family;
    bool wrapped; /* the language model is in text_config */
} known[] = {
    {"MistralForCausalLM", "mistral", ZE_MISTRAL, false},
    {"Mistral3ForConditionalGeneration", "mistral3", ZE_MISTRAL, true},
    {"LlamaForCausalLM", "llama", ZE_LLAMA, false},
    {"Qwen2ForCausalLM", "qwen2", ZE_QWEN2, false},
    {"Qwen3ForCausalLM", "qwen3", ZE_QWEN3, false},
};
#define N_KNOWN (sizeof known / sizeof *known)

/* The first of "architectures", else model_type. */
static int find_architecture(struct ze_json *j, size_t *ret_at, char *name, size_t cap)
{
    const json_t *list = json_object_get(j->o, "architectures");
    const json_t *first = json_is_array(list) ? json_array_get(list, 0) : NULL;
    const char *type = ze_json_string(j, "model_type", "");

    if (list && !json_is_null(list) && !json_is_string(first))
        return zc_diag(j->dg, ZC_EFORMAT, "%s: architectures is not a list of names", j->file);
    const char *arch = first ? json_string_value(first) : NULL;
    for (size_t i = 0; i < N_KNOWN; i++) {
        if (arch ? strcmp(arch, known[i].architecture) != 0
                 : strcmp(type, known[i].model_type) != 0)
            continue;
        snprintf(name, cap, "%s", known[i].architecture);
        *ret_at = i;
        return j->err;
    }
    if (!arch && !*type)
        return zc_diag(j->dg, ZC_EFORMAT, "%s: neither architectures nor model_type", j->file);
    return zc_diag(j->dg, ZC_EUNSUPPORTED,
                   "%s: the architecture %.100s is not supported (Mistral, Llama, Qwen2 and Qwen3 "
                   "are)",
                   j->file, arch ? arch : type);
}

/* The language model's own object: text_config, which must be of a family we know. */
static int enter_text_config(struct ze_json *j, bool is_wrapped, enum ze_family *family)
{
    const json_t *text = json_object_get(j->o, "text_config");
    if (!text || json_is_null(text)) {
        if (is_wrapped)
            return zc_diag(j->dg, ZC_EFORMAT, "%s: text_config is missing", j->file);
        return ZC_OK;
    }
    if (!json_is_object(text))
        return zc_diag(j->dg, ZC_EFORMAT, "%s: text_config is not an object", j->file);
    j->outer = j->o;
    j->o = text;
    const json_t *type = json_object_get(text, "model_type");
    if (!type || json_is_null(type))
        return ZC_OK;
    if (!json_is_string(type))
        return zc_diag(j->dg, ZC_EFORMAT, "%s: model_type is not a string", j->file);
    for (size_t i = 0; i < N_KNOWN; i++) {
        if (!known[i].wrapped && strcmp(json_string_value(type), known[i].model_type) == 0) {
            *family = known[i].family;
            return ZC_OK;
        }
    }
    return zc_diag(j->dg, ZC_EUNSUPPORTED, "%s: the text model %.100s is not supported", j->file,
                   json_string_value(type));
}

/* Keys that other architectures use to change the mathematics. The neutral value is accepted. */
static int refuse_what_is_not_done(struct ze_json *j)
{
    static const struct {
        const char *key;
        double neutral; /* NAN: only null or false */
    } keys[] = {
        {"num_local_experts", 0},
        {"num_experts", 0},
        {"attn_logit_softcapping", 0},
        {"final_logit_softcapping", 0},
        {"query_pre_attn_scalar", NAN},
        {"embedding_multiplier", 1},
        {"residual_multiplier", 1},
        {"attention_multiplier", NAN},
        {"logits_scaling", 1},
        {"logit_scale", 1},
        {"clip_qkv", NAN},
        {"no_rope_layers", NAN},
        {"attention_chunk_size", NAN},
        {"llama_4_scaling", NAN},
        {"use_mrope", NAN},
        {"position_embedding_type", NAN},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *v = ze_json_get(j, keys[i].key);
        if (!v || json_is_false(v))
            continue;
        if (json_is_number(v) && json_number_value(v) == keys[i].neutral)
            continue;
        return zc_diag(j->dg, ZC_EUNSUPPORTED, "%s: %s is not supported", j->file, keys[i].key);
    }
    const char *act = ze_json_string(j, "hidden_act", "silu");
    if (j->err == ZC_OK && strcmp(act, "silu") != 0 && strcmp(act, "swish") != 0)
        return zc_diag(j->dg, ZC_EUNSUPPORTED, "%s: hidden_act %.60s is not supported (silu is)",
                       j->file, act);
    return j->err;
}

/* ---- parts -------------------------------------------------------------------------------- */

static int read_sizes(struct ze_config *c, struct ze_json *j)
{
    c->C = (int)ze_json_int(j, "hidden_size", 1, 1 << 16, ZE_REQUIRED);
    c->L = (int)ze_json_int(j, "num_hidden_layers", 1, 1024, ZE_REQUIRED);
    c->H = (int)ze_json_int(j, "num_attention_heads", 1, 1024, ZE_REQUIRED);
    c->F = (int)ze_json_int(j, "intermediate_size", 1, ZK_MAX_DIM, ZE_REQUIRED);
    c->V = (int)ze_json_int(j, "vocab_size", 1, ZK_MAX_DIM, ZE_REQUIRED);
    c->K = (int)ze_json_int(j, "num_key_value_heads", 1, 1024, c->H);
    bool is_mistral3 = j->outer && c->family == ZE_MISTRAL;
    c->context = (int)ze_json_int(j, "max_position_embeddings", 1, 1 << 24,
                                  is_mistral3 ? 131072 : ZE_REQUIRED);
    c->norm_eps = (float)ze_json_real(j, "rms_norm_eps", 0, 0.1, 1e-6);
    if (j->err < 0)
        return j->err;
    if (c->H % c->K != 0)
        return zc_diag(j->dg, ZC_EFORMAT,
                       "%s: num_attention_heads %d is no multiple of num_key_value_heads %d",
                       j->file, c->H, c->K);
    bool has_width = ze_json_get(j, "head_dim") || c->family == ZE_QWEN3;
    if (!has_width && c->C % c->H != 0)
        return zc_diag(j->dg, ZC_EFORMAT,
                       "%s: no head_dim, and hidden_size %d is no multiple of num_attention_heads "
                       "%d",
                       j->file, c->C, c->H);
    c->D = (int)ze_json_int(j, "head_dim", 2, 512, c->family == ZE_QWEN3 ? 128 : c->C / c->H);
    if (j->err == ZC_OK && (c->D < 2 || c->D > 512 || c->D % 2 != 0))
        return zc_diag(j->dg, ZC_EFORMAT, "%s: head_dim is %d: even numbers from 2 to 512 are done",
                       j->file, c->D);
    return j->err;
}

static int read_biases(struct ze_config *c, struct ze_json *j)
{
    bool attention = ze_json_is_true(j, "attention_bias", false);

    c->qk_norm = c->family == ZE_QWEN3;
    c->qkv_bias = c->family == ZE_QWEN2 || attention; /* of Qwen2 by code, no key says it */
    c->o_bias = c->family != ZE_QWEN2 && attention;
    c->mlp_bias = c->family == ZE_LLAMA && ze_json_is_true(j, "mlp_bias", false);
    c->tied = ze_json_is_true(j, "tie_word_embeddings", false);
    return j->err;
}

/* layer_types where it is given; otherwise what the family's code does. */
static int read_layer_windows(struct ze_config *c, struct ze_json *j, int first)
{
    void *p;
    int r = zc_try_calloc(&p, (size_t)c->L, 1, 1024);
    if (r < 0)
        return r;
    c->layer_window = p;
    const json_t *types = ze_json_get(j, "layer_types");
    if (!types) {
        for (int l = 0; l < c->L; l++)
            c->layer_window[l] = c->window > 0 && l >= first;
        return ZC_OK;
    }
    if (!json_is_array(types) || json_array_size(types) != (size_t)c->L)
        return zc_diag(j->dg, ZC_EFORMAT, "%s: layer_types is not a list of %d names", j->file,
                       c->L);
    for (int l = 0; l < c->L; l++) {
        const char *name = json_string_value(json_array_get(types, (size_t)l));
        bool is_sliding = name && strcmp(name, "sliding_attention") == 0;
        if (!is_sliding && !(name && strcmp(name, "full_attention") == 0))
            return zc_diag(j->dg, ZC_EUNSUPPORTED, "%s: layer_types[%d] %.60s is not supported",
                           j->file, l, name ? name : "(no name)");
        c->layer_window[l] = c->window > 0 && is_sliding;
    }
    return ZC_OK;
}

static int read_window(struct ze_config *c, struct ze_json *j)
{
    /* the default of the classes is a window: only a null turns it off there */
    bool is_given = json_object_get(j->o, "sliding_window") != NULL;
    int fallback = is_given ? 0 : 4096;
    int first = 0;

    switch (c->family) {
    case ZE_MISTRAL:
        fallback = j->outer ? 0 : fallback;
        c->window = (int)ze_json_int(j, "sliding_window", 1, 1 << 24, fallback);
        break;
    case ZE_QWEN2:
    case ZE_QWEN3:
        if (ze_json_is_true(j, "use_sliding_window", false))
            c->window = (int)ze_json_int(j, "sliding_window", 1, 1 << 24, fallback);
        first = (int)ze_json_int(j, "max_window_layers", 0, 1 << 20, 28);
        break;
    case ZE_LLAMA:
    case ZE_N_FAMILIES:
        break;
    }
    if (j->err < 0)
        return j->err;
    return read_layer_windows(c, j, first);
}

static int add_eos(struct ze_config *c, struct ze_json *j, const json_t *v)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) >= c->V)
        return zc_diag(j->dg, ZC_EFORMAT, "%s: eos_token_id is not a token of a vocabulary of %d",
                       j->file, c->V);
    for (int i = 0; i < c->n_eos; i++)
        if (c->eos[i] == json_integer_value(v))
            return ZC_OK;
    if (c->n_eos == ZE_MAX_EOS)
        return zc_diag(j->dg, ZC_ELIMIT, "%s: over %d eos_token_id", j->file, ZE_MAX_EOS);
    c->eos[c->n_eos++] = (int32_t)json_integer_value(v);
    return ZC_OK;
}

static int read_ends(struct ze_config *c, struct ze_json *j)
{
    const json_t *v = ze_json_get(j, "eos_token_id");
    size_t i;
    const json_t *item;
    int r;

    if (ze_json_get(j, "bos_token_id"))
        c->bos = (int32_t)ze_json_int(j, "bos_token_id", 0, c->V - 1, -1);
    if (j->err < 0 || !v)
        return j->err;
    if (!json_is_array(v))
        return add_eos(c, j, v);
    json_array_foreach (v, i, item)
        if ((r = add_eos(c, j, item)) < 0)
            return r;
    return ZC_OK;
}

static int read_generation(struct ze_config *c, struct ze_json *j)
{
    c->gen.temperature = ze_json_real(j, "temperature", 0, 100, -1);
    c->gen.top_p = ze_json_real(j, "top_p", 0, 1, -1);
    c->gen.min_p = ze_json_real(j, "min_p", 0, 1, -1);
    c->gen.typical_p = ze_json_real(j, "typical_p", 0, 1, -1);
    c->gen.repetition_penalty = ze_json_real(j, "repetition_penalty", 1e-3, 1e3, -1);
    c->gen.top_k = (int)ze_json_int(j, "top_k", 0, 1 << 30, -1);
    if (ze_json_get(j, "do_sample"))
        c->gen.do_sample = ze_json_is_true(j, "do_sample", false);
    return j->err < 0 ? j->err : read_ends(c, j);
}

/* ---- whole -------------------------------------------------------------------------------- */

static int parse_model(struct ze_config *c, const json_t *config, struct zc_diag *dg)
{
    struct ze_json j = {.o = config, .file = "config.json", .dg = dg};
    size_t at = 0;
    int r;

    if (!json_is_object(config))
        return zc_diag(dg, ZC_EFORMAT, "config.json: not an object");
    if ((r = find_architecture(&j, &at, c->architecture, sizeof c->architecture)) < 0)
        return r;
    c->family = known[at].family;
    if ((r = enter_text_config(&j, known[at].wrapped, &c->family)) < 0)
        return r;
    if ((r = refuse_what_is_not_done(&j)) < 0 || (r = read_sizes(c, &j)) < 0 ||
        (r = read_biases(c, &j)) < 0 || (r = ze_rope_read(c, &j)) < 0 ||
        (r = read_window(c, &j)) < 0)
        return r;
    return read_ends(c, &j);
}

int ze_config_parse(struct ze_config *ret_c, const json_t *config, const json_t *generation,
                    struct zc_diag *dg)
{
    struct ze_config c = {
        .bos = -1,
        .gen = {-1, -1, -1, -1, -1, -1, -1},
    };
    int r = parse_model(&c, config, dg);

    if (r == ZC_OK && generation) {
        struct ze_json j = {.o = generation, .file = "generation_config.json", .dg = dg};
        if (json_is_object(generation))
            r = read_generation(&c, &j);
        else
            r = zc_diag(dg, ZC_EFORMAT, "generation_config.json: not an object");
    }
    if (r < 0) {
        ze_config_release(&c);
        return r;
    }
    *ret_c = c;
    return ZC_OK;
}

void ze_config_release(struct ze_config *c)
{
    zc_free(c->layer_window);
    c->layer_window = NULL;
}

int ze_config_window(const struct ze_config *c, int layer)
{
    return c->layer_window[layer] ? c->window : 0;
}

/* ---- files -------------------------------------------------------------------------------- */

int ze_config_json(json_t **ret_json, const char *bytes, size_t len, const char *name,
                   struct zc_diag *dg)
{
    static const struct zw_json_limits limits = {
        .bytes = MAX_FILE, .values = MAX_VALUES, .depth = MAX_DEPTH};

    int r = zw_json_parse(ret_json, bytes, len, &limits, dg);
    if (r == ZC_ELIMIT) /* which of a model says that it does not fit into memory */
        r = ZC_EFORMAT;
    return r < 0 ? zc_diag_prefix(dg, r, "%s", name) : r;
}

int ze_config_json_file(json_t **ret_json, const char *path, struct zc_diag *dg)
{
    char *bytes;
    size_t len;

    int r = zc_file_read(&bytes, &len, path, MAX_FILE, dg);
    if (r < 0)
        return r;
    r = ze_config_json(ret_json, bytes, len, path, dg);
    zc_free(bytes);
    return r;
}

int ze_config_read(struct ze_config *ret_c, const char *dir, json_t **ret_json, struct zc_diag *dg)
{
    json_t *config = NULL, *generation = NULL;
    char *path = zc_xasprintf("%s/config.json", dir);
    char *gen_path = zc_xasprintf("%s/generation_config.json", dir);

    int r = ze_config_json_file(&config, path, dg);
    if (r < 0)
        goto out;
    r = ze_config_json_file(&generation, gen_path, dg);
    if (r < 0 && r != ZC_ENOTFOUND)
        goto out;
    if ((r = ze_config_parse(ret_c, config, generation, dg)) < 0)
        goto out;
    if (ret_json)
        *ret_json = json_incref(config);
out:
    json_decref(config);
    json_decref(generation);
    zc_free(path);
    zc_free(gen_path);
    return r;
}
