/* SPDX-License-Identifier: MIT */
/* Encoding takes linear time, whatever the text: steps are counted, not seconds. A step is a basic
 * block of the tokenizers (which are compiled once more for this, with the compiler's coverage
 * hook), eight bytes that libc moves, compares or searches for them, or an attempt of PCRE2 at an
 * item of a pattern (whose just-in-time compiler is left out here). */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "config.h"

#include <jansson.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/t_tok.h"
#include "tests/unit/t_unit.h"
#include "zoracd/text/zt_tok.h"

static uint64_t steps;
static struct zc_diag dg;

/* ---- what is counted ------------------------------------------------------------------------ */

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
    steps++;
}

/* The linker sends calls of a function f to __wrap_f, and those of __real_f to f. */
void *__real_memcpy(void *to, const void *from, size_t n);
void *__real_memmove(void *to, const void *from, size_t n);
void *__real_memset(void *to, int c, size_t n);
int __real_memcmp(const void *a, const void *b, size_t n);
void *__real_memchr(const void *p, int c, size_t n);
void *__wrap_memcpy(void *to, const void *from, size_t n);
void *__wrap_memmove(void *to, const void *from, size_t n);
void *__wrap_memset(void *to, int c, size_t n);
int __wrap_memcmp(const void *a, const void *b, size_t n);
void *__wrap_memchr(const void *p, int c, size_t n);

void *__wrap_memcpy(void *to, const void *from, size_t n)
{
    steps += n / 8;
    return __real_memcpy(to, from, n);
}

void *__wrap_memmove(void *to, const void *from, size_t n)
{
    steps += n / 8;
    return __real_memmove(to, from, n);
}

void *__wrap_memset(void *to, int c, size_t n)
{
    steps += n / 8;
    return __real_memset(to, c, n);
}

int __wrap_memcmp(const void *a, const void *b, size_t n)
{
    steps += n / 8;
    return __real_memcmp(a, b, n);
}

void *__wrap_memchr(const void *p, int c, size_t n)
{
    char *at = __real_memchr(p, c, n);

    steps += (at ? (size_t)(at - (const char *)p) : n) / 8;
    return at;
}

pcre2_code *__real_pcre2_compile_8(PCRE2_SPTR p, PCRE2_SIZE n, uint32_t options, int *ret_error,
                                   PCRE2_SIZE *ret_at, pcre2_compile_context *context);
pcre2_code *__wrap_pcre2_compile_8(PCRE2_SPTR p, PCRE2_SIZE n, uint32_t options, int *ret_error,
                                   PCRE2_SIZE *ret_at, pcre2_compile_context *context);
int __wrap_pcre2_jit_compile_8(pcre2_code *code, uint32_t options);
int __real_pcre2_match_8(const pcre2_code *code, PCRE2_SPTR p, PCRE2_SIZE n, PCRE2_SIZE from,
                         uint32_t options, pcre2_match_data *data, pcre2_match_context *context);
int __wrap_pcre2_match_8(const pcre2_code *code, PCRE2_SPTR p, PCRE2_SIZE n, PCRE2_SIZE from,
                         uint32_t options, pcre2_match_data *data, pcre2_match_context *context);

pcre2_code *__wrap_pcre2_compile_8(PCRE2_SPTR p, PCRE2_SIZE n, uint32_t options, int *ret_error,
                                   PCRE2_SIZE *ret_at, pcre2_compile_context *context)
{
    return __real_pcre2_compile_8(p, n, options | PCRE2_AUTO_CALLOUT, ret_error, ret_at, context);
}

int __wrap_pcre2_jit_compile_8(pcre2_code *code, uint32_t options)
{
    (void)code, (void)options;
    return PCRE2_ERROR_JIT_BADOPTION;
}

static int count_item(pcre2_callout_block *block, void *unused)
{
    (void)block, (void)unused;
    steps++;
    return 0;
}

