# SPDX-License-Identifier: Apache-2.0
#
# make demo        set the machine up, boot real Xen, show calls, a budget, the throttle
# make test        set the machine up, run every test
# make bench       measure in ten minutes, append to out/bench.jsonl, make out/report/report.html
# make bench-full  the same with all samples, a service in a DomU, and the throttle: two and a half hours on a machine at rest
# make bench-throttle  of that, the paper's Figure 6 and the policies
# make model       check the protocol of calls in all its states, with spin: under a minute
# make soak        the long tests; SUITE=faults: of those TestSoakFaults, an hour (VLIBOS_FAULTS=10m for less)
# make test-timed  tests of times, for a machine at rest
# make test-packages  installs, upgrades and removes the packages in a new Debian
# make test-contended  the lab's memory model, for a machine at rest
# make test-browser  the report in a real browser: installs Debian's Chromium
# make report      the page of what is in out/bench.jsonl
# make build       the programs, in bin/
# make hypervisor  Xen with this project's module, and its path
# make packages    deb and rpm in out/packages (VERSION=… for another version)
#
# All downloads and images are kept in the cache folder (VLIBOS_CACHE, or
# vlibos in the user's); 'make clean' leaves it alone.

CACHE    := $(or $(VLIBOS_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/vlibos)
LAB      := bin/vliblab
LINTER   := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
LINT     := $(CACHE)/tools/golangci-lint-v2.15.0
NFPM_SRC := github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2
NFPM     := $(CACHE)/tools/nfpm-v2.45.2
VULN     := golang.org/x/vuln/cmd/govulncheck@v1.8.0

# All that files here are built by: none is left out where another is in, so
# that one pass sees them all.
TAGS := browser,dom0,lab,packages,soak

export CGO_ENABLED = 0

.PHONY: build setup hypervisor packages demo test lint vulncheck model test-unit test-timed test-hypervisor test-packages test-lab test-contended test-browser bench bench-full bench-quick bench-native bench-beside bench-lab bench-module bench-service bench-throttle bench-contention bench-table report soak clean

# The lab's init program is a part of saved machines: it is the same whatever
# the commit. Debug information would be half of what each run brings along.
build:
	go build -trimpath -ldflags=-w -o bin/ $(filter-out ./cmd/vliblab-init,$(wildcard ./cmd/*))
	go build -trimpath -ldflags=-w -buildvcs=false -o bin/ ./cmd/vliblab-init

setup: build
	$(LAB) setup

hypervisor: setup
	$(LAB) hypervisor

# The version and the day are the commit's: packaging/version says how.
PACKAGE = VLIBOS_CACHE="$(CACHE)" LAB=$(LAB) NFPM="$(NFPM)" \
	COMMIT="$(shell git rev-parse HEAD 2>/dev/null)" \
	SOURCE_DATE_EPOCH="$(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null || stat -c %Y go.mod))"

packages: hypervisor $(NFPM)
	@set -e; version=$(or $(VERSION),$$(packaging/version)); \
	$(PACKAGE) VERSION=$$version packaging/build out/packages; ls -l out/packages

$(NFPM):
	GOBIN=$(CACHE)/tools/build go install $(NFPM_SRC)
	mv $(CACHE)/tools/build/nfpm $@

demo: setup
	demo/run

# The two that need one CPU each go side by side.
test: setup lint vulncheck test-unit
	$(MAKE) --no-print-directory -j 2 --output-sync model test-hypervisor
	$(MAKE) --no-print-directory test-lab test-contended test-browser test-packages
	@echo "make test: all passed"

lint: $(LINT)
	test -z "$$(gofmt -l . | tee /dev/stderr)"
	go vet -tags $(TAGS) ./...
	$(LINT) run --build-tags $(TAGS) ./...

$(LINT):
	GOBIN=$(CACHE)/tools/build go install $(LINTER)
	mv $(CACHE)/tools/build/golangci-lint $@

# The vulnerability database is on the network; without it there is nothing
# to check against.
vulncheck:
	@mkdir -p out
	@go run $(VULN) ./... >out/vulncheck.log 2>&1; status=$$?; \
	if grep -q 'fetching vulnerabilities' out/vulncheck.log; then echo "vulncheck: the database cannot be reached, not checked"; \
	else cat out/vulncheck.log; exit $$status; fi

# A program that the race detector watches sleeps for a second before it ends,
# to see what other threads do meanwhile, unless told otherwise: that is each
# package's tests, and every process that they start. goleak asks for the threads.
test-unit:
	GORACE=atexit_sleep_ms=0 CGO_ENABLED=1 go test -race ./...

# As root or through sudo; package lists that were never fetched come first.
APT = $(if $(filter 0,$(shell id -u)),,sudo -n) apt-get
INSTALL = $(APT) install -qq -y --no-install-recommends

test-browser:
	command -v chromium >/dev/null || $(INSTALL) chromium || { $(APT) update -qq && $(INSTALL) chromium; }
	go test -tags browser -count 1 -v -run Browser ./bench/report

# What cgroups and timers of this machine can do, which must be at rest.
test-timed:
	VLIBOS_TIMED=1 go test -count 1 -v -run 'Share|Cost|DaemonDies' ./dom0/host/native

# The protocol of calls between clients, module and server; and that the model of the rule
# before it fails.
model:
	command -v spin >/dev/null || apt-get install -qq -y --no-install-recommends spin || sudo -n apt-get install -qq -y --no-install-recommends spin
	docs/model/check

# The scheduler's decisions, without Xen: plain C against stubs.
test-hypervisor:
	$(MAKE) -C hypervisor/test test

# Installed, upgraded and removed in a new Debian below the cache folder, as root
# or through sudo; built once more to see that nothing differs, and as a next
# version to upgrade to.
test-packages: hypervisor $(NFPM)
	@set -e; version=$(or $(VERSION),$$(packaging/version)); \
	$(PACKAGE) VERSION=$$version packaging/build out/packages & packages=$$!; \
	$(PACKAGE) VERSION=$$version packaging/build out/test-packages/again & again=$$!; \
	$(PACKAGE) VERSION=$$version+next packaging/build out/test-packages/next & next=$$!; \
	wait $$packages; wait $$again; wait $$next
	go test -tags packages -c -o out/test-packages/test ./packaging
	cd packaging && $(if $(filter 0,$(shell id -u)),,sudo -n) env VLIBOS_CACHE="$(CACHE)" ../out/test-packages/test -test.count=1 -test.v -test.timeout 20m

# On real Xen: a lab that does not start fails.
test-lab: hypervisor
	go test -tags lab -count 1 -timeout 40m -v -skip '^TestContended$$' ./lab

# On real Xen, with a CPU for each emulated one to itself.
test-contended: hypervisor
	go test -tags lab -count 1 -timeout 15m -v -run '^TestContended$$' ./lab

# Root, for domains are cgroups; the machine must do nothing else. Of the
# schedulers that are compared RTDS, which nobody has by default, is in the full
# one.
bench: BOOTS = --only vlib --only credit2
bench: hypervisor bench-quick bench-lab bench-module bench-table report

bench-full: hypervisor bench-native bench-beside bench-lab bench-module bench-service bench-throttle bench-table report

bench-quick: build
	bin/vlibbench run --quick all

bench-native: build
	bin/vlibbench native

bench-beside: build
	bin/vlibbench run --full lidar
	bin/vlibbench run --full tail

bench-lab: setup
	bin/vlibbench lab
	bin/vlibbench resume

# The module in Xen, a boot each; and its decision alone.
bench-module: hypervisor
	$(MAKE) -s -C hypervisor/test decision | bin/vlibbench decision
	bin/vlibbench module $(BOOTS)

# memcached in a DomU beside DomUs that spin, on two Xens.
bench-service: hypervisor
	bin/vlibbench service

# A real-time task beside a memory-bound vLib OS, on a modelled memory bus; and
# the policies, in real time.
bench-throttle: bench-contention report

bench-contention: hypervisor
	bin/vlibbench mjump
	bin/vlibbench throttle

bench-table: build
	bin/vlibbench table

report: build
	bin/vlibbench report out/report

soak: setup
ifeq ($(SUITE),)
	VLIBOS_SOAK=1 go test -count 1 -timeout 30m -v -run Churn ./dom0/host/native
endif
	go test -tags 'lab soak' -count 1 -timeout 18h -v -run '(?i)Soak$(SUITE)' ./lab

clean:
	rm -rf bin out
