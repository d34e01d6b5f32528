/* SPDX-License-Identifier: MIT */
/* Small models with random weights, written as directories: for tests that need a whole model and
 * no meaning. */
#ifndef TESTS_UNIT_T_TINY_H
#define TESTS_UNIT_T_TINY_H

#include <stdbool.h>

struct t_tiny {
    const char *architecture; /* "LlamaForCausalLM" */
    int C, L, H, K, D, F, V;
    int bits; /* of linear layers: 4, 8 (compressed-tensors, group 32), 16 (bf16), 32 */
    bool has_zero;
    bool qkv_bias, o_bias, mlp_bias, qk_norm, tied;
    const char *wide;      /* bf16 tensors whose name has this are written as F32, equal; or NULL */
    float bias_size;       /* of the biases' noise */
    bool is_wrapped;       /* as Mistral 3 has it: text_config, names under language_model. */
    const char *more;      /* members of config.json, each with a comma before it; "" */
    const char *leave_out; /* a tensor that is not written, or NULL */
    const char *extra;     /* a tensor of one float that is written beside, or NULL */
    unsigned seed;
};

/* 64 wide, 2 layers, 4/2 heads of 16, 4 bits with zero points, vocabulary 96. */
void t_tiny_init(struct t_tiny *t);
/* Writes it into a fresh directory (t_dir_remove). */
char *t_tiny_write(const struct t_tiny *t);

#endif
