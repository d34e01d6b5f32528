/* SPDX-License-Identifier: MIT */
/* zc_wire.def read as tables, and requests checked against them. */
#include "common/zc_wire.h"

#include <stdlib.h>
#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "common/zc_rpc.h"
#include "common/zc_utf8.h"

#define ALWAYS ZC_WHEN_ALWAYS
#define READY  ZC_WHEN_READY
#define ANY    ZC_WHO_ANY
#define OWNER  ZC_WHO_OWNER
#define REQ    true
#define OPT    false

#define ZC_METHOD(NAME, name, when, who, text) {#name, when, who, text},
#define ZC_PARAM(NAME, key, type, need, lo, hi, text)
#define ZC_RESULT(NAME, key, type, text)
#define ZC_EVENT(name, text)
#define ZC_FIELD(event, key, type, text)
const struct zc_wire_method zc_wire_methods[ZC_N_METHODS] = {
#include "common/zc_wire.def"
};
#undef ZC_METHOD

#define ZC_METHOD(NAME, name, when, who, text)
#undef ZC_PARAM
#define ZC_PARAM(NAME, key, type, need, lo, hi, text)                \
    {ZC_M_##NAME,  #key,          ZC_T_##type,   need, (double)(lo), \
     (double)(hi), (int64_t)(lo), (int64_t)(hi), text},
const struct zc_wire_param zc_wire_params[ZC_N_PARAMS] = {
#include "common/zc_wire.def"
};
#undef ZC_PARAM

#define ZC_PARAM(NAME, key, type, need, lo, hi, text)
#undef ZC_RESULT
#define ZC_RESULT(NAME, key, type, text) {ZC_M_##NAME, #key, ZC_T_##type, text},
const struct zc_wire_result zc_wire_results[] = {
#include "common/zc_wire.def"
};
const size_t zc_wire_n_results = sizeof zc_wire_results / sizeof *zc_wire_results;
#undef ZC_RESULT

#define ZC_RESULT(NAME, key, type, text)
#undef ZC_EVENT
#undef ZC_FIELD
#define ZC_EVENT(name, text)             {#name, NULL, ZC_T_MAP, text},
#define ZC_FIELD(event, key, type, text) {#event, #key, ZC_T_##type, text},
const struct zc_wire_field zc_wire_fields[] = {
#include "common/zc_wire.def"
};
const size_t zc_wire_n_fields = sizeof zc_wire_fields / sizeof *zc_wire_fields;

const char *zc_wire_type_name(enum zc_wire_type type)
{
    static const char *const names[ZC_T_N] = {
        [ZC_T_STR] = "string",
        [ZC_T_INT] = "integer",
        [ZC_T_NUM] = "number",
        [ZC_T_BOOL] = "boolean",
        [ZC_T_STRS] = "string or array of strings",
        [ZC_T_MSGS] = "array of message maps",
        [ZC_T_PROMPT] = "string or array of token ids",
        [ZC_T_IDS] = "array of token ids",
        [ZC_T_MAP] = "map",
        [ZC_T_MAPS] = "array of maps",
        [ZC_T_BIAS] = "map of token id to number",
    };
    return names[type];
}

int zc_wire_find(const char *name, size_t len, enum zc_method *ret)
{
    for (int i = 0; i < ZC_N_METHODS; i++) {
        const char *s = zc_wire_methods[i].name;
        if (strlen(s) == len && memcmp(s, name, len) == 0) {
            *ret = (enum zc_method)i;
            return ZC_OK;
        }
    }
    return ZC_ENOTFOUND;
}

/* ---- checking ----------------------------------------------------------------------------- */

static int wrong_type(const struct zc_wire_param *p, struct zc_diag *dg)
{
    const char *name = zc_wire_type_name(p->type);
    return zc_diag(dg, ZC_EINVAL, "%s must be %s %s", p->key, strchr("aeiou", name[0]) ? "an" : "a",
                   name);
}

