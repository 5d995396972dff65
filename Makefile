# Run `make` for the list of targets.
CARGO_TARGET_DIR ?= target
WITH_SERVICES = cargo build --workspace --bins --tests && $(CARGO_TARGET_DIR)/debug/with-services

.DEFAULT_GOAL := help
.PHONY: help run run-processes run-all secrets test test-brokers test-disks test-patroni test-containers lint pictures cover gen compose-schema differential differential-data playground example example-streams contract test-clients chaos mutants security bench bench-orders bench-overload bench-actions bench-repository bench-router bench-router-instructions bench-reload bench-streams audit audit-streams dist doctor clean-data

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# With every fault that the console has.
UP = up --set console.postgres_relay_enabled=true

run: playground ## Build, then start everything in one process; Ctrl-C stops it
	cargo build --bin marketplace && exec $(CARGO_TARGET_DIR)/debug/marketplace $(UP)

run-processes: playground ## The same with a process for each service, each of which may be killed
	cargo build --bin marketplace && exec $(CARGO_TARGET_DIR)/debug/marketplace $(UP) --processes

run-all: secrets ## The full stack in containers, from compose.yaml (needs Docker)
	docker compose up --build

secrets: ## Passwords of the containers, made once, in secrets/
	@mkdir -p -m 700 secrets && cd secrets && for name in postgres_password product_key grafana_password \
	  loms_database cart_database comments_database notifier_database; do \
	  [ -s $$name ] || od -An -N20 -tx1 /dev/urandom | tr -d ' \n' >$$name; done && rm -f postgres_url && \
	  printf 'postgres://marketplace:%s@postgres:5432/' "$$(cat postgres_password)" >postgres_url && chmod 444 ./*

test: playground ## Every test, on a real Postgres and a real Kafka that end with the run
	$(WITH_SERVICES) cargo test --workspace --no-fail-fast

test-brokers: ## Kill, freeze and empty each of three real brokers under load, with nothing else on the machine
	$(WITH_SERVICES) cargo test -p e2e -- --ignored --nocapture brokers::

test-disks: ## Fill the disk of Postgres, then that of Kafka, to the last byte; mounts small file systems, so root only
	$(WITH_SERVICES) cargo test -p e2e -- --ignored --nocapture full_disks::

test-patroni: ## The primary's machine dies under Patroni and etcd, where both are installed; KILLS=20 for a record
	$(WITH_SERVICES) env PATRONI_KILLS=$(or $(KILLS),2) cargo test -p loms --test it -- --ignored --nocapture under_patroni

test-containers: ## compose.yaml in a real Docker engine: buy, kill, scale, restart; UPGRADE_FROM=commit takes its data over
	testing/containers/run $(if $(UPGRADE_FROM),--upgrade-from $(UPGRADE_FROM))

lint: ## Formatting, clippy, licences, unused and twice-built dependencies, scripts; ADVISORY_DB=a clone of RustSec's
	cargo fmt --all --check && cargo clippy --workspace --all-targets -- -D warnings
	cargo deny check bans licenses sources && .ci/advisories
	cargo shear && .ci/features && shellcheck doctor .ci/* deploy/validate deploy/kubernetes/make-secrets testing/containers/stand-ins/make testing/containers/stand-ins/*/start

pictures: playground ## The README's pictures, from the running pages
	$(WITH_SERVICES) env PICTURES=$(CURDIR)/docs/images cargo test -p e2e -- playground::shop::a_book each_of_the_ten_tabs console::live::the_printed_link

cover: ## Line coverage of the tests; fails below 80 % of the domain or of a service (needs cargo-llvm-cov)
	.ci/cover

gen: ## Write SDL, OpenAPI and docs/configuration.md from the code, then compose the supergraph
	cargo build --bin marketplace
	$(CARGO_TARGET_DIR)/debug/marketplace config reference > docs/configuration.md
	for name in cart loms comments; do $(CARGO_TARGET_DIR)/debug/marketplace sdl $$name > schema/graphql/$$name.graphql || exit 1; done
	for name in cart loms comments product; do $(CARGO_TARGET_DIR)/debug/marketplace openapi $$name > schema/openapi/$$name.json || exit 1; done
	$(MAKE) compose-schema

compose-schema: ## Compose schema/graphql/*.graphql into the supergraph (needs npm)
	cd schema/graphql/compose && npm ci --no-audit --no-fund --silent && node compose.mjs

