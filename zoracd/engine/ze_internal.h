/* SPDX-License-Identifier: MIT */
/* What the files of the engine share among themselves. */
#ifndef ZORACD_ENGINE_ZE_INTERNAL_H
#define ZORACD_ENGINE_ZE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "zoracd/engine/ze_config.h"

struct zc_diag;

/* ---- reading members of a JSON object (ze_member.c) --------------------------------------- */

/* The first error stays; readers may go on and look at err once. */
struct ze_json {
    const json_t *o;     /* where a key is looked for, */
    const json_t *outer; /* and where else; NULL */
    const char *file;    /* for diagnostics */
    struct zc_diag *dg;
    int err;
};

#define ZE_REQUIRED INT64_MIN

/* NULL for an absent member and for null. */
const json_t *ze_json_get(const struct ze_json *j, const char *key);
/* A number in min .. max, or fallback where it is absent; ZE_REQUIRED (NAN): it must be there. */
int64_t ze_json_int(struct ze_json *j, const char *key, int64_t min, int64_t max, int64_t fallback);
double ze_json_real(struct ze_json *j, const char *key, double min, double max, double fallback);
bool ze_json_is_true(struct ze_json *j, const char *key, bool fallback);
const char *ze_json_string(struct ze_json *j, const char *key, const char *fallback);

/* A file's object, as ze_config_json. ZC_ENOTFOUND if there is no such file. */
int ze_config_json_file(json_t **ret_json, const char *path, struct zc_diag *dg);

/* ---- rotation (ze_rope.c) ------------------------------------------------------------------ */

/* Fills c->rope; c->D, c->family and c->context are set. */
int ze_rope_read(struct ze_config *c, struct ze_json *j);
/* inv_freq[rot_dim / 2] in double precision; returns the factor on cos and sin. */
float ze_rope_frequencies(const struct ze_config *c, double *inv_freq);

/* ---- sampling (ze_select.c, ze_sample.c) --------------------------------------------------- */

/* Keeps everything with order above key, and of what equals it as much as rest allows. */
struct ze_cut {
    uint32_t key;
    int64_t rest;
};

/* The cut that keeps the largest values until their weights (in units of zk_draw.h; NULL: 1 each)
 * reach mass, which is at least 1 and at most their sum; ties in the order of index. n > 0. */
struct ze_cut ze_cut_find(const float *value, const float *weight, int n, uint64_t mass);
/* Asked for each in the order of index: whether it is kept. */
bool ze_cut_keeps(struct ze_cut *cut, float value, uint64_t weight);

/* Ten rounds over the counter, in place. */
void ze_philox(uint32_t ctr[4], const uint32_t key[2]);

/* ---- made-up weights (ze_random.c) --------------------------------------------------------- */

struct ze_model;
struct zw_linear;
struct zw_load_opts;
struct zw_quant;

/* A module as q says it would be stored: only name, layout and desc are set. */
int ze_random_probe(struct zw_linear *ret_l, const struct zw_quant *q, const char *name, int n,
                    int k, struct zc_diag *dg);
uint64_t ze_random_staging(const struct ze_model *m);
/* Fills all matrices and the embedding, which are placed. */
int ze_random_fill(struct ze_model *m, const struct zw_load_opts *opts, struct zc_diag *dg);

/* ---- the plan (ze_plan.c) ------------------------------------------------------------------ */

struct ze_limits;
struct ze_opts;
struct ze_plan;

/* Plans m, which is bound, and counts with it. ZC_ELIMIT: it does not fit; *ret_p is filled then,
 * too. ZC_EINVAL: an option is out of its range. */
int ze_plan_make(struct ze_plan *ret_p, const struct ze_opts *o, struct ze_model *m,
                 const struct zw_load_opts *load, struct zc_diag *dg);
/* A pass that the device keeps: rows and its number, both 0 for none. */
struct ze_record {
    int rows, number;
};
/* That of the fewest rows that are at least these. (ze_step.c) */
struct ze_record ze_plan_record(const struct ze_plan *p, int rows);
/* How many there are. */
int ze_plan_records(const struct ze_plan *p);
/* A step's logits. */
uint64_t ze_plan_logit_bytes(const struct ze_plan *p, const struct ze_model *m);
/* What a device has drawn from them. */
uint64_t ze_plan_drawn_bytes(const struct ze_plan *p);
/* The largest pass of a plan. */
void ze_plan_limits(const struct ze_plan *p, struct ze_limits *ret_max);

#endif
