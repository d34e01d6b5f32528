/* SPDX-License-Identifier: MIT */
/* Stop strings: where a reply ends, and how much of it can be given out before that is known. The
 * result is the same however the text was cut into pieces, and each byte of it costs the same,
 * whatever it says: the engine thread looks. Pure; any thread. */
#ifndef ZORACD_SERVE_ZS_STOP_H
#define ZORACD_SERVE_ZS_STOP_H

#include <stddef.h>
#include <stdint.h>

#include "zoracd/serve/zs_limits.h"

#define ZS_STOP_MAX_TEXTS 32

struct zs_stop {
    char *text; /* UTF-8, not empty */
    size_t len;
    uint16_t *back; /* [len]: how long a beginning of text ends text[0 .. i], not all of that */
};

/* A text of 1 to ZS_STOP_MAX_BYTES bytes, copied. ZC_ENOMEM. */
int zs_stop_init(struct zs_stop *s, const char *text, size_t len);
void zs_stop_release(struct zs_stop *s);

/* How far a reply was looked at; zeroed before the first look. */
struct zs_stop_state {
    size_t seen;
    uint16_t matched[ZS_STOP_MAX_TEXTS]; /* how long a beginning of each stop ends it */
};

/* Looks at text [0 .. len), of which [0 .. st->seen) is known from the last call. Returns 1 and the
 * stop's start in *ret_safe, if one is complete: the one that is completed first, the longest of
 * those that end together. Returns 0 otherwise, and *ret_safe is how many bytes can't be part of a
 * stop whatever follows. */
int zs_stop_find(const struct zs_stop *stops, size_t n_stops, struct zs_stop_state *st,
                 const char *text, size_t len, size_t *ret_safe);

#endif
