/* SPDX-License-Identifier: MIT */
/* What zt_check says of models that fit together and of broken ones: each defect is named, and
 * nothing else is. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "common/zc_buf.h"
#include "common/zc_mem.h"
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
static const char *findings_of(const char *tmpl, const struct zt_check_model *model,
                               const char *eos_token, bool has_tok)
{
    static char out[4000];
    char *json = t_tok_bytes_json(T_TOK_ADDED("<s>", "true") "," T_TOK_ADDED("</s>", "true") "," //
                                  T_TOK_ADDED("<|im_start|>", "true"));
    struct zt_chat chat = {.trusted =
                               json_pack("{s:s, s:s}", "bos_token", "<s>", "eos_token", eos_token)};
    struct zc_buf buf;

    zc_buf_init(&buf, sizeof out - 1);
    if (has_tok)
        t_assert_err(zt_tok_new(&chat.tok, json, strlen(json), &dg), ZC_OK, &dg);
    if (tmpl)
        t_assert_err(zt_tmpl_new(&chat.tmpl, "t", tmpl, strlen(tmpl), &dg), ZC_OK, &dg);
    int n = zt_check(&chat, model, on_finding, &buf);
    size_t len = 0;
    int n_bad = 0;
    for (char *line = strtok((char *)(uintptr_t)zc_buf_str(&buf), "\n"); line;
         line = strtok(NULL, "\n")) {
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

static const char *findings(const char *tmpl, int32_t V, int32_t eos, const char *eos_token)
{
    struct zt_check_model model = {V, &eos, eos >= 0};

    return findings_of(tmpl, &model, eos_token, true);
}

#define AGAIN \
    "fetch chat_template.jinja or tokenizer_config.json again from the model's repository\n"
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
        "has that text; correct it in generation_config.json if replies end too early\n"
        "note: tokenizer_config.json ends replies with </s> (265), which is no "
        "eos_token_id: add it to generation_config.json if replies do not end\n"
        "bad: the template writes <s> (264), and the model has only 260 rows: every conversation "
        "would be refused; fetch the model's files again from one repository\n");
    ck_assert_str_eq(findings("{{ bos_token }}{% for m in messages %}{{ m.content + eos_token }}"
                              "{{ tools }}{% endfor %}",
                              ROWS - 1, EOS, "</s>"),
                     "note: 1 added tokens of the tokenizer have no row in the model (266): "
                     "prompts with one of them will be refused; nothing to do unless the template "
                     "needs them\n");
    ck_assert_str_eq(findings(GOOD, 32000, EOS, "</s>"),
                     "note: the tokenizer has 267 tokens and the model 32000: perhaps they are not "
                     "of the same model; take both from one repository if answers make no "
                     "sense\n");
}
END_TEST

/* A token that every conversation has, and no row of the model. */
START_TEST(a_special_token_out_of_range_is_told)
{
    ck_assert_str_eq(
        findings(GOOD, ROWS - 1, EOS, "</s>"),
        "note: 1 added tokens of the tokenizer have no row in the model (266): prompts with one of "
        "them will be refused; nothing to do unless the template needs them\n"
        "bad: the template writes <|im_start|> (266), and the model has only 266 rows: every "
        "conversation would be refused; fetch the model's files again from one repository\n");
}
END_TEST

START_TEST(an_end_that_never_comes_is_told)
{
    ck_assert_str_eq(findings(GOOD, 300, 299, "</s>"),
                     "bad: eos_token_id 299 is no token of the tokenizer: config.json or "
                     "generation_config.json is of another model; fetch both again from the "
                     "model's repository\n"
                     "note: tokenizer_config.json ends replies with </s> (265), which is no "
                     "eos_token_id: add it to generation_config.json if replies do not end\n");
    ck_assert_str_eq(findings(GOOD, ROWS, -1, "</s>"),
                     "note: neither config.json nor generation_config.json has an eos_token_id: "
                     "replies go on to max_tokens; add it to generation_config.json\n");
}
END_TEST

/* Replies that the model ends with another token than the one that is waited for. */
START_TEST(a_turn_that_ends_otherwise_is_told)
{
    ck_assert_str_eq(
        findings("{{ bos_token }}{% for m in messages %}{{ m.content + '<|im_start|>' }}"
                 "{{ tools }}{% endfor %}",
                 ROWS, EOS, "</s>"),
        "note: the template ends a reply with <|im_start|> (266), which is no eos_token_id: add it "
        "to generation_config.json if replies do not end\n");
    ck_assert_str_eq(findings("{{ bos_token }}{% for m in messages %}{{ m.content }}\n</s>"
                              "{{ tools }}<|im_start|>{% endfor %}",
                              ROWS, EOS, "</s>"),
                     "");
}
END_TEST

START_TEST(a_template_of_another_model_is_told)
{
    ck_assert_str_eq(findings(GOOD, ROWS, EOS, "<end>"),
                     "bad: the template writes the eos_token <end>, which is no token of the "
                     "tokenizer: tokenizer_config.json is of another model; fetch it again from "
                     "the model's repository\n");
    ck_assert_str_eq(findings("{{ bos_token }}{% for m in messages %}<|user|>{{ m.content }}<|x y|>"
                              "{{ tools }}{% endfor %}",
                              ROWS, EOS, "</s>"),
                     "note: the template writes <|user|>, which is no token: the model reads it "
                     "letter by letter. A few were trained so; else template and tokenizer are of "
                     "two models: fetch both again from one repository\n");
    ck_assert_str_eq(findings("{% for m in messages %}{{ m.content }}{{ tools }}{% endfor %}", ROWS,
                              EOS, "</s>"),
                     "");
}
END_TEST

