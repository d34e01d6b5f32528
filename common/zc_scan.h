/* SPDX-License-Identifier: MIT */
/* Finds the end of one msgpack value in a byte stream, without taking memory: what an announced
 * length or count promises is checked against limits before anything believes it. Resumable: each
 * byte is looked at once, however the stream is cut. Stands before msgpack-c on both sides of the
 * socket, because msgpack-c's unpacker allocates what a header announces. Any thread, one owner. */
#ifndef COMMON_ZC_SCAN_H
#define COMMON_ZC_SCAN_H

#include <stddef.h>
#include <stdint.h>

struct zc_diag;

#define ZC_SCAN_MAX_DEPTH 32 /* arrays and maps inside each other; msgpack-c's own limit too */

struct zc_scan_limits {
    size_t bytes;   /* of one message */
    size_t items;   /* values of all kinds in one message, keys counted */
    size_t str;     /* bytes of one string, binary or extension */
    unsigned depth; /* 1 .. ZC_SCAN_MAX_DEPTH */
};

/* Private to zc_scan.c. */
struct zc_scan {
    struct zc_scan_limits lim;
    uint64_t left[ZC_SCAN_MAX_DEPTH]; /* values still to come of each open array or map */
    unsigned depth;
    unsigned char head[9]; /* a header cut by the end of the bytes */
    unsigned n_head;
    uint64_t skip; /* body bytes of a string still to come */
    uint64_t bytes, items;
};

/* Ready for the first byte of a message. */
void zc_scan_init(struct zc_scan *s, const struct zc_scan_limits *lim);

/* Looks at the next n bytes. ZC_OK: the message ends with byte *ret_used of them (1 .. n), and s is
 * ready for the next message. ZC_EAGAIN: all n belong to it and more are needed. ZC_ELIMIT,
 * ZC_EFORMAT: over a limit, or a byte that msgpack does not know; dg says which and at which byte
 * of the message. After an error the stream can't be resynchronised. */
int zc_scan_feed(struct zc_scan *s, const void *p, size_t n, size_t *ret_used, struct zc_diag *dg);

#endif
