# SPDX-License-Identifier: MIT
# Whole models against what others computed from them.
check_PROGRAMS += %D%/t_stories
TESTS += %D%/t_stories
%C%_t_stories_SOURCES = %D%/t_stories.c
%C%_t_stories_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_t_stories_LDADD = $(engine_libs)