/* A length against the row's bounds; what: "bytes" or "elements". */
static int check_length(const struct zc_wire_param *p, size_t n, const char *what,
                        struct zc_diag *dg)
{
    if (p->ihi && (int64_t)n > p->ihi)
        return zc_diag(dg, ZC_ELIMIT, "%s has %zu %s, the limit is %lld", p->key, n, what,
                       (long long)p->ihi);
    if ((int64_t)n < p->ilo)
        return p->ilo == 1 ? zc_diag(dg, ZC_EINVAL, "%s must not be empty", p->key)
                           : zc_diag(dg, ZC_EINVAL, "%s must have at least %lld %s", p->key,
                                     (long long)p->ilo, what);
    return ZC_OK;
}

static int check_int(const struct zc_wire_param *p, const msgpack_object *o, struct zc_diag *dg)
{
    int64_t v;

    if (o->type != MSGPACK_OBJECT_POSITIVE_INTEGER && o->type != MSGPACK_OBJECT_NEGATIVE_INTEGER)
        return wrong_type(p, dg);
    if (zc_rpc_int(o, &v) < 0 || v < p->ilo || v > p->ihi)
        return zc_diag(dg, ZC_EINVAL, "%s must be from %lld to %lld", p->key, (long long)p->ilo,
                       (long long)p->ihi);
    return ZC_OK;
}

static int check_num(const struct zc_wire_param *p, const msgpack_object *o, struct zc_diag *dg)
{
    double v;

    if (o->type == MSGPACK_OBJECT_FLOAT32 || o->type == MSGPACK_OBJECT_FLOAT64 ||
        o->type == MSGPACK_OBJECT_POSITIVE_INTEGER || o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER) {
        if (zc_rpc_num(o, &v) < 0 || v < p->lo || v > p->hi)
            return zc_diag(dg, ZC_EINVAL, "%s must be from %g to %g", p->key, p->lo, p->hi);
        return ZC_OK;
    }
    return wrong_type(p, dg);
}

/* An id is non-negative and fits int32; whether the model has it, the tokenizer knows. */
static int check_ids(const struct zc_wire_param *p, const msgpack_object *o, struct zc_diag *dg)
{
    if (o->type != MSGPACK_OBJECT_ARRAY)
        return wrong_type(p, dg);
    for (uint32_t i = 0; i < o->via.array.size; i++) {
        const msgpack_object *e = &o->via.array.ptr[i];
        if (e->type != MSGPACK_OBJECT_POSITIVE_INTEGER || e->via.u64 > INT32_MAX)
            return zc_diag(dg, ZC_EINVAL, "%s[%u] is not a token id", p->key, i);
    }
    return check_length(p, o->via.array.size, "elements", dg);
}

static bool is_text(const msgpack_object *o)
{
    return zc_utf8_is_valid(o->via.str.ptr, o->via.str.size);
}

static int check_str(const struct zc_wire_param *p, const msgpack_object *o, struct zc_diag *dg)
{
    if (o->type != MSGPACK_OBJECT_STR)
        return wrong_type(p, dg);
    return is_text(o) ? ZC_OK : zc_diag(dg, ZC_EINVAL, "%s is not UTF-8", p->key);
}

static int check_strs(const struct zc_wire_param *p, const msgpack_object *o, struct zc_diag *dg)
{
    if (o->type == MSGPACK_OBJECT_STR)
        return check_str(p, o, dg);
    if (o->type != MSGPACK_OBJECT_ARRAY)
        return wrong_type(p, dg);
    for (uint32_t i = 0; i < o->via.array.size; i++) {
        const msgpack_object *e = &o->via.array.ptr[i];
        if (e->type != MSGPACK_OBJECT_STR)
            return zc_diag(dg, ZC_EINVAL, "%s[%u] is not a string", p->key, i);
        if (!is_text(e))
            return zc_diag(dg, ZC_EINVAL, "%s[%u] is not UTF-8", p->key, i);
    }
    return check_length(p, o->via.array.size, "elements", dg);
}

