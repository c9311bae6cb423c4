# Daymark. `make` alone says what there is to do.
SHELL := /bin/bash
.DEFAULT_GOAL := help

GO       ?= go
TOOL      = $(GO) tool -modfile=tools/go.mod
PACKAGES  = $(shell $(GO) list ./... | grep -v /e2e)
# What decides has no goroutines (internal/archtest), so the race detector would find nothing there, and make the simulation
# of the election five times as slow; that of the programs runs a goroutine at a time.
PURE      = $(shell $(GO) list ./internal/core/... ./internal/simulation)
ACTING    = $(filter-out $(PURE),$(PACKAGES))
# The race detector needs a C compiler. On a machine without one the tests run without it, and say so.
RACE      = $(if $(filter 1,$(shell $(GO) env CGO_ENABLED)),-race)

# What --version says, and the version of a release.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
BUILD    = CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=auto -ldflags='-s -w -X github.com/daymark-lb/daymark/internal/version.release=$(VERSION)'

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/controller, bin/speaker and bin/kubectl-daymark
	@mkdir -p bin
	$(BUILD) -o bin/ ./controller ./speaker
	$(BUILD) -o bin/kubectl-daymark ./cli
	ln -sf kubectl-daymark bin/kubectl_complete-daymark

.PHONY: demo
demo: deps-demo build ## Show on this machine what Daymark does (KEEP=1 leaves the lab running)
	$(GO) run ./e2e/demo

.PHONY: test
test: deps-test ## Run all tests: unit, packet and end to end. The one test command
	$(GO) run ./e2e/demo build
	$(GO) run ./e2e/conformance build
	$(if $(RACE),,@echo "no C compiler: the tests run without the race detector")
	$(GO) test -shuffle=on $(PURE)
	$(GO) test $(RACE) -shuffle=on $(ACTING)
	cd release && $(GO) test -shuffle=on ./...
	$(GO) test $(RACE) -shuffle=on -timeout 55m -p 1 ./e2e/...

.PHONY: unit
unit: deps-unit ## Run the tests that need no Kubernetes, in less than two minutes
	$(GO) test -short $(PURE)
	$(GO) test $(RACE) -short $(ACTING)

.PHONY: conformance-lab
conformance-lab: deps-kubelet ## Install Daymark on real kubelets, as root, and reach an address (KEEP=1 leaves them running)
	$(GO) run ./e2e/conformance lab

VARIANTS ?= bgp layer2 bgp-ipv6 layer2-ipv6 bgp-iptables layer2-iptables bgp-services
.PHONY: conformance
conformance: deps-kubelet deps-suite ## Run Kubernetes' own tests of Services and write docs/conformance.md (2 hours; VARIANTS=bgp: some)
	$(foreach variant,$(VARIANTS),$(GO) run ./e2e/conformance suite $(variant) docs/conformance.md &&) true
	$(GO) run ./e2e/conformance disturb docs/conformance.md

# The version before, which an upgrade begins with: a commit that can make a release.
PREVIOUS ?= b94ecc0
.PHONY: upgrade-lab
upgrade-lab: deps-kubelet ## Upgrade from PREVIOUS on real kubelets and back, install and uninstall, and write docs/upgrade.md (6 minutes)
	$(GO) run ./e2e/conformance upgrade $(PREVIOUS) docs/upgrade.md

