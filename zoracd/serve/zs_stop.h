/* SPDX-License-Identifier: MIT */
/* Stop strings: where a reply ends, and how much of it can be given out before that is known. The
 * result is the same however the text was cut into pieces. Pure; any thread. */
#ifndef ZORACD_SERVE_ZS_STOP_H
#define ZORACD_SERVE_ZS_STOP_H

#include <stddef.h>

struct zs_stop {
    char *text; /* UTF-8, not empty; owned by whoever made the list */
    size_t len;
};

/* Looks at text [0 .. len), of which [0 .. from) was found free of stops before (a previous call's
 * *ret_safe). Returns 1 and the stop's start in *ret_safe, if one is complete: the one that is
 * completed first, the longest of those that end together. Returns 0 otherwise, and *ret_safe is
 * how many bytes can't be part of a stop whatever follows. */
int zs_stop_find(const struct zs_stop *stops, size_t n_stops, const char *text, size_t len,
                 size_t from, size_t *ret_safe);

#endif