int __wrap_pcre2_match_8(const pcre2_code *code, PCRE2_SPTR p, PCRE2_SIZE n, PCRE2_SIZE from,
                         uint32_t options, pcre2_match_data *data, pcre2_match_context *context)
{
    pcre2_set_callout(context, count_item, NULL);
    int r = __real_pcre2_match_8(code, p, n, from, options, data, context);
    steps += (r > 0 ? pcre2_get_ovector_pointer(data)[1] : n) - from;
    return r;
}

/* ---- texts that say one thing over and over ---------------------------------------------------
 */

static uint64_t steps_for(const struct zt_tok *tok, const char *unit, size_t n)
{
    char *text = malloc(n);
    struct zt_ids ids;

    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i < n; i++)
        text[i] = unit[i % strlen(unit)];
    zt_ids_init(&ids, 4 * n);
    uint64_t before = steps;
    t_assert_err(zt_tok_encode_bytes(tok, text, n, 0, &ids, &dg), ZC_OK, &dg);
    before = steps - before;
    zt_ids_release(&ids);
    free(text);
    return before;
}

/* Twice the text takes at most 2.2 times the steps: the tenth is the logarithm of the heap that
 * merges wait in. What is quadratic by no more than a tenth of a step for each character of this
 * length would take more. */
static void assert_linear(struct zt_tok *tok, const char *what)
{
    enum { N = 8192 };
    /* The last: marks of two classes, in the order that each normal form changes. */
    static const char *const units[] = {"a", " ", "7", "\n", "<", "e", "\xff", "\u0301\u0323"};

    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        uint64_t once = steps_for(tok, units[i], N), twice = steps_for(tok, units[i], 2 * N);
        ck_assert_uint_gt(once, N / 8);
        ck_assert_msg(10 * twice <= 22 * once, "%s: %llu steps for %d of '%s', %llu for %d", what,
                      (unsigned long long)once, N, units[i], (unsigned long long)twice, 2 * N);
    }
    zt_tok_free(tok);
}

static void assert_linear_json(char *json, const char *what)
{
    struct zt_tok *tok = NULL;

    t_assert_err(zt_tok_new(&tok, json, strlen(json), &dg), ZC_OK, &dg);
    free(json);
    assert_linear(tok, what);
}

START_TEST(tokenizer_json_is_linear)
{
    json_t *vectors = t_tok_vectors("text_tok_vectors.json");
    json_t *cases = json_object_get(vectors, "cases"), *one;
    size_t i;

    ck_assert_uint_gt(json_array_size(cases), 40);
    json_array_foreach (cases, i, one) {
        char *changes = json_dumps(json_object_get(one, "changes"), 0);
        assert_linear_json(t_tok_case(vectors, one), changes);
        free(changes);
    }
    json_decref(vectors);
    assert_linear_json(t_tok_bytes_json(T_TOK_ADDED("<e<e<e", "true")), "added token");
}
END_TEST

START_TEST(tokenizer_model_is_linear)
{
    json_t *cases = t_tok_vectors("text_spm_vectors.json"), *one;
    struct zt_tok *tok = NULL;
    size_t i, n;

    ck_assert_uint_gt(json_array_size(cases), 0);
    json_array_foreach (cases, i, one) {
        char *model = t_tok_unhex(json_object_get(one, "model"), &n);
        t_assert_err(zt_tok_new_spm(&tok, model, n, &dg), ZC_OK, &dg);
        free(model);
        assert_linear(tok, json_string_value(json_object_get(one, "name")));
    }
    json_decref(cases);
}
END_TEST

START_TEST(tekken_json_is_linear)
{
    char *json = t_tok_tekken_json();
    struct zt_tok *tok = NULL;

    t_assert_err(zt_tok_new_tekken(&tok, json, strlen(json), &dg), ZC_OK, &dg);
    free(json);
    assert_linear(tok, "tekken.json");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("text_steps");
    TCase *tc = tcase_create("linear");

    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, tokenizer_json_is_linear);
    tcase_add_test(tc, tokenizer_model_is_linear);
    tcase_add_test(tc, tekken_json_is_linear);
    suite_add_tcase(s, tc);
    return t_run(s);
}
