/* SPDX-License-Identifier: MIT */
/* UTF-8 as the Unicode standard defines it (chapter 3, table 3-7): no overlong forms, no
 * surrogates, nothing over U+10FFFF. Pure; any thread. */
#ifndef COMMON_ZC_UTF8_H
#define COMMON_ZC_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zc_buf;

#define ZC_UTF8_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* Looks at the character that begins at p (n > 0 bytes). Its length 1..4; 0 if the bytes are the
 * beginning of one that n cuts off; -1..-3 if they are none, the number being the length of the
 * maximal invalid part, for which one U+FFFD stands (Unicode 15, section 3.9). */
int zc_utf8_step(const char *p, size_t n);

/* The length and the code point of the character at p, which is valid. */
int zc_utf8_get(const char *p, uint32_t *ret_cp);
/* Writes a code point (not a surrogate, at most 0x10FFFF) into 4 bytes at p; its length. */
int zc_utf8_put(char *p, uint32_t cp);

/* Unicode's White_Space. */
bool zc_utf8_is_space(uint32_t cp);

/* How many bytes from the front are valid. */
size_t zc_utf8_valid(const char *p, size_t n);
bool zc_utf8_is_valid(const char *p, size_t n);
/* Appends p with U+FFFD for each maximal invalid part, a cut end included. zc_buf's errors. */
int zc_utf8_lossy(struct zc_buf *out, const char *p, size_t n);
/* The length of the cut-off character at the end, 0..3. */
size_t zc_utf8_tail(const char *p, size_t n);

#endif
