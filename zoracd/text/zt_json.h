/* SPDX-License-Identifier: MIT */
/* A pull reader over JSON text for the two arrays of tokenizer.json that are too big for a tree:
 * a tree of Nemo's 9 MB takes 0.2 s and 40 MB, this reads them in place. Everything small goes to
 * jansson through zt_json_tree. The text is borrowed; any thread. */
#ifndef ZORACD_TEXT_ZT_JSON_H
#define ZORACD_TEXT_ZT_JSON_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct zc_buf;
struct zc_diag;

struct zt_json {
    const char *start, *p, *end;
    struct zc_diag *dg; /* errors are "byte N: ..." */
};

/* len bytes of valid UTF-8. */
void zt_json_init(struct zt_json *j, const char *text, size_t len, struct zc_diag *dg);
/* The same of bytes from outside: ZC_EFORMAT if they are not UTF-8. */
int zt_json_init_file(struct zt_json *j, const char *text, size_t len, struct zc_diag *dg);
/* The first character of the value that comes next ('{', '[', '"', 't', '-', '0'..'9', ...), 0 at
 * the end of the text. */
int zt_json_peek(struct zt_json *j);
/* Enters an object or an array: open is '{' or '['. ZC_EFORMAT if something else is there. */
int zt_json_enter(struct zt_json *j, char open);
/* Before each member or element: 1 if there is one, 0 when close was read. first: 1 for the first
 * call after zt_json_enter, set to 0 here. */
int zt_json_next(struct zt_json *j, char close, int *first);
/* A string, unescaped, replacing what is in out. A lone surrogate is U+FFFD. */
int zt_json_string(struct zt_json *j, struct zc_buf *out);
/* The key of a member and its colon. */
int zt_json_key(struct zt_json *j, struct zc_buf *out);
/* A whole number that fits. */
int zt_json_int(struct zt_json *j, int64_t *ret_value);
/* Steps over any value; nesting over 64 is ZC_ELIMIT. */
int zt_json_skip(struct zt_json *j);
/* The next value as a tree (json_decref). */
int zt_json_tree(struct zt_json *j, json_t **ret_value);
/* Nothing but white space may follow. */
int zt_json_end(struct zt_json *j);

#endif
