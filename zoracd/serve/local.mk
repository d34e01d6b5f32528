# SPDX-License-Identifier: MIT
# Everything but main in an archive, so that its parts can be tested.
noinst_LIBRARIES += %D%/libserve.a
%C%_libserve_a_CPPFLAGS = $(AM_CPPFLAGS) -DZS_SYSCONFDIR='"$(sysconfdir)"'
%C%_libserve_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(MSGPACK_CFLAGS) $(JANSSON_CFLAGS) \
  $(INIH_CFLAGS) $(SYSTEMD_CFLAGS)
%C%_libserve_a_SOURCES = \
  %D%/zs_cage.c %D%/zs_cage.h \
  %D%/zs_admit.c \
  %D%/zs_choice.c %D%/zs_choice.h \
  %D%/zs_cmd_admin.c \
  %D%/zs_cmd_generate.c \
  %D%/zs_cmd_session.c \
  %D%/zs_config.c %D%/zs_config.h \
  %D%/zs_conn.c \
  %D%/zs_dispatch.c \
  %D%/zs_front.c %D%/zs_front.h \
  %D%/zs_internal.h \
  %D%/zs_job.c %D%/zs_job.h \
  %D%/zs_jobs.c \
  %D%/zs_limits.h \
  %D%/zs_listen.c %D%/zs_listen.h \
  %D%/zs_load.c %D%/zs_load.h \
  %D%/zs_mailbox.c %D%/zs_mailbox.h \
  %D%/zs_model.c %D%/zs_model.h \
  %D%/zs_params.c %D%/zs_params.h \
  %D%/zs_prompt.c %D%/zs_prompt.h \
  %D%/zs_sched.c %D%/zs_sched.h %D%/zs_sched_internal.h \
  %D%/zs_sd.h \
  %D%/zs_session.c %D%/zs_session.h \
  %D%/zs_stop.c %D%/zs_stop.h \
  %D%/zs_text.c %D%/zs_text.h \
  %D%/zs_transcript.c %D%/zs_transcript.h \
  %D%/zs_user.c %D%/zs_user.h
if HAVE_SYSTEMD
%C%_libserve_a_SOURCES += %D%/zs_sd.c
else
%C%_libserve_a_SOURCES += %D%/zs_sd_none.c
endif

bin_PROGRAMS += zoracd/zoracd
zoracd_zoracd_SOURCES = zoracd/main.c
zoracd_zoracd_CPPFLAGS = $(AM_CPPFLAGS) -DZS_DEMO_DIR='"$(demodir)"'
zoracd_zoracd_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
zoracd_zoracd_LDADD = %D%/libserve.a zoracd/text/libtext.a $(engine_libs) \
  $(EVENT_LIBS) $(MSGPACK_LIBS) $(UTF8PROC_LIBS) $(INIH_LIBS) $(SYSTEMD_LIBS)
