# Two commands do everything on a fresh Debian 12: `make demo` and `make test`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export PATH := $(HOME)/.cargo/bin:$(PATH)

.PHONY: help setup demo test check bench deb clean

help:
	@echo 'make demo    set up, build, make a real call, print its transcript'
	@echo 'make test    set up, then every test'
	@echo 'make check   format, lints, licences, tests of the crates you touched'
	@echo 'make bench   CPU, memory and latency beside the bare relay loop'
	@echo 'make deb     the Debian package'

setup:
	@packaging/setup

demo: setup
	cargo build --locked --workspace --bins
	packaging/fetch-models
	STROWGER_TEST_MODELS=var/models cargo run --locked --quiet --package strowger-tests --bin strowger-demo

test: setup
	packaging/run-tests

check: setup
	packaging/check

bench: setup
	cargo build --locked --release --package strowger-daemon --package strowger-worker
	bench/run

deb: setup
	packaging/deb/build

clean:
	cargo clean