.PHONY: previous-definitions
previous-definitions: ## Fetch the definitions of PREVIOUS, with which those of now are compared
	@mkdir -p config/crd/testdata/previous && rm -f config/crd/testdata/previous/*
	for path in $$(git ls-tree --name-only $(PREVIOUS) config/crd/bases/); do git show $(PREVIOUS):$$path > config/crd/testdata/previous/$$(basename $$path); done

# How long make soak runs each fuzz test, and what it finds them in: a line for each, package and test.
FUZZTIME ?= 1m
FUZZED    = grep -rHoE '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' api cli controller internal speaker | sed -E 's|/[^/]*:func | |' | sort
.PHONY: soak
soak: ## Run all fuzz tests (FUZZTIME=1m each), the election's simulation for half an hour, those of the programs for SIMULATE=30m each. A failure prints the seed
	$(FUZZED) | while read -r package test; do \
	  $(GO) test ./$$package -run '^$$' -fuzz "^$$test$$" -fuzztime $(FUZZTIME) </dev/null || exit 1; \
	done
	$(GO) test ./internal/core/election -run 'TestElector_Simulation$$' -election.fresh -election.runs=500000 -timeout 2h -v
	$(GO) test ./internal/simulation -run 'TestSimulation$$' -simulation.fresh -simulation.for=$(SIMULATE) -timeout 0 -v
	$(GO) test ./internal/simulation -run 'TestSpeakers$$' -simulation.fresh -simulation.for=$(SIMULATE) -timeout 0 -v

# How long make soak lets the programs run on simulated clocks.
SIMULATE ?= 30m
# How long make soak-lab lets the lab suffer; SEED=n repeats an order of faults, ONLY=deaf,mute tries some.
HOURS ?= 24
SEED  ?= 0
.PHONY: soak-lab
soak-lab: deps-soak build ## Break the lab in all ways, in an order by chance, for HOURS=24 (0.1 will do), and judge what is on the wire
	$(GO) run ./e2e/soak -hours=$(HOURS) -seed=$(SEED) -only='$(ONLY)' -report='$(REPORT)'

# What make scale measures: each number of Services on the first number of nodes, and each other number of nodes with the first number of
# Services. MEASURE="storm crash" measures some parts. STARTS=1000 measures how so many speakers start at once instead, and prints it.
SERVICES ?= 1000 3000 10000
NODES    ?= 3
STARTS   ?= 0
.PHONY: scale
scale: deps-soak build ## Measure clusters of SERVICES="1000 3000 10000" and NODES=3, and draw them in docs/large-clusters.md
	$(GO) run ./e2e/scale -services='$(SERVICES)' -nodes='$(NODES)' -measure='$(MEASURE)' -starts=$(STARTS)

.PHONY: lint
lint: ## Check style, comments, and whether generated files are up to date
	$(TOOL) golangci-lint run ./...
	cd release && $(GO) tool -modfile=../tools/go.mod golangci-lint run ./...
	@$(MAKE) --no-print-directory verify

# Where generated files go; verify has them written elsewhere and compares.
OUT ?= .
.PHONY: generate
generate: ## Make deepcopy functions and CRDs from the Go types, docs/reference from the code, manifests from the chart
	@mkdir -p $(OUT)/api/v1beta1 $(OUT)/config/crd/bases
	$(TOOL) controller-gen object paths=./api/... crd:maxDescLen=400 output:object:dir=$(OUT)/api/v1beta1 output:crd:dir=$(OUT)/config/crd/bases
	$(GO) run ./hack/reference $(OUT)/docs/reference
	$(GO) run ./hack/monitoring $(OUT)/config/chart/dashboards
	cd release && $(GO) run ./chart/generate .. $(abspath $(OUT))

# The working tree is compared, staged or not, and stays as it is.
.PHONY: verify
verify: ## Fail when what is generated, or go.mod, is not up to date
	$(GO) mod tidy -diff
	cd release && $(GO) mod tidy -diff
	@out=$$(mktemp -d) && trap 'rm -rf "$$out"' EXIT && $(MAKE) --no-print-directory generate OUT="$$out" && \
	for path in api/v1beta1/zz_generated.deepcopy.go config/crd/bases docs/reference config/chart/crds config/chart/dashboards \
		$$(cd "$$out" && ls -d config/chart/values.schema.json config/{rbac,controller,speaker}/*.yaml); do \
		diff -ruN $$path "$$out/$$path" || { echo "run 'make generate' and commit what it changes"; exit 1; }; \
	done

# What the names of images begin with; PREFIX/controller and PREFIX/speaker follow, with the version as their tag.
IMAGE_PREFIX ?= ghcr.io/daymark-lb
# Where a release is written. What was there is removed.
DIST ?= dist
# A path as one from everywhere. Make's abspath takes a path with a space for two.
below = $(if $(filter /%,$(firstword $(1))),$(1),$(CURDIR)/$(1))
.PHONY: release
release: ## Write all that is published of VERSION=v1.2.3 into dist/ (PLATFORMS=linux/amd64,linux/arm64 makes only those)
	rm -rf '$(DIST)'
	cd release && $(GO) run . make --root .. --out '$(call below,$(DIST))' --version '$(VERSION)' --image-prefix '$(IMAGE_PREFIX)' \
		--platforms '$(PLATFORMS)' --key '$(if $(KEY),$(call below,$(KEY)))'

.PHONY: push
push: ## Push the images and the chart in dist/ (REGISTRY=host:port pushes to another registry than their names say)
	cd release && $(GO) run . push '$(call below,$(DIST))' --registry '$(REGISTRY)' --key '$(if $(KEY),$(call below,$(KEY)))'

BENCH ?= .
.PHONY: bench
bench: ## Run the benchmarks and write their results into docs/performance.md (30 minutes; BENCH=FailOver runs some)
	$(GO) run ./e2e/demo build
	set -o pipefail; { $(GO) test -run '^$$' -bench '$(BENCH)' -benchmem $(PACKAGES) && \
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchtime 1x -timeout 60m ./e2e; } | $(GO) run ./hack/figures docs/performance.md

# What the tests need beside Go: routers to talk to, programs that send ARP and NDP, nft for kube-proxy, a C compiler for
# the race detector, a browser with a checker of accessibility. Installed where that can be done, named where not.
.PHONY: deps-test
deps-test: deps-kubelet
	@hack/debian-packages gcc:gcc libc6-dev: nft:nftables iptables:iptables ipset:ipset ip:iproute2:-V:iproute2 /usr/lib/frr/bgpd:frr \
		bird:bird2:--version:'BIRD version [23]' openssl:openssl arping:iputils-arping ndisc6:ndisc6 \
		bgpctl:openbgpd gobgpd:gobgpd exabgp:exabgp promtool:prometheus prometheus-alertmanager:prometheus-alertmanager tshark:tshark \
		chromium:chromium npm:npm
	@hack/axe-core

.PHONY: deps-unit
deps-unit:
	@hack/debian-packages gcc:gcc libc6-dev: ip:iproute2 promtool:prometheus tshark:tshark

.PHONY: deps-soak
deps-soak: deps-demo
	@hack/debian-packages tc:iproute2 /usr/lib/frr/bgpd:frr

.PHONY: deps-demo
deps-demo:
	@hack/debian-packages nft:nftables ip:iproute2:-V:iproute2

# What real nodes need: a container runtime's parts, and what kube-proxy calls in each of its modes.
.PHONY: deps-kubelet
deps-kubelet:
	@hack/debian-packages runc:runc containernetworking-plugins: nft:nftables iptables:iptables conntrack:conntrack \
		ip:iproute2:-V:iproute2 unshare:util-linux /usr/lib/frr/bgpd:frr

# What the pods of Kubernetes' own tests call.
.PHONY: deps-suite
deps-suite:
	@hack/debian-packages busybox:busybox-static curl:curl wget:wget nc.openbsd:netcat-openbsd dig:dnsutils dash:dash
