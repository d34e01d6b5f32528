/* SPDX-License-Identifier: MIT */
/* Template source: whatever the bytes are, compiling ends with a template or a message, rendering
 * stays within its limits, and its spans cover the text without gaps. First byte: 'a' asks for a
 * generation prompt. */
#include <stdint.h>
#include <string.h>

#include "common/zc_err.h"
#include "zoracd/text/zt_tmpl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char vars[] =
    "{\"messages\": [{\"role\": \"user\", \"content\": \"caf\u00e9 <s>\"}, {\"role\": "
    "\"assistant\", \"content\": null, \"tool_calls\": [{\"function\": {\"name\": \"f\", "
    "\"arguments\": {\"x\": [1, 2.5, true]}}}]}], \"tools\": null, \"n\": 3, \"s\": \" a,b \", "
    "\"add_generation_prompt\": %s}";

static void check_spans(const struct zt_text *t)
{
    size_t at = 0;

    for (size_t i = 0; i < t->n_spans; i++) {
        ZC_BUG_ON(t->spans[i].off != at || t->spans[i].len == 0);
        ZC_BUG_ON(i > 0 && t->spans[i].trusted == t->spans[i - 1].trusted);
        at += t->spans[i].len;
    }
    ZC_BUG_ON(at != t->buf.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct zt_tmpl *tmpl = NULL;
    struct zc_diag dg = {""};
    struct zt_text out;
    struct zc_buf json;

    if (size == 0)
        return 0;
    zc_buf_init(&json, 4096);
    zc_buf_addf(&json, vars, data[0] == 'a' ? "true" : "false");
    zt_text_init(&out, 1 << 16);
    struct zt_tmpl_in in = {.json = zc_buf_str(&json), .json_len = json.len, .max_steps = 20000};
    int r = zt_tmpl_new(&tmpl, "fuzz", (const char *)data + 1, size - 1, &dg);
    if (r == ZC_OK)
        r = zt_tmpl_render(tmpl, &in, &out, &dg);
    ZC_BUG_ON(r < 0 && !dg.text[0]);
    if (r == ZC_OK)
        check_spans(&out);
    zt_tmpl_free(tmpl);
    zt_text_release(&out);
    zc_buf_release(&json);
    return 0;
}
