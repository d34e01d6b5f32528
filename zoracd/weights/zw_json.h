/* SPDX-License-Identifier: MIT */
/* JSON of a model's directory, by jansson, with the memory that its tree can take bounded before it
 * is built: a hundred megabytes of "[[[[" would else become gigabytes. */
#ifndef ZORACD_WEIGHTS_ZW_JSON_H
#define ZORACD_WEIGHTS_ZW_JSON_H

#include <stddef.h>

#include <jansson.h>

struct zc_diag;

struct zw_json_limits {
    size_t bytes;  /* of text */
    size_t values; /* commas and opening brackets: within a few of the number of values */
    int depth;
};

/* Parses n bytes: UTF-8, one value, no duplicate key, white space around it allowed. ZC_ELIMIT,
 * ZC_EFORMAT (with line and column), ZC_ENOMEM. */
int zw_json_parse(json_t **ret_j, const char *p, size_t n, const struct zw_json_limits *lim,
                  struct zc_diag *dg);

/* Reads and parses the file dir/name. ZC_ENOTFOUND if there is no such file. */
int zw_json_read(json_t **ret_j, const char *dir, const char *name,
                 const struct zw_json_limits *lim, struct zc_diag *dg);

#endif
