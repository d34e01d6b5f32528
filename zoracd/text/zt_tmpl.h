/* SPDX-License-Identifier: MIT */
/* Chat templates: the part of Jinja that Hugging Face's templates use, as jinja2 does it with
 * trim_blocks, lstrip_blocks and loop controls in the sandboxed environment. Every string carries
 * who wrote it (zt_text.h): literals of the template are trusted, context strings are not, and what
 * filters and methods make of a string keeps its kind byte for byte.
 * A compiled template is const: any number of threads may render it. It keeps up to 4 MiB of memory
 * from one rendering to the next. */
#ifndef ZORACD_TEXT_ZT_TMPL_H
#define ZORACD_TEXT_ZT_TMPL_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "zoracd/text/zt_text.h"

struct zc_diag;
struct zt_tmpl;

/* Compiles source. What is not known (a tag, a filter, a test) is an error that names line and
 * construct: "chat_template:12: unknown filter 'foo'". name is what diagnostics call it. */
int zt_tmpl_new(struct zt_tmpl **ret_tmpl, const char *name, const char *src, size_t len,
                struct zc_diag *dg);
void zt_tmpl_free(struct zt_tmpl *tmpl);

struct zt_tmpl_in {
    json_t *vars;         /* object: messages, tools, ...: its strings are untrusted. Borrowed. */
    const char *json;     /* the same as JSON text (UTF-8), which unlike json_t holds integers of */
    size_t json_len;      /* any size and NUL in keys; NULL: there is none */
    json_t *trusted_vars; /* object or NULL: bos_token, eos_token and so on: trusted. Borrowed. */
    int64_t now;          /* seconds since the epoch, for strftime_now (rendered as local time) */
    uint64_t max_steps;   /* 0: a default that no honest template reaches */
};

/* Renders to out (appended; its maximum bounds the result). An error in the template or a
 * raise_exception is ZC_EINVAL with line and message; ZC_ELIMIT over steps, depth or memory;
 * ZC_EFORMAT for variables that are not UTF-8 or not JSON. */
int zt_tmpl_render(const struct zt_tmpl *tmpl, const struct zt_tmpl_in *in, struct zt_text *out,
                   struct zc_diag *dg);

#endif
