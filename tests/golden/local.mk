# SPDX-License-Identifier: MIT
# Whole models against what others computed from them.
check_LIBRARIES += %D%/libgolden.a
%C%_libgolden_a_SOURCES = %D%/t_golden.c %D%/t_golden.h
%C%_libgolden_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)

check_PROGRAMS += %D%/t_demo
TESTS += %D%/t_demo
%C%_t_demo_SOURCES = %D%/t_demo.c
%C%_t_demo_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_t_demo_LDADD = %D%/libgolden.a $(text_libs) $(engine_libs)

check_PROGRAMS += %D%/t_stories
TESTS += %D%/t_stories
%C%_t_stories_SOURCES = %D%/t_stories.c
%C%_t_stories_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_t_stories_LDADD = %D%/libgolden.a $(engine_libs)

if HAVE_CHECK
check_PROGRAMS += %D%/t_int8
TESTS += %D%/t_int8
%C%_t_int8_SOURCES = %D%/t_int8.c
%C%_t_int8_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(CHECK_CFLAGS)
%C%_t_int8_LDADD = tests/unit/libsafetensors.a $(engine_libs) $(CHECK_LIBS)
endif

# Models that tests/reference/make_families.py made, with the reference's logits.
check_PROGRAMS += %D%/t_families
TESTS += %D%/t_families
%C%_t_families_SOURCES = %D%/t_families.c
%C%_t_families_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_t_families_LDADD = %D%/libgolden.a $(engine_libs)
EXTRA_DIST += %D%/families tests/reference/make_families.py
EXTRA_DIST += %D%/templates.jsonl %D%/templates.py
