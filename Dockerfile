# syntax=docker/dockerfile:1
# One image for every process; compose.yaml gives each container its command.

FROM node:22-bookworm-slim AS playground
WORKDIR /build/router/web
COPY router/web/ ./
RUN node build.mjs

FROM rust:1.95.0-bookworm AS build
# The image's own toolchain: rust-toolchain.toml would make rustup fetch a second one with lints and formatter.
ENV RUSTUP_TOOLCHAIN=$RUST_VERSION
WORKDIR /build
COPY . .
# Crates and compiled dependencies stay in the builder's cache, so a changed line of ours compiles only what is ours.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/build/target \
    cargo build --profile dist --locked --bin marketplace && install --strip target/dist/marketplace /marketplace

FROM debian:bookworm-slim
# Not pinned: the distribution keeps no old versions, and its security updates are wanted.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /app --create-home marketplace \
    && install -d -o marketplace /app/state
WORKDIR /app
COPY --from=build /marketplace /usr/local/bin/marketplace
COPY --from=playground /build/router/web/dist /app/playground
USER 10001
ENTRYPOINT ["marketplace"]
CMD ["--help"]
