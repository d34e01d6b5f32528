/* SPDX-License-Identifier: MIT */
/* MessagePack-RPC on and off bytes. Knows the shape of the three messages, not what methods mean.
 */
#include "common/zc_rpc.h"

#include <math.h>
#include <string.h>

#include "common/zc_err.h"

/* ---- reading ------------------------------------------------------------------------------ */

static int read_method(struct zc_rpc *m, const msgpack_object *method, const msgpack_object *params,
                       struct zc_diag *dg)
{
    if (method->type != MSGPACK_OBJECT_STR)
        return zc_diag(dg, ZC_EFORMAT, "the method is not a string");
    m->method = method->via.str.ptr;
    m->method_len = method->via.str.size;
    if (params->type != MSGPACK_OBJECT_ARRAY || params->via.array.size > 1)
        return zc_diag(dg, ZC_EFORMAT, "the parameters are not one map in an array");
    if (params->via.array.size == 0)
        return ZC_OK;
    m->params = &params->via.array.ptr[0];
    if (m->params->type != MSGPACK_OBJECT_MAP)
        return zc_diag(dg, ZC_EFORMAT, "the parameters are not a map");
    return ZC_OK;
}

static int read_id(struct zc_rpc *m, const msgpack_object *o, struct zc_diag *dg)
{
    if (o->type != MSGPACK_OBJECT_POSITIVE_INTEGER || o->via.u64 > INT64_MAX)
        return zc_diag(dg, ZC_EFORMAT, "the id is not an integer from 0 to 2^63 - 1");
    m->id = (int64_t)o->via.u64;
    return ZC_OK;
}

static int read_response(struct zc_rpc *m, const msgpack_object *v, struct zc_diag *dg)
{
    /* An error that belongs to no request has nil for its id. */
    if (v[1].type != MSGPACK_OBJECT_NIL) {
        int r = read_id(m, &v[1], dg);
        if (r < 0)
            return r;
    }
    m->error = v[2].type == MSGPACK_OBJECT_NIL ? NULL : &v[2];
    m->result = v[3].type == MSGPACK_OBJECT_NIL ? NULL : &v[3];
    return ZC_OK;
}

static int read_message(struct zc_rpc *m, const msgpack_object *o, struct zc_diag *dg)
{
    static const uint32_t sizes[] = {4, 4, 3};
    const msgpack_object *v = o->via.array.ptr;

    if (o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size == 0)
        return zc_diag(dg, ZC_EFORMAT, "a message is an array, as MessagePack-RPC says");
    if (v[0].type != MSGPACK_OBJECT_POSITIVE_INTEGER || v[0].via.u64 > ZC_RPC_NOTIFICATION)
        return zc_diag(dg, ZC_EFORMAT, "the message's type is not 0, 1 or 2");
    m->type = (enum zc_rpc_type)v[0].via.u64;
    if (o->via.array.size != sizes[m->type])
        return zc_diag(dg, ZC_EFORMAT, "a message of type %d has %u elements, not %u", (int)m->type,
                       sizes[m->type], o->via.array.size);
    if (m->type == ZC_RPC_RESPONSE)
        return read_response(m, v, dg);
    if (m->type == ZC_RPC_NOTIFICATION)
        return read_method(m, &v[1], &v[2], dg);
    int r = read_id(m, &v[1], dg);
    return r < 0 ? r : read_method(m, &v[2], &v[3], dg);
}

int zc_rpc_read(struct zc_rpc *ret, const char *p, size_t n, struct zc_diag *dg)
{
    size_t off = 0;

    *ret = (struct zc_rpc){.id = -1};
    msgpack_unpacked_init(&ret->zone);
    msgpack_unpack_return u = msgpack_unpack_next(&ret->zone, p, n, &off);
    if (u == MSGPACK_UNPACK_NOMEM_ERROR)
        return zc_diag(dg, ZC_ENOMEM, "no memory for a message of %zu bytes", n);
    if (u != MSGPACK_UNPACK_SUCCESS || off != n)
        return zc_diag(dg, ZC_EFORMAT, "the bytes are not one msgpack value");
    return read_message(ret, &ret->zone.data, dg);
}

void zc_rpc_release(struct zc_rpc *m)
{
    msgpack_unpacked_destroy(&m->zone);
    *m = (struct zc_rpc){.id = -1};
}

bool zc_rpc_is_str(const msgpack_object *o, const char *s)
{
    size_t n = strlen(s);
    return o && o->type == MSGPACK_OBJECT_STR && o->via.str.size == n &&
           memcmp(o->via.str.ptr, s, n) == 0;
}

const msgpack_object *zc_rpc_get(const msgpack_object *o, const char *key)
{
    if (!o || o->type != MSGPACK_OBJECT_MAP)
        return NULL;
    for (uint32_t i = 0; i < o->via.map.size; i++) {
        const msgpack_object_kv *kv = &o->via.map.ptr[i];
        if (zc_rpc_is_str(&kv->key, key))
            return kv->val.type == MSGPACK_OBJECT_NIL ? NULL : &kv->val;
    }
    return NULL;
}

int zc_rpc_int(const msgpack_object *o, int64_t *ret)
{
    if (o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
        *ret = o->via.i64;
    else if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER && o->via.u64 <= INT64_MAX)
        *ret = (int64_t)o->via.u64;
    else
        return ZC_EINVAL;
    return ZC_OK;
}

