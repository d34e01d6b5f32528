/* SPDX-License-Identifier: MIT */
/* Fields of a message: a varint with number and type, then a value by type. */
#include "zoracd/text/zt_proto.h"

#include <string.h>

#include "common/zc_err.h"

void zt_proto_init(struct zt_proto *r, const char *p, size_t n, struct zc_diag *dg)
{
    *r = (struct zt_proto){.start = p, .p = p, .end = p + n, .dg = dg};
}

static int bad(const struct zt_proto *r, const char *what)
{
    return zc_diag(r->dg, ZC_EFORMAT, "byte %zu: %s", r->base + (size_t)(r->p - r->start), what);
}

static int wrong_type(const struct zt_proto *r)
{
    return zc_diag(r->dg, ZC_EFORMAT, "byte %zu: field %u has another type than it should",
                   r->base + (size_t)(r->p - r->start), r->field);
}

int zt_proto_enter(struct zt_proto *r, const struct zt_proto *outer)
{
    if (outer->type != ZT_PROTO_LEN)
        return wrong_type(outer);
    zt_proto_init(r, outer->data, outer->n, outer->dg);
    r->base = outer->base + (size_t)(outer->data - outer->start);
    return ZC_OK;
}

/* Seven bits to a byte, the lowest first. */
static int read_varint(struct zt_proto *r, uint64_t *ret_value)
{
    uint64_t v = 0;

    for (int shift = 0; shift < 64; shift += 7) {
        if (r->p == r->end)
            return bad(r, "the message ends in a number");
        unsigned char c = (unsigned char)*r->p++;
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80) {
            *ret_value = v;
            return ZC_OK;
        }
    }
    return bad(r, "a number of more than ten bytes");
}

/* n bytes, the lowest first. */
static int read_fixed(struct zt_proto *r, int n)
{
    if (r->end - r->p < n)
        return bad(r, "the message ends in a number");
    r->number = 0;
    for (int i = n - 1; i >= 0; i--)
        r->number = r->number << 8 | (unsigned char)r->p[i];
    r->p += n;
    return ZC_OK;
}

static int read_value(struct zt_proto *r)
{
    uint64_t n;
    int e;

    switch (r->type) {
    case ZT_PROTO_VARINT:
        return read_varint(r, &r->number);
    case ZT_PROTO_I64:
        return read_fixed(r, 8);
    case ZT_PROTO_I32:
        return read_fixed(r, 4);
    case ZT_PROTO_LEN:
        if ((e = read_varint(r, &n)) < 0)
            return e;
        if (n > (uint64_t)(r->end - r->p))
            return bad(r, "a field is longer than its message");
        r->data = r->p;
        r->n = (size_t)n;
        r->p += n;
        return ZC_OK;
    }
    return bad(r, "a field of an unknown type");
}

int zt_proto_next(struct zt_proto *r)
{
    uint64_t tag;

    if (r->p == r->end)
        return 0;
    int e = read_varint(r, &tag);
    if (e < 0)
        return e;
    if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
        return bad(r, "a field without a number");
    r->field = (uint32_t)(tag >> 3);
    r->type = (enum zt_proto_type)(tag & 7);
    e = read_value(r);
    return e < 0 ? e : 1;
}

int zt_proto_bool(const struct zt_proto *r, bool *ret_value)
{
    if (r->type != ZT_PROTO_VARINT)
        return wrong_type(r);
    *ret_value = r->number != 0;
    return ZC_OK;
}

int zt_proto_int(const struct zt_proto *r, int32_t *ret_value)
{
    if (r->type != ZT_PROTO_VARINT)
        return wrong_type(r);
    *ret_value = (int32_t)(uint32_t)r->number;
    return ZC_OK;
}

int zt_proto_float(const struct zt_proto *r, float *ret_value)
{
    uint32_t bits = (uint32_t)r->number;

    if (r->type != ZT_PROTO_I32)
        return wrong_type(r);
    memcpy(ret_value, &bits, sizeof bits);
    return ZC_OK;
}

int zt_proto_bytes(const struct zt_proto *r, const char **ret_p, size_t *ret_n)
{
    if (r->type != ZT_PROTO_LEN)
        return wrong_type(r);
    *ret_p = r->data;
    *ret_n = r->n;
    return ZC_OK;
}
