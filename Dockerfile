# syntax=docker/dockerfile:1
# SiteMon as an image of one static binary, the certificates that sign the web's,
# and a data folder: no shell, no package manager, no root.

FROM golang:1.26 AS build
WORKDIR /src
ENV GOCACHE=/cache/build GOMODCACHE=/cache/modules CGO_ENABLED=0
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/cache go mod download
COPY . .
RUN --mount=type=cache,target=/cache \
    go build -trimpath -ldflags '-s -w' -o /out/sitemon ./cmd/sitemon \
 && mkdir -p /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/sitemon /sitemon
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
# What listens beyond loopback wants a password or to be told that none is needed:
# SITEMON_INSECURE_NO_AUTH, or auth in sitemon.yaml.
ENV SITEMON_DATA_DIR=/data \
    SITEMON_LISTEN=0.0.0.0:8080 \
    SITEMON_SITES=/etc/sitemon/sites.yaml
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/sitemon", "healthcheck"]
ENTRYPOINT ["/sitemon"]
