# SPDX-License-Identifier: MIT
# Everything but main in an archive, so that its parts can be tested.
noinst_LIBRARIES += %D%/libserve.a
%C%_libserve_a_CPPFLAGS = $(AM_CPPFLAGS) -DZS_SYSCONFDIR='"$(sysconfdir)"'
%C%_libserve_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(MSGPACK_CFLAGS) $(JANSSON_CFLAGS) \
  $(INIH_CFLAGS) $(SYSTEMD_CFLAGS)
%C%_libserve_a_SOURCES = \
  %D%/zs_choice.c \
  %D%/zs_choice.h \
  %D%/zs_config.c \
  %D%/zs_config.h \
  %D%/zs_job.c \
  %D%/zs_job.h \
  %D%/zs_limits.h \
  %D%/zs_load.c \
  %D%/zs_load.h \
  %D%/zs_mailbox.c \
  %D%/zs_mailbox.h \
  %D%/zs_model.c \
  %D%/zs_model.h \
  %D%/zs_params.c \
  %D%/zs_params.h \
  %D%/zs_prompt.c \
  %D%/zs_prompt.h \
  %D%/zs_sched.c \
  %D%/zs_sched.h \
  %D%/zs_stop.c \
  %D%/zs_stop.h \
  %D%/zs_text.c \
  %D%/zs_text.h \
  %D%/zs_transcript.c \
  %D%/zs_transcript.h
