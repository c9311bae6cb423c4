# Daymark. `make` alone says what there is to do.
SHELL := /bin/bash
.DEFAULT_GOAL := help

GO       ?= go
TOOL      = $(GO) tool -modfile=tools/go.mod
PACKAGES  = $(shell $(GO) list ./... | grep -v /e2e)
# The race detector needs a C compiler; on a machine without one the tests run without it, and say so.
RACE      = $(if $(filter 1,$(shell $(GO) env CGO_ENABLED)),-race)

# What --version says. A build without git, as in the Dockerfile, gets it from outside.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)
BUILD    = CGO_ENABLED=0 $(GO) build -trimpath -ldflags='-s -w -X github.com/daymark-lb/daymark/internal/version.release=$(VERSION)'

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/controller, bin/speaker and bin/kubectl-daymark
	@mkdir -p bin
	$(BUILD) -o bin/ ./controller ./speaker
	$(BUILD) -o bin/kubectl-daymark ./cli

.PHONY: demo
demo: deps-demo build ## Show on this machine what Daymark does (KEEP=1 leaves the lab running)
	$(GO) run ./e2e/demo

.PHONY: test
test: deps-test ## Run all tests: unit, packet and end to end. The one test command
	$(GO) run ./e2e/demo build
	$(if $(RACE),,@echo "no C compiler: the tests run without the race detector")
	$(GO) test $(RACE) -shuffle=on $(PACKAGES)
	$(GO) test $(RACE) -shuffle=on -timeout 30m -p 1 ./e2e/...

.PHONY: lint
lint: ## Check style, comments and who imports whom
	$(TOOL) golangci-lint run ./...
	@$(MAKE) --no-print-directory verify

.PHONY: generate
generate: ## Make deepcopy functions and CRDs from the Go types
	$(TOOL) controller-gen object paths=./api/... crd:maxDescLen=400 output:crd:dir=config/crd/bases

.PHONY: verify
verify: generate ## Fail when what is generated, or go.mod, is not up to date
	$(GO) mod tidy -diff
	@git diff --exit-code -- api config/crd || { echo "run 'make generate' and commit what it changes"; exit 1; }

BENCH ?= .
.PHONY: bench
bench: ## Run the benchmarks and write their results into docs/performance.md (30 minutes; BENCH=FailOver runs some)
	$(GO) run ./e2e/demo build
	set -o pipefail; { $(GO) test -run '^$$' -bench '$(BENCH)' -benchmem $(PACKAGES) && \
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchtime 1x -timeout 60m ./e2e; } | $(GO) run ./hack/figures docs/performance.md

# What the tests need beside Go: routers to talk to, programs that send ARP and NDP, nft for kube-proxy, a C compiler for
# the race detector. Installed where that can be done, named where not.
.PHONY: deps-test
deps-test:
	@hack/debian-packages gcc:gcc libc6-dev: nft:nftables ip:iproute2:-V:iproute2 /usr/lib/frr/bgpd:frr \
		bird:bird2:--version:'BIRD version [23]' arping:iputils-arping ndisc6:ndisc6

.PHONY: deps-demo
deps-demo:
	@hack/debian-packages nft:nftables ip:iproute2:-V:iproute2
