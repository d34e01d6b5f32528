/* SPDX-License-Identifier: MIT */
/* What a model's quantization_config says about each module, read and checked. What is recognised
 * and not done is refused by its name here, before any tensor is looked at. */
#ifndef ZORACD_WEIGHTS_ZW_QUANT_H
#define ZORACD_WEIGHTS_ZW_QUANT_H

#include <stdbool.h>

#include <jansson.h>

struct zc_diag;

/* The layouts on disk that are read. */
enum zw_layout {
    ZW_PLAIN,     /* X.weight in 16 or 32 bits */
    ZW_CT_PACKED, /* compressed-tensors pack-quantized, 4 or 8 bits */
    ZW_AWQ_GEMM,  /* AutoAWQ */
    ZW_AWQ_GEMV,
    ZW_AWQ_GEMV_FAST, /* AutoAWQ gemv_fast and llm-awq */
    ZW_N_LAYOUTS
};

/* How the modules of one group are stored. */
struct zw_scheme {
    enum zw_layout layout;
    int bits;       /* 4 or 8 */
    bool symmetric; /* no zero points stored: the middle code */
    int group;      /* columns per scale; 0: one scale per row */
    bool or_row;    /* or one scale per row: the scales' shape tells which */
    bool act_order; /* the configuration says that X.weight_g_idx is there */
};

/* Opaque; const after zw_quant_new: any thread. */
struct zw_quant;

/* Reads the quantization part of config.json (the whole object is given; also looks into
 * text_config and compression_config), or the legacy side file quant_config.json in dir (NULL: not
 * looked for). A method, format or scheme that is recognised and not done (GPTQ, bitsandbytes, fp8,
 * marlin, sparsity, ...) is ZC_EUNSUPPORTED by its name. No quantization: an object that says
 * plain. */
int zw_quant_new(struct zw_quant **ret_q, const json_t *config, const char *dir,
                 struct zc_diag *dg);
void zw_quant_free(struct zw_quant *q);

/* For status and inspection: "compressed-tensors pack-quantized W4A16 asymmetric, group 128". */
const char *zw_quant_describe(const struct zw_quant *q);

/* The scheme of a module, given by its path without ".weight": NULL where it is to be plain, else
 * borrowed from q. */
int zw_quant_scheme(const struct zw_scheme **ret_scheme, const struct zw_quant *q,
                    const char *module, struct zc_diag *dg);

#endif
