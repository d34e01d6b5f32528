/* SPDX-License-Identifier: MIT */
/* What config.json and generation_config.json say about the forward pass: read, checked, named.
 * A key that changes the mathematics and is not understood is refused by its name. */
#ifndef ZORACD_ENGINE_ZE_CONFIG_H
#define ZORACD_ENGINE_ZE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

struct zc_diag;

enum ze_family { ZE_MISTRAL, ZE_LLAMA, ZE_QWEN2, ZE_QWEN3, ZE_N_FAMILIES };
enum ze_rope_type { ZE_ROPE_DEFAULT, ZE_ROPE_LINEAR, ZE_ROPE_LLAMA3, ZE_ROPE_YARN };
#define ZE_MAX_EOS 16

/* Dimensions, one alphabet everywhere: B rows of a batch, T tokens of a sequence, C model width,
 * H heads, K key/value heads, D head width, F feed-forward width, V vocabulary, L layers,
 * G quantization group, P page. */
struct ze_config {
    enum ze_family family;
    char architecture[64];
    int C, L, H, K, D, F, V;
    int context; /* max_position_embeddings */
    float norm_eps;
    bool qkv_bias, o_bias, mlp_bias, qk_norm;
    bool tied;             /* tie_word_embeddings; the tensors decide (ze_model.c) */
    int window;            /* sliding window, 0: none */
    uint8_t *layer_window; /* [L]: whether the layer uses it */
    struct {
        enum ze_rope_type type;
        double theta, factor, low_freq_factor, high_freq_factor, beta_fast, beta_slow;
        double attention_factor, mscale, mscale_all_dim; /* negative: not given */
        int original_context, rot_dim;
        bool truncate;
    } rope;
    int32_t bos, eos[ZE_MAX_EOS];
    int n_eos;
    /* generation_config.json; negative: not given */
    struct {
        double temperature, top_p, min_p, typical_p, repetition_penalty;
        int top_k;
        int do_sample; /* 0, 1, or -1 */
    } gen;
};

/* Reads dir/config.json (and generation_config.json if there). ret_json (may be NULL) gets the
 * whole object, to be decref'ed: the weights room reads its part. */
int ze_config_read(struct ze_config *ret_c, const char *dir, json_t **ret_json, struct zc_diag *dg);
/* The same from objects; generation may be NULL. */
int ze_config_parse(struct ze_config *ret_c, const json_t *config, const json_t *generation,
                    struct zc_diag *dg);
/* A JSON object from len bytes, strictly: duplicate keys, numbers out of range and nesting beyond a
 * bound are ZC_EFORMAT. name is what diagnostics call it. */
int ze_config_json(json_t **ret_json, const char *bytes, size_t len, const char *name,
                   struct zc_diag *dg);
void ze_config_release(struct ze_config *c);

/* The window of a layer, 0 where it sees everything. */
int ze_config_window(const struct ze_config *c, int layer);

#endif
