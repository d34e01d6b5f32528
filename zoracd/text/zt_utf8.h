/* SPDX-License-Identifier: MIT */
/* UTF-8 as the tokenizer needs it: one character at a time with a verdict on what is not one.
 * Pure; any thread. */
#ifndef ZORACD_TEXT_ZT_UTF8_H
#define ZORACD_TEXT_ZT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zc_buf;

#define ZT_UTF8_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* Looks at the character that begins at p (n > 0 bytes). Its length 1..4; 0 if the bytes are the
 * beginning of one that n cuts off; -1..-3 if they are none, the number being the length of the
 * maximal invalid part, for which one U+FFFD stands (Unicode 15, section 3.9). */
int zt_utf8_step(const char *p, size_t n);

/* The length and the code point of the character at p, which is valid. */
int zt_utf8_get(const char *p, uint32_t *ret_cp);
/* Writes a code point (not a surrogate, at most 0x10FFFF) into 4 bytes at p; its length. */
int zt_utf8_put(char *p, uint32_t cp);

/* Unicode's White_Space. */
bool zt_utf8_is_space(uint32_t cp);

/* How many bytes from the front are valid. */
size_t zt_utf8_valid(const char *p, size_t n);
/* Appends p with U+FFFD for each maximal invalid part, a cut end included. zc_buf's errors. */
int zt_utf8_lossy(struct zc_buf *out, const char *p, size_t n);
/* The length of the cut-off character at the end, 0..3. */
size_t zt_utf8_tail(const char *p, size_t n);

#endif
