/* SPDX-License-Identifier: MIT */
/* The rotation of positions: what config.json says about it, and the frequencies that follow, by
 * the published formulas of linear, llama3 and yarn scaling. Any thread. */
#include <math.h>
#include <string.h>

#include "common/zc_err.h"
#include "zoracd/engine/ze_internal.h"

#define MAX_THETA  1e15
#define MAX_FACTOR 1e6

/* The object that holds the scaling, NULL for none: rope_parameters (which also holds theta), else
 * rope_scaling. */
static int find_scaling(struct ze_json *j, struct ze_json *ret_s, bool *ret_found)
{
    const json_t *v = ze_json_get(j, "rope_parameters");
    const char *key = "rope_parameters";

    if (!v) {
        v = ze_json_get(j, "rope_scaling");
        key = "rope_scaling";
    }
    *ret_s = (struct ze_json){.o = v, .file = j->file, .dg = j->dg};
    *ret_found = v != NULL;
    if (v && !json_is_object(v))
        return zc_diag(j->dg, ZC_EFORMAT, "%s: %s is not an object", j->file, key);
    if (v && (json_is_object(json_object_get(v, "full_attention")) ||
              json_is_object(json_object_get(v, "sliding_attention"))))
        return zc_diag(j->dg, ZC_EUNSUPPORTED, "%s: %s by kind of layer is not supported", j->file,
                       key);
    if (v && json_object_get(v, "mrope_section"))
        return zc_diag(j->dg, ZC_EUNSUPPORTED, "%s: %s with mrope_section is not supported",
                       j->file, key);
    return ZC_OK;
}

static int read_type(struct ze_config *c, struct ze_json *s)
{
    static const char *const names[] = {
        [ZE_ROPE_DEFAULT] = "default",
        [ZE_ROPE_LINEAR] = "linear",
        [ZE_ROPE_LLAMA3] = "llama3",
        [ZE_ROPE_YARN] = "yarn",
    };
    const char *type = ze_json_string(s, "rope_type", NULL);
    if (!type)
        type = ze_json_string(s, "type", "default");
    if (s->err < 0)
        return s->err;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(type, names[i]) == 0) {
            c->rope.type = (enum ze_rope_type)i;
            return ZC_OK;
        }
    }
    return zc_diag(s->dg, ZC_EUNSUPPORTED,
                   "%s: rope type %.60s is not supported (default, linear, llama3 and yarn are)",
                   s->file, type);
}

static void read_llama3(struct ze_config *c, struct ze_json *s)
{
    c->rope.low_freq_factor = ze_json_real(s, "low_freq_factor", 1e-6, MAX_FACTOR, NAN);
    c->rope.high_freq_factor = ze_json_real(s, "high_freq_factor", 1e-6, MAX_FACTOR, NAN);
    c->rope.original_context =
        (int)ze_json_int(s, "original_max_position_embeddings", 1, 1 << 24, ZE_REQUIRED);
    if (s->err == ZC_OK && c->rope.high_freq_factor <= c->rope.low_freq_factor)
        s->err =
            zc_diag(s->dg, ZC_EFORMAT, "%s: high_freq_factor %g is not above low_freq_factor %g",
                    s->file, c->rope.high_freq_factor, c->rope.low_freq_factor);
}

static void read_yarn(struct ze_config *c, struct ze_json *s)
{
    c->rope.beta_fast = ze_json_real(s, "beta_fast", 1e-6, MAX_FACTOR, 32);
    c->rope.beta_slow = ze_json_real(s, "beta_slow", 1e-6, MAX_FACTOR, 1);
    c->rope.attention_factor = ze_json_real(s, "attention_factor", 0, MAX_FACTOR, -1);
    c->rope.mscale = ze_json_real(s, "mscale", 0, MAX_FACTOR, -1);
    c->rope.mscale_all_dim = ze_json_real(s, "mscale_all_dim", 0, MAX_FACTOR, -1);
    c->rope.truncate = ze_json_is_true(s, "truncate", true);
    c->rope.original_context =
        (int)ze_json_int(s, "original_max_position_embeddings", 1, 1 << 24, c->context);
    if (s->err == ZC_OK && ze_json_get(s, "llama_4_scaling_beta"))
        s->err =
            zc_diag(s->dg, ZC_EUNSUPPORTED, "%s: llama_4_scaling_beta is not supported", s->file);
    if (s->err == ZC_OK && c->rope.theta <= 1)
        s->err = zc_diag(s->dg, ZC_EFORMAT, "%s: yarn wants a rope_theta above 1", s->file);
}

