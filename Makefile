# What one does with liege: build it, check it, measure it, show it, install it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.ONESHELL:
.DEFAULT_GOAL := build
.PHONY: build check bench demo install manuals clean \
        check-format check-lints check-manuals check-configurations check-units \
        check-second-opinion check-deployment check-tests

PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
PYTHON     ?= python3
CARGO      ?= cargo
LIEGE      ?= target/release/liege

# PCRE2 goes into the binary, whatever the machine has.
export PCRE2_SYS_STATIC := 1

build:
	$(CARGO) build --release --locked

# ---- check: every test; the test runner speaks last --------------------------------------------

check: check-needs check-format check-lints check-manuals check-configurations check-units \
       check-second-opinion check-deployment check-tests

.PHONY: check-needs
check-needs:
	tests/needs.sh
	$(CARGO) build --release --locked

check-format: | check-needs
	$(CARGO) fmt --all --check

check-lints: | check-format
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

check-manuals: | check-lints
	mandoc -Tlint -W warning man/*.[1-8]

check-configurations: | check-manuals
	$(PYTHON) tests/install.py

check-units: | check-configurations
	tests/units.sh

check-second-opinion: | check-units
	CARGO_TARGET_DIR=target/second-opinion $(CARGO) test --manifest-path tests/second-opinion/Cargo.toml

check-deployment: | check-second-opinion
	target/venv/bin/python tests/browser.py
	target/venv/bin/python tests/peers.py
	target/venv/bin/python tests/storms.py --kills 3 --reloads 10

check-tests: | check-deployment
	@export PATH="$$PWD/target/venv/bin:$$PATH" LIEGE_TEST_VENV="$$PWD/target/venv"
	if $(CARGO) nextest --version >/dev/null 2>&1; then
	    $(CARGO) test --workspace --locked --doc
	    $(CARGO) nextest run --workspace --locked
	else
	    $(CARGO) test --workspace --locked
	fi

# ---- bench, demo -------------------------------------------------------------------------------

bench: build
	tests/needs.sh
	$(PYTHON) benches/run.py

GUESTBOOK := examples/guestbook

demo: build $(GUESTBOOK)/venv/ready
	@user=
	mkdir -p $(GUESTBOOK)/caller $(GUESTBOOK)/run
	rm -f $(GUESTBOOK)/caller/*.conf
	if [ "$$(id -u)" = 0 ]; then
	    # The caller's checkout is root's: so is the demonstration, on the loopback address alone.
	    user='user root;'
	    echo 'uid root; gid root;' > $(GUESTBOOK)/caller/root.conf
	fi
	exec $(LIEGE) -p $(GUESTBOOK) -c liege.conf -g "$$user"

$(GUESTBOOK)/venv/ready: $(GUESTBOOK)/requirements.txt
	tests/venv.sh $(@D) -r $<
	touch $@

# ---- install -----------------------------------------------------------------------------------

manuals: build
	$(LIEGE) help --manual > man/liege.conf.5

ETC   := $(DESTDIR)$(SYSCONFDIR)
SHARE := $(DESTDIR)$(PREFIX)/share
LIB   := $(DESTDIR)$(PREFIX)/lib

# What an operator has changed under /etc stays: a file that is there is left alone.
KEEP = keep() { [ -e "$$2" ] || install -D -m 0644 "$$1" "$$2"; }

install:
	@test -x $(LIEGE) || { echo "$(LIEGE) is not there: run make first" >&2; exit 1; }
	install -D -m 0755 $(LIEGE) $(DESTDIR)$(PREFIX)/sbin/liege
	install -D -m 0644 -t $(SHARE)/man/man8 man/liege.8
	install -D -m 0644 -t $(SHARE)/man/man5 man/liege.conf.5
	install -D -m 0644 -t $(SHARE)/doc/liege README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE \
	    docs/coming-from-nginx.md docs/coming-from-uwsgi.md
	$(KEEP)
	for file in liege.conf mime.types uwsgi_params sites-available/blog.conf; do
	    keep conf/$$file $(ETC)/liege/$$file
	done
	keep conf/apps.d/blog.conf.example $(ETC)/liege/apps.d/blog.conf.example
	install -d $(ETC)/liege/conf.d $(ETC)/liege/sites-enabled
	keep systemd/liege.logrotate $(ETC)/logrotate.d/liege
	install -d $(LIB)/systemd/system
	sed 's#/usr/sbin/liege#$(PREFIX)/sbin/liege#' systemd/liege.service > $(LIB)/systemd/system/liege.service
	install -m 0644 -t $(LIB)/systemd/system systemd/liege.socket
	install -D -m 0644 systemd/liege.sysusers $(LIB)/sysusers.d/liege.conf
	install -D -m 0644 systemd/liege.tmpfiles $(LIB)/tmpfiles.d/liege.conf
	sed -i 's#/usr/sbin/liege#$(PREFIX)/sbin/liege#' $(ETC)/logrotate.d/liege
	install -d $(DESTDIR)/var/lib/liege $(DESTDIR)/var/log/liege
	[ -L $(DESTDIR)/var/lib/liege/logs ] || [ -e $(DESTDIR)/var/lib/liege/logs ] || \
	    ln -s /var/log/liege $(DESTDIR)/var/lib/liege/logs

clean:
	$(CARGO) clean
	rm -rf examples/*/{venv,run,caller,logs,*_temp}
