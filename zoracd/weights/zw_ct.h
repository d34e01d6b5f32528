/* SPDX-License-Identifier: MIT */
/* The quantization_config of compressed-tensors. Private to this room. */
#ifndef ZORACD_WEIGHTS_ZW_CT_H
#define ZORACD_WEIGHTS_ZW_CT_H

#include <stddef.h>

#include <jansson.h>

#include "zoracd/weights/zw_match.h"
#include "zoracd/weights/zw_quant.h"

struct zw_ct_group {
    struct zw_scheme scheme;
    struct zw_match targets;
};

struct zw_ct {
    struct zw_ct_group *groups;
    size_t n_groups;
    struct zw_match ignore;
};

/* Fills ct; released by the caller in any case. type: what the checkpoint computes in. */
int zw_ct_parse(struct zw_ct *ct, const json_t *config, enum zk_type type, struct zc_diag *dg);
void zw_ct_release(struct zw_ct *ct);

/* The scheme of a module, NULL for none: ignore wins, then paths, then classes, in the groups'
 * order. */
int zw_ct_find(const struct zw_scheme **ret_scheme, const struct zw_ct *ct, const char *module,
               struct zc_diag *dg);

#endif