differential: ## Compare the router's verdicts on 100,000 documents with those of graphql-js (needs npm)
	cd router/federation/tests/it/verdicts && npm ci --no-audit --no-fund --silent && node generate.mjs $(or $(COUNT),100000) $(or $(SEED),$$(date +%s)) > $(abspath $(CARGO_TARGET_DIR))/verdicts.jsonl
	VERDICTS=$(abspath $(CARGO_TARGET_DIR))/verdicts.jsonl cargo test -p federation --test it verdicts

differential-data: ## Compare responses to 100,000 operations over random federated schemas with those of one server
	SEEDS=$(or $(SEEDS),18000) cargo test --release -p federation --test it generated -- --nocapture

playground: ## Build the playground from npm, where npm is found
	@if command -v npm >/dev/null; then cd router/web && node build.mjs; else echo "no npm: the router shows its plain page instead"; fi

example: ## Two subgraphs in Node behind the router, and a third that joins while it serves (needs npm)
	cargo build --bin marketplace
	cd examples/federation && npm ci --no-audit --no-fund --silent && MARKETPLACE=$(abspath $(CARGO_TARGET_DIR))/debug/marketplace node example.mjs

example-streams: ## A Kafka topic of parcels as a live stream; the router is killed and loses nothing (needs npm)
	cargo build --workspace --bin marketplace --bin with-services
	cd examples/federation && npm ci --no-audit --no-fund --silent && cd ../streams && npm ci --no-audit --no-fund --silent && \
	  MARKETPLACE=$(abspath $(CARGO_TARGET_DIR))/debug/marketplace $(abspath $(CARGO_TARGET_DIR))/debug/with-services node example.mjs

contract: ## What existing REST and gRPC clients rely on, against the real binary
	$(WITH_SERVICES) cargo test -p e2e -- --nocapture rest_contract:: grpc::

test-clients: ## Every client of docs/clients.md over KILLS=20 kills of router and order service (needs npm; Python and Go where found)
	@if ! command -v npm >/dev/null; then echo "SKIPPED: test-clients needs node and npm, and none is here" >&2; else \
	  cargo build --workspace --bin marketplace && cargo build -p e2e --examples && cd clients/js && \
	  npm ci --no-audit --no-fund --silent && npm test --silent && \
	  KILLS=$(or $(KILLS),20) MARKETPLACE=$(abspath $(CARGO_TARGET_DIR))/debug/marketplace EXAMPLES=$(abspath $(CARGO_TARGET_DIR))/debug/examples npm run --silent test:live; fi

# The suite and the marketplace that it kills, which has its crash points compiled in.
CHAOS_PROFILE ?= $(if $(filter nightly record,$(TIER)),release,dev)
CHAOS = cargo build --profile $(CHAOS_PROFILE) -p chaos --features under-test --bins && $(CARGO_TARGET_DIR)/$(CHAOS_PROFILE:dev=debug)/chaos

chaos: ## Kill everything under load, and compare; TIER=ci|nightly|record, SEEDS=7 or 1..40
	$(CHAOS) run --tier $(or $(TIER),ci) $(if $(SEEDS),--seeds $(SEEDS)) $(CHAOS_FLAGS)

mutants: ## Put one known bug after the other into a copy of the product; the suite must catch each; ONLY="name name"
	$(CHAOS) mutants $(foreach name,$(ONLY),--only $(name)) $(CHAOS_FLAGS)

SECURITY = $(CARGO_TARGET_DIR)/$(if $(filter record,$(TIER)),release,debug)/security --binary $(CARGO_TARGET_DIR)/$(if $(filter record,$(TIER)),release,debug)/marketplace

security: ## Attack a marketplace: fuzz, abuses, who may do what, overload, floods, REST documents; TIER=ci|record
	cargo build $(if $(filter record,$(TIER)),--release) --workspace --bin marketplace --bin security
	$(SECURITY) fuzz --cases $(if $(filter record,$(TIER)),1000000,20000)
	$(SECURITY) abuse $(if $(filter record,$(TIER)),--enforce-cost)
	$(SECURITY) matrix
	$(SECURITY) overload
	$(SECURITY) documents
	$(SECURITY) floods $(if $(filter record,$(TIER)),--enforce-latency,--seconds 3 --connections 1000)
	$(SECURITY) frozen $(if $(filter record,$(TIER)),--enforce-latency,--seconds 15)

