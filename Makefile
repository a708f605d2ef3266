# SPDX-License-Identifier: Apache-2.0
#
# `make help` prints the targets: the lines below that end in a comment of two
# number signs. Targets that begin with a dot are the parts that SUITE chooses.

CACHE    := $(or $(VLIBOS_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/vlibos)
LAB      := bin/vliblab
LINTER   := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
LINT     := $(CACHE)/tools/golangci-lint-v2.15.0
NFPM_SRC := github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2
NFPM     := $(CACHE)/tools/nfpm-v2.45.2
VULN     := golang.org/x/vuln/cmd/govulncheck@v1.8.0

# All build tags of this repository. No file excludes a tag that another
# requires, so one pass of the linter sees every file.
TAGS := browser,dom0,lab,packages,soak

TESTS   := unit hypervisor lab contended classes hardware hvm live browser packages timed storm
SOAKS   := churn native serving collections scheduling rogue stress starvation hypercalls pvh parallel fuzz
BENCHES := quick native corunner lab module stock service throttle table full

export CGO_ENABLED = 0

.DEFAULT_GOAL := build
.PHONY: help build setup demo test lint bench report soak packages hypervisor livepatch model clean \
	$(TESTS:%=.test-%) $(BENCHES:%=.bench-%) $(SOAKS:%=.soak-%) .vulncheck

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-11s %s\n", $$1, $$2}' Makefile
	@echo
	@echo "make test SUITE=…   one of: $(TESTS)"
	@echo "make bench SUITE=…  one of: $(BENCHES)"
	@echo "make soak SUITE=…   one of: $(SOAKS)"
	@echo
	@echo "Downloads and images are in $(CACHE), which 'make clean' leaves alone."

# The lab's init program is part of saved machines and must not change with the
# commit. Debug information would be half of what each run copies into the lab.
build: ## the programs, in bin/
	go build -trimpath -ldflags=-w -o bin/ $(filter-out ./cmd/vliblab-init,$(wildcard ./cmd/*))
	go build -trimpath -ldflags=-w -buildvcs=false -o bin/ ./cmd/vliblab-init

setup: build ## what the lab needs: QEMU, and Debian's Xen in images
	$(LAB) setup

demo: setup ## boots real Xen: calls, a budget, the throttle
	demo/run

# The model and the hypervisor's tests use one CPU each and run side by side.
test: $(if $(SUITE),.test-$(SUITE),setup lint .vulncheck .test-unit) ## the tests, on real Xen too; SUITE=… one suite
ifeq ($(SUITE),)
	$(MAKE) --no-print-directory -j 2 --output-sync model .test-hypervisor
	$(MAKE) --no-print-directory .test-lab .test-contended .test-browser .test-packages
	@echo "make test: all passed"
endif

lint: $(LINT) ## gofmt, go vet, golangci-lint
	test -z "$$(gofmt -l . | tee /dev/stderr)"
	go vet -tags $(TAGS) ./...
	$(LINT) run --build-tags $(TAGS) ./...

# Root, because domains are cgroups; nothing else may run on the machine. RTDS is
# not in Debian's Xen and is compared only by SUITE=full and SUITE=module.
bench: $(if $(SUITE),.bench-$(SUITE),hypervisor .bench-quick .bench-lab .bench-module .bench-table report) ## ten minutes of measuring, and the report; SUITE=full takes 2.5 hours

report: build ## the page of what is in out/bench.jsonl: out/report/report.html
	bin/vlibbench report out/report

# Each suite takes half an hour at most on a machine at rest. One that fails stops
# no other; the last lines say what each did.
soak: $(if $(SUITE),.soak-$(SUITE),setup) ## the long tests, a night for all; SUITE=… half an hour for one
ifeq ($(SUITE),)
	@mkdir -p out/soak && rm -f out/soak/*; for suite in $(SOAKS); do \
		start=$$(date +%s); \
		if $(MAKE) --no-print-directory soak SUITE=$$suite >out/soak/$$suite.log 2>&1; then result=passed; else result=FAILED; fi; \
		printf '%-12s %-6s %5d s   out/soak/%s.log\n' $$suite $$result $$(($$(date +%s) - start)) $$suite | tee -a out/soak/report; \
	done; ! grep -q FAILED out/soak/report
endif

.soak-churn:
	VLIBOS_SOAK=1 go test -count 1 -timeout 30m -v -run Churn ./dom0/host/native

# Each fuzzer for 90 s, or FUZZTIME. What they find interesting stays in Go's build
# cache; what failed once is in testdata/fuzz, and a test.
.soak-fuzz:
	set -e; grep -rl --include='*_test.go' '^func Fuzz' . | while read -r file; do \
		sed -n 's/^func \(Fuzz[A-Za-z]*\)(.*/\1/p' "$$file" | while read -r name; do \
			go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(or $(FUZZTIME),90s) "$$(dirname "$$file")"; \
		done; \
	done

# The tests in lab by suite. VLIBOS_FAULTS and VLIBOS_ROUNDS make them longer.
SOAK_native      := ^TestSoakNativeHost$$
SOAK_serving     := ^TestSoakServing$$
SOAK_collections := ^TestSoakCollections$$
SOAK_scheduling  := ^TestSoakScheduling$$
SOAK_rogue       := ^TestSoakRogueGuest$$
SOAK_stress      := ^TestSoakFaults$$/^stress$$
SOAK_starvation  := ^TestSoakFaults$$/^starvation$$
SOAK_hypercalls  := ^TestSoakHypercallFuzz$$/^counted$$
SOAK_pvh         := ^TestSoakHypercallFuzz$$/^PVH$$
SOAK_parallel    := ^TestSoakHypercallFuzz$$/^parallel$$

$(filter-out .soak-churn .soak-fuzz,$(SOAKS:%=.soak-%)): .soak-%: hypervisor
	go test -tags 'lab soak' -count 1 -timeout 18h -v -run '$(SOAK_$*)' ./lab

# packaging/version says which version and day; VERSION=… is another version.
# MAINTAINER is the contact that they name: "Name <address>", git's by default.
MAINTAINER ?= $(shell git config user.name && git config user.email | sed 's/.*/<&>/')
TEST_MAINTAINER = Packager of the tests <packager@vlibos.net>
PACKAGE = VLIBOS_CACHE="$(CACHE)" LAB=$(LAB) NFPM="$(NFPM)" \
	COMMIT="$(shell git rev-parse HEAD 2>/dev/null)" \
	SOURCE_DATE_EPOCH="$(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null || stat -c %Y go.mod))"

packages: hypervisor $(NFPM) ## deb and rpm in out/packages (VERSION=… for another version)
	@set -e; version=$(or $(VERSION),$$(packaging/version)); \
	$(PACKAGE) MAINTAINER="$(MAINTAINER)" VERSION=$$version packaging/build out/packages; ls -l out/packages

hypervisor: setup ## Xen with this project's module, and its path
	$(LAB) hypervisor

livepatch: setup ## the module as a live patch for Debian's Xen, and its path
	$(LAB) livepatch

model: ## the protocol of calls in all its states, with spin: under a minute
	$(call installed,spin)
	docs/model/check

clean: ## removes bin and out
	rm -rf bin out

# Tools, kept in the cache.
$(NFPM):
	GOBIN=$(CACHE)/tools/build go install $(NFPM_SRC)
	mv $(CACHE)/tools/build/nfpm $@

$(LINT):
	GOBIN=$(CACHE)/tools/build go install $(LINTER)
	mv $(CACHE)/tools/build/golangci-lint $@

# installed PROGRAM: from Debian's package of that name if the machine lacks it,
# as root or through sudo. Package lists are fetched if they never were.
ROOT = $(if $(filter 0,$(shell id -u)),,sudo -n)
INSTALL = $(ROOT) apt-get install -qq -y --no-install-recommends
installed = command -v $1 >/dev/null || $(INSTALL) $1 || { $(ROOT) apt-get update -qq && $(INSTALL) $1; }

# The vulnerability database is on the network; without it there is nothing to
# check against.
.vulncheck:
	@mkdir -p out
	@go run $(VULN) ./... >out/vulncheck.log 2>&1; status=$$?; \
	if grep -q 'fetching vulnerabilities' out/vulncheck.log; then echo "vulncheck: the database cannot be reached, not checked"; \
	else cat out/vulncheck.log; exit $$status; fi

# The race detector makes each program sleep for a second at its end, to watch
# its other threads, unless told otherwise; the tests start many programs, and
# goleak already fails a test that leaves a thread.
.test-unit:
	GORACE=atexit_sleep_ms=0 CGO_ENABLED=1 go test -race ./...

# The scheduler's decisions, without Xen: plain C against stubs.
.test-hypervisor:
	$(MAKE) -C hypervisor/test test

# On real Xen: a lab that does not start fails.
.test-lab: hypervisor
	go test -tags lab -count 1 -timeout 40m -v -skip '^(TestContended|TestProcessor|TestLinuxOnAProcessor|TestNativeOnCgroup2|TestRegistersAreHidden|TestHVM|TestHVMWithModule|TestLivePatch)$$' ./lab

# The lab's memory model; each emulated CPU needs a real one to itself.
.test-contended: hypervisor
	go test -tags lab -count 1 -timeout 15m -v -run '^TestContended$$' ./lab

# Real Xen on emulated processors. The first time QEMU is compiled, for three minutes.
.test-hardware: hypervisor
	go test -tags lab -count 1 -timeout 60m -v -run '^(TestProcessor|TestLinuxOnAProcessor|TestNativeOnCgroup2|TestRegistersAreHidden)$$' ./lab

# HVM guests, with a device model in Dom0. The first time they boot, for minutes each. With
# XEN_SOURCE, a tree of Xen 4.20, also under its module: archives lack that source at times.
.test-hvm: setup
	go test -tags lab -count 1 -timeout 200m -v -run '^TestHVM$(if $(XEN_SOURCE),(WithModule)?)$$' ./lab

# The module as a live patch. The first time Debian's hypervisor is downloaded and all of Xen
# compiled, and that fails once the archive has another version.
.test-live: livepatch
	go test -tags lab -count 1 -timeout 40m -v -run '^TestLivePatch$$' ./lab

# The report, drawn by Debian's Chromium.
.test-browser:
	$(call installed,chromium)
	go test -tags browser -count 1 -v -run Browser ./bench/report

# Times of this machine's cgroups and timers; the machine must be at rest.
.test-timed:
	VLIBOS_TIMED=1 go test -count 1 -v -run 'Share|Cost|DaemonDies' ./dom0/host/native

# Cache classes as they are programmed on emulated processors: SUITE=hardware without the
# model of the bus.
.test-classes: setup
	go test -tags lab -count 1 -timeout 15m -v -run '^TestProcessor$$/^programmed' ./lab

# What following a large pool of XAPI's VMs needs.
.test-storm:
	VLIBOS_STORM=1m go test -count 1 -v -run 'Storm|CutOff' ./dom0/xapi/...

# The packages are installed, upgraded and removed in a new Debian below the cache
# folder, of each release that they are for. They are built twice to show that both builds are equal, and as a next
# version to upgrade to.
.test-packages: hypervisor $(NFPM)
	@set -e; version=$(or $(VERSION),$$(packaging/version)); export MAINTAINER="$(TEST_MAINTAINER)"; \
	$(PACKAGE) VERSION=$$version packaging/build out/packages & packages=$$!; \
	$(PACKAGE) VERSION=$$version packaging/build out/test-packages/again & again=$$!; \
	$(PACKAGE) VERSION=$$version+next packaging/build out/test-packages/next & next=$$!; \
	wait $$packages; wait $$again; wait $$next
	go test -tags packages -c -o out/test-packages/test ./packaging
	cd packaging && $(ROOT) env VLIBOS_CACHE="$(CACHE)" ../out/test-packages/test -test.count=1 -test.v -test.timeout 20m
	cd packaging && $(ROOT) env VLIBOS_CACHE="$(CACHE)" VLIBOS_RELEASE=trixie ../out/test-packages/test -test.count=1 -test.v -test.timeout 20m \
		-test.skip 'RPM|Reproducible|Policy|Manual|Completion|Copyright'

.bench-full: hypervisor .bench-native .bench-corunner .bench-lab .bench-module .bench-service .bench-throttle .bench-table

.bench-quick: build
	bin/vlibbench run --quick all

.bench-native: build
	bin/vlibbench native

.bench-corunner: build
	bin/vlibbench run --full lidar
	bin/vlibbench run --full tail

.bench-lab: setup
	bin/vlibbench lab
	bin/vlibbench resume

# The scheduler's decision alone, and the module in Xen, one boot for each scheduler.
.bench-module: hypervisor
	$(MAKE) -s -C hypervisor/test decision | bin/vlibbench decision
	bin/vlibbench module$(if $(SUITE),, --only vlib --only credit2)

# Budgets that vlibmaster keeps without the module, one boot for each scheduler.
.bench-stock: hypervisor
	bin/vlibbench stock

# memcached in a DomU beside DomUs that spin, on two Xens.
.bench-service: hypervisor
	bin/vlibbench service

# The paper's Figure 6: a real-time task beside a memory-bound vLib OS on a
# modelled memory bus; a service on a simulated one; the policies, in real time;
# and the report.
.bench-throttle: hypervisor
	bin/vlibbench mjump
	bin/vlibbench simulate
	bin/vlibbench throttle
	bin/vlibbench report out/report

.bench-table: build
	bin/vlibbench table
