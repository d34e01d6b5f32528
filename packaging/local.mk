# SPDX-License-Identifier: MIT
# What makes the programs at home on a system: units, configuration, completions of the shells.
# make deb and make rpm are in packages.mk.
bashcompdir = $(datadir)/bash-completion/completions
zshcompdir = $(datadir)/zsh/site-functions
fishcompdir = $(datadir)/fish/vendor_completions.d
dist_zshcomp_DATA = %D%/completions/_zorac %D%/completions/_zoracd
dist_fishcomp_DATA = %D%/completions/zorac.fish %D%/completions/zoracd.fish
EXTRA_DIST += %D%/completions/zorac.bash %D%/completions/zoracd.bash

# ---- systemd: below the prefix, where it looks for /usr and /usr/local ----
systemdsystemunitdir = $(prefix)/lib/systemd/system
systemduserunitdir = $(prefix)/lib/systemd/user
sysusersdir = $(prefix)/lib/sysusers.d
tmpfilesdir = $(prefix)/lib/tmpfiles.d
unit_sources = %D%/systemd/zoracd.service.in %D%/systemd/zoracd.socket.in \
  %D%/systemd/user/zoracd.service.in %D%/systemd/user/zoracd.socket.in \
  %D%/systemd/zoracd.sysusers.in %D%/systemd/zoracd.tmpfiles.in %D%/systemd/10-cuda.conf.in \
  %D%/systemd/zoracd-cuda.in
EXTRA_DIST += $(unit_sources) %D%/zoracd.conf
unit_files = $(unit_sources:.in=)
CLEANFILES += $(unit_files)
$(unit_files): %D%/local.mk
$(unit_files): %: %.in
	$(AM_V_GEN)$(MKDIR_P) $(@D) && sed -e 's|@bindir[@]|$(bindir)|g' \
	  -e 's|@sysconfdir[@]|$(sysconfdir)|g' -e 's|@pkgdatadir[@]|$(pkgdatadir)|g' $< >$@.tmp && mv $@.tmp $@
if HAVE_SYSTEMD
noinst_DATA = %D%/systemd/zoracd.sysusers %D%/systemd/zoracd.tmpfiles
nodist_systemdsystemunit_DATA = %D%/systemd/zoracd.service %D%/systemd/zoracd.socket
nodist_systemduserunit_DATA = %D%/systemd/user/zoracd.service %D%/systemd/user/zoracd.socket
if HAVE_CUDA
# The drop-in is not where systemd reads it: the generator puts it there, where there is a card.
systemdgeneratordir = $(prefix)/lib/systemd/system-generators
nodist_pkgdata_DATA = %D%/systemd/10-cuda.conf
nodist_systemdgenerator_SCRIPTS = %D%/systemd/zoracd-cuda
endif
endif

# ---- the configuration is installed once and never written over ----
zoracconfdir = $(sysconfdir)/zorac

# bash and fish look for a file of the command's name, so one file has several.
install-data-local:
	$(MKDIR_P) '$(DESTDIR)$(bashcompdir)'
	for c in zorac zoracd; do \
	  $(INSTALL_DATA) '$(srcdir)'/packaging/completions/$$c.bash '$(DESTDIR)$(bashcompdir)'/$$c || exit 1; \
	done
	$(MKDIR_P) '$(DESTDIR)$(zoracconfdir)'
	test -e '$(DESTDIR)$(zoracconfdir)/zoracd.conf' || \
	  $(INSTALL_DATA) '$(srcdir)'/packaging/zoracd.conf '$(DESTDIR)$(zoracconfdir)'
if HAVE_SYSTEMD
	$(MKDIR_P) '$(DESTDIR)$(sysusersdir)' '$(DESTDIR)$(tmpfilesdir)'
	$(INSTALL_DATA) packaging/systemd/zoracd.sysusers '$(DESTDIR)$(sysusersdir)'/zoracd.conf
	$(INSTALL_DATA) packaging/systemd/zoracd.tmpfiles '$(DESTDIR)$(tmpfilesdir)'/zoracd.conf
endif
install-data-hook:
	cd '$(DESTDIR)$(bashcompdir)' && rm -f zorac-cli zorac-bench zorac-inspect && \
	  $(LN_S) zorac zorac-cli && $(LN_S) zoracd zorac-bench && $(LN_S) zoracd zorac-inspect
	cd '$(DESTDIR)$(fishcompdir)' && rm -f zorac-cli.fish zorac-bench.fish zorac-inspect.fish && \
	  $(LN_S) zorac.fish zorac-cli.fish && $(LN_S) zoracd.fish zorac-bench.fish && \
	  $(LN_S) zoracd.fish zorac-inspect.fish
	cd '$(DESTDIR)$(man1dir)' && rm -f zorac-cli.1 && $(LN_S) zorac.1 zorac-cli.1
uninstall-local:
	if cmp -s '$(srcdir)/packaging/zoracd.conf' '$(DESTDIR)$(zoracconfdir)/zoracd.conf'; then \
	  rm -f '$(DESTDIR)$(zoracconfdir)/zoracd.conf'; \
	fi
	rm -f '$(DESTDIR)$(sysusersdir)'/zoracd.conf '$(DESTDIR)$(tmpfilesdir)'/zoracd.conf
	cd '$(DESTDIR)$(bashcompdir)' && rm -f zorac zoracd zorac-cli zorac-bench zorac-inspect
	cd '$(DESTDIR)$(fishcompdir)' && rm -f zorac-cli.fish zorac-bench.fish zorac-inspect.fish
	rm -f '$(DESTDIR)$(man1dir)'/zorac-cli.1
