/* SPDX-License-Identifier: MIT */
/* Conversion between the two value trees. The place of a fault is told as a path that is put
 * together on the way back up, so that a good value costs nothing for it. */
#include "common/zc_json.h"

#include "common/zc_err.h"
#include "common/zc_scan.h"

static int pack_value(msgpack_packer *pk, const json_t *v, unsigned depth, struct zc_diag *dg)
{
    const char *key;
    json_t *item;
    size_t i;
    int r;

    if (depth > ZC_SCAN_MAX_DEPTH)
        return zc_diag(dg, ZC_EFORMAT, "a value nested deeper than %d", ZC_SCAN_MAX_DEPTH);
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        msgpack_pack_map(pk, json_object_size(v));
        json_object_foreach ((json_t *)(uintptr_t)v, key, item) {
            msgpack_pack_str_with_body(pk, key, strlen(key));
            r = pack_value(pk, item, depth + 1, dg);
            if (r < 0)
                return r;
        }
        break;
    case JSON_ARRAY:
        msgpack_pack_array(pk, json_array_size(v));
        json_array_foreach (v, i, item) {
            r = pack_value(pk, item, depth + 1, dg);
            if (r < 0)
                return r;
        }
        break;
    case JSON_STRING:
        msgpack_pack_str_with_body(pk, json_string_value(v), json_string_length(v));
        break;
    case JSON_INTEGER:
        msgpack_pack_int64(pk, json_integer_value(v));
        break;
    case JSON_REAL:
        msgpack_pack_double(pk, json_real_value(v));
        break;
    case JSON_TRUE:
        msgpack_pack_true(pk);
        break;
    case JSON_FALSE:
        msgpack_pack_false(pk);
        break;
    case JSON_NULL:
        msgpack_pack_nil(pk);
        break;
    }
    return ZC_OK;
}

int zc_json_pack(msgpack_packer *pk, const json_t *v, struct zc_diag *dg)
{
    return pack_value(pk, v, 1, dg);
}

static int unpack_value(json_t **ret_v, const msgpack_object *o, unsigned depth,
                        struct zc_diag *dg);

/* Puts one step of the path before what the diagnostic says already: ".key" or "[3]". */
static int at_index(struct zc_diag *dg, int err, size_t i)
{
    struct zc_diag old = dg ? *dg : (struct zc_diag){.text = ""};
    return zc_diag(dg, err, "[%zu]%s", i, old.text);
}

static int at_key(struct zc_diag *dg, int err, const msgpack_object_str *key)
{
    struct zc_diag old = dg ? *dg : (struct zc_diag){.text = ""};
    int n = key->size < 64 ? (int)key->size : 64;
    return zc_diag(dg, err, ".%.*s%s", n, key->ptr, old.text);
}

static int unpack_array(json_t **ret_v, const msgpack_object *o, unsigned depth, struct zc_diag *dg)
{
    json_t *a = json_array();
    json_t *item;
    int r = a ? ZC_OK : ZC_ENOMEM;

    for (uint32_t i = 0; r == ZC_OK && i < o->via.array.size; i++) {
        r = unpack_value(&item, &o->via.array.ptr[i], depth + 1, dg);
        if (r < 0)
            at_index(dg, r, i);
        else if (json_array_append_new(a, item) < 0)
            r = zc_diag(dg, ZC_ENOMEM, ": no memory");
    }
    if (r < 0)
        json_decref(a);
    else
        *ret_v = a;
    return r;
}

/* One entry of a map. A key that is not UTF-8 fails in jansson's own check. */
static int unpack_entry(json_t *map, const msgpack_object_kv *kv, unsigned depth,
                        struct zc_diag *dg)
{
    json_t *item;

    if (kv->key.type != MSGPACK_OBJECT_STR)
        return zc_diag(dg, ZC_EFORMAT, ": a key that is not a string");
    const msgpack_object_str *key = &kv->key.via.str;
    if (json_object_getn(map, key->ptr, key->size))
        return at_key(dg, zc_diag(dg, ZC_EFORMAT, ": is there twice"), key);
    int r = unpack_value(&item, &kv->val, depth + 1, dg);
    if (r < 0)
        return at_key(dg, r, key);
    if (json_object_setn_new(map, key->ptr, key->size, item) < 0)
        return zc_diag(dg, ZC_EFORMAT, ": a key that is not UTF-8");
    return ZC_OK;
}

static int unpack_map(json_t **ret_v, const msgpack_object *o, unsigned depth, struct zc_diag *dg)
{
    json_t *m = json_object();
    int r = m ? ZC_OK : ZC_ENOMEM;

    for (uint32_t i = 0; r == ZC_OK && i < o->via.map.size; i++)
        r = unpack_entry(m, &o->via.map.ptr[i], depth, dg);
    if (r < 0)
        json_decref(m);
    else
        *ret_v = m;
    return r;
}

static int unpack_scalar(json_t **ret_v, const msgpack_object *o, struct zc_diag *dg)
{
    json_t *v = NULL;

    switch (o->type) {
    case MSGPACK_OBJECT_NIL:
        v = json_null();
        break;
    case MSGPACK_OBJECT_BOOLEAN:
        v = json_boolean(o->via.boolean);
        break;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        if (o->via.u64 > INT64_MAX)
            return zc_diag(dg, ZC_EFORMAT, ": an integer of more than 63 bits");
        v = json_integer((json_int_t)o->via.u64);
        break;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        v = json_integer(o->via.i64);
        break;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        v = json_real(o->via.f64);
        if (!v)
            return zc_diag(dg, ZC_EFORMAT, ": a number that is not finite");
        break;
    case MSGPACK_OBJECT_STR:
        v = json_stringn(o->via.str.ptr, o->via.str.size);
        if (!v)
            return zc_diag(dg, ZC_EFORMAT, ": a string that is not UTF-8");
        break;
    default:
        return zc_diag(dg, ZC_EFORMAT, ": binary and extension values have no meaning here");
    }
    *ret_v = v;
    return v ? ZC_OK : ZC_ENOMEM;
}

static int unpack_value(json_t **ret_v, const msgpack_object *o, unsigned depth, struct zc_diag *dg)
{
    if (depth > ZC_SCAN_MAX_DEPTH)
        return zc_diag(dg, ZC_EFORMAT, ": nested deeper than %d", ZC_SCAN_MAX_DEPTH);
    if (o->type == MSGPACK_OBJECT_ARRAY)
        return unpack_array(ret_v, o, depth, dg);
    if (o->type == MSGPACK_OBJECT_MAP)
        return unpack_map(ret_v, o, depth, dg);
    return unpack_scalar(ret_v, o, dg);
}

int zc_json_unpack(json_t **ret_v, const msgpack_object *o, const char *what, struct zc_diag *dg)
{
    int r = unpack_value(ret_v, o, 1, dg);
    if (r < 0) {
        struct zc_diag old = dg ? *dg : (struct zc_diag){.text = ""};
        zc_diag(dg, r, "%s%s", what, old.text);
    }
    return r;
}
