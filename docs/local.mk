# SPDX-License-Identifier: MIT
# docs/protocol.md is committed; its tables come from the code.
EXTRA_DIST += %D%/performance.md %D%/protocol.md
check_PROGRAMS += %D%/mkprotocol
%C%_mkprotocol_SOURCES = %D%/mkprotocol.c
%C%_mkprotocol_CFLAGS = $(AM_CFLAGS) $(MSGPACK_CFLAGS)
%C%_mkprotocol_LDADD = common/libcommon.a $(MSGPACK_LIBS)

.PHONY: protocol
protocol: %D%/mkprotocol
	%D%/mkprotocol $(srcdir)/docs/protocol.md >protocol.tmp
	mv protocol.tmp $(srcdir)/docs/protocol.md
