# SPDX-License-Identifier: MIT
noinst_LIBRARIES += %D%/libtext.a
%C%_libtext_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(PCRE2_CFLAGS) $(UTF8PROC_CFLAGS)
# Tokenizers; tests/unit/test_text_steps.c counts what these do.
tok_sources = \
  %D%/zt_added.c %D%/zt_added.h \
  %D%/zt_bpe.c %D%/zt_bpe.h \
  %D%/zt_decoder.c %D%/zt_decoder.h \
  %D%/zt_detok.c \
  %D%/zt_json.c %D%/zt_json.h \
  %D%/zt_norm.c %D%/zt_norm.h \
  %D%/zt_pre.c %D%/zt_pre.h \
  %D%/zt_proto.c %D%/zt_proto.h \
  %D%/zt_regex.c %D%/zt_regex.h \
  %D%/zt_spm.c \
  %D%/zt_spm_norm.c %D%/zt_spm_norm.h \
  %D%/zt_tekken.c \
  %D%/zt_text.c %D%/zt_text.h \
  %D%/zt_tok.c %D%/zt_tok.h %D%/zt_tok_internal.h \
  %D%/zt_tok_added.c \
  %D%/zt_form.c %D%/zt_form.h %D%/zt_tok_load.c %D%/zt_tok_open.c \
  %D%/zt_vocab.c %D%/zt_vocab.h
%C%_libtext_a_SOURCES = $(tok_sources) \
  %D%/zt_chat.c %D%/zt_chat.h \
  %D%/zt_check.c %D%/zt_check.h \
  %D%/zt_mistral.c %D%/zt_mistral.h %D%/zt_mistral_messages.c \
  %D%/zt_tmpl.c %D%/zt_tmpl.h %D%/zt_tmpl_internal.h %D%/zt_tmpl_env.c \
  %D%/zt_tmpl_frame.c %D%/zt_tmpl_lex.c %D%/zt_tmpl_parse.c %D%/zt_tmpl_eval.c \
  %D%/zt_py.h %D%/zt_py_internal.h \
  %D%/zt_py_big.c %D%/zt_py_call.c %D%/zt_py_char.c %D%/zt_py_filters.c %D%/zt_py_format.c \
  %D%/zt_py_globals.c %D%/zt_py_html.c %D%/zt_py_json.c %D%/zt_py_literal.c %D%/zt_py_number.c \
  %D%/zt_py_objects.c %D%/zt_py_ops.c %D%/zt_py_repr.c %D%/zt_py_str.c %D%/zt_py_text.c %D%/zt_py_values.c
# What a program needs that reads or writes text of a model.
text_libs = %D%/libtext.a common/libcommon.a $(JANSSON_LIBS) $(PCRE2_LIBS) $(UTF8PROC_LIBS)
