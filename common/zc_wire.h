/* SPDX-License-Identifier: MIT */
/* The table common/zc_wire.def as data, and the checking of a request against it: a key that is not
 * in the table, a missing one, a wrong type or range is an error that names the key. Pure; any
 * thread. */
#ifndef COMMON_ZC_WIRE_H
#define COMMON_ZC_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <msgpack.h>

struct zc_diag;

enum zc_wire_type {
    ZC_T_STR,
    ZC_T_INT,
    ZC_T_NUM,
    ZC_T_BOOL,
    ZC_T_STRS,
    ZC_T_MSGS,
    ZC_T_PROMPT,
    ZC_T_IDS,
    ZC_T_MAP,
    ZC_T_MAPS,
    ZC_T_BIAS,
    ZC_T_N
};
enum zc_wire_when { ZC_WHEN_ALWAYS, ZC_WHEN_READY };
enum zc_wire_who { ZC_WHO_ANY, ZC_WHO_OWNER };

/* ZC_M_HELLO ... ; one for each method. */
enum zc_method {
#define ZC_METHOD(NAME, name, when, who, text) ZC_M_##NAME,
#define ZC_PARAM(NAME, key, type, need, lo, hi, text)
#define ZC_RESULT(NAME, key, type, text)
#define ZC_EVENT(name, text)
#define ZC_FIELD(event, key, type, text)
#include "common/zc_wire.def"
#undef ZC_METHOD
    ZC_N_METHODS
};

/* ZC_P_GENERATE_temperature ... ; one for each parameter of each method. */
enum zc_param {
#define ZC_METHOD(NAME, name, when, who, text)
#undef ZC_PARAM
#define ZC_PARAM(NAME, key, type, need, lo, hi, text) ZC_P_##NAME##_##key,
#include "common/zc_wire.def"
#undef ZC_METHOD
#undef ZC_PARAM
#undef ZC_RESULT
#undef ZC_EVENT
#undef ZC_FIELD
    ZC_N_PARAMS
};

struct zc_wire_method {
    const char *name;
    enum zc_wire_when when;
    enum zc_wire_who who;
    const char *text;
};

struct zc_wire_param {
    enum zc_method method;
    const char *key;
    enum zc_wire_type type;
    bool required;
    double lo, hi;    /* of a number */
    int64_t ilo, ihi; /* the same for integers; bounds of a length; ihi 0: no bound */
    const char *text;
};

struct zc_wire_result {
    enum zc_method method;
    const char *key;
    enum zc_wire_type type;
    const char *text;
};

struct zc_wire_field {
    const char *event;
    const char *key; /* NULL: this row is the event itself */
    enum zc_wire_type type;
    const char *text;
};

extern const struct zc_wire_method zc_wire_methods[ZC_N_METHODS];
extern const struct zc_wire_param zc_wire_params[ZC_N_PARAMS];
extern const struct zc_wire_result zc_wire_results[];
extern const size_t zc_wire_n_results;
extern const struct zc_wire_field zc_wire_fields[];
extern const size_t zc_wire_n_fields;

/* "string", "integer" ... as the documentation says it. */
const char *zc_wire_type_name(enum zc_wire_type type);

/* The method of that name; ZC_ENOTFOUND. */
int zc_wire_find(const char *name, size_t len, enum zc_method *ret);

/* The checked parameters of one request, by their place in the table: v[ZC_P_GENERATE_seed]. NULL
 * where the request has none (or nil). Borrows from the message. */
struct zc_wire_args {
    const msgpack_object *v[ZC_N_PARAMS];
};

/* Checks params (a map, or NULL for none) for a method. ZC_EINVAL, dg names the key. */
int zc_wire_check(struct zc_wire_args *ret, enum zc_method method, const msgpack_object *params,
                  struct zc_diag *dg);

/* Values of checked parameters. */
int64_t zc_wire_int(const msgpack_object *v, int64_t otherwise);
double zc_wire_num(const msgpack_object *v, double otherwise);
bool zc_wire_is_true(const msgpack_object *v, bool otherwise);
/* The token id that a key of a BIAS map names; ZC_EINVAL if it is none. */
int zc_wire_bias_id(const msgpack_object *key, int64_t *ret);

#endif
