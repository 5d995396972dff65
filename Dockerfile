# syntax=docker/dockerfile:1
# One image for every process; compose.yaml gives each container its command.

FROM node:22-bookworm-slim AS playground
WORKDIR /build/router/web
COPY router/web/ ./
RUN node build.mjs

FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends cmake && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
# Registry and target stay in the builder's cache, so a changed line does not compile every dependency again.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin marketplace && cp target/release/marketplace /marketplace

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /app --create-home marketplace \
    && install -d -o marketplace /app/state
WORKDIR /app
COPY --from=build /marketplace /usr/local/bin/marketplace
COPY --from=playground /build/router/web/dist /app/playground
USER marketplace
ENTRYPOINT ["marketplace"]
CMD ["--help"]
