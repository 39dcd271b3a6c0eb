# Latent Mill: every stage is a target. Plain `make` prints help.
.DEFAULT_GOAL := help
SHELL := /bin/bash

RECIPE ?= demo
SOURCE ?=
SET ?=
DATA ?=
N ?=
SEED ?=
SEEDS ?=
FORMAT ?=
NAME ?=
CHECK ?=
IMAGE_COLUMN ?=
LABEL_COLUMN ?=
TUNE_WORKERS ?=
INCEPTION ?=
RUNS ?= runs
VERBOSE ?=
DRY_RUN ?=
PORT ?=
OUT ?=
TRUST ?=
PYTHON ?= python3
TFX_PYTHON ?= python3.11

# A value arrives as it was written: make expands no $ in it, and recipes name it as a variable of the shell, in quotes.
VARIABLES := RECIPE SOURCE SET DATA N SEED SEEDS FORMAT NAME CHECK IMAGE_COLUMN LABEL_COLUMN TUNE_WORKERS INCEPTION RUNS VERBOSE DRY_RUN PORT OUT TRUST PYTHON TFX_PYTHON
RUNS_GIVEN := $(if $(filter-out file default undefined,$(origin RUNS)),yes)
$(foreach name,$(VARIABLES),$(eval override $(name) := $$(value $(name))))
export $(VARIABLES)
quoted = '$(subst ','\'',$(1))'

# Make takes any NAME=value. One that nothing here reads would be swallowed: it is refused, by its name; the value is not looked at.
override INNER := SHELL MAKEFLAGS VENV TFX_VENV UV UV_PIP PIP PIPELINE PYTEST TWO_WORKERS KILLS
KNOWN_AS := COUNT:N IMAGES:SOURCE DATASET:SOURCE WORKERS:TUNE_WORKERS OUTPUT:OUT \
	EPOCHS:SET="train.epochs=…" BATCH_SIZE:SET="train.batch_size=…" LEARNING_RATE:SET="train.learning_rate=…" \
	LATENT_DIM:SET="model.latent_dim=…" LABEL:SET="generate.label=…" LABELS:SET="generate.labels=…"
