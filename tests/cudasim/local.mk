# SPDX-License-Identifier: MIT
# The CUDA plug-in once more, on the simulator: the same .cu files by a C++ compiler. In race/ with
# the memory checker between every load and store. kcheck and the end-to-end tests open it in the
# place of the real one ($ZORAC_PLUGINS).
AM_V_SIM = $(am__v_SIM_@AM_V@)
am__v_SIM_ = $(am__v_SIM_@AM_DEFAULT_V@)
am__v_SIM_0 = @echo "  SIM     " $@;
am__v_SIM_1 =
sim_sources = sim_block sim_launch sim_ptx sim_runtime
sim_headers = %D%/cudasim.h %D%/sim_internal.h %D%/sim_types.h
EXTRA_DIST += $(sim_headers) $(sim_sources:%=%D%/%.cc) %D%/sim_race.cc
sim_deps = $(sim_headers:%=$(srcdir)/%) $(cuda_headers:%=$(srcdir)/%) \
  $(srcdir)/kernels/zk.h $(srcdir)/kernels/zk_pack.h $(srcdir)/kernels/zk_plugin.h config.h
sim_cxx = $(CXX) -std=c++20 -g1 -DCUDASIM -fPIC -pthread -fvisibility=hidden -fno-strict-aliasing \
  -fwrapv -ffp-contract=off -ftls-model=initial-exec -Wall -Wextra -Wno-unknown-pragmas \
  -Wno-unused-parameter -I$(top_builddir) -I$(top_srcdir) -I$(srcdir)/%D% $(SIM_SANITIZERS)

if HAVE_CUDASIM
check_DATA += %D%/plain/libzorac-cuda.so
CLEANFILES += %D%/plain/*.o %D%/plain/libzorac-cuda.so
%D%/plain/zkc_%.o: $(srcdir)/kernels/cuda/zkc_%.cu $(sim_deps)
	@$(MKDIR_P) $(@D)
	$(AM_V_SIM)$(sim_cxx) -O1 -x c++ -c -o $@ $<
%D%/plain/sim_%.o: $(srcdir)/%D%/sim_%.cc $(sim_deps)
	@$(MKDIR_P) $(@D)
	$(AM_V_SIM)$(sim_cxx) -O2 -c -o $@ $<
sim_plain_objects = $(cuda_names:%=%D%/plain/%.o) $(sim_sources:%=%D%/plain/%.o)
%D%/plain/libzorac-cuda.so: $(sim_plain_objects) kernels/cuda/libpic.a
	$(AM_V_SIM)$(sim_cxx) -shared -Wl,-z,nodelete -o $@ $(sim_plain_objects) kernels/cuda/libpic.a -ldl
endif

if HAVE_CUDASIM_RACE
check_DATA += %D%/race/libzorac-cuda.so
CLEANFILES += %D%/race/*.o %D%/race/libzorac-cuda.so
sim_race = $(sim_cxx) -DCUDASIM_RACE
sim_watched = -fsanitize=thread -fsanitize=alignment
%D%/race/zkc_%.o: $(srcdir)/kernels/cuda/zkc_%.cu $(sim_deps)
	@$(MKDIR_P) $(@D)
	$(AM_V_SIM)$(sim_race) -O1 $(sim_watched) -x c++ -c -o $@ $<
%D%/race/sim_%.o: $(srcdir)/%D%/sim_%.cc $(sim_deps)
	@$(MKDIR_P) $(@D)
	$(AM_V_SIM)$(sim_race) -O2 -c -o $@ $<
sim_race_objects = $(cuda_names:%=%D%/race/%.o) $(sim_sources:%=%D%/race/%.o) %D%/race/sim_race.o
%D%/race/libzorac-cuda.so: $(sim_race_objects) kernels/cuda/libpic.a
	$(AM_V_SIM)$(sim_race) -shared -Wl,-z,nodelete -o $@ $(sim_race_objects) kernels/cuda/libpic.a -ldl
endif

# Products of packed matrices in both: schedules at random, too.
EXTRA_DIST += %D%/test_mm.cc %D%/test_mm.sh %D%/sim_cublas.c %D%/sim_nvml.c
TESTS += %D%/test_mm.sh
if HAVE_CUDASIM
check_DATA += %D%/plain/test_mm %D%/plain/libcublas.so.13 %D%/plain/libnvidia-ml.so.1
CLEANFILES += %D%/plain/test_mm %D%/plain/libcublas.so.13 %D%/plain/libnvidia-ml.so.1
%D%/plain/libnvidia-ml.so.1: %D%/sim_nvml.c
	@$(MKDIR_P) $(@D)
	$(AM_V_CCLD)$(CC) -std=gnu17 -O2 -Wall -Wextra -fPIC -shared -o $@ $(srcdir)/%D%/sim_nvml.c
%D%/plain/libcublas.so.13: %D%/sim_cublas.c kernels/cuda/libpic.a
	@$(MKDIR_P) $(@D)
	$(AM_V_CCLD)$(CC) -std=gnu17 -O2 -Wall -Wextra -fPIC -shared -I$(top_srcdir) -o $@ \
	  $(srcdir)/%D%/sim_cublas.c kernels/cuda/libpic.a
%D%/plain/test_mm: %D%/test_mm.cc $(sim_deps) $(sim_plain_objects) kernels/cuda/libpic.a
	$(AM_V_CXXLD)$(sim_cxx) -O2 $(LDFLAGS) -o $@ $(srcdir)/%D%/test_mm.cc $(sim_plain_objects) \
	  kernels/cuda/libpic.a -ldl
endif
if HAVE_CUDASIM_RACE
check_DATA += %D%/race/test_mm
CLEANFILES += %D%/race/test_mm
%D%/race/test_mm: %D%/test_mm.cc $(sim_deps) $(sim_race_objects) kernels/cuda/libpic.a
	$(AM_V_CXXLD)$(sim_race) -O2 $(LDFLAGS) -o $@ $(srcdir)/%D%/test_mm.cc $(sim_race_objects) \
	  kernels/cuda/libpic.a -ldl
endif

dist_check_SCRIPTS += %D%/kcheck.sh %D%/daemon.sh
TESTS += %D%/kcheck.sh %D%/daemon.sh

# The simulator itself.
EXTRA_DIST += %D%/test_sim.cc
if HAVE_CUDASIM_RACE
check_DATA += %D%/race/test_sim
TESTS += %D%/race/test_sim
CLEANFILES += %D%/race/test_sim
sim_race_only = $(sim_sources:%=%D%/race/%.o) %D%/race/sim_race.o
%D%/race/test_sim.o: $(srcdir)/%D%/test_sim.cc $(sim_deps)
	@$(MKDIR_P) $(@D)
	$(AM_V_SIM)$(sim_race) -O1 $(sim_watched) -c -o $@ $(srcdir)/%D%/test_sim.cc
%D%/race/test_sim: %D%/race/test_sim.o $(sim_race_only)
	$(AM_V_SIM)$(sim_race) -o $@ %D%/race/test_sim.o $(sim_race_only)
endif
