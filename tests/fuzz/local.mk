# SPDX-License-Identifier: MIT
# Fuzz targets. They are always compiled: with --enable-fuzzing linked to libFuzzer (run one by hand:
# tests/fuzz/fuzz_X tests/fuzz/corpus/X), else to replay.c, and then they are tests that run what is
# in corpus/X. A target is fuzz_X.c, named in FUZZ_TARGETS, with LDFLAGS = $(FUZZ_LINK) and
# LDADD = $(FUZZ_MAIN) before the archives it needs.
FUZZ_TARGETS = %D%/fuzz_bnb %D%/fuzz_config %D%/fuzz_daemon_conf %D%/fuzz_linear \
  %D%/fuzz_quant_config %D%/fuzz_safetensors %D%/fuzz_scan %D%/fuzz_wire
check_LIBRARIES += %D%/libreplay.a
%C%_libreplay_a_SOURCES = %D%/replay.c
if FUZZING
FUZZ_LINK = -fsanitize=fuzzer
FUZZ_MAIN =
else
FUZZ_LINK =
FUZZ_MAIN = %D%/libreplay.a
TESTS += $(FUZZ_TARGETS)
endif
check_PROGRAMS += $(FUZZ_TARGETS)
EXTRA_DIST += %D%/corpus

%C%_fuzz_bnb_SOURCES = %D%/fuzz_bnb.c
%C%_fuzz_bnb_LDFLAGS = $(FUZZ_LINK)
%C%_fuzz_bnb_LDADD = $(FUZZ_MAIN) zoracd/weights/libweights.a common/libcommon.a $(JANSSON_LIBS)
%C%_fuzz_linear_SOURCES = %D%/fuzz_linear.c
%C%_fuzz_linear_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_fuzz_linear_LDFLAGS = $(FUZZ_LINK)
%C%_fuzz_linear_LDADD = $(FUZZ_MAIN) zoracd/weights/libweights.a $(kernels_libs) \
  common/libcommon.a $(JANSSON_LIBS) $(PCRE2_LIBS)
%C%_fuzz_quant_config_SOURCES = %D%/fuzz_quant_config.c
%C%_fuzz_quant_config_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_fuzz_quant_config_LDFLAGS = $(FUZZ_LINK)
%C%_fuzz_quant_config_LDADD = $(FUZZ_MAIN) zoracd/weights/libweights.a common/libcommon.a \
  $(JANSSON_LIBS) $(PCRE2_LIBS)
%C%_fuzz_safetensors_SOURCES = %D%/fuzz_safetensors.c
%C%_fuzz_safetensors_LDFLAGS = $(FUZZ_LINK)
%C%_fuzz_safetensors_LDADD = $(FUZZ_MAIN) zoracd/weights/libweights.a common/libcommon.a \
  $(JANSSON_LIBS)
%C%_fuzz_config_SOURCES = %D%/fuzz_config.c
%C%_fuzz_config_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_fuzz_config_LDFLAGS = $(FUZZ_LINK)
%C%_fuzz_config_LDADD = $(FUZZ_MAIN) zoracd/engine/libengine.a zoracd/weights/libweights.a \
  common/libcommon.a $(JANSSON_LIBS)
%C%_fuzz_wire_SOURCES = %D%/fuzz_wire.c
%C%_fuzz_wire_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(MSGPACK_CFLAGS) $(EVENT_CFLAGS)
%C%_fuzz_wire_LDFLAGS = $(FUZZ_LINK)
%C%_fuzz_wire_LDADD = $(FUZZ_MAIN) zoracd/serve/libserve.a zoracd/text/libtext.a $(engine_libs) \
  $(EVENT_LIBS) $(MSGPACK_LIBS) $(INIH_LIBS) $(UTF8PROC_LIBS) $(SYSTEMD_LIBS)
include tests/fuzz/text_tok.mk
include tests/fuzz/text_tmpl.mk
%C%_fuzz_scan_SOURCES = %D%/fuzz_scan.c
%C%_fuzz_scan_CFLAGS = $(AM_CFLAGS) $(MSGPACK_CFLAGS)
%C%_fuzz_scan_LDFLAGS = $(FUZZ_LINK)
%C%_fuzz_scan_LDADD = $(FUZZ_MAIN) common/libcommon.a $(MSGPACK_LIBS)
%C%_fuzz_daemon_conf_SOURCES = %D%/fuzz_daemon_conf.c
%C%_fuzz_daemon_conf_LDFLAGS = $(FUZZ_LINK)
%C%_fuzz_daemon_conf_LDADD = $(FUZZ_MAIN) zoracd/serve/libserve.a common/libcommon.a $(INIH_LIBS)