in_capitals = $(shell printf %s $(call quoted,$(1)) | tr a-z- A-Z_)
close_to = $(firstword $(filter $(1) $(1)S $(1:S=),$(VARIABLES)) $(patsubst $(1):%,%,$(filter $(1):%,$(KNOWN_AS))))
hint_for = $(or $(call close_to,$(call in_capitals,$(1))),$(if $(findstring .,$(1)),SET="$(1)=…"))
override UNKNOWN := $(firstword $(foreach name,$(filter-out $(INNER),$(.VARIABLES)),$(if $(filter command,$(origin $(name))),$(name))))
$(if $(UNKNOWN),$(error $(UNKNOWN)=…: expected a variable that is read here, found $(UNKNOWN); try \
	$(or $(call hint_for,$(UNKNOWN)),SET="key=value" for a recipe's key) (there are $(VARIABLES))))

VENV := .venv
VERSION := $(shell $(call quoted,$(PYTHON)) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
LOCK := requirements/py$(VERSION).txt
UV_LOCK := requirements/uv.txt
PIP := $(VENV)/bin/python -m pip install -qq --disable-pip-version-check
# uv keeps its cache below the home; where that cannot be written, below .venv.
UV := cache=$$($(VENV)/bin/uv cache dir 2>/dev/null); { mkdir -p "$$cache" && test -w "$$cache"; } 2>/dev/null || \
	export UV_CACHE_DIR=$(VENV)/.uv-cache; $(VENV)/bin/uv
UV_PIP := $(UV) pip install --quiet --python $(VENV)/bin/python
UV_LOG := $(VENV)/.uv.log
INSTALLED := $(VENV)/.installed-$(shell cat $(LOCK) $(UV_LOCK) setup.py 2>/dev/null | cksum | cut -d' ' -f1)
PIPELINE := $(VENV)/bin/python -m pipeline
PYTEST := $(VENV)/bin/python -m pytest
TWO_WORKERS := -n 2 --dist loadgroup --no-loadscope-reorder

BROWSER_LOCK := requirements/browser.txt
BROWSER_INSTALLED := $(VENV)/.playwright-$(shell cat $(BROWSER_LOCK) $(LOCK) setup.py 2>/dev/null | cksum | cut -d' ' -f1)
TFX_VENV := .venv-tfx
TFX_LOCK := requirements/tfx-py3.11.txt
TFX_INSTALLED := $(TFX_VENV)/.installed-$(shell cat $(TFX_LOCK) setup.py 2>/dev/null | cksum | cut -d' ' -f1)

OVERRIDES := $(if $(SET),--settings="$$SET") \
	$(if $(TUNE_WORKERS),--set=tune.workers="$$TUNE_WORKERS") \
	$(if $(INCEPTION),--inception="$$INCEPTION") \
	$(if $(N),--set=generate.count="$$N") $(if $(SEED),--set=generate.seed="$$SEED") $(if $(FORMAT),--set=generate.format="$$FORMAT") \
	$(if $(SEEDS),--set=generate.indices="$$SEEDS")
READ := --recipe="$$RECIPE" $(if $(SOURCE),--source="$$SOURCE") $(OVERRIDES) --runs="$$RUNS"
FLAGS := $(if $(DRY_RUN),--dry-run) $(if $(VERBOSE),--verbose) $(if $(TRUST),--trust)
RUN := $(READ) $(FLAGS)

STAGES := ingest tune train evaluate export generate

.PHONY: help setup demo $(STAGES) all figures compare explore explorer systems tensorboard status verify recipes recipe fetch schema lint test coverage bench lock clean tfx setup-tfx test-kills test-tfx test-browser

help: ## Print this page
	@echo "Latent Mill: raw images in, a generator and synthetic image sets out."
	@echo
	@echo "  make demo                                  5,000 digits through all six stages, in minutes"
	@echo "  make recipe SOURCE=~/photos NAME=photos    look at your images, write recipes/photos.yaml"
	@echo "  make all RECIPE=photos                     all six stages on them"
	@echo
	@echo "Targets"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "Variables, and what they are now"
	@echo "  RECIPE   $$RECIPE	a name of recipes/*.yaml (make recipes), or a file"
	@echo "  SOURCE   $(if $(SOURCE),$$SOURCE,the recipe's)	your images"
	@echo "  SET      $(if $(SET),$$SET,nothing)	other values: SET=\"train.epochs=5 model.latent_dim=16\""
	@echo "  TUNE_WORKERS  $(if $(TUNE_WORKERS),$$TUNE_WORKERS,the recipe's)	processes in which tune runs trials"
	@echo "  INCEPTION  $(if $(INCEPTION),$$INCEPTION,the recipe's)	the file of Inception's weights, for FID and KID (docs/evaluate.md)"
	@echo "  N        $(if $(N),$$N,the recipe's)	how many images generate makes"
	@echo "  SEED     $(if $(SEED),$$SEED,the recipe's)	image i of a seed is always the same image"
	@echo "  SEEDS    $(if $(SEEDS),$$SEEDS,none)	only these images of the seed: SEEDS=0,5,100-199"
	@echo "  FORMAT   $(if $(FORMAT),$$FORMAT,the recipe's)	png, webp, parquet, webdataset, tfrecord or npy"
	@echo "  NAME     $(if $(NAME),$$NAME,none)	name of the recipe that \`make recipe\` writes"
	@echo "  CHECK    $(if $(CHECK),$$CHECK,no)	1: \`make recipe\` looks at the images of RECIPE, and writes nothing"
	@echo "  IMAGE_COLUMN  $(if $(IMAGE_COLUMN),$$IMAGE_COLUMN,found)	for recipe: the column of images of a table or Parquet"
	@echo "  LABEL_COLUMN  $(if $(LABEL_COLUMN),$$LABEL_COLUMN,found)	for recipe: the column of labels; none: no labels"
	@echo "  DATA     $(if $(DATA),$$DATA,none)	for systems: a folder with mnist/, fashion-mnist/, clothing/ and avatars.zip"
	@echo "  RUNS     $$RUNS	where results go; for compare: the runs, RUNS=\"a b\""
	@echo "  DRY_RUN  $(if $(DRY_RUN),$$DRY_RUN,no)	1: only print what would run"
	@echo "  PORT     $(if $(PORT),$$PORT,8765)	port of the explorer, on this machine alone"
	@echo "  PYTHON   $$PYTHON	for setup: Python 3.11, 3.12 or 3.13"
	@echo "  OUT      $(if $(OUT),$$OUT,none)	for explore: write the page there, and serve nothing"
	@echo "  TRUST    $(if $(TRUST),$$TRUST,no)	1: load generators that this machine did not make (docs/security.md)"
	@echo "  VERBOSE  $(if $(VERBOSE),$$VERBOSE,no)	1: every setting and the libraries' log on the screen"

setup: $(INSTALLED) ## Install into .venv, from the lock of your Python

$(INSTALLED): $(wildcard $(LOCK)) $(UV_LOCK) setup.py
	@test -f '$(LOCK)' || { echo "error: PYTHON=$$PYTHON: expected Python 3.11, 3.12 or 3.13, found $(or $(VERSION),none); set PYTHON=python3.12" >&2; exit 2; }
	@echo "Installing into $(VENV), once, from $(LOCK)"
	@test -x $(VENV)/bin/python && $(VENV)/bin/python -c 'import sys; sys.exit("%d.%d" % sys.version_info[:2] != "$(VERSION)")' || "$$PYTHON" -m venv --clear $(VENV)
	@# pip brings uv, which installs the rest in a fraction of pip's time; where there is no uv, pip does it all.
	@$(PIP) --require-hashes --only-binary :all: -r $(UV_LOCK) 2>/dev/null || true
	@$(UV_PIP) --require-hashes -r $(LOCK) 2>$(UV_LOG) || { reason=$$(grep -m1 . $(UV_LOG)); \
		echo "uv cannot install here$${reason:+ ($$reason)}: pip installs everything instead, which takes longer"; $(PIP) --require-hashes -r $(LOCK); }
	@$(UV_PIP) --no-deps --no-build-isolation -e . 2>/dev/null || $(PIP) --no-deps --no-build-isolation -e .
	@rm -rf $(VENV)/.uv-cache $(UV_LOG)
	@# Byte-compile what the stages import, once: every process would do it again where PYTHONDONTWRITEBYTECODE is set.
	@PYTHONDONTWRITEBYTECODE= TF_CPP_MIN_LOG_LEVEL=3 $(VENV)/bin/python -W ignore -c 'import components.ingest.run, components.tune.search, \
		components.train.fit, components.evaluate.run, components.export.run, components.generate.run, pipeline.cli.app, \
		hypothesis, pytest, sklearn.ensemble, sklearn.manifold, sklearn.mixture, onnxruntime, tf2onnx, ai_edge_litert.interpreter' 2>/dev/null || true
	@rm -f $(VENV)/.installed-* && touch $@

demo: setup ## 5,000 digits that ship with a package, through all six stages
	@$(PIPELINE) all --recipe=demo $(OVERRIDES) --runs="$$RUNS" $(FLAGS)

ingest: setup ## Images to TFRecords: resize, crop, normalise, split
	@$(PIPELINE) $@ $(RUN)
tune: setup ## Search hyperparameters: latent_dim, learning rate, any key of tune.space
	@$(PIPELINE) $@ $(RUN)
train: setup ## Train the variational autoencoder, with early stopping
	@$(PIPELINE) $@ $(RUN)
evaluate: setup ## Measure it on test images, write the report
	@$(PIPELINE) $@ $(RUN)
export: setup ## SavedModel, Keras, ONNX and LiteRT files that run without this project, and a model card
	@$(PIPELINE) $@ $(RUN)
generate: setup ## Synthetic images: N=10000 SEED=7 FORMAT=parquet
	@$(PIPELINE) $@ $(RUN)
all: setup ## All six stages; what is up to date is left alone
	@$(PIPELINE) $@ $(RUN)

figures: setup ## Draw the figures and the report of RECIPE again, without training
	@$(PIPELINE) $@ --recipe="$$RECIPE" $(OVERRIDES) --runs="$$RUNS" $(if $(VERBOSE),--verbose)
compare: setup ## Runs side by side, one page: RUNS="a b", names below runs/ or paths of runs' folders
	@$(PIPELINE) $@ $(if $(RUNS_GIVEN),--names="$$RUNS") $(if $(TRUST),--trust)
systems: setup ## The published systems, one after another, all stages
	@test -n "$$DATA" || { echo "error: expected DATA=<folder with mnist/, fashion-mnist/, clothing/ and avatars.zip>, found none" >&2; exit 2; }
	@for system in mnist_dense:mnist mnist_conv:mnist mnist_conv_sum:mnist fashion_conv:fashion-mnist fashion_ae:fashion-mnist \
		fashion_bn:fashion-mnist fashion_products:clothing cartoon_faces:avatars.zip; do \
		$(PIPELINE) all --recipe=$${system%%:*} --source="$$DATA/$${system#*:}" $(OVERRIDES) --runs="$$RUNS" $(FLAGS) || exit; done

explore: setup ## Walk through RECIPE's latent space, in your browser; OUT=<folder> writes the page for a web host
	@$(PIPELINE) $@ --recipe="$$RECIPE" --runs="$$RUNS" $(if $(PORT),--port="$$PORT") $(if $(OUT),--out="$$OUT") $(if $(TRUST),--trust)
tensorboard: setup ## Curves of RECIPE's training in the browser, on this machine alone
	@name=$${RECIPE##*/}; name=$${name%.yaml}; $(VENV)/bin/tensorboard --logdir="$$RUNS/$${name%.yml}/model/logs" --host localhost
status: setup ## A line per stage: up to date, or to run and why
	@$(PIPELINE) $@ $(READ)
verify: setup ## Check every file of RECIPE's artifacts against its sha256
	@$(PIPELINE) $@ --recipe="$$RECIPE" --runs="$$RUNS"
recipes: setup ## List the recipes
	@$(PIPELINE) $@
recipe: setup ## Look at SOURCE, write recipes/NAME.yaml; CHECK=1: look at the images of RECIPE
	@[[ -n $$CHECK || -n $$SOURCE && -n $$NAME ]] || { echo "error: expected SOURCE=<your images> NAME=<a name>, found SOURCE='$$SOURCE' NAME='$$NAME'" >&2; exit 2; }
	@$(PIPELINE) $@ $(if $(SOURCE),--source="$$SOURCE") --name="$(if $(NAME),$$NAME,$$RECIPE)" $(if $(CHECK),--check) \
		$(if $(IMAGE_COLUMN),--image-column="$$IMAGE_COLUMN") $(if $(LABEL_COLUMN),--label-column="$$LABEL_COLUMN")
setup-tfx: $(TFX_INSTALLED) ## Install into .venv-tfx what `make tfx` needs; Python 3.11
$(TFX_INSTALLED): $(TFX_LOCK) setup.py | setup
	@command -v "$$TFX_PYTHON" >/dev/null || { echo "error: TFX_PYTHON=$$TFX_PYTHON: expected Python 3.11, which ml-metadata has wheels for, found no such command" >&2; exit 2; }
	@echo "Installing into $(TFX_VENV), once, from $(TFX_LOCK)"
	@$(UV) venv --quiet --clear --python="$$TFX_PYTHON" $(TFX_VENV)
	@# By uv: the SDK says Python < 3.11, which pip obeys; it works on 3.11 (docs/dependencies.md).
	@$(UV) pip install --quiet --python $(TFX_VENV)/bin/python --require-hashes -r $(TFX_LOCK)
	@$(UV) pip install --quiet --python $(TFX_VENV)/bin/python --no-deps --no-build-isolation -e .
	@touch $@
tfx: setup-tfx ## All six stages under TFX, with ML Metadata
	@$(TFX_VENV)/bin/python -m pipeline tfx run $(READ) $(if $(VERBOSE),--verbose)
fetch: setup ## Download the public data set that RECIPE names, into data/
	@$(PIPELINE) $@ --recipe="$$RECIPE"
schema: setup ## Write recipes/recipe.schema.json, for editors
	@$(PIPELINE) $@

lint: setup ## ruff, mypy, import-linter, hadolint
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check --quiet . && $(VENV)/bin/mypy && $(VENV)/bin/lint-imports --no-cache && $(VENV)/bin/hadolint Dockerfile
test: setup ## The test suite, in two processes
	@$(PYTEST) $(TWO_WORKERS) -m 'not kills and not browser and not tfx'
test-kills: setup ## The tests that kill every stage at random moments: KILLS=3 for more of them
	@$(PYTEST) $(TWO_WORKERS) -m kills
coverage: setup ## The test suite, with its coverage by lines and branches
	@rm -f .coverage .coverage.* && $(VENV)/bin/coverage run -m pytest $(TWO_WORKERS) -m 'not kills and not browser and not tfx'
	@$(VENV)/bin/coverage combine --quiet && $(VENV)/bin/coverage report
test-browser: $(BROWSER_INSTALLED) ## The tests of the explorer's page, in Chromium
	@$(PYTEST) tests/browser
$(BROWSER_INSTALLED): $(BROWSER_LOCK) | setup
	@$(UV_PIP) --require-hashes -r $(BROWSER_LOCK) || $(PIP) --require-hashes -r $(BROWSER_LOCK)
	@rm -f $(VENV)/.playwright-* && touch $@
test-tfx: setup-tfx ## The tests of TFX and Kubeflow, in their own environment
	@$(TFX_VENV)/bin/python -m pytest tests/orchestration
explorer: ## Build the explorer's page from explorer/, with Node
	@cd explorer && npm ci --silent --ignore-scripts && npm test --silent && npm run --silent build
bench: setup ## Measure beside peers, in one run
	@$(VENV)/bin/python -m benchmarks.train
	@$(VENV)/bin/python -m benchmarks.systems --runs="$$RUNS" $(if $(DATA),--data="$$DATA")
lock: setup ## Resolve the locks again: one per supported Python, and those of uv, TFX and Playwright
	@for version in 3.11 3.12 3.13; do $(VENV)/bin/uv pip compile --quiet --universal --python-version $$version --generate-hashes \
		--no-header --no-annotate --upgrade setup.py --extra demo --extra onnx --extra litert --extra dev -o requirements/py$$version.txt || exit 1; done
	@$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --upgrade setup.py --extra demo --extra onnx --extra litert --extra dev --extra tfx -o $(TFX_LOCK)
	@echo uv | $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --upgrade - -o $(UV_LOCK)
	@echo playwright | $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --upgrade --constraints requirements/py3.11.txt - -o $(BROWSER_LOCK)
clean: ## Remove .venv and caches; runs/ is yours and stays
	rm -rf $(VENV) $(TFX_VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
