/* SPDX-License-Identifier: MIT */
/* The bounded way into jansson: count first, then parse. */
#include "config.h"

#include "zoracd/weights/zw_json.h"

#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/weights/zw_file.h"

/* Whether the text stays within the limits as far as it is well formed; jansson stops where it is
 * not, so nothing behind that place can cost memory. */
static int check_limits(const char *p, size_t n, const struct zw_json_limits *lim,
                        struct zc_diag *dg)
{
    size_t values = 0;
    int depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < n; i++) {
        char c = p[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            values++;
            if (++depth > lim->depth)
                return zc_diag(dg, ZC_ELIMIT, "JSON nested deeper than %d", lim->depth);
        } else if (c == '}' || c == ']') {
            depth--;
        } else if (c == ',') {
            values++;
        }
    }
    if (values > lim->values)
        return zc_diag(dg, ZC_ELIMIT, "JSON of more than %zu values", lim->values);
    return ZC_OK;
}

int zw_json_parse(json_t **ret_j, const char *p, size_t n, const struct zw_json_limits *lim,
                  struct zc_diag *dg)
{
    json_error_t e;
    int r;

    if (n > lim->bytes)
        return zc_diag(dg, ZC_ELIMIT, "JSON of %zu bytes, the limit is %zu", n, lim->bytes);
    if ((r = check_limits(p, n, lim, dg)) < 0)
        return r;
    json_t *j = json_loadb(p, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
    if (!j && json_error_code(&e) == json_error_out_of_memory)
        return zc_diag(dg, ZC_ENOMEM, "no memory for JSON of %zu bytes", n);
    if (!j)
        return zc_diag(dg, ZC_EFORMAT, "JSON, line %d, column %d: %s", e.line, e.column, e.text);
    *ret_j = j;
    return ZC_OK;
}

int zw_json_read(json_t **ret_j, const char *dir, const char *name,
                 const struct zw_json_limits *lim, struct zc_diag *dg)
{
    void *text = NULL;
    uint64_t size;
    int fd, r;

    if ((r = zw_file_open(&fd, &size, dir, name, dg)) < 0)
        return r;
    if (size > lim->bytes) {
        r = zc_diag(dg, ZC_ELIMIT, "%s: %llu bytes, the limit is %zu", name,
                    (unsigned long long)size, lim->bytes);
        goto out;
    }
    if ((r = zc_try_malloc(&text, size, 1, lim->bytes)) < 0) {
        zc_diag(dg, r, "%s: no memory for its %llu bytes", name, (unsigned long long)size);
        goto out;
    }
    if ((r = zw_file_read(fd, 0, text, size, dg)) == ZC_OK)
        r = zw_json_parse(ret_j, text, size, lim, dg);
    if (r < 0)
        zc_diag_prefix(dg, r, "%s", name);
out:
    zc_free(text);
    close(fd);
    return r;
}