bench: ## What the router adds to a one-hop query, against the same subgraph in the same run
	cargo build --release -p marketplace -p bench --bin marketplace --bin bench && $(CARGO_TARGET_DIR)/release/bench

bench-orders: ## Orders a second with group commit and without, and how fast their events leave; QUICK=1 for a smoke run
	cargo build --release --workspace --bin bench-orders && $(CARGO_TARGET_DIR)/release/bench-orders $(if $(QUICK),--quick)

bench-overload: ## Goodput over offered load, with admission and without; STEP=60s HERD=10000 for a record
	cargo build --release -p marketplace -p bench --bin marketplace --bin bench-overload
	$(CARGO_TARGET_DIR)/release/bench-overload --binary $(CARGO_TARGET_DIR)/release/marketplace $(if $(STEP),--step $(STEP)) $(if $(HERD),--herd $(HERD))

bench-actions: ## Processor time of create, pay, cart list and comments list in two builds; BEFORE=binary AFTER=binary
	testing/bench/compare-actions.py $(BEFORE) $(AFTER) 20

bench-router: ## The router against Hive Gateway and Apollo Gateway (needs npm), and HIVE_ROUTER=its binary, over the same subgraphs
	cargo build --profile dist -p marketplace -p bench --bin marketplace --bin bench-router
	cd testing/bench/gateways && npm install --no-package-lock --no-audit --no-fund --silent
	$(CARGO_TARGET_DIR)/dist/bench-router --binary $(CARGO_TARGET_DIR)/dist/marketplace $(if $(HIVE_ROUTER),--hive-router $(abspath $(HIVE_ROUTER)))

bench-router-instructions: ## Instructions a request costs the engine, against what is committed (needs valgrind); WRITE=1 commits new ones
	testing/bench/instructions.py "$$(cargo bench -p federation --bench instructions --no-run --message-format=json | testing/bench/instructions.py --executable)" $(if $(WRITE),--write)

bench-reload: ## 2,000 live streams and queries over 20 reloads of the supergraph; STREAMS=2000 RELOADS=20
	cargo build --release -p marketplace -p bench --bin marketplace --bin bench-reload
	$(CARGO_TARGET_DIR)/release/bench-reload --binary $(CARGO_TARGET_DIR)/release/marketplace $(if $(STREAMS),--streams $(STREAMS)) $(if $(RELOADS),--reloads $(RELOADS))

bench-streams: ## What live streams cost: memory, processor time, how late; QUICK=1 for a smoke run, ONLY=identical,storm for some parts
	cargo build --release -p marketplace -p bench --bin marketplace --bin bench-streams
	$(CARGO_TARGET_DIR)/release/bench-streams --binary $(CARGO_TARGET_DIR)/release/marketplace $(if $(QUICK),--quick --results $(CARGO_TARGET_DIR)/bench-streams) $(if $(ONLY),--only $(ONLY))

bench-repository: ## What the carts in memory cost, with 1, 100 and 10,000 users and from several threads
	cargo bench -p bench --bench repository

audit: ## The public federation audit against the router; AUDIT=a clone of it with `npm install` done; QUERIES=200 for random ones
	cargo build --workspace --bin marketplace --bin audit
	$(CARGO_TARGET_DIR)/debug/audit --audit $(or $(AUDIT),../federation-gateway-audit) --binary $(CARGO_TARGET_DIR)/debug/marketplace $(if $(QUERIES),random --queries $(QUERIES) --seed $(or $(SEED),1),cases)

audit-streams: ## Black-box cases of the live streams against a marketplace of its own, or URL=http://host:port/graphql; ONLY=group/name
	cargo build --workspace --bin marketplace --bin audit-streams
	$(CARGO_TARGET_DIR)/debug/audit-streams --binary $(CARGO_TARGET_DIR)/debug/marketplace $(if $(URL),--url $(URL)) $(if $(ONLY),--only $(ONLY))

dist: playground ## One archive of a release that starts in any empty folder, with every page in the program
	cargo build --profile dist --locked --bin marketplace && .ci/dist $(CARGO_TARGET_DIR)/dist/marketplace

doctor: ## What this machine lacks, with the line that mends it; compiles nothing
	@./doctor

clean-data: ## Delete data, logs and keys of `make run`
	cargo run -q --bin marketplace -- clean-data
