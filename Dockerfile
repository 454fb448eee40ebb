# The environment that release images are built in: Debian 12 with a C compiler, git and the toolchain of
# rust-toolchain.toml. The image's own bytes do not depend on it beyond the toolchain: the guest is linked with the
# toolchain's linker and C library, and every Debian package of the image is checked against image/lock.toml. What it
# pins is what builds the builder.
#
#   docker build -t hallmark-build .
#   docker run --rm -v "$PWD:/build/hallmark" -w /build/hallmark hallmark-build cargo run --locked -p hallmark-mint -- build --out out
#
# Not run where this was written: no container engine was at hand. BASE is a tag and therefore moves; a release
# builds with the digest that its builder resolved:
#
#   docker buildx imagetools inspect debian:12-slim --format '{{.Manifest.Digest}}'
#   docker build --build-arg BASE=debian:12-slim@sha256:... -t hallmark-build .
ARG BASE=debian:12-slim
FROM ${BASE}

# APT_ARCHIVE, when given, is the folder of a snapshot archive (".../debian/20260901T000000Z") and pins the packages.
ARG APT_ARCHIVE=
RUN set -eu; \
    if [ -n "$APT_ARCHIVE" ]; then \
        rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*; \
        echo "deb [check-valid-until=no] $APT_ARCHIVE bookworm main" > /etc/apt/sources.list; \
    fi; \
    apt-get update -q; \
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        build-essential ca-certificates curl git musl-tools; \
    rm -rf /var/lib/apt/lists/*

# rustup-init is checked by hash; what it installs, rustup checks by the manifest of the version named here.
# RUSTUP is a base address that holds archive/VERSION/TARGET/rustup-init.
ARG RUSTUP=https://static.rust-lang.org/rustup
ARG RUSTUP_VERSION=1.28.2
ARG RUSTUP_SHA256=20a06e644b0d9bd2fbdbfd52d42540bdde820ea7df86e92e533c073da0cdd43c
ENV RUSTUP_HOME=/opt/rustup CARGO_HOME=/opt/cargo PATH=/opt/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
COPY rust-toolchain.toml /opt/rust-toolchain.toml
RUN set -eu; \
    curl --proto '=https' --tlsv1.2 -fsSLo /tmp/rustup-init \
        "$RUSTUP/archive/$RUSTUP_VERSION/x86_64-unknown-linux-gnu/rustup-init"; \
    echo "$RUSTUP_SHA256  /tmp/rustup-init" | sha256sum -c -; \
    chmod +x /tmp/rustup-init; \
    channel=$(sed -n 's/^channel = "\(.*\)"$/\1/p' /opt/rust-toolchain.toml); \
    /tmp/rustup-init -y -q --no-modify-path --profile minimal --default-toolchain "$channel" \
        --target x86_64-unknown-linux-musl -c rustfmt -c clippy; \
    rm /tmp/rustup-init

# A clone that is mounted belongs to another user; git would not say its commit.
RUN git config --system --add safe.directory '*'
ENV SOURCE_DATE_EPOCH=315532800 LC_ALL=C TZ=UTC
WORKDIR /build/hallmark
