/* SPDX-License-Identifier: MIT */
/* A safetensors header. First byte: even: the rest is the JSON, of a file with that many bytes of
 * data as the second byte says; odd: the rest is the file. What is accepted fills the file exactly.
 */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/zc_err.h"
#include "zoracd/weights/zw_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static int see(const struct zw_tensor *t, void *arg, struct zc_diag *dg)
{
    uint64_t *end = arg;

    (void)dg;
    if (t->offset != *end || strlen(t->name) > ZW_MAX_NAME || t->rank > ZW_MAX_RANK)
        abort();
    *end += t->bytes;
    return ZC_OK;
}

static void check(const uint8_t *file, size_t n, uint64_t file_size)
{
    struct zc_diag dg = {""};
    uint64_t len = 0, end;

    if (zw_header_length(&len, file, n, file_size, &dg) < 0 && !dg.text[0])
        abort();
    end = 8 + len;
    int r = zw_header_parse(file, n, file_size, see, &end, &dg);
    if (r > 0 || (r == ZC_OK && end != file_size) || (r < 0 && !dg.text[0]))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (n < 2)
        return 0;
    if (p[0] % 2) {
        check(p + 1, n - 1, n - 1);
        return 0;
    }
    uint8_t *file = malloc(n + 6);
    if (!file)
        return 0;
    for (int i = 0; i < 8; i++)
        file[i] = (uint8_t)((uint64_t)(n - 2) >> 8 * i);
    memcpy(file + 8, p + 2, n - 2);
    check(file, n + 6, n + 6 + p[1]);
    free(file);
    return 0;
}
