/* SPDX-License-Identifier: MIT */
/* Variables of a template, as JSON text: whatever they are, no byte of them comes out trusted.
 * First byte: which of the templates. */
#include <stdint.h>
#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/text/zt_tmpl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* They print no letter of their own: whatever is trusted is '-'. */
static const char *const templates[] = {
    "{% for m in messages %}-{{ m.role }}-{{ m['content']|trim }}{% endfor %}",
    "{{ messages|tojson(indent=2) }}{{ messages }}{{ tools|string|upper|replace('A', '-') }}",
    "{% for k, v in messages[0].items() %}{{ k }}-{{ v|string|title }}{% endfor %}",
    "{{ messages|map(attribute='content')|map('string')|join('-') }}{{ (tools ~ '')[::-1] }}",
    "{% set x = '-' ~ tools %}{{ x.split()|join('-') }}{{ '%s-%r'|format(x, tools) }}{{ x|e }}",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct zt_tmpl *tmpl = NULL;
    struct zc_diag dg = {""};
    struct zt_text out;

    if (size == 0)
        return 0;
    const char *src = templates[data[0] % (sizeof templates / sizeof *templates)];
    struct zt_tmpl_in in = {
        .json = (const char *)data + 1, .json_len = size - 1, .max_steps = 200000};
    zt_text_init(&out, 1 << 20);
    ZC_BUG_ON(zt_tmpl_new(&tmpl, "fuzz", src, strlen(src), &dg) < 0);
    int r = zt_tmpl_render(tmpl, &in, &out, &dg);
    ZC_BUG_ON(r < 0 && !dg.text[0]);
    for (size_t i = 0; r == ZC_OK && i < out.n_spans; i++)
        for (size_t k = 0; out.spans[i].trusted && k < out.spans[i].len; k++)
            ZC_BUG_ON(out.buf.data[out.spans[i].off + k] != '-');
    zt_tmpl_free(tmpl);
    zt_text_release(&out);
    return 0;
}
