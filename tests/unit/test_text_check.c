/* SPDX-License-Identifier: MIT */
/* What zt_check says of models that fit together and of broken ones: each defect is named, and
 * nothing else is. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "common/zc_buf.h"
#include "tests/unit/t_tok.h"
#include "tests/unit/t_unit.h"
#include "zoracd/text/zt_check.h"

#define GOOD                                                                              \
    "{{ bos_token }}{% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}" \
    "{{ '<|im_start|>' + m.role + m.content + eos_token }}{% endfor %}"

static struct zc_diag dg;

static void on_finding(void *arg, enum zt_grade grade, const char *text)
{
    static const char *const grades[] = {"good", "note", "bad"};

    zc_buf_addf(arg, "%s: %s\n", grades[grade], text);
}

/* What is wrong (only_wrong: the good findings left out) with a tokenizer of 269 tokens, this
 * template, and a model of V rows that ends replies at eos (-1: nowhere). */
static const char *findings(const char *tmpl, int32_t V, int32_t eos, const char *eos_token)
{
    static char out[4000];
    char *json = t_tok_bytes_json(T_TOK_ADDED("<s>", "true") "," T_TOK_ADDED("</s>", "true") "," //
                                  T_TOK_ADDED("<|im_start|>", "true"));
    struct zt_chat chat = {.trusted =
                               json_pack("{s:s, s:s}", "bos_token", "<s>", "eos_token", eos_token)};
    struct zt_check_model model = {V, &eos, eos >= 0};
    struct zc_buf buf;

    zc_buf_init(&buf, sizeof out - 1);
    t_assert_err(zt_tok_new(&chat.tok, json, strlen(json), &dg), ZC_OK, &dg);
    t_assert_err(zt_tmpl_new(&chat.tmpl, "t", tmpl, strlen(tmpl), &dg), ZC_OK, &dg);
    int n = zt_check(&chat, &model, on_finding, &buf);
    size_t len = 0;
    int n_bad = 0;
    for (char *line = strtok(buf.data, "\n"); line; line = strtok(NULL, "\n")) {
        n_bad += strncmp(line, "bad", 3) == 0;
        if (strncmp(line, "good", 4) != 0)
            len += (size_t)snprintf(out + len, sizeof out - len, "%s\n", line);
    }
    out[len] = '\0';
    ck_assert_int_eq(n, n_bad);
    zc_buf_release(&buf);
    zt_chat_release(&chat);
    free(json);
    return out;
}

#define ROWS 267 /* the tokens of findings() */
#define EOS  265

START_TEST(nothing_is_said_against_what_fits)
{
    ck_assert_str_eq(findings(GOOD, ROWS, EOS, "</s>"), "");
    ck_assert_str_eq(findings(GOOD, ROWS + 100, EOS, "</s>"), "");
}
END_TEST

START_TEST(a_tokenizer_of_another_model_is_told)
{
    ck_assert_str_eq(
        findings(GOOD, 260, 1, "</s>"),
        "bad: the tokenizer has 267 tokens and the model only 260: they are not of the "
        "same model; take both from one repository\n"
        "note: eos_token_id 1 is the ordinary token '\u0101': a reply ends wherever it "
        "has that text\n"
        "note: tokenizer_config.json ends replies with </s> (265), which is no "
        "eos_token_id: add it to generation_config.json if replies do not end\n");
    ck_assert_ptr_nonnull(strstr(findings(GOOD, ROWS - 1, EOS, "</s>"),
                                 "note: 1 added tokens of the tokenizer have no row"));
    ck_assert_ptr_nonnull(strstr(findings(GOOD, 32000, EOS, "</s>"),
                                 "note: the tokenizer has 267 tokens and the model 32000"));
}
END_TEST

START_TEST(an_end_that_never_comes_is_told)
{
    ck_assert_str_eq(findings(GOOD, 300, 299, "</s>"),
                     "bad: eos_token_id 299 is no token of the tokenizer: config.json or "
                     "generation_config.json is of another model\n"
                     "note: tokenizer_config.json ends replies with </s> (265), which is no "
                     "eos_token_id: add it to generation_config.json if replies do not end\n");
    ck_assert_ptr_nonnull(strstr(findings(GOOD, ROWS, -1, "</s>"), "replies go on to max_tokens"));
}
END_TEST

START_TEST(a_template_of_another_model_is_told)
{
    ck_assert_str_eq(findings(GOOD, ROWS, EOS, "<end>"),
                     "bad: the template writes the eos_token <end>, which is no token of the "
                     "tokenizer: tokenizer_config.json is of another model\n");
    ck_assert_str_eq(findings("{{ bos_token }}{% for m in messages %}<|user|>{{ m.content }}<|x y|>"
                              "{{ tools }}{% endfor %}",
                              ROWS, EOS, "</s>"),
                     "note: the template writes <|user|>, which is no token: the model reads it "
                     "letter by letter. A few were trained so; else template and tokenizer are of "
                     "two models\n");
}
END_TEST

START_TEST(what_a_template_does_not_do_is_told)
{
    ck_assert_str_eq(
        findings("{{ bos_token + messages[-1].content }}", ROWS, EOS, "</s>"),
        "note: the template leaves out system messages, which the model then never sees\n"
        "note: the template leaves out earlier replies, which the model then never sees\n"
        "note: the template knows no tools: what a request says of them has no "
        "effect\n");
    ck_assert_str_eq(
        findings("{{ bos_token }}Hello", ROWS, EOS, "</s>"),
        "bad: the template leaves out the question, which the model then never sees\n"
        "note: the template leaves out system messages, which the model then never sees\n"
        "note: the template leaves out earlier replies, which the model then never sees\n"
        "note: the template knows no tools: what a request says of them has no "
        "effect\n");
    ck_assert_str_eq(findings("{{ raise_exception('no') }}", ROWS, EOS, "</s>"),
                     "bad: the template refuses a question: t:1: no\n");
    ck_assert_ptr_nonnull(
        strstr(findings("{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ "
                        "raise_exception('no system') }}{% endif %}{{ m.content }}{% endfor %}",
                        ROWS, EOS, "</s>"),
               "note: the template refuses a system message: t:1: no system"));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("text_check");
    TCase *tc = tcase_create("check");

    tcase_add_test(tc, nothing_is_said_against_what_fits);
    tcase_add_test(tc, a_tokenizer_of_another_model_is_told);
    tcase_add_test(tc, an_end_that_never_comes_is_told);
    tcase_add_test(tc, a_template_of_another_model_is_told);
    tcase_add_test(tc, what_a_template_does_not_do_is_told);
    suite_add_tcase(s, tc);
    return t_run(s);
}
