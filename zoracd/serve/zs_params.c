/* SPDX-License-Identifier: MIT */
/* Sampling parameters from request, model and defaults. Ranges were checked by the wire's table;
 * here is what the table can't say. */
#include "zoracd/serve/zs_params.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "common/zc_rpc.h"

#define DEFAULT_TEMPERATURE 0.7

/* Takes a number into *dst if the request has it. */
static void take(struct zs_params *p, const msgpack_object *v, enum zs_given bit, float *dst)
{
    if (!v)
        return;
    *dst = (float)zc_wire_num(v, *dst);
    p->given |= bit;
}

static int add_stop(struct zs_params *p, const msgpack_object *v, struct zc_diag *dg)
{
    size_t len = v->via.str.size;

    if (len == 0)
        return zc_diag(dg, ZC_EINVAL, "stop must not have an empty text");
    if (len > ZS_STOP_MAX_BYTES)
        return zc_diag(dg, ZC_ELIMIT, "stop has a text of %zu bytes, the limit is %d", len,
                       ZS_STOP_MAX_BYTES);
    int r = zs_stop_init(&p->stops[p->n_stops], v->via.str.ptr, len);
    if (r < 0)
        return zc_diag(dg, r, "no memory for stop");
    p->n_stops++;
    return ZC_OK;
}

static int read_stops(struct zs_params *p, const msgpack_object *v, struct zc_diag *dg)
{
    int r = ZC_OK;

    if (!v || (v->type == MSGPACK_OBJECT_ARRAY && v->via.array.size == 0))
        return ZC_OK;
    uint32_t n = v->type == MSGPACK_OBJECT_ARRAY ? v->via.array.size : 1;
    if (n > ZS_STOP_MAX_TEXTS)
        return zc_diag(dg, ZC_ELIMIT, "stop has %u texts, the limit is %d", n, ZS_STOP_MAX_TEXTS);
    p->stops = zc_xcalloc(n, sizeof *p->stops);
    for (uint32_t i = 0; r == ZC_OK && i < n; i++)
        r = add_stop(p, v->type == MSGPACK_OBJECT_ARRAY ? &v->via.array.ptr[i] : v, dg);
    return r;
}

static int read_bias(struct zs_params *p, const msgpack_object *v, struct zc_diag *dg)
{
    struct ze_logit_bias *bias;
    void *mem;

    if (!v || v->via.map.size == 0)
        return ZC_OK;
    int r = zc_try_calloc(&mem, v->via.map.size, sizeof *bias, SIZE_MAX);
    if (r < 0)
        return zc_diag(dg, r, "no memory for logit_bias");
    bias = mem;
    for (uint32_t i = 0; i < v->via.map.size; i++) {
        int64_t id = 0;
        double value = 0;
        zc_wire_bias_id(&v->via.map.ptr[i].key, &id);
        zc_rpc_num(&v->via.map.ptr[i].val, &value);
        bias[i] = (struct ze_logit_bias){(int32_t)id, (float)value};
    }
    p->s.bias = bias;
    p->s.n_bias = v->via.map.size;
    return ZC_OK;
}

/* A drawn seed stays below 2^48, so that a client whose numbers are doubles can send it back. */
static int read_seed(struct zs_params *p, const msgpack_object *v, struct zc_diag *dg)
{
    uint64_t seed;

    if (v) {
        p->s.seed = (uint64_t)zc_wire_int(v, 0);
        return ZC_OK;
    }
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
        return zc_diag_sys(dg, "no random seed");
    p->s.seed = seed >> 16;
    return ZC_OK;
}

int zs_params_read(struct zs_params *p, const struct zc_wire_args *args, struct zc_diag *dg)
{
    const msgpack_object *const *v = args->v;

    *p = (struct zs_params){0};
    ze_sample_params_init(&p->s);
    take(p, v[ZC_P_GENERATE_temperature], ZS_GIVEN_TEMPERATURE, &p->s.temperature);
    take(p, v[ZC_P_GENERATE_top_p], ZS_GIVEN_TOP_P, &p->s.top_p);
    take(p, v[ZC_P_GENERATE_min_p], ZS_GIVEN_MIN_P, &p->s.min_p);
    take(p, v[ZC_P_GENERATE_typical_p], ZS_GIVEN_TYPICAL_P, &p->s.typical_p);
    take(p, v[ZC_P_GENERATE_repetition_penalty], ZS_GIVEN_REPETITION, &p->s.repetition_penalty);
    take(p, v[ZC_P_GENERATE_presence_penalty], 0, &p->s.presence_penalty);
    take(p, v[ZC_P_GENERATE_frequency_penalty], 0, &p->s.frequency_penalty);
    if (v[ZC_P_GENERATE_top_k]) {
        p->s.top_k = (int)zc_wire_int(v[ZC_P_GENERATE_top_k], 0);
        p->given |= ZS_GIVEN_TOP_K;
    }
    p->s.logprobs = (int)zc_wire_int(v[ZC_P_GENERATE_logprobs], -1);
    p->max_tokens = (size_t)zc_wire_int(v[ZC_P_GENERATE_max_tokens], 0);
    p->n = (int)zc_wire_int(v[ZC_P_GENERATE_n], 1);
    p->ignore_eos = zc_wire_is_true(v[ZC_P_GENERATE_ignore_eos], false);
    p->stream = zc_wire_is_true(v[ZC_P_GENERATE_stream], true);
    int r = read_bias(p, v[ZC_P_GENERATE_logit_bias], dg);
    if (r == ZC_OK)
        r = read_stops(p, v[ZC_P_GENERATE_stop], dg);
    return r < 0 ? r : read_seed(p, v[ZC_P_GENERATE_seed], dg);
}

