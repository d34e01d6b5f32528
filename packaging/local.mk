# SPDX-License-Identifier: MIT
# What makes the programs at home on a system: completions of the shells.
bashcompdir = $(datadir)/bash-completion/completions
zshcompdir = $(datadir)/zsh/site-functions
fishcompdir = $(datadir)/fish/vendor_completions.d
dist_zshcomp_DATA = %D%/completions/_zorac %D%/completions/_zoracd
dist_fishcomp_DATA = %D%/completions/zorac.fish %D%/completions/zoracd.fish
EXTRA_DIST += %D%/completions/zorac.bash %D%/completions/zoracd.bash

# bash and fish look for a file of the command's name, so one file has several.
install-data-local:
	$(MKDIR_P) '$(DESTDIR)$(bashcompdir)'
	for c in zorac zoracd; do \
	  $(INSTALL_DATA) '$(srcdir)'/packaging/completions/$$c.bash '$(DESTDIR)$(bashcompdir)'/$$c || exit 1; \
	done
install-data-hook:
	cd '$(DESTDIR)$(bashcompdir)' && rm -f zorac-cli zorac-bench zorac-inspect && \
	  $(LN_S) zorac zorac-cli && $(LN_S) zoracd zorac-bench && $(LN_S) zoracd zorac-inspect
	cd '$(DESTDIR)$(fishcompdir)' && rm -f zorac-cli.fish zorac-bench.fish zorac-inspect.fish && \
	  $(LN_S) zorac.fish zorac-cli.fish && $(LN_S) zoracd.fish zorac-bench.fish && \
	  $(LN_S) zoracd.fish zorac-inspect.fish
	cd '$(DESTDIR)$(man1dir)' && rm -f zorac-cli.1 && $(LN_S) zorac.1 zorac-cli.1
uninstall-local:
	cd '$(DESTDIR)$(bashcompdir)' && rm -f zorac zoracd zorac-cli zorac-bench zorac-inspect
	cd '$(DESTDIR)$(fishcompdir)' && rm -f zorac-cli.fish zorac-bench.fish zorac-inspect.fish
	rm -f '$(DESTDIR)$(man1dir)'/zorac-cli.1
