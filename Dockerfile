# One image for every process: `web`, `worker`, `beat`, `run`, and all other commands.
# It contains zenpy, which is GPLv3: whoever passes the image on does so under GPLv3 terms.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/connector
COPY requirements.lock ./
RUN /opt/connector/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE .env.example ./
COPY config ./config
COPY connector ./connector
RUN /opt/connector/bin/pip install --no-cache-dir --no-deps .

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 connector \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin connector
COPY --from=build /opt/connector /opt/connector
ENV PATH="/opt/connector/bin:$PATH" \
    PYTHONUNBUFFERED=1 \
    CONNECTOR_CONFIG=/etc/connector/connector.yaml
WORKDIR /etc/connector
USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["connector"]
CMD ["--help"]
