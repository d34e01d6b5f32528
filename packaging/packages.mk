# SPDX-License-Identifier: MIT
# make deb, make rpm: from the tarball of make dist, in folders of their own; what comes out is in
# ./packages. zoracd-cuda is built where configure found nvcc.
EXTRA_DIST += %D%/README.md %D%/debian/changelog %D%/debian/control %D%/debian/copyright %D%/debian/rules \
  %D%/debian/source/format %D%/debian/zorac-cli.install %D%/debian/zoracd-cuda.install \
  %D%/debian/zorac-cli.lintian-overrides %D%/debian/zoracd-cuda.lintian-overrides \
  %D%/debian/zoracd-cuda.postinst %D%/debian/zoracd-cuda.postrm %D%/debian/zoracd.lintian-overrides %D%/debian/zoracd.postinst \
  %D%/debian/zoracd.prerm %D%/debian/zoracd.install %D%/debian/zoracd.postrm \
  %D%/cuda-licence.sh %D%/rpm/rpmlint.toml %D%/rpm/zorac.spec.in
if HAVE_CUDA
deb_profiles = nocheck pkg.zorac.cuda
rpm_switches = --with cuda
export NVCC
else
deb_profiles = nocheck
rpm_switches =
endif

# Who publishes is asked for at configure time; .invalid is no address, on purpose.
fill_in = sed -i -e 's/@VERSION[@]/$(VERSION)/' -e 's/@MAINTAINER[@]/$(MAINTAINER)/'
say_who = case '$(MAINTAINER)' in *.invalid*) \
  echo "nobody answers for these packages: before they are published, configure --with-maintainer='NAME <MAIL>'";; esac

# The packages are for the architectures that this tree is configured for.
export ZORAC_CUDA_ARCH = $(with_cuda_arch)

.PHONY: deb rpm check-packages
deb: dist
	rm -rf deb-build && $(MKDIR_P) deb-build packages
	tar -C deb-build -xf $(distdir).tar.xz
	cp $(distdir).tar.xz deb-build/$(PACKAGE)_$(VERSION).orig.tar.xz
	cp -R deb-build/$(distdir)/packaging/debian deb-build/$(distdir)/debian
	$(fill_in) deb-build/$(distdir)/debian/control deb-build/$(distdir)/debian/changelog
	cd deb-build/$(distdir) && dpkg-checkbuilddeps -P nocheck # nvcc is configure's, not always a package's
	cd deb-build/$(distdir) && unset MAKEFLAGS MAKELEVEL; DEB_BUILD_OPTIONS="nocheck parallel=2" \
	  DEB_BUILD_PROFILES="$(deb_profiles)" dpkg-buildpackage -b -d -us -uc
	cp deb-build/*.deb packages
	@$(say_who)
rpm: dist
	rm -rf rpm-build && $(MKDIR_P) rpm-build/SOURCES packages
	cp $(distdir).tar.xz rpm-build/SOURCES
	cat $(srcdir)/packaging/rpm/zorac.spec.in >rpm-build/zorac.spec
	$(fill_in) rpm-build/zorac.spec
	unset MAKEFLAGS MAKELEVEL; rpmbuild -bb --nodeps $(rpm_switches) \
	  --define "_topdir $(abs_builddir)/rpm-build" rpm-build/zorac.spec
	cp rpm-build/RPMS/*/*.rpm packages
	@$(say_who)

# Needs root, the network and minutes; a part that can't run says why.
check-packages: deb rpm
	! command -v lintian >/dev/null || lintian --allow-root --profile debian --fail-on error,warning packages/*.deb
	$(srcdir)/tests/service/deb-chroot.sh packages || test $$? = 77
	$(srcdir)/tests/service/boot.sh packages || test $$? = 77
	$(srcdir)/tests/service/rpm.sh packages
	$(srcdir)/tests/service/rpm-chroot.sh packages || test $$? = 77
	$(srcdir)/tests/service/reproducible.sh deb $(distdir).tar.xz packages
	$(srcdir)/tests/service/reproducible.sh rpm $(distdir).tar.xz packages

mostlyclean-local:
	rm -rf deb-build rpm-build packages