/* The tokenizer puts <s> before plain text. */
START_TEST(a_template_without_a_beginning_is_told)
{
    static const char tmpl[] = "{% for m in messages %}{{ m.content }}{{ tools }}{% endfor %}";
    char *json = t_tok_meta_json("");
    struct zt_chat chat = {.trusted = json_object()};
    struct zc_buf buf;

    zc_buf_init(&buf, 4000);
    t_assert_err(zt_tok_new(&chat.tok, json, strlen(json), &dg), ZC_OK, &dg);
    t_assert_err(zt_tmpl_new(&chat.tmpl, "t", tmpl, strlen(tmpl), &dg), ZC_OK, &dg);
    ck_assert_int_eq(zt_check(&chat, NULL, on_finding, &buf), 0);
    ck_assert_ptr_nonnull(strstr(zc_buf_str(&buf),
                                 "note: the template does not begin with <s>, which the tokenizer "
                                 "puts before plain text; if answers are poor, compare the "
                                 "template with that of the model's repository\n"));
    zc_buf_release(&buf);
    zt_chat_release(&chat);
    free(json);
}
END_TEST

START_TEST(what_a_template_does_not_do_is_told)
{
    static const char notes[] =
        "note: the template leaves out system messages, which the model then never sees; give "
        "instructions in the question\n"
        "note: the template leaves out earlier replies, which the model then never sees; begin a "
        "new conversation for each question\n"
        "note: the template leaves out tools, which the model then never sees; take a model that "
        "was trained for tools where requests have some\n";
    char want[1000];

    ck_assert_str_eq(findings("{{ bos_token + messages[-1].content }}", ROWS, EOS, "</s>"), notes);
    snprintf(want, sizeof want,
             "bad: the template leaves out the question, which the model then never sees; " AGAIN
             "%s",
             notes);
    ck_assert_str_eq(findings("{{ bos_token }}Hello", ROWS, EOS, "</s>"), want);
    ck_assert_str_eq(findings("{{ raise_exception('no') }}", ROWS, EOS, "</s>"),
                     "bad: the template refuses a question: t:1: no; " AGAIN);
    ck_assert_str_eq(
        findings("{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ "
                 "raise_exception('no system') }}{% endif %}{{ m.content }}{{ tools }}{% endfor %}",
                 ROWS, EOS, "</s>"),
        "note: the template refuses a system message: t:1: no system; give instructions in the "
        "question\n");
}
END_TEST

/* The question that is left out where there is more than it; a text with a NUL; nothing at all. */
START_TEST(what_is_missing_is_named)
{
    ck_assert_str_eq(findings("{{ bos_token }}{% if tools %}{{ tools }}{% else %}{% for m in "
                              "messages %}{{ m.content }}{% endfor %}{% endif %}",
                              ROWS, EOS, "</s>"),
                     "note: the template leaves out the question beside tools; " AGAIN);
    ck_assert_str_eq(findings("{{ bos_token }}{{ '\\x00' }}{% for m in messages %}{{ m.content }}"
                              "{{ tools }}{% endfor %}",
                              ROWS, EOS, "</s>"),
                     "");
    ck_assert_str_eq(findings("", ROWS, EOS, "</s>"),
                     "bad: the template is empty, or writes nothing for a question; " AGAIN);
}
END_TEST

/* Cut after the last whole character, and on one line. */
START_TEST(a_long_name_is_cut)
{
    char a[60] = "", want[200];

    memset(a, 'a', 58);
    char *eos = zc_xasprintf("\n%s\u00e9\u00e9", a);
    snprintf(want, sizeof want, "the eos_token ?%s, which is no token", a);
    ck_assert_ptr_nonnull(strstr(findings(GOOD, ROWS, EOS, eos), want));
    zc_free(eos);
}
END_TEST

/* A part that is not there hides only what needs it. */
START_TEST(the_other_parts_are_looked_at_without_one)
{
    const int32_t eos = 299;
    struct zt_check_model model = {300, &eos, 1};

    ck_assert_str_eq(findings_of(NULL, &model, "</s>", true),
                     "bad: eos_token_id 299 is no token of the tokenizer: config.json or "
                     "generation_config.json is of another model; fetch both again from the "
                     "model's repository\n"
                     "note: tokenizer_config.json ends replies with </s> (265), which is no "
                     "eos_token_id: add it to generation_config.json if replies do not end\n");
    ck_assert_str_eq(findings_of("{{ raise_exception('no') }}", &model, "</s>", false),
                     "bad: the template refuses a question: t:1: no; " AGAIN);
    ck_assert_str_eq(findings_of(GOOD, NULL, "<end>", true),
                     "bad: the template writes the eos_token <end>, which is no token of the "
                     "tokenizer: tokenizer_config.json is of another model; fetch it again from "
                     "the model's repository\n");
    ck_assert_str_eq(findings_of(NULL, NULL, "</s>", false), "");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("text_check");
    TCase *tc = tcase_create("check");

    tcase_add_test(tc, nothing_is_said_against_what_fits);
    tcase_add_test(tc, a_tokenizer_of_another_model_is_told);
    tcase_add_test(tc, a_special_token_out_of_range_is_told);
    tcase_add_test(tc, an_end_that_never_comes_is_told);
    tcase_add_test(tc, a_turn_that_ends_otherwise_is_told);
    tcase_add_test(tc, a_template_of_another_model_is_told);
    tcase_add_test(tc, a_template_without_a_beginning_is_told);
    tcase_add_test(tc, what_a_template_does_not_do_is_told);
    tcase_add_test(tc, what_is_missing_is_named);
    tcase_add_test(tc, a_long_name_is_cut);
    tcase_add_test(tc, the_other_parts_are_looked_at_without_one);
    suite_add_tcase(s, tc);
    return t_run(s);
}