/* rope_theta and partial_rotary_factor stand at the top (old) or inside rope_parameters (new). */
static int read_base(struct ze_config *c, struct ze_json *j, struct ze_json *s)
{
    struct ze_json *at = s->o && ze_json_get(s, "rope_theta") ? s : j;
    double fallback = j->outer && c->family == ZE_MISTRAL ? 1e9 : 1e4;
    c->rope.theta = ze_json_real(at, "rope_theta", 1e-3, MAX_THETA, fallback);
    if (at->err < 0)
        return at->err;

    at = s->o && ze_json_get(s, "partial_rotary_factor") ? s : j;
    double part = ze_json_real(at, "partial_rotary_factor", 1e-6, 1, 1);
    if (at->err < 0)
        return at->err;
    c->rope.rot_dim = (int)((double)c->D * part);
    if (c->rope.rot_dim < 2 || c->rope.rot_dim % 2 != 0)
        return zc_diag(j->dg, ZC_EUNSUPPORTED,
                       "%s: partial_rotary_factor %g rotates %d of %d dimensions: not a positive "
                       "even number",
                       j->file, part, c->rope.rot_dim, c->D);
    return ZC_OK;
}

int ze_rope_read(struct ze_config *c, struct ze_json *j)
{
    struct ze_json s;
    bool found;
    int r;

    c->rope.factor = 1;
    c->rope.attention_factor = c->rope.mscale = c->rope.mscale_all_dim = -1;
    if ((r = find_scaling(j, &s, &found)) < 0 || (r = read_base(c, j, &s)) < 0)
        return r;
    if (!found)
        return ZC_OK;
    if ((r = read_type(c, &s)) < 0)
        return r;
    if (c->rope.type != ZE_ROPE_DEFAULT)
        c->rope.factor = ze_json_real(&s, "factor", 1e-3, MAX_FACTOR, NAN);
    if (c->rope.type == ZE_ROPE_LLAMA3)
        read_llama3(c, &s);
    else if (c->rope.type == ZE_ROPE_YARN)
        read_yarn(c, &s);
    return s.err;
}

/* Wavelengths over original/low are divided by factor, those under original/high are left, those
 * between are interpolated. */
static double llama3_frequency(const struct ze_config *c, double inv)
{
    double original = c->rope.original_context;
    double wavelength = 2 * M_PI / inv;

    if (wavelength < original / c->rope.high_freq_factor)
        return inv;
    if (wavelength > original / c->rope.low_freq_factor)
        return inv / c->rope.factor;
    double t = (original / wavelength - c->rope.low_freq_factor) /
               (c->rope.high_freq_factor - c->rope.low_freq_factor);
    return (1 - t) * inv / c->rope.factor + t * inv;
}

/* The dimension whose wavelength fits the original context beta times. */
static double yarn_dimension(const struct ze_config *c, double beta)
{
    return c->rope.rot_dim * log(c->rope.original_context / (2 * M_PI * beta)) /
           (2 * log(c->rope.theta));
}

static void yarn_frequencies(const struct ze_config *c, double *inv)
{
    double low = yarn_dimension(c, c->rope.beta_fast);
    double high = yarn_dimension(c, c->rope.beta_slow);
    if (c->rope.truncate) {
        low = floor(low);
        high = ceil(high);
    }
    low = fmax(low, 0);
    high = fmin(high, c->rope.rot_dim - 1);
    if (low == high)
        high += 0.001;
    for (int i = 0; i < c->rope.rot_dim / 2; i++) {
        double ramp = fmin(fmax((i - low) / (high - low), 0), 1);
        inv[i] = inv[i] / c->rope.factor * ramp + inv[i] * (1 - ramp);
    }
}

static double yarn_magnitude(double factor, double k)
{
    return factor <= 1 ? 1 : 0.1 * k * log(factor) + 1;
}

static float yarn_scale(const struct ze_config *c)
{
    if (c->rope.attention_factor >= 0)
        return (float)c->rope.attention_factor;
    if (c->rope.mscale > 0 && c->rope.mscale_all_dim > 0)
        return (float)(yarn_magnitude(c->rope.factor, c->rope.mscale) /
                       yarn_magnitude(c->rope.factor, c->rope.mscale_all_dim));
    return (float)yarn_magnitude(c->rope.factor, 1);
}

float ze_rope_frequencies(const struct ze_config *c, double *inv_freq)
{
    for (int i = 0; i < c->rope.rot_dim / 2; i++) {
        double inv = pow(c->rope.theta, -2.0 * i / c->rope.rot_dim);
        if (c->rope.type == ZE_ROPE_LINEAR)
            inv /= c->rope.factor;
        else if (c->rope.type == ZE_ROPE_LLAMA3)
            inv = llama3_frequency(c, inv);
        inv_freq[i] = inv;
    }
    if (c->rope.type != ZE_ROPE_YARN)
        return 1;
    yarn_frequencies(c, inv_freq);
    return yarn_scale(c);
}
