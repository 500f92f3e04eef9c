# Seatrial. `make` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := $(CURDIR)/.bin
export GOFLAGS ?= -buildvcs=false
export GOTOOLCHAIN := local
export PATH := $(BIN):$(PATH)

# Tools, pinned here and installed in .bin.
BUF_VERSION := v1.75.0
PROTOC_GEN_GO_VERSION := v1.36.12
PROTOC_GEN_GO_GRPC_VERSION := v1.6.2
PROTOC_GEN_CONNECT_GO_VERSION := v1.21.1
TEMPL_VERSION := v0.3.977
GOLANGCI_LINT_VERSION := v2.15.0
GOVULNCHECK_VERSION := v1.1.4

tool = $(BIN)/.$(1)-$(2)
BUF := $(call tool,buf,$(BUF_VERSION))
GEN_GO := $(call tool,protoc-gen-go,$(PROTOC_GEN_GO_VERSION))
GEN_GRPC := $(call tool,protoc-gen-go-grpc,$(PROTOC_GEN_GO_GRPC_VERSION))
GEN_CONNECT := $(call tool,protoc-gen-connect-go,$(PROTOC_GEN_CONNECT_GO_VERSION))
TEMPL := $(call tool,templ,$(TEMPL_VERSION))
LINT := $(call tool,golangci-lint,$(GOLANGCI_LINT_VERSION))
VULN := $(call tool,govulncheck,$(GOVULNCHECK_VERSION))

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

define install
	@mkdir -p $(BIN) && rm -f $(BIN)/.$(1)-*
	GOBIN=$(BIN) go install $(2)
	@touch $@
endef

$(BUF): ; $(call install,buf,github.com/bufbuild/buf/cmd/buf@$(BUF_VERSION))
$(GEN_GO): ; $(call install,protoc-gen-go,google.golang.org/protobuf/cmd/protoc-gen-go@$(PROTOC_GEN_GO_VERSION))
$(GEN_GRPC): ; $(call install,protoc-gen-go-grpc,google.golang.org/grpc/cmd/protoc-gen-go-grpc@$(PROTOC_GEN_GO_GRPC_VERSION))
$(GEN_CONNECT): ; $(call install,protoc-gen-connect-go,connectrpc.com/connect/cmd/protoc-gen-connect-go@$(PROTOC_GEN_CONNECT_GO_VERSION))
$(TEMPL): ; $(call install,templ,github.com/a-h/templ/cmd/templ@$(TEMPL_VERSION))
$(LINT): ; $(call install,golangci-lint,github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION))
$(VULN): ; $(call install,govulncheck,golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION))

.PHONY: generate
generate: $(BUF) $(GEN_GO) $(GEN_GRPC) $(GEN_CONNECT) $(TEMPL) ## make all generated code anew
	cd proto && buf lint && for t in buf.gen.yaml buf.gen.agent.yaml buf.gen.connect.yaml buf.gen.openapi.yaml; do buf generate --template $$t || exit 1; done
	@if [ -d ent/schema ]; then go generate ./ent; fi
	@if [ -d ui/web ]; then templ generate -path ui/web; fi

.PHONY: verify
verify: generate ## prove that generated code and go.mod are what is committed
	go mod tidy
	cd integration/kube && GOWORK=$$PWD/tools.work go list -deps ./coredns helm.sh/helm/v4/cmd/helm >/dev/null # keeps tools.work.sum
	@if [ -n "$$(git status --porcelain)" ]; then echo 'verify: these files differ from what is committed; run make generate and commit:' >&2; git status --short >&2; git diff --stat >&2; exit 1; fi

.PHONY: migrate-new
migrate-new: ## write the SQL of a change of the schema for both databases: make migrate-new NAME=what_changes
	@[ -n "$(NAME)" ] || { echo 'migrate-new: say what changes, such as NAME=add_labels' >&2; exit 2; }
	go run ./ent/internal/migrate -dialect sqlite -name "$(NAME)"
	go run ./ent/internal/migrate -dialect postgres -name "$(NAME)"

.PHONY: lint
lint: $(LINT) ## run the linters
	golangci-lint run ./...

.PHONY: vuln
vuln: $(VULN) ## look for known weaknesses in what is linked, where the database of them can be reached
	integration/vuln.sh

.PHONY: fmt
fmt: $(LINT) ## format the code
	golangci-lint fmt ./...

.PHONY: test
test: ## everything: unit, stores, the chain on a real cluster; installs what it lacks
	integration/test.sh

.PHONY: test-short
test-short: ## the tests that need nothing but Go
	go test -short ./...

.PHONY: screenshots
SHOTS ?= $(CURDIR)/dist/screenshots
screenshots: ## pictures of every page in both themes, at the widths of a desk and of a phone, and the release report as a PDF, into SHOTS
	integration/packages.sh chromium
	mkdir -p $(SHOTS)
	SHOTS=$(SHOTS) go test ./ui/web -run 'Browser_(Widths|Prints)' -count 1 -timeout 30m

