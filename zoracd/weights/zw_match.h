/* SPDX-License-Identifier: MIT */
/* Lists of modules as quantization configs write them: exact paths, class names, or "re:" and a
 * regular expression that is anchored at the start only. Private to this room. */
#ifndef ZORACD_WEIGHTS_ZW_MATCH_H
#define ZORACD_WEIGHTS_ZW_MATCH_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

struct zc_diag;
struct zw_pattern;

struct zw_match {
    struct zw_pattern *patterns;
    size_t n;
};

/* Fills m from a JSON array of strings; NULL or null is the empty list. key is for diagnostics. */
int zw_match_init(struct zw_match *m, const json_t *list, const char *key, struct zc_diag *dg);
void zw_match_release(struct zw_match *m);

/* Whether a pattern matches the module's path. A regular expression that takes too long is
 * ZC_ELIMIT. */
int zw_match_path(bool *ret_hit, const struct zw_match *m, const char *module, struct zc_diag *dg);
/* Whether the class is listed. */
bool zw_match_has_class(const struct zw_match *m, const char *class_name);
/* Whether a string is whole components of the path: "mlp.gate" of "layers.0.mlp.gate", and not of
 * "layers.0.mlp.gate_proj". */
bool zw_match_has_component(const struct zw_match *m, const char *module);
/* Whether the path contains one of the strings: AutoAWQ's way. */
bool zw_match_has_part(const struct zw_match *m, const char *module);

#endif