int zc_rpc_num(const msgpack_object *o, double *ret)
{
    if (o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
        *ret = (double)o->via.i64;
    else if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
        *ret = (double)o->via.u64;
    else if ((o->type == MSGPACK_OBJECT_FLOAT32 || o->type == MSGPACK_OBJECT_FLOAT64) &&
             isfinite(o->via.f64))
        *ret = o->via.f64;
    else
        return ZC_EINVAL;
    return ZC_OK;
}

int64_t zc_rpc_get_int(const msgpack_object *o, const char *key, int64_t otherwise)
{
    const msgpack_object *v = zc_rpc_get(o, key);
    int64_t i;
    return v && zc_rpc_int(v, &i) == ZC_OK ? i : otherwise;
}

double zc_rpc_get_num(const msgpack_object *o, const char *key, double otherwise)
{
    const msgpack_object *v = zc_rpc_get(o, key);
    double d;
    return v && zc_rpc_num(v, &d) == ZC_OK ? d : otherwise;
}

const char *zc_rpc_get_str(const msgpack_object *o, const char *key, size_t *ret_len)
{
    const msgpack_object *v = zc_rpc_get(o, key);
    if (!v || v->type != MSGPACK_OBJECT_STR)
        return NULL;
    *ret_len = v->via.str.size;
    return v->via.str.ptr;
}

/* ---- writing ------------------------------------------------------------------------------ */

/* msgpack-c's writer: the buffer keeps its own error, and packing goes on into nothing. */
static int write_bytes(void *data, const char *p, size_t n)
{
    return zc_buf_add(data, p, n) < 0 ? -1 : 0;
}

void zc_rpc_packer(msgpack_packer *pk, struct zc_buf *b)
{
    msgpack_packer_init(pk, b, write_bytes);
}

void zc_rpc_request(msgpack_packer *pk, int64_t id, const char *method, size_t n_keys)
{
    msgpack_pack_array(pk, 4);
    msgpack_pack_int(pk, ZC_RPC_REQUEST);
    msgpack_pack_int64(pk, id);
    zc_rpc_put_str(pk, method);
    msgpack_pack_array(pk, 1);
    msgpack_pack_map(pk, n_keys);
}

/* [1, id, : error and result are still to come. */
static void begin_response(msgpack_packer *pk, int64_t id)
{
    msgpack_pack_array(pk, 4);
    msgpack_pack_int(pk, ZC_RPC_RESPONSE);
    if (id < 0)
        msgpack_pack_nil(pk);
    else
        msgpack_pack_int64(pk, id);
}

void zc_rpc_result(msgpack_packer *pk, int64_t id, size_t n_keys)
{
    begin_response(pk, id);
    msgpack_pack_nil(pk);
    msgpack_pack_map(pk, n_keys);
}

void zc_rpc_event(msgpack_packer *pk, const char *name, int64_t id, size_t n_keys)
{
    msgpack_pack_array(pk, 3);
    msgpack_pack_int(pk, ZC_RPC_NOTIFICATION);
    zc_rpc_put_str(pk, name);
    msgpack_pack_array(pk, 1);
    msgpack_pack_map(pk, n_keys + 1);
    zc_rpc_kv_int(pk, "id", id);
}

void zc_rpc_error(msgpack_packer *pk, int64_t id, const char *code, const char *message,
                  const struct zc_buf *data)
{
    begin_response(pk, id);
    msgpack_pack_map(pk, 3);
    zc_rpc_kv_str(pk, "code", code);
    zc_rpc_kv_str(pk, "message", message);
    zc_rpc_put_str(pk, "data");
    if (data && data->len)
        pk->callback(pk->data, data->data, data->len);
    else
        msgpack_pack_nil(pk);
    msgpack_pack_nil(pk);
}

void zc_rpc_put_str(msgpack_packer *pk, const char *s)
{
    msgpack_pack_str_with_body(pk, s, strlen(s));
}

void zc_rpc_kv_str(msgpack_packer *pk, const char *key, const char *s)
{
    zc_rpc_put_str(pk, key);
    if (s)
        zc_rpc_put_str(pk, s);
    else
        msgpack_pack_nil(pk);
}

void zc_rpc_kv_strn(msgpack_packer *pk, const char *key, const char *s, size_t n)
{
    zc_rpc_put_str(pk, key);
    msgpack_pack_str_with_body(pk, s, n);
}

void zc_rpc_kv_int(msgpack_packer *pk, const char *key, int64_t v)
{
    zc_rpc_put_str(pk, key);
    msgpack_pack_int64(pk, v);
}

void zc_rpc_kv_num(msgpack_packer *pk, const char *key, double v)
{
    zc_rpc_put_str(pk, key);
    msgpack_pack_double(pk, v);
}

void zc_rpc_kv_bool(msgpack_packer *pk, const char *key, bool v)
{
    zc_rpc_put_str(pk, key);
    if (v)
        msgpack_pack_true(pk);
    else
        msgpack_pack_false(pk);
}

void zc_rpc_kv_map(msgpack_packer *pk, const char *key, size_t n_keys)
{
    zc_rpc_put_str(pk, key);
    msgpack_pack_map(pk, n_keys);
}

void zc_rpc_kv_array(msgpack_packer *pk, const char *key, size_t n)
{
    zc_rpc_put_str(pk, key);
    msgpack_pack_array(pk, n);
}
