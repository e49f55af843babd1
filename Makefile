# `make help` lists what there is; `make ci` is exactly what CI runs.

GO            ?= go
PACKAGES      ?= ./...
GOLANGCI      ?= $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK   ?= $(GO) run golang.org/x/vuln/cmd/govulncheck@v1.9.0
LDFLAGS       := -s -w

.DEFAULT_GOAL := help
.PHONY: help build build-all test race vet lint fmt generate cover vuln bench bench-peers bench-limits bench-kinds bench-edits bench-writer bench-history bench-page bench-ui screenshots vendor-web demo check-config manifests ci ci-steps clean

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## Build bin/sitemon for this machine, without cgo.
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/sitemon

build-all: ## Compile every package for Linux, macOS and Windows.
	CGO_ENABLED=0 GOOS=linux $(GO) build ./...
	CGO_ENABLED=0 GOOS=darwin $(GO) build ./...
	CGO_ENABLED=0 GOOS=windows $(GO) build ./...

test: ## Run all tests with the race detector, Kafka and Postgres; say what was missing or skipped, and why.
	$(GO) run ./internal/testreport -timeout 25m $(PACKAGES)

race: ## Run the tests three times with the race detector, in random order.
	$(GO) run ./internal/testreport -timeout 30m -count 3 -shuffle on $(PACKAGES)

vet: ## Run go vet.
	$(GO) vet ./...

lint: ## Run golangci-lint: style, and the import table of .golangci.yml.
	$(GOLANGCI) run

fmt: ## Format all Go files.
	$(GOLANGCI) fmt

generate: ## Run go generate.
	$(GO) generate ./...

cover: ## Measure the tests' coverage: cover.html, and the total.
	$(GO) run ./internal/testreport -timeout 30m -coverpkg ./... -coverprofile cover.out ./...
	$(GO) tool cover -html cover.out -o cover.html
	@$(GO) tool cover -func cover.out | tail -1

vuln: ## Look for known vulnerabilities (asks vuln.go.dev).
	$(GOVULNCHECK) ./...

bench: ## Run the benchmarks of the hot paths, with Kafka and Postgres.
	$(GO) run ./internal/testreport exec $(GO) test -run '^$$' -bench . -benchmem $(PACKAGES)

SITES      ?= 10000
INTERVAL   ?= 10s
DURATION   ?= 60s
KEEP_ALIVE ?= false
KINDS      ?=
MESSAGES   ?= 1000000
ROWS       ?= 0
BUFFERS    ?=
DATA       ?=
DAYS       ?= 90
RIG        := $(GO) run ./bench/rig

bench-peers: build ## Measure the daemon against a bare client loop (SITES, INTERVAL, DURATION, KEEP_ALIVE).
	$(RIG) peers -sites $(SITES) -interval $(INTERVAL) -duration $(DURATION) -keep-alive=$(KEEP_ALIVE)

bench-limits: build ## Measure the daemon at rising rates: 10,000 sites down to 1 s, 100,000 at 5 m.
	$(RIG) limits -duration $(DURATION) -keep-alive=$(KEEP_ALIVE)

bench-kinds: INTERVAL = 60s
bench-kinds: DURATION = 120s
bench-kinds: build ## Measure the daemon with sites of all kinds at once (SITES, INTERVAL, DURATION, KINDS: some of them, as in http,dns).
	$(RIG) kinds -sites $(SITES) -interval $(INTERVAL) -duration $(DURATION) -kinds=$(KINDS)

bench-edits: build ## Measure how edits of the sites file reach the running daemon, and that no other site loses a slot.
	$(RIG) edits -sites $(SITES) -interval $(INTERVAL)

bench-writer: build ## Measure the writer against COPY of the same rows, with Kafka and Postgres (SITES, MESSAGES), and again with ROWS in the table; BUFFERS: shared_buffers of a Postgres of its own.
	$(GO) run ./internal/testreport exec $(RIG) writer -sites $(SITES) -interval $(INTERVAL) -messages $(MESSAGES) -rows $(ROWS) -shared-buffers=$(BUFFERS)

bench-history: SITES = 1000
bench-history: INTERVAL = 60s
bench-history: ## Measure months of history in Postgres: rollups, size, lists and charts (SITES, INTERVAL, DAYS).
	$(RIG) history -sites $(SITES) -interval $(INTERVAL) -days $(DAYS)

bench-page: SITES = 1000
bench-page: INTERVAL = 60s
bench-page: build ## Measure a site's page over HTTP, from months in SQLite (SITES, INTERVAL, DAYS; DATA: a folder whose store is used again).
	$(RIG) page -sites $(SITES) -interval $(INTERVAL) -days $(DAYS) -data=$(DATA)

bench-ui: SITES = 5000
bench-ui: INTERVAL = 10s
bench-ui: build ## Measure the overview under live updates, and what it does to a browser (SITES, INTERVAL).
	$(RIG) ui -sites $(SITES) -interval $(INTERVAL)

screenshots: build ## Take the pictures of the documents, from demo data, in a browser.
	$(RIG) pictures -sites 24 -interval 10s -days 90 -warm 30s -width 1440

vendor-web: ## Fetch the vendored front-end files, in the versions web/vendor.sh names (needs npm).
	web/vendor.sh

demo: build ## Show monitors and a writer with Kafka and Postgres on this machine, without Docker, until Ctrl-C.
	$(GO) run ./internal/testreport exec $(RIG) demo

HELM := helm
manifests: ## Render the plain Kubernetes manifests from the chart (needs helm).
	for mode in single distributed; do \
	  { printf '# Rendered from deploy/helm/sitemon by make manifests. It needs a secret:\n#\n#   kubectl create secret generic sitemon --from-literal=OPS_PASSWORD_HASH="$$(sitemon hash-password)"'; \
	    test $$mode = single || printf ' \\\n#     --from-literal=KAFKA_BROKER=kafka://… --from-literal=POSTGRES_DSN=postgres://…'; echo; \
	    $(HELM) template sitemon deploy/helm/sitemon --kube-version 1.30.0 -f deploy/kubernetes/values.yaml --set mode=$$mode | \
	    grep -v -e '^# Source:' -e 'helm.sh/chart:' -e 'managed-by: Helm'; } > deploy/kubernetes/$$mode.yaml; \
	done

check-config: ## Validate sites.yaml as the daemon would.
	$(GO) run ./cmd/sitemon check sites.yaml

CI_STEPS := vet build-all lint test

ci: $(CI_STEPS) ## What CI runs: vet, build for three systems, lint, test.

ci-steps: # The names of these steps, for .ci/run.
	@echo $(CI_STEPS)

clean: ## Remove what the targets above have built.
	rm -rf bin cover.out cover.html
