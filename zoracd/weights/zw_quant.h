/* SPDX-License-Identifier: MIT */
/* What a model's quantization_config says about each module, read and checked. What is recognised
 * and not done is refused by its name here, before any tensor is looked at. */
#ifndef ZORACD_WEIGHTS_ZW_QUANT_H
#define ZORACD_WEIGHTS_ZW_QUANT_H

#include <stdbool.h>

#include <jansson.h>

#include "kernels/zk.h"

struct zc_diag;

/* The layouts on disk that are read. */
enum zw_layout {
    ZW_PLAIN,     /* X.weight in 16 or 32 bits */
    ZW_CT_PACKED, /* compressed-tensors pack-quantized, 4 or 8 bits */
    ZW_AWQ_GEMM,  /* AutoAWQ */
    ZW_AWQ_GEMV,
    ZW_AWQ_GEMV_FAST, /* AutoAWQ gemv_fast and llm-awq */
    ZW_BNB,           /* bitsandbytes 4-bit: X.weight and its quant_state */
    ZW_FP8,           /* X.weight in E4M3, and scales */
    ZW_N_LAYOUTS
};

/* How the modules of one group are stored. */
struct zw_scheme {
    enum zw_layout layout;
    int bits;       /* 4 or 8 */
    bool symmetric; /* no zero points stored: the middle code; not of BNB and FP8 */
    int group; /* columns per scale; 0: one scale per row. BNB: what is usual, the file tells */
    int group_rows;    /* FP8: rows per scale; 0: one scale for all */
    bool or_row;       /* or one scale per row: the scales' shape tells which */
    bool act_order;    /* the configuration says that X.weight_g_idx is there */
    bool is_nf4;       /* BNB; else fp4 */
    bool is_nested;    /* BNB: the scales are said to be quantized, too; the file tells */
    bool is_for_act8;  /* FP8: made for 8-bit activations, which nothing here has to do with */
    enum zk_type type; /* FP8: what the checkpoint computes in */
};

/* Opaque; const after zw_quant_new: any thread. */
struct zw_quant;

/* Reads the quantization part of config.json (the whole object is given; also looks into
 * text_config and compression_config), or the legacy side file quant_config.json in dir (NULL: not
 * looked for). A method, format or scheme that is recognised and not done (GPTQ, marlin, sparsity,
 * ...) is ZC_EUNSUPPORTED by its name. No quantization: an object that says
 * plain. */
int zw_quant_new(struct zw_quant **ret_q, const json_t *config, const char *dir,
                 struct zc_diag *dg);
void zw_quant_free(struct zw_quant *q);

/* For status and inspection: "compressed-tensors pack-quantized W4A16 asymmetric, group 128". It
 * says so where a checkpoint was made for 8-bit activations: they are not rounded to them. */
const char *zw_quant_describe(const struct zw_quant *q);

/* The scheme of a module, given by its path without ".weight": NULL where it is to be plain, else
 * borrowed from q. */
int zw_quant_scheme(const struct zw_scheme **ret_scheme, const struct zw_quant *q,
                    const char *module, struct zc_diag *dg);

/* The device form that modules of a scheme become. */
enum zk_form zw_quant_form(const struct zw_scheme *s);

#endif
