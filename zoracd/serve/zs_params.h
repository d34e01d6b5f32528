/* SPDX-License-Identifier: MIT */
/* The parameters of one generation: what the request says, then the model's own defaults, then
 * ours. Pure; any thread. */
#ifndef ZORACD_SERVE_ZS_PARAMS_H
#define ZORACD_SERVE_ZS_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <msgpack.h>

#include "common/zc_wire.h"
#include "zoracd/engine/ze_config.h"
#include "zoracd/engine/ze_sample.h"
#include "zoracd/serve/zs_stop.h"

struct zc_diag;

struct zs_params {
    struct ze_sample_params s; /* s.bias is owned here */
    unsigned given;            /* bit per ZS_GIVEN_: the request says it itself */
    size_t max_tokens;         /* 0: what is left of the context */
    bool ignore_eos, stream;
    int n;
    struct zs_stop *stops; /* owned */
    size_t n_stops;
};

/* What a model may have defaults for. */
enum zs_given {
    ZS_GIVEN_TEMPERATURE = 1 << 0,
    ZS_GIVEN_TOP_K = 1 << 1,
    ZS_GIVEN_TOP_P = 1 << 2,
    ZS_GIVEN_MIN_P = 1 << 3,
    ZS_GIVEN_TYPICAL_P = 1 << 4,
    ZS_GIVEN_REPETITION = 1 << 5,
};

/* Reads the checked arguments of generate; draws a seed if none is given. Release afterwards, also
 * on failure. ZC_EINVAL names the key. */
int zs_params_read(struct zs_params *p, const struct zc_wire_args *args, struct zc_diag *dg);
void zs_params_release(struct zs_params *p);

/* Fills what was not given from the model's generation_config.json (do_sample false is greedy),
 * else temperature 0.7 and everything else off; then checks against the vocabulary. */
int zs_params_resolve(struct zs_params *p, const struct ze_config *config, struct zc_diag *dg);

/* Packs the effective values as one map, for `started`. */
void zs_params_pack(msgpack_packer *pk, const struct zs_params *p, size_t max_tokens);

#endif
