/* SPDX-License-Identifier: MIT */
/* The writer of small models. Scales are such that activations keep their size. */
#include "tests/unit/t_tiny.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/zc_mem.h"
#include "tests/unit/t_safetensors.h"

/* What the functions below pass around. */
struct writer {
    const struct t_tiny *t;
    struct t_st st;
    uint32_t rng;
};

void t_tiny_init(struct t_tiny *t)
{
    *t = (struct t_tiny){
        .architecture = "LlamaForCausalLM",
        .C = 64,
        .L = 2,
        .H = 4,
        .K = 2,
        .D = 16,
        .F = 96,
        .V = 96,
        .bits = 4,
        .has_zero = true,
        .bias_size = 0.2F,
        .more = "",
        .seed = 1,
    };
}

static void add_tensor(struct writer *w, const char *name, const char *dtype, int n, int k,
                       const void *p, size_t bytes)
{
    char full[192];

    snprintf(full, sizeof full, "%s%s", w->t->is_wrapped ? "language_model." : "", name);
    t_st_add(&w->st, full, dtype, (uint64_t)n, (uint64_t)k, p, bytes);
}

/* About normal, of deviation 1. */
static float noise(struct writer *w)
{
    float sum = 0;
    for (int i = 0; i < 4; i++)
        sum += (float)(t_random(&w->rng) >> 8) * 0x1p-24F - 0.5F;
    return sum * 1.73F;
}

static void add_floats(struct writer *w, const char *name, int n, int k, float mean, float size)
{
    size_t count = (size_t)n * (size_t)(k ? k : 1);
    bool wide = w->t->bits == 32 || (w->t->wide && strstr(name, w->t->wide));

    if (w->t->leave_out && strcmp(name, w->t->leave_out) == 0)
        return;
    void *p = zc_xcalloc(count, 4);
    for (size_t i = 0; i < count; i++) {
        float v = mean + size * noise(w);
        uint16_t h = zk_f32_to_bf16(v);
        if (w->t->bits != 32)
            v = zk_bf16_to_f32(h);
        if (wide)
            memcpy((char *)p + 4 * i, &v, 4);
        else
            memcpy((char *)p + 2 * i, &h, 2);
    }
    add_tensor(w, name, wide ? "F32" : "BF16", n, k, p, count * (wide ? 4 : 2));
    zc_free(p);
}

static void add_linear(struct writer *w, const char *module, int n, int k, bool has_bias)
{
    char name[128];
    struct t_mat m;

    snprintf(name, sizeof name, "%s.bias", module);
    if (has_bias)
        add_floats(w, name, n, 0, 0, w->t->bias_size);
    snprintf(name, sizeof name, "%s.weight", module);
    if (w->t->bits >= 16) {
        add_floats(w, name, n, k, 0, 1 / sqrtf((float)k));
        return;
    }
    if (w->t->leave_out && strcmp(name, w->t->leave_out) == 0)
        return;
    t_mat_random(&m, n, k, 32, w->t->bits, ZK_BF16, w->t->has_zero, t_random(&w->rng) | 1);
    uint16_t *scale = m.scale;
    for (int i = 0; i < m.n * m.groups; i++) {
        float spread = w->t->bits == 4 ? 5 : 80;
        scale[i] = zk_f32_to_bf16((1 + 0.3F * noise(w)) / (spread * sqrtf((float)k)));
    }
    snprintf(name, sizeof name, "%s%s", w->t->is_wrapped ? "language_model." : "", module);
    t_mat_add_ct(&w->st, name, &m);
    t_mat_release(&m);
}

static void add_layer(struct writer *w, int l)
{
    const struct t_tiny *t = w->t;
    char name[128];
#define NAME(suffix) (snprintf(name, sizeof name, "model.layers.%d." suffix, l), name)
    add_floats(w, NAME("input_layernorm.weight"), t->C, 0, 1, 0.2F);
    add_floats(w, NAME("post_attention_layernorm.weight"), t->C, 0, 1, 0.2F);
    if (t->qk_norm) {
        add_floats(w, NAME("self_attn.q_norm.weight"), t->D, 0, 1, 0.2F);
        add_floats(w, NAME("self_attn.k_norm.weight"), t->D, 0, 1, 0.2F);
    }
    add_linear(w, NAME("self_attn.q_proj"), t->H * t->D, t->C, t->qkv_bias);
    add_linear(w, NAME("self_attn.k_proj"), t->K * t->D, t->C, t->qkv_bias);
    add_linear(w, NAME("self_attn.v_proj"), t->K * t->D, t->C, t->qkv_bias);
    add_linear(w, NAME("self_attn.o_proj"), t->C, t->H * t->D, t->o_bias);
    add_linear(w, NAME("mlp.gate_proj"), t->F, t->C, t->mlp_bias);
    add_linear(w, NAME("mlp.up_proj"), t->F, t->C, t->mlp_bias);
    add_linear(w, NAME("mlp.down_proj"), t->C, t->F, t->mlp_bias);
#undef NAME
}

static void write_config(const struct t_tiny *t, const char *dir)
{
    char quant[400] = "", text[2000];

    if (t->bits < 16)
        snprintf(
            quant, sizeof quant,
            ", \"quantization_config\": {\"quant_method\": \"compressed-tensors\", "
            "\"format\": \"pack-quantized\", \"config_groups\": {\"group_0\": {\"targets\": "
            "[\"Linear\"], \"weights\": {\"num_bits\": %d, \"type\": \"int\", \"symmetric\": "
            "%s, \"strategy\": \"group\", \"group_size\": 32}}}, \"ignore\": [\"re:.*lm_head\"]}",
            t->bits, t->has_zero ? "false" : "true");
    const char *open = "", *close = "";
    if (t->is_wrapped) {
        open = "\"text_config\": {\"model_type\": \"mistral\", ";
        close = "}";
    }
    snprintf(text, sizeof text,
             "{\"architectures\": [\"%s\"], %s\"hidden_size\": %d, \"num_hidden_layers\": %d, "
             "\"num_attention_heads\": %d, \"num_key_value_heads\": %d, \"head_dim\": %d, "
             "\"intermediate_size\": %d, \"vocab_size\": %d, \"max_position_embeddings\": 1024, "
             "\"tie_word_embeddings\": %s, \"rms_norm_eps\": 1e-5, \"eos_token_id\": 2%s%s%s}",
             t->architecture, open, t->C, t->L, t->H, t->K, t->D, t->F, t->V,
             t->tied ? "true" : "false", t->more, close, quant);
    t_dir_write_text(dir, "config.json", text);
}

char *t_tiny_write(const struct t_tiny *t)
{
    struct writer w = {.t = t, .rng = t->seed * 2654435761u | 1};
    char *dir = t_dir_new();
    const float one = 1;

    t_st_init(&w.st);
    add_floats(&w, "model.embed_tokens.weight", t->V, t->C, 0, 1);
    for (int l = 0; l < t->L; l++)
        add_layer(&w, l);
    add_floats(&w, "model.norm.weight", t->C, 0, 1, 0.2F);
    if (!t->tied)
        add_floats(&w, "lm_head.weight", t->V, t->C, 0, 3 / sqrtf((float)t->C));
    if (t->extra)
        t_st_add(&w.st, t->extra, "F32", 1, 0, &one, sizeof one);
    t_st_write(&w.st, dir, "model.safetensors");
    write_config(t, dir);
    return dir;
}