static int check_maps(const struct zc_wire_param *p, const msgpack_object *o, struct zc_diag *dg)
{
    if (o->type != MSGPACK_OBJECT_ARRAY)
        return wrong_type(p, dg);
    for (uint32_t i = 0; i < o->via.array.size; i++) {
        const msgpack_object *e = &o->via.array.ptr[i];
        if (e->type != MSGPACK_OBJECT_MAP)
            return zc_diag(dg, ZC_EINVAL, "%s[%u] is not a map", p->key, i);
        const msgpack_object *role = zc_rpc_get(e, "role");
        if (p->type == ZC_T_MSGS && (!role || role->type != MSGPACK_OBJECT_STR))
            return zc_diag(dg, ZC_EINVAL, "%s[%u] has no role that is a string", p->key, i);
    }
    return check_length(p, o->via.array.size, "elements", dg);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* The checked keys of a BIAS map: 7 and "7" are the same token. */
static int check_bias_once(const struct zc_wire_param *p, const msgpack_object_map *map,
                           struct zc_diag *dg)
{
    int64_t twice = -1;

    if (map->size < 2)
        return ZC_OK;
    int64_t *ids = zc_xcalloc(map->size, sizeof *ids);
    for (uint32_t i = 0; i < map->size; i++)
        zc_wire_bias_id(&map->ptr[i].key, &ids[i]);
    qsort(ids, map->size, sizeof *ids, by_value);
    for (uint32_t i = 1; i < map->size; i++)
        if (ids[i] == ids[i - 1])
            twice = ids[i];
    zc_free(ids);
    if (twice < 0)
        return ZC_OK;
    return zc_diag(dg, ZC_EINVAL, "%s has token %lld twice", p->key, (long long)twice);
}

/* Keys as integers, or as their decimal strings, because JSON knows no others. */
static int check_bias(const struct zc_wire_param *p, const msgpack_object *o, struct zc_diag *dg)
{
    double v;
    int64_t id;
    int r;

    if (o->type != MSGPACK_OBJECT_MAP)
        return wrong_type(p, dg);
    for (uint32_t i = 0; i < o->via.map.size; i++) {
        const msgpack_object_kv *kv = &o->via.map.ptr[i];
        if (zc_wire_bias_id(&kv->key, &id) < 0)
            return zc_diag(dg, ZC_EINVAL, "%s has a key that is not a token id", p->key);
        if (zc_rpc_num(&kv->val, &v) < 0)
            return zc_diag(dg, ZC_EINVAL, "%s of token %lld is not a number", p->key,
                           (long long)id);
    }
    r = check_length(p, o->via.map.size, "entries", dg);
    return r < 0 ? r : check_bias_once(p, &o->via.map, dg);
}

static int check_value(const struct zc_wire_param *p, const msgpack_object *o, struct zc_diag *dg)
{
    int r;

    switch (p->type) {
    case ZC_T_STR:
        r = check_str(p, o, dg);
        return r < 0 ? r : check_length(p, o->via.str.size, "bytes", dg);
    case ZC_T_INT:
        return check_int(p, o, dg);
    case ZC_T_NUM:
        return check_num(p, o, dg);
    case ZC_T_BOOL:
        return o->type == MSGPACK_OBJECT_BOOLEAN ? ZC_OK : wrong_type(p, dg);
    case ZC_T_STRS:
        return check_strs(p, o, dg);
    case ZC_T_MSGS:
    case ZC_T_MAPS:
        return check_maps(p, o, dg);
    case ZC_T_PROMPT:
        return o->type == MSGPACK_OBJECT_STR ? check_str(p, o, dg) : check_ids(p, o, dg);
    case ZC_T_IDS:
        return check_ids(p, o, dg);
    case ZC_T_MAP:
        return o->type == MSGPACK_OBJECT_MAP ? check_length(p, o->via.map.size, "entries", dg)
                                             : wrong_type(p, dg);
    case ZC_T_BIAS:
        return check_bias(p, o, dg);
    case ZC_T_N:
        break;
    }
    return zc_diag(dg, ZC_EINTERNAL, "%s has no type in the table", p->key);
}

/* The row of a key among the method's; -1 if there is none. */
static int find_param(enum zc_method method, const msgpack_object *key)
{
    for (int i = 0; i < ZC_N_PARAMS; i++)
        if (zc_wire_params[i].method == method && zc_rpc_is_str(key, zc_wire_params[i].key))
            return i;
    return -1;
}

static int check_entry(struct zc_wire_args *ret, enum zc_method method, const msgpack_object_kv *kv,
                       struct zc_diag *dg)
{
    if (kv->key.type != MSGPACK_OBJECT_STR)
        return zc_diag(dg, ZC_EINVAL, "a parameter's key is not a string");
    int i = find_param(method, &kv->key);
    if (i < 0) {
        const msgpack_object_str *s = &kv->key.via.str;
        return zc_diag(dg, ZC_EINVAL, "%s has no parameter '%.*s'", zc_wire_methods[method].name,
                       s->size < 64 ? (int)s->size : 64, s->ptr);
    }
    if (ret->v[i])
        return zc_diag(dg, ZC_EINVAL, "%s is there twice", zc_wire_params[i].key);
    if (kv->val.type == MSGPACK_OBJECT_NIL)
        return ZC_OK;
    ret->v[i] = &kv->val;
    return check_value(&zc_wire_params[i], &kv->val, dg);
}

int zc_wire_check(struct zc_wire_args *ret, enum zc_method method, const msgpack_object *params,
                  struct zc_diag *dg)
{
    *ret = (struct zc_wire_args){0};
    for (uint32_t i = 0; params && i < params->via.map.size; i++) {
        int r = check_entry(ret, method, &params->via.map.ptr[i], dg);
        if (r < 0)
            return r;
    }
    for (int i = 0; i < ZC_N_PARAMS; i++)
        if (zc_wire_params[i].method == method && zc_wire_params[i].required && !ret->v[i])
            return zc_diag(dg, ZC_EINVAL, "%s needs %s", zc_wire_methods[method].name,
                           zc_wire_params[i].key);
    return ZC_OK;
}

int64_t zc_wire_int(const msgpack_object *v, int64_t otherwise)
{
    int64_t i;
    return v && zc_rpc_int(v, &i) == ZC_OK ? i : otherwise;
}

double zc_wire_num(const msgpack_object *v, double otherwise)
{
    double d;
    return v && zc_rpc_num(v, &d) == ZC_OK ? d : otherwise;
}

bool zc_wire_is_true(const msgpack_object *v, bool otherwise)
{
    return v ? v->type == MSGPACK_OBJECT_BOOLEAN && v->via.boolean : otherwise;
}

int zc_wire_bias_id(const msgpack_object *key, int64_t *ret)
{
    int64_t id = 0;

    if (key->type == MSGPACK_OBJECT_POSITIVE_INTEGER && key->via.u64 <= INT32_MAX) {
        *ret = (int64_t)key->via.u64;
        return ZC_OK;
    }
    if (key->type != MSGPACK_OBJECT_STR || key->via.str.size < 1 || key->via.str.size > 10)
        return ZC_EINVAL;
    for (uint32_t i = 0; i < key->via.str.size; i++) {
        char c = key->via.str.ptr[i];
        if (c < '0' || c > '9')
            return ZC_EINVAL;
        id = id * 10 + (c - '0');
    }
    if (id > INT32_MAX)
        return ZC_EINVAL;
    *ret = id;
    return ZC_OK;
}
