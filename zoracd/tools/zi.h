/* SPDX-License-Identifier: MIT */
/* zorac-inspect: its verbs, what they share. One thread. */
#ifndef ZORACD_TOOLS_ZI_H
#define ZORACD_TOOLS_ZI_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "common/zc_err.h"
#include "zoracd/engine/ze_engine.h"
#include "zoracd/tools/zo.h"

/* What the command line said. A verb takes only some of it; zorac-inspect.c knows which. */
struct zi_options {
    struct ze_opts engine;
    const char *template_file; /* --template */
    const char *model, *file;  /* operands */
    int64_t now;               /* --now, seconds since the epoch */
    int window;                /* --window; 0: the default */
    bool add_special, parse_special, skip_special, json;
};

/* The verbs. Each returns an exit status (zo.h), and has said on standard error why it is not 0. */
int zi_plan(const struct zi_options *o);
int zi_tensors(const struct zi_options *o);
int zi_doctor(const struct zi_options *o);
int zi_tokenize(const struct zi_options *o);
int zi_detokenize(const struct zi_options *o);
int zi_render(const struct zi_options *o);
int zi_speed(const struct zi_options *o);
int zi_logits(const struct zi_options *o);
int zi_perplexity(const struct zi_options *o);

/* One value on one line of standard output; takes o. */
void zi_print(json_t *o);

/* Calls answer with each line of standard input, a JSON object; what it gives (or, if it returns an
 * error, {"error": ...}) goes out as a line. Status ZO_FAILED if there was an error. */
typedef int zi_answer(void *state, const json_t *line, json_t **ret_answer, struct zc_diag *dg);
int zi_each_line(zi_answer *answer, void *state);
/* The same with the line as it stands, for who reads JSON that a json_t cannot hold. */
typedef int zi_text_answer(void *state, const char *text, size_t len, json_t **ret_answer,
                           struct zc_diag *dg);
int zi_each_text(zi_text_answer *answer, void *state);
/* "ids" of an object as an array that the caller frees with zc_free. */
int zi_ids(const json_t *line, int32_t **ret_ids, size_t *ret_n, struct zc_diag *dg);

#endif
