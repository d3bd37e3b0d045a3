# Every habit has a name. `make` alone lists them.

.DEFAULT_GOAL := help
SHELL := bash
CLUSTER := tests/cluster/cluster
# The profile of tests and demo: built in seconds, and otherwise what ships.
QUICK := --profile quick --locked

.PHONY: help
help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## an operator and a database to play with; CONTEXT=… uses that kube context instead of a cluster of its own
	@CONTEXT='$(CONTEXT)' tests/demo.sh

.PHONY: demo-remove
demo-remove: ## remove what the demo made
	@CONTEXT='$(CONTEXT)' tests/demo.sh remove

.PHONY: build
build: ## build the program as it ships
	cargo build --release --locked

.PHONY: test
test: lint ## lint, unit tests, command line, and end to end on a real cluster
	@tests/run.sh

.PHONY: unit
unit: ## the tests that need no cluster
	cargo test $(QUICK) --lib --test cli --test wizard

.PHONY: e2e
e2e: ## the tests on a real cluster; TEST=… runs those whose name contains it
	@tests/run.sh --test e2e -- $(TEST)

.PHONY: lint
lint: ## formatting, lints, dependencies, scripts
	@tests/lint.sh

.PHONY: soak
soak: ## long campaigns: operators killed, descriptions changed at random, primaries lost; SEED=… and ROUNDS=… choose
	@RUST_TEST_THREADS=1 PGHERD_SEED='$(or $(SEED),1)' PGHERD_ROUNDS='$(or $(ROUNDS),20)' tests/run.sh --test e2e -- soak

.PHONY: bench
bench: ## measure checking an inventory, then installing, creating and running on the test cluster
	@tests/run.sh bench

.PHONY: bench-scale
bench-scale: ## measure the operator with many clusters whose pods are not real; CLUSTERS=10,100,500 says how many
	@CLUSTERS='$(or $(CLUSTERS),10,100,500)' tests/run.sh bench-scale

.PHONY: cluster-up
cluster-up: ## start the test cluster, or repair it
	@$(CLUSTER) up

.PHONY: cluster-down
cluster-down: ## stop the test cluster
	@$(CLUSTER) down

.PHONY: images
images: ## build the images with docker, podman or buildah; REGISTRY=… names and pushes them
	@manifests/images/build.sh '$(REGISTRY)'

.PHONY: generated
generated: ## write generated files anew: definitions, reference pages, snapshots
	UPDATE=1 PGHERD_UPDATE_DOCS=1 INSTA_UPDATE=always cargo test $(QUICK) --lib --test cli --test wizard
