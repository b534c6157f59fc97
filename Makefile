# Every chore of the project. `make demo` and `make test` set up what they need on a fresh machine.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
# What the tests leave behind. Not below the project, where it would be taken for a part of it, and searched by git.
LEFT ?= $(or $(TMPDIR),/tmp)/cutover-tests-$(shell id -u)

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint check gate dashboard screenshots lock clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)$$/  make \1\t\2/' | expand -t 20

setup: $(STAMP) ## make .venv and install what the lock names

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; try: make setup PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP) ## the whole loop on stand-in providers, from captures to a verdict
	@$(BIN)/cutover demo

test: $(STAMP) ## the tests, then a search for their keys in all that they left behind
	rm -rf "$(LEFT)" && mkdir -p "$(LEFT)"
	status=0; $(BIN)/python -m pytest --basetemp="$(LEFT)/files" --junitxml="$(LEFT)/report.xml" \
		-o junit_logging=all -o junit_log_passing_tests=true -o tmp_path_retention_policy=all || status=$$?; \
	$(BIN)/python -m tests.canary_search "$(LEFT)" && exit $$status

lint: $(STAMP) ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test ## lint and test

gate: $(STAMP) ## the security gate, and its record for the rollout
	@$(BIN)/cutover gate run

dashboard: $(STAMP) ## the dashboard on the runs of this folder
	@$(BIN)/cutover dashboard

screenshots: $(STAMP) ## docs/dashboard.png from the latest run and docs/rollout.png from a staged outage, in real Chromium
	$(BIN)/python -m scripts.screenshot_dashboard
	$(BIN)/python -m scripts.screenshot_dashboard --page rollout --staged --full

lock: $(STAMP) ## resolve pyproject.toml anew into requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra dev --extra demo --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements.lock

clean: ## remove .venv, caches and everything made at run time
	rm -rf .venv data/local .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
