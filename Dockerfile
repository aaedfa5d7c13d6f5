# docker build -t flowy-watch .
# docker run --read-only -v flowy-watch:/var/lib/flowy-watch \
#   -v "$PWD/flowy-watch.toml:/var/lib/flowy-watch/flowy-watch.toml:ro" flowy-watch
# With secrets as files and hardening: docker-compose.yml.

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY constraints.txt ./
# The environment is made where it will run: scripts in it name its path.
RUN python -m venv /opt/flowy-watch && pip install --constraint constraints.txt hatchling
COPY pyproject.toml README.md LICENSE ./
COPY templates templates
COPY flowy_watch flowy_watch
RUN pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
 && wheel="$(echo dist/*.whl)" \
 && /opt/flowy-watch/bin/pip install --constraint constraints.txt "${wheel}[postgresql]" \
 && /opt/flowy-watch/bin/python -m pip uninstall --yes --quiet pip

FROM python:3.13-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="flowy-watch" \
      org.opencontainers.image.description="Watches what every Flowy API key spends and says how to revoke it when something is wrong." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# The ids are fixed, so that a host can give files to them.
RUN groupadd --gid 10001 flowy-watch \
 && useradd --uid 10001 --gid 10001 --home-dir /var/lib/flowy-watch --no-create-home --shell /usr/sbin/nologin flowy-watch \
 && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/flowy-watch
COPY --from=build /opt/flowy-watch /opt/flowy-watch
ENV PATH="/opt/flowy-watch/bin:$PATH" PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
# The default database and ./flowy-watch.toml are looked for here.
WORKDIR /var/lib/flowy-watch
VOLUME /var/lib/flowy-watch
EXPOSE 8420
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=1m --timeout=10s --start-period=1m --retries=3 CMD ["flowy-watch", "status", "--json"]
ENTRYPOINT ["flowy-watch"]
CMD ["run"]