void zs_params_release(struct zs_params *p)
{
    for (size_t i = 0; i < p->n_stops; i++)
        zs_stop_release(&p->stops[i]);
    zc_free(p->stops);
    zc_free((void *)(uintptr_t)p->s.bias);
    *p = (struct zs_params){0};
}

/* The model's value where it has one (negative: it has none) and the request has not. */
static void fill(const struct zs_params *p, enum zs_given bit, double model, float *dst)
{
    if (!(p->given & bit) && model >= 0)
        *dst = (float)model;
}

int zs_params_resolve(struct zs_params *p, const struct ze_config *config, struct zc_diag *dg)
{
    double temperature = config->gen.temperature;

    if (config->gen.do_sample == 0)
        temperature = 0;
    fill(p, ZS_GIVEN_TEMPERATURE, temperature >= 0 ? temperature : DEFAULT_TEMPERATURE,
         &p->s.temperature);
    fill(p, ZS_GIVEN_TOP_P, config->gen.top_p, &p->s.top_p);
    fill(p, ZS_GIVEN_MIN_P, config->gen.min_p, &p->s.min_p);
    fill(p, ZS_GIVEN_TYPICAL_P, config->gen.typical_p, &p->s.typical_p);
    fill(p, ZS_GIVEN_REPETITION, config->gen.repetition_penalty, &p->s.repetition_penalty);
    if (!(p->given & ZS_GIVEN_TOP_K) && config->gen.top_k >= 0)
        p->s.top_k = config->gen.top_k;
    for (size_t i = 0; i < p->s.n_bias; i++)
        if (p->s.bias[i].id >= config->V)
            return zc_diag(dg, ZC_EINVAL, "logit_bias: the vocabulary of %d has no token %d",
                           config->V, p->s.bias[i].id);
    return ze_sample_params_check(&p->s, config->V, dg);
}

/* The shortest decimal that is this float: 0.7, and not 0.699999988. */
static double tidy(float f)
{
    char text[32];

    snprintf(text, sizeof text, "%.7g", (double)f);
    return strtod(text, NULL);
}

/* What ends, bends and accompanies the reply. */
static void pack_extras(msgpack_packer *pk, const struct zs_params *p)
{
    char id[16];

    zc_rpc_kv_array(pk, "stop", p->n_stops);
    for (size_t i = 0; i < p->n_stops; i++)
        msgpack_pack_str_with_body(pk, p->stops[i].text, p->stops[i].len);
    zc_rpc_kv_map(pk, "logit_bias", p->s.n_bias);
    for (size_t i = 0; i < p->s.n_bias;
         i++) { /* as JSON wants keys, and as a request may have them */
        snprintf(id, sizeof id, "%d", p->s.bias[i].id);
        zc_rpc_put_str(pk, id);
        msgpack_pack_double(pk, tidy(p->s.bias[i].bias));
    }
    zc_rpc_put_str(pk, "logprobs");
    if (p->s.logprobs < 0)
        msgpack_pack_nil(pk);
    else
        msgpack_pack_int(pk, p->s.logprobs);
}

void zs_params_pack(msgpack_packer *pk, const struct zs_params *p, size_t max_tokens)
{
    msgpack_pack_map(pk, 15);
    zc_rpc_kv_num(pk, "temperature", tidy(p->s.temperature));
    zc_rpc_kv_int(pk, "top_k", p->s.top_k);
    zc_rpc_kv_num(pk, "top_p", tidy(p->s.top_p));
    zc_rpc_kv_num(pk, "min_p", tidy(p->s.min_p));
    zc_rpc_kv_num(pk, "typical_p", tidy(p->s.typical_p));
    zc_rpc_kv_num(pk, "repetition_penalty", tidy(p->s.repetition_penalty));
    zc_rpc_kv_num(pk, "presence_penalty", tidy(p->s.presence_penalty));
    zc_rpc_kv_num(pk, "frequency_penalty", tidy(p->s.frequency_penalty));
    zc_rpc_kv_int(pk, "seed", (int64_t)p->s.seed);
    zc_rpc_kv_int(pk, "max_tokens", (int64_t)max_tokens);
    zc_rpc_kv_bool(pk, "ignore_eos", p->ignore_eos);
    zc_rpc_kv_int(pk, "n", p->n);
    pack_extras(pk, p);
}
