/* SPDX-License-Identifier: MIT */
/* One linear layer as a checkpoint stores it, whatever the packer was, and its way to the canonical
 * form of kernels/zk.h. Decoding copies integers and scales bit for bit; nothing is requantized
 * (but for zw_quantize_w8a, which says so). */
#ifndef ZORACD_WEIGHTS_ZW_LINEAR_H
#define ZORACD_WEIGHTS_ZW_LINEAR_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "kernels/zk.h"
#include "zoracd/weights/zw_store.h"

/* The layouts on disk that are read. */
enum zw_layout {
    ZW_PLAIN,     /* X.weight in 16 or 32 bits */
    ZW_CT_PACKED, /* compressed-tensors pack-quantized, 4 or 8 bits */
    ZW_AWQ_GEMM,  /* AutoAWQ */
    ZW_AWQ_GEMV,
    ZW_AWQ_GEMV_FAST, /* AutoAWQ gemv_fast and llm-awq */
    ZW_N_LAYOUTS
};

/* What quantization_config says, checked. Opaque. */
struct zw_quant;

/* Reads the quantization part of config.json (the whole object is given; also looks into
 * text_config and compression_config), or the legacy side file quant_config.json in dir. A method,
 * format or scheme that is recognised and not done (GPTQ, bitsandbytes, fp8, marlin, sparsity, ...)
 * is ZC_EUNSUPPORTED by its name. No quantization: an object that says plain. */
int zw_quant_new(struct zw_quant **ret_q, const json_t *config, const char *dir,
                 struct zc_diag *dg);
void zw_quant_free(struct zw_quant *q);
/* For status and inspection: "compressed-tensors pack-quantized W4A16 asymmetric, group 128". */
const char *zw_quant_describe(const struct zw_quant *q);

/* A linear layer from headers alone: enough to plan its memory. */
struct zw_linear {
    char name[192]; /* module path, without .weight */
    enum zw_layout layout;
    struct zk_mat_desc desc; /* of this part alone; join ROWS */
    const struct zw_tensor *weight, *scale, *zero, *g_idx, *bias; /* NULL where absent */
    uint64_t file_bytes;                                          /* read for it */
};

/* Finds the tensors of module `name` (the whole path, as the file and the ignore lists spell it),
 * checks every shape and dtype against the others, against the configuration and against n, k (what
 * the architecture asks). ZC_ENOTFOUND if no such module. A tied head is probed as the embedding's
 * module: plain. */
int zw_linear_probe(struct zw_linear *ret_l, const struct zw_store *s, const struct zw_quant *q,
                    const char *name, int n, int k, struct zc_diag *dg);

/* The description of the matrix that parts make together. ZC_EUNSUPPORTED if they cannot be one
 * (another form, k, group or type; or an activation order, which each part has for itself): then
 * the caller keeps them apart. A symmetric part joins asymmetric ones. */
int zw_linear_join(struct zk_mat_desc *ret_d, const struct zw_linear *const *parts, int n_parts,
                   enum zk_join join, struct zc_diag *dg);

/* What zw_quantize_w8a makes of an n x k matrix. */
void zw_desc_w8a(struct zk_mat_desc *ret_d, int n, int k);

/* A canonical matrix with the memory it borrows. */
struct zw_canon {
    struct zk_canon c;
    void *mem[5];
};
void zw_canon_release(struct zw_canon *c);

/* Reads and decodes the layer. Thread: any; the memory is the caller's. */
int zw_linear_decode(struct zw_canon *ret_c, const struct zw_store *s, const struct zw_linear *l,
                     struct zc_diag *dg);

/* A 16- or 32-bit matrix to symmetric 8-bit, groups of 128 columns (fp16 scale absmax / 127, zero
 * 128), for the head. */
int zw_quantize_w8a(struct zw_canon *ret_c, const struct zk_canon *plain, struct zc_diag *dg);

/* Reads a plain tensor of n elements (shape is checked: exactly [n]) as floats: norms, biases. */
int zw_read_vector(float *dst, const struct zw_store *s, const char *name, uint64_t n,
                   struct zc_diag *dg);

#endif
