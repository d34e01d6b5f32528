/* SPDX-License-Identifier: MIT */
/* UTF-8 as the Unicode standard defines it (chapter 3, table 3-7): no overlong forms, no
 * surrogates, nothing over U+10FFFF. Pure; any thread. */
#ifndef COMMON_ZC_UTF8_H
#define COMMON_ZC_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* The length of the well-formed character at the start of p[0 .. n), n > 0. If there is none:
 * minus the length of the maximal part that one U+FFFD replaces (1 to 3). *ret_cut (NULL allowed):
 * whether that part is the beginning of a character which more bytes could complete. */
int zc_utf8_next(const char *p, size_t n, bool *ret_cut);

bool zc_utf8_is_valid(const char *p, size_t n);

#endif
