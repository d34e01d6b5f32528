/* SPDX-License-Identifier: MIT */
/* A pull reader over one message of Protocol Buffers' wire format: fields come as they stand in the
 * bytes, what is in a field is borrowed from them. Source of the layout: protobuf.dev, "Encoding".
 * Groups, which nothing has used for years, are refused. Any thread. */
#ifndef ZORACD_TEXT_ZT_PROTO_H
#define ZORACD_TEXT_ZT_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zc_diag;

struct zt_proto {
    const char *start, *p, *end;
    struct zc_diag *dg; /* errors are "byte N: ..." */
    size_t base;        /* offset of start in the outermost message, for them */
    /* The field that was read. */
    uint32_t field;
    enum zt_proto_type {
        ZT_PROTO_VARINT = 0,
        ZT_PROTO_I64 = 1,
        ZT_PROTO_LEN = 2,
        ZT_PROTO_I32 = 5
    } type;
    uint64_t number;  /* VARINT; I32, I64: the bits */
    const char *data; /* LEN: n bytes */
    size_t n;
};

void zt_proto_init(struct zt_proto *r, const char *p, size_t n, struct zc_diag *dg);
/* The message in the field of outer that was read last: ZC_EFORMAT if it is not of type LEN. */
int zt_proto_enter(struct zt_proto *r, const struct zt_proto *outer);
/* The next field: 1, or 0 at the end of the message. ZC_EFORMAT. */
int zt_proto_next(struct zt_proto *r);
/* The field that was read, as what the caller expects: ZC_EFORMAT if it has another type. */
int zt_proto_bool(const struct zt_proto *r, bool *ret_value);
int zt_proto_int(const struct zt_proto *r, int32_t *ret_value);
int zt_proto_float(const struct zt_proto *r, float *ret_value);
int zt_proto_bytes(const struct zt_proto *r, const char **ret_p, size_t *ret_n);

#endif