.PHONY: fuzz
FUZZTIME ?= 30s
fuzz: ## fuzz each parser for FUZZTIME
	integration/fuzz.sh $(FUZZTIME)

.PHONY: sim
SEEDS ?= 1000
FIRST ?= 1
REPEAT ?= 10
sim: ## simulate control plane, agents and pods under faults: SEEDS of them from FIRST on, or only SEED with a log of everything, REPEAT times at most
	go test ./integration/sim -run 'TestSeeds$$' -count 1 -v -timeout 60m $(if $(SEED),-seed $(SEED) -repeat $(REPEAT),-seeds $(SEEDS) -first $(FIRST))

.PHONY: chaos
MINUTES ?= 5
FAULTS ?=
chaos: ## inject faults into real processes for MINUTES: FAULTS (such as F3,F5; none for all) in the order of SEED, from the round FIRST on
	integration/packages.sh postgresql redis-server
	go test ./integration/chaos -run 'TestChaos$$' -count 1 -v -timeout $$(( $(MINUTES) + 20 ))m -minutes $(MINUTES) -faults '$(FAULTS)' -seed $(or $(SEED),$$RANDOM) $(if $(filter-out 1,$(FIRST)),-first $(FIRST))

.PHONY: chaos-rolling
AGENTS ?= 200
RATE ?= 20
EVERY ?= 20s
chaos-rolling: ## restart three replicas one after the other, EVERY so often for MINUTES, with AGENTS simulated agents and RATE executions a second
	integration/packages.sh postgresql redis-server
	go test ./integration/chaos -run 'TestRolling$$' -count 1 -v -timeout $$(( $(MINUTES) + 20 ))m -rolling.for $(MINUTES)m -rolling.agents $(AGENTS) -rolling.rate $(RATE) -rolling.every $(EVERY)

.PHONY: bench-results
bench-results: ## how fast reports of 100,000 cases are taken in, and how fast a million results are asked
	integration/packages.sh postgresql
	go test ./integration/bench -run none -bench Results -benchtime 5x
	go test ./integration/bench -run none -bench Queries -benchtime 1x -timeout 30m

.PHONY: bench-ui
EXECUTIONS ?= 1000000
KEEP ?=
PAGES ?=
bench-ui: ## how fast every page is with EXECUTIONS (a million) executions and ten times as many results, and how large; KEEP=DIR fills DIR once and measures it again after that; PAGES=REGEXP measures only pages with such names
	integration/packages.sh postgresql chromium
	go test ./integration/bench -run none -bench UI -benchtime 1x -timeout 2h -ui.executions $(EXECUTIONS) $(if $(KEEP),-ui.kept $(abspath $(KEEP))) $(if $(PAGES),-ui.only '$(PAGES)') -v

.PHONY: bench-log
bench-log: ## how fast a log of a gibibyte opens at any of its 20 million lines, and what a browser needs for it
	integration/packages.sh postgresql chromium
	go test ./integration/bench -run none -bench Log -benchtime 1x -timeout 30m -v

.PHONY: bench-schedule
bench-schedule: ## how soon 10,000 schedules of the same minute are started, and how long a run by hand waits meanwhile
	integration/packages.sh postgresql
	go test ./integration/bench -run none -bench Schedules -benchtime 1x -timeout 30m

.PHONY: bench-capacity
bench-capacity: ## what one replica carries on two cores: connected agents, executions a second, logs, a reconnect storm, a noisy tenant
	integration/packages.sh postgresql
	go test ./integration/bench -run none -bench 'Capacity|NoisyTenant' -benchtime 1x -timeout 30m -v

.PHONY: bench
ROUNDS ?= 30
BENCH ?= dist/bench
bench: ## all metric cards, P1 to P16, with ratios of arms that took turns: samples and table into BENCH; needs an idle machine for about an hour
	integration/bench/run.sh $(BENCH) $(ROUNDS)

.PHONY: bench-overhead
bench-overhead: ## from a trigger to its stored result, against a bare Job on the same cluster
	integration/test.sh ./integration/e2e -run none -bench Overhead -benchtime 30x -timeout 40m

.PHONY: demo
demo: ## the whole of Seatrial on this machine, with examples that are run; left running
	deploy/demo/up.sh

.PHONY: demo-down
demo-down: ## remove the demo
	deploy/demo/down.sh

.PHONY: build
build: ## build the programs into dist
	deploy/build.sh dist

.PHONY: images
IMAGES ?= $(CURDIR)/dist/images
images: ## build the images for amd64 and arm64 as OCI layouts into IMAGES, each with SBOM and provenance; no daemon, no registry
	go run ./deploy/oci -out $(IMAGES) $(if $(TAG),-tag $(TAG)) $(if $(BUILDER),-builder $(BUILDER))

.PHONY: ci
ci: verify lint vuln test ## what must pass before anything lands
	$(MAKE) fuzz FUZZTIME=10s
