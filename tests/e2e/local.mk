# SPDX-License-Identifier: MIT
# Each script starts a daemon of its own at a socket of its own (lib.sh).
check_PROGRAMS += %D%/rpc
%C%_rpc_SOURCES = %D%/rpc.c
%C%_rpc_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(MSGPACK_CFLAGS)
%C%_rpc_LDADD = common/libcommon.a $(JANSSON_LIBS) $(MSGPACK_LIBS)
check_PROGRAMS += %D%/freeze
%C%_freeze_SOURCES = %D%/freeze.c

e2e_scripts = \
  %D%/cancel.sh \
  %D%/client.sh \
  %D%/clients.sh \
  %D%/doctor.sh \
  %D%/flood.sh \
  %D%/generate.sh \
  %D%/loading.sh \
  %D%/malformed.sh \
  %D%/memory.sh \
  %D%/options.sh \
  %D%/protocol.sh \
  %D%/reader.sh \
  %D%/second.sh \
  %D%/slowload.sh \
  %D%/stop.sh \
  %D%/systemd.sh \
  %D%/tools.sh \
  %D%/users.sh \
  %D%/watchdog.sh
dist_check_SCRIPTS += $(e2e_scripts)
TESTS += $(e2e_scripts)
EXTRA_DIST += %D%/lib.sh %D%/hear.py %D%/slowdisk.c
# preloaded, so that a disk is as slow as a test wants it
check_DATA += %D%/slowdisk.so
CLEANFILES += %D%/slowdisk.so
%D%/slowdisk.so: %D%/slowdisk.c
	@$(MKDIR_P) $(@D)
	$(AM_V_CCLD)$(CC) -std=gnu17 -D_GNU_SOURCE -O2 -Wall -Wextra -fPIC -shared -o $@ $(srcdir)/%D%/slowdisk.c -ldl
