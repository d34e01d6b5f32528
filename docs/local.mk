# SPDX-License-Identifier: MIT
# docs/protocol.md and the page zorac-protocol.7 are committed; their tables come from the code.
# Installed as they lie here, so that the links from one to another hold.
dist_doc_DATA = README.md HACKING.md
docsdir = $(docdir)/docs
dist_docs_DATA = %D%/admin.md %D%/design.md %D%/performance.md %D%/protocol.md %D%/security.md
check_PROGRAMS += %D%/mkprotocol
%C%_mkprotocol_SOURCES = %D%/mkprotocol.c
%C%_mkprotocol_CFLAGS = $(AM_CFLAGS) $(MSGPACK_CFLAGS)
%C%_mkprotocol_LDADD = common/libcommon.a $(MSGPACK_LIBS)

.PHONY: protocol
protocol: %D%/mkprotocol
	for f in docs/protocol.md docs/man/zorac-protocol.7; do \
	  %D%/mkprotocol $(srcdir)/$$f >protocol.tmp && mv protocol.tmp $(srcdir)/$$f || exit 1; \
	done
