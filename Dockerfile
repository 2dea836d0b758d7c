# One image for all services; which one runs is told by its command (convex-gateway, convex-processor, …).
#
#   docker build .                             the image
#   docker build --target dev .                the same under a reloader, for `skaffold dev`
#   docker build --target sbom --output . .    convex-alerts.cdx.json, the Python packages in it (CycloneDX)
#
# docs/image.md says what is in it and why, and how the bases are brought up to date.
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim-trixie@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b
ARG POSTGRES_IMAGE=docker.io/library/postgres:18-trixie@sha256:4ef4dbc939d61acea57712655ddb4b4ab27419c913f94cca0cd57cb3ea3c2280
ARG NODE_IMAGE=docker.io/library/node:22-trixie-slim@sha256:7b8a0c89c54499bee567618f96578e1a12a800f062fbdbfd1fb6a443fa6f6284

FROM ${POSTGRES_IMAGE} AS postgres

# ---- pages: the dashboard as browsers get it; nothing else of this stage goes further
FROM ${NODE_IMAGE} AS pages
WORKDIR /src
COPY package.json package-lock.json .npmrc tsconfig.base.json ./
COPY libs/sdk-typescript libs/sdk-typescript
COPY services/gateway/dashboard services/gateway/dashboard
RUN --mount=type=cache,target=/root/.npm \
    npm ci --silent && \
    npm run --silent build --workspace @convex-alerts/dashboard -- --logLevel warn

# ---- builder: everything from wheels whose hashes are locked; nothing is compiled
FROM ${PYTHON_IMAGE} AS builder
ARG SOURCE_DATE_EPOCH=1767225600
ENV TOOLS=/opt/tools \
    CONVEX=/opt/convex \
    WHEELS=/opt/wheels \
    SBOM=/opt/sbom \
    SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH} \
    UV_LINK_MODE=copy \
    UV_NO_CONFIG=1 \
    PYC_INVALIDATION_MODE=UNCHECKED_HASH
WORKDIR /src

COPY requirements-build.lock ./
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 -m venv "$TOOLS" && \
    "$TOOLS/bin/pip" --disable-pip-version-check install --quiet --no-compile --require-hashes --only-binary :all: \
        -r requirements-build.lock

# kubernetes has a second client, for asyncio: 65 MB that nothing imports.
COPY requirements-image.lock ./
RUN --mount=type=cache,target=/root/.cache/uv \
    "$TOOLS/bin/uv" venv --quiet --python python3 "$CONVEX" && \
    "$TOOLS/bin/uv" pip install --quiet --python "$CONVEX" --require-hashes --only-binary :all: --no-deps -r requirements-image.lock && \
    rm -r "$CONVEX"/lib/python3*/site-packages/kubernetes/aio && \
    "$CONVEX/bin/python" -m compileall -q -j 0 --invalidation-mode unchecked-hash "$CONVEX/lib"

COPY libs/common libs/common
COPY libs/sdk-python libs/sdk-python
COPY libs/detection libs/detection
COPY libs/admin libs/admin
COPY services services
COPY --from=pages /src/services/gateway/src/convex_gateway/dashboard/built services/gateway/src/convex_gateway/dashboard/built
RUN for package in libs/* services/*; do \
        "$TOOLS/bin/uv" build --quiet --offline --wheel --no-build-isolation --python "$TOOLS" --out-dir "$WHEELS" "$package" || exit 1; \
    done && \
    "$TOOLS/bin/uv" pip install --quiet --python "$CONVEX" --offline --no-index --find-links "$WHEELS" --no-deps --compile-bytecode \
        convex-admin convex-alerts convex-analytics convex-common convex-detection convex-gateway convex-notifier convex-processor convex-scheduler && \
    "$TOOLS/bin/uv" pip check --quiet --python "$CONVEX"

# ---- sbom: a file on its own
FROM builder AS inventory
RUN mkdir -p "$SBOM" && \
    "$TOOLS/bin/cyclonedx-py" environment --no-validate --output-reproducible --output-format JSON \
        --output-file "$SBOM/convex-alerts.cdx.json" "$CONVEX/bin/python"

FROM scratch AS sbom
COPY --from=inventory /opt/sbom/ /

# ---- product: the virtual environment, and PostgreSQL's programs for `convex admin backup` and `restore`
FROM ${PYTHON_IMAGE} AS product
# What libpq stands on comes from Debian; libpq itself, pg_dump and pg_restore are those of the newest PostgreSQL, since an
# older pg_dump refuses a newer server. pip has nothing to do in a running container.
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install --yes --no-install-recommends libpq5 liblz4-1 libzstd1 && \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log /var/cache/ldconfig/aux-cache && \
    rm -rf /usr/local/lib/python3*/site-packages/pip* /usr/local/lib/python3*/ensurepip /usr/local/bin/pip* && \
    groupadd --gid 10001 convex && \
    useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin --no-log-init convex
COPY --from=postgres /usr/lib/*-linux-gnu/libpq.so.5* /usr/local/lib/
COPY --from=postgres /usr/lib/postgresql/*/bin/pg_dump /usr/lib/postgresql/*/bin/pg_restore /usr/local/bin/
RUN ldconfig && rm -f /var/cache/ldconfig/aux-cache && pg_dump --version && pg_restore --version
COPY --from=builder /opt/convex /opt/convex
ENV PATH=/opt/convex/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /tmp
USER 10001:10001
STOPSIGNAL SIGTERM
EXPOSE 8080 9090
# Kubernetes asks /healthz and /readyz; a second opinion of Docker's would only be another one to configure.
HEALTHCHECK NONE
CMD ["convex", "--help"]

# ---- dev: sources that are synced into /src come before those installed, and a change restarts the service
FROM product AS dev
USER 0:0
COPY --from=builder /opt/tools /opt/tools
COPY --chmod=0755 image/reload /opt/reloading/reload
RUN for service in gateway processor notifier analytics scheduler; do ln -s reload "/opt/reloading/convex-$service"; done
COPY --chown=10001:10001 libs/common /src/libs/common
COPY --chown=10001:10001 libs/sdk-python /src/libs/sdk-python
COPY --chown=10001:10001 libs/detection /src/libs/detection
COPY --chown=10001:10001 libs/admin /src/libs/admin
COPY --chown=10001:10001 services /src/services
COPY --chown=10001:10001 --from=pages /src/services/gateway/src/convex_gateway/dashboard/built /src/services/gateway/src/convex_gateway/dashboard/built
ENV PATH=/opt/reloading:$PATH \
    PYTHONPATH=/src/libs/common/src:/src/libs/detection/src:/src/libs/sdk-python/src:/src/libs/admin/src:/src/services/gateway/src:/src/services/processor/src:/src/services/notifier/src:/src/services/analytics/src:/src/services/scheduler/src
USER 10001:10001

# ---- the image
FROM product AS release
ARG VERSION=0.0.0-dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Convex Alerts" \
      org.opencontainers.image.description="Kubernetes-native alerting: every service of Convex Alerts, chosen by the command." \
      org.opencontainers.image.source="https://github.com/convex-alerts/convex-alerts" \
      org.opencontainers.image.documentation="https://github.com/convex-alerts/convex-alerts/blob/main/docs/image.md" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
