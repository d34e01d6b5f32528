# SPDX-License-Identifier: MIT
# The client: everything but main in an archive, so that its parts can be tested.
noinst_LIBRARIES += %D%/libzcli.a
%C%_libzcli_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(MSGPACK_CFLAGS) $(SQLITE3_CFLAGS) $(READLINE_CFLAGS)
%C%_libzcli_a_SOURCES = \
  %D%/zcli_ask.c \
  %D%/zcli_chat.c \
  %D%/zcli_cmd.c %D%/zcli_cmd.h \
  %D%/zcli_conn.c %D%/zcli_conn.h \
  %D%/zcli_input.c %D%/zcli_input.h \
  %D%/zcli_reply.c %D%/zcli_reply.h \
  %D%/zcli_store.c %D%/zcli_store.h \
  %D%/zcli_term.c %D%/zcli_term.h \
  %D%/zcli_turn.c %D%/zcli_turn.h

# Two names for one program: zorac to type, zorac-cli for those who look for it.
bin_PROGRAMS += %D%/zorac
%C%_zorac_SOURCES = %D%/main.c
%C%_zorac_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_zorac_LDADD = %D%/libzcli.a common/libcommon.a $(SQLITE3_LIBS) $(READLINE_LIBS) \
  $(JANSSON_LIBS) $(MSGPACK_LIBS)

install-exec-hook:
	cd $(DESTDIR)$(bindir) && rm -f zorac-cli && $(LN_S) zorac zorac-cli
uninstall-hook:
	rm -f $(DESTDIR)$(bindir)/zorac-cli
